//! The search language of MLflow's API: comparisons joined by `AND`, and what to sort by.
//!
//! No `OR`, no brackets but those of a list, no `NOT`. What may be compared how depends on what is searched.

use veracta_store::{Attribute, Comparison, Direction, Field, Noun, Operand, Operator, Order};

use super::TrackingError;

/// Longest filter, in bytes: clients put lists of a few thousand run ids into one.
const FILTER_BYTES: usize = 1 << 20;
/// Most comparisons of a filter, and most fields of an order: each may be a join of its own.
const CLAUSES_LIMIT: usize = 50;

/// Tag that marks a registered model as a prompt: searches leave prompts out unless they name it.
pub const PROMPT_TAG: &str = "mlflow.prompt.is_prompt";

/// A token of a filter expression.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A name, which may have parts in quotes: `params."learning rate"`.
    Name(String, Option<String>),
    /// A quoted text. In double quotes or backticks it may also be a name.
    Text(String, char),
    Number(String),
    Operator(&'static str),
    Open,
    Close,
    Comma,
}

struct Lexer<'f> {
    filter: &'f str,
    rest: &'f str,
}

const SYMBOLS: [(&str, &str); 6] = [
    (">=", ">="),
    ("<=", "<="),
    ("!=", "!="),
    ("=", "="),
    (">", ">"),
    ("<", "<"),
];

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || "_./:-".contains(character)
}

impl<'f> Lexer<'f> {
    fn failed(&self) -> TrackingError {
        TrackingError::invalid(format!(
            "Invalid clause(s) in filter string: '{}'",
            self.filter
        ))
    }

    /// Takes a text in quotes; a doubled quote stands for one.
    fn quoted(&mut self, quote: char) -> Result<String, TrackingError> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1).peekable();
        while let Some((position, character)) = characters.next() {
            if character != quote {
                text.push(character);
            } else if characters.peek().is_some_and(|(_, next)| *next == quote) {
                text.push(quote);
                characters.next();
            } else {
                self.rest = &self.rest[position + quote.len_utf8()..];
                return Ok(text);
            }
        }
        Err(TrackingError::invalid(format!(
            "Invalid clause(s) in filter string: a quote is not closed in '{}'",
            self.filter
        )))
    }

    fn next(&mut self) -> Result<Option<Token>, TrackingError> {
        self.rest = self.rest.trim_start();
        let Some(first) = self.rest.chars().next() else {
            return Ok(None);
        };
        if let Some((symbol, operator)) = SYMBOLS
            .iter()
            .find(|(symbol, _)| self.rest.starts_with(symbol))
        {
            self.rest = &self.rest[symbol.len()..];
            return Ok(Some(Token::Operator(operator)));
        }
        let token = match first {
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            '\'' | '"' | '`' => return Ok(Some(Token::Text(self.quoted(first)?, first))),
            _ if first.is_ascii_digit() || "+-.".contains(first) => return self.number().map(Some),
            _ if is_name(first) => return self.name().map(Some),
            _ => return Err(self.failed()),
        };
        self.rest = &self.rest[1..];
        Ok(Some(token))
    }

    fn number(&mut self) -> Result<Token, TrackingError> {
        let mut end = 0;
        for (position, character) in self.rest.char_indices() {
            let follows_exponent = self.rest[..position].ends_with(['e', 'E']);
            let is_part = character.is_ascii_digit()
                || ".eE".contains(character)
                || "+-".contains(character) && (position == 0 || follows_exponent);
            if !is_part {
                break;
            }
            end = position + 1;
        }
        let (number, rest) = self.rest.split_at(end);
        if number.parse::<f64>().is_err() {
            return Err(self.failed());
        }
        self.rest = rest;
        Ok(Token::Number(number.to_owned()))
    }

    fn name(&mut self) -> Result<Token, TrackingError> {
        let end = self
            .rest
            .find(|character| !is_name(character))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        let quote = rest.chars().next().filter(|next| ['"', '`'].contains(next));
        match (name.strip_suffix('.'), quote) {
            (Some(entity), Some(quote)) => {
                Ok(Token::Name(entity.to_owned(), Some(self.quoted(quote)?)))
            }
            _ => Ok(Token::Name(name.to_owned(), None)),
        }
    }
}

fn tokens(filter: &str) -> Result<Vec<Token>, TrackingError> {
    if filter.len() > FILTER_BYTES {
        return Err(TrackingError::invalid(format!(
            "The filter has {} bytes; the limit is {FILTER_BYTES}",
            filter.len()
        )));
    }
    let mut lexer = Lexer {
        filter,
        rest: filter,
    };
    let mut found = Vec::new();
    while let Some(token) = lexer.next()? {
        found.push(token);
    }
    Ok(found)
}

fn is_word(token: Option<&Token>, word: &str) -> bool {
    matches!(token, Some(Token::Name(name, None)) if name.eq_ignore_ascii_case(word))
}

/// Reads a filter; an empty one holds always.
pub fn parse_filter(noun: Noun, filter: &str) -> Result<Vec<Comparison>, TrackingError> {
    let tokens = tokens(filter)?;
    let mut rest = tokens.as_slice();
    let mut comparisons = Vec::new();
    while !rest.is_empty() {
        let (comparison, after) = comparison(noun, filter, rest)?;
        comparisons.push(comparison);
        rest = after;
        match rest.first() {
            None => break,
            and if is_word(and, "AND") && rest.len() > 1 => rest = &rest[1..],
            _ => {
                return Err(TrackingError::invalid(format!(
                    "Invalid clause(s) in filter string: '{filter}'. Expected comparisons joined by AND"
                )));
            }
        }
    }
    if comparisons.len() > CLAUSES_LIMIT {
        return Err(TrackingError::invalid(format!(
            "A filter can have at most {CLAUSES_LIMIT} comparisons"
        )));
    }
    Ok(comparisons)
}

fn comparison<'t>(
    noun: Noun,
    filter: &str,
    tokens: &'t [Token],
) -> Result<(Comparison, &'t [Token]), TrackingError> {
    let malformed = || {
        TrackingError::invalid(format!(
            "Invalid clause(s) in filter string: '{filter}'. Expected 'Identifier' comparison value"
        ))
    };
    let (first, rest) = tokens.split_first().ok_or_else(malformed)?;
    let field = match first {
        Token::Name(name, key) => field(noun, name, key.as_deref())?,
        Token::Text(name, '"' | '`') => field(noun, name, None)?,
        _ => return Err(malformed()),
    };
    let (operator, rest) = operator(rest).ok_or_else(malformed)?;
    check_operator(noun, &field, operator)?;
    if matches!(operator, Operator::IsNull | Operator::IsNotNull) {
        return Ok((
            Comparison {
                field,
                operator,
                operand: Operand::Nothing,
            },
            rest,
        ));
    }
    let (operand, rest) = operand(&field, operator, rest).ok_or_else(malformed)??;
    Ok((
        Comparison {
            field,
            operator,
            operand,
        },
        rest,
    ))
}

fn operator(tokens: &[Token]) -> Option<(Operator, &[Token])> {
    if let (Some(Token::Operator(symbol)), rest) = (tokens.first(), tokens.get(1..)?) {
        let operator = match *symbol {
            "=" => Operator::Equal,
            "!=" => Operator::NotEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            "<" => Operator::Less,
            _ => Operator::LessOrEqual,
        };
        return Some((operator, rest));
    }
    let words: [(&[&str], Operator); 6] = [
        (&["LIKE"], Operator::Like),
        (&["ILIKE"], Operator::ILike),
        (&["IN"], Operator::In),
        (&["NOT", "IN"], Operator::NotIn),
        (&["IS", "NULL"], Operator::IsNull),
        (&["IS", "NOT", "NULL"], Operator::IsNotNull),
    ];
    let found = words.iter().find(|(words, _)| {
        words
            .iter()
            .enumerate()
            .all(|(position, word)| is_word(tokens.get(position), word))
    });
    found.map(|(words, operator)| (*operator, &tokens[words.len()..]))
}

/// Reads what is compared with; the inner error says what is wrong with it.
fn operand<'t>(
    field: &Field,
    operator: Operator,
    tokens: &'t [Token],
) -> Option<Result<(Operand, &'t [Token]), TrackingError>> {
    if matches!(operator, Operator::In | Operator::NotIn) {
        let Some(Token::Open) = tokens.first() else {
            return Some(Err(TrackingError::invalid(
                "While parsing a list in the query, expected a list of quoted string values in brackets",
            )));
        };
        let end = tokens.iter().position(|token| *token == Token::Close)?;
        return Some(
            list(&tokens[1..end]).map(|texts| (Operand::Texts(texts), &tokens[end + 1..])),
        );
    }
    let (value, rest) = tokens.split_first()?;
    let is_number = matches!(field, Field::Metric(..))
        || matches!(field, Field::Attribute(attribute) if attribute.is_number);
    Some(match (value, is_number) {
        (Token::Number(number), true) => Ok((number_operand(field, number), rest)),
        (Token::Text(number, _), true)
            if matches!(field, Field::Attribute(_)) && number.parse::<i64>().is_ok() =>
        {
            Ok((number_operand(field, number), rest))
        }
        (Token::Text(text, _), false) => Ok((Operand::Text(text.clone()), rest)),
        (other, true) => Err(TrackingError::invalid(format!(
            "Expected numeric value type for {}. Found {}",
            kind_of(field),
            shown(other)
        ))),
        (other, false) => Err(TrackingError::invalid(format!(
            "Expected a quoted string value for {} (e.g. 'my-value'). Got value {}",
            kind_of(field),
            shown(other)
        ))),
    })
}

fn number_operand(field: &Field, number: &str) -> Operand {
    match (field, number.parse::<i64>()) {
        (Field::Attribute(_), Ok(number)) => Operand::Integer(number),
        _ => Operand::Number(number.parse().unwrap_or(f64::NAN)),
    }
}

fn list(tokens: &[Token]) -> Result<Vec<String>, TrackingError> {
    let ill = |what: &str| {
        TrackingError::invalid(format!(
            "While parsing a list in the query, expected a non-empty list of string values, but got {what}"
        ))
    };
    if tokens.is_empty() {
        return Err(ill("empty list"));
    }
    let mut texts = Vec::new();
    for (position, token) in tokens.iter().enumerate() {
        match (token, position % 2) {
            (Token::Text(text, _), 0) => texts.push(text.clone()),
            (Token::Comma, 1) => {}
            _ => return Err(ill("ill-formed list.")),
        }
    }
    // `('a',)` has one member.
    Ok(texts)
}

fn shown(token: &Token) -> String {
    match token {
        Token::Name(name, key) => key
            .as_ref()
            .map_or_else(|| name.clone(), |key| format!("{name}.{key}")),
        Token::Text(text, quote) => format!("{quote}{text}{quote}"),
        Token::Number(number) => number.clone(),
        Token::Operator(symbol) => (*symbol).to_owned(),
        Token::Open => "(".to_owned(),
        Token::Close => ")".to_owned(),
        Token::Comma => ",".to_owned(),
    }
}

fn kind_of(field: &Field) -> &'static str {
    match field {
        Field::Attribute(attribute) if attribute.is_number => "numeric attribute",
        Field::Attribute(_) => "attributes",
        Field::Param(_) => "parameter",
        Field::Tag(_) => "tag",
        Field::Metric(..) => "metric",
        Field::DatasetName | Field::DatasetDigest | Field::DatasetContext => "dataset attributes",
    }
}

fn check_operator(noun: Noun, field: &Field, operator: Operator) -> Result<(), TrackingError> {
    use Operator::{
        Equal, Greater, GreaterOrEqual, ILike, In, IsNotNull, IsNull, Less, LessOrEqual, Like,
        NotEqual, NotIn,
    };
    const NUMERIC: &[Operator] = &[Equal, NotEqual, Greater, GreaterOrEqual, Less, LessOrEqual];
    const TEXT: &[Operator] = &[Equal, NotEqual, Like, ILike];
    const LISTED: &[Operator] = &[Equal, NotEqual, Like, ILike, In, NotIn];
    const KEYED: &[Operator] = &[Equal, NotEqual, Like, ILike, IsNull, IsNotNull];
    let is_listed = |attribute: &Attribute| {
        let names: &[&str] = match noun {
            Noun::Runs => &["run_id"],
            Noun::Experiments => &["experiment_id"],
            Noun::ModelVersions => &["name", "run_id"],
            Noun::RegisteredModels => &["name"],
            Noun::LoggedModels => &["name", "model_id", "model_type", "status", "source_run_id"],
        };
        names
            .iter()
            .any(|name| Attribute::of(noun, name) == Some(*attribute))
    };
    let allowed = match field {
        Field::Metric(..) => NUMERIC,
        Field::Attribute(attribute) if attribute.is_number => NUMERIC,
        Field::Attribute(attribute) if is_listed(attribute) => LISTED,
        Field::Attribute(_) => TEXT,
        Field::DatasetName | Field::DatasetDigest | Field::DatasetContext => LISTED,
        Field::Param(_) | Field::Tag(_) => KEYED,
    };
    if allowed.contains(&operator) {
        return Ok(());
    }
    if matches!(operator, IsNull | IsNotNull) {
        return Err(TrackingError::invalid(
            "IS NULL / IS NOT NULL is only supported for tags and params",
        ));
    }
    let words: Vec<&str> = allowed.iter().map(|operator| operator.word()).collect();
    Err(TrackingError::invalid(format!(
        "Invalid comparator '{}' not one of '{{{}}}'",
        operator.word(),
        words
            .iter()
            .map(|word| format!("'{word}'"))
            .collect::<Vec<_>>()
            .join(", ")
    )))
}

/// Reads what a name stands for: `entity.key`, or an attribute alone.
fn field(noun: Noun, name: &str, quoted_key: Option<&str>) -> Result<Field, TrackingError> {
    let (entity, key) = match (quoted_key, name.split_once('.')) {
        (Some(key), _) => (name, key),
        (None, Some((entity, key))) => (entity, key),
        (None, None) => ("attribute", name),
    };
    let has_values = matches!(noun, Noun::Runs | Noun::LoggedModels);
    let key = key.trim_matches(['"', '`']);
    match entity {
        "attribute" | "attributes" | "attr" | "run" => attribute(noun, key),
        "tag" | "tags" => Ok(Field::Tag(key.to_owned())),
        "param" | "params" | "parameter" | "parameters" if has_values => {
            Ok(Field::Param(key.to_owned()))
        }
        "metric" | "metrics" if has_values => Ok(Field::Metric(key.to_owned(), None)),
        "dataset" | "datasets" if noun == Noun::Runs => match key {
            "name" => Ok(Field::DatasetName),
            "digest" => Ok(Field::DatasetDigest),
            "context" => Ok(Field::DatasetContext),
            _ => Err(TrackingError::invalid(format!(
                "Invalid dataset key '{key}' specified. Valid keys are '{{'context', 'digest', 'name'}}'"
            ))),
        },
        _ => {
            let valid = if has_values {
                "['metric', 'parameter', 'tag', 'attribute', 'dataset']"
            } else {
                "['attribute', 'tag']"
            };
            Err(TrackingError::invalid(format!(
                "Invalid entity type '{entity}'. Valid values are {valid}"
            )))
        }
    }
}

fn attribute(noun: Noun, key: &str) -> Result<Field, TrackingError> {
    let name = match (noun, key) {
        (Noun::Runs, "created" | "Created") => "start_time",
        (Noun::Runs, "run name" | "Run name" | "Run Name") => "run_name",
        (Noun::RegisteredModels, "timestamp") => "last_updated_timestamp",
        (Noun::LoggedModels, "creation_time" | "creation_timestamp_ms") => "creation_timestamp",
        (Noun::LoggedModels, "last_updated_timestamp_ms") => "last_updated_timestamp",
        (_, key) => key,
    };
    Attribute::of(noun, name)
        .map(Field::Attribute)
        .ok_or_else(|| {
            TrackingError::invalid(format!(
                "Invalid attribute key '{key}' specified. Valid keys are {:?}",
                Attribute::names(noun)
            ))
        })
}

/// Reads what to sort by: `entity.key [ASC|DESC]` each.
pub fn parse_order(noun: Noun, clauses: &[String]) -> Result<Vec<Order>, TrackingError> {
    if clauses.len() > CLAUSES_LIMIT {
        return Err(TrackingError::invalid(format!(
            "order_by can have at most {CLAUSES_LIMIT} fields"
        )));
    }
    let mut orders: Vec<Order> = Vec::new();
    for clause in clauses {
        let malformed = || {
            TrackingError::invalid(format!(
                "Invalid order_by clause '{clause}'. Could not be parsed."
            ))
        };
        let tokens = tokens(clause).map_err(|_| malformed())?;
        let (first, rest) = tokens.split_first().ok_or_else(malformed)?;
        // `run name` is two words.
        let is_run_name =
            noun == Noun::Runs && is_word(Some(first), "run") && is_word(rest.first(), "name");
        let (field, rest) = match first {
            _ if is_run_name => (attribute(noun, "run name")?, &rest[1..]),
            Token::Name(name, key) => (field(noun, name, key.as_deref())?, rest),
            Token::Text(name, '"' | '`') => (field(noun, name, None)?, rest),
            _ => return Err(malformed()),
        };
        let direction = match rest {
            [] => Direction::Ascending,
            [word] if is_word(Some(word), "ASC") => Direction::Ascending,
            [word] if is_word(Some(word), "DESC") => Direction::Descending,
            _ => return Err(malformed()),
        };
        if orders.iter().any(|known| known.field == field) {
            return Err(TrackingError::invalid(format!(
                "`order_by` contains duplicate fields: {clauses:?}"
            )));
        }
        if matches!(
            field,
            Field::DatasetName | Field::DatasetDigest | Field::DatasetContext
        ) {
            return Err(TrackingError::invalid(format!(
                "Invalid order_by entity: {clause}"
            )));
        }
        orders.push(Order { field, direction });
    }
    Ok(orders)
}

/// Leaves prompts out of a search of the registry, unless it names their tag.
pub fn without_prompts(mut comparisons: Vec<Comparison>) -> Vec<Comparison> {
    for comparison in &mut comparisons {
        // As clients ask for models alone: a model without the tag is no prompt either.
        if comparison.field == Field::Tag(PROMPT_TAG.to_owned())
            && comparison.operator == Operator::NotEqual
        {
            (comparison.operator, comparison.operand) = (Operator::IsNull, Operand::Nothing);
        }
    }
    let names_prompts = comparisons
        .iter()
        .any(|comparison| comparison.field == Field::Tag(PROMPT_TAG.to_owned()));
    if !names_prompts {
        let field = Field::Tag(PROMPT_TAG.to_owned());
        comparisons.push(Comparison {
            field,
            operator: Operator::IsNull,
            operand: Operand::Nothing,
        });
    }
    comparisons
}
