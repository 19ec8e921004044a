//! A socket whose messages are passed on as they are: market streams that nobody here decides by.

use crate::config::Endpoint;
use crate::dial::Dialer;
use crate::limits::{CONNECT_TIMEOUT, MESSAGE_MAX, READ_BUFFER, WRITE_BUFFER_MAX};
use futures_util::StreamExt;
use std::time::Duration;
use thiserror::Error;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// What comes from a [`tap`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tapped<'a> {
    /// It is open.
    Opened,
    /// A message.
    Text(&'a str),
}

/// Why a [`tap`] ended.
#[derive(Debug, Error)]
pub enum TapError {
    /// The address cannot be one.
    #[error("the address cannot be written")]
    Malformed,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] rustls::Error),
    /// It could not be opened.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// It was closed, or what came cannot be read.
    #[error("the connection ended: {0}")]
    Ended(String),
    /// No message came for so long.
    #[error("nothing came for {0:?}")]
    Silent(Duration),
}

/// Opens a socket and passes on what comes until it ends; it is opened once, and whoever wants more calls again.
///
/// # Errors
/// Always in the end: why it ended.
///
/// # Bounds
/// One message of at most [`MESSAGE_MAX`] bytes. What is not taken stays in the socket.
///
/// # Cancel safety
/// Given up, the socket is closed.
pub async fn tap(
    end: &Endpoint,
    target: &str,
    silence: Duration,
    mut take: impl FnMut(Tapped<'_>),
) -> Result<std::convert::Infallible, TapError> {
    let scheme = if end.tls { "wss" } else { "ws" };
    let path = end.path(target).ok_or(TapError::Malformed)?;
    let request = format!("{scheme}://{}{path}", end.authority).into_client_request().map_err(|_| TapError::Malformed)?;
    let dialer = Dialer::new().map_err(TapError::Tls)?;
    let opening = async {
        let stream = dialer.dial(end).await.map_err(|error| TapError::Connect(error.to_string()))?;
        let mut config = WebSocketConfig::default();
        config.read_buffer_size = READ_BUFFER;
        config.write_buffer_size = 0;
        config.max_write_buffer_size = WRITE_BUFFER_MAX;
        config.max_message_size = Some(MESSAGE_MAX);
        config.max_frame_size = Some(MESSAGE_MAX);
        client_async_with_config(request, stream, Some(config)).await.map_err(|error| TapError::Connect(error.to_string()))
    };
    let opened = tokio::time::timeout(CONNECT_TIMEOUT, opening).await;
    let (mut socket, _response) = opened.unwrap_or_else(|_| Err(TapError::Connect("no answer".to_owned())))?;
    take(Tapped::Opened);
    // bounded: by the connection's life, of which silence is the end at the latest.
    loop {
        // Only messages count as a sign of life: pings are answered by the library on the way.
        let text = async {
            // bounded: by the limit on silence around it.
            loop {
                match socket.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(text),
                    Some(Ok(Message::Close(_))) | None => return Err(TapError::Ended("closed".to_owned())),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(TapError::Ended(error.to_string())),
                }
            }
        };
        let text = tokio::time::timeout(silence, text).await.unwrap_or(Err(TapError::Silent(silence)))?;
        take(Tapped::Text(&text));
    }
}
