//! `veracta anonymity`: how well rows hide among each other.

use veracta_lifecycle::data::anonymity::AnonymityRequest;

use crate::args::{Anonymity, Args};
use crate::output::{Answer, csv_options};

pub(super) fn execute(args: &Args, options: &Anonymity) -> anyhow::Result<Answer> {
    let request = AnonymityRequest {
        data: &options.data,
        csv: csv_options(&options.files.reading)?,
        quasi: options.quasi.clone(),
        sensitive: options.sensitive.clone(),
    };
    let found = super::answer(args, &options.files, None, request.measure()?)?;
    Ok((found.k > 1).into())
}
