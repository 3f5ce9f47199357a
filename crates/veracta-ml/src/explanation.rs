//! What drives a prediction: exact tree SHAP and linear attributions, for a row and in general.
//!
//! Tree SHAP is the path-dependent form (Lundberg et al. 2018, algorithm 2): a feature that is not in the coalition sends a row
//! down both branches in proportion to their cover. Attributions and base value add up to the margin; this is asserted for every
//! row.

use crate::tree::{Node, Tree, TreeEnsemble};

/// Attributions of one row to one output.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribution {
    /// Contribution of each feature, in margin units (log-odds for a classifier).
    pub contributions: Vec<f64>,
    /// The margin expected without knowing any feature.
    pub base_value: f64,
}

/// One step of the path from the root: which feature split, and how much flows on without and with it.
#[derive(Clone, Copy)]
struct PathStep {
    feature: usize,
    zero_fraction: f64,
    one_fraction: f64,
    weight: f64,
}

/// Marks the step before the root, which belongs to no feature.
const NO_FEATURE: usize = usize::MAX;

/// Returns the attributions of `row` for each output.
///
/// # Panics
/// When `row` is shorter than the number of features.
pub fn tree_shap(ensemble: &TreeEnsemble, row: &[f32]) -> Vec<Attribution> {
    let mut attributions: Vec<Attribution> = ensemble
        .base_margins
        .iter()
        .map(|base| Attribution { contributions: vec![0.0; ensemble.n_features], base_value: f64::from(*base) })
        .collect();
    for tree in &ensemble.trees {
        let attribution = &mut attributions[tree.output];
        let weight = f64::from(tree.weight);
        attribution.base_value += weight * expected_value(tree);
        walk(tree, row, 0, Vec::new(), 1.0, 1.0, NO_FEATURE, weight, &mut attribution.contributions);
    }
    let margins = ensemble.margins(row);
    for (output, (attribution, margin)) in attributions.iter().zip(&margins).enumerate() {
        let total = attribution.base_value + attribution.contributions.iter().sum::<f64>();
        // The margin is added up in 32-bit steps: what they can lose grows with everything that was added.
        let leaves = ensemble.trees.iter().filter(|tree| tree.output == output);
        let added: f64 = leaves.map(|tree| f64::from((tree.weight * tree.nodes[tree.leaf(row)].value).abs())).sum();
        let tolerance = 1e-5 * (1.0 + f64::from(ensemble.base_margins[output].abs()) + added);
        assert!((total - f64::from(*margin)).abs() <= tolerance, "attributions add up to {total}, the margin is {margin}");
    }
    attributions
}

/// Returns the mean leaf value of a tree, weighted by cover.
fn expected_value(tree: &Tree) -> f64 {
    fn below(tree: &Tree, idx: usize) -> f64 {
        let node = &tree.nodes[idx];
        if node.is_leaf() {
            return f64::from(node.value);
        }
        let (left, right) = (node.left as usize, node.right as usize);
        share(tree, node, left) * below(tree, left) + share(tree, node, right) * below(tree, right)
    }
    below(tree, 0)
}

/// Returns the share of a node's cover that goes to a child; halves when nothing was covered.
fn share(tree: &Tree, node: &Node, child: usize) -> f64 {
    let total = f64::from(tree.nodes[node.left as usize].cover) + f64::from(tree.nodes[node.right as usize].cover);
    if total > 0.0 { f64::from(tree.nodes[child].cover) / total } else { 0.5 }
}

#[expect(clippy::too_many_arguments, reason = "the recursion of the cited algorithm, with the paper's state")]
fn walk(
    tree: &Tree,
    row: &[f32],
    idx: usize,
    mut path: Vec<PathStep>,
    zero_fraction: f64,
    one_fraction: f64,
    feature: usize,
    scale: f64,
    contributions: &mut [f64],
) {
    extend(&mut path, zero_fraction, one_fraction, feature);
    let node = &tree.nodes[idx];
    if node.is_leaf() {
        for position in 1..path.len() {
            let step = path[position];
            let weight = unwound_sum(&path, position);
            contributions[step.feature] += weight * (step.one_fraction - step.zero_fraction) * f64::from(node.value) * scale;
        }
        return;
    }
    let split = node.feature as usize;
    let hot = node.child(row[split]) as usize;
    let cold = if hot == node.left as usize { node.right as usize } else { node.left as usize };
    let (mut incoming_zero, mut incoming_one) = (1.0, 1.0);
    if let Some(position) = path.iter().position(|step| step.feature == split) {
        (incoming_zero, incoming_one) = (path[position].zero_fraction, path[position].one_fraction);
        unwind(&mut path, position);
    }
    let hot_zero = incoming_zero * share(tree, node, hot);
    let cold_zero = incoming_zero * share(tree, node, cold);
    walk(tree, row, hot, path.clone(), hot_zero, incoming_one, split, scale, contributions);
    // A branch that no training row took weighs nothing; with both fractions 0 the weights of the path would be 0/0.
    if cold_zero > 0.0 {
        walk(tree, row, cold, path, cold_zero, 0.0, split, scale, contributions);
    }
}

fn extend(path: &mut Vec<PathStep>, zero_fraction: f64, one_fraction: f64, feature: usize) {
    let depth = path.len();
    path.push(PathStep { feature, zero_fraction, one_fraction, weight: if depth == 0 { 1.0 } else { 0.0 } });
    for i in (0..depth).rev() {
        path[i + 1].weight += one_fraction * path[i].weight * (i + 1) as f64 / (depth + 1) as f64;
        path[i].weight = zero_fraction * path[i].weight * (depth - i) as f64 / (depth + 1) as f64;
    }
}

fn unwind(path: &mut Vec<PathStep>, position: usize) {
    let depth = path.len() - 1;
    let PathStep { one_fraction, zero_fraction, .. } = path[position];
    let mut next = path[depth].weight;
    for i in (0..depth).rev() {
        if one_fraction != 0.0 {
            let held = path[i].weight;
            path[i].weight = next * (depth + 1) as f64 / ((i + 1) as f64 * one_fraction);
            next = held - path[i].weight * zero_fraction * (depth - i) as f64 / (depth + 1) as f64;
        } else {
            path[i].weight = path[i].weight * (depth + 1) as f64 / (zero_fraction * (depth - i) as f64);
        }
    }
    for i in position..depth {
        let PathStep { feature, zero_fraction, one_fraction, .. } = path[i + 1];
        path[i] = PathStep { feature, zero_fraction, one_fraction, weight: path[i].weight };
    }
    path.pop();
}

fn unwound_sum(path: &[PathStep], position: usize) -> f64 {
    let depth = path.len() - 1;
    let PathStep { one_fraction, zero_fraction, .. } = path[position];
    let (mut next, mut total) = (path[depth].weight, 0.0);
    for i in (0..depth).rev() {
        if one_fraction != 0.0 {
            let weight = next * (depth + 1) as f64 / ((i + 1) as f64 * one_fraction);
            total += weight;
            next = path[i].weight - weight * zero_fraction * (depth - i) as f64 / (depth + 1) as f64;
        } else if zero_fraction != 0.0 {
            total += path[i].weight / zero_fraction * (depth + 1) as f64 / (depth - i) as f64;
        }
    }
    total
}

/// Returns the contributions of a linear model: coefficient × (value − mean value), in margin units.
pub fn linear_attribution(coefficients: &[f64], intercept: f64, row: &[f64], means: &[f64]) -> Attribution {
    let base_value = intercept + coefficients.iter().zip(means).map(|(b, mean)| b * mean).sum::<f64>();
    let contributions = coefficients.iter().zip(row).zip(means).map(|((b, x), mean)| b * (x - mean)).collect();
    Attribution { contributions, base_value }
}
