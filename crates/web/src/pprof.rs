//! Profiles of the running process, for those who hold the admin token and nobody else; off unless configured.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use plimsoll_bounded::Grant;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;
use crate::extract::Query;
use crate::limits::{PROFILE_BYTES_MAX, PROFILE_SECONDS, PROFILE_SECONDS_DEFAULT};
use crate::ports::{ProfileRefused, Profiler};
use crate::routes::{App, Shared, in_pieces, number};

/// Where profiles are.
pub(crate) const PATHS: &str = "/debug/pprof/";

/// What is there when profiles are enabled: the right to take one, and its line in the ledger.
pub(crate) struct Pprof {
    turn: Arc<Semaphore>,
    grant: Grant,
}

impl Pprof {
    pub(crate) fn new(grant: Grant) -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), grant }
    }
}

/// One profile, until its last byte has left.
struct Taking {
    _permit: OwnedSemaphorePermit,
    gauge: plimsoll_bounded::Gauge,
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.gauge.sub(1);
    }
}

pub(crate) async fn heap(State(shared): App) -> Result<Response, ApiError> {
    let taking = begin(&shared)?;
    let taken = take(&shared, |profiler| profiler.heap()).await?;
    send(&shared, taking, "heap", taken)
}

/// `?seconds=10`. Text, so that a wrong figure is answered with a sentence.
#[derive(Deserialize)]
pub(crate) struct CpuQuery {
    seconds: Option<String>,
}

pub(crate) async fn cpu(State(shared): App, Query(query): Query<CpuQuery>) -> Result<Response, ApiError> {
    enabled(&shared)?;
    let seconds = number(query.seconds.as_deref(), "seconds", PROFILE_SECONDS, "a number from 1 to 60")?;
    let taking = begin(&shared)?;
    let duration = Duration::from_secs(seconds.unwrap_or(PROFILE_SECONDS_DEFAULT));
    let taken = take(&shared, |profiler| profiler.cpu(duration)).await?;
    send(&shared, taking, "cpu", taken)
}

fn enabled(shared: &Shared) -> Result<&Pprof, ApiError> {
    let off = || ApiError::new(StatusCode::NOT_FOUND, "not_found", "profiles are not enabled").hint("set web.pprof: true and start again");
    shared.pprof.as_ref().ok_or_else(off)
}

fn begin(shared: &Shared) -> Result<Taking, ApiError> {
    let pprof = enabled(shared)?;
    let permit = Arc::clone(&pprof.turn).try_acquire_owned().map_err(|_| busy())?;
    let gauge = pprof.grant.gauge();
    gauge.add(1);
    Ok(Taking { _permit: permit, gauge })
}

fn busy() -> ApiError {
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "profile_running", "a profile is being taken already").hint("try again when it is done")
}

async fn take<'a, F>(shared: &'a Shared, with: impl FnOnce(&'a dyn Profiler) -> F) -> Result<Vec<u8>, ApiError>
where
    F: Future<Output = Result<Vec<u8>, ProfileRefused>>,
{
    with(shared.ports.profiler.as_ref()).await.map_err(|error| match error {
        ProfileRefused::Busy => busy(),
        ProfileRefused::Failed(reason) => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "profile_failed", reason),
    })
}

fn send(shared: &Shared, taking: Taking, kind: &str, profile: Vec<u8>) -> Result<Response, ApiError> {
    if profile.len() > PROFILE_BYTES_MAX {
        let detail = format!("the profile has {} bytes, at most {PROFILE_BYTES_MAX} are sent", profile.len());
        return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "profile_too_large", detail).hint("ask for fewer seconds"));
    }
    let now = shared.ports.source.now().millis() / 1_000;
    tracing::info!(kind, size_bytes = profile.len(), "profile taken over http");
    let name = format!("attachment; filename=\"plimsoll-{kind}-{now}.pb.gz\"");
    let name = HeaderValue::from_str(&name)
        .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("no name for the profile: {error}")))?;
    let kind = HeaderValue::from_static("application/octet-stream");
    let length = HeaderValue::from(profile.len());
    let body: Body = in_pieces(Bytes::from(profile), taking);
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_LENGTH, length), (header::CONTENT_DISPOSITION, name)], body).into_response())
}
