//! ARCHITECTURE.md and the lists in `docs/` against what is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Context;

use super::LADDER;

/// ARCHITECTURE.md names every crate and every module of the library crates, and nothing that is not there.
pub(super) fn check_architecture(root: &Path, problems: &mut Vec<String>) -> anyhow::Result<()> {
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
    let is_module = |word: &&str| {
        let mut crates = LADDER.iter();
        crates.any(|name| {
            word.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('/'))
        })
    };
    for word in code_words(&text).filter(is_module) {
        if !paths.contains(word) && !root.join("crates").join(word).exists() {
            problems.push(format!(
                "ARCHITECTURE.md names `{word}`, which is not there"
            ));
        }
    }
    Ok(())
}

/// Every page of `docs/` is linked from the README or another page, every link leads somewhere, and every path in code quotes exists.
pub(super) fn check_pages(root: &Path, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let mut pages = vec![root.join("README.md"), root.join("ARCHITECTURE.md")];
    let mut open = vec![root.join("docs")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    let mut linked = BTreeSet::new();
    for page in &pages {
        let text = fs::read_to_string(page).with_context(|| page.display().to_string())?;
        let name = page.strip_prefix(root)?.display().to_string();
        for target in links(&text) {
            let path = page.parent().unwrap_or(root).join(target);
            match path.canonicalize() {
                Ok(path) => {
                    linked.insert(path);
                }
                Err(_) => problems.push(format!("{name} links to `{target}`, which is not there")),
            }
        }
        for word in code_words(&text).filter(|word| word.starts_with("crates/")) {
            let path = word.split([':', ' ']).next().unwrap_or(word);
            if !root.join(path).exists() {
                problems.push(format!("{name} names `{path}`, which is not there"));
            }
        }
    }
    for page in pages.iter().skip(2) {
        if !linked.contains(&page.canonicalize()?) {
            let name = page.strip_prefix(root)?.display();
            problems.push(format!("no page links to {name}"));
        }
    }
    Ok(())
}

/// Returns what stands between single backticks, outside of blocks of code.
fn code_words(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2))
}

/// Returns the targets of links to other pages, without their anchors.
fn links(text: &str) -> Vec<&str> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let pages = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    pages
        .map(|target| target.split('#').next().unwrap_or(target))
        .collect()
}
