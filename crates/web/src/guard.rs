//! What every request passes before a handler sees it, and every answer on its way out.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::error::ApiError;
use crate::limits::{BODY_BYTES_MAX, CONFIG_BODY_MAX, PROFILE_TIMEOUT, REFUSALS_LOGGED_EVERY, REQUEST_TIMEOUT};
use crate::pprof;
use crate::routes::Shared;

/// Probes of orchestrators come by address, whatever the names; they tell nothing but that we live.
const PROBES: [&str; 2] = ["/livez", "/readyz"];

/// Paths that become WebSockets.
const SOCKETS: [&str; 2] = ["/ws", "/ws/logs"];

/// Nothing from elsewhere is loaded, nothing may frame us.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// The outermost layer: no panic and no stall gets out, every answer carries the security headers.
pub(crate) async fn shield(request: Request, next: Next) -> Response {
    let limit = if request.uri().path().starts_with(pprof::PATHS) { PROFILE_TIMEOUT } else { REQUEST_TIMEOUT };
    let handled = AssertUnwindSafe(tokio::time::timeout(limit, next.run(request))).catch_unwind().await;
    let mut response = match handled {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => ApiError::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "the answer took too long")
            .hint("trading is not affected; try again in a moment, or ask for less")
            .into_response(),
        Err(_) => {
            tracing::error!("a request handler panicked");
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this answer could not be made")
                .hint("trading is not affected; the log says more")
                .into_response()
        }
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Refuses requests that name another host, come from another site, or bring too much.
pub(crate) async fn gate(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    match check(&shared.hosts, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check(hosts: &Hosts, request: &Request<Body>) -> Result<(), ApiError> {
    let headers = request.headers();
    let path = request.uri().path();
    let safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if !(safe && PROBES.contains(&path)) {
        hosts.check(headers)?;
    }
    // Browsers let any page open a WebSocket anywhere; only the origin tells.
    if !safe || SOCKETS.contains(&path) {
        check_origin(headers)?;
    }
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|value| value.parse().ok());
    let most = if path.starts_with("/api/config/") { CONFIG_BODY_MAX } else { BODY_BYTES_MAX };
    if declared.is_some_and(|bytes: u64| bytes > most as u64) {
        return Err(too_large());
    }
    Ok(())
}

pub(crate) fn too_large() -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("a request's body has at most {BODY_BYTES_MAX} bytes"))
        .hint("commands need no body at all")
}

/// Refuses what a page of another site made a browser send.
fn check_origin(headers: &HeaderMap) -> Result<(), ApiError> {
    let refuse = |detail: &str| {
        Err(ApiError::new(StatusCode::FORBIDDEN, "cross_origin", detail).hint("open the dashboard itself, or use `plimsoll ctl`"))
    };
    if let Some(site) = headers.get("sec-fetch-site")
        && !matches!(site.as_bytes(), b"same-origin" | b"none")
    {
        return refuse("the request comes from another site");
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let from = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (from, host) {
        (Some(from), Some(host)) if from.eq_ignore_ascii_case(host) => Ok(()),
        (Some(_) | None, _) => refuse("the request's origin is another one"),
    }
}

/// The names under which this server may be addressed: a page that points its own name at us (DNS rebinding) has another.
#[derive(Debug)]
pub(crate) struct Hosts {
    names: Vec<String>, // tidy: bounded by HOSTS_MAX + 4, fixed at the start
}

impl Hosts {
    pub(crate) fn new(listen: SocketAddr, configured: &[String]) -> Self {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        match listen.ip() {
            ip if ip.is_unspecified() => {}
            IpAddr::V4(ip) => names.push(ip.to_string()),
            IpAddr::V6(ip) => names.push(format!("[{ip}]")),
        }
        names.extend(configured.iter().map(|name| name.to_ascii_lowercase()));
        Self { names }
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name = without_port(host);
        if self.names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        let shown: String = host.chars().take(80).collect();
        Err(ApiError::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", format!("host {shown:?} is not this server"))
            .hint("use 127.0.0.1, or add the name to web.hosts"))
    }
}

/// `localhost:1` → `localhost`, `[::1]:1` → `[::1]`.
fn without_port(host: &str) -> &str {
    match (host.strip_prefix('['), host.rsplit_once(':')) {
        (Some(rest), _) => rest.find(']').map_or(host, |end| host.get(..end + 2).unwrap_or(host)),
        (None, Some((name, port))) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        (None, _) => host,
    }
}

/// Counts wrong tokens, and says so in the log now and then.
#[derive(Default)]
pub(crate) struct Refusals {
    refused: AtomicU64,
    logged_ms: AtomicU64,
}

impl Refusals {
    pub(crate) fn count(&self, now_ms: u64) {
        let refused = self.refused.fetch_add(1, Relaxed) + 1;
        let logged_ms = self.logged_ms.load(Relaxed);
        let due = logged_ms == 0 || u128::from(now_ms.saturating_sub(logged_ms)) >= REFUSALS_LOGGED_EVERY.as_millis();
        if due && self.logged_ms.compare_exchange(logged_ms, now_ms.max(1), Relaxed, Relaxed).is_ok() {
            tracing::warn!(refused, "wrong token presented");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_no_part_of_a_name() {
        for (host, name) in [
            ("localhost:15173", "localhost"),
            ("localhost", "localhost"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("[::1", "[::1"),
            ("a:b", "a:b"),
            ("", ""),
            ("evil.example:", "evil.example"),
        ] {
            assert_eq!(without_port(host), name, "{host}");
        }
    }

    #[test]
    fn knows_the_listening_address_but_not_the_wildcard() {
        let lan = Hosts::new("192.168.1.5:80".parse().unwrap(), &["Desk".to_owned()]);
        assert_eq!(lan.names, ["localhost", "127.0.0.1", "[::1]", "192.168.1.5", "desk"]);
        let all = Hosts::new("0.0.0.0:80".parse().unwrap(), &[]);
        assert_eq!(all.names, ["localhost", "127.0.0.1", "[::1]"]);
    }
}
