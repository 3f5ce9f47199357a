//! The operators `TreeEnsembleClassifier`, `TreeEnsembleRegressor` and `TreeEnsemble` of `ai.onnx.ml`, over [`TreeEnsemble`].
//!
//! A leaf may hold a weight for each class: such a tree becomes one tree a class. How two classes are told apart when only one has
//! weights is as ONNX Runtime does it.

use std::collections::{BTreeMap, HashMap};

use super::attributes::Attributes;
use super::linear::ClassLabels;
use super::post_transform::PostTransform;
use super::tensor::{Elements, Tensor};
use super::{OnnxError, refuse};
use crate::tree::compiled::CompiledTrees;
use crate::tree::{Arithmetic, Link, Missing, Node, Test, Tree, TreeEnsemble};

/// Most nodes of all trees, after trees of several classes were parted.
const NODES_MAX: usize = 1 << 26;

/// How scores of two classes come from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binary {
    /// Weights are probabilities: the other class has the rest.
    Share,
    /// Weights are margins: the other class has the opposite.
    Margin,
}

/// A tree operator: sums of trees, and what makes scores and labels of them.
#[derive(Debug, Clone)]
pub(super) struct OnnxTrees {
    ensemble: TreeEnsemble,
    post_transform: PostTransform,
    labels: Option<ClassLabels>,
    binary: Option<Binary>,
}

/// A split as the file has it.
struct Split {
    feature: i64,
    mode: Mode,
    value: f64,
    missing_true: bool,
    children: [Child; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    AtMost,
    Below,
    AtLeast,
    Above,
    Equal,
    NotEqual,
}

/// A child: a split or a leaf by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Child {
    Split(usize),
    Leaf(usize),
}

/// Place of a leaf among the nodes, and its position in the file.
type LeafPlace = (usize, usize);

/// Trees as the file has them.
struct Forest {
    splits: Vec<Split>,
    /// For each leaf its (output, weight).
    leaves: Vec<Vec<(usize, f64)>>,
    roots: Vec<Child>,
}

impl OnnxTrees {
    /// Reads a `TreeEnsembleClassifier` (versions 1 to 5).
    pub(super) fn classifier(attributes: &Attributes<'_>) -> Result<Self, OnnxError> {
        let labels = ClassLabels::read(attributes, "classlabels_strings", "classlabels_int64s")?
            .ok_or_else(|| refuse(attributes, "has no class labels"))?;
        let n_classes = labels.len();
        let ids = attributes.ints("class_ids");
        let weights = attributes.numbers("class_weights")?;
        let forest = Forest::by_identifiers(
            attributes,
            ["class_treeids", "class_nodeids"],
            ids,
            &weights,
            n_classes,
        )?;
        let has_one_score = n_classes == 2 && ids.iter().all(|id| *id == 0);
        let n_outputs = if has_one_score { 1 } else { n_classes };
        let base = attributes.numbers("base_values")?;
        let base_margins = match (base.len(), has_one_score) {
            (0, _) => vec![0.0; n_outputs],
            (1, true) => base,
            (2, true) => vec![base[1]],
            (n, false) if n == n_classes => base,
            (n, _) => {
                return Err(refuse(
                    attributes,
                    &format!("has {n} base values for {n_classes} classes"),
                ));
            }
        };
        let is_share = weights.iter().all(|weight| *weight >= 0.0);
        let binary = has_one_score.then_some(if is_share {
            Binary::Share
        } else {
            Binary::Margin
        });
        let post_transform = attributes.post_transform()?;
        let ensemble = forest.ensemble(attributes, base_margins, None)?;
        Ok(Self {
            ensemble,
            post_transform,
            labels: Some(labels),
            binary,
        })
    }

    /// Reads a `TreeEnsembleRegressor` (versions 1 to 5).
    pub(super) fn regressor(attributes: &Attributes<'_>) -> Result<Self, OnnxError> {
        let n_targets = attributes.count("n_targets")?;
        let (ids, weights) = (
            attributes.ints("target_ids"),
            attributes.numbers("target_weights")?,
        );
        let forest = Forest::by_identifiers(
            attributes,
            ["target_treeids", "target_nodeids"],
            ids,
            &weights,
            n_targets,
        )?;
        let averaged = match attributes.text("aggregate_function")?.as_deref() {
            None | Some("SUM") => None,
            Some("AVERAGE") => Some(forest.roots.len() as f64),
            Some(other) => {
                return Err(refuse(
                    attributes,
                    &format!("aggregates by {other}, which is not supported"),
                ));
            }
        };
        Self::targets(attributes, &forest, n_targets, averaged)
    }

    /// Reads a `TreeEnsemble` (version 5).
    pub(super) fn ensemble(attributes: &Attributes<'_>) -> Result<Self, OnnxError> {
        let n_targets = attributes.count("n_targets")?;
        let forest = Forest::by_positions(attributes, n_targets)?;
        let averaged = match attributes.int("aggregate_function").unwrap_or(1) {
            1 => None,
            0 => Some(forest.roots.len() as f64),
            other => {
                return Err(refuse(
                    attributes,
                    &format!("aggregates by function {other}, which is not supported"),
                ));
            }
        };
        Self::targets(attributes, &forest, n_targets, averaged)
    }

    fn targets(
        attributes: &Attributes<'_>,
        forest: &Forest,
        n_targets: usize,
        averaged: Option<f64>,
    ) -> Result<Self, OnnxError> {
        let base = attributes.numbers("base_values")?;
        let base_margins = match base.len() {
            0 => vec![0.0; n_targets],
            n if n == n_targets => base,
            n => {
                return Err(refuse(
                    attributes,
                    &format!("has {n} base values for {n_targets} targets"),
                ));
            }
        };
        if averaged.is_some() && base_margins.iter().any(|base| *base != 0.0) {
            return Err(refuse(
                attributes,
                "averages trees and has base values, which is not supported",
            ));
        }
        let ensemble = forest.ensemble(attributes, base_margins, averaged)?;
        Ok(Self {
            ensemble,
            post_transform: attributes.post_transform()?,
            labels: None,
            binary: None,
        })
    }

    /// Returns how many features a row needs.
    pub(super) fn n_features(&self) -> usize {
        self.ensemble.n_features
    }

    /// Returns names of the classes; empty of a regression.
    pub(super) fn class_names(&self) -> Vec<String> {
        self.labels
            .as_ref()
            .map(ClassLabels::names)
            .unwrap_or_default()
    }

    /// Returns labels, when there are classes, and scores of each row.
    pub(super) fn run(&self, input: &Tensor) -> Result<Vec<Tensor>, String> {
        let (n_rows, n_columns) = input.rows_and_columns();
        if n_columns < self.ensemble.n_features {
            return Err(format!(
                "splits on feature {}, and a row has {n_columns}",
                self.ensemble.n_features - 1
            ));
        }
        let values = match &input.elements {
            Elements::Float(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Elements::Double(values) => values.clone(),
            Elements::Int(values) => values.iter().map(|value| *value as f64).collect(),
            Elements::Text(_) | Elements::Bool(_) => {
                return Err("splits on text or truth values".to_owned());
            }
        };
        let n_outputs = self.ensemble.n_outputs();
        let margins: Vec<f64> = CompiledTrees::new(&self.ensemble).margins(&values, n_columns);
        let averaged = self.ensemble.n_averaged.unwrap_or(1.0);
        let margins: Vec<f64> = margins.iter().map(|margin| margin / averaged).collect();
        let (mut scores, mut picked) = (
            Vec::with_capacity(margins.len()),
            Vec::with_capacity(n_rows),
        );
        for row in margins.chunks(n_outputs) {
            picked.push(self.pick(row));
            match self.binary {
                Some(Binary::Share) => scores.extend([1.0 - row[0], row[0]]),
                Some(Binary::Margin) => {
                    scores.extend(self.post_transform.apply(&[-row[0], row[0]]))
                }
                None => scores.extend(self.post_transform.apply(row)),
            }
        }
        let width = scores.len() / n_rows.max(1);
        let scores = match self.ensemble.arithmetic {
            Arithmetic::Double if self.labels.is_none() => Elements::Double(scores),
            _ => Elements::Float(scores.iter().map(|score| *score as f32).collect()),
        };
        let scores = Tensor {
            shape: vec![n_rows, width],
            elements: scores,
        };
        Ok(match &self.labels {
            Some(labels) => vec![
                Tensor {
                    shape: vec![n_rows],
                    elements: labels.gather(&picked),
                },
                scores,
            ],
            None => vec![scores],
        })
    }

    /// Returns the position of the class that a row's margins choose.
    fn pick(&self, row: &[f64]) -> usize {
        match self.binary {
            Some(Binary::Share) => usize::from(row[0] > 0.5),
            Some(Binary::Margin) => usize::from(row[0] > 0.0),
            None => (0..row.len())
                .reduce(|best, idx| if row[idx] > row[best] { idx } else { best })
                .unwrap_or(0),
        }
    }

    /// Returns the ensemble when its links say all about this operator: of two classes that of the second alone.
    pub(super) fn plain(&self) -> Option<TreeEnsemble> {
        let mut ensemble = self.ensemble.clone();
        let is_pair = self.labels.as_ref().is_some_and(|labels| labels.len() == 2);
        if self.binary.is_none() && is_pair && self.post_transform != PostTransform::Softmax {
            ensemble.trees.retain(|tree| tree.output == 1);
            ensemble.trees.iter_mut().for_each(|tree| tree.output = 0);
            ensemble.base_margins.remove(0);
            ensemble.n_trees_a_round = 1;
        }
        ensemble.link = match (self.binary, self.post_transform) {
            (Some(Binary::Share), _) | (_, PostTransform::None) => Link::Identity,
            (_, PostTransform::Logistic) => Link::Logistic { scale: 1.0 },
            (None, PostTransform::Softmax) => Link::Softmax,
            _ => return None,
        };
        Some(ensemble)
    }
}

impl Forest {
    /// Gathers the trees of a classifier or regressor, whose nodes are named by tree and node identifiers.
    fn by_identifiers(
        attributes: &Attributes<'_>,
        [trees_of_weights, nodes_of_weights]: [&'static str; 2],
        outputs: &[i64],
        weights: &[f64],
        n_outputs: usize,
    ) -> Result<Self, OnnxError> {
        let nodes = NamedNodes::read(attributes)?;
        let places = nodes.places(attributes)?;
        let keys = [
            attributes.ints(trees_of_weights),
            attributes.ints(nodes_of_weights),
        ];
        let leaves = weights_of(attributes, &places, keys, outputs, weights, n_outputs)?;
        let (mut splits, keys) = nodes.blank_splits(attributes)?;
        let is_child = nodes.join(attributes, &places, &keys, &mut splits)?;
        let roots = nodes.roots(attributes, &is_child)?;
        Ok(Self {
            splits,
            leaves,
            roots: roots.iter().map(|place| keys[*place]).collect(),
        })
    }

    /// Gathers the trees of a `TreeEnsemble`, whose nodes are named by their positions.
    fn by_positions(attributes: &Attributes<'_>, n_targets: usize) -> Result<Self, OnnxError> {
        let (targets, weights) = (
            attributes.ints("leaf_targetids"),
            attributes.numbers("leaf_weights")?,
        );
        let splits = splits_by_position(attributes, [targets.len(), weights.len()])?;
        let target = |target: &i64| {
            usize::try_from(*target)
                .ok()
                .filter(|target| *target < n_targets)
        };
        let leaves = targets
            .iter()
            .zip(&weights)
            .map(|(id, weight)| Some(vec![(target(id)?, *weight)]));
        let leaves = leaves
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| refuse(attributes, "has a leaf of a target that does not exist"))?;
        let roots = attributes.ints("tree_roots").iter().map(|root| {
            let root = usize::try_from(*root).ok()?;
            let [yes, no] = splits.get(root)?.children;
            // A tree of one leaf is written as a split whose children are that leaf.
            Some(if yes == no { yes } else { Child::Split(root) })
        });
        let roots = roots
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| refuse(attributes, "has a root that does not exist"))?;
        Ok(Self {
            splits,
            leaves,
            roots,
        })
    }

    /// Makes the ensemble; a tree with weights of several outputs becomes a tree for each.
    fn ensemble(
        &self,
        attributes: &Attributes<'_>,
        base_margins: Vec<f64>,
        n_averaged: Option<f64>,
    ) -> Result<TreeEnsemble, OnnxError> {
        let n_outputs = base_margins.len();
        let n_features = self.n_features(attributes)?;
        let is_double = attributes.has_any(&["nodes_values_as_tensor", "nodes_splits"])
            && attributes.is_double(&["nodes_values_as_tensor", "nodes_splits"]);
        let (mut trees, mut n_nodes) = (Vec::new(), 0);
        for root in &self.roots {
            let (nodes, leaves) = self.lay_out(attributes, *root, is_double)?;
            let of_outputs = self.by_output(&nodes, &leaves, &mut n_nodes);
            let of_outputs = of_outputs
                .ok_or_else(|| refuse(attributes, &format!("has more than {NODES_MAX} nodes")))?;
            for tree in of_outputs {
                trees.push(tree.checked(trees.len(), n_features)?);
            }
        }
        Ok(TreeEnsemble {
            trees,
            linear: None,
            base_margins,
            n_features,
            feature_names: Vec::new(),
            categories: Vec::new(),
            best_round: None,
            link: Link::Identity,
            arithmetic: if is_double {
                Arithmetic::Double
            } else {
                Arithmetic::Single
            },
            n_averaged,
            n_trees_a_round: n_outputs,
        })
    }

    /// Returns one more than the highest feature that a split names: files do not say how many features there are.
    fn n_features(&self, attributes: &Attributes<'_>) -> Result<usize, OnnxError> {
        let highest = self
            .splits
            .iter()
            .map(|split| split.feature)
            .max()
            .unwrap_or(0);
        let highest = usize::try_from(highest)
            .ok()
            .filter(|feature| *feature < crate::tree::FEATURES_LIMIT)
            .ok_or_else(|| refuse(attributes, "splits on a feature beyond the limit"))?;
        if self.splits.iter().any(|split| split.feature < 0) {
            return Err(refuse(attributes, "splits on a negative feature"));
        }
        Ok(highest + 1)
    }

    /// Makes of one tree a tree for each output that its leaves have weights of. Adds its nodes to `n_nodes`; `None` when they are
    /// then more than [`NODES_MAX`].
    fn by_output(
        &self,
        nodes: &[Node],
        leaves: &[LeafPlace],
        n_nodes: &mut usize,
    ) -> Option<Vec<Tree>> {
        let mut outputs: Vec<usize> = leaves
            .iter()
            .flat_map(|leaf| self.leaves[leaf.1].iter().map(|(output, _)| *output))
            .collect();
        outputs.sort_unstable();
        outputs.dedup();
        *n_nodes += nodes.len() * outputs.len();
        if *n_nodes > NODES_MAX {
            return None;
        }
        let first_leaf = leaves.iter().map(|(place, _)| *place).min().unwrap_or(0);
        let tree_of = |output: usize| {
            let mut nodes = nodes.to_vec();
            for (place, leaf) in leaves {
                nodes[*place].value = self.leaves[*leaf]
                    .iter()
                    .filter(|(of, _)| *of == output)
                    .map(|(_, weight)| weight)
                    .sum();
            }
            Tree {
                nodes,
                output,
                first_leaf,
                linear: BTreeMap::new(),
            }
        };
        Some(outputs.into_iter().map(tree_of).collect())
    }

    /// Lays a tree out with parents before children; also gives the place of each leaf. Files hold no training weight of a node:
    /// covers are 0.
    fn lay_out(
        &self,
        attributes: &Attributes<'_>,
        root: Child,
        is_double: bool,
    ) -> Result<(Vec<Node>, Vec<LeafPlace>), OnnxError> {
        let blank = || Node {
            feature: 0,
            left: 0,
            right: 0,
            test: Test::Leaf,
            value: 0.0,
            cover: 0.0,
            gain: 0.0,
        };
        let (mut nodes, mut leaves, mut open) = (vec![blank()], Vec::new(), vec![(root, 0usize)]);
        while let Some((child, place)) = open.pop() {
            match child {
                Child::Leaf(leaf) => leaves.push((place, leaf)),
                Child::Split(split) => {
                    // A tree has each split once: more nodes than splits and leaves mean shared parts or a cycle.
                    if nodes.len() > 2 * self.splits.len() + 1 {
                        return Err(refuse(attributes, "has a node with two parents"));
                    }
                    let split = &self.splits[split];
                    let left = nodes.len();
                    nodes.extend([blank(), blank()]);
                    let (test, is_swapped) = split.test(is_double);
                    nodes[place] = Node {
                        feature: split.feature as u32,
                        left: left as u32,
                        right: left as u32 + 1,
                        test,
                        ..blank()
                    };
                    let [yes, no] = split.children;
                    let (first, second) = if is_swapped { (no, yes) } else { (yes, no) };
                    open.extend([(second, left + 1), (first, left)]);
                }
            }
        }
        Ok((nodes, leaves))
    }
}

/// Reads the splits of a `TreeEnsemble`; `n_leaves` counts the targets and the weights of its leaves, which must be as many.
fn splits_by_position(
    attributes: &Attributes<'_>,
    n_leaves: [usize; 2],
) -> Result<Vec<Split>, OnnxError> {
    let features = attributes.ints("nodes_featureids");
    let (values, modes) = (
        attributes.numbers("nodes_splits")?,
        attributes.numbers("nodes_modes")?,
    );
    let (if_true, if_false) = (
        attributes.ints("nodes_truenodeids"),
        attributes.ints("nodes_falsenodeids"),
    );
    let (true_leafs, false_leafs) = (
        attributes.ints("nodes_trueleafs"),
        attributes.ints("nodes_falseleafs"),
    );
    let tracks = attributes.ints("nodes_missing_value_tracks_true");
    let n = features.len();
    let lengths = [
        values.len(),
        modes.len(),
        if_true.len(),
        if_false.len(),
        true_leafs.len(),
        false_leafs.len(),
    ];
    if n == 0 || lengths.iter().any(|length| *length != n) || n_leaves[0] != n_leaves[1] {
        return Err(refuse(
            attributes,
            "has lists of nodes or leaves of different lengths, or none",
        ));
    }
    let child = |position: i64, is_leaf: bool| match usize::try_from(position) {
        Ok(position) if is_leaf && position < n_leaves[0] => Some(Child::Leaf(position)),
        Ok(position) if !is_leaf && position < n => Some(Child::Split(position)),
        _ => None,
    };
    let mut splits = Vec::with_capacity(n);
    for idx in 0..n {
        let mode = Mode::numbered(modes[idx]).ok_or_else(|| {
            refuse(
                attributes,
                &format!("has a node of mode {}, which is not supported", modes[idx]),
            )
        })?;
        let children = (
            child(if_true[idx], true_leafs[idx] != 0),
            child(if_false[idx], false_leafs[idx] != 0),
        );
        let (Some(yes), Some(no)) = children else {
            return Err(refuse(
                attributes,
                &format!("has a child of node {idx} that does not exist"),
            ));
        };
        splits.push(Split {
            feature: features[idx],
            mode,
            value: values[idx],
            missing_true: tracks.get(idx).is_some_and(|track| *track != 0),
            children: [yes, no],
        });
    }
    Ok(splits)
}

/// Position of each node in the lists of a file, by the identifiers of its tree and of itself.
type Places = HashMap<(i64, i64), usize>;

/// The nodes of a classifier or regressor as the file lists them: position i of each list is of the same node.
struct NamedNodes<'n> {
    trees: &'n [i64],
    nodes: &'n [i64],
    modes: Vec<String>,
    features: &'n [i64],
    values: Vec<f64>,
    if_true: &'n [i64],
    if_false: &'n [i64],
    /// Whether a missing value passes the comparison; empty when none does.
    tracks: &'n [i64],
}

impl<'n> NamedNodes<'n> {
    fn read(attributes: &Attributes<'n>) -> Result<Self, OnnxError> {
        let found = Self {
            trees: attributes.ints("nodes_treeids"),
            nodes: attributes.ints("nodes_nodeids"),
            modes: attributes.texts("nodes_modes")?,
            features: attributes.ints("nodes_featureids"),
            values: attributes.numbers("nodes_values")?,
            if_true: attributes.ints("nodes_truenodeids"),
            if_false: attributes.ints("nodes_falsenodeids"),
            tracks: attributes.ints("nodes_missing_value_tracks_true"),
        };
        let n = found.trees.len();
        let lengths = [
            found.nodes.len(),
            found.modes.len(),
            found.features.len(),
            found.values.len(),
            found.if_true.len(),
            found.if_false.len(),
        ];
        if n == 0
            || lengths.iter().any(|length| *length != n)
            || !(found.tracks.is_empty() || found.tracks.len() == n)
        {
            return Err(refuse(
                attributes,
                "has lists of nodes of different lengths, or none",
            ));
        }
        Ok(found)
    }

    fn places(&self, attributes: &Attributes<'_>) -> Result<Places, OnnxError> {
        let mut places = HashMap::with_capacity(self.trees.len());
        let keys = self.trees.iter().copied().zip(self.nodes.iter().copied());
        for (place, key) in keys.enumerate() {
            if places.insert(key, place).is_some() {
                return Err(refuse(
                    attributes,
                    &format!("has node {} of tree {} twice", key.1, key.0),
                ));
            }
        }
        Ok(places)
    }

    /// Returns splits of which only the comparison is known, and what each node is.
    fn blank_splits(
        &self,
        attributes: &Attributes<'_>,
    ) -> Result<(Vec<Split>, Vec<Child>), OnnxError> {
        let mut splits = Vec::new();
        let mut keys = Vec::with_capacity(self.modes.len());
        for mode in &self.modes {
            if mode == "LEAF" {
                keys.push(Child::Leaf(keys.len()));
                continue;
            }
            keys.push(Child::Split(splits.len()));
            let mode = Mode::named(mode).ok_or_else(|| {
                refuse(
                    attributes,
                    &format!("has a node of mode {mode}, which is not supported"),
                )
            })?;
            splits.push(Split {
                feature: 0,
                mode,
                value: 0.0,
                missing_true: false,
                children: [Child::Leaf(0); 2],
            });
        }
        Ok((splits, keys))
    }

    /// Gives each split its feature, value and children; returns which nodes are the child of another.
    fn join(
        &self,
        attributes: &Attributes<'_>,
        places: &Places,
        keys: &[Child],
        splits: &mut [Split],
    ) -> Result<Vec<bool>, OnnxError> {
        let mut is_child = vec![false; keys.len()];
        for (place, key) in keys.iter().enumerate() {
            let Child::Split(split) = key else { continue };
            let child = |node: i64| places.get(&(self.trees[place], node)).copied();
            let (Some(yes), Some(no)) = (child(self.if_true[place]), child(self.if_false[place]))
            else {
                return Err(refuse(
                    attributes,
                    &format!(
                        "has a child of node {} of tree {} that does not exist",
                        self.nodes[place], self.trees[place]
                    ),
                ));
            };
            (is_child[yes], is_child[no]) = (true, true);
            let split = &mut splits[*split];
            (split.feature, split.value) = (self.features[place], self.values[place]);
            (split.missing_true, split.children) = (
                self.tracks.get(place).is_some_and(|track| *track != 0),
                [keys[yes], keys[no]],
            );
        }
        Ok(is_child)
    }

    /// Returns the position of the root of each tree, trees in the order in which their roots are listed.
    fn roots(
        &self,
        attributes: &Attributes<'_>,
        is_child: &[bool],
    ) -> Result<Vec<usize>, OnnxError> {
        let mut roots: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        let mut order: Vec<i64> = Vec::new();
        for place in (0..is_child.len()).filter(|place| !is_child[*place]) {
            let of_tree = roots.entry(self.trees[place]).or_default();
            if of_tree.is_empty() {
                order.push(self.trees[place]);
            }
            of_tree.push(place);
        }
        if let Some((tree, _)) = roots.iter().find(|(_, places)| places.len() != 1) {
            return Err(refuse(
                attributes,
                &format!("has several roots in tree {tree}"),
            ));
        }
        Ok(order.iter().map(|tree| roots[tree][0]).collect())
    }
}

/// Returns for each node the (output, weight) that it holds.
fn weights_of(
    attributes: &Attributes<'_>,
    places: &HashMap<(i64, i64), usize>,
    [trees, nodes]: [&[i64]; 2],
    outputs: &[i64],
    weights: &[f64],
    n_outputs: usize,
) -> Result<Vec<Vec<(usize, f64)>>, OnnxError> {
    if [nodes.len(), outputs.len(), weights.len()]
        .iter()
        .any(|length| *length != trees.len())
    {
        return Err(refuse(
            attributes,
            "has lists of weights of different lengths",
        ));
    }
    let mut leaves: Vec<Vec<(usize, f64)>> = vec![Vec::new(); places.len()];
    for (idx, weight) in weights.iter().enumerate() {
        let place = places.get(&(trees[idx], nodes[idx]));
        let output = usize::try_from(outputs[idx])
            .ok()
            .filter(|output| *output < n_outputs);
        let (Some(place), Some(output)) = (place, output) else {
            return Err(refuse(
                attributes,
                "has a weight of a node or class that does not exist",
            ));
        };
        leaves[*place].push((output, *weight));
    }
    Ok(leaves)
}

impl Split {
    /// Returns the test and whether a value that passes the file's comparison goes right.
    fn test(&self, is_double: bool) -> (Test, bool) {
        let below = if is_double {
            self.value.next_down()
        } else {
            f64::from((self.value as f32).next_down())
        };
        let (threshold, is_swapped) = match self.mode {
            Mode::AtMost => (self.value, false),
            Mode::Below => (below, false),
            Mode::AtLeast => (below, true),
            Mode::Above => (self.value, true),
            Mode::Equal => {
                return (
                    Test::Equal {
                        value: self.value,
                        nan_left: self.missing_true,
                    },
                    false,
                );
            }
            // A missing value is not equal to anything, whatever the file says of missing values.
            Mode::NotEqual => {
                return (
                    Test::Equal {
                        value: self.value,
                        nan_left: false,
                    },
                    true,
                );
            }
        };
        // A missing value passes where the file says so, and else compares false.
        let missing = if self.missing_true != is_swapped {
            Missing::NanLeft
        } else {
            Missing::NanRight
        };
        (Test::AtMost { threshold, missing }, is_swapped)
    }
}

impl Mode {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "BRANCH_LEQ" => Self::AtMost,
            "BRANCH_LT" => Self::Below,
            "BRANCH_GTE" => Self::AtLeast,
            "BRANCH_GT" => Self::Above,
            "BRANCH_EQ" => Self::Equal,
            "BRANCH_NEQ" => Self::NotEqual,
            _ => return None,
        })
    }

    fn numbered(number: f64) -> Option<Self> {
        let modes = [
            Self::AtMost,
            Self::Below,
            Self::AtLeast,
            Self::Above,
            Self::Equal,
            Self::NotEqual,
        ];
        modes
            .get(number as usize)
            .copied()
            .filter(|_| number >= 0.0)
    }
}
