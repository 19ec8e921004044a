//! The trading side: a thread of its own with the gateway, a loop for each symbol, and one for the account.

mod account;
mod build;
mod inbox;
mod keeper;
mod sink;
mod symbol;

pub use account::{AccountLoop, EquityView, Feedback};
pub use build::{engine_config, gate_config, grid_config, interval_at_start, interval_of, price_of, strategy_config};
pub use inbox::{Adoption, Control, Inbox, Inlet, NotAdopted, Refusal, lanes, plan as plan_inbox};
pub use keeper::{Keeper, KeeperRequest};
pub use sink::{LinkState, Router};
pub use symbol::{Prospects, SymbolLoop, SymbolParts, WhyNot, boot};
