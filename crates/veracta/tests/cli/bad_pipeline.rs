//! Pipeline files with mistakes: each is refused with file, line and column, and a hint where one can be given.

use crate::project::{Answer, PIPELINE, Project, answer, program};

/// A change of the pipeline, and what the error must say about it.
type Mistake = (&'static str, &'static str, &'static [&'static str]);

/// Asserts that a run is refused with these words, and that the workspace is as it was.
fn check_refused(project: &Project, words: &[&str]) -> Answer {
    let refused = project.veracta(&["run", "pipeline.yaml"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    for word in words {
        assert!(
            refused.err.contains(word),
            "`{word}` is not in {}",
            refused.err
        );
    }
    assert_eq!(refused.out, "");
    assert_eq!(project.n_entries(), 1);
    refused
}

/// Makes each change alone.
fn check(mistakes: &[Mistake]) {
    let project = Project::new(PIPELINE);
    for (from, to, words) in mistakes {
        project.write("pipeline.yaml", PIPELINE);
        project.edit("pipeline.yaml", from, to);
        check_refused(&project, words);
    }
    assert!(!project.path("documents").exists());
}

#[test]
fn unknown_missing_and_repeated_fields() {
    check(&[
        (
            "  rounds: 20",
            "  roundz: 20",
            &[
                "pipeline.yaml:22:3",
                "unknown field `roundz`",
                "rounds",
                "22 │",
                "did you mean `rounds`?",
            ],
        ),
        (
            "owner: Retention",
            "ownr: Retention",
            &["pipeline.yaml:4:1", "unknown field `ownr`", "owner"],
        ),
        (
            "  path: customers.csv\n",
            "",
            &["pipeline.yaml:", "missing field `path`"],
        ),
        (
            "owner: Retention",
            "owner: Retention\nowner: Sales",
            &["pipeline.yaml:5:1", "duplicate", "owner"],
        ),
    ]);
}

#[test]
fn values_of_the_wrong_kind() {
    check(&[
        ("rounds: 20", "rounds: many", &["pipeline.yaml:22:11"]),
        ("rounds: 20", "rounds: -2", &["pipeline.yaml:22:11"]),
        (
            "rounds: 20",
            "rounds: 0",
            &[
                "pipeline.yaml:",
                "training.rounds must be between 1 and 10,000",
            ],
        ),
        (
            "nature: simulated",
            "nature: fake",
            &["pipeline.yaml:9:11", "`fake`", "simulated"],
        ),
        (
            "gradient_boosting",
            "random_forest",
            &[
                "pipeline.yaml:21:14",
                "`random_forest`",
                "logistic_regression",
            ],
        ),
        (
            "resamples: 200",
            "resamples: 10",
            &[
                "pipeline.yaml:",
                "validation.resamples must be between 100 and 100,000",
            ],
        ),
        (
            "resamples: 200",
            "resamples: 200\n  threshold: 1.5",
            &["validation.threshold must be between 0 and 1"],
        ),
        (
            "folds: 2",
            "folds: 1",
            &["minimisation.folds must be between 2 and 20"],
        ),
        (
            "name: small",
            "name: two words",
            &["pipeline.yaml:2:7", "`two words` is not a name"],
        ),
        (
            "  path:",
            "  delimiter: \";;\"\n  path:",
            &["pipeline.yaml:7:14", "it is one ASCII character"],
        ),
        (
            "minimisation:",
            "split: {method: time}\nminimisation:",
            &["a split by time needs `time:`"],
        ),
        (
            "veracta.pipeline/1",
            "veracta.pipeline/9",
            &[
                "pipeline.yaml:1:9",
                "`veracta.pipeline/9`",
                "`veracta.pipeline/1`",
            ],
        ),
        (
            "  algorithm: gradient_boosting",
            "  algorithm: logistic_regression",
            &["no rounds, depth or learning rate"],
        ),
    ]);
}

#[test]
fn misspelt_names_are_answered_with_the_nearest_one() {
    check(&[
        (
            "roc_auc",
            "roc_uac",
            &[
                "pipeline.yaml:27:16",
                "unknown metric `roc_uac`",
                "did you mean `roc_auc`?",
            ],
        ),
        (
            "equal_opportunity_difference",
            "equal_oportunity_difference",
            &[
                "pipeline.yaml:29:16",
                "`equal_oportunity_difference`",
                "did you mean `equal_opportunity_difference`?",
            ],
        ),
        (
            "[gdpr]",
            "[gdrp]",
            &[
                "pipeline.yaml:5:14",
                "unknown framework `gdrp`",
                "did you mean `gdpr`?",
            ],
        ),
        (
            "minimisation:",
            "documents: [model_crad]\nminimisation:",
            &["pipeline.yaml:30:13", "did you mean `model_card`?"],
        ),
        (
            "protected: [sex]",
            "protected: [sexx]",
            &["pipeline.yaml:12:15", "`sexx`", "did you mean `sex`?"],
        ),
        (
            "identifiers: [customer]",
            "identifiers: [custmer]",
            &["pipeline.yaml:11:17", "did you mean `customer`?"],
        ),
        (
            "column: churned",
            "column: churnd",
            &[
                "pipeline.yaml:10:19",
                "label `churnd`",
                "did you mean `churned`?",
            ],
        ),
        (
            "    sex: protected attribute",
            "    regoin: unneeded",
            &["pipeline.yaml:14:5", "did you mean `region`?"],
        ),
        (
            "by: sex,",
            "by: sx,",
            &[
                "pipeline.yaml:29:50",
                "group attribute `sx`",
                "did you mean `sex`?",
            ],
        ),
        (
            "  folds: 2",
            "  folds: 2\n  keep: {tenur: needed}",
            &["pipeline.yaml:32:10", "did you mean `tenure`?"],
        ),
        (
            "minimisation:",
            "split: {method: time, time: tenur}\nminimisation:",
            &[
                "pipeline.yaml:30:29",
                "time `tenur`",
                "did you mean `tenure`?",
            ],
        ),
    ]);
}

#[test]
fn limits_days_and_waivers() {
    let waiver = |subject: &str, until: &str| {
        format!(
            "waivers:\n  - {{subject: {subject}, signer: A, role: B, reason: C, valid_until: {until}}}\nminimisation:"
        )
    };
    let project = Project::new(PIPELINE);
    let cases = [
        (
            "at_least: 0.6}",
            "at_least: 0.6, at_most: 0.9}".to_owned(),
            ["pipeline.yaml:27:16", "one finite limit"],
        ),
        (
            ", at_least: 0.6}",
            "}".to_owned(),
            ["pipeline.yaml:27:16", "either `at_least` or `at_most`"],
        ),
        (
            "at_least: 0.6}",
            "at_least: .inf}".to_owned(),
            ["pipeline.yaml:27:16", "one finite limit"],
        ),
        (
            "minimisation:",
            waiver("rule:no_leak", "2030-01-01"),
            [
                "pipeline.yaml:31:15",
                "`rule:no_leak` is not a rule or control",
            ],
        ),
        (
            "minimisation:",
            waiver("no_leakage", "2030-01-01"),
            ["pipeline.yaml:31:15", "write `rule:<id>` or `control:<id>`"],
        ),
        (
            "minimisation:",
            waiver("rule:no_leakage", "soon"),
            ["pipeline.yaml:31:15", "`soon` is not a day"],
        ),
        // A day has one form: others would be compared as text, and count when they are over.
        (
            "minimisation:",
            waiver("rule:no_leakage", "'20260101'"),
            ["pipeline.yaml:31:15", "`20260101` is not a day"],
        ),
        (
            "retention_until: \"2030-12-31\"",
            "retention_until: \"20301231\"".to_owned(),
            ["pipeline.yaml:19:20", "`20301231` is not a day"],
        ),
        (
            "minimisation:",
            waiver("rule:no_leakage", "2030-01-01").replace("signer: A", "signer: ' '"),
            ["pipeline.yaml:31:15", "needs a signer and a reason"],
        ),
        (
            "minimisation:",
            "screening: {leakage_limit: 7}\nminimisation:".to_owned(),
            ["pipeline.yaml:30:13", "screening.leakage_limit must be"],
        ),
    ];
    for (from, to, words) in &cases {
        project.write("pipeline.yaml", PIPELINE);
        project.edit("pipeline.yaml", from, to);
        check_refused(&project, words);
    }
}

#[test]
fn steps_that_cannot_be_put_in_order() {
    check(&[
        (
            "training:\n",
            "steps:\n  - {id: a, run: 'true', inputs: [y], outputs: [x]}\n  - {id: b, run: 'true', inputs: [x], outputs: [y]}\ntraining:\n",
            &[
                "pipeline.yaml:21:10",
                "steps wait for each other: a → b → a",
                "remove one of the inputs",
            ],
        ),
        (
            "training:\n",
            "steps:\n  - {id: a, run: 'true', inputs: [x], outputs: [x]}\ntraining:\n",
            &["pipeline.yaml:21:10", "steps wait for each other: a → a"],
        ),
        (
            "training:\n",
            "steps:\n  - {id: a, run: 'true', outputs: [x]}\n  - {id: a, run: 'true', outputs: [y]}\ntraining:\n",
            &["pipeline.yaml:22:10", "step `a` is there twice"],
        ),
        (
            "training:\n",
            "steps:\n  - {id: a, run: 'true', outputs: [x]}\n  - {id: b, run: 'true', outputs: [x]}\ntraining:\n",
            &["pipeline.yaml:22:", "`x` is written by `a` as well"],
        ),
        (
            "training:\n",
            "steps:\n  - {id: train, run: 'true', outputs: [x]}\ntraining:\n",
            &["pipeline.yaml:21:10", "step `train`", "built-in"],
        ),
        (
            "training:\n",
            "steps:\n  - {id: a, run: 'true', outputs: [../x]}\ntraining:\n",
            &[
                "pipeline.yaml:21:",
                "`../x` is outside the pipeline's folder",
                "a relative path without `..`",
            ],
        ),
        (
            "training:\n",
            "steps:\n  - {id: a, run: 'true', inputs: [/etc/passwd], outputs: [x]}\ntraining:\n",
            &["pipeline.yaml:21:", "`/etc/passwd` is outside"],
        ),
    ]);
}

#[test]
fn a_missing_input_of_a_command_is_named() {
    let steps = "steps:\n  - {id: first, run: 'echo > y', outputs: [y]}\n  - {id: a, run: 'true', inputs: [y, nowhere.txt], outputs: [x]}\ntraining:\n";
    let project = Project::new(&PIPELINE.replacen("training:\n", steps, 1));
    let refused = project.veracta(&["run", "pipeline.yaml"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused
            .err
            .contains("pipeline.yaml:22:38: `nowhere.txt` is not there"),
        "{}",
        refused.err
    );
    // Nothing is done before the mistake is told.
    assert!(project.n_entries() == 1 && !project.path("y").exists());
}

#[test]
fn several_mistakes_are_told_at_once() {
    let project = Project::new(
        &PIPELINE
            .replacen("roc_auc", "roc_uac", 1)
            .replacen("[gdpr]", "[gdrp]", 1)
            .replacen("folds: 2", "folds: 1", 1),
    );
    let refused = check_refused(&project, &["`roc_uac`", "`gdrp`", "minimisation.folds"]);
    assert_eq!(refused.err.matches("error:").count(), 3);
}

#[test]
fn files_that_are_not_yaml_or_not_there() {
    let project = Project::new(PIPELINE);
    let check_bytes = |bytes: &[u8], words: &[&str]| {
        project.write("pipeline.yaml", bytes);
        check_refused(&project, words);
    };
    let latin: Vec<u8> = PIPELINE
        .bytes()
        .map(|byte| if byte == b'w' { 0xe9 } else { byte })
        .collect();
    check_bytes(&latin, &["pipeline.yaml", "not UTF-8"]);
    check_bytes(b"", &["pipeline.yaml:1:1"]);
    check_bytes(
        PIPELINE.replacen("data:\n", "data: [\n", 1).as_bytes(),
        &["pipeline.yaml:6:7"],
    );
    check_bytes(
        PIPELINE.replacen("  path:", "\tpath:", 1).as_bytes(),
        &["pipeline.yaml:7:", "tab"],
    );
    check_bytes(
        format!("{}{PIPELINE}", "# more\n".repeat(160_000)).as_bytes(),
        &["pipeline.yaml", "over the limit of 1048576"],
    );
    check_bytes(
        format!("{PIPELINE}tier: {}", "[".repeat(100_000)).as_bytes(),
        &["pipeline.yaml:"],
    );
    std::fs::remove_file(project.path("pipeline.yaml")).unwrap();
    check_refused(
        &project,
        &["`pipeline.yaml` cannot be read", "No such file"],
    );
    std::fs::create_dir(project.path("pipeline.yaml")).unwrap();
    check_refused(&project, &["pipeline.yaml", "directory"]);
}

#[test]
fn without_a_workspace_the_hint_says_how_to_begin_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pipeline.yaml"), PIPELINE).unwrap();
    let verbs: [&[&str]; 9] = [
        &["run", "pipeline.yaml"],
        &["status"],
        &["log"],
        &["show", "small"],
        &["gate", "small"],
        &["verify"],
        &["lineage", "small"],
        &["reproduce", "small"],
        &["ledger", "checkpoint"],
    ];
    for verb in verbs {
        let refused = answer(program(folder.path()).args(verb));
        assert_eq!(refused.code, 2, "{verb:?}: {refused:?}");
        assert!(
            refused.err.contains("there is no workspace in") && refused.err.contains(".veracta"),
            "{verb:?}: {refused:?}"
        );
        assert!(
            refused.err.contains("hint: `veracta init`"),
            "{verb:?}: {refused:?}"
        );
    }
    assert!(!folder.path().join(".veracta").exists());
}

#[test]
fn a_workspace_is_begun_once_and_its_log_is_named_with_care() {
    let project = Project::new(PIPELINE);
    let (key, again) = (
        project.read(".veracta/log.vkey"),
        project.veracta(&["init"]),
    );
    assert_eq!(again.code, 2);
    assert!(
        again.err.contains("there is a workspace in"),
        "{}",
        again.err
    );
    assert_eq!(project.read(".veracta/log.vkey"), key);
    let folder = tempfile::tempdir().unwrap();
    let refused = answer(program(folder.path()).args(["init", "--origin", "two words"]));
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("cannot name a log"), "{}", refused.err);
    let begun = answer(program(folder.path()).args([
        "init",
        "--origin",
        "example.org/models",
        "--format",
        "json",
    ]));
    assert_eq!(begun.json()["log"], "example.org/models");
}
