//! Reads XGBoost model files, JSON and UBJSON, of any version since 1.0.
//!
//! `gbtree`, `dart` and `gblinear`; several outputs, parallel trees, categorical splits. Vector leaves and unknown objectives are
//! refused by name. A split `value < t` over 32-bit numbers is stored as `value <= t'`, t' being the 32-bit number before t.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::{Number, Value};

use super::xgboost_categories::{CategoriesFile, categories};
use super::{
    Arithmetic, FEATURES_LIMIT, LinearBooster, Link, MODEL_BYTES_LIMIT, Missing, Node,
    OUTPUTS_LIMIT, Test, Tree, TreeEnsemble, TreeError,
};

/// Most bytes of a UBJSON file. A number of 4 bytes takes 32 in memory while it is read: 2 GiB in all.
const UBJSON_BYTES_LIMIT: usize = 1 << 28;
/// Deepest nesting of a UBJSON value; a model nests 8 levels.
const UBJSON_DEPTH_LIMIT: usize = 64;

#[derive(Deserialize)]
struct ModelFile {
    learner: Learner,
    /// Major, minor and patch.
    #[serde(default)]
    version: Vec<u32>,
}

#[derive(Deserialize)]
struct Learner {
    gradient_booster: Booster,
    learner_model_param: LearnerParam,
    objective: Objective,
    #[serde(default)]
    feature_names: Vec<String>,
    #[serde(default)]
    attributes: HashMap<String, String>,
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
    model: Option<BoosterModel>,
    #[serde(default)]
    gbtree: Option<Box<Booster>>,
    #[serde(default)]
    weight_drop: Option<Vec<f32>>,
}

#[derive(Deserialize)]
struct BoosterModel {
    #[serde(default)]
    trees: Option<Vec<TreeFile>>,
    #[serde(default)]
    tree_info: Option<Vec<usize>>,
    #[serde(default)]
    gbtree_model_param: Option<ForestParam>,
    #[serde(default)]
    cats: Option<CategoriesFile>,
    /// Of `gblinear`: coefficients and then intercepts.
    #[serde(default)]
    weights: Option<Vec<f32>>,
}

#[derive(Deserialize)]
struct ForestParam {
    #[serde(default)]
    num_parallel_tree: Option<String>,
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
    loss_changes: Vec<f32>,
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

fn unsupported(what: String) -> TreeError {
    TreeError::Unsupported { what }
}

/// Reads a model saved as JSON.
pub fn read_xgboost_json(bytes: &[u8]) -> Result<TreeEnsemble, TreeError> {
    if bytes.len() > MODEL_BYTES_LIMIT {
        return Err(TreeError::TooLarge {
            n_bytes: bytes.len(),
            limit: MODEL_BYTES_LIMIT,
        });
    }
    ensemble(serde_json::from_slice(bytes)?)
}

/// Reads a model saved as UBJSON, XGBoost's default.
pub fn read_xgboost_ubjson(bytes: &[u8]) -> Result<TreeEnsemble, TreeError> {
    if bytes.len() > UBJSON_BYTES_LIMIT {
        return Err(TreeError::TooLarge {
            n_bytes: bytes.len(),
            limit: UBJSON_BYTES_LIMIT,
        });
    }
    let mut reader = Ubjson { bytes, position: 0 };
    let marker = reader.marker()?;
    let value = reader.value(marker, 0)?;
    ensemble(serde_json::from_value(value)?)
}

fn ensemble(ModelFile { learner, version }: ModelFile) -> Result<TreeEnsemble, TreeError> {
    let (model, weight_drop) = booster_model(learner.gradient_booster)?;
    let param = &learner.learner_model_param;
    let (n_features, n_outputs) = sizes(param, learner.feature_names.len())?;
    let (link, margin_of) = objective(&learner.objective.name)?;
    let base_margins = base_margins(&param.base_score, margin_of, n_outputs)?;
    let n_parallel = model
        .gbtree_model_param
        .as_ref()
        .and_then(|param| param.num_parallel_tree.as_deref())
        .map_or(Ok(1), number)?;
    let categories = categories(model.cats.as_ref(), n_features, &version)?;
    let (trees, linear) = match (model.trees, model.weights) {
        (Some(files), _) => (
            read_trees(
                &files,
                model.tree_info.as_deref(),
                weight_drop.as_deref(),
                n_features,
                n_outputs,
            )?,
            None,
        ),
        (None, Some(weights)) => (
            Vec::new(),
            Some(linear_booster(weights, n_features, n_outputs)?),
        ),
        (None, None) => return Err(unsupported("a booster without trees or weights".to_owned())),
    };
    Ok(TreeEnsemble {
        trees,
        linear,
        base_margins,
        n_features,
        feature_names: learner.feature_names,
        categories,
        best_round: learner
            .attributes
            .get("best_iteration")
            .and_then(|round| round.parse().ok()),
        link,
        arithmetic: Arithmetic::Single,
        n_averaged: None,
        n_trees_a_round: n_outputs * n_parallel.max(1),
    })
}

/// Returns the model inside a booster and, of `dart`, the weight of each tree.
fn booster_model(booster: Booster) -> Result<(BoosterModel, Option<Vec<f32>>), TreeError> {
    let (model, weight_drop) = match (booster.name.as_str(), booster.gbtree) {
        ("gbtree" | "gblinear", _) => (booster.model, None),
        ("dart", Some(inner)) => (inner.model, booster.weight_drop),
        (name, _) => return Err(unsupported(format!("booster `{name}`"))),
    };
    match model {
        Some(model) => Ok((model, weight_drop)),
        None => Err(unsupported("a booster without a model".to_owned())),
    }
}

/// Reads a parameter, which XGBoost writes as text.
fn number(text: &str) -> Result<usize, TreeError> {
    text.parse::<usize>()
        .map_err(|_| unsupported(format!("parameter `{text}`")))
}

/// Returns how many features and outputs a model has, both within the limits.
fn sizes(param: &LearnerParam, n_names: usize) -> Result<(usize, usize), TreeError> {
    let n_targets = param.num_target.as_deref().map_or(Ok(1), number)?;
    // XGBoost writes 0 classes for every objective but those of several classes.
    let n_outputs = number(&param.num_class)?.max(n_targets).max(1);
    let n_features = number(&param.num_feature)?;
    if n_outputs > OUTPUTS_LIMIT {
        return Err(unsupported(format!("{n_outputs} outputs")));
    }
    if n_features > FEATURES_LIMIT {
        return Err(unsupported(format!("{n_features} features")));
    }
    if n_names != 0 && n_names != n_features {
        return Err(unsupported(format!(
            "{n_names} feature names for {n_features} features"
        )));
    }
    Ok((n_features, n_outputs))
}

/// Turns a base score into a margin.
type MarginOf = fn(f32) -> f32;

/// Returns the link of an objective and how its base score becomes a margin, in 32-bit steps.
fn objective(name: &str) -> Result<(Link, MarginOf), TreeError> {
    let logit: MarginOf = |p| -(1.0 / p - 1.0).ln();
    let same: MarginOf = |margin| margin;
    Ok(match name {
        "binary:logistic" | "reg:logistic" => (Link::Logistic { scale: 1.0 }, logit),
        "binary:logitraw" => (Link::Identity, same),
        "binary:hinge" => (Link::Step, same),
        "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" => {
            (Link::Exponential, f32::ln)
        }
        // Accelerated failure time predicts exp(margin), and its base score is a time.
        "survival:aft" => (Link::Exponential, f32::ln),
        "multi:softprob" => (Link::Softmax, same),
        "multi:softmax" => (Link::ArgMax, same),
        "reg:squarederror"
        | "reg:squaredlogerror"
        | "reg:absoluteerror"
        | "reg:pseudohubererror"
        | "reg:quantileerror" => (Link::Identity, same),
        name if name.starts_with("rank:") => (Link::Identity, same),
        name => return Err(unsupported(format!("objective `{name}`"))),
    })
}

/// Reads a base score, a number or since XGBoost 3.1 a list of one number an output, into margins.
fn base_margins(text: &str, margin_of: MarginOf, n_outputs: usize) -> Result<Vec<f64>, TreeError> {
    let refuse = || unsupported(format!("base score `{text}`"));
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let scores = inner.split(',').map(|number| number.trim().parse::<f32>());
    let margins = scores
        .map(|score| score.map(|score| f64::from(margin_of(score))))
        .collect::<Result<Vec<f64>, _>>();
    let margins = margins.map_err(|_| refuse())?;
    if margins.iter().any(|margin| !margin.is_finite()) {
        return Err(refuse());
    }
    match margins[..] {
        [only] => Ok(vec![only; n_outputs]),
        _ if margins.len() == n_outputs => Ok(margins),
        _ => Err(unsupported(format!(
            "{} base scores for {n_outputs} outputs",
            margins.len()
        ))),
    }
}

fn linear_booster(
    mut weights: Vec<f32>,
    n_features: usize,
    n_outputs: usize,
) -> Result<LinearBooster, TreeError> {
    if weights.len() != (n_features + 1) * n_outputs
        || weights.iter().any(|weight| !weight.is_finite())
    {
        return Err(unsupported(format!(
            "{} weights for {n_features} features and {n_outputs} outputs",
            weights.len()
        )));
    }
    let intercepts = weights.split_off(n_features * n_outputs);
    Ok(LinearBooster {
        weights,
        intercepts,
    })
}

fn read_trees(
    files: &[TreeFile],
    info: Option<&[usize]>,
    weight_drop: Option<&[f32]>,
    n_features: usize,
    n_outputs: usize,
) -> Result<Vec<Tree>, TreeError> {
    let mut trees = Vec::with_capacity(files.len());
    for (tree_idx, file) in files.iter().enumerate() {
        let malformed = |reason| TreeError::Malformed { tree_idx, reason };
        let output = info
            .and_then(|info| info.get(tree_idx))
            .copied()
            .unwrap_or(0);
        if output >= n_outputs {
            return Err(malformed("its output does not exist"));
        }
        let weight = match weight_drop {
            Some(weights) => *weights
                .get(tree_idx)
                .ok_or_else(|| malformed("it has no weight"))?,
            None => 1.0,
        };
        let nodes = read_nodes(file, tree_idx, weight)?;
        trees.push(
            Tree {
                nodes,
                output,
                first_leaf: 0,
                linear: BTreeMap::new(),
            }
            .checked(tree_idx, n_features)?,
        );
    }
    Ok(trees)
}

fn read_nodes(file: &TreeFile, tree_idx: usize, weight: f32) -> Result<Vec<Node>, TreeError> {
    let malformed = |reason| TreeError::Malformed { tree_idx, reason };
    if file
        .tree_param
        .size_leaf_vector
        .as_deref()
        .is_some_and(|size| !matches!(size, "0" | "1"))
    {
        return Err(unsupported("a tree with vector leaves".to_owned()));
    }
    let n_nodes = file.left_children.len();
    let lengths = [
        file.right_children.len(),
        file.split_indices.len(),
        file.split_conditions.len(),
        file.default_left.len(),
        file.sum_hessian.len(),
    ];
    if n_nodes == 0 || lengths.iter().any(|length| *length != n_nodes) {
        return Err(malformed("its arrays differ in length or are empty"));
    }
    let sets = category_sets(file, n_nodes)
        .ok_or_else(|| malformed("a category set is outside its arrays"))?;
    sets.into_iter()
        .enumerate()
        .map(|(idx, set)| {
            file.node(idx, set, weight)
                .ok_or_else(|| malformed("a child is outside the tree"))
        })
        .collect()
}

impl TreeFile {
    /// Returns a node, its leaf value times the weight of the tree; `None` when a child is not a position.
    fn node(&self, idx: usize, set: Option<Box<[u32]>>, weight: f32) -> Option<Node> {
        let condition = self.split_conditions[idx];
        let cover = f64::from(self.sum_hessian[idx]);
        let gain = self.loss_changes.get(idx).copied().map_or(0.0, f64::from);
        if self.left_children[idx] == -1 {
            return Some(Node {
                // What a leaf has there means nothing.
                feature: 0,
                left: 0,
                right: 0,
                test: Test::Leaf,
                value: f64::from(condition * weight),
                cover,
                gain,
            });
        }
        // A truth value in some versions, 0 or 1 in others.
        let default_left = self.default_left[idx]
            .as_bool()
            .unwrap_or(self.default_left[idx].as_u64() == Some(1));
        let test = match self.split_type.get(idx) {
            Some(1) => Test::InSet {
                categories: set.unwrap_or_default(),
                hit_left: false,
                nan_left: default_left,
            },
            Some(_) | None => Test::AtMost {
                threshold: f64::from(condition.next_down()),
                missing: if default_left {
                    Missing::NanLeft
                } else {
                    Missing::NanRight
                },
            },
        };
        Some(Node {
            feature: self.split_indices[idx],
            left: u32::try_from(self.left_children[idx]).ok()?,
            right: u32::try_from(self.right_children[idx]).ok()?,
            test,
            value: 0.0,
            cover,
            gain,
        })
    }
}

/// Returns the sorted category set of each node that has one; `None` when a set lies outside its arrays.
fn category_sets(file: &TreeFile, n_nodes: usize) -> Option<Vec<Option<Box<[u32]>>>> {
    let mut sets: Vec<Option<Box<[u32]>>> = vec![None; n_nodes];
    for (position, node) in file.categories_nodes.iter().enumerate() {
        let start = *file.categories_segments.get(position)?;
        let end = start.checked_add(*file.categories_sizes.get(position)?)?;
        let mut set = file.categories.get(start..end)?.to_vec();
        set.sort_unstable();
        *sets.get_mut(*node)? = Some(set.into_boxed_slice());
    }
    Some(sets)
}

/// Reads UBJSON (draft 12) into a JSON value: what XGBoost writes, with typed arrays.
struct Ubjson<'b> {
    bytes: &'b [u8],
    position: usize,
}

impl Ubjson<'_> {
    fn error(&self, reason: &'static str) -> TreeError {
        TreeError::Ubjson {
            position: self.position,
            reason,
        }
    }

    fn take(&mut self, n_bytes: usize) -> Result<&[u8], TreeError> {
        let end = self
            .position
            .checked_add(n_bytes)
            .filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return Err(self.error("the file ends inside a value"));
        };
        let taken = &self.bytes[self.position..end];
        self.position = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], TreeError> {
        Ok(self.take(N)?.try_into().expect("as many bytes were taken"))
    }

    fn marker(&mut self) -> Result<u8, TreeError> {
        Ok(self.take(1)?[0])
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    fn integer(&mut self, marker: u8) -> Result<i64, TreeError> {
        Ok(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.array()?)),
            b'U' => i64::from(self.array::<1>()?[0]),
            b'I' => i64::from(i16::from_be_bytes(self.array()?)),
            b'l' => i64::from(i32::from_be_bytes(self.array()?)),
            b'L' => i64::from_be_bytes(self.array()?),
            _ => return Err(self.error("not a length")),
        })
    }

    fn length(&mut self) -> Result<usize, TreeError> {
        let marker = self.marker()?;
        let length = self.integer(marker)?;
        usize::try_from(length).map_err(|_| self.error("a length is negative"))
    }

    fn text(&mut self) -> Result<String, TreeError> {
        let length = self.length()?;
        let bytes = self.take(length)?.to_vec();
        String::from_utf8(bytes).map_err(|_| self.error("text is not UTF-8"))
    }

    fn float(&self, value: f64) -> Value {
        Number::from_f64(value).map_or(Value::Null, Value::Number)
    }

    fn value(&mut self, marker: u8, depth: usize) -> Result<Value, TreeError> {
        if depth > UBJSON_DEPTH_LIMIT {
            return Err(self.error("values are nested deeper than 64 levels"));
        }
        Ok(match marker {
            b'Z' => Value::Null,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            b'i' | b'U' | b'I' | b'l' | b'L' => Value::Number(self.integer(marker)?.into()),
            b'd' => {
                let value = f32::from_be_bytes(self.array()?);
                self.float(f64::from(value))
            }
            b'D' => {
                let value = f64::from_be_bytes(self.array()?);
                self.float(value)
            }
            b'C' => Value::String(char::from(self.marker()?).to_string()),
            b'S' => Value::String(self.text()?),
            b'[' => self.list(depth)?,
            b'{' => self.object(depth)?,
            _ => return Err(self.error("an unknown type of value")),
        })
    }

    /// Reads the optional type and count of a container.
    fn container_head(&mut self) -> Result<(Option<u8>, Option<usize>), TreeError> {
        let mut kind = None;
        if self.peek() == Some(b'$') {
            self.position += 1;
            kind = Some(self.marker()?);
        }
        if self.peek() == Some(b'#') {
            self.position += 1;
            let count = self.length()?;
            // Every typed item but null, true and false takes a byte at least; those three are not used as array types.
            if count > self.bytes.len() - self.position || matches!(kind, Some(b'Z' | b'T' | b'F'))
            {
                return Err(self.error("a container claims more items than the file holds"));
            }
            return Ok((kind, Some(count)));
        }
        if kind.is_some() {
            return Err(self.error("a typed container has no count"));
        }
        Ok((None, None))
    }

    fn list(&mut self, depth: usize) -> Result<Value, TreeError> {
        let (kind, count) = self.container_head()?;
        let mut items = Vec::new();
        loop {
            match count {
                Some(count) if items.len() == count => break,
                None if self.peek() == Some(b']') => {
                    self.position += 1;
                    break;
                }
                _ => {}
            }
            let marker = match kind {
                Some(kind) => kind,
                None => self.marker()?,
            };
            items.push(self.value(marker, depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    fn object(&mut self, depth: usize) -> Result<Value, TreeError> {
        let (kind, count) = self.container_head()?;
        let mut fields = serde_json::Map::new();
        let mut n_read = 0;
        loop {
            match count {
                Some(count) if n_read == count => break,
                None if self.peek() == Some(b'}') => {
                    self.position += 1;
                    break;
                }
                _ => {}
            }
            let name = self.text()?;
            let marker = match kind {
                Some(kind) => kind,
                None => self.marker()?,
            };
            let value = self.value(marker, depth + 1)?;
            fields.insert(name, value);
            n_read += 1;
        }
        Ok(Value::Object(fields))
    }
}
