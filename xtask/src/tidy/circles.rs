//! Circles of imports: modules of one crate that need each other, directly or through others.
//!
//! A circle has no place to begin reading, and no part of it can be moved or tested alone. A module and its own children may name
//! each other: they are one thing in several files. Read as text, from `crate::` and `super::` paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module's path inside its crate; empty for the root.
type Module = Vec<String>;

/// Returns the circles of a crate, each as the sorted names of its modules.
pub(super) fn find(source: &Path) -> anyhow::Result<Vec<Vec<String>>> {
    let mut modules = BTreeMap::new();
    read(source, source, &mut modules)?;
    Ok(circles(&edges(&modules)))
}

fn read(root: &Path, folder: &Path, modules: &mut BTreeMap<Module, String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(root, &path, modules)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root)?.with_extension("");
            let mut module: Module = name
                .components()
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect();
            if module
                .last()
                .is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str()))
            {
                module.pop();
            }
            modules.insert(module, code_of(&fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

/// Returns the code without comments and without the tests at its end, which may use anything.
fn code_of(text: &str) -> String {
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns which modules each module names, but for the root, its own ancestors and its own descendants.
fn edges(modules: &BTreeMap<Module, String>) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut edges = BTreeMap::new();
    for (module, text) in modules {
        let mut named = BTreeSet::new();
        for path in paths(module, text) {
            let longest = (1..=path.len())
                .rev()
                .find(|length| modules.contains_key(&path[..*length]));
            if let Some(length) = longest {
                named.insert(path[..length].to_vec());
            }
        }
        named.retain(|other| !module.starts_with(other) && !other.starts_with(module));
        edges.insert(module.clone(), named);
    }
    edges
}

/// Returns the paths that a module's code names, from the root of the crate.
fn paths(module: &Module, text: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back();
            // `super::super::x` is found at its first word.
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let (mut base, mut rest) = (Vec::new(), &text[at..]);
            if let Some(after) = rest.strip_prefix("crate::") {
                rest = after;
            } else {
                base.clone_from(module);
                while let Some(after) = rest.strip_prefix("super::") {
                    base.pop();
                    rest = after;
                }
            }
            collect(base, rest, &mut found);
        }
    }
    found
}

/// Collects the paths of one import, whose braces may nest.
fn collect(mut base: Module, mut rest: &str, found: &mut Vec<Module>) {
    loop {
        let name: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if !name.is_empty() {
            rest = &rest[name.len()..];
            base.push(name);
            if let Some(after) = rest.strip_prefix("::") {
                rest = after;
                continue;
            }
        } else if let Some(inside) = rest.strip_prefix('{') {
            for part in parts(inside) {
                collect(base.clone(), part.trim_start(), found);
            }
            return;
        }
        found.push(base);
        return;
    }
}

/// Returns what commas divide up to the closing brace, nested braces kept together.
fn parts(inside: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&inside[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

/// Returns the groups of modules of which each reaches every other.
fn circles(edges: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<Vec<String>> {
    let reached: BTreeMap<&Module, BTreeSet<&Module>> = edges
        .keys()
        .map(|module| (module, reach(edges, module)))
        .collect();
    let mut circles = BTreeSet::new();
    for (module, others) in &reached {
        let mut group: Vec<String> = others
            .iter()
            .filter(|other| {
                reached
                    .get(*other)
                    .is_some_and(|back| back.contains(module))
            })
            .map(|other| other.join("/"))
            .collect();
        if others.contains(module) {
            group.sort();
            circles.insert(group);
        }
    }
    circles.into_iter().collect()
}

fn reach<'e>(edges: &'e BTreeMap<Module, BTreeSet<Module>>, from: &Module) -> BTreeSet<&'e Module> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        for next in edges.get(module).into_iter().flatten() {
            if found.insert(next) {
                open.push(next);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found_through_others_and_nested_braces() {
        let check = |files: &[(&str, &str)], expected: &[&[&str]]| {
            let module = |name: &str| -> Module {
                name.split('/')
                    .filter(|part| !part.is_empty())
                    .map(str::to_owned)
                    .collect()
            };
            let modules = files
                .iter()
                .map(|(name, text)| (module(name), (*text).to_owned()));
            assert_eq!(circles(&edges(&modules.collect())), expected);
        };
        check(&[("a", "use crate::b::X;"), ("b", "")], &[]);
        check(
            &[("a", "use crate::b::X;"), ("b", "crate::a::f()")],
            &[&["a", "b"]],
        );
        check(
            &[
                ("a", "use crate::{c::{d, Y}, b};"),
                ("b", "use crate::c;"),
                ("c", "use super::a;"),
            ],
            &[&["a", "b", "c"]],
        );
        check(&[("a", "mod b; use b::X;"), ("a/b", "use super::Y;")], &[]);
        check(
            &[("a/b", "use super::c::X;"), ("a/c", "use super::b::Y;")],
            &[&["a/b", "a/c"]],
        );
    }
}
