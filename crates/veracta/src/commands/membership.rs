//! `veracta membership`: whether a model gives away which rows it was trained on.

use anyhow::bail;
use veracta_documents::Tone;
use veracta_lifecycle::validation::membership::{
    MembershipRequest, SHADOWS_MAX, are_shadows_possible,
};

use crate::args::{Args, Membership};
use crate::output::{Answer, check_level, csv_options};

pub(super) fn execute(args: &Args, options: &Membership) -> anyhow::Result<Answer> {
    check_level(options.level)?;
    if !are_shadows_possible(options.shadows) {
        bail!("`--shadows` is 0 or an even number from 4 to {SHADOWS_MAX}; 16 tell most");
    }
    let request = MembershipRequest {
        model: &options.model,
        members: &options.members,
        others: &options.others,
        csv: csv_options(&options.files.reading)?,
        label: options.label.clone(),
        positive: options.positive.clone(),
        n_shadows: options.shadows,
        seed: options.seed,
        level: options.level,
    };
    let outcome = request.measure()?;
    let tone = outcome.report.verdict.tone;
    super::answer(args, &options.files, Some(&options.record), outcome)?;
    Ok((tone != Tone::Bad).into())
}
