//! Behaviour that was once wrong, each with what showed it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::project::{N_PEOPLE, PIPELINE, Project, answer, holds, program, simulate_people};

/// Asserts that something is as it should be.
fn mended(is_right: bool, right: &str) {
    assert!(is_right, "wrong again: {right}");
}

/// Returns the statement of the first finding of a rule.
fn statement<'o>(outcome: &'o Value, rule: &str) -> &'o str {
    let findings = outcome["gate"]["findings"].as_array().unwrap();
    findings
        .iter()
        .find(|finding| finding["rule"] == rule)
        .unwrap()["statement"]
        .as_str()
        .unwrap()
}

/// Returns the people with other calls in the test part, which make the label easy there and leave training as it was.
fn with_an_easy_test_part(project: &Project) -> String {
    let assignment = project.latest("dataset.split").1["assignment"]
        .as_str()
        .unwrap()
        .to_owned();
    let parts = project.read(&format!(
        ".veracta/objects/blobs/{}/{assignment}",
        &assignment[..2]
    ));
    let data = project.read("customers.csv");
    let (header, rows) = data.split_once('\n').unwrap();
    let mut easy = vec![header.to_owned()];
    for (part, row) in parts.bytes().zip(rows.lines()) {
        let mut cells: Vec<&str> = row.split(',').collect();
        if part == b't' {
            cells[5] = if cells[6] == "yes" { "7" } else { "0" };
        }
        easy.push(cells.join(","));
    }
    easy.join("\n") + "\n"
}

#[test]
fn the_gate_judges_by_the_result_on_the_data_of_the_run() {
    let project = Project::new(&PIPELINE.replacen("at_least: 0.6}", "at_least: 0.68}", 1));
    let data = project.read("customers.csv");
    assert_eq!(project.run(&[]).outcome["gate"]["verdict"], "refuse");
    project.write("customers.csv", with_an_easy_test_part(&project));
    assert_eq!(project.run(&[]).outcome["gate"]["verdict"], "pass");
    // The first data again, with the same model: its own result did not keep the limit.
    project.write("customers.csv", data);
    let back = project.run(&[]);
    mended(
        back.outcome["gate"]["verdict"] == "refuse",
        "the gate judges a model by its result on the data of the run",
    );
}

#[test]
fn the_gate_judges_by_the_criteria_of_the_run() {
    let project = Project::new(PIPELINE);
    assert_eq!(project.run(&[]).outcome["gate"]["verdict"], "pass");
    project.edit("pipeline.yaml", "at_least: 0.6}", "at_least: 0.9}");
    assert_eq!(project.run(&[]).outcome["gate"]["verdict"], "refuse");
    project.edit("pipeline.yaml", "at_least: 0.9}", "at_least: 0.6}");
    let back = project.run(&[]);
    let judged = statement(&back.outcome, "performance");
    mended(
        judged.ends_with("lower bound ≥ 0.6"),
        "the gate judges by the criteria of the run",
    );
}

#[test]
fn the_registry_says_what_the_last_run_said() {
    let project = Project::new(PIPELINE);
    assert_eq!(project.run(&[]).outcome["gate"]["verdict"], "pass");
    project.edit("pipeline.yaml", "at_least: 0.6}", "at_least: 0.9}");
    assert_eq!(project.run(&[]).outcome["gate"]["verdict"], "refuse");
    project.edit("pipeline.yaml", "at_least: 0.9}", "at_least: 0.6}");
    let back = project.run(&[]).outcome["gate"]["verdict"].clone();
    let registry = project
        .veracta(&["gate", "small", "--format", "json"])
        .json()["verdict"]
        .clone();
    mended(back == registry, "the registry says what the last run said");
}

#[test]
fn documents_are_written_anew_for_a_new_statement() {
    let project = Project::new(PIPELINE);
    project.run(&[]);
    let statements = "statements: [{topic: model_card/Summary, statement: A sentence for the summary, signer: A}]\nminimisation:";
    project.edit("pipeline.yaml", "minimisation:", statements);
    project.run(&[]);
    let card = project.read("documents/small-1-model_card.md");
    mended(
        card.contains("A sentence for the summary"),
        "a new statement is in the documents",
    );
}

#[test]
fn documents_are_written_anew_for_another_controller() {
    let project = Project::new(PIPELINE);
    project.run(&[]);
    project.edit(
        "pipeline.yaml",
        "controller: Example",
        "controller: Successor",
    );
    project.run(&[]);
    let card = project.read("documents/small-1-model_card.md");
    mended(
        card.contains("Successor"),
        "documents say what is declared now",
    );
}

#[test]
fn a_dry_run_knows_what_a_run_would_put_back() {
    let project = Project::with_steps();
    project.run(&[]);
    fs::remove_file(project.path("customers.csv")).unwrap();
    let told = project.veracta(&["run", "pipeline.yaml", "--dry-run"]);
    mended(
        told.code == 0,
        "a dry run reads the recorded output of a command that would not run",
    );
}

#[test]
fn a_dry_run_announces_only_what_would_run() {
    let project = Project::new(PIPELINE);
    project.run(&[]);
    project.edit(
        "pipeline.yaml",
        "minimisation:",
        "statements: [{topic: any, statement: any}]\nminimisation:",
    );
    let announced = project.run(&["--dry-run"]);
    mended(
        !announced.in_state("would_run").contains(&"train"),
        "a dry run names only what would run",
    );
    assert!(project.run(&[]).in_state("unchanged").contains(&"train"));
}

#[test]
fn an_output_left_by_an_earlier_run_is_not_a_new_one() {
    let project = Project::with_steps();
    project.run(&[]);
    project.write("note.sh", "true\n");
    let told = project.veracta(&["run", "pipeline.yaml"]);
    mended(
        told.code == 2 && told.err.contains("did not write"),
        "a command must write its outputs each time",
    );
}

#[test]
fn a_retention_date_that_is_no_date_is_refused() {
    let project = Project::new(&PIPELINE.replacen("\"2030-12-31\"", "soon", 1));
    let told = project.veracta(&["run", "pipeline.yaml"]);
    mended(
        told.code == 2 && told.err.contains("`soon` is not a day"),
        "dates are checked when the file is read",
    );
}

#[test]
fn the_label_cannot_be_dropped() {
    let project = Project::new(&PIPELINE.replacen(
        "  drop:\n",
        "  drop:\n    churned: no longer needed\n",
        1,
    ));
    mended(
        project.veracta(&["run", "pipeline.yaml"]).code == 2,
        "a pipeline cannot drop its label",
    );
}

#[test]
fn a_label_error_names_the_file() {
    let project = Project::new(PIPELINE);
    project.write(
        "customers.csv",
        simulate_people(N_PEOPLE).replace(",no\n", ",yes\n"),
    );
    let told = project.veracta(&["run", "pipeline.yaml"]);
    assert_eq!(told.code, 2);
    mended(
        told.err.contains("customers.csv"),
        "errors about the label name the data file",
    );
}

#[test]
fn an_unknown_field_is_answered_with_the_nearest_one() {
    let project = Project::new(&PIPELINE.replacen("  rounds: 20", "  roundz: 20", 1));
    let told = project.veracta(&["run", "pipeline.yaml"]);
    assert_eq!(told.code, 2);
    mended(
        told.err.contains("did you mean `rounds`?"),
        "an unknown field is answered with the nearest one",
    );
}

#[test]
fn a_dataset_has_no_versions_by_number() {
    let project = Project::new(PIPELINE);
    project.run(&[]);
    mended(
        project.veracta(&["show", "dataset:people@7"]).code == 2,
        "a dataset has no version 7",
    );
}

#[test]
fn a_position_beyond_the_end_has_a_hint() {
    let told = Project::new(PIPELINE).veracta(&["show", "#999"]);
    assert_eq!(told.code, 2);
    mended(told.err.contains("hint:"), "the hint names `veracta log`");
}

#[test]
fn a_profile_is_not_a_page() {
    let told = Project::new(PIPELINE).veracta(&["profile", "customers.csv", "--format", "html"]);
    mended(
        told.code == 2,
        "`--format html` gives a page, or is refused",
    );
}

#[test]
fn values_of_single_people_stay_out_of_the_bundle() {
    let project = Project::new(PIPELINE);
    // One charge above all others, and one person of a group of one.
    let mut lines: Vec<String> = simulate_people(N_PEOPLE)
        .lines()
        .map(str::to_owned)
        .collect();
    let mut cells: Vec<&str> = lines[4].split(',').collect();
    (cells[1], cells[4]) = ("other", "98765.43");
    lines[4] = cells.join(",");
    project.write("customers.csv", lines.join("\n") + "\n");
    project.run(&[]);
    assert_eq!(
        project
            .veracta(&["evidence", "export", "small", "-o", "bundle.zip"])
            .code,
        0
    );
    let bundle = fs::read(project.path("bundle.zip")).unwrap();
    mended(
        !holds(&bundle, "98765.43"),
        "the profile states extremes rounded, as its documentation says",
    );
    let (_, screening) = project.latest("bias.report");
    let groups = screening["groups"].as_array().unwrap();
    let alone = groups.iter().find(|group| group["n_rows"] == 1).unwrap();
    mended(
        alone["label_rate"].is_null(),
        "the label of a group of one is not stated",
    );
}

#[test]
fn the_search_path_of_the_operator_is_not_recorded() {
    let project = Project::with_steps();
    let path = format!("{}:/home/zebra/bin", std::env::var("PATH").unwrap());
    let ran = answer(
        program(project.folder())
            .env("PATH", path)
            .args(["run", "pipeline.yaml"]),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        project
            .veracta(&["evidence", "export", "small", "-o", "bundle.zip"])
            .code,
        0
    );
    let bundle = fs::read(project.path("bundle.zip")).unwrap();
    mended(
        !holds(&bundle, "/home/zebra"),
        "folders of a person's home are not in a record",
    );
}

#[test]
fn serving_at_an_address_in_use_is_an_error() {
    let project = Project::new(PIPELINE);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = program(project.folder())
        .args(["serve", "--listen", address.as_str()])
        .output()
        .unwrap();
    mended(
        output.status.code() == Some(2),
        "an address in use is an error with exit code 2",
    );
}

#[test]
fn serving_at_any_free_port_says_at_which() {
    let project = Project::new(PIPELINE);
    let mut command = program(project.folder());
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stderr.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(line.contains("read-only at http://127.0.0.1:"), "{line}");
    mended(
        !line.contains("127.0.0.1:0/"),
        "the port that was chosen is named",
    );
}

#[test]
fn a_workspace_without_its_database_is_an_error() {
    let project = Project::new(PIPELINE);
    project.run(&[]);
    for file in ["veracta.db", "veracta.db-wal", "veracta.db-shm"] {
        let path = project.path(".veracta").join(file);
        if path.exists() {
            fs::remove_file(path).unwrap();
        }
    }
    let told = project.veracta(&["status"]);
    mended(
        told.code == 2,
        "a missing database is an error, also for a run",
    );
    assert_eq!(project.veracta(&["verify"]).code, 2);
}

#[test]
fn a_second_name_for_the_same_criteria_and_data_runs() {
    let project = Project::new(PIPELINE);
    assert_eq!(project.run(&[]).code, 0);
    project.edit("pipeline.yaml", "name: small", "name: other");
    let ran = project.run(&[]);
    mended(
        ran.outcome["model"] == serde_json::json!(["other", 1]),
        "a pipeline of another name has its own criteria on record",
    );
}

#[test]
fn a_third_label_value_is_not_a_negative_in_silence() {
    let project = Project::new(PIPELINE);
    let data = project.read("customers.csv").replacen(",yes", ",Yes", 5);
    project.write("customers.csv", &data);
    let refused = project.veracta(&["run", "pipeline.yaml"]);
    mended(
        refused.code == 2 && refused.err.contains("`Yes`"),
        "an unknown label value is refused by name",
    );
    assert_eq!(project.n_entries(), 1);
    project.edit(
        "pipeline.yaml",
        "positive: \"yes\"",
        "positive: \"yes\", negative: [\"no\", \"Yes\"]",
    );
    mended(project.run(&[]).code < 2, "values listed as negative are");
}

#[test]
fn too_few_rows_of_a_label_are_refused_before_anything_is_recorded() {
    let project = Project::new(PIPELINE);
    let data = project
        .read("customers.csv")
        .replace(",yes\n", ",no\n")
        .replacen(",no\n", ",yes\n", 2);
    project.write("customers.csv", &data);
    let refused = project.veracta(&["run", "pipeline.yaml"]);
    mended(
        refused.code == 2 && refused.err.contains("2 of 600 rows are positive"),
        "two positive rows are too few",
    );
    assert_eq!(project.n_entries(), 1);
}

#[test]
fn a_script_that_changes_and_writes_the_same_reruns_nothing_after_it() {
    let project = Project::with_steps();
    assert_eq!(project.run(&[]).code, 0);
    project.edit("prepare.sh", "# Copies.", "# Copies the file.");
    let ran = project.run(&[]);
    mended(
        ran.in_state("done") == ["prepare"],
        "what reads the same bytes is not done again",
    );
}

#[test]
fn going_back_to_earlier_settings_says_what_the_name_stands_for() {
    let project = Project::new(PIPELINE);
    project.run(&[]);
    project.edit("pipeline.yaml", "rounds: 20", "rounds: 21");
    project.run(&[]);
    project.edit("pipeline.yaml", "rounds: 21", "rounds: 20");
    let notices = project.run(&[]).outcome["notices"].to_string();
    mended(
        notices.contains("`small@1`") && notices.contains("stands for `small@2`"),
        "a run about an earlier model says so",
    );
}

#[test]
fn odd_numbers_are_told_with_their_place() {
    let project = Project::new(PIPELINE);
    let mut lines: Vec<String> = project
        .read("customers.csv")
        .lines()
        .map(str::to_owned)
        .collect();
    for (line, word) in [(10, "nan"), (20, "inf")] {
        let mut cells: Vec<&str> = lines[line].split(',').collect();
        cells[4] = word;
        lines[line] = cells.join(",");
    }
    project.write("customers.csv", lines.join("\n") + "\n");
    let notices = project.run(&[]).outcome["notices"].to_string();
    for place in ["line 11 of `charge`", "line 21 of `charge`"] {
        mended(
            notices.contains(place),
            "cells that say nan or infinity are placed",
        );
    }
}
