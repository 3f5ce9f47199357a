//! Every golden case from the command line: each folder of the golden set is measured by the program, and what it prints is what the
//! library of reference gives.
//!
//! What a case checks beyond what a command prints runs through the public functions (`veracta-statistics/tests/golden.rs`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::project::{Answer, answer, program};

fn cases() -> Vec<PathBuf> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../veracta-statistics/tests/fixtures/golden");
    let folders = |path: PathBuf| {
        fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
    };
    let mut cases: Vec<PathBuf> = folders(root).flat_map(folders).collect();
    cases.sort();
    cases
}

fn name(case: &Path) -> (String, String) {
    let part = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    (part(case.parent().unwrap()), part(case))
}

fn expected(case: &Path) -> Vec<Value> {
    let file: Value =
        serde_json::from_slice(&fs::read(case.join("expected.json")).unwrap()).unwrap();
    file["checks"].as_array().unwrap().clone()
}

fn veracta(folder: &Path, arguments: &str) -> Answer {
    let found = answer(program(folder).args(arguments.split_whitespace()));
    assert!(
        found.code < 2,
        "{arguments} in {}: {}",
        folder.display(),
        found.err
    );
    found
}

fn close(found: f64, check: &Value, wanted: f64, place: &str) {
    let tolerance =
        check["atol"].as_f64().unwrap() + check["rtol"].as_f64().unwrap() * wanted.abs();
    assert!(
        (found - wanted).abs() <= tolerance,
        "{place}: {found}, expected {wanted}"
    );
}

fn table(text: &str) -> Vec<Vec<f64>> {
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

fn model_file(case: &Path) -> &'static str {
    if case.join("model.json").exists() {
        "model.json"
    } else {
        "model.txt"
    }
}

/// Compares the contributions that are printed with a file of them; `per_output` numbers an output stand in a line of it.
fn contributions(
    case: &Path,
    check: &Value,
    arguments: &str,
    with_base: bool,
    place: &str,
) -> usize {
    let printed = table(&veracta(case, arguments).out);
    let wanted =
        table(&fs::read_to_string(case.join(check["value_file"].as_str().unwrap())).unwrap());
    let n_inputs = printed[0].len() - 3;
    let width = n_inputs + usize::from(with_base);
    let wanted: Vec<&[f64]> = wanted.iter().flat_map(|row| row.chunks(width)).collect();
    assert_eq!(printed.len(), wanted.len(), "{place}");
    let mut n = 0;
    for (found, wanted) in printed.iter().zip(wanted) {
        for (found, wanted) in found[3..].iter().zip(wanted) {
            close(*found, check, *wanted, place);
            n += 1;
        }
        if with_base {
            close(found[2], check, wanted[n_inputs], place);
        }
    }
    n
}

/// Predictions, margins and contributions of a model.
fn model(case: &Path) -> usize {
    let (mut n, place) = (0, name(case).1);
    if case.join("base_margin.csv").exists() {
        // A base margin of each row has no place on the command line; the trees themselves are those of the file.
        assert!(
            veracta(case, &format!("predict {} rows.csv", model_file(case)))
                .out
                .lines()
                .count()
                > 1
        );
        return 1;
    }
    for check in expected(case) {
        let is_plain = check["params"]
            .as_object()
            .is_none_or(serde_json::Map::is_empty);
        match check["op"].as_str().unwrap() {
            op @ ("model.margin" | "model.predict") if is_plain => {
                let more = if op == "model.margin" { "--margin" } else { "" };
                let printed = table(
                    &veracta(
                        case,
                        &format!("predict {} rows.csv {more}", model_file(case)),
                    )
                    .out,
                );
                let wanted = table(
                    &fs::read_to_string(case.join(check["value_file"].as_str().unwrap())).unwrap(),
                );
                for (found, wanted) in printed.iter().flatten().zip(wanted.iter().flatten()) {
                    close(*found, &check, *wanted, &place);
                    n += 1;
                }
            }
            "shap.path_dependent" if is_plain => {
                n += contributions(
                    case,
                    &check,
                    &format!("explain {} rows.csv --by-row", model_file(case)),
                    true,
                    &place,
                );
            }
            _ => {}
        }
    }
    n
}

/// Exact explanations, dependence and reasons.
fn explain(case: &Path) -> usize {
    let (mut n, place, model) = (0, name(case).1, model_file(case));
    for check in expected(case) {
        match check["op"].as_str().unwrap() {
            "shap.interventional_exact" if check["params"]["scale"] == "margin" => {
                n += contributions(
                    case,
                    &check,
                    &format!("explain {model} rows.csv --background background.csv --by-row"),
                    false,
                    &place,
                );
            }
            "reason_codes" => n += reasons(case, &check),
            "importance.baseline" => {
                // The shuffles are others; the order of the strongest inputs is not chance.
                let found = veracta(
                    case,
                    &format!(
                        "explain {model} data.csv --permute y_true --metric log_loss --format json"
                    ),
                )
                .json();
                let wanted = expected(case)
                    .into_iter()
                    .find(|check| check["op"] == "importance.permutation")
                    .unwrap();
                let strongest = |values: &Value| values.to_string();
                assert!(
                    strongest(&wanted["value"]).contains(found[0]["input"].as_str().unwrap()),
                    "{place}"
                );
                n += 1;
            }
            _ => {}
        }
    }
    n
}

fn reasons(case: &Path, check: &Value) -> usize {
    let groups: BTreeMap<String, String> =
        serde_json::from_slice(&fs::read(case.join("reason_groups.json")).unwrap()).unwrap();
    let mut codes: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
    groups
        .iter()
        .for_each(|(input, code)| codes.entry(code).or_default().push(input));
    let mut text = String::from("adverse: high\ncodes:\n");
    for (code, inputs) in codes {
        let inputs: Vec<&str> = inputs.into_iter().map(String::as_str).collect();
        text += &format!(
            "  - {{code: {code}, text: Words, inputs: [{}]}}\n",
            inputs.join(", ")
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("codes.yaml");
    fs::write(&path, text).unwrap();
    let printed = veracta(
        case,
        &format!(
            "explain model.json data.csv --reasons {} --format json",
            path.display()
        ),
    )
    .json();
    let mut n = 0;
    for wanted in check["value"].as_array().unwrap() {
        let row = wanted["row"].as_u64().unwrap() as usize;
        let codes = wanted["reasons"].as_array().unwrap();
        let found = printed[row]["reasons"].as_array().unwrap();
        assert_eq!(found.len(), codes.len(), "row {row}");
        for (found, wanted) in found.iter().zip(codes) {
            assert_eq!(found["code"], wanted["code"], "row {row}");
            close(
                found["points"].as_f64().unwrap(),
                check,
                wanted["points"].as_f64().unwrap(),
                "points",
            );
            n += 1;
        }
    }
    n
}

/// Performance of two classes, of several, of numbers, of orders, and without labels.
fn perf(case: &Path) -> usize {
    let (_, place) = name(case);
    let header = fs::read_to_string(case.join("data.csv"))
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    let columns: Vec<&str> = header.split(',').collect();
    let probabilities: Vec<&str> = columns
        .iter()
        .copied()
        .filter(|column| column.starts_with("p_"))
        .collect();
    let (arguments, is_binary) = if columns.contains(&"qid") {
        (
            "--task ranking --label relevance --score score --query qid --relevant-from 2"
                .to_owned(),
            false,
        )
    } else if !probabilities.is_empty() {
        (
            format!(
                "--task multiclass --label y_true --score {}",
                probabilities.join(",")
            ),
            false,
        )
    } else if columns.contains(&"calibrated_probability") {
        (
            "--without-labels --score calibrated_probability".to_owned(),
            false,
        )
    } else if columns.contains(&"score") {
        ("--label y_true --score score".to_owned(), true)
    } else {
        (
            "--task regression --label y_true --score y_pred".to_owned(),
            false,
        )
    };
    let checks = expected(case);
    let printed = veracta(
        case,
        &format!("evaluate data.csv {arguments} --resamples 50 --format json"),
    )
    .json();
    let metric = |wanted: &str| {
        let metrics = printed["metrics"].as_array().unwrap();
        metrics
            .iter()
            .find(|metric| metric[0] == wanted)
            .and_then(|metric| metric[1]["estimate"].as_f64())
    };
    let mut n = 0;
    for check in &checks {
        let op = check["op"].as_str().unwrap();
        let params = &check["params"];
        if op == "cbpe.metrics" {
            for (wanted, value) in check["value"].as_object().unwrap() {
                if let (Some(found), Some(value)) = (metric(wanted), value.as_f64()) {
                    close(found, check, value, &place);
                    n += 1;
                }
            }
            continue;
        }
        let named = match op
            .strip_prefix("perf.")
            .or_else(|| op.strip_prefix("rank."))
        {
            Some(_) if params["weights"] == "weight" => continue,
            Some("cohen_kappa")
                if params["weights_kind"] != Value::Null && params["weights_kind"] != "none" =>
            {
                format!("cohen_kappa_{}", params["weights_kind"].as_str().unwrap())
            }
            Some("brier_multiclass") => "brier".to_owned(),
            Some(name) if params["average"].is_string() => {
                format!("{name}_{}", params["average"].as_str().unwrap())
            }
            Some(name) if params["k"].is_u64() && op.starts_with("rank.") => {
                format!("{name}_{}", params["k"])
            }
            Some(name) => name.to_owned(),
            None => continue,
        };
        // Of a ranking the mean over queries.
        let value = check["value"]
            .as_f64()
            .or_else(|| check["value"]["mean"].as_f64());
        if let (Some(found), Some(value)) = (metric(&named), value) {
            close(found, check, value, &format!("{named} of {place}"));
            n += 1;
        }
    }
    if is_binary && place == "binary_balanced" {
        let compared = veracta(
            case,
            "compare data.csv --label y_true --score score --score score_b --format json",
        )
        .json();
        assert!(compared["roc_auc_p"].as_f64().is_some());
    }
    n
}

/// Rates by group and gaps between groups.
fn fairness(case: &Path) -> usize {
    let mut n = 0;
    for check in expected(case) {
        let op = check["op"].as_str().unwrap();
        let Some(attributes) = check["params"]["attributes"].as_array() else {
            continue;
        };
        let is_plain =
            check["params"]["weights"] != "weight" && check["params"]["method"] != "to_overall";
        let names: Vec<&str> = attributes
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        if !is_plain || !["fairness.by_group", "fairness.summary"].contains(&op) {
            continue;
        }
        let printed = veracta(
            case,
            &format!(
                "evaluate data.csv --label y_true --score y_pred --metric accuracy --group {} --group-rows-min 1 --resamples 50 --format json",
                names.join(",")
            ),
        )
        .json();
        let frames = printed["frames"].as_array().unwrap();
        let frame = frames
            .iter()
            .find(|frame| frame["attributes"] == check["params"]["attributes"])
            .unwrap();
        if op == "fairness.by_group" {
            for wanted in check["value"].as_array().unwrap() {
                let Some(group) = frame["groups"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|group| group["levels"] == wanted["group"])
                else {
                    continue;
                };
                for rate in group["rates"].as_array().unwrap() {
                    let (found, value) = (
                        rate[1]["estimate"].as_f64(),
                        wanted[rate[0].as_str().unwrap()].as_f64(),
                    );
                    // A rate of a group without the rows it needs is not defined here and 0 there.
                    if let (Some(found), Some(value)) = (found, value) {
                        close(found, &check, value, &names.join(" and "));
                        n += 1;
                    }
                }
            }
            continue;
        }
        let is_defined = name(case).1 != "degenerate_groups";
        for disparity in frame["disparities"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|_| is_defined)
        {
            let value = check["value"][disparity[0].as_str().unwrap()].as_f64();
            if let (Some(found), Some(value)) = (disparity[1]["estimate"].as_f64(), value) {
                close(
                    found,
                    &check,
                    value,
                    &format!("{} by {}", disparity[0], names.join(" and ")),
                );
                n += 1;
            }
        }
    }
    n
}

/// Columns, columns together, and streams; `measure.rs` compares the tests themselves.
fn drift(case: &Path) -> usize {
    let (_, place) = name(case);
    if place == "stream" {
        let found = veracta(
            case,
            "watch stream.csv --column x --detector adwin,page_hinkley --format json",
        )
        .json();
        let errors = veracta(
            case,
            "watch stream.csv --column error --detector ddm,eddm,hddm_a --format json",
        )
        .json();
        let detected = found
            .as_array()
            .unwrap()
            .iter()
            .chain(errors.as_array().unwrap());
        let mut n = 0;
        for detected in detected {
            let op = format!("stream.{}", detected["detector"].as_str().unwrap());
            let check = expected(case)
                .into_iter()
                .find(|check| check["op"] == op)
                .unwrap();
            // Positions are counted from 0 there and rows from 1 here.
            let wanted = check["value"].as_array().unwrap();
            let wanted: Vec<u64> = wanted
                .iter()
                .map(|position| position.as_u64().unwrap() + 1)
                .collect();
            let rows: Vec<u64> = detected["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row.as_u64().unwrap())
                .collect();
            assert_eq!(rows, wanted, "{op}");
            n += 1;
        }
        return n;
    }
    let folder = tempfile::tempdir().unwrap();
    let (reference, current) = if place == "domain_classifier" {
        // One file there, with a column that says which rows are current.
        let text = fs::read_to_string(case.join("pooled.csv")).unwrap();
        let header = text.lines().next().unwrap();
        let side = |wanted: &str| {
            let is_of = |line: &&str| {
                line.split(',').nth(6).unwrap().parse::<f64>().unwrap()
                    == wanted.parse::<f64>().unwrap()
            };
            let rows: Vec<&str> = text.lines().skip(1).filter(is_of).collect();
            format!("{header}\n{}\n", rows.join("\n"))
        };
        fs::write(folder.path().join("a.csv"), side("0")).unwrap();
        fs::write(folder.path().join("b.csv"), side("1")).unwrap();
        (folder.path().join("a.csv"), folder.path().join("b.csv"))
    } else {
        (case.join("reference.csv"), case.join("current.csv"))
    };
    let more = match place.as_str() {
        "domain_classifier" => "--together --without is_current,fold",
        "mmd_multivariate" => "--together",
        _ => "",
    };
    let arguments = format!(
        "drift {} {} {more} --format json",
        reference.display(),
        current.display()
    );
    let printed = veracta(case, &arguments).json();
    if place == "domain_classifier" {
        let check = expected(case)
            .into_iter()
            .find(|check| check["op"] == "drift.domain_classifier")
            .unwrap();
        let wanted = check["value"]["auc"].as_f64().unwrap();
        // Trees here, logistic regression in the reference: both tell the rows apart, and neither well.
        let found = printed["together"]["domain_classifier"]["estimate"]
            .as_f64()
            .unwrap();
        assert!(
            (found - wanted).abs() < 0.1,
            "{found}, expected about {wanted}"
        );
        return 1;
    }
    if place == "mmd_multivariate" {
        let check = expected(case)
            .into_iter()
            .find(|check| check["op"] == "drift.mmd_multivariate")
            .unwrap();
        // Another kernel width, the same verdict.
        let p = check["value"]["pvalue_plus_one"].as_f64().unwrap();
        assert_eq!(
            printed["together"]["discrepancy"][1].as_f64().unwrap() < 0.05,
            p < 0.05
        );
        return 1;
    }
    let columns = printed["columns"].as_array().unwrap();
    let mut n = 0;
    for check in expected(case)
        .iter()
        .filter(|check| check["op"] == "drift.default")
    {
        let Some(column) = columns
            .iter()
            .find(|column| column["name"] == check["params"]["column"])
        else {
            continue;
        };
        if column["evidently"]["method"] == check["value"]["method"] {
            assert_eq!(
                column["evidently"]["drift"], check["value"]["drift"],
                "{} of {place}",
                column["name"]
            );
            n += 1;
        }
    }
    n
}

#[test]
fn every_golden_case_runs_from_the_command_line() {
    let mut by_group: BTreeMap<String, usize> = BTreeMap::new();
    for case in cases() {
        let (group, place) = name(&case);
        let n = match group.as_str() {
            "model" => model(&case),
            "explain" => explain(&case),
            "perf" => perf(&case),
            "fairness" => fairness(&case),
            _ => drift(&case),
        };
        assert!(n > 0, "nothing of {group}/{place} was compared");
        *by_group.entry(group).or_default() += n;
    }
    for (group, n_min) in [
        ("drift", 75),
        ("explain", 400),
        ("fairness", 150),
        ("model", 30_000),
        ("perf", 140),
    ] {
        assert!(
            by_group[group] >= n_min,
            "{group}: {} numbers were compared",
            by_group[group]
        );
    }
}
