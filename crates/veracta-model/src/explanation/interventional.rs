//! Interventional tree SHAP: a feature that is not in the coalition is taken from a background row (Lundberg et al. 2020).
//!
//! For one row x and one background row b, a leaf counts for the coalitions that hold all features on which only x reaches it and
//! none on which only b does; the Shapley values of that game are two factorial fractions. The attribution is the mean over the
//! background. Nothing is sampled.

use rayon::prelude::*;

use super::{Attribution, ExplanationError, assert_additive, refuse_linear_leaves};
use crate::numeric::sum;
use crate::tree::{DEPTH_LIMIT, Link, Tree, TreeEnsemble};

/// What attributions add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The margin of each output, before the link.
    Margin,
    /// The probability, for a model of one logistic output: each background row's attributions are stretched to the difference of
    /// the two probabilities (Lundberg et al. 2020, supplement).
    Probability,
}

/// Which side has decided a feature on the way down.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Row,
    Background,
}

/// The walk of one row and one background row through one tree.
struct Walk<'w> {
    tree: &'w Tree,
    row: &'w [f64],
    background: &'w [f64],
    decided: Vec<(u32, Side)>,
    n_row: usize,
    n_background: usize,
}

/// Returns the attributions of `row` for each output against all rows of `background`.
///
/// # Panics
/// When a row is shorter than the number of features, or `Scale::Probability` is asked of a model without one logistic output.
pub fn interventional(
    ensemble: &TreeEnsemble,
    row: &[f64],
    background: &[Vec<f64>],
    scale: Scale,
) -> Result<Vec<Attribution>, ExplanationError> {
    refuse_linear_leaves(ensemble)?;
    if background.is_empty() {
        return Err(ExplanationError::NoBackground);
    }
    let is_logistic = matches!(ensemble.link, Link::Logistic { .. }) && ensemble.n_outputs() == 1;
    assert!(
        scale == Scale::Margin || is_logistic,
        "probabilities are explained of one logistic output"
    );
    let (n_features, n_outputs) = (ensemble.n_features, ensemble.n_outputs());
    let margins = ensemble.margins(row);
    let x = ensemble.rounded(row);
    let against = |background_row: &Vec<f64>| {
        let mut contributions =
            margin_contributions(ensemble, &x, &ensemble.rounded(background_row));
        let mut base = ensemble.margins(background_row);
        if scale == Scale::Probability {
            let (to, from) = (
                ensemble.predictions(&margins)[0],
                ensemble.predictions(&base)[0],
            );
            let gap = margins[0] - base[0];
            let stretch = if gap == 0.0 { 0.0 } else { (to - from) / gap };
            contributions
                .iter_mut()
                .for_each(|contribution| *contribution *= stretch);
            base = vec![from];
        }
        (contributions, base)
    };
    // Each background row on its own, then sums in row order: the same digits on any number of threads.
    let (all, bases): (Vec<Vec<f64>>, Vec<Vec<f64>>) = background.par_iter().map(against).unzip();
    let mean = |rows: &[Vec<f64>], position: usize| {
        sum(&rows.iter().map(|row| row[position]).collect::<Vec<f64>>()) / rows.len() as f64
    };
    let attribution = |output: usize| Attribution {
        contributions: (0..n_features)
            .map(|feature| mean(&all, output * n_features + feature))
            .collect(),
        base_value: mean(&bases, output),
    };
    let attributions: Vec<Attribution> = (0..n_outputs).map(attribution).collect();
    if scale == Scale::Margin {
        assert_margins(ensemble, &attributions, &margins);
    }
    Ok(attributions)
}

/// Returns the contributions to the margins against one background row, both rows rounded as the model does; `n_outputs` ×
/// `n_features`, a row an output.
fn margin_contributions(ensemble: &TreeEnsemble, x: &[f64], b: &[f64]) -> Vec<f64> {
    let (n_features, n_outputs) = (ensemble.n_features, ensemble.n_outputs());
    let mut contributions = vec![0.0; n_outputs * n_features];
    for tree in &ensemble.trees {
        let out = &mut contributions[tree.output * n_features..(tree.output + 1) * n_features];
        Walk {
            tree,
            row: x,
            background: b,
            decided: Vec::new(),
            n_row: 0,
            n_background: 0,
        }
        .visit(0, out);
    }
    if let Some(linear) = &ensemble.linear {
        let filled = |value: f64| if value.is_nan() { 0.0 } else { value };
        for feature in 0..n_features {
            for output in 0..n_outputs {
                let weight = f64::from(linear.weights[feature * n_outputs + output]);
                contributions[output * n_features + feature] +=
                    weight * (filled(x[feature]) - filled(b[feature]));
            }
        }
    }
    contributions
}

/// Asserts that base value and contributions of each output add up to its margin.
fn assert_margins(ensemble: &TreeEnsemble, attributions: &[Attribution], margins: &[f64]) {
    for (output, attribution) in attributions.iter().enumerate() {
        let total = attribution.base_value + attribution.contributions.iter().sum::<f64>();
        let leaves = ensemble
            .trees
            .iter()
            .filter(|tree| tree.output == output)
            .flat_map(|tree| &tree.nodes);
        let added = attribution.base_value.abs()
            + leaves.map(|node| node.value.abs()).fold(0.0, f64::max) * ensemble.trees.len() as f64;
        assert_additive(ensemble.arithmetic, total, margins[output], added);
    }
}

impl Walk<'_> {
    fn visit(&mut self, idx: usize, out: &mut [f64]) {
        let node = &self.tree.nodes[idx];
        if node.is_leaf() {
            return self.leaf(node.value, out);
        }
        let (left, right, feature) = (node.left as usize, node.right as usize, node.feature);
        let child = |goes_left: bool| if goes_left { left } else { right };
        let of_row = child(node.goes_left(self.row[feature as usize]));
        let of_background = child(node.goes_left(self.background[feature as usize]));
        let known = self
            .decided
            .iter()
            .find(|(decided, _)| *decided == feature)
            .map(|(_, side)| *side);
        match known {
            Some(Side::Row) => self.visit(of_row, out),
            Some(Side::Background) => self.visit(of_background, out),
            None if of_row == of_background => self.visit(of_row, out),
            None => {
                self.decided.push((feature, Side::Row));
                self.n_row += 1;
                self.visit(of_row, out);
                self.n_row -= 1;
                self.decided.pop();
                self.decided.push((feature, Side::Background));
                self.n_background += 1;
                self.visit(of_background, out);
                self.n_background -= 1;
                self.decided.pop();
            }
        }
    }

    /// With p features of the row's side and q of the background's, a feature of the row's side gets v (p−1)! q! / (p+q)!, one of
    /// the background's −v p! (q−1)! / (p+q)!.
    fn leaf(&self, value: f64, out: &mut [f64]) {
        let (p, q) = (self.n_row, self.n_background);
        if p + q == 0 {
            return;
        }
        debug_assert!(
            p + q <= DEPTH_LIMIT,
            "a path is no longer than the tree is deep"
        );
        // (p−1)! q! / (p+q)! = 1 / (p · C(p+q, q)), and the same with p and q exchanged.
        let choose = (1..=q).fold(1.0, |product, k| product * (p + k) as f64 / k as f64);
        for (feature, side) in &self.decided {
            out[*feature as usize] += match side {
                Side::Row => value / (p as f64 * choose),
                Side::Background => -value / (q as f64 * choose),
            };
        }
    }
}
