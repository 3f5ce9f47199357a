//! What a person should know about the data, whatever the gate decides.

use veracta_governance::record::Record;
use veracta_ml::profile::{ColumnProfile, Profile};

use super::Execution;

impl Execution<'_> {
    /// Returns what a person should know about the data before relying on any result.
    pub(super) fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        for item in ["data", "profile"]
            .iter()
            .flat_map(|step| self.result(step).evidence)
        {
            match &item.record {
                Record::DatasetVersion(body) => notices.extend(body.notices()),
                Record::DatasetProfile(body) => {
                    notices.extend(body.notices());
                    notices.extend(self.folded_categories(&body.profile));
                }
                _ => {}
            }
        }
        notices
    }

    /// Returns a sentence for each input with more categories than the model tells apart.
    fn folded_categories(&self, profile: &Profile) -> Vec<String> {
        let Ok((_, model)) = self.result("train").model() else {
            return Vec::new();
        };
        let most = self.file.spec.training.categories_max;
        let is_input = |name: &str| {
            model
                .inputs
                .iter()
                .any(|input| input.name == name && input.levels.is_some())
        };
        let wide = profile
            .columns
            .iter()
            .filter(|column| column.n_distinct > most && is_input(&column.name));
        let sentence = |column: &ColumnProfile| {
            let (name, n) = (&column.name, column.n_distinct);
            format!(
                "`{name}` has {n} categories; the {most} most frequent are told apart, the others count as missing (`training.categories_max`)"
            )
        };
        wide.map(sentence).collect()
    }

    pub(super) fn leaking_inputs(&self) -> Vec<String> {
        let result = self.result("screen");
        let found = result.one(|record| match record {
            Record::BiasReport(body) => Some(body.leaks().map(|leak| leak.input.clone()).collect()),
            _ => None,
        });
        found.map(|(_, inputs)| inputs).unwrap_or_default()
    }
}
