//! One run on a part of the tapes.

use plimsoll_backtest::tape::{Bar, Tick};
use plimsoll_backtest::{Observer, Run, RunError, Setup, Timeline, TimelineError};
use plimsoll_market::{Price, RefPrice, Time};
use serde::Serialize;
use std::path::PathBuf;
use thiserror::Error;

/// A part of history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Its first moment.
    pub from: Time,
    /// The first moment after it.
    pub until: Time,
}

impl Serialize for Window {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.from.millis(), self.until.millis()).serialize(serializer)
    }
}

/// A future that was not: from a time on every price is so much higher.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    /// From when on.
    pub at: Time,
    /// By how much, units of the contract's price.
    pub by: i64,
}

/// Why a part of history cannot be run.
#[derive(Debug, Error)]
pub enum PlayError {
    /// The tapes cannot be read.
    #[error(transparent)]
    Timeline(#[from] TimelineError),
    /// The run broke off.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The engine never began to trade.
    #[error("there was no price to begin with")]
    NeverBegan,
}

impl PlayError {
    /// Whether these settings alone are to blame; else no other settings would do better.
    pub const fn is_of_settings(&self) -> bool {
        matches!(self, Self::Run(_))
    }
}

/// Runs a part of history; what comes before it only tells how the book stands.
///
/// # Errors
/// The tapes are damaged, the run broke off, or no price came.
///
/// # Bounds
/// One run and one open block for each tape of the moment, whatever the length.
pub fn play<O: Observer>(tapes: &[PathBuf], setup: Setup, window: Window, moved: Option<Moved>, observer: O) -> Result<Run<O>, PlayError> {
    let scale = setup.market.instrument.price_scale;
    let mut timeline = Timeline::open(tapes)?;
    let mut run = Run::new(setup, observer)?;
    while let Some((time, tick)) = timeline.next()? {
        if time >= window.until {
            break;
        }
        if time < window.from {
            run.learn_book(&tick);
            continue;
        }
        match moved {
            Some(moved) if time >= moved.at => run.feed(time, &shift(&tick, moved.by, scale))?,
            _ => run.feed(time, &tick)?,
        }
    }
    run.finish()?;
    if !run.is_trading() {
        return Err(PlayError::NeverBegan);
    }
    Ok(run)
}

fn shift(tick: &Tick, by: i64, scale: u8) -> Tick {
    let of = |price: Price| Price::from_units(price.units().saturating_add(by));
    match *tick {
        Tick::Level { side, price, qty } => Tick::Level { side, price: of(price), qty },
        Tick::Trade { taker, price, qty } => Tick::Trade { taker, price: of(price), qty },
        Tick::Top { bid, ask } => Tick::Top { bid: (of(bid.0), bid.1), ask: (of(ask.0), ask.1) },
        Tick::Mark(mark) => {
            let factor = 10_i64.pow(8_u32.saturating_sub(u32::from(scale)));
            Tick::Mark(RefPrice::from_units(mark.units().saturating_add(by.saturating_mul(factor))))
        }
        Tick::Candle(bar) => {
            Tick::Candle(Bar { open: of(bar.open), high: of(bar.high), low: of(bar.low), close: of(bar.close), volume: bar.volume })
        }
        Tick::Funding(_) | Tick::Reset => *tick,
    }
}
