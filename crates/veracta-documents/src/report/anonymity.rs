//! The report of how well rows hide among each other.

use veracta_statistics::anonymity::{Anonymity, SMALL_CLASSES};

use super::{Report, ReportBlock, ReportSection, bad, good, open};
use crate::{grouped, number, number_cell, text_cell};

/// Gathers the report; `quasi` names the quasi-identifiers.
pub fn report(subject: &str, quasi: &[String], measured: &Anonymity) -> Report {
    let verdict = match measured.k {
        1 => bad(&format!(
            "{} rows are alone in their class",
            grouped(measured.n_exposed[0])
        )),
        2..=4 => open(&format!("The smallest class has {} rows", measured.k)),
        k => good(&format!(
            "Every row shares its class with at least {} others",
            k - 1
        )),
    };
    let exposed = SMALL_CLASSES
        .iter()
        .zip(measured.n_exposed)
        .map(|(limit, n)| {
            let share = n as f64 / measured.n_rows as f64 * 100.0;
            vec![
                text_cell(format!("classes of at most {limit}")),
                number_cell(grouped(n)),
                number_cell(format!("{share:.2} %")),
            ]
        });
    let mut sections = vec![ReportSection {
        heading: "Classes".to_owned(),
        blocks: vec![ReportBlock::Table {
            caption: format!("Rows in small classes of {}", quasi.join(" × ")),
            columns: ["Rows in", "Rows", "Share"].map(str::to_owned).to_vec(),
            rows: exposed.collect(),
        }],
    }];
    if !measured.sensitive.is_empty() {
        let rows = measured.sensitive.iter().map(|column| {
            vec![
                text_cell(format!("`{}`", column.name)),
                number_cell(column.l.to_string()),
                number_cell(number(column.l_entropy)),
                number_cell(number(column.t)),
                number_cell(grouped(column.n_disclosed)),
            ]
        });
        sections.push(ReportSection {
            heading: "Sensitive columns".to_owned(),
            blocks: vec![ReportBlock::Table {
                caption: "Within the class that tells most".to_owned(),
                columns: ["Column", "l", "l by entropy", "t", "Rows disclosed"]
                    .map(str::to_owned)
                    .to_vec(),
                rows: rows.collect(),
            }],
        });
    }
    Report {
        title: "Anonymity".to_owned(),
        subject: subject.to_owned(),
        verdict,
        chips: vec![
            format!("k = {}", measured.k),
            format!("{} rows", grouped(measured.n_rows)),
            format!("{} classes", grouped(measured.n_classes)),
        ],
        sections,
        method:
            "A class is all rows with the same quasi-identifiers. k: smallest class; l: fewest distinct sensitive values in a class; t: \
                 largest total variation between a class and all rows; disclosed: rows of classes with one sensitive value. What else an \
                 attacker knows is not measured."
                .to_owned(),
    }
}
