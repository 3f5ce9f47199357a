//! Why a request of a tracking client is refused, in the words such clients know.

use veracta_governance::record::RecordError;
use veracta_store::StoreError;

/// What kind of refusal it is: the error codes of MLflow's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A value is missing, malformed or against a rule.
    InvalidParameterValue,
    /// A thing with that name or id exists already.
    ResourceAlreadyExists,
    /// No thing has that name or id.
    ResourceDoesNotExist,
    /// It cannot be done to what is in this state.
    InvalidState,
    /// It would change or remove evidence that must stay.
    PermissionDenied,
}

/// Why a request of a tracking client is refused or fails.
#[derive(Debug, thiserror::Error)]
pub enum TrackingError {
    /// The request is refused: it is malformed, or a rule forbids it.
    #[error("{message}")]
    Refused {
        /// The kind of refusal, from which the status of the answer follows.
        refusal: Refusal,
        /// Reason for the refusal, in the words that clients of MLflow know.
        message: String,
    },
    /// The store refuses or fails; see [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record of the change cannot be encoded.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl TrackingError {
    /// Returns the refusal of a value that is missing, malformed or against a rule.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Refused {
            refusal: Refusal::InvalidParameterValue,
            message: message.into(),
        }
    }

    /// Returns the refusal of a request for something that does not exist.
    pub fn missing(message: impl Into<String>) -> Self {
        Self::Refused {
            refusal: Refusal::ResourceDoesNotExist,
            message: message.into(),
        }
    }

    /// Returns the refusal to create something that exists already.
    pub fn exists(message: impl Into<String>) -> Self {
        Self::Refused {
            refusal: Refusal::ResourceAlreadyExists,
            message: message.into(),
        }
    }

    /// Returns the refusal of a change of evidence.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::Refused {
            refusal: Refusal::PermissionDenied,
            message: message.into(),
        }
    }
}
