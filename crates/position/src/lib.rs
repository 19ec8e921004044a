//! What is true of one symbol: slots, working orders, holding, fills booked once, and profit.
//!
//! It applies events and keeps books; it wants nothing, forbids nothing and sends nothing of its own accord except
//! the questions it needs answered (queries and catch-ups) and the records that must be stored.
//!
//! Read [`Position`] and [`View`] first.
//!
//! ```
//! use plimsoll_market::{Actions, Event, Instrument, Tag, Time, Top};
//! use plimsoll_position::{Position, PositionConfig};
//!
//! let btc = Instrument::example_btcusdt();
//! let cfg = PositionConfig {
//!     tag: Tag(1),
//!     run: 1,
//!     series: 0,
//!     placed_before: 0,
//!     recv_window_ms: 5_000,
//!     compare_every: PositionConfig::COMPARE_EVERY,
//!     accept_position: true,
//! };
//! let mut books = Position::new(btc, cfg, None);
//! let mut out = Actions::new();
//! let price = |t| btc.parse_price(t, plimsoll_market::Round::Exact).unwrap();
//! let qty = btc.parse_qty("1", plimsoll_market::Round::Exact).unwrap();
//! let top = Top { bid: price("60000.0"), bid_qty: qty, ask: price("60000.1"), ask_qty: qty, time: Time::ZERO };
//! books.apply(Time::ZERO, &Event::Top(top), &mut out);
//! assert_eq!(books.view(Time::ZERO).top, Some(&top));
//! ```

mod holding;
pub mod invariants;
pub mod limits;
mod orders;
mod position;
mod slots;
mod sync;
mod view;

pub use holding::{book_fill, convert_fees};
pub use orders::{Orders, WorkState, Working};
pub use position::{Drift, NewOrder, PlaceError, Position, PositionConfig, Restored};
pub use slots::{Seat, Slot, Slots};
pub use sync::SyncState;
pub use view::{Changes, Earned, View};
