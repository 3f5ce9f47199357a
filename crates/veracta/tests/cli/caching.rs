//! Only what changed is done again: exact sets of steps after each kind of change, nothing after none.

use std::fs;

use crate::project::{N_PEOPLE, PIPELINE, Project, simulate_people, with_column};

/// Every step of the project with two commands, by name.
const EVERY: [&str; 15] = [
    "criteria",
    "data",
    "documents",
    "explain",
    "fairness",
    "gate",
    "minimise",
    "note",
    "prepare",
    "profile",
    "scan",
    "screen",
    "split",
    "train",
    "validate",
];
/// What a change of the rows leads to, apart from the step that made them: all but the criteria, which know no rows.
const AFTER_DATA: [&str; 13] = [
    "data",
    "documents",
    "explain",
    "fairness",
    "gate",
    "minimise",
    "prepare",
    "profile",
    "scan",
    "screen",
    "split",
    "train",
    "validate",
];
/// What a change of a training setting leads to. Inputs are tested for need by training without them.
const AFTER_TRAINING: [&str; 7] = [
    "documents",
    "explain",
    "fairness",
    "gate",
    "minimise",
    "train",
    "validate",
];

fn ran_once() -> Project {
    let project = Project::with_steps();
    let ran = project.run(&[]);
    assert_eq!(
        ran.code, 0,
        "the gate lets it pass: {:#}",
        ran.outcome["gate"]
    );
    assert_eq!(ran.in_state("done"), EVERY);
    project
}

/// Edits a file, and asserts that exactly these steps run, and that nothing runs after that.
fn check(project: &Project, (file, from, to): (&str, &str, &str), expected: &[&str]) {
    project.edit(file, from, to);
    let ran = project.run(&[]);
    assert_eq!(
        ran.in_state("done"),
        expected,
        "after `{from}` became `{to}` in {file}"
    );
    assert_eq!(
        ran.in_state("unchanged").len() + expected.len(),
        EVERY.len()
    );
    let n_entries = project.n_entries();
    assert_eq!(
        project.run(&[]).in_state("unchanged"),
        EVERY,
        "the second run after `{to}`"
    );
    assert_eq!(project.n_entries(), n_entries);
}

#[test]
fn a_second_run_does_nothing_and_records_nothing() {
    let project = ran_once();
    let n_entries = project.n_entries();
    let first = project.run(&[]);
    assert_eq!(first.in_state("unchanged"), EVERY);
    assert_eq!(project.n_entries(), n_entries);
    let second = project.run(&[]);
    assert_eq!(first.outcome["gate"], second.outcome["gate"]);
    assert_eq!(first.outcome["model_idx"], second.outcome["model_idx"]);
    assert_eq!(project.json(&["verify"])["size"], n_entries);
}

#[test]
fn one_changed_cell_reruns_all_that_rests_on_the_rows() {
    let project = ran_once();
    let raw = project.read("raw.csv");
    let line = raw.lines().nth(1).unwrap();
    let mut cells: Vec<&str> = line.split(',').collect();
    let calls = ((cells[5].parse::<u32>().unwrap() + 1) % 8).to_string();
    cells[5] = &calls;
    let changed = cells.join(",");
    check(&project, ("raw.csv", line, changed.as_str()), &AFTER_DATA);
    // Back to the first bytes: everything was done before, and the first model is the answer again.
    project.edit("raw.csv", &changed, line);
    let back = project.run(&[]);
    assert_eq!(back.in_state("unchanged"), EVERY);
    assert_eq!(back.outcome["model"], serde_json::json!(["small", 1]));
    assert_eq!(project.read("customers.csv"), raw);
}

#[test]
fn one_changed_hyperparameter_reruns_what_trains_and_what_judges() {
    let project = ran_once();
    check(
        &project,
        ("pipeline.yaml", "rounds: 20", "rounds: 21"),
        &AFTER_TRAINING,
    );
    assert_eq!(
        project.run(&[]).outcome["model"],
        serde_json::json!(["small", 2])
    );
    project.edit("pipeline.yaml", "rounds: 21", "rounds: 20");
    let back = project.run(&[]);
    assert_eq!(back.in_state("unchanged"), EVERY);
    assert_eq!(back.outcome["model"], serde_json::json!(["small", 1]));
}

#[test]
fn other_settings_rerun_exactly_what_reads_them() {
    let project = ran_once();
    let changes: [(&str, &str, &[&str]); 9] = [
        ("rounds: 20", "rounds: 20 # enough", &[]),
        ("sh note.sh", "sh note.sh\n    seconds_max: 60", &[]),
        (
            "purpose: Decide",
            "purpose: Choose",
            &["documents", "gate", "train"],
        ),
        (
            "owner: Retention",
            "owner: Retention\nout_of_scope: [prices]",
            &["documents", "gate", "train"],
        ),
        (
            "minimisation:",
            "explanation: {rows_max: 50}\nminimisation:",
            &["documents", "explain", "gate"],
        ),
        (
            "sex: protected attribute",
            "sex: protected",
            &["documents", "gate", "minimise"],
        ),
        (
            "at_least: 0.6",
            "at_least: 0.55",
            &["criteria", "documents", "fairness", "gate", "validate"],
        ),
        (
            "minimisation:",
            "split: {seed: 8}\nminimisation:",
            &[
                "documents",
                "explain",
                "fairness",
                "gate",
                "minimise",
                "screen",
                "split",
                "train",
                "validate",
            ],
        ),
        (
            "minimisation:",
            "documents: [model_card]\nminimisation:",
            &["documents"],
        ),
    ];
    for (from, to, expected) in changes {
        check(&project, ("pipeline.yaml", from, to), expected);
    }
}

#[test]
fn a_changed_script_with_the_same_output_redoes_no_computation() {
    let project = ran_once();
    project.edit("prepare.sh", "# Copies.", "# Copies the raw file.");
    let ran = project.run(&[]);
    let done = ran.in_state("done");
    assert!(done.contains(&"prepare"), "{done:?}");
    // The run of the command is evidence, so the decision and the documents that name it may be made anew; results may not.
    let may_follow = ["documents", "gate", "prepare"];
    assert!(
        done.iter().all(|step| may_follow.contains(step)),
        "{done:?}"
    );
    assert_eq!(ran.outcome["model"], serde_json::json!(["small", 1]));
    assert_eq!(project.run(&[]).in_state("unchanged"), EVERY);
}

#[test]
fn a_deleted_output_is_put_back_without_running_the_command() {
    let project = ran_once();
    let n_entries = project.n_entries();
    fs::remove_file(project.path("customers.csv")).unwrap();
    fs::remove_dir_all(project.path("out")).unwrap();
    fs::remove_dir_all(project.path("documents")).unwrap();
    assert_eq!(project.run(&[]).in_state("unchanged"), EVERY);
    assert_eq!(project.read("customers.csv"), simulate_people(N_PEOPLE));
    assert_eq!(project.read("out/note.txt"), "noted\n");
    assert_eq!(fs::read_dir(project.path("documents")).unwrap().count(), 6);
    assert_eq!(project.n_entries(), n_entries);
}

#[test]
fn a_dry_run_says_what_would_run_and_leaves_nothing_behind() {
    let project = Project::with_steps();
    let before_any = project.run(&["--dry-run"]);
    assert_eq!(
        (before_any.code, before_any.in_state("would_run")),
        (0, EVERY.to_vec())
    );
    assert_eq!(project.n_entries(), 1);
    assert!(!project.path("customers.csv").exists() && !project.path("documents").exists());
    project.run(&[]);
    let n_entries = project.n_entries();
    assert_eq!(project.run(&["--dry-run"]).in_state("unchanged"), EVERY);
    project.edit("pipeline.yaml", "rounds: 20", "rounds: 21");
    assert_eq!(
        project.run(&["--dry-run"]).in_state("would_run"),
        AFTER_TRAINING
    );
    let told = project.veracta(&["run", "pipeline.yaml", "--dry-run"]);
    assert_eq!(told.code, 0);
    assert_eq!(
        (told.out + &told.err).matches("would run").count(),
        AFTER_TRAINING.len()
    );
    assert_eq!(project.n_entries(), n_entries);
}

#[test]
fn without_commands_a_data_file_given_by_hand_takes_the_place_of_the_named_one() {
    let project = Project::new(PIPELINE);
    fs::rename(project.path("customers.csv"), project.path("elsewhere.csv")).unwrap();
    assert_eq!(project.veracta(&["run", "pipeline.yaml"]).code, 2);
    let ran = project.run(&["--data", "elsewhere.csv"]);
    assert_eq!(ran.code, 0);
    // The same bytes under the name the pipeline gives: nothing is new.
    fs::rename(project.path("elsewhere.csv"), project.path("customers.csv")).unwrap();
    assert_eq!(project.run(&[]).in_state("unchanged").len(), 13);
}

/// Rows of pairs of people, each pair with two lines in a row, and columns that say which part a row is in.
fn project_of_pairs(split: &str) -> Project {
    let pipeline = PIPELINE
        .replacen(
            "identifiers: [customer]",
            "identifiers: [customer, pair]",
            1,
        )
        .replacen(
            "  drop:\n",
            "  drop:\n    part_a: says the part\n    part_b: says the part\n",
            1,
        )
        .replacen("training:\n", &format!("{split}training:\n"), 1);
    let project = Project::new(&pipeline);
    let part =
        |offset: usize| move |row: usize| ["train", "test", "train"][(row + offset) % 3].to_owned();
    let rows = simulate_people(N_PEOPLE);
    let rows = with_column(&rows, "pair", |row| format!("pair-{}", row / 2));
    let rows = with_column(&with_column(&rows, "part_a", part(0)), "part_b", part(1));
    project.write("customers.csv", rows);
    project
}

/// A column that was an identifier and becomes the subject changes which rows belong together, though it is no input either way.
#[test]
fn a_subject_divides_the_rows_anew() {
    let project = project_of_pairs("");
    assert!(project.run(&[]).code < 2);
    let (_, before) = project.latest("dataset.split");
    assert_eq!(
        before["proof"]["n_subjects_shared"],
        serde_json::Value::Null
    );
    project.edit(
        "pipeline.yaml",
        "identifiers: [customer, pair]",
        "identifiers: [customer]\n  subject: pair",
    );
    let ran = project.run(&[]);
    assert!(ran.in_state("done").contains(&"split"), "{:?}", ran.states);
    assert!(ran.in_state("done").contains(&"train"), "{:?}", ran.states);
    let (_, after) = project.latest("dataset.split");
    assert_eq!(after["subject"], "pair");
    assert_eq!(after["proof"]["n_subjects_shared"], 0);
    assert_ne!(before["assignment"], after["assignment"]);
    assert_eq!(project.run(&[]).in_state("done"), Vec::<&str>::new());
}

/// Another column that says the parts is another division, and the record says which.
#[test]
fn another_column_of_parts_divides_the_rows_anew() {
    let project = project_of_pairs("split: {method: column, column: part_a}\n");
    assert!(project.run(&[]).code < 2);
    project.edit("pipeline.yaml", "column: part_a", "column: part_b");
    let ran = project.run(&[]);
    for step in ["split", "train", "validate", "gate"] {
        assert!(
            ran.in_state("done").contains(&step),
            "{step}: {:?}",
            ran.states
        );
    }
    let (_, split) = project.latest("dataset.split");
    assert_eq!(split["method"]["given"]["column"], "part_b", "{split}");
}

/// Intervals of newer data are made by the same resamples as those of the test part.
#[test]
fn monitoring_uses_the_resamples_of_the_validation() {
    let project = Project::new(&format!("{PIPELINE}monitoring: {{current: newer.csv}}\n"));
    project.write("newer.csv", simulate_people(N_PEOPLE / 2));
    assert!(project.run(&[]).code < 2);
    project.edit("pipeline.yaml", "resamples: 200", "resamples: 300");
    let ran = project.run(&[]);
    assert!(
        ran.in_state("done").contains(&"monitor"),
        "{:?}",
        ran.states
    );
    let (_, report) = project.latest("performance.report");
    assert_eq!(report["n"], N_PEOPLE / 2, "{report}");
}

#[test]
fn a_model_is_reproduced_without_what_was_monitored() {
    let project = Project::new(&format!("{PIPELINE}monitoring: {{current: newer.csv}}\n"));
    project.write("newer.csv", simulate_people(N_PEOPLE / 2));
    assert_eq!(project.run(&[]).code, 0);
    let told = project.veracta(&["reproduce", "small"]);
    assert_eq!(told.code, 0, "{told:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_error_stream_ends_no_run() {
    let project = Project::new(PIPELINE);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = project
        .program()
        .args(["run", "pipeline.yaml"])
        .stdout(std::process::Stdio::null())
        .stderr(full)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    let unknown = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = project
        .program()
        .args(["gate", "nope"])
        .stderr(unknown)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(2));
}

/// Coming back to rows that were watched before measures them again: what people see is of the rows the pipeline names.
#[test]
fn watching_earlier_rows_again_measures_and_documents_them_again() {
    let project = Project::new(&format!("{PIPELINE}monitoring: {{current: newer.csv}}\n"));
    project.write("newer.csv", simulate_people(N_PEOPLE / 2));
    project.write("other.csv", simulate_people(N_PEOPLE / 3));
    assert_eq!(project.run(&[]).code, 0);
    let (_, first) = project.latest("drift.report");
    for (from, to) in [("newer.csv", "other.csv"), ("other.csv", "newer.csv")] {
        project.edit("pipeline.yaml", from, to);
        let ran = project.run(&[]);
        assert_eq!(ran.in_state("done"), ["documents", "monitor"], "{to}");
        assert_eq!(project.run(&[]).in_state("done"), Vec::<&str>::new());
    }
    assert_eq!(project.latest("drift.report").1, first);
    assert!(project.latest("model.card").0 > project.latest("drift.report").0);
}

/// The frameworks decide which controls are asked; the decision keeps the text that says them.
#[test]
fn other_frameworks_are_asked_of_the_model() {
    let project = Project::new(PIPELINE);
    assert_eq!(project.run(&[]).code, 0);
    project.edit("pipeline.yaml", "frameworks: [gdpr]", "frameworks: [mrm]");
    let ran = project.run(&[]);
    assert_eq!(ran.in_state("done"), ["documents", "gate"]);
    let controls = project.json(&["controls", "small"]);
    let asked = controls.as_array().unwrap();
    assert!(
        !asked.is_empty() && asked.iter().all(|control| control["framework"] == "mrm"),
        "{controls}"
    );
}

/// Two copies of a row in different parts differ in the column that says the part, and are copies all the same.
#[test]
fn copies_of_rows_in_different_parts_are_found() {
    let text = PIPELINE.replacen(
        "    sex: protected attribute\n",
        "    sex: protected attribute\n    part: says the part\n",
        1,
    );
    let project = Project::new(&format!("{text}split: {{method: column, column: part}}\n"));
    let people = simulate_people(N_PEOPLE);
    let (head, rows) = people.split_once('\n').unwrap();
    let copy = |part: &str, letter: &str| {
        let rows = rows
            .lines()
            .map(|row| row.replacen("QX", letter, 1) + "," + part + "\n");
        rows.collect::<String>()
    };
    let rows = format!("{head},part\n{}{}", copy("train", "QX"), copy("test", "QY"));
    project.write("customers.csv", rows);
    let ran = project.run(&[]);
    assert_eq!(ran.code, 1, "{:#}", ran.outcome["gate"]);
    let findings = ran.outcome["gate"]["findings"].as_array().unwrap();
    let overlap = findings
        .iter()
        .find(|finding| finding["rule"] == "no_overlap");
    assert_eq!(
        overlap.unwrap()["outcome"],
        "fail",
        "{:#}",
        ran.outcome["gate"]
    );
}

/// Coming back to an earlier statement, the documents that stand last are those that print it.
#[test]
fn documents_of_an_earlier_statement_are_written_again() {
    let stated = |text: &str| {
        format!("statements:\n  - {{topic: model_card/Summary, statement: {text}, signer: A}}\n")
    };
    let (first, second) = (stated("calm"), stated("brisk"));
    let project = Project::new(&format!("{PIPELINE}{first}"));
    assert_eq!(project.run(&[]).code, 0);
    for (from, to, word) in [(&first, &second, "brisk"), (&second, &first, "calm")] {
        let (before, _) = project.latest("model.card");
        project.edit("pipeline.yaml", from, to);
        assert_eq!(project.run(&[]).code, 0);
        assert!(project.latest("model.card").0 > before, "{word}");
        assert!(
            project
                .read("documents/small-1-model_card.md")
                .contains(word),
            "{word}"
        );
        assert_eq!(project.run(&[]).in_state("done"), Vec::<&str>::new());
    }
}
