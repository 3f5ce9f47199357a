//! Models trained here: their file, which has one form, so that the same model has the same digest wherever it was trained.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use veracta_data::spelling::NUMBER_MARKS;

use super::{Form, Input, Label, Logistic, Model, ModelError, Signature, TreeOrigin};
use crate::tree::Link;
use crate::tree::xgboost::read_xgboost_json;

/// Format that is written of models trained here.
pub(crate) const MODEL_FORMAT: &str = "veracta-model/2";
/// Format of before, which does not say how inputs were read: words had no white space around them, and the marks of missing numbers were
/// missing among words too.
pub(crate) const FIRST_FORMAT: &str = "veracta-model/1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    format: String,
    label: Label,
    inputs: Vec<Input>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    xgboost: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    logistic: Option<Logistic>,
}

impl Model {
    /// Reads a model that was trained here.
    pub fn from_own_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut file: ModelFile = serde_json::from_slice(bytes)?;
        match file.format.as_str() {
            MODEL_FORMAT => {}
            FIRST_FORMAT => {
                let words = file
                    .inputs
                    .iter_mut()
                    .filter(|input| input.levels.is_some());
                for input in words {
                    input.has_rarer = true;
                    input.missing = NUMBER_MARKS.map(str::to_owned).to_vec();
                }
            }
            _ => return Err(ModelError::Format { found: file.format }),
        }
        let n_inputs = file.inputs.len();
        let form = match (file.xgboost, file.logistic) {
            (Some(xgboost), None) => {
                let ensemble = read_xgboost_json(xgboost.get().as_bytes())?;
                if ensemble.n_features != n_inputs
                    || ensemble.n_outputs() != 1
                    || ensemble.link != (Link::Logistic { scale: 1.0 })
                {
                    return Err(ModelError::Trees {
                        n_features: ensemble.n_features,
                        n_inputs,
                    });
                }
                let origin = TreeOrigin::Own { xgboost };
                Form::Trees { ensemble, origin }
            }
            (None, Some(logistic)) if logistic.terms.iter().all(|term| term.input < n_inputs) => {
                Form::Logistic(logistic)
            }
            _ => return Err(ModelError::Form),
        };
        Ok(Self {
            signature: Signature {
                inputs: file.inputs,
                n_inputs,
                label: Some(file.label),
                classes: Vec::new(),
            },
            form,
        })
    }

    /// Returns the canonical bytes of a model that was trained here.
    pub fn to_own_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let (xgboost, logistic) = match &self.form {
            Form::Trees { origin, .. } => match origin {
                TreeOrigin::Own { xgboost } => (Some(xgboost.clone()), None),
                TreeOrigin::Library(_) => return Err(ModelError::NotOwn),
            },
            Form::Logistic(logistic) => (None, Some(logistic.clone())),
            Form::Graph(_) => return Err(ModelError::NotOwn),
        };
        let label = self.signature.label.clone().ok_or(ModelError::NotOwn)?;
        Ok(serde_json::to_vec(&ModelFile {
            format: MODEL_FORMAT.to_owned(),
            label,
            inputs: self.signature.inputs.clone(),
            xgboost,
            logistic,
        })?)
    }
}
