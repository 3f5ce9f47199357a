//! `veracta lineage`: what a record rests on.

use std::path::Path;

use anyhow::Context;
use veracta_lifecycle::lineage::{lineage, to_svg, to_text};
use veracta_lifecycle::registry::resolve;

use crate::args::{Args, Format};
use crate::output::{Answer, print, print_json, tell};

pub(super) fn execute(args: &Args, reference: &str, svg: Option<&Path>) -> anyhow::Result<Answer> {
    let platform = super::platform(args)?;
    let item = resolve(&platform.store, reference)?;
    let nodes = lineage(&platform.store, item.idx)?;
    if let Some(path) = svg {
        std::fs::write(path, to_svg(&nodes))
            .with_context(|| format!("`{}` cannot be written", path.display()))?;
        tell(&format!(
            "drew {} ({} records)",
            path.display(),
            nodes.len()
        ));
    } else if args.format == Format::Json {
        print_json(&nodes)?;
    } else {
        print(&to_text(&nodes))?;
    }
    Ok(Answer::Yes)
}
