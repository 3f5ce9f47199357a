//! What each input says alone: of the label, which would be a leak, and of protected groups, which would be a proxy.

use rayon::prelude::*;
use serde::Serialize;
use veracta_data::table::{Coded, Table};
use veracta_governance::record::{BiasReport, GroupShare, InputAssociation};
use veracta_statistics::association::one_input_auc;
use veracta_statistics::interval::wilson_interval;
use veracta_statistics::profile::SHOWN_COUNT_MIN;
use veracta_statistics::split::Part;

use super::dataset::Dataset;
use super::parts::development_rows;
use crate::LifecycleError;

/// How single inputs are screened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ScreenRequest {
    /// Columns of protected attributes. Every other input is tested as a proxy of their groups.
    pub protected: Vec<String>,
    /// Lower bound of an input's own ROC AUC for the label from which it counts as leaking it.
    pub leakage_limit: f64,
    /// Lower bound of an input's own ROC AUC for a protected group from which it counts as a proxy.
    pub proxy_limit: f64,
    /// Confidence level of the bounds.
    pub level: f64,
    /// Seed of the folds of the ROC AUC: a row is scored with rates from the other folds.
    pub seed: u64,
    /// Rows below which a group says nothing about a proxy.
    pub group_rows_min: usize,
}

/// A group, as members among the rows.
struct Group {
    name: String,
    members: Vec<bool>,
}

impl Dataset {
    /// Returns the record of single-input screening, on the rows outside the sealed test part.
    pub(crate) fn bias_record(
        &self,
        request: &ScreenRequest,
        parts: &[Part],
    ) -> Result<BiasReport, LifecycleError> {
        let rows = development_rows(parts);
        let table = self.table.select_rows(&rows);
        let labels = self.target.binary()?;
        let labels: Vec<bool> = rows.iter().map(|row| labels[*row]).collect();
        let measure = |input: &String, target: &str, wanted: &[bool]| {
            let column = table
                .column(input)
                .expect("inputs are columns of the table");
            let auc = one_input_auc(column, wanted, request.seed, request.level)?;
            Some(InputAssociation {
                input: input.clone(),
                target: target.to_owned(),
                auc,
            })
        };
        let leakage = self.inputs.par_iter();
        let leakage = leakage.filter_map(|input| measure(input, &self.label, &labels));
        let (mut groups, mut targets) = (Vec::new(), Vec::new());
        for attribute in &request.protected {
            let found = groups_of(&table, attribute, &labels, request);
            groups.extend(found.0);
            targets.extend(found.1);
        }
        let screened = self
            .inputs
            .iter()
            .filter(|input| !request.protected.contains(input));
        let pairs: Vec<(&String, &Group)> = screened
            .flat_map(|input| targets.iter().map(move |target| (input, target)))
            .collect();
        let proxies = pairs.into_par_iter();
        let proxies =
            proxies.filter_map(|(input, group)| measure(input, &group.name, &group.members));
        Ok(BiasReport {
            dataset: self.digest,
            n_rows: rows.len(),
            groups,
            leakage: leakage.collect(),
            proxies: proxies.collect(),
            leakage_limit: request.leakage_limit,
            proxy_limit: request.proxy_limit,
        })
    }
}

/// Returns the shares of an attribute's groups, and those groups that inputs may stand in for.
fn groups_of(
    table: &Table,
    attribute: &str,
    labels: &[bool],
    request: &ScreenRequest,
) -> (Vec<GroupShare>, Vec<Group>) {
    let column = table
        .column(attribute)
        .expect("attributes are columns of the table");
    let Coded { codes, levels } = column.groups();
    let (mut shares, mut groups) = (Vec::new(), Vec::new());
    for (code, level) in levels.iter().enumerate() {
        let members: Vec<bool> = codes.iter().map(|held| *held as usize == code).collect();
        let n_rows = members.iter().filter(|member| **member).count();
        let positive = members
            .iter()
            .zip(labels)
            .filter(|(member, label)| **member && **label);
        let n_positive = positive.count();
        // The rate of a handful of rows would tell what their labels are.
        let label_rate = wilson_interval(n_positive as f64, n_rows as f64, request.level)
            .filter(|_| n_rows >= SHOWN_COUNT_MIN);
        shares.push(GroupShare {
            attribute: attribute.to_owned(),
            level: level.clone(),
            n_rows,
            share: n_rows as f64 / labels.len() as f64,
            label_rate,
        });
        // Of two groups one is the complement of the other; of many, a small one says nothing about a proxy.
        let is_complement = levels.len() == 2 && code == 1;
        if n_rows >= request.group_rows_min && !is_complement {
            groups.push(Group {
                name: format!("{attribute}={level}"),
                members,
            });
        }
    }
    (shares, groups)
}
