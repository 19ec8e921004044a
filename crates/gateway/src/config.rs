use http::HeaderValue;
use http::uri::{PathAndQuery, Uri};
use rustls::pki_types::ServerName;
use thiserror::Error;

/// Where a base address leads: scheme, host, port, and a path to put before every target.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Host and port as the `Host` header has them.
    pub(crate) authority: String,
    /// Without a slash at its end.
    pub(crate) prefix: String,
}

/// Why a base address or key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// Not an address at all.
    #[error("{url:?} is not an address")]
    Malformed {
        /// What was given.
        url: String,
    },
    /// Another scheme.
    #[error("{url:?} does not begin with one of {wanted}")]
    Scheme {
        /// What was given.
        url: String,
        /// What may stand there.
        wanted: &'static str,
    },
    /// A base address has no query.
    #[error("{url:?} has a query, which a base address cannot have")]
    Query {
        /// What was given.
        url: String,
    },
    /// The key has characters that a header cannot carry. The key itself is not told.
    #[error("api key has characters that a header cannot carry")]
    Key,
}

impl Endpoint {
    /// Reads an address of REST: `http://` or `https://`, host, perhaps a port and a path.
    ///
    /// # Errors
    /// Malformed, another scheme, or a query.
    pub fn rest(url: &str) -> Result<Self, ConfigError> {
        Self::parse(url, ["http", "https"], "http:// or https://")
    }

    /// Reads an address of WebSockets: `ws://` or `wss://`, host, perhaps a port and a path.
    ///
    /// # Errors
    /// Malformed, another scheme, or a query.
    pub fn websocket(url: &str) -> Result<Self, ConfigError> {
        Self::parse(url, ["ws", "wss"], "ws:// or wss://")
    }

    fn parse(url: &str, [plain, secure]: [&str; 2], wanted: &'static str) -> Result<Self, ConfigError> {
        let malformed = || ConfigError::Malformed { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| malformed())?;
        let tls = match uri.scheme_str() {
            Some(scheme) if scheme == plain => false,
            Some(scheme) if scheme == secure => true,
            _ => return Err(ConfigError::Scheme { url: url.to_owned(), wanted }),
        };
        if uri.query().is_some() {
            return Err(ConfigError::Query { url: url.to_owned() });
        }
        let authority = uri.authority().ok_or_else(malformed)?;
        // The address of an IPv6 host has brackets, a socket's has none.
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || ServerName::try_from(host.clone()).is_err() {
            return Err(malformed());
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let authority = match authority.port() {
            Some(port) => format!("{}:{port}", authority.host()),
            None => authority.host().to_owned(),
        };
        Ok(Self { tls, host, port, authority, prefix })
    }

    /// The path and query of a target below this address.
    pub(crate) fn path(&self, target: &str) -> Option<PathAndQuery> {
        if self.prefix.is_empty() {
            return target.parse().ok();
        }
        format!("{}{target}", self.prefix).parse().ok()
    }
}

/// What the gateway must know of an exchange.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Whose gateway it is, `binance:main`: part of the names of its task and its lines in the ledger.
    pub owner: String,
    /// Where requests go.
    pub rest: Endpoint,
    /// Where streams come from.
    pub websocket: Endpoint,
    key: HeaderValue,
}

impl GatewayConfig {
    /// Checks addresses and key.
    ///
    /// # Errors
    /// All that is wrong, not only the first.
    pub fn new(owner: &str, rest: &str, websocket: &str, key: &str) -> Result<Self, Vec<ConfigError>> {
        let (rest, websocket) = (Endpoint::rest(rest), Endpoint::websocket(websocket));
        let key = HeaderValue::from_str(key).map_err(|_| ConfigError::Key);
        match (rest, websocket, key) {
            (Ok(rest), Ok(websocket), Ok(mut key)) => {
                // Keeps it out of debug output.
                key.set_sensitive(true);
                Ok(Self { owner: owner.to_owned(), rest, websocket, key })
            }
            (rest, websocket, key) => Err([rest.err(), websocket.err(), key.err()].into_iter().flatten().collect()),
        }
    }

    pub(crate) fn key(&self) -> &HeaderValue {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses() {
        let end = Endpoint::rest("https://fapi.binance.com").unwrap();
        assert_eq!(
            (end.tls, end.host.as_str(), end.port, end.authority.as_str(), end.prefix.as_str()),
            (true, "fapi.binance.com", 443, "fapi.binance.com", "")
        );
        let end = Endpoint::websocket("ws://127.0.0.1:8080/ex/").unwrap();
        assert_eq!(
            (end.tls, end.host.as_str(), end.port, end.authority.as_str(), end.prefix.as_str()),
            (false, "127.0.0.1", 8080, "127.0.0.1:8080", "/ex")
        );
        assert_eq!(end.path("/stream?streams=a@b").unwrap().as_str(), "/ex/stream?streams=a@b");
        let end = Endpoint::websocket("ws://[::1]:9").unwrap();
        assert_eq!((end.host.as_str(), end.authority.as_str()), ("::1", "[::1]:9"));
    }

    #[test]
    fn refuses_what_is_no_address_and_names_everything_wrong() {
        for (url, wanted) in [("ftp://x", "Scheme"), ("https://x?y=1", "Query"), ("no address", "Malformed"), ("/path", "Scheme")] {
            let error = format!("{:?}", Endpoint::rest(url).unwrap_err());
            assert!(error.starts_with(wanted), "{url}: {error}");
        }
        let errors = GatewayConfig::new("x", "ftp://x", "http://x", "key\n").unwrap_err();
        assert_eq!(errors.len(), 3);
    }

    #[test]
    fn the_key_is_not_in_debug_output() {
        let config = GatewayConfig::new("x", "http://127.0.0.1:1", "ws://127.0.0.1:1", "very-secret-key").unwrap();
        assert!(!format!("{config:?}").contains("very-secret"));
    }
}
