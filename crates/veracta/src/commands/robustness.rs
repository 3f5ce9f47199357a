//! `veracta robustness`: what predictions do when inputs go wrong.

use anyhow::bail;
use veracta_governance::document::report::robustness::scenarios;
use veracta_governance::record::{Record, RobustnessReport};
use veracta_lifecycle::Measured;
use veracta_lifecycle::prediction::{Rounds, apply};
use veracta_lifecycle::robustness::{read_labels, try_scenarios};
use veracta_ml::interval::Bootstrap;

use crate::args::{Args, Robustness};
use crate::output::{Answer, check_measure, csv_options, file_name, print_report};

pub(super) fn execute(args: &Args, options: &Robustness) -> anyhow::Result<Answer> {
    let Robustness {
        model,
        data,
        measure,
        files,
        ..
    } = options;
    check_measure(measure)?;
    let (csv, metric) = (csv_options(files)?, super::metric_named(&options.metric)?);
    let applied = apply(model, Rounds::All, data, &csv)?;
    let scores = applied.model.predict(&applied.rows)?;
    if scores.n_outputs != 1
        || scores
            .values
            .iter()
            .any(|score| !(0.0..=1.0).contains(score))
    {
        bail!(
            "decisions are made on the probability of one of two classes, which `{}` does not give",
            model.display()
        );
    }
    let labels = options
        .label
        .as_ref()
        .map(|label| read_labels(data, &csv, label, options.positive.as_deref()))
        .transpose()?;
    let bootstrap = Bootstrap {
        n_resamples: measure.resamples,
        seed: measure.seed,
    };
    let found = try_scenarios(
        &applied,
        labels.as_deref(),
        metric,
        measure.threshold,
        (measure.level, bootstrap),
    )?;
    let digest = super::digest(data)?;
    super::record(
        args,
        &options.record,
        &Measured::Model(super::digest(model)?),
        |model| {
            Record::RobustnessReport(RobustnessReport {
                model,
                data: digest,
                n: found.n,
                threshold: found.threshold,
                metric: found.metric,
                baseline: found.baseline.clone(),
                scenarios: found.scenarios.clone(),
            })
        },
    )?;
    let subject = format!("{} on {}", file_name(model), file_name(data));
    let page = scenarios(
        &subject,
        found.n,
        found.metric,
        found.baseline.as_ref(),
        found.threshold,
        &found.scenarios,
    );
    print_report(args.format, files.output.as_deref(), &page, &found)?;
    Ok(Answer::Yes)
}
