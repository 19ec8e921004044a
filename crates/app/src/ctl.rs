//! `plimsoll ctl`: orders and questions to a running bot, over its API.

use crate::config::Config;
use crate::pinned::trust;
use anyhow::{Context, bail};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use plimsoll_web::AdminToken;
use rustls::pki_types::ServerName;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The longest a question may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer.
const ANSWER_MAX: usize = 4 << 20;

/// What to ask or order.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Verb {
    /// Print /api/status.
    Status,
    /// Exit 0 when the bot is ready, 1 when it is not.
    Health,
    /// Open nothing more; closing goes on.
    Pause,
    /// Lift a pause; what a rule has locked stays locked.
    Resume,
    /// Open nothing more and tell when nothing is left to sell.
    Drain,
    /// Lift what a rule has locked, and a halt; without a symbol also what the account's rules have latched.
    Rearm,
    /// Withdraw all our orders and open nothing more.
    CancelAll,
    /// Withdraw all, close our position at market and open nothing more.
    Flatten,
    /// Drop slots that hold nothing and have no order.
    CleanupSlots,
    /// Fetch fills, position and open orders again.
    Resync,
    /// Stop the process as configured.
    Stop,
    /// Begin anew with the configuration's file as it is; orders and positions stay at the exchange.
    Restart,
    /// Forget the dashboard's password, its one-time codes and all sessions, and print the link that sets a new one.
    ForgetPassword,
}

impl Verb {
    const fn path(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Health => "readyz",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Drain => "drain",
            Self::Rearm => "rearm",
            Self::CancelAll => "cancel_all",
            Self::Flatten => "flatten",
            Self::CleanupSlots => "cleanup_slots",
            Self::Resync => "resync",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::ForgetPassword => "reset",
        }
    }
}

/// Arguments.
#[derive(Debug, Args)]
pub struct CtlArgs {
    /// What to ask or order.
    verb: Verb,
    /// Only this symbol.
    symbol: Option<String>,
    /// The bot's configuration: tells address and data folder.
    #[arg(long, value_name = "FILE", default_value = "config/plimsoll.yaml")]
    config: PathBuf,
}

/// Asks or orders.
///
/// # Errors
/// When the bot does not answer, or refuses.
pub fn main(args: CtlArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (method, path) = match (args.verb, &args.symbol) {
        (Verb::Status, None) => ("GET", "/api/status".to_owned()),
        (Verb::Status, Some(symbol)) => ("GET", format!("/api/symbols/{symbol}")),
        (Verb::Health, _) => ("GET", "/readyz".to_owned()),
        (Verb::ForgetPassword, _) => ("POST", "/api/auth/reset".to_owned()),
        (verb, None) => ("POST", format!("/api/control/{}", verb.path())),
        (verb, Some(symbol)) => ("POST", format!("/api/symbols/{symbol}/control/{}", verb.path())),
    };
    let door = Door::of(&config)?;
    if method == "POST" && door.token.is_none() {
        bail!("there is no admin token at {}: start the bot once, it makes one", crate::run::token_path(&config).display());
    }
    let asked = async { tokio::time::timeout(TIMEOUT, door.ask(method, &path)).await.context("no answer in time")? };
    let (status, body) = runtime.block_on(asked)?;
    let text = String::from_utf8_lossy(&body);
    let pretty = serde_json::from_slice::<serde_json::Value>(&body)
        .and_then(|v| serde_json::to_string_pretty(&v))
        .unwrap_or_else(|_| text.trim_end().to_owned());
    crate::screen::say(&pretty);
    Ok(if (200..300).contains(&status) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// How the bot of a configuration is reached.
pub struct Door {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its admin token, once it has made one.
    pub token: Option<AdminToken>,
    tls: Option<TlsConnector>,
}

impl Door {
    /// Reads it from the configuration and the files that it names.
    ///
    /// # Errors
    /// The bot takes no questions, or a file is not to be trusted.
    pub fn of(config: &Config) -> anyhow::Result<Self> {
        let listen = config.web_listen.context("web.enabled is false: the bot takes no orders")?;
        let address = if listen.ip().is_unspecified() { SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listen.port()) } else { listen };
        let file = crate::run::token_path(config);
        let token = if file.exists() { Some(AdminToken::load_or_create(&file)?.0) } else { None };
        let tls = config.web_tls.as_ref().map(|(certificate, _)| trust(certificate)).transpose()?;
        Ok(Self { address, token, tls })
    }

    /// Sends one request and takes the answer.
    ///
    /// # Errors
    /// Nobody answers there.
    pub async fn ask(&self, method: &str, path: &str) -> anyhow::Result<(u16, Bytes)> {
        let Self { address, token, tls } = self;
        let stream = TcpStream::connect(address).await.with_context(|| format!("no bot answers at {address}; is it running?"))?;
        match tls {
            Some(tls) => {
                let stream = tls.connect(ServerName::from(address.ip()), stream).await.context("no agreement on TLS with the bot")?;
                exchange(*address, stream, method, path, token.as_ref()).await
            }
            None => exchange(*address, stream, method, path, token.as_ref()).await,
        }
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    address: SocketAddr,
    stream: S,
    method: &str,
    path: &str,
    token: Option<&AdminToken>,
) -> anyhow::Result<(u16, Bytes)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut request = http::Request::builder().method(method).uri(path).header(http::header::HOST, address.to_string());
    if let Some(token) = token {
        request = request.header(http::header::AUTHORIZATION, format!("Bearer {}", token.reveal()));
    }
    let request = request.body(Empty::<Bytes>::new())?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await.map_err(|e| anyhow::anyhow!("{e}"))?.to_bytes();
        anyhow::Ok((status, body))
    };
    tokio::pin!(connection);
    tokio::select! {
        biased;
        // The answer first: the connection only ends when nothing more is asked.
        answer = exchange => answer,
        ended = &mut connection => { ended?; bail!("the bot closed the connection") }
    }
}
