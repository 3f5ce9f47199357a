//! Path-dependent tree SHAP (Lundberg et al. 2018) by quadrature: a feature that is not in the coalition sends a row down both
//! branches in proportion to the training rows they saw.
//!
//! A leaf with value v below splits on features k contributes, for a coalition, v times the product over k of o_k (1 when the row
//! passes all splits on k, else 0) for members and of z_k (the share of training rows that pass) for the others. The Shapley value
//! of j in this product is v (o_j − z_j) ∫₀¹ Π_{k≠j} (t o_k + (1 − t) z_k) dt (Owen 1972, the multilinear extension). The integrand
//! is a polynomial of degree below the number of features on the path, so a Gauss-Legendre rule with half as many points is exact.
//! The products are kept along the way down and the sums over leaves on the way up, so that a row costs one pass over each tree
//! (the idea of Linear TreeSHAP, Yu et al. 2022, with half its points and no division at run time).

use rayon::prelude::*;

use super::{
    Attribution, ExplanationError, assert_additive, refuse_linear_leaves, refuse_without_covers,
};
use crate::tree::compiled::CompiledTrees;
use crate::tree::{Tree, TreeEnsemble};

/// Rows explained by one task.
const BLOCK_ROWS: usize = 32;
/// Numbers of quadrature points; n points are exact for 2n features on a path. Trees are at most 64 levels deep.
const POINTS: [usize; 5] = [2, 4, 8, 16, 32];
const NO_EDGE: u32 = u32::MAX;

/// The edge from a parent to a node; its position is the node's.
#[derive(Debug, Clone, Copy)]
struct Edge {
    parent: u32,
    feature: u32,
    /// Nearest edge above on the same feature.
    previous: u32,
    is_left: bool,
    is_leaf: bool,
    value: f64,
}

/// A tree with the constants of its edges.
#[derive(Debug, Clone)]
struct PreparedTree {
    edges: Vec<Edge>,
    /// Column and rank that decide each node; `None` when values decide.
    decisions: Option<Vec<(u16, u16)>>,
    n_points: usize,
    /// For each edge three vectors of factors, by what the row passes: neither this nor a previous split on the feature, only the
    /// previous ones, all of them.
    factors: Vec<f64>,
    /// For each edge the vector (1 − z) w / (t + (1 − t) z).
    passing: Vec<f64>,
    output: usize,
    expected: f64,
    largest: f64,
}

/// Quadrature on 0 to 1.
#[derive(Debug, Clone)]
struct Rule {
    t: Vec<f64>,
    w: Vec<f64>,
}

/// Explains many rows of one ensemble.
#[derive(Debug, Clone)]
pub struct TreeExplainer<'e> {
    ensemble: &'e TreeEnsemble,
    compiled: CompiledTrees<'e>,
    trees: Vec<PreparedTree>,
    /// −w / (1 − t) for each number of points.
    failing: Vec<Vec<f64>>,
}

/// Working space of one task.
struct Scratch {
    goes_left: Vec<bool>,
    passes: Vec<bool>,
    down: Vec<f64>,
    up: Vec<f64>,
}

impl<'e> TreeExplainer<'e> {
    /// Prepares an ensemble; refuses linear leaves, and trees whose file has no covers.
    pub fn new(ensemble: &'e TreeEnsemble) -> Result<Self, ExplanationError> {
        refuse_linear_leaves(ensemble)?;
        refuse_without_covers(ensemble)?;
        let compiled = CompiledTrees::new(ensemble);
        let rules: Vec<Rule> = POINTS
            .iter()
            .map(|n_points| gauss_legendre(*n_points))
            .collect();
        let prepare = |(idx, tree): (usize, &Tree)| prepare(tree, compiled.decisions(idx), &rules);
        let trees = ensemble.trees.iter().enumerate().map(prepare).collect();
        let failing = rules
            .iter()
            .map(|rule| {
                rule.t
                    .iter()
                    .zip(&rule.w)
                    .map(|(t, w)| -w / (1.0 - t))
                    .collect()
            })
            .collect();
        Ok(Self {
            ensemble,
            compiled,
            trees,
            failing,
        })
    }

    /// Returns the margin expected without knowing any feature, for each output.
    pub(crate) fn base_values(&self) -> Vec<f64> {
        let mut base = self.ensemble.base_margins.clone();
        self.trees
            .iter()
            .for_each(|tree| base[tree.output] += tree.expected);
        if let Some(linear) = &self.ensemble.linear {
            base.iter_mut()
                .zip(&linear.intercepts)
                .for_each(|(base, intercept)| *base += f64::from(*intercept));
        }
        base
    }

    /// Returns the attributions of `row` for each output.
    ///
    /// # Panics
    /// When `row` is shorter than the number of features.
    pub fn explain(&self, row: &[f64]) -> Vec<Attribution> {
        let n_features = self.ensemble.n_features;
        let mut contributions = vec![0.0; self.ensemble.n_outputs() * n_features];
        if n_features > 0 {
            // One row waits for no other thread.
            self.block(&row[..n_features], n_features, &mut contributions);
        }
        let outputs = contributions
            .chunks(self.ensemble.n_features.max(1))
            .zip(self.base_values());
        outputs
            .map(|(contributions, base_value)| Attribution {
                contributions: contributions.to_vec(),
                base_value,
            })
            .collect()
    }

    /// Returns the contributions of every row: for each row and output one number a feature. `values` holds rows of `n_columns`.
    ///
    /// # Panics
    /// When `n_columns` is less than the number of features or does not divide the values.
    pub fn explain_batch(&self, values: &[f64], n_columns: usize) -> Vec<f64> {
        assert!(
            n_columns >= self.ensemble.n_features && values.len().is_multiple_of(n_columns.max(1)),
            "values are whole rows"
        );
        let width = self.ensemble.n_outputs() * self.ensemble.n_features;
        let n_rows = values.len() / n_columns.max(1);
        let mut contributions = vec![0.0; n_rows * width];
        if width > 0 {
            let blocks = values.par_chunks(BLOCK_ROWS * n_columns);
            contributions
                .par_chunks_mut(BLOCK_ROWS * width)
                .zip(blocks)
                .for_each(|(out, values)| self.block(values, n_columns, out));
        }
        contributions
    }

    fn block(&self, values: &[f64], n_columns: usize, contributions: &mut [f64]) {
        let (n_features, n_outputs) = (self.ensemble.n_features, self.ensemble.n_outputs());
        let ranks = self.compiled.ranks(values, n_columns);
        let rank_width = self.compiled.width();
        let rows: Vec<Vec<f64>> = values
            .chunks(n_columns)
            .map(|row| self.ensemble.rounded(row))
            .collect();
        let mut scratch = Scratch {
            goes_left: Vec::new(),
            passes: Vec::new(),
            down: Vec::new(),
            up: Vec::new(),
        };
        for (prepared, tree) in self.trees.iter().zip(&self.ensemble.trees) {
            let points = POINTS
                .iter()
                .position(|n_points| *n_points == prepared.n_points)
                .expect("a prepared tree has a known rule");
            for (row, out) in contributions.chunks_mut(n_features * n_outputs).enumerate() {
                let out =
                    &mut out[prepared.output * n_features..(prepared.output + 1) * n_features];
                scratch.goes_left.clear();
                match &prepared.decisions {
                    Some(decisions) => {
                        let ranks = &ranks[row * rank_width..(row + 1) * rank_width];
                        scratch.goes_left.extend(
                            decisions
                                .iter()
                                .map(|(column, rank)| ranks[usize::from(*column)] <= *rank),
                        );
                    }
                    None => scratch.goes_left.extend(
                        tree.nodes
                            .iter()
                            .map(|node| node.goes_left(rows[row][node.feature as usize])),
                    ),
                }
                let failing = &self.failing[points];
                match prepared.n_points {
                    2 => prepared.add::<2>(failing, &mut scratch, out),
                    4 => prepared.add::<4>(failing, &mut scratch, out),
                    8 => prepared.add::<8>(failing, &mut scratch, out),
                    16 => prepared.add::<16>(failing, &mut scratch, out),
                    _ => prepared.add::<32>(failing, &mut scratch, out),
                }
            }
        }
        self.finish(&rows, contributions);
    }

    /// Adds what a linear booster contributes, and asserts that all adds up.
    fn finish(&self, rows: &[Vec<f64>], contributions: &mut [f64]) {
        let (n_features, n_outputs) = (self.ensemble.n_features, self.ensemble.n_outputs());
        let base = self.base_values();
        let margins = self
            .compiled
            .margins(&rows.concat(), rows.first().map_or(0, Vec::len));
        for (row_idx, (row, out)) in rows
            .iter()
            .zip(contributions.chunks_mut(n_features * n_outputs))
            .enumerate()
        {
            if let Some(linear) = &self.ensemble.linear {
                for (feature, value) in row
                    .iter()
                    .take(n_features)
                    .enumerate()
                    .filter(|(_, value)| !value.is_nan())
                {
                    for output in 0..n_outputs {
                        out[output * n_features + feature] +=
                            value * f64::from(linear.weights[feature * n_outputs + output]);
                    }
                }
            }
            let margins = &margins[row_idx * n_outputs..(row_idx + 1) * n_outputs];
            for (output, out) in out.chunks(n_features).enumerate() {
                let largest: f64 = self
                    .trees
                    .iter()
                    .filter(|tree| tree.output == output)
                    .map(|tree| tree.largest)
                    .sum();
                let added =
                    base[output].abs() + largest + out.iter().map(|value| value.abs()).sum::<f64>();
                assert_additive(
                    self.ensemble.arithmetic,
                    base[output] + out.iter().sum::<f64>(),
                    margins[output],
                    added,
                );
            }
        }
    }

    /// Returns for each output the matrix of SHAP interaction values, row after row; the last row and column are the base value's.
    ///
    /// Off the diagonal stands half of the Shapley interaction index (Lundberg et al. 2018); rows add up to the attributions.
    ///
    /// # Panics
    /// When `row` is shorter than the number of features.
    pub fn interactions(&self, row: &[f64]) -> Vec<Vec<f64>> {
        let n_features = self.ensemble.n_features;
        let width = n_features + 1;
        let rounded = self.ensemble.rounded(row);
        let mut matrices = vec![vec![0.0; width * width]; self.ensemble.n_outputs()];
        for tree in &self.ensemble.trees {
            for_each_leaf(tree, &rounded, |features, value| {
                let rule = gauss_legendre((features.len() / 2).max(1));
                add_interactions(features, value, &rule, width, &mut matrices[tree.output]);
            });
        }
        for (matrix, attribution) in matrices.iter_mut().zip(self.explain(row)) {
            for feature in 0..n_features {
                let others: f64 = matrix[feature * width..feature * width + n_features]
                    .iter()
                    .sum();
                matrix[feature * width + feature] = attribution.contributions[feature] - others;
            }
            matrix[width * width - 1] = attribution.base_value;
        }
        matrices
    }

    /// Returns for each output what each split on the row's path changed in the expected margin (Saabas 2014): quick, additive and
    /// not consistent; known as XGBoost's `approx_contribs`.
    ///
    /// # Panics
    /// When `row` is shorter than the number of features.
    pub fn saabas(&self, row: &[f64]) -> Vec<Attribution> {
        let row = self.ensemble.rounded(row);
        let base = self.base_values().into_iter();
        let mut attributions: Vec<Attribution> = base
            .map(|base_value| Attribution {
                contributions: vec![0.0; self.ensemble.n_features],
                base_value,
            })
            .collect();
        for tree in &self.ensemble.trees {
            let means = expected_values(tree);
            let (mut idx, out) = (0, &mut attributions[tree.output].contributions);
            while !tree.nodes[idx].is_leaf() {
                let node = &tree.nodes[idx];
                let child = if node.goes_left(row[node.feature as usize]) {
                    node.left
                } else {
                    node.right
                } as usize;
                out[node.feature as usize] += means[child] - means[idx];
                idx = child;
            }
        }
        attributions
    }
}

/// Returns the attributions of one row for each output; [`TreeExplainer`] prepares the trees once for many rows.
///
/// # Panics
/// When `row` is shorter than the number of features.
pub fn tree_shap(
    ensemble: &TreeEnsemble,
    row: &[f64],
) -> Result<Vec<Attribution>, ExplanationError> {
    Ok(TreeExplainer::new(ensemble)?.explain(row))
}

/// Returns the share of a node's training rows that goes to a child; halves when there were none.
fn share(tree: &Tree, parent: usize, child: usize) -> f64 {
    let node = &tree.nodes[parent];
    let total = tree.nodes[node.left as usize].cover + tree.nodes[node.right as usize].cover;
    if total > 0.0 {
        tree.nodes[child].cover / total
    } else {
        0.5
    }
}

/// Returns the mean leaf value below each node, weighted by cover.
fn expected_values(tree: &Tree) -> Vec<f64> {
    let mut means: Vec<f64> = tree.nodes.iter().map(|node| node.value).collect();
    for idx in (0..tree.nodes.len())
        .rev()
        .filter(|idx| !tree.nodes[*idx].is_leaf())
    {
        let (left, right) = (
            tree.nodes[idx].left as usize,
            tree.nodes[idx].right as usize,
        );
        means[idx] = share(tree, idx, left) * means[left] + share(tree, idx, right) * means[right];
    }
    means
}

fn prepare(tree: &Tree, decisions: Option<Vec<(u16, u16)>>, rules: &[Rule]) -> PreparedTree {
    let path = paths(tree);
    let widest = path.n_unique.iter().copied().max().unwrap_or(0);
    let rule = rules
        .iter()
        .find(|rule| rule.t.len() * 2 >= widest)
        .expect("trees are at most 64 levels deep");
    let (factors, passing) = constants(&path, rule);
    let largest = tree
        .nodes
        .iter()
        .filter(|node| node.is_leaf())
        .map(|node| node.value.abs())
        .fold(0.0, f64::max);
    PreparedTree {
        edges: path.edges,
        decisions,
        n_points: rule.t.len(),
        factors,
        passing,
        output: tree.output,
        expected: expected_values(tree)[0],
        largest,
    }
}

/// The edges of a tree, each at the position of the node below it; position 0, the root's, is no edge.
struct Paths {
    edges: Vec<Edge>,
    /// Product of the cover shares of this edge and of all edges above it on the same feature, 0 to 1.
    shares: Vec<f64>,
    /// Features on the path from the root down to and with this edge, each counted once.
    n_unique: Vec<usize>,
}

impl Paths {
    /// Returns the share of the edges above on the same feature; 1 when there is none.
    fn share_above(&self, edge: &Edge) -> f64 {
        if edge.previous == NO_EDGE {
            1.0
        } else {
            self.shares[edge.previous as usize]
        }
    }
}

fn paths(tree: &Tree) -> Paths {
    let n_nodes = tree.nodes.len();
    let root = Edge {
        parent: NO_EDGE,
        feature: 0,
        previous: NO_EDGE,
        is_left: false,
        is_leaf: tree.nodes[0].is_leaf(),
        value: 0.0,
    };
    let mut path = Paths {
        edges: vec![root; n_nodes],
        shares: vec![1.0; n_nodes],
        n_unique: vec![0; n_nodes],
    };
    for parent in 0..n_nodes {
        let node = &tree.nodes[parent];
        if node.is_leaf() {
            continue;
        }
        let previous = previous_on(&path.edges, parent, node.feature);
        for (child, is_left) in [(node.left as usize, true), (node.right as usize, false)] {
            let edge = Edge {
                parent: parent as u32,
                feature: node.feature,
                previous,
                is_left,
                is_leaf: tree.nodes[child].is_leaf(),
                value: tree.nodes[child].value,
            };
            path.shares[child] = path.share_above(&edge) * share(tree, parent, child);
            path.edges[child] = edge;
            path.n_unique[child] = path.n_unique[parent] + usize::from(previous == NO_EDGE);
        }
    }
    path
}

/// Returns the nearest edge on this feature at or above a node; `NO_EDGE` when there is none.
fn previous_on(edges: &[Edge], node: usize, feature: u32) -> u32 {
    let mut previous = node;
    while edges[previous].parent != NO_EDGE && edges[previous].feature != feature {
        previous = edges[previous].parent as usize;
    }
    if edges[previous].parent == NO_EDGE {
        NO_EDGE
    } else {
        previous as u32
    }
}

/// Returns the factors and passing vectors of a [`PreparedTree`], at the points of `rule`.
fn constants(path: &Paths, rule: &Rule) -> (Vec<f64>, Vec<f64>) {
    let (n_nodes, n_points) = (path.edges.len(), rule.t.len());
    let (mut factors, mut passing) = (
        vec![0.0; n_nodes * 3 * n_points],
        vec![0.0; n_nodes * n_points],
    );
    for idx in 1..n_nodes {
        let (z, above) = (path.shares[idx], path.share_above(&path.edges[idx]));
        let is_repeated = path.edges[idx].previous != NO_EDGE;
        for (point, (t, w)) in rule.t.iter().zip(&rule.w).enumerate() {
            let passed = t + (1.0 - t) * z;
            let divisor = if is_repeated {
                t + (1.0 - t) * above
            } else {
                1.0
            };
            let three = &mut factors[idx * 3 * n_points..(idx + 1) * 3 * n_points];
            three[point] = if above > 0.0 { z / above } else { 0.0 };
            three[n_points + point] = (1.0 - t) * z / divisor;
            three[2 * n_points + point] = passed / divisor;
            passing[idx * n_points + point] = (1.0 - z) * w / passed;
        }
    }
    (factors, passing)
}

impl PreparedTree {
    /// Adds the contributions of this tree for one row.
    #[inline(always)]
    fn add<const N: usize>(&self, failing: &[f64], scratch: &mut Scratch, out: &mut [f64]) {
        let n_nodes = self.edges.len();
        let failing: &[f64; N] = failing.try_into().expect("one number a point");
        scratch
            .passes
            .resize(n_nodes.max(scratch.passes.len()), false);
        scratch
            .down
            .resize((n_nodes * N).max(scratch.down.len()), 0.0);
        scratch.up.clear();
        scratch.up.resize(n_nodes * N, 0.0);
        let (factors, _) = self.factors.as_chunks::<N>();
        let (passing, _) = self.passing.as_chunks::<N>();
        let (down, _) = scratch.down.as_chunks_mut::<N>();
        let (up, _) = scratch.up.as_chunks_mut::<N>();
        let (down, up, passes) = (
            &mut down[..n_nodes],
            &mut up[..n_nodes],
            &mut scratch.passes[..n_nodes],
        );
        let goes_left = &scratch.goes_left[..n_nodes];
        down[0] = [1.0; N];
        for (idx, edge) in self.edges.iter().enumerate().skip(1) {
            let passed_before = edge.previous == NO_EDGE || passes[edge.previous as usize];
            let passes_all = passed_before && goes_left[edge.parent as usize] == edge.is_left;
            passes[idx] = passes_all;
            let factor = &factors[idx * 3 + usize::from(passed_before) + usize::from(passes_all)];
            let above = down[edge.parent as usize];
            down[idx] = std::array::from_fn(|point| above[point] * factor[point]);
        }
        for (idx, edge) in self.edges.iter().enumerate().skip(1).rev() {
            let total: [f64; N] = if edge.is_leaf {
                std::array::from_fn(|point| down[idx][point] * edge.value)
            } else {
                up[idx]
            };
            let parent = &mut up[edge.parent as usize];
            (0..N).for_each(|point| parent[point] += total[point]);
            let of = |edge_idx: usize| {
                if passes[edge_idx] {
                    &passing[edge_idx]
                } else {
                    failing
                }
            };
            let mut contribution = dot(of(idx), &total);
            if edge.previous != NO_EDGE {
                contribution -= dot(of(edge.previous as usize), &total);
            }
            out[edge.feature as usize] += contribution;
        }
    }
}

#[inline(always)]
fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    // Pairs in a tree: a fixed order that the compiler can do side by side.
    let mut products: [f64; N] = std::array::from_fn(|point| a[point] * b[point]);
    let mut width = N;
    while width > 1 {
        width /= 2;
        for point in 0..width {
            products[point] += products[point + width];
        }
    }
    products[0]
}

/// A feature on the way to a leaf: its position, whether the row passes all its splits, and the share of training rows that do.
type OnPath = (usize, bool, f64);

/// Calls `visit` with the distinct features on the way to each leaf and the leaf's value.
fn for_each_leaf(tree: &Tree, row: &[f64], mut visit: impl FnMut(&[OnPath], f64)) {
    let mut stack: Vec<(usize, Vec<OnPath>)> = vec![(0, Vec::new())];
    while let Some((idx, path)) = stack.pop() {
        let node = &tree.nodes[idx];
        if node.is_leaf() {
            visit(&path, node.value);
            continue;
        }
        let feature = node.feature as usize;
        let goes_left = node.goes_left(row[feature]);
        for (child, is_left) in [(node.left as usize, true), (node.right as usize, false)] {
            let (mut below, part) = (path.clone(), share(tree, idx, child));
            match below.iter_mut().find(|(known, ..)| *known == feature) {
                Some((_, passes, z)) => {
                    (*passes, *z) = (*passes && goes_left == is_left, *z * part)
                }
                None => below.push((feature, goes_left == is_left, part)),
            }
            stack.push((child, below));
        }
    }
}

/// Adds one leaf's interactions; the rule is exact for two features fewer than on the path.
fn add_interactions(
    features: &[OnPath],
    value: f64,
    rule: &Rule,
    width: usize,
    matrix: &mut [f64],
) {
    // A feature that no training row passes and the row does not pass either makes the leaf unreachable for every coalition.
    if features.iter().any(|(_, passes, z)| !passes && *z == 0.0) {
        return;
    }
    for (t, w) in rule.t.iter().zip(&rule.w) {
        let g: Vec<f64> = features
            .iter()
            .map(|(_, passes, z)| t * f64::from(*passes) + (1.0 - t) * z)
            .collect();
        let product: f64 = value * w * g.iter().product::<f64>();
        for (i, (first, first_passes, first_z)) in features.iter().enumerate() {
            for (j, (second, second_passes, second_z)) in
                features.iter().enumerate().filter(|(j, _)| *j != i)
            {
                let gaps =
                    (f64::from(*first_passes) - first_z) * (f64::from(*second_passes) - second_z);
                matrix[first * width + second] += 0.5 * gaps * product / (g[i] * g[j]);
            }
        }
    }
}

/// Returns the Gauss-Legendre rule with `n_points` points on 0 to 1, exact for polynomials of degree 2 n − 1.
fn gauss_legendre(n_points: usize) -> Rule {
    let n = n_points as f64;
    let (mut t, mut w) = (Vec::with_capacity(n_points), Vec::with_capacity(n_points));
    for idx in 0..n_points {
        // Newton's method on the Legendre polynomial from Tricomi's approximation of its roots.
        let mut x = (std::f64::consts::PI * (idx as f64 + 0.75) / (n + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut before, mut value) = (1.0, x);
            for degree in 2..=n_points {
                let k = degree as f64;
                (before, value) = (
                    value,
                    ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k,
                );
            }
            slope = n * (x * value - before) / (x * x - 1.0);
            let step = value / slope;
            x -= step;
            if step.abs() < 1e-16 {
                break;
            }
        }
        t.push((1.0 - x) / 2.0);
        w.push(1.0 / ((1.0 - x * x) * slope * slope));
    }
    Rule { t, w }
}
