//! A world with an exchange: what is placed is answered, and filled when the price is there.

use super::{World, usdt};
use plimsoll_engine::Boot;
use plimsoll_market::*;
use plimsoll_position::Restored;
use plimsoll_position::invariants::{books, slots_are_covered};
use plimsoll_safety::GuardConfig;
use plimsoll_strategy::{Direction, Entry, MomentumConfig, MomentumPlan, Plan, Strategy, TradeConfig, Trader};
use std::time::Duration;

pub const USDT: i128 = 100_000_000;
pub const MINUTE: u64 = 60_000;

/// The world, and what the exchange has open.
pub struct Desk {
    pub w: World,
    pub open: Vec<Place>,
    /// In tenths, as shown in the log.
    pub bid: i64,
    pub minute: u64,
    pub log: Vec<String>,
    /// How the levels of a grid lie.
    pub spacing: Spacing,
    /// Alerts that were told.
    pub alerts: Vec<AlertCode>,
    /// What was committed last.
    pub memo: Memo,
    /// So many reduce-only orders that the exchange refuses from now on.
    pub busy: u32,
    /// So many orders at market find nobody to trade with.
    pub empty: u32,
    /// Cancels are not heard.
    pub deaf: bool,
    /// The account holds something else, too.
    pub theirs: bool,
}

impl Desk {
    pub fn new<P: Plan>(plan: P, cfg: TradeConfig) -> Self {
        Self::boot(plan, cfg, &Boot::default(), 0)
    }

    pub fn boot<P: Plan>(plan: P, cfg: TradeConfig, boot: &Boot, holding: i64) -> Self {
        cfg.check_layers(&plan, &Instrument::example_btcusdt(), Price::from_units(6_000_000)).unwrap();
        Self::of(Box::new(Trader::new(plan, cfg)), boot, holding)
    }

    pub fn of(strategy: Box<dyn Strategy>, boot: &Boot, holding: i64) -> Self {
        Self::at(strategy, Instrument::example_btcusdt().tick.into(), boot, holding, 6_000_000)
    }

    /// Of a grid, at a price.
    pub fn at(strategy: Box<dyn Strategy>, spacing: Spacing, boot: &Boot, holding: i64, bid: i64) -> Self {
        let w = World::of(boot, strategy, spacing, GuardConfig::OFF, None);
        let mut desk = Self {
            w,
            open: Vec::new(),
            bid,
            minute: 0,
            log: Vec::new(),
            spacing,
            alerts: Vec::new(),
            memo: boot.state.map_or(Memo::NONE, |state| state.memo),
            busy: 0,
            empty: 0,
            deaf: false,
            theirs: boot.books.slots.is_empty() && holding != 0,
        };
        desk.w.now = Time::from_millis(1_700_000_040_000);
        // Trades are numbered on over a restart.
        desk.w.next_trade = boot.books.totals.and_then(|totals| totals.watermark).map_or(desk.w.next_trade, |id| id.0);
        desk.feed(Event::Link(Link { feed: Feed::Account, up: true }));
        desk.feed(desk.w.page(vec![], Some(1_000)));
        let held = desk.snapshot(holding);
        desk.feed(held);
        desk.feed(desk.w.lease());
        desk.price(bid);
        desk.feed(Event::Committed { version: 1 });
        if boot.state.is_some() {
            // What an earlier process may have sent is waited for.
            desk.w.now = desk.w.now + Duration::from_secs(6);
            desk.price(bid);
            desk.feed(Event::Wake);
            desk.feed(desk.w.page(vec![], None));
            let held = desk.snapshot(holding);
            desk.feed(held);
            desk.price(bid);
        }
        assert_eq!(desk.w.engine.phase(), Phase::Trading);
        desk.log.clear();
        desk.alerts.clear();
        desk
    }

    pub fn snapshot(&self, holding: i64) -> Event {
        self.w.snapshot(&self.w.btc.show_holding(Holding::from_units(holding)).to_string(), vec![])
    }

    pub fn ask(&self) -> i64 {
        self.bid + 10
    }

    /// Feeds an event, and whatever the exchange answers to what came of it.
    pub fn feed(&mut self, event: Event) {
        let mut todo = vec![event];
        let mut turns = 0;
        while let Some(event) = (!todo.is_empty()).then(|| todo.remove(0)) {
            turns += 1;
            assert!(turns < 1_000, "it never comes to rest: {:?}", self.log);
            self.w.engine.on_event(self.w.now, &event, &mut self.w.out);
            let view = self.w.engine.position().view(self.w.now);
            assert_eq!(books(&view), Ok(()));
            assert!(self.theirs || slots_are_covered(&view).is_ok(), "{:?}", slots_are_covered(&view));
            let actions: Vec<_> = self.w.out.drain().collect();
            for action in actions {
                match action {
                    Action::Place(place) => todo.extend(self.place(place)),
                    Action::Cancel(_) if self.deaf => {}
                    Action::Cancel(cancel) => {
                        let Some(at) = self.open.iter().position(|order| order.id == cancel.id) else { continue };
                        let order = self.open.remove(at);
                        self.log.push(format!("cancel {}", show(&order)));
                        todo.push(self.told(&order, 0, OrderStatus::Canceled));
                    }
                    Action::Alert(alert) => self.alerts.push(alert.code),
                    Action::Commit(state) => self.memo = state.memo,
                    Action::Record(_) | Action::Resync { .. } | Action::History => {}
                    Action::Query { .. } | Action::Countdown { .. } => panic!("{action:?}"),
                }
            }
        }
    }

    pub fn told(&mut self, order: &Place, qty: u64, status: OrderStatus) -> Event {
        let (price, of) = (self.w.btc.show_price(order.price).to_string(), self.w.btc.show_qty(order.qty).to_string());
        let filled = self.w.btc.show_qty(Qty::from_units(qty)).to_string();
        Event::Order(Box::new(self.w.report(order.id, &price, &of, &filled, status, Source::Stream)))
    }

    pub fn filled(&mut self, order: &Place, price: i64) -> Event {
        let price = Price::from_units(price);
        self.log.push(format!("fill {} at {}", show(order), self.w.btc.show_price(price)));
        let Event::Order(mut report) = self.told(order, order.qty.units(), OrderStatus::Filled) else { unreachable!() };
        self.w.next_trade += 1;
        report.fill = Some(Fill {
            trade_id: TradeId(self.w.next_trade),
            order_id: report.order_id,
            id: Some(order.id),
            side: order.id.side(),
            price,
            qty: order.qty,
            fee: usdt(0),
            realized: usdt(0),
            maker: false,
            time: self.w.now,
        });
        Event::Order(report)
    }

    pub fn place(&mut self, order: Place) -> Option<Event> {
        let side = order.id.side();
        let holding = self.w.engine.position().view(self.w.now).totals.holding;
        if order.reduce_only {
            assert_eq!(holding.side(), Some(side.opposite()), "{order:?} reduces nothing of {holding:?}");
        }
        if self.busy > 0 && order.reduce_only {
            self.busy -= 1;
            self.log.push(format!("refuse {}", show(&order)));
            return Some(Event::Rejected { id: order.id, request: Request::Place, reason: Reject::Busy });
        }
        if self.empty > 0 && order.kind == OrderType::Market {
            self.empty -= 1;
            self.log.push(format!("expire {}", show(&order)));
            return Some(self.told(&order, 0, OrderStatus::Expired));
        }
        let best = if side == Side::Buy { self.ask() } else { self.bid };
        let takes = match side {
            _ if order.kind == OrderType::Market => true,
            Side::Buy => order.price.units() >= best,
            Side::Sell => order.price.units() <= best,
        };
        let own = |other: &&Place| match side {
            Side::Buy => other.id.side() == Side::Sell && other.price.units() <= best,
            Side::Sell => other.id.side() == Side::Buy && other.price.units() >= best,
        };
        let met = self.open.iter().find(own).filter(|_| takes && order.tif != TimeInForce::Gtx);
        assert!(met.is_none(), "{order:?} trades with {met:?}");
        match (takes, order.tif) {
            (true, TimeInForce::Gtx) => Some(Event::Rejected { id: order.id, request: Request::Place, reason: Reject::WouldTake }),
            (true, _) => Some(self.filled(&order, best)),
            (false, _) => {
                self.log.push(format!("rest {}", show(&order)));
                self.open.push(order);
                Some(self.told(&order, 0, OrderStatus::New))
            }
        }
    }

    /// The best bid becomes this; resting orders that it passes are filled.
    pub fn price(&mut self, bid: i64) {
        self.bid = bid;
        let ask = self.ask();
        while let Some(at) = self.open.iter().position(|order| match order.id.side() {
            Side::Buy => order.price.units() >= ask,
            Side::Sell => order.price.units() <= bid,
        }) {
            let order = self.open.remove(at);
            let event = self.filled(&order, order.price.units());
            self.feed(event);
        }
        let qty = Qty::from_units(1_000);
        let (bid, ask) = (Price::from_units(bid), Price::from_units(ask));
        self.feed(Event::Top(Top { bid, bid_qty: qty, ask, ask_qty: qty, time: self.w.now }));
    }

    pub fn candle(&self, minute: u64, middle: i64) -> Event {
        let price = Price::from_units;
        Event::Candle(Box::new(Candle {
            open_time: Time::from_millis(1_700_000_040_000 + minute * MINUTE),
            open: price(middle),
            high: price(middle + 50),
            low: price(middle - 50),
            close: price(middle),
            volume: Qty::from_units(1_000),
            turnover: Notional::ZERO,
            taker_buy: Qty::ZERO,
            trades: 1,
        }))
    }

    /// A minute passes, at the end of which the price is this and a candle closes.
    pub fn minute(&mut self, bid: i64) {
        let (end, event) = (self.minute + 1, self.candle(self.minute, bid + 5));
        self.minute = end;
        // The market is never silent for long.
        let at = Time::from_millis(1_700_000_040_000 + end * MINUTE);
        while at.since(self.w.now) > Duration::from_secs(9) {
            self.w.now = self.w.now + Duration::from_secs(9);
            self.price(self.bid);
        }
        self.w.now = self.w.now.max(at);
        self.feed(self.w.lease());
        self.price(bid);
        self.feed(event);
    }

    /// What happened since the last look.
    #[track_caller]
    pub fn check(&mut self, expected: &[&str]) {
        assert_eq!(std::mem::take(&mut self.log), expected);
    }

    pub fn holding(&self) -> i64 {
        self.w.engine.position().view(self.w.now).totals.holding.units()
    }

    /// What storage would bring back, and the position.
    pub fn stored(&self) -> (Boot, i64) {
        let view = self.w.engine.position().view(self.w.now);
        let slots = view.slots.holding().map(plimsoll_position::Slot::row).collect();
        let books = Restored { totals: Some(*view.totals), slots, recent: vec![] };
        let state = StateRecord {
            version: 1,
            anchor: Some(Price::from_units(6_000_000)),
            interval: self.spacing,
            baseline: Some(TradeId(1_000)),
            paused: false,
            halted: false,
            lock: None,
            closing: false,
            idle: false,
            memo: self.memo,
        };
        (Boot { state: Some(state), books, open_orders: 0 }, view.totals.holding.units())
    }
}

pub fn show(order: &Place) -> String {
    let btc = Instrument::example_btcusdt();
    let kind = match (order.kind, order.tif) {
        (OrderType::Market, _) => "market",
        (_, TimeInForce::Gtx) => "maker",
        (_, TimeInForce::Gtc) => "limit",
        (_, TimeInForce::Ioc | TimeInForce::Fok) => "ioc",
    };
    let reduces = if order.reduce_only { " reduces" } else { "" };
    let leg = order.id.leg();
    let (side, layer) = (order.id.side().as_str(), leg.index());
    let way = if leg.opening() == Some(Side::Sell) { "short" } else { "long" };
    format!("{way} {layer} {side} {kind} {} {}{reduces}", btc.show_qty(order.qty), btc.show_price(order.price))
}

/// What tests have in common, changed where they differ.
pub fn common(change: impl Fn(&mut TradeConfig)) -> TradeConfig {
    let mut cfg = TradeConfig {
        direction: Direction::Both,
        bar: Duration::from_secs(60),
        entry: Entry::Taker,
        slippage: 1_000,
        stop_loss: 0,
        trailing_from: 0,
        trailing: 0,
        cooldown: Duration::ZERO,
    };
    change(&mut cfg);
    cfg.check().unwrap();
    cfg
}

/// Buys weakness, sells strength.
pub fn momentum(take_profit: u32) -> MomentumPlan {
    MomentumPlan::new(MomentumConfig { amount: 1_000 * USDT, period: 3, oversold: 300_000, overbought: 700_000, take_profit }).unwrap()
}
