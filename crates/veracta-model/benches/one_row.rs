//! How long one decision waits for its explanation: exact path-dependent Shapley values of one row, 200 trees of depth 6. Run by
//! `cargo xtask bench`.
//!
//! ```text
//! cargo bench --package veracta-model --bench one_row
//! ```

use std::collections::BTreeMap;
use std::time::Instant;

use veracta_model::explanation::path_dependent::TreeExplainer;
use veracta_model::numeric::{below, generator, uniform};
use veracta_model::tree::compiled::CompiledTrees;
use veracta_model::tree::{Arithmetic, Link, Missing, Node, Test, Tree, TreeEnsemble};

const N_FEATURES: usize = 30;
const N_TREES: usize = 200;
const DEPTH: usize = 6;
const N_ROWS: usize = 20_000;

/// A whole tree: every path is six splits long.
fn tree(rng: &mut rand_chacha::ChaCha8Rng) -> Tree {
    let n_splits = (1usize << DEPTH) - 1;
    let nodes = (0..2 * n_splits + 1).map(|idx| {
        let is_leaf = idx >= n_splits;
        let test = match is_leaf {
            true => Test::Leaf,
            false => Test::AtMost {
                threshold: f64::from((uniform(rng) * 2.0 - 1.0) as f32),
                missing: Missing::NanLeft,
            },
        };
        let level = (idx + 1).ilog2();
        let (left, right) = if is_leaf {
            (0, 0)
        } else {
            (2 * idx as u32 + 1, 2 * idx as u32 + 2)
        };
        let feature = if is_leaf {
            0
        } else {
            below(rng, N_FEATURES) as u32
        };
        Node {
            feature,
            left,
            right,
            test,
            value: f64::from((uniform(rng) - 0.5) as f32),
            cover: f64::from(1 << (DEPTH as u32 - level)),
            gain: 0.0,
        }
    });
    Tree {
        nodes: nodes.collect(),
        output: 0,
        first_leaf: n_splits,
        linear: BTreeMap::new(),
    }
}

fn main() {
    let mut rng = generator(7, 0);
    let ensemble = TreeEnsemble {
        trees: (0..N_TREES).map(|_| tree(&mut rng)).collect(),
        linear: None,
        base_margins: vec![0.0],
        n_features: N_FEATURES,
        feature_names: Vec::new(),
        categories: Vec::new(),
        best_round: None,
        link: Link::Logistic { scale: 1.0 },
        arithmetic: Arithmetic::Single,
        n_averaged: None,
        n_trees_a_round: 1,
    };
    let rows: Vec<Vec<f64>> = (0..N_ROWS)
        .map(|_| {
            (0..N_FEATURES)
                .map(|_| f64::from((uniform(&mut rng) * 2.0 - 1.0) as f32))
                .collect()
        })
        .collect();
    let explainer = TreeExplainer::new(&ensemble).expect("the trees have covers and plain leaves");
    let compiled = CompiledTrees::new(&ensemble);
    for (what, run) in [
        (
            "explained",
            &(|row: &[f64]| explainer.explain(row)[0].contributions[0]) as &dyn Fn(&[f64]) -> f64,
        ),
        ("predicted", &|row: &[f64]| {
            compiled.margins(row, N_FEATURES)[0]
        }),
    ] {
        let mut kept = 0.0;
        let mut nanoseconds: Vec<u128> = rows
            .iter()
            .map(|row| {
                let begun = Instant::now();
                kept += run(row);
                begun.elapsed().as_nanos()
            })
            .collect();
        nanoseconds.sort_unstable();
        let at = |share: f64| {
            nanoseconds[(share * (nanoseconds.len() - 1) as f64) as usize] as f64 / 1e3
        };
        println!(
            "one row {what}: p50 {:.1} µs, p90 {:.1} µs, p99 {:.1} µs (checksum {kept:.3})",
            at(0.5),
            at(0.9),
            at(0.99)
        );
    }
}
