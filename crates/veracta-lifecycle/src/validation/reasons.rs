//! Reasons for a person: codes for the inputs that pushed a score the bad way.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use veracta_model::explanation::reason::reason_codes;
use veracta_model::numeric::mean;

use super::attribute::Attributed;
use crate::{LifecycleError, Problem};

/// Largest file of codes, in bytes.
const REASONS_BYTES_MAX: u64 = 1 << 20;
/// Reasons given for a row (12 CFR 1002.9, comment 9(b)(2): more than four help nobody).
const REASONS_MAX: usize = 4;

/// Which way a score is bad for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adverse {
    /// A high score, such as a probability of default.
    High,
    /// A low score, such as a credit score.
    Low,
}

/// A file that says which inputs stand behind which code.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonFile {
    /// Which way a score is bad.
    pub adverse: Adverse,
    /// The codes; an input without one is never a reason.
    pub codes: Vec<ReasonCode>,
}

/// A reason code with its text and the inputs whose contributions it adds up.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonCode {
    /// The code, which a reason for a row repeats.
    pub code: String,
    /// What a person is told.
    pub text: String,
    /// Inputs that stand behind it.
    pub inputs: Vec<serde_saphyr::Spanned<String>>,
}

/// A reason for one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GivenReason {
    /// Code of the reason, as [`ReasonCode::code`] has it.
    pub code: String,
    /// What a person is told.
    pub text: String,
    /// How far it pushed the score the bad way, beyond the mean of the rows.
    pub points: f64,
}

/// Reads a file of codes.
pub fn read_reasons(path: &Path, inputs: &[String]) -> Result<ReasonFile, LifecycleError> {
    let problem = |line: usize, column: usize, message: String, hint: Option<String>| {
        LifecycleError::Spec(vec![Problem {
            file: path.display().to_string(),
            line,
            column,
            message,
            hint,
        }])
    };
    let n_bytes = std::fs::metadata(path)
        .map_err(LifecycleError::file(path))?
        .len();
    if n_bytes > REASONS_BYTES_MAX {
        return Err(problem(
            0,
            0,
            format!("{n_bytes} bytes are over the limit of {REASONS_BYTES_MAX}"),
            None,
        ));
    }
    let text = std::fs::read_to_string(path).map_err(LifecycleError::file(path))?;
    let file: ReasonFile = serde_saphyr::from_str(&text).map_err(|error| {
        let (line, column) = error.location().map_or((0, 0), |place| {
            (place.line() as usize, place.column() as usize)
        });
        let message = error
            .without_snippet()
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        let hint =
            "it holds `adverse: high` or `low`, and `codes`, each with `code`, `text` and `inputs`";
        problem(line, column, message, Some(hint.to_owned()))
    })?;
    check_codes(&file, inputs, &problem)?;
    Ok(file)
}

/// Makes the error about a place: line, column, message and hint.
type Problems<'p> = dyn Fn(usize, usize, String, Option<String>) -> LifecycleError + 'p;

/// Refuses codes of what is no input, and inputs with more than one code.
fn check_codes(
    file: &ReasonFile,
    inputs: &[String],
    problem: &Problems<'_>,
) -> Result<(), LifecycleError> {
    let mut code_of: BTreeMap<&str, &str> = BTreeMap::new();
    for code in &file.codes {
        for input in &code.inputs {
            let place = (
                input.defined.line() as usize,
                input.defined.column() as usize,
            );
            if !inputs.contains(&input.value) {
                return Err(problem(
                    place.0,
                    place.1,
                    format!("`{}` is not an input of the model", input.value),
                    Some(format!("its inputs are {}", inputs.join(", "))),
                ));
            }
            if let Some(other) = code_of.insert(&input.value, &code.code) {
                return Err(problem(
                    place.0,
                    place.1,
                    format!("`{}` stands behind `{other}` already", input.value),
                    None,
                ));
            }
        }
    }
    if code_of.is_empty() {
        return Err(problem(
            0,
            0,
            "no code stands for any input".to_owned(),
            None,
        ));
    }
    Ok(())
}

/// Gives the reasons of each row, from attributions of its first output; the mean is over the rows given.
pub fn reasons(
    file: &ReasonFile,
    inputs: &[String],
    attributed: &Attributed,
) -> Vec<Vec<GivenReason>> {
    let sign = if file.adverse == Adverse::High {
        1.0
    } else {
        -1.0
    };
    let towards: Vec<Vec<f64>> = attributed
        .rows
        .iter()
        .map(|row| {
            row[0]
                .contributions
                .iter()
                .map(|value| sign * value)
                .collect()
        })
        .collect();
    let means: Vec<f64> = (0..inputs.len())
        .map(|input| {
            mean(&towards.iter().map(|row| row[input]).collect::<Vec<f64>>()).unwrap_or(0.0)
        })
        .collect();
    let code_of = |input: &String| {
        file.codes
            .iter()
            .find(|code| code.inputs.iter().any(|named| named.value == *input))
            .map(|code| code.code.as_str())
    };
    let codes: Vec<Option<&str>> = inputs.iter().map(code_of).collect();
    let text_of = |wanted: &str| {
        file.codes
            .iter()
            .find(|code| code.code == wanted)
            .map(|code| code.text.clone())
            .unwrap_or_default()
    };
    let of_row = |row: &Vec<f64>| {
        let found = reason_codes(row, &means, &codes, REASONS_MAX);
        found
            .into_iter()
            .map(|reason| GivenReason {
                text: text_of(&reason.code),
                code: reason.code,
                points: reason.points,
            })
            .collect()
    };
    towards.iter().map(of_row).collect()
}
