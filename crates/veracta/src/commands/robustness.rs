//! `veracta robustness`: what predictions do when inputs go wrong.

use veracta_lifecycle::validation::robustness::{RobustnessRequest, ScenarioRequest};
use veracta_statistics::robustness::SCENARIOS;

use crate::args::{Args, Robustness};
use crate::output::{Answer, check_measure, csv_options, precision};

pub(super) fn execute(args: &Args, options: &Robustness) -> anyhow::Result<Answer> {
    let Robustness { measure, files, .. } = options;
    check_measure(measure)?;
    let request = RobustnessRequest {
        model: &options.model,
        data: &options.data,
        csv: csv_options(&files.reading)?,
        label: options
            .label
            .clone()
            .map(|label| (label, options.positive.clone())),
        scenarios: ScenarioRequest {
            metric: super::metric_named(&options.metric)?,
            threshold: measure.threshold,
            precision: precision(measure),
            scenarios: SCENARIOS.to_vec(),
        },
    };
    super::answer(args, files, Some(&options.record), request.measure()?)?;
    Ok(Answer::Yes)
}
