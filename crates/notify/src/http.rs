//! A request over a connection of its own: alerts are rare, and a connection that was idle for an hour is dead when needed.

use crate::error::SendError;
use crate::limits::{ANSWER_MAX, CA_FILE_MAX, HEAD_MAX};
use crate::secret::{Note, Redactor};
use crate::target::{End, Target};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The file cannot be read.
    #[error("cannot read it: {0}")]
    Read(#[source] io::Error),
    /// The file is longer than 256 KiB.
    #[error("it has {0} bytes, {CA_FILE_MAX} are allowed")]
    TooLong(u64),
    /// No certificate in it, or one that is broken.
    #[error("it has no certificate in PEM form, or a broken one")]
    Malformed,
    /// TLS could not be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] rustls::Error),
}

/// Reads the file that a channel trusts.
pub(crate) fn read_ca(path: &Path) -> Result<Vec<u8>, CaError> {
    let size = std::fs::metadata(path).map_err(CaError::Read)?.len();
    if size > CA_FILE_MAX {
        return Err(CaError::TooLong(size));
    }
    std::fs::read(path).map_err(CaError::Read)
}

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Dialer {
    tls: TlsConnector,
}

impl Dialer {
    /// Trusts what browsers trust, and the certificates given.
    pub(crate) fn new(extra: Option<&[u8]>) -> Result<Self, CaError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(pem) = extra {
            let before = roots.len();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                roots.add(certificate.map_err(|_| CaError::Malformed)?).map_err(|_| CaError::Malformed)?;
            }
            if roots.len() == before {
                return Err(CaError::Malformed);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(CaError::Tls)?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        // Tickets would be kept for connections that are hours apart.
        config.resumption = Resumption::disabled();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Opens a connection, within a time.
    pub(crate) async fn dial(&self, end: &End, limit: Duration) -> Result<Stream, SendError> {
        let opened = tokio::time::timeout(limit, async {
            let tcp = TcpStream::connect((end.host.as_str(), end.port)).await.map_err(|e| SendError::Connect(e.kind()))?;
            if !end.tls {
                return Ok(Stream::Plain(tcp));
            }
            let name = ServerName::try_from(end.host.clone()).map_err(|_| SendError::Connect(io::ErrorKind::InvalidInput))?;
            match self.tls.connect(name, tcp).await {
                Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
                Err(error) => Err(SendError::Tls(Note::plain(&error.to_string()))),
            }
        });
        opened.await.unwrap_or(Err(SendError::Timeout { after: limit }))
    }
}

/// A connection, plain or with TLS.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(crate) fn peer(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Plain(tcp) => tcp.peer_addr(),
            Self::Tls(tls) => tls.get_ref().0.peer_addr(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

/// An answer, whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In seconds; a date is not understood, and the usual pause is made.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

/// What to post. Short-lived.
pub(crate) struct Post {
    pub(crate) headers: [Option<(HeaderName, String)>; 2],
    /// What is added to the target's path, which may have a query: `&timestamp=…`.
    pub(crate) suffix: String,
    pub(crate) body: Bytes,
}

/// Posts JSON and reads the answer, within `timeout` in all.
pub(crate) async fn post(
    dialer: &Dialer,
    target: &Target,
    message: Post,
    connect_timeout: Duration,
    timeout: Duration,
    redactor: &Redactor,
) -> Result<Answer, SendError> {
    let deadline = Instant::now() + timeout;
    let request = request(target, message)?;
    let stream = dialer.dial(&target.end, connect_timeout.min(timeout)).await?;
    let exchange = async {
        // Errors of hyper name no address, but may repeat what a server sent.
        let broken = |error: hyper::Error| SendError::Broken(redactor.note(&error.to_string()));
        let mut builder = hyper::client::conn::http1::Builder::new();
        builder.max_buf_size(HEAD_MAX);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let mut connection = pin!(connection);
        let mut answer = pin!(async {
            let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
            let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() { SendError::TooLong } else { SendError::Broken(redactor.note(&error.to_string())) }
            })?;
            let seconds = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
            let retry_after = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            Ok(Answer { status: head.status.as_u16(), retry_after, body: body.to_bytes() })
        });
        let mut ended = false;
        loop {
            tokio::select! {
                biased; // the answer first: once it is there, how the connection ends does not matter
                answer = &mut answer => return answer,
                _ = &mut connection, if !ended => ended = true,
            }
        }
    };
    timeout_at(deadline, exchange).await.unwrap_or(Err(SendError::Timeout { after: timeout }))
}

fn request(target: &Target, message: Post) -> Result<Request<Full<Bytes>>, SendError> {
    let build = |what: &str| SendError::Build(Note::plain(what));
    let path = format!("{}{}", target.path.expose(), message.suffix);
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| build("a header has characters that it cannot have"));
    let mut request = Request::new(Full::new(message.body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path.parse().map_err(|_| build("the address has characters that it cannot have"))?;
    let headers = request.headers_mut();
    headers.insert(HOST, value(&target.end.authority)?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("plimsoll/", env!("CARGO_PKG_VERSION"))));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    for (name, text) in message.headers.into_iter().flatten() {
        headers.insert(name, value(&text)?);
    }
    Ok(request)
}
