//! The validation stage: performance, fairness and explanation on the sealed test part.

use veracta_governance::plan::{DisparityCriterion, ValidationPlan};
use veracta_governance::record::{
    AttributeFairness, DisparityResult, ExplainReport, ExplainedCase, FairnessReport,
    FeatureEffect, GroupRow, MetricResult, RateResult, RocPoint, ValidationReport,
};
use veracta_ledger::Hash;
use veracta_ml::calibration::{Binning, calibration_line, reliability};
use veracta_ml::evaluation::{cluster_counts, renumbered};
use veracta_ml::fairness::{DISPARITIES, Disparity, MetricFrame, Outcomes, RATES};
use veracta_ml::interval::{delong_interval, metric_intervals};
use veracta_ml::model::{Form, Predictor};
use veracta_ml::numeric::{mean, quantile_sorted, rank_correlation};
use veracta_ml::performance::{Confusion, METRICS, Metric, Scored, roc_curve};
use veracta_ml::resampling::{
    CLUSTERS_MIN, ClusteredFrame, Clusters, cluster_intervals, clustered_frame,
};
use veracta_ml::split::{Role, SplitProof};
use veracta_ml::table::Coded;

use crate::LifecycleError;
use crate::data::{Dataset, rows_with};

/// The sealed test part with a model's scores.
#[derive(Debug)]
pub struct TestScores {
    /// Rows of the table.
    pub rows: Vec<usize>,
    /// Their labels.
    pub labels: Vec<bool>,
    /// Their scores.
    pub scores: Vec<f64>,
    /// Cluster of each row and how many there are, when rows are not independent.
    pub clusters: Option<(Vec<u32>, usize)>,
}

/// Scores the test part.
pub fn score_test(
    dataset: &Dataset,
    predictor: &Predictor,
    roles: &[Role],
    clusters: Option<&str>,
) -> Result<TestScores, LifecycleError> {
    let rows = rows_with(roles, |role| role == Role::Test);
    let matrix = predictor.encode(&dataset.table)?.select_rows(&rows);
    let labels = rows.iter().map(|row| dataset.labels[*row]).collect();
    let clusters = match clusters {
        Some(name) => {
            let coded = dataset.column(name).groups();
            let (of_row, n) = renumbered(rows.iter().map(|row| coded.codes[*row]));
            if n < CLUSTERS_MIN {
                return Err(LifecycleError::FewClusters {
                    column: name.to_owned(),
                    n,
                });
            }
            Some((of_row, n))
        }
        None => None,
    };
    Ok(TestScores {
        labels,
        scores: predictor.predict(&matrix),
        rows,
        clusters,
    })
}

/// Where a validation stands: which plan, model and data it is about.
#[derive(Debug, Clone, Copy)]
pub struct ValidationScope<'s> {
    /// The plan.
    pub plan: &'s ValidationPlan,
    /// Position of its record.
    pub plan_idx: u64,
    /// SHA-256 of the model.
    pub model: Hash,
    /// SHA-256 of the dataset.
    pub dataset: Hash,
}

/// Returns performance on the test part, held against the plan.
pub fn validation_record(
    scope: ValidationScope<'_>,
    test: &TestScores,
    proof: &SplitProof,
    training_roc_auc: Option<f64>,
) -> Result<ValidationReport, LifecycleError> {
    let plan = scope.plan;
    let scored = Scored::new(&test.labels, &test.scores)?;
    // KS, Gini and the trapezoid are transformations of the others: shown only when the plan asks for them.
    let is_shown = |metric: Metric| {
        let is_derived = matches!(
            metric,
            Metric::Ks
                | Metric::Gini
                | Metric::PrAucTrapezoid
                | Metric::D2LogLoss
                | Metric::Jaccard
        );
        !is_derived
            || plan
                .criteria
                .iter()
                .any(|criterion| criterion.metric == metric)
    };
    let metrics: Vec<Metric> = METRICS
        .iter()
        .map(|descriptor| descriptor.metric)
        .filter(|metric| is_shown(*metric))
        .collect();
    let estimates = match &test.clusters {
        Some((of_row, n)) => cluster_intervals(
            &scored,
            Clusters { of_row, n: *n },
            &metrics,
            plan.threshold,
            plan.level,
            plan.bootstrap,
        ),
        None => metric_intervals(
            &scored,
            &metrics,
            plan.threshold,
            plan.level,
            plan.bootstrap,
        ),
    };
    let mut results = Vec::new();
    for (metric, estimate) in metrics.into_iter().zip(estimates) {
        let mut criteria = plan
            .criteria
            .iter()
            .filter(|criterion| criterion.metric == metric)
            .peekable();
        if criteria.peek().is_none() {
            results.push(MetricResult {
                metric,
                estimate,
                criterion: None,
            });
            continue;
        }
        for criterion in criteria {
            let criterion = Some(criterion.limit.judge(estimate.as_ref()));
            results.push(MetricResult {
                metric,
                estimate: estimate.clone(),
                criterion,
            });
        }
    }
    let test_part = proof
        .parts
        .iter()
        .find(|part| part.role == Role::Test)
        .map(|part| part.digest.clone());
    Ok(ValidationReport {
        plan_idx: scope.plan_idx,
        plan_digest: plan.digest(),
        model: scope.model,
        dataset: scope.dataset,
        test_part: test_part.unwrap_or_default(),
        n: scored.n(),
        n_positive: scored.n_positive(),
        threshold: plan.threshold,
        confusion: Confusion::at(&scored, plan.threshold),
        results,
        roc: thin(&roc_curve(&scored).unwrap_or_default()),
        reliability: reliability(&scored, 10, Binning::Quantile),
        calibration: calibration_line(&scored),
        training_roc_auc,
    })
}

/// Keeps at most 201 points of a curve, the ends among them.
fn thin(curve: &[(f64, f64)]) -> Vec<RocPoint> {
    const POINTS: usize = 200;
    let step = curve.len().div_ceil(POINTS).max(1);
    let mut kept: Vec<RocPoint> = curve
        .iter()
        .step_by(step)
        .map(|(fpr, tpr)| RocPoint {
            fpr: *fpr,
            tpr: *tpr,
        })
        .collect();
    let last = curve.last().map(|(fpr, tpr)| RocPoint {
        fpr: *fpr,
        tpr: *tpr,
    });
    if let Some(last) = last.filter(|last| kept.last() != Some(last)) {
        kept.push(last);
    }
    kept
}

/// Returns performance by group on the test part, held against the plan.
pub fn fairness_record(
    scope: ValidationScope<'_>,
    dataset: &Dataset,
    test: &TestScores,
) -> Result<FairnessReport, LifecycleError> {
    let plan = scope.plan;
    let predicted: Vec<bool> = test
        .scores
        .iter()
        .map(|score| *score >= plan.threshold)
        .collect();
    let outcomes = Outcomes {
        labels: &test.labels,
        predicted: &predicted,
        weights: None,
    };
    let mut attributes = Vec::new();
    for by in &plan.groups {
        let coded: Vec<Coded> = by
            .iter()
            .map(|name| select_codes(&dataset.column(name).groups(), &test.rows))
            .collect();
        let frame = MetricFrame::new(outcomes, &coded);
        let comparable = frame.without_small(plan.group_rows_min);
        let clustered = test.clusters.as_ref().map(|clusters| {
            let counts = cluster_counts((&test.labels, &predicted), &coded, clusters.clone());
            let is_compared: Vec<bool> = frame
                .groups
                .iter()
                .map(|group| group.n >= plan.group_rows_min)
                .collect();
            let wanted: Vec<Disparity> = DISPARITIES
                .iter()
                .map(|(disparity, _)| *disparity)
                .collect();
            clustered_frame(
                &frame,
                &counts,
                &is_compared,
                (&RATES, &wanted),
                plan.level,
                plan.bootstrap,
            )
        });
        let criteria: Vec<&DisparityCriterion> = plan
            .fairness
            .iter()
            .filter(|criterion| criterion.by == *by)
            .collect();
        let mut disparities = Vec::new();
        for (place, (disparity, _)) in DISPARITIES.into_iter().enumerate() {
            let estimate = match &clustered {
                Some(found) => found.disparities[place].clone(),
                None => comparable.disparity_interval(disparity, plan.level, plan.bootstrap),
            };
            let mut own = criteria
                .iter()
                .filter(|criterion| criterion.disparity == disparity)
                .peekable();
            if own.peek().is_none() {
                disparities.push(DisparityResult {
                    disparity,
                    estimate,
                    criterion: None,
                });
                continue;
            }
            for criterion in own {
                let criterion = Some(criterion.limit.judge(estimate.as_ref()));
                disparities.push(DisparityResult {
                    disparity,
                    estimate: estimate.clone(),
                    criterion,
                });
            }
        }
        let groups = group_rows(&frame, &coded, test, plan, clustered.as_ref())?;
        attributes.push(AttributeFairness {
            by: by.clone(),
            groups,
            disparities,
        });
    }
    Ok(FairnessReport {
        plan_digest: plan.digest(),
        model: scope.model,
        dataset: scope.dataset,
        threshold: plan.threshold,
        group_rows_min: plan.group_rows_min,
        attributes,
    })
}

fn select_codes(coded: &Coded, rows: &[usize]) -> Coded {
    Coded {
        codes: rows.iter().map(|row| coded.codes[*row]).collect(),
        levels: coded.levels.clone(),
    }
}

fn group_rows(
    frame: &MetricFrame,
    coded: &[Coded],
    test: &TestScores,
    plan: &ValidationPlan,
    clustered: Option<&ClusteredFrame>,
) -> Result<Vec<GroupRow>, LifecycleError> {
    let mut rows = Vec::with_capacity(frame.groups.len());
    for (position, group) in frame.groups.iter().enumerate() {
        let is_member = |row: usize| {
            coded.iter().zip(&group.levels).all(|(attribute, level)| {
                attribute.levels.get(attribute.codes[row] as usize) == Some(level)
            })
        };
        let members: Vec<usize> = (0..test.labels.len())
            .filter(|row| is_member(*row))
            .collect();
        let labels: Vec<bool> = members.iter().map(|row| test.labels[*row]).collect();
        let scores: Vec<f64> = members.iter().map(|row| test.scores[*row]).collect();
        let roc_auc = match (members.is_empty(), &test.clusters) {
            (true, _) => None,
            (false, None) => delong_interval(&Scored::new(&labels, &scores)?, plan.level),
            (false, Some((of_row, _))) => {
                let (of_row, n) = renumbered(members.iter().map(|row| of_row[*row]));
                let own = Scored::new(&labels, &scores)?;
                cluster_intervals(
                    &own,
                    Clusters { of_row: &of_row, n },
                    &[Metric::RocAuc],
                    plan.threshold,
                    plan.level,
                    plan.bootstrap,
                )
                .pop()
                .flatten()
            }
        };
        let mut place = 0..;
        let rates = RATES.map(|rate| {
            let idx = place.next().expect("there is no end");
            let estimate = match clustered {
                Some(found) => found.rates[position][idx].clone(),
                None => frame.rate_intervals(rate, plan.level).swap_remove(position),
            };
            RateResult { rate, estimate }
        });
        rows.push(GroupRow {
            levels: group.levels.clone(),
            n: group.n,
            n_positive: labels.iter().filter(|label| **label).count(),
            small: group.n < plan.group_rows_min,
            rates: rates.to_vec(),
            roc_auc,
        });
    }
    Ok(rows)
}

/// Returns what drives the model on the first `rows_max` test rows.
pub fn explain_record(
    dataset: &Dataset,
    predictor: &Predictor,
    model: Hash,
    test: &TestScores,
    rows_max: usize,
) -> Result<ExplainReport, LifecycleError> {
    let n_rows = test.rows.len().min(rows_max);
    let matrix = predictor
        .encode(&dataset.table)?
        .select_rows(&test.rows[..n_rows]);
    let attributions = predictor.explain(&matrix);
    let n_inputs = predictor.inputs.len();
    let strengths_of = |range: std::ops::Range<usize>| -> Vec<f64> {
        let strength = |input: usize| {
            let absolute: Vec<f64> = attributions[range.clone()]
                .iter()
                .map(|found| found.contributions[input].abs())
                .collect();
            mean(&absolute).unwrap_or(0.0)
        };
        (0..n_inputs).map(strength).collect()
    };
    let strengths = strengths_of(0..n_rows);
    let total: f64 = strengths.iter().sum();
    let mut features: Vec<FeatureEffect> = (0..n_inputs)
        .map(|input| {
            let mut signed: Vec<f64> = attributions
                .iter()
                .map(|found| found.contributions[input])
                .collect();
            signed.sort_by(f64::total_cmp);
            FeatureEffect {
                input: predictor.inputs[input].name.clone(),
                mean_absolute: strengths[input],
                share: if total > 0.0 {
                    strengths[input] / total
                } else {
                    0.0
                },
                quantiles: [0.05, 0.25, 0.5, 0.75, 0.95]
                    .map(|share| quantile_sorted(&signed, share)),
            }
        })
        .collect();
    features.sort_by(|a, b| {
        b.mean_absolute
            .total_cmp(&a.mean_absolute)
            .then_with(|| a.input.cmp(&b.input))
    });
    let additivity = attributions.iter().zip(&test.scores).map(|(found, score)| {
        let margin = found.base_value + found.contributions.iter().sum::<f64>();
        (1.0 / (1.0 + (-margin).exp()) - score).abs()
    });
    let method = match predictor.form {
        Form::Trees { .. } | Form::Brought { .. } => "path-dependent tree SHAP",
        Form::Logistic(_) => "linear attribution",
    };
    Ok(ExplainReport {
        model,
        method: method.to_owned(),
        unit: "log-odds".to_owned(),
        n_rows,
        base_value: attributions.first().map_or(0.0, |found| found.base_value),
        stability: rank_correlation(
            &strengths_of(0..n_rows / 2),
            &strengths_of(n_rows / 2..n_rows),
        ),
        additivity_error_max: additivity.fold(0.0, f64::max),
        cases: cases(predictor, test, n_rows, |row| {
            attributions[row].contributions.clone()
        }),
        features,
    })
}

/// Returns the highest, lowest and median score, and the most confident mistakes of each kind.
fn cases(
    predictor: &Predictor,
    test: &TestScores,
    n_rows: usize,
    contributions: impl Fn(usize) -> Vec<f64>,
) -> Vec<ExplainedCase> {
    let mut order: Vec<usize> = (0..n_rows).collect();
    order.sort_by(|a, b| test.scores[*a].total_cmp(&test.scores[*b]));
    let missed = order.iter().copied().find(|row| test.labels[*row]);
    let alarmed = order.iter().rev().copied().find(|row| !test.labels[*row]);
    let picked = [
        ("highest score", order.last().copied()),
        ("median score", order.get(n_rows / 2).copied()),
        ("lowest score", order.first().copied()),
        ("positive with the lowest score", missed),
        ("negative with the highest score", alarmed),
    ];
    let explain = |(case, row): (&str, Option<usize>)| {
        let row = row?;
        let mut parts: Vec<(String, f64)> = predictor
            .inputs
            .iter()
            .map(|input| input.name.clone())
            .zip(contributions(row))
            .collect();
        parts.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        parts.truncate(5);
        Some(ExplainedCase {
            case: case.to_owned(),
            score: test.scores[row],
            contributions: parts,
        })
    };
    picked.into_iter().filter_map(explain).collect()
}
