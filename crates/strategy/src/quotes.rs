use arrayvec::ArrayVec;
use plimsoll_market::limits::QUOTES_MAX;
use plimsoll_market::{Leg, OrderType, Price, Qty, Side, TimeInForce};

/// How a wanted order is to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Style {
    /// Rests; refused when it would take.
    PostOnly,
    /// Takes what there is at its price or better; the rest stays until it is withdrawn.
    Limit,
    /// Takes what there is at its price or better; the rest expires.
    Ioc,
    /// Takes at once, at any price; only for closing.
    Market,
}

impl Style {
    /// Kind and time in force of the order.
    pub const fn order(self) -> (OrderType, TimeInForce) {
        match self {
            Self::PostOnly => (OrderType::Limit, TimeInForce::Gtx),
            Self::Limit => (OrderType::Limit, TimeInForce::Gtc),
            Self::Ioc => (OrderType::Limit, TimeInForce::Ioc),
            Self::Market => (OrderType::Market, TimeInForce::Gtc),
        }
    }
}

/// One order that is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Quote {
    /// What it serves; at most one quote a leg.
    pub leg: Leg,
    /// Direction.
    pub side: Side,
    /// How it is sent.
    pub style: Style,
    /// Whether it may only reduce the position.
    pub reduce_only: bool,
    /// Limit price; zero at market.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
}

const _: () = assert!(size_of::<Quote>() <= 32);

/// The orders wanted, the most wanted first; one for each engine, reused.
///
/// # Bounds
/// [`QUOTES_MAX`].
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Quotes {
    list: ArrayVec<Quote, QUOTES_MAX>,
}

impl Quotes {
    /// Nothing wanted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what was wanted.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// Wants one more; `false` when it is full, and the order is not wanted.
    pub fn push(&mut self, quote: Quote) -> bool {
        self.list.try_push(quote).is_ok()
    }

    /// What is wanted.
    pub fn as_slice(&self) -> &[Quote] {
        &self.list
    }
}

/// What a strategy answers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Intent {
    /// What was wanted last is still wanted.
    Keep,
    /// The quotes were written anew.
    Want,
    /// Nothing is wanted: all orders are to be withdrawn.
    Flat,
}
