//! `veracta predict`: a model's predictions, one line a row.

use std::fmt::Write;

use anyhow::{Context, bail};
use serde_json::json;
use veracta_lifecycle::deployment::predict::apply;
use veracta_model::model::Form;

use crate::args::{Args, Format, Predict};
use crate::output::{Answer, csv_options, note_applied, print};

pub(super) fn execute(
    args: &Args,
    Predict {
        model,
        data,
        best,
        margin,
        files,
    }: &Predict,
) -> anyhow::Result<Answer> {
    let (rounds, margin) = (super::rounds(*best), *margin);
    if matches!(args.format, Format::Html | Format::Md) {
        bail!("predictions are printed as CSV, or with `--format json`");
    }
    let applied = apply(model, rounds, data, &csv_options(&files.reading)?)?;
    note_applied(&applied, &files.reading);
    let outputs = if margin {
        applied.model.margins(&applied.rows)?
    } else {
        applied.model.predict(&applied.rows)?
    };
    if margin && matches!(applied.model.form, Form::Graph(_)) {
        bail!("an ONNX graph gives predictions only; leave out `--margin`");
    }
    let word = if margin { "margin" } else { "prediction" };
    let names: Vec<String> = match outputs.n_outputs {
        1 => vec![word.to_owned()],
        n => (0..n).map(|output| format!("{word}_{output}")).collect(),
    };
    let rows = || outputs.values.chunks(outputs.n_outputs);
    let text = if args.format == Format::Json {
        let mut told = json!({ "model": applied.model.kind(), "outputs": names, "rows": rows().collect::<Vec<_>>() });
        let notes = files.reading.notes.all();
        if !notes.is_empty() {
            told["notes"] = notes.into();
        }
        serde_json::to_string(&told)? + "\n"
    } else {
        let mut text = names.join(",") + "\n";
        for row in rows() {
            for (position, value) in row.iter().enumerate() {
                write!(text, "{}{value}", if position > 0 { "," } else { "" })?;
            }
            text.push('\n');
        }
        text
    };
    match &files.output {
        Some(file) => std::fs::write(file, text)
            .with_context(|| format!("`{}` cannot be written", file.display()))?,
        None => print(&text)?,
    }
    Ok(Answer::Yes)
}
