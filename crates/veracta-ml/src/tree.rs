//! Ensembles of decision trees, read from XGBoost's JSON model files.
//!
//! The trainer writes this format too, so a model trained here and one brought along take the same path. Margins are added in
//! 32-bit steps in file order, as XGBoost does. Vector leaves, `gblinear` and unknown objectives are refused by name.

use serde::Deserialize;
use serde_json::Value;

/// Most bytes of a model file: a forest of 10,000 trees of 1,000 nodes takes about 1 GiB of JSON.
pub const MODEL_BYTES_LIMIT: usize = 1 << 30;
/// Deepest tree read; explanation keeps a path of this length.
pub const DEPTH_LIMIT: usize = 64;

/// How a margin becomes a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The margin itself.
    Identity,
    /// 1 / (1 + exp(−margin)).
    Logistic,
    /// exp(margin).
    Exponential,
    /// Softmax over the outputs.
    Softmax,
    /// Position of the largest output.
    ArgMax,
    /// 1 when the margin is positive, else 0.
    Step,
}

/// A node: a split, or a leaf when `left` is 0.
#[derive(Debug, Clone)]
pub struct Node {
    /// Position of the feature.
    pub feature: u32,
    /// Child for `value < threshold`, or for a category outside the set.
    pub left: u32,
    /// The other child.
    pub right: u32,
    /// Whether a missing value goes left.
    pub default_left: bool,
    /// Threshold of a numeric split, value of a leaf.
    pub value: f32,
    /// Sum of hessians that passed here, the weight of path-dependent explanation.
    pub cover: f32,
    /// Categories that go right, sorted; `None` for a numeric split.
    pub categories: Option<Box<[u32]>>,
}

/// One tree; the root is node 0.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Its nodes.
    pub nodes: Vec<Node>,
    /// Output it adds to.
    pub output: usize,
    /// Factor of its leaves (dart).
    pub weight: f32,
}

/// A sum of trees.
#[derive(Debug, Clone)]
pub struct TreeEnsemble {
    /// Trees in file order.
    pub trees: Vec<Tree>,
    /// Margin of each output before any tree.
    pub base_margins: Vec<f32>,
    /// Features expected.
    pub n_features: usize,
    /// How margins become predictions.
    pub link: Link,
}

/// Why a model file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Not JSON, or not the JSON of a model.
    #[error("not an XGBoost JSON model")]
    Json(#[from] serde_json::Error),
    /// Too large.
    #[error("a model file of {n_bytes} bytes is over the limit of {MODEL_BYTES_LIMIT}")]
    TooLarge {
        /// Bytes found.
        n_bytes: usize,
    },
    /// Something this reader does not support.
    #[error("{what} is not supported")]
    Unsupported {
        /// What.
        what: String,
    },
    /// Arrays that do not describe a tree.
    #[error("tree {tree_idx} is malformed: {reason}")]
    Malformed {
        /// Zero-based tree.
        tree_idx: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

#[derive(Deserialize)]
struct ModelFile {
    learner: Learner,
}

#[derive(Deserialize)]
struct Learner {
    gradient_booster: Booster,
    learner_model_param: LearnerParam,
    objective: Objective,
}

#[derive(Deserialize)]
struct Objective {
    name: String,
}

#[derive(Deserialize)]
struct LearnerParam {
    base_score: String,
    num_class: String,
    num_feature: String,
    #[serde(default)]
    num_target: Option<String>,
}

#[derive(Deserialize)]
struct Booster {
    name: String,
    #[serde(default)]
    model: Option<GbTree>,
    #[serde(default)]
    gbtree: Option<Box<Booster>>,
    #[serde(default)]
    weight_drop: Option<Vec<f32>>,
}

#[derive(Deserialize)]
struct GbTree {
    #[serde(default)]
    trees: Option<Vec<TreeFile>>,
    #[serde(default)]
    tree_info: Option<Vec<usize>>,
}

#[derive(Deserialize)]
struct TreeFile {
    tree_param: TreeParam,
    left_children: Vec<i64>,
    right_children: Vec<i64>,
    split_indices: Vec<u32>,
    split_conditions: Vec<f32>,
    default_left: Vec<Value>,
    sum_hessian: Vec<f32>,
    #[serde(default)]
    split_type: Vec<u8>,
    #[serde(default)]
    categories: Vec<u32>,
    #[serde(default)]
    categories_nodes: Vec<usize>,
    #[serde(default)]
    categories_segments: Vec<usize>,
    #[serde(default)]
    categories_sizes: Vec<usize>,
}

#[derive(Deserialize)]
struct TreeParam {
    #[serde(default)]
    size_leaf_vector: Option<String>,
}

/// Reads an XGBoost JSON model (`save_model("….json")`, any version since 1.0).
pub fn read_xgboost_json(bytes: &[u8]) -> Result<TreeEnsemble, TreeError> {
    if bytes.len() > MODEL_BYTES_LIMIT {
        return Err(TreeError::TooLarge { n_bytes: bytes.len() });
    }
    let ModelFile { learner } = serde_json::from_slice(bytes)?;
    let unsupported = |what: String| TreeError::Unsupported { what };
    let booster = learner.gradient_booster;
    let (model, weight_drop) = match (booster.name.as_str(), booster.gbtree) {
        ("gbtree", _) => (booster.model, None),
        ("dart", Some(inner)) => (inner.model, booster.weight_drop),
        (name, _) => return Err(unsupported(format!("booster `{name}`"))),
    };
    let trees = model.as_ref().and_then(|model| model.trees.as_ref());
    let Some(files) = trees else { return Err(unsupported("a booster without trees".to_owned())) };
    let info = model.as_ref().and_then(|model| model.tree_info.as_ref());
    let number = |text: &str| text.parse::<usize>().map_err(|_| unsupported(format!("parameter `{text}`")));
    let param = &learner.learner_model_param;
    let n_targets = param.num_target.as_deref().map_or(Ok(1), number)?;
    let n_outputs = number(&param.num_class)?.max(n_targets).max(1);
    if n_outputs > 100_000 {
        return Err(unsupported(format!("{n_outputs} outputs")));
    }
    let n_features = number(&param.num_feature)?;
    let (link, margin_of) = objective(&learner.objective.name)?;
    let mut trees = Vec::with_capacity(files.len());
    for (tree_idx, file) in files.iter().enumerate() {
        let output = info.and_then(|info| info.get(tree_idx)).copied().unwrap_or(0);
        if output >= n_outputs {
            return Err(TreeError::Malformed { tree_idx, reason: "its output does not exist" });
        }
        let weight = match &weight_drop {
            Some(weights) => *weights.get(tree_idx).ok_or(TreeError::Malformed { tree_idx, reason: "it has no weight" })?,
            None => 1.0,
        };
        if !weight.is_finite() {
            return Err(TreeError::Malformed { tree_idx, reason: "its weight is not a finite number" });
        }
        trees.push(Tree { nodes: read_nodes(file, tree_idx, n_features)?, output, weight });
    }
    let base: Vec<f32> = base_scores(&param.base_score).ok_or_else(|| unsupported(format!("base score `{}`", param.base_score)))?;
    if n_features > 1 << 20 {
        return Err(unsupported(format!("{n_features} features")));
    }
    let base_margins: Vec<f32> = match base[..] {
        [only] => vec![margin_of(only); n_outputs],
        _ if base.len() == n_outputs => base.iter().map(|score| margin_of(*score)).collect(),
        _ => return Err(unsupported(format!("{} base scores for {n_outputs} outputs", base.len()))),
    };
    if base_margins.iter().any(|margin| !margin.is_finite()) {
        return Err(unsupported(format!("base score `{}`", param.base_score)));
    }
    Ok(TreeEnsemble { trees, base_margins, n_features, link })
}

/// Turns a base score into a margin.
type MarginOf = fn(f32) -> f32;

/// Returns the link of an objective and how its base score becomes a margin, in 32-bit steps.
fn objective(name: &str) -> Result<(Link, MarginOf), TreeError> {
    let logit: MarginOf = |p| -(1.0 / p - 1.0).ln();
    let same: MarginOf = |margin| margin;
    Ok(match name {
        "binary:logistic" | "reg:logistic" => (Link::Logistic, logit),
        "binary:logitraw" => (Link::Identity, same),
        "binary:hinge" => (Link::Step, same),
        "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" => (Link::Exponential, f32::ln),
        "multi:softprob" => (Link::Softmax, same),
        "multi:softmax" => (Link::ArgMax, same),
        "reg:squarederror" | "reg:absoluteerror" | "reg:pseudohubererror" | "reg:quantileerror" => (Link::Identity, same),
        name if name.starts_with("rank:") => (Link::Identity, same),
        name => return Err(TreeError::Unsupported { what: format!("objective `{name}`") }),
    })
}

/// Reads a base score: a number, or since XGBoost 3.1 a list of one number an output.
fn base_scores(text: &str) -> Option<Vec<f32>> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    inner.split(',').map(|number| number.trim().parse().ok()).collect()
}

fn read_nodes(file: &TreeFile, tree_idx: usize, n_features: usize) -> Result<Vec<Node>, TreeError> {
    let malformed = |reason| TreeError::Malformed { tree_idx, reason };
    if file.tree_param.size_leaf_vector.as_deref().is_some_and(|size| !matches!(size, "0" | "1")) {
        return Err(TreeError::Unsupported { what: "a tree with vector leaves".to_owned() });
    }
    let n_nodes = file.left_children.len();
    let lengths =
        [file.right_children.len(), file.split_indices.len(), file.split_conditions.len(), file.default_left.len(), file.sum_hessian.len()];
    if n_nodes == 0 || lengths.iter().any(|length| *length != n_nodes) {
        return Err(malformed("its arrays differ in length or are empty"));
    }
    let mut sets: Vec<Option<Box<[u32]>>> = vec![None; n_nodes];
    for (position, node) in file.categories_nodes.iter().enumerate() {
        let start = file.categories_segments.get(position).copied();
        let end = start.zip(file.categories_sizes.get(position)).and_then(|(start, size)| start.checked_add(*size));
        let set = start.zip(end).and_then(|(start, end)| file.categories.get(start..end));
        let (Some(set), Some(slot)) = (set, sets.get_mut(*node)) else {
            return Err(malformed("a category set is outside its arrays"));
        };
        let mut set = set.to_vec();
        set.sort_unstable();
        *slot = Some(set.into_boxed_slice());
    }
    let mut nodes = Vec::with_capacity(n_nodes);
    for (idx, set) in sets.into_iter().enumerate() {
        let (left, right) = (file.left_children[idx], file.right_children[idx]);
        let is_leaf = left == -1;
        // Children follow their parent in every file XGBoost writes; asking for it rules out cycles.
        let child =
            |child: i64| u32::try_from(child).ok().filter(|child| (idx..n_nodes).contains(&(*child as usize)) && *child as usize != idx);
        let (left, right) = match is_leaf {
            true => (0, 0),
            false => child(left).zip(child(right)).ok_or(malformed("a child is outside the tree or before its parent"))?,
        };
        if !is_leaf && file.split_indices[idx] as usize >= n_features {
            return Err(malformed("a split is on a feature that does not exist"));
        }
        let (value, cover) = (file.split_conditions[idx], file.sum_hessian[idx]);
        if is_leaf && !value.is_finite() || !cover.is_finite() || cover < 0.0 {
            return Err(malformed("a leaf value or cover is not a finite number, or a cover is negative"));
        }
        let is_categorical = !is_leaf && file.split_type.get(idx) == Some(&1);
        nodes.push(Node {
            feature: file.split_indices[idx],
            left,
            right,
            default_left: file.default_left[idx].as_bool().unwrap_or(file.default_left[idx].as_u64() == Some(1)),
            value: file.split_conditions[idx],
            cover: file.sum_hessian[idx],
            categories: if is_categorical { Some(set.unwrap_or_default()) } else { None },
        });
    }
    let mut depth = vec![0; n_nodes];
    for idx in 0..n_nodes {
        for child in [nodes[idx].left, nodes[idx].right].into_iter().filter(|child| *child != 0) {
            depth[child as usize] = depth[idx] + 1;
            if depth[idx] >= DEPTH_LIMIT {
                return Err(malformed("it is deeper than 64 levels"));
            }
        }
    }
    Ok(nodes)
}

impl Node {
    /// Returns whether this node has no children.
    pub fn is_leaf(&self) -> bool {
        self.left == 0
    }

    /// Returns the child a value goes to.
    pub fn child(&self, value: f32) -> u32 {
        let goes_left = match &self.categories {
            _ if value.is_nan() => self.default_left,
            None => value < self.value,
            Some(set) => {
                let is_code = (0.0..4_294_967_296.0).contains(&value);
                !(is_code && set.binary_search(&(value as u32)).is_ok())
            }
        };
        if goes_left { self.left } else { self.right }
    }
}

impl Tree {
    /// Returns the leaf a row falls into.
    pub fn leaf(&self, row: &[f32]) -> usize {
        let mut idx = 0;
        while !self.nodes[idx].is_leaf() {
            idx = self.nodes[idx].child(row[self.nodes[idx].feature as usize]) as usize;
        }
        idx
    }
}

impl TreeEnsemble {
    /// Returns the number of outputs.
    pub fn n_outputs(&self) -> usize {
        self.base_margins.len()
    }

    /// Returns the margin of each output for one row of features.
    ///
    /// # Panics
    /// When `row` is shorter than the number of features.
    pub fn margins(&self, row: &[f32]) -> Vec<f32> {
        assert!(row.len() >= self.n_features, "a row has {} of {} features", row.len(), self.n_features);
        let mut margins = self.base_margins.clone();
        for tree in &self.trees {
            margins[tree.output] += tree.weight * tree.nodes[tree.leaf(row)].value;
        }
        margins
    }

    /// Returns the predictions that margins stand for.
    pub fn predictions(&self, margins: &[f32]) -> Vec<f64> {
        let margins: Vec<f64> = margins.iter().map(|margin| f64::from(*margin)).collect();
        match self.link {
            Link::Identity => margins,
            Link::Logistic => margins.iter().map(|margin| 1.0 / (1.0 + (-margin).exp())).collect(),
            Link::Exponential => margins.iter().map(|margin| margin.exp()).collect(),
            Link::Step => margins.iter().map(|margin| f64::from(*margin > 0.0)).collect(),
            Link::Softmax => {
                let largest = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let powers: Vec<f64> = margins.iter().map(|margin| (margin - largest).exp()).collect();
                let total: f64 = powers.iter().sum();
                powers.iter().map(|power| power / total).collect()
            }
            Link::ArgMax => {
                let best = (0..margins.len()).reduce(|best, idx| if margins[idx] > margins[best] { idx } else { best });
                vec![best.unwrap_or(0) as f64]
            }
        }
    }
}
