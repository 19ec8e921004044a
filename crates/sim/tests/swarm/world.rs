//! The engine against the venue in made-up time, with everything that goes wrong between them.
#![allow(missing_docs, dead_code, clippy::unwrap_used, clippy::expect_used, reason = "shared by tests, which may panic")]

use plimsoll_engine::{Boot, Engine, EngineConfig};
use plimsoll_market::*;
use plimsoll_position::{PositionConfig, Restored};
use plimsoll_safety::{GateConfig, GuardConfig};
use plimsoll_sim::generator::GeneratorSpec;
use plimsoll_sim::venue::{
    self, AccountId, AccountSpec, Journal, MarketEvent, MarketSpec, NewOrder, OrderRef, OrderRow, Page, SelfTrade, SourceSpec, Tif,
    TradeRow, Venue, VenueConfig, VenueEvent,
};
use plimsoll_strategy::{Grid, GridConfig};
use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub const ACCOUNT: AccountId = AccountId(0);
pub const RECV_WINDOW_MS: u64 = 5_000;

pub enum Deliver {
    ToVenue(Action, Time),
    ToEngine(Event),
}

/// What would be on disk: written in order, so a crash leaves a prefix.
#[derive(Default)]
pub struct Disk {
    pub state: Option<StateRecord>,
    pub totals: Option<Totals>,
    pub slots: BTreeMap<Leg, SlotRow>,
    pub booked: BTreeSet<TradeId>,
    pub waiting: Vec<Record>,
}

impl Disk {
    pub fn flush(&mut self, records: usize) {
        for record in self.waiting.drain(..records) {
            self.totals = Some(record.totals);
            self.booked.extend(record.fill.map(|booked| booked.fill.trade_id));
            if let Some(slot) = record.slot {
                self.slots.insert(slot.leg, slot);
            }
        }
    }

    pub fn recent(&self) -> Vec<TradeId> {
        let watermark = self.totals.and_then(|totals| totals.watermark);
        self.booked.iter().filter(|id| Some(**id) > watermark).copied().collect()
    }

    pub fn boot(&self) -> Boot {
        let slots = self.slots.values().filter(|s| !s.held.is_zero()).copied().collect();
        Boot { state: self.state, books: Restored { totals: self.totals, slots, recent: self.recent() }, open_orders: 0 }
    }
}

pub struct World {
    pub btc: Instrument,
    pub venue: Venue,
    pub engine: Engine,
    pub disk: Disk,
    pub run: u64,
    pub now: Time,
    pub queue: BTreeMap<(Time, u64), Deliver>,
    pub sequence: u64,
    /// The stream keeps its order: nothing overtakes what was sent before.
    pub stream_free_at: Time,
    pub stream_up: bool,
    pub random: Pcg64Mcg,
    pub faults: bool,
    pub out: Actions,
    pub told: Vec<String>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let btc = Instrument::example_btcusdt();
        let start = Time::from_millis(1_700_000_000_000);
        let source = GeneratorSpec { seed, start_price: btc.parse_price("60000", Round::Exact).unwrap(), speed_milli: 20_000, history: 0 };
        let venue = Venue::new(VenueConfig {
            markets: vec![MarketSpec { instrument: btc, brackets: vec![], source: SourceSpec::Generator(source) }],
            accounts: vec![AccountSpec { name: Name::new("main").unwrap(), wallet: 100_000 * 100_000_000 }],
            start,
            funding_interval: Duration::from_secs(28_800),
            leverage: 10,
            journal: Journal::Off,
            lag_max: None,
        });
        let disk = Disk::default();
        Self {
            btc,
            venue: venue.unwrap(),
            engine: engine(btc, 1, &disk),
            disk,
            run: 1,
            now: start,
            queue: BTreeMap::new(),
            sequence: 0,
            stream_free_at: start,
            stream_up: false,
            random: Pcg64Mcg::seed_from_u64(seed),
            faults: true,
            out: Actions::new(),
            told: Vec::new(),
        }
    }

    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.random.next_u64() % 1_000 < per_mille
    }

    pub fn fault(&mut self, per_mille: u64) -> bool {
        self.faults && self.chance(per_mille)
    }

    pub fn delay(&mut self) -> Duration {
        // Mostly a few milliseconds, now and then a second.
        let long = self.fault(20);
        Duration::from_micros(500 + self.random.next_u64() % if long { 1_000_000 } else { 8_000 })
    }

    pub fn push(&mut self, at: Time, what: Deliver) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), what);
    }

    pub fn later(&mut self, event: Event) {
        let at = self.now + self.delay();
        self.push(at, Deliver::ToEngine(event));
    }

    /// The stream goes up or down; what it says of itself keeps its place among what it brings.
    pub fn link(&mut self, up: bool) {
        self.stream_up = up;
        let at = (self.now + self.delay()).max(self.stream_free_at);
        self.stream_free_at = at;
        self.push(at, Deliver::ToEngine(Event::Link(Link { feed: Feed::Account, up })));
    }

    pub fn connect(&mut self) {
        self.link(true);
    }

    /// Takes what the venue tells and puts it on its way.
    pub fn tell(&mut self, heard: Vec<Heard>) {
        for heard in heard {
            match heard {
                Heard::Market(event) => self.later_market(event),
                Heard::Order(row, fill) => {
                    if self.stream_up {
                        let at = (self.now + self.delay()).max(self.stream_free_at);
                        self.stream_free_at = at;
                        let report = report(&self.btc, &row, fill.as_ref(), Source::Stream);
                        let twice = self.fault(10);
                        self.push(at, Deliver::ToEngine(Event::Order(Box::new(report))));
                        if twice {
                            self.push(at, Deliver::ToEngine(Event::Order(Box::new(report))));
                        }
                    }
                }
            }
        }
    }

    pub fn later_market(&mut self, event: Event) {
        let at = self.now + Duration::from_millis(1);
        self.push(at, Deliver::ToEngine(event));
    }

    /// One step: whatever comes next.
    pub fn step(&mut self) {
        let venue_at = self.venue.wake_at();
        let engine_at = self.engine.wake_at();
        let queue_at = self.queue.first_key_value().map(|((at, _), _)| *at);
        let next = [venue_at, engine_at, queue_at].into_iter().flatten().min().unwrap();
        self.now = self.now.max(next);
        if queue_at == Some(next) {
            let ((_, _), what) = self.queue.pop_first().unwrap();
            match what {
                Deliver::ToVenue(action, asked_at) => self.at_venue(action, asked_at),
                Deliver::ToEngine(event) => self.feed(&event),
            }
        } else if venue_at == Some(next) {
            let mut heard = Vec::new();
            self.venue.advance(self.now, &mut |event| hear(event, &mut heard));
            self.tell(heard);
        } else {
            self.feed(&Event::Wake);
        }
    }

    pub fn feed(&mut self, event: &Event) {
        self.engine.on_event(self.now, event, &mut self.out);
        let actions: Vec<Action> = self.out.drain().collect();
        for action in actions {
            match action {
                Action::Record(record) => self.disk.waiting.push(*record),
                // These engines have no switch, and nothing that candles of the past are told of.
                Action::Countdown { .. } | Action::History => {}
                Action::Alert(alert) => self.told.push(format!("{:?} {} {}", self.now, alert.code.as_str(), alert.text)),
                Action::Commit(state) => {
                    let all = self.disk.waiting.len();
                    self.disk.flush(all);
                    self.disk.state = Some(*state);
                    self.later(Event::Committed { version: state.version });
                }
                Action::Place(_) | Action::Cancel(_) | Action::Query { .. } => {
                    let (id, request) = match &action {
                        Action::Place(p) => (p.id, Request::Place),
                        Action::Cancel(c) => (c.id, Request::Cancel),
                        Action::Query { id } => (*id, Request::Query),
                        _ => unreachable!(),
                    };
                    if self.fault(5) {
                        self.later(Event::NotSent { id, request });
                    } else if self.fault(10) {
                        // Lost on the way: nobody knows.
                        self.later(Event::Unknown { id, request });
                    } else {
                        let at = self.now + self.delay();
                        let asked_at = self.now;
                        self.push(at, Deliver::ToVenue(action, asked_at));
                    }
                }
                Action::Resync { .. } => {
                    if self.fault(50) {
                        self.later(Event::ResyncFailed);
                    } else {
                        let at = self.now + self.delay();
                        let asked_at = self.now;
                        self.push(at, Deliver::ToVenue(action, asked_at));
                    }
                }
            }
        }
    }

    pub fn at_venue(&mut self, action: Action, asked_at: Time) {
        let mut heard = Vec::new();
        let symbol = self.btc.symbol;
        let mut sink = |event: VenueEvent<'_>| hear(event, &mut heard);
        let answer = match action {
            Action::Place(p) => {
                let order = NewOrder {
                    symbol,
                    client_id: Some(venue::ClientText::from(&p.id.text()).unwrap()),
                    side: p.id.side(),
                    kind: p.kind,
                    tif: if p.kind == OrderType::Market { Tif::Gtc } else { Tif::Gtx },
                    price: p.price,
                    qty: p.qty,
                    reduce_only: p.reduce_only,
                    self_trade: SelfTrade::ExpireMaker,
                };
                // The exchange refuses what is older than the window.
                let placed = if self.now.since(asked_at).as_millis() as u64 > RECV_WINDOW_MS {
                    None
                } else {
                    Some(self.venue.place(self.now, ACCOUNT, order, &mut sink))
                };
                let event = match placed {
                    Some(Ok(row)) => Event::Order(Box::new(report(&self.btc, &row, None, Source::Reply))),
                    Some(Err(error)) => {
                        let reason = if error.code() == -5022 { Reject::WouldTake } else { Reject::Other(error.code()) };
                        Event::Rejected { id: p.id, request: Request::Place, reason }
                    }
                    None => Event::Rejected { id: p.id, request: Request::Place, reason: Reject::Stamp },
                };
                (event, Some((p.id, Request::Place)))
            }
            Action::Cancel(c) => {
                let by = OrderRef::Client(venue::ClientText::from(&c.id.text()).unwrap());
                let event = match self.venue.cancel(self.now, ACCOUNT, symbol, by, &mut sink) {
                    Ok(row) => Event::Order(Box::new(report(&self.btc, &row, None, Source::Reply))),
                    Err(_) => Event::CancelFailed { id: c.id, reason: CancelFailure::NotOpen },
                };
                (event, Some((c.id, Request::Cancel)))
            }
            Action::Query { id } => {
                let by = OrderRef::Client(venue::ClientText::from(&id.text()).unwrap());
                let event = match self.venue.order(ACCOUNT, symbol, by) {
                    Ok(row) => Event::Order(Box::new(report(&self.btc, &row, None, Source::Query))),
                    Err(_) => Event::NotFound { id },
                };
                (event, Some((id, Request::Query)))
            }
            Action::Resync { after } => {
                self.tell(heard);
                self.resync(after, asked_at);
                return;
            }
            Action::Commit(_) | Action::Record(_) | Action::Alert(_) | Action::Countdown { .. } | Action::History => unreachable!(),
        };
        self.tell(heard);
        let (event, asked) = answer;
        match asked {
            // The answer is lost: the order stands, and nobody knows.
            Some((id, request)) if self.fault(15) => self.later(Event::Unknown { id, request }),
            _ => self.later(event),
        }
    }

    pub fn resync(&mut self, after: Option<TradeId>, asked_at: Time) {
        let symbol = self.btc.symbol;
        let mut at = self.now + self.delay();
        match after {
            None => {
                let newest = self.venue.trades(symbol, Page::latest(1)).unwrap().last().map_or(TradeId(0), |t| t.id);
                let page = FillPage { fills: vec![], baseline: Some(newest), last: true, asked_at: self.now };
                self.push(at, Deliver::ToEngine(Event::Fills(Box::new(page))));
            }
            Some(after) => {
                let page = Page { from_id: Some(after.0 + 1), start: None, end: None, limit: 1_000 };
                let rows = self.venue.user_trades(ACCOUNT, symbol, None, page).unwrap();
                let fills: Vec<Fill> = rows
                    .iter()
                    .map(|row| {
                        let order = self.venue.order(ACCOUNT, symbol, OrderRef::Id(row.order_id)).unwrap();
                        fill(&self.btc, row, &order)
                    })
                    .collect();
                let pages: Vec<&[Fill]> = fills.chunks(limits::FILL_PAGE_MAX).collect();
                for (i, chunk) in pages.iter().enumerate() {
                    let page = FillPage { fills: chunk.to_vec(), baseline: None, last: i + 1 == pages.len(), asked_at: self.now };
                    self.push(at, Deliver::ToEngine(Event::Fills(Box::new(page))));
                    at = at + Duration::from_micros(100);
                }
                if pages.is_empty() {
                    let page = FillPage { fills: vec![], baseline: None, last: true, asked_at: self.now };
                    self.push(at, Deliver::ToEngine(Event::Fills(Box::new(page))));
                }
            }
        }
        let position = self.venue.position(ACCOUNT, symbol).unwrap();
        let open = self.venue.open_orders(ACCOUNT, Some(symbol)).unwrap();
        let snapshot = Snapshot {
            asked_at,
            position: PositionReport {
                side: PositionSide::Both,
                holding: position.holding,
                entry: position.entry,
                liquidation: position.liquidation,
                leverage: position.leverage,
            },
            open: open.iter().map(|row| report(&self.btc, row, None, Source::Query)).collect(),
        };
        let at = at + self.delay();
        self.push(at, Deliver::ToEngine(Event::Snapshot(Box::new(snapshot))));
    }

    /// No slot may have two open orders at the exchange.
    pub fn check_legs(&self, seed: u64) {
        let mut legs = BTreeSet::new();
        for row in self.venue.open_orders(ACCOUNT, None).unwrap() {
            let id = ClientId::parse(&row.client_id).unwrap();
            assert!(legs.insert(id.leg()), "seed {seed}: {:?} has two open orders at {:?}", id.leg(), self.now);
        }
    }

    pub fn crash(&mut self) {
        let keep = if self.disk.waiting.is_empty() { 0 } else { self.random.next_u64() as usize % (self.disk.waiting.len() + 1) };
        self.disk.flush(keep);
        self.disk.waiting.clear();
        self.run += 1;
        self.engine = engine(self.btc, self.run, &self.disk);
        // What was on its way to the dead process is gone; what it sent is not.
        self.queue.retain(|_, what| matches!(what, Deliver::ToVenue(..)));
        self.stream_free_at = self.now;
        self.lend();
        self.connect();
    }

    pub fn lend(&mut self) {
        let lease =
            Lease { exposure_max: 50_000 * 100_000_000, orders_per_10s: 100, until: self.now + Duration::from_secs(100_000), demand: None };
        self.later(Event::Lease(lease));
    }

    pub fn run_for(&mut self, seed: u64, span: Duration) {
        let until = self.now + span;
        let mut steps = 0_u64;
        while self.now < until {
            self.step();
            steps += 1;
            if steps.is_multiple_of(50) {
                self.check_legs(seed);
            }
            if steps.is_multiple_of(200) {
                if self.stream_up && self.fault(20) {
                    self.link(false);
                } else if !self.stream_up && self.chance(300) {
                    self.connect();
                }
                if self.fault(4) {
                    self.crash();
                }
                if self.fault(10) {
                    let all = self.disk.waiting.len();
                    self.disk.flush(all);
                }
            }
        }
    }
}

pub fn engine(btc: Instrument, run: u64, disk: &Disk) -> Engine {
    let interval = btc.parse_price("40", Round::Exact).unwrap();
    let grid = Grid::new(GridConfig { interval, order_quote: 250 * 100_000_000, buy_window: 8, sell_window: 8 }, 0);
    let cfg = EngineConfig {
        position: PositionConfig {
            tag: Tag(7),
            run,
            series: 0,
            placed_before: 0,
            recv_window_ms: RECV_WINDOW_MS,
            compare_every: PositionConfig::COMPARE_EVERY,
            accept_position: true,
        },
        gate: GateConfig { stale_after: Duration::from_secs(10), exposure_max: 50_000 * 100_000_000, guard: GuardConfig::OFF },
        interval: interval.into(),
        countdown: None,
    };
    Engine::new(btc, cfg, Box::new(grid), &disk.boot()).unwrap()
}

#[expect(clippy::large_enum_variant, reason = "lives for one step")]
pub enum Heard {
    Market(Event),
    Order(OrderRow, Option<TradeRow>),
}

pub fn hear(event: VenueEvent<'_>, heard: &mut Vec<Heard>) {
    match event {
        VenueEvent::Market { event: MarketEvent::BookTicker { top, .. }, .. } => heard.push(Heard::Market(Event::Top(top))),
        VenueEvent::Market { event: MarketEvent::Mark(mark), .. } => heard.push(Heard::Market(Event::Mark(mark))),
        VenueEvent::Account { event: venue::AccountEvent::Order { row, fill, .. }, .. } => heard.push(Heard::Order(*row, *fill)),
        VenueEvent::Market { .. } | VenueEvent::Account { .. } | VenueEvent::Row(_) => {}
    }
}

pub fn fill(btc: &Instrument, row: &TradeRow, order: &OrderRow) -> Fill {
    Fill {
        trade_id: TradeId(row.trade_id),
        order_id: OrderId(u128::from(row.order_id)),
        id: ClientId::parse(&order.client_id).ok(),
        side: row.side,
        price: row.price,
        qty: row.qty,
        fee: Amount::new(btc.quote, row.commission),
        realized: Amount::new(btc.quote, row.realized),
        maker: row.maker,
        time: row.time,
    }
}

pub fn report(btc: &Instrument, row: &OrderRow, trade: Option<&TradeRow>, source: Source) -> OrderReport {
    OrderReport {
        id: ClientId::parse(&row.client_id).ok(),
        order_id: OrderId(u128::from(row.order_id)),
        side: row.side,
        price: row.price,
        qty: row.qty,
        filled: row.filled,
        average: row.average(btc),
        status: row.status,
        kind: row.kind,
        tif: TimeInForce::Gtx,
        reduce_only: row.reduce_only,
        fill: trade.map(|t| fill(btc, t, row)),
        time: row.updated,
        source,
    }
}
