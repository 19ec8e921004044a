//! What the web server is told at the start, and the memory it plans.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use plimsoll_bounded::{Broadcast, Class, LedgerError, Line, Map, Plan, Tasks, WhenFull};
use plimsoll_market::Symbol;

use crate::auth::Keeper;
use crate::error::WebError;
use crate::limits;
use crate::live::{Frame, Sample, Watch};
use crate::token::AdminToken;

/// Port of the dashboard when the configuration does not say.
pub const PORT_DEFAULT: u16 = 15_173;

/// How the web server is set up.
pub struct WebConfig {
    /// Where to listen. Default 127.0.0.1:15173; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Host names, beside the loopback ones and the listening address, that requests may name (without port).
    ///
    /// At most [`limits::HOSTS_MAX`].
    pub hosts: Vec<String>, // tidy: bounded by HOSTS_MAX, checked at the start
    /// The secret that allows commands.
    pub token: AdminToken,
    /// HTTP connections at once: 4 to [`limits::CONNECTIONS_MAX`].
    pub connections: usize,
    /// Live subscribers at once: 1 to [`limits::SUBSCRIBERS_MAX`]; when a further one comes, the oldest leaves.
    pub subscribers: usize,
    /// Whether profiles can be taken at `/debug/pprof/`, with the admin token. Default: no.
    pub pprof: bool,
    /// Whether status, figures of the process and metrics are told to this machine without a login. Default: yes. Behind a proxy they
    /// never are: nobody knows for whom it asks.
    pub open_reading: bool,
    /// Certificate and key, where TLS is spoken.
    pub tls: Option<TlsFiles>,
    /// Whether a proxy stands before us that speaks TLS with visitors, tells their address in `X-Forwarded-For`, and is the only one
    /// who reaches us.
    pub behind_proxy: bool,
    /// What authenticator apps call this bot.
    pub label: String,
}

/// Files of a certificate and its key, in PEM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The certificate, and those between it and its root.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl WebConfig {
    /// Makes the default configuration with this token.
    pub fn new(token: AdminToken) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT_DEFAULT)),
            hosts: Vec::new(),
            token,
            connections: limits::CONNECTIONS_DEFAULT,
            subscribers: limits::SUBSCRIBERS_DEFAULT,
            pprof: false,
            open_reading: true,
            tls: None,
            behind_proxy: false,
            label: "bot".to_owned(),
        }
    }

    /// Checks every figure.
    pub(crate) fn check(&self) -> Result<(), WebError> {
        let fail = |key, value: String, range| Err(WebError::Config { key, value, range });
        if !(4..=limits::CONNECTIONS_MAX).contains(&self.connections) {
            return fail("connections", self.connections.to_string(), "4 to 1024");
        }
        if !(1..=limits::SUBSCRIBERS_MAX).contains(&self.subscribers) {
            return fail("subscribers", self.subscribers.to_string(), "1 to 100");
        }
        if self.hosts.len() > limits::HOSTS_MAX {
            return fail("hosts", format!("{} names", self.hosts.len()), "at most 16 names");
        }
        let well_formed = |host: &&String| {
            !host.is_empty() && host.len() <= 253 && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        };
        match self.hosts.iter().find(|host| !well_formed(host)) {
            Some(host) => fail("hosts", host.chars().take(60).collect(), "host names without scheme and port"),
            None => Ok(()),
        }
    }

    /// Lists the memory that the server will take, for `plimsoll ledger`; [`crate::Web::start`] admits it.
    ///
    /// # Errors
    /// Never with figures in range.
    pub fn plan(&self) -> Result<Plan, LedgerError> {
        let frames = Broadcast::<Frame>::line("web.live.frames", self.subscribers, limits::FRAMES_KEPT, Class::BestEffort);
        let bodies = Line {
            name: "web.pages",
            capacity: limits::PAGES_AT_ONCE,
            item_bytes: limits::PAGE_MAX * limits::ROW_BYTES,
            policy: WhenFull::Wait,
            class: Class::BestEffort,
        };
        let connections = Tasks::line("web.connections", self.connections, limits::CONNECTION_FUTURE_BYTES);
        let live = Tasks::line("web.live.tasks", self.subscribers + limits::SUBSCRIBERS_LEAVING, limits::SUBSCRIBER_FUTURE_BYTES);
        let viewers = limits::LOG_VIEWERS_MAX + limits::SUBSCRIBERS_LEAVING;
        let logs = Tasks::line("web.logs.tasks", viewers, limits::LOG_VIEWER_FUTURE_BYTES);
        let tls = if self.tls.is_some() { limits::TLS_BYTES } else { 0 };
        let plan = Keeper::plan(Plan::new("web"))?
            .with(connections.with_heap(limits::CONNECTION_BYTES + tls))?
            .with(live.with_heap(limits::SUBSCRIBER_BYTES))?
            .with(logs.with_heap(limits::LOG_VIEWER_BYTES))?
            .with(frames.with_heap(limits::frame_share(self.subscribers)))?
            .with(Map::<Symbol, Watch>::line("web.live.watched", limits::WATCHED_MAX, WhenFull::Refuse, Class::BestEffort))?
            .with(Line::of::<Sample>("web.live.samples", limits::SAMPLES_MAX, WhenFull::DropOldest, Class::BestEffort))?
            .with(Line::of::<u64>("web.live.marks", limits::SYMBOLS_MAX, WhenFull::Refuse, Class::BestEffort))?
            .with(bodies)?;
        if !self.pprof {
            return Ok(plan);
        }
        plan.with(Line {
            name: "web.profile",
            capacity: 1,
            item_bytes: limits::PROFILE_BYTES_MAX,
            policy: WhenFull::Refuse,
            class: Class::BestEffort,
        })
    }
}

impl std::fmt::Debug for WebConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { listen, hosts, token: _, connections, subscribers, pprof, open_reading, tls, behind_proxy, label: _ } = self;
        write!(f, "WebConfig({listen}, hosts {hosts:?}, {connections} connections, {subscribers} subscribers, pprof {pprof}, ")?;
        write!(f, "open reading {open_reading}, tls {}, behind a proxy {behind_proxy})", tls.is_some())
    }
}
