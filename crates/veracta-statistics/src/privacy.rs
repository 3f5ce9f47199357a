//! Looks for identifiers in columns: patterns, checksums, column names and near-unique values.
//!
//! Classes are the eighteen of HIPAA's Safe Harbor, 45 CFR 164.514(b)(2)(i). A finding states a column and counts, never a value.
//! Zero found is worth as much as the detector's recall, which is measured on the labelled sample shipped with it and stated with
//! its interval.

use std::sync::OnceLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::interval::{Estimate, wilson_interval};
use veracta_data::table::{Coded, Column, MISSING, Table, Values};

/// Version of the detectors and of their sample; a change of either is a new version.
pub const DETECTORS_VERSION: &str = "1";
/// Share of distinct values from which a column tells rows apart.
const NEAR_UNIQUE_SHARE: f64 = 0.95;
/// Fewest rows before uniqueness says anything.
const NEAR_UNIQUE_ROWS: usize = 50;

/// A detector of one kind of identifier.
pub struct Detector {
    /// Name in findings, such as `email`; unique in [`DETECTORS`].
    pub name: &'static str,
    /// Class of the Safe Harbor list, 1 to 18.
    pub class: u8,
    /// What the class is called.
    pub class_name: &'static str,
    pattern: &'static str,
    accepts: fn(&str) -> bool,
    /// Words a column's name must contain for the pattern to count; empty for patterns that speak for themselves.
    name_words: &'static [&'static str],
}

const fn any(_: &str) -> bool {
    true
}

/// Every detector of values, one line each.
pub const DETECTORS: &[Detector] = &[
    Detector {
        name: "name",
        class: 1,
        class_name: "names",
        pattern: r"^\p{Lu}[\p{L}'-]+(?: \p{Lu}\.?)?(?: \p{Lu}[\p{L}'-]+)+$",
        accepts: any,
        name_words: &["name", "surname", "patient", "customer_name", "contact"],
    },
    Detector {
        name: "titled_name",
        class: 1,
        class_name: "names",
        pattern: r"\b(?:Mr|Mrs|Ms|Dr|Prof)\.? \p{Lu}[\p{L}'-]+",
        accepts: any,
        name_words: &[],
    },
    Detector {
        name: "street_address",
        class: 2,
        class_name: "places below state",
        pattern: r"(?i)\b\d{1,5}[a-z]? (?:\p{L}+ ){1,3}(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|way|square|sq)\b",
        accepts: any,
        name_words: &[],
    },
    Detector {
        name: "zip_code",
        class: 2,
        class_name: "places below state",
        pattern: r"^\d{5}(?:-\d{4})?$",
        accepts: any,
        name_words: &["zip", "postal", "postcode", "plz"],
    },
    Detector {
        name: "date",
        class: 3,
        class_name: "dates",
        pattern: r"\b(?:(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])|(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])[-/.](?:19|20)\d\d)\b",
        accepts: any,
        name_words: &[],
    },
    Detector {
        name: "phone",
        class: 4,
        class_name: "telephone and fax numbers",
        pattern: r"(?:\+\d{1,3}[ .-]?(?:\(0\))?)?(?:\(\d{2,4}\)[ .-]?|\b\d{2,4}[ .-])\d{3,4}[ .-]\d{3,4}\b|\+\d{8,14}\b",
        accepts: is_phone,
        name_words: &[],
    },
    Detector {
        name: "email",
        class: 6,
        class_name: "e-mail addresses",
        pattern: r"(?i)\b[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}\b",
        accepts: any,
        name_words: &[],
    },
    Detector {
        name: "social_security_number",
        class: 7,
        class_name: "social security numbers",
        pattern: r"\b\d{3}-\d{2}-\d{4}\b",
        accepts: is_social_security_number,
        name_words: &[],
    },
    Detector {
        name: "record_number",
        class: 8,
        class_name: "medical record numbers",
        pattern: r"(?i)\b(?:mrn|patient(?: id)?|record(?: no)?)[ :#.-]*\d{5,}\b",
        accepts: any,
        name_words: &[],
    },
    Detector {
        name: "payment_card",
        class: 10,
        class_name: "account numbers",
        pattern: r"\b\d(?:[ -]?\d){12,18}\b",
        accepts: is_luhn,
        name_words: &[],
    },
    Detector {
        name: "iban",
        class: 10,
        class_name: "account numbers",
        pattern: r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b",
        accepts: is_iban,
        name_words: &[],
    },
    Detector {
        name: "vehicle_identification_number",
        class: 12,
        class_name: "vehicle identifiers",
        pattern: r"\b[A-HJ-NPR-Z0-9]{17}\b",
        accepts: has_letters_and_digits,
        name_words: &[],
    },
    Detector {
        name: "mac_address",
        class: 13,
        class_name: "device identifiers",
        pattern: r"(?i)\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b",
        accepts: any,
        name_words: &[],
    },
    Detector {
        name: "url",
        class: 14,
        class_name: "web addresses",
        pattern: r"(?i)\b(?:https?://|www\.)[^\s]+",
        accepts: any,
        name_words: &[],
    },
    Detector {
        name: "ip_address",
        class: 15,
        class_name: "IP addresses",
        pattern: r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b",
        accepts: any,
        name_words: &[],
    },
];

/// Labelled sample: detector, whether the text holds one, and the text (all made up).
const SAMPLE: &str = include_str!("privacy_sample.tsv");

/// Identifiers found in a table, with how much the detectors find at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdentifierScan {
    /// [`DETECTORS_VERSION`] at the time of the scan.
    pub detectors_version: String,
    /// Rows looked at: all of them.
    pub n_rows: usize,
    /// Findings in column order; empty when no detector had a hit.
    pub findings: Vec<IdentifierFinding>,
    /// Recall of each detector on the labelled sample, in the order of [`DETECTORS`].
    pub recall: Vec<DetectorRecall>,
}

/// Identifiers of one kind in one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdentifierFinding {
    /// Name of the column with the identifiers.
    pub column: String,
    /// Detector; `near_unique` for class 18, `age_over_89` for ages.
    pub detector: String,
    /// Safe Harbor class, 1 to 18.
    pub class: u8,
    /// What the class is called.
    pub class_name: String,
    /// Rows whose value the detector finds; 1 to `n_present`.
    pub n_hits: usize,
    /// Rows of the column with a value; infinite numbers count as missing.
    pub n_present: usize,
    /// Whether hits are rare among other text: an identifier that a look at the column would miss.
    pub hidden: bool,
}

/// How much of what it looks for a detector finds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectorRecall {
    /// Name of the detector in [`DETECTORS`].
    pub detector: String,
    /// Texts of the sample that hold one, found and in all, with Wilson's interval.
    pub recall: Option<Estimate>,
    /// Texts of the sample that hold one.
    pub n_positive: usize,
    /// Texts of the sample that hold none but were flagged.
    pub n_false: usize,
    /// Texts of the sample that hold none.
    pub n_negative: usize,
}

impl Detector {
    fn regex(&self) -> &'static Regex {
        static COMPILED: OnceLock<Vec<Regex>> = OnceLock::new();
        let all = COMPILED.get_or_init(|| {
            DETECTORS
                .iter()
                .map(|detector| {
                    Regex::new(detector.pattern).expect("the patterns of the table are valid")
                })
                .collect()
        });
        let position = DETECTORS.iter().position(|other| other.name == self.name);
        &all[position.expect("a detector is one of the table")]
    }

    /// Returns whether the text holds such an identifier.
    pub fn finds(&self, text: &str) -> bool {
        self.regex()
            .find_iter(text)
            .any(|found| (self.accepts)(found.as_str()))
    }
}

/// Scans every value of every column.
pub fn scan_identifiers(table: &Table) -> IdentifierScan {
    use rayon::prelude::*;
    let findings: Vec<Vec<IdentifierFinding>> = table.columns.par_iter().map(scan_column).collect();
    let findings = findings.into_iter().flatten().collect();
    IdentifierScan {
        detectors_version: DETECTORS_VERSION.to_owned(),
        n_rows: table.n_rows,
        findings,
        recall: detector_recall(),
    }
}

fn scan_column(column: &Column) -> Vec<IdentifierFinding> {
    let name = column.name.to_lowercase();
    let mut scan = match &column.values {
        Values::Coded(coded) => scan_words(&name, coded),
        Values::Numeric(values) => scan_numbers(&name, values),
    };
    let n_present = scan.n_present;
    if n_present >= NEAR_UNIQUE_ROWS
        && scan.n_distinct as f64 >= NEAR_UNIQUE_SHARE * n_present as f64
    {
        scan.hit("near_unique", (18, "any other unique code"), n_present);
    }
    scan.hits
        .into_iter()
        .map(|hit| IdentifierFinding {
            column: column.name.clone(),
            detector: hit.detector.to_owned(),
            class: hit.class.0,
            class_name: hit.class.1.to_owned(),
            n_hits: hit.n_rows,
            n_present,
            hidden: hit.n_rows * 2 < n_present,
        })
        .collect()
}

/// What was found in the values of one column.
#[derive(Default)]
struct ColumnScan {
    hits: Vec<Hit>,
    /// Rows of the column with a value.
    n_present: usize,
    /// Distinct values; 0 of measurements, which differ from row to row by nature.
    n_distinct: usize,
}

/// Rows with one kind of identifier.
struct Hit {
    detector: &'static str,
    /// Safe Harbor class and what it is called.
    class: (u8, &'static str),
    n_rows: usize,
}

impl ColumnScan {
    fn hit(&mut self, detector: &'static str, class: (u8, &'static str), n_rows: usize) {
        self.hits.push(Hit {
            detector,
            class,
            n_rows,
        });
    }
}

/// Runs every detector on each level once; `name` is the column's in lower case.
fn scan_words(name: &str, coded: &Coded) -> ColumnScan {
    let mut counts = vec![0usize; coded.levels.len()];
    coded
        .codes
        .iter()
        .filter(|code| **code != MISSING)
        .for_each(|code| counts[*code as usize] += 1);
    let mut scan = ColumnScan {
        hits: Vec::new(),
        n_present: counts.iter().sum(),
        n_distinct: counts.iter().filter(|count| **count > 0).count(),
    };
    for detector in DETECTORS {
        if !detector.name_words.is_empty()
            && !detector.name_words.iter().any(|word| name.contains(word))
        {
            continue;
        }
        let hits = coded
            .levels
            .iter()
            .zip(&counts)
            .filter(|(level, count)| **count > 0 && detector.finds(level));
        let n_hits: usize = hits.map(|(_, count)| count).sum();
        if n_hits > 0 {
            scan.hit(detector.name, (detector.class, detector.class_name), n_hits);
        }
    }
    scan
}

/// Looks for identifiers that are written as numbers; `name` is the column's in lower case.
fn scan_numbers(name: &str, values: &[f64]) -> ColumnScan {
    let mut present: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    let count = |is_hit: &dyn Fn(f64) -> bool| present.iter().filter(|v| is_hit(**v)).count();
    let mut scan = ColumnScan {
        n_present: present.len(),
        ..ColumnScan::default()
    };
    let is_age = name
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| word == "age");
    let n_old = count(&|value| value > 89.0);
    if is_age && n_old > 0 {
        scan.hit("age_over_89", (3, "dates"), n_old);
    }
    // Whole numbers of 13 to 19 digits that pass Luhn's check are cards; one in ten passes by chance.
    let n_cards =
        count(&|value| value.fract() == 0.0 && value >= 1e12 && is_luhn(&format!("{value:.0}")));
    if n_cards * 5 > present.len() {
        scan.hit("payment_card", (10, "account numbers"), n_cards);
    }
    let n_dates = count(&is_compact_date);
    if n_dates * 2 > present.len() {
        scan.hit("date", (3, "dates"), n_dates);
    }
    let is_zip = ["zip", "postal", "postcode", "plz"]
        .iter()
        .any(|word| name.contains(word));
    let n_zip = count(&|value| value.fract() == 0.0 && (501.0..=99_950.0).contains(&value));
    if is_zip && n_zip > 0 {
        scan.hit("zip_code", (2, "places below state"), n_zip);
    }
    present.sort_by(f64::total_cmp);
    // Measurements differ from row to row by nature; only whole numbers can be numbers of something.
    if present.iter().all(|value| value.fract() == 0.0) {
        scan.n_distinct = present.chunk_by(|a, b| a == b).count();
    }
    scan
}

/// Returns each detector's recall on the labelled sample.
pub fn detector_recall() -> Vec<DetectorRecall> {
    let sample: Vec<(&str, bool, &str)> = SAMPLE
        .lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, '\t');
            Some((parts.next()?, parts.next()? == "1", parts.next()?))
        })
        .collect();
    let measure = |detector: &Detector| {
        let own = sample.iter().filter(|(name, _, _)| *name == detector.name);
        let (mut n_positive, mut n_found, mut n_negative, mut n_false) = (0, 0, 0, 0);
        for (_, is_positive, text) in own {
            let is_found = detector.finds(text);
            if *is_positive {
                n_positive += 1;
                n_found += usize::from(is_found);
            } else {
                n_negative += 1;
                n_false += usize::from(is_found);
            }
        }
        let recall = wilson_interval(n_found as f64, n_positive as f64, 0.95);
        DetectorRecall {
            detector: detector.name.to_owned(),
            recall,
            n_positive,
            n_false,
            n_negative,
        }
    };
    DETECTORS.iter().map(measure).collect()
}

fn digits(text: &str) -> Vec<u32> {
    text.chars().filter_map(|c| c.to_digit(10)).collect()
}

fn is_phone(text: &str) -> bool {
    let is_address =
        text.split('.').count() == 4 && text.split('.').all(|part| part.parse::<u8>().is_ok());
    (8..=15).contains(&digits(text).len()) && !is_social_security_number(text) && !is_address
}

/// Areas 000, 666 and 900-999, group 00 and serial 0000 were never issued.
fn is_social_security_number(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    match parts[..] {
        [area, group, serial] if area.len() == 3 && group.len() == 2 && serial.len() == 4 => {
            !matches!(area, "000" | "666")
                && !area.starts_with('9')
                && group != "00"
                && serial != "0000"
        }
        _ => false,
    }
}

/// Luhn's check digit (ISO/IEC 7812-1).
fn is_luhn(text: &str) -> bool {
    let digits = digits(text);
    let weighted = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(position, digit)| match position % 2 {
            0 => *digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        });
    digits.iter().any(|digit| *digit != 0) && weighted.sum::<u32>() % 10 == 0
}

/// ISO 13616: the first four characters moved to the end, letters as 10 to 35, remainder 1 modulo 97.
fn is_iban(text: &str) -> bool {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if !(15..=34).contains(&compact.len()) {
        return false;
    }
    let rotated = compact[4..].chars().chain(compact[..4].chars());
    let remainder =
        rotated
            .filter_map(|c| c.to_digit(36))
            .fold(0, |remainder, value| match value {
                0..10 => (remainder * 10 + value) % 97,
                _ => (remainder * 100 + value) % 97,
            });
    remainder == 1
}

/// A date written as one number, such as 19840307.
fn is_compact_date(value: f64) -> bool {
    let number = value as i64;
    value.fract() == 0.0
        && (19_000_101..=20_991_231).contains(&number)
        && (1..=12).contains(&(number / 100 % 100))
        && (1..=31).contains(&(number % 100))
}

fn has_letters_and_digits(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit())
        && text.chars().filter(char::is_ascii_alphabetic).count() >= 3
}
