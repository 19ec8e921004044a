//! `plimsoll ctl`: orders and questions to a running bot, over its API.

use crate::config::Config;
use anyhow::{Context, bail};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use plimsoll_web::AdminToken;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpStream;

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
    let listen = config.web_listen.context("web.enabled is false: the bot takes no orders")?;
    let address = if listen.ip().is_unspecified() { SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listen.port()) } else { listen };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (method, path) = match (args.verb, &args.symbol) {
        (Verb::Status, None) => ("GET", "/api/status".to_owned()),
        (Verb::Status, Some(symbol)) => ("GET", format!("/api/symbols/{symbol}")),
        (Verb::Health, _) => ("GET", "/readyz".to_owned()),
        (verb, None) => ("POST", format!("/api/control/{}", verb.path())),
        (verb, Some(symbol)) => ("POST", format!("/api/symbols/{symbol}/control/{}", verb.path())),
    };
    let token = match method {
        "POST" => {
            let path = crate::run::token_path(&config);
            if !path.exists() {
                bail!("there is no admin token at {}: start the bot once, it makes one", path.display());
            }
            Some(AdminToken::load_or_create(&path)?.0)
        }
        _ => None,
    };
    let asked = async { tokio::time::timeout(TIMEOUT, ask(address, method, &path, token.as_ref())).await.context("no answer in time")? };
    let (status, body) = runtime.block_on(asked)?;
    let text = String::from_utf8_lossy(&body);
    let pretty = serde_json::from_slice::<serde_json::Value>(&body)
        .and_then(|v| serde_json::to_string_pretty(&v))
        .unwrap_or_else(|_| text.trim_end().to_owned());
    crate::screen::say(&pretty);
    Ok(if (200..300).contains(&status) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn ask(address: SocketAddr, method: &str, path: &str, token: Option<&AdminToken>) -> anyhow::Result<(u16, Bytes)> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("no bot answers at {address}; is it running?"))?;
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
