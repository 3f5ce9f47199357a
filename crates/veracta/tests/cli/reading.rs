//! Reading a workspace: every form of reference, every verb that only looks, and what is said when there is nothing to see.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex, Weak};

use serde_json::Value;

use crate::project::{ACTOR, PIPELINE, Project, answer, program};

/// Returns a project with two models, shared by tests that only read it; it is removed with the last of them.
fn two_models() -> Arc<Project> {
    static SHARED: Mutex<Weak<Project>> = Mutex::new(Weak::new());
    let mut shared = SHARED
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = shared.upgrade() {
        return known;
    }
    let project = Project::new(PIPELINE);
    assert_eq!(project.run(&[]).code, 0);
    project.edit("pipeline.yaml", "rounds: 20", "rounds: 25");
    assert_eq!(project.run(&[]).code, 0);
    let made = Arc::new(project);
    *shared = Arc::downgrade(&made);
    made
}

/// Returns the position of the record that a reference shows.
fn shown(project: &Project, reference: &str) -> u64 {
    project.json(&["show", reference])["idx"].as_u64().unwrap()
}

#[test]
fn every_form_of_reference_finds_its_record() {
    let project = two_models();
    let models = project.json(&["status"])["models"].clone();
    let (first, second) = (
        models[0]["idx"].as_u64().unwrap(),
        models[1]["idx"].as_u64().unwrap(),
    );
    for (reference, idx) in [
        ("small", second),
        ("small@2", second),
        ("small@1", first),
        ("model:small", second),
        ("model:small@1", first),
    ] {
        assert_eq!(shown(&project, reference), idx, "{reference}");
    }
    for idx in [0, first, project.n_entries() - 1] {
        assert_eq!(shown(&project, &format!("#{idx}")), idx);
        assert_eq!(shown(&project, &idx.to_string()), idx);
    }
    let (dataset_idx, dataset) = project.latest("dataset.version");
    assert_eq!(shown(&project, "dataset:people"), dataset_idx);
    let model = project.json(&["show", "small"]);
    let (artefact, body) = (
        model["record"]["body"]["digest"].as_str().unwrap(),
        model["entry"]["body"].as_str().unwrap(),
    );
    for digest in [artefact, &artefact[..12], &artefact[..6], body] {
        assert_eq!(shown(&project, digest), second, "{digest}");
    }
    assert_eq!(
        shown(&project, &dataset["digest"].as_str().unwrap()[..12]),
        dataset_idx
    );
}

#[test]
fn a_reference_to_nothing_is_an_error_with_a_hint() {
    let project = two_models();
    for reference in [
        "nobody",
        "small@3",
        "small@",
        "dataset:nobody",
        "abcdef0123",
        "#",
        "",
    ] {
        let unknown = project.veracta(&["show", reference]);
        assert_eq!(unknown.code, 2, "{reference}: {unknown:?}");
        let expected =
            format!("`{reference}` names nothing in this workspace; there is `small@1`, `small@2`");
        assert!(
            unknown.err.contains(&expected) && unknown.err.contains("hint: a reference is a name"),
            "{}",
            unknown.err
        );
    }
    for verb in [
        &["gate"][..],
        &["controls"],
        &["lineage"],
        &["reproduce"],
        &["document", "--kind", "model_card"],
        &["diff", "small"],
    ] {
        let unknown = answer(program(project.folder()).args(verb).arg("nobody"));
        assert_eq!(unknown.code, 2, "{verb:?}: {unknown:?}");
        assert!(
            unknown.err.contains("`nobody`") && unknown.err.contains("hint:"),
            "{verb:?}: {}",
            unknown.err
        );
    }
    let beyond = project.veracta(&["show", "#999"]);
    assert_eq!(beyond.code, 2);
    assert!(
        beyond.err.contains("#999") && beyond.err.contains("the ledger has 25 entries"),
        "{}",
        beyond.err
    );
    let other_kind = project.veracta(&["gate", "dataset:people"]);
    assert_eq!(other_kind.code, 2);
    assert!(
        other_kind
            .err
            .contains("is a dataset.version; this needs a model.version"),
        "{}",
        other_kind.err
    );
}

#[test]
fn show_names_the_actor_here_and_a_pseudonym_in_the_entry() {
    let project = two_models();
    let told = project.veracta(&["show", "small@1"]).out;
    for word in [
        "model.version · model:small",
        "SHA-256",
        "rests on",
        "artefact  model",
        "known here only",
        ACTOR,
        "status: registered",
    ] {
        assert!(told.contains(word), "{word}: {told}");
    }
    let record = project.json(&["show", "small@1"]);
    assert_eq!(record["actor_name"], ACTOR);
    assert!(
        record["entry"]["actor"]
            .as_str()
            .unwrap()
            .starts_with("actor-"),
        "{record:#}"
    );
    assert!(
        !record["entry"].to_string().contains(ACTOR)
            && !record["record"].to_string().contains(ACTOR)
    );
    let data = project.veracta(&["show", "dataset:people"]).out;
    assert!(data.contains("may hold personal data"), "{data}");
}

#[test]
fn the_log_is_listed_latest_first_by_kind_and_up_to_a_number() {
    let project = two_models();
    let positions = |arguments: &[&str]| -> Vec<u64> {
        let log = project.json(arguments);
        log.as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["idx"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(
        positions(&["log", "-n", "100"]),
        (0..25).rev().collect::<Vec<u64>>()
    );
    assert_eq!(positions(&["log", "-n", "2"]), [24, 23]);
    let models = positions(&["log", "--kind", "model.version"]);
    assert_eq!(models.len(), 4, "two candidates and two decisions");
    let told = project.veracta(&["log", "-n", "3"]).out;
    assert!(
        told.starts_with("#24 ") && told.contains("22 earlier entries"),
        "{told}"
    );
    let none = project.veracta(&["log", "--kind", "incident"]);
    assert_eq!((none.code, none.out.as_str()), (0, "no such records\n"));
}

#[test]
fn the_gate_says_yes_or_no_by_its_exit_code() {
    let project = two_models();
    let told = project.veracta(&["gate", "small@1"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(
        told.out.contains("REGISTERED  small@1") && told.out.contains("holds    performance"),
        "{}",
        told.out
    );
    assert_eq!(project.json(&["gate", "small@2"])["verdict"], "pass");
    let candidate = project.json(&["log", "--kind", "model.version"])[3]["idx"]
        .as_u64()
        .unwrap();
    let told = project.veracta(&["gate", &candidate.to_string()]);
    assert_eq!(told.code, 1);
    assert!(told.out.contains("is a candidate"), "{}", told.out);
    let strict = Project::new(&PIPELINE.replacen("at_least: 0.6", "at_least: 0.99", 1));
    let refused = strict.veracta(&["run", "pipeline.yaml"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.out.contains("REFUSED  small@1") && refused.out.contains("FAILS    performance"),
        "{}",
        refused.out
    );
    assert_eq!(strict.veracta(&["gate", "small"]).code, 1);
    assert_eq!(strict.json(&["status"])["models"][0]["status"], "refused");
}

/// Returns the states of the controls after checking that each result that is not open names its records.
fn control_states(results: &Value) -> BTreeSet<String> {
    let results = results.as_array().unwrap();
    assert!(results.len() > 10, "{results:?}");
    for result in results {
        let n_records = result["records"].as_array().unwrap().len();
        assert!(
            n_records > 0 || result["state"] == "missing" || result["state"] == "not_applicable",
            "{result:#}"
        );
        assert_eq!(result["framework"], "gdpr");
        assert!(!result["reason"].as_str().unwrap().is_empty());
    }
    results
        .iter()
        .map(|result| result["state"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn controls_fail_with_exit_code_1_and_pass_with_records() {
    let project = two_models();
    let failing = project.veracta(&[
        "controls",
        "small",
        "--framework",
        "gdpr",
        "--format",
        "json",
    ]);
    assert!(control_states(&failing.json()).contains("fail"));
    assert_eq!(
        failing.code, 1,
        "a control fails: inputs are not shown to be needed"
    );
    let told = project.veracta(&["controls", "small", "--framework", "gdpr"]);
    assert_eq!(told.code, 1);
    for word in [
        " pass, ",
        " fail, ",
        " missing, ",
        " not applicable, ",
        " waived",
        "gdpr.art6.1",
        "not legal advice",
    ] {
        assert!(told.out.contains(word), "{word}: {}", told.out);
    }
    // The same inputs, each kept with a reason that a person gave.
    let keep =
        "  folds: 2\n  keep: {region: needed, tenure: needed, charge: needed, calls: needed}\n";
    let kept = Project::new(&PIPELINE.replacen("  folds: 2\n", keep, 1));
    kept.run(&[]);
    let holding = kept.veracta(&["controls", "small", "--format", "json"]);
    let states = control_states(&holding.json());
    assert!(
        !states.contains("fail") && states.contains("pass") && states.contains("missing"),
        "{states:?}"
    );
    assert_eq!(holding.code, 0);
    let unknown = project.veracta(&["controls", "small", "--framework", "gpdr"]);
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.err.contains("unknown framework `gpdr`") && unknown.err.contains("gdpr"),
        "{}",
        unknown.err
    );
}

#[test]
fn a_document_is_written_in_every_format() {
    let project = two_models();
    let folder = tempfile::tempdir().unwrap();
    for kind in ["model_card", "validation_report"] {
        for (format, start) in [("html", "<!DOCTYPE html>"), ("md", "# "), ("json", "{")] {
            let path = folder.path().join(format!("{kind}.{format}"));
            let arguments = ["document", "small", "--kind", kind, "--format", format];
            let written = answer(
                program(project.folder())
                    .args(arguments)
                    .arg("-o")
                    .arg(&path),
            );
            assert_eq!(written.code, 0, "{written:?}");
            assert!(
                written.err.contains("gaps") && written.out.is_empty(),
                "{written:?}"
            );
            let text = fs::read_to_string(&path).unwrap();
            assert!(
                text.starts_with(start) && text.contains("simulated"),
                "{kind}.{format}"
            );
            assert_eq!(
                project.veracta(&arguments).out,
                text,
                "the same on the standard output"
            );
        }
    }
    let unknown = project.veracta(&["document", "small", "--kind", "poem"]);
    assert_eq!(unknown.code, 2);
    assert!(
        unknown
            .err
            .contains("unknown document `poem`; there are model_card, validation_report"),
        "{}",
        unknown.err
    );
}

#[test]
fn the_lineage_is_told_listed_and_drawn() {
    let project = two_models();
    let nodes = project.json(&["lineage", "small"]);
    let nodes = nodes.as_array().unwrap();
    let kinds: BTreeSet<&str> = nodes
        .iter()
        .map(|node| node["kind"].as_str().unwrap())
        .collect();
    for kind in [
        "dataset.version",
        "dataset.split",
        "run",
        "model.version",
        "validation.report",
        "fairness.report",
        "explain.report",
    ] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
    let known: BTreeSet<u64> = nodes
        .iter()
        .map(|node| node["idx"].as_u64().unwrap())
        .collect();
    for node in nodes {
        let idx = node["idx"].as_u64().unwrap();
        for source in node["rests_on"].as_array().unwrap() {
            let source = source.as_u64().unwrap();
            assert!(source < idx && known.contains(&source), "{node}");
        }
    }
    let told = project.veracta(&["lineage", "small"]);
    assert_eq!(told.out.lines().count(), nodes.len());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lineage.svg");
    let drawn = answer(
        program(project.folder())
            .args(["lineage", "small", "--svg"])
            .arg(&path),
    );
    assert_eq!(drawn.code, 0, "{drawn:?}");
    let svg = fs::read_to_string(&path).unwrap();
    assert!(
        svg.starts_with("<svg ")
            && svg.trim_end().ends_with("</svg>")
            && svg.contains("prefers-color-scheme:dark")
    );
    assert_eq!(svg.matches("<rect").count(), nodes.len());
}

#[test]
fn two_versions_differ_in_what_was_changed_and_in_their_results() {
    let project = two_models();
    let told = project.veracta(&["diff", "small@1", "small@2"]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(
        told.out.contains("20 trees") && told.out.contains("25 trees"),
        "{}",
        told.out
    );
    let differences = project.json(&["diff", "small@1", "small@2"]);
    let facets: BTreeSet<&str> = differences
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["facet"].as_str().unwrap())
        .collect();
    for facet in ["version", "digest", "architecture", "results.roc_auc"] {
        assert!(facets.contains(facet), "{facet}: {facets:?}");
    }
    assert!(
        !facets.contains("purpose") && !facets.contains("owner"),
        "{facets:?}"
    );
    let same = project.veracta(&["diff", "small@1", "small@1"]);
    assert_eq!(same.code, 0);
    assert!(same.out.contains("say the same"), "{}", same.out);
    let kinds = project.veracta(&["diff", "small@1", "#1"]);
    assert_eq!(kinds.code, 2);
    assert!(
        kinds.err.contains("only records of one kind"),
        "{}",
        kinds.err
    );
}

#[test]
fn the_ledger_prints_its_head_and_receipts() {
    let project = two_models();
    let head = project.veracta(&["ledger", "checkpoint"]).out;
    let lines: Vec<&str> = head.lines().collect();
    let status = project.json(&["status"]);
    assert_eq!(lines[0], status["log"].as_str().unwrap());
    assert_eq!((lines[1], status["signed"].as_u64()), ("25", Some(25)));
    let receipt = project.veracta(&["ledger", "proof", "3"]).out;
    assert!(
        receipt.starts_with("c2sp.org/tlog-proof@v1\nindex 3\n") && receipt.contains(lines[2]),
        "{receipt}"
    );
    assert_eq!(project.veracta(&["ledger", "proof", "999"]).code, 2);
}

#[test]
fn a_file_is_profiled_without_a_workspace() {
    let project = two_models();
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        project.path("customers.csv"),
        folder.path().join("people.csv"),
    )
    .unwrap();
    let told = answer(program(folder.path()).args(["profile", "people.csv"]));
    assert_eq!(told.code, 0, "{told:?}");
    for word in [
        "600 rows, 7 columns",
        "tenure",
        "numeric",
        "categorical",
        "any other unique code in `customer`",
    ] {
        assert!(told.out.contains(word), "{word}: {}", told.out);
    }
    let json =
        answer(program(folder.path()).args(["profile", "people.csv", "--format", "json"])).json();
    assert_eq!(json["profile"]["n_rows"], 600);
    assert_eq!(json["format"], "csv");
    assert_eq!(
        answer(program(folder.path()).args(["profile", "people.csv", "--bytes-limit", "10"])).code,
        2
    );
    assert_eq!(
        answer(program(folder.path()).args(["profile", "people.csv", "--delimiter", ";"])).code,
        2
    );
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "profiling leaves nothing behind"
    );
}

#[test]
fn the_schema_of_a_pipeline_is_closed() {
    let project = two_models();
    let schema = project.veracta(&["schema", "pipeline"]).json();
    assert_eq!(schema["additionalProperties"], false);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        let is_object = definition["type"] == "object" && definition.get("properties").is_some();
        assert!(
            !is_object || definition["additionalProperties"] == false,
            "{name}"
        );
    }
    for field in [
        "schema",
        "name",
        "purpose",
        "data",
        "training",
        "validation",
    ] {
        assert!(
            schema["required"]
                .as_array()
                .unwrap()
                .iter()
                .any(|required| required == field),
            "{field}"
        );
    }
    // What the schema names is what the pipeline of these tests uses.
    for line in PIPELINE.lines().filter(|line| !line.starts_with(' ')) {
        let field = line.split(':').next().unwrap();
        assert!(schema["properties"].get(field).is_some(), "{field}");
    }
}

/// Every verb, with those below it.
const VERBS: [&[&str]; 51] = [
    &[],
    &["predict"],
    &["explain"],
    &["evaluate"],
    &["compare"],
    &["anonymity"],
    &["plan"],
    &["drift"],
    &["watch"],
    &["robustness"],
    &["membership"],
    &["neighbours"],
    &["init"],
    &["run"],
    &["demo"],
    &["import"],
    &["import", "mlflow"],
    &["export"],
    &["export", "mlflow"],
    &["export", "openlineage"],
    &["backup"],
    &["restore"],
    &["purge"],
    &["user"],
    &["user", "add"],
    &["user", "roles"],
    &["user", "remove"],
    &["token"],
    &["token", "issue"],
    &["token", "revoke"],
    &["token", "list"],
    &["status"],
    &["show"],
    &["log"],
    &["gate"],
    &["controls"],
    &["document"],
    &["lineage"],
    &["reproduce"],
    &["diff"],
    &["evidence"],
    &["evidence", "export"],
    &["verify"],
    &["ledger"],
    &["ledger", "checkpoint"],
    &["ledger", "proof"],
    &["ledger", "rebuild"],
    &["profile"],
    &["serve"],
    &["schema"],
    &["completions"],
];

#[test]
fn every_verb_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    let overview = answer(program(folder.path()).arg("--help")).out;
    let listed =
        &overview[overview.find("Workspace:").unwrap()..overview.find("Options:").unwrap()];
    let listed = listed.lines().filter_map(|line| {
        line.strip_prefix("  ")?
            .split(' ')
            .next()
            .filter(|word| !word.is_empty())
    });
    let tested = VERBS.iter().filter_map(|verb| verb.first().copied());
    assert_eq!(
        listed.collect::<BTreeSet<&str>>(),
        tested.collect::<BTreeSet<&str>>(),
        "every verb is in the list of this test"
    );
    for verb in VERBS {
        let help = answer(program(folder.path()).args(verb).arg("--help"));
        assert_eq!(help.code, 0, "{verb:?}");
        assert!(
            help.out.contains("Usage:") && help.err.is_empty(),
            "{verb:?}: {help:?}"
        );
    }
    assert!(overview.contains("Exit codes: 0 yes, 1 no"), "{overview}");
    for shell in ["bash", "zsh", "fish"] {
        let script = answer(program(folder.path()).args(["completions", shell]));
        assert!(
            script.code == 0 && script.out.contains("veracta") && script.out.len() > 1000,
            "{shell}"
        );
    }
    let unknown = answer(program(folder.path()).arg("rnu"));
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("rnu"), "{}", unknown.err);
}
