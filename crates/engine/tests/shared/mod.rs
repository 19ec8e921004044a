//! A symbol of BTCUSDT with a grid of three buys and three sells, fed by hand: events in, actions out, as text.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod desk;

use plimsoll_engine::{Boot, Countdown, Engine, EngineConfig};
use plimsoll_market::*;
use plimsoll_position::PositionConfig;
use plimsoll_safety::{GateConfig, GuardConfig};
use plimsoll_strategy::{Grid, GridConfig, Strategy};
use std::time::Duration;

pub struct World {
    pub engine: Engine,
    pub btc: Instrument,
    pub now: Time,
    pub out: Actions,
    pub next_order: u128,
    pub next_trade: u64,
}

pub fn usdt(units: i128) -> Amount {
    Amount::new(Asset::new("USDT").unwrap(), units)
}

impl World {
    pub fn new(boot: &Boot) -> Self {
        Self::with(boot, GuardConfig::OFF, None)
    }

    /// With rules, and with the exchange's switch.
    pub fn with(boot: &Boot, guard: GuardConfig, countdown: Option<Countdown>) -> Self {
        let btc = Instrument::example_btcusdt();
        let interval = btc.parse_price("100", Round::Exact).unwrap();
        let grid = Box::new(Grid::new(GridConfig { interval, order_quote: 200 * 100_000_000, buy_window: 3, sell_window: 3 }, 0));
        Self::of(boot, grid, interval, guard, countdown)
    }

    /// Of any strategy.
    pub fn of(
        boot: &Boot,
        strategy: Box<dyn Strategy>,
        interval: impl Into<Spacing>,
        guard: GuardConfig,
        countdown: Option<Countdown>,
    ) -> Self {
        Self::accepting(boot, strategy, interval, guard, countdown, true)
    }

    /// Of any strategy, that trades nothing while the account holds what is not its own.
    pub fn refusing(boot: &Boot, strategy: Box<dyn Strategy>, interval: Price) -> Self {
        Self::accepting(boot, strategy, interval, GuardConfig::OFF, None, false)
    }

    fn accepting(
        boot: &Boot,
        strategy: Box<dyn Strategy>,
        interval: impl Into<Spacing>,
        guard: GuardConfig,
        countdown: Option<Countdown>,
        accept_position: bool,
    ) -> Self {
        let btc = Instrument::example_btcusdt();
        let cfg = EngineConfig {
            position: PositionConfig {
                tag: Tag(7),
                run: 100,
                series: 0,
                placed_before: 0,
                recv_window_ms: 5_000,
                compare_every: PositionConfig::COMPARE_EVERY,
                accept_position,
            },
            gate: GateConfig { stale_after: Duration::from_secs(10), exposure_max: 1_000_000 * 100_000_000, guard },
            interval: interval.into(),
            countdown,
        };
        let engine = Engine::new(btc, cfg, strategy, boot).unwrap();
        Self { engine, btc, now: Time::from_millis(1_700_000_000_000), out: Actions::new(), next_order: 1, next_trade: 1_000 }
    }

    /// Feeds an event and returns what the engine did, one line an action; records are left out.
    pub fn feed(&mut self, event: Event) -> Vec<String> {
        self.engine.on_event(self.now, &event, &mut self.out);
        let btc = self.btc;
        self.out
            .drain()
            .filter_map(|action| match action {
                Action::Place(p) => Some(format!("place {:?} {} {}", p.id, btc.show_qty(p.qty), btc.show_price(p.price))),
                Action::Cancel(c) => Some(format!("cancel {:?}", c.id)),
                Action::Query { id } => Some(format!("query {id:?}")),
                Action::Resync { after } => Some(format!("resync {}", after.map_or("-".into(), |t| t.to_string()))),
                Action::Commit(s) => Some(format!("commit {} anchor {:?}", s.version, s.anchor.map(|a| btc.show_price(a).to_string()))),
                Action::Record(_) | Action::History => None,
                Action::Countdown { after } => Some(format!("countdown {}", after.as_secs())),
                Action::Alert(a) => Some(format!("alert {}", a.code.as_str())),
            })
            .collect()
    }

    #[track_caller]
    pub fn check(&mut self, event: Event, expected: &[&str]) {
        let got = self.feed(event.clone());
        assert_eq!(got, expected, "after {event:?}");
    }

    pub fn top(&self, bid: &str, ask: &str) -> Event {
        let qty = self.btc.parse_qty("1", Round::Exact).unwrap();
        let price = |t| self.btc.parse_price(t, Round::Exact).unwrap();
        Event::Top(Top { bid: price(bid), bid_qty: qty, ask: price(ask), ask_qty: qty, time: self.now })
    }

    pub fn snapshot(&self, holding: &str, open: Vec<OrderReport>) -> Event {
        let position = PositionReport {
            side: PositionSide::Both,
            holding: self.btc.parse_holding(holding).unwrap(),
            entry: RefPrice::ZERO,
            liquidation: RefPrice::ZERO,
            leverage: 10,
        };
        Event::Snapshot(Box::new(Snapshot { asked_at: self.now, position, open }))
    }

    pub fn page(&self, fills: Vec<Fill>, baseline: Option<u64>) -> Event {
        Event::Fills(Box::new(FillPage { fills, baseline: baseline.map(TradeId), last: true, asked_at: self.now }))
    }

    pub fn lease(&self) -> Event {
        Event::Lease(Lease {
            exposure_max: 100_000 * 100_000_000,
            orders_per_10s: 100,
            until: self.now + Duration::from_secs(3_600),
            demand: None,
        })
    }

    pub fn id(leg: i32, side: Side, generation: u64) -> ClientId {
        ClientId::new(Tag(7), 100, Leg::new(0, leg).unwrap(), side, generation)
    }

    pub fn report(&mut self, id: ClientId, price: &str, qty: &str, filled: &str, status: OrderStatus, source: Source) -> OrderReport {
        OrderReport {
            id: Some(id),
            order_id: OrderId(u128::from(id.generation())),
            side: id.side(),
            price: self.btc.parse_price(price, Round::Exact).unwrap(),
            qty: self.btc.parse_qty(qty, Round::Exact).unwrap(),
            filled: self.btc.parse_qty(filled, Round::Exact).unwrap(),
            average: RefPrice::ZERO,
            status,
            kind: OrderType::Limit,
            tif: TimeInForce::Gtx,
            reduce_only: false,
            fill: None,
            time: self.now,
            source,
        }
    }

    pub fn ack(&mut self, leg: i32, side: Side, generation: u64, price: &str, qty: &str) -> Event {
        Event::Order(Box::new(self.report(Self::id(leg, side, generation), price, qty, "0", OrderStatus::New, Source::Stream)))
    }

    #[expect(clippy::too_many_arguments, reason = "a line of a script")]
    pub fn fill(&mut self, leg: i32, side: Side, generation: u64, price: &str, of: &str, qty: &str, status: OrderStatus) -> Event {
        let id = Self::id(leg, side, generation);
        let mut report = self.report(id, price, of, qty, status, Source::Stream);
        self.next_trade += 1;
        self.next_order += 1;
        report.fill = Some(Fill {
            trade_id: TradeId(self.next_trade),
            order_id: report.order_id,
            id: Some(id),
            side,
            price: report.price,
            qty: report.filled,
            fee: usdt(4_000_000),
            realized: usdt(0),
            maker: true,
            time: self.now,
        });
        Event::Order(Box::new(report))
    }

    /// Boots to trading at 60,000 with buys at levels 0, -1, -2 acknowledged.
    pub fn trading() -> Self {
        Self::new(&Boot::default()).begin()
    }

    /// The same of a world of any rules, without the switch.
    pub fn begin(self) -> Self {
        let mut w = self;
        w.check(Event::Link(Link { feed: Feed::Account, up: true }), &["resync -"]);
        w.check(w.page(vec![], Some(1_000)), &[]);
        w.check(w.snapshot("0", vec![]), &[]);
        w.check(w.lease(), &[]);
        w.check(w.top("60000.0", "60000.1"), &["commit 1 anchor Some(\"60000.00\")"]);
        w.check(w.top("60000.0", "60000.2"), &[]);
        let placed = ["alert started", "place 0:B+0#1 0.003 60000.00", "place 0:B-1#2 0.003 59900.00", "place 0:B-2#3 0.003 59800.00"];
        w.check(Event::Committed { version: 1 }, &placed);
        for (leg, price) in [(0, "60000"), (-1, "59900"), (-2, "59800")] {
            let ack = w.ack(leg, Side::Buy, u64::from(leg.unsigned_abs()) + 1, price, "0.003");
            w.check(ack, &[]);
        }
        w
    }
}
