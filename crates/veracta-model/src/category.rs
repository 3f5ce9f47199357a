//! The categories that a model knows, as its file spells them, and which of them a cell of data is.
//!
//! A word is matched letter by letter. A number is matched by value, so that `1`, `1.0` and a stored 1 are one, but whole numbers
//! digit by digit. A truth value is matched in any of its spellings.

use std::collections::HashMap;

use serde_json::{Number, Value};
use veracta_data::spelling::{parse_number, parse_truth, spell_moment};

/// A category of an input.
#[derive(Debug, Clone, PartialEq)]
pub enum Category {
    /// A word.
    Word(String),
    /// A number, as the file writes it.
    Number(Number),
    /// True or false.
    Truth(bool),
    /// A word of which the file holds the beginning only, and its length (XGBoost 3.1 and 3.2 count characters for bytes).
    Cut {
        /// What is there, never empty.
        start: String,
        /// Number of characters of the whole word.
        n_chars: usize,
    },
}

impl Category {
    /// Returns the category that a JSON value stands for; a list or an object is its text.
    pub(crate) fn of_json(value: Value) -> Self {
        match value {
            Value::Number(number) => Self::Number(number),
            Value::String(word) => Self::Word(word),
            Value::Bool(truth) => Self::Truth(truth),
            other => Self::Word(other.to_string()),
        }
    }

    /// Returns its name for people: 1 and 1.0 are `1`.
    pub fn name(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Number(number) => match number.as_i64() {
                Some(whole) => whole.to_string(),
                None => number
                    .as_f64()
                    .map_or_else(|| number.to_string(), |value| value.to_string()),
            },
            Self::Truth(true) => "True".to_owned(),
            Self::Truth(false) => "False".to_owned(),
            Self::Cut { start, .. } => format!("{start}…"),
        }
    }
}

/// Returns the name of a word and of another category that a cell of data does not tell apart, such as `1` the word and the number.
pub(crate) fn ambiguous(categories: &[Category]) -> Option<String> {
    let others: Vec<Category> = categories
        .iter()
        .filter(|category| !matches!(category, Category::Word(_)))
        .cloned()
        .collect();
    let known = KnownCategories::new(&others, Spelling::Exact);
    let is_another = |category: &&Category| match category {
        Category::Word(word) => known.code(word).is_some(),
        Category::Number(_) | Category::Truth(_) | Category::Cut { .. } => false,
    };
    categories.iter().find(is_another).map(Category::name)
}

/// How forgiving a search for a category is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// As a library compares: words letter by letter.
    Exact,
    /// White space around a word, `.0` after a whole number and the spelling of a truth value or a date do not count, where only one word of the
    /// model is meant: models trained here were trained on such readings.
    Forgiving,
}

/// Categories, ready to be found.
#[derive(Debug)]
pub struct KnownCategories<'c> {
    words: HashMap<&'c str, u32>,
    /// By value; whole numbers by their digits.
    numbers: HashMap<NumberKey, u32>,
    truths: [Option<u32>; 2],
    cut: Vec<(&'c str, usize, u32)>,
    /// Of forgiving searches: the code of each folded word, `None` where two fold to one.
    folded: Option<HashMap<String, Option<u32>>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum NumberKey {
    Whole(i128),
    Float(u64),
}

impl NumberKey {
    fn of_text(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(whole) = text.parse::<i128>() {
            return Some(Self::Whole(whole));
        }
        parse_number(text).map(Self::of_float)
    }

    fn of_float(value: f64) -> Self {
        // Every whole number of this size is itself as a float.
        match value.fract() == 0.0 && value.abs() < 2f64.powi(53) {
            true => Self::Whole(value as i128),
            false => Self::Float(value.to_bits()),
        }
    }

    fn of(number: &Number) -> Option<Self> {
        match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Some(Self::Whole(i128::from(whole))),
            (None, Some(whole)) => Some(Self::Whole(i128::from(whole))),
            (None, None) => number.as_f64().map(Self::of_float),
        }
    }
}

/// Folds a word for a forgiving search.
fn folded(word: &str) -> String {
    let word = word.trim();
    if let Some(truth) = parse_truth(word) {
        return truth.to_string();
    }
    if let Some(moment) = spell_moment(word) {
        return moment;
    }
    match word.strip_suffix(".0") {
        Some(whole) if !whole.is_empty() && whole.parse::<i128>().is_ok() => whole.to_owned(),
        _ => word.to_owned(),
    }
}

impl<'c> KnownCategories<'c> {
    /// Takes the categories in the order of their codes.
    pub fn new(categories: &'c [Category], spelling: Spelling) -> Self {
        let mut known = Self::of_words(&[], Spelling::Exact);
        for (code, category) in categories.iter().enumerate() {
            let code = code as u32;
            match category {
                Category::Word(word) => {
                    known.words.entry(word).or_insert(code);
                }
                Category::Number(number) => {
                    if let Some(key) = NumberKey::of(number) {
                        known.numbers.entry(key).or_insert(code);
                    }
                }
                Category::Truth(truth) => known.truths[usize::from(*truth)] = Some(code),
                Category::Cut { start, n_chars } => known.cut.push((start, *n_chars, code)),
            }
        }
        if spelling == Spelling::Forgiving {
            known.fold();
        }
        known
    }

    fn fold(&mut self) {
        let mut all: HashMap<String, Option<u32>> = HashMap::new();
        for (word, code) in &self.words {
            let code = Some(*code);
            let held = all.entry(folded(word)).or_insert(code);
            if *held != code {
                *held = None;
            }
        }
        self.folded = Some(all);
    }

    /// Takes words in the order of their codes.
    pub fn of_words(words: &'c [String], spelling: Spelling) -> Self {
        let mut known = Self {
            words: HashMap::new(),
            numbers: HashMap::new(),
            truths: [None; 2],
            cut: Vec::new(),
            folded: None,
        };
        for (code, word) in words.iter().enumerate() {
            known.words.entry(word).or_insert(code as u32);
        }
        if spelling == Spelling::Forgiving {
            known.fold();
        }
        known
    }

    /// Returns the code of the category that a cell is; `None` when the model does not know it.
    pub fn code(&self, cell: &str) -> Option<u32> {
        if let Some(code) = self.words.get(cell) {
            return Some(*code);
        }
        if !self.numbers.is_empty()
            && let Some(key) = NumberKey::of_text(cell)
            && let Some(code) = self.numbers.get(&key)
        {
            return Some(*code);
        }
        if self.truths != [None; 2]
            && let Some(truth) = parse_truth(cell.trim())
            && let Some(code) = self.truths[usize::from(truth)]
        {
            return Some(code);
        }
        if !self.cut.is_empty() {
            let n_chars = cell.chars().count();
            let mut meant = self
                .cut
                .iter()
                .filter(|(start, n, _)| *n == n_chars && cell.starts_with(start));
            if let (Some((_, _, code)), None) = (meant.next(), meant.next()) {
                return Some(*code);
            }
        }
        *self.folded.as_ref()?.get(&folded(cell))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<Category> {
        words
            .iter()
            .map(|word| Category::Word((*word).to_owned()))
            .collect()
    }

    #[test]
    fn words_are_matched_letter_by_letter() {
        let categories = words(&["01", "1", " Private", "1.0", "True", "NA"]);
        let known = KnownCategories::new(&categories, Spelling::Exact);
        let check = |cell: &str, code: Option<u32>| assert_eq!(known.code(cell), code, "{cell:?}");
        check("01", Some(0));
        check("1", Some(1));
        check(" Private", Some(2));
        check("Private", None);
        check("1.0", Some(3));
        check("1.00", None);
        check("true", None);
        check("NA", Some(5));
    }

    #[test]
    fn numbers_are_matched_by_value_and_whole_ones_digit_by_digit() {
        let json = r#"[1, 2.5, 1234567890123456789, 1234567890123456790, true, "x"]"#;
        let values: Vec<Value> = serde_json::from_str(json).unwrap_or_default();
        let categories: Vec<Category> = values.into_iter().map(Category::of_json).collect();
        let known = KnownCategories::new(&categories, Spelling::Exact);
        let check = |cell: &str, code: Option<u32>| assert_eq!(known.code(cell), code, "{cell:?}");
        check("1", Some(0));
        check("1.0", Some(0));
        check("01", Some(0));
        check("2.50", Some(1));
        check("1234567890123456789", Some(2));
        check("1234567890123456790", Some(3));
        check("1234567890123456791", None);
        check("TRUE", Some(4));
        check("false", None);
        check("x", Some(5));
        check("nan", None);
    }

    #[test]
    fn a_word_and_a_number_of_one_spelling_are_not_told_apart() {
        let of = |json: &str| {
            let values: Vec<Value> = serde_json::from_str(json).unwrap_or_default();
            let categories: Vec<Category> = values.into_iter().map(Category::of_json).collect();
            ambiguous(&categories)
        };
        assert_eq!(of(r#"[1, "1", "a"]"#).as_deref(), Some("1"));
        assert_eq!(of(r#"[true, "True"]"#).as_deref(), Some("True"));
        assert_eq!(of(r#"[2.0, "2.00"]"#).as_deref(), Some("2.00"));
        assert_eq!(of(r#"[1, "x", true, "1x"]"#), None);
    }

    #[test]
    fn a_forgiving_search_finds_one_word_or_none() {
        let categories = words(&[
            "True",
            "Private",
            "3",
            "07",
            "a",
            " a",
            "2026-01-31T00:00:00",
        ]);
        let known = KnownCategories::new(&categories, Spelling::Forgiving);
        let check = |cell: &str, code: Option<u32>| assert_eq!(known.code(cell), code, "{cell:?}");
        check("true", Some(0));
        check(" Private ", Some(1));
        check("3.0", Some(2));
        check("7", None);
        check("a", Some(4));
        check("a ", None);
        check("2026-01-31", Some(6));
        check("2026-01-31 00:00", Some(6));
        check("2026-01-31T00:00:00Z", None);
    }

    #[test]
    fn a_cut_word_is_matched_where_no_other_is_meant() {
        let cut = |start: &str, n_chars| Category::Cut {
            start: start.to_owned(),
            n_chars,
        };
        let categories = [cut("Sã", 9), cut("S", 3), cut("S", 3)];
        let known = KnownCategories::new(&categories, Spelling::Exact);
        assert_eq!(known.code("São Paulo"), Some(0));
        assert_eq!(known.code("São"), None);
        assert_eq!(known.code("São Pau"), None);
    }
}
