use super::backoff::Backoff;
use super::limits::{ORDER_LOOKUPS_MAX, TRADES_PAGE};
use crate::SymbolIndex;
use plimsoll_market::{ClientId, Fill, OrderId, PositionReport, Time, TradeId};

/// Where a symbol's catch-up stands.
///
/// ```text
/// Idle ─▶ Queued ─▶ Baseline ─────────────▶ Due ─▶ Position ─▶ Orders ─▶ Idle
///            └────▶ Trades ⇄ Lookup ─▶ …     └──▶ Batch (all symbols at once) ─▶ Idle
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    Idle,
    /// Waits for its turn.
    Queued,
    /// Asks for the newest execution.
    Baseline,
    /// Asks for executions after this one.
    Trades(TradeId),
    /// Asks whose orders the executions of its page are.
    Lookup,
    /// Waits for position and open orders.
    Due,
    /// Asks for the position.
    Position,
    /// Asks for the open orders.
    Orders,
    /// Takes part in a query of all symbols.
    Batch,
}

#[derive(Clone, Debug)]
pub(crate) struct Resync {
    pub(crate) stage: Stage,
    /// The last execution booked, as the engine said when it asked.
    pub(crate) after: Option<TradeId>,
    /// Asked for once more meanwhile.
    pub(crate) again: Option<Option<TradeId>>,
    pub(crate) in_flight: bool,
    pub(crate) not_before: Time,
    pub(crate) backoff: Backoff,
    /// When the request for the last page of executions was sent.
    pub(crate) page_asked_at: Time,
    /// When the first request of the snapshot was sent.
    pub(crate) asked_at: Time,
    pub(crate) position: Option<PositionReport>,
}

impl Resync {
    pub(crate) fn new() -> Self {
        Self {
            stage: Stage::Idle,
            after: None,
            again: None,
            in_flight: false,
            not_before: Time::ZERO,
            backoff: Backoff::default(),
            page_asked_at: Time::ZERO,
            asked_at: Time::ZERO,
            position: None,
        }
    }

    /// Whether it holds a page of executions, or is about to.
    pub(crate) fn is_fetching(&self) -> bool {
        matches!(self.stage, Stage::Baseline | Stage::Trades(_) | Stage::Lookup)
    }

    /// Enters a stage with fresh attempts.
    pub(crate) fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.in_flight = false;
        self.backoff.reset();
        self.not_before = Time::ZERO;
    }
}

/// A page of executions whose orders are being looked up.
///
/// # Bounds
/// [`TRADES_PAGE`] fills; the session holds at most [`super::limits::RESYNCS_ACTIVE`] pages.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) symbol: SymbolIndex,
    /// In order of their trade ids; those not yet known have no id.
    pub(crate) fills: Vec<Fill>, // tidy: bounded by TRADES_PAGE
    /// Which of them are settled, ours or not.
    known: Vec<bool>, // tidy: bounded by the page of fills beside it
    pub(crate) last: bool,
    lookups: u8,
    /// Orders below this were all listed; what was not among them is asked for by itself.
    listed_below: OrderId,
}

/// What to ask for next to learn whose the executions are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lookup {
    /// A list of orders from this one on.
    From(OrderId),
    /// This order.
    One(OrderId),
}

/// Bytes that a page holds on the heap at most.
pub(crate) const PAGE_BYTES: usize = TRADES_PAGE as usize * (size_of::<Fill>() + 1);

/// Unknown orders up to which each is asked for by itself.
const SINGLE_MAX: usize = 5;

impl Page {
    pub(crate) fn new(symbol: SymbolIndex, mut fills: Vec<Fill>, last: bool) -> Self {
        fills.sort_by_key(|f| f.trade_id);
        fills.dedup_by_key(|f| f.trade_id);
        let known = vec![false; fills.len()];
        Self { symbol, fills, known, last, lookups: 0, listed_below: OrderId(0) }
    }

    /// Settles the executions of an order.
    pub(crate) fn learn(&mut self, order: OrderId, id: Option<ClientId>) {
        for (fill, known) in self.fills.iter_mut().zip(&mut self.known) {
            if fill.order_id == order && !*known {
                fill.id = id;
                *known = true;
            }
        }
    }

    /// Notes that all orders below this one have been listed.
    pub(crate) fn listed_below(&mut self, order: OrderId) {
        self.listed_below = self.listed_below.max(order);
    }

    /// What to ask for next; `None` when all is known or enough was asked.
    pub(crate) fn next_lookup(&self) -> Option<Lookup> {
        if self.lookups >= ORDER_LOOKUPS_MAX {
            return None;
        }
        let mut unknown: Vec<OrderId> = self.unknown().collect();
        unknown.sort_unstable();
        unknown.dedup();
        let first = *unknown.first()?;
        let unlisted = unknown.iter().find(|o| **o >= self.listed_below);
        match unlisted {
            Some(from) if unknown.len() > SINGLE_MAX => Some(Lookup::From(*from)),
            _ => Some(Lookup::One(first)),
        }
    }

    pub(crate) fn asked(&mut self) {
        self.lookups = self.lookups.saturating_add(1);
    }

    /// Enough was asked: keeps what is settled up to the first execution that is not, and leaves the rest to the next page,
    /// which may ask as much again. An execution that stands first and stays unknown is kept, or nothing would ever follow it.
    pub(crate) fn keep_known(&mut self) {
        let settled = self.known.iter().take_while(|known| **known).count().max(1);
        if settled < self.fills.len() {
            self.fills.truncate(settled);
            self.known.truncate(settled);
            self.last = false;
        }
    }

    /// Executions whose order is not known.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = OrderId> {
        self.fills.iter().zip(&self.known).filter(|(_, known)| !**known).map(|(fill, _)| fill.order_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_market::{Amount, Asset, Price, Qty, Side};

    fn page(orders: &[u128]) -> Page {
        let usdt = Asset::new("USDT").unwrap();
        let fill = |(n, order): (usize, &u128)| Fill {
            trade_id: TradeId(n as u64),
            order_id: OrderId(*order),
            id: None,
            side: Side::Buy,
            price: Price::from_units(1),
            qty: Qty::from_units(1),
            fee: Amount::zero(usdt),
            realized: Amount::zero(usdt),
            maker: true,
            time: Time::ZERO,
        };
        Page::new(SymbolIndex(0), orders.iter().enumerate().map(fill).collect(), true)
    }

    #[test]
    fn few_orders_are_asked_for_one_by_one() {
        let mut page = page(&[7, 7, 3]);
        assert_eq!(page.next_lookup(), Some(Lookup::One(OrderId(3))));
        page.learn(OrderId(3), None);
        assert_eq!(page.next_lookup(), Some(Lookup::One(OrderId(7))));
        page.learn(OrderId(7), None);
        assert_eq!(page.next_lookup(), None);
    }

    #[test]
    fn many_orders_are_listed_and_what_the_lists_miss_is_asked_for() {
        let mut page = page(&[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(page.next_lookup(), Some(Lookup::From(OrderId(1))));
        for order in 1..=2 {
            page.learn(OrderId(order), None);
        }
        page.listed_below(OrderId(3));
        assert_eq!(page.next_lookup(), Some(Lookup::From(OrderId(3))));
        page.listed_below(OrderId(u128::MAX));
        assert_eq!(page.next_lookup(), Some(Lookup::One(OrderId(3))));
    }

    #[test]
    fn what_stays_unknown_is_left_to_the_next_page() {
        let mut page = page(&[3, 4, 3, 5]);
        page.learn(OrderId(3), None);
        page.keep_known();
        assert_eq!((page.fills.len(), page.last, page.unknown().count()), (1, false, 0));
        page.keep_known();
        assert_eq!(page.fills.len(), 1, "a page that is settled stays whole");
    }

    #[test]
    fn lookups_have_an_end() {
        let mut page = page(&[1]);
        for _ in 0..ORDER_LOOKUPS_MAX {
            assert!(page.next_lookup().is_some());
            page.asked();
        }
        assert_eq!((page.next_lookup(), page.unknown().count()), (None, 1));
    }
}
