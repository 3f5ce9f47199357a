//! The settings of one operator of a file.

use super::post_transform::PostTransform;
use super::proto::{AttributeProto, NodeProto, TensorProto};
use super::tensor::{Elements, Tensor, text};
use super::{OnnxError, refuse};

/// The settings of an operator, with its name for messages.
pub(super) struct Attributes<'n> {
    node: &'n NodeProto,
    /// Operator with its set and version, and the node's name.
    pub(super) title: String,
}

impl<'n> Attributes<'n> {
    pub(super) fn new(node: &'n NodeProto, version: i64) -> Self {
        let domain = if node.domain.is_empty() {
            "ai.onnx"
        } else {
            &node.domain
        };
        let name = if node.name.is_empty() {
            String::new()
        } else {
            format!(", node `{}`", node.name)
        };
        Self {
            node,
            title: format!("{} ({domain} version {version}{name})", node.op_type),
        }
    }

    fn find(&self, name: &str) -> Option<&'n AttributeProto> {
        self.node
            .attribute
            .iter()
            .find(|attribute| attribute.name == name)
    }

    /// Returns whether one of these is set.
    pub(super) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.find(name).is_some())
    }

    /// Returns whether one of these is a tensor of 64-bit numbers.
    pub(super) fn is_double(&self, names: &[&str]) -> bool {
        names
            .iter()
            .filter_map(|name| self.find(name)?.t.as_ref())
            .any(|tensor| tensor.data_type == 11)
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.find(name)?.i
    }

    pub(super) fn float(&self, name: &str) -> Option<f32> {
        self.find(name)?.f
    }

    pub(super) fn ints(&self, name: &str) -> &'n [i64] {
        self.find(name).map_or(&[], |attribute| &attribute.ints)
    }

    pub(super) fn floats(&self, name: &str) -> &'n [f32] {
        self.find(name).map_or(&[], |attribute| &attribute.floats)
    }

    pub(super) fn tensor_proto(&self, name: &str) -> Option<&'n TensorProto> {
        self.find(name)?.t.as_ref()
    }

    pub(super) fn tensor(&self, name: &str) -> Result<Option<Tensor>, OnnxError> {
        self.tensor_proto(name)
            .map(|tensor| Tensor::read(tensor).map_err(|reason| refuse(self, &reason)))
            .transpose()
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, OnnxError> {
        let bytes = self.find(name).and_then(|attribute| attribute.s.clone());
        bytes
            .map(String::from_utf8)
            .transpose()
            .map_err(|_| refuse(self, &format!("has a `{name}` that is not UTF-8")))
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, OnnxError> {
        let words = self
            .find(name)
            .map_or(&[][..], |attribute| &attribute.strings);
        text(words).ok_or_else(|| refuse(self, &format!("has a `{name}` that is not UTF-8")))
    }

    /// Returns numbers given as a list, as a tensor, or as a tensor named `<name>_as_tensor`.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<f64>, OnnxError> {
        let tensor = match self.tensor(&format!("{name}_as_tensor"))? {
            Some(tensor) => Some(tensor),
            None => self.tensor(name)?,
        };
        match tensor.map(|tensor| tensor.elements) {
            None => Ok(self
                .floats(name)
                .iter()
                .map(|value| f64::from(*value))
                .collect()),
            Some(Elements::Float(values)) => {
                Ok(values.iter().map(|value| f64::from(*value)).collect())
            }
            Some(Elements::Double(values)) => Ok(values),
            Some(Elements::Int(values)) => Ok(values.iter().map(|value| *value as f64).collect()),
            Some(Elements::Text(_) | Elements::Bool(_)) => {
                Err(refuse(self, &format!("has a `{name}` that is not numbers")))
            }
        }
    }

    /// Returns a number of things: at least 1, and no more than a model may have outputs.
    pub(super) fn count(&self, name: &str) -> Result<usize, OnnxError> {
        let count = usize::try_from(self.int(name).unwrap_or(1)).ok();
        let count = count.filter(|count| (1..=crate::tree::OUTPUTS_LIMIT).contains(count));
        count.ok_or_else(|| {
            refuse(
                self,
                &format!("has a `{name}` outside 1 to {}", crate::tree::OUTPUTS_LIMIT),
            )
        })
    }

    /// Returns what is done to scores.
    pub(super) fn post_transform(&self) -> Result<PostTransform, OnnxError> {
        let named = self.text("post_transform")?;
        let found = match (named.as_deref(), self.int("post_transform")) {
            (Some("NONE"), _) | (None, None | Some(0)) => PostTransform::None,
            (Some("SOFTMAX"), _) | (None, Some(1)) => PostTransform::Softmax,
            (Some("LOGISTIC"), _) | (None, Some(2)) => PostTransform::Logistic,
            (Some("SOFTMAX_ZERO"), _) | (None, Some(3)) => PostTransform::SoftmaxZero,
            (Some(other), _) => {
                return Err(refuse(
                    self,
                    &format!("transforms scores by {other}, which is not supported"),
                ));
            }
            (None, Some(other)) => {
                return Err(refuse(
                    self,
                    &format!("transforms scores by function {other}, which is not supported"),
                ));
            }
        };
        Ok(found)
    }
}
