//! Divides rows into training, tuning and test parts, with proof that the parts do not overlap.
//!
//! Rows that must stay together (exact duplicates, rows of one subject) form a unit, and units are divided, never rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use veracta_model::numeric::{generator, shuffle};

/// The part a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Rows the model is fitted on.
    Train,
    /// Rows on which settings are chosen; may be empty.
    Tune,
    /// Judges the model; sealed until then.
    Test,
    /// Belongs to no part: it would have overlapped with an earlier one.
    Excluded,
}

/// Shares of the parts; the rest, above 0, trains the model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SplitShares {
    /// Share of rows to tune on.
    pub tune: f64,
    /// Share of rows to test on.
    pub test: f64,
    /// Seed of the draw; a split by time does not use it.
    pub seed: u64,
}

/// What was divided, and what the parts have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitProof {
    /// One entry for each part that has rows: training, tuning, test.
    pub parts: Vec<PartSummary>,
    /// Rows of a later part that also stand, value for value, in an earlier one.
    pub n_rows_shared: usize,
    /// Subjects with rows in more than one part; `None` without a subject column.
    pub n_subjects_shared: Option<usize>,
    /// Rows left out because they would have overlapped.
    pub n_excluded: usize,
}

impl SplitProof {
    /// Returns the digest of the test part; empty when there is none.
    pub fn test_part(&self) -> String {
        let test = self.parts.iter().find(|part| part.part == Part::Test);
        test.map(|part| part.digest.clone()).unwrap_or_default()
    }
}

/// One part of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSummary {
    /// Training, tuning or test part; excluded rows have no entry.
    #[serde(rename = "role")]
    pub part: Part,
    /// Rows of the part; at least 1.
    pub n_rows: usize,
    /// Rows of the part whose label is positive.
    pub n_positive: usize,
    /// SHA-256 over the sorted row digests: the same rows in any order give the same digest.
    pub digest: String,
}

/// Why rows cannot be divided.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SplitError {
    /// Shares outside 0 to 1, or nothing left to train on.
    #[error("shares of {tune} to tune and {test} to test leave nothing to train on")]
    Shares {
        /// Share of rows to tune on, as asked for.
        tune: f64,
        /// Share of rows to test on, as asked for.
        test: f64,
    },
    /// A row without a time cannot be put in order.
    #[error("row {row} (counted from 0) has no time; a split by time needs one in every row")]
    NoTime {
        /// Position of the first such row, counted from 0.
        row: usize,
    },
    /// A part without rows of both labels.
    #[error(
        "the {part} part has {n_rows} rows, {n_positive} of them positive; it needs both labels"
    )]
    OneClass {
        /// Name of the part: `training`, `tuning` or `test`.
        part: &'static str,
        /// Rows of the part; 0 when nothing was assigned to it.
        n_rows: usize,
        /// Rows of the part whose label is positive: none, or all.
        n_positive: usize,
    },
}

/// What a split depends on: labels, and what rows have in common.
#[derive(Debug, Clone, Copy)]
pub struct SplitRows<'d> {
    /// Whether each row is positive.
    pub labels: &'d [bool],
    /// Digest of each row, without its identifier.
    pub digests: &'d [[u8; 16]],
    /// Subject code of each row.
    pub subjects: Option<&'d [u32]>,
}

/// Takes the parts that rows were given beforehand; a row without one belongs to none. What the parts have in common is not mended here:
/// [`prove_split`] tells it.
pub fn split_as_given(
    rows: SplitRows<'_>,
    parts: &[Option<Part>],
) -> Result<Vec<Part>, SplitError> {
    let assigned: Vec<Part> = parts
        .iter()
        .map(|part| part.unwrap_or(Part::Excluded))
        .collect();
    check_classes(rows.labels, &assigned)?;
    Ok(assigned)
}

/// Divides at random with the same label share in each part; duplicates and rows of a subject stay together.
pub fn split_stratified(rows: SplitRows<'_>, shares: SplitShares) -> Result<Vec<Part>, SplitError> {
    check_shares(shares)?;
    let units = units_of(rows);
    let mut assigned = vec![Part::Train; rows.labels.len()];
    for stratum in [false, true] {
        let mut members: Vec<&Vec<usize>> = units
            .iter()
            .filter(|unit| unit.iter().any(|row| rows.labels[*row]) == stratum)
            .collect();
        shuffle(
            &mut members,
            &mut generator(shares.seed, u64::from(stratum)),
        );
        let n_rows: usize = members.iter().map(|unit| unit.len()).sum();
        let (mut n_test, mut n_tune) = (0, 0);
        for unit in members {
            let part = if (n_test as f64) < shares.test * n_rows as f64 {
                n_test += unit.len();
                Part::Test
            } else if (n_tune as f64) < shares.tune * n_rows as f64 {
                n_tune += unit.len();
                Part::Tune
            } else {
                Part::Train
            };
            unit.iter().for_each(|row| assigned[*row] = part);
        }
    }
    check_classes(rows.labels, &assigned)?;
    Ok(assigned)
}

/// Divides in order of time: the latest rows test, the ones before them tune. Rows of equal time stay together; a later row that
/// repeats an earlier part, or belongs to one of its subjects, is excluded.
pub fn split_by_time(
    rows: SplitRows<'_>,
    times: &[f64],
    shares: SplitShares,
) -> Result<Vec<Part>, SplitError> {
    check_shares(shares)?;
    let n_rows = rows.labels.len();
    if let Some(row) = times.iter().position(|time| !time.is_finite()) {
        return Err(SplitError::NoTime { row });
    }
    let mut order: Vec<usize> = (0..n_rows).collect();
    order.sort_by(|a, b| times[*a].total_cmp(&times[*b]));
    let n_train = ((1.0 - shares.test - shares.tune) * n_rows as f64).round() as usize;
    let n_before_test = ((1.0 - shares.test) * n_rows as f64).round() as usize;
    let bound = |position: usize| order.get(position).map_or(f64::INFINITY, |row| times[*row]);
    let (tune_from, test_from) = (bound(n_train), bound(n_before_test));
    let mut assigned = vec![Part::Train; n_rows];
    let (mut digests, mut subjects) = (HashMap::new(), HashMap::new());
    for row in order {
        let part = match times[row] {
            time if time >= test_from => Part::Test,
            time if time >= tune_from => Part::Tune,
            _ => Part::Train,
        };
        let seen = *digests.entry(rows.digests[row]).or_insert(part);
        let seen_subject = rows
            .subjects
            .map_or(part, |codes| *subjects.entry(codes[row]).or_insert(part));
        assigned[row] = if seen == part && seen_subject == part {
            part
        } else {
            Part::Excluded
        };
    }
    check_classes(rows.labels, &assigned)?;
    Ok(assigned)
}

/// Returns what the parts hold and have in common, from the rows themselves.
pub fn prove_split(rows: SplitRows<'_>, assigned: &[Part]) -> SplitProof {
    let mut by_part: BTreeMap<Part, Vec<usize>> = BTreeMap::new();
    for (row, part) in assigned
        .iter()
        .enumerate()
        .filter(|(_, part)| **part != Part::Excluded)
    {
        by_part.entry(*part).or_default().push(row);
    }
    let mut parts = Vec::new();
    let (mut n_rows_shared, mut seen) = (0, BTreeSet::new());
    for (part, members) in &by_part {
        let mut digests: Vec<[u8; 16]> = members.iter().map(|row| rows.digests[*row]).collect();
        n_rows_shared += digests
            .iter()
            .filter(|digest| seen.contains(*digest))
            .count();
        seen.extend(digests.iter().copied());
        digests.sort_unstable();
        let digest: [u8; 32] = Sha256::digest(digests.concat()).into();
        parts.push(PartSummary {
            part: *part,
            n_rows: members.len(),
            n_positive: members.iter().filter(|row| rows.labels[**row]).count(),
            digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        });
    }
    let n_subjects_shared = rows.subjects.map(|codes| {
        let mut parts_of: HashMap<u32, BTreeSet<Part>> = HashMap::new();
        for (part, members) in &by_part {
            members.iter().for_each(|row| {
                parts_of.entry(codes[*row]).or_default().insert(*part);
            });
        }
        parts_of
            .values()
            .filter(|assigned| assigned.len() > 1)
            .count()
    });
    let n_excluded = assigned
        .iter()
        .filter(|part| **part == Part::Excluded)
        .count();
    SplitProof {
        parts,
        n_rows_shared,
        n_subjects_shared,
        n_excluded,
    }
}

/// Returns rows grouped by what they share: a digest or a subject, directly or through others.
fn units_of(rows: SplitRows<'_>) -> Vec<Vec<usize>> {
    let n_rows = rows.labels.len();
    let mut parent: Vec<usize> = (0..n_rows).collect();
    fn root(parent: &mut [usize], mut row: usize) -> usize {
        while parent[row] != row {
            parent[row] = parent[parent[row]];
            row = parent[row];
        }
        row
    }
    let (mut first_of_digest, mut first_of_subject) = (HashMap::new(), HashMap::new());
    for row in 0..n_rows {
        let twin = *first_of_digest.entry(rows.digests[row]).or_insert(row);
        let sibling = rows.subjects.map_or(row, |codes| {
            *first_of_subject.entry(codes[row]).or_insert(row)
        });
        for other in [twin, sibling] {
            let (a, b) = (root(&mut parent, row), root(&mut parent, other));
            parent[a.max(b)] = a.min(b);
        }
    }
    let mut units: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for row in 0..n_rows {
        units.entry(root(&mut parent, row)).or_default().push(row);
    }
    units.into_values().collect()
}

fn check_shares(shares: SplitShares) -> Result<(), SplitError> {
    let SplitShares { tune, test, .. } = shares;
    let is_share = |share: f64| (0.0..1.0).contains(&share);
    if !is_share(tune) || !is_share(test) || test == 0.0 || tune + test >= 1.0 {
        return Err(SplitError::Shares { tune, test });
    }
    Ok(())
}

fn check_classes(labels: &[bool], assigned: &[Part]) -> Result<(), SplitError> {
    for (part, name) in [
        (Part::Train, "training"),
        (Part::Tune, "tuning"),
        (Part::Test, "test"),
    ] {
        let n_rows = assigned.iter().filter(|held| **held == part).count();
        let n_positive = assigned
            .iter()
            .zip(labels)
            .filter(|(held, label)| **held == part && **label)
            .count();
        let is_optional = part == Part::Tune && n_rows == 0;
        if !is_optional && (n_positive == 0 || n_positive == n_rows) {
            return Err(SplitError::OneClass {
                part: name,
                n_rows,
                n_positive,
            });
        }
    }
    Ok(())
}
