//! Ensembles of decision trees: one form for XGBoost ([`xgboost`]), LightGBM ([`lightgbm`]) and ONNX trees.
//!
//! Every numeric split is stored as `value <= threshold`; the readers translate what their format says. Margins are added in the
//! arithmetic of the library that trained the model ([`Arithmetic`]), tree after tree in file order, so that they agree with it to
//! the last bit. [`compiled`] holds the form that batches are predicted with.

pub mod compiled;
pub mod lightgbm;
pub mod xgboost;
mod xgboost_categories;

use std::collections::BTreeMap;

use crate::category::Category;

/// Most bytes of a model file: a forest of 10,000 trees of 1,000 nodes takes about 1 GiB of JSON.
pub const MODEL_BYTES_LIMIT: usize = 1 << 30;
/// Deepest tree read; explanation keeps a path of this length.
pub const DEPTH_LIMIT: usize = 64;
/// Most outputs of a model: a classifier of 100,000 classes.
pub(crate) const OUTPUTS_LIMIT: usize = 100_000;
/// Most features of a model: 2^20, which a row of 64-bit numbers holds in 8 MiB.
pub(crate) const FEATURES_LIMIT: usize = 1 << 20;

/// How a margin becomes a prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Link {
    /// The margin itself, in the units of the label.
    Identity,
    /// 1 / (1 + exp(−scale · margin)), for each output on its own.
    Logistic {
        /// Factor on the margin: LightGBM's `sigmoid`, 1 of all other libraries.
        scale: f64,
    },
    /// exp(margin), of counts, rates and times.
    Exponential,
    /// Softmax over the outputs: probabilities that add up to 1.
    Softmax,
    /// Position of the largest output.
    ArgMax,
    /// 1 when the margin is positive, else 0.
    Step,
    /// sign(margin) · margin², of a model trained on square roots.
    SignedSquare,
    /// ln(1 + exp(margin)), LightGBM's `cross_entropy_lambda`.
    SoftPlus,
}

/// The arithmetic of the library that trained a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// Features, thresholds and sums are 32-bit (XGBoost, ONNX).
    Single,
    /// Features, thresholds and sums are 64-bit (LightGBM).
    Double,
}

/// What a numeric split takes for missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Missing {
    /// NaN goes left, all else is compared.
    NanLeft,
    /// NaN goes right, all else is compared.
    NanRight,
    /// NaN is read as 0 and compared (LightGBM's missing type none).
    NanIsZero,
    /// NaN and values within 1e-35 of 0 go left (LightGBM's missing type zero).
    ZeroLeft,
    /// NaN and values within 1e-35 of 0 go right.
    ZeroRight,
}

/// What a node asks of its feature.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Nothing: it is a leaf.
    Leaf,
    /// Left when `value <= threshold`.
    AtMost {
        /// Largest value that goes left, in the arithmetic of the model.
        threshold: f64,
        /// Which values are missing, and the side they go to.
        missing: Missing,
    },
    /// Left when the value is exactly this one (ONNX).
    Equal {
        /// Value that goes left, all others go right.
        value: f64,
        /// Whether NaN, which equals nothing, goes left.
        nan_left: bool,
    },
    /// Left or right by a set of categories.
    InSet {
        /// Category codes in ascending order, for binary search.
        categories: Box<[u32]>,
        /// Whether a category of the set goes left (LightGBM) or right (XGBoost).
        hit_left: bool,
        /// Whether NaN goes left, whichever side the set goes to.
        nan_left: bool,
    },
}

/// A split or a leaf.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Position of the feature in a row; 0 for a leaf.
    pub feature: u32,
    /// Child on the left; 0 for a leaf.
    pub left: u32,
    /// Child on the right; 0 for a leaf.
    pub right: u32,
    /// What decides between the children, or that there are none.
    pub test: Test,
    /// What a leaf adds to the margin; 0 for a split.
    pub value: f64,
    /// Weight of training rows that passed here, the weight of path-dependent explanation.
    pub cover: f64,
    /// What the split gained at training.
    pub gain: f64,
}

/// A leaf whose value is linear in some features (LightGBM's `linear_tree`).
#[derive(Debug, Clone, PartialEq)]
pub struct LinearLeaf {
    /// Value when all its features are 0.
    pub constant: f64,
    /// Positions of features with their coefficients; each is multiplied by the feature's value.
    pub terms: Vec<(u32, f64)>,
}

/// One tree; the root is node 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// Its nodes; a child comes after its parent.
    pub nodes: Vec<Node>,
    /// Position of the output whose margin it adds to.
    pub output: usize,
    /// Position of the node that the format counts as leaf 0.
    pub first_leaf: usize,
    /// Linear leaves by node; empty for all others.
    pub linear: BTreeMap<usize, LinearLeaf>,
}

/// Coefficients in place of trees (XGBoost's `gblinear`). A missing value counts as 0.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearBooster {
    /// `n_features` × `n_outputs` coefficients, a row for each feature.
    pub weights: Vec<f32>,
    /// One intercept for each output, added to its base margin.
    pub intercepts: Vec<f32>,
}

/// Trees whose leaf values add up to the margin of each output.
#[derive(Debug, Clone, PartialEq)]
pub struct TreeEnsemble {
    /// Trees in file order, in which their values are added.
    pub trees: Vec<Tree>,
    /// Coefficients of a booster without trees.
    pub linear: Option<LinearBooster>,
    /// Margin of each output before any tree.
    pub base_margins: Vec<f64>,
    /// Least number of values in a row; at most `FEATURES_LIMIT`.
    pub n_features: usize,
    /// Names of the features; empty when the file has none.
    pub feature_names: Vec<String>,
    /// Each feature's categories in the order of their codes, where the file has them; empty when it has none at all.
    pub categories: Vec<Option<Vec<Category>>>,
    /// The best boosting round of early stopping, where the file says it.
    pub best_round: Option<usize>,
    /// How the margins of a row become its predictions.
    pub link: Link,
    /// Width of the numbers in which rows are compared and margins added.
    pub arithmetic: Arithmetic,
    /// Trees an output, when the prediction is of their mean (LightGBM's `rf`): margins stay sums.
    pub n_averaged: Option<f64>,
    /// Trees of one boosting round.
    pub n_trees_a_round: usize,
}

/// Why a model file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Not JSON, or not the JSON of a model.
    #[error("not an XGBoost model")]
    Json(#[from] serde_json::Error),
    /// Not UBJSON, or cut off before its end.
    #[error("not an XGBoost UBJSON model: {reason} at byte {position}")]
    Ubjson {
        /// Byte at which reading stopped, counted from 0.
        position: usize,
        /// What is wrong at that byte.
        reason: &'static str,
    },
    /// Not the text of a model.
    #[error("not a LightGBM text model: line {line}: {reason}")]
    Text {
        /// Line of the file, counted from 1.
        line: usize,
        /// What is wrong in that line.
        reason: String,
    },
    /// A file over the byte limit of its format.
    #[error("a model file of {n_bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Length of the file in bytes.
        n_bytes: usize,
        /// Most bytes that are read.
        limit: usize,
    },
    /// Something this reader does not support.
    #[error("{what} is not supported")]
    Unsupported {
        /// Parameter, objective or feature of the format, in words.
        what: String,
    },
    /// Arrays that do not describe a tree.
    #[error("tree {tree_idx} is malformed: {reason}")]
    Malformed {
        /// Position of the tree in the file, counted from 0.
        tree_idx: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// What a feature's importance counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// Number of splits on the feature.
    Splits,
    /// Sum of what its splits gained.
    TotalGain,
    /// Sum of the training weight that its splits saw.
    TotalCover,
}

/// Largest training weight of a node: the sum of two stays finite.
const COVER_LIMIT: f64 = 1e300;

/// LightGBM takes values this close to 0 for 0.
const ZERO_THRESHOLD: f64 = 1e-35;

impl Missing {
    /// Returns whether a value goes left.
    pub fn goes_left(self, value: f64, threshold: f64) -> bool {
        let is_zero = || value.is_nan() || value.abs() <= ZERO_THRESHOLD;
        match self {
            Self::NanLeft => value.is_nan() || value <= threshold,
            Self::NanRight => value <= threshold,
            Self::NanIsZero => (if value.is_nan() { 0.0 } else { value }) <= threshold,
            Self::ZeroLeft => is_zero() || value <= threshold,
            Self::ZeroRight => !is_zero() && value <= threshold,
        }
    }
}

impl Node {
    /// Returns whether this node has no children.
    pub fn is_leaf(&self) -> bool {
        matches!(self.test, Test::Leaf)
    }

    /// Returns whether a value goes to the left child. A leaf sends nothing anywhere.
    pub fn goes_left(&self, value: f64) -> bool {
        match &self.test {
            Test::Leaf => false,
            Test::AtMost { threshold, missing } => missing.goes_left(value, *threshold),
            Test::Equal { nan_left, .. } if value.is_nan() => *nan_left,
            Test::Equal { value: wanted, .. } => value == *wanted,
            Test::InSet { nan_left, .. } if value.is_nan() => *nan_left,
            Test::InSet {
                categories,
                hit_left,
                ..
            } => {
                // LightGBM truncates towards zero before it asks for the sign, XGBoost after.
                let code = if *hit_left { value.trunc() } else { value };
                let is_hit = (0.0..4_294_967_296.0).contains(&code)
                    && categories.binary_search(&(code as u32)).is_ok();
                is_hit == *hit_left
            }
        }
    }
}

impl Tree {
    /// Returns the node of the leaf a row falls into.
    pub fn leaf(&self, row: &[f64]) -> usize {
        let mut idx = 0;
        while !self.nodes[idx].is_leaf() {
            let node = &self.nodes[idx];
            idx = if node.goes_left(row[node.feature as usize]) {
                node.left
            } else {
                node.right
            } as usize;
        }
        idx
    }

    /// Returns the value of a leaf for a row: a linear leaf without missing features is linear in them.
    pub fn leaf_value(&self, leaf: usize, row: &[f64]) -> f64 {
        let plain = self.nodes[leaf].value;
        let Some(linear) = self.linear.get(&leaf) else {
            return plain;
        };
        let mut value = linear.constant;
        for (feature, coefficient) in &linear.terms {
            let x = row[*feature as usize];
            if x.is_nan() {
                return plain;
            }
            value += coefficient * x;
        }
        value
    }

    /// Checks that nodes form a tree of bounded depth over `n_features` features with finite numbers, and returns it.
    pub(crate) fn checked(self, tree_idx: usize, n_features: usize) -> Result<Self, TreeError> {
        let malformed = |reason| TreeError::Malformed { tree_idx, reason };
        let n_nodes = self.nodes.len();
        if n_nodes == 0 {
            return Err(malformed("it has no node"));
        }
        // Each node but the root must be the child of exactly one that stands before it: that rules out cycles and shared parts.
        let mut depth = vec![None; n_nodes];
        depth[0] = Some(0usize);
        for (idx, node) in self.nodes.iter().enumerate() {
            let Some(level) = depth[idx] else {
                return Err(malformed(
                    "a node is not below the root or stands before its parent",
                ));
            };
            if !(0.0..=COVER_LIMIT).contains(&node.cover) {
                return Err(malformed(
                    "a cover is negative, not a number or beyond 10^300",
                ));
            }
            if node.is_leaf() {
                if !node.value.is_finite() {
                    return Err(malformed("a leaf value is not a finite number"));
                }
                continue;
            }
            if node.feature as usize >= n_features {
                return Err(malformed("a split is on a feature that does not exist"));
            }
            if level >= DEPTH_LIMIT {
                return Err(malformed("it is deeper than 64 levels"));
            }
            if matches!(node.test, Test::AtMost { threshold, .. } if threshold.is_nan()) {
                return Err(malformed("a threshold is not a number"));
            }
            for child in [node.left as usize, node.right as usize] {
                if child <= idx || child >= n_nodes || depth[child].is_some() {
                    return Err(malformed(
                        "a child is outside the tree, before its parent or has two parents",
                    ));
                }
                depth[child] = Some(level + 1);
            }
        }
        if self
            .linear
            .values()
            .flat_map(|leaf| &leaf.terms)
            .any(|(feature, _)| *feature as usize >= n_features)
        {
            return Err(malformed(
                "a linear leaf uses a feature that does not exist",
            ));
        }
        Ok(self)
    }
}

impl TreeEnsemble {
    /// Returns the number of outputs.
    pub fn n_outputs(&self) -> usize {
        self.base_margins.len()
    }

    /// Returns for each feature whether it holds numbers: no split asks for a category, and it has no names of any.
    pub(crate) fn numeric_features(&self) -> Vec<bool> {
        let mut is_number: Vec<bool> = (0..self.n_features)
            .map(|feature| self.categories.get(feature).is_none_or(Option::is_none))
            .collect();
        for node in self
            .trees
            .iter()
            .flat_map(|tree| &tree.nodes)
            .filter(|node| matches!(node.test, Test::InSet { .. }))
        {
            is_number[node.feature as usize] = false;
        }
        is_number
    }

    /// Returns the row as this model sees it: 32-bit models round every number first.
    pub fn rounded(&self, row: &[f64]) -> Vec<f64> {
        match self.arithmetic {
            Arithmetic::Single => row.iter().map(|value| f64::from(*value as f32)).collect(),
            Arithmetic::Double => row.to_vec(),
        }
    }

    /// Returns the margin of each output for one row of features.
    ///
    /// # Panics
    /// When `row` is shorter than the number of features.
    pub fn margins(&self, row: &[f64]) -> Vec<f64> {
        self.margins_from(&self.base_margins, row)
    }

    /// Returns the margins when these stand in place of the model's own base margins (XGBoost's `base_margin`).
    ///
    /// # Panics
    /// When `row` is shorter than the number of features, or there is not one base margin an output.
    pub fn margins_from(&self, base_margins: &[f64], row: &[f64]) -> Vec<f64> {
        assert!(
            row.len() >= self.n_features,
            "a row has {} of {} features",
            row.len(),
            self.n_features
        );
        assert_eq!(
            base_margins.len(),
            self.n_outputs(),
            "there is one base margin an output"
        );
        let row = self.rounded(row);
        let mut margins = base_margins.to_vec();
        if let Some(linear) = &self.linear {
            linear.add(&row, &mut margins);
        }
        for tree in &self.trees {
            self.add(
                &mut margins[tree.output],
                tree.leaf_value(tree.leaf(&row), &row),
            );
        }
        margins
    }

    /// Adds a leaf value to a margin in the model's arithmetic.
    fn add(&self, margin: &mut f64, value: f64) {
        *margin = match self.arithmetic {
            Arithmetic::Single => f64::from(*margin as f32 + value as f32),
            Arithmetic::Double => *margin + value,
        };
    }

    /// Returns the predictions that margins stand for.
    pub fn predictions(&self, margins: &[f64]) -> Vec<f64> {
        let margins: Vec<f64> = margins
            .iter()
            .map(|margin| margin / self.n_averaged.unwrap_or(1.0))
            .collect();
        match self.link {
            Link::Identity => margins,
            Link::Logistic { scale } => margins
                .iter()
                .map(|margin| 1.0 / (1.0 + (-scale * margin).exp()))
                .collect(),
            Link::Exponential => margins.iter().map(|margin| margin.exp()).collect(),
            Link::Step => margins
                .iter()
                .map(|margin| f64::from(*margin > 0.0))
                .collect(),
            Link::SignedSquare => margins
                .iter()
                .map(|margin| margin.signum() * margin * margin)
                .collect(),
            Link::SoftPlus => margins.iter().map(|margin| margin.exp().ln_1p()).collect(),
            Link::Softmax => {
                let largest = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let powers: Vec<f64> = margins
                    .iter()
                    .map(|margin| (margin - largest).exp())
                    .collect();
                let total: f64 = powers.iter().sum();
                powers.iter().map(|power| power / total).collect()
            }
            Link::ArgMax => {
                let best = (0..margins.len()).reduce(|best, idx| {
                    if margins[idx] > margins[best] {
                        idx
                    } else {
                        best
                    }
                });
                vec![best.unwrap_or(0) as f64]
            }
        }
    }

    /// Returns the ensemble with the trees of boosting rounds `from` to `to`, `to` left out. Base margins stay.
    pub fn rounds(&self, from: usize, to: usize) -> Self {
        let bound = |round: usize| {
            round
                .saturating_mul(self.n_trees_a_round)
                .min(self.trees.len())
        };
        let trees = self.trees[bound(from).min(bound(to))..bound(to)].to_vec();
        Self {
            trees,
            ..self.clone()
        }
    }

    /// Returns each feature's importance; for a linear booster, whatever is asked, its coefficients of the first output.
    pub fn importance(&self, kind: Importance) -> Vec<f64> {
        let mut importance = vec![0.0; self.n_features];
        if let Some(linear) = &self.linear {
            let n_outputs = self.n_outputs();
            return (0..self.n_features)
                .map(|feature| f64::from(linear.weights[feature * n_outputs]))
                .collect();
        }
        for node in self
            .trees
            .iter()
            .flat_map(|tree| &tree.nodes)
            .filter(|node| !node.is_leaf())
        {
            importance[node.feature as usize] += match kind {
                Importance::Splits => 1.0,
                Importance::TotalGain => node.gain,
                Importance::TotalCover => node.cover,
            };
        }
        importance
    }
}

impl LinearBooster {
    /// Adds intercepts and terms to the margins, in 32-bit steps as XGBoost does.
    fn add(&self, row: &[f64], margins: &mut [f64]) {
        let n_outputs = margins.len();
        for (output, margin) in margins.iter_mut().enumerate() {
            let mut total = *margin as f32 + self.intercepts[output];
            for (feature, value) in row.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
                total += *value as f32 * self.weights[feature * n_outputs + output];
            }
            *margin = f64::from(total);
        }
    }
}
