//! Attributions: tree SHAP against its definition, and that contributions add up to the margin.

use veracta_model::explanation::path_dependent::tree_shap;
use veracta_model::model::{Form, Model};
use veracta_model::training::{LogisticParameters, TrainingSpec};
use veracta_model::tree::{Tree, TreeEnsemble};

use crate::samples::{Sample, few_trees, numeric};

const N_ROWS: usize = 300;
/// Rows of each model that are explained by enumeration.
const N_EXPLAINED: usize = 25;
/// Margins are added up in 32-bit steps: 60 additions, each wrong by at most half a unit in the last place of 8, which is 4.8e-7.
const MARGIN_TOLERANCE: f64 = 3e-5;

/// Returns the margin expected of a row of which only some features (bits of `known`) are known: at a split on another feature the
/// row goes down both branches in proportion to their cover.
fn expected_margin(ensemble: &TreeEnsemble, row: &[f64], known: u32) -> f64 {
    ensemble
        .trees
        .iter()
        .map(|tree| expected_below(tree, 0, row, known))
        .sum()
}

fn expected_below(tree: &Tree, idx: usize, row: &[f64], known: u32) -> f64 {
    let node = &tree.nodes[idx];
    if node.is_leaf() {
        return node.value;
    }
    if known & (1u32 << node.feature) != 0 {
        let child = if node.goes_left(row[node.feature as usize]) {
            node.left
        } else {
            node.right
        };
        return expected_below(tree, child as usize, row, known);
    }
    let sides = [node.left as usize, node.right as usize];
    let covers = sides.map(|side| tree.nodes[side].cover);
    let values = sides.map(|side| expected_below(tree, side, row, known));
    (covers[0] * values[0] + covers[1] * values[1]) / (covers[0] + covers[1])
}

/// Returns Shapley's values by their definition: the mean gain of knowing a feature over all orders of becoming known.
fn shapley_values(ensemble: &TreeEnsemble, row: &[f64]) -> Vec<f64> {
    let n = ensemble.n_features;
    let coalitions = 0..1u32 << n;
    let margins: Vec<f64> = coalitions
        .clone()
        .map(|known| expected_margin(ensemble, row, known))
        .collect();
    let factorial = |k: usize| (1..=k).product::<usize>() as f64;
    let value = |feature: usize| -> f64 {
        let bit = 1u32 << feature;
        let without = coalitions.clone().filter(|known| *known & bit == 0);
        let gains = without.map(|known| {
            let size = known.count_ones() as usize;
            let weight = factorial(size) * factorial(n - size - 1) / factorial(n);
            weight * (margins[(known | bit) as usize] - margins[known as usize])
        });
        gains.sum()
    };
    (0..n).map(value).collect()
}

#[test]
fn tree_shap_is_shapley_by_enumeration() {
    for seed in 0..4 {
        let sample = Sample::draw(seed, N_ROWS);
        let predictor = sample.fit(&few_trees(12));
        let (ensemble, matrix) = (trees(&predictor), sample.matrix());
        assert_eq!(ensemble.n_features, 5);
        for row_idx in 0..N_EXPLAINED {
            let row = matrix.row(row_idx);
            let attribution = &tree_shap(ensemble, row).unwrap()[0];
            let expected = shapley_values(ensemble, row);
            for (feature, (found, expected)) in
                attribution.contributions.iter().zip(&expected).enumerate()
            {
                assert!(
                    (found - expected).abs() < 1e-9,
                    "seed {seed}, row {row_idx}, feature {feature}"
                );
            }
            let base = ensemble.base_margins[0] + expected_margin(ensemble, row, 0);
            assert!((attribution.base_value - base).abs() < 1e-9);
        }
    }
}

#[test]
fn contributions_add_up_to_the_margin() {
    let sample = Sample::draw(5, N_ROWS);
    let matrix = sample.matrix();
    let logistic = TrainingSpec::LogisticRegression(LogisticParameters::default());
    for spec in [few_trees(60), logistic] {
        let predictor = sample.fit(&spec);
        let attributions = predictor.explain(&matrix).unwrap();
        for (row_idx, (score, attribution)) in predictor
            .probabilities(&matrix)
            .unwrap()
            .iter()
            .zip(attributions)
            .enumerate()
        {
            assert_eq!(
                attribution[0].contributions.len(),
                predictor.signature.inputs.len()
            );
            let total =
                attribution[0].base_value + attribution[0].contributions.iter().sum::<f64>();
            let margin = (score / (1.0 - score)).ln();
            assert!(
                (total - margin).abs() < MARGIN_TOLERANCE,
                "row {row_idx} of {}: {total} against {margin}",
                predictor.kind()
            );
        }
    }
}

#[test]
fn an_input_that_no_tree_uses_contributes_nothing() {
    let mut sample = Sample::draw(6, N_ROWS);
    sample.table.columns[4] = numeric("noise", vec![1.0; N_ROWS]);
    let predictor = sample.fit(&few_trees(10));
    let matrix = sample.matrix();
    assert!(
        predictor
            .explain(&matrix)
            .unwrap()
            .iter()
            .all(|attribution| attribution[0].contributions[4] == 0.0)
    );
}

/// Returns the trees of a boosted model.
fn trees(predictor: &Model) -> &TreeEnsemble {
    match &predictor.form {
        Form::Trees { ensemble, .. } => ensemble,
        Form::Logistic(_) | Form::Graph(_) => panic!("the model is boosted here"),
    }
}
