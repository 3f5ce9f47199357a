//! What a pipeline file asks for, with every default written out: what the requests of steps are made of.

use serde_saphyr::Spanned;
use veracta_governance::plan::{DisparityCriterion, Limit, MetricCriterion, ValidationPlan};
use veracta_governance::record::Processing;
use veracta_model::training::{BoostingParameters, LogisticParameters, TrainingSpec};
use veracta_statistics::fairness::Disparity;
use veracta_statistics::interval::Bootstrap;
use veracta_statistics::minimisation::MinimisationPlan;
use veracta_statistics::performance::Metric;

use super::{
    AlgorithmName, CriterionSpec, FairnessSpec, OneOrMany, PipelineSpec, PrivacySpec,
    RobustnessSpec,
};

impl PipelineSpec {
    /// Returns what is trained, with every default spelt out.
    pub fn training_spec(&self) -> TrainingSpec {
        let section = &self.training;
        match section.algorithm {
            AlgorithmName::GradientBoosting => {
                let default = BoostingParameters::default();
                TrainingSpec::GradientBoosting(BoostingParameters {
                    rounds: section.rounds.unwrap_or(default.rounds),
                    learning_rate: section.learning_rate.unwrap_or(default.learning_rate),
                    max_depth: section.max_depth.unwrap_or(default.max_depth),
                    min_child_weight: section.min_child_weight.unwrap_or(default.min_child_weight),
                    subsample: section.subsample.unwrap_or(default.subsample),
                    colsample_bytree: section.colsample_bytree.unwrap_or(default.colsample_bytree),
                    lambda: section.lambda.unwrap_or(default.lambda),
                    seed: section.seed.unwrap_or(default.seed),
                })
            }
            AlgorithmName::LogisticRegression => {
                let default = LogisticParameters::default();
                TrainingSpec::LogisticRegression(LogisticParameters {
                    l2: section.l2.unwrap_or(default.l2),
                })
            }
            AlgorithmName::File => TrainingSpec::File {
                path: section
                    .path
                    .as_ref()
                    .map(|path| path.value.clone())
                    .unwrap_or_default(),
            },
            AlgorithmName::Tracked => {
                let text = |value: &Option<Spanned<String>>| {
                    value
                        .as_ref()
                        .map(|value| value.value.clone())
                        .unwrap_or_default()
                };
                TrainingSpec::Tracked {
                    version: text(&section.version),
                    file: text(&section.file),
                }
            }
        }
    }

    /// Returns what is trained again and again to measure something: of a model that was trained elsewhere boosted trees stand in.
    pub fn refit_spec(&self) -> TrainingSpec {
        match self.training_spec() {
            TrainingSpec::Tracked { .. } | TrainingSpec::File { .. } => {
                TrainingSpec::GradientBoosting(BoostingParameters::default())
            }
            own => own,
        }
    }

    /// Returns the validation plan.
    pub fn validation_plan(&self) -> ValidationPlan {
        let section = &self.validation;
        let limit = |at_least: Option<f64>, at_most: Option<f64>| match at_least {
            Some(limit) => Limit::AtLeast(limit),
            None => {
                Limit::AtMost(at_most.expect("one limit is given: checked when the file was read"))
            }
        };
        let metric = |spec: &CriterionSpec| MetricCriterion {
            metric: Metric::named(&spec.metric.value)
                .expect("the metric is known: checked when the file was read"),
            limit: limit(spec.at_least, spec.at_most),
        };
        let disparity = |spec: &FairnessSpec| DisparityCriterion {
            by: spec.by.names(),
            disparity: Disparity::named(&spec.metric.value)
                .expect("the gap is known: checked when the file was read"),
            limit: limit(spec.at_least, spec.at_most),
        };
        let fairness: Vec<DisparityCriterion> = section.fairness.iter().map(disparity).collect();
        let mut groups: Vec<Vec<String>> = section.groups.iter().map(OneOrMany::names).collect();
        if groups.is_empty() {
            groups = self
                .data
                .protected
                .iter()
                .map(|attribute| vec![attribute.value.clone()])
                .collect();
        }
        for criterion in &fairness {
            if !groups.contains(&criterion.by) {
                groups.push(criterion.by.clone());
            }
        }
        ValidationPlan {
            level: section.level,
            threshold: section.threshold,
            bootstrap: Bootstrap {
                n_resamples: section.resamples,
                seed: section.seed,
            },
            criteria: section.criteria.iter().map(metric).collect(),
            groups,
            group_rows_min: section.group_rows_min,
            fairness,
            clusters: section.clusters.as_ref().map(|column| column.value.clone()),
            robustness: section.robustness.as_ref().map(RobustnessSpec::criterion),
            privacy: section.privacy.as_ref().map(PrivacySpec::criterion),
        }
    }

    /// Returns how the need for inputs is tested.
    pub fn minimisation_plan(&self) -> MinimisationPlan {
        let section = &self.minimisation;
        MinimisationPlan {
            folds: section.folds,
            repeats: section.repeats,
            tolerance: section.tolerance,
            group_tolerance: section.group_tolerance,
            level: self.validation.level,
            group_class_rows_min: section.group_class_rows_min,
            seed: section.seed,
        }
    }

    /// Returns what was declared about the processing of personal data.
    pub fn processing(&self) -> Processing {
        let data = self.data.clone();
        Processing {
            controller: data.controller,
            licence: data.licence,
            region: data.region,
            purposes: data.purposes,
            lawful_basis: data.lawful_basis,
            special_categories: data.special_categories,
            special_category_exception: data.special_category_exception,
            protected: data
                .protected
                .into_iter()
                .map(|attribute| attribute.value)
                .collect(),
            personal: data.personal,
            collected_from: data.collected_from.map(|date| date.value),
            collected_to: data.collected_to.map(|date| date.value),
            retention_until: data.retention_until.map(|date| date.value),
        }
    }

    /// Returns the protected attributes.
    pub fn protected(&self) -> Vec<String> {
        let attributes = self.data.protected.iter();
        attributes
            .map(|attribute| attribute.value.clone())
            .collect()
    }

    /// Returns the frameworks whose controls apply.
    pub fn framework_names(&self) -> Vec<String> {
        self.frameworks
            .iter()
            .map(|framework| framework.value.clone())
            .collect()
    }
}
