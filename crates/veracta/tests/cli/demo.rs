//! `veracta demo churn`: refused with every planted fault named, corrected, registered, and documents that a browser can open alone.

use std::fs;
use std::sync::OnceLock;

use serde_json::Value;

use crate::project::{answer, program};

/// The demonstration told three times in one folder.
struct Told {
    first: Value,
    human: String,
    again: Value,
    n_entries_first: u64,
    n_entries_again: u64,
    documents: Vec<(String, String)>,
}

fn told() -> &'static Told {
    static TOLD: OnceLock<Told> = OnceLock::new();
    TOLD.get_or_init(|| {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("story");
        let tell = |format: &str| {
            let told = answer(
                program(home.path())
                    .args(["demo", "churn", "--folder", "story", "--format", format]),
            );
            assert_eq!(told.code, 0, "{told:?}");
            told
        };
        let n_entries = || {
            answer(program(&folder).args(["status", "--format", "json"])).json()["entries"]
                .as_u64()
                .unwrap()
        };
        let first = tell("json");
        let n_entries_first = n_entries();
        let human = tell("human");
        let again = tell("json");
        let documents = fs::read_dir(folder.join("documents"))
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                (
                    path.file_name().unwrap().to_str().unwrap().to_owned(),
                    fs::read_to_string(&path).unwrap(),
                )
            });
        let mut documents: Vec<(String, String)> = documents.collect();
        documents.sort();
        Told {
            first: first.json(),
            human: human.out + &human.err,
            again: again.json(),
            n_entries_first,
            n_entries_again: n_entries(),
            documents,
        }
    })
}

/// Returns the rule and statement of each finding of an act that ended so.
fn findings<'t>(act: &'t Value, outcome: &str) -> Vec<(&'t str, &'t str)> {
    let findings = act["gate"]["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["outcome"] == outcome)
        .map(|finding| {
            (
                finding["rule"].as_str().unwrap(),
                finding["statement"].as_str().unwrap(),
            )
        })
        .collect()
}

#[test]
fn the_pipeline_as_given_is_refused_for_each_planted_fault_and_nothing_else() {
    let act = &told().first["acts"][0];
    assert_eq!(act["gate"]["verdict"], "refuse");
    assert_eq!(act["model"], serde_json::json!(["churn", 1]));
    let planted = [
        ("no_leakage", "`retention_call_outcome`", "ROC AUC"),
        ("no_proxy", "`loyalty_tier`", "`gender="),
        ("no_identifiers", "`agent_notes`", "e-mail addresses"),
        ("no_identifiers", "`agent_notes`", "telephone"),
        ("minimised", "`bill_day`", "not needed"),
        ("minimised", "`router_colour`", "not needed"),
        ("minimised", "`loyalty_tier`", "not needed"),
        ("minimised", "all of these at once", "can go together"),
    ];
    let found = findings(act, "fail");
    for (rule, column, word) in planted {
        let names_it = |finding: &&(&str, &str)| {
            finding.0 == rule && finding.1.contains(column) && finding.1.contains(word)
        };
        assert_eq!(
            found.iter().filter(names_it).count(),
            1,
            "{rule} {column} {word}: {found:#?}"
        );
    }
    assert_eq!(found.len(), planted.len(), "{found:#?}");
}

#[test]
fn the_corrected_pipeline_is_registered_and_the_ledger_holds() {
    let told = told();
    let act = &told.first["acts"][1];
    assert_eq!(act["gate"]["verdict"], "pass");
    assert_eq!(act["model"], serde_json::json!(["churn", 2]));
    assert!(
        findings(act, "fail").is_empty() && findings(act, "missing").is_empty(),
        "{act:#}"
    );
    let checks = told.first["ledger"]["checks"].as_array().unwrap();
    assert!(
        checks.iter().any(|check| check["outcome"] == "holds"),
        "{checks:?}"
    );
    assert!(
        checks.iter().all(|check| check["outcome"] != "fails"),
        "{checks:?}"
    );
}

#[test]
fn telling_it_again_commits_nothing() {
    let told = told();
    for act in told.again["acts"].as_array().unwrap() {
        let steps = act["steps"].as_array().unwrap();
        assert_eq!(steps.len(), 13);
        assert!(
            steps.iter().all(|step| step["state"] == "unchanged"),
            "{steps:?}"
        );
    }
    assert_eq!(told.n_entries_first, told.n_entries_again);
    for position in [0_usize, 1] {
        assert_eq!(
            told.first["acts"][position]["gate"],
            told.again["acts"][position]["gate"]
        );
        assert_eq!(
            told.first["acts"][position]["documents"],
            told.again["acts"][position]["documents"]
        );
    }
}

#[test]
fn for_people_it_names_both_verdicts_and_how_to_go_on() {
    let human = &told().human;
    let words = [
        "simulated customers",
        "nobody here is real",
        "Act one",
        "REFUSED  churn@1",
        "Act two",
        "REGISTERED  churn@2",
        "INTACT",
        "controls churn@2",
        "lineage churn@2",
        "reproduce churn@2",
        "evidence export churn@2",
        "veracta verify",
    ];
    for word in words {
        assert!(human.contains(word), "{word}: {human}");
    }
}

#[test]
fn every_document_says_that_the_data_is_simulated_and_none_claims_compliance() {
    let told = told();
    assert_eq!(
        told.documents.len(),
        12,
        "two models, two documents, three formats"
    );
    for (name, text) in &told.documents {
        assert!(text.contains("simulated"), "{name}");
        assert!(!text.to_lowercase().contains("compliant"), "{name}");
    }
    for output in [&told.first.to_string(), &told.human] {
        assert!(!output.to_lowercase().contains("compliant"));
    }
}

/// Returns what a page would fetch: values of attributes and functions that load, other than places in the page itself.
fn loads(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for opening in [
        "src=\"",
        "href=\"",
        "srcset=\"",
        "action=\"",
        "url(",
        "@import",
    ] {
        let values = page.split(opening).skip(1);
        let outside = values.filter(|value| !value.starts_with('#') && !value.starts_with("data:"));
        found.extend(
            outside.map(|value| format!("{opening}{}", value.chars().take(60).collect::<String>())),
        );
    }
    found
}

#[test]
fn pages_load_nothing_and_have_a_light_and_a_dark_face() {
    let pages = || {
        told()
            .documents
            .iter()
            .filter(|(name, _)| name.ends_with(".html"))
    };
    assert_eq!(pages().count(), 4);
    for (name, page) in pages() {
        assert_eq!(loads(page), Vec::<String>::new(), "{name}");
        for element in [
            "<script", "<link", "<iframe", "<object", "<embed", "https://",
        ] {
            assert!(!page.contains(element), "{name}: {element}");
        }
        let n_namespaces = page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count();
        assert_eq!(page.matches("http://").count(), n_namespaces, "{name}");
        for word in [
            "content=\"light dark\"",
            "prefers-color-scheme:dark",
            "--paper:#fff",
            "--paper:#12161f",
        ] {
            assert!(page.contains(word), "{name}: {word}");
        }
    }
}

fn number_between(text: &str, before: &str, after: &str) -> usize {
    let rest = &text[text.find(before).unwrap() + before.len()..];
    rest[..rest.find(after).unwrap()].parse().unwrap()
}

fn n_gap_blocks(document: &Value) -> usize {
    let blocks = document["sections"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|section| section["blocks"].as_array().unwrap());
    blocks.filter(|block| block.get("gap").is_some()).count()
}

#[test]
fn the_printed_number_of_gaps_is_the_number_of_gap_marks() {
    let documents = &told().documents;
    let text = |name: &str| &documents.iter().find(|(known, _)| known == name).unwrap().1;
    for stem in [
        "churn-1-model_card",
        "churn-2-model_card",
        "churn-1-validation_report",
        "churn-2-validation_report",
    ] {
        let (page, markdown) = (text(&format!("{stem}.html")), text(&format!("{stem}.md")));
        let json: Value = serde_json::from_str(text(&format!("{stem}.json"))).unwrap();
        let printed = number_between(markdown, "Gaps: ", ".");
        assert!(printed > 0, "{stem}: a demonstration leaves gaps");
        assert_eq!(markdown.matches("> **Gap:**").count(), printed, "{stem}.md");
        assert_eq!(
            number_between(page, "<li class=\"open\"><strong>", "</strong> gaps"),
            printed,
            "{stem}.html"
        );
        assert_eq!(
            page.matches("class=\"gap\"").count(),
            printed,
            "{stem}.html"
        );
        assert_eq!(json["n_gaps"], printed, "{stem}.json");
        assert_eq!(n_gap_blocks(&json), printed, "{stem}.json");
    }
}

#[test]
fn a_folder_with_other_things_in_it_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("mine.txt"), "mine").unwrap();
    let refused = answer(program(home.path()).args(["demo", "churn", "--folder", "."]));
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("not empty") && refused.err.contains("--folder"),
        "{}",
        refused.err
    );
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}
