//! Answers that are no success, as problem details (RFC 9457) with a hint, and why the server cannot start.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use plimsoll_bounded::Refused;
use thiserror::Error;

use crate::dto::ProblemDto;
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
    /// Who may log in cannot be read.
    #[error("cannot read who may log in: {reason}")]
    Logins {
        /// Why not.
        reason: String,
    },
    /// Certificate or key cannot be used.
    #[error("cannot serve TLS with {path}: {reason}")]
    Tls {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// It would be reachable from elsewhere, and anybody could listen or come in.
    #[error("web.listen {listen} can be reached from elsewhere, and {lack}")]
    Exposed {
        /// Where it was to listen.
        listen: SocketAddr,
        /// What is missing, and what to do.
        lack: &'static str,
    },
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
            Self::PortTaken { .. } | Self::Logins { .. } => Class::Unavailable,
            Self::Listen { .. }
            | Self::Config { .. }
            | Self::Memory(_)
            | Self::Task { .. }
            | Self::Token(_)
            | Self::Tls { .. }
            | Self::Exposed { .. } => Class::Fatal,
        }
    }
}

/// The media type of problem details.
pub(crate) const PROBLEM: &str = "application/problem+json";

/// An answer that is no success.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// Snake-case word to branch on.
    pub(crate) code: &'static str,
    pub(crate) detail: String,
    pub(crate) hint: Option<String>,
    /// When to come again, in seconds.
    pub(crate) retry_after_s: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), hint: None, retry_after_s: None }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says when to come again.
    #[must_use]
    pub(crate) fn again_in(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
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

/// What a handler's answer was refused for, for whoever writes down what happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Code(pub(crate) &'static str);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, code, detail, hint, retry_after_s } = self;
        let body = ProblemDto {
            kind: format!("/docs/problems#{code}"),
            title: status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: status.as_u16(),
            detail,
            code: code.to_owned(),
            hint,
            retry_after_s: retry_after_s.filter(|_| status == StatusCode::TOO_MANY_REQUESTS),
        };
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM))], text).into_response();
        response.extensions_mut().insert(Code(code));
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"plimsoll\""));
        }
        if let Some(seconds) = retry_after_s.or((status == StatusCode::SERVICE_UNAVAILABLE).then_some(2)) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
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
