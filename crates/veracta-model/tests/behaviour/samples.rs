//! Simulated tables, drawn from the crate's own seeded generator.

use veracta_model::model::{Batch, Input, Label, Model, describe_inputs, encode};
use veracta_model::numeric::{below, generator, uniform};

use veracta_data::table::{Coded, Column, ColumnType, MISSING, Table, Values};
use veracta_model::training::{BoostingParameters, TrainingSpec, fit};

/// Share of values left out of the columns `strong` and `colour`.
const MISSING_SHARE: f64 = 0.1;
/// More categories than any sample has.
const LEVELS_MAX: usize = 20;

/// Inputs with the labels they lead to.
pub(crate) struct Sample {
    pub(crate) table: Table,
    pub(crate) labels: Vec<bool>,
}

impl Sample {
    /// Draws five inputs: `strong` decides most labels, `weak`, `colour` and `extra` a little, `noise` none.
    pub(crate) fn draw(seed: u64, n_rows: usize) -> Self {
        let mut rng = generator(seed, 0);
        let (mut strong, mut weak, mut extra, mut noise) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut colour, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..n_rows {
            let [a, b, c, d]: [f64; 4] = std::array::from_fn(|_| 2.0 * uniform(&mut rng) - 1.0);
            let code = below(&mut rng, 3) as u32;
            let margin = 4.0 * a + b - c * a + if code == 2 { 1.0 } else { 0.0 };
            labels.push(uniform(&mut rng) < 1.0 / (1.0 + (-margin).exp()));
            strong.push(if uniform(&mut rng) < MISSING_SHARE {
                f64::NAN
            } else {
                a
            });
            colour.push(if uniform(&mut rng) < MISSING_SHARE {
                MISSING
            } else {
                code
            });
            weak.push(b);
            extra.push(c);
            noise.push(d);
        }
        let columns = vec![
            numeric("strong", strong),
            numeric("weak", weak),
            categorical("colour", colour, &["blue", "green", "red"]),
            numeric("extra", extra),
            numeric("noise", noise),
        ];
        Self {
            table: Table {
                columns,
                n_rows,
                ..Table::default()
            },
            labels,
        }
    }

    /// Returns the inputs that all columns make.
    pub(crate) fn inputs(&self) -> Vec<Input> {
        let columns: Vec<&Column> = self.table.columns.iter().collect();
        let rows: Vec<usize> = (0..self.table.n_rows).collect();
        describe_inputs(&columns, &rows, LEVELS_MAX)
    }

    /// Returns all rows encoded.
    pub(crate) fn matrix(&self) -> Batch {
        encode(&self.table, &self.inputs()).unwrap()
    }

    /// Trains on all rows.
    pub(crate) fn fit(&self, spec: &TrainingSpec) -> Model {
        fit(spec, &self.inputs(), &label(), &self.matrix(), &self.labels).unwrap()
    }
}

/// Returns a numeric column.
pub(crate) fn numeric(name: &str, values: Vec<f64>) -> Column {
    Column {
        name: name.to_owned(),
        column_type: ColumnType::Numeric,
        values: Values::Numeric(values),
    }
}

/// Returns a categorical column; levels are given in byte order.
pub(crate) fn categorical(name: &str, codes: Vec<u32>, levels: &[&str]) -> Column {
    let levels = levels.iter().map(|level| (*level).to_owned()).collect();
    let values = Values::Coded(Coded { codes, levels });
    Column {
        name: name.to_owned(),
        column_type: ColumnType::Categorical,
        values,
    }
}

/// Returns the label of every simulated model.
pub(crate) fn label() -> Label {
    Label {
        column: "outcome".to_owned(),
        positive: "yes".to_owned(),
    }
}

/// Returns boosting of a few trees, which is enough for behaviour.
pub(crate) fn few_trees(rounds: u32) -> TrainingSpec {
    TrainingSpec::GradientBoosting(BoostingParameters {
        rounds,
        learning_rate: 0.2,
        ..BoostingParameters::default()
    })
}
