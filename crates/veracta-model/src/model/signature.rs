//! What a model reads and predicts.

use serde::{Deserialize, Serialize};

use super::ModelError;

/// An input of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name of the column it is read from.
    pub name: String,
    /// Categories in the order of their codes; `None` for a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<Vec<String>>,
    /// Whether the rows that it was trained on had rarer values beside the levels, which are missing to the model.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_rarer: bool,
    /// Cells that were missing in the column, beside the empty one and those that always are in a column of numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl Input {
    /// Returns an input of numbers.
    pub fn number(name: String) -> Self {
        Self {
            name,
            levels: None,
            has_rarer: false,
            missing: Vec::new(),
        }
    }
}

/// Values of a column that a model did not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnknownValues {
    /// Name of the column.
    pub column: String,
    /// Number of cells with a value that the model does not know.
    pub n_unknown: u64,
    /// Number of cells that are not missing.
    pub n_present: u64,
}

/// The event whose probability a model predicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Name of the label's column.
    pub column: String,
    /// Value that counts as positive.
    pub positive: String,
}

/// What a model reads and predicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Inputs in order; none when the file has no names and position decides.
    pub inputs: Vec<Input>,
    /// Number of inputs, also when `inputs` is empty.
    pub n_inputs: usize,
    /// What the probability that it predicts is of; `None` when the file does not say.
    pub label: Option<Label>,
    /// Names of the classes in the order of the model, as an ONNX file states them; empty when the file has none.
    pub classes: Vec<String>,
}

impl UnknownValues {
    /// Returns it as a sentence.
    pub fn sentence(&self) -> String {
        let Self {
            column,
            n_unknown,
            n_present,
        } = self;
        format!(
            "the model does not know {n_unknown} of the {n_present} values of column `{column}`"
        )
    }
}

impl Signature {
    /// Returns whether inputs are matched by name.
    pub fn is_named(&self) -> bool {
        !self.inputs.is_empty()
    }

    /// Returns the names of the inputs; `None` when position decides.
    pub fn input_names(&self) -> Option<Vec<String>> {
        let names = self.inputs.iter().map(|input| input.name.clone());
        self.is_named().then(|| names.collect())
    }

    /// Refuses a model that names its classes and whose second, of which it gives the probability, is not the positive one. Taking
    /// the probability of the other class would turn every result around.
    pub(super) fn check_classes(&self, label: &Label) -> Result<(), ModelError> {
        let refused = |reason: String| Err(ModelError::Brought { reason });
        let [first, second] = match &self.classes[..] {
            [] => return Ok(()),
            [first, second] => [first, second],
            several => return refused(format!("it tells {} classes apart", several.len())),
        };
        // Numbers of two classes say nothing of their names: 1 is the positive one wherever they come from.
        let is_numbered = [first.as_str(), second] == ["0", "1"];
        if *second == label.positive || is_numbered && *first != label.positive {
            return Ok(());
        }
        refused(format!(
            "it gives the probability of its second class `{second}`, not of `{}`",
            label.positive
        ))
    }
}
