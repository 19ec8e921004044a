//! What is to be stored of a venue, as plain rows.
//!
//! Ids and amounts of money are texts, so that no reader rounds them; prices and quantities are integers of the instrument's
//! scales; times are nanoseconds since the epoch. Rows are upserts by their ids, and count only with the [`Row::Commit`] that
//! follows them.

use serde::{Deserialize, Serialize};

/// What is to be stored of a venue.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "snake_case", deny_unknown_fields)]
pub enum Row {
    /// An order as it stands; replaces the one with its id.
    Order(OrderRecord),
    /// An execution; comes once.
    Trade(TradeRecord),
    /// Income other than by trades; comes once.
    Income(IncomeRecord),
    /// A position with its settings; replaces the one of its account and symbol.
    Position(PositionRecord),
    /// An account's money; replaces the one of its name.
    Account(AccountRecord),
    /// A market's last price and ids; replaces the one of its symbol.
    Market(MarketRecord),
    /// Order ids below this may have been used.
    Ids {
        /// The first order id that surely was not.
        next_order: String,
    },
    /// Closes a batch: the rows before it belong together.
    Commit {
        /// Grows by one with each batch of a run.
        seq: u64,
    },
}

/// See [`crate::venue::OrderRow`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRecord {
    /// The venue's id.
    pub id: String,
    /// The account's name.
    pub account: String,
    /// The contract.
    pub symbol: String,
    /// The client's id.
    pub client_id: String,
    /// `buy` or `sell`.
    pub side: String,
    /// `limit` or `market`.
    pub kind: String,
    /// `GTC`, `IOC`, `FOK`, `GTX` or `GTD`.
    pub tif: String,
    /// When a `GTD` order ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good_till: Option<u64>,
    /// Limit price.
    pub price: i64,
    /// Quantity ordered.
    pub qty: u64,
    /// Quantity filled.
    pub filled: u64,
    /// Value of what filled, units of the notional.
    pub cost: String,
    /// Whether it may only reduce.
    pub reduce_only: bool,
    /// Self-trade prevention, in Binance's word.
    pub self_trade: String,
    /// `new`, `partially_filled`, `filled`, `canceled` or `expired`.
    pub status: String,
    /// Whether self-trade prevention ended it.
    pub in_match: bool,
    /// Whether the venue placed it to liquidate.
    pub liquidation: bool,
    /// How often it was amended.
    pub amends: u32,
    /// When it was placed.
    pub created: u64,
    /// When it last changed.
    pub updated: u64,
}

/// See [`crate::venue::TradeRow`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TradeRecord {
    /// The venue's id of the trade.
    pub id: String,
    /// The order.
    pub order_id: String,
    /// The account's name.
    pub account: String,
    /// The contract.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: String,
    /// Price.
    pub price: i64,
    /// Quantity.
    pub qty: u64,
    /// Realised profit, 1e-8.
    pub realized: String,
    /// Commission, 1e-8.
    pub commission: String,
    /// Whether it was paid in the exchange's own coin.
    #[serde(default)]
    pub in_coin: bool,
    /// Whether the order rested.
    pub maker: bool,
    /// When.
    pub time: u64,
}

/// See [`crate::venue::IncomeRow`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncomeRecord {
    /// Grows within an account.
    pub id: String,
    /// The account's name.
    pub account: String,
    /// The contract.
    pub symbol: String,
    /// In Binance's word.
    pub kind: String,
    /// Amount, 1e-8.
    pub amount: String,
    /// When.
    pub time: u64,
}

/// An account's position on a symbol.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionRecord {
    /// The account's name.
    pub account: String,
    /// The contract.
    pub symbol: String,
    /// Signed size.
    pub holding: i64,
    /// What it cost, units of the notional.
    pub cost: String,
    /// Profit realised, units of the notional.
    pub realized: String,
    /// Price times signed quantity of all executions, units of the notional.
    pub flow: String,
    /// All that was bought.
    pub bought: u64,
    /// All that was sold.
    pub sold: u64,
    /// Leverage set.
    pub leverage: u16,
    /// Whether the margin type is isolated.
    pub isolated: bool,
    /// When it last changed.
    pub updated: u64,
}

/// An account's money, 1e-8.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRecord {
    /// The account's name.
    pub account: String,
    /// The wallet.
    pub wallet: String,
    /// What it began with.
    pub deposited: String,
    /// Profit realised.
    pub realized: String,
    /// Commission paid.
    pub commission: String,
    /// Funding received.
    pub funding: String,
    /// What the insurance fund put in.
    pub insurance: String,
    /// Commission paid in the exchange's own coin.
    #[serde(default = "zero")]
    pub burned: String,
    /// Whether it pays in it.
    #[serde(default)]
    pub burn: bool,
    /// When it last changed.
    pub updated: u64,
}

/// A market's last price and ids.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketRecord {
    /// The contract.
    pub symbol: String,
    /// The last price; zero before the first.
    pub price: i64,
    /// The first trade id that surely was not used.
    pub next_trade: String,
    /// The first aggregated-trade id that surely was not used.
    pub next_agg: String,
    /// The first update id that surely was not used.
    pub next_update: String,
}

fn zero() -> String {
    "0".to_owned()
}
