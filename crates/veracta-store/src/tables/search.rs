//! Searches of the tracking API as SQL: what may be compared and sorted by, and how it is said.
//!
//! A value never becomes part of a statement's text; a column comes from the lists here only.

use crate::StoreError;
use crate::database::{Database, Row, Value};
use crate::work::View;

/// The kind of thing that is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    /// Runs of the tracking server.
    Runs,
    /// Experiments of the tracking server.
    Experiments,
    /// Models of the registry, without their versions.
    RegisteredModels,
    /// Versions of the models of the registry.
    ModelVersions,
    /// Models logged by runs, registered or not.
    LoggedModels,
}

/// A column of a table that a search may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    column: &'static str,
    /// Whether it holds whole numbers.
    pub is_number: bool,
    is_nullable: bool,
}

const RUN_ATTRIBUTES: &[(&str, &str, bool)] = &[
    ("run_id", "run_id", false),
    ("run_name", "name", false),
    ("status", "status", false),
    ("user_id", "user_id", false),
    ("artifact_uri", "artifact_uri", false),
    ("start_time", "start_ms", true),
    ("end_time", "end_ms", true),
];
const EXPERIMENT_ATTRIBUTES: &[(&str, &str, bool)] = &[
    ("name", "name", false),
    ("experiment_id", "experiment_id", true),
    ("creation_time", "created_ms", true),
    ("last_update_time", "updated_ms", true),
    ("artifact_location", "artifact_location", false),
];
const MODEL_ATTRIBUTES: &[(&str, &str, bool)] = &[
    ("name", "name", false),
    ("creation_timestamp", "created_ms", true),
    ("last_updated_timestamp", "updated_ms", true),
];
const VERSION_ATTRIBUTES: &[(&str, &str, bool)] = &[
    ("name", "model", false),
    ("run_id", "run_id", false),
    ("source_path", "source", false),
    ("version_number", "version", true),
    ("creation_timestamp", "created_ms", true),
    ("last_updated_timestamp", "updated_ms", true),
];
const LOGGED_MODEL_ATTRIBUTES: &[(&str, &str, bool)] = &[
    ("name", "name", false),
    ("model_id", "model_id", false),
    ("model_type", "model_type", false),
    ("status", "status", false),
    ("source_run_id", "source_run_id", false),
    ("experiment_id", "experiment_id", true),
    ("creation_timestamp", "created_ms", true),
    ("last_updated_timestamp", "updated_ms", true),
    ("artifact_location", "artifact_location", false),
];

/// Columns that may be NULL.
const NULLABLE: [&str; 3] = ["end_ms", "model_type", "source_run_id"];

impl Attribute {
    /// Returns the names of all attributes.
    pub fn names(noun: Noun) -> Vec<&'static str> {
        noun.attributes().iter().map(|(name, ..)| *name).collect()
    }

    /// Returns the attribute of that name.
    pub fn of(noun: Noun, name: &str) -> Option<Self> {
        let found = noun.attributes().iter().find(|(known, ..)| *known == name);
        found.map(|(_, column, is_number)| Self {
            column,
            is_number: *is_number,
            is_nullable: NULLABLE.contains(column),
        })
    }
}

/// A value of a thing that a search compares or sorts by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// A column of the searched table.
    Attribute(Attribute),
    /// The parameter with that key; a text.
    Param(String),
    /// The tag with that key; a text.
    Tag(String),
    /// The latest value of a metric; of logged models also one on a dataset (name, digest).
    Metric(String, Option<(String, Option<String>)>),
    /// Name of a dataset read by the run.
    DatasetName,
    /// Digest of a dataset read by the run, as the client computed it.
    DatasetDigest,
    /// Context in which the dataset was read, such as `training`.
    DatasetContext,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`: the value is the operand.
    Equal,
    /// `!=`: the key is there, and the value is not the operand.
    NotEqual,
    /// `>`: the value is greater than the operand.
    Greater,
    /// `>=`: the value is the operand or greater.
    GreaterOrEqual,
    /// `<`: the value is less than the operand.
    Less,
    /// `<=`: the value is the operand or less.
    LessOrEqual,
    /// The text matches a pattern in which `%` is any text and `_` any character, with regard to case.
    Like,
    /// The same without regard to the case of ASCII letters.
    ILike,
    /// The value is one of several texts.
    In,
    /// The value is none of several texts; needs the key to be there.
    NotIn,
    /// The key is not there, or the column is NULL.
    IsNull,
    /// The key is there, whatever its value.
    IsNotNull,
}

impl Operator {
    /// Returns the operator as it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Like => "LIKE",
            Self::ILike => "ILIKE",
            Self::In => "IN",
            Self::NotIn => "NOT IN",
            Self::IsNull => "IS NULL",
            Self::IsNotNull => "IS NOT NULL",
        }
    }
}

/// The value that a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// No value, as `IS NULL` and `IS NOT NULL` need none.
    Nothing,
    /// One text, or a pattern of `LIKE` and `ILIKE`.
    Text(String),
    /// A whole number, for attributes that are numbers; times are milliseconds since 1970.
    Integer(i64),
    /// A floating-point number, for metrics.
    Number(f64),
    /// Several texts, for `IN` and `NOT IN`.
    Texts(Vec<String>),
}

/// One comparison; all of a search must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The column, parameter, tag, metric or dataset that is compared.
    pub field: Field,
    /// The relation that must be true.
    pub operator: Operator,
    /// The value on the right-hand side.
    pub operand: Operand,
}

/// The direction in which results are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The smallest value comes first.
    Ascending,
    /// The largest value comes first.
    Descending,
}

/// What to sort by; what is missing comes last either way, NaN before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The field whose values are sorted.
    pub field: Field,
    /// Whether the smallest or the largest value comes first.
    pub direction: Direction,
}

/// The conditions and the order of a search.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// Conditions that must all be true; none finds everything.
    pub comparisons: Vec<Comparison>,
    /// Fields to sort by: a later one decides where all earlier ones are equal.
    pub order: Vec<Order>,
}

/// Which of the results are returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// Number of results left out at the beginning.
    pub offset: u64,
    /// Largest number of results that are returned.
    pub limit: u64,
}

/// Whether deleted things are found too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewed {
    /// Only what is not deleted.
    Active,
    /// Only what is deleted and can still be restored.
    Deleted,
    /// Both what is deleted and what is not.
    All,
}

impl Noun {
    fn attributes(self) -> &'static [(&'static str, &'static str, bool)] {
        match self {
            Self::Runs => RUN_ATTRIBUTES,
            Self::Experiments => EXPERIMENT_ATTRIBUTES,
            Self::RegisteredModels => MODEL_ATTRIBUTES,
            Self::ModelVersions => VERSION_ATTRIBUTES,
            Self::LoggedModels => LOGGED_MODEL_ATTRIBUTES,
        }
    }

    fn table(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Experiments => "experiments",
            Self::RegisteredModels => "registered_models",
            Self::ModelVersions => "model_versions",
            Self::LoggedModels => "logged_models",
        }
    }

    /// Table of the tags, and how a row `x` of it belongs to a row `t`.
    fn tags(self) -> (&'static str, &'static str) {
        match self {
            Self::Runs => ("tags", "x.run_no = t.run_no"),
            Self::Experiments => ("experiment_tags", "x.experiment_id = t.experiment_id"),
            Self::RegisteredModels => ("registered_model_tags", "x.model = t.name"),
            Self::ModelVersions => (
                "model_version_tags",
                "x.model = t.model AND x.version = t.version",
            ),
            Self::LoggedModels => ("logged_model_tags", "x.model_id = t.model_id"),
        }
    }

    fn params(self) -> (&'static str, &'static str) {
        match self {
            Self::LoggedModels => ("logged_model_params", "x.model_id = t.model_id"),
            _ => ("params", "x.run_no = t.run_no"),
        }
    }

    fn tie_break(self, has_order: bool) -> &'static str {
        match self {
            Self::Runs => "t.start_ms DESC, t.run_id",
            Self::Experiments if has_order => "t.experiment_id DESC",
            Self::Experiments => "t.created_ms DESC, t.experiment_id",
            Self::RegisteredModels => "t.name",
            Self::ModelVersions if has_order => "t.model, t.version DESC",
            Self::ModelVersions => "t.updated_ms DESC, t.model, t.version DESC",
            Self::LoggedModels => "t.created_ms DESC, t.model_id",
        }
    }
}

/// Characters of a value that the indices of parameters and tags hold.
const INDEXED_CHARS: usize = 100;

/// The parts of a SQL statement for one search, put together step by step.
pub(super) struct Statement<'d> {
    db: &'d Database,
    noun: Noun,
    joins: String,
    pub(super) conditions: Vec<String>,
    order: Vec<String>,
    values: Vec<Value<'static>>,
    /// Metrics that are joined already, with the name of the join.
    joined: Vec<(Field, String)>,
}

impl<'d> Statement<'d> {
    pub(super) fn new(db: &'d Database, noun: Noun) -> Self {
        Self {
            db,
            noun,
            joins: String::new(),
            conditions: Vec::new(),
            order: Vec::new(),
            values: Vec::new(),
            joined: Vec::new(),
        }
    }

    /// Adds a value and returns its place.
    pub(super) fn place(&mut self, value: impl Into<Value<'static>>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    pub(super) fn places(
        &mut self,
        values: impl IntoIterator<Item = impl Into<Value<'static>>>,
    ) -> String {
        let places: Vec<String> = values.into_iter().map(|value| self.place(value)).collect();
        // A list without members is in neither database's language; nothing is in it.
        if places.is_empty() {
            "NULL".to_owned()
        } else {
            places.join(", ")
        }
    }

    pub(super) fn restrict(&mut self, viewed: Viewed) {
        match viewed {
            Viewed::Active => self.conditions.push("t.stage = 'active'".to_owned()),
            Viewed::Deleted => self.conditions.push("t.stage = 'deleted'".to_owned()),
            Viewed::All => {}
        }
    }

    /// Returns the condition `column operator operand` as SQL; the operand becomes a parameter of the statement.
    fn comparison(&mut self, column: &str, operator: Operator, operand: &Operand) -> String {
        let word = operator.word();
        if matches!(operator, Operator::IsNull | Operator::IsNotNull) {
            return format!("{column} {word}");
        }
        if matches!(operator, Operator::Like | Operator::ILike) {
            let Operand::Text(pattern) = operand else {
                return "1 = 0".to_owned();
            };
            let place = self.place(pattern.clone());
            return self.db.like(
                column,
                &format!("CAST({place} AS TEXT)"),
                operator == Operator::ILike,
            );
        }
        match operand {
            Operand::Nothing => "1 = 0".to_owned(),
            Operand::Text(text) => format!("{column} {word} {}", self.place(text.clone())),
            Operand::Integer(number) => format!("{column} {word} {}", self.place(*number)),
            Operand::Number(number) => format!("{column} {word} {}", self.place(*number)),
            Operand::Texts(texts) => {
                format!("{column} {word} ({})", self.places(texts.iter().cloned()))
            }
        }
    }

    fn compare(&mut self, comparison: &Comparison) -> Result<(), StoreError> {
        let (field, operand) = (&comparison.field, &comparison.operand);
        let operator = comparison.operator;
        let condition = match field {
            // PostgreSQL does not compare a whole number with another kind by itself.
            Field::Attribute(attribute) if matches!(operand, Operand::Number(_)) => self
                .comparison(
                    &format!("CAST(t.{} AS DOUBLE PRECISION)", attribute.column),
                    operator,
                    operand,
                ),
            Field::Attribute(attribute) => {
                self.comparison(&format!("t.{}", attribute.column), operator, operand)
            }
            Field::Param(name) => self.compare_value(self.noun.params(), name, operator, operand),
            Field::Tag(name) => self.compare_value(self.noun.tags(), name, operator, operand),
            Field::Metric(..) => {
                let join = self.join_metric(field, "JOIN")?;
                let condition = self.comparison(&format!("{join}.value"), operator, operand);
                // What is no number differs from every number, and is neither less nor greater.
                let nan = ["0 AND", "1 OR"][usize::from(operator == Operator::NotEqual)];
                format!("({join}.is_nan = {nan} {condition})")
            }
            Field::DatasetName => self.compare_dataset("d.name", operator, operand),
            Field::DatasetDigest => self.compare_dataset("d.digest", operator, operand),
            Field::DatasetContext => self.compare_dataset("c.value", operator, operand),
        };
        self.conditions.push(condition);
        Ok(())
    }

    fn compare_value(
        &mut self,
        (table, join): (&str, &str),
        name: &str,
        operator: Operator,
        operand: &Operand,
    ) -> String {
        let exists = if operator == Operator::IsNull {
            "NOT EXISTS"
        } else {
            "EXISTS"
        };
        let key = self.place(name.to_owned());
        let head = format!("{exists} (SELECT 1 FROM {table} x WHERE {join} AND x.name = {key}");
        if matches!(operator, Operator::IsNull | Operator::IsNotNull) {
            return format!("{head})");
        }
        let condition = match (operator, operand) {
            // The index holds the beginning of a value, which of a short one says all. Saying both would have the database expect far fewer.
            (Operator::Equal, Operand::Text(text)) if matches!(table, "tags" | "params") => {
                let start: String = text.chars().take(INDEXED_CHARS).collect();
                let is_whole = start.chars().count() < INDEXED_CHARS;
                let indexed = format!(
                    "SUBSTR(x.value, 1, {INDEXED_CHARS}) = {}",
                    self.place(start)
                );
                if is_whole {
                    indexed
                } else {
                    format!(
                        "{indexed} AND {}",
                        self.comparison("x.value", operator, operand)
                    )
                }
            }
            _ => self.comparison("x.value", operator, operand),
        };
        format!("{head} AND {condition})")
    }

    fn compare_dataset(&mut self, column: &str, operator: Operator, operand: &Operand) -> String {
        let condition = self.comparison(column, operator, operand);
        let context = match column {
            "c.value" => {
                " JOIN run_input_tags c ON c.run_no = i.run_no AND c.dataset_no = i.dataset_no AND c.name = 'mlflow.data.context'"
            }
            _ => "",
        };
        format!(
            "EXISTS (SELECT 1 FROM run_inputs i JOIN datasets d ON d.dataset_no = i.dataset_no{context} WHERE i.run_no = t.run_no AND {condition})"
        )
    }

    /// Joins the latest value of a metric; returns the name of the join.
    fn join_metric(&mut self, field: &Field, word: &str) -> Result<String, StoreError> {
        let Field::Metric(name, dataset) = field else {
            return Ok(String::new());
        };
        if let Some((_, join)) = self.joined.iter().find(|(known, _)| known == field) {
            return Ok(join.clone());
        }
        let join = format!("m{}", self.joined.len());
        self.joined.push((field.clone(), join.clone()));
        if self.noun == Noun::LoggedModels {
            self.join_model_metric(&join, word, name, dataset.as_ref());
            return Ok(join);
        }
        let key = self.db.row(
            "SELECT key_no FROM metric_keys WHERE name = $1",
            &[name.into()],
        )?;
        let key_no = key.map_or(Ok(-1), |row| row.integer(0))?;
        let place = self.place(key_no);
        self.joins += &format!(
            " {word} latest_metrics {join} ON {join}.run_no = t.run_no AND {join}.key_no = {place}"
        );
        Ok(join)
    }

    /// Of a logged model's values of one metric the one with the greatest step, time and value counts.
    fn join_model_metric(
        &mut self,
        join: &str,
        word: &str,
        name: &str,
        dataset: Option<&(String, Option<String>)>,
    ) {
        let key = self.place(name.to_owned());
        let mut inner = format!("y.model_id = t.model_id AND y.name = {key}");
        if let Some((dataset, digest)) = dataset {
            inner += &format!(" AND y.dataset_name = {}", self.place(dataset.clone()));
            if let Some(digest) = digest {
                inner += &format!(" AND y.dataset_digest = {}", self.place(digest.clone()));
            }
        }
        let columns = "model_id, name, dataset_name, dataset_digest, run_id";
        let equal: Vec<String> = columns
            .split(", ")
            .map(|column| format!("{join}.{column} = z.{column}"))
            .collect();
        self.joins += &format!(
            " {word} logged_model_metrics {join} ON {join}.model_id = t.model_id AND EXISTS (SELECT 1 FROM \
             (SELECT {columns} FROM logged_model_metrics y WHERE {inner} \
             ORDER BY y.step DESC, y.timestamp_ms DESC, y.value DESC, y.run_id LIMIT 1) z WHERE {})",
            equal.join(" AND ")
        );
    }

    fn sort(&mut self, order: &Order) -> Result<(), StoreError> {
        let word = match order.direction {
            Direction::Ascending => "ASC",
            Direction::Descending => "DESC",
        };
        let (column, rank) = match &order.field {
            Field::Attribute(attribute) if !attribute.is_nullable => {
                (format!("t.{}", attribute.column), None)
            }
            Field::Attribute(attribute) => {
                let column = format!("t.{}", attribute.column);
                (
                    column.clone(),
                    Some(format!("CASE WHEN {column} IS NULL THEN 1 ELSE 0 END")),
                )
            }
            Field::Metric(..) => {
                let is_certain = self.joined.iter().any(|(known, _)| known == &order.field);
                let join = self.join_metric(&order.field, "LEFT JOIN")?;
                let rank = format!(
                    "CASE WHEN {join}.value IS NULL THEN 2 WHEN {join}.is_nan = 1 THEN 1 ELSE 0 END"
                );
                (format!("{join}.value"), (!is_certain).then_some(rank))
            }
            Field::Param(name) => self.join_value(self.noun.params(), name),
            Field::Tag(name) => self.join_value(self.noun.tags(), name),
            Field::DatasetName | Field::DatasetDigest | Field::DatasetContext => return Ok(()),
        };
        self.order.extend(rank);
        self.order.push(format!("{column} {word}"));
        Ok(())
    }

    fn join_value(&mut self, (table, on): (&str, &str), name: &str) -> (String, Option<String>) {
        let join = format!("o{}", self.order.len());
        let key = self.place(name.to_owned());
        self.joins += &format!(
            " LEFT JOIN {table} {join} ON {} AND {join}.name = {key}",
            on.replace("x.", &format!("{join}."))
        );
        (
            format!("{join}.value"),
            Some(format!("CASE WHEN {join}.value IS NULL THEN 1 ELSE 0 END")),
        )
    }

    /// Runs the search; `columns` are of the noun's table.
    pub(super) fn rows(
        mut self,
        columns: &str,
        query: &Query,
        selection: Selection,
    ) -> Result<Vec<Row>, StoreError> {
        for comparison in &query.comparisons {
            self.compare(comparison)?;
        }
        for order in &query.order {
            self.sort(order)?;
        }
        self.order
            .push(self.noun.tie_break(!query.order.is_empty()).to_owned());
        let limit = self.place(i64::try_from(selection.limit).unwrap_or(i64::MAX));
        let offset = self.place(i64::try_from(selection.offset).unwrap_or(i64::MAX));
        let columns: Vec<String> = columns
            .split(", ")
            .map(|column| format!("t.{column}"))
            .collect();
        let filter = if self.conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", self.conditions.join(" AND "))
        };
        let sql = format!(
            "SELECT {} FROM {} t{}{filter} ORDER BY {} LIMIT {limit} OFFSET {offset}",
            columns.join(", "),
            self.noun.table(),
            self.joins,
            self.order.join(", ")
        );
        self.db.rows(&sql, &self.values)
    }
}

impl View<'_> {
    pub(super) fn statement(&self, noun: Noun) -> Statement<'_> {
        Statement::new(self.db, noun)
    }
}
