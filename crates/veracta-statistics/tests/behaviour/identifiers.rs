//! Looking for identifiers: each detector, near-unique columns, hidden hits, and the recall that is stated with them.

use std::fmt::Write;

use std::io::Cursor;

use veracta_data::csv::read_csv;
use veracta_data::reading::ReadOptions;
use veracta_data::table::{ReadReport, Table, TableError};
use veracta_statistics::privacy::{DETECTORS, IdentifierScan, detector_recall, scan_identifiers};

/// Detector, text, and whether the text holds what it looks for. All texts are made up.
const TEXTS: &[(&str, &str, bool)] = &[
    ("name", "Omar E. Jansen", true),
    ("name", "Anna-Maria O'Neill", true),
    ("name", "blood pressure", false),
    ("titled_name", "seen by Dr. Weber", true),
    ("titled_name", "Drive slowly", false),
    ("street_address", "12 Baker Street", true),
    ("street_address", "12 months later", false),
    ("zip_code", "24704-8388", true),
    ("zip_code", "2470", false),
    ("date", "born 26.10.2010", true),
    ("date", "version 2010.13.45", false),
    ("phone", "(555) 123-4567", true),
    ("phone", "12345", false),
    ("phone", "123-45-6789", false),
    ("email", "a.b@example.org", true),
    ("email", "at example.org", false),
    ("social_security_number", "123-45-6789", true),
    ("social_security_number", "000-45-6789", false),
    ("social_security_number", "912-45-6789", false),
    ("record_number", "MRN 0012345", true),
    ("record_number", "record player", false),
    ("payment_card", "4111 1111 1111 1111", true),
    ("payment_card", "4111 1111 1111 1112", false),
    ("iban", "DE89 3704 0044 0532 0130 00", true),
    ("iban", "DE88 3704 0044 0532 0130 00", false),
    ("vehicle_identification_number", "1HGCM82633A004352", true),
    ("vehicle_identification_number", "12345678901234567", false),
    ("mac_address", "00:1A:2b:3c:4D:5e", true),
    ("mac_address", "00:1A:2b", false),
    ("url", "see https://example.org/x", true),
    ("url", "example", false),
    ("ip_address", "10.0.0.255", true),
    ("ip_address", "10.0.0.256", false),
];

/// Returns a table of which some columns hold identifiers.
fn table_text(n_rows: usize) -> String {
    let mut text = "email,note,age,weight,visit,zip,colour\n".to_owned();
    for row in 0..n_rows {
        let note = if row == 7 || row == 23 {
            "call (555) 123-4567"
        } else {
            "fine"
        };
        let age = if row == 5 { 93 } else { 20 + row % 40 };
        let (weight, visit) = (50.5 + 0.37 * row as f64, 1000 + row);
        let colour = ["red", "blue"][row % 2];
        writeln!(
            text,
            "p{row}@example.org,{note},{age},{weight},{visit},10115,{colour}"
        )
        .unwrap();
    }
    text
}

/// Returns column, detector, hits and whether they are hidden, of each finding.
fn found(scan: &IdentifierScan) -> Vec<(&str, &str, usize, bool)> {
    let findings = scan.findings.iter();
    findings
        .map(|finding| {
            (
                finding.column.as_str(),
                finding.detector.as_str(),
                finding.n_hits,
                finding.hidden,
            )
        })
        .collect()
}

#[test]
fn each_detector_finds_and_spares() {
    for (name, text, holds) in TEXTS {
        let detector = DETECTORS
            .iter()
            .find(|detector| detector.name == *name)
            .unwrap();
        assert_eq!(detector.finds(text), *holds, "{name}: {text}");
    }
    for detector in DETECTORS {
        let has = |wanted: bool| {
            TEXTS
                .iter()
                .any(|(name, _, holds)| *name == detector.name && *holds == wanted)
        };
        assert!(
            has(true) && has(false),
            "`{}` has no text to find or none to spare",
            detector.name
        );
    }
}

#[test]
fn a_scan_names_columns_and_counts_and_no_values() {
    let scan = scan_identifiers(&read(table_text(60)).unwrap().0);
    let expected: [(&str, &str, usize, bool); 6] = [
        ("email", "email", 60, false),
        ("email", "near_unique", 60, false),
        ("note", "phone", 2, true),
        ("age", "age_over_89", 1, true),
        ("visit", "near_unique", 60, false),
        ("zip", "zip_code", 60, false),
    ];
    assert_eq!(found(&scan), expected);
    assert_eq!(scan.n_rows, 60);
    let json = serde_json::to_string(&scan).unwrap();
    assert!(!json.contains("example.org") && !json.contains("123-4567"));
}

#[test]
fn few_rows_say_nothing_about_uniqueness() {
    let scan = scan_identifiers(&read(table_text(49)).unwrap().0);
    assert!(
        scan.findings
            .iter()
            .all(|finding| finding.detector != "near_unique")
    );
}

#[test]
fn names_and_codes_are_looked_for_where_the_column_says_so() {
    let scan = |header: &str| {
        let (table, _) = read(format!("{header}\nOmar Jansen\nAnna Weber\n")).unwrap();
        scan_identifiers(&table).findings.len()
    };
    assert_eq!((scan("patient"), scan("painting")), (1, 0));
}

#[test]
fn recall_is_stated_and_not_perfect() {
    let recall = detector_recall();
    assert_eq!(recall.len(), DETECTORS.len());
    let estimates: Vec<_> = recall
        .iter()
        .map(|entry| entry.recall.as_ref().unwrap())
        .collect();
    assert!(
        recall
            .iter()
            .all(|entry| entry.n_positive >= 30 && entry.n_negative > 0)
    );
    assert!(
        estimates
            .iter()
            .all(|estimate| estimate.estimate >= 0.9 && estimate.lower < 1.0)
    );
    assert!(
        estimates.iter().any(|estimate| estimate.estimate < 1.0),
        "a sample without a miss was chosen to fit"
    );
}

/// Reads CSV with default options.
pub(crate) fn read(bytes: impl AsRef<[u8]>) -> Result<(Table, ReadReport), TableError> {
    read_csv(&mut Cursor::new(bytes.as_ref()), &ReadOptions::default())
}
