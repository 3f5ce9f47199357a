//! The only place that knows HTTP statuses. Causes never reach a response.

use std::io::Write;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use veracta_lifecycle::tracking::{Refusal, TrackingError};
use veracta_store::StoreError;

/// Seconds after which a client may try again what failed for now.
const RETRY_SECONDS: &str = "5";

/// Why a request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// There is no such file in the log.
    #[error("there is no such file in the log")]
    NotFound,
    /// There is no such path.
    #[error("there is nothing at this path")]
    NoRoute,
    /// The body is too large.
    #[error("the body of the request is over the limit of {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// A tracking request is refused.
    #[error("{message}")]
    Refused {
        /// How.
        refusal: Refusal,
        /// Told to the client.
        message: String,
    },
    /// A part of the API that this server leaves out.
    #[error("{0} is not part of this server, which tracks, registers and governs models; traces and prompts' tools are left to others")]
    NotImplemented(&'static str),
    /// It would succeed later.
    #[error("the server cannot do this for now; nothing was half-written, try again")]
    Unavailable,
    /// The workspace fails.
    #[error("the request cannot be carried out")]
    Internal,
}

impl ApiError {
    /// Refuses a value.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Refused { refusal: Refusal::InvalidParameterValue, message: message.into() }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoRoute => StatusCode::NOT_FOUND,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Refused { refusal, .. } => match refusal {
                Refusal::InvalidParameterValue | Refusal::ResourceAlreadyExists => StatusCode::BAD_REQUEST,
                Refusal::ResourceDoesNotExist => StatusCode::NOT_FOUND,
                // MLflow answers 500, which makes its clients repeat the request for minutes.
                Refusal::InvalidState => StatusCode::CONFLICT,
                Refusal::PermissionDenied => StatusCode::FORBIDDEN,
            },
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The error code of MLflow's API.
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound | Self::NoRoute => "ENDPOINT_NOT_FOUND",
            Self::TooLarge { .. } => "BAD_REQUEST",
            Self::Refused { refusal, .. } => match refusal {
                Refusal::InvalidParameterValue => "INVALID_PARAMETER_VALUE",
                Refusal::ResourceAlreadyExists => "RESOURCE_ALREADY_EXISTS",
                Refusal::ResourceDoesNotExist => "RESOURCE_DOES_NOT_EXIST",
                Refusal::InvalidState => "INVALID_STATE",
                Refusal::PermissionDenied => "PERMISSION_DENIED",
            },
            Self::NotImplemented(_) => "NOT_IMPLEMENTED",
            Self::Unavailable => "TEMPORARILY_UNAVAILABLE",
            Self::Internal => "INTERNAL_ERROR",
        }
    }
}

/// Tells the operator the cause, which the client is not told.
fn complain(error: &dyn std::error::Error) {
    // Nobody may be listening: a closed pipe does not end the request.
    let _ = writeln!(std::io::stderr(), "error: {error}");
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        complain(&error);
        if error.is_passing() { Self::Unavailable } else { Self::Internal }
    }
}

impl From<TrackingError> for ApiError {
    fn from(error: TrackingError) -> Self {
        match error {
            TrackingError::Refused { refusal, message } => Self::Refused { refusal, message },
            TrackingError::Store(error) => error.into(),
            TrackingError::Record(error) => {
                complain(&error);
                Self::Internal
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        if matches!(self, Self::NotFound) {
            return (status, format!("{self}\n")).into_response();
        }
        let code = self.code();
        let class = if code == "RESOURCE_DOES_NOT_EXIST" { "RESOURCE_NOT_FOUND" } else { code };
        let body = json!({ "error_code": code, "message": self.to_string(), "sqlstate": "KAM00", "error_class": class });
        let mut response = (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response();
        if matches!(self, Self::Unavailable) {
            response.headers_mut().insert(RETRY_AFTER, axum::http::HeaderValue::from_static(RETRY_SECONDS));
        }
        response
    }
}
