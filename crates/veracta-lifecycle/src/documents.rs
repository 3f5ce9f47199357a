//! Documents on request: gathered anew from the evidence as it stands.

use veracta_documents::{Document, DocumentKind, gather, html, markdown};
use veracta_store::Store;

use crate::LifecycleError;
use crate::registry::evidence_for;

/// A format a document is rendered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentFormat {
    /// One HTML page without scripts and without resources from elsewhere.
    Html,
    /// Markdown, with plots in words.
    Markdown,
    /// The fields of [`Document`] as indented JSON.
    Json,
}

/// Returns a document about a model as the evidence stands now.
pub fn document(
    store: &Store,
    model_idx: u64,
    kind: DocumentKind,
) -> Result<Document, LifecycleError> {
    Ok(gather(kind, &evidence_for(store, model_idx)?))
}

/// Returns the bytes of a document in a format, in UTF-8.
pub fn render(document: &Document, format: DocumentFormat) -> Result<Vec<u8>, LifecycleError> {
    Ok(match format {
        DocumentFormat::Html => html::render(document).into_bytes(),
        DocumentFormat::Markdown => markdown::render(document).into_bytes(),
        DocumentFormat::Json => serde_json::to_vec_pretty(document)?,
    })
}
