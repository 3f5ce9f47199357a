//! The only place that knows HTTP statuses. Causes never reach a response.

use std::io::Write;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use veracta_store::StoreError;
use veracta_tracking::access::Denial;
use veracta_tracking::{Refusal, TrackingError};

/// Seconds after which a client may try again what failed for now.
const RETRY_SECONDS: &str = "5";

/// Why a request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// There is no such file in the log.
    #[error("there is no such file in the log")]
    NotFound,
    /// No route has this path.
    #[error("there is nothing at this path")]
    NoRoute,
    /// The body of the request is over its limit.
    #[error("the body of the request is over the limit of {limit} bytes")]
    TooLarge {
        /// Largest body that this request may have, in bytes.
        limit: usize,
    },
    /// The request is refused by a rule of tracking or of the registry.
    #[error("{message}")]
    Refused {
        /// The kind of refusal, from which status and error code follow.
        refusal: Refusal,
        /// Reason for the refusal, as it is told to the client.
        message: String,
    },
    /// A part of the API that this server leaves out.
    #[error(
        "{0} is not part of this server, which tracks, registers and governs models; traces and prompts' tools are left to others"
    )]
    NotImplemented(&'static str),
    /// Direct transfer is asked for, and the object store signs no addresses.
    #[error(
        "direct transfer needs an object store that signs addresses (--objects s3://, gs:// or az://); send files through this server"
    )]
    NoDirectTransfer,
    /// The caller is unknown, or may not do this.
    #[error("{}", denied(*.0))]
    Denied(Denial),
    /// The caller, or its address, made more requests than allowed.
    #[error("too many requests; wait a moment")]
    TooMany,
    /// The request was sent to another host.
    #[error(
        "this server answers on this machine's own names only, such as localhost: it has no accounts"
    )]
    ForeignHost,
    /// Log-in is asked for, and the server has no identity provider.
    #[error("this server has no identity provider to log in with; use a token")]
    NoProvider,
    /// The identity provider does not do its part.
    #[error("log-in failed: the identity provider: {0}")]
    Provider(&'static str),
    /// The provider knows somebody who is no user here.
    #[error(
        "log-in failed: you are no user here; ask an administrator to add you (veracta user add)"
    )]
    NotAUser,
    /// The store cannot do it now, and may when the request is repeated.
    #[error("the server cannot do this for now; nothing was half-written, try again")]
    Unavailable,
    /// The server failed; the cause is logged and not told to the client.
    #[error("the request cannot be carried out")]
    Internal,
}

impl ApiError {
    /// Returns the refusal of a value that is missing, malformed or against a rule.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Refused {
            refusal: Refusal::InvalidParameterValue,
            message: message.into(),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoRoute => StatusCode::NOT_FOUND,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Refused { refusal, .. } => match refusal {
                Refusal::InvalidParameterValue | Refusal::ResourceAlreadyExists => {
                    StatusCode::BAD_REQUEST
                }
                Refusal::ResourceDoesNotExist => StatusCode::NOT_FOUND,
                // MLflow answers 500, which makes its clients repeat the request for minutes.
                Refusal::InvalidState => StatusCode::CONFLICT,
                Refusal::PermissionDenied => StatusCode::FORBIDDEN,
            },
            Self::Denied(Denial::NotPermitted) | Self::ForeignHost | Self::NotAUser => {
                StatusCode::FORBIDDEN
            }
            Self::NoProvider => StatusCode::NOT_FOUND,
            Self::Provider(_) => StatusCode::UNAUTHORIZED,
            Self::Denied(_) => StatusCode::UNAUTHORIZED,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::NotImplemented(_) | Self::NoDirectTransfer => StatusCode::NOT_IMPLEMENTED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns the error code of MLflow's API.
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
            Self::Denied(Denial::NotPermitted) | Self::ForeignHost | Self::NotAUser => {
                "PERMISSION_DENIED"
            }
            Self::NoProvider => "ENDPOINT_NOT_FOUND",
            Self::Provider(_) => "UNAUTHENTICATED",
            Self::Denied(_) => "UNAUTHENTICATED",
            Self::TooMany => "REQUEST_LIMIT_EXCEEDED",
            Self::NotImplemented(_) | Self::NoDirectTransfer => "NOT_IMPLEMENTED",
            Self::Unavailable => "TEMPORARILY_UNAVAILABLE",
            Self::Internal => "INTERNAL_ERROR",
        }
    }
}

/// Says why a caller is not let through. What was wrong with a token is told to those who read the ledger, not to whoever tries tokens.
fn denied(denial: Denial) -> &'static str {
    match denial {
        Denial::NotPermitted => "Permission denied: none of your roles permits this request.",
        Denial::NoToken => {
            "You are not authenticated. Send a token: as bearer (MLFLOW_TRACKING_TOKEN), or as the password of basic authentication \
             (MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD)."
        }
        Denial::Unknown | Denial::Expired | Denial::Revoked | Denial::NoRoles => {
            "You are not authenticated: this token is not valid."
        }
    }
}

/// Tells the operator the cause, which the client is not told.
pub(crate) fn log_error(error: &dyn std::fmt::Display) {
    // Nobody may be listening: a closed pipe does not end the request.
    let _ = writeln!(std::io::stderr(), "error: {error}");
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        log_error(&error);
        if error.is_passing() {
            Self::Unavailable
        } else {
            Self::Internal
        }
    }
}

impl From<TrackingError> for ApiError {
    fn from(error: TrackingError) -> Self {
        match error {
            TrackingError::Refused { refusal, message } => Self::Refused { refusal, message },
            TrackingError::Store(error) => error.into(),
            TrackingError::Record(error) => {
                log_error(&error);
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
        let class = if code == "RESOURCE_DOES_NOT_EXIST" {
            "RESOURCE_NOT_FOUND"
        } else {
            code
        };
        let body = json!({ "error_code": code, "message": self.to_string(), "sqlstate": "KAM00", "error_class": class });
        let mut response = (
            status,
            [(CONTENT_TYPE, "application/json")],
            body.to_string(),
        )
            .into_response();
        if matches!(self, Self::Unavailable | Self::TooMany) {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        }
        if status == StatusCode::UNAUTHORIZED {
            for scheme in ["Bearer realm=\"veracta\"", "Basic realm=\"veracta\""] {
                response
                    .headers_mut()
                    .append(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
            }
        }
        response
    }
}
