//! Reads the fields of a request as protobuf's JSON form has them: names in snake or camel case, whole numbers also as text, doubles
//! also as the words for what JSON cannot say. Unknown fields are ignored.

use std::borrow::Cow;

use serde_json::{Map, Value};
use veracta_store::tracking::KeyValue;

use crate::error::ApiError;

/// Deepest nesting of a request; serde_json stops at 128, requests of the API have four levels.
const DEPTH_LIMIT: usize = 32;

/// The fields of one object of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields<'f>(Cow<'f, Map<String, Value>>);

/// Whether a key is the camel-case form of a name of several words.
fn is_camel(key: &str, name: &str) -> bool {
    let (mut key, mut begins_word) = (key.bytes(), false);
    for byte in name.bytes() {
        if byte == b'_' {
            begins_word = true;
            continue;
        }
        let expected = if begins_word {
            byte.to_ascii_uppercase()
        } else {
            byte
        };
        begins_word = false;
        if key.next() != Some(expected) {
            return false;
        }
    }
    key.next().is_none()
}

fn is_shallow(value: &Value, depth: usize) -> bool {
    depth > 0
        && match value {
            Value::Array(items) => items.iter().all(|item| is_shallow(item, depth - 1)),
            Value::Object(fields) => fields.values().all(|field| is_shallow(field, depth - 1)),
            _ => true,
        }
}

fn has_zero_byte(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_zero_byte),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, field)| name.contains('\0') || has_zero_byte(field)),
        _ => false,
    }
}

/// The word of the API's messages for the type of a value.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

fn wrong_type(name: &str, value: &Value) -> ApiError {
    ApiError::invalid(format!(
        "Invalid value {value} for parameter '{name}' supplied:  Hint: Value was of type '{}'. See the API docs for more information \
         about request parameters.",
        type_of(value)
    ))
}

fn missing(name: &str) -> ApiError {
    ApiError::invalid(format!(
        "Missing value for required parameter '{name}'. See the API docs for more information about request parameters."
    ))
}

impl Fields<'_> {
    /// Reads a body; what is no JSON counts as empty, as it does for MLflow. A text that holds JSON is read once more, for old clients.
    pub(crate) fn of_body(body: &[u8]) -> Result<Self, ApiError> {
        let value = match quoted_overflow(body) {
            Some(body) => serde_json::from_slice(&body),
            None => serde_json::from_slice(body),
        };
        let value = match value {
            Ok(Value::String(text)) => serde_json::from_str(&text).unwrap_or_default(),
            Ok(value) => value,
            Err(_) => Value::Null,
        };
        if !is_shallow(&value, DEPTH_LIMIT) {
            return Err(ApiError::invalid(format!(
                "The request is nested deeper than {DEPTH_LIMIT} levels."
            )));
        }
        if has_zero_byte(&value) {
            return Err(ApiError::invalid("A text of the request has a zero byte."));
        }
        match value {
            Value::Object(fields) => Ok(Self(Cow::Owned(fields))),
            _ => Ok(Self::default()),
        }
    }

    /// Reads the parameters of a query; a repeated one is a list.
    pub(crate) fn of_query(query: &str) -> Result<Self, ApiError> {
        let mut fields: Map<String, Value> = Map::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.contains('\0') {
                return Err(ApiError::invalid("A text of the request has a zero byte."));
            }
            let value = Value::from(value.into_owned());
            match fields.get_mut(name.as_ref()) {
                None => drop(fields.insert(name.into_owned(), value)),
                Some(Value::Array(items)) => items.push(value),
                Some(known) => *known = Value::Array(vec![known.take(), value]),
            }
        }
        Ok(Self(Cow::Owned(fields)))
    }

    /// Adds what a path says.
    pub(crate) fn with(mut self, name: &str, value: String) -> Self {
        self.0.to_mut().insert(name.to_owned(), Value::from(value));
        self
    }

    fn value(&self, name: &str) -> Result<Option<&Value>, ApiError> {
        let snake = self.0.get(name);
        // One word is the same in both.
        if !name.contains('_') {
            return Ok(snake.filter(|value| !value.is_null()));
        }
        let camel = self.0.iter().find(|(key, _)| is_camel(key, name));
        if let (Some(_), Some((other, _))) = (snake, camel) {
            return Err(ApiError::invalid(format!(
                "Parameter '{name}' is given twice, as '{name}' and as '{other}'."
            )));
        }
        Ok(snake
            .or(camel.map(|(_, value)| value))
            .filter(|value| !value.is_null()))
    }

    /// Returns the text in a field; `None` when it is not given.
    pub(crate) fn text_or_none(&self, name: &str) -> Result<Option<String>, ApiError> {
        match self.value(name)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(wrong_type(name, other)),
        }
    }

    /// Returns a text, empty when there is none.
    pub(crate) fn text(&self, name: &str) -> Result<String, ApiError> {
        Ok(self.text_or_none(name)?.unwrap_or_default())
    }

    /// Returns a text that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<String, ApiError> {
        self.text_or_none(name)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| missing(name))
    }

    /// Returns the id of a run, under its old name too.
    pub(crate) fn run_id(&self) -> Result<String, ApiError> {
        match self.text_or_none("run_id")?.filter(|id| !id.is_empty()) {
            Some(id) => Ok(id),
            None => self
                .text_or_none("run_uuid")?
                .filter(|id| !id.is_empty())
                .ok_or_else(|| missing("run_id")),
        }
    }

    /// Returns the whole number in a field, also when it is written as text; `None` when it is not given.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.value(name)? else {
            return Ok(None);
        };
        let whole =
            |number: f64| (number.fract() == 0.0 && number.abs() < 9.2e18).then_some(number as i64);
        let number = match value {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| wrong_type(name, value))
    }

    /// Returns a number that must be there; `NaN` and the infinities are words.
    pub(crate) fn double(&self, name: &str) -> Result<f64, ApiError> {
        let value = self.value(name)?.ok_or_else(|| missing(name))?;
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => match text.as_str() {
                "NaN" => Some(f64::NAN),
                "Infinity" => Some(f64::INFINITY),
                "-Infinity" => Some(f64::NEG_INFINITY),
                text => text.parse().ok().filter(|number: &f64| number.is_finite()),
            },
            _ => None,
        };
        number.ok_or_else(|| wrong_type(name, value))
    }

    /// Returns yes or no; no when it is not there.
    pub(crate) fn boolean(&self, name: &str) -> Result<bool, ApiError> {
        match self.value(name)? {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(other) => Err(wrong_type(name, other)),
        }
    }

    /// Returns one of the words of an enumeration, given as such or as its number; `first` is the number of the first word.
    pub(crate) fn word(
        &self,
        name: &str,
        words: &[&'static str],
        first: usize,
    ) -> Result<Option<&'static str>, ApiError> {
        let Some(value) = self.value(name)? else {
            return Ok(None);
        };
        let number = match value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let by_number = number.and_then(|number| words.get((number as usize).checked_sub(first)?));
        let by_word = value
            .as_str()
            .and_then(|text| words.iter().find(|word| **word == text));
        by_number
            .or(by_word)
            .map(|word| Some(*word))
            .ok_or_else(|| wrong_type(name, value))
    }

    /// Returns a list of texts; one value alone is a list of it (queries).
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>, ApiError> {
        let text = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) if name.ends_with("ids") => Ok(number.to_string()),
            other => Err(wrong_type(name, other)),
        };
        match self.value(name)? {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(text).collect(),
            Some(value) => Ok(vec![text(value)?]),
        }
    }

    /// Returns a list of objects.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Fields<'_>>, ApiError> {
        let Some(value) = self.value(name)? else {
            return Ok(Vec::new());
        };
        let Value::Array(items) = value else {
            return Err(wrong_type(name, value));
        };
        let mut objects = Vec::with_capacity(items.len());
        for item in items {
            let Value::Object(fields) = item else {
                return Err(wrong_type(name, value));
            };
            objects.push(Fields(Cow::Borrowed(fields)));
        }
        Ok(objects)
    }

    /// Returns the fields of an object in a field; `None` when it is not given.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Fields<'_>>, ApiError> {
        match self.value(name)? {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Fields(Cow::Borrowed(fields)))),
            Some(other) => Err(wrong_type(name, other)),
        }
    }

    /// Returns a list of keys with values; a missing value is empty.
    pub(crate) fn key_values(&self, name: &str) -> Result<Vec<KeyValue>, ApiError> {
        let pairs = self.objects(name)?;
        let pair = |(position, pair): (usize, &Fields<'_>)| {
            let key = pair.text_or_none("key")?.filter(|key| !key.is_empty());
            Ok((
                key.ok_or_else(|| missing(&format!("{name}[{position}].key")))?,
                pair.text("value")?,
            ))
        };
        pairs.iter().enumerate().map(pair).collect()
    }
}

/// Numbers beyond the range of a double are an error to the JSON reader; as words they mean infinity, which is what MLflow makes of
/// them. Returns the body with such numbers as words, or nothing when there is none.
fn quoted_overflow(body: &[u8]) -> Option<Vec<u8>> {
    // Only an exponent of three digits can go beyond; a body without one is left as it is.
    let is_exponent = |window: &[u8]| {
        matches!(window[0], b'e' | b'E')
            && window[1..]
                .iter()
                .filter(|byte| byte.is_ascii_digit())
                .count()
                >= 3
    };
    if !body.windows(5).any(is_exponent) && !body.ends_with(b"e400") {
        return None;
    }
    let (mut out, mut position, mut is_text, mut changed) =
        (Vec::with_capacity(body.len()), 0, false, false);
    while position < body.len() {
        let byte = body[position];
        if is_text || byte == b'"' {
            let escaped = is_text && byte == b'\\';
            out.push(byte);
            is_text = if byte == b'"' { !is_text } else { is_text };
            position += 1;
            if escaped && position < body.len() {
                out.push(body[position]);
                position += 1;
            }
            continue;
        }
        let end = position
            + body[position..]
                .iter()
                .take_while(|byte| b"0123456789+-.eE".contains(byte))
                .count();
        let number = std::str::from_utf8(&body[position..end])
            .ok()
            .and_then(|text| text.parse::<f64>().ok());
        match number {
            Some(number) if number.is_infinite() => {
                out.extend_from_slice(if number > 0.0 {
                    b"\"Infinity\""
                } else {
                    b"\"-Infinity\""
                });
                changed = true;
            }
            _ => out.extend_from_slice(&body[position..end.max(position + 1)]),
        }
        position = end.max(position + 1);
    }
    changed.then_some(out)
}
