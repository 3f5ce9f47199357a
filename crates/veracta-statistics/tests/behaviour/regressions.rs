//! Behaviour that was once wrong, each with the input that showed it.

use std::collections::BTreeMap;

use veracta_data::table::{CellPlace, Coded, MixedColumn, Table, Values};
use veracta_model::explanation::path_dependent::tree_shap;
use veracta_model::model::{Model, encode};
use veracta_model::tree::xgboost::read_xgboost_json;
use veracta_model::tree::{Arithmetic, Link, Missing, Node, Test, Tree, TreeEnsemble};
use veracta_statistics::fairness::{Disparity, MetricFrame, Outcomes};
use veracta_statistics::interval::{Bootstrap, Precision};

use crate::identifiers::read;
use crate::samples::{Sample, few_trees, numeric};

/// The types of a column are guessed from its first rows; text found by the guess was not reported.
#[test]
fn text_among_the_first_numbers_is_reported() {
    let (table, report) = read("x,y\n1,a\n2,b\nunknown,c\n4,d\n").unwrap();
    assert!(matches!(table.columns[0].values, Values::Coded(_)));
    let first = CellPlace {
        line: 4,
        column: "x".to_owned(),
    };
    assert_eq!(
        report.mixed,
        [MixedColumn {
            first,
            n_numeric: 3,
            n_other: 1
        }]
    );
}

/// Infinite cells were not counted when another column needed a second pass.
#[test]
fn infinite_cells_are_counted_in_any_number_of_passes() {
    let mut text = "x,y\ninf,1\n".to_owned();
    text.push_str(&"1,1\n".repeat(1500));
    text.push_str("1,unknown\n");
    assert_eq!(read(&text).unwrap().1.n_infinite, 1);
}

/// A sign before it made `nan` a number.
#[test]
fn nan_with_a_sign_is_text() {
    let (_, report) = read("x,y\n1,a\n2,b\n-nan,c\n").unwrap();
    let first = CellPlace {
        line: 4,
        column: "x".to_owned(),
    };
    assert_eq!(
        report.mixed,
        [MixedColumn {
            first,
            n_numeric: 2,
            n_other: 1
        }]
    );
}

/// The CSV library counts a line feed when it reads the next record (rust-csv issues 208 and 395).
#[test]
fn lines_are_counted_right_in_windows_files_and_after_empty_lines() {
    for text in [
        "a,b\r\n1,2\r\n3\r\n",
        "a,b\r\n\"1\r\n\",2\r\n3\r\n",
        "a,b\n\n1,2\n\n\n3\n",
    ] {
        let line = text.lines().position(|line| line == "3").unwrap() + 1;
        let message = read(text).unwrap_err().to_string();
        assert_eq!(
            message,
            format!("line {line} has 1 cells; the header has 2"),
            "{text:?}"
        );
    }
}

/// A number too large for 32 bits became infinite, which the trainer refuses.
#[test]
fn numbers_beyond_32_bits_are_missing_like_infinite_ones() {
    let sample = Sample::draw(61, 3);
    let table = Table {
        columns: vec![numeric("strong", vec![1.0, 1e300, f64::NEG_INFINITY])],
        n_rows: 3,
        ..Table::default()
    };
    let matrix = encode(&table, &sample.inputs()[..1]).unwrap();
    assert!(matrix.values[0] == 1.0 && matrix.values[1].is_nan() && matrix.values[2].is_nan());
}

/// A model file may claim fewer inputs than its trees use, or trees that give no probability; prediction then panicked or lied.
#[test]
fn trees_that_do_not_fit_their_inputs_or_give_no_probability_are_refused() {
    let bytes = Sample::draw(62, 200)
        .fit(&few_trees(3))
        .to_own_bytes()
        .unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (start, end) = (
        text.find("\"inputs\":[").unwrap(),
        text.find(",\"xgboost\"").unwrap(),
    );
    let without_inputs = format!("{}\"inputs\":[]{}", &text[..start], &text[end..]);
    assert!(Model::from_own_bytes(without_inputs.as_bytes()).is_err());
    let regression = text.replace("binary:logistic", "reg:squarederror");
    assert!(regression != text && Model::from_own_bytes(regression.as_bytes()).is_err());
}

/// `nan` is a 32-bit number to Rust; as a base score it made every margin NaN.
#[test]
fn a_base_score_that_is_no_number_is_refused() {
    let model = |score: &str| {
        let booster = r#"{"name":"gbtree","model":{"trees":[],"tree_info":[]}}"#;
        let parameters = format!(r#"{{"base_score":"{score}","num_class":"0","num_feature":"1"}}"#);
        let objective = r#"{"name":"reg:squarederror"}"#;
        format!(
            r#"{{"learner":{{"gradient_booster":{booster},"learner_model_param":{parameters},"objective":{objective}}}}}"#
        )
    };
    assert!(read_xgboost_json(model("0.5").as_bytes()).is_ok());
    for score in ["nan", "inf", "[nan]"] {
        assert!(
            read_xgboost_json(model(score).as_bytes()).is_err(),
            "base score `{score}`"
        );
    }
}

/// A branch that no training row took divided zero by zero when its feature split again below.
#[test]
fn branches_without_cover_contribute_nothing() {
    let split = |left: u32, threshold: f64, cover: f64| {
        let test = Test::AtMost {
            threshold,
            missing: Missing::NanLeft,
        };
        Node {
            feature: 0,
            left,
            right: left + 1,
            test,
            value: 0.0,
            cover,
            gain: 0.0,
        }
    };
    let leaf = |value: f64, cover: f64| Node {
        feature: 0,
        left: 0,
        right: 0,
        test: Test::Leaf,
        value,
        cover,
        gain: 0.0,
    };
    let nodes = vec![
        split(1, 0.0, 10.0),
        leaf(1.0, 10.0),
        split(3, 5.0, 0.0),
        leaf(2.0, 0.0),
        leaf(3.0, 0.0),
    ];
    let ensemble = TreeEnsemble {
        trees: vec![Tree {
            nodes,
            output: 0,
            first_leaf: 0,
            linear: BTreeMap::new(),
        }],
        linear: None,
        base_margins: vec![0.5],
        n_features: 1,
        feature_names: Vec::new(),
        categories: Vec::new(),
        best_round: None,
        link: Link::Identity,
        arithmetic: Arithmetic::Double,
        n_averaged: None,
        n_trees_a_round: 1,
    };
    for (value, contribution) in [(-1.0, 0.0), (1.0, 1.0), (6.0, 2.0)] {
        let attribution = &tree_shap(&ensemble, &[value]).unwrap()[0];
        assert!(
            (attribution.contributions[0] - contribution).abs() < 1e-12
                && attribution.base_value == 1.5,
            "value {value}"
        );
    }
}

/// Weights below 1 were rounded up to whole rows, so that resampled rates left the range of a rate.
#[test]
fn weighted_disparities_stay_between_0_and_1() {
    let labels = [true, true, true, true];
    let predicted = [true, false, true, false];
    let weights = [0.3; 4];
    let groups = Coded {
        codes: vec![0, 0, 1, 1],
        levels: vec!["a".to_owned(), "b".to_owned()],
    };
    let outcomes = Outcomes {
        labels: &labels,
        predicted: &predicted,
        weights: Some(&weights),
    };
    let frame = MetricFrame::new(outcomes, &[groups]);
    let precision = Precision {
        level: 0.95,
        bootstrap: Bootstrap {
            n_resamples: 200,
            seed: 1,
        },
    };
    let interval = frame
        .disparity_interval(Disparity::DemographicParityDifference, precision)
        .unwrap();
    assert!(
        interval.lower >= 0.0 && interval.upper <= 1.0,
        "{interval:?}"
    );
}
