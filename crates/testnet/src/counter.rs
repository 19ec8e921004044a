//! The exchange without sockets, clock and tasks: for simulations in made-up time.

use core::time::Duration;
use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use plimsoll_bounded::{Class, Grants, LedgerError, Line, Plan, WhenFull};
use plimsoll_exchange::binance::server::parse_socket_url;
use plimsoll_market::Time;
use plimsoll_sim::generator::GeneratorSpec;
use plimsoll_sim::venue::{Journal as Rows, MarketSpec, Sink, SourceSpec, Venue, VenueConfig};

use crate::config::TestnetConfig;
use crate::desk::{Call, Desk};
use crate::error::StartError;
use crate::hub::{Hub, ListenEnd};
use crate::journal::Journal;
use crate::keys::{KeyEntry, Keys};
use crate::outbox::{Next, Outbox};
use crate::rates::{OrderCounts, Rates};
use crate::start::{account, check};

/// Where the markets of a counter come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CounterMarkets {
    /// They are made up, as those of the local exchange.
    MadeUp,
    /// They have the orders of the accounts and nothing else: for scripts.
    Orders,
}

/// What differs from an exchange that people connect to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CounterConfig {
    /// Time between fundings, at least a minute.
    pub funding_every: Duration,
    /// Leverage of every symbol until it is set.
    pub leverage: u16,
    /// Where the markets come from.
    pub markets: CounterMarkets,
}

/// The local exchange as a value: requests and stream connections in the exchange's protocol, at a time that the caller says.
///
/// Everything that [`Testnet`](crate::Testnet) serves on sockets, served by the same code.
///
/// # Bounds
/// As [`Testnet::plan`](crate::Testnet::plan) without the sockets, and the venue's own limits.
pub struct Counter {
    desk: Box<Desk>,
}

fn plan(config: &TestnetConfig) -> Result<Plan, LedgerError> {
    let accounts = config.accounts.len();
    let mut plan = Plan::new("testnet");
    Hub::plan(&mut plan, config.connections, config.listings.len())?;
    plan.add(Line::of::<KeyEntry>("testnet.keys", accounts, WhenFull::Refuse, Class::MustKeep))?;
    plan.add(Line::of::<OrderCounts>("testnet.order_counts", accounts, WhenFull::Refuse, Class::LatestWins))?;
    Ok(plan)
}

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
    /// Header `X-MBX-USED-WEIGHT-1M`.
    pub weight: u32,
    /// Headers `X-MBX-ORDER-COUNT-10S` and `-1M`, on requests that count as orders.
    pub orders: Option<(u32, u32)>,
    /// Header `Retry-After`, in seconds.
    pub retry_after_s: Option<u64>,
}

/// An open stream connection.
pub struct Stream {
    slot: usize,
    outbox: Arc<Outbox>,
}

/// What a stream connection brings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Brought {
    /// A text message.
    Text(Utf8Bytes),
    /// The exchange closes the connection.
    Close,
}

impl Stream {
    /// Takes what waits, in order; `None` when nothing does.
    pub fn take(&self) -> Option<Brought> {
        self.outbox.try_next().map(|next| match next {
            Next::Frame(text) => Brought::Text(text),
            Next::Close(_) => Brought::Close,
        })
    }
}

impl Counter {
    /// Opens an exchange at a time. Of the configuration it takes seed, speed, accounts, contracts, limits and the life of
    /// listen keys; it keeps nothing on disk.
    ///
    /// # Errors
    /// As [`Testnet::start`](crate::Testnet::start), as far as they concern these.
    pub fn new(config: &TestnetConfig, counter: CounterConfig, now: Time) -> Result<Self, StartError> {
        check(config)?;
        let accounts = config.accounts.len();
        let mut grants = Grants::detached(&plan(config).map_err(|_| StartError::PlanMismatch)?);
        let markets = config.listings.iter().zip(0_u64..).map(|(listing, at)| MarketSpec {
            instrument: listing.instrument,
            brackets: Vec::new(),
            source: match counter.markets {
                CounterMarkets::MadeUp => SourceSpec::Generator(GeneratorSpec {
                    seed: config.seed.wrapping_add(at),
                    start_price: listing.start,
                    speed_milli: config.speed_milli,
                    history: 0,
                }),
                CounterMarkets::Orders => SourceSpec::Empty,
            },
        });
        let venue = Venue::new(VenueConfig {
            markets: markets.collect(),
            accounts: config.accounts.iter().map(account).collect(),
            start: now,
            funding_interval: counter.funding_every,
            leverage: counter.leverage,
            journal: Rows::Off,
            lag_max: None,
        })?;
        let hub = Hub::new(&mut grants, config.connections, &config.listings, config.strict_routes)?;
        let hub = hub.ok_or(StartError::PlanMismatch)?;
        let keys = Keys::new(grants.take("testnet.keys")?, config.accounts.clone(), config.listen_key_life);
        let rates = Rates::new(grants.take("testnet.order_counts")?, config.limits, accounts);
        let (Some(keys), Some(rates)) = (keys, rates) else { return Err(StartError::PlanMismatch) };
        let mut desk = Box::new(Desk { venue, hub, keys, rates, journal: Journal::none(), opened: now });
        desk.step(now);
        Ok(Self { desk })
    }

    /// Lets everything happen that is due, and tells it to the streams.
    pub fn step(&mut self, now: Time) {
        self.desk.step(now);
    }

    /// When [`Counter::step`] has something to do next.
    pub fn wake_at(&self) -> Option<Time> {
        self.desk.venue.wake_at()
    }

    /// Answers a request; `target` is its path and query, `key` the header with the API key.
    pub fn request(&mut self, now: Time, method: &str, target: &str, key: Option<&str>) -> Answer {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let call = Call {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            body: Bytes::new(),
            key: key.map(str::to_owned),
        };
        let reply = self.desk.call(now, &call);
        Answer { status: reply.status, body: reply.body, weight: reply.weight, orders: reply.orders, retry_after_s: reply.retry_after_s }
    }

    /// Opens a stream connection; `target` is path and query of its address. `None` when the exchange refuses it.
    pub fn open(&mut self, target: &str) -> Option<Stream> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let url = parse_socket_url(path, query)?;
        let Desk { hub, keys, .. } = &mut *self.desk;
        let (slot, outbox) = hub.open(&url, keys).ok()?;
        Some(Stream { slot, outbox })
    }

    /// Forgets a stream connection: its client has gone.
    pub fn close(&mut self, stream: &Stream) {
        self.desk.hub.close(stream.slot);
    }

    /// Ends every listen key before its time, as the exchange does now and then.
    pub fn expire_listen_keys(&mut self, now: Time) {
        while let Some((account, listen_key)) = self.desk.keys.pop_expired(Time::from_nanos(u64::MAX)) {
            self.desk.hub.end_listen(account, ListenEnd::Expired { listen_key: &listen_key, now });
        }
    }

    /// The venue behind it.
    pub fn venue(&self) -> &Venue {
        &self.desk.venue
    }

    /// Does something at the venue that no request asks for: what people do by hand, what the exchange does by itself.
    pub fn by_hand<T>(&mut self, now: Time, act: impl FnOnce(&mut Venue, &mut Sink<'_>) -> T) -> T {
        self.desk.at_venue(now, act)
    }
}
