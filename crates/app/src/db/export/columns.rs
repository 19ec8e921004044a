//! What an exported file has for columns, and what they mean.

use plimsoll_market::Time;

/// A column of a file.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub meaning: &'static str,
}

/// What a column holds, and what that is in Parquet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `STRING`.
    Text,
    /// `DECIMAL(38, 12)`; in CSV all digits, and no more.
    Price,
    /// `DECIMAL(38, 8)`; in CSV eight digits after the point.
    Money,
    /// `TIMESTAMP(NANOS, UTC)`; in CSV RFC 3339 with nine digits of a second.
    Time,
    /// `INT(64, false)`.
    Number,
    /// `INT(64, true)`.
    Signed,
    /// `BOOLEAN`.
    Flag,
}

/// Digits after the point of [`Kind::Price`] in Parquet: as many as an instrument can have.
pub const PRICE_DIGITS: u8 = 12;
/// Digits after the point of [`Kind::Money`].
pub const MONEY_DIGITS: u8 = 8;

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Nothing,
    Text(String),
    /// Units of 10^-scale.
    Decimal(i128, u8),
    Time(Time),
    Number(u64),
    Signed(i64),
    Flag(bool),
}

impl From<Option<String>> for Cell {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Nothing, Self::Text)
    }
}

pub const fn column(name: &'static str, kind: Kind, meaning: &'static str) -> Column {
    Column { name, kind, meaning }
}

pub const FILLS: &[Column] = &[
    column("time", Kind::Time, "when the exchange executed it"),
    column("account", Kind::Text, "the configured account"),
    column("symbol", Kind::Text, "the contract"),
    column("trade_id", Kind::Number, "the exchange's number of the execution, unique within the symbol"),
    column("order_id", Kind::Text, "the exchange's number of the order"),
    column("client_id", Kind::Text, "our id of the order; empty for orders that are not ours"),
    column("side", Kind::Text, "buy or sell"),
    column("price", Kind::Price, "price of one unit, in the quote asset"),
    column("qty", Kind::Price, "quantity, in the base asset"),
    column("value", Kind::Price, "price times quantity, in the quote asset"),
    column("quote", Kind::Text, "the quote asset, in which prices, values and profits are"),
    column("fee", Kind::Money, "fee paid; negative for a rebate"),
    column("fee_asset", Kind::Text, "what the fee was paid in"),
    column("maker", Kind::Flag, "whether the order rested"),
    column("realized", Kind::Money, "profit against the average entry of the position, before fees"),
    column("slot_realized", Kind::Money, "profit of the slot's round trip that it closed, before fees"),
    column("strategy", Kind::Number, "the strategy; empty for orders that are not ours"),
    column("level", Kind::Signed, "the grid's level, counted from where it began; empty for orders that are not ours"),
];

pub const ORDERS: &[Column] = &[
    column("time", Kind::Time, "when it last changed"),
    column("account", Kind::Text, "the configured account"),
    column("symbol", Kind::Text, "the contract"),
    column("client_id", Kind::Text, "our id of it"),
    column("order_id", Kind::Text, "the exchange's number; empty while it was never acknowledged"),
    column("side", Kind::Text, "buy or sell"),
    column("price", Kind::Price, "limit price"),
    column("qty", Kind::Price, "quantity ordered"),
    column("filled", Kind::Price, "quantity filled so far"),
    column("status", Kind::Text, "last known status"),
    column("reduce_only", Kind::Flag, "whether it could only close"),
];

pub const TRADES: &[Column] = &[
    column("closed", Kind::Time, "when what closed it was executed"),
    column("opened", Kind::Time, "when the first execution happened whose quantity it closed"),
    column("account", Kind::Text, "the configured account"),
    column("symbol", Kind::Text, "the contract"),
    column("strategy", Kind::Number, "the strategy of the slot; 32 and above hold short positions"),
    column("level", Kind::Signed, "the grid's level of the slot"),
    column("qty", Kind::Price, "quantity closed that these executions had opened"),
    column("buy_value", Kind::Price, "what was paid for it; of a short slot that is the closing"),
    column("sell_value", Kind::Price, "what it brought; of a short slot that is the opening"),
    column("quote", Kind::Text, "the quote asset, in which values, profits and fees are"),
    column("profit", Kind::Money, "sell_value less buy_value"),
    column("fees", Kind::Money, "fees in the quote asset of both sides, of this quantity's share"),
    column("net", Kind::Money, "profit less fees; empty when a fee was paid in another asset"),
    column("other_fees", Kind::Money, "fees in another asset"),
    column("other_fee_asset", Kind::Text, "that asset; MIXED for several, and then other_fees is empty"),
    column("openings", Kind::Number, "executions that opened it"),
    column("close_trade_id", Kind::Number, "the exchange's number of the closing execution"),
];

pub const EQUITY: &[Column] = &[
    column("time", Kind::Time, "when"),
    column("account", Kind::Text, "the configured account"),
    column("wallet", Kind::Money, "wallet, in the quote asset"),
    column("unrealized", Kind::Money, "what closing every position would have added"),
    column("equity", Kind::Money, "both together"),
];

pub const FUNDING: &[Column] = &[
    column("time", Kind::Time, "when it was paid"),
    column("account", Kind::Text, "the configured account"),
    column("symbol", Kind::Text, "the contract"),
    column("amount", Kind::Money, "what was received; negative is paid"),
    column("asset", Kind::Text, "what it was paid in"),
];

/// What every file's columns mean, for the help.
pub fn help() -> String {
    let mut text = String::from(
        "All times are UTC. Numbers are exact: in Parquet prices are DECIMAL(38, 12), money DECIMAL(38, 8), times TIMESTAMP(NANOS, UTC).\n\
         CSV is RFC 4180 in UTF-8; a text that a spreadsheet would take for a formula begins with an apostrophe.\n",
    );
    let files = [
        ("fills: every execution, in the order of time", FILLS),
        ("orders: every order in its last state, the first stored first; ended ones stay as long as storage keeps them", ORDERS),
        (
            "trades: a row for each slot that an execution closed, or a part of it, matched with what opened that slot first in first out,\n\
             by account, symbol and trade id; what no stored execution opened is counted and left out",
            TRADES,
        ),
        ("equity: what accounts were worth, in the order of time", EQUITY),
        ("funding: every funding payment, in the order of time", FUNDING),
    ];
    for (title, columns) in files {
        text.push_str(&format!("\n{title}\n"));
        for Column { name, meaning, .. } in columns {
            text.push_str(&format!("  {name:<16} {meaning}\n"));
        }
    }
    text
}
