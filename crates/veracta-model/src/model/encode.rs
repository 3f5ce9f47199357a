//! Rows as a model reads them: numbers, category codes, NaN for missing.

use std::collections::BTreeMap;

use veracta_data::table::{Coded, Column, MISSING, Table, Values};

use super::{Form, Input, Model, ModelError, TreeOrigin};
use crate::batch::Batch;
use crate::onnx::InputKind;

/// Returns the inputs that columns of a table make: at most `levels_max` categories each, the most frequent in `rows`.
///
/// A rarer category is treated as missing, which keeps a column of ten thousand categories from becoming a row identifier.
pub fn describe_inputs(columns: &[&Column], rows: &[usize], levels_max: usize) -> Vec<Input> {
    let describe = |column: &&Column| {
        let levels = match &column.values {
            Values::Numeric(_) => None,
            Values::Coded(coded) => {
                let mut counts = vec![0usize; coded.levels.len()];
                rows.iter().for_each(|row| {
                    if let Some(count) = counts.get_mut(coded.codes[*row] as usize) {
                        *count += 1;
                    }
                });
                let mut kept: Vec<usize> =
                    (0..counts.len()).filter(|code| counts[*code] > 0).collect();
                kept.sort_by_key(|code| (std::cmp::Reverse(counts[*code]), *code));
                kept.truncate(levels_max);
                kept.sort_unstable();
                Some(
                    kept.into_iter()
                        .map(|code| coded.levels[code].clone())
                        .collect(),
                )
            }
        };
        Input {
            name: column.name.clone(),
            levels,
        }
    };
    columns.iter().map(describe).collect()
}

impl Model {
    /// Returns the rows of a table as this model reads them.
    ///
    /// Columns are matched by name; of a model without names by position, and there must be as many. A model trained here takes an
    /// unknown category and an infinite number as missing and rounds numbers to 32 bits, as its trainer did; a model of a library
    /// reads what that library reads.
    pub fn batch(&self, table: &Table) -> Result<Batch, ModelError> {
        let inputs = &self.signature.inputs;
        if self.is_own() {
            return encode(table, inputs);
        }
        let columns = match self.signature.is_named() {
            true => inputs
                .iter()
                .map(|input| column_named(table, &input.name))
                .collect::<Result<Vec<_>, _>>()?,
            false if table.columns.len() == self.signature.n_inputs => {
                table.columns.iter().collect()
            }
            false => {
                return Err(ModelError::InputCount {
                    n_inputs: self.signature.n_inputs,
                    n_columns: table.columns.len(),
                });
            }
        };
        let n_columns = columns.len();
        let mut batch = Batch {
            values: vec![f64::NAN; table.n_rows * n_columns],
            n_rows: table.n_rows,
            n_columns,
        };
        for (position, column) in columns.iter().enumerate() {
            let words = match &self.form {
                Form::Trees { ensemble, .. } => ensemble
                    .categories
                    .get(position)
                    .and_then(Option::as_ref)
                    .map(|names| Words {
                        names,
                        unknown: f64::NAN,
                    }),
                Form::Graph(graph) => {
                    (graph.column_kind(position) == InputKind::Text).then(|| Words {
                        names: &graph.words,
                        unknown: graph.words.len() as f64,
                    })
                }
                Form::Logistic(_) => None,
            };
            match words {
                Some(words) => batch.set_words(position, column, words),
                None => batch.set_numbers(position, column)?,
            }
        }
        Ok(batch)
    }

    fn is_own(&self) -> bool {
        match &self.form {
            Form::Trees { origin, .. } => matches!(origin, TreeOrigin::Own { .. }),
            Form::Logistic(_) => true,
            Form::Graph(_) => false,
        }
    }
}

/// The words that a model knows, in the order of their codes.
struct Words<'w> {
    names: &'w [String],
    /// The code of a word that it does not know.
    unknown: f64,
}

impl Batch {
    fn set_words(&mut self, position: usize, column: &Column, words: Words<'_>) {
        let known: BTreeMap<&str, usize> = words
            .names
            .iter()
            .enumerate()
            .map(|(code, name)| (name.as_str(), code))
            .collect();
        let coded = column.groups();
        let codes = coded.levels.iter().map(|level| {
            let code = known.get(level.as_str());
            code.map_or(words.unknown, |code| *code as f64)
        });
        let codes: Vec<f64> = codes.collect();
        for (row, code) in coded.codes.iter().enumerate() {
            if !column.is_missing(row) {
                self.values[row * self.n_columns + position] = codes[*code as usize];
            }
        }
    }

    fn set_numbers(&mut self, position: usize, column: &Column) -> Result<(), ModelError> {
        match &column.values {
            Values::Numeric(numbers) => {
                for (row, number) in numbers.iter().enumerate() {
                    self.values[row * self.n_columns + position] = *number;
                }
            }
            // A column without any value is read as categories; it is all missing whatever its type.
            Values::Coded(coded) if coded.levels.is_empty() => {}
            Values::Coded(coded) => {
                let numbers = coded.levels.iter().map(|level| truth(level));
                let numbers: Option<Vec<f64>> = numbers.collect();
                let numbers = numbers.ok_or_else(|| ModelError::InputType {
                    input: column.name.clone(),
                    found: "text",
                    expected: "numbers or category codes",
                })?;
                for (row, code) in coded.codes.iter().enumerate() {
                    if *code != MISSING {
                        self.values[row * self.n_columns + position] = numbers[*code as usize];
                    }
                }
            }
        }
        Ok(())
    }
}

/// Reads a truth value as 1 or 0.
fn truth(level: &str) -> Option<f64> {
    match level {
        "true" | "True" | "TRUE" => Some(1.0),
        "false" | "False" | "FALSE" => Some(0.0),
        _ => None,
    }
}

fn column_named<'t>(table: &'t Table, name: &str) -> Result<&'t Column, ModelError> {
    let found = table.columns.iter().find(|column| column.name == name);
    found.ok_or_else(|| {
        let columns = table.columns.iter().map(|column| column.name.clone());
        ModelError::MissingInput {
            input: name.to_owned(),
            columns: columns.collect(),
        }
    })
}

/// Encodes all rows of a table for inputs of a model trained here. Infinite numbers and unknown categories become missing; numbers
/// have 32 bits, as the trainer's have.
pub fn encode(table: &Table, inputs: &[Input]) -> Result<Batch, ModelError> {
    let (n_rows, n_columns) = (table.n_rows, inputs.len());
    let mut values = vec![f64::NAN; n_rows * n_columns];
    for (position, input) in inputs.iter().enumerate() {
        let column = column_named(table, &input.name)?;
        match (&column.values, &input.levels) {
            (Values::Numeric(numbers), None) => {
                // A number beyond what the model's arithmetic holds is infinite to it.
                for (row, number) in numbers
                    .iter()
                    .map(|number| f64::from(*number as f32))
                    .enumerate()
                    .filter(|(_, number)| number.is_finite())
                {
                    values[row * n_columns + position] = number;
                }
            }
            (Values::Coded(coded), Some(levels)) => {
                let codes = recode(coded, levels);
                for (row, code) in coded.codes.iter().enumerate() {
                    if let Some(Some(code)) = codes.get(*code as usize) {
                        values[row * n_columns + position] = f64::from(*code);
                    }
                }
            }
            // A column of whole numbers may have been read as numbers although the model knows its categories.
            (Values::Numeric(_), Some(levels)) => {
                let coded = column.groups();
                let codes = recode(&coded, levels);
                for (row, code) in coded.codes.iter().enumerate() {
                    if let Some(code) = codes[*code as usize] {
                        values[row * n_columns + position] = f64::from(code);
                    }
                }
            }
            (Values::Coded(_), None) => {
                let (found, expected) = ("text", "numbers");
                return Err(ModelError::InputType {
                    input: input.name.clone(),
                    found,
                    expected,
                });
            }
        }
    }
    Ok(Batch {
        values,
        n_rows,
        n_columns,
    })
}

/// Returns for each level of the data its code in the model; `None` when the model does not know it.
fn recode(coded: &Coded, levels: &[String]) -> Vec<Option<u32>> {
    let known: BTreeMap<&str, u32> = levels
        .iter()
        .enumerate()
        .map(|(code, level)| (level.as_str(), code as u32))
        .collect();
    coded
        .levels
        .iter()
        .map(|level| known.get(level.as_str()).copied())
        .collect()
}
