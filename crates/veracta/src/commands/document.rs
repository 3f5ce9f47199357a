//! `veracta document`: a document from the evidence as it stands.

use std::path::Path;

use anyhow::{Context, bail};
use veracta_documents::{DOCUMENT_KINDS, DocumentKind};
use veracta_lifecycle::documents::{DocumentFormat, document, render};
use veracta_lifecycle::registry::resolve_model;

use crate::args::{Args, Format};
use crate::output::{Answer, print, tell};

pub(super) fn execute(
    args: &Args,
    reference: &str,
    kind: &str,
    output: Option<&Path>,
) -> anyhow::Result<Answer> {
    let Some(kind) = DocumentKind::named(kind) else {
        let known: Vec<&str> = DOCUMENT_KINDS.iter().map(|kind| kind.id()).collect();
        bail!("unknown document `{kind}`; there are {}", known.join(", "));
    };
    let platform = super::platform(args)?;
    let (item, _) = resolve_model(&platform.store, reference)?;
    let format = match args.format {
        Format::Html => DocumentFormat::Html,
        Format::Json => DocumentFormat::Json,
        Format::Md | Format::Human => DocumentFormat::Markdown,
    };
    let document = document(&platform.store, item.idx, kind)?;
    let bytes = render(&document, format)?;
    match output {
        Some(path) => {
            std::fs::write(path, bytes)
                .with_context(|| format!("`{}` cannot be written", path.display()))?;
            tell(&format!(
                "wrote {} ({} gaps, {} records)",
                path.display(),
                document.n_gaps,
                document.sources.len()
            ));
        }
        None => print(&String::from_utf8_lossy(&bytes))?,
    }
    Ok(Answer::Yes)
}
