//! What drives a model, on rows of the sealed test part.

use veracta_governance::record::{ExplainReport, ExplainedCase, FeatureEffect};
use veracta_ledger::Hash;
use veracta_model::explanation::Attribution;
use veracta_model::explanation::summary::summarise;
use veracta_model::model::Model;
use veracta_statistics::attributions::{additivity_error_max, stability};
use veracta_statistics::split::Part;

use super::TestScores;
use super::attribute::{Unit, attribute_any};
use crate::LifecycleError;
use crate::data::dataset::Dataset;
use crate::data::parts::rows_of;

/// Training rows that stand in for what is not known, where a model needs some.
const BACKGROUND_ROWS: usize = 100;
/// Rows explained of a model that needs background rows: each costs as many predictions as there are background rows, many times.
const BACKGROUND_EXPLAINED_ROWS: usize = 100;
/// Inputs named of a case.
const CASE_INPUTS: usize = 5;

/// Returns what drives the model on the first `rows_max` test rows.
pub(crate) fn explain_record(
    dataset: &Dataset,
    (model, digest): (&Model, Hash),
    parts: &[Part],
    test: &TestScores,
    rows_max: usize,
) -> Result<ExplainReport, LifecycleError> {
    let all = dataset.rows_for(model)?.batch;
    let needs_background = model.explain(&all.select_rows(&[])).is_err();
    let n_rows = match needs_background {
        true => rows_max.min(BACKGROUND_EXPLAINED_ROWS),
        false => rows_max,
    };
    let n_rows = n_rows.min(test.rows.len());
    let background = || {
        let trained_on = rows_of(parts, Part::Train);
        all.select_rows(&spread(&trained_on, BACKGROUND_ROWS))
    };
    let batch = all.select_rows(&test.rows[..n_rows]);
    let found = attribute_any(model, &batch, background)?;
    let names = model
        .signature
        .inputs
        .iter()
        .map(|input| input.name.clone());
    let names: Vec<String> = names.collect();
    let summary = summarise(model.kind(), found.method.clone(), &names, &found.rows);
    let of_output = summary.outputs.into_iter().next();
    let of_output =
        of_output.expect("one output: checked when the model was taken for a classifier");
    let features = of_output.features.into_iter().map(|feature| FeatureEffect {
        input: feature.input,
        mean_absolute: feature.mean_absolute,
        share: feature.share,
        quantiles: feature.quantiles,
    });
    let attributions = found.rows.iter().map(|outputs| &outputs[0]);
    let attributions: Vec<&Attribution> = attributions.collect();
    Ok(ExplainReport {
        model: digest,
        method: found.method,
        unit: match found.unit {
            Unit::Margin => "log-odds",
            Unit::Prediction => "probability",
        }
        .to_owned(),
        n_rows,
        base_value: of_output.base_value,
        features: features.collect(),
        stability: stability(&attributions),
        additivity_error_max: additivity_error_max(
            &attributions,
            &test.scores[..n_rows],
            found.unit == Unit::Margin,
        ),
        cases: cases(&names, test, &attributions),
    })
}

/// Returns at most `n` of some rows, spread evenly over them.
fn spread(rows: &[usize], n: usize) -> Vec<usize> {
    let step = rows.len().div_ceil(n).max(1);
    rows.iter().step_by(step).copied().collect()
}

/// Returns the highest, lowest and median score, and the most confident mistakes of each kind.
fn cases(names: &[String], test: &TestScores, attributions: &[&Attribution]) -> Vec<ExplainedCase> {
    let n_rows = attributions.len();
    let mut order: Vec<usize> = (0..n_rows).collect();
    order.sort_by(|a, b| test.scores[*a].total_cmp(&test.scores[*b]));
    let missed = order.iter().copied().find(|row| test.labels[*row]);
    let alarmed = order.iter().rev().copied().find(|row| !test.labels[*row]);
    let picked = [
        ("highest score", order.last().copied()),
        ("median score", order.get(n_rows / 2).copied()),
        ("lowest score", order.first().copied()),
        ("positive with the lowest score", missed),
        ("negative with the highest score", alarmed),
    ];
    let explain = |(case, row): (&str, Option<usize>)| {
        let row = row?;
        let contributions = attributions[row].contributions.iter().copied();
        let mut contributions: Vec<(String, f64)> =
            names.iter().cloned().zip(contributions).collect();
        contributions.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        contributions.truncate(CASE_INPUTS);
        Some(ExplainedCase {
            case: case.to_owned(),
            score: test.scores[row],
            contributions,
        })
    };
    picked.into_iter().filter_map(explain).collect()
}
