//! Performance by group on the sealed test part, held against the plan.

use veracta_data::table::Coded;
use veracta_governance::plan::ValidationPlan;
use veracta_governance::record::{
    AttributeFairness, DisparityResult, FairnessReport, GroupRow, RateResult,
};
use veracta_ledger::Hash;
use veracta_statistics::evaluation::{
    EvaluationOptions, FrameEvaluation, GroupEvaluation, Grouping, Intervals, evaluate_groups,
};
use veracta_statistics::fairness::{DISPARITIES, Disparity};
use veracta_statistics::interval::Estimate;
use veracta_statistics::performance::Scored;
use veracta_statistics::resampling::Clusters;

use super::TestScores;
use super::validate::Judged;
use crate::LifecycleError;
use crate::data::dataset::Dataset;

/// Returns performance by each attribute of the plan.
pub(crate) fn fairness_record(
    judged: &Judged,
    dataset: &Dataset,
    test: &TestScores,
    model: Hash,
) -> Result<FairnessReport, LifecycleError> {
    let plan = &judged.plan;
    let scored = Scored::new(&test.labels, &test.scores)?;
    let clusters = test.clusters(dataset, plan.clusters.as_ref())?;
    let clusters = clusters
        .as_ref()
        .map(|(of_row, n)| Clusters { of_row, n: *n });
    let options = options(plan);
    let attribute = |by: &Vec<String>| {
        let groups = by.iter().map(|name| {
            let coded = dataset.column(name).groups();
            Coded {
                codes: test.rows.iter().map(|row| coded.codes[*row]).collect(),
                levels: coded.levels,
            }
        });
        let grouping = Grouping {
            attributes: by.clone(),
            control: None,
            groups: groups.collect(),
            within: None,
        };
        attribute_fairness(
            plan,
            evaluate_groups(&scored, &grouping, clusters, &options),
        )
    };
    Ok(FairnessReport {
        plan_digest: judged.plan_digest,
        model,
        dataset: dataset.digest,
        threshold: plan.threshold,
        group_rows_min: plan.group_rows_min,
        attributes: plan.groups.iter().map(attribute).collect(),
    })
}

/// Returns how a plan measures.
pub fn options(plan: &ValidationPlan) -> EvaluationOptions {
    EvaluationOptions {
        metrics: Vec::new(),
        threshold: plan.threshold,
        precision: plan.precision(),
        group_rows_min: plan.group_rows_min,
        intervals: Intervals::Preferred,
        recalibrate: false,
    }
}

fn attribute_fairness(plan: &ValidationPlan, measured: FrameEvaluation) -> AttributeFairness {
    let by = measured.attributes;
    let gaps = DISPARITIES.iter().zip(measured.disparities);
    let gaps =
        gaps.flat_map(|((disparity, _), (_, estimate))| judge(plan, &by, *disparity, estimate));
    AttributeFairness {
        disparities: gaps.collect(),
        groups: measured.groups.into_iter().map(group_row).collect(),
        by,
    }
}

/// Returns a gap once for each of its criteria, or once without any.
fn judge(
    plan: &ValidationPlan,
    by: &[String],
    disparity: Disparity,
    estimate: Option<Estimate>,
) -> Vec<DisparityResult> {
    let criteria = plan.fairness.iter();
    let criteria =
        criteria.filter(|criterion| criterion.by == by && criterion.disparity == disparity);
    let judged: Vec<DisparityResult> = criteria
        .map(|criterion| DisparityResult {
            disparity,
            estimate: estimate.clone(),
            criterion: Some(criterion.limit.judge(estimate.as_ref())),
        })
        .collect();
    if !judged.is_empty() {
        return judged;
    }
    vec![DisparityResult {
        disparity,
        estimate,
        criterion: None,
    }]
}

fn group_row(group: GroupEvaluation) -> GroupRow {
    let rates = group.rates.into_iter();
    GroupRow {
        levels: group.levels,
        n: group.n,
        n_positive: group.n_positive,
        small: group.is_small,
        rates: rates
            .map(|(rate, estimate)| RateResult { rate, estimate })
            .collect(),
        roc_auc: group.roc_auc,
    }
}
