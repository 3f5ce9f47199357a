//! The data stage: reading, versions, profiles, identifiers, splits and screening.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use veracta_governance::record::{
    BiasReport, ColumnUse, DatasetColumn, DatasetMinimisation, DatasetPhiScan, DatasetProfile,
    DatasetSplit, DatasetVersion, DroppedInput, GroupShare, InputAssociation, SplitMethod,
};
use veracta_ledger::Hash;
use veracta_ml::association::{association, one_input_auc};
use veracta_ml::interval::wilson_interval;
use veracta_ml::minimisation::{MinimisationData, correlated_groups, minimise};
use veracta_ml::model::{Label, describe_inputs, encode};
use veracta_ml::numeric::round_outwards;
use veracta_ml::privacy::scan_identifiers;
use veracta_ml::profile::{Profile, SHOWN_COUNT_MIN, profile};
use veracta_ml::split::{
    Role, SplitRows, SplitShares, prove_split, split_as_given, split_by_time, split_stratified,
};
use veracta_ml::table::csv::{CsvOptions, read_csv};
use veracta_ml::table::parquet::read_parquet;
use veracta_ml::table::{
    Coded, Column, ColumnType, ReadLimits, ReadReport, Table, TableError, Values,
};

use crate::pipeline::did_you_mean;
use crate::pipeline::rows::SplitMethodName;
use crate::pipeline::spec::{DataSpec, PipelineFile, PipelineSpec};
use crate::{LifecycleError, Problem};

/// A table with what its columns are for.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// SHA-256 of the file.
    pub digest: Hash,
    /// Length of the file.
    pub n_bytes: u64,
    /// The columns.
    pub table: Table,
    /// What was noticed while reading.
    pub read: ReadReport,
    /// Columns the model reads.
    pub inputs: Vec<String>,
    /// Whether each row is positive.
    pub labels: Vec<bool>,
}

/// Returns the SHA-256 and length of a file without holding it in memory.
pub fn hash_file(path: &Path) -> Result<(Hash, u64), LifecycleError> {
    use sha2::{Digest, Sha256};
    let mut file = File::open(path).map_err(LifecycleError::file(path))?;
    let (mut hasher, mut n_bytes, mut chunk) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        match file.read(&mut chunk).map_err(LifecycleError::file(path))? {
            0 => return Ok((Hash(hasher.finalize().into()), n_bytes)),
            n => {
                hasher.update(&chunk[..n]);
                n_bytes += n as u64;
            }
        }
    }
}

/// Returns whether a file begins as Parquet does.
pub(crate) fn is_parquet(path: &Path) -> Result<bool, LifecycleError> {
    let mut magic = [0; 4];
    let mut file = File::open(path).map_err(LifecycleError::file(path))?;
    Ok(file.read_exact(&mut magic).is_ok() && magic == *b"PAR1")
}

/// Reads a CSV or Parquet file; the format is told by its first bytes, not by its name.
pub fn read_table(
    path: &Path,
    csv: &CsvOptions,
) -> Result<(String, Table, ReadReport), LifecycleError> {
    let refuse = |source: TableError| LifecycleError::Data {
        file: path.display().to_string(),
        source,
    };
    let metadata = std::fs::metadata(path).map_err(LifecycleError::file(path))?;
    if !metadata.is_file() {
        let source = std::io::Error::new(std::io::ErrorKind::IsADirectory, "not a file");
        return Err(LifecycleError::File {
            file: path.display().to_string(),
            source,
        });
    }
    let mut file = File::open(path).map_err(LifecycleError::file(path))?;
    if is_parquet(path)? {
        let (table, read) = read_parquet(file, &csv.types, csv.limits).map_err(refuse)?;
        return Ok(("parquet".to_owned(), table, read));
    }
    let (table, read) = read_csv(&mut file, csv).map_err(refuse)?;
    Ok(("csv".to_owned(), table, read))
}

pub(crate) fn csv_options(spec: &DataSpec) -> CsvOptions {
    let mut options = CsvOptions::default();
    if let Some(delimiter) = &spec.delimiter {
        options.delimiter = delimiter.value.bytes().next().unwrap_or(b',');
    }
    options.missing.extend(spec.missing.iter().cloned());
    options.types = spec.types.clone();
    if let Some(limit) = spec.bytes_limit {
        options.limits = ReadLimits {
            bytes_max: limit,
            ..options.limits
        };
    }
    options
}

/// Reads the dataset of a pipeline and finds out what its columns are for.
pub fn load(file: &PipelineFile, path: &Path) -> Result<(String, Dataset), LifecycleError> {
    let spec = &file.spec.data;
    let (digest, n_bytes) = hash_file(path)?;
    let (format, table, read) = read_table(path, &csv_options(spec))?;
    check_columns(file, &table)?;
    let labels = label_rows(spec, path, &table)?;
    let is_set_aside = |name: &str| {
        name == spec.label.column.value
            || spec
                .identifiers
                .iter()
                .any(|identifier| identifier.value == name)
            || spec
                .subject
                .as_ref()
                .is_some_and(|subject| subject.value == name)
            || spec.drop.contains_key(name)
    };
    let inputs: Vec<String> = table
        .columns
        .iter()
        .filter(|column| {
            column.column_type != ColumnType::Text
                && !is_set_aside(&column.name)
                && has_values(column)
        })
        .map(|column| column.name.clone())
        .collect();
    if inputs.is_empty() {
        return Err(LifecycleError::NoInputs);
    }
    Ok((
        format,
        Dataset {
            digest,
            n_bytes,
            table,
            read,
            inputs,
            labels,
        },
    ))
}

/// A column without any value teaches nothing; the profile reports it.
fn has_values(column: &Column) -> bool {
    match &column.values {
        Values::Numeric(values) => values.iter().any(|value| value.is_finite()),
        Values::Coded(coded) => !coded.levels.is_empty(),
    }
}

/// Refuses names in the pipeline file that the data does not have, each with its place.
fn check_columns(file: &PipelineFile, table: &Table) -> Result<(), LifecycleError> {
    let spec = &file.spec;
    let known = || table.columns.iter().map(|column| column.name.as_str());
    let mut problems = Vec::new();
    let mut refuse = |name: &str, line: usize, column: usize, what: &str| {
        if !known().any(|known| known == name) {
            let hint = did_you_mean(name, known()).or_else(|| {
                Some(format!(
                    "the data has {}",
                    known().collect::<Vec<_>>().join(", ")
                ))
            });
            let message = format!("{what} `{name}` is not a column of the data");
            problems.push(Problem {
                file: file.path.display().to_string(),
                line,
                column,
                message,
                hint,
            });
        }
    };
    let data = &spec.data;
    let spanned = [(&data.label.column, "label")]
        .into_iter()
        .chain(data.identifiers.iter().map(|name| (name, "identifier")))
        .chain(data.subject.iter().map(|name| (name, "subject")))
        .chain(
            data.protected
                .iter()
                .map(|name| (name, "protected attribute")),
        )
        .chain(
            spec.validation
                .clusters
                .iter()
                .map(|name| (name, "cluster")),
        )
        .chain(spec.split.time.iter().map(|name| (name, "time")))
        .chain(
            spec.split
                .column
                .iter()
                .map(|name| (name, "column of parts")),
        );
    for (name, what) in spanned {
        refuse(
            &name.value,
            name.referenced.line() as usize,
            name.referenced.column() as usize,
            what,
        );
    }
    let plan = spec.validation_plan();
    let groups = plan.groups.iter().flatten();
    let named = data
        .drop
        .keys()
        .map(|name| (name, "dropped column"))
        .chain(data.types.keys().map(|name| (name, "typed column")))
        .chain(
            data.special_categories
                .iter()
                .map(|name| (name, "special category")),
        )
        .chain(
            data.personal
                .iter()
                .flatten()
                .map(|name| (name, "personal column")),
        )
        .chain(
            spec.minimisation
                .keep
                .keys()
                .map(|name| (name, "kept input")),
        )
        .chain(groups.map(|name| (name, "group attribute")));
    for (name, what) in named {
        let (line, column) = find_text(&file.text, name);
        refuse(name, line, column, what);
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(LifecycleError::Spec(problems))
    }
}

/// Returns line and column of the first occurrence of a word, for names in places that carry no location of their own.
fn find_text(text: &str, word: &str) -> (usize, usize) {
    let found = text
        .lines()
        .enumerate()
        .find_map(|(line, content)| Some((line + 1, content.find(word)? + 1)));
    found.unwrap_or((0, 0))
}

/// Returns the part that each row was given; a row with another word has none.
fn given_parts(column: &Column) -> Vec<Option<Role>> {
    let coded = column.groups();
    let role = |word: &String| match word.as_str() {
        "train" => Some(Role::Train),
        "tune" | "validation" => Some(Role::Tune),
        "test" => Some(Role::Test),
        _ => None,
    };
    let roles: Vec<Option<Role>> = coded.levels.iter().map(role).collect();
    coded
        .codes
        .iter()
        .map(|code| roles.get(*code as usize).copied().flatten())
        .collect()
}

/// Fewest rows of each label: with fewer a split leaves a part without one.
const LABEL_ROWS_MIN: usize = 10;

fn label_rows(spec: &DataSpec, path: &Path, table: &Table) -> Result<Vec<bool>, LifecycleError> {
    let column = &spec.label.column.value;
    let refuse = |reason: String| LifecycleError::Label {
        file: path.display().to_string(),
        column: column.clone(),
        reason,
    };
    let source = table
        .column(column)
        .map_err(|source| LifecycleError::Data {
            file: path.display().to_string(),
            source,
        })?;
    let n_missing = (0..table.n_rows)
        .filter(|row| source.is_missing(*row))
        .count();
    if n_missing > 0 {
        return Err(refuse(format!(
            "{n_missing} of {} rows have no label; remove them before training",
            table.n_rows
        )));
    }
    let Coded { codes, levels } = source.groups();
    let positive = &spec.label.positive.value;
    let Some(code) = levels.iter().position(|level| level == positive) else {
        let shown = levels
            .iter()
            .take(10)
            .cloned()
            .collect::<Vec<_>>()
            .join("`, `");
        return Err(refuse(format!(
            "no row has the positive value `{positive}`; there are `{shown}`"
        )));
    };
    if levels.len() < 2 {
        return Err(refuse(format!(
            "every row has the value `{positive}`; a classifier needs both labels"
        )));
    }
    // A third value must not become a negative label in silence: it may be a misspelt positive.
    let is_negative = |level: &&String| {
        *level != positive
            && (spec.label.negative.is_empty() || spec.label.negative.contains(level))
    };
    let others: Vec<&String> = levels
        .iter()
        .filter(|level| *level != positive && !is_negative(level))
        .collect();
    if levels.len() > 2 && spec.label.negative.is_empty() || !others.is_empty() {
        let rest = if others.is_empty() {
            levels.iter().filter(is_negative).collect()
        } else {
            others
        };
        let shown = rest
            .iter()
            .take(10)
            .map(|level| level.as_str())
            .collect::<Vec<_>>()
            .join("`, `");
        return Err(refuse(format!(
            "besides `{positive}` there are `{shown}`; correct the values, or list those that count as negative under `data.label.negative`"
        )));
    }
    let labels: Vec<bool> = codes.iter().map(|held| *held as usize == code).collect();
    let n_positive = labels.iter().filter(|label| **label).count();
    let n_fewest = n_positive.min(labels.len() - n_positive);
    if n_fewest < LABEL_ROWS_MIN {
        let reason = format!(
            "{n_positive} of {} rows are positive; at least {LABEL_ROWS_MIN} of each label are needed to train and to measure",
            labels.len()
        );
        return Err(refuse(reason));
    }
    Ok(labels)
}

impl Dataset {
    /// Returns the column of that name.
    ///
    /// # Panics
    /// When the name was not checked against the data.
    pub fn column(&self, name: &str) -> &Column {
        self.table
            .column(name)
            .expect("names in the pipeline file are checked when the data is read")
    }

    /// Returns the record of this version.
    pub fn version_record(&self, spec: &PipelineSpec, format: String) -> DatasetVersion {
        let data = &spec.data;
        let use_of = |name: &str| {
            if name == data.label.column.value {
                ColumnUse::Label
            } else if data
                .identifiers
                .iter()
                .chain(&data.subject)
                .any(|identifier| identifier.value == name)
            {
                ColumnUse::Identifier
            } else if self.inputs.iter().any(|input| input == name) {
                ColumnUse::Input
            } else {
                ColumnUse::Dropped
            }
        };
        let columns = self.table.columns.iter().map(|column| DatasetColumn {
            name: column.name.clone(),
            column_type: column.column_type,
            column_use: use_of(&column.name),
        });
        let file_name = Path::new(&data.path.value)
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        DatasetVersion {
            name: dataset_name(data),
            digest: self.digest,
            n_bytes: self.n_bytes,
            format,
            n_rows: self.table.n_rows,
            columns: columns.collect(),
            source: file_name.unwrap_or_default(),
            nature: data.nature,
            processing: spec.processing(),
            read: self.read.clone(),
            parents: Vec::new(),
        }
    }

    /// Returns the record of its profile.
    pub fn profile_record(&self, spec: &PipelineSpec) -> DatasetProfile {
        let identifiers = identifier_names(&spec.data);
        let mut profile = profile(
            &self.table,
            &identifiers.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        hide_identifying_values(&mut profile, &identifiers);
        DatasetProfile {
            dataset: self.digest,
            profile,
        }
    }

    /// Returns the record of the search for identifiers.
    pub fn phi_scan_record(&self, spec: &PipelineSpec) -> DatasetPhiScan {
        DatasetPhiScan {
            dataset: self.digest,
            scan: scan_identifiers(&self.table),
            declared: identifier_names(&spec.data),
            inputs: self.inputs.clone(),
            dropped: spec.data.drop.keys().cloned().collect(),
        }
    }

    /// Divides the rows and returns the record with the part of each row.
    pub fn split(&self, spec: &PipelineSpec) -> Result<(DatasetSplit, Vec<Role>), LifecycleError> {
        let identifiers = identifier_names(&spec.data);
        let digests = self
            .table
            .row_digests(&identifiers.iter().map(String::as_str).collect::<Vec<_>>());
        let subjects = spec
            .data
            .subject
            .as_ref()
            .map(|subject| self.column(&subject.value).groups().codes);
        let rows = SplitRows {
            labels: &self.labels,
            digests: &digests,
            subjects: subjects.as_deref(),
        };
        let shares = SplitShares {
            tune: spec.split.tune,
            test: spec.split.test,
            seed: spec.split.seed,
        };
        let (method, roles) = match (
            spec.split.method,
            spec.split.time.as_ref().or(spec.split.column.as_ref()),
        ) {
            (SplitMethodName::Column, Some(column)) => {
                let parts = given_parts(self.column(&column.value));
                (
                    SplitMethod::Given {
                        column: column.value.clone(),
                    },
                    split_as_given(rows, &parts)?,
                )
            }
            (SplitMethodName::Time, Some(time)) => {
                let times = order_of(self.column(&time.value));
                (
                    SplitMethod::Time {
                        column: time.value.clone(),
                    },
                    split_by_time(rows, &times, shares)?,
                )
            }
            (SplitMethodName::Time | SplitMethodName::Column | SplitMethodName::Stratified, _) => {
                (SplitMethod::Stratified, split_stratified(rows, shares)?)
            }
        };
        let record = DatasetSplit {
            dataset: self.digest,
            method,
            shares,
            subject: spec
                .data
                .subject
                .as_ref()
                .map(|subject| subject.value.clone()),
            identifiers,
            proof: prove_split(rows, &roles),
            assignment: Hash::of(&encode_roles(&roles)),
        };
        Ok((record, roles))
    }

    /// Returns the record of single-input screening, on the rows outside the sealed test part.
    pub fn bias_record(&self, spec: &PipelineSpec, roles: &[Role]) -> BiasReport {
        use rayon::prelude::*;
        let rows = development_rows(roles);
        let table = self.table.select_rows(&rows);
        let labels: Vec<bool> = rows.iter().map(|row| self.labels[*row]).collect();
        let (level, seed) = (spec.validation.level, spec.validation.seed);
        let column = |name: &str| table.column(name).expect("inputs are columns of the table");
        let measure = |input: &String, target: String, wanted: &[bool]| {
            one_input_auc(column(input), wanted, seed, level).map(|auc| InputAssociation {
                input: input.clone(),
                target,
                auc,
            })
        };
        let label_name = spec.data.label.column.value.clone();
        let leakage = self
            .inputs
            .par_iter()
            .filter_map(|input| measure(input, label_name.clone(), &labels))
            .collect();
        let protected: Vec<&str> = spec
            .data
            .protected
            .iter()
            .map(|attribute| attribute.value.as_str())
            .collect();
        let (mut groups, mut targets) = (Vec::new(), Vec::new());
        for attribute in &protected {
            let coded = column(attribute).groups();
            for (code, group) in coded.levels.iter().enumerate() {
                let members: Vec<bool> = coded
                    .codes
                    .iter()
                    .map(|held| *held as usize == code)
                    .collect();
                let n_rows = members.iter().filter(|member| **member).count();
                let n_positive = members
                    .iter()
                    .zip(&labels)
                    .filter(|(member, label)| **member && **label)
                    .count();
                // The rate of a handful of rows would tell what their labels are.
                let is_shown = n_rows >= SHOWN_COUNT_MIN;
                let label_rate =
                    wilson_interval(n_positive as f64, n_rows as f64, level).filter(|_| is_shown);
                let share = n_rows as f64 / rows.len() as f64;
                groups.push(GroupShare {
                    attribute: (*attribute).to_owned(),
                    level: group.clone(),
                    n_rows,
                    share,
                    label_rate,
                });
                // Of two groups one is the complement of the other; of many, a small one says nothing about a proxy.
                if n_rows >= spec.validation.group_rows_min
                    && !(coded.levels.len() == 2 && code == 1)
                {
                    targets.push((format!("{attribute}={group}"), members));
                }
            }
        }
        let screened: Vec<&String> = self
            .inputs
            .iter()
            .filter(|input| !protected.contains(&input.as_str()))
            .collect();
        let pairs: Vec<(&String, &(String, Vec<bool>))> = screened
            .iter()
            .flat_map(|input| targets.iter().map(move |target| (*input, target)))
            .collect();
        let proxies = pairs
            .into_par_iter()
            .filter_map(|(input, (target, members))| measure(input, target.clone(), members))
            .collect();
        BiasReport {
            dataset: self.digest,
            n_rows: rows.len(),
            groups,
            leakage,
            proxies,
            leakage_limit: spec.screening.leakage_limit,
            proxy_limit: spec.screening.proxy_limit,
        }
    }

    /// Returns the record of which inputs are needed, on the rows outside the sealed test part.
    pub fn minimisation_record(
        &self,
        spec: &PipelineSpec,
        roles: &[Role],
        set_aside: Vec<String>,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<DatasetMinimisation, LifecycleError> {
        let rows = development_rows(roles);
        let table = self.table.select_rows(&rows);
        let labels: Vec<bool> = rows.iter().map(|row| self.labels[*row]).collect();
        let tested = self
            .inputs
            .iter()
            .filter(|input| !set_aside.contains(input));
        let columns: Vec<&Column> = tested
            .map(|input| table.column(input).expect("inputs are columns"))
            .collect();
        if columns.is_empty() {
            return Err(LifecycleError::NoInputs);
        }
        let all_rows: Vec<usize> = (0..table.n_rows).collect();
        let inputs = describe_inputs(&columns, &all_rows, spec.training.categories_max);
        let matrix = encode(&table, &inputs)?;
        let strength = |i: usize, j: usize| association(columns[i], columns[j]);
        let groups = correlated_groups(&strength, inputs.len(), spec.minimisation.correlation);
        let attributes: Vec<(String, Coded)> = spec
            .data
            .protected
            .iter()
            .map(|attribute| {
                (
                    attribute.value.clone(),
                    table
                        .column(&attribute.value)
                        .expect("attributes are columns")
                        .groups(),
                )
            })
            .filter(|(_, coded)| coded.levels.len() <= 50)
            .collect();
        let data = MinimisationData {
            inputs: &inputs,
            label: &label_of(spec),
            matrix: &matrix,
            labels: &labels,
            attributes: &attributes,
        };
        let plan = spec.minimisation_plan();
        let results = minimise(&spec.refit_spec(), data, &groups, plan, progress)?;
        let reasons = |map: &std::collections::BTreeMap<String, String>| {
            map.iter()
                .map(|(column, reason)| DroppedInput {
                    column: column.clone(),
                    reason: reason.clone(),
                })
                .collect()
        };
        Ok(DatasetMinimisation {
            dataset: self.digest,
            n_rows: rows.len(),
            metric: "roc_auc".to_owned(),
            plan,
            correlation: spec.minimisation.correlation,
            set_aside,
            results,
            dropped: reasons(&spec.data.drop),
            exempted: reasons(&spec.minimisation.keep),
        })
    }
}

/// Returns what the model predicts.
pub fn label_of(spec: &PipelineSpec) -> Label {
    Label {
        column: spec.data.label.column.value.clone(),
        positive: spec.data.label.positive.value.clone(),
    }
}

/// Returns the name of a dataset.
pub fn dataset_name(data: &DataSpec) -> String {
    let stem = || {
        PathBuf::from(&data.path.value)
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
    };
    data.name
        .clone()
        .or_else(stem)
        .unwrap_or_else(|| "dataset".to_owned())
}

/// Returns the columns that tell rows or people apart.
pub fn identifier_names(data: &DataSpec) -> Vec<String> {
    let mut names: Vec<String> = data
        .identifiers
        .iter()
        .chain(&data.subject)
        .map(|name| name.value.clone())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Returns the rows that development may look at: all but the sealed test part and the excluded ones.
pub fn development_rows(roles: &[Role]) -> Vec<usize> {
    rows_with(roles, |role| matches!(role, Role::Train | Role::Tune))
}

/// Returns the rows whose part is wanted.
pub fn rows_with(roles: &[Role], wanted: impl Fn(Role) -> bool) -> Vec<usize> {
    (0..roles.len()).filter(|row| wanted(roles[*row])).collect()
}

/// Returns the assignment of rows to parts, one letter a row.
pub fn encode_roles(roles: &[Role]) -> Vec<u8> {
    let letter = |role: &Role| match role {
        Role::Train => b'r',
        Role::Tune => b'u',
        Role::Test => b't',
        Role::Excluded => b'x',
    };
    roles.iter().map(letter).collect()
}

/// Reads an assignment; `None` when it is not one.
pub fn decode_roles(bytes: &[u8]) -> Option<Vec<Role>> {
    let role = |letter: &u8| match letter {
        b'r' => Some(Role::Train),
        b'u' => Some(Role::Tune),
        b't' => Some(Role::Test),
        b'x' => Some(Role::Excluded),
        _ => None,
    };
    bytes.iter().map(role).collect()
}

/// Returns a number that orders rows in time: the value itself, or the position of the text among its levels, which puts
/// ISO 8601 dates in order.
fn order_of(column: &Column) -> Vec<f64> {
    match &column.values {
        Values::Numeric(values) => values.clone(),
        Values::Coded(coded) => coded.codes.iter().map(|code| f64::from(*code)).collect(),
    }
}

/// Identifiers keep their counts and lose their values; extremes, which are one row's, are rounded outwards.
fn hide_identifying_values(profile: &mut Profile, identifiers: &[String]) {
    for numeric in profile
        .columns
        .iter_mut()
        .filter_map(|column| column.numeric.as_mut())
    {
        (numeric.min, numeric.max) = (
            round_outwards(numeric.min, false),
            round_outwards(numeric.max, true),
        );
    }
    for column in profile
        .columns
        .iter_mut()
        .filter(|column| identifiers.contains(&column.name))
    {
        column.frequent.clear();
        column.numeric = None;
    }
}
