//! Long and short slots: booked, closed, trimmed and brought back alike.
#![allow(clippy::unwrap_used, reason = "tests")]

use plimsoll_market::*;
use plimsoll_position::invariants::{books, slots_are_covered};
use plimsoll_position::limits::CLOSING_STRATEGY;
use plimsoll_position::{NewOrder, Position, PositionConfig, Restored};
use proptest::prelude::*;

struct Books {
    position: Position,
    now: Time,
    trade: u64,
    out: Actions,
}

fn leg(strategy: u8, index: i32) -> Leg {
    Leg::new(strategy, index).unwrap()
}

fn long(index: i32) -> Leg {
    leg(0, index)
}

fn short(index: i32) -> Leg {
    leg(Leg::SHORT, index)
}

impl Books {
    fn new(restored: Option<&Restored>) -> Self {
        let cfg = PositionConfig {
            tag: Tag(1),
            run: 5,
            series: 0,
            placed_before: 0,
            recv_window_ms: 5_000,
            compare_every: PositionConfig::COMPARE_EVERY,
            accept_position: true,
        };
        let position = Position::new(Instrument::example_btcusdt(), cfg, restored);
        let mut books = Self { position, now: Time::from_millis(1_000), trade: 100, out: Actions::new() };
        books.feed(&Event::Link(Link { feed: Feed::Account, up: true }));
        books.page(vec![]);
        books
    }

    fn feed(&mut self, event: &Event) -> Vec<Action> {
        self.position.apply(self.now, event, &mut self.out);
        self.out.drain().collect()
    }

    fn page(&mut self, fills: Vec<Fill>) {
        let page = FillPage { fills, baseline: Some(TradeId(100)), last: true, asked_at: self.now };
        self.feed(&Event::Fills(Box::new(page)));
    }

    fn snapshot(&mut self, holding: i64, open: Vec<OrderReport>) -> Vec<Action> {
        let position = PositionReport {
            side: PositionSide::Both,
            holding: Holding::from_units(holding),
            entry: RefPrice::ZERO,
            liquidation: RefPrice::ZERO,
            leverage: 1,
        };
        self.feed(&Event::Snapshot(Box::new(Snapshot { asked_at: self.now, position, open })))
    }

    fn report(&self, id: ClientId, price: i64, qty: u64, filled: u64, status: OrderStatus) -> OrderReport {
        OrderReport {
            id: Some(id),
            order_id: OrderId(u128::from(id.generation())),
            side: id.side(),
            price: Price::from_units(price),
            qty: Qty::from_units(qty),
            filled: Qty::from_units(filled),
            average: RefPrice::ZERO,
            status,
            kind: OrderType::Limit,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            fill: None,
            time: self.now,
            source: Source::Stream,
        }
    }

    /// Places an order and fills it at once; returns what its slots realised.
    fn trade(&mut self, leg: Leg, side: Side, price: i64, qty: u64) -> i128 {
        let (kind, tif) = (OrderType::Limit, TimeInForce::Ioc);
        let order = NewOrder { leg, side, price: Price::from_units(price), qty: Qty::from_units(qty), kind, tif, reduce_only: false };
        let id = self.position.place(self.now, &order, &mut self.out).unwrap();
        let mut report = self.report(id, price, qty, qty, OrderStatus::Filled);
        self.trade += 1;
        let usdt = Amount::zero(Asset::new("USDT").unwrap());
        report.fill = Some(Fill {
            trade_id: TradeId(self.trade),
            order_id: report.order_id,
            id: Some(id),
            side,
            price: report.price,
            qty: report.qty,
            fee: usdt,
            realized: usdt,
            maker: false,
            time: self.now,
        });
        let before = self.position.round_trips();
        self.feed(&Event::Order(Box::new(report)));
        assert_eq!(books(&self.position.view(self.now)), Ok(()));
        self.position.round_trips() - before
    }

    fn slots(&self) -> Vec<(Leg, u64, i128)> {
        let view = self.position.view(self.now);
        view.slots.holding().map(|s| (s.leg, s.held.units(), s.cost.units())).collect()
    }
}

// A unit of price and quantity together is 1,000 units of money here.

#[test]
fn a_short_slot_is_opened_by_a_sell_and_closed_by_a_buy() {
    let mut b = Books::new(None);
    b.snapshot(0, vec![]);
    assert_eq!(b.trade(short(1), Side::Sell, 6_000_000, 4), 0);
    assert_eq!(b.slots(), [(short(1), 4, -24_000_000)]);
    let slot = *b.position.view(b.now).slots.get(short(1)).unwrap();
    assert!(slot.exiting);
    assert_eq!(b.trade(short(1), Side::Buy, 5_990_000, 1), 10_000 * 1_000);
    assert_eq!((b.slots(), b.position.view(b.now).totals.holding.units()), (vec![(short(1), 3, -18_000_000)], -3));
    assert_eq!(b.trade(short(1), Side::Buy, 6_010_000, 3), -30_000 * 1_000);
    assert!(b.slots().is_empty() && b.position.view(b.now).totals.holding.is_flat());
    assert_eq!(b.position.view(b.now).totals.realized, -20_000 * 1_000);
}

#[test]
fn a_closing_takes_from_the_side_that_it_closes_and_from_its_far_end() {
    let mut b = Books::new(None);
    b.snapshot(0, vec![]);
    let closing = leg(CLOSING_STRATEGY, 0);
    for (level, price) in [(1, 6_010_000), (2, 6_020_000)] {
        b.trade(short(level), Side::Sell, price, 2);
    }
    assert_eq!(b.trade(closing, Side::Buy, 6_000_000, 3), (40_000 + 10_000) * 1_000);
    assert_eq!(b.slots(), [(short(1), 1, -6_010_000)]);
    assert_eq!(b.trade(closing, Side::Buy, 6_000_000, 1), 10_000 * 1_000);
    assert!(b.slots().is_empty());
}

#[test]
fn slots_that_offset_each_other_go_with_the_position_that_is_closed() {
    let mut b = Books::new(None);
    b.snapshot(0, vec![]);
    b.trade(long(-1), Side::Buy, 6_000_000, 5);
    b.trade(short(3), Side::Sell, 6_050_000, 3);
    let view = b.position.view(b.now);
    assert_eq!((view.slots.net().units(), view.totals.holding.units()), (2, 2));
    assert!(!view.only_reduces(long(-1)) && !view.only_reduces(short(3)));
    // Two are sold at the exchange; three bought and three sold meet at the same price.
    assert_eq!(b.trade(leg(CLOSING_STRATEGY, 0), Side::Sell, 6_010_000, 2), (5 * 10_000 + 3 * 40_000) * 1_000);
    assert!(b.slots().is_empty());
    assert_eq!(b.position.view(b.now).totals.realized, b.position.round_trips(), "by slot and by average cost it is the same in the end");
    // With nothing held by the account at all they are closed by word.
    b.trade(long(-1), Side::Buy, 6_000_000, 3);
    b.trade(short(3), Side::Sell, 6_000_000, 3);
    let before = b.position.round_trips();
    b.position.close_offsets(Price::from_units(6_123_000), &mut b.out);
    assert_eq!((b.out.drain().count(), b.slots().len(), b.position.round_trips() - before), (2, 0, 0));
}

#[test]
fn short_slots_come_back_and_give_way_to_what_the_account_holds() {
    let row = |leg, held, cost| SlotRow { leg, held: Qty::from_units(held), cost: Notional::from_units(cost) };
    let totals = Totals {
        watermark: Some(TradeId(100)),
        holding: Holding::from_units(-5),
        cost: Notional::from_units(-30_000_000),
        ..Totals::EMPTY
    };
    let restored =
        Restored { totals: Some(totals), slots: vec![row(short(1), 3, -18_000_000), row(short(4), 2, -12_000_000)], recent: vec![] };
    let mut b = Books::new(Some(&restored));
    assert!(b.position.view(b.now).slots.get(short(4)).unwrap().exiting);
    let done = b.snapshot(-5, vec![]);
    assert!(done.iter().all(|action| !matches!(action, Action::Alert(_))), "{done:?}");
    assert_eq!(slots_are_covered(&b.position.view(b.now)), Ok(()));
    // Somebody bought four back: the highest index gives way first.
    for _ in 0..3 {
        b.page(vec![]);
        b.snapshot(-1, vec![]);
    }
    assert_eq!(b.slots(), [(short(1), 1, -6_000_000)]);
    assert_eq!(slots_are_covered(&b.position.view(b.now)), Ok(()));
}

#[test]
fn an_open_order_of_an_earlier_run_is_taken_over_on_its_side() {
    let totals = Totals { watermark: Some(TradeId(100)), ..Totals::EMPTY };
    let mut b = Books::new(Some(&Restored { totals: Some(totals), ..Restored::default() }));
    let opens = b.report(ClientId::new(Tag(1), 4, short(2), Side::Sell, 7), 6_000_000, 5, 0, OrderStatus::New);
    b.snapshot(0, vec![opens]);
    let slot = *b.position.view(b.now).slots.get(short(2)).unwrap();
    assert_eq!((slot.order.is_some(), slot.order_side, slot.exiting), (true, Side::Sell, false));
}

proptest! {
    /// Whatever is bought and sold, long and short: the slots hold what the account does, and both have earned the same when
    /// nothing is left.
    #[test]
    fn what_slots_hold_is_the_sum_of_their_fills(steps in proptest::collection::vec((any::<bool>(), 0..4_i32, any::<bool>(), 5_900_000..6_100_000_i64, 1..50_u64), 1..60)) {
        let mut b = Books::new(None);
        b.snapshot(0, vec![]);
        let mut sum = 0;
        for (is_short, index, opens, price, qty) in steps {
            let leg = if is_short { short(index) } else { long(index) };
            let opening = leg.opening().unwrap();
            let held = b.position.view(b.now).slots.get(leg).map_or(0, |slot| slot.held.units());
            let (side, qty) = if opens || held == 0 { (opening, qty) } else { (opening.opposite(), qty.min(held)) };
            b.trade(leg, side, price, qty);
            sum += Qty::from_units(qty).signed(side).units();
            let view = b.position.view(b.now);
            prop_assert_eq!((view.slots.net().units(), view.totals.holding.units()), (sum, sum));
            let cost: i128 = view.slots.holding().map(|slot| slot.cost.units()).sum();
            prop_assert_eq!(b.position.round_trips() - cost * 1_000, view.totals.realized - view.totals.cost.units() * 1_000);
        }
        let closing = b.position.view(b.now).totals.holding;
        if let Some(side) = closing.side() {
            b.trade(leg(CLOSING_STRATEGY, 0), side.opposite(), 6_000_000, closing.qty().units());
        } else {
            b.position.close_offsets(Price::from_units(6_000_000), &mut b.out);
        }
        prop_assert!(b.slots().is_empty());
        prop_assert_eq!(b.position.round_trips(), b.position.view(b.now).totals.realized);
    }

    /// Mirrored prices make a short position what the long one was.
    #[test]
    fn a_short_slot_is_a_long_one_in_a_mirror(steps in proptest::collection::vec((any::<bool>(), -100_000..100_000_i64, 1..50_u64), 1..40)) {
        let (mut up, mut down) = (Books::new(None), Books::new(None));
        up.snapshot(0, vec![]);
        down.snapshot(0, vec![]);
        for (opens, away, qty) in steps {
            let held = up.position.view(up.now).slots.get(long(0)).map_or(0, |slot| slot.held.units());
            let (side, qty) = if opens || held == 0 { (Side::Buy, qty) } else { (Side::Sell, qty.min(held)) };
            let gains = (up.trade(long(0), side, 6_000_000 + away, qty), down.trade(short(0), side.opposite(), 6_000_000 - away, qty));
            // Halves are rounded away from zero on either side.
            prop_assert!((gains.0 - gains.1).abs() <= 1_000 * 40, "{gains:?}");
            let of = |books: &Books| books.slots().first().map(|(_, held, _)| *held);
            prop_assert_eq!(of(&up), of(&down));
        }
        let (up, down) = (up.position.view(up.now), down.position.view(down.now));
        prop_assert_eq!(up.totals.holding.units(), -down.totals.holding.units());
        prop_assert!((up.totals.realized - down.totals.realized).abs() <= 1_000 * 40);
    }
}
