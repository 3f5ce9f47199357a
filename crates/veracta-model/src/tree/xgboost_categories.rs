//! The categories in files of XGBoost: bytes with offsets for words, plain numbers else, nothing for a numeric feature.

use serde::Deserialize;
use serde_json::Number;

use super::TreeError;
use crate::category::Category;

fn unsupported(what: String) -> TreeError {
    TreeError::Unsupported { what }
}

/// Category names since XGBoost 3.1: bytes with offsets for text, plain numbers else; empty for a numeric feature.
#[derive(Deserialize)]
pub(super) struct CategoriesFile {
    #[serde(default)]
    enc: Vec<Encoding>,
}

#[derive(Deserialize)]
struct Encoding {
    #[serde(default)]
    offsets: Option<Vec<usize>>,
    #[serde(default)]
    values: Vec<Number>,
}

/// Returns the categories of each feature; empty when no feature has any.
pub(super) fn categories(
    file: Option<&CategoriesFile>,
    n_features: usize,
    version: &[u32],
) -> Result<Vec<Option<Vec<Category>>>, TreeError> {
    let Some(file) = file.filter(|file| file.enc.len() == n_features) else {
        return Ok(Vec::new());
    };
    // XGBoost 3.1 and 3.2 count the characters of names where their bytes are meant (dmlc/xgboost#12360).
    let counts_characters = matches!(version, [3, 1 | 2, ..]);
    let encodings = file.enc.iter().enumerate();
    let categories = encodings.map(|(feature, encoding)| {
        categories_of(encoding, counts_characters)
            .map_err(|reason| unsupported(format!("feature {feature}: {reason}")))
    });
    let categories = categories.collect::<Result<Vec<_>, _>>()?;
    Ok(if categories.iter().any(Option::is_some) {
        categories
    } else {
        Vec::new()
    })
}

/// Returns the categories of a feature, `None` of a numeric one; the error says why they are not read.
fn categories_of(
    encoding: &Encoding,
    counts_characters: bool,
) -> Result<Option<Vec<Category>>, &'static str> {
    const APART: &str = "a container of category names that does not hold together";
    if encoding.values.is_empty() {
        return Ok(None);
    }
    let Some(offsets) = &encoding.offsets else {
        let numbers = encoding.values.iter().cloned();
        return Ok(Some(numbers.map(Category::Number).collect()));
    };
    let bytes = encoding.values.iter();
    let bytes = bytes.map(|value| value.as_i64().map(|byte| byte as u8));
    let bytes: Vec<u8> = bytes.collect::<Option<_>>().ok_or(APART)?;
    if counts_characters && !bytes.is_ascii() {
        return characters_of(&bytes, offsets).map(Some);
    }
    let name = |pair: &[usize]| {
        let name = bytes.get(pair[0]..pair[1]).ok_or(APART)?;
        let name = std::str::from_utf8(name).map_err(|_| "a category name that is no UTF-8")?;
        Ok(Category::Word(name.to_owned()))
    };
    offsets
        .windows(2)
        .map(name)
        .collect::<Result<_, _>>()
        .map(Some)
}

/// Returns the names whose offsets count characters: the file ends where as many bytes do, so that the last ones are cut.
fn characters_of(bytes: &[u8], offsets: &[usize]) -> Result<Vec<Category>, &'static str> {
    const LOST: &str = "category names that XGBoost 3.1 or 3.2 cut away; save the model with a version that keeps them";
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).map_err(|_| LOST)?
        }
        Err(_) => return Err("a category name that is no UTF-8"),
    };
    let mut rest = whole.chars();
    let mut names = Vec::with_capacity(offsets.len());
    for pair in offsets.windows(2) {
        let n_chars = pair[1].checked_sub(pair[0]).ok_or(LOST)?;
        let start: String = rest.by_ref().take(n_chars).collect();
        names.push(match start.chars().count() {
            0 if n_chars > 0 => return Err(LOST),
            n if n < n_chars => Category::Cut { start, n_chars },
            _ => Category::Word(start),
        });
    }
    Ok(names)
}
