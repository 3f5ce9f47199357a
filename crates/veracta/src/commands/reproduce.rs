//! `veracta reproduce`: the recorded pipeline again, elsewhere.

use anyhow::Context;
use veracta_governance::gate::is_reproduced;
use veracta_governance::record::ReproductionOutcome;
use veracta_lifecycle::reproduction::reproduce;

use super::progress::Progress;
use crate::args::{Args, Format};
use crate::output::{Answer, Paint, print, print_json};

pub(super) fn execute(args: &Args, reference: &str) -> anyhow::Result<Answer> {
    let platform = super::platform(args)?;
    // Beside the workspace rather than in the system's folder for such: the inputs may be personal.
    let scratch = platform
        .store
        .folder()
        .join(format!("reproduction-{}", std::process::id()));
    std::fs::create_dir(&scratch)
        .with_context(|| format!("`{}` cannot be made", scratch.display()))?;
    let progress = Progress::new(args.format == Format::Json);
    let result = reproduce(&platform, reference, &scratch, &|event| {
        progress.show(&event)
    });
    std::fs::remove_dir_all(&scratch)
        .with_context(|| format!("`{}` cannot be removed", scratch.display()))?;
    let (idx, report) = result?;
    if args.format == Format::Json {
        print_json(&report)?;
        return Ok(is_reproduced(report.outcome).into());
    }
    let paint = Paint::stdout();
    let mut text = String::new();
    for output in &report.outputs {
        let (mark, found) = match output.found {
            Some(found) if found == output.expected => (paint.good("same     "), String::new()),
            Some(found) => (paint.bad("DIFFERS  "), format!(", now {}", found.short())),
            None => (paint.bad("MISSING  "), String::new()),
        };
        text += &format!(
            "  {mark} {:<22} {}{found}\n",
            output.output,
            output.expected.short()
        );
    }
    text += &match report.outcome {
        ReproductionOutcome::Bitwise => format!(
            "{}: every output has the recorded digest (#{idx})\n",
            paint.good("BITWISE")
        ),
        ReproductionOutcome::WithinTolerance => {
            let delta = report.score_delta_max.unwrap_or(0.0);
            format!(
                "{}: scores differ by at most {delta:.1e}, allowed {:.1e} (#{idx})\n",
                paint.open("WITHIN TOLERANCE"),
                report.tolerance
            )
        }
        ReproductionOutcome::Differs => format!("{}: see above (#{idx})\n", paint.bad("DIFFERS")),
    };
    print(&text)?;
    Ok(is_reproduced(report.outcome).into())
}
