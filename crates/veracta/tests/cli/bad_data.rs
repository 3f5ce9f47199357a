//! Data as it comes: refused with the file and the place, or read and the oddity recorded. Never a panic, never half a run.

use std::fs;

use serde_json::Value;

use crate::project::{N_PEOPLE, PIPELINE, Project, simulate_people, with_column};

/// A data file that cannot be used, and what the error must say.
struct Refused {
    name: &'static str,
    data: Vec<u8>,
    /// A change of the pipeline that belongs to it.
    change: (&'static str, &'static str),
    words: &'static [&'static str],
}

/// Returns a case without a change of the pipeline.
fn refused(
    name: &'static str,
    data: impl Into<Vec<u8>>,
    words: &'static [&'static str],
) -> Refused {
    Refused {
        name,
        data: data.into(),
        change: ("", ""),
        words,
    }
}

/// Returns the data with one line changed; the header is line 1.
fn with_line(csv: &str, number: usize, change: impl Fn(&str) -> String) -> String {
    let lines = csv.lines().enumerate().map(|(position, line)| {
        if position + 1 == number {
            change(line)
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn shapes() -> Vec<Refused> {
    let csv = simulate_people(N_PEOPLE);
    let header = csv.lines().next().unwrap().to_owned() + "\n";
    let limited = Refused {
        name: "larger than its limit",
        data: csv.clone().into_bytes(),
        change: (
            "  path: customers.csv",
            "  path: customers.csv\n  bytes_limit: 1000",
        ),
        words: &[
            "customers.csv",
            "over the limit of 1000",
            "hint: raise `bytes_limit`",
        ],
    };
    vec![
        refused("an empty file", "", &["customers.csv", "the file is empty"]),
        refused(
            "a header only",
            header,
            &["customers.csv", "a header and no rows"],
        ),
        refused(
            "another delimiter",
            csv.replace(',', ";"),
            &[
                "customers.csv",
                "line 1",
                "`;`",
                "hint: the delimiter is `;`",
            ],
        ),
        refused(
            "a longer row",
            with_line(&csv, 6, |line| format!("{line},more")),
            &["customers.csv", "line 6 has 8 cells", "has 7"],
        ),
        refused(
            "a shorter row",
            with_line(&csv, 9, |_| "a,b".to_owned()),
            &["customers.csv", "line 9 has 2 cells", "hint:"],
        ),
        refused(
            "two columns of one name",
            csv.replacen("region", "sex", 1),
            &["customers.csv", "line 1, column 3", "`sex`"],
        ),
        refused(
            "a column without a name",
            csv.replacen("region", "", 1),
            &["customers.csv", "line 1, column 3", "no name"],
        ),
        refused(
            "a Parquet file cut off",
            "PAR1 and then nothing",
            &["customers.csv", "Parquet"],
        ),
        limited,
    ]
}

fn encodings_and_types() -> Vec<Refused> {
    let csv = simulate_people(N_PEOPLE);
    let line = csv
        .lines()
        .position(|line| line.contains(",south,"))
        .unwrap()
        + 1;
    assert_eq!(line, 3, "the words below name the line");
    let start = csv.find(",south,").unwrap();
    let mut latin = csv.clone().into_bytes();
    latin[start + 2] = 0xfc;
    let utf16: Vec<u8> = csv.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut with_mark = vec![0xff, 0xfe];
    with_mark.extend(utf16);
    vec![
        refused(
            "Latin-1",
            latin,
            &["customers.csv", "line 3, column 3", "not UTF-8", "convert"],
        ),
        refused(
            "UTF-16",
            with_mark,
            &["customers.csv", "UTF-16", "save it as UTF-8"],
        ),
        Refused {
            name: "text in a column declared numeric",
            data: csv.clone().into_bytes(),
            change: (
                "  path: customers.csv",
                "  path: customers.csv\n  types: {region: numeric}",
            ),
            words: &[
                "customers.csv",
                "600 cells of column `region`",
                "line 2",
                "hint:",
            ],
        },
        Refused {
            name: "a declared column that is not there",
            data: csv.into_bytes(),
            change: (
                "  path: customers.csv",
                "  path: customers.csv\n  types: {regoin: numeric}",
            ),
            words: &[
                "customers.csv",
                "column `regoin` is not in the file",
                "region",
            ],
        },
    ]
}

fn labels() -> Vec<Refused> {
    let csv = simulate_people(N_PEOPLE);
    let without = |line: &str| format!("{},", line.rsplit_once(',').unwrap().0);
    let gone = csv.replacen("churned", "left", 1);
    vec![
        refused(
            "one class",
            csv.replace(",no\n", ",yes\n"),
            &["`churned`", "every row has the value `yes`", "both labels"],
        ),
        refused(
            "no label column",
            gone,
            &[
                "pipeline.yaml:10:19",
                "label `churned` is not a column",
                "the data has customer",
            ],
        ),
        refused(
            "rows without label",
            with_line(&with_line(&csv, 5, without), 9, without),
            &["`churned`", "2 of 600 rows have no label"],
        ),
        Refused {
            name: "a positive value that is not there",
            data: csv.clone().into_bytes(),
            change: ("positive: \"yes\"", "positive: \"ja\""),
            words: &[
                "`churned`",
                "no row has the positive value `ja`",
                "`no`, `yes`",
            ],
        },
        Refused {
            name: "no input left",
            data: csv.into_bytes(),
            change: (
                "    sex: protected attribute",
                "    {sex: x, region: x, tenure: x, charge: x, calls: x}",
            ),
            words: &["no input is left", "hint:"],
        },
    ]
}

/// Runs each case in one workspace, which must stay as it is.
fn check(cases: Vec<Refused>) {
    let project = Project::new(PIPELINE);
    for case in cases {
        project.write("customers.csv", &case.data);
        assert!(PIPELINE.contains(case.change.0));
        project.write(
            "pipeline.yaml",
            PIPELINE.replacen(case.change.0, case.change.1, 1),
        );
        let refused = project.veracta(&["run", "pipeline.yaml"]);
        assert_eq!(refused.code, 2, "{}: {refused:?}", case.name);
        for word in case.words {
            assert!(
                refused.err.contains(word),
                "{}: `{word}` is not in {}",
                case.name,
                refused.err
            );
        }
        assert_eq!(project.n_entries(), 1, "{}", case.name);
        assert!(!project.path("documents").exists(), "{}", case.name);
    }
    assert_eq!(project.veracta(&["verify"]).code, 0);
}

#[test]
fn files_of_the_wrong_shape_are_refused_with_their_line() {
    check(shapes());
}

#[test]
fn files_of_the_wrong_encoding_or_type_are_refused_with_their_place() {
    check(encodings_and_types());
}

#[test]
fn labels_that_cannot_be_learnt_are_refused() {
    check(labels());
}

#[test]
fn a_missing_file_a_folder_and_a_file_in_a_file_are_refused() {
    let project = Project::new(PIPELINE);
    fs::remove_file(project.path("customers.csv")).unwrap();
    let check = |words: &[&str]| {
        let refused = project.veracta(&["run", "pipeline.yaml"]);
        assert_eq!(refused.code, 2, "{refused:?}");
        for word in words {
            assert!(refused.err.contains(word), "{word}: {refused:?}");
        }
        assert_eq!(project.n_entries(), 1);
    };
    check(&["pipeline.yaml:7:9", "`customers.csv` is not there"]);
    fs::create_dir(project.path("customers.csv")).unwrap();
    check(&["customers.csv", "directory"]);
    project.edit(
        "pipeline.yaml",
        "path: customers.csv",
        "path: pipeline.yaml/customers.csv",
    );
    check(&[
        "pipeline.yaml:7:9",
        "`pipeline.yaml/customers.csv` is not there",
    ]);
}

/// Runs data that is odd and not wrong.
fn accepted(csv: impl AsRef<[u8]>) -> Project {
    let project = Project::new(PIPELINE);
    project.write("customers.csv", csv);
    let ran = project.run(&[]);
    assert_eq!(ran.code, 0, "{:#}", ran.outcome["gate"]);
    project
}

#[test]
fn a_group_of_one_row_is_shown_as_small_and_not_compared() {
    // The first man stands in line 6, and that row lands in the test part.
    let csv = simulate_people(N_PEOPLE).replacen(",male,", ",other,", 1);
    let project = accepted(csv);
    let (_, report) = project.latest("fairness.report");
    let groups = report["attributes"][0]["groups"].as_array().unwrap();
    let small: Vec<&Value> = groups
        .iter()
        .filter(|group| group["small"] == true)
        .collect();
    assert_eq!((small.len(), groups.len()), (1, 3), "{groups:?}");
    assert_eq!(small[0]["levels"][0], "other");
    assert_eq!(small[0]["n"], 1);
    let (_, screening) = project.latest("bias.report");
    let proxies = screening["proxies"].as_array().unwrap();
    assert!(
        proxies.iter().all(|pair| pair["target"] != "sex=other"),
        "one row says nothing about a proxy"
    );
}

#[test]
fn a_column_without_values_is_profiled_and_not_an_input() {
    let project = accepted(with_column(&simulate_people(N_PEOPLE), "void", |_| {
        String::new()
    }));
    let (_, profile) = project.latest("dataset.profile");
    let columns = profile["profile"]["columns"].as_array().unwrap();
    let void = columns
        .iter()
        .find(|column| column["name"] == "void")
        .unwrap();
    assert_eq!(void["n_missing"], N_PEOPLE);
    assert_eq!(void["n_distinct"], 0);
    let (_, model) = project.latest("model.version");
    assert!(
        model["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .all(|input| input["name"] != "void"),
        "{model:#}"
    );
}

#[test]
fn ten_thousand_categories_are_taken_for_an_identifier_and_cut_to_the_limit() {
    let csv = with_column(&simulate_people(10_000), "code", |row| {
        format!("code-{row}")
    });
    let pipeline = PIPELINE.replacen(
        "  path: customers.csv",
        "  path: customers.csv\n  types: {code: categorical}",
        1,
    );
    let project = Project::new(&pipeline);
    project.write("customers.csv", csv);
    let ran = project.run(&[]);
    assert_eq!(ran.code, 1);
    let findings = ran.outcome["gate"]["findings"].as_array().unwrap();
    let found = findings
        .iter()
        .find(|finding| finding["rule"] == "no_identifiers")
        .unwrap();
    assert_eq!(found["outcome"], "fail");
    assert!(
        found["statement"].as_str().unwrap().contains("`code`"),
        "{found}"
    );
    let (_, model) = project.latest("model.version");
    let input = model["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|input| input["name"] == "code")
        .unwrap();
    let categories = &input["categories"];
    assert!(categories["n"].as_u64().unwrap() <= 250, "{input}");
    assert_eq!(categories["has_rarer"], true, "{input}");
}

#[test]
fn repeated_rows_stay_in_one_part() {
    let once = simulate_people(N_PEOPLE);
    let rows = once.split_once('\n').unwrap().1;
    let project = accepted(format!("{once}{rows}"));
    let (_, profile) = project.latest("dataset.profile");
    assert_eq!(profile["profile"]["n_rows"], 2 * N_PEOPLE);
    assert_eq!(profile["profile"]["n_duplicate_rows"], N_PEOPLE);
    let (_, split) = project.latest("dataset.split");
    assert_eq!(split["proof"]["n_rows_shared"], 0);
    let n_rows: u64 = split["proof"]["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["n_rows"].as_u64().unwrap())
        .sum();
    assert_eq!(n_rows, 2 * N_PEOPLE as u64);
}

#[test]
fn not_a_number_and_infinity_are_counted() {
    let change = |(position, line): (usize, &str)| {
        let mut cells: Vec<&str> = line.split(',').collect();
        match position % 50 {
            1 => cells[3] = "inf",
            2 => cells[3] = "NaN",
            3 => cells[3] = "  ",
            _ => {}
        }
        cells.join(",")
    };
    let csv: Vec<String> = simulate_people(N_PEOPLE)
        .lines()
        .enumerate()
        .map(change)
        .collect();
    let project = accepted(csv.join("\n") + "\n");
    let (_, version) = project.latest("dataset.version");
    let read = &version["read"];
    assert_eq!(read["n_infinite"], 12, "{read}");
    assert_eq!(read["n_nan_text"], 12, "{read}");
    assert_eq!(read["blank"][0]["n_cells"], 12, "{read}");
    assert_eq!(read["blank"][0]["first"]["line"], 4, "{read}");
    let told = project.veracta(&["profile", "customers.csv"]);
    assert_eq!(told.code, 0);
    assert!(
        told.out.contains("12 cells are infinite")
            && told.out.contains("12 blank cells in `tenure`"),
        "{}",
        told.out
    );
}

#[test]
fn a_byte_order_mark_and_the_line_ends_of_other_systems_are_read() {
    let csv = simulate_people(N_PEOPLE);
    let marked = accepted(format!("\u{feff}{}", csv.replace('\n', "\r\n")));
    let plain = accepted(csv);
    let columns = |project: &Project| project.latest("dataset.version").1["columns"].clone();
    assert_eq!(columns(&marked), columns(&plain));
    assert_eq!(
        marked.latest("model.version").1["digest"],
        plain.latest("model.version").1["digest"]
    );
}
