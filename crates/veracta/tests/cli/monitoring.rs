//! What is asked for beside the usual steps: scenarios, attacks, newer data, stored profiles, and measurements recorded as evidence.

use std::fs;
use std::path::{Path, PathBuf};

use crate::project::{Answer, N_PEOPLE, PIPELINE, Project, answer, program, simulate_people};

const ASKED: &str = "\
validation:
  robustness: {metric: roc_auc, at_least: 0.55, scenarios: [{noise: 0.1}, {missing: 0.05}]}
  privacy: {auc_at_most: 0.9, shadows: 4}
";

fn project_asking(more: &str) -> Project {
    let pipeline = PIPELINE.replacen("validation:\n", ASKED, 1) + more;
    let project = Project::new(&pipeline);
    project.write("newer.csv", simulate_people(N_PEOPLE / 2));
    project
}

fn golden(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../veracta-statistics/tests/fixtures/golden")
        .join(case)
}

fn veracta(folder: &Path, arguments: &str) -> Answer {
    answer(program(folder).args(arguments.split_whitespace()))
}

#[test]
fn scenarios_attacks_and_newer_data_become_records_and_run_once() {
    let project = project_asking("monitoring: {current: newer.csv, tolerance: 0.3}\n");
    let ran = project.run(&[]);
    assert_eq!(ran.code, 0, "{:#}", ran.outcome["gate"]);
    for step in ["robustness", "privacy", "monitor"] {
        assert_eq!(ran.states[step], "done");
    }
    let findings = ran.outcome["gate"]["findings"].as_array().unwrap();
    let n_of = |rule: &str| {
        findings
            .iter()
            .filter(|finding| finding["rule"] == rule)
            .count()
    };
    assert_eq!((n_of("robust"), n_of("private")), (2, 2));
    let (_, robustness) = project.latest("robustness.report");
    assert_eq!(robustness["scenarios"].as_array().unwrap().len(), 2);
    let (_, privacy) = project.latest("privacy.report");
    assert_eq!(privacy["attacks"].as_array().unwrap().len(), 2);
    let (_, drift) = project.latest("drift.report");
    assert_eq!(
        (drift["n"][1].as_u64(), drift["outcome"].as_str()),
        (Some(N_PEOPLE as u64 / 2), Some("undecided")),
        "three hundred rows: {drift}"
    );
    // The newer rows are among the training rows, and have labels.
    let (_, performance) = project.latest("performance.report");
    assert_eq!(performance["n"].as_u64(), Some(N_PEOPLE as u64 / 2));
    let (_, model) = project.latest("model.version");
    assert!(
        [&robustness, &privacy, &drift, &performance]
            .iter()
            .all(|record| record["model"] == model["digest"])
    );
    let n = project.n_entries();
    assert!(
        project.run(&[]).in_state("done").is_empty() && project.n_entries() == n,
        "nothing changed"
    );
    // Newer rows lead to one new comparison and to the documents that print it.
    project.write("newer.csv", simulate_people(N_PEOPLE / 3));
    assert_eq!(project.run(&[]).in_state("done"), ["documents", "monitor"]);
    let card = project
        .veracta(&[
            "document",
            "small",
            "--kind",
            "model_card",
            "--format",
            "md",
        ])
        .out;
    assert!(
        card.contains("Membership inference")
            && card.contains("Newest comparison of inputs")
            && card.contains("noise of 0.1")
    );
    assert_eq!(project.veracta(&["verify"]).code, 0);
}

#[test]
fn the_gate_refuses_what_the_plan_does_not_allow() {
    let project = project_asking("");
    project.edit("pipeline.yaml", "at_least: 0.55", "at_least: 0.99");
    let ran = project.run(&[]);
    assert_eq!(ran.code, 1);
    let failed = ran.outcome["gate"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["outcome"] == "fail");
    assert!(
        failed.clone().count() > 0 && failed.clone().all(|finding| finding["rule"] == "robust"),
        "{:#}",
        ran.outcome["gate"]
    );
}

#[test]
fn whole_clusters_are_resampled_in_a_pipeline() {
    let project =
        Project::new(&PIPELINE.replacen("validation:\n", "validation:\n  clusters: region\n", 1));
    let refused = project.veracta(&["run", "pipeline.yaml"]);
    assert!(
        refused.code == 2
            && refused
                .err
                .contains("`region` has 3 clusters; intervals need at least 10"),
        "{refused:?}"
    );
    project.edit("pipeline.yaml", "clusters: region", "clusters: tenure");
    project.run(&[]);
    let (_, report) = project.latest("validation.report");
    assert_eq!(
        report["results"][0]["estimate"]["method"],
        "bootstrap_cluster"
    );
}

#[test]
fn wrong_measures_are_refused_with_their_place() {
    let project = project_asking("monitoring: {current: newer.csv}\n");
    let whole = project.read("pipeline.yaml");
    for (from, to, words) in [
        (
            "metric: roc_auc, at_least: 0.55",
            "metric: rocauc, at_least: 0.55",
            vec!["pipeline.yaml:25:24", "unknown metric `rocauc`"],
        ),
        (
            "at_least: 0.55",
            "at_least: 0.55, at_most: 0.9",
            vec!["pipeline.yaml:", "needs one finite limit"],
        ),
        (
            "missing: 0.05",
            "missing: 5",
            vec!["pipeline.yaml:", "shares between 0 and 1"],
        ),
        ("missing: 0.05", "fog: 1", vec!["pipeline.yaml:", "fog"]),
        (
            "auc_at_most: 0.9",
            "auc_at_most: 0.3",
            vec!["pipeline.yaml:", "between 0.5 and 1"],
        ),
        (
            "shadows: 4",
            "shadows: 5",
            vec![
                "pipeline.yaml:",
                "must be 0 or an even number from 4 to 256",
            ],
        ),
        (
            "newer.csv",
            "nowhere.csv",
            vec!["pipeline.yaml:", "`nowhere.csv` is not there"],
        ),
        (
            "current: newer.csv",
            "current: newer.csv, tolerance: 2",
            vec!["pipeline.yaml:", "monitoring.tolerance"],
        ),
        (
            "  robustness:",
            "  clusters: regoin\n  robustness:",
            vec![
                "pipeline.yaml:",
                "cluster `regoin`",
                "did you mean `region`?",
            ],
        ),
    ] {
        project.write("pipeline.yaml", &whole);
        project.edit("pipeline.yaml", from, to);
        let refused = project.veracta(&["run", "pipeline.yaml"]);
        assert_eq!((refused.code, project.n_entries()), (2, 1), "{refused:?}");
        for word in words {
            assert!(
                refused.err.contains(word),
                "`{word}` is not in {}",
                refused.err
            );
        }
    }
}

#[test]
fn measurements_are_recorded_about_a_model() {
    let project = Project::new(PIPELINE);
    project.run(&[]);
    project.write("newer.csv", simulate_people(N_PEOPLE / 2));
    let scored: String = (0..200)
        .map(|row| format!("{},{}\n", row % 2, f64::from(row % 50) / 50.0))
        .collect();
    project.write("scored.csv", "y,p\n".to_owned() + &scored);
    let before = project.n_entries();
    let drift = project.veracta(&[
        "drift",
        "customers.csv",
        "newer.csv",
        "--without",
        "customer",
        "--record",
        "small",
        "--format",
        "json",
    ]);
    assert!(
        drift.code < 2 && drift.err.contains("recorded as evidence about `small`"),
        "{drift:?}"
    );
    let evaluated = project.veracta(&[
        "evaluate",
        "scored.csv",
        "--label",
        "y",
        "--score",
        "p",
        "--record",
        "small",
    ]);
    assert_eq!(evaluated.code, 0, "{evaluated:?}");
    assert_eq!(project.n_entries(), before + 2);
    let (_, record) = project.latest("drift.report");
    assert_eq!(record["model"], project.latest("model.version").1["digest"]);
    assert!(
        !record.to_string().contains("QX-"),
        "no value of a row is in a record"
    );
    assert!(evaluated.err.contains("is your word"), "{evaluated:?}");
    // What was measured of another model is no evidence about this one.
    let case = golden("explain/breast_cancer");
    let (model, rows) = (case.join("model.json"), case.join("data.csv"));
    let (model, rows) = (model.to_str().unwrap(), rows.to_str().unwrap());
    for arguments in [
        vec![
            "robustness",
            model,
            rows,
            "--resamples",
            "50",
            "--record",
            "small",
        ],
        vec![
            "membership",
            model,
            "--members",
            rows,
            "--others",
            rows,
            "--label",
            "y_true",
            "--record",
            "small",
        ],
        vec!["drift", rows, rows, "--record", "small"],
    ] {
        let refused = project.veracta(&arguments);
        assert!(
            refused.code == 2 && refused.err.contains("`small` is not what was measured"),
            "{refused:?}"
        );
    }
    let unknown = project.veracta(&[
        "evaluate",
        "scored.csv",
        "--label",
        "y",
        "--score",
        "p",
        "--record",
        "smal",
    ]);
    assert!(
        unknown.code == 2 && project.n_entries() == before + 2,
        "{unknown:?}"
    );
}

#[test]
fn a_stored_profile_merges_and_stands_in_for_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |n: usize, from: usize| {
        let lines: String = (from..from + n)
            .map(|row| format!("{},{}\n", row * 37 % 1000, ["a", "b"][row % 2]))
            .collect();
        "x,c\n".to_owned() + &lines
    };
    fs::write(folder.path().join("one.csv"), rows(3_000, 0)).unwrap();
    fs::write(folder.path().join("two.csv"), rows(2_000, 3_000)).unwrap();
    fs::write(folder.path().join("both.csv"), rows(5_000, 0)).unwrap();
    let saved = veracta(folder.path(), "profile one.csv --save one.profile");
    assert!(
        saved.code == 0 && saved.err.contains("as personal as the data"),
        "{saved:?}"
    );
    assert_eq!(
        veracta(
            folder.path(),
            "profile two.csv --save whole.profile --merge one.profile"
        )
        .code,
        0
    );
    let found = veracta(
        folder.path(),
        "drift --profile whole.profile both.csv --format json",
    );
    assert_eq!(
        (found.code, found.json()["n_reference"].as_u64()),
        (0, Some(5_000)),
        "{found:?}"
    );
    let exact = veracta(folder.path(), "drift both.csv both.csv --format json").json();
    assert_eq!(
        found.json()["columns"][1]["drift"]["effect"],
        exact["columns"][1]["drift"]["effect"],
        "counts of categories are exact"
    );
    fs::write(folder.path().join("bad.profile"), "{}").unwrap();
    let refused = veracta(folder.path(), "drift --profile bad.profile both.csv");
    assert!(
        refused.code == 2 && refused.err.contains("bad.profile") && refused.err.contains("--save"),
        "{refused:?}"
    );
    assert_eq!(
        veracta(
            folder.path(),
            "drift --profile whole.profile one.csv both.csv"
        )
        .code,
        2
    );
    let windows = veracta(
        folder.path(),
        "drift one.csv both.csv --every 1000 --format json",
    )
    .json();
    assert_eq!(windows.as_array().unwrap().len(), 5);
}

#[test]
fn single_questions_to_a_model_are_answered() {
    let case = golden("explain/breast_cancer");
    let curve = veracta(
        &case,
        "explain model.json data.csv --dependence worst_radius --format json",
    )
    .json();
    assert_eq!(
        curve["grid"].as_array().unwrap().len(),
        curve["mean"].as_array().unwrap().len()
    );
    let page = veracta(
        &case,
        "explain model.json data.csv --dependence worst_radius --format html",
    );
    assert!(page.out.contains("<svg") && page.out.contains("worst_radius"));
    let unknown = veracta(&case, "explain model.json data.csv --dependence radius");
    assert!(
        unknown.code == 2 && unknown.err.contains("`radius`"),
        "{unknown:?}"
    );
    // A row with a high score, and what brings it down.
    let scores = veracta(&case, "predict model.json data.csv").out;
    let row = scores
        .lines()
        .skip(1)
        .position(|score| (0.7..0.95).contains(&score.parse::<f64>().unwrap()))
        .unwrap()
        + 1;
    let inputs = "worst_radius,mean_texture,worst_concave_points,worst_perimeter,worst_texture";
    let change = veracta(
        &case,
        &format!("explain model.json data.csv --row {row} --change {inputs} --format json"),
    )
    .json();
    let reached = change["reached"].as_f64().unwrap();
    assert_eq!(change["outcome"] == "found", reached < 0.5, "{change}");
    let already = veracta(
        &case,
        &format!("explain model.json data.csv --row {row} --change worst_radius --target 0.99"),
    );
    assert!(
        already.code == 0 && already.out.contains("already"),
        "{already:?}"
    );
    let tried = veracta(
        &case,
        "robustness model.json data.csv --label y_true --resamples 50 --format json",
    )
    .json();
    assert_eq!(tried["scenarios"].as_array().unwrap().len(), 10);
    let attacked = veracta(
        &case,
        "membership model.json --members data.csv --others data.csv --label y_true --format json",
    );
    assert_eq!(
        attacked.code, 0,
        "the same rows on both sides are not told apart: {attacked:?}"
    );
    assert_eq!(attacked.json()["by_loss"]["roc_auc"]["estimate"], 0.5);
    let copied = veracta(
        &case,
        "neighbours data.csv data.csv ../../perf/binary_balanced/data.csv --without mean_area,y_true",
    );
    assert_eq!(copied.code, 2, "{copied:?}");
}

#[test]
fn windows_wait_for_labels_that_are_late() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from("day,y,p\n");
    for row in 0..400u32 {
        let label = if row >= 250 {
            String::new()
        } else {
            (row % 10 / 5).to_string()
        };
        text += &format!(
            "2026-01-{:02},{label},{}\n",
            1 + row / 20,
            f64::from(row * 7 % 10) / 10.0
        );
    }
    fs::write(folder.path().join("late.csv"), text).unwrap();
    let asked = "evaluate late.csv --label y --score p --metric accuracy --every 5d --time day --resamples 50 --format json";
    let found = veracta(folder.path(), asked).json();
    let windows = found["windows"].as_array().unwrap();
    let of = |field: &str| {
        windows
            .iter()
            .map(|window| window[1][field].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        windows
            .iter()
            .map(|window| window[0].as_str().unwrap())
            .collect::<Vec<_>>()[..2],
        ["2026-01-01", "2026-01-06"]
    );
    assert_eq!(of("n_labelled"), [100, 100, 50, 0]);
    assert_eq!(
        of("realised")
            .iter()
            .map(serde_json::Value::is_null)
            .collect::<Vec<_>>(),
        [false, false, true, true]
    );
    assert!(of("expected").iter().all(|expected| !expected.is_null()));
    let page = veracta(
        folder.path(),
        "evaluate late.csv --label y --score p --metric accuracy --every 5d --time day --resamples 50",
    );
    assert!(page.out.contains("waits for labels"), "{page:?}");
    let refused = veracta(
        folder.path(),
        "evaluate late.csv --label y --score p --every 5d",
    );
    assert!(
        refused.code == 2 && refused.err.contains("whole number of rows"),
        "{refused:?}"
    );
    let refused = veracta(
        folder.path(),
        "evaluate late.csv --label y --score p --every 5d --time p",
    );
    assert!(
        refused.code == 2 && refused.err.contains("holds numbers"),
        "{refused:?}"
    );
    // A label that is missing is no third class.
    let refused = veracta(
        folder.path(),
        "evaluate late.csv --task multiclass --label y --score y",
    );
    assert!(
        refused.code == 2 && refused.err.contains("row 251 has no label"),
        "{refused:?}"
    );
}

#[test]
fn words_of_an_onnx_model_are_taken_as_they_stand() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../veracta-model/tests/fixtures/onnx/words_like_numbers");
    let found = veracta(&case, "predict model.onnx rows.csv").out;
    let wanted = fs::read_to_string(case.join("expected.csv")).unwrap();
    let mut n = 0;
    for (found, wanted) in found.lines().zip(wanted.lines()).skip(1) {
        let (found, wanted): (f64, f64) = (
            found.parse().unwrap(),
            wanted.split(',').nth(1).unwrap().parse().unwrap(),
        );
        assert!((found - wanted).abs() < 1e-5, "{found}, expected {wanted}");
        n += 1;
    }
    assert_eq!(n, 40);
    let shown = veracta(&case, "explain model.onnx rows.csv --dependence code");
    assert!(
        shown.out.contains("0012") && shown.out.contains("1e5"),
        "categories by their names: {shown:?}"
    );
    let refused = veracta(&case, "explain model.onnx rows.csv --change code --row 1");
    assert!(
        refused.code == 2 && refused.err.contains("`code` holds categories"),
        "{refused:?}"
    );
    let unexplained = veracta(&case, "explain model.onnx rows.csv");
    assert!(
        unexplained.code == 2 && unexplained.err.contains("background"),
        "{unexplained:?}"
    );
    assert_eq!(
        veracta(
            &case,
            "explain model.onnx rows.csv --rows 3 --background rows.csv"
        )
        .code,
        0
    );
}

#[test]
fn options_that_would_be_ignored_are_refused() {
    let case = golden("perf/binary_balanced");
    for arguments in [
        "evaluate data.csv --without-labels --score score --group weight",
        "evaluate data.csv --without-labels --score score --every 10",
        "evaluate data.csv --label y_true --score score --every 10 --recalibrate",
        "evaluate data.csv --label y_true --score score --query weight",
        "evaluate data.csv --label y_true --score score --task regression --group weight",
        "evaluate data.csv --label y_true --score score --cluster y_true",
    ] {
        let refused = veracta(&case, arguments);
        assert!(
            refused.code == 2 && refused.err.len() > 20,
            "{arguments}: {refused:?}"
        );
    }
    let several = golden("model/xgb_multiclass_softprob");
    let refused = veracta(&several, "robustness model.json rows.csv");
    assert!(
        refused.code == 2 && refused.err.contains("probability of one of two classes"),
        "{refused:?}"
    );
}

#[test]
fn the_error_of_a_regression_is_foretold_without_labels() {
    let folder = tempfile::tempdir().unwrap();
    // The error is as large as x: rows with a larger x have a larger one.
    let rows = |from: u32, with_label: bool| -> String {
        let line = |row: u32| {
            let x = f64::from(from + row % 100) / 100.0;
            let label = if with_label {
                format!(",{}", 5.0 + if row.is_multiple_of(2) { x } else { -x })
            } else {
                String::new()
            };
            format!("{x},5{label}\n")
        };
        format!("x,p{}\n", if with_label { ",y" } else { "" })
            + &(0..1_000).map(line).collect::<String>()
    };
    fs::write(folder.path().join("known.csv"), rows(0, true)).unwrap();
    fs::write(folder.path().join("high.csv"), rows(50, false)).unwrap();
    let asked = "evaluate high.csv --task regression --label y --score p --reference known.csv --format json";
    let found = veracta(folder.path(), asked).json();
    assert!(
        (found["reference_mae"].as_f64().unwrap() - 0.495).abs() < 1e-9,
        "{found}"
    );
    // Trees do not go beyond what they have seen: half of these rows have an x of up to 1.49.
    let expected = found["expected_mae"]["estimate"].as_f64().unwrap();
    assert!((0.8..0.95).contains(&expected), "{found}");
    let refused = veracta(
        folder.path(),
        "evaluate known.csv --label y --score p --reference known.csv",
    );
    assert!(
        refused.code == 2 && refused.err.contains("--task regression"),
        "{refused:?}"
    );
}
