//! OpenLineage 2-0-2, both ways: events of jobs elsewhere become records, and records of runs become events.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::{Map, Value, json};
use veracta_governance::evidence::Evidence;
use veracta_governance::record::{
    NamedDigest, ObservedDataset, ObservedRun, Record, Run, TrackedRun,
};
use veracta_ledger::Hash;
use veracta_ledger::entry::Link;
use veracta_store::{NewRecord, Store, StoreError};

use crate::{TrackingError, random};
use veracta_store::Platform;

/// What can happen to a run.
const EVENT_TYPES: [&str; 6] = ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"];
/// Longest name, namespace or address, in characters.
const TEXT_CHARS: usize = 4_000;
/// Most datasets of one event.
const DATASETS_LIMIT: usize = 10_000;
/// Earlier events of a run that a new one is compared with: a client sends an event again when it heard no answer.
const COMPARED: usize = 64;
/// Where the program is found, as every event must say.
const PRODUCER: &str = "https://veracta.invalid/";
const SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const FACETS: &str = "https://openlineage.io/spec/facets";

fn text<'v>(value: &'v Value, path: &str) -> Result<&'v str, TrackingError> {
    match value.as_str() {
        Some(text) if !text.is_empty() && text.chars().count() <= TEXT_CHARS => Ok(text),
        Some(_) => Err(TrackingError::invalid(format!(
            "`{path}` must have 1 to {TEXT_CHARS} characters"
        ))),
        None => Err(TrackingError::invalid(format!("`{path}` must be a text"))),
    }
}

fn named(value: &Value, path: &str) -> Result<ObservedDataset, TrackingError> {
    Ok(ObservedDataset {
        namespace: text(&value["namespace"], &format!("{path}.namespace"))?.to_owned(),
        name: text(&value["name"], &format!("{path}.name"))?.to_owned(),
    })
}

fn datasets(event: &Value, list: &str) -> Result<Vec<ObservedDataset>, TrackingError> {
    match &event[list] {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) if items.len() <= DATASETS_LIMIT => items
            .iter()
            .enumerate()
            .map(|(position, item)| named(item, &format!("{list}[{position}]")))
            .collect(),
        _ => Err(TrackingError::invalid(format!(
            "`{list}` must be a list of at most {DATASETS_LIMIT} datasets"
        ))),
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns whether the time of an event has no offset, as some producers send it against the specification: it is read as UTC.
pub fn is_without_offset(event: &Value) -> bool {
    let time = event["eventTime"].as_str().unwrap_or_default();
    time.parse::<Timestamp>().is_err()
        && time.len() > "2026-01-31".len()
        && time.parse::<DateTime>().is_ok()
}

/// Reads an event; the message of an error names the field.
fn read(event: Value, salt: Hash) -> Result<ObservedRun, TrackingError> {
    let invalid = |message: &str| TrackingError::invalid(message.to_owned());
    if !event.is_object() {
        return Err(invalid("an event must be a JSON object"));
    }
    let mut event_time = text(&event["eventTime"], "eventTime")?.to_owned();
    if is_without_offset(&event) {
        event_time.push('Z');
    }
    event_time
        .parse::<Timestamp>()
        .map_err(|_| invalid("`eventTime` must be a date and time with an offset (RFC 3339)"))?;
    text(&event["producer"], "producer")?;
    let schema = text(&event["schemaURL"], "schemaURL")?;
    if !schema.contains("OpenLineage.json") {
        return Err(invalid(
            "`schemaURL` must name OpenLineage.json, such as https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        ));
    }
    let event_type = match &event["eventType"] {
        Value::Null => None,
        Value::String(word) if EVENT_TYPES.contains(&word.as_str()) => Some(word.clone()),
        _ => {
            return Err(TrackingError::invalid(format!(
                "`eventType` must be one of {}",
                EVENT_TYPES.join(", ")
            )));
        }
    };
    let run_id = match &event["run"] {
        Value::Null => None,
        run => {
            let id = text(&run["runId"], "run.runId")?;
            if !is_uuid(id) {
                return Err(invalid("`run.runId` must be a UUID"));
            }
            Some(id.to_ascii_lowercase())
        }
    };
    let job = if event["job"].is_null() {
        None
    } else {
        Some(named(&event["job"], "job")?)
    };
    match (&run_id, &job, event["dataset"].is_null()) {
        (Some(_), None, _) => return Err(invalid("an event about a run must name its `job`")),
        (None, None, true) => {
            return Err(invalid(
                "an event must be about a `run`, a `job` or a `dataset`",
            ));
        }
        (None, None, false) => drop(named(&event["dataset"], "dataset")?),
        _ => {}
    }
    Ok(ObservedRun {
        salt,
        event_type,
        event_time,
        run_id,
        job,
        inputs: datasets(&event, "inputs")?,
        outputs: datasets(&event, "outputs")?,
        event,
    })
}

/// Returns what the records of an event are about: the random id of a run, or what hides a name.
fn subject_of(observed: &ObservedRun) -> String {
    match &observed.run_id {
        Some(id) => format!("lineage:run/{id}"),
        None => {
            let about = if observed.event["dataset"].is_null() {
                &observed.event["job"]
            } else {
                &observed.event["dataset"]
            };
            format!(
                "lineage:{}",
                Hash::of(
                    json!([about["namespace"], about["name"]])
                        .to_string()
                        .as_bytes()
                )
                .short()
            )
        }
    }
}

/// Records an event; returns the position of its record. The same event again is no second one.
pub fn accept(platform: &Platform, event: Value) -> Result<u64, TrackingError> {
    let observed = read(event, random()?)?;
    let subject = subject_of(&observed);
    let positions = platform
        .store
        .reading()?
        .view()
        .positions_about("run", &subject)?;
    let latest = &positions[positions.len().saturating_sub(COMPARED)..];
    let known: Vec<Evidence> = latest
        .iter()
        .map(|idx| platform.store.evidence(*idx))
        .collect::<Result<_, _>>()?;
    let is_same = |item: &&Evidence| matches!(&item.record, Record::ObservedRun(body) if body.event == observed.event);
    if let Some(same) = known.iter().rev().find(is_same) {
        return Ok(same.idx);
    }
    let links = known
        .last()
        .map(|last| Link {
            idx: last.idx,
            body: last.entry.body,
        })
        .into_iter()
        .collect();
    let new = NewRecord {
        record: Record::ObservedRun(observed),
        subject,
        key: None,
        links,
        artifacts: Vec::new(),
    };
    Ok(platform
        .store
        .transaction(&platform.actor, &platform.now())
        .commit(new)?
        .idx)
}

/// Returns an id of the form of a UUID (version 8, RFC 9562) that always is the same for the same run.
fn uuid_of(origin: &str, subject: &str) -> String {
    let mut bytes = Hash::of(format!("{origin}\n{subject}").as_bytes()).0;
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = Hash(bytes).to_string();
    [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..32],
    ]
    .join("-")
}

fn facet(name: &str, version: &str, mut fields: Map<String, Value>) -> Value {
    fields.insert("_producer".to_owned(), PRODUCER.into());
    fields.insert(
        "_schemaURL".to_owned(),
        format!("{FACETS}/{version}/{name}.json#/$defs/{name}").into(),
    );
    fields.into()
}

fn fields(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value {
        fields
    } else {
        Map::new()
    }
}

/// A dataset with the digest of its bytes as its version.
fn dataset(namespace: &str, name: &str, digest: &str) -> Value {
    let version = facet(
        "DatasetVersionDatasetFacet",
        "1-0-1",
        fields(json!({ "datasetVersion": digest })),
    );
    json!({ "namespace": namespace, "name": name, "facets": { "version": version } })
}

/// Returns the event that a record of a run stands for; `None` of other records, of runs that go on, and of what others reported.
///
/// Parameters, metrics and people are not in it: it says what was read and written.
pub fn event_of(store: &Store, item: &Evidence) -> Option<Value> {
    let origin = store.log_key().name();
    let files = |name: &str, files: &[NamedDigest]| -> Vec<Value> {
        files
            .iter()
            .map(|file| {
                dataset(
                    origin,
                    &format!("{name}/{}", file.name),
                    &file.digest.to_string(),
                )
            })
            .collect()
    };
    let (event_type, event_time, job, inputs, outputs) = match &item.record {
        Record::Run(run) => of_step(run, &files)?,
        Record::TrackedRun(run) => of_tracked(run, origin, &files)?,
        _ => return None,
    };
    let engine = fields(json!({ "name": "veracta", "version": env!("CARGO_PKG_VERSION") }));
    let place = fields(
        json!({ "origin": origin, "position": item.idx, "digest": item.entry.body.to_string() }),
    );
    let mut ledger = place;
    ledger.insert("_producer".to_owned(), PRODUCER.into());
    ledger.insert(
        "_schemaURL".to_owned(),
        format!("{PRODUCER}ledger-run-facet.json").into(),
    );
    Some(json!({
        "eventType": event_type,
        "eventTime": event_time,
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {
            "runId": uuid_of(origin, &format!("{}#{}", item.entry.subject, item.idx)),
            "facets": { "processing_engine": facet("ProcessingEngineRunFacet", "1-1-1", engine), "veracta_ledger": ledger },
        },
        "job": { "namespace": origin, "name": job },
        "inputs": inputs,
        "outputs": outputs,
    }))
}

type Parts = (&'static str, String, String, Vec<Value>, Vec<Value>);
type FilesOf<'f> = dyn Fn(&str, &[NamedDigest]) -> Vec<Value> + 'f;

fn of_step(run: &Run, files: &FilesOf<'_>) -> Option<Parts> {
    let name = &run.pipeline;
    Some((
        "COMPLETE",
        run.ended.clone(),
        format!("{name}/{}", run.step),
        files(name, &run.inputs),
        files(name, &run.outputs),
    ))
}

fn of_tracked(run: &TrackedRun, origin: &str, files: &FilesOf<'_>) -> Option<Parts> {
    let event_type = match run.status.as_str() {
        "FINISHED" => "COMPLETE",
        "FAILED" => "FAIL",
        "KILLED" => "ABORT",
        _ => return None,
    };
    let ended = Timestamp::from_millisecond(run.end_ms.unwrap_or(run.start_ms)).ok()?;
    let inputs = run
        .datasets
        .iter()
        .map(|read| dataset(origin, &read.name, &read.digest))
        .collect();
    let outputs = files(&format!("run/{}", run.run_id), &run.artifacts);
    Some((
        event_type,
        format!("{ended:.3}"),
        format!("experiment/{}", run.experiment_id),
        inputs,
        outputs,
    ))
}

/// Calls `visit` with the event of each run recorded from a position on, in order.
pub fn visit_events(
    store: &Store,
    from: u64,
    visit: &mut dyn FnMut(u64, Value),
) -> Result<u64, StoreError> {
    let size = store.size()?;
    for idx in from..size {
        // A record that was erased tells nothing any more.
        let item = match store.evidence(idx) {
            Ok(item) => item,
            Err(StoreError::NoRecord { .. }) => continue,
            Err(error) => return Err(error),
        };
        if let Some(event) = event_of(store, &item) {
            visit(idx, event);
        }
    }
    Ok(size)
}

fn state_file(store: &Store) -> std::path::PathBuf {
    store.folder().join("openlineage.state")
}

/// Returns the position up to which the backend was told; from now on when it was never told anything.
pub fn told_to(store: &Store) -> Result<u64, StoreError> {
    let path = state_file(store);
    match std::fs::read_to_string(&path) {
        // What cannot be read was not written whole: events are sent again, which backends take.
        Ok(text) => Ok(text.trim().parse().unwrap_or(0)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let size = store.size()?;
            note_told(store, size)?;
            Ok(size)
        }
        Err(source) => Err(StoreError::File {
            file: path.display().to_string(),
            source,
        }),
    }
}

/// Notes up to which position the backend was told.
pub fn note_told(store: &Store, size: u64) -> Result<(), StoreError> {
    let path = state_file(store);
    std::fs::write(&path, format!("{size}\n")).map_err(|source| StoreError::File {
        file: path.display().to_string(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Value {
        json!({
            "eventType": "COMPLETE",
            "eventTime": "2026-11-28T10:00:00.5+01:00",
            "producer": "https://example.org/scheduler",
            "schemaURL": SCHEMA,
            "run": { "runId": "01938e5a-7c1f-7b3e-9f64-2d0d6f1f0a11" },
            "job": { "namespace": "nightly", "name": "features" },
            "inputs": [{ "namespace": "s3://raw", "name": "calls" }],
            "outputs": [{ "namespace": "s3://features", "name": "churn" }],
        })
    }

    #[test]
    fn an_event_is_read_and_a_wrong_field_is_named() {
        let read_event = |event: Value| read(event, Hash([0; 32]));
        let observed = read_event(event()).expect("it is an event");
        assert_eq!(
            observed.job.map(|job| job.name),
            Some("features".to_owned())
        );
        assert_eq!(observed.outputs.len(), 1);
        let cases = [
            ("/eventTime", json!("yesterday"), "eventTime"),
            ("/eventType", json!("DONE"), "eventType"),
            ("/run/runId", json!("7"), "run.runId"),
            ("/job/name", json!(""), "job.name"),
            ("/inputs/0/namespace", Value::Null, "inputs[0].namespace"),
            ("/outputs", json!({}), "outputs"),
            ("/schemaURL", json!("https://example.org/"), "schemaURL"),
            ("/producer", json!(3), "producer"),
        ];
        for (place, value, named) in cases {
            let mut wrong = event();
            *wrong.pointer_mut(place).expect("the field is there") = value;
            let message = read_event(wrong).expect_err(place).to_string();
            assert!(message.contains(named), "{place}: {message}");
        }
    }

    #[test]
    fn ids_have_the_form_of_uuids() {
        let id = uuid_of("example.org/log", "run:a#1");
        assert!(is_uuid(&id), "{id}");
        assert_eq!(
            (&id[14..15], id == uuid_of("example.org/log", "run:a#2")),
            ("8", false)
        );
    }
}
