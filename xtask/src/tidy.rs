//! Rules of the house that no lint knows: the ladder of crates, module heads, budgets, names, and a true ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The ladder: a crate may use anything to its right. The last two do not know each other.
const LADDER: [&str; 7] = [
    "veracta",
    "veracta-server",
    "veracta-lifecycle",
    "veracta-store",
    "veracta-governance",
    "veracta-ledger",
    "veracta-ml",
];
const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;
const FORBIDDEN_NAMES: [&str; 7] = [
    "common", "core", "utils", "util", "helpers", "types", "misc",
];

/// Checks everything and lists all that is wrong.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    let files = rust_files(root)?;
    check_ladder(root, &mut problems)?;
    check_async(&files, &mut problems)?;
    let budgets = Budgets::read(root)?;
    check_files(root, &files, &budgets, &mut problems)?;
    check_architecture(root, &mut problems)?;
    if !problems.is_empty() {
        bail!(
            "{} things are not tidy:\n  {}",
            problems.len(),
            problems.join("\n  ")
        );
    }
    Ok(())
}

fn rust_files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut folders, mut files) = (
        vec![
            root.join("crates"),
            root.join("xtask"),
            root.join("test-services"),
            root.join("fuzz"),
        ],
        Vec::new(),
    );
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            if path.is_dir() && name != "target" && name != "fixtures" && name != "corpus" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Returns the workspace crates that a manifest depends on, development included.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let lines = manifest.lines().map(str::trim_start);
    let names = lines.filter_map(|line| {
        line.split(['.', ' ', '='])
            .next()
            .filter(|name| LADDER.contains(name))
    });
    let is_name = manifest
        .lines()
        .find_map(|line| line.strip_prefix("name = \""))
        .map(|name| name.trim_end_matches('"').to_owned());
    names
        .map(str::to_owned)
        .filter(|name| Some(name) != is_name.as_ref())
        .collect()
}

fn check_ladder(root: &Path, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root.join("crates"))? {
        found.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    if found != LADDER.iter().map(|name| (*name).to_owned()).collect() {
        problems.push(format!("crates/ holds {found:?}, the ladder is {LADDER:?}"));
    }
    for (position, name) in LADDER.iter().enumerate() {
        let path = root.join("crates").join(name).join("Cargo.toml");
        let manifest = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        for dependency in dependencies(&manifest) {
            let target = LADDER
                .iter()
                .position(|other| *other == dependency)
                .unwrap_or(0);
            let is_sibling = position >= 5 && target >= 5;
            if target <= position || is_sibling {
                problems.push(format!("{name} uses {dependency}, which is not below it"));
            }
        }
    }
    Ok(())
}

/// `async fn` exists in the server and in `main`, nowhere else.
fn check_async(files: &[PathBuf], problems: &mut Vec<String>) -> anyhow::Result<()> {
    for path in files {
        let text = path.to_string_lossy();
        let is_rim = text.contains("veracta-server") || text.contains("/veracta/src/");
        if !is_rim && !text.contains("xtask") && fs::read_to_string(path)?.contains("async fn ") {
            problems.push(format!("{text}: `async fn` outside the rim"));
        }
    }
    Ok(())
}

/// Files and functions over the budget, with how long they may be; the list may only shrink.
struct Budgets(BTreeMap<String, usize>);

impl Budgets {
    fn read(root: &Path) -> anyhow::Result<Self> {
        let path = root.join("xtask/budgets.txt");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let entries = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
            .map(|line| {
                let (lines, name) = line
                    .split_once(' ')
                    .with_context(|| format!("budgets.txt: `{line}`"))?;
                Ok((name.to_owned(), lines.parse()?))
            });
        Ok(Self(entries.collect::<anyhow::Result<_>>()?))
    }

    fn judge(
        &self,
        name: &str,
        n_lines: usize,
        limit: usize,
        used: &mut BTreeSet<String>,
    ) -> Option<String> {
        match self.0.get(name) {
            None if n_lines > limit => {
                Some(format!("{name}: {n_lines} lines, the budget is {limit}"))
            }
            None => None,
            Some(allowed) => {
                used.insert(name.to_owned());
                match n_lines {
                    n if n <= limit => Some(format!(
                        "{name}: {n} lines fit the budget now; remove it from xtask/budgets.txt"
                    )),
                    n if n > *allowed => Some(format!(
                        "{name}: {n} lines, more than the {allowed} listed; the list may only shrink"
                    )),
                    n if n < *allowed => Some(format!(
                        "{name}: {n} lines now; lower the {allowed} in xtask/budgets.txt"
                    )),
                    _ => None,
                }
            }
        }
    }
}

fn check_files(
    root: &Path,
    files: &[PathBuf],
    budgets: &Budgets,
    problems: &mut Vec<String>,
) -> anyhow::Result<()> {
    let mut used = BTreeSet::new();
    for path in files {
        let name = path.strip_prefix(root)?.display().to_string();
        let text = fs::read_to_string(path)?;
        if !text.starts_with("//!") && !text.starts_with("#![") {
            problems.push(format!(
                "{name}: does not begin with what it is for (`//!`)"
            ));
        }
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if FORBIDDEN_NAMES.contains(&stem.as_str()) {
            problems.push(format!("{name}: `{stem}` says nothing"));
        }
        if [concat!("#[", "allow("), concat!("#[", "ignore")]
            .iter()
            .any(|word| text.contains(word))
        {
            problems.push(format!(
                "{name}: `allow` or `ignore`; write `expect` with a reason, or mend it"
            ));
        }
        problems.extend(budgets.judge(&name, text.lines().count(), FILE_LINES, &mut used));
        for (function, n_lines) in function_lengths(&text) {
            problems.extend(budgets.judge(
                &format!("{name}::{function}"),
                n_lines,
                FUNCTION_LINES,
                &mut used,
            ));
        }
    }
    let gone = budgets.0.keys().filter(|name| !used.contains(*name));
    problems.extend(gone.map(|name| format!("{name}: listed in xtask/budgets.txt and not there")));
    Ok(())
}

/// Returns the length of each function, by indentation: formatted code closes a function where it began.
fn function_lengths(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut lengths = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let head = line.trim_start();
        let is_head = [
            "fn ",
            "pub fn ",
            "pub(crate) fn ",
            "pub(super) fn ",
            "async fn ",
            "pub async fn ",
            "const fn ",
            "pub const fn ",
        ]
        .iter()
        .any(|prefix| head.starts_with(prefix));
        if !is_head || head.ends_with(';') {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let Some(length) = lines[start..].iter().position(|line| *line == close) else {
            continue;
        };
        let name = head.split("fn ").nth(1).unwrap_or_default();
        let name: String = name
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        lengths.push((name, length + 1));
    }
    lengths
}

/// ARCHITECTURE.md names every crate and every module of the library crates, and nothing that is not there.
fn check_architecture(root: &Path, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    let mut paths = BTreeSet::new();
    for name in LADDER {
        let source = root.join("crates").join(name).join("src");
        for entry in fs::read_dir(&source)? {
            let path = entry?.path();
            let stem = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let is_code = path.is_dir() && path.join("mod.rs").exists()
                || path.extension().is_some_and(|extension| extension == "rs");
            if is_code && stem != "lib" && stem != "main" {
                paths.insert(format!("{name}/{stem}"));
            }
        }
    }
    for path in &paths {
        if !text.contains(&format!("`{path}`")) {
            problems.push(format!("ARCHITECTURE.md does not name `{path}`"));
        }
    }
    let named = text.split('`').skip(1).step_by(2).filter(|word| {
        LADDER.iter().any(|name| {
            word.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('/'))
        })
    });
    for word in
        named.filter(|word| !paths.contains(*word) && !root.join("crates").join(word).exists())
    {
        problems.push(format!(
            "ARCHITECTURE.md names `{word}`, which is not there"
        ));
    }
    Ok(())
}
