//! `veracta evidence`: handing evidence to someone else.

use anyhow::Context;
use veracta_lifecycle::evidence::export;

use crate::args::{Args, EvidenceAction, Format};
use crate::output::{Answer, print, print_json};

pub(super) fn execute(args: &Args, action: &EvidenceAction) -> anyhow::Result<Answer> {
    let EvidenceAction::Export {
        reference,
        output,
        with_personal,
    } = action;
    let platform = super::platform(args)?;
    let (bytes, summary) = export(&platform.store, reference, *with_personal)?;
    std::fs::write(output, bytes)
        .with_context(|| format!("`{}` cannot be written", output.display()))?;
    if args.format == Format::Json {
        print_json(&summary)?;
        return Ok(Answer::Yes);
    }
    let mut text = format!(
        "Wrote {} about {}: {} records, {} files, {} bytes\n",
        output.display(),
        summary.subject,
        summary.n_records,
        summary.n_files,
        summary.n_bytes
    );
    if !summary.left_out.is_empty() {
        text += &format!(
            "Left out, because they may hold personal data: {}\n",
            summary.left_out.join(", ")
        );
    }
    text += &format!(
        "Check it anywhere:  veracta verify {} --key '{}'\n",
        output.display(),
        platform.store.log_key()
    );
    print(&text)?;
    Ok(Answer::Yes)
}
