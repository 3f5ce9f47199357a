//! What the measuring commands and an import say of cells, columns and folders that are easily lost: nothing vanishes, and what was not
//! measured is no reassurance.

use std::fs;

use crate::project::{Answer, Project};

/// Returns a project with these files.
fn with(files: &[(&str, &str)]) -> Project {
    let project = Project::empty();
    for (name, text) in files {
        project.write(name, text);
    }
    project
}

fn check(answer: &Answer, code: i32, words: &[&str]) {
    assert_eq!(answer.code, code, "{answer:?}");
    let said = format!("{}{}", answer.out, answer.err);
    for word in words {
        assert!(said.contains(word), "`{word}` is not in {said}");
    }
}

/// Returns scored rows: 60 clusters of 10, numbered from `first`.
fn scored(first: u64) -> String {
    let row = |row: u64| {
        let score = (row * 7919 % 600) as f64 / 600.0;
        let label = u64::from((row * 104_729 % 997) as f64 / 997.0 < score);
        format!("{},{score:.4},{label}\n", first + row % 60)
    };
    "patient,score,y\n".to_owned() + &(0..600).map(row).collect::<String>()
}

#[test]
fn long_numbers_are_people_of_their_own() {
    let account = |row: u64| format!("{}\n", 1_234_567_890_123_456_700 + row);
    let accounts = "account\n".to_owned() + &(0..40).map(account).collect::<String>();
    let project = with(&[
        ("people.csv", &accounts),
        ("short.csv", &scored(1)),
        ("long.csv", &scored(1_234_567_890_123_456_700)),
    ]);
    let answer = project.veracta(&["anonymity", "people.csv", "--quasi", "account"]);
    check(&answer, 1, &["40 rows are alone in their class"]);
    let evaluate = |file: &str| {
        let arguments = [
            "--label",
            "y",
            "--score",
            "score",
            "--cluster",
            "patient",
            "--metric",
            "roc_auc",
        ];
        let mut found = project.json(&[&["evaluate", file][..], &arguments].concat());
        found.as_object_mut().unwrap().remove("notes");
        found
    };
    assert_eq!(evaluate("short.csv"), evaluate("long.csv"));
}

#[test]
fn a_group_named_missing_is_not_the_group_without_a_value() {
    let row = |row: u64| {
        format!(
            "{},{},{}\n",
            ["(missing)", ""][(row % 2) as usize],
            row * 37 % 100,
            row % 3 / 2
        )
    };
    let rows = "g,score,y\n".to_owned() + &(0..200).map(row).collect::<String>();
    let project = with(&[("scored.csv", &rows)]);
    let arguments = [
        "evaluate",
        "scored.csv",
        "--label",
        "y",
        "--score",
        "score",
        "--group",
        "g",
    ];
    check(
        &project.veracta(&arguments),
        0,
        &["(missing)", "(no value)"],
    );
}

#[test]
fn a_column_that_became_missing_has_drifted_and_one_of_another_type_is_told() {
    let column = |value: &dyn Fn(usize) -> String| {
        "w,x\n".to_owned()
            + &(0..400)
                .map(|row| format!("{},{row}\n", value(row)))
                .collect::<String>()
    };
    let words = column(&|row| ["a", "b"][row % 2].to_owned());
    let numbers = column(&|row| (row % 90).to_string());
    let mixed = column(&|row| {
        if row == 5 {
            "None".to_owned()
        } else {
            (row % 90).to_string()
        }
    });
    let none = column(&|_| String::new());
    let project = with(&[
        ("words.csv", &words),
        ("numbers.csv", &numbers),
        ("mixed.csv", &mixed),
        ("none.csv", &none),
    ]);
    for reference in ["words.csv", "numbers.csv"] {
        let answer = project.veracta(&["drift", reference, "none.csv"]);
        check(&answer, 1, &["1 of 2 columns have drifted", "1.000 (0.9"]);
    }
    let answer = project.veracta(&["drift", "numbers.csv", "mixed.csv"]);
    check(
        &answer,
        1,
        &[
            "`w` holds numbers in the reference and words",
            "399 cells are numbers",
            "line 7",
        ],
    );
}

#[test]
fn columns_that_cannot_be_read_stop_nobody_who_does_not_need_them() {
    let project = Project::empty();
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../veracta-data/tests/fixtures");
    for name in ["types.parquet", "same.csv", "same.parquet"] {
        project.write(name, fs::read(folder.join(name)).unwrap());
    }
    let answer = project.veracta(&["profile", "types.parquet"]);
    check(
        &answer,
        0,
        &[
            "`list` is not read",
            "`struct` is not read",
            "`bytes` is not read",
        ],
    );
    let answer = project.veracta(&["drift", "types.parquet", "types.parquet"]);
    check(
        &answer,
        0,
        &["Read in neither table", "`list`, `struct`, `bytes`"],
    );
    let answer = project.veracta(&["anonymity", "types.parquet", "--quasi", "bytes"]);
    check(
        &answer,
        2,
        &["column `bytes` holds bytes that are not UTF-8"],
    );
    let answer = project.veracta(&["drift", "same.csv", "same.parquet"]);
    check(&answer, 0, &["No drift shown"]);
}

#[test]
fn a_window_of_one_class_is_not_among_those_that_agree() {
    let row = |row: u64| {
        let score = (row * 7919 % 1000) as f64 / 1000.0;
        let label = u64::from((row * 104_729 % 997) as f64 / 997.0 < score);
        format!(
            "{score:.4},{}\n",
            if (500..750).contains(&row) { 0 } else { label }
        )
    };
    let rows = "score,y\n".to_owned() + &(0..1000).map(row).collect::<String>();
    let project = with(&[("scored.csv", &rows)]);
    let arguments = [
        "evaluate",
        "scored.csv",
        "--label",
        "y",
        "--score",
        "score",
        "--metric",
        "roc_auc",
        "--every",
        "250",
    ];
    let answer = project.veracta(&arguments);
    check(&answer, 0, &["in 3 of 4 windows", "not defined in 1"]);
}

#[test]
fn equal_scores_differ_by_nothing() {
    let row = |row: u64| format!("{0},{0},{1}\n", row * 37 % 100, row % 3 / 2);
    let rows = "a,b,y\n".to_owned() + &(0..100).map(row).collect::<String>();
    let project = with(&[("scored.csv", &rows)]);
    let found = project.json(&[
        "compare",
        "scored.csv",
        "--label",
        "y",
        "--score",
        "a",
        "--score",
        "b",
    ]);
    assert_eq!(found["roc_auc_gain"]["estimate"], 0.0, "{found}");
    assert_eq!(
        (found["roc_auc_p"].as_f64(), found["mcnemar_p"].as_f64()),
        (Some(1.0), Some(1.0))
    );
}

const RUN: &str =
    "status: 3\nstart_time: 1\nend_time: 2\nlifecycle_stage: active\nartifact_uri: ''\n";

/// Writes a file store of one experiment with three runs; returns their ids.
fn file_store(project: &Project) -> [String; 3] {
    let write = |path: &str, text: &str| {
        let path = project.path(&format!("mlruns/{path}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "1/meta.yaml",
        "experiment_id: '1'\nname: nightly\nlifecycle_stage: active\nartifact_location: ''\n",
    );
    ["a", "b", "c"].map(|letter| {
        let id = letter.repeat(32);
        write(
            &format!("1/{id}/meta.yaml"),
            &format!("run_id: {id}\nexperiment_id: '1'\n{RUN}"),
        );
        write(&format!("1/{id}/metrics/loss"), "1 0.5 0\n2 0.25 1\n");
        write(&format!("1/{id}/params/rate"), "0.1");
        id
    })
}

#[test]
fn an_import_brings_in_the_rest_and_names_what_it_left_out() {
    type Spoil = fn(&Project, &str);
    let spoilt: [(&str, Spoil); 6] = [
        ("it has no `meta.yaml`", |project, run| {
            fs::remove_file(project.path(&format!("{run}/meta.yaml"))).unwrap()
        }),
        ("unexpected end of input", |project, run| {
            project.write(&format!("{run}/meta.yaml"), "")
        }),
        ("it is of experiment 7", |project, run| {
            project.edit(
                &format!("{run}/meta.yaml"),
                "experiment_id: '1'",
                "experiment_id: '7'",
            )
        }),
        ("it is of run x", |project, run| {
            project.edit(&format!("{run}/meta.yaml"), &"b".repeat(32), "x")
        }),
        ("line 2: it is no value of metric `loss`", |project, run| {
            project.write(&format!("{run}/metrics/loss"), "1 0.5 0\n2 half 1\n")
        }),
        ("it is not UTF-8", |project, run| {
            project.write(&format!("{run}/params/rate"), [b'\xe9'])
        }),
    ];
    for (reason, spoil) in spoilt {
        let project = Project::empty();
        let runs = file_store(&project);
        project.write("mlruns/.DS_Store", "x");
        project.write(&format!("mlruns/1/{}/metrics/.DS_Store", runs[0]), "x");
        spoil(&project, &format!("mlruns/1/{}", runs[1]));
        project.veracta(&["init"]);
        let answer = project.veracta(&["import", "mlflow", "--from", "mlruns"]);
        check(
            &answer,
            1,
            &[
                "runs                            2              2",
                &runs[1],
                reason,
                "1 things left out",
            ],
        );
        assert!(!answer.out.contains("Everything here"), "{answer:?}");
    }
    // A file manager's files are no metrics, and nothing was left out.
    let project = Project::empty();
    let runs = file_store(&project);
    project.write(&format!("mlruns/1/{}/metrics/.DS_Store", runs[0]), "x");
    project.veracta(&["init"]);
    let answer = project.veracta(&["import", "mlflow", "--from", "mlruns"]);
    check(
        &answer,
        0,
        &[
            "runs                            3              3",
            "Everything here is what the source has",
        ],
    );
}

#[test]
fn scores_that_are_no_probabilities_are_told_from_those_that_are() {
    let row = |row: u64| format!("{},{}\n", (row * 37 % 100) as f64 / 10.0 - 5.0, row % 3 / 2);
    let rows = "score,y\n".to_owned() + &(0..100).map(row).collect::<String>();
    let project = with(&[("scored.csv", &rows)]);
    let arguments = ["evaluate", "scored.csv", "--label", "y", "--score", "score"];
    let answer = project.veracta(&[&arguments[..], &["--metric", "brier"]].concat());
    check(
        &answer,
        0,
        &[
            "are beyond 0 to 1",
            "cut at 0.5",
            "probabilities are needed: Brier score",
        ],
    );
    let found = project.json(&arguments);
    assert_eq!(found["notes"].as_array().unwrap().len(), 1, "{found}");
}

#[test]
fn cells_of_people_stay_out_of_messages_and_tables_of_any_width_are_printed() {
    let row = |row: u64| format!("Person {},0.{},{}\n", row % 12, row % 10, row % 3 / 2);
    let rows = "name,score,y\n".to_owned() + &(0..240).map(row).collect::<String>();
    let headless = "Ada Lovelace,01730,1,0.5\nBob,8001,0,0.25\n";
    let long = "B".repeat(70_000);
    let groups = ["(missing)", "(no value)", "(no value 2)", "", &long];
    let row = |row: usize| format!("{},0.{},{}\n", groups[row % 5], row % 10, row % 3 / 2);
    let wide = "g,score,y\n".to_owned() + &(0..200).map(row).collect::<String>();
    let project = with(&[
        ("named.csv", &rows),
        ("headless.csv", headless),
        ("wide.csv", &wide),
    ]);
    for label in ["name", "absent"] {
        let refused = project.veracta(&[
            "evaluate",
            "named.csv",
            "--label",
            label,
            "--score",
            "score",
        ]);
        check(&refused, 2, &[label]);
        assert!(!refused.err.contains("Person"), "{refused:?}");
    }
    let refused = project.veracta(&[
        "evaluate",
        "headless.csv",
        "--label",
        "y",
        "--score",
        "score",
    ]);
    check(&refused, 2, &["its first line holds numbers"]);
    assert!(!refused.err.contains("Ada"), "{refused:?}");
    let arguments = [
        "evaluate", "wide.csv", "--label", "y", "--score", "score", "--group", "g",
    ];
    check(&project.veracta(&arguments), 0, &["(no value 3)", "BBB…"]);
}

#[test]
fn spelling_alone_is_no_drift() {
    let column = |value: &dyn Fn(usize) -> String| {
        "flag,day\n".to_owned() + &(0..1000).map(|row| value(row) + "\n").collect::<String>()
    };
    let reference =
        column(&|row| format!("{},2026-01-{:02}", ["True", "False"][row % 2], row % 28 + 1));
    let current = column(&|row| match row {
        7 => "maybe,2026-01-08 10:00:00".to_owned(),
        row => format!(
            "{},2026-01-{:02} 00:00:00",
            ["TRUE", "FALSE"][row % 2],
            row % 28 + 1
        ),
    });
    let project = with(&[("a.csv", &reference), ("b.csv", &current)]);
    let answer = project.veracta(&["drift", "a.csv", "b.csv"]);
    check(
        &answer,
        0,
        &["`flag` holds truth values or dates, and 1 cells that are neither"],
    );
}
