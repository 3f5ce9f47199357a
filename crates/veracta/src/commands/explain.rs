//! `veracta explain`: what drives a model, in general and for single rows.

use std::fmt::Write;

use anyhow::{Context, bail};
use serde_json::json;
use veracta_documents::report::insight::{Curve, Searched};
use veracta_documents::report::{explanation, insight};
use veracta_lifecycle::data::{file_name, read_labels};
use veracta_lifecycle::deployment::predict::{Applied, apply, one_output};
use veracta_lifecycle::validation::attribute::{Attributed, attribute, interactions};
use veracta_lifecycle::validation::counterfactual::{CHANGES_MAX, change};
use veracta_lifecycle::validation::dependence::dependence;
use veracta_lifecycle::validation::importance::shuffled;
use veracta_lifecycle::validation::reasons::{read_reasons, reasons};
use veracta_model::explanation::summary::summarise;

use crate::args::{Args, Explain, Format};
use crate::output::{Answer, csv_options, note_applied, print, print_report};

/// Threshold of a positive prediction where a metric needs one.
const THRESHOLD: f64 = 0.5;
/// Rows whose interaction matrices are printed at most.
const INTERACTION_ROWS_MAX: usize = 1_000;

pub(super) fn execute(args: &Args, options: &Explain) -> anyhow::Result<Answer> {
    let Explain {
        model, data, files, ..
    } = options;
    let csv = csv_options(&files.reading)?;
    let applied = apply(model, super::rounds(options.best), data, &csv)?;
    note_applied(&applied, &files.reading);
    let rows = rows(options, applied.rows.n_rows)?;
    let subject = format!("{} on {}", file_name(model), file_name(data));
    let output = files.output.as_deref();
    if options.dependence.is_some() && (options.row.is_some() || options.background.is_some()) {
        bail!("`--dependence` is over all rows, without `--row` and `--background`");
    }
    if !options.target.is_finite() {
        bail!("`--target` is a finite number");
    }
    if let Some(answer) = ask(args, options, &applied, &subject)? {
        return Ok(answer);
    }
    if !options.change.is_empty() {
        return search(args, options, &applied, &subject);
    }
    if options.interactions {
        if rows.len() > INTERACTION_ROWS_MAX {
            bail!(
                "interactions of at most {INTERACTION_ROWS_MAX} rows are printed; say which with `--rows` or `--row`"
            );
        }
        let found = interactions(&applied, &rows)?;
        let numbers: Vec<usize> = rows.iter().map(|row| row + 1).collect();
        write(
            options,
            &(json!({ "inputs": applied.inputs, "row_numbers": numbers, "rows": found })
                .to_string()
                + "\n"),
        )?;
        return Ok(Answer::Yes);
    }
    if options.reasons.is_some() {
        one_output(&applied, "a reason")?;
    }
    let reason_file = options
        .reasons
        .as_ref()
        .map(|path| read_reasons(path, &applied.inputs))
        .transpose()?;
    let attributed = match &reason_file {
        // Means are over all rows, whichever are asked for.
        Some(_) => attribute(
            &applied,
            &(0..applied.rows.n_rows).collect::<Vec<_>>(),
            options.background.as_deref(),
            &csv,
        )?,
        None => attribute(&applied, &rows, options.background.as_deref(), &csv)?,
    };
    if let Some(file) = &reason_file {
        let all = reasons(file, &applied.inputs, &attributed);
        let given: Vec<(usize, _)> = rows.iter().map(|row| (row + 1, &all[*row])).collect();
        let page: Vec<_> = given
            .iter()
            .map(|(row, found)| {
                (
                    *row,
                    found
                        .iter()
                        .map(|reason| (reason.code.clone(), reason.text.clone(), reason.points))
                        .collect(),
                )
            })
            .collect();
        let value: Vec<_> = given
            .iter()
            .map(|(row, found)| json!({ "row": row, "reasons": found }))
            .collect();
        print_report(
            args.format,
            output,
            &insight::reasons(&subject, &page),
            &value,
        )?;
        return Ok(Answer::Yes);
    }
    if options.by_row {
        by_row(args, options, &applied, &rows, &attributed)?;
        return Ok(Answer::Yes);
    }
    let explained = summarise(
        applied.model.kind(),
        attributed.method,
        &applied.inputs,
        &attributed.rows,
    );
    print_report(
        args.format,
        output,
        &explanation::report(&subject, &explained),
        &explained,
    )?;
    Ok(Answer::Yes)
}

/// Answers what is asked about single inputs: dependence and shuffling.
fn ask(
    args: &Args,
    options: &Explain,
    applied: &Applied,
    subject: &str,
) -> anyhow::Result<Option<Answer>> {
    let output = options.files.output.as_deref();
    if let Some(input) = &options.dependence {
        let found = dependence(applied, input)?;
        let curve = Curve {
            input,
            n_rows: found.n_rows,
            grid: &found.grid,
            categories: &found.categories,
            mean: &found.mean,
            quantiles: &found.quantiles,
        };
        print_report(
            args.format,
            output,
            &insight::dependence(subject, curve),
            &found,
        )?;
        return Ok(Some(Answer::Yes));
    }
    if let Some(label) = &options.permute {
        let (metric, labels) = (
            super::metric_named(&options.metric)?,
            read_labels(
                &options.data,
                &csv_options(&options.files.reading)?,
                label,
                applied.positive(label, options.positive.as_deref()),
            )?,
        );
        if !(1..=1000).contains(&options.repeats) {
            bail!("`--repeats` is between 1 and 1000");
        }
        let found = shuffled(
            applied,
            &labels,
            metric,
            THRESHOLD,
            (options.repeats, options.seed),
        )?;
        let inputs: Vec<_> = found
            .iter()
            .map(|found| (found.input.clone(), found.mean, found.interval))
            .collect();
        let page = insight::shuffled(
            subject,
            metric.descriptor().title,
            &inputs,
            applied.rows.n_rows,
            options.repeats,
        );
        print_report(args.format, output, &page, &found)?;
        return Ok(Some(Answer::Yes));
    }
    Ok(None)
}

/// Returns the rows that are asked for.
fn rows(options: &Explain, n: usize) -> anyhow::Result<Vec<usize>> {
    Ok(match options.row {
        Some(row) if (1..=n).contains(&row) => vec![row - 1],
        Some(row) => bail!(
            "there is no row {row}; `{}` has {n}",
            options.data.display()
        ),
        None if options.rows == 0 => bail!("`--rows` is at least 1"),
        None => (0..n.min(options.rows)).collect(),
    })
}

/// Searches for a change of one row.
fn search(
    args: &Args,
    options: &Explain,
    applied: &Applied,
    subject: &str,
) -> anyhow::Result<Answer> {
    if options.change.len() > CHANGES_MAX {
        bail!("at most {CHANGES_MAX} inputs may change");
    }
    let row = options
        .row
        .context("`--change` is about one row; say which with `--row`")?
        - 1;
    let found = change(applied, row, &options.change, options.target)?;
    let searched = Searched {
        row: found.row,
        predictions: [found.prediction, found.target, found.reached],
        outcome: found.outcome,
        changes: &found.changes,
        cost: found.cost,
    };
    print_report(
        args.format,
        options.files.output.as_deref(),
        &insight::change(subject, searched),
        &found,
    )?;
    Ok(matches!(found.outcome, "found" | "below_already").into())
}

/// Prints the contributions of each row.
fn by_row(
    args: &Args,
    options: &Explain,
    applied: &Applied,
    rows: &[usize],
    attributed: &Attributed,
) -> anyhow::Result<()> {
    if matches!(args.format, Format::Html | Format::Md) {
        bail!("contributions by row are printed as CSV, or with `--format json`");
    }
    if args.format == Format::Json {
        let outputs = |found: &Vec<veracta_model::explanation::Attribution>| {
            found.iter().map(|one| json!({ "base_value": one.base_value, "contributions": one.contributions })).collect::<Vec<_>>()
        };
        let value: Vec<_> = rows
            .iter()
            .zip(&attributed.rows)
            .map(|(row, found)| json!({ "row": row + 1, "outputs": outputs(found) }))
            .collect();
        let value = json!({ "inputs": applied.inputs, "method": attributed.method, "rows": value });
        return write(options, &(serde_json::to_string(&value)? + "\n"));
    }
    let mut text = String::from("row,output,base_value");
    applied
        .inputs
        .iter()
        .for_each(|input| text += &format!(",\"{}\"", input.replace('"', "\"\"")));
    text.push('\n');
    for (row, found) in rows.iter().zip(&attributed.rows) {
        for (place, one) in found.iter().enumerate() {
            write!(text, "{},{place},{}", row + 1, one.base_value)?;
            one.contributions
                .iter()
                .try_for_each(|value| write!(text, ",{value}"))?;
            text.push('\n');
        }
    }
    write(options, &text)
}

fn write(options: &Explain, text: &str) -> anyhow::Result<()> {
    match &options.files.output {
        Some(file) => std::fs::write(file, text)
            .with_context(|| format!("`{}` cannot be written", file.display())),
        None => print(text),
    }
}
