//! TLS, where the dashboard is served beyond this machine without a proxy.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;
use crate::error::WebError;

/// Certificates of a chain that are read at most.
const CHAIN_MAX: usize = 16;

/// Reads certificate and key, and makes what agrees on TLS with visitors.
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, WebError> {
    let fault = |path: &Path, reason: String| WebError::Tls { path: path.to_owned(), reason };
    let TlsFiles { certificate, key } = files;
    let chain = CertificateDer::pem_file_iter(certificate).map_err(|error| fault(certificate, error.to_string()))?;
    let chain = chain.take(CHAIN_MAX).collect::<Result<Vec<_>, _>>().map_err(|error| fault(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(fault(certificate, "there is no certificate in it".to_owned()));
    }
    guard(key)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| fault(key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| fault(certificate, error.to_string()))?.with_no_client_auth();
    let mut config = builder.with_single_cert(chain, private).map_err(|error| fault(certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // What is remembered of visitors is bounded by rustls' own cache of 256 sessions; tickets would need none, but a key.
    config.send_tls13_tickets = 1;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Refuses a key that others can read.
#[cfg(unix)]
fn guard(key: &PathBuf) -> Result<(), WebError> {
    use std::os::unix::fs::PermissionsExt;
    let fault = |reason: String| WebError::Tls { path: key.clone(), reason };
    let mode = std::fs::metadata(key).map_err(|error| fault(error.to_string()))?.permissions().mode() & 0o777;
    // A group may have it: that is how services share the keys of one machine.
    if mode & 0o007 != 0 { Err(fault(format!("everybody can read it (mode {mode:o}): run chmod o-rwx"))) } else { Ok(()) }
}

#[cfg(not(unix))]
fn guard(_key: &PathBuf) -> Result<(), WebError> {
    Ok(())
}
