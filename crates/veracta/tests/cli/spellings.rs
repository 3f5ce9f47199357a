//! Every spelling of a category, from CSV and from Parquet, into models of every format: what the library predicts, or a counted unknown.
//!
//! `fixtures/spellings` holds for each spelling models of LightGBM, XGBoost and ONNX, rows as CSV and Parquet, and the libraries' predictions
//! (`generate.py` says how they were made).

use std::fs;
use std::path::{Path, PathBuf};

use crate::project::{Answer, Project, answer, program};

/// Largest difference from a prediction printed in 32 bits.
const TOLERANCE: f64 = 2e-7;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/spellings")
}

/// Returns the spellings there are, by name.
fn spellings() -> Vec<String> {
    let files = fs::read_dir(fixtures()).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter_map(|name| name.strip_suffix(".expected.csv").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 14, "{names:?}");
    names
}

fn veracta(folder: &Path, arguments: &[&str]) -> Answer {
    answer(program(folder).args(arguments))
}

/// Returns a column of a CSV file of numbers; `None` when it has no such column.
fn column(text: &str, name: &str) -> Option<Vec<f64>> {
    let mut lines = text.lines();
    let position = lines
        .next()
        .unwrap()
        .split(',')
        .position(|held| held == name)?;
    let cell = |line: &str| line.split(',').nth(position).unwrap().parse().unwrap();
    Some(lines.map(cell).collect())
}

fn check_equal(found: &[f64], expected: &[f64], place: &str) {
    assert_eq!(found.len(), expected.len(), "{place}");
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() < TOLERANCE,
            "{place}, row {row}: {found}, not {expected}"
        );
    }
}

/// The formats of models, by the ending of their files, and the library that each is of.
const FORMATS: [(&str, &str); 4] = [
    ("lgb", "lightgbm"),
    ("json", "xgboost"),
    ("ubj", "xgboost"),
    ("onnx", "onnx"),
];

/// Calls `check` for every spelling with a model of each format: its name, the file of the model, and what the library predicts.
fn each_model(check: impl Fn(&str, &str, &[f64])) {
    let mut n_models = 0;
    for name in spellings() {
        let expected = fs::read_to_string(fixtures().join(format!("{name}.expected.csv"))).unwrap();
        for (ending, library) in FORMATS {
            if let Some(expected) = column(&expected, library) {
                check(&name, &format!("{name}.{ending}"), &expected);
                n_models += 1;
            }
        }
    }
    assert!(n_models >= 48, "{n_models}");
}

#[test]
fn a_model_of_a_library_knows_each_category_in_its_own_spelling() {
    each_model(|name, model, expected| {
        for format in ["csv", "parquet"] {
            let rows = format!("{name}.{format}");
            let place = format!("{model} on {format}");
            let found = veracta(&fixtures(), &["predict", model, &rows]);
            assert_eq!((found.code, found.err.as_str()), (0, ""), "{place}");
            check_equal(&column(&found.out, "prediction").unwrap(), expected, &place);
        }
    });
}

/// Every other use of a model reads as `predict` does: what it says of rows is the same from both formats.
#[test]
fn every_use_of_a_model_reads_both_formats_alike() {
    each_model(|name, model, expected| {
        let [csv, parquet] = ["csv", "parquet"].map(|format| format!("{name}.{format}"));
        let said = |arguments: &[&str], rows: &str| {
            let found = veracta(
                &fixtures(),
                &[&[arguments[0], model, rows], &arguments[1..]].concat(),
            );
            assert_eq!(
                (found.code, found.err.as_str()),
                (0, ""),
                "{arguments:?} {model} {rows}"
            );
            found.out
        };
        let mut uses = vec![vec!["robustness", "--format", "json"]];
        // A graph is explained against other rows.
        uses.push(match model.ends_with(".onnx") {
            true => vec![
                "explain",
                "--background",
                &csv,
                "--rows",
                "3",
                "--format",
                "json",
            ],
            false => vec!["explain", "--by-row", "--format", "json"],
        });
        for arguments in uses {
            assert_eq!(
                said(&arguments, &csv),
                said(&arguments, &parquet),
                "{arguments:?} {model}"
            );
        }
        // The same rows do not lean on other inputs, and are no newer ones.
        if !model.ends_with(".onnx") {
            let drift = veracta(
                &fixtures(),
                &[
                    "drift", &csv, &parquet, "--model", model, "--format", "json",
                ],
            );
            let found = drift.json();
            let changes: Vec<f64> = found["columns"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|column| column["drift"]["effect"]["estimate"].as_f64())
                .collect();
            assert!(
                changes.iter().all(|change| *change == 0.0),
                "{name}: {changes:?}"
            );
        }
        assert_eq!(expected.len(), 30);
    });
}

/// Words that are hard to read, one column each.
const WORDS: [(&str, [&str; 4]); 7] = [
    ("zip", ["01", "1", "10", "010"]),
    ("edition", ["1.0", "1.1", "1.10", "2"]),
    ("country", ["NA", "null", "?", "DE"]),
    ("work", [" Private", "Private", "Private ", "own"]),
    ("member", ["True", "False", "TRUE", "False"]),
    (
        "since",
        [
            "2026-01-31",
            "2026-02-01",
            "2026-01-31 10:00:00",
            "2026-03-01",
        ],
    ),
    (
        "plan",
        ["123456789012345678", "123456789012345679", "7", "8"],
    ),
];

const HARD: &str = "\
schema: veracta.pipeline/1
name: hard
purpose: Read what is there.
frameworks: [gdpr]
data:
  path: rows.csv
  nature: simulated
  label: {column: y, positive: True}
  missing_in: {v: [-999]}
  drop: {part: says which rows test}
split: {method: column, column: part}
training: {algorithm: gradient_boosting, rounds: 20, max_depth: 3}
validation:
  resamples: 100
  criteria: [{metric: roc_auc, at_least: 0.5}]
";

/// Returns rows of the words above, whose label depends on every column; a tenth of the cells is missing.
fn hard_rows(keep: impl Fn(usize) -> bool) -> String {
    let mut state: u64 = 3;
    // The multiplier and increment of Knuth's MMIX generator.
    let mut draw = |bound: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let names: Vec<&str> = WORDS.iter().map(|(name, _)| *name).collect();
    let mut csv = format!("{},v,part,y\n", names.join(","));
    for row in 0..900 {
        let mut cells = Vec::new();
        let mut weight = 0;
        for (_, words) in WORDS {
            let pick = draw(4);
            weight += if pick < 2 { 1 } else { -1 };
            cells.push(match draw(10) {
                0 => "",
                _ => words[pick as usize],
            });
        }
        let v = if draw(8) == 0 {
            "-999.0".to_owned()
        } else {
            format!("0.{:02}", draw(100))
        };
        let part = if row % 3 == 0 { "test" } else { "train" };
        let is_positive = weight + draw(5) as i64 > 2;
        let y = if is_positive { "True" } else { "False" };
        if keep(row) {
            csv += &format!("{},{v},{part},{y}\n", cells.join(","));
        }
    }
    csv
}

#[test]
fn a_model_trained_here_reads_every_later_file_as_it_was_trained() {
    let project = Project::new(HARD);
    project.write("rows.csv", hard_rows(|_| true));
    project.write("test.csv", hard_rows(|row| row % 3 == 0));
    let ran = project.run(&[]);
    assert!(ran.code < 2, "{}", ran.outcome);
    let (_, model) = project.latest("model.version");
    let categories = |name: &str| {
        let inputs = model["inputs"].as_array().unwrap();
        let input = inputs.iter().find(|input| input["name"] == name);
        let input = input.unwrap_or_else(|| panic!("{name}: {model}"));
        input["categories"]["n"].as_u64()
    };
    let found = WORDS.map(|(name, _)| categories(name));
    // Spellings of one truth value are one, editions are numbers, and everything else is as many as there are words.
    let expected = [Some(4), None, Some(4), Some(4), Some(2), Some(4), Some(4)];
    assert_eq!(found, expected);
    assert!(
        !model.to_string().contains("Private"),
        "no category is in the record"
    );
    let (_, report) = project.latest("validation.report");
    assert_eq!(report["unknown"], serde_json::json!([]));
    let recorded = report["results"][0]["estimate"]["estimate"]
        .as_f64()
        .unwrap();
    let digest = model["digest"].as_str().unwrap();
    let file = format!(".veracta/objects/blobs/{}/{digest}", &digest[..2]);
    let predicted = project.veracta(&["predict", &file, "test.csv"]);
    assert_eq!(predicted.code, 0, "{predicted:?}");
    let mut scored = "score,y\n".to_owned();
    let rows = project.read("test.csv");
    for (score, row) in predicted.out.lines().zip(rows.lines()).skip(1) {
        scored += &format!("{score},{}\n", row.rsplit(',').next().unwrap());
    }
    project.write("scored.csv", scored);
    let auc =
        |found: &serde_json::Value, path: &str| found.pointer(path).unwrap().as_f64().unwrap();
    let evaluated = project.json(&[
        "evaluate",
        "scored.csv",
        "--label",
        "y",
        "--positive",
        "true",
        "--score",
        "score",
        "--metric",
        "roc_auc",
    ]);
    let tried = project.json(&[
        "robustness",
        &file,
        "test.csv",
        "--label",
        "y",
        "--positive",
        "True",
    ]);
    for found in [
        auc(&evaluated, "/metrics/0/1/estimate"),
        auc(&tried, "/baseline/estimate"),
    ] {
        assert!((found - recorded).abs() < 1e-9, "{found} is not {recorded}");
    }
    check_unknown(&project, &file, &rows);
}

/// Values that the model does not know are counted; most of a column is refused.
fn check_unknown(project: &Project, file: &str, rows: &str) {
    // Read as something else, most of a column is unknown, and that is no prediction.
    project.write(
        "other.csv",
        rows.replace(" Private", "x")
            .replace("Private", "y")
            .replace("own", "z"),
    );
    let refused = project.veracta(&["predict", file, "other.csv"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("column `work`"), "{refused:?}");
    // What is infinite in 32 bits is missing to the model, and it is told; so is a column without any value.
    let line = rows.lines().nth(1).unwrap();
    let cells: Vec<&str> = line.split(',').collect();
    let large = line.replacen(&format!(",{},test", cells[7]), ",1e39,test", 1);
    project.write("large.csv", rows.replacen(line, &large, 1));
    let told = project.veracta(&["predict", file, "large.csv"]);
    assert!(
        told.code == 0 && told.err.contains("values of column `v`"),
        "{told:?}"
    );
    let header = rows.lines().next().unwrap();
    project.write("empty.csv", format!("{header}\n,,,,,,,0.5,test,True\n"));
    let told = project.veracta(&["predict", file, "empty.csv"]);
    assert!(
        told.code == 0
            && told
                .err
                .contains("`zip`, which the model reads, has no value"),
        "{told:?}"
    );
    // A few unknown values are counted and told.
    project.write("few.csv", rows.replacen("Private ", "new", 3));
    let told = project.veracta(&["predict", file, "few.csv"]);
    assert_eq!(told.code, 0);
    assert!(told.err.contains("does not know 3 of the"), "{told:?}");
}

/// A LightGBM model of one tree over two numbers.
fn stump(names: &str) -> String {
    format!(
        "tree\nversion=v4\nnum_tree_per_iteration=1\nmax_feature_idx=1\nobjective=binary sigmoid:1\nfeature_names={names}\n\n\
         Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=1\nsplit_gain=1\nthreshold=40\ndecision_type=2\nleft_child=-1\nright_child=-2\n\
         leaf_value=-1 1\nleaf_count=30 10\ninternal_count=40\n\nend of trees\n"
    )
}

#[test]
fn names_of_columns_are_matched_as_lightgbm_writes_them() {
    let project = Project::empty();
    let predict = |model: &str, rows: &str| {
        project.write("model.txt", model);
        project.write("rows.csv", rows);
        project.veracta(&["predict", "model.txt", "rows.csv"])
    };
    let low = "prediction\n0.2689414213699951\n";
    assert_eq!(
        predict(&stump("loan_amount age"), "age,loan amount\n7,50\n").out,
        low
    );
    assert_eq!(
        predict(&stump("Column_0 Column_1"), "first,second\n50,7\n").out,
        low
    );
    let refused = predict(
        &stump("loan_amount age"),
        "age,loan amount,loan_amount\n7,1,2\n",
    );
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("loan amount, loan_amount"),
        "{refused:?}"
    );
    let cut = stump("a b").replace("end of trees\n", "");
    let refused = predict(&cut, "a,b\n1,2\n");
    assert!(
        refused.code == 2 && refused.err.contains("cut off"),
        "{refused:?}"
    );
}

#[test]
fn what_xgboost_was_not_trained_on_is_an_error_and_lightgbm_counts_it() {
    let project = Project::empty();
    for ending in ["json", "lgb"] {
        let model = format!("blanks.{ending}");
        project.write(&model, fs::read(fixtures().join(&model)).unwrap());
    }
    project.write("rows.csv", "word,v\nPrivate,1\nprivate,1\n Private,1\n");
    let refused = project.veracta(&["predict", "blanks.json", "rows.csv"]);
    assert_eq!(refused.code, 2);
    assert!(
        refused
            .err
            .contains("1 of the 3 values of column `word`, the first in row 2"),
        "{refused:?}"
    );
    let told = project.veracta(&["predict", "blanks.lgb", "rows.csv"]);
    assert!(
        told.code == 0 && told.err.contains("does not know 1 of the 3 values"),
        "{told:?}"
    );
    // A declared mark is missing, and not unknown.
    let told = project.veracta(&[
        "predict",
        "blanks.json",
        "rows.csv",
        "--missing-in",
        "word=private",
    ]);
    assert_eq!((told.code, told.err.as_str()), (0, ""));
    // So is a number that 32 bits do not hold; LightGBM takes it.
    project.write("large.csv", "word,v\nPrivate,1\nPrivate,1e39\n");
    let refused = project.veracta(&["predict", "blanks.json", "large.csv"]);
    assert!(
        refused.code == 2 && refused.err.contains("column `v`, the first in row 2"),
        "{refused:?}"
    );
    let taken = project.veracta(&["predict", "blanks.lgb", "large.csv"]);
    assert_eq!((taken.code, taken.err.as_str()), (0, ""));
    // A measurement of the file alone can be read as the model reads it.
    let profile = project.json(&["profile", "rows.csv", "--read-as", "blanks.lgb"]);
    assert_eq!(profile["profile"]["columns"][0]["n_distinct"], 3);
}
