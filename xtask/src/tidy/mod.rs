//! Rules of the house that no lint knows: the ladder of crates, module heads, budgets, names, and a true ARCHITECTURE.md.

mod circles;
mod dependencies;
mod documents;
mod functions;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The ladder: a crate may use anything below it. The ledger and the measuring crates do not know each other.
const LADDER: [&str; 11] = [
    "veracta",
    "veracta-server",
    "veracta-lifecycle",
    "veracta-tracking",
    "veracta-store",
    "veracta-documents",
    "veracta-governance",
    "veracta-ledger",
    "veracta-statistics",
    "veracta-model",
    "veracta-data",
];
/// The crate that stands beside the measuring crates.
const SIDE_BY_SIDE: &str = "veracta-ledger";
/// Files that wait for an asynchronous library.
const WAITS: [&str; 4] = [
    "veracta-store/src/blob.rs",
    "veracta-store/src/backup.rs",
    "veracta-store/src/transfer.rs",
    "veracta-store/src/tree.rs",
];
const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;
/// Most functions over the budget, of a thousand.
const LONG_PER_MILLE: usize = 10;
const FORBIDDEN_NAMES: [&str; 7] = [
    "common", "core", "utils", "util", "helpers", "types", "misc",
];

/// Checks everything and lists all that is wrong.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    let files = rust_files(root)?;
    dependencies::check_ladder(root, &mut problems)?;
    dependencies::check_outside(root, &mut problems)?;
    check_async(&files, &mut problems)?;
    let budgets = Budgets::read(root)?;
    check_files(root, &files, &budgets, &mut problems)?;
    check_circles(root, &mut problems)?;
    documents::check_architecture(root, &mut problems)?;
    documents::check_pages(root, &mut problems)?;
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

/// Asynchronous code exists in the server and in the command line, nowhere else: no function, no block, and nothing that waits for one
/// but the store's object stores, whose library is asynchronous.
fn check_async(files: &[PathBuf], problems: &mut Vec<String>) -> anyhow::Result<()> {
    for path in files {
        let name = path.to_string_lossy();
        let is_rim = name.contains("veracta-server") || name.contains("/veracta/");
        if is_rim || name.contains("xtask") || name.contains("test-services") {
            continue;
        }
        let waits_for_objects = WAITS.iter().any(|file| name.ends_with(file));
        let text = fs::read_to_string(path)?;
        for (line, content) in text.lines().enumerate() {
            let code = content.split("//").next().unwrap_or_default();
            for word in ["async fn ", "async {", "async move", ".await", "block_on("] {
                if code.contains(word) && !waits_for_objects {
                    let line = line + 1;
                    problems.push(format!("{name}:{line}: `{word}` outside the rim"));
                }
            }
        }
    }
    Ok(())
}

/// Modules of one crate do not import each other, but for the circles in `xtask/circles.txt`, which may only shrink.
fn check_circles(root: &Path, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let path = root.join("xtask/circles.txt");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let mut listed: BTreeSet<String> = lines.map(str::to_owned).collect();
    for name in LADDER {
        for circle in circles::find(&root.join("crates").join(name).join("src"))? {
            let circle = format!("{name}: {}", circle.join(" "));
            if !listed.remove(&circle) {
                problems.push(format!("modules import each other: {circle}"));
            }
        }
    }
    for gone in listed {
        problems.push(format!(
            "xtask/circles.txt lists `{gone}`, which is no circle any more"
        ));
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
    let (mut used, mut n_functions) = (BTreeSet::new(), 0);
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
        // The folder of a `mod.rs` is a name as well.
        let folder = path.parent().and_then(Path::file_name);
        let folder = folder.unwrap_or_default().to_string_lossy().into_owned();
        let named = if stem == "mod" { &folder } else { &stem };
        if FORBIDDEN_NAMES.contains(&named.as_str()) {
            problems.push(format!("{name}: `{named}` says nothing"));
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
        for (function, n_lines) in functions::lengths(&text) {
            n_functions += 1;
            problems.extend(budgets.judge(
                &format!("{name}::{function}"),
                n_lines,
                FUNCTION_LINES,
                &mut used,
            ));
        }
    }
    let long = budgets.0.keys().filter(|name| name.contains("::"));
    let n_long = long.count();
    if n_long * 1_000 > n_functions * LONG_PER_MILLE {
        problems.push(format!(
            "{n_long} of {n_functions} functions are over {FUNCTION_LINES} lines; at most {LONG_PER_MILLE} of 1,000 may be"
        ));
    }
    let gone = budgets.0.keys().filter(|name| !used.contains(*name));
    problems.extend(gone.map(|name| format!("{name}: listed in xtask/budgets.txt and not there")));
    Ok(())
}
