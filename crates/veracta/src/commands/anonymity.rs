//! `veracta anonymity`: how well rows hide among each other.

use veracta_documents::report::anonymity::report;
use veracta_lifecycle::data::anonymity::anonymity_of_file;

use crate::args::{Anonymity, Args};
use crate::output::{Answer, csv_options, file_name, print_report};

pub(super) fn execute(
    args: &Args,
    Anonymity {
        data,
        quasi,
        sensitive,
        files,
    }: &Anonymity,
) -> anyhow::Result<Answer> {
    let found = anonymity_of_file(data, &csv_options(files)?, quasi, sensitive)?;
    print_report(
        args.format,
        files.output.as_deref(),
        &report(&file_name(data), quasi, &found),
        &found,
    )?;
    Ok((found.k > 1).into())
}
