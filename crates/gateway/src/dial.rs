use crate::config::Endpoint;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::MaybeTlsStream;

/// A connection to the exchange, plain or with TLS.
pub(crate) type Stream = MaybeTlsStream<TcpStream>;

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Dialer {
    tls: TlsConnector,
}

impl Dialer {
    /// Takes the roots that browsers trust; the machine's own are not asked.
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Opens a connection. The caller sets the time limit.
    pub(crate) async fn dial(&self, end: &Endpoint) -> io::Result<Stream> {
        let tcp = TcpStream::connect((end.host.as_str(), end.port)).await?;
        // Orders are single small packets: waiting to fill them costs 40 ms.
        tcp.set_nodelay(true)?;
        if !end.tls {
            return Ok(MaybeTlsStream::Plain(tcp));
        }
        let name = ServerName::try_from(end.host.clone()).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
        Ok(MaybeTlsStream::Rustls(self.tls.connect(name, tcp).await?))
    }
}
