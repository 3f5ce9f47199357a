//! `veracta watch`: where a stream of numbers changes.

use anyhow::bail;
use veracta_documents::report::changes::stream;
use veracta_lifecycle::monitoring::watch::{DETECTORS, watch};

use crate::args::{Args, Watch};
use crate::output::{Answer, csv_options, file_name, print_report};

pub(super) fn execute(
    args: &Args,
    Watch {
        data,
        column,
        detector,
        files,
    }: &Watch,
) -> anyhow::Result<Answer> {
    if let Some(unknown) = detector
        .iter()
        .find(|name| !DETECTORS.contains(&name.as_str()))
    {
        bail!(
            "unknown detector `{unknown}`; there are {}",
            DETECTORS.join(", ")
        );
    }
    let found = watch(data, &csv_options(files)?, column, detector)?;
    let rows: Vec<(String, Vec<usize>)> = found
        .iter()
        .map(|found| (found.detector.clone(), found.rows.clone()))
        .collect();
    print_report(
        args.format,
        files.output.as_deref(),
        &stream(&format!("{column} of {}", file_name(data)), &rows),
        &found,
    )?;
    Ok(found.iter().all(|found| found.rows.is_empty()).into())
}
