//! Servers on the loopback device that write down what arrives, and a notifier to send it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use plimsoll_bounded::{Ledger, Plan, Sealed, Tasks};
use plimsoll_market::{Alert, AlertCode, Severity, Time};
use plimsoll_notify::{ChannelConfig, ChannelKind, ChannelStatus, Config, Notifier, Origin, Rate, Retry, Rule, Secret, Webhook, limits};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// Longer than any test needs; ends one that would hang.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A request as it arrived.
#[derive(Debug)]
pub struct Seen {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
    pub at: Instant,
}

impl Seen {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// How a server answers.
#[derive(Clone, Debug)]
pub enum Reply {
    Status(u16, String),
    RetryAfter(u16, &'static str, String),
    /// Not at all.
    Hang,
    /// What it was sent, as an error: path, headers and body.
    Echo(u16),
}

pub fn ok(body: &str) -> Reply {
    Reply::Status(200, body.to_owned())
}

struct Inner {
    seen: mpsc::UnboundedSender<Seen>,
    script: Mutex<VecDeque<Reply>>,
    usual: Mutex<Reply>,
}

pub struct Server {
    pub addr: SocketAddr,
    seen: mpsc::UnboundedReceiver<Seen>,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn start(usual: Reply) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), usual).await
    }

    pub async fn start_at(addr: SocketAddr, usual: Reply) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, seen) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner { seen: sender, script: Mutex::default(), usual: Mutex::new(usual) });
        let app = axum::Router::new().fallback(answer).with_state(Arc::clone(&inner));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { addr, seen, inner, task }
    }

    pub fn base(&self) -> Option<String> {
        Some(format!("http://{}", self.addr))
    }

    /// What the next requests are answered with, before the usual.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.inner.script.lock().unwrap().extend(replies);
    }

    pub fn usually(&self, reply: Reply) {
        *self.inner.usual.lock().unwrap() = reply;
    }

    pub async fn next(&mut self) -> Seen {
        timeout(PATIENCE, self.seen.recv()).await.expect("no request came").unwrap()
    }

    /// What has arrived and was not looked at.
    pub fn seen_now(&mut self) -> Option<Seen> {
        self.seen.try_recv().ok()
    }

    /// Nothing has arrived that was not looked at.
    pub fn is_quiet(&mut self) -> bool {
        self.seen.try_recv().is_err()
    }

    /// Ends it, so that connections are refused.
    pub async fn stop(self) -> SocketAddr {
        self.task.abort();
        drop(self.task.await);
        self.addr
    }
}

async fn answer(State(inner): State<Arc<Inner>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let body = String::from_utf8(body.to_vec()).unwrap();
    let reply = inner.script.lock().unwrap().pop_front();
    let reply = reply.unwrap_or_else(|| inner.usual.lock().unwrap().clone());
    let echo = format!("{method} {uri} {headers:?} {body}");
    drop(inner.seen.send(Seen { method, path: uri.to_string(), headers, body, at: Instant::now() }));
    let status = |status: u16| StatusCode::from_u16(status).unwrap();
    match reply {
        Reply::Status(code, body) => (status(code), body).into_response(),
        Reply::RetryAfter(code, seconds, body) => {
            let mut response = (status(code), body).into_response();
            response.headers_mut().insert("retry-after", HeaderValue::from_static(seconds));
            response
        }
        Reply::Hang => std::future::pending().await,
        Reply::Echo(code) => (status(code), echo).into_response(),
    }
}

/// A notifier with what it stands on.
pub struct Bench {
    pub notifier: Notifier,
    pub ledger: Ledger<Sealed>,
    pub tasks: Tasks,
}

impl Bench {
    pub fn start(config: &Config) -> Self {
        let mut plan = Plan::new("notify");
        plan.add(Tasks::line("tasks", Notifier::tasks(config), limits::TASK_FUTURE_BYTES)).unwrap();
        Notifier::plan(&mut plan, config).unwrap();
        let ledger = Ledger::open(64 << 20).seal().unwrap();
        let mut grants = ledger.admit(&plan).unwrap();
        let tasks = Tasks::new(grants.take("tasks").unwrap());
        let notifier = Notifier::start(config, &mut grants, &tasks).unwrap();
        assert!(grants.is_empty(), "all that was planned is used");
        Self { notifier, ledger, tasks }
    }

    pub fn channel(&self, name: &str) -> ChannelStatus {
        self.notifier.status().channels.into_iter().find(|channel| channel.name.as_str() == name).unwrap()
    }

    /// Waits until a channel is as wanted.
    pub async fn until(&self, name: &str, wanted: impl Fn(&ChannelStatus) -> bool) -> ChannelStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            let status = self.channel(name);
            if wanted(&status) {
                return status;
            }
            assert!(Instant::now() < end, "never so: {status:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Ends it, and proves that nothing is left.
    pub async fn stop(self, deadline: Duration) -> plimsoll_notify::NotifierStatus {
        let status = self.notifier.stop(deadline).await;
        assert_eq!(self.tasks.counts().live, 0, "{:?}", self.tasks.status());
        assert_eq!((self.tasks.counts().cancelled, self.tasks.counts().panicked), (0, 0), "every task ends by itself");
        status
    }
}

/// One channel that gets everything, fast and without a cool-down.
pub fn config(channels: Vec<ChannelConfig>) -> Config {
    let mut config = Config::new("bot-1");
    let names: Vec<String> = channels.iter().map(|channel| channel.name.clone()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    config.rules = vec![Rule::from(Severity::Info, &names)];
    (config.cooldown, config.cooldown_critical) = (Duration::ZERO, Duration::ZERO);
    config.channels = channels;
    config
}

pub fn fast(name: &str, kind: ChannelKind) -> ChannelConfig {
    let mut channel = ChannelConfig::new(name, kind);
    channel.rate = Rate { burst: 1000, per_minute: 6000 };
    channel.retry =
        Retry { first: Duration::from_millis(10), max: Duration::from_millis(40), attempts: 1000, age_max: Duration::from_secs(60) };
    channel
}

pub fn webhook(name: &str, server: &Server) -> ChannelConfig {
    fast(name, webhook_at(server.addr))
}

pub fn webhook_at(addr: SocketAddr) -> ChannelKind {
    ChannelKind::Webhook(Webhook { url: secret(&format!("http://{addr}/in?key=longsecret")), signing: None })
}

pub fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// 2023-11-14 22:13:20 UTC and some seconds.
pub fn time(seconds: u64) -> Time {
    Time::from_millis((1_700_000_000 + seconds) * 1000)
}

pub fn alert(severity: Severity, code: AlertCode, text: &str) -> Alert {
    Alert::new(severity, code, time(0), &text)
}

pub fn btc() -> Origin {
    Origin::symbol("binance:main", "BTCUSDT")
}
