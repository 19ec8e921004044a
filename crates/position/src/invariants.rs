//! What must hold at any time, in one place: simulation, tests and the running bot all look here.
//!
//! Two kinds: what the books must say of themselves ([`books`]), and what they must agree on with the exchange once both have
//! come to rest ([`agree`]). A breach is a bug of ours, never a state of the market.

use crate::orders::WorkState;
use crate::view::View;
use core::fmt;
use plimsoll_market::{ClientId, Holding, Leg, Notional, Qty, Totals};

/// What was found broken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Invariant {
    /// A slot has one live order at most, and it knows which.
    OneOrderASlot,
    /// What is booked of an order is not more than was ordered.
    BookedIsOrdered,
    /// The slots hold what the account does, as long as nobody else trades on it.
    SlotsAreCovered,
    /// A slot that holds nothing cost nothing.
    EmptyCostsNothing,
    /// At the exchange no slot has two open orders.
    NoOrderTwice,
    /// A client id is used for one order, ever.
    IdsAreUnique,
    /// Every execution is booked, once.
    FillsOnce,
    /// Position and its cost are those of the exchange.
    PositionAgrees,
    /// Realised profit and fees are those of the exchange.
    MoneyAgrees,
    /// After a stop that cancels, nothing of ours is open.
    NothingLeftOpen,
    /// Orders that are not ours are never withdrawn.
    ForeignUntouched,
    /// While opening is forbidden, nothing that opens is sent.
    ClosedOpensNothing,
    /// What is held and what buys is worth no more than is lent.
    WithinExposure,
    /// What only closes is at the exchange as an order that cannot open.
    ReducesOnly,
    /// A level buys at the same price for ever, restarts included.
    GridStays,
    /// A slot holds what one order of its level buys, and a rest below the least quantity.
    SlotHoldsOneOrder,
    /// When faults end, the symbol comes in step and trades again.
    Heals,
    /// A stop ends within its time.
    Stops,
}

impl Invariant {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; Self::Stops as usize + 1] = [
        Self::OneOrderASlot,
        Self::BookedIsOrdered,
        Self::SlotsAreCovered,
        Self::EmptyCostsNothing,
        Self::NoOrderTwice,
        Self::IdsAreUnique,
        Self::FillsOnce,
        Self::PositionAgrees,
        Self::MoneyAgrees,
        Self::NothingLeftOpen,
        Self::ForeignUntouched,
        Self::ClosedOpensNothing,
        Self::WithinExposure,
        Self::ReducesOnly,
        Self::GridStays,
        Self::SlotHoldsOneOrder,
        Self::Heals,
        Self::Stops,
    ];

    /// Snake-case word for display and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneOrderASlot => "one_order_a_slot",
            Self::BookedIsOrdered => "booked_is_ordered",
            Self::SlotsAreCovered => "slots_are_covered",
            Self::EmptyCostsNothing => "empty_costs_nothing",
            Self::NoOrderTwice => "no_order_twice",
            Self::IdsAreUnique => "ids_are_unique",
            Self::FillsOnce => "fills_once",
            Self::PositionAgrees => "position_agrees",
            Self::MoneyAgrees => "money_agrees",
            Self::NothingLeftOpen => "nothing_left_open",
            Self::ForeignUntouched => "foreign_untouched",
            Self::ClosedOpensNothing => "closed_opens_nothing",
            Self::WithinExposure => "within_exposure",
            Self::ReducesOnly => "reduces_only",
            Self::GridStays => "grid_stays",
            Self::SlotHoldsOneOrder => "slot_holds_one_order",
            Self::Heals => "heals",
            Self::Stops => "stops",
        }
    }
}

/// A breach, with the figures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// What must hold and does not.
    pub invariant: Invariant,
    /// One sentence with the figures.
    pub detail: Box<str>,
}

impl Broken {
    /// Puts a breach together.
    pub fn new(invariant: Invariant, detail: &dyn fmt::Display) -> Self {
        Self { invariant, detail: detail.to_string().into_boxed_str() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant.as_str(), self.detail)
    }
}

/// What books must say of themselves, at any time. The first breach is returned.
///
/// # Errors
/// What is broken. Costs one pass over orders and slots: not for every event of the running bot.
pub fn books(view: &View<'_>) -> Result<(), Broken> {
    for (at, order) in view.orders.iter() {
        let own = view.slots.get(order.id.leg()).and_then(|slot| slot.order) == Some(at);
        if !own && matches!(order.state, WorkState::Sent | WorkState::Unknown) && order.order_id.is_none() {
            return Err(Broken::new(Invariant::OneOrderASlot, &format_args!("{:?} was sent beside its slot's order", order.id)));
        }
        if order.booked > order.qty {
            let (booked, qty) = (order.booked.units(), order.qty.units());
            return Err(Broken::new(Invariant::BookedIsOrdered, &format_args!("{:?}: {booked} booked of {qty}", order.id)));
        }
    }
    for slot in view.slots.iter() {
        if let Some(at) = slot.order
            && view.orders.get(at).is_none_or(|order| order.id.leg() != slot.leg)
        {
            return Err(Broken::new(Invariant::OneOrderASlot, &format_args!("{:?} names an order that is not its own", slot.leg)));
        }
        if slot.held.is_zero() && slot.cost != Notional::ZERO {
            let cost = slot.cost.units();
            return Err(Broken::new(Invariant::EmptyCostsNothing, &format_args!("{:?} holds nothing and cost {cost}", slot.leg)));
        }
    }
    Ok(())
}

/// The slots together hold what the account does: true at rest, and only where nobody else trades on the symbol.
///
/// # Errors
/// When they hold more or less.
pub fn slots_are_covered(view: &View<'_>) -> Result<(), Broken> {
    let (slots, account) = (view.slots.net().units(), view.totals.holding.units());
    if slots == account {
        return Ok(());
    }
    Err(Broken::new(Invariant::SlotsAreCovered, &format_args!("slots hold {slots}, the account {account}")))
}

/// What is held, at cost, and what may still be opened are worth no more than was lent; `exposure_max` in the symbol's own units.
///
/// # Errors
/// When they are worth more.
pub fn within_exposure(view: &View<'_>, exposure_max: i128) -> Result<(), Broken> {
    let opening = view.orders.iter().filter(|(_, order)| !order.reduce_only);
    let exposure = view.totals.cost.units().abs() + opening.map(|(_, order)| (order.price * order.open_qty()).units()).sum::<i128>();
    if exposure <= exposure_max {
        return Ok(());
    }
    Err(Broken::new(Invariant::WithinExposure, &format_args!("holding and opening orders are worth {exposure} of {exposure_max}")))
}

/// No slot holds more than `buys` says that one order of its level buys, and a rest that is too little to be sold.
///
/// # Errors
/// The slot that does.
pub fn slots_hold_one_order(view: &View<'_>, buys: impl Fn(Leg) -> Option<Qty>) -> Result<(), Broken> {
    for slot in view.slots.holding() {
        if let Some(most) = buys(slot.leg).map(|qty| qty + view.instrument.qty_min)
            && slot.held > most
        {
            let (held, most) = (slot.held.units(), most.units());
            return Err(Broken::new(Invariant::SlotHoldsOneOrder, &format_args!("{:?} holds {held}, above {most}", slot.leg)));
        }
    }
    Ok(())
}

/// No two of the open orders of one symbol may be of one slot.
///
/// # Errors
/// The slot that has two.
pub fn no_order_twice(open: &[ClientId]) -> Result<(), Broken> {
    for (n, id) in open.iter().enumerate() {
        if let Some(other) = open.iter().skip(n + 1).find(|other| other.leg() == id.leg()) {
            return Err(Broken::new(Invariant::NoOrderTwice, &format_args!("{:?} and {:?} are both open", id, other)));
        }
    }
    Ok(())
}

/// What the exchange says of a symbol after everything has come to rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Truth {
    /// The position.
    pub holding: Holding,
    /// What it cost; `None` where the exchange tells only a rounded average.
    pub cost: Option<Notional>,
    /// Executions of the account on the symbol.
    pub fills: u64,
    /// Base quantity bought by them.
    pub bought: Qty,
    /// Base quantity sold by them.
    pub sold: Qty,
    /// Commissions in the quote asset, units of 1e-8.
    pub fees: i128,
    /// Worth of commissions in other assets, units of 1e-8 of the quote asset.
    pub other_fees: i128,
    /// Profit realised before commissions, units of 1e-8.
    pub realized: i128,
}

/// What books and exchange must agree on.
///
/// # Errors
/// The first figure that differs.
pub fn agree(totals: &Totals, truth: &Truth) -> Result<(), Broken> {
    let ours = (totals.fills, totals.bought, totals.sold);
    if ours != (truth.fills, truth.bought, truth.sold) {
        let (theirs, bought, sold) = (truth.fills, truth.bought.units(), truth.sold.units());
        return Err(Broken::new(
            Invariant::FillsOnce,
            &format_args!(
                "{} executions booked of {theirs}; bought {} of {bought}, sold {} of {sold}",
                totals.fills,
                totals.bought.units(),
                totals.sold.units()
            ),
        ));
    }
    position_agrees(totals, truth)?;
    let ours = (totals.fees, totals.other_fees, totals.realized);
    if ours != (truth.fees, truth.other_fees, truth.realized) {
        let (fees, other, realized) = (truth.fees, truth.other_fees, truth.realized);
        let detail = format_args!("fees {} of {fees}, in other assets {} of {other}, realised {} of {realized}", ours.0, ours.1, ours.2);
        return Err(Broken::new(Invariant::MoneyAgrees, &detail));
    }
    Ok(())
}

/// What books and exchange must agree on when executions were booked out of their order: everything but how cash is divided
/// between realised profit and the cost of what is held. `money_unit` is how many units of money (1e-8) a unit of cost is worth.
///
/// # Errors
/// The first figure that differs.
pub fn agree_out_of_order(totals: &Totals, truth: &Truth, money_unit: i128) -> Result<(), Broken> {
    let cash = |realized: i128, cost: Notional| realized - cost.units() * money_unit;
    let theirs = cash(truth.realized, truth.cost.unwrap_or(totals.cost));
    if cash(totals.realized, totals.cost) != theirs {
        let ours = cash(totals.realized, totals.cost);
        return Err(Broken::new(Invariant::MoneyAgrees, &format_args!("realised less cost {ours} of {theirs}")));
    }
    agree(totals, &Truth { cost: None, realized: totals.realized, ..*truth })
}

/// The position alone: what is left to compare when the books began after the account, or took a position over.
///
/// # Errors
/// When it differs.
pub fn position_agrees(totals: &Totals, truth: &Truth) -> Result<(), Broken> {
    if totals.holding != truth.holding || truth.cost.is_some_and(|cost| cost != totals.cost) {
        let (holding, cost) = (truth.holding.units(), truth.cost.map(|cost| cost.units()));
        let detail = format_args!("held {} of {holding}, cost {} of {cost:?}", totals.holding.units(), totals.cost.units());
        return Err(Broken::new(Invariant::PositionAgrees, &detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NewOrder, Position, PositionConfig};
    use plimsoll_market::{Actions, Instrument, OrderType, Price, Side, Tag, Time, TimeInForce};

    #[test]
    fn words_are_unique_and_in_order() {
        for (at, invariant) in Invariant::ALL.into_iter().enumerate() {
            assert_eq!(invariant as usize, at);
            assert_eq!(Invariant::ALL.iter().filter(|other| other.as_str() == invariant.as_str()).count(), 1);
        }
    }

    #[test]
    fn two_orders_of_a_slot_are_found() {
        let id = |level, generation| ClientId::new(Tag(1), 1, Leg::new(0, level).unwrap(), Side::Buy, generation);
        assert_eq!(no_order_twice(&[id(1, 1), id(2, 2), id(-1, 3)]), Ok(()));
        assert_eq!(no_order_twice(&[id(1, 1), id(2, 2), id(1, 3)]).unwrap_err().invariant, Invariant::NoOrderTwice);
    }

    #[test]
    fn every_figure_is_compared() {
        let totals = Totals { fills: 3, bought: Qty::from_units(5), sold: Qty::from_units(2), fees: 7, realized: 11, ..Totals::EMPTY };
        let totals = Totals { holding: Holding::from_units(3), cost: Notional::from_units(30), ..totals };
        let truth = Truth {
            holding: totals.holding,
            cost: Some(totals.cost),
            fills: 3,
            bought: totals.bought,
            sold: totals.sold,
            fees: 7,
            other_fees: 0,
            realized: 11,
        };
        assert_eq!(agree(&totals, &truth), Ok(()));
        let broken = |truth: &Truth| agree(&totals, truth).unwrap_err().invariant;
        assert_eq!(broken(&Truth { fills: 4, ..truth }), Invariant::FillsOnce);
        assert_eq!(broken(&Truth { sold: Qty::from_units(3), ..truth }), Invariant::FillsOnce);
        assert_eq!(broken(&Truth { holding: Holding::from_units(2), ..truth }), Invariant::PositionAgrees);
        assert_eq!(broken(&Truth { cost: Some(Notional::from_units(31)), ..truth }), Invariant::PositionAgrees);
        assert_eq!(broken(&Truth { fees: 8, ..truth }), Invariant::MoneyAgrees);
        assert_eq!(broken(&Truth { realized: 0, ..truth }), Invariant::MoneyAgrees);
        let shifted = Truth { realized: 11 + 2_000, cost: Some(Notional::from_units(32)), ..truth };
        assert_eq!(agree_out_of_order(&totals, &shifted, 1_000), Ok(()));
        assert_eq!(agree_out_of_order(&totals, &Truth { realized: 12, ..truth }, 1_000).unwrap_err().invariant, Invariant::MoneyAgrees);
    }

    #[test]
    fn exposure_counts_what_may_still_be_bought() {
        let cfg = PositionConfig {
            tag: Tag(1),
            run: 1,
            series: 0,
            placed_before: 0,
            recv_window_ms: 5_000,
            compare_every: PositionConfig::COMPARE_EVERY,
            accept_position: true,
        };
        let mut position = Position::new(Instrument::example_btcusdt(), cfg, None);
        let leg = |level| Leg::new(0, level).unwrap();
        let (price, qty, mut out) = (Price::from_units(100), Qty::from_units(3), Actions::new());
        for (level, side, reduce_only) in [(0, Side::Buy, false), (1, Side::Sell, true)] {
            let (kind, tif) = (OrderType::Limit, TimeInForce::Gtx);
            position.place(Time::ZERO, &NewOrder { leg: leg(level), side, price, qty, kind, tif, reduce_only }, &mut out).unwrap();
        }
        assert_eq!(within_exposure(&position.view(Time::ZERO), 300), Ok(()));
        assert_eq!(within_exposure(&position.view(Time::ZERO), 299).unwrap_err().invariant, Invariant::WithinExposure);
    }

    #[test]
    fn a_slot_that_bought_twice_is_found() {
        let cfg = PositionConfig {
            tag: Tag(1),
            run: 1,
            series: 0,
            placed_before: 0,
            recv_window_ms: 5_000,
            compare_every: PositionConfig::COMPARE_EVERY,
            accept_position: true,
        };
        let leg = Leg::new(0, 5).unwrap();
        let held = |units| crate::Restored {
            slots: vec![plimsoll_market::SlotRow { leg, held: Qty::from_units(units), cost: Notional::from_units(1) }],
            ..crate::Restored::default()
        };
        let (btc, buys) = (Instrument::example_btcusdt(), |_| Some(Qty::from_units(4)));
        let most = 4 + btc.qty_min.units();
        let check = |units| slots_hold_one_order(&Position::new(btc, cfg, Some(&held(units))).view(Time::ZERO), buys);
        assert_eq!(check(most), Ok(()));
        assert_eq!(check(most + 1).unwrap_err().invariant, Invariant::SlotHoldsOneOrder);
    }

    #[test]
    fn empty_books_are_whole() {
        let cfg = PositionConfig {
            tag: Tag(1),
            run: 1,
            series: 0,
            placed_before: 0,
            recv_window_ms: 5_000,
            compare_every: PositionConfig::COMPARE_EVERY,
            accept_position: true,
        };
        let position = Position::new(Instrument::example_btcusdt(), cfg, None);
        assert_eq!(books(&position.view(Time::ZERO)), Ok(()));
    }
}
