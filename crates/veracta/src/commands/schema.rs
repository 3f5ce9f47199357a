//! `veracta schema`: the JSON Schema of a file format.

use crate::args::SchemaName;
use crate::output::{Answer, print_json};

pub(super) fn execute(what: SchemaName) -> anyhow::Result<Answer> {
    match what {
        SchemaName::Pipeline => print_json(&veracta_lifecycle::pipeline::spec::json_schema())?,
    }
    Ok(Answer::Yes)
}
