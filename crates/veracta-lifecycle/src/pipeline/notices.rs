//! What a person should know about the data before relying on any result, whatever the gate decides.

use veracta_governance::record::Record;
use veracta_model::model::UnknownValues;
use veracta_statistics::profile::{ColumnProfile, Profile};

use super::spec::PipelineSpec;
use super::steps::{Done, Step};

/// Returns the notices, a sentence each.
pub(super) fn notices(spec: &PipelineSpec, done: &Done<'_>) -> Vec<String> {
    let mut notices = Vec::new();
    let steps = [Step::Data, Step::Profile, Step::Validate];
    let results = steps.map(|step| done.result(step));
    for item in results.iter().flat_map(|result| &result.evidence) {
        match &item.record {
            Record::DatasetVersion(body) => notices.extend(body.notices()),
            Record::DatasetProfile(body) => {
                notices.extend(body.notices());
                notices.extend(folded_categories(spec, done, &body.profile));
            }
            Record::ValidationReport(body) => {
                notices.extend(body.unknown.iter().map(UnknownValues::sentence));
            }
            _ => {}
        }
    }
    notices
}

/// Returns a sentence for each input with more categories than the model tells apart.
fn folded_categories(spec: &PipelineSpec, done: &Done<'_>, profile: &Profile) -> Vec<String> {
    let Ok((_, model)) = done.model(Step::Train) else {
        return Vec::new();
    };
    let n_known = |name: &str| {
        let input = model.inputs.iter().find(|input| input.name == name)?;
        let list = input.categories.filter(|list| list.has_rarer)?;
        Some(list.n)
    };
    let columns = profile.columns.iter();
    let wide = columns.filter_map(|column| Some((column, n_known(&column.name)?)));
    let most = spec.training.categories_max;
    let sentence = |(column, n_known): (&ColumnProfile, usize)| {
        let (name, n) = (&column.name, column.n_distinct);
        format!(
            "`{name}` has {n} categories; the {n_known} most frequent are told apart, at most {most} and of five training rows or more, the others count as missing (`training.categories_max`)"
        )
    };
    wide.map(sentence).collect()
}
