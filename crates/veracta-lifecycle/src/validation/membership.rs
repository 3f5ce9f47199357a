//! What a model gives away of its training rows: membership inference by losses and by shadow models.

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;
use veracta_data::reading::ReadOptions;
use veracta_data::source::Source;
use veracta_data::table::{Column, Table};
use veracta_documents::report::robustness::membership as report;
use veracta_governance::record::{PrivacyReport, Record};
use veracta_model::model::{Batch, Input, Label, Model, describe_inputs, encode};
use veracta_model::numeric::{generator, shuffle};
use veracta_model::training::{BoostingParameters, TrainingSpec, fit};
use veracta_statistics::membership::{Attack, attack, confidence, likelihood_ratio, losses};

use crate::LifecycleError;
use crate::data::{binary_labels, file_name, hash_file, read_table, refuse_source, without_notes};
use crate::deployment::predict::{Applied, Rounds, apply};
use crate::outcome::{MeasuredOf, Outcome, Recordable};

/// Most categories of an input of shadow models.
const CATEGORIES_MAX: usize = 1_000;
/// Most shadow models of one attack; each is trained on half of all rows.
pub const SHADOWS_MAX: usize = 256;

/// Returns whether so many shadow models can be trained: none, or an even number from 4, so that each row has two on each side.
pub fn are_shadows_possible(n: usize) -> bool {
    n == 0 || (n.is_multiple_of(2) && (4..=SHADOWS_MAX).contains(&n))
}

/// What a model gives away of its training rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MembershipMeasurement {
    /// What the attacked model is, in the words of [`Model::kind`].
    pub model: String,
    /// The loss-threshold attack, which takes rows with a small log loss for members (Yeom et al. 2018).
    pub by_loss: Attack,
    /// The likelihood-ratio attack; `None` without shadow models.
    pub by_likelihood_ratio: Option<Attack>,
    /// Shadow models trained for the likelihood-ratio attack; 0 when it was not asked for.
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

/// Which model is attacked, with which rows.
#[derive(Debug, Clone)]
pub struct MembershipRequest<'p> {
    /// File of the model that is attacked; it must give the probability of one of two classes.
    pub model: &'p Path,
    /// File of rows that it was trained on.
    pub members: &'p Path,
    /// File of rows of the same kind that it was not trained on.
    pub others: &'p Path,
    /// How CSV files are read.
    pub csv: ReadOptions,
    /// Column of the label in both files of rows; no row may lack one.
    pub label: String,
    /// Value that counts as positive; 1 when not given.
    pub positive: Option<String>,
    /// Shadow models to train; see [`are_shadows_possible`].
    pub n_shadows: usize,
    /// Seed of the shadow models.
    pub seed: u64,
    /// Confidence level of the rates.
    pub level: f64,
}

impl MembershipRequest<'_> {
    /// Attacks the model by the losses of members and others, and with shadow models by likelihood ratios.
    pub fn measure(&self) -> Result<Outcome<MembershipMeasurement>, LifecycleError> {
        let side = |path| apply(self.model, Rounds::All, path, &self.csv);
        let (members, others) = (side(self.members)?, side(self.others)?);
        let found = attack_membership(
            [(&members, self.members), (&others, self.others)],
            &self.csv,
            (&self.label, self.positive.as_deref()),
            (self.n_shadows, self.seed),
            self.level,
        )?;
        let attacks = found.attacks();
        let report = report(&file_name(self.model), &attacks);
        let data = [hash_file(self.members)?.0, hash_file(self.others)?.0];
        let kept = attacks
            .iter()
            .map(|(name, attack)| (name.to_lowercase(), (*attack).clone()))
            .collect();
        let n_shadows = found.n_shadows;
        let unknown = [members.unknown, others.unknown].concat();
        let of = MeasuredOf::Model(hash_file(self.model)?.0);
        let record = Recordable::new(of, move |model| {
            Record::PrivacyReport(PrivacyReport {
                model,
                data,
                attacks: kept,
                n_shadows,
                unknown,
            })
        });
        Ok(Outcome {
            measurement: found,
            report,
            record: Some(record),
        })
    }
}

impl MembershipMeasurement {
    /// Returns the attacks with their names.
    fn attacks(&self) -> Vec<(&'static str, &Attack)> {
        let by_ratio = self.by_likelihood_ratio.as_ref();
        let by_ratio = by_ratio.map(|attack| ("Likelihood ratio", attack));
        [("Loss threshold", &self.by_loss)]
            .into_iter()
            .chain(by_ratio)
            .collect()
    }
}

fn attack_membership(
    [members, others]: [(&Applied, &Path); 2],
    csv: &ReadOptions,
    (label, positive): (&str, Option<&str>),
    (n_shadows, seed): (usize, u64),
    level: f64,
) -> Result<MembershipMeasurement, LifecycleError> {
    let side = |(applied, path): (&Applied, &Path)| {
        let source = Source::file(path);
        let columns = source.columns(csv).map_err(refuse_source(&source))?;
        let reading = applied.model.reading(&columns, csv)?;
        let table = read_table(path, &without_notes(&reading))?.table;
        let positive = applied.positive(label, positive);
        let labels = binary_labels(&table, path, label, positive)?;
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

/// One side of an attack: encoded rows with their labels.
pub struct Side {
    /// Whether each row is positive.
    pub labels: Vec<bool>,
    /// The rows as the model reads them.
    pub rows: Batch,
}

/// Attacks a model: rows it was trained on first, then others. Shadows, as many as said with their seed, are trained by
/// `shadow_training`.
pub(crate) fn attack_model(
    model: &Model,
    [members, others]: [Side; 2],
    shadow_training: &TrainingSpec,
    (n_shadows, seed): (usize, u64),
    level: f64,
) -> Result<Vec<(String, Attack)>, LifecycleError> {
    let scores = |side: &Side| {
        Ok::<Scores, LifecycleError>(Scores {
            labels: side.labels.clone(),
            probabilities: model.probabilities(&side.rows)?,
        })
    };
    let (first, second) = (scores(&members)?, scores(&others)?);
    let by_loss = attack_by_loss([&first, &second], level);
    let mut attacks = vec![("loss threshold".to_owned(), by_loss)];
    if n_shadows > 0 {
        let signature = &model.signature;
        let shadows = Shadows {
            inputs: &signature.inputs,
            label: signature
                .label
                .as_ref()
                .expect("the model is judged as a classifier"),
            spec: shadow_training,
            n: n_shadows,
            seed,
        };
        let rows = [members.rows, others.rows];
        let ratio = shadows.attack(&rows, [&first, &second], level)?;
        attacks.push(("likelihood ratio".to_owned(), ratio));
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
        rows: &[Batch; 2],
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
        [first, second]: &[Batch; 2],
        labels: &[bool],
        own: &[f64],
    ) -> Result<Vec<Option<f64>>, LifecycleError> {
        let n_rows = labels.len();
        let values = [first.values.as_slice(), &second.values].concat();
        let all = Batch {
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
                for (row, p) in model.probabilities(&all)?.into_iter().enumerate() {
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
