//! Why a request of a tracking client is refused, in the words such clients know.

use veracta_governance::record::RecordError;
use veracta_store::StoreError;

/// What kind of refusal it is: the error codes of MLflow's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A value is missing, malformed or against a rule.
    InvalidParameterValue,
    /// There is one already.
    ResourceAlreadyExists,
    /// There is none.
    ResourceDoesNotExist,
    /// It cannot be done to what is in this state.
    InvalidState,
    /// The rules of evidence forbid it.
    PermissionDenied,
}

/// Why a request is refused or fails.
#[derive(Debug, thiserror::Error)]
pub enum TrackingError {
    /// It is refused.
    #[error("{message}")]
    Refused {
        /// How.
        refusal: Refusal,
        /// What is told to the client.
        message: String,
    },
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record cannot be made.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl TrackingError {
    /// Refuses a value.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Refused {
            refusal: Refusal::InvalidParameterValue,
            message: message.into(),
        }
    }

    /// Says that something is not there.
    pub fn missing(message: impl Into<String>) -> Self {
        Self::Refused {
            refusal: Refusal::ResourceDoesNotExist,
            message: message.into(),
        }
    }

    /// Says that something is there already.
    pub fn exists(message: impl Into<String>) -> Self {
        Self::Refused {
            refusal: Refusal::ResourceAlreadyExists,
            message: message.into(),
        }
    }

    /// Refuses what would change evidence.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::Refused {
            refusal: Refusal::PermissionDenied,
            message: message.into(),
        }
    }
}
