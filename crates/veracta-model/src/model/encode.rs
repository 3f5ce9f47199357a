//! Rows as a model reads them: numbers, category codes, NaN for missing.

use std::collections::{BTreeMap, HashMap};

use veracta_data::reading::{ColumnReading, ReadOptions};
use veracta_data::spelling::{parse_number, parse_truth};
use veracta_data::table::{Column, ColumnType, MISSING, Table, Values};

use super::{Form, Input, Model, ModelError, TreeOrigin, UnknownValues};
use crate::batch::Batch;
use crate::category::{KnownCategories, Spelling};
use crate::onnx::InputKind;

/// Fewest training rows of a category that a model tells from others: what few rows have is theirs alone, and would stand in the model's
/// file.
const LEVEL_ROWS_MIN: usize = 5;

/// Returns the inputs that columns of a table make: at most `levels_max` categories each, the most frequent in `rows`, of at least five rows.
///
/// A rarer category is treated as missing, which keeps a column of ten thousand categories from becoming a row identifier.
pub fn describe_inputs(columns: &[&Column], rows: &[usize], levels_max: usize) -> Vec<Input> {
    let describe = |column: &&Column| {
        let mut has_rarer = false;
        let levels = match &column.values {
            Values::Numeric(_) => None,
            Values::Coded(coded) => {
                let mut counts = vec![0usize; coded.levels.len()];
                rows.iter().for_each(|row| {
                    if let Some(count) = counts.get_mut(coded.codes[*row] as usize) {
                        *count += 1;
                    }
                });
                let is_told = |code: &usize| counts[*code] >= LEVEL_ROWS_MIN;
                let mut kept: Vec<usize> = (0..counts.len()).filter(is_told).collect();
                kept.sort_by_key(|code| (std::cmp::Reverse(counts[*code]), *code));
                let n_seen = counts.iter().filter(|count| **count > 0).count();
                has_rarer = n_seen > kept.len().min(levels_max);
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
            has_rarer,
            missing: Vec::new(),
        }
    };
    columns.iter().map(describe).collect()
}

/// Rows as a model reads them, and what it did not know of them.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The rows.
    pub batch: Batch,
    /// Columns with values that the model does not know; such a value is what the model's library takes it for.
    pub unknown: Vec<UnknownValues>,
    /// Columns that the model reads and that have no value in any row.
    pub absent: Vec<String>,
}

impl Model {
    /// Returns how a file is read for this model: words as they stand where it knows categories, numbers where it was trained on numbers,
    /// and missing what was missing then. `columns` are those of the file.
    pub fn reading(
        &self,
        columns: &[String],
        declared: &ReadOptions,
    ) -> Result<ReadOptions, ModelError> {
        let mut options = declared.clone();
        for (input, position) in self.positions(columns)?.into_iter().enumerate() {
            let column = &columns[position];
            if let Some(reading) = self.column_reading(input, &declared.marks(column)) {
                options.of_model.insert(column.clone(), reading);
            }
        }
        Ok(options)
    }

    /// Returns how the columns are read that this model names, wherever they are.
    pub fn column_readings(&self, declared: &ReadOptions) -> BTreeMap<String, ColumnReading> {
        let inputs = self.signature.inputs.iter().enumerate();
        let reading = |(position, input): (usize, &Input)| {
            let reading = self.column_reading(position, &declared.marks(&input.name))?;
            Some((input.name.clone(), reading))
        };
        inputs.filter_map(reading).collect()
    }

    /// Returns how an input is read; `None` when the model does not say, as a library's of a number.
    fn column_reading(&self, input: usize, declared: &[String]) -> Option<ColumnReading> {
        if self.is_own() {
            let input = self.signature.inputs.get(input)?;
            return Some(ColumnReading {
                column_type: match input.levels {
                    Some(_) => ColumnType::Categorical,
                    None => ColumnType::Numeric,
                },
                is_verbatim: false,
                keeps_empty: false,
                missing: declared.iter().chain(&input.missing).cloned().collect(),
            });
        }
        let known = self.known(input)?;
        // A declared mark is missing unless the model knows a category of that very name.
        let marks = declared.iter().filter(|mark| known.code(mark).is_none());
        Some(ColumnReading {
            column_type: ColumnType::Categorical,
            is_verbatim: true,
            keeps_empty: known.code("").is_some(),
            missing: marks.cloned().collect(),
        })
    }

    /// Returns the rows of a table as this model reads them.
    ///
    /// Columns are matched by name; of a model without names by position, and there must be as many. A value that the model does not
    /// know is missing to a model trained here and to LightGBM, an error to XGBoost, and counted; a column of which most is unknown
    /// was read in another way than the model was trained on, and is refused. Models trained here take an infinite number as missing and
    /// round numbers to 32 bits, as their trainer did; a model of a library reads what that library reads.
    pub fn batch(&self, table: &Table) -> Result<Encoded, ModelError> {
        let names: Vec<String> = table
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect();
        let mut columns = Vec::with_capacity(self.signature.n_inputs);
        for position in self.positions(&names)? {
            columns.push(&table.columns[position]);
        }
        let n_columns = columns.len();
        let used: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let mut batch = Batch {
            values: vec![f64::NAN; table.n_rows * n_columns],
            n_rows: table.n_rows,
            n_columns,
        };
        let mut unknown = Vec::new();
        for (position, column) in columns.into_iter().enumerate() {
            match self.known(position) {
                Some(known) => {
                    let (found, first) =
                        batch.set_words(position, column, &known, self.unseen(position));
                    if found.n_unknown > 0 {
                        self.check_unknown(position, &found, first)?;
                        unknown.push(found);
                    }
                }
                None => {
                    batch.set_numbers(position, column, self.is_own())?;
                    if let Some((found, first)) = too_large(column) {
                        self.check_large(&found, first)?;
                        unknown.extend(self.is_own().then_some(found));
                    }
                }
            }
        }
        let is_absent = |position: &usize| {
            let mut rows = 0..batch.n_rows;
            batch.n_rows > 0 && rows.all(|row| batch.row(row)[*position].is_nan())
        };
        let absent = (0..n_columns).filter(is_absent);
        let absent = absent.map(|position| used[position].clone()).collect();
        Ok(Encoded {
            batch,
            unknown,
            absent,
        })
    }

    /// Refuses numbers that are infinite in 32 bits where the model's library does.
    fn check_large(&self, found: &UnknownValues, row: usize) -> Result<(), ModelError> {
        let origin = match &self.form {
            Form::Trees { origin, .. } => origin,
            Form::Logistic(_) | Form::Graph(_) => return Ok(()),
        };
        match origin {
            TreeOrigin::Library("XGBoost") => Err(ModelError::UnknownCategory {
                column: found.column.clone(),
                n_unknown: found.n_unknown,
                n_present: found.n_present,
                row: row + 1,
                why: "; XGBoost refuses numbers that are infinite or too large for 32 bits",
            }),
            TreeOrigin::Library(_) | TreeOrigin::Own { .. } => Ok(()),
        }
    }

    /// Refuses unknown values where the model's library does, and where most of a column is unknown.
    fn check_unknown(
        &self,
        input: usize,
        found: &UnknownValues,
        row: usize,
    ) -> Result<(), ModelError> {
        let is_error = matches!(
            &self.form,
            Form::Trees {
                origin: TreeOrigin::Library("XGBoost"),
                ..
            }
        );
        // Of a column whose categories are all rare the model knows none, and was trained so.
        let trained = self.signature.inputs.get(input);
        let n_known = trained
            .and_then(|input| input.levels.as_ref())
            .map_or(0, Vec::len);
        let is_most = match trained.is_some_and(|input| input.has_rarer) {
            true => n_known > 0 && found.n_unknown == found.n_present,
            false => found.n_unknown * 2 > found.n_present,
        };
        let why = match (is_error, is_most) {
            (false, false) => return Ok(()),
            (true, _) => "; XGBoost refuses what it was not trained on",
            (false, true) => {
                "; most of a column unknown means that its values are written otherwise than those that the model was trained on"
            }
        };
        Err(ModelError::UnknownCategory {
            column: found.column.clone(),
            n_unknown: found.n_unknown,
            n_present: found.n_present,
            row: row + 1,
            why,
        })
    }

    /// Returns the columns of a file that the model reads, in the order of its inputs.
    pub fn columns_read(&self, columns: &[String]) -> Result<Vec<String>, ModelError> {
        let positions = self.positions(columns)?.into_iter();
        Ok(positions
            .map(|position| columns[position].clone())
            .collect())
    }

    /// Returns the position of the column of each input.
    fn positions(&self, columns: &[String]) -> Result<Vec<usize>, ModelError> {
        let inputs = &self.signature.inputs;
        let in_order = || match columns.len() == self.signature.n_inputs {
            true => Ok((0..columns.len()).collect()),
            false => Err(ModelError::InputCount {
                n_inputs: self.signature.n_inputs,
                n_columns: columns.len(),
            }),
        };
        if !self.signature.is_named() {
            return in_order();
        }
        let is_lightgbm = matches!(
            &self.form,
            Form::Trees {
                origin: TreeOrigin::Library("LightGBM"),
                ..
            }
        );
        // A wide table has thousands of names: each is looked up once.
        let mut positions: HashMap<String, Vec<usize>> = HashMap::with_capacity(columns.len());
        for (position, column) in columns.iter().enumerate() {
            let name = match is_lightgbm {
                true => column.replace(' ', "_"),
                false => column.clone(),
            };
            positions.entry(name).or_default().push(position);
        }
        // The names that LightGBM gives to columns without any.
        let is_unnamed = is_lightgbm
            && inputs.iter().enumerate().all(|(at, input)| {
                input.name == format!("Column_{at}") && !positions.contains_key(&input.name)
            });
        if is_unnamed {
            return in_order();
        }
        let position = |input: &Input| match positions.get(&input.name).map(Vec::as_slice) {
            Some([position]) => Ok(*position),
            None | Some([]) => Err(ModelError::MissingInput {
                input: input.name.clone(),
                columns: columns.to_vec(),
            }),
            Some(several) => Err(ModelError::AmbiguousInput {
                input: input.name.clone(),
                columns: several
                    .iter()
                    .map(|position| columns[*position].clone())
                    .collect(),
            }),
        };
        inputs.iter().map(position).collect()
    }

    /// Returns the categories that the model knows of an input; `None` when it reads numbers or codes there.
    fn known(&self, input: usize) -> Option<KnownCategories<'_>> {
        match &self.form {
            Form::Trees {
                ensemble,
                origin: TreeOrigin::Library(_),
            } => {
                let categories = ensemble.categories.get(input)?.as_ref()?;
                Some(KnownCategories::new(categories, Spelling::Exact))
            }
            Form::Graph(graph) => (graph.column_kind(input) == InputKind::Text)
                .then(|| KnownCategories::of_words(&graph.words, Spelling::Exact)),
            Form::Trees { .. } | Form::Logistic(_) => {
                let levels = self.signature.inputs.get(input)?.levels.as_ref()?;
                Some(KnownCategories::of_words(levels, Spelling::Forgiving))
            }
        }
    }

    /// Returns the code of a value that the model does not know.
    fn unseen(&self, input: usize) -> f64 {
        match &self.form {
            Form::Graph(graph) if graph.column_kind(input) == InputKind::Text => {
                graph.words.len() as f64
            }
            Form::Graph(_) | Form::Trees { .. } | Form::Logistic(_) => f64::NAN,
        }
    }

    /// Returns whether it was trained here, so that its file says how its inputs were read.
    pub fn is_own(&self) -> bool {
        match &self.form {
            Form::Trees { origin, .. } => matches!(origin, TreeOrigin::Own { .. }),
            Form::Logistic(_) => true,
            Form::Graph(_) => false,
        }
    }
}

impl Batch {
    /// Sets the codes of a column of categories; returns what was not known, and in which row first.
    fn set_words(
        &mut self,
        position: usize,
        column: &Column,
        known: &KnownCategories<'_>,
        unseen: f64,
    ) -> (UnknownValues, usize) {
        let coded = column.codes();
        let codes: Vec<Option<u32>> = coded.levels.iter().map(|level| known.code(level)).collect();
        let (mut n_unknown, mut n_present, mut first) = (0, 0, 0);
        for (row, code) in coded.codes.iter().enumerate() {
            let Some(code) = codes.get(*code as usize) else {
                continue;
            };
            n_present += 1;
            if code.is_none() {
                first = if n_unknown == 0 { row } else { first };
                n_unknown += 1;
            }
            self.values[row * self.n_columns + position] = code.map_or(unseen, f64::from);
        }
        let found = UnknownValues {
            column: column.name.clone(),
            n_unknown,
            n_present,
        };
        (found, first)
    }

    fn set_numbers(
        &mut self,
        position: usize,
        column: &Column,
        is_own: bool,
    ) -> Result<(), ModelError> {
        let held = |number: f64| match is_own {
            // A number beyond what the model's arithmetic holds is infinite to it, and infinite is missing.
            true => Some(f64::from(number as f32))
                .filter(|number| number.is_finite())
                .unwrap_or(f64::NAN),
            false => number,
        };
        match &column.values {
            Values::Numeric(numbers) => {
                for (row, number) in numbers.iter().enumerate() {
                    self.values[row * self.n_columns + position] = held(*number);
                }
            }
            // A column without any value is read as categories; it is all missing whatever its type.
            Values::Coded(coded) if coded.levels.is_empty() => {}
            Values::Coded(coded) => {
                let numbers = coded.levels.iter().map(|level| match is_own {
                    true => None,
                    false => number_of(level),
                });
                let numbers: Option<Vec<f64>> = numbers.collect();
                let numbers = numbers.ok_or_else(|| ModelError::InputType {
                    input: column.name.clone(),
                    found: "text",
                    expected: if is_own {
                        "numbers"
                    } else {
                        "numbers or category codes"
                    },
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

/// Returns how many numbers of a column are infinite in 32 bits, and in which row the first is; `None` when there are none.
fn too_large(column: &Column) -> Option<(UnknownValues, usize)> {
    let Values::Numeric(numbers) = &column.values else {
        return None;
    };
    let is_large = |number: &f64| (*number as f32).is_infinite();
    let first = numbers.iter().position(is_large)?;
    let found = UnknownValues {
        column: column.name.clone(),
        n_unknown: numbers.iter().filter(|number| is_large(number)).count() as u64,
        n_present: numbers.iter().filter(|number| !number.is_nan()).count() as u64,
    };
    Some((found, first))
}

/// Reads a word as the number that a library makes of it: a truth value as 1 or 0, a number kept as a word for its spelling.
fn number_of(level: &str) -> Option<f64> {
    match parse_truth(level) {
        Some(truth) => Some(f64::from(u8::from(truth))),
        None => parse_number(level.trim()),
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

/// Encodes all rows of a table for inputs of a model trained here, as its trainer reads them: what it does not know is missing.
pub fn encode(table: &Table, inputs: &[Input]) -> Result<Batch, ModelError> {
    let (n_rows, n_columns) = (table.n_rows, inputs.len());
    let mut batch = Batch {
        values: vec![f64::NAN; n_rows * n_columns],
        n_rows,
        n_columns,
    };
    for (position, input) in inputs.iter().enumerate() {
        let column = column_named(table, &input.name)?;
        match &input.levels {
            Some(levels) => {
                let known = KnownCategories::of_words(levels, Spelling::Forgiving);
                batch.set_words(position, column, &known, f64::NAN);
            }
            None => batch.set_numbers(position, column, true)?,
        }
    }
    Ok(batch)
}
