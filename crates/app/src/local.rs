//! The local exchange inside the process, for `exchange: local`.

use crate::config::Config;
use anyhow::Context;
use plimsoll_bounded::{Grants, Tasks};
use plimsoll_market::Symbol;
use plimsoll_sim::replay::Lines;
use plimsoll_testnet::{AccountConfig, Listing, Testnet, TestnetConfig, TestnetHandle};
use std::time::Duration;

/// The key of the one account; a loopback exchange inside the process has nothing to hide.
const KEY: &str = "local";
const SECRET: &str = "local-exchange-inside-the-process";
/// How long it may take to stop.
const STOP: Duration = Duration::from_secs(5);

/// A running local exchange.
pub struct Local {
    handle: TestnetHandle,
}

/// Stream connections of the one client, and a few for somebody who looks on.
const CONNECTIONS: usize = 8;

/// What the local exchange of a configuration is to be.
///
/// # Errors
/// Never with the constants above.
pub fn testnet(config: &Config, fresh: bool) -> anyhow::Result<TestnetConfig> {
    let account = AccountConfig::new(KEY.to_owned(), SECRET.to_owned(), config.local.balance)?;
    let mut testnet = TestnetConfig::new(config.local.seed, vec![account]);
    testnet.speed_milli = u32::try_from(config.local.speed_ppm / 1_000).unwrap_or(u32::MAX);
    testnet.state_dir = Some(config.data_dir.join("local-exchange"));
    testnet.fresh = fresh;
    testnet.connections = CONNECTIONS;
    // Only what is traded: a market that nobody looks at costs as much as one that somebody does.
    let traded = |listing: &Listing| config.symbols.iter().any(|s| s.symbol == listing.instrument.symbol);
    testnet.listings.retain(traded);
    anyhow::ensure!(!testnet.listings.is_empty(), "the local exchange lists BTCUSDT and ETHUSDT; trading.symbols names neither");
    Ok(testnet)
}

/// What the exchange inside the process is to be that mirrors a real market.
///
/// # Errors
/// As [`testnet`].
pub fn mirror(config: &Config, fresh: bool, listings: Vec<Listing>) -> anyhow::Result<TestnetConfig> {
    let account = AccountConfig::new(KEY.to_owned(), SECRET.to_owned(), config.local.balance)?;
    let mut testnet = TestnetConfig::new(config.local.seed, vec![account]);
    testnet.state_dir = Some(config.data_dir.join("paper-exchange"));
    (testnet.fresh, testnet.connections, testnet.listings) = (fresh, CONNECTIONS, listings);
    Ok(testnet)
}

impl Local {
    /// Starts one that mirrors the market of `lines`.
    ///
    /// # Errors
    /// As [`Local::start`].
    pub async fn start_mirror(
        config: &Config,
        fresh: bool,
        listings: Vec<Listing>,
        lines: Vec<(Symbol, Lines)>,
        grants: Grants,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let testnet = mirror(config, fresh, listings)?;
        let handle = Testnet::start_mirror(testnet, lines, grants, tasks).await.context("cannot start the exchange inside the process")?;
        Ok(Self { handle })
    }

    /// Starts it on a free loopback port; its state is kept in the data folder.
    ///
    /// # Errors
    /// When it cannot keep its state or has no such contract.
    pub async fn start(config: &Config, fresh: bool, grants: Grants, tasks: &Tasks) -> anyhow::Result<Self> {
        let handle = Testnet::start(testnet(config, fresh)?, grants, tasks).await.context("cannot start the local exchange")?;
        Ok(Self { handle })
    }

    /// Address of its REST API.
    pub fn rest(&self) -> String {
        self.handle.http_url()
    }

    /// Address of its streams.
    pub fn websocket(&self) -> String {
        self.handle.ws_url()
    }

    /// Key of its account.
    pub const fn key(&self) -> &'static str {
        KEY
    }

    /// Secret of its account.
    pub const fn secret(&self) -> &'static str {
        SECRET
    }

    /// Stops it; its state is on disk then.
    pub async fn stop(self) {
        match self.handle.stop(STOP).await {
            Ok(exit) if exit.is_ok() => {}
            Ok(exit) => tracing::warn!(%exit, "the local exchange ended badly"),
            Err(error) => tracing::error!(%error, "the local exchange did not end"),
        }
    }
}
