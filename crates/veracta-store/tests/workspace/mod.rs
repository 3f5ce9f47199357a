//! A workspace to write to.

use std::path::Path;

use veracta_store::Store;

use crate::records::options;

/// Begins a workspace in `project`.
pub(crate) fn begin(project: &Path) -> Store {
    Store::init(project, options()).unwrap()
}
