//! What is wanted: strategies that return the whole set of orders they want working, never commands.
//!
//! A strategy reads the books through [`plimsoll_position::View`] and fills [`Quotes`]. It sends nothing, waits for
//! nothing and knows neither limits nor exchange; what may be wanted is decided after it.
//!
//! Read [`Strategy`] and [`Grid`] first.
//!
//! ```
//! use plimsoll_market::Instrument;
//! use plimsoll_strategy::GridConfig;
//!
//! let btc = Instrument::example_btcusdt();
//! let cfg = GridConfig {
//!     interval: btc.parse_price("100", plimsoll_market::Round::Exact).unwrap(),
//!     order_quote: 200 * 100_000_000,
//!     buy_window: 10,
//!     sell_window: 10,
//! };
//! // A level at 60,000 earns 100 less the fees of both sides.
//! assert!(cfg.check(&btc, btc.parse_price("60000", plimsoll_market::Round::Exact).unwrap()).is_ok());
//! ```

mod capital_allocator;
mod combo;
mod dca_enhanced;
mod dynamic_adjuster;
mod grid;
mod grid_options;
pub mod indicators;
mod kind;
pub mod limits;
mod market_maker;
mod martingale;
mod mean_reversion;
mod momentum;
mod quotes;
#[cfg(feature = "serde")]
pub mod saved;
mod trader;
mod trend_detector;
mod trend_following;

pub use capital_allocator::{CapitalAllocator, CapitalConfig};
pub use combo::{Child, ChildConfig, Choice, Combo, ComboConfig, common_bar};
pub use dca_enhanced::{Cascade, DcaConfig, DcaEnhanced, DcaPlan};
pub use dynamic_adjuster::{AdjusterConfig, DynamicAdjuster, Size};
pub use grid::{Grid, GridConfig, GridError};
pub use grid_options::{GridOptions, Trailing};
pub use kind::{StrategyConfig, StrategyError};
pub use market_maker::{MarketMaker, MarketMakerConfig};
pub use martingale::{Martingale, MartingaleConfig, MartingalePlan};
pub use mean_reversion::{MeanReversion, MeanReversionConfig, MeanReversionPlan};
pub use momentum::{Momentum, MomentumConfig, MomentumPlan};
pub use quotes::{Intent, Quote, Quotes, Style};
pub use trader::{Add, BadOrder, Direction, Entry, Held, ParameterError, Plan, Target, TradeConfig, Trader};
pub use trend_detector::{Regime, Regimes, TrendConfig, TrendDetector};
pub use trend_following::{Average, TrendFollowing, TrendFollowingConfig, TrendFollowingPlan};

use plimsoll_market::{Event, Leg, Memo, Price, Top};
use plimsoll_position::{Changes, View};

/// A source of wanted orders for one symbol.
///
/// The engine calls [`Strategy::on_event`] after the books have taken an event; the same `Quotes` comes back each time,
/// so a strategy that answers [`Intent::Keep`] leaves what it wanted last.
pub trait Strategy: Send {
    /// The configured kind, for logs and display.
    fn name(&self) -> &'static str;

    /// The price of level 0, fixed for the life of the symbol's books. Called once, before the first event.
    fn anchored(&mut self, anchor: Price);

    /// Learns of a trade or a closed candle while nothing is asked: before trading began, while the position is closed or the symbol
    /// rests. Figures that take a while to be warm go on by it.
    fn watch(&mut self, _event: &Event, _view: &View<'_>) {}

    /// Whether it goes by candles at all; one that does not need not be told of them.
    fn takes_candles(&self) -> bool {
        true
    }

    /// Where a leg's level lies; `None` for what has no levels.
    fn level_price(&self, _leg: Leg, _tick: Price) -> Option<Price> {
        None
    }

    /// What it must know again after a restart and its books do not tell, one word for each strategy in it; stored when it changes.
    fn memo(&self) -> Memo {
        Memo::NONE
    }

    /// Learns after a restart what [`Strategy::memo`] said last, before the first event.
    fn recall(&mut self, _memo: Memo) {}

    /// Whether the figures that it closes positions by are there; until then only its stops and targets do.
    fn is_warm(&self) -> bool {
        true
    }

    /// Whether what a leg holds is its own to close; of a strategy that does not say so everything is.
    fn owns(&self, _leg: Leg) -> bool {
        true
    }

    /// Says what is wanted now. `changes` tells what the event changed in the books.
    ///
    /// # Bounds
    /// At most [`plimsoll_market::limits::QUOTES_MAX`] quotes, the most wanted first: limits are applied in this order.
    fn on_event(&mut self, event: &Event, changes: Changes, view: &View<'_>, want: &mut Quotes) -> Intent;

    /// Whether a top changes nothing for it as it stands: told of it and of nothing else, it would answer [`Intent::Keep`] and know
    /// nothing more than before. Most tops are such; it then need not be told of them. To say no is never wrong.
    fn is_indifferent(&self, _top: &Top) -> bool {
        false
    }

    /// Bytes it takes, for the ledger.
    fn bytes(&self) -> usize;

    /// All that it knows, as it stands; `None` for a strategy that cannot be written down, and whose symbol has no journal.
    #[cfg(feature = "serde")]
    fn saved(&self) -> Option<saved::Saved> {
        None
    }
}
