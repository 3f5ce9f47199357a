//! `veracta neighbours`: whether synthetic rows are too near to the rows they were made from.

use veracta_lifecycle::data::neighbours::NeighboursRequest;

use crate::args::{Args, Neighbours};
use crate::output::{Answer, check_level, csv_options};

pub(super) fn execute(args: &Args, options: &Neighbours) -> anyhow::Result<Answer> {
    check_level(options.level)?;
    let request = NeighboursRequest {
        synthetic: &options.synthetic,
        training: &options.training,
        held_out: &options.held_out,
        csv: csv_options(&options.files.reading)?,
        without: options.without.clone(),
        level: options.level,
        seed: options.seed,
    };
    let found = super::answer(args, &options.files, None, request.measure()?)?;
    let share = found.neighbours.share.as_ref();
    let is_near = share.is_some_and(|share| share.lower > 0.5);
    Ok((!is_near).into())
}
