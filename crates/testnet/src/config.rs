use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use plimsoll_exchange::binance::server::SymbolFacts;
use plimsoll_exchange::binance::sign::{Secret, SecretError, Signer};
use plimsoll_market::{Asset, Bps, Instrument, Notional, Percent, Price, Qty, Round, Symbol, Trading, parse_units};

use crate::faults::FaultConfig;
use crate::limits::{CONNECTIONS_MAX, LISTEN_KEY_LIFE};

/// How a local exchange is to be.
#[derive(Clone, Debug)]
pub struct TestnetConfig {
    /// Where it listens; must be a loopback address. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Equal seeds make equal markets.
    pub seed: u64,
    /// How much faster than real life markets move, in thousandths: 1 to 1,000,000. Times told stay real.
    pub speed_milli: u32,
    /// Recordings to play instead of made-up markets, in hftbacktest's format, gzipped or plain; consecutive files of a
    /// symbol are joined in the order given.
    pub replay: Vec<PathBuf>, // tidy: bounded by the command line
    /// The accounts.
    pub accounts: Vec<AccountConfig>, // tidy: bounded by ACCOUNTS_MAX of the venue
    /// Folder that keeps accounts and orders over restarts; `None` keeps nothing.
    pub state_dir: Option<PathBuf>,
    /// Whether what the folder keeps is thrown away first.
    pub fresh: bool,
    /// Whether a stream is refused on an address that the exchange would not serve it on, and addresses without a route are.
    pub strict_routes: bool,
    /// The contracts.
    pub listings: Vec<Listing>, // tidy: bounded by INSTRUMENTS_MAX of the venue
    /// What clients may ask for.
    pub limits: RateLimits,
    /// Life of a listen key without renewal.
    pub listen_key_life: Duration,
    /// Stream connections at a time, 1 to [`CONNECTIONS_MAX`].
    pub connections: usize,
    /// Whether request weight is not counted: for tests that start clients more often in a minute than the exchange would allow.
    pub weightless: bool,
    /// What goes wrong on purpose.
    pub faults: FaultConfig,
}

impl TestnetConfig {
    /// One account and two contracts on a free port, nothing kept.
    pub fn new(seed: u64, accounts: Vec<AccountConfig>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed,
            speed_milli: 1_000,
            replay: Vec::new(),
            accounts,
            state_dir: None,
            fresh: false,
            strict_routes: false,
            listings: vec![Listing::btcusdt(), Listing::ethusdt()],
            limits: RateLimits::default(),
            listen_key_life: LISTEN_KEY_LIFE,
            connections: CONNECTIONS_MAX,
            weightless: false,
            faults: FaultConfig::none(),
        }
    }
}

/// What clients may ask for, all together: on loopback there is one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimits {
    /// Request weight in a minute.
    pub weight_per_minute: u32,
    /// Orders of an account in ten seconds.
    pub orders_per_10s: u32,
    /// Orders of an account in a minute.
    pub orders_per_minute: u32,
}

impl Default for RateLimits {
    /// The exchange's own.
    fn default() -> Self {
        Self { weight_per_minute: 2_400, orders_per_10s: 300, orders_per_minute: 1_200 }
    }
}

/// An account of the local exchange. Of its secret only what checks signatures is kept.
#[derive(Clone)]
pub struct AccountConfig {
    signer: Arc<Signer>,
    /// What it begins with, units of 1e-8 USDT.
    pub wallet: i128,
    /// Whether its key says that it may withdraw; nothing can be withdrawn here.
    pub withdraw: bool,
}

impl AccountConfig {
    /// Puts an account together.
    ///
    /// # Errors
    /// Key or secret cannot be one.
    pub fn new(key: String, secret: String, wallet: i128) -> Result<Self, SecretError> {
        let signer = Arc::new(Signer::new(Secret::new(key)?, &Secret::new(secret)?));
        Ok(Self { signer, wallet, withdraw: false })
    }

    /// Reads `KEY:SECRET:USDT`, or `KEY:SECRET:USDT:withdraw` for a key that says it may withdraw.
    ///
    /// # Errors
    /// Says what is wrong with it, without repeating the secret.
    pub fn parse(text: &str) -> Result<Self, AccountTextError> {
        let mut parts = text.split(':');
        let (Some(key), Some(secret), Some(usdt)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(AccountTextError::Form);
        };
        let withdraw = match (parts.next(), parts.next()) {
            (None, _) => false,
            (Some("withdraw"), None) => true,
            (Some(_), _) => return Err(AccountTextError::Form),
        };
        let wallet = match parse_units(usdt, 8, Round::Exact) {
            Ok(wallet) if wallet > 0 => wallet,
            _ => return Err(AccountTextError::Wallet(usdt.to_owned())),
        };
        Ok(Self { withdraw, ..Self::new(key.to_owned(), secret.to_owned(), wallet)? })
    }

    /// The API key that names it.
    pub fn key(&self) -> &str {
        self.signer.key()
    }

    /// What checks its signatures.
    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }
}

impl fmt::Debug for AccountConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountConfig").field("key", &self.key()).field("wallet", &self.wallet).finish_non_exhaustive()
    }
}

/// Why a text is no account.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AccountTextError {
    /// Not three parts.
    #[error("an account is KEY:SECRET:USDT")]
    Form,
    /// The money is no amount above zero.
    #[error("an account begins with an amount of USDT above zero, not {0:?}")]
    Wallet(String),
    /// Key or secret cannot be one.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// A contract of the local exchange.
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    /// The contract and its rules.
    pub instrument: Instrument,
    /// Price that a made-up market begins with.
    pub start: Price,
    /// What the exchange tells of it beside its rules.
    pub facts: SymbolFacts,
}

impl Listing {
    /// BTCUSDT with the exchange's rules of 2024.
    pub fn btcusdt() -> Self {
        let start = Price::from_units(6_160_000);
        Self { instrument: Instrument::example_btcusdt(), start, facts: SymbolFacts::default() }
    }

    /// ETHUSDT with the exchange's rules of 2024.
    pub fn ethusdt() -> Self {
        let instrument = Instrument {
            symbol: symbol("ETHUSDT"),
            base: asset("ETH"),
            tick: Price::from_units(1),
            price_min: Price::from_units(3_986),
            price_max: Price::from_units(30_617_700),
            qty_max: Qty::from_units(10_000_000),
            market_qty_max: Qty::from_units(2_000_000),
            notional_min: Notional::from_units(20 * 100_000),
            ..Instrument::example_btcusdt()
        };
        let facts = SymbolFacts { sub_type: "Layer-1", ..SymbolFacts::default() };
        Self { instrument, start: Price::from_units(268_000), facts }
    }

    /// SOLUSDT with the exchange's rules of 2024: whole coins and four digits of price.
    pub fn solusdt() -> Self {
        let instrument = Instrument {
            symbol: symbol("SOLUSDT"),
            base: asset("SOL"),
            price_scale: 4,
            qty_scale: 0,
            tick: Price::from_units(10),
            price_min: Price::from_units(4_200),
            price_max: Price::from_units(68_570_000),
            step: Qty::from_units(1),
            qty_min: Qty::from_units(1),
            qty_max: Qty::from_units(1_000_000),
            market_step: Qty::from_units(1),
            market_qty_min: Qty::from_units(1),
            market_qty_max: Qty::from_units(80_000),
            notional_min: Notional::from_units(5 * 10_000),
            percent_up: Percent(1_050_000),
            percent_down: Percent(950_000),
            orders_max: 200,
            maker_fee: Bps::from_ppm(200),
            taker_fee: Bps::from_ppm(500),
            trading: Trading::Open,
            ..Instrument::example_btcusdt()
        };
        let facts = SymbolFacts { onboard_ms: 1_600_066_800_000, sub_type: "Layer-1", liquidation_fee: Bps::from_ppm(10_000) };
        Self { instrument, start: Price::from_units(1_550_000), facts }
    }
}

#[expect(clippy::expect_used, reason = "constant names")]
fn symbol(name: &str) -> Symbol {
    Symbol::new(name).expect("a constant name")
}

#[expect(clippy::expect_used, reason = "constant names")]
fn asset(name: &str) -> Asset {
    Asset::new(name).expect("a constant name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_accounts_and_never_shows_the_secret() {
        let account = AccountConfig::parse("testkey:testsecret:100000.5").unwrap();
        assert_eq!((account.key(), account.wallet), ("testkey", 10_000_050_000_000));
        assert!(!format!("{account:?}").contains("testsecret"));
        for wrong in ["", "a", "a:b", "a:b:1:2"] {
            assert!(matches!(AccountConfig::parse(wrong), Err(AccountTextError::Form)), "{wrong}");
        }
        for wrong in [":b:1", "a::1", "a:b c:1"] {
            assert!(matches!(AccountConfig::parse(wrong), Err(AccountTextError::Secret(_))), "{wrong}");
        }
        for wrong in ["a:b:0", "a:b:-1", "a:b:x", "a:b:"] {
            assert!(matches!(AccountConfig::parse(wrong), Err(AccountTextError::Wallet(_))), "{wrong}");
        }
    }
}
