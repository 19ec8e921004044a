use plimsoll_market::{Notional, Price, Qty};
use thiserror::Error;

/// Why the venue refuses a command. [`VenueError::code`] and the text are what Binance's futures answer.
///
/// Prices, quantities and values carry the digits of the instrument in their texts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum VenueError {
    /// The venue does not list the symbol.
    #[error("Invalid symbol.")]
    UnknownSymbol,
    /// The account index is beyond the accounts of the venue.
    #[error("Invalid API-key, IP, or permissions for action.")]
    UnknownAccount,
    /// The symbol is listed but takes no orders.
    #[error("Invalid symbol status for opening position.")]
    Closed,
    /// There is no book yet, or nobody on the other side of an order at market.
    #[error("No depth.")]
    NoDepth,
    /// The limit price is below the lowest.
    #[error("Price less than min price.")]
    PriceBelowMin {
        /// The price.
        price: Price,
        /// The lowest.
        min: Price,
    },
    /// The limit price is above the highest.
    #[error("Price greater than max price.")]
    PriceAboveMax {
        /// The price.
        price: Price,
        /// The highest.
        max: Price,
    },
    /// The limit price is no multiple of the tick.
    #[error("Price not increased by tick size.")]
    OffTick {
        /// The price.
        price: Price,
        /// The tick.
        tick: Price,
    },
    /// The limit price is too far above the mark price.
    #[error("Limit price can't be higher than {}.", scaled(max.units().into(), *scale))]
    PriceTooHigh {
        /// The highest that the mark price allows now.
        max: Price,
        /// Digits after the point.
        scale: u8,
    },
    /// The limit price is too far below the mark price.
    #[error("Limit price can't be lower than {}.", scaled(min.units().into(), *scale))]
    PriceTooLow {
        /// The lowest that the mark price allows now.
        min: Price,
        /// Digits after the point.
        scale: u8,
    },
    /// The best counter-price is outside the band around the mark price.
    #[error("The counterparty's best price does not meet the PERCENT_PRICE filter limit")]
    CounterpartyOutOfBand,
    /// The quantity is zero.
    #[error("Quantity less than or equal to zero.")]
    QtyZero,
    /// The quantity is below the smallest.
    #[error("Quantity less than min quantity.")]
    QtyBelowMin {
        /// The quantity.
        qty: Qty,
        /// The smallest.
        min: Qty,
    },
    /// The quantity is above the largest.
    #[error("Quantity greater than max quantity.")]
    QtyAboveMax {
        /// The quantity.
        qty: Qty,
        /// The largest.
        max: Qty,
    },
    /// The quantity is no multiple of the step.
    #[error("Qty not increased by step size.")]
    OffStep {
        /// The quantity.
        qty: Qty,
        /// The step.
        step: Qty,
    },
    /// The order is worth too little.
    #[error("Order's notional must be no smaller than {} (unless you choose reduce only).", trimmed(min.units(), *scale))]
    NotionalBelowMin {
        /// The order's value.
        value: Notional,
        /// The least value.
        min: Notional,
        /// Digits after the point of both.
        scale: u8,
    },
    /// The client id has characters other than `.A-Z:/a-z0-9_-`, or is empty.
    #[error("Illegal characters found in parameter 'newClientOrderId'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{{1,36}}$'.")]
    BadClientId,
    /// An open order of the account has the same client id.
    #[error("ClientOrderId is duplicated.")]
    DuplicateClientId,
    /// The account or the venue has as many open orders as it may.
    #[error("Reach max open order limit.")]
    TooManyOrders {
        /// The limit that acted.
        max: usize,
    },
    /// A good-till-date is missing or too near, or given where it has no meaning.
    #[error("Data sent for parameter 'goodTillDate' is not valid.")]
    BadGoodTill,
    /// A post-only order would take.
    #[error(
        "Due to the order could not be executed as maker, the Post Only order will be rejected. The order will not be recorded in the order history"
    )]
    WouldTake,
    /// A fill-or-kill order cannot be filled at once.
    #[error(
        "Due to the order could not be filled immediately, the FOK order has been rejected. The order will not be recorded in the order history"
    )]
    FokUnfillable,
    /// A reduce-only order has no position to reduce.
    #[error("ReduceOnly Order is rejected.")]
    NothingToReduce,
    /// Not enough free margin.
    #[error("Margin is insufficient.")]
    InsufficientMargin {
        /// What the order would bind in addition, units of 1e-8.
        needed: i128,
        /// What is free, units of 1e-8; may be negative.
        available: i128,
    },
    /// The position and orders would exceed the bracket of the leverage.
    #[error("Exceeded the maximum allowable position at current leverage.")]
    PositionLimit {
        /// The largest value at this leverage, units of 1e-8.
        max: i128,
    },
    /// The account is being liquidated.
    #[error("User in liquidation mode now.")]
    Liquidating,
    /// A cancel or amendment names no open order.
    #[error("Unknown order sent.")]
    UnknownOrder,
    /// A query names no order that is remembered.
    #[error("Order does not exist.")]
    NoSuchOrder,
    /// Leverage outside 1 to the largest of the symbol.
    #[error("Leverage {leverage} is not valid")]
    BadLeverage {
        /// What was asked.
        leverage: u16,
    },
    /// The lower leverage needs more margin than is free.
    #[error("Leverage is smaller than permitted: insufficient margin balance.")]
    LeverageMargin,
    /// Leverage of an isolated position cannot be lowered.
    #[error("Leverage reduction is not supported in Isolated Margin Mode with open positions.")]
    IsolatedLeverage,
    /// The margin type is already so.
    #[error("No need to change margin type.")]
    MarginTypeUnchanged,
    /// The margin type cannot change with open orders.
    #[error("Margin type cannot be changed if there exists open orders.")]
    MarginTypeOrders,
    /// The margin type cannot change with a position.
    #[error("Margin type cannot be changed if there exists position.")]
    MarginTypePosition,
    /// The position mode is already so.
    #[error("No need to change position side.")]
    PositionModeUnchanged,
    /// The position mode cannot change with open orders.
    #[error("Position side cannot be changed if there exists open orders.")]
    PositionModeOrders,
    /// The position mode cannot change with a position.
    #[error("Position side cannot be changed if there exists position.")]
    PositionModePosition,
    /// This venue has one-way accounts only.
    #[error("Data sent for parameter 'dualSidePosition' is not valid.")]
    HedgeUnsupported,
    /// Only limit orders can be amended.
    #[error("Only limit order is supported.")]
    AmendNotLimit,
    /// The order was amended too often.
    #[error("Exceed maximum modify order limit.")]
    AmendTooOften,
    /// The amendment changes nothing.
    #[error("No need to modify the order.")]
    AmendUnchanged,
}

impl VenueError {
    /// The code that Binance's futures give for this refusal.
    pub const fn code(&self) -> i32 {
        match self {
            Self::UnknownSymbol => -1121,
            Self::UnknownAccount => -2015,
            Self::Closed => -4140,
            Self::NoDepth => -1112,
            Self::PriceBelowMin { .. } => -4013,
            Self::PriceAboveMax { .. } => -4002,
            Self::OffTick { .. } => -4014,
            Self::PriceTooHigh { .. } => -4016,
            Self::PriceTooLow { .. } => -4024,
            Self::CounterpartyOutOfBand => -4131,
            Self::QtyZero => -4003,
            Self::QtyBelowMin { .. } => -4004,
            Self::QtyAboveMax { .. } => -4005,
            Self::OffStep { .. } => -4023,
            Self::NotionalBelowMin { .. } => -4164,
            Self::BadClientId => -1100,
            Self::DuplicateClientId => -4116,
            Self::TooManyOrders { .. } => -2025,
            Self::BadGoodTill | Self::HedgeUnsupported => -1130,
            Self::WouldTake => -5022,
            Self::FokUnfillable => -5021,
            Self::NothingToReduce => -2022,
            Self::InsufficientMargin { .. } => -2019,
            Self::PositionLimit { .. } => -2027,
            Self::Liquidating => -2023,
            Self::UnknownOrder => -2011,
            Self::NoSuchOrder => -2013,
            Self::BadLeverage { .. } => -4028,
            Self::LeverageMargin => -2028,
            Self::IsolatedLeverage => -4161,
            Self::MarginTypeUnchanged => -4046,
            Self::MarginTypeOrders => -4047,
            Self::MarginTypePosition => -4048,
            Self::PositionModeUnchanged => -4059,
            Self::PositionModeOrders => -4067,
            Self::PositionModePosition => -4068,
            Self::AmendNotLimit => -5025,
            Self::AmendTooOften => -5026,
            Self::AmendUnchanged => -5027,
        }
    }
}

fn scaled(units: i128, scale: u8) -> impl core::fmt::Display {
    plimsoll_market::format_units(units, scale)
}

/// Without trailing zeros, as the exchange writes the least notional.
fn trimmed(units: i128, scale: u8) -> impl core::fmt::Display {
    let (mut units, mut scale) = (units, scale);
    while scale > 0 && units % 10 == 0 {
        units /= 10;
        scale -= 1;
    }
    plimsoll_market::format_units(units, scale)
}

/// Why a venue cannot be made from its configuration.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ConfigError {
    /// Nothing to trade.
    #[error("no instrument is listed")]
    NoInstrument,
    /// More than [`crate::limits::INSTRUMENTS_MAX`].
    #[error("{0} instruments are more than {max}", max = crate::limits::INSTRUMENTS_MAX)]
    TooManyInstruments(usize),
    /// More than [`crate::limits::ACCOUNTS_MAX`].
    #[error("{0} accounts are more than {max}", max = crate::limits::ACCOUNTS_MAX)]
    TooManyAccounts(usize),
    /// Two instruments have one symbol.
    #[error("symbol {0} is listed twice")]
    SymbolTwice(plimsoll_market::Symbol),
    /// Two accounts have one name.
    #[error("account {0} is listed twice")]
    AccountTwice(plimsoll_market::Name),
    /// All instruments settle in one asset.
    #[error("{symbol} settles in {found}, the venue in {expected}")]
    Settlement {
        /// The odd one.
        symbol: plimsoll_market::Symbol,
        /// Its quote asset.
        found: plimsoll_market::Asset,
        /// The first instrument's quote asset.
        expected: plimsoll_market::Asset,
    },
    /// Brackets must be 1 to [`crate::limits::BRACKETS_MAX`], with growing caps, falling leverage and growing rates.
    #[error("brackets of {0} are not in order")]
    Brackets(plimsoll_market::Symbol),
    /// The start price is zero or off the range of the instrument.
    #[error("start price of {0} is out of range")]
    StartPrice(plimsoll_market::Symbol),
    /// Speed must be 1 to 1,000,000 thousandths.
    #[error("speed {0} thousandths is outside 1 to 2000000")]
    Speed(u32),
    /// The funding interval is below a second or no multiple of it.
    #[error("funding interval is not a whole number of seconds above zero")]
    FundingInterval,
}

/// Why stored rows cannot be taken back.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RestoreError {
    /// A number or name in a row cannot be read.
    #[error("row has a bad {field}: {text}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it says.
        text: String,
    },
    /// The venue has already begun.
    #[error("venue has already begun")]
    Begun,
    /// The rows contradict each other.
    #[error("restored state is inconsistent: {0}")]
    Inconsistent(#[source] Broken),
}

/// A broken invariant of the venue: a bug, or rows that somebody changed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{what} of account {account} {symbol}: {found} instead of {expected}")]
pub struct Broken {
    /// Which rule.
    pub what: &'static str,
    /// The account's index.
    pub account: u16,
    /// The symbol, or empty.
    pub symbol: String,
    /// What was found.
    pub found: i128,
    /// What should have been.
    pub expected: i128,
}
