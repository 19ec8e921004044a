use crate::binance::encode::Interval;
use crate::binance::sign::Signer;
use core::time::Duration;
use plimsoll_market::{Asset, Symbol, Tag, Time};

/// Which addresses the streams have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Routing {
    /// `/public`, `/market` and `/private`: what the exchange serves since March 2026.
    Routed,
    /// One route without a name, as before; its test networks keep it.
    Legacy,
}

/// What a session is for.
pub struct SessionConfig {
    /// The symbols, 1 to [`super::limits::SYMBOLS_MAX`]; those the exchange has are numbered in this order.
    pub symbols: Vec<Symbol>, // tidy: bounded by SYMBOLS_MAX
    /// Whose orders are ours: client ids with another tag are foreign.
    pub tag: Tag,
    /// The form of the streams' addresses.
    pub routing: Routing,
    /// Signs requests; its key is the account.
    pub signer: Signer,
    /// How old a signed request may be when the exchange takes it; 5 s is usual, 60 s the most.
    pub recv_window: Duration,
    /// The leverage that every symbol must have; `None` leaves it as it is.
    pub leverage: Option<u16>,
    /// Closed candles of a minute that each symbol is told when its market data begins, at most [`super::limits::CANDLES_MAX`];
    /// zero for none.
    pub candles: u16,
    /// Length of the bars that a symbol's strategy goes by: it is told [`super::limits::PAST_MAX`] of the past, and the parts of the
    /// unfinished one.
    pub bars: Vec<(Symbol, Interval)>, // tidy: bounded by SYMBOLS_MAX
    /// Symbols whose fees, paid in another asset by an earlier run, still wait for that asset's rate.
    pub rates: Vec<(Symbol, Asset)>, // tidy: bounded by SYMBOLS_MAX
    /// Up to when funding is booked, of symbols where that is known: what was paid since is told when the user stream is first open.
    /// Of all others it counts from the start.
    pub funded_to: Vec<(Symbol, Time)>, // tidy: bounded by SYMBOLS_MAX
}

impl core::fmt::Debug for SessionConfig {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { symbols, tag, routing, recv_window, leverage, candles, bars, rates, funded_to, signer: _ } = self;
        write!(
            f,
            "SessionConfig({symbols:?}, {tag:?}, {routing:?}, {recv_window:?}, leverage {leverage:?}, candles {candles}, bars {bars:?}, rates {rates:?}, funded {funded_to:?})"
        )
    }
}
