//! The ladder of crates, and which crates of others each may use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;

use super::{LADDER, SIDE_BY_SIDE};

/// What a manifest depends on, development apart.
struct Manifest {
    normal: BTreeSet<String>,
    all: BTreeSet<String>,
}

fn read(path: &Path) -> anyhow::Result<Manifest> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let (mut normal, mut all, mut section) = (BTreeSet::new(), BTreeSet::new(), String::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
            continue;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        if name.is_empty() || line.starts_with('#') {
            continue;
        }
        if section == "dependencies" {
            normal.insert(name.to_owned());
        }
        if section.ends_with("dependencies") {
            all.insert(name.to_owned());
        }
    }
    Ok(Manifest { normal, all })
}

pub(super) fn check_ladder(root: &Path, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root.join("crates"))? {
        found.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    if found != LADDER.iter().map(|name| (*name).to_owned()).collect() {
        problems.push(format!("crates/ holds {found:?}, the ladder is {LADDER:?}"));
    }
    for (position, name) in LADDER.iter().enumerate() {
        let manifest = read(&root.join("crates").join(name).join("Cargo.toml"))?;
        for (target, other) in LADDER.iter().enumerate() {
            let is_allowed = target > position && *name != SIDE_BY_SIDE;
            // Tests of a crate may use what is below it only, like the crate.
            if manifest.all.contains(*other) && !is_allowed {
                problems.push(format!("{name} uses {other}, which is not below it"));
            }
        }
    }
    Ok(())
}

/// Each crate uses what `xtask/dependencies.txt` allows it, and the list names nothing that is not used.
pub(super) fn check_outside(root: &Path, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let path = root.join("xtask/dependencies.txt");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let mut allowed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for line in lines {
        let (name, words) = line
            .split_once(':')
            .with_context(|| format!("dependencies.txt: `{line}`"))?;
        allowed.insert(name, words.split_whitespace().map(str::to_owned).collect());
    }
    for name in LADDER {
        let manifest = read(&root.join("crates").join(name).join("Cargo.toml"))?;
        let used = manifest
            .normal
            .into_iter()
            .filter(|used| !LADDER.contains(&used.as_str()));
        let used: BTreeSet<String> = used.collect();
        let listed = allowed.remove(name).unwrap_or_default();
        for new in used.difference(&listed) {
            problems.push(format!(
                "{name} uses `{new}`, which xtask/dependencies.txt does not allow it"
            ));
        }
        for gone in listed.difference(&used) {
            problems.push(format!(
                "xtask/dependencies.txt allows {name} `{gone}`, which it does not use"
            ));
        }
    }
    for name in allowed.keys() {
        problems.push(format!(
            "xtask/dependencies.txt names {name}, which is no crate"
        ));
    }
    Ok(())
}
