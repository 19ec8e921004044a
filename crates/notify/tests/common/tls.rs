//! Certificates made for one test, and a server that uses them.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io::Write;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// A certificate authority of its own, and a server's certificate by it.
pub struct Authority {
    pub file: tempfile::NamedTempFile,
    pub acceptor: TlsAcceptor,
}

impl Authority {
    pub fn new() -> Self {
        Self::of(&["127.0.0.1", "localhost"])
    }

    pub fn of(names: &[&str]) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let server_key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let server = CertificateParams::new(names).unwrap().signed_by(&server_key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        let config = config.with_no_client_auth().with_single_cert(vec![server.der().clone()], key).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(root.pem().as_bytes()).unwrap();
        Self { file, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }
}
