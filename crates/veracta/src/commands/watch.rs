//! `veracta watch`: where a stream of numbers changes.

use veracta_lifecycle::monitoring::watch::WatchRequest;

use crate::args::{Args, Watch};
use crate::output::{Answer, csv_options};

pub(super) fn execute(args: &Args, options: &Watch) -> anyhow::Result<Answer> {
    let request = WatchRequest {
        data: &options.data,
        csv: csv_options(&options.files.reading)?,
        column: options.column.clone(),
        detectors: options.detector.clone(),
    };
    let found = super::answer(args, &options.files, None, request.measure()?)?;
    Ok(found.iter().all(|found| found.rows.is_empty()).into())
}
