//! Names of columns in a pipeline file against the columns that the data has.

use serde_saphyr::Spanned;

use super::did_you_mean;
use super::spec::PipelineFile;
use crate::{LifecycleError, Problem};

/// A name with its place in the file and what it is to be.
struct Named<'f> {
    name: &'f str,
    place: (usize, usize),
    what: &'static str,
}

/// Refuses names in the pipeline file that the data does not have, each with its place.
pub(super) fn check_columns(file: &PipelineFile, columns: &[String]) -> Result<(), LifecycleError> {
    let problem = |named: Named<'_>| {
        let known = columns.iter().map(String::as_str);
        let hint = did_you_mean(named.name, known)
            .unwrap_or_else(|| format!("the data has {}", columns.join(", ")));
        Problem {
            file: file.path.display().to_string(),
            line: named.place.0,
            column: named.place.1,
            message: format!(
                "{} `{}` is not a column of the data",
                named.what, named.name
            ),
            hint: Some(hint),
        }
    };
    let groups = file.spec.validation_plan().groups;
    let named = names_with_place(file).into_iter();
    let named = named.chain(names_without_place(file, groups.iter().flatten()));
    let unknown = named.filter(|named| !columns.iter().any(|column| column == named.name));
    let problems: Vec<Problem> = unknown.map(problem).collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(LifecycleError::Spec(problems))
}

fn names_with_place(file: &PipelineFile) -> Vec<Named<'_>> {
    let spec = &file.spec;
    let data = &spec.data;
    let lists: [(&'static str, Vec<&Spanned<String>>); 7] = [
        ("label", vec![&data.label.column]),
        ("identifier", data.identifiers.iter().collect()),
        ("subject", data.subject.iter().collect()),
        ("protected attribute", data.protected.iter().collect()),
        ("cluster", spec.validation.clusters.iter().collect()),
        ("time", spec.split.time.iter().collect()),
        ("column of parts", spec.split.column.iter().collect()),
    ];
    let mut named = Vec::new();
    for (what, names) in lists {
        for name in names {
            let place = name.referenced;
            named.push(Named {
                name: &name.value,
                place: (place.line() as usize, place.column() as usize),
                what,
            });
        }
    }
    named
}

fn names_without_place<'f>(
    file: &'f PipelineFile,
    groups: impl Iterator<Item = &'f String>,
) -> Vec<Named<'f>> {
    let data = &file.spec.data;
    let lists: [(&'static str, Vec<&'f String>); 6] = [
        ("dropped column", data.drop.keys().collect()),
        ("typed column", data.types.keys().collect()),
        ("special category", data.special_categories.iter().collect()),
        ("personal column", data.personal.iter().flatten().collect()),
        ("kept input", file.spec.minimisation.keep.keys().collect()),
        ("group attribute", groups.collect()),
    ];
    let named = lists.into_iter().flat_map(|(what, names)| {
        names.into_iter().map(move |name| Named {
            name,
            place: find_text(&file.text, name),
            what,
        })
    });
    named.collect()
}

/// Returns line and column of the first occurrence of a word, for names in places that carry no location of their own.
fn find_text(text: &str, word: &str) -> (usize, usize) {
    let mut lines = text.lines().enumerate();
    let found = lines.find_map(|(line, content)| Some((line + 1, content.find(word)? + 1)));
    found.unwrap_or((0, 0))
}
