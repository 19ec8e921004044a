//! Answers about commands.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a command would do now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PreviewDto {
    /// The command.
    pub verb: String,
    /// The symbols that it is for.
    pub symbols: Vec<String>, // tidy: bounded by SYMBOLS_MAX
    /// What would happen, a sentence a symbol.
    pub text: String,
    /// Orders that would be withdrawn.
    pub orders_canceled: u64,
    /// Positions that would be closed at market.
    pub positions: Vec<AtStakeDto>, // tidy: bounded by SYMBOLS_MAX
    /// What a session must send as `confirm`; `None` where nothing needs to be confirmed.
    pub confirm: Option<String>,
}

/// A position that would be closed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AtStakeDto {
    /// The symbol.
    pub symbol: String,
    /// How much is held; negative for a short position.
    pub qty: String,
    /// What it is worth at the price shown, without its sign; `None` without a price.
    pub value: Option<String>,
    /// The asset of its worth.
    pub asset: String,
    /// What closing it would gain at the mark; `None` when it is not known.
    pub unrealized: Option<String>,
}
