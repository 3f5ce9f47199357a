//! `veracta robustness`: what predictions do when inputs go wrong.

use anyhow::bail;
use veracta_documents::report::robustness::scenarios;
use veracta_governance::record::Record;
use veracta_lifecycle::MeasuredOf;
use veracta_lifecycle::data::read_labels;
use veracta_lifecycle::deployment::predict::{Rounds, apply};
use veracta_lifecycle::validation::robustness::{ScenarioRequest, try_scenarios};
use veracta_statistics::interval::{Bootstrap, Precision};
use veracta_statistics::robustness::SCENARIOS;

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
    let request = ScenarioRequest {
        metric,
        threshold: measure.threshold,
        precision: Precision {
            level: measure.level,
            bootstrap: Bootstrap {
                n_resamples: measure.resamples,
                seed: measure.seed,
            },
        },
        scenarios: SCENARIOS.to_vec(),
    };
    let found = try_scenarios(&applied.model, &applied.rows, labels.as_deref(), &request)?;
    let digest = super::digest(data)?;
    super::record(
        args,
        &options.record,
        &MeasuredOf::Model(super::digest(model)?),
        |model| Record::RobustnessReport(found.record(model, digest)),
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
