//! Every setting of the specification against the content keys: changing any one of them changes the request of at least one step,
//! or no result depends on it and `NO_RESULT` says why.
//!
//! The settings are the leaves of the pipeline's JSON Schema, so a new one cannot be forgotten: `FULL` must hold every leaf, and each
//! is changed in turn. The steps that a change reaches directly are compared with `settings.txt`, which people review.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use veracta_governance::record::{Attestation, Record, VALIDATION_PLAN};
use veracta_store::{InitOptions, NewRecord, Platform, Store};

use super::{Done, Step};
use crate::pipeline::schedule::schedule;
use crate::pipeline::spec::json_schema;
use crate::pipeline::{PipelineFile, RunOptions, run_pipeline};

/// Pipelines that hold every setting between them: a setting stands in the first that has it.
const FULL: [&str; 4] = [BOOSTED, LOGISTIC, FILE, PLAIN];

const BOOSTED: &str = r#"
schema: veracta.pipeline/1
name: churn
purpose: a test of settings
owner: A. Owner
tier: high
out_of_scope: [credit]
frameworks: [gdpr]
data:
  path: rows.csv
  name: rows
  nature: simulated
  delimiter: ","
  decimal: "."
  thousands: "'"
  dates: day-first
  missing: ["-9"]
  missing_in: {age: ["-8"]}
  types: {city: categorical}
  label: {column: left, positive: "1", negative: ["0"], task: binary}
  identifiers: [id]
  subject: person
  drop: {note: free text, part: says which part, other: says which part}
  protected: [group]
  personal: [age]
  special_categories: [group]
  special_category_exception: explicit consent
  controller: A. Controller
  licence: none
  region: CH
  purposes: [retention]
  lawful_basis: contract
  collected_from: "2026-01-01"
  collected_to: "2026-02-01"
  retention_until: "2027-01-01"
  bytes_limit: 1000000
steps:
  - {id: note, run: "printf x > note.txt", inputs: [rows.csv], outputs: [note.txt], env: {A: b}, secrets: [HOME], versions: {sh: "echo 1"}, seconds_max: 60}
split: {method: time, time: day, test: 0.3, tune: 0.1, seed: 3}
training: {algorithm: gradient_boosting, rounds: 5, learning_rate: 0.3, max_depth: 2, min_child_weight: 1, subsample: 0.9, colsample_bytree: 0.9, lambda: 1, seed: 3, categories_max: 20}
validation:
  level: 0.9
  threshold: 0.4
  resamples: 100
  seed: 5
  criteria: [{metric: roc_auc, at_least: 0.1}, {metric: brier, at_most: 0.9}]
  groups: [group, [group, city]]
  group_rows_min: 10
  fairness: [{metric: equal_opportunity_difference, by: group, at_most: 0.9}, {metric: demographic_parity_ratio, by: [group, city], at_least: 0.1}]
  clusters: person
  robustness: {metric: roc_auc, at_least: 0.1, scenarios: [{noise: 0.1}]}
  privacy: {auc_at_most: 0.99, shadows: 4}
monitoring: {current: newer.csv, tolerance: 0.2, without: [city]}
screening: {leakage_limit: 0.99, proxy_limit: 0.9}
minimisation: {folds: 2, repeats: 1, tolerance: 0.1, group_tolerance: 0.2, correlation: 0.9, group_class_rows_min: 5, seed: 3, keep: {age: the model is about age}}
explanation: {rows_max: 20}
documents: [model_card]
statements: [{topic: balancing_test, statement: it was weighed, signer: A. Signer, valid_until: "2027-01-01"}]
waivers: [{subject: "rule:minimised", signer: A. Signer, role: officer, reason: a test, valid_until: "2027-01-01"}]
"#;

const LOGISTIC: &str = r#"
schema: veracta.pipeline/1
name: churn
purpose: a test of settings
data: {path: rows.csv, label: {column: left, positive: "1"}, identifiers: [id], drop: {note: free text, part: parts, other: parts}}
split: {method: column, column: part}
training: {algorithm: logistic_regression, l2: 1.0}
validation: {criteria: [{metric: roc_auc, at_least: 0.1}], robustness: {metric: brier, at_most: 0.9}}
"#;

const FILE: &str = r#"
schema: veracta.pipeline/1
name: churn
purpose: a test of settings
data: {path: rows.csv, label: {column: left, positive: "1"}, identifiers: [id, person], drop: {note: free text, part: parts, other: parts, group: not an input, city: not an input}}
split: {method: column, column: part}
training: {algorithm: file, path: model.txt}
validation: {criteria: [{metric: roc_auc, at_least: 0.1}]}
"#;

const PLAIN: &str = r#"
schema: veracta.pipeline/1
name: churn
purpose: a test of settings
data: {path: rows.csv, label: {column: left, positive: "1"}, identifiers: [id], drop: {note: free text, part: parts, other: parts}}
training: {algorithm: gradient_boosting}
validation: {criteria: [{metric: roc_auc, at_least: 0.1}]}
minimisation: {folds: 2}
"#;

/// Settings that no result of a step depends on. The list may only shrink.
const NO_RESULT: [(&str, &str); 6] = [
    (
        "steps.*.seconds_max",
        "ends a command that takes too long; one that ended is the same under any limit",
    ),
    ("schema", "says how the file is read; there is one"),
    (
        "data.bytes_limit",
        "refuses a file; what was read under one limit is the same under any other",
    ),
    (
        "data.label.task",
        "refuses what is not a classifier of two classes; there is one kind so far",
    ),
    (
        "training.version",
        "names a version by the record that a test of the command line makes: see `tracked_training.rs`",
    ),
    ("training.file", "chooses among the files of that version"),
];

/// Returns the leaves of a schema, as paths with `*` for what is in a list or under a name that the writer chooses.
fn leaves(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    visit(schema, schema, String::new(), &mut found);
    found
}

fn visit(root: &Value, schema: &Value, path: String, found: &mut BTreeSet<String>) {
    let join = |name: &str| match path.is_empty() {
        true => name.to_owned(),
        false => format!("{path}.{name}"),
    };
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        return visit(root, root.pointer(pointer).unwrap(), path, found);
    }
    let mut is_leaf = true;
    for one in ["anyOf", "oneOf", "allOf"]
        .iter()
        .flat_map(|word| schema[*word].as_array())
        .flatten()
    {
        if one["type"] != "null" && one.get("const").is_none() {
            is_leaf = false;
            visit(root, one, path.clone(), found);
        }
    }
    if let Some(properties) = schema["properties"].as_object() {
        is_leaf = false;
        for (name, property) in properties {
            visit(root, property, join(name), found);
        }
    }
    for word in ["items", "additionalProperties"] {
        if schema[word].is_object() {
            is_leaf = false;
            visit(root, &schema[word], join("*"), found);
        }
    }
    if is_leaf {
        found.insert(path);
    }
}

/// Returns the places of a document at a leaf's path, as JSON pointers.
fn places(document: &Value, leaf: &str) -> Vec<String> {
    let mut open = vec![(String::new(), document)];
    for step in leaf.split('.') {
        open = open
            .into_iter()
            .flat_map(|(pointer, value)| -> Vec<(String, &Value)> {
                match (step, value) {
                    ("*", Value::Array(items)) => {
                        let items = items.iter().enumerate();
                        items
                            .map(|(i, item)| (format!("{pointer}/{i}"), item))
                            .collect()
                    }
                    ("*", Value::Object(fields)) => {
                        let fields = fields.iter();
                        fields
                            .map(|(name, field)| (format!("{pointer}/{name}"), field))
                            .collect()
                    }
                    (name, Value::Object(fields)) => {
                        let field = fields.get(name);
                        field
                            .map(|field| (format!("{pointer}/{name}"), field))
                            .into_iter()
                            .collect()
                    }
                    _ => Vec::new(),
                }
            })
            .collect();
    }
    open.into_iter()
        .filter(|(_, value)| !value.is_object() && !value.is_array())
        .map(|(pointer, _)| pointer)
        .collect()
}

/// Returns another value for a setting: a particular one where only some are allowed, else a little more or longer.
fn other(leaf: &str, value: &Value) -> Value {
    let allowed = [
        ("schema", json!("veracta.pipeline/1")),
        ("frameworks.*", json!("mrm")),
        ("name", json!("churn2")),
        ("data.path", json!("copy.csv")),
        ("data.nature", json!("synthetic")),
        ("data.delimiter", json!(";")),
        ("data.decimal", json!("_")),
        ("data.thousands", json!("`")),
        ("data.dates", json!("month-first")),
        ("data.types.*", json!("text")),
        ("data.label.column", json!("left2")),
        ("data.label.positive", json!("0")),
        ("data.label.task", json!("binary")),
        ("data.collected_from", json!("2026-01-02")),
        ("data.collected_to", json!("2026-02-02")),
        ("data.retention_until", json!("2027-01-02")),
        ("steps.*.inputs.*", json!("newer.csv")),
        ("steps.*.secrets.*", json!("PATH")),
        ("split.method", json!("stratified")),
        ("split.column", json!("other")),
        ("training.algorithm", json!("logistic_regression")),
        ("training.path", json!("model2.txt")),
        ("validation.criteria.*.metric", json!("average_precision")),
        (
            "validation.fairness.*.metric",
            json!("equalized_odds_difference"),
        ),
        ("validation.robustness.metric", json!("average_precision")),
        ("validation.privacy.shadows", json!(6)),
        ("monitoring.current", json!("rows.csv")),
        ("documents.*", json!("validation_report")),
        ("statements.*.valid_until", json!("2027-01-02")),
        ("waivers.*.subject", json!("rule:no_proxy")),
        ("waivers.*.valid_until", json!("2027-01-02")),
    ];
    if let Some((_, value)) = allowed.into_iter().find(|(path, _)| *path == leaf) {
        return value;
    }
    match value {
        Value::String(text) => json!(format!("{text}2")),
        Value::Number(number) if number.is_u64() => json!(number.as_u64().unwrap() + 1),
        Value::Number(number) => json!(number.as_f64().unwrap() * 0.9),
        other => panic!("`{leaf}` is {other}: say in `allowed` what else it may be"),
    }
}

/// A pipeline that was run once, and what its steps were asked.
struct Ran {
    folder: tempfile::TempDir,
    platform: Platform,
    document: Value,
    requests: BTreeMap<String, Value>,
}

/// Rows with a label that two of the inputs say something of.
fn rows(n: usize, shift: usize) -> String {
    let mut text = String::from("id,person,day,age,income,city,group,note,part,other,left,left2\n");
    for row in 0..n {
        let x = (row * 7919 + shift) % 97;
        let (age, income) = (20 + x % 50, (row * 31 + shift) % 101);
        let left = u8::from((x + income + row % 13) % 97 > 48);
        let part = ["train", "train", "test", "tune"][row % 4];
        let other = ["test", "train", "train", "tune"][row % 4];
        let (city, group) = (["Bern", "Basel", "Chur"][row % 3], ["a", "b"][row / 2 % 2]);
        writeln!(
            text,
            "r{row},p{},{row},{age},{income},{city},{group},note {row} of many words,{part},{other},{left},{}",
            row / 2,
            1 - left,
        )
        .unwrap();
    }
    text
}

impl Ran {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        write("rows.csv", rows(400, 0));
        write("copy.csv", rows(400, 0));
        write("newer.csv", rows(100, 5));
        for (name, leaf) in [("model.txt", "0.4"), ("model2.txt", "0.5")] {
            write(
                name,
                format!(
                    "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=1\nobjective=binary sigmoid:1\nfeature_names=age income\nfeature_infos=[0:1] [0:1]\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nsplit_gain=1\nthreshold=44.5\ndecision_type=2\nleft_child=-1\nright_child=-2\nleaf_value=-{leaf} {leaf}\nleaf_count=150 150\ninternal_count=300\n\nend of trees\n"
                ),
            );
        }
        let options = InitOptions {
            origin: None,
            actor: "tester".to_owned(),
            at: "2026-11-01T00:00:00.000Z".to_owned(),
            program: "test".to_owned(),
        };
        let platform = Platform {
            store: Arc::new(Store::init(&folder.path().join(".veracta"), options).unwrap()),
            actor: "tester".to_owned(),
            clock: || "2026-11-02T00:00:00Z".parse().unwrap(),
            program: "test".to_owned(),
        };
        let document: Value = serde_saphyr::from_str(text).unwrap();
        let mut ran = Self {
            folder,
            platform,
            document,
            requests: BTreeMap::new(),
        };
        let file = ran.parse(&ran.document).unwrap();
        run_pipeline(&ran.platform, &file, &RunOptions::default(), &|_| {}).unwrap();
        ran.requests = ran.requests_of(&ran.document).unwrap();
        ran
    }

    fn parse(&self, document: &Value) -> Result<PipelineFile, crate::LifecycleError> {
        let folder = self.folder.path();
        // JSON is YAML.
        PipelineFile::parse(Path::new("pipeline.yaml"), folder, document.to_string())
    }

    /// Records the plan of these settings, as the step `criteria` does before the gate is asked.
    fn record_plan(&self, file: &PipelineFile) {
        let plan = file.spec.validation_plan();
        let record = Record::Attestation(Attestation {
            topic: VALIDATION_PLAN.to_owned(),
            statement: "a plan".to_owned(),
            signer: None,
            valid_until: None,
            file_digest: Some(plan.digest()),
            plan: Some(plan),
        });
        let new = NewRecord {
            record,
            subject: super::done::model_subject(&file.spec.name.value),
            key: None,
            links: Vec::new(),
            artifacts: Vec::new(),
        };
        self.platform.commit(new).unwrap();
    }

    /// Returns what each step is asked with these settings and with the results of the run: what a setting reaches directly.
    fn requests_of(
        &self,
        document: &Value,
    ) -> Result<BTreeMap<String, Value>, crate::LifecycleError> {
        let file = self.parse(document)?;
        let first = self.parse(&self.document)?;
        let done = Done {
            path: &file.path,
            folder: &file.folder,
            data_file: None,
            store: &self.platform.store,
            today: self.platform.today(),
            program: &self.platform.program,
            results: Default::default(),
            files: Default::default(),
        };
        for scheduled in schedule(&first.spec) {
            let requested = scheduled.step.request(&first.spec, &done)?;
            let evidence = self.platform.store.made_by(requested.key)?;
            assert!(!evidence.is_empty(), "{:?} was done", scheduled.step);
            super::lock(&done.results).insert(scheduled.step, super::StepResult { evidence });
        }
        self.record_plan(&file);
        let mut requests = BTreeMap::new();
        for scheduled in schedule(&file.spec) {
            let id = match scheduled.step {
                Step::Command(position) => format!("command {position}"),
                step => step.id(&file.spec).to_owned(),
            };
            requests.insert(id, scheduled.step.request(&file.spec, &done)?.json);
        }
        Ok(requests)
    }
}

#[test]
fn every_setting_is_in_the_key_of_a_step_or_no_result_depends_on_it() {
    let runs = FULL.map(Ran::new);
    let (mut problems, mut reached) = (Vec::new(), String::new());
    for leaf in leaves(&json_schema()) {
        // In the first pipeline that has the setting and takes another value for it.
        let (mut tried, mut refused) = (None, Vec::new());
        for ran in &runs {
            let Some(pointer) = places(&ran.document, &leaf).into_iter().next() else {
                continue;
            };
            let mut document = ran.document.clone();
            let value = document.pointer_mut(&pointer).unwrap();
            let new = other(&leaf, value);
            if new == *value && !NO_RESULT.iter().any(|(path, _)| *path == leaf) {
                continue;
            }
            *value = new;
            match ran.requests_of(&document) {
                Ok(requests) => {
                    tried = Some((ran, requests));
                    break;
                }
                Err(error) => refused.push(error.to_string()),
            }
        }
        let Some((ran, requests)) = tried else {
            let is_listed = NO_RESULT.iter().any(|(path, _)| *path == leaf);
            if !is_listed || !refused.is_empty() {
                problems.push(format!(
                    "`{leaf}` is in none of the pipelines of this test: {refused:?}"
                ));
            }
            continue;
        };
        let ids: BTreeSet<&String> = ran.requests.keys().chain(requests.keys()).collect();
        let changed = ids
            .into_iter()
            .filter(|id| ran.requests.get(*id) != requests.get(*id));
        let changed: Vec<&str> = changed.map(String::as_str).collect();
        let is_listed = NO_RESULT.iter().any(|(path, _)| *path == leaf);
        if is_listed != changed.is_empty() {
            problems.push(format!(
                "`{leaf}` changes what is asked of {changed:?}; listed: {is_listed}"
            ));
        }
        writeln!(reached, "{leaf}: {}", changed.join(" ")).unwrap();
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pipeline/steps/settings.txt");
    if std::env::var_os("VERACTA_WRITE").is_some() {
        std::fs::write(&path, &reached).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        reached,
        expected,
        "VERACTA_WRITE=1 writes {}",
        path.display()
    );
}
