//! The gate: both sides of every limit, and the way back.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

use plimsoll_market::*;
use plimsoll_position::{NewOrder, Position, PositionConfig};
use plimsoll_safety::{Closed, Gate, GateConfig, GuardConfig, Wanted};
use std::time::Duration;

const USDT: i128 = 100_000_000;

struct World {
    books: Position,
    gate: Gate,
    now: Time,
    out: Actions,
}

impl World {
    fn new() -> Self {
        Self::with(GuardConfig::OFF)
    }

    fn with(guard: GuardConfig) -> Self {
        let btc = Instrument::example_btcusdt();
        let cfg = GateConfig { stale_after: Duration::from_secs(10), exposure_max: 1_000 * USDT, guard };
        let mut world = Self {
            books: Position::new(
                btc,
                PositionConfig {
                    tag: Tag(1),
                    run: 1,
                    series: 0,
                    placed_before: 0,
                    recv_window_ms: 5_000,
                    compare_every: PositionConfig::COMPARE_EVERY,
                    accept_position: true,
                },
                None,
            ),
            gate: Gate::new(cfg, false, false, None),
            now: Time::from_millis(1_000_000),
            out: Actions::new(),
        };
        let flat = PositionReport {
            side: PositionSide::Both,
            holding: Holding::FLAT,
            entry: RefPrice::ZERO,
            liquidation: RefPrice::ZERO,
            leverage: 5,
        };
        world.feed(Event::Link(Link { feed: Feed::Account, up: true }));
        world.feed(Event::Fills(Box::new(FillPage { fills: vec![], baseline: Some(TradeId(1)), last: true, asked_at: world.now })));
        world.feed(Event::Snapshot(Box::new(Snapshot { asked_at: world.now, position: flat, open: vec![] })));
        world.feed(world.lease(1_000));
        world.feed(world.top());
        world
    }

    fn lease(&self, usdt: i128) -> Event {
        Event::Lease(Lease { exposure_max: usdt * USDT, orders_per_10s: 10, until: self.now + Duration::from_secs(30), demand: None })
    }

    fn top(&self) -> Event {
        let qty = Qty::from_units(1);
        Event::Top(Top { bid: Price::from_units(6_000_000), bid_qty: qty, ask: Price::from_units(6_000_010), ask_qty: qty, time: self.now })
    }

    fn feed(&mut self, event: Event) -> Option<Closed> {
        self.books.apply(self.now, &event, &mut self.out);
        self.out.drain().for_each(drop);
        self.gate.observe(&event, &self.books.view(self.now), &mut self.out).mode.closed
    }

    /// Somebody else's order of the account fills: the books stay in step.
    fn hold(&mut self, trade: u64, side: Side, qty: u64) {
        let (price, qty, none) = (Price::from_units(6_000_000), Qty::from_units(qty), Amount::new(Asset::new("USDT").unwrap(), 0));
        let fill = Fill {
            trade_id: TradeId(trade),
            order_id: OrderId(trade.into()),
            id: None,
            side,
            price,
            qty,
            fee: none,
            realized: none,
            maker: true,
            time: self.now,
        };
        let report = OrderReport {
            id: None,
            order_id: fill.order_id,
            side,
            price,
            qty,
            filled: qty,
            average: RefPrice::ZERO,
            status: OrderStatus::Filled,
            kind: OrderType::Limit,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            fill: Some(fill),
            time: self.now,
            source: Source::Stream,
        };
        self.books.apply(self.now, &Event::Order(Box::new(report)), &mut self.out);
        self.out.drain().for_each(drop);
    }

    fn clear(&self, wanted: &[Wanted]) -> (u64, u64) {
        let cleared = self.gate.clear(wanted.iter().copied(), 0, &self.books.view(self.now));
        (cleared.allowed, cleared.tolerated)
    }
}

fn buy(price: i64, qty: u64) -> Wanted {
    Wanted { side: Side::Buy, reduce_only: false, price: Price::from_units(price), qty: Qty::from_units(qty), works: false }
}

fn sell(price: i64, qty: u64) -> Wanted {
    Wanted { side: Side::Sell, reduce_only: true, ..buy(price, qty) }
}

#[test]
fn open_when_nothing_stands_against_it() {
    let mut w = World::new();
    assert_eq!(w.feed(w.top()), None);
    assert_eq!(w.clear(&[buy(6_000_000, 5), sell(6_010_000, 5)]), (0b11, 0b11));
}

#[test]
fn stale_market_closes_and_a_new_price_opens() {
    let mut w = World::new();
    w.now = w.now + Duration::from_secs(10);
    assert_eq!(w.feed(Event::Wake), None, "ten seconds are not yet too old");
    w.now = w.now + Duration::from_millis(1);
    assert_eq!(w.feed(Event::Wake), Some(Closed::Stale));
    assert_eq!(w.clear(&[buy(6_000_000, 5), sell(6_010_000, 5)]), (0b10, 0b10), "buys leave, sells stay");
    assert_eq!(w.feed(w.top()), None);
}

#[test]
fn silence_is_told_once_and_so_is_its_end() {
    let mut w = World::new();
    let mut told = Vec::new();
    let mut feed = |w: &mut World, event: Event, after: u64| {
        w.now = w.now + Duration::from_millis(after);
        w.books.apply(w.now, &event, &mut w.out);
        w.out.drain().for_each(drop);
        w.gate.observe(&event, &w.books.view(w.now), &mut w.out);
        told.extend(w.out.drain().map(|action| match action {
            Action::Alert(alert) => (alert.severity, alert.code),
            other => panic!("{other:?}"),
        }));
    };
    let gap = Event::Gap(Feed::Market);
    // A gap that heals at once is nobody's concern.
    for (event, after) in [(gap.clone(), 100), (w.top(), 100), (Event::Wake, 10_000)] {
        feed(&mut w, event, after);
    }
    // Silence is, and stays the same while it lasts.
    for (event, after) in [(Event::Wake, 1), (gap, 5_000), (Event::Wake, 60_000)] {
        feed(&mut w, event, after);
    }
    let top = w.top();
    for after in [1, 1] {
        feed(&mut w, top.clone(), after);
    }
    assert_eq!(told, [(Severity::Warning, AlertCode::Stale), (Severity::Info, AlertCode::Stale)]);
}

#[test]
fn a_lease_ends_by_itself() {
    let mut w = World::new();
    w.now = w.now + Duration::from_secs(30);
    assert_eq!(w.feed(w.top()), Some(Closed::NoLease));
    assert_eq!(w.clear(&[buy(6_000_000, 5)]), (0, 1), "what rests keeps its place");
    assert_eq!(w.feed(w.lease(1_000)), None);
}

#[test]
fn a_pause_outlasts_everything_but_resume() {
    let mut w = World::new();
    assert_eq!(w.feed(Event::Command(Command::Pause)), Some(Closed::Paused));
    assert_eq!(w.feed(w.lease(1_000)), Some(Closed::Paused));
    assert_eq!(w.clear(&[buy(6_000_000, 5), sell(6_010_000, 5)]), (0b10, 0b10));
    assert_eq!(w.feed(Event::Command(Command::Resume)), None);
}

#[test]
fn full_records_stop_opening_and_keep_what_rests() {
    let mut w = World::new();
    assert_eq!(w.feed(Event::RecordsFull(true)), Some(Closed::RecordsFull));
    assert_eq!(w.clear(&[buy(6_000_000, 5), sell(6_010_000, 5)]), (0b10, 0b11));
    assert_eq!(w.feed(Event::RecordsFull(false)), None);
    assert_eq!(w.feed(Event::MemoryShort(true)), Some(Closed::MemoryShort));
    assert!(!Closed::MemoryShort.withdraws(), "what rests may stay; nothing new is sent");
    assert_eq!(w.feed(Event::MemoryShort(false)), None);
}

#[test]
fn exposure_goes_to_the_most_wanted_first() {
    let w = World::new();
    // 0.005 at 60,000 is 300: three fit into 1,000, the fourth does not, a smaller fifth does.
    let wanted = [buy(6_000_000, 5), buy(6_000_000, 5), buy(6_000_000, 5), buy(6_000_000, 5), buy(5_000_000, 2)];
    assert_eq!(w.clear(&wanted).0, 0b1_0111);
    let mut w = World::new();
    w.feed(w.lease(900));
    assert_eq!(w.clear(&wanted).0, 0b0_0111, "exactly the lease is allowed, not one unit more");
    w.feed(w.lease(899));
    assert_eq!(w.clear(&wanted[..3]).0, 0b011);
}

#[test]
fn what_must_go_counts_until_it_is_gone() {
    let w = World::new();
    let works = |price| Wanted { works: true, ..buy(price, 6) };
    // 360 USDT each of 1,000: the new one is wanted most and the last must go for it; until then there is no room.
    let quotes = [buy(6_000_000, 6), works(5_990_000), works(5_980_000)];
    assert_eq!(w.clear(&quotes), (0b010, 0b010));
    assert_eq!(w.clear(&quotes[..2]), (0b011, 0b011), "gone");
    // Of two new ones the one that is wanted more gets the room that there is.
    let small = |price| buy(price, 2);
    let quotes = [small(6_000_000), small(5_999_000), buy(5_998_000, 8), works(5_990_000)];
    assert_eq!(w.clear(&quotes), (0b0011, 0b0011));
}

#[test]
fn what_rests_beyond_the_band_counts() {
    let mut w = World::new();
    let mark = |price: i64| RefPrice::from_units(price * 1_000_000);
    let (funding, next_funding, time) = (None, w.now, w.now);
    w.feed(Event::Mark(MarkPrice { mark: mark(5_000_000), index: mark(5_000_000), funding, next_funding, time }));
    let beyond = Wanted { works: true, ..buy(6_000_000, 10) };
    assert_eq!(w.clear(&[beyond, buy(4_900_000, 10)]), (0b00, 0b01), "600 and 490 USDT of 1,000");
    assert_eq!(w.clear(&[beyond, buy(4_900_000, 8)]), (0b10, 0b11));
}

#[test]
fn filters_hold_for_what_is_sent_anew() {
    let w = World::new();
    assert_eq!(w.clear(&[buy(6_000_005, 5)]).0, 0, "off the tick");
    assert_eq!(w.clear(&[buy(6_000_000, 1)]).0, 0, "60 is below the least value of 100");
    assert_eq!(w.clear(&[sell(6_000_000, 1)]).0, 1, "reducing has no least value");
    let resting = Wanted { works: true, ..buy(6_000_005, 5) };
    assert_eq!(w.clear(&[resting]).0, 1, "what works was taken by the exchange");
}

#[test]
fn prices_far_from_the_mark_are_withheld() {
    let mut w = World::new();
    let mark = RefPrice::from_units(60_000 * 100_000_000);
    w.feed(Event::Mark(MarkPrice { mark, index: mark, funding: None, next_funding: Time::ZERO, time: w.now }));
    // Five percent either way.
    assert_eq!(w.clear(&[buy(6_300_000, 2), sell(5_700_000, 2)]).0, 0b11);
    assert_eq!(w.clear(&[buy(6_300_010, 2), sell(5_699_990, 2)]).0, 0);
}

#[test]
fn a_halted_contract_is_not_opened() {
    let mut w = World::new();
    let halted = Instrument { trading: Trading::Halted, ..Instrument::example_btcusdt() };
    assert_eq!(w.feed(Event::Instrument(Box::new(halted))), Some(Closed::NotTrading));
    assert_eq!(w.feed(Event::Instrument(Box::new(Instrument::example_btcusdt()))), None);
}

#[test]
fn a_single_order_has_a_limit_of_its_own_at_market_too() {
    let mut w = World::new();
    let guard = GuardConfig { order_max: 300 * USDT, ..GuardConfig::OFF };
    w.gate = Gate::new(GateConfig { stale_after: Duration::from_secs(10), exposure_max: 1_000 * USDT, guard }, false, false, None);
    w.feed(w.lease(1_000));
    w.feed(w.top());
    // 0.005 at 60,000 is 300; at market the best ask is what counts.
    assert_eq!(w.clear(&[buy(6_000_000, 5), buy(6_000_000, 6), sell(6_010_000, 9)]), (0b101, 0b101));
    assert_eq!(w.clear(&[buy(0, 4), buy(0, 5)]), (0b01, 0b01), "0.005 at the ask of 60,000.10 is a little more");
    let rests = Wanted { works: true, ..buy(6_000_000, 6) };
    assert_eq!(w.clear(&[rests]), (0, 0), "what rests beyond it leaves");
}

#[test]
fn selling_to_open_counts_like_buying() {
    let open_short = |price, qty| Wanted { reduce_only: false, ..sell(price, qty) };
    let mut w = World::new();
    assert_eq!(w.feed(w.top()), None);
    // 16 units at 60,000 are worth 960 of 1,000, whichever way.
    assert_eq!(w.clear(&[open_short(6_000_010, 16)]), (1, 1));
    assert_eq!(w.clear(&[open_short(6_000_010, 10), buy(5_990_000, 10)]), (0b01, 0b01), "both together are too much");
    // A limit far below the bid sells at the bid: 17 units at 50,000 look like 850 and are 1,020.
    assert_eq!(w.clear(&[open_short(5_999_000, 16), open_short(5_000_000, 17)]).0 & 0b10, 0);
    assert_eq!(w.clear(&[open_short(5_800_000, 17)]), (0, 0));
    // What a working sell may open counts until it is gone.
    let order = NewOrder {
        leg: Leg::new(Leg::SHORT, 0).unwrap(),
        side: Side::Sell,
        price: Price::from_units(6_000_010),
        qty: Qty::from_units(10),
        kind: OrderType::Limit,
        tif: TimeInForce::Gtx,
        reduce_only: false,
    };
    w.books.place(w.now, &order, &mut w.out).unwrap();
    w.out.drain().for_each(drop);
    assert_eq!(w.clear(&[open_short(6_000_010, 7)]), (0, 0));
    assert_eq!(w.clear(&[open_short(6_000_010, 6)]), (1, 1));
    // Nothing that opens stays when opening is forbidden; what closes a short position does.
    let close_short = Wanted { side: Side::Buy, ..sell(5_990_000, 5) };
    w.feed(Event::Command(Command::Pause));
    assert_eq!(w.clear(&[open_short(6_000_010, 5), close_short]), (0b10, 0b10));
}

#[test]
fn a_top_passes_only_where_observing_it_would_note_its_time_alone() {
    let passes = |prepare: &dyn Fn(&mut World)| {
        let mut w = World::new();
        prepare(&mut w);
        let view = w.books.view(w.now);
        (w.gate.pass(&view), w.gate.wake_at())
    };
    let later = |w: &mut World, millis: u64| w.now = w.now + Duration::from_millis(millis);
    let began = World::new().now;
    assert_eq!(passes(&|_| ()), (true, Some(began + Duration::from_millis(10_001))));
    assert_eq!(passes(&|w| later(w, 4_000)), (true, Some(began + Duration::from_millis(14_001))), "the market was heard of just now");
    assert!(passes(&|w| later(w, 29_999)).0);
    assert!(!passes(&|w| later(w, 30_000)).0, "the lease is over");
    assert!(!passes(&|w| assert_eq!(w.feed(Event::Command(Command::Pause)), Some(Closed::Paused))).0);
    assert!(!passes(&|w| assert_eq!(w.feed(Event::Gap(Feed::Account)), Some(Closed::NotInStep))).0);
    // The silence was told of: its end has to be told, too.
    let silent = |w: &mut World| {
        later(w, 10_001);
        assert_eq!(w.feed(Event::Wake), Some(Closed::Stale));
    };
    assert!(!passes(&silent).0);
    // A lock that nobody was asked about yet.
    assert!(!passes(&|w| assert!(w.gate.lock_by(Lock { rule: Rule::Churn, until: None }))).0);
    // What is held has changed since the rules last looked.
    assert!(!passes(&|w| w.hold(2, Side::Buy, 1)).0);
}

#[test]
fn a_liquidation_price_says_nothing_of_a_position_that_has_turned() {
    let mut w = World::with(GuardConfig { liquidation: 60_000, ..GuardConfig::OFF });
    let mark = |price: i64, w: &World| {
        let mark = RefPrice::from_units(price * 100_000_000);
        Event::Mark(MarkPrice { mark, index: mark, funding: None, next_funding: Time::ZERO, time: w.now })
    };
    let told = |holding: i64, liquidation: i64, w: &World| {
        let position = PositionReport {
            side: PositionSide::Both,
            holding: Holding::from_units(holding),
            entry: RefPrice::from_units(60_000 * 100_000_000),
            liquidation: RefPrice::from_units(liquidation * 100_000_000),
            leverage: 5,
        };
        Event::Snapshot(Box::new(Snapshot { asked_at: w.now, position, open: vec![] }))
    };
    w.hold(2, Side::Buy, 2);
    w.feed(told(2, 59_000, &w));
    assert_eq!(w.feed(mark(60_000, &w)), Some(Closed::Rule(Rule::Liquidation)));
    // It turns: the price at which the long one would have been liquidated is below a short one that gains by falling.
    w.hold(3, Side::Sell, 4);
    assert_eq!(w.feed(mark(60_000, &w)), None);
    assert_eq!(w.feed(mark(59_100, &w)), None);
    // That of the short one comes with the next comparison.
    w.feed(told(-2, 61_000, &w));
    assert_eq!(w.feed(mark(60_000, &w)), Some(Closed::Rule(Rule::Liquidation)));
}
