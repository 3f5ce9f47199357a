//! What a model does when its inputs go wrong, what it gives away of its training rows, and what synthetic rows give away.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::Serialize;
use veracta_ml::interval::Bootstrap;
use veracta_ml::membership::{Attack, attack, confidence, likelihood_ratio, losses};
use veracta_ml::model::{Input, Label, Matrix, Predictor, describe_inputs, encode};
use veracta_ml::neighbours::{NeighbourShare, neighbour_share};
use veracta_ml::numeric::{generator, shuffle};
use veracta_ml::performance::Metric;
use veracta_ml::robustness::{SCENARIOS, ScenarioResult, Tried, robustness};
use veracta_ml::table::csv::CsvOptions;
use veracta_ml::table::{Coded, Column, MISSING, Table};
use veracta_ml::training::{BoostingParameters, TrainingSpec, fit};

use crate::LifecycleError;
use crate::data::read_table;
use crate::prediction::Application;

/// Most categories of an input of shadow models and synthetic rows.
const CATEGORIES_MAX: usize = 1_000;
/// Most shadow models.
pub const SHADOWS_MAX: usize = 256;

/// Returns whether so many shadow models can be trained: none, or an even number from 4, so that each row has two on each side.
pub fn are_shadows_possible(n: usize) -> bool {
    n == 0 || (n.is_multiple_of(2) && (4..=SHADOWS_MAX).contains(&n))
}

/// How a model stood the scenarios.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RobustnessMeasurement {
    /// The kind of model.
    pub model: String,
    /// Rows.
    pub n: usize,
    /// What was measured, when there were labels.
    pub metric: Option<Metric>,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// The metric on the rows as they are.
    pub baseline: Option<veracta_ml::interval::Estimate>,
    /// One entry a scenario.
    pub scenarios: Vec<ScenarioResult>,
}

/// Reads a label column of a data file as positive or not.
pub fn read_labels(
    data: &Path,
    csv: &CsvOptions,
    column: &str,
    positive: Option<&str>,
) -> Result<Vec<bool>, LifecycleError> {
    let (_, table, _) = read_table(data, csv)?;
    labels_of(&table, data, column, positive)
}

pub(crate) fn labels_of(
    table: &Table,
    data: &Path,
    name: &str,
    positive: Option<&str>,
) -> Result<Vec<bool>, LifecycleError> {
    let column = table
        .columns
        .iter()
        .find(|column| column.name == name)
        .ok_or_else(|| LifecycleError::UnknownColumn {
            column: name.to_owned(),
            columns: table
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect(),
        })?;
    let Coded { codes, levels } = column.codes();
    let refuse = |reason: String| LifecycleError::Label {
        file: data.display().to_string(),
        column: name.to_owned(),
        reason,
    };
    if let Some(row) = codes.iter().position(|code| *code == MISSING) {
        return Err(refuse(format!("row {} has no label", row + 1)));
    }
    let positive = positive.unwrap_or("1");
    let code = levels.iter().position(|level| level == positive);
    let code = code.filter(|_| levels.len() <= 2).ok_or_else(|| {
        refuse(format!(
            "there are {} values, and `{positive}` is to be one of two (`--positive` says which)",
            levels.len()
        ))
    })?;
    Ok(codes.iter().map(|held| *held as usize == code).collect())
}

/// Tries a model under every scenario.
pub fn try_scenarios(
    applied: &Application,
    labels: Option<&[bool]>,
    metric: Metric,
    threshold: f64,
    (level, bootstrap): (f64, Bootstrap),
) -> Result<RobustnessMeasurement, LifecycleError> {
    let predict = applied.predictor(0);
    let is_number = applied.is_number();
    // What the model refuses of the rows as they are is told, not counted.
    let scores = applied.model.predict(&applied.rows)?;
    let first: Vec<f64> = scores
        .values
        .iter()
        .step_by(scores.n_outputs)
        .copied()
        .collect();
    let tried = Tried {
        rows: &applied.rows,
        is_number: &is_number,
        labels,
        metric,
        threshold,
        level,
    };
    let baseline = match labels {
        Some(labels) => {
            let scored = veracta_ml::performance::Scored::new(labels, &first)?;
            veracta_ml::interval::metric_interval(&scored, metric, threshold, level, bootstrap)
        }
        None => None,
    };
    Ok(RobustnessMeasurement {
        model: applied.model.kind(),
        n: applied.rows.n_rows,
        metric: labels.map(|_| metric),
        threshold,
        baseline,
        scenarios: robustness(&predict, tried, &SCENARIOS, bootstrap),
    })
}

/// What a model gives away of its training rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MembershipMeasurement {
    /// The kind of model.
    pub model: String,
    /// The loss-threshold attack.
    pub by_loss: Attack,
    /// The likelihood-ratio attack; `None` without shadow models.
    pub by_likelihood_ratio: Option<Attack>,
    /// Shadow models trained.
    pub n_shadows: usize,
}

/// Rows of one side: their labels and the probabilities that the attacked model gives them.
struct Scores {
    labels: Vec<bool>,
    probabilities: Vec<f64>,
}

/// Takes rows with a small loss for members.
fn attack_by_loss([members, others]: [&Scores; 2], level: f64) -> Attack {
    let negated = |side: &Scores| {
        losses(&side.labels, &side.probabilities)
            .into_iter()
            .map(|loss| -loss)
            .collect::<Vec<f64>>()
    };
    attack(&negated(members), &negated(others), level)
}

/// Attacks a model by the losses of members and others, and with shadow models by likelihood ratios.
pub fn attack_membership(
    [members, others]: [(&Application, &Path); 2],
    csv: &CsvOptions,
    (label, positive): (&str, Option<&str>),
    (n_shadows, seed): (usize, u64),
    level: f64,
) -> Result<MembershipMeasurement, LifecycleError> {
    let side = |(applied, path): (&Application, &Path)| {
        let (_, table, _) = read_table(path, csv)?;
        let labels = labels_of(&table, path, label, positive)?;
        let found = applied.model.predict(&applied.rows)?;
        if found.n_outputs != 1 || found.values.iter().any(|p| !(0.0..=1.0).contains(p)) {
            return Err(LifecycleError::NotDefined {
                what: "membership inference, which needs the probability of one of two classes,",
            });
        }
        Ok((
            table,
            Scores {
                labels,
                probabilities: found.values,
            },
        ))
    };
    let (member_table, first) = side(members)?;
    let (other_table, second) = side(others)?;
    let by_loss = attack_by_loss([&first, &second], level);
    let by_likelihood_ratio = if n_shadows == 0 {
        None
    } else {
        let label_of = Label {
            column: label.to_owned(),
            positive: positive.unwrap_or("1").to_owned(),
        };
        let inputs = shadow_inputs(&member_table, &members.0.inputs)?;
        let rows = [
            encode(&member_table, &inputs)?,
            encode(&other_table, &inputs)?,
        ];
        let spec = TrainingSpec::GradientBoosting(BoostingParameters::default());
        let shadows = Shadows {
            inputs: &inputs,
            label: &label_of,
            spec: &spec,
            n: n_shadows,
            seed,
        };
        Some(shadows.attack(&rows, [&first, &second], level)?)
    };
    Ok(MembershipMeasurement {
        model: members.0.model.kind(),
        by_loss,
        by_likelihood_ratio,
        n_shadows,
    })
}

/// Attacks a model trained here: encoded rows with their labels, those it was trained on first. Shadows are trained as it was.
pub(crate) fn attack_predictor(
    predictor: &Predictor,
    [members, others]: [(Matrix, Vec<bool>); 2],
    spec: &TrainingSpec,
    (n_shadows, seed): (usize, u64),
    level: f64,
) -> Result<Vec<(String, Attack)>, LifecycleError> {
    let scores = |(rows, labels): &(Matrix, Vec<bool>)| Scores {
        labels: labels.clone(),
        probabilities: predictor.predict(rows),
    };
    let (first, second) = (scores(&members), scores(&others));
    let mut attacks = vec![(
        "loss threshold".to_owned(),
        attack_by_loss([&first, &second], level),
    )];
    if n_shadows > 0 {
        let shadows = Shadows {
            inputs: &predictor.inputs,
            label: &predictor.label,
            spec,
            n: n_shadows,
            seed,
        };
        attacks.push((
            "likelihood ratio".to_owned(),
            shadows.attack(&[members.0, others.0], [&first, &second], level)?,
        ));
    }
    Ok(attacks)
}

fn shadow_inputs(table: &Table, names: &[String]) -> Result<Vec<Input>, LifecycleError> {
    let all: Vec<usize> = (0..table.n_rows).collect();
    let columns: Vec<&Column> = names
        .iter()
        .filter_map(|name| table.columns.iter().find(|column| column.name == *name))
        .collect();
    if columns.len() != names.len() {
        return Err(LifecycleError::NotDefined {
            what: "the attack with shadow models, which needs inputs with names,",
        });
    }
    Ok(describe_inputs(&columns, &all, CATEGORIES_MAX))
}

/// Shadow models and how they are trained.
struct Shadows<'s> {
    inputs: &'s [Input],
    label: &'s Label,
    spec: &'s TrainingSpec,
    n: usize,
    seed: u64,
}

impl Shadows<'_> {
    /// Attacks by likelihood ratios: encoded rows of members and others, with what the attacked model says of them.
    fn attack(
        &self,
        rows: &[Matrix; 2],
        [members, others]: [&Scores; 2],
        level: f64,
    ) -> Result<Attack, LifecycleError> {
        let labels = [members.labels.as_slice(), &others.labels].concat();
        let probabilities = members.probabilities.iter().chain(&others.probabilities);
        let own: Vec<f64> = labels
            .iter()
            .zip(probabilities)
            .map(|(label, p)| confidence(*label, *p))
            .collect();
        let ratios = self.ratios(rows, &labels, &own)?;
        let (of_members, of_others) = ratios.split_at(members.labels.len());
        let known = |ratios: &[Option<f64>]| ratios.iter().flatten().copied().collect::<Vec<f64>>();
        Ok(attack(&known(of_members), &known(of_others), level))
    }

    /// Trains shadows on random halves of all rows and returns the likelihood ratio of each row.
    fn ratios(
        &self,
        [first, second]: &[Matrix; 2],
        labels: &[bool],
        own: &[f64],
    ) -> Result<Vec<Option<f64>>, LifecycleError> {
        let n_rows = labels.len();
        let values = [first.values.as_slice(), &second.values].concat();
        let all = Matrix {
            values,
            n_rows,
            n_columns: first.n_columns,
        };
        let (mut with, mut without) = (vec![Vec::new(); n_rows], vec![Vec::new(); n_rows]);
        // In pairs, one on each half: every row is in exactly half of them.
        for pair in 0..self.n.min(SHADOWS_MAX) / 2 {
            let mut order: Vec<usize> = (0..n_rows).collect();
            shuffle(&mut order, &mut generator(self.seed, pair as u64));
            let halves = order.split_at(n_rows / 2);
            for half in [halves.0, halves.1] {
                let mut half = half.to_vec();
                half.sort_unstable();
                let wanted: Vec<bool> = half.iter().map(|row| labels[*row]).collect();
                let model = fit(
                    self.spec,
                    self.inputs,
                    self.label,
                    &all.select_rows(&half),
                    &wanted,
                )?;
                let is_in: HashSet<usize> = half.into_iter().collect();
                for (row, p) in model.predict(&all).into_iter().enumerate() {
                    let side = if is_in.contains(&row) {
                        &mut with[row]
                    } else {
                        &mut without[row]
                    };
                    side.push(confidence(labels[row], p));
                }
            }
        }
        Ok((0..n_rows)
            .map(|row| likelihood_ratio(own[row], &with[row], &without[row]))
            .collect())
    }
}

/// Says whether synthetic rows are nearer to training than to held-out rows, over the columns that all three files have.
pub fn compare_neighbours(
    [synthetic, training, held_out]: [&Path; 3],
    csv: &CsvOptions,
    without: &[String],
    level: f64,
    seed: u64,
) -> Result<(Vec<String>, NeighbourShare), LifecycleError> {
    let table = |path: &Path| Ok::<Table, LifecycleError>(read_table(path, csv)?.1);
    let (made, seen, unseen) = (table(synthetic)?, table(training)?, table(held_out)?);
    let has =
        |table: &Table, name: &String| table.columns.iter().any(|column| column.name == *name);
    let names: Vec<String> = seen
        .columns
        .iter()
        .map(|column| column.name.clone())
        .collect();
    if let Some(name) = without.iter().find(|name| !names.contains(name)) {
        return Err(LifecycleError::UnknownColumn {
            column: name.clone(),
            columns: names,
        });
    }
    let shared: Vec<String> = names
        .into_iter()
        .filter(|name| !without.contains(name) && has(&made, name) && has(&unseen, name))
        .collect();
    if shared.is_empty() {
        return Err(LifecycleError::NothingShared);
    }
    // The categories of all three files, so that an unknown one is not taken for missing.
    let mut levels: BTreeMap<&String, Vec<String>> = BTreeMap::new();
    let mut inputs = Vec::with_capacity(shared.len());
    for name in &shared {
        let columns: Vec<&Column> = [&made, &seen, &unseen]
            .iter()
            .filter_map(|table| table.columns.iter().find(|column| column.name == *name))
            .collect();
        let is_number = columns
            .iter()
            .all(|column| matches!(column.values, veracta_ml::table::Values::Numeric(_)));
        if !is_number {
            let mut all: Vec<String> = columns
                .iter()
                .flat_map(|column| column.codes().levels)
                .collect();
            all.sort_unstable();
            all.dedup();
            levels.insert(name, all);
        }
        inputs.push(Input {
            name: name.clone(),
            levels: levels.get(name).cloned(),
        });
    }
    let is_number: Vec<bool> = inputs.iter().map(|input| input.levels.is_none()).collect();
    let share = neighbour_share(
        &encode(&made, &inputs)?,
        &encode(&seen, &inputs)?,
        &encode(&unseen, &inputs)?,
        &is_number,
        level,
        seed,
    );
    Ok((shared, share))
}
