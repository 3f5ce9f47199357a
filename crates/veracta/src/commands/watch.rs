//! `veracta watch`: where a stream of numbers changes.

use anyhow::bail;
use veracta_lifecycle::monitoring::watch::{DETECTORS, WatchRequest};

use crate::args::{Args, Watch};
use crate::output::{Answer, csv_options};

pub(super) fn execute(args: &Args, options: &Watch) -> anyhow::Result<Answer> {
    let is_unknown = |name: &&String| !DETECTORS.contains(&name.as_str());
    if let Some(unknown) = options.detector.iter().find(is_unknown) {
        bail!(
            "unknown detector `{unknown}`; there are {}",
            DETECTORS.join(", ")
        );
    }
    let request = WatchRequest {
        data: &options.data,
        csv: csv_options(&options.files)?,
        column: options.column.clone(),
        detectors: options.detector.clone(),
    };
    let found = super::answer(args, &options.files, None, request.measure()?)?;
    Ok(found.iter().all(|found| found.rows.is_empty()).into())
}
