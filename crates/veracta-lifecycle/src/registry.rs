//! Finding records by what people call them, and comparing two of them.

use serde::Serialize;
use serde_json::Value;
use veracta_governance::evidence::{Evidence, EvidenceSet};
use veracta_governance::record::{ModelVersion, REPORTS_ON_MODELS, Record};
use veracta_store::Store;

use crate::LifecycleError;

/// Finds the record a reference names: `#12`, `name`, `name@2`, `model:name@2`, `dataset:name`, `run:id`, `experiment:1`, `registry:name`,
/// `registry:name@2`, or the start of a digest.
pub fn resolve(store: &Store, reference: &str) -> Result<Evidence, LifecycleError> {
    let digits = reference.strip_prefix('#').unwrap_or(reference);
    // Digits alone may also be the start of a digest: a position counts when it is written as one or exists.
    if let Ok(idx) = digits.parse::<u64>()
        && (reference.starts_with('#') || idx < store.size()? || digits.len() < 6)
    {
        return Ok(store.evidence(idx)?);
    }
    let (name, version) = match reference.rsplit_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (reference, None),
    };
    if let Some(dataset) = name.strip_prefix("dataset:") {
        if version.is_some() {
            return Err(unknown(store, reference));
        }
        let found = store
            .about("dataset.version", &format!("dataset:{dataset}"))?
            .pop();
        return found.ok_or_else(|| unknown(store, reference));
    }
    let of_tracking = match name.split_once(':').map(|(word, _)| word) {
        Some("run") => Some("run"),
        Some("experiment") => Some("experiment"),
        Some("registry") if version.is_some() => Some("registry.version"),
        Some("registry") => Some("registry.model"),
        _ => None,
    };
    if let Some(kind) = of_tracking {
        return store
            .about(kind, reference)?
            .pop()
            .ok_or_else(|| unknown(store, reference));
    }
    let model = name.strip_prefix("model:").unwrap_or(name);
    let mut models = store.about("model.version", &format!("model:{model}"))?;
    if let Some(version) = version {
        models.retain(|item| matches!(&item.record, Record::ModelVersion(body) if body.version.to_string() == version));
    }
    if let Some(found) = models.pop() {
        return Ok(found);
    }
    by_digest(store, reference)?.ok_or_else(|| unknown(store, reference))
}

/// Finds a record by the start of its body's digest, or of a model's or dataset's.
fn by_digest(store: &Store, prefix: &str) -> Result<Option<Evidence>, LifecycleError> {
    if prefix.len() < 6 || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let starts = |digest: veracta_ledger::Hash| digest.to_string().starts_with(prefix);
    let matches = |item: &Evidence| {
        starts(item.entry.body)
            || match &item.record {
                Record::ModelVersion(body) => starts(body.digest),
                Record::DatasetVersion(body) => starts(body.digest),
                _ => false,
            }
    };
    Ok(store.all()?.into_iter().rev().find(matches))
}

fn unknown(store: &Store, reference: &str) -> LifecycleError {
    let mut names: Vec<String> = store
        .of_kind("model.version")
        .unwrap_or_default()
        .iter()
        .filter_map(|item| match &item.record {
            Record::ModelVersion(body) => Some(format!("`{}@{}`", body.model, body.version)),
            _ => None,
        })
        .collect();
    names.sort();
    names.dedup();
    let known = (!names.is_empty()).then(|| names.join(", "));
    LifecycleError::UnknownReference {
        reference: reference.to_owned(),
        known,
    }
}

/// Returns the model version that a reference names, in the forms of [`resolve`]; another kind of record is an error.
pub fn resolve_model(
    store: &Store,
    reference: &str,
) -> Result<(Evidence, ModelVersion), LifecycleError> {
    let item = resolve(store, reference)?;
    match item.record.clone() {
        Record::ModelVersion(body) => Ok((item, body)),
        other => Err(LifecycleError::WrongKind {
            reference: reference.to_owned(),
            found: other.kind().to_owned(),
            needed: "model.version",
        }),
    }
}

/// Returns everything a record rests on and, for a model, what was said about that very artefact since.
pub fn evidence_for(store: &Store, idx: u64) -> Result<EvidenceSet, LifecycleError> {
    let lineage = store.lineage(idx)?;
    let item = store.evidence(idx)?;
    let Record::ModelVersion(model) = &item.record else {
        return Ok(lineage);
    };
    let mut items: Vec<Evidence> = lineage.iter().cloned().collect();
    for kind in REPORTS_ON_MODELS {
        let about = store.about(kind, &item.entry.subject)?;
        let of_this = |item: &Evidence| item.record.reported_model() == Some(model.digest);
        items.extend(about.into_iter().filter(of_this));
    }
    Ok(EvidenceSet::new(items))
}

/// One difference between two records.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Where, as a path of fields.
    pub facet: String,
    /// Value in the first; null when it is not there.
    pub before: Value,
    /// Value in the second; null when it is not there.
    pub after: Value,
}

/// Returns every difference between two records of one kind; for models also between their results.
pub fn diff(
    store: &Store,
    before: &Evidence,
    after: &Evidence,
) -> Result<Vec<Difference>, LifecycleError> {
    let mut differences = Vec::new();
    let value = |item: &Evidence| -> Result<Value, LifecycleError> {
        Ok(serde_json::from_slice(&item.record.to_bytes()?)?)
    };
    compare(
        String::new(),
        &value(before)?["body"],
        &value(after)?["body"],
        &mut differences,
    );
    if let (Record::ModelVersion(_), Record::ModelVersion(_)) = (&before.record, &after.record) {
        let results = |item: &Evidence| -> Result<Value, LifecycleError> {
            let evidence = store.lineage(item.idx)?;
            let Some((_, report)) = evidence.validation_report() else {
                return Ok(Value::Null);
            };
            let rows = report.results.iter().map(|result| {
                let name = result.metric.descriptor().name.to_owned();
                (
                    name,
                    serde_json::to_value(
                        result.estimate.as_ref().map(|estimate| estimate.estimate),
                    )
                    .unwrap_or_default(),
                )
            });
            Ok(Value::Object(rows.collect()))
        };
        compare(
            "results".to_owned(),
            &results(before)?,
            &results(after)?,
            &mut differences,
        );
    }
    // The gate's findings name places in the ledger, which always differ: the verdict says what matters.
    differences.retain(|difference| !difference.facet.contains("evidence"));
    Ok(differences)
}

fn compare(path: String, before: &Value, after: &Value, differences: &mut Vec<Difference>) {
    let join = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                compare(
                    join(name),
                    a.get(name).unwrap_or(&Value::Null),
                    b.get(name).unwrap_or(&Value::Null),
                    differences,
                );
            }
        }
        (Value::Array(a), Value::Array(b)) => compare_lists(&path, a, b, differences),
        _ if before == after => {}
        _ => differences.push(Difference {
            facet: path,
            before: before.clone(),
            after: after.clone(),
        }),
    }
}

/// Lists of named things are compared by name, others by position.
fn compare_lists(path: &str, before: &[Value], after: &[Value], differences: &mut Vec<Difference>) {
    let name_of = |value: &Value| value.get("name").and_then(Value::as_str).map(str::to_owned);
    let all_named = before
        .iter()
        .chain(after)
        .all(|value| name_of(value).is_some());
    let find = |list: &[Value], name: &str| {
        list.iter()
            .find(|value| name_of(value).as_deref() == Some(name))
            .cloned()
    };
    if all_named {
        let names: std::collections::BTreeSet<String> =
            before.iter().chain(after).filter_map(name_of).collect();
        for name in names {
            let (a, b) = (
                find(before, &name).unwrap_or_default(),
                find(after, &name).unwrap_or_default(),
            );
            compare(format!("{path}[{name}]"), &a, &b, differences);
        }
        return;
    }
    for position in 0..before.len().max(after.len()) {
        let at = |list: &[Value]| list.get(position).cloned().unwrap_or_default();
        compare(
            format!("{path}[{position}]"),
            &at(before),
            &at(after),
            differences,
        );
    }
}
