//! A project in a folder of its own: simulated people, a pipeline, and the program run in it.
//!
//! Nothing comes from the surroundings: actor, home folder and workspace are given here.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use test_services::{Postgres, S3};

/// Rows of the simulated file: enough for a clear result, few enough for a quick run.
pub(crate) const N_PEOPLE: usize = 600;
/// Who runs the program; the ledger must hold a pseudonym only.
pub(crate) const ACTOR: &str = "Zebra Person";

/// A pipeline that the gate lets pass, and fast: twenty small trees, two folds, two hundred resamples.
pub(crate) const PIPELINE: &str = r#"schema: veracta.pipeline/1
name: small
purpose: Decide which customers to call first.
owner: Retention
frameworks: [gdpr]
data:
  path: customers.csv
  name: people
  nature: simulated
  label: {column: churned, positive: "yes"}
  identifiers: [customer]
  protected: [sex]
  drop:
    sex: protected attribute
  controller: Example
  licence: none needed
  purposes: [retention]
  lawful_basis: consent
  retention_until: "2030-12-31"
training:
  algorithm: gradient_boosting
  rounds: 20
  max_depth: 3
validation:
  resamples: 200
  criteria:
    - {metric: roc_auc, at_least: 0.6}
  fairness:
    - {metric: equal_opportunity_difference, by: sex, at_most: 0.6}
minimisation:
  folds: 2
"#;

/// Two commands: one makes the dataset from a raw file, the other stands alone.
const STEPS: &str = "\
steps:
  - id: prepare
    run: sh prepare.sh
    inputs: [prepare.sh, raw.csv]
    outputs: [customers.csv]
  - id: note
    run: sh note.sh
    inputs: [note.sh]
    outputs: [out/note.txt]
";

/// Returns people as CSV: the same rows on every machine, with identifiers that occur nowhere else.
pub(crate) fn simulate_people(n_rows: usize) -> String {
    let mut state: u64 = 1;
    // The multiplier and increment of Knuth's MMIX generator.
    let mut draw = |bound: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut csv = String::from("customer,sex,region,tenure,charge,calls,churned\n");
    for row in 0..n_rows as u64 {
        let sex = ["female", "male"][draw(2) as usize];
        let region = ["north", "south", "east"][draw(3) as usize];
        let (tenure, cents, calls) = (draw(60), 2000 + draw(8000), draw(8));
        let churned = if draw(100) + tenure < 20 + 9 * calls + cents / 250 {
            "yes"
        } else {
            "no"
        };
        let customer = (row * 7919 + 104_729) % 100_000;
        writeln!(
            csv,
            "QX-{customer:05}-Z,{sex},{region},{tenure},{}.{:02},{calls},{churned}",
            cents / 100,
            cents % 100
        )
        .unwrap();
    }
    csv
}

/// Returns the data with one more column.
pub(crate) fn with_column(csv: &str, name: &str, value: impl Fn(usize) -> String) -> String {
    let mut wider = String::new();
    for (position, line) in csv.lines().enumerate() {
        let cell = if position == 0 {
            name.to_owned()
        } else {
            value(position - 1)
        };
        writeln!(wider, "{line},{cell}").unwrap();
    }
    wider
}

/// What the program answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    /// Returns what it printed, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("not JSON: {error}: {self:?}"))
    }
}

/// Returns the program in this folder.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_veracta"));
    command
        .current_dir(folder)
        .env("HOME", folder)
        .env("VERACTA_ACTOR", ACTOR);
    command
        .env_remove("VERACTA_WORKSPACE")
        .env_remove("VERACTA_STORE")
        .env_remove("VERACTA_OBJECTS")
        .env_remove("USER")
        .env_remove("USERNAME");
    command
}

/// Runs a command to its end. No answer may come from a panic.
pub(crate) fn answer(command: &mut Command) -> Answer {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program prints UTF-8");
    let answer = Answer {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    assert!(!answer.err.contains("panicked"), "{answer:?}");
    answer
}

/// How a run of the pipeline ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    /// What became of each step.
    pub(crate) states: BTreeMap<String, String>,
    /// Everything it printed.
    pub(crate) outcome: Value,
}

impl Ran {
    /// Reads the answer of `run --format json`.
    pub(crate) fn new(answer: &Answer) -> Self {
        assert!(answer.code < 2, "{answer:?}");
        let outcome = answer.json();
        let word = |step: &Value, field: &str| step[field].as_str().unwrap().to_owned();
        let steps = outcome["steps"].as_array().unwrap().iter();
        let states = steps
            .map(|step| (word(step, "step"), word(step, "state")))
            .collect();
        Self {
            code: answer.code,
            states,
            outcome,
        }
    }

    /// Returns the steps in that state, in order of their names.
    pub(crate) fn in_state(&self, wanted: &str) -> Vec<&str> {
        self.states
            .iter()
            .filter(|(_, state)| *state == wanted)
            .map(|(step, _)| step.as_str())
            .collect()
    }
}

/// A folder with a workspace, the data and `pipeline.yaml`.
pub(crate) struct Project {
    folder: TempDir,
    /// Says where the workspace keeps what grows.
    environment: Vec<(String, String)>,
    /// The servers it is on, ended with it.
    pub(crate) services: Option<(Postgres, S3)>,
}

impl Project {
    /// Begins a workspace beside the simulated people and this pipeline.
    pub(crate) fn new(pipeline: &str) -> Self {
        Self::begin(pipeline, Vec::new(), None)
    }

    /// The same with the workspace in PostgreSQL and S3, on servers of its own.
    pub(crate) fn on_services(pipeline: &str) -> Self {
        let services = (Postgres::start().unwrap(), S3::start().unwrap());
        Self::begin(pipeline, environment_of(&services), Some(services))
    }

    /// An empty folder: a workspace has yet to begin there.
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
            services: None,
        }
    }

    /// The same for a workspace in PostgreSQL and S3, on servers of its own.
    pub(crate) fn empty_on_services() -> Self {
        let services = (Postgres::start().unwrap(), S3::start().unwrap());
        Self {
            environment: environment_of(&services),
            services: Some(services),
            ..Self::empty()
        }
    }

    fn begin(
        pipeline: &str,
        environment: Vec<(String, String)>,
        services: Option<(Postgres, S3)>,
    ) -> Self {
        let project = Self {
            environment,
            services,
            ..Self::empty()
        };
        project.write("customers.csv", simulate_people(N_PEOPLE));
        project.write("pipeline.yaml", pipeline);
        let begun = project.veracta(&["init"]);
        assert_eq!(begun.code, 0, "{begun:?}");
        project
    }

    /// The same with two commands, of which one makes the data from `raw.csv`.
    pub(crate) fn with_steps() -> Self {
        let project =
            Self::new(&PIPELINE.replacen("training:\n", &format!("{STEPS}training:\n"), 1));
        fs::rename(project.path("customers.csv"), project.path("raw.csv")).unwrap();
        project.write("prepare.sh", "# Copies.\ncp raw.csv customers.csv\n");
        project.write("note.sh", "mkdir -p out\necho noted > out/note.txt\n");
        project
    }

    /// Returns the program, to be run here.
    pub(crate) fn program(&self) -> Command {
        let mut command = program(self.folder());
        command.envs(self.environment.iter().cloned());
        command
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces the first occurrence of a text in a file.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{from}` is not in {name}");
        self.write(name, text.replacen(from, to, 1));
    }

    /// Runs the program here.
    pub(crate) fn veracta(&self, arguments: &[&str]) -> Answer {
        answer(self.program().args(arguments))
    }

    /// Runs the program here and returns what it prints for programs.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        answer(self.program().args(arguments).args(["--format", "json"])).json()
    }

    /// Runs the pipeline.
    pub(crate) fn run(&self, more: &[&str]) -> Ran {
        Ran::new(&answer(
            self.program()
                .args(["run", "pipeline.yaml", "--format", "json"])
                .args(more),
        ))
    }

    /// Returns the length of the ledger.
    pub(crate) fn n_entries(&self) -> u64 {
        self.json(&["status"])["entries"].as_u64().unwrap()
    }

    /// Returns the position and the body of the latest record of a kind.
    pub(crate) fn latest(&self, kind: &str) -> (u64, Value) {
        let log = self.json(&["log", "--kind", kind, "-n", "1"]);
        let idx = log[0]["idx"]
            .as_u64()
            .unwrap_or_else(|| panic!("no {kind} in {log}"));
        (idx, self.record(idx))
    }

    /// Returns the body of a record.
    pub(crate) fn record(&self, idx: u64) -> Value {
        self.json(&["show", &idx.to_string()])["record"]["body"].clone()
    }
}

/// Returns what tells the program to keep a workspace on these servers.
fn environment_of((postgres, s3): &(Postgres, S3)) -> Vec<(String, String)> {
    let mut environment = s3.environment();
    environment.push(("VERACTA_STORE".to_owned(), postgres.url("postgres")));
    environment.push(("VERACTA_OBJECTS".to_owned(), s3.url("workspace")));
    environment
}

/// Returns every file under a folder with its bytes.
pub(crate) fn files_under(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_under(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            files.push((path, bytes));
        }
    }
    files
}

/// Returns whether the bytes hold the text.
pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}
