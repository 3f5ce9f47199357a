//! How well rows hide among each other: k-anonymity, l-diversity and t-closeness over quasi-identifiers.
//!
//! A class is all rows with the same values of the quasi-identifiers. Small k means that someone who knows these values of a person finds
//! few rows; small l that those rows share a sensitive value; large t that knowing the class tells much about it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use veracta_data::table::Coded;

/// Class sizes up to which rows count as exposed: 5 is the least that US statistical offices publish, 11 what Medicare asks for.
pub const SMALL_CLASSES: [usize; 3] = [1, 4, 10];

/// k-anonymity, l-diversity and t-closeness of a table over its quasi-identifiers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anonymity {
    /// Rows measured; at least 1.
    pub n_rows: usize,
    /// Distinct combinations of quasi-identifiers; 1 to `n_rows`.
    pub n_classes: usize,
    /// Size of the smallest class (Sweeney 2002).
    pub k: usize,
    /// Rows in classes of at most [`SMALL_CLASSES`] rows.
    pub n_exposed: [usize; 3],
    /// One entry a sensitive column.
    pub sensitive: Vec<SensitiveColumn>,
}

/// A sensitive column within the classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SensitiveColumn {
    /// Name of the column in the table.
    pub name: String,
    /// Fewest distinct values in a class (Machanavajjhala et al. 2007).
    pub l: usize,
    /// Smallest effective number of values in a class, exp of the entropy.
    pub l_entropy: f64,
    /// Largest distance of a class's distribution from that of all rows, as total variation (Li et al. 2007, equal distances).
    pub t: f64,
    /// Rows in classes where all share one value.
    pub n_disclosed: usize,
}

/// Measures the rows of a table; a missing value is a value of its own.
///
/// # Panics
/// When there are no rows, or columns differ in length.
pub fn anonymity(quasi_identifiers: &[Coded], sensitive: &[(String, Coded)]) -> Anonymity {
    let n_rows = quasi_identifiers
        .first()
        .map_or(0, |column| column.codes.len());
    assert!(n_rows > 0, "there are rows and a quasi-identifier");
    let mut classes: BTreeMap<Vec<u32>, Vec<usize>> = BTreeMap::new();
    for row in 0..n_rows {
        classes
            .entry(
                quasi_identifiers
                    .iter()
                    .map(|column| column.codes[row])
                    .collect(),
            )
            .or_default()
            .push(row);
    }
    let exposed = |limit: usize| {
        classes
            .values()
            .filter(|rows| rows.len() <= limit)
            .map(Vec::len)
            .sum()
    };
    Anonymity {
        n_rows,
        n_classes: classes.len(),
        k: classes.values().map(Vec::len).min().unwrap_or(0),
        n_exposed: SMALL_CLASSES.map(exposed),
        sensitive: sensitive
            .iter()
            .map(|(name, column)| sensitive_column(name, column, classes.values()))
            .collect(),
    }
}

fn sensitive_column<'c>(
    name: &str,
    column: &Coded,
    classes: impl Iterator<Item = &'c Vec<usize>>,
) -> SensitiveColumn {
    let shares = |rows: &mut dyn Iterator<Item = usize>| {
        let (mut counts, mut n): (BTreeMap<u32, f64>, f64) = (BTreeMap::new(), 0.0);
        for row in rows {
            *counts.entry(column.codes[row]).or_default() += 1.0;
            n += 1.0;
        }
        counts.values_mut().for_each(|count| *count /= n);
        counts
    };
    let all = shares(&mut (0..column.codes.len()));
    let mut found = SensitiveColumn {
        name: name.to_owned(),
        l: usize::MAX,
        l_entropy: f64::INFINITY,
        t: 0.0,
        n_disclosed: 0,
    };
    for rows in classes {
        let own = shares(&mut rows.iter().copied());
        let entropy: f64 = own.values().map(|share| -share * share.ln()).sum();
        let distance: f64 = all
            .iter()
            .map(|(code, share)| (share - own.get(code).unwrap_or(&0.0)).abs())
            .sum::<f64>()
            / 2.0;
        found.l = found.l.min(own.len());
        found.l_entropy = found.l_entropy.min(entropy.exp());
        found.t = found.t.max(distance);
        if own.len() == 1 {
            found.n_disclosed += rows.len();
        }
    }
    found
}
