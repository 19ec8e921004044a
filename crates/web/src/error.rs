//! Answers that are no success, as JSON with a hint, and why the server cannot start.

use std::net::SocketAddr;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use plimsoll_bounded::Refused;
use thiserror::Error;

use crate::dto::ErrorDto;
use crate::ports::{ControlError, HistoryError};
use crate::token::TokenError;

/// Why the web server cannot start.
#[derive(Debug, Error)]
pub enum WebError {
    /// Another process listens there.
    #[error("{listen} is taken by another process: stop it (a second plimsoll?), or set web.listen to another port")]
    PortTaken {
        /// Where it was to listen.
        listen: SocketAddr,
    },
    /// The operating system does not let us listen there.
    #[error("cannot listen on {listen}: set web.listen to an address of this machine and a port above 1023")]
    Listen {
        /// Where it was to listen.
        listen: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A figure of the configuration is out of its range.
    #[error("web.{key} is {value}, allowed is {range}")]
    Config {
        /// Which one.
        key: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        range: &'static str,
    },
    /// The memory plan has no room.
    #[error("no room for the web server in the memory plan")]
    Memory(#[from] Refused),
    /// A task could not be started.
    #[error("cannot start task {task}: {reason}")]
    Task {
        /// Which one.
        task: &'static str,
        /// Why not.
        reason: String,
    },
    /// The admin token cannot be guarded.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// How a caller should take a [`WebError`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Nothing helps but to change the configuration or the machine.
    Fatal,
    /// It may be gone in a moment.
    Unavailable,
}

impl WebError {
    /// Tells how to take it.
    pub const fn class(&self) -> Class {
        match self {
            Self::PortTaken { .. } => Class::Unavailable,
            Self::Listen { .. } | Self::Config { .. } | Self::Memory(_) | Self::Task { .. } | Self::Token(_) => Class::Fatal,
        }
    }
}

/// An answer that is no success.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) error: &'static str,
    pub(crate) detail: String,
    pub(crate) hint: Option<String>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, error: &'static str, detail: impl Into<String>) -> Self {
        Self { status, error, detail: detail.into(), hint: None }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn bad_query(key: &str, value: &str, range: &str) -> Self {
        let value: String = value.chars().take(60).collect();
        Self::new(StatusCode::BAD_REQUEST, "bad_query", format!("{key}={value} is not {range}")).hint(format!("give {key} as {range}"))
    }

    pub(crate) fn unknown_symbol(id: &str, known: impl Iterator<Item = String>) -> Self {
        let id: String = id.chars().take(40).collect();
        // A list of hundreds helps nobody.
        let known: Vec<String> = known.take(20).collect();
        Self::new(StatusCode::NOT_FOUND, "unknown_symbol", format!("symbol {id} is not traded here"))
            .hint(format!("symbols are listed at /api/symbols: {}", known.join(", ")))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, error, detail, hint } = self;
        let mut response = (status, Json(ErrorDto { error: error.to_owned(), detail, hint })).into_response();
        match status {
            StatusCode::UNAUTHORIZED => {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"plimsoll\""));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
            }
            _ => {}
        }
        response
    }
}

impl From<HistoryError> for ApiError {
    fn from(error: HistoryError) -> Self {
        let detail = error.to_string();
        match error {
            HistoryError::Unavailable { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "history_unavailable", detail).hint("trading goes on; try again in a moment")
            }
            HistoryError::Refused { .. } => Self::new(StatusCode::BAD_REQUEST, "bad_query", detail),
        }
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        let detail = error.to_string();
        match error {
            ControlError::UnknownSymbol(_) => {
                Self::new(StatusCode::NOT_FOUND, "unknown_symbol", detail).hint("symbols are listed at /api/symbols")
            }
            ControlError::Refused { .. } => Self::new(StatusCode::CONFLICT, "refused", detail),
            ControlError::Busy(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).hint("try again in a moment"),
            ControlError::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", detail),
        }
    }
}
