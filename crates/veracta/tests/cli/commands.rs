//! Steps that are commands: what they read, write, print and fail with, and secrets that stay secret.

use std::fs;

use serde_json::Value;

use crate::project::{Answer, Project, Ran, answer, files_under, holds, program};

const VARIABLE: &str = "VERACTA_TEST_SECRET";
const SECRET: &str = "tops3cret-9f1c-never-shown";

/// A project whose second command is given a secret and prints it, also as its version.
fn with_secret() -> Project {
    let project = Project::with_steps();
    let more = format!(
        "outputs: [out/note.txt]\n    secrets: [{VARIABLE}]\n    versions: {{shell: \"echo sh ${VARIABLE}\"}}\n"
    );
    project.edit("pipeline.yaml", "outputs: [out/note.txt]\n", &more);
    project.write(
        "note.sh",
        format!("mkdir -p out\necho using ${VARIABLE}\necho noted > out/note.txt\n"),
    );
    project
}

/// Runs the program with the secret in its environment.
fn with_variable(project: &Project, arguments: &[&str]) -> Answer {
    answer(
        program(project.folder())
            .env(VARIABLE, SECRET)
            .args(arguments),
    )
}

/// Returns the body of the latest record of the second command.
fn note_run(project: &Project) -> Value {
    let log = project.json(&["log", "--kind", "run"]);
    let entries = log.as_array().unwrap();
    let note = entries
        .iter()
        .find(|entry| entry["entry"]["subject"] == "run:small/note")
        .unwrap();
    project.json(&["show", &note["idx"].to_string()])["record"]["body"].clone()
}

#[test]
fn the_value_of_a_secret_is_nowhere() {
    let project = with_secret();
    let told = with_variable(&project, &["run", "pipeline.yaml"]);
    assert_eq!(told.code, 0, "{told:?}");
    let again = with_variable(&project, &["run", "pipeline.yaml", "--format", "json"]);
    let files = files_under(project.folder());
    assert!(
        files.iter().any(|(_, bytes)| holds(bytes, "noted")),
        "the search itself works"
    );
    for (path, bytes) in &files {
        assert!(!holds(bytes, SECRET), "{}", path.display());
    }
    let mut printed = vec![told.out, told.err, again.out, again.err];
    for idx in 0..project.n_entries() {
        printed.push(
            project
                .veracta(&["show", &idx.to_string(), "--format", "json"])
                .out,
        );
    }
    assert!(printed.iter().all(|text| !text.contains(SECRET)));
    let run = note_run(&project);
    assert_eq!(run["environment"]["variables"][VARIABLE], "***");
    assert_eq!(run["environment"]["variables"]["HOME"], "***");
    assert_eq!(run["environment"]["versions"]["shell"], "sh ***");
    let log = run["log"].as_str().unwrap();
    assert_eq!(
        project.read(&format!(".veracta/objects/blobs/{}/{log}", &log[..2])),
        "using ***\n"
    );
}

#[test]
fn a_command_sees_only_the_variables_it_declares() {
    let project = Project::with_steps();
    project.edit(
        "pipeline.yaml",
        "outputs: [out/note.txt]\n",
        "outputs: [out/note.txt]\n    env: {GREETING: hello}\n",
    );
    project.write(
        "note.sh",
        "mkdir -p out\necho $GREETING $VERACTA_TEST_SECRET $VERACTA_ACTOR > out/note.txt\n",
    );
    assert_eq!(with_variable(&project, &["run", "pipeline.yaml"]).code, 0);
    assert_eq!(project.read("out/note.txt"), "hello\n");
    assert_eq!(
        note_run(&project)["environment"]["variables"]["GREETING"],
        "hello"
    );
}

/// A project that ran once, with another script for its second command.
fn ran_then(script: &str) -> (Project, u64) {
    let project = with_secret();
    Ran::new(&with_variable(
        &project,
        &["run", "pipeline.yaml", "--format", "json"],
    ));
    project.write("note.sh", script);
    let n_entries = project.n_entries();
    (project, n_entries)
}

/// Asserts that the run ends with exit code 2 and these words, and that the ledger is as it was.
fn check_failure(script: &str, words: &[&str]) -> Answer {
    let (project, n_entries) = ran_then(script);
    let failed = with_variable(&project, &["run", "pipeline.yaml"]);
    assert_eq!(failed.code, 2, "{failed:?}");
    for word in words {
        assert!(failed.err.contains(word), "{word}: {failed:?}");
    }
    assert!(!failed.err.contains(SECRET), "{failed:?}");
    assert_eq!(project.n_entries(), n_entries);
    assert_eq!(project.veracta(&["verify"]).code, 0);
    failed
}

#[test]
fn a_failed_command_shows_its_exit_code_and_the_end_of_its_log() {
    let script = format!(
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo line $i ${VARIABLE}; done\nexit 7\n"
    );
    let failed = check_failure(
        &script,
        &[
            "step `note` failed with exit code 7",
            "line 14 ***",
            "line 15 ***",
        ],
    );
    assert!(
        !failed.err.contains("line 2 "),
        "only the end of the log: {}",
        failed.err
    );
}

#[test]
fn a_command_that_does_not_write_its_output_is_an_error() {
    check_failure(
        "rm -rf out\n",
        &["step `note`", "did not write `out/note.txt`"],
    );
}

#[test]
fn a_command_that_is_killed_is_an_error() {
    check_failure("kill -9 $$\n", &["step `note` failed with exit code"]);
}

#[test]
fn a_command_that_runs_too_long_is_ended_with_all_it_started() {
    let project = Project::with_steps();
    project.edit(
        "pipeline.yaml",
        "run: sh note.sh\n",
        "run: sh note.sh\n    seconds_max: 1\n",
    );
    project.write("note.sh", "echo begun\nsh -c 'while true; do :; done'\n");
    let ended = project.veracta(&["run", "pipeline.yaml"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    for word in ["step `note` failed", "begun", "ended after 1 s"] {
        assert!(ended.err.contains(word), "{word}: {ended:?}");
    }
}

#[test]
fn a_missing_secret_is_named_and_its_step_does_not_run() {
    let (project, n_entries) = ran_then("mkdir -p out\necho other > out/note.txt\n");
    let failed = project.veracta(&["run", "pipeline.yaml"]);
    assert_eq!(failed.code, 2, "{failed:?}");
    assert!(
        failed.err.contains("step `note`") && failed.err.contains(VARIABLE),
        "{failed:?}"
    );
    assert_eq!(project.read("out/note.txt"), "noted\n");
    assert_eq!(project.n_entries(), n_entries);
    // For programs the error is one line of JSON.
    let failed = project.veracta(&["run", "pipeline.yaml", "--format", "json"]);
    let error: Value = serde_json::from_str(&failed.err).unwrap();
    assert!(
        error["error"][0].as_str().unwrap().contains(VARIABLE),
        "{error}"
    );
    assert_eq!(failed.out, "");
}

#[test]
fn commands_run_in_the_order_of_their_files_whatever_the_order_in_the_pipeline() {
    let project = Project::with_steps();
    // The note is made from what `prepare` writes, and stands before it in the file.
    let text = project.read("pipeline.yaml");
    let (start, end) = (
        text.find("  - id: prepare").unwrap(),
        text.find("  - id: note").unwrap(),
    );
    let prepare = &text[start..end];
    let moved =
        text.replacen(prepare, "", 1)
            .replacen("training:\n", &format!("{prepare}training:\n"), 1);
    project.write(
        "pipeline.yaml",
        moved.replacen("inputs: [note.sh]", "inputs: [note.sh, customers.csv]", 1),
    );
    project.write(
        "note.sh",
        "mkdir -p out\nwc -l < customers.csv | tr -d ' ' > out/note.txt\n",
    );
    assert_eq!(project.run(&[]).code, 0);
    assert_eq!(project.read("out/note.txt"), "601\n");
    let links = project.json(&["lineage", "small"]);
    let n_runs = links
        .as_array()
        .unwrap()
        .iter()
        .filter(|node| node["kind"] == "run")
        .count();
    assert_eq!(n_runs, 3, "prepare, note and train: {links:#}");
}

#[test]
fn a_model_made_through_commands_is_reproduced_bit_for_bit() {
    let project = with_secret();
    assert_eq!(with_variable(&project, &["run", "pipeline.yaml"]).code, 0);
    let report = with_variable(&project, &["reproduce", "small", "--format", "json"]).json();
    assert_eq!(report["outcome"], "bitwise", "{report:#}");
    let outputs: Vec<&str> = report["outputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|output| output["output"].as_str().unwrap())
        .collect();
    for output in [
        "prepare/customers.csv",
        "note/out/note.txt",
        "train/model",
        "data/dataset",
    ] {
        assert!(outputs.contains(&output), "{output}: {outputs:?}");
    }
    // Without the secret it cannot be tried: an error, nothing recorded and no folder left.
    let n_entries = project.n_entries();
    let failed = project.veracta(&["reproduce", "small"]);
    assert_eq!(failed.code, 2, "{failed:?}");
    assert!(failed.err.contains(VARIABLE), "{failed:?}");
    assert_eq!(project.n_entries(), n_entries);
    let left = fs::read_dir(project.path(".veracta")).unwrap();
    let names: Vec<String> = left
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(
        names.iter().all(|name| !name.starts_with("reproduction")),
        "{names:?}"
    );
}

#[test]
fn a_command_with_chance_in_it_is_not_reproduced() {
    let project = Project::with_steps();
    project.write(
        "note.sh",
        "mkdir -p out\nhead -c 16 /dev/urandom | od -An -tx1 > out/note.txt\n",
    );
    project.run(&[]);
    let differs = project.veracta(&["reproduce", "small"]);
    assert_eq!(differs.code, 1, "{differs:?}");
    assert!(
        differs.out.contains("DIFFERS   note/out/note.txt"),
        "{differs:?}"
    );
    assert_eq!(
        project.latest("reproduction.report").1["outcome"],
        "differs"
    );
}

/// What leaves the group of the command on purpose keeps its streams open, and is not waited for.
#[cfg(target_os = "linux")]
#[test]
fn a_command_that_leaves_something_running_is_ended_in_time() {
    let project = Project::with_steps();
    project.edit(
        "pipeline.yaml",
        "run: sh note.sh\n",
        "run: sh note.sh\n    seconds_max: 1\n",
    );
    project.write(
        "note.sh",
        "setsid sleep 60 &\nmkdir -p out\necho x > out/note.txt\n",
    );
    let begun = std::time::Instant::now();
    let ended = project.veracta(&["run", "pipeline.yaml"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("ended after 1 s"), "{ended:?}");
    assert!(begun.elapsed().as_secs() < 50, "{:?}", begun.elapsed());
}

/// The workspace's own files are neither read nor written by a step, and paths have one spelling.
#[test]
fn paths_into_the_workspace_and_other_spellings_are_refused() {
    let project = Project::with_steps();
    let whole = project.read("pipeline.yaml");
    for (from, to, words) in [
        ("out/note.txt", ".veracta/ledger.key", "is in the workspace"),
        (
            "inputs: [note.sh]",
            "inputs: [note.sh, .veracta/ledger.key]",
            "is in the workspace",
        ),
        (
            "minimisation:",
            "monitoring: {current: .veracta/ledger.key}\nminimisation:",
            "is in the workspace",
        ),
        (
            "path: customers.csv",
            "path: ./customers.csv",
            "write `customers.csv`",
        ),
        ("out/note.txt", "out//note.txt", "write `out/note.txt`"),
    ] {
        project.write("pipeline.yaml", whole.replacen(from, to, 1));
        let refused = project.veracta(&["run", "pipeline.yaml"]);
        assert_eq!(refused.code, 2, "{to}: {refused:?}");
        let place = refused.err.contains("pipeline.yaml:") && refused.err.contains(words);
        assert!(place, "{to}: {refused:?}");
    }
    assert!(project.path(".veracta/ledger.key").exists());
    project.write("pipeline.yaml", whole);
    assert_eq!(project.run(&[]).code, 0);
}
