use crate::config::Endpoint;
use crate::dial::Dialer;
use crate::limits::HTTP_BUFFER_MAX;
use crate::work::Body;
use http::header::{HOST, HeaderName, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use thiserror::Error;

/// Why a single question had no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// The address cannot be connected to.
    #[error("cannot connect: {0}")]
    Connect(#[source] std::io::Error),
    /// The connection or its answer was no HTTP.
    #[error("no answer: {0}")]
    Http(String),
    /// It took too long.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// Key or target cannot be written into a request.
    #[error("the question cannot be written")]
    Malformed,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] rustls::Error),
}

/// Asks a single question over a connection of its own: for what is asked once, at another address than the account's. The
/// target holds a signature and is never logged. Returns status and body.
///
/// # Errors
/// When no whole answer of at most `body_max` bytes came in time.
///
/// # Cancel safety
/// Given up, the question may have been asked.
pub async fn ask_once(
    end: &Endpoint,
    api_key: &str,
    target: &str,
    longest: Duration,
    body_max: usize,
) -> Result<(u16, bytes::Bytes), AskError> {
    const API_KEY: HeaderName = HeaderName::from_static("x-mbx-apikey");
    let path = end.path(target).ok_or(AskError::Malformed)?;
    let key = HeaderValue::from_str(api_key).map_err(|_| AskError::Malformed)?;
    let request = Request::builder().method(Method::GET).uri(path).header(HOST, &end.authority).header(API_KEY, key);
    let request = request.body(Body::new()).map_err(|_| AskError::Malformed)?;
    let dialer = Dialer::new().map_err(AskError::Tls)?;
    let asked = async {
        let stream = dialer.dial(end).await.map_err(AskError::Connect)?;
        let mut builder = hyper::client::conn::http1::Builder::new();
        builder.max_buf_size(HTTP_BUFFER_MAX);
        let http = |e: hyper::Error| AskError::Http(e.to_string());
        let (mut requester, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(http)?;
        tokio::pin!(connection);
        let answer = async {
            let response = requester.send_request(request).await.map_err(http)?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), body_max).collect().await.map_err(|e| AskError::Http(e.to_string()))?;
            Ok((status, body.to_bytes()))
        };
        tokio::pin!(answer);
        let mut open = true;
        // A connection may end with the answer's last bytes, before the answer is looked at; how it ended the answer knows.
        // bounded: the connection ends once; then only the answer is waited for, within the caller's time.
        loop {
            tokio::select! {
                biased;
                // The answer first: the connection ends after it.
                answer = &mut answer => return answer,
                _ = &mut connection, if open => open = false,
            }
        }
    };
    tokio::time::timeout(longest, asked).await.unwrap_or(Err(AskError::Late(longest)))
}
