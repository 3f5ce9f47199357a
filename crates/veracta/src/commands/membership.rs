//! `veracta membership`: whether a model gives away which rows it was trained on.

use anyhow::bail;
use veracta_documents::Tone;
use veracta_documents::report::robustness::membership;
use veracta_governance::record::{PrivacyReport, Record};
use veracta_lifecycle::MeasuredOf;
use veracta_lifecycle::deployment::predict::{Rounds, apply};
use veracta_lifecycle::validation::membership::{
    SHADOWS_MAX, are_shadows_possible, attack_membership,
};

use crate::args::{Args, Membership};
use crate::output::{Answer, check_level, csv_options, file_name, print_report};

pub(super) fn execute(args: &Args, options: &Membership) -> anyhow::Result<Answer> {
    check_level(options.level)?;
    if !are_shadows_possible(options.shadows) {
        bail!("`--shadows` is 0 or an even number from 4 to {SHADOWS_MAX}; 16 tell most");
    }
    let csv = csv_options(&options.files)?;
    let members = apply(&options.model, Rounds::All, &options.members, &csv)?;
    let others = apply(&options.model, Rounds::All, &options.others, &csv)?;
    let sides = [
        (&members, options.members.as_path()),
        (&others, options.others.as_path()),
    ];
    let label = (options.label.as_str(), options.positive.as_deref());
    let found = attack_membership(
        sides,
        &csv,
        label,
        (options.shadows, options.seed),
        options.level,
    )?;
    let mut attacks = vec![("Loss threshold", &found.by_loss)];
    attacks.extend(
        found
            .by_likelihood_ratio
            .as_ref()
            .map(|attack| ("Likelihood ratio", attack)),
    );
    let page = membership(&file_name(&options.model), &attacks);
    let data = [
        super::digest(&options.members)?,
        super::digest(&options.others)?,
    ];
    let kept = attacks
        .iter()
        .map(|(name, attack)| (name.to_lowercase(), (*attack).clone()))
        .collect();
    super::record(
        args,
        &options.record,
        &MeasuredOf::Model(super::digest(&options.model)?),
        |model| {
            Record::PrivacyReport(PrivacyReport {
                model,
                data,
                attacks: kept,
                n_shadows: found.n_shadows,
            })
        },
    )?;
    print_report(args.format, options.files.output.as_deref(), &page, &found)?;
    Ok((page.verdict.tone != Tone::Bad).into())
}
