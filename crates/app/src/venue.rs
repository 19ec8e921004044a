//! Where to trade: addresses, keys, and the session with the exchange.

use crate::config::{Config, Exchange};
use crate::local::Local;
use crate::{screen, secret};
use anyhow::Context;
use plimsoll_bounded::{Grants, Tasks};
use plimsoll_exchange::binance::encode::Interval;
use plimsoll_exchange::binance::sign::{Secret, Signer};
use plimsoll_exchange::session::{Routing, SessionConfig};
use plimsoll_gateway::{Clock, GatewayConfig, GatewayHandle};
use plimsoll_market::{Asset, Name, Symbol, Tag, Time};
use plimsoll_sim::replay::Lines;
use std::time::Duration;
use zeroize::Zeroizing;

/// How often a start that waits says what for.
const BOOT_TOLD_EVERY: Duration = Duration::from_secs(4);

/// What to do about keys that are missing.
const WITHOUT_KEYS: &str = "a real exchange wants keys; to try without them set `exchange: local`";

/// Where to trade, and with what keys.
pub struct Venue {
    /// Address of REST.
    pub rest: String,
    /// Address of the streams.
    pub websocket: String,
    /// Their form.
    pub routing: Routing,
    /// API key.
    pub key: Zeroizing<String>,
    /// Its secret.
    pub secret: Zeroizing<String>,
    /// How long after its time stamp the exchange may take a request.
    pub recv_window: Duration,
}

/// Where to trade; starts the local exchange when it is that.
///
/// # Errors
/// Missing keys, or a local exchange that does not start.
pub async fn venue(
    config: &Config,
    fresh: bool,
    grants: Option<Grants>,
    paper: Option<Grants>,
    clock: Clock,
    tasks: &Tasks,
) -> anyhow::Result<(Venue, Option<Local>)> {
    match config.exchange {
        Exchange::Local | Exchange::Paper => {
            let grants = grants.context("the local exchange was not planned")?;
            let local = match paper {
                None => Local::start(config, fresh, grants, tasks).await?,
                Some(paper) => {
                    let listings = crate::paper::rules(config).await?;
                    let symbols: Vec<_> = config.symbols.iter().map(|settings| settings.symbol).collect();
                    let followed = crate::paper::follow(&config.binance, &symbols, paper, clock, tasks)?;
                    let lines = followed.into_iter().map(|(symbol, lines)| (symbol, Box::new(crate::paper::Waiting(lines)) as Lines));
                    let lines = lines.collect();
                    Local::start_mirror(config, fresh, listings, lines, grants, tasks).await?
                }
            };
            crate::log::hide(local.key());
            crate::log::hide(local.secret());
            let venue = Venue {
                rest: local.rest(),
                websocket: local.websocket(),
                routing: Routing::Routed,
                key: Zeroizing::new(local.key().to_owned()),
                secret: Zeroizing::new(local.secret().to_owned()),
                recv_window: Duration::from_secs(5),
            };
            Ok((venue, Some(local)))
        }
        Exchange::Binance => {
            let binance = &config.binance;
            let venue = Venue {
                rest: binance.rest_url.clone(),
                websocket: binance.websocket_url.clone(),
                routing: if binance.routed { Routing::Routed } else { Routing::Legacy },
                key: Zeroizing::new(secret::read("API key of Binance", &binance.key).context(WITHOUT_KEYS)?),
                secret: Zeroizing::new(secret::read("API secret of Binance", &binance.secret).context(WITHOUT_KEYS)?),
                recv_window: binance.recv_window,
            };
            Ok((venue, None))
        }
    }
}

/// The mark of this account in every client id: 16 bits of FNV-1a over exchange and account.
pub fn tag(exchange: &str, account: &Name) -> Tag {
    let hash = exchange
        .bytes()
        .chain([b':'])
        .chain(account.as_str().bytes())
        .fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    Tag((hash ^ hash >> 16) as u16)
}

/// Where the exchange is connected to.
///
/// # Errors
/// Addresses that cannot be ones.
pub fn gateway_config(config: &Config, venue: &Venue) -> anyhow::Result<GatewayConfig> {
    let owner = crate::memory::owner(config);
    GatewayConfig::new(&owner, &venue.rest, &venue.websocket, &venue.key)
        .map_err(|mistakes| anyhow::anyhow!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
}

/// What an earlier run left that the exchange is to be asked about.
#[derive(Default)]
pub struct Earlier {
    /// Up to when funding is booked.
    pub funded_to: Vec<(Symbol, Time)>, // tidy: bounded by the symbols
    /// Symbols whose fees wait for the rate of an asset.
    pub rates: Vec<(Symbol, Asset)>, // tidy: bounded by the symbols
}

/// How the exchange is dealt with.
///
/// # Errors
/// Keys that cannot be ones.
pub fn session_config(config: &Config, venue: &Venue, tag: Tag, earlier: Earlier) -> anyhow::Result<SessionConfig> {
    let Earlier { funded_to, rates } = earlier;
    let signer = Signer::new(Secret::new(venue.key.to_string())?, &Secret::new(venue.secret.to_string())?);
    let symbols = config.symbols.iter().map(|s| s.symbol).collect();
    let (routing, recv_window) = (venue.routing, venue.recv_window);
    let candles = config.risk.monitor.map_or(0, |monitor| u16::try_from(monitor.window + 1).unwrap_or(0));
    // Strategies that go by bars are warmed up by those of the past: the longest candles that make them up.
    let longest = |bar: Duration| Interval::ALL.into_iter().rev().find(|i| bar.as_secs().is_multiple_of(i.duration().as_secs()));
    let bars = config.symbols.iter().filter_map(|symbol| Some((symbol.symbol, longest(symbol.bar()?)?))).collect();
    Ok(SessionConfig { symbols, tag, routing, signer, recv_window, leverage: Some(config.leverage), candles, bars, rates, funded_to })
}

/// Waits for the exchange's answers, and says every few seconds what for: after several starts in a minute its request weight is
/// used up, and a start waits for the next minute.
pub async fn told_while_waiting<T>(answer: impl Future<Output = T>, gateway: &GatewayHandle, exchange: &str) -> T {
    let mut tick = tokio::time::interval(BOOT_TOLD_EVERY);
    tick.tick().await;
    tokio::pin!(answer);
    // bounded: by the answer's own time limit.
    loop {
        tokio::select! {
            biased;
            // The answer first: then there is nothing more to tell.
            answer = &mut answer => return answer,
            _ = tick.tick() => {
                let session = gateway.stats().session;
                screen::say(&format!(
                    "waiting for {exchange}: {} of its request weight of {} a minute is used, {} questions are on their way …",
                    session.weight_used, session.weight_limit, session.requests_in_flight
                ));
            }
        }
    }
}
