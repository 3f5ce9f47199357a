//! `veracta status`: what is in the workspace.

use veracta_lifecycle::status::workspace_status;

use crate::args::{Args, Format};
use crate::output::{Answer, print, print_json};

pub(super) fn execute(args: &Args) -> anyhow::Result<Answer> {
    let status = workspace_status(&super::platform(args)?.store)?;
    if args.format == Format::Json {
        print_json(&status)?;
        return Ok(Answer::Yes);
    }
    let mut text = format!(
        "log      {}\nentries  {} ({} under the signed checkpoint)\n",
        status.log, status.entries, status.signed
    );
    if status.models.is_empty() {
        text += "models   none yet; `veracta run pipeline.yaml` trains one\n";
    }
    for model in &status.models {
        text += &format!(
            "model    {}@{:<3} {:<10} {}  #{}\n",
            model.model, model.version, model.status, model.digest, model.idx
        );
    }
    for (kind, count) in &status.records {
        text += &format!("records  {count:>5} {kind}\n");
    }
    print(&text)?;
    Ok(Answer::Yes)
}
