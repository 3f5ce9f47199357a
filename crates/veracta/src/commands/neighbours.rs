//! `veracta neighbours`: whether synthetic rows are too near to the rows they were made from.

use serde_json::json;
use veracta_documents::report::robustness::neighbours;
use veracta_lifecycle::data::neighbours::compare_neighbours;

use crate::args::{Args, Neighbours};
use crate::output::{Answer, check_level, csv_options, file_name, print_report};

pub(super) fn execute(args: &Args, options: &Neighbours) -> anyhow::Result<Answer> {
    check_level(options.level)?;
    let paths = [
        options.synthetic.as_path(),
        &options.training,
        &options.held_out,
    ];
    let (columns, found) = compare_neighbours(
        paths,
        &csv_options(&options.files)?,
        &options.without,
        options.level,
        options.seed,
    )?;
    let subject = format!(
        "{} made from {}",
        file_name(&options.synthetic),
        file_name(&options.training)
    );
    let page = neighbours(&subject, &columns, &found);
    let is_near = found.share.as_ref().is_some_and(|share| share.lower > 0.5);
    print_report(
        args.format,
        options.files.output.as_deref(),
        &page,
        &json!({ "columns": columns, "neighbours": found }),
    )?;
    Ok((!is_near).into())
}
