//! `veracta controls`: the state of the evidence for each control.

use std::collections::BTreeMap;

use veracta_governance::controls::{Catalogue, ControlState};
use veracta_lifecycle::controls::{ControlStates, control_states};
use veracta_lifecycle::registry::resolve_model;

use crate::args::{Args, Format};
use crate::output::{Answer, Paint, print, print_json};

pub(super) fn execute(
    args: &Args,
    reference: &str,
    frameworks: &[String],
) -> anyhow::Result<Answer> {
    let platform = super::platform(args)?;
    let (item, _) = resolve_model(&platform.store, reference)?;
    let ControlStates {
        frameworks,
        results,
    } = control_states(&platform, item.idx, frameworks)?;
    let any_fails = results
        .iter()
        .any(|result| result.state == ControlState::Fail);
    if args.format == Format::Json {
        print_json(&results)?;
        return Ok((!any_fails).into());
    }
    let paint = Paint::stdout();
    let mut text = String::new();
    let mut counts: BTreeMap<ControlState, usize> = BTreeMap::new();
    for result in &results {
        *counts.entry(result.state).or_default() += 1;
        let mark = match result.state {
            ControlState::Pass => paint.good("pass   "),
            ControlState::Fail => paint.bad("FAIL   "),
            ControlState::Missing => paint.open("missing"),
            ControlState::NotApplicable => paint.soft("n/a    "),
            ControlState::Waived => paint.open("waived "),
        };
        let places: Vec<String> = result
            .records
            .iter()
            .map(|record| format!("#{}", record.idx))
            .collect();
        text += &format!(
            "{mark}  {:<16} {:<26} {}  {}\n",
            result.control.id,
            result.control.citation,
            result.reason,
            paint.soft(&places.join(" "))
        );
    }
    let count = |state| counts.get(&state).copied().unwrap_or(0);
    text += &format!(
        "\n{} controls of {} (law as read on {}): {} pass, {} fail, {} missing, {} not applicable, {} waived\n\
         This is the state of the evidence, not legal advice.\n",
        results.len(),
        frameworks.join(", "),
        Catalogue::shipped().as_of,
        count(ControlState::Pass),
        count(ControlState::Fail),
        count(ControlState::Missing),
        count(ControlState::NotApplicable),
        count(ControlState::Waived)
    );
    print(&text)?;
    Ok((!any_fails).into())
}
