//! Starting, serving and stopping.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use plimsoll_bounded::{Grants, Ledger, Phase, Task, TaskHandle, TaskSpec, Tasks};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::Service;
use zeroize::Zeroizing;

use crate::auth::{Keeper, Peer};
use crate::config::WebConfig;
use crate::error::WebError;
use crate::guard::{Hosts, Refusals};
use crate::impatient::Impatient;
use crate::limits::{
    ACCEPT_PAUSE, CONNECTION_GRACE, CONNECTION_LIFE, CONNECTION_SILENCE_MAX, HEAD_TIMEOUT, HEADERS_MAX, PAGES_AT_ONCE, READ_BUFFER_BYTES,
    SWEEP_INTERVAL, SWEEP_SILENCE_MAX, TLS_TIMEOUT, VAULT_WAIT,
};
use crate::live::{Hub, Live, Viewers};
use crate::operator::Operator;
use crate::ports::{Ports, Source};
use crate::pprof::Pprof;
use crate::routes::{Shared, router};
use crate::table::{self, RouteRule};
use crate::tls;

/// What one too many is told before it is closed.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: 154\r\n\
retry-after: 2\r\nconnection: close\r\n\r\n\
{\"type\":\"/docs/problems#busy\",\"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"too many connections are open\",\
\"code\":\"busy\",\"hint\":\"close some pages\"}";

/// The web server.
#[derive(Debug)]
pub struct Web;

/// A web server that runs.
pub struct WebHandle {
    addr: SocketAddr,
    url: String,
    server: TaskHandle,
    hub: TaskHandle,
    sweeper: TaskHandle,
    /// Where the first password is set.
    setup_url: Option<Zeroizing<String>>,
    viewers: Viewers,
    operator: Operator,
    /// Of connections, of live subscribers, and of viewers of the log.
    tasks: [Tasks; 3],
}

impl std::fmt::Debug for WebHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WebHandle({}, {:?})", self.addr, self.viewers)
    }
}

impl Web {
    /// Listens and begins to serve. Takes two tasks of `tasks` (group `web`) and admits [`WebConfig::plan`] in `ledger`.
    ///
    /// # Errors
    /// A port that is taken, a figure out of range, a memory plan that does not fit; each says what to do.
    pub async fn start<P: Phase>(config: WebConfig, ports: Ports, tasks: &Tasks, ledger: &Ledger<P>) -> Result<WebHandle, WebError> {
        config.check()?;
        let listener = listen(config.listen).await?;
        let addr = listener.local_addr().map_err(|source| WebError::Listen { listen: config.listen, source })?;
        let plan = config.plan().map_err(plimsoll_bounded::Refused::from)?;
        let mut grants = ledger.admit(&plan)?;
        let Assembled { server, live, keeper, setup_url, operator } = assemble(&config, ports, ledger, addr, &mut grants).await?;
        may_expose(&config, addr, setup_url.is_some())?;
        let viewers = Viewers::new(Arc::clone(&live));
        let own = [server.connections.clone(), server.live_tasks.clone(), server.log_tasks.clone()];
        let hub = Hub::new(live, &mut grants).map_err(unplanned)?;
        let hub = spawn(tasks, "web/hub", |task| hub.run(task))?;
        let source = Arc::clone(&server.source);
        let sweeper = spawn(tasks, "web/logins", |task| sweep(keeper, source, task))?;
        let server = spawn(tasks, "web/server", |task| server.run(listener, task));
        match server {
            Ok(server) => {
                Ok(WebHandle { url: url(addr, config.tls.is_some()), addr, server, hub, sweeper, viewers, tasks: own, setup_url, operator })
            }
            Err(error) => {
                hub.stop();
                sweeper.stop();
                Err(error)
            }
        }
    }

    /// Makes the routes alone, without a socket and without the task that makes live frames: for tests.
    ///
    /// Whoever asks it puts a [`crate::Peer`] into the request's extensions, as the server does. With it comes the link that lets the
    /// first password be set.
    ///
    /// # Errors
    /// As [`Web::start`].
    pub async fn router<P: Phase>(config: &WebConfig, ports: Ports, ledger: &Ledger<P>) -> Result<(Router, Option<String>), WebError> {
        config.check()?;
        let plan = config.plan().map_err(plimsoll_bounded::Refused::from)?;
        let mut grants = ledger.admit(&plan)?;
        let Assembled { server, setup_url, .. } = assemble(config, ports, ledger, config.listen, &mut grants).await?;
        Ok((server.router, setup_url.map(|url| url.to_string())))
    }

    /// Lists every route with what it needs and what it does: the router is made of this table, and of files that are no secret.
    pub fn routes() -> Vec<RouteRule> {
        table::routes().into_iter().map(|route| route.rule).collect()
    }
}

impl WebHandle {
    /// Returns where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the dashboard's address.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Returns the link that lets the first password be set, for the one line that tells it to the operator; `None` where one is set.
    pub fn setup_url(&self) -> Option<&str> {
        self.setup_url.as_ref().map(|url| url.as_str())
    }

    /// Returns who opens and closes the door for live subscribers.
    pub fn viewers(&self) -> Viewers {
        self.viewers.clone()
    }

    /// Returns who asks and commands from elsewhere, as from a chat.
    pub fn operator(&self) -> Operator {
        self.operator.clone()
    }

    /// Returns the sets of tasks that serve connections, live subscribers and viewers of the log, for whoever watches tasks. All are of the group
    /// `web`, like the two tasks that were taken of the caller's set.
    pub fn task_sets(&self) -> [Tasks; 3] {
        self.tasks.clone()
    }

    /// Stops: takes no more connections, lets requests finish, says good-bye to subscribers, joins every task.
    ///
    /// # Bounds
    /// Takes about twice [`CONNECTION_GRACE`], [`VAULT_WAIT`] and a second at most; what has not ended by then is aborted.
    ///
    /// # Cancel safety
    /// Given up, everything has been told to end.
    pub async fn stop(&self) {
        self.server.stop();
        self.hub.stop();
        self.sweeper.stop();
        // The server joins its connections first, each set with its own grace.
        for (task, grace) in
            [(&self.server, CONNECTION_GRACE * 3), (&self.hub, CONNECTION_GRACE), (&self.sweeper, VAULT_WAIT + CONNECTION_GRACE)]
        {
            match task.stop_and_join(grace).await {
                Ok(exit) if exit.is_ok() => {}
                Ok(exit) => tracing::warn!(task = task.name(), %exit, "web task ended badly"),
                Err(error) => tracing::error!(%error, "web task did not end"),
            }
        }
    }
}

fn unplanned(error: plimsoll_bounded::NotPlanned) -> WebError {
    WebError::Task { task: "web", reason: error.to_string() }
}

fn spawn<M, F>(tasks: &Tasks, name: &'static str, make: M) -> Result<TaskHandle, WebError>
where
    M: FnOnce(Task) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let spawned = tasks.spawn(TaskSpec { name, group: "web" }, make);
    spawned.map_err(|error| WebError::Task { task: name, reason: error.to_string() })
}

async fn listen(listen: SocketAddr) -> Result<TcpListener, WebError> {
    match TcpListener::bind(listen).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(WebError::PortTaken { listen }),
        Err(source) => Err(WebError::Listen { listen, source }),
    }
}

/// What a person types into the browser: the wildcard address is none.
fn url(addr: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    match addr.ip() {
        ip if ip.is_unspecified() => format!("{scheme}://127.0.0.1:{}/", addr.port()),
        _ => format!("{scheme}://{addr}/"),
    }
}

/// Refuses to be reachable from elsewhere where anybody could listen to what is typed, or be the first to set a password.
fn may_expose(config: &WebConfig, addr: SocketAddr, without_password: bool) -> Result<(), WebError> {
    if addr.ip().is_loopback() {
        return Ok(());
    }
    let refuse = |lack| Err(WebError::Exposed { listen: addr, lack });
    if without_password {
        return refuse("no password is set: set one with `plimsoll password`, or at the dashboard with web.listen on 127.0.0.1");
    }
    if config.tls.is_none() && !config.behind_proxy {
        return refuse(
            "passwords would be sent in the clear: set web.tls_cert and web.tls_key, or web.behind_proxy: true behind a proxy that speaks TLS",
        );
    }
    Ok(())
}

/// Ends sessions whose time is over, until it is told to end itself.
async fn sweep(keeper: Arc<Keeper>, source: Arc<dyn Source>, task: Task) {
    task.pulse.expect_every(SWEEP_SILENCE_MAX);
    while task.stop.or(sleep(SWEEP_INTERVAL)).await.is_some() {
        task.pulse.beat();
        keeper.sweep(source.now()).await;
    }
    keeper.sweep(source.now()).await;
}

/// What a start is made of.
struct Assembled {
    server: Server,
    live: Arc<Live>,
    keeper: Arc<Keeper>,
    setup_url: Option<Zeroizing<String>>,
    operator: Operator,
}

async fn assemble<P: Phase>(
    config: &WebConfig,
    ports: Ports,
    ledger: &Ledger<P>,
    addr: SocketAddr,
    grants: &mut Grants,
) -> Result<Assembled, WebError> {
    let source = Arc::clone(&ports.source);
    let url = url(addr, config.tls.is_some());
    let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
    let (vault, workers) = (Arc::clone(&ports.vault), ports.workers.clone());
    let (keeper, code) = Keeper::open(vault, workers, &config.token, config.label.clone(), grants, source.now()).await?;
    let keeper = Arc::new(keeper);
    let live = Arc::new(Live::new(grants, config.subscribers, Arc::clone(&source), ledger.handle(), url.clone()).map_err(unplanned)?);
    let connections = Tasks::new(grants.take("web.connections").map_err(unplanned)?);
    let live_tasks = Tasks::new(grants.take("web.live.tasks").map_err(unplanned)?);
    let log_tasks = Tasks::new(grants.take("web.logs.tasks").map_err(unplanned)?);
    let shared = Arc::new(Shared {
        ports,
        hosts: Hosts::new(addr, &config.hosts),
        keeper: Arc::clone(&keeper),
        refusals: Refusals::default(),
        open_reading: config.open_reading,
        behind_proxy: config.behind_proxy,
        tls: config.tls.is_some(),
        url,
        live: Arc::clone(&live),
        live_tasks: live_tasks.clone(),
        log_tasks: log_tasks.clone(),
        connections: connections.clone(),
        ledger: ledger.handle(),
        pages: Arc::new(Semaphore::new(PAGES_AT_ONCE)),
        pages_grant: grants.take("web.pages").map_err(unplanned)?,
        pprof: if config.pprof { Some(Pprof::new(grants.take("web.profile").map_err(unplanned)?)) } else { None },
    });
    let setup_url = code.map(|code| Zeroizing::new(shared.setup_url(&code)));
    let operator = Operator::new(Arc::clone(&shared));
    let server = Server { router: router(shared), source, tls, connections, live_tasks, log_tasks };
    Ok(Assembled { server, live, keeper, setup_url, operator })
}

/// Takes connections and owns their tasks.
struct Server {
    router: Router,
    source: Arc<dyn Source>,
    tls: Option<TlsAcceptor>,
    connections: Tasks,
    live_tasks: Tasks,
    log_tasks: Tasks,
}

impl Server {
    async fn run(self, listener: TcpListener, task: Task) {
        while let Some(accepted) = task.stop.or(listener.accept()).await {
            task.pulse.beat();
            match accepted {
                Ok((stream, from)) => self.admit(stream, from.ip()),
                Err(error) => {
                    // One that broke off is nothing; without descriptors a pause keeps this loop from spinning.
                    tracing::warn!(%error, "connection not accepted");
                    if task.stop.or(sleep(ACCEPT_PAUSE)).await.is_none() {
                        break;
                    }
                }
            }
        }
        drop(listener);
        // Subscribers first: their good-byes need no connection task, but say sooner that we go.
        for (what, tasks) in
            [("subscribers", &self.live_tasks), ("viewers of the log", &self.log_tasks), ("connections", &self.connections)]
        {
            let report = tasks.shutdown(CONNECTION_GRACE).await;
            if !report.aborted.is_empty() || !report.unresponsive.is_empty() {
                let (aborted, unresponsive) = (report.aborted.len(), report.unresponsive.len());
                tracing::warn!(what, aborted, unresponsive, "not all ended in time");
            }
        }
    }

    fn admit(&self, stream: TcpStream, from: IpAddr) {
        if self.connections.counts().live >= self.connections.capacity() {
            // Best effort: a fresh socket's buffer takes this at once.
            drop(stream.try_write(FULL));
            return;
        }
        let router = Peered { router: self.router.clone(), peer: Peer(from) };
        let spec = TaskSpec { name: "web/connection", group: "web" };
        // Small frames should not wait for more; a socket that cannot do it still works.
        drop(stream.set_nodelay(true));
        let stream = Impatient::new(stream);
        let spawned = match self.tls.clone() {
            None => self.connections.spawn(spec, |task| serve(stream, router, task)),
            // Boxed: what TLS keeps is large, and the set charges futures by their declared size.
            Some(tls) => self.connections.spawn(spec, |task| Box::pin(serve_tls(tls, stream, router, task))),
        };
        if let Err(error) = spawned {
            tracing::warn!(%error, "connection refused");
        }
    }
}

/// The routes, for the visitors of one connection.
#[derive(Clone)]
struct Peered {
    router: Router,
    peer: Peer,
}

impl Service<Request<Incoming>> for Peered {
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.router.call(request)
    }
}

/// Agrees on TLS, and serves the connection.
async fn serve_tls(tls: TlsAcceptor, stream: Impatient<TcpStream>, router: Peered, task: Task) {
    let agreed = task.stop.or(timeout(TLS_TIMEOUT, tls.accept(stream))).await;
    match agreed {
        Some(Ok(Ok(stream))) => serve(stream, router, task).await,
        Some(Ok(Err(error))) => tracing::debug!(%error, "no agreement on tls"),
        Some(Err(_)) => tracing::debug!("no agreement on tls in time"),
        None => {}
    }
}

/// Serves one connection until it ends, its life is over, or the server stops.
async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, router: Peered, task: Task) {
    task.pulse.expect_every(CONNECTION_SILENCE_MAX);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(READ_BUFFER_BYTES)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        biased; // a stop is not delayed by a busy client
        () = task.stop.stopped() => None,
        () = sleep(CONNECTION_LIFE) => None,
        ended = connection.as_mut() => Some(ended),
    };
    let ended = match ended {
        Some(ended) => Some(ended),
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(CONNECTION_GRACE, connection).await.ok()
        }
    };
    if let Some(Err(error)) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Frame;
    use crate::made_up::MadeUp;
    use crate::token::AdminToken;
    use futures_util::StreamExt;
    use plimsoll_bounded::Grant;
    use plimsoll_market::Time;
    use std::time::Duration;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;

    #[tokio::test]
    async fn a_slow_subscriber_loses_frames_and_is_told_how_many() {
        let market = MadeUp::new(3, Time::from_millis(1_700_000_000_000), Duration::from_secs(60));
        let token = AdminToken::random().unwrap();
        let right = format!("Bearer {}", token.reveal());
        let config = WebConfig::new(token);
        let ledger = Ledger::open(64_000_000);
        let mut grants = ledger.admit(&config.plan().unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let Assembled { server, live, .. } = assemble(&config, market.ports(), &ledger, addr, &mut grants).await.unwrap();
        let upgrade = || {
            let mut request = format!("ws://{addr}/ws").into_client_request().unwrap();
            request.headers_mut().insert("authorization", right.parse().unwrap());
            request
        };
        let tasks = Tasks::new(Grant::detached(Tasks::line("tasks", 2, 8 * 1024)));
        let server = spawn(&tasks, "server", |task| server.run(listener, task)).unwrap();

        let (mut client, _) = tokio_tungstenite::connect_async(upgrade()).await.unwrap();
        while live.frames.subscribers() == 0 {
            tokio::task::yield_now().await;
        }
        // Far more than the sockets' buffers hold, while the client takes nothing.
        let frames = 400;
        let filler = "x".repeat(60_000);
        for number in 0..frames {
            let text = format!("{{\"type\":\"filler\",\"number\":{number},\"x\":\"{filler}\"}}").into();
            live.frames.publish(&Frame { watchers_of: None, text });
            tokio::task::yield_now().await;
        }
        let (mut got, mut lost, mut greeted) = (0, 0, 0);
        while got + lost < frames {
            let message = tokio::time::timeout(Duration::from_secs(20), client.next()).await.unwrap().unwrap().unwrap();
            let Message::Text(text) = message else { continue };
            let frame: serde_json::Value = serde_json::from_str(&text).unwrap();
            match frame["type"].as_str().unwrap() {
                "filler" => got += 1,
                "lost" => lost += frame["frames"].as_u64().unwrap(),
                "hello" => greeted += 1,
                _ => {}
            }
        }
        assert!(lost > 0 && got > 0 && got + lost == frames, "{got} came, {lost} were lost");
        assert!(greeted >= 2, "after a loss the whole picture is told again");
        // The next cleanup lets it go, with the first frame after it.
        let viewers = Viewers::new(Arc::clone(&live));
        viewers.sweep();
        live.frames.publish(&Frame { watchers_of: None, text: "{\"type\":\"filler\"}".into() });
        let reason = loop {
            let message = tokio::time::timeout(Duration::from_secs(20), client.next()).await.unwrap().unwrap().unwrap();
            if let Message::Close(frame) = message {
                break frame.unwrap().reason.to_string();
            }
        };
        assert_eq!(reason, "too_slow");
        // One that keeps up stays.
        let (mut client, _) = tokio_tungstenite::connect_async(upgrade()).await.unwrap();
        while live.frames.subscribers() == 0 {
            tokio::task::yield_now().await;
        }
        for number in 0..3 {
            viewers.sweep();
            live.frames.publish(&Frame { watchers_of: None, text: format!("{{\"type\":\"filler\",\"number\":{number}}}").into() });
            loop {
                let message = tokio::time::timeout(Duration::from_secs(20), client.next()).await.unwrap().unwrap().unwrap();
                assert!(!message.is_close());
                if message.to_text().is_ok_and(|text| text.contains(&format!("\"number\":{number}"))) {
                    break;
                }
            }
        }
        drop(client);
        server.stop_and_join(Duration::from_secs(10)).await.unwrap();
    }

    #[test]
    fn the_busy_answer_has_its_length_right() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        assert_eq!(length, body.len());
        serde_json::from_str::<crate::dto::ProblemDto>(body).unwrap();
    }

    #[test]
    fn wildcard_addresses_are_shown_as_loopback() {
        assert_eq!(url("0.0.0.0:80".parse().unwrap(), false), "http://127.0.0.1:80/");
        assert_eq!(url("[::1]:81".parse().unwrap(), true), "https://[::1]:81/");
    }
}
