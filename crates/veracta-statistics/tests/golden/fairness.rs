//! Runs the checks of fairness by group.
//!
//! Fairlearn counts a rate without the rows it needs as 0; this crate says that it is not defined and leaves the group out of gaps.
//! Both readings are checked: [`Rate::fairlearn`] must agree everywhere, [`Rate::of`] everywhere but in the places listed here.

use serde_json::Value;
use veracta_data::table::Coded;
use veracta_model::numeric::{mean, quantile_sorted};
use veracta_statistics::distribution::normal_two_sided;
use veracta_statistics::fairness::privileged::Privileged;
use veracta_statistics::fairness::{
    Against, Disparity, GroupCounts, MetricFrame, Outcomes, Rate, adverse_impact, gap_difference,
    gap_ratio,
};
use veracta_statistics::interval::percentile_interval;
use veracta_statistics::performance::{Metric, Scored};

use crate::case::{Case, Check, Comparison, numbers, position, truths};

/// Confidence level of every golden interval of this group.
const LEVEL: f64 = 0.95;
/// Selection rates below this share of the privileged group's are flagged (four-fifths rule, 29 CFR 1607.4 D).
const FOUR_FIFTHS: f64 = 0.8;

const NEED_POSITIVES: &[Rate] = &[Rate::TruePositiveRate, Rate::FalseNegativeRate];
const NEED_NEGATIVES: &[Rate] = &[Rate::FalsePositiveRate, Rate::TrueNegativeRate];
const NEED_SELECTED: &[Rate] = &[Rate::Precision];

/// Groups without the rows that some rates need: case, group, rates. Fairlearn gives 0, this crate nothing.
const NOT_DEFINED_HERE: &[(&str, &str, &[Rate])] = &[
    ("people", "female/other/18-29", NEED_POSITIVES),
    ("people", "male/other/18-29", NEED_NEGATIVES),
    ("people", "male/other/50-64", NEED_NEGATIVES),
    ("people", "male/other/65+", NEED_NEGATIVES),
    ("degenerate_groups", "asian", NEED_SELECTED),
    ("degenerate_groups", "asian/female", NEED_SELECTED),
    ("degenerate_groups", "asian/male", NEED_SELECTED),
    ("degenerate_groups", "other", NEED_POSITIVES),
    ("degenerate_groups", "other/female", NEED_POSITIVES),
    ("degenerate_groups", "other/male", NEED_POSITIVES),
];

/// Gaps that differ because of them: case, attributes, rate, operation and method. A group of no positives has a false negative
/// rate of 0 in Fairlearn, which is then the smallest one.
const OTHER_GAP_HERE: &[(&str, &str, Rate, &str)] = &[
    (
        "degenerate_groups",
        "race",
        Rate::FalseNegativeRate,
        "fairness.difference/between_groups",
    ),
    (
        "degenerate_groups",
        "race",
        Rate::FalseNegativeRate,
        "fairness.ratio/between_groups",
    ),
    (
        "degenerate_groups",
        "race",
        Rate::FalseNegativeRate,
        "fairness.ratio/to_overall",
    ),
    (
        "degenerate_groups",
        "race/sex",
        Rate::FalseNegativeRate,
        "fairness.difference/between_groups",
    ),
    (
        "degenerate_groups",
        "race/sex",
        Rate::FalseNegativeRate,
        "fairness.ratio/between_groups",
    ),
    (
        "degenerate_groups",
        "race/sex",
        Rate::FalseNegativeRate,
        "fairness.ratio/to_overall",
    ),
];

/// Labels, predictions, scores, weights, attributes and resamples of a case.
pub(crate) struct Data {
    labels: Vec<bool>,
    predicted: Vec<bool>,
    score: Vec<f64>,
    weight: Vec<f64>,
    attributes: Vec<(&'static str, Coded)>,
    resamples: Vec<Vec<usize>>,
}

/// Reads the data of a case.
pub(crate) fn open(case: &Case) -> Data {
    let table = case.table("data.csv");
    let attribute = |name: &'static str| (name, table.column(name).unwrap().groups());
    Data {
        labels: truths(&table, "y_true"),
        predicted: truths(&table, "y_pred"),
        score: numbers(&table, "score"),
        weight: numbers(&table, "weight"),
        attributes: Vec::from(["sex", "race", "age_band"].map(attribute)),
        resamples: case.rows("bootstrap_indices.csv", position),
    }
}

/// Runs one check; `None` when its operation is not known here.
pub(crate) fn run(case: &Case, data: &Data, check: &Check) -> Option<Comparison> {
    let mut comparison = Comparison::new(check);
    match check.op.as_str() {
        "fairness.by_group" => by_group(case, data, check, &mut comparison),
        "fairness.overall" => {
            let frame = data.frame(&check.words("attributes"), false);
            fields(&check.value).for_each(|(name, expected)| {
                comparison.number(
                    name,
                    Measure::named(name).fairlearn(&frame.overall),
                    expected,
                );
            });
        }
        "fairness.difference" | "fairness.ratio" => gaps(case, data, check, &mut comparison),
        "fairness.group_min_max" => group_extremes(data, check, &mut comparison),
        "fairness.summary" => summary(data, check, &mut comparison),
        "fairness.by_group_scores" => by_group_scores(data, check, &mut comparison),
        "fairness.adverse_impact" => adverse_impacts(data, check, &mut comparison),
        "fairness.bootstrap" => bootstrap(data, check, &mut comparison),
        "fairness.bootstrap_by_group" => bootstrap_by_group(data, check, &mut comparison),
        "fairness.aif360.classification" => privileged(
            data,
            check,
            &mut comparison,
            Privileged::classification_metric,
        ),
        "fairness.aif360.dataset" => {
            privileged(data, check, &mut comparison, Privileged::dataset_metric)
        }
        "fairness.controlled" => controlled(data, check, &mut comparison),
        _ => return None,
    }
    Some(comparison)
}

fn privileged(
    data: &Data,
    check: &Check,
    comparison: &mut Comparison,
    metric: fn(&Privileged, &str) -> Option<f64>,
) {
    let attribute = check.words("attribute")[0];
    let sides: Vec<bool> = (0..data.labels.len())
        .map(|row| data.level(attribute, row) == check.words("privileged")[0])
        .collect();
    let weights = (check.params["weights"] == "weight").then_some(data.weight.as_slice());
    let outcomes = Privileged::new(&data.labels, &data.predicted, weights, &sides);
    fields(&check.value)
        .for_each(|(name, expected)| comparison.number(name, metric(&outcomes, name), expected));
}

/// A column of Fairlearn's frame.
#[derive(Clone, Copy)]
enum Measure {
    Count,
    Rate(Rate),
}

impl Measure {
    fn named(name: &str) -> Self {
        match name {
            "count" => Self::Count,
            // The mean of predicted labels is the share of rows selected.
            "selection_rate" | "mean_prediction" => Self::Rate(Rate::SelectionRate),
            "true_positive_rate" | "recall" => Self::Rate(Rate::TruePositiveRate),
            "false_positive_rate" => Self::Rate(Rate::FalsePositiveRate),
            "true_negative_rate" => Self::Rate(Rate::TrueNegativeRate),
            "false_negative_rate" => Self::Rate(Rate::FalseNegativeRate),
            "accuracy" => Self::Rate(Rate::Accuracy),
            "precision" => Self::Rate(Rate::Precision),
            other => panic!("measure `{other}`"),
        }
    }

    /// Returns the value as Fairlearn reads it.
    fn fairlearn(self, group: &GroupCounts) -> f64 {
        match self {
            Self::Count => group.n as f64,
            Self::Rate(rate) => rate.fairlearn(&group.confusion),
        }
    }
}

impl Data {
    fn attribute(&self, name: &str) -> &Coded {
        &self
            .attributes
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap()
            .1
    }

    fn frame(&self, attributes: &[&str], is_weighted: bool) -> MetricFrame {
        let coded: Vec<Coded> = attributes
            .iter()
            .map(|name| self.attribute(name).clone())
            .collect();
        let weights = is_weighted.then_some(self.weight.as_slice());
        MetricFrame::new(
            Outcomes {
                labels: &self.labels,
                predicted: &self.predicted,
                weights,
            },
            &coded,
        )
    }

    /// Returns the frame of some rows by one attribute.
    fn frame_of_rows(&self, attribute: &str, rows: &[usize]) -> MetricFrame {
        let coded = self.attribute(attribute);
        let codes = rows.iter().map(|row| coded.codes[*row]).collect();
        let pick = |flags: &[bool]| rows.iter().map(|row| flags[*row]).collect::<Vec<bool>>();
        let (labels, predicted) = (pick(&self.labels), pick(&self.predicted));
        let outcomes = Outcomes {
            labels: &labels,
            predicted: &predicted,
            weights: None,
        };
        MetricFrame::new(
            outcomes,
            &[Coded {
                codes,
                levels: coded.levels.clone(),
            }],
        )
    }

    /// Returns the level of an attribute in a row.
    fn level(&self, attribute: &str, row: usize) -> &str {
        let coded = self.attribute(attribute);
        &coded.levels[coded.codes[row] as usize]
    }
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().unwrap().iter()
}

fn levels(value: &Value) -> Vec<String> {
    value["group"]
        .as_array()
        .unwrap()
        .iter()
        .map(|level| level.as_str().unwrap().to_owned())
        .collect()
}

fn against(check: &Check) -> Against {
    match check.words("method")[0] {
        "between_groups" => Against::BetweenGroups,
        "to_overall" => Against::ToOverall,
        other => panic!("method `{other}`"),
    }
}

fn by_group(case: &Case, data: &Data, check: &Check, comparison: &mut Comparison) {
    let frame = data.frame(&check.words("attributes"), false);
    let expected_groups = check.value.as_array().unwrap();
    comparison.holds(
        "no group that Fairlearn lacks",
        frame.groups.len() <= expected_groups.len(),
    );
    for expected_group in expected_groups {
        let levels = levels(expected_group);
        let Some(group) = frame.groups.iter().find(|group| group.levels == levels) else {
            let is_absent =
                fields(expected_group).all(|(name, value)| name == "group" || value == "NaN");
            comparison.holds("an absent intersection is absent there too", is_absent);
            continue;
        };
        for (name, expected) in fields(expected_group).filter(|(name, _)| *name != "group") {
            let measure = Measure::named(name);
            comparison.number(name, measure.fairlearn(group), expected);
            let Measure::Rate(rate) = measure else {
                continue;
            };
            let is_justified = NOT_DEFINED_HERE.iter().any(|(known, group, rates)| {
                *known == case.name && *group == levels.join("/") && rates.contains(&rate)
            });
            match rate.of(&group.confusion) {
                Some(own) if !is_justified => comparison.number(name, own, expected),
                own => comparison.holds(
                    "not defined here, listed, and 0 there",
                    is_justified && own.is_none() && *expected == 0.0,
                ),
            }
        }
    }
}

fn gaps(case: &Case, data: &Data, check: &Check, comparison: &mut Comparison) {
    let attributes = check.words("attributes");
    let (frame, against) = (data.frame(&attributes, false), against(check));
    let is_ratio = check.op == "fairness.ratio";
    let name_of_gap = format!("{}/{}", check.op, check.words("method")[0]);
    for (name, expected) in fields(&check.value) {
        let measure = Measure::named(name);
        let values: Vec<f64> = frame
            .groups
            .iter()
            .map(|group| measure.fairlearn(group))
            .collect();
        let overall = Some(measure.fairlearn(&frame.overall));
        let gap = if is_ratio { gap_ratio } else { gap_difference };
        comparison.number(name, gap(&values, overall, against), expected);
        let Measure::Rate(rate) = measure else {
            continue;
        };
        let own = if is_ratio {
            frame.ratio(rate, against)
        } else {
            frame.difference(rate, against)
        };
        let is_justified = OTHER_GAP_HERE.iter().any(|(known, by, other, gap)| {
            *known == case.name
                && *by == attributes.join("/")
                && *other == rate
                && *gap == name_of_gap
        });
        if !is_justified {
            comparison.number(name, own, expected);
            continue;
        }
        let lacks_rows = frame
            .groups
            .iter()
            .any(|group| rate.of(&group.confusion).is_none());
        let differs = own.is_some_and(|own| (own - expected.as_f64().unwrap()).abs() > 1e-3);
        comparison.holds(
            "the gap differs because a group lacks rows",
            lacks_rows && differs,
        );
    }
}

fn group_extremes(data: &Data, check: &Check, comparison: &mut Comparison) {
    let frame = data.frame(&check.words("attributes"), false);
    for (name, expected) in fields(&check.value["min"]) {
        let measure = Measure::named(name);
        let values: Vec<f64> = frame
            .groups
            .iter()
            .map(|group| measure.fairlearn(group))
            .collect();
        comparison.number(
            "smallest",
            values.iter().copied().reduce(f64::min),
            expected,
        );
        comparison.number(
            "largest",
            values.iter().copied().reduce(f64::max),
            &check.value["max"][name],
        );
    }
}

fn summary(data: &Data, check: &Check, comparison: &mut Comparison) {
    let frame = data.frame(
        &check.words("attributes"),
        check.words("weights")[0] == "weight",
    );
    let against = against(check);
    let mean_of = |gaps: [Option<f64>; 2]| Some((gaps[0]? + gaps[1]?) / 2.0);
    let rates = [Rate::TruePositiveRate, Rate::FalsePositiveRate];
    for (name, expected) in fields(&check.value) {
        let result = match name.as_str() {
            "equalized_odds_difference_mean" => {
                mean_of(rates.map(|rate| frame.difference(rate, against)))
            }
            "equalized_odds_ratio_mean" => mean_of(rates.map(|rate| frame.ratio(rate, against))),
            name => frame.disparity(Disparity::named(name).unwrap(), against),
        };
        comparison.number(name, result, expected);
    }
}

fn by_group_scores(data: &Data, check: &Check, comparison: &mut Comparison) {
    let attributes = check.words("attributes");
    for expected in check.value.as_array().unwrap() {
        let levels = levels(expected);
        let is_member = |row: &usize| {
            attributes
                .iter()
                .zip(&levels)
                .all(|(name, level)| data.level(name, *row) == level)
        };
        let rows: Vec<usize> = (0..data.labels.len()).filter(is_member).collect();
        let labels: Vec<bool> = rows.iter().map(|row| data.labels[*row]).collect();
        let scores: Vec<f64> = rows.iter().map(|row| data.score[*row]).collect();
        let scored = Scored::new(&labels, &scores).unwrap();
        comparison.number(
            "roc_auc",
            Metric::RocAuc.evaluate(&scored, 0.5),
            &expected["roc_auc"],
        );
        comparison.number(
            "brier",
            Metric::Brier.evaluate(&scored, 0.5),
            &expected["brier"],
        );
        comparison.number("mean_score", mean(&scores), &expected["mean_score"]);
        let base_rate = scored.n_positive() as f64 / scored.n() as f64;
        comparison.number("base_rate", base_rate, &expected["base_rate"]);
    }
}

fn adverse_impacts(data: &Data, check: &Check, comparison: &mut Comparison) {
    let frame = data.frame(&check.words("attribute"), false);
    let counts = |level: &str| {
        &frame
            .groups
            .iter()
            .find(|group| group.levels == [level])
            .unwrap()
            .confusion
    };
    let rate_of = |group: &&GroupCounts| Rate::SelectionRate.of(&group.confusion).unwrap();
    let best = frame
        .groups
        .iter()
        .max_by(|a, b| rate_of(a).total_cmp(&rate_of(b)))
        .unwrap();
    let privileged = counts(check.words("privileged")[0]);
    for expected in check.value.as_array().unwrap() {
        let group = counts(expected["group"].as_str().unwrap());
        let impact = adverse_impact(group, privileged, LEVEL).unwrap();
        let against_best = adverse_impact(group, &best.confusion, LEVEL).unwrap();
        for (name, value) in fields(expected) {
            match name.as_str() {
                "group" => {}
                "selection_rate" => comparison.number(name, Rate::SelectionRate.of(group), value),
                "impact_ratio_vs_privileged" => comparison.number(name, impact.ratio, value),
                "impact_ratio_vs_best" => comparison.number(name, against_best.ratio, value),
                "below_four_fifths_vs_privileged" => {
                    comparison.holds(name, *value == (impact.ratio < FOUR_FIFTHS))
                }
                "z" => comparison.number(name, impact.z.unwrap_or(f64::NAN), value),
                "z_pvalue" => {
                    comparison.number(name, impact.z.map_or(f64::NAN, normal_two_sided), value)
                }
                "ratio_ci95_log" => {
                    comparison.number(name, impact.interval.map(|(lower, _)| lower), &value[0]);
                    comparison.number(name, impact.interval.map(|(_, upper)| upper), &value[1]);
                }
                "fisher_pvalue" => comparison.number(name, impact.fisher_p, value),
                other => panic!("field `{other}`"),
            }
        }
    }
}

fn bootstrap(data: &Data, check: &Check, comparison: &mut Comparison) {
    let (attribute, disparity) = (
        check.words("attribute")[0],
        Disparity::named(check.words("metric")[0]).unwrap(),
    );
    let evaluate = |rows: &Vec<usize>| {
        data.frame_of_rows(attribute, rows)
            .disparity(disparity, Against::BetweenGroups)
    };
    let mut values: Vec<f64> = data.resamples.iter().filter_map(evaluate).collect();
    let (lower, upper) = percentile_interval(&mut values, LEVEL).unwrap();
    comparison.number("lower", lower, &check.value["lower"]);
    comparison.number("upper", upper, &check.value["upper"]);
    comparison.number(
        "median",
        quantile_sorted(&values, 0.5),
        &check.value["median"],
    );
}

fn bootstrap_by_group(data: &Data, check: &Check, comparison: &mut Comparison) {
    let (attribute, name) = (check.words("attribute")[0], check.words("metric")[0]);
    let Measure::Rate(rate) = Measure::named(name) else {
        panic!("`{name}` is a rate")
    };
    for expected in check.value.as_array().unwrap() {
        let evaluate = |rows: &Vec<usize>| {
            let frame = data.frame_of_rows(attribute, rows);
            let group = frame
                .groups
                .iter()
                .find(|group| expected["group"] == group.levels[0].as_str())?;
            rate.of(&group.confusion)
        };
        let mut values: Vec<f64> = data.resamples.iter().filter_map(evaluate).collect();
        let (lower, upper) = percentile_interval(&mut values, LEVEL).unwrap();
        comparison.number("lower", lower, &expected["lower"]);
        comparison.number("upper", upper, &expected["upper"]);
    }
}

/// Gaps within each level of a control attribute are gaps of the part of the crossed frame that has this level.
fn controlled(data: &Data, check: &Check, comparison: &mut Comparison) {
    let frame = data.frame(
        &[check.words("control")[0], check.words("attribute")[0]],
        false,
    );
    for expected in check.value["by_group"].as_array().unwrap() {
        let levels = levels(expected);
        let group = frame
            .groups
            .iter()
            .find(|group| group.levels == levels)
            .unwrap();
        for (name, value) in fields(expected).filter(|(name, _)| *name != "group") {
            comparison.number(name, Measure::named(name).fairlearn(group), value);
        }
    }
    for (level, expected) in fields(&check.value["difference"]) {
        let groups = frame
            .groups
            .iter()
            .filter(|group| group.levels[0] == *level)
            .cloned()
            .collect();
        let part = MetricFrame {
            groups,
            overall: frame.overall.clone(),
        };
        for (name, difference) in fields(expected) {
            let Measure::Rate(rate) = Measure::named(name) else {
                panic!("`{name}` is a rate")
            };
            comparison.number(
                name,
                part.difference(rate, Against::BetweenGroups),
                difference,
            );
            let ratio = &check.value["ratio"][level][name];
            comparison.number(name, part.ratio(rate, Against::BetweenGroups), ratio);
        }
    }
}
