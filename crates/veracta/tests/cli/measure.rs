//! The commands that measure files without a workspace, on the golden cases: what the library agrees with, the command line prints.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::project::{Answer, answer, program};

fn golden(group: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../veracta-statistics/tests/fixtures/golden")
        .join(group);
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    cases
}

fn expected(case: &Path) -> Value {
    serde_json::from_slice(&fs::read(case.join("expected.json")).unwrap()).unwrap()
}

fn veracta(folder: &Path, arguments: &[&str]) -> Answer {
    answer(program(folder).args(arguments))
}

/// Returns the numbers of a CSV file below its header.
fn cells(text: &str) -> Vec<Vec<f64>> {
    let number = |cell: &str| {
        if cell.is_empty() {
            f64::NAN
        } else {
            cell.parse().unwrap()
        }
    };
    text.lines()
        .skip(1)
        .map(|line| line.split(',').map(number).collect())
        .collect()
}

fn assert_close(found: f64, check: &Value, expected: f64, place: &str) {
    let tolerance =
        check["atol"].as_f64().unwrap() + check["rtol"].as_f64().unwrap() * expected.abs();
    assert!(
        (found - expected).abs() <= tolerance,
        "{place}: {found}, expected {expected}"
    );
}

#[test]
fn predict_prints_what_the_libraries_predict() {
    let mut n_compared = 0;
    for case in golden("model")
        .iter()
        .filter(|case| !case.join("base_margin.csv").exists())
    {
        let model = if case.join("model.json").exists() {
            "model.json"
        } else {
            "model.txt"
        };
        let checks = expected(case)["checks"].clone();
        for (op, more) in [
            ("model.margin", vec!["--margin"]),
            ("model.predict", vec![]),
        ] {
            let whole = |check: &&Value| {
                check["op"] == op
                    && check["params"]
                        .as_object()
                        .is_none_or(|params| params.is_empty())
            };
            let Some(check) = checks.as_array().unwrap().iter().find(whole) else {
                continue;
            };
            let printed = veracta(
                case,
                &[&["predict", model, "rows.csv"], more.as_slice()].concat(),
            );
            assert_eq!(printed.code, 0, "{}: {printed:?}", case.display());
            let wanted = cells(
                &fs::read_to_string(case.join(check["value_file"].as_str().unwrap())).unwrap(),
            );
            let found = cells(&printed.out);
            assert_eq!(found.len(), wanted.len(), "{}", case.display());
            for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
                assert_close(
                    *found,
                    check,
                    *wanted,
                    &format!("{} of {}", op, case.display()),
                );
                n_compared += 1;
            }
        }
    }
    assert!(n_compared > 6_000, "{n_compared} numbers were compared");
}

#[test]
fn explain_prints_strengths_that_follow_from_the_contributions() {
    let case = golden("model")
        .into_iter()
        .find(|case| case.ends_with("lgb_multiclass"))
        .unwrap();
    let printed = veracta(
        &case,
        &["explain", "model.txt", "rows.csv", "--format", "json"],
    )
    .json();
    let contributions = cells(&fs::read_to_string(case.join("contribs.csv")).unwrap());
    let n_features = printed["outputs"][0]["features"].as_array().unwrap().len();
    for (output, found) in printed["outputs"].as_array().unwrap().iter().enumerate() {
        let names = fs::read_to_string(case.join("rows.csv")).unwrap();
        let names: Vec<&str> = names.lines().next().unwrap().split(',').collect();
        for feature in found["features"].as_array().unwrap() {
            let place = names
                .iter()
                .position(|name| feature["input"] == *name)
                .unwrap()
                + output * (n_features + 1);
            let wanted = contributions
                .iter()
                .map(|row| row[place].abs())
                .sum::<f64>()
                / contributions.len() as f64;
            assert!(
                (feature["mean_absolute"].as_f64().unwrap() - wanted).abs() < 1e-9,
                "{feature}"
            );
        }
    }
    let page = veracta(
        &case,
        &[
            "explain",
            "model.txt",
            "rows.csv",
            "--row",
            "3",
            "--format",
            "html",
        ],
    );
    assert!(page.out.starts_with("<!DOCTYPE html>") && page.out.contains("alcohol"));
    let background = veracta(
        &case,
        &[
            "explain",
            "model.txt",
            "rows.csv",
            "--background",
            "background.csv",
            "--format",
            "md",
        ],
    );
    assert!(
        background.code == 0 && background.out.contains("interventional tree SHAP"),
        "{background:?}"
    );
}

#[test]
fn drift_prints_evidentlys_rule_and_the_tests() {
    let mut n_compared = 0;
    for case in golden("drift").iter().filter(|case| {
        case.join("reference.csv").exists() && expected(case)["column_types"].is_object()
    }) {
        let types = expected(case)["column_types"].clone();
        let printed = veracta(
            case,
            &[
                "drift",
                "reference.csv",
                "current.csv",
                "--test",
                "all",
                "--format",
                "json",
            ],
        );
        assert!(printed.code < 2, "{}: {printed:?}", case.display());
        let columns = printed.json()["columns"].clone();
        for check in expected(case)["checks"].as_array().unwrap() {
            let Some(name) = check["params"]["column"].as_str() else {
                continue;
            };
            let kind = if types[name] == "num" {
                "numeric"
            } else {
                "categorical"
            };
            // A column of digits that the case declares categorical is read as numbers here.
            let Some(column) = columns
                .as_array()
                .unwrap()
                .iter()
                .find(|column| column["name"] == name && column["kind"] == kind)
            else {
                continue;
            };
            let test = |test: &str, field: &str| {
                let tests = column["tests"].as_array().unwrap().iter();
                tests
                    .clone()
                    .find(|found| found["test"] == test)
                    .and_then(|found| found[field].as_f64())
            };
            let place = format!("{} of `{name}` in {}", check["op"], case.display());
            let (found, wanted) = match check["op"].as_str().unwrap() {
                "drift.default" => {
                    assert_eq!(
                        column["evidently"]["drift"], check["value"]["drift"],
                        "{place}"
                    );
                    assert_eq!(
                        column["evidently"]["method"], check["value"]["method"],
                        "{place}"
                    );
                    (
                        column["evidently"]["score"].as_f64(),
                        &check["value"]["score"],
                    )
                }
                "drift.ks" if check["params"]["method"] == "auto" => {
                    (test("ks", "p_value"), &check["value"]["pvalue"])
                }
                "drift.evidently.wasserstein" => {
                    (test("wasserstein", "statistic"), &check["value"]["score"])
                }
                "drift.energy" => (test("energy", "statistic"), &check["value"]),
                "drift.evidently.jensenshannon" => (
                    test("jensen_shannon", "statistic"),
                    &check["value"]["score"],
                ),
                "drift.anderson_darling" => (
                    test("anderson_darling", "p_value"),
                    &check["value"]["pvalue"],
                ),
                // Where deciles part the values; few values are bins of their own here.
                "drift.psi_quantile"
                    if check["params"]["bins"] == 10
                        && check["value"]["inner_edges"].as_array().unwrap().len() == 9 =>
                {
                    (test("psi", "statistic"), &check["value"]["psi"])
                }
                "drift.total_variation" => (test("total_variation", "statistic"), &check["value"]),
                "drift.g_contingency" => (test("g_test", "p_value"), &check["value"]["pvalue"]),
                _ => continue,
            };
            if let (Some(found), Some(wanted)) = (found, wanted.as_f64()) {
                assert_close(found, check, wanted, &place);
                n_compared += 1;
            }
        }
    }
    assert!(n_compared > 300, "{n_compared} numbers were compared");
}

#[test]
fn evaluate_prints_metrics_and_groups() {
    let case = golden("fairness")
        .into_iter()
        .find(|case| case.ends_with("people"))
        .unwrap();
    let arguments = [
        "evaluate",
        "data.csv",
        "--label",
        "y_true",
        "--score",
        "score",
        "--group",
        "sex,race",
        "--control",
        "age_band",
    ];
    let printed = veracta(
        &case,
        &[&arguments[..], &["--resamples", "200", "--format", "json"]].concat(),
    )
    .json();
    // Two columns on their own and crossed, within each of four ages.
    assert_eq!(printed["frames"].as_array().unwrap().len(), 3 * 4);
    let case = golden("perf")
        .into_iter()
        .find(|case| case.ends_with("binary_balanced"))
        .unwrap();
    let printed = veracta(
        &case,
        &[
            "evaluate", "data.csv", "--label", "y_true", "--score", "score", "--format", "json",
        ],
    )
    .json();
    let mut n_compared = 0;
    for check in expected(&case)["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["params"]["weights"] == "none")
    {
        let Some(name) = check["op"].as_str().unwrap().strip_prefix("perf.") else {
            continue;
        };
        let metric = printed["metrics"]
            .as_array()
            .unwrap()
            .iter()
            .find(|metric| metric[0] == name);
        if let Some(found) = metric.and_then(|metric| metric[1]["estimate"].as_f64()) {
            assert_close(found, check, check["value"].as_f64().unwrap(), name);
            n_compared += 1;
        }
    }
    assert!(n_compared >= 15, "{n_compared} metrics were compared");
}

#[test]
fn compare_anonymity_and_plan_answer_with_their_exit_codes() {
    let case = golden("perf")
        .into_iter()
        .find(|case| case.ends_with("binary_balanced"))
        .unwrap();
    let compare = |first: &str, second: &str| {
        let answer = veracta(
            &case,
            &[
                "compare", "data.csv", "--label", "y_true", "--score", first, "--score", second,
                "--format", "json",
            ],
        );
        (
            answer.code,
            answer.json()["verdict"].as_str().unwrap().to_owned(),
            answer.json()["roc_auc_p"].as_f64().unwrap(),
        )
    };
    let (code, verdict, p) = compare("score", "score_b");
    let wanted = expected(&case)["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["op"] == "test.delong_paired")
        .unwrap()
        .clone();
    assert!((p - wanted["value"]["pvalue"].as_f64().unwrap()).abs() < 1e-9);
    assert_eq!(
        code == 0,
        !["inferior", "undecided"].contains(&verdict.as_str())
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("rows.csv"),
        "age,zip,illness\n30,1,a\n30,1,b\n40,2,a\n40,2,a\n50,3,a\n",
    )
    .unwrap();
    let alone = veracta(
        folder.path(),
        &[
            "anonymity",
            "rows.csv",
            "--quasi",
            "age,zip",
            "--sensitive",
            "illness",
            "--format",
            "json",
        ],
    );
    assert_eq!(
        (
            alone.code,
            alone.json()["k"].as_u64(),
            alone.json()["sensitive"][0]["n_disclosed"].as_u64()
        ),
        (1, Some(1), Some(3))
    );
    let planned = veracta(
        folder.path(),
        &["plan", "--margin", "0.02", "--format", "json"],
    )
    .json();
    assert_eq!(planned["n_rows"], 1963);
    assert_eq!(veracta(folder.path(), &["plan", "--margin", "2"]).code, 2);
}

#[test]
fn what_cannot_be_measured_is_told_by_name() {
    let case = golden("model")
        .into_iter()
        .find(|case| case.ends_with("xgb_binary_missing"))
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let model = case.join("model.json");
    let model = model.to_str().unwrap();
    let refused = |file: &str, content: &str, arguments: &[&str], words: &[&str]| {
        fs::write(folder.path().join(file), content).unwrap();
        let answer = veracta(folder.path(), arguments);
        assert_eq!(answer.code, 2, "{answer:?}");
        for word in words {
            assert!(answer.err.contains(word), "{word}: {}", answer.err);
        }
    };
    refused(
        "rows.csv",
        "a,b\n1,2\n",
        &["predict", model, "rows.csv"],
        &["`mean_radius` is not in the data", "rows.csv"],
    );
    let rows = fs::read_to_string(case.join("rows.csv")).unwrap();
    let (header, _) = rows.split_once('\n').unwrap();
    let text = format!(
        "{header}\n{}\n",
        vec!["word"; header.split(',').count()].join(",")
    );
    refused(
        "rows.csv",
        &text,
        &["predict", model, "rows.csv"],
        &["is text in the data"],
    );
    refused(
        "model",
        "{\"learner\": 1}",
        &["predict", "model", "rows.csv"],
        &["`model` cannot be used as a model", "XGBoost"],
    );
    refused(
        "model",
        "tree\nversion=v9\n",
        &["predict", "model", "rows.csv"],
        &["version `v9` is not supported"],
    );
    refused(
        "model",
        "nothing",
        &["predict", "model", "rows.csv"],
        &["not a model"],
    );
    let scores = "y,p\n1,0.4\n0,oops\n";
    refused(
        "s.csv",
        scores,
        &["evaluate", "s.csv", "--label", "y", "--score", "p"],
        &["column `p`", "text"],
    );
    refused(
        "s.csv",
        "y,p\n1,0.4\n0,\n",
        &["evaluate", "s.csv", "--label", "y", "--score", "p"],
        &["row 2 is missing"],
    );
    refused(
        "s.csv",
        "y,p\n1,0.4\n2,1\n0,1\n",
        &["evaluate", "s.csv", "--label", "y", "--score", "p"],
        &["more than two values"],
    );
    refused(
        "s.csv",
        "y,p\n1,0.4\n",
        &["evaluate", "s.csv", "--label", "z", "--score", "p"],
        &["column `z` is not in the data"],
    );
    refused(
        "t.csv",
        "q\n1\n",
        &["drift", "s.csv", "t.csv"],
        &["no column in common"],
    );
    refused(
        "t.csv",
        "y\n1\n",
        &["drift", "s.csv", "t.csv", "--test", "chi"],
        &["unknown test `chi`", "ks"],
    );
}
