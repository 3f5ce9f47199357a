//! Measuring a file of several classes, of numbers or of an order.

use std::path::Path;

use veracta_data::reading::ReadOptions;
use veracta_data::table::{Coded, MISSING, Table};
use veracta_documents::report::tasks::report;
use veracta_statistics::interval::Precision;
use veracta_statistics::performance::multiclass::{Classified, is_distribution, most_probable};
use veracta_statistics::task_evaluation::{
    TaskEvaluation, evaluate_multiclass, evaluate_ranking, evaluate_regression,
};

use crate::LifecycleError;
use crate::data::{class_names, clusters, column, file_name, numbers, read_table};
use crate::outcome::Outcome;

/// What is predicted, and which columns hold it.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskColumns {
    /// One of several classes.
    Multiclass {
        /// Column of the true class; no row may lack one.
        label: String,
        /// One column of predicted classes, or one of probabilities for each class in the order of the labels.
        scores: Vec<String>,
    },
    /// A number for each row.
    Regression {
        /// Column of the true number.
        label: String,
        /// Column of the predicted number.
        score: String,
    },
    /// An order: rows of the same query are ordered by their score.
    Ranking {
        /// Column of the relevance, a finite number.
        label: String,
        /// Column of the score, a finite number.
        score: String,
        /// Column that says which rows belong together.
        query: String,
        /// Relevance from which on a row counts as relevant.
        relevant_from: f64,
    },
}

/// Which file is evaluated, and how.
#[derive(Debug, Clone)]
pub struct TaskRequest<'p> {
    /// File of labels and scores.
    pub data: &'p Path,
    /// How a CSV file is read.
    pub csv: ReadOptions,
    /// Kind of task, with its columns.
    pub task: TaskColumns,
    /// Confidence level of the intervals, and resamples and seed of the bootstrap.
    pub precision: Precision,
}

impl TaskRequest<'_> {
    /// Measures how well the predictions do.
    pub fn measure(&self) -> Result<Outcome<TaskEvaluation>, LifecycleError> {
        let table = read_table(self.data, &self.csv)?.table;
        let (label, scores, measurement) = match &self.task {
            TaskColumns::Multiclass { label, scores } => {
                let found = self.multiclass(&table, label, scores)?;
                (label, scores.join(", "), found)
            }
            TaskColumns::Regression { label, score } => {
                let found = self.regression(&table, [label, score])?;
                (label, score.clone(), found)
            }
            TaskColumns::Ranking {
                label,
                score,
                query,
                relevant_from,
            } => {
                let found = self.ranking(&table, [label, score, query], *relevant_from)?;
                (label, score.clone(), found)
            }
        };
        let subject = format!("{scores} of {} for {label}", file_name(self.data));
        Ok(Outcome {
            report: report(&subject, &measurement, self.precision.level),
            measurement,
            record: None,
        })
    }

    fn regression(
        &self,
        table: &Table,
        [label, score]: [&str; 2],
    ) -> Result<TaskEvaluation, LifecycleError> {
        let (data, precision) = (self.data, self.precision);
        Ok(evaluate_regression(
            &numbers(table, label, data)?,
            &numbers(table, score, data)?,
            precision,
        ))
    }

    fn ranking(
        &self,
        table: &Table,
        [label, score, query]: [&str; 3],
        relevant_from: f64,
    ) -> Result<TaskEvaluation, LifecycleError> {
        let (data, precision) = (self.data, self.precision);
        let (of_row, n) = clusters(table, query, data)?;
        let mut queries = vec![Vec::new(); n];
        of_row
            .iter()
            .enumerate()
            .for_each(|(row, query)| queries[*query as usize].push(row));
        queries.retain(|rows| !rows.is_empty());
        Ok(evaluate_ranking(
            &numbers(table, label, data)?,
            &numbers(table, score, data)?,
            &queries,
            relevant_from,
            precision,
        ))
    }

    fn multiclass(
        &self,
        table: &Table,
        label: &str,
        scores: &[String],
    ) -> Result<TaskEvaluation, LifecycleError> {
        let (labels, levels) = self.classes(table, label)?;
        let (predicted, probabilities) = match scores {
            [predicted] => (
                self.predicted(table, predicted, label, &levels)?,
                Vec::new(),
            ),
            several => {
                let probabilities = self.probabilities(table, several, label, &levels)?;
                let rows = probabilities.chunks(levels.len());
                let predicted = rows.map(most_probable).collect();
                (predicted, probabilities)
            }
        };
        let data = Classified {
            labels: &labels,
            predicted: &predicted,
            probabilities: &probabilities,
            n_classes: levels.len(),
        };
        Ok(evaluate_multiclass(data, &levels, self.precision))
    }

    fn refuse(&self, column: &str, reason: String) -> LifecycleError {
        LifecycleError::ScoreColumn {
            file: self.data.display().to_string(),
            column: column.to_owned(),
            reason,
        }
    }

    /// Returns the class of each row as a position among the classes, and their names: numbers in the order of numbers, as
    /// libraries have them, others in byte order.
    fn classes(
        &self,
        table: &Table,
        label: &str,
    ) -> Result<(Vec<usize>, Vec<String>), LifecycleError> {
        let Coded { codes, levels } = column(table, label)?.codes();
        if let Some(row) = codes.iter().position(|code| *code == MISSING) {
            return Err(self.refuse(label, format!("row {} has no label", row + 1)));
        }
        let as_number = |level: &String| level.parse::<f64>().ok();
        let mut order: Vec<usize> = (0..levels.len()).collect();
        if levels.iter().all(|level| as_number(level).is_some()) {
            order.sort_by(|a, b| {
                as_number(&levels[*a])
                    .partial_cmp(&as_number(&levels[*b]))
                    .unwrap_or(std::cmp::Ordering::Equal)
            });
        }
        let mut place = vec![0; levels.len()];
        let places = order.iter().enumerate();
        places.for_each(|(to, from)| place[*from] = to);
        let labels = codes.iter().map(|code| place[*code as usize]).collect();
        let names = order.iter().map(|from| levels[*from].clone()).collect();
        Ok((labels, names))
    }

    /// Reads a column of predicted classes.
    fn predicted(
        &self,
        table: &Table,
        predicted: &str,
        label: &str,
        levels: &[String],
    ) -> Result<Vec<usize>, LifecycleError> {
        let said = column(table, predicted)?.codes();
        let known = said
            .levels
            .iter()
            .map(|level| levels.iter().position(|known| known == level));
        let known: Vec<Option<usize>> = known.collect();
        let class_of = |(row, code): (usize, &u32)| {
            let found = known.get(*code as usize).copied().flatten();
            found.ok_or_else(|| {
                let reason = format!("row {} is missing or no label of `{label}`", row + 1);
                self.refuse(predicted, reason)
            })
        };
        said.codes.iter().enumerate().map(class_of).collect()
    }

    /// Reads one column of probabilities for each class; returns them row by row.
    fn probabilities(
        &self,
        table: &Table,
        scores: &[String],
        label: &str,
        levels: &[String],
    ) -> Result<Vec<f64>, LifecycleError> {
        if scores.len() != levels.len() {
            let reason = format!(
                "it has {} labels and there are {} score columns; one each in the order {}",
                levels.len(),
                scores.len(),
                class_names(levels)
            );
            return Err(self.refuse(label, reason));
        }
        let columns = scores.iter().map(|name| numbers(table, name, self.data));
        let columns: Vec<Vec<f64>> = columns.collect::<Result<_, _>>()?;
        let probabilities: Vec<f64> = (0..table.n_rows)
            .flat_map(|row| columns.iter().map(move |column| column[row]))
            .collect();
        let mut rows = probabilities.chunks(levels.len());
        if let Some(row) = rows.position(|row| !is_distribution(row)) {
            let reason = format!(
                "row {}: the score columns are not probabilities that add up to 1",
                row + 1
            );
            return Err(self.refuse(&scores[0], reason));
        }
        Ok(probabilities)
    }
}
