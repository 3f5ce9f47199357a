//! `veracta gate`: what the gate decided about a model, and why.

use veracta_governance::gate::{GateResult, RuleOutcome, Verdict};
use veracta_governance::record::DataNature;
use veracta_lifecycle::registry::{evidence_for, resolve_model};

use crate::args::{Args, Format};
use crate::output::{Answer, Paint, print, print_json};

pub(super) fn execute(args: &Args, reference: &str) -> anyhow::Result<Answer> {
    let platform = super::platform(args)?;
    let (item, model) = resolve_model(&platform.store, reference)?;
    let nature = evidence_for(&platform.store, item.idx)?
        .dataset_version()
        .map(|(_, data)| data.nature);
    let name = named(
        &format!("{}@{} (#{})", model.model, model.version, item.idx),
        nature,
    );
    let Some(gate) = model.gate else {
        print(&format!("{name} is a candidate: no gate has judged it\n"))?;
        return Ok(Answer::No);
    };
    if args.format == Format::Json {
        print_json(&gate)?;
    } else {
        print(&format!(
            "{}\n",
            findings_text(&gate, &name, Paint::stdout())
        ))?;
    }
    Ok((gate.verdict == Verdict::Pass).into())
}

/// Returns a model's name with the word that must stand beside results of data that is not real.
pub(super) fn named(name: &str, nature: Option<DataNature>) -> String {
    match nature {
        Some(DataNature::Real | DataNature::Undeclared) | None => name.to_owned(),
        Some(nature) => format!("{name}  ({} data)", nature.word()),
    }
}

/// Returns the verdict with a line a finding.
pub(super) fn findings_text(gate: &GateResult, name: &str, paint: Paint) -> String {
    let headline = match gate.verdict {
        Verdict::Pass => paint.good(&format!("REGISTERED  {name}")),
        Verdict::Refuse => paint.bad(&format!("REFUSED  {name}")),
        Verdict::Incomplete => paint.open(&format!("NOT REGISTERED  {name}: evidence is missing")),
    };
    let mut text = paint.strong(&headline) + "\n";
    for finding in &gate.findings {
        let mark = match finding.outcome {
            RuleOutcome::Pass => paint.good("holds  "),
            RuleOutcome::Fail => paint.bad("FAILS  "),
            RuleOutcome::Missing => paint.open("missing"),
            RuleOutcome::Waived => paint.open("waived "),
        };
        let places: Vec<String> = finding
            .evidence
            .iter()
            .map(|found| format!("#{}", found.idx))
            .collect();
        let places = paint.soft(&places.join(" "));
        text += &format!(
            "  {mark}  {:<15} {}  {places}\n",
            finding.rule.replace('_', " "),
            finding.statement
        );
    }
    if gate
        .findings
        .iter()
        .any(|finding| finding.rule == "minimised" && finding.outcome == RuleOutcome::Fail)
    {
        text += "  hint: leave an input that is not needed out (`data.drop`), or keep it with a reason (`minimisation.keep`)\n";
    }
    text.truncate(text.trim_end().len());
    text
}
