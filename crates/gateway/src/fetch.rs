use crate::config::Endpoint;
use crate::dial::Dialer;
use crate::limits::HTTP_BUFFER_MAX;
use crate::once::AskError;
use crate::work::Body;
use http::header::{CONTENT_RANGE, HOST, RANGE};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use thiserror::Error;

/// Why a file did not come whole.
#[derive(Debug, Error)]
pub enum FetchError {
    /// Nothing came for too long, or the connection broke: what has come is good, and the rest may be asked for.
    #[error(transparent)]
    Broken(#[from] AskError),
    /// The address has another answer than the file.
    #[error("the server answers {0}")]
    Status(u16),
    /// What came could not be kept.
    #[error("cannot be written: {0}")]
    Kept(#[source] std::io::Error),
}

/// A part of a file that has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part<'a> {
    /// Where in the file it begins.
    pub at: u64,
    /// Bytes of the whole file, when the server tells.
    pub whole: Option<u64>,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Fetches a file from a byte on, over a connection of its own, and calls `keep` with each part as it comes. A server that cannot
/// begin in the middle begins anew; the part says so.
///
/// # Errors
/// What came before is good; [`FetchError::Broken`] may be tried again.
///
/// # Bounds
/// One part at a time; nothing is collected. `patience` bounds the wait for each.
pub async fn fetch(
    end: &Endpoint,
    target: &str,
    from: u64,
    patience: Duration,
    mut keep: impl FnMut(Part<'_>) -> std::io::Result<()>,
) -> Result<(), FetchError> {
    let path = end.path(target).ok_or(AskError::Malformed)?;
    let mut request = Request::builder().method(Method::GET).uri(path).header(HOST, &end.authority);
    if from > 0 {
        request = request.header(RANGE, format!("bytes={from}-"));
    }
    let request = request.body(Body::new()).map_err(|_| AskError::Malformed)?;
    let dialer = Dialer::new().map_err(AskError::Tls)?;
    let late = |_| AskError::Late(patience);
    let stream = tokio::time::timeout(patience, dialer.dial(end)).await.map_err(late)?.map_err(AskError::Connect)?;
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_buf_size(HTTP_BUFFER_MAX);
    let http = |e: hyper::Error| AskError::Http(e.to_string());
    let (mut requester, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(http)?;
    tokio::pin!(connection);
    let all = async {
        let response = tokio::time::timeout(patience, requester.send_request(request)).await.map_err(late)?.map_err(http)?;
        let status = response.status();
        let header = |name| response.headers().get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).map(str::to_owned);
        let mut at = match status {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT => from,
            other => return Err(FetchError::Status(other.as_u16())),
        };
        let length = header(http::header::CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok()).map(|length| length + at);
        let whole = header(CONTENT_RANGE).and_then(|text| text.rsplit('/').next()?.parse().ok()).or(length);
        let mut body = response.into_body();
        // A file that is empty tells its beginning, too.
        keep(Part { at, whole, bytes: &[] }).map_err(FetchError::Kept)?;
        while let Some(frame) = tokio::time::timeout(patience, body.frame()).await.map_err(late)? {
            let Ok(bytes) = frame.map_err(http)?.into_data() else { continue };
            keep(Part { at, whole, bytes: &bytes }).map_err(FetchError::Kept)?;
            at += bytes.len() as u64;
        }
        Ok(())
    };
    tokio::pin!(all);
    let mut open = true;
    // bounded: the connection ends once; then only the answer is waited for, each part for its time.
    loop {
        tokio::select! {
            biased;
            // The file first: the connection ends after it.
            done = &mut all => return done,
            _ = &mut connection, if open => open = false,
        }
    }
}
