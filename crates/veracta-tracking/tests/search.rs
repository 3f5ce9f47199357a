//! The search language of MLflow's API: what filters mean, and what is refused with which words.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use veracta_store::{Comparison, Field, Noun, Operand};
use veracta_tracking::search::{parse_filter, parse_order};

/// Spells a comparison out: what is compared, how, and with what.
fn spelt(comparison: &Comparison) -> String {
    let field = match &comparison.field {
        // The column that holds it, in quotes among what it prints for developers.
        Field::Attribute(attribute) => {
            let shown = format!("{attribute:?}");
            format!("attribute {}", shown.split('"').nth(1).unwrap())
        }
        Field::Param(key) => format!("param {key}"),
        Field::Tag(key) => format!("tag {key}"),
        Field::Metric(key, _) => format!("metric {key}"),
        Field::DatasetName => "dataset name".to_owned(),
        Field::DatasetDigest => "dataset digest".to_owned(),
        Field::DatasetContext => "dataset context".to_owned(),
    };
    let operand = match &comparison.operand {
        Operand::Nothing => String::new(),
        Operand::Text(text) => format!(" '{text}'"),
        Operand::Texts(texts) => format!(" {texts:?}"),
        Operand::Integer(number) => format!(" {number}"),
        Operand::Number(number) => format!(" {number:?}"),
    };
    format!("{field} {}{operand}", comparison.operator.word())
}

#[test]
fn filters_of_runs_mean_what_clients_write() {
    let check = |filter: &str, expected: &[&str]| {
        let found = parse_filter(Noun::Runs, filter).unwrap();
        assert_eq!(
            found.iter().map(spelt).collect::<Vec<_>>(),
            expected,
            "{filter}"
        );
    };
    check("", &[]);
    check("   ", &[]);
    check("metrics.loss < 0.5", &["metric loss < 0.5"]);
    check("metric.loss>=-1e-3", &["metric loss >= -0.001"]);
    check(
        "params.depth = '3' and tags.team != 'a''b'",
        &["param depth = '3'", "tag team != 'a'b'"],
    );
    check(
        "params.\"learning rate\" LIKE '0.%'",
        &["param learning rate LIKE '0.%'"],
    );
    check(
        "tags.`mlflow.user` ilike 'ANNA'",
        &["tag mlflow.user ILIKE 'ANNA'"],
    );
    check("attributes.start_time > 5", &["attribute start_ms > 5"]);
    check("Created > 5", &["attribute start_ms > 5"]);
    check(
        "run_id IN ('a', 'b',)",
        &["attribute run_id IN [\"a\", \"b\"]"],
    );
    check(
        "run_id NOT IN (\"a\")",
        &["attribute run_id NOT IN [\"a\"]"],
    );
    check(
        "tags.x IS NULL AND params.y is not null",
        &["tag x IS NULL", "param y IS NOT NULL"],
    );
    check(
        "dataset.name = 'a' AND datasets.context = 'train'",
        &["dataset name = 'a'", "dataset context = 'train'"],
    );
    check("status = 'FINISHED'", &["attribute status = 'FINISHED'"]);
}

#[test]
fn what_is_no_filter_is_refused_with_what_was_expected() {
    let check = |noun: Noun, filter: &str, words: &str| {
        let refused = parse_filter(noun, filter).unwrap_err().to_string();
        assert!(refused.contains(words), "{filter}: {refused}");
    };
    for filter in [
        "=",
        "metrics.loss",
        "metrics.loss <",
        "AND",
        "a = 'b' OR c = 'd'",
        "metrics.a < 1 AND",
        "tags.x = 'open",
        "é = %",
        "metrics.a < 1..2",
    ] {
        check(Noun::Runs, filter, "Invalid");
    }
    check(
        Noun::Runs,
        "metrics.a < 'x'",
        "Expected numeric value type for metric",
    );
    check(
        Noun::Runs,
        "params.a = 3",
        "Expected a quoted string value for parameter",
    );
    check(
        Noun::Runs,
        "metrics.a LIKE '1'",
        "Invalid comparator 'LIKE'",
    );
    check(
        Noun::Runs,
        "start_time IS NULL",
        "only supported for tags and params",
    );
    check(Noun::Runs, "run_id IN ()", "empty list");
    check(Noun::Runs, "run_id IN ('a' 'b')", "ill-formed list");
    check(Noun::Runs, "run_id IN 'a'", "in brackets");
    check(Noun::Runs, "colour.x = 'a'", "Invalid entity type 'colour'");
    check(
        Noun::Runs,
        "attributes.colour = 'a'",
        "Invalid attribute key 'colour'",
    );
    check(
        Noun::Experiments,
        "metrics.a < 1",
        "Invalid entity type 'metrics'",
    );
    check(
        Noun::ModelVersions,
        "datasets.name = 'a'",
        "Invalid entity type 'datasets'",
    );
    let many = vec!["tags.x = 'y'"; 51].join(" AND ");
    check(Noun::Runs, &many, "at most 50");
    check(
        Noun::Runs,
        &format!("tags.x = '{}'", "y".repeat(1 << 20)),
        "the limit is",
    );
}

#[test]
fn orders_name_a_field_and_a_direction() {
    let orders = |clauses: &[&str]| {
        parse_order(
            Noun::Runs,
            &clauses
                .iter()
                .map(|clause| (*clause).to_owned())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(orders(&[]).unwrap().len(), 0);
    assert_eq!(
        orders(&["metrics.loss DESC", "start_time", "params.`a b` asc"])
            .unwrap()
            .len(),
        3
    );
    for clause in [
        "",
        "metrics.loss sideways",
        "metrics.loss DESC ASC",
        "colour.x",
        "'",
    ] {
        assert!(orders(&[clause]).is_err(), "{clause}");
    }
    assert!(orders(&["start_time"; 51]).is_err());
}
