//! Reads LightGBM text models (`save_model`), versions 2 to 4.
//!
//! All missing types, categorical splits, linear trees, dart (its factors are in the leaves), random forests (a mean of trees),
//! several classes, one-against-all, and the objectives that change a prediction.

use std::collections::{BTreeMap, HashMap};

use crate::category::{Category, ambiguous};

use super::{
    Arithmetic, FEATURES_LIMIT, LinearLeaf, Link, MODEL_BYTES_LIMIT, Missing, Node, OUTPUTS_LIMIT,
    Test, Tree, TreeEnsemble, TreeError,
};

/// Lines `name=value` of one block, with where they stand.
struct Block<'t> {
    line: usize,
    fields: HashMap<&'t str, (usize, &'t str)>,
}

/// Reads a model saved as text; an error names the line.
pub fn read_lightgbm_text(text: &str) -> Result<TreeEnsemble, TreeError> {
    if text.len() > MODEL_BYTES_LIMIT {
        return Err(TreeError::TooLarge {
            n_bytes: text.len(),
            limit: MODEL_BYTES_LIMIT,
        });
    }
    let mut lines = text
        .lines()
        .map(str::trim_end)
        .enumerate()
        .map(|(idx, line)| (idx + 1, line));
    if lines.next().is_none_or(|(_, first)| first != "tree") {
        return Err(TreeError::Text {
            line: 1,
            reason: "the first line is not `tree`".to_owned(),
        });
    }
    let (head, blocks, is_whole) = read_blocks(lines);
    let version = head.get("version")?;
    if !matches!(version, "v2" | "v3" | "v4") {
        return Err(TreeError::Unsupported {
            what: format!("LightGBM model version `{version}`"),
        });
    }
    if !is_whole {
        return Err(TreeError::Text {
            line: text.lines().count(),
            reason: "the text stops before its line `end of trees`: the file is cut off".to_owned(),
        });
    }
    let ensemble = ensemble(&head, &blocks)?;
    let names = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("pandas_categorical:"));
    match names {
        None | Some("null" | "[]") => Ok(ensemble),
        Some(names) => {
            let declared = text
                .lines()
                .rev()
                .find_map(|line| line.strip_prefix("[categorical_feature:"));
            with_categories(ensemble, &head, names, declared)
        }
    }
}

/// Returns the head, a block a tree, and whether the text goes on to its end.
fn read_blocks<'t>(
    lines: impl Iterator<Item = (usize, &'t str)>,
) -> (Block<'t>, Vec<Block<'t>>, bool) {
    let mut head = Block {
        line: 1,
        fields: HashMap::new(),
    };
    let mut blocks: Vec<Block<'t>> = Vec::new();
    let mut is_whole = false;
    for (line, content) in lines {
        if content == "end of trees" {
            is_whole = true;
            break;
        }
        match content.split_once('=') {
            Some(("Tree", _)) => blocks.push(Block {
                line,
                fields: HashMap::new(),
            }),
            Some((name, value)) => {
                blocks
                    .last_mut()
                    .unwrap_or(&mut head)
                    .fields
                    .insert(name, (line, value));
            }
            None if content == "average_output" => {
                head.fields.insert("average_output", (line, ""));
            }
            None => {}
        }
    }
    (head, blocks, is_whole)
}

/// Gives the categorical features the names that pandas had: a list for each, in the order of the features.
fn with_categories(
    ensemble: TreeEnsemble,
    head: &Block<'_>,
    names: &str,
    declared: Option<&str>,
) -> Result<TreeEnsemble, TreeError> {
    let line = head.line_of("feature_infos");
    let refuse = |reason: &str| TreeError::Text {
        line,
        reason: reason.to_owned(),
    };
    let lists: Vec<Vec<serde_json::Value>> = serde_json::from_str(names)
        .map_err(|_| refuse("`pandas_categorical` is not a list of lists"))?;
    let infos: Vec<&str> = head.get("feature_infos")?.split(' ').collect();
    if infos.len() != ensemble.n_features {
        return Err(refuse("`feature_infos` are not as many as the features"));
    }
    // The parameters say which features are categorical; a file without them shows it by a range in brackets for a number, `none` for a
    // feature without a split.
    let parameters = declared
        .and_then(|list| list.strip_suffix(']'))
        .and_then(|list| {
            let indices = list.split(',').map(|index| index.trim().parse().ok());
            indices.collect::<Option<Vec<usize>>>()
        })
        .filter(|indices| {
            indices.len() == lists.len() && indices.iter().all(|index| *index < infos.len())
        });
    let mut positions = parameters.unwrap_or_else(|| {
        let is_categorical = |info: &str| !info.starts_with('[') && info != "none";
        (0..infos.len())
            .filter(|position| is_categorical(infos[*position]))
            .collect()
    });
    positions.sort_unstable();
    positions.dedup();
    if positions.len() != lists.len() {
        return Err(refuse(
            "`pandas_categorical` does not match the categorical features, which a file without its parameters does not tell apart",
        ));
    }
    let mut categories = vec![None; infos.len()];
    for (position, list) in positions.into_iter().zip(lists) {
        let list: Vec<Category> = list.into_iter().map(Category::of_json).collect();
        if let Some(name) = ambiguous(&list) {
            return Err(TreeError::Unsupported {
                what: format!(
                    "feature `{}` with a category `{name}` both as a word and as a number or truth value, which data does not tell apart,",
                    ensemble.feature_names[position]
                ),
            });
        }
        categories[position] = Some(list);
    }
    Ok(TreeEnsemble {
        categories,
        ..ensemble
    })
}

fn ensemble(head: &Block<'_>, blocks: &[Block<'_>]) -> Result<TreeEnsemble, TreeError> {
    let n_features = head.number::<usize>("max_feature_idx")?.saturating_add(1);
    let n_outputs = head.number::<usize>("num_tree_per_iteration")?;
    if n_features > FEATURES_LIMIT || n_outputs > OUTPUTS_LIMIT || n_outputs == 0 {
        return Err(TreeError::Unsupported {
            what: format!("{n_features} features and {n_outputs} outputs"),
        });
    }
    let feature_names: Vec<String> = head
        .get("feature_names")?
        .split(' ')
        .map(str::to_owned)
        .collect();
    if feature_names.len() != n_features {
        let reason = format!(
            "{} feature names for {n_features} features",
            feature_names.len()
        );
        return Err(TreeError::Text {
            line: head.line,
            reason,
        });
    }
    let link = objective(head.fields.get("objective").map_or("", |(_, value)| value))?;
    let mut trees = Vec::with_capacity(blocks.len());
    for (tree_idx, block) in blocks.iter().enumerate() {
        trees.push(
            read_tree(block, tree_idx, n_features)?
                .with_output(tree_idx % n_outputs)
                .checked(tree_idx, n_features)?,
        );
    }
    let is_averaged = head.fields.contains_key("average_output") && !trees.is_empty();
    let n_averaged = is_averaged.then(|| (trees.len() / n_outputs).max(1) as f64);
    Ok(TreeEnsemble {
        trees,
        linear: None,
        base_margins: vec![0.0; n_outputs],
        n_features,
        feature_names,
        categories: Vec::new(),
        best_round: None,
        link,
        arithmetic: Arithmetic::Double,
        n_averaged,
        n_trees_a_round: n_outputs,
    })
}

/// Returns the link of an objective line, such as `binary sigmoid:1`.
fn objective(line: &str) -> Result<Link, TreeError> {
    let mut words = line.split(' ');
    let name = words.next().unwrap_or_default();
    let setting = |wanted: &str| {
        line.split(' ')
            .find_map(|word| word.strip_prefix(wanted))
            .and_then(|text| text.parse::<f64>().ok())
    };
    Ok(match name {
        "binary" | "multiclassova" => Link::Logistic {
            scale: setting("sigmoid:").unwrap_or(1.0),
        },
        "cross_entropy" => Link::Logistic { scale: 1.0 },
        "cross_entropy_lambda" => Link::SoftPlus,
        "multiclass" => Link::Softmax,
        "poisson" | "gamma" | "tweedie" => Link::Exponential,
        "regression" if words.any(|word| word == "sqrt") => Link::SignedSquare,
        "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" | "lambdarank"
        | "rank_xendcg" | "custom" | "" => Link::Identity,
        name => {
            return Err(TreeError::Unsupported {
                what: format!("objective `{name}`"),
            });
        }
    })
}

impl<'t> Block<'t> {
    fn get(&self, name: &str) -> Result<&'t str, TreeError> {
        let found = self.fields.get(name).map(|(_, value)| *value);
        found.ok_or_else(|| TreeError::Text {
            line: self.line,
            reason: format!("`{name}` is missing from the block that begins here"),
        })
    }

    fn number<N: std::str::FromStr>(&self, name: &str) -> Result<N, TreeError> {
        let reason = || format!("`{name}` is not a number");
        self.get(name)?.trim().parse().map_err(|_| TreeError::Text {
            line: self.line_of(name),
            reason: reason(),
        })
    }

    fn line_of(&self, name: &str) -> usize {
        self.fields.get(name).map_or(self.line, |(line, _)| *line)
    }

    /// Returns a list of exactly `n` numbers.
    fn numbers<N: std::str::FromStr>(&self, name: &str, n: usize) -> Result<Vec<N>, TreeError> {
        let error = |reason: String| TreeError::Text {
            line: self.line_of(name),
            reason,
        };
        let words = self.get(name)?.split(' ').filter(|word| !word.is_empty());
        let numbers = words
            .map(str::parse)
            .collect::<Result<Vec<N>, _>>()
            .map_err(|_| error(format!("`{name}` holds something else than numbers")))?;
        if numbers.len() != n {
            return Err(error(format!(
                "`{name}` has {} values, {n} are needed",
                numbers.len()
            )));
        }
        Ok(numbers)
    }
}

impl Tree {
    fn with_output(self, output: usize) -> Self {
        Self { output, ..self }
    }
}

fn read_tree(block: &Block<'_>, tree_idx: usize, n_features: usize) -> Result<Tree, TreeError> {
    let n_leaves = block.number::<usize>("num_leaves")?;
    if n_leaves == 0 || n_leaves > 1 << 24 {
        return Err(TreeError::Malformed {
            tree_idx,
            reason: "its number of leaves is 0 or over 2^24",
        });
    }
    let n_splits = n_leaves - 1;
    let values = block.numbers::<f64>("leaf_value", n_leaves)?;
    // A tree of one leaf, and files of before version 3, may leave the counts out.
    let counts = if block.fields.contains_key("leaf_count") {
        block.numbers::<f64>("leaf_count", n_leaves)?
    } else {
        vec![0.0; n_leaves]
    };
    let mut nodes = if n_splits > 0 {
        read_splits(block, tree_idx, n_splits)?
    } else {
        Vec::new()
    };
    for (value, cover) in values.iter().zip(counts) {
        nodes.push(Node {
            feature: 0,
            left: 0,
            right: 0,
            test: Test::Leaf,
            value: *value,
            cover,
            gain: 0.0,
        });
    }
    let mut linear = if block
        .fields
        .get("is_linear")
        .is_some_and(|(_, value)| *value == "1")
    {
        read_linear(block, n_leaves, n_splits, n_features)?
    } else {
        BTreeMap::new()
    };
    // A linear leaf without terms is a plain one, of its constant and not of the value beside it.
    linear.retain(|leaf, function| {
        if function.terms.is_empty() {
            nodes[*leaf].value = function.constant;
        }
        !function.terms.is_empty()
    });
    Ok(Tree {
        nodes,
        output: 0,
        first_leaf: n_splits,
        linear,
    })
}

/// Reads the splits, whose numbers are node positions; leaf l is ~l in the file and stands at `n_splits + l` here.
fn read_splits(
    block: &Block<'_>,
    tree_idx: usize,
    n_splits: usize,
) -> Result<Vec<Node>, TreeError> {
    let malformed = |reason| TreeError::Malformed { tree_idx, reason };
    let features = block.numbers::<u32>("split_feature", n_splits)?;
    let thresholds = block.numbers::<f64>("threshold", n_splits)?;
    let decisions = block.numbers::<u8>("decision_type", n_splits)?;
    let (left, right) = (
        block.numbers::<i64>("left_child", n_splits)?,
        block.numbers::<i64>("right_child", n_splits)?,
    );
    let covers = block.numbers::<f64>("internal_count", n_splits)?;
    let gains = block.numbers::<f64>("split_gain", n_splits)?;
    let n_sets = block
        .fields
        .get("num_cat")
        .map_or(Ok(0), |(_, value)| value.parse::<usize>())
        .unwrap_or(0);
    let sets = if n_sets > 0 {
        read_sets(block, tree_idx, n_sets)?
    } else {
        Vec::new()
    };
    let place = |child: i64| {
        if child < 0 {
            (!child).checked_add(n_splits as i64).unwrap_or(-1)
        } else {
            child
        }
    };
    let mut nodes = Vec::with_capacity(n_splits);
    for idx in 0..n_splits {
        let child = |child: i64| {
            u32::try_from(place(child)).map_err(|_| malformed("a child is outside the tree"))
        };
        let decision = decisions[idx];
        let test = if decision & 1 == 1 {
            let set = sets
                .get(thresholds[idx] as usize)
                .ok_or_else(|| malformed("a category set does not exist"))?;
            Test::InSet {
                categories: set.clone(),
                hit_left: true,
                nan_left: false,
            }
        } else {
            Test::AtMost {
                threshold: thresholds[idx],
                missing: missing(decision).ok_or_else(|| malformed("an unknown missing type"))?,
            }
        };
        nodes.push(Node {
            feature: features[idx],
            left: child(left[idx])?,
            right: child(right[idx])?,
            test,
            value: 0.0,
            cover: covers[idx],
            gain: gains[idx],
        });
    }
    Ok(nodes)
}

/// Returns what a split takes for missing: bit 1 of the decision is the default direction, bits 2 and 3 the type.
fn missing(decision: u8) -> Option<Missing> {
    let default_left = decision & 2 != 0;
    Some(match (decision >> 2 & 3, default_left) {
        (0, _) => Missing::NanIsZero,
        (1, true) => Missing::ZeroLeft,
        (1, false) => Missing::ZeroRight,
        (2, true) => Missing::NanLeft,
        (2, false) => Missing::NanRight,
        _ => return None,
    })
}

fn read_sets(
    block: &Block<'_>,
    tree_idx: usize,
    n_sets: usize,
) -> Result<Vec<Box<[u32]>>, TreeError> {
    let malformed = |reason| TreeError::Malformed { tree_idx, reason };
    let bounds = block.numbers::<usize>("cat_boundaries", n_sets.saturating_add(1))?;
    let n_words = bounds.last().copied().unwrap_or(0);
    let words = block.numbers::<u32>("cat_threshold", n_words)?;
    let set = |pair: &[usize]| {
        let bits = words
            .get(pair[0]..pair[1])
            .ok_or_else(|| malformed("a category set is outside its array"))?;
        let members = bits.iter().enumerate().flat_map(|(word, bits)| {
            (0..32u32)
                .filter(move |bit| bits >> bit & 1 == 1)
                .map(move |bit| word as u32 * 32 + bit)
        });
        Ok(members.collect())
    };
    bounds.windows(2).map(set).collect()
}

fn read_linear(
    block: &Block<'_>,
    n_leaves: usize,
    n_splits: usize,
    n_features: usize,
) -> Result<BTreeMap<usize, LinearLeaf>, TreeError> {
    let constants = block.numbers::<f64>("leaf_const", n_leaves)?;
    let lengths = block.numbers::<usize>("num_features", n_leaves)?;
    let n_terms = lengths
        .iter()
        .try_fold(0usize, |total, length| total.checked_add(*length))
        .unwrap_or(usize::MAX);
    let features = block.numbers::<u32>("leaf_features", n_terms)?;
    let coefficients = block.numbers::<f64>("leaf_coeff", n_terms)?;
    let (mut leaves, mut start) = (BTreeMap::new(), 0);
    for (leaf, (constant, length)) in constants.into_iter().zip(lengths).enumerate() {
        let end = start + length;
        let terms: Vec<(u32, f64)> = features[start..end]
            .iter()
            .copied()
            .zip(coefficients[start..end].iter().copied())
            .collect();
        let is_finite = constant.is_finite()
            && terms
                .iter()
                .all(|(feature, b)| b.is_finite() && (*feature as usize) < n_features);
        if !is_finite {
            return Err(TreeError::Text {
                line: block.line_of("leaf_coeff"),
                reason: format!("leaf {leaf} is not a finite linear function"),
            });
        }
        leaves.insert(n_splits + leaf, LinearLeaf { constant, terms });
        start = end;
    }
    Ok(leaves)
}
