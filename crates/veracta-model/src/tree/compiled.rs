//! The form of an ensemble that batches are predicted with: every value is first replaced by its rank among the thresholds of its
//! feature, so that a tree compares 16-bit whole numbers.
//!
//! A value v has rank r(v) = number of thresholds below v, and v <= t_k exactly when r(v) <= k, so no decision changes. Where
//! missing values go is part of the rank: a feature has one column for each way in which its splits treat them. Trees with
//! categorical splits or linear leaves, and models with more than 65,534 thresholds on a feature, are walked over the values
//! themselves. The digits are those of [`TreeEnsemble::margins`].

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{Arithmetic, Missing, Node, Test, Tree, TreeEnsemble};

/// Rows whose ranks are held at once: 64 rows of 100 columns take 12.5 KiB, and a tree of 511 nodes 4 KiB; both stay in the
/// nearest cache.
const BLOCK_ROWS: usize = 64;
/// Rows that walk down a tree side by side, so that the processor waits for several nodes at once.
const LANES: usize = 16;
/// Levels between two looks at whether all lanes have arrived.
const LEVELS_A_LOOK: usize = 4;
/// The rank of a missing value that goes right: above every threshold.
const ABOVE_ALL: u16 = u16::MAX;

/// A node: 8 bytes. The right child stands after the left one; a leaf is its own left child.
#[derive(Debug, Clone, Copy)]
struct FlatNode {
    column: u16,
    rank: u16,
    left: u32,
}

#[derive(Debug, Clone)]
struct FlatTree {
    nodes: Vec<FlatNode>,
    /// Value of each node that is a leaf, in the arithmetic of the model.
    values: Vec<f64>,
    depth: usize,
    output: usize,
}

#[derive(Debug, Clone)]
enum CompiledTree {
    Flat(FlatTree),
    /// Position of a tree that is walked over the values.
    Plain(usize),
}

/// An ensemble ready for batches.
#[derive(Debug, Clone)]
pub struct CompiledTrees<'e> {
    ensemble: &'e TreeEnsemble,
    /// Sorted distinct thresholds of each feature.
    thresholds: Vec<Vec<f64>>,
    columns: Vec<(u32, Missing)>,
    trees: Vec<CompiledTree>,
}

impl<'e> CompiledTrees<'e> {
    /// Compiles an ensemble; a tree that ranks cannot decide is kept and walked over the values.
    pub fn new(ensemble: &'e TreeEnsemble) -> Self {
        let mut thresholds: Vec<Vec<f64>> = vec![Vec::new(); ensemble.n_features];
        let mut columns: BTreeMap<(u32, Missing), u16> = BTreeMap::new();
        let is_flat = |tree: &&Tree| {
            tree.linear.is_empty()
                && tree
                    .nodes
                    .iter()
                    .all(|node| !matches!(node.test, Test::InSet { .. } | Test::Equal { .. }))
        };
        for node in ensemble
            .trees
            .iter()
            .filter(is_flat)
            .flat_map(|tree| &tree.nodes)
        {
            if let Test::AtMost { threshold, missing } = node.test {
                thresholds[node.feature as usize].push(threshold);
                columns.insert((node.feature, missing), 0);
            }
        }
        for sorted in &mut thresholds {
            sorted.sort_unstable_by(f64::total_cmp);
            sorted.dedup();
        }
        let fits = columns.len() <= usize::from(u16::MAX)
            && thresholds
                .iter()
                .all(|sorted| sorted.len() < usize::from(ABOVE_ALL));
        columns
            .values_mut()
            .enumerate()
            .for_each(|(idx, column)| *column = idx as u16);
        let compile = |(idx, tree): (usize, &Tree)| match fits && is_flat(&tree) {
            true => CompiledTree::Flat(flatten(tree, &thresholds, &columns)),
            false => CompiledTree::Plain(idx),
        };
        let trees = ensemble.trees.iter().enumerate().map(compile).collect();
        let columns = columns.into_keys().collect();
        Self {
            ensemble,
            thresholds,
            columns,
            trees,
        }
    }

    /// Returns the margins of every row, row after row; `values` holds rows of `n_columns` numbers.
    ///
    /// # Panics
    /// When `n_columns` is less than the number of features or does not divide the values.
    pub fn margins(&self, values: &[f64], n_columns: usize) -> Vec<f64> {
        assert!(
            n_columns >= self.ensemble.n_features && values.len().is_multiple_of(n_columns.max(1)),
            "values are whole rows"
        );
        let n_outputs = self.ensemble.n_outputs();
        let n_rows = values.len() / n_columns.max(1);
        let mut margins = vec![0.0; n_rows * n_outputs];
        if n_rows <= BLOCK_ROWS {
            // A few rows wait for no other thread.
            if n_rows > 0 {
                self.block(values, n_columns, &mut margins);
            }
            return margins;
        }
        let blocks = values.par_chunks(BLOCK_ROWS * n_columns.max(1));
        margins
            .par_chunks_mut(BLOCK_ROWS * n_outputs)
            .zip(blocks)
            .for_each(|(margins, values)| self.block(values, n_columns, margins));
        margins
    }

    fn block(&self, values: &[f64], n_columns: usize, margins: &mut [f64]) {
        let n_outputs = self.ensemble.n_outputs();
        let n_rows = margins.len() / n_outputs;
        let rows: Vec<Vec<f64>> = match self
            .trees
            .iter()
            .any(|tree| matches!(tree, CompiledTree::Plain(_)))
            || self.ensemble.linear.is_some()
        {
            true => values
                .chunks(n_columns)
                .map(|row| self.ensemble.rounded(row))
                .collect(),
            false => Vec::new(),
        };
        for (row, margins) in margins.chunks_mut(n_outputs).enumerate() {
            margins.copy_from_slice(&self.ensemble.base_margins);
            if let Some(linear) = &self.ensemble.linear {
                linear.add(&rows[row], margins);
            }
        }
        let ranks = self.ranks(values, n_columns);
        let width = self.columns.len().max(1);
        for tree in &self.trees {
            match tree {
                CompiledTree::Flat(tree) => {
                    for (lanes, margins) in ranks
                        .chunks(LANES * width)
                        .zip(margins.chunks_mut(LANES * n_outputs))
                    {
                        self.walk(tree, lanes, width, margins);
                    }
                }
                CompiledTree::Plain(idx) => {
                    let tree = &self.ensemble.trees[*idx];
                    for row in 0..n_rows {
                        let value = tree.leaf_value(tree.leaf(&rows[row]), &rows[row]);
                        self.ensemble
                            .add(&mut margins[row * n_outputs + tree.output], value);
                    }
                }
            }
        }
    }

    /// Replaces values by ranks, row after row of `columns.len()`.
    pub(crate) fn ranks(&self, values: &[f64], n_columns: usize) -> Vec<u16> {
        let is_single = self.ensemble.arithmetic == Arithmetic::Single;
        let n_rows = values.len() / n_columns.max(1);
        if self.columns.is_empty() {
            return vec![0; n_rows];
        }
        let mut ranks = Vec::with_capacity(n_rows * self.columns.len());
        for row in values.chunks(n_columns.max(1)) {
            let mut last = (u32::MAX, 0.0, 0);
            for (feature, missing) in &self.columns {
                if last.0 != *feature {
                    let value = row[*feature as usize];
                    let value = if is_single {
                        f64::from(value as f32)
                    } else {
                        value
                    };
                    last = (
                        *feature,
                        value,
                        rank_of(&self.thresholds[*feature as usize], value),
                    );
                }
                ranks.push(match missing {
                    Missing::NanLeft if last.1.is_nan() => 0,
                    Missing::NanRight if last.1.is_nan() => ABOVE_ALL,
                    Missing::NanLeft | Missing::NanRight => last.2,
                    Missing::NanIsZero | Missing::ZeroLeft | Missing::ZeroRight => {
                        let is_zero = last.1.is_nan() || last.1.abs() <= super::ZERO_THRESHOLD;
                        match missing {
                            Missing::ZeroLeft if is_zero => 0,
                            Missing::ZeroRight if is_zero => ABOVE_ALL,
                            Missing::NanIsZero if last.1.is_nan() => {
                                rank_of(&self.thresholds[*feature as usize], 0.0)
                            }
                            _ => last.2,
                        }
                    }
                });
            }
        }
        ranks
    }

    /// Returns how many ranks a row has.
    pub(crate) fn width(&self) -> usize {
        self.columns.len().max(1)
    }

    /// Returns for each node of a tree the column and rank that decide it: left when the row's rank there is at most this one.
    /// `None` for a tree that is walked over the values.
    pub(crate) fn decisions(&self, tree_idx: usize) -> Option<Vec<(u16, u16)>> {
        if matches!(self.trees[tree_idx], CompiledTree::Plain(_)) {
            return None;
        }
        let decide = |node: &Node| match node.test {
            Test::AtMost { threshold, missing } => {
                let column = self
                    .columns
                    .binary_search(&(node.feature, missing))
                    .expect("every split has its column");
                (
                    column as u16,
                    rank_of(&self.thresholds[node.feature as usize], threshold),
                )
            }
            Test::Leaf | Test::Equal { .. } | Test::InSet { .. } => (0, ABOVE_ALL),
        };
        Some(
            self.ensemble.trees[tree_idx]
                .nodes
                .iter()
                .map(decide)
                .collect(),
        )
    }

    /// Adds a tree's leaves to the margins of up to [`LANES`] rows.
    #[inline(always)]
    fn walk(&self, tree: &FlatTree, ranks: &[u16], width: usize, margins: &mut [f64]) {
        let n_outputs = self.ensemble.n_outputs();
        let nodes = tree.nodes.as_slice();
        let n_lanes = margins.len() / n_outputs;
        let mut at = [0u32; LANES];
        if n_lanes == LANES {
            let mut level = 0;
            while level < tree.depth {
                let before = at;
                let n_levels = LEVELS_A_LOOK.min(tree.depth - level);
                for _ in 0..n_levels {
                    for lane in 0..LANES {
                        let node = nodes[at[lane] as usize];
                        at[lane] = node.left
                            + u32::from(ranks[lane * width + usize::from(node.column)] > node.rank);
                    }
                }
                level += n_levels;
                // Not `at == before`, which is a call; and the root never equals itself, so the first look is for nothing.
                let moved = at
                    .iter()
                    .zip(&before)
                    .fold(0, |moved, (now, then)| moved | (now ^ then));
                if level > LEVELS_A_LOOK && moved == 0 {
                    break;
                }
            }
        } else {
            for lane in 0..n_lanes {
                for _ in 0..tree.depth {
                    let node = nodes[at[lane] as usize];
                    at[lane] = node.left
                        + u32::from(ranks[lane * width + usize::from(node.column)] > node.rank);
                }
            }
        }
        for (lane, at) in at.iter().enumerate().take(n_lanes) {
            self.ensemble.add(
                &mut margins[lane * n_outputs + tree.output],
                tree.values[*at as usize],
            );
        }
    }
}

fn rank_of(thresholds: &[f64], value: f64) -> u16 {
    thresholds.partition_point(|threshold| *threshold < value) as u16
}

/// Lays a tree out level by level, siblings side by side.
fn flatten(
    tree: &Tree,
    thresholds: &[Vec<f64>],
    columns: &BTreeMap<(u32, Missing), u16>,
) -> FlatTree {
    let (mut order, mut level, mut depth) = (vec![0usize], vec![0usize], 0);
    let (mut nodes, mut values) = (
        Vec::with_capacity(tree.nodes.len()),
        Vec::with_capacity(tree.nodes.len()),
    );
    let mut next = 0;
    while next < order.len() {
        let node = &tree.nodes[order[next]];
        match &node.test {
            Test::AtMost { threshold, missing } => {
                let rank = rank_of(&thresholds[node.feature as usize], *threshold);
                nodes.push(FlatNode {
                    column: columns[&(node.feature, *missing)],
                    rank,
                    left: order.len() as u32,
                });
                order.extend([node.left as usize, node.right as usize]);
                level.extend([level[next] + 1; 2]);
                depth = depth.max(level[next] + 1);
            }
            Test::Leaf | Test::Equal { .. } | Test::InSet { .. } => nodes.push(FlatNode {
                column: 0,
                rank: ABOVE_ALL,
                left: next as u32,
            }),
        }
        values.push(node.value);
        next += 1;
    }
    FlatTree {
        nodes,
        values,
        depth,
        output: tree.output,
    }
}
