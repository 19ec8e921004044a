//! The same history twice: through the whole venue with a loop of the live program's shape, and through the backtest. The orders and
//! fills are the same, one by one. What is heard of the market are tops, trades, and the candles that the trades make.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, reason = "tests may panic, and say what they leave out")]

mod common;

use common::kinds::{kinds, spacing};
use common::{account_config, engine_config, grid_config};
use plimsoll_backtest::import::{ImportOptions, import};
use plimsoll_backtest::{Latency, Observer, Run, Sample, Setup, Timeline};
use plimsoll_engine::{Account, AccountAction, AccountInput, Boot, Engine, Shell, turn};
use plimsoll_market::*;
use plimsoll_sim::replay::ReplaySpec;
use plimsoll_sim::solo::{QueueModel, SoloConfig};
use plimsoll_sim::venue::{
    AccountEvent as Told, AccountId, AccountSpec, ClientText, Journal, MarketEvent, MarketSpec, NewOrder, OrderRef, OrderRow, Page,
    SelfTrade, SourceSpec, Tif, TradeRow, Venue, VenueConfig, VenueEvent,
};
use plimsoll_strategy::{
    CapitalConfig, Child, ChildConfig, Choice, ComboConfig, GridConfig, GridOptions, Regimes, StrategyConfig, Trailing,
};
use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

const WALLET: i128 = 100_000 * 100_000_000;
const ME: AccountId = AccountId(0);

/// The venue, an engine and an account, with ways of a fixed length between them.
struct Live {
    btc: Instrument,
    venue: Venue,
    engine: Engine,
    account: Account,
    actions: Actions,
    echo: Option<Event>,
    orders: VecDeque<(Time, Time, Action)>,
    answers: VecDeque<(Time, Event)>,
    way: Duration,
    now: Time,
    /// Trades still to be heard of, as they were recorded: those of our own orders are no history.
    trades: VecDeque<Trade>,
    /// What makes candles of them, for who goes by candles.
    candles: Option<CandleBuilder>,
    log: Vec<String>,
}

impl Shell for Live {
    fn step(&mut self, event: &Event) {
        self.engine.on_event(self.now, event, &mut self.actions);
        let actions: Vec<Action> = self.actions.drain().collect();
        for action in actions {
            note(&mut self.log, self.now, &action);
            match action {
                Action::Place(_) | Action::Cancel(_) | Action::Query { .. } | Action::Resync { .. } => {
                    self.orders.push_back((self.now + self.way, self.now, action));
                }
                Action::Commit(state) => self.echo = Some(Event::Committed { version: state.version }),
                Action::Record(_) | Action::Alert(_) | Action::Countdown { .. } | Action::History => {}
            }
        }
    }
    fn next_echo(&mut self) -> Option<Event> {
        self.echo.take()
    }
}

fn note(log: &mut Vec<String>, now: Time, action: &Action) {
    match action {
        Action::Place(p) => {
            log.push(format!("{} place {} {} {} {}", now.nanos(), p.id.text(), p.id.side().as_str(), p.price.units(), p.qty.units()));
        }
        Action::Cancel(c) => log.push(format!("{} cancel {}", now.nanos(), c.id.text())),
        Action::Record(r) => {
            if let Some(b) = &r.fill {
                let f = &b.fill;
                log.push(format!("{} fill {} {} {} {}", now.nanos(), f.side.as_str(), f.price.units(), f.qty.units(), f.fee.units));
            }
        }
        _ => {}
    }
}

impl Live {
    fn new(btc: Instrument, lines: Vec<String>, trades: &StrategyConfig, way: Duration) -> Self {
        let recorded = lines.iter().filter_map(|line| recorded_trade(&btc, line)).collect();
        let start = Time::from_nanos(lines[0].split(' ').next().unwrap().parse().unwrap());
        let source = SourceSpec::Replay(ReplaySpec { lines: Box::new(lines.into_iter()), speed_milli: 1_000 });
        let venue = Venue::new(VenueConfig {
            markets: vec![MarketSpec { instrument: btc, brackets: vec![], source }],
            accounts: vec![AccountSpec { name: Name::new("main").unwrap(), wallet: WALLET }],
            start,
            funding_interval: Duration::from_secs(365 * 86_400),
            leverage: 10,
            journal: Journal::Off,
            lag_max: None,
        });
        let strategy = trades.build().unwrap();
        let candles = strategy.takes_candles().then(|| CandleBuilder::new(Duration::from_secs(60)));
        Self {
            btc,
            venue: venue.unwrap(),
            engine: Engine::new(btc, engine_config(spacing(&btc, trades)), strategy, &Boot::default()).unwrap(),
            account: Account::new(account_config(btc.quote), 1, 0, None, Time::ZERO),
            actions: Actions::new(),
            echo: None,
            orders: VecDeque::new(),
            answers: VecDeque::new(),
            way,
            now: start,
            trades: recorded,
            candles,
            log: Vec::new(),
        }
    }

    fn input(&mut self, input: &AccountInput) {
        let mut leases = Vec::new();
        self.account.on_input(self.now, input, |action| {
            if let AccountAction::Lease { lease, .. } = action {
                leases.push(lease);
            }
        });
        for lease in leases {
            turn(self, &Event::Lease(lease));
        }
    }

    fn heard(&mut self, heard: Vec<Heard>) {
        for heard in heard {
            match heard {
                Heard::Market(event) => turn(self, &event),
                Heard::Order(report) => self.answers.push_back((self.now + self.way, Event::Order(report))),
            }
        }
    }

    /// Hears of the trades that have happened by now, and of the candles that they close.
    fn hear_trades(&mut self) {
        while let Some(trade) = self.trades.front().copied().filter(|trade| trade.time <= self.now) {
            self.trades.pop_front();
            turn(self, &Event::Trade(trade));
            if let Some(candle) = self.candles.as_mut().and_then(|candles| candles.push(&trade)) {
                turn(self, &Event::Candle(Box::new(candle)));
            }
        }
    }

    fn run(mut self) -> Vec<String> {
        let balance = Balance { asset: self.btc.quote, wallet: WALLET, available: None, time: self.now };
        self.input(&AccountInput::Event(AccountEvent::Balance(balance)));
        for feed in [Feed::Requests, Feed::Market, Feed::Account] {
            turn(&mut self, &Event::Link(Link { feed, up: true }));
        }
        let mut quiet = 0;
        while quiet < 400 {
            let never = Time::from_nanos(u64::MAX);
            let order = self.orders.front().map_or(never, |o| o.0);
            let answer = self.answers.front().map_or(never, |a| a.0);
            let venue = self.venue.wake_at().unwrap_or(never);
            let wake = self.engine.wake_at().unwrap_or(never);
            let next = order.min(answer).min(venue).min(wake).min(self.account.wake_at());
            self.now = self.now.max(next);
            let mut heard = Vec::new();
            if order == next {
                let (_, asked_at, action) = self.orders.pop_front().unwrap();
                self.at_venue(action, asked_at);
            } else if answer == next {
                let (_, event) = self.answers.pop_front().unwrap();
                turn(&mut self, &event);
            } else if venue == next {
                self.venue.advance(self.now, &mut |event| hear(&self.btc, event, &mut heard));
                // The beats of timers go on when the recording is over.
                quiet = if heard.iter().any(|h| matches!(h, Heard::Market(Event::Top(_) | Event::Trade(_)))) { 0 } else { quiet + 1 };
                self.heard(heard);
                self.hear_trades();
            } else if self.account.wake_at() == next {
                self.input(&AccountInput::Wake);
            } else {
                turn(&mut self, &Event::Wake);
            }
        }
        self.log
    }

    fn at_venue(&mut self, action: Action, asked_at: Time) {
        let (symbol, btc) = (self.btc.symbol, self.btc);
        let mut heard = Vec::new();
        let mut sink = |event: VenueEvent<'_>| hear(&btc, event, &mut heard);
        let mut replies = Vec::new();
        match action {
            Action::Place(p) => {
                let order = NewOrder {
                    symbol,
                    client_id: Some(ClientText::from(&p.id.text()).unwrap()),
                    side: p.id.side(),
                    kind: p.kind,
                    tif: match p.tif {
                        TimeInForce::Gtc => Tif::Gtc,
                        TimeInForce::Ioc => Tif::Ioc,
                        TimeInForce::Fok => Tif::Fok,
                        TimeInForce::Gtx => Tif::Gtx,
                    },
                    price: p.price,
                    qty: p.qty,
                    reduce_only: p.reduce_only,
                    self_trade: SelfTrade::ExpireMaker,
                };
                replies.push(match self.venue.place(self.now, ME, order, &mut sink) {
                    Ok(row) => Event::Order(Box::new(report(&btc, &row, None, Source::Reply))),
                    Err(error) => {
                        let reason = match error.code() {
                            -5022 => Reject::WouldTake,
                            -2022 => Reject::NothingToReduce,
                            -2019 => Reject::Margin,
                            -4164 | -4131 => Reject::Filter,
                            code => Reject::Other(code),
                        };
                        Event::Rejected { id: p.id, request: Request::Place, reason }
                    }
                });
            }
            Action::Cancel(c) => {
                let by = OrderRef::Client(ClientText::from(&c.id.text()).unwrap());
                replies.push(match self.venue.cancel(self.now, ME, symbol, by, &mut sink) {
                    Ok(row) => Event::Order(Box::new(report(&btc, &row, None, Source::Reply))),
                    Err(_) => Event::CancelFailed { id: c.id, reason: CancelFailure::NotOpen },
                });
            }
            Action::Resync { after } => {
                let mine = self.venue.user_trades(
                    ME,
                    symbol,
                    None,
                    Page { from_id: after.map(|a| a.0 + 1), start: None, end: None, limit: 1_000 },
                );
                let fills: Vec<Fill> = match after {
                    None => Vec::new(),
                    Some(_) => mine
                        .unwrap()
                        .iter()
                        .map(|row| fill(&btc, row, &self.venue.order(ME, symbol, OrderRef::Id(row.order_id)).unwrap()))
                        .collect(),
                };
                let baseline = after.is_none().then_some(TradeId(0));
                replies.push(Event::Fills(Box::new(FillPage { fills, baseline, last: true, asked_at: self.now })));
                let position = self.venue.position(ME, symbol).unwrap();
                let open = self.venue.open_orders(ME, Some(symbol)).unwrap();
                replies.push(Event::Snapshot(Box::new(Snapshot {
                    asked_at,
                    position: PositionReport {
                        side: PositionSide::Both,
                        holding: position.holding,
                        entry: position.entry,
                        liquidation: position.liquidation,
                        leverage: position.leverage,
                    },
                    open: open.iter().map(|row| report(&btc, row, None, Source::Query)).collect(),
                })));
            }
            Action::Query { id } => {
                let by = OrderRef::Client(ClientText::from(&id.text()).unwrap());
                let found = self.venue.order(ME, symbol, by).ok().filter(|row| !row.status.is_final());
                replies.push(found.map_or(Event::NotFound { id }, |row| Event::Order(Box::new(report(&btc, &row, None, Source::Query)))));
            }
            Action::Commit(_) | Action::Record(_) | Action::Alert(_) | Action::Countdown { .. } | Action::History => {}
        }
        self.heard(heard);
        for reply in replies {
            self.answers.push_back((self.now + self.way, reply));
        }
    }
}

/// The trade of a recorded line, if it is one.
fn recorded_trade(btc: &Instrument, line: &str) -> Option<Trade> {
    let (stamp, rest) = line.split_once(' ')?;
    let field = |name: &str| {
        let (_, after) = rest.split_once(&format!("\"{name}\":"))?;
        after.split([',', '}']).next().map(|text| text.trim_matches('"').to_owned())
    };
    if !rest.contains("@trade\"") {
        return None;
    }
    let taker = if field("m")? == "true" { Side::Sell } else { Side::Buy };
    let (price, qty) = (btc.parse_price(&field("p")?, Round::Exact).ok()?, btc.parse_qty(&field("q")?, Round::Exact).ok()?);
    Some(Trade { id: TradeId(0), price, qty, taker, time: Time::from_nanos(stamp.parse().ok()?) })
}

enum Heard {
    Market(Event),
    Order(Box<OrderReport>),
}

fn hear(btc: &Instrument, event: VenueEvent<'_>, heard: &mut Vec<Heard>) {
    match event {
        VenueEvent::Market { event: MarketEvent::BookTicker { top, .. }, .. } => heard.push(Heard::Market(Event::Top(top))),
        VenueEvent::Account { event: Told::Order { row, fill, .. }, .. } => {
            heard.push(Heard::Order(Box::new(report(btc, row, fill.as_ref(), Source::Stream))));
        }
        VenueEvent::Market { .. } | VenueEvent::Account { .. } | VenueEvent::Row(_) => {}
    }
}

fn fill(btc: &Instrument, row: &TradeRow, order: &OrderRow) -> Fill {
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

fn report(btc: &Instrument, row: &OrderRow, trade: Option<&TradeRow>, source: Source) -> OrderReport {
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

struct Log(Vec<String>);

impl Observer for Log {
    fn asked(&mut self, now: Time, action: &Action) {
        note(&mut self.0, now, action);
    }
    fn booked(&mut self, _: Time, _: &Record) {}
    fn liquidated(&mut self, _: Time) {}
    fn sample(&mut self, _: &Sample) {}
}

fn backtest(btc: Instrument, file: &Path, trades: &StrategyConfig, way: Duration) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let tape = dir.path().join("a.tape");
    let options =
        ImportOptions { instrument: btc, kind: None, gap_max: Duration::from_secs(60), allow_missing: false, prices: Round::Exact };
    import(&[file.to_owned()], &tape, &options, &mut |_| {}).unwrap();
    let setup = Setup {
        engine: engine_config(spacing(&btc, trades)),
        strategy: trades.build().unwrap(),
        account: account_config(btc.quote),
        market: SoloConfig { instrument: btc, brackets: vec![], wallet: WALLET, leverage: 10, queue: QueueModel::RiskAverse },
        latency: Latency::Constant { order: way, answer: way },
        candle_secs: 0,
        funding: None,
    };
    let mut timeline = Timeline::open(&[tape]).unwrap();
    let mut run = Run::new(setup, Log(Vec::new())).unwrap();
    while let Some((time, tick)) = timeline.next().unwrap() {
        run.feed(time, &tick).unwrap();
    }
    run.finish().unwrap();
    run.into_observer().0
}

/// A recording of levels and trades, without tickers and marks: a line a message.
fn made_up(seed: u64, lines: usize) -> Vec<String> {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let mut out = Vec::new();
    let mut now = 1_700_000_000_000_000_000_u64;
    let (mut mid, mut update) = (600_000_i64, 10_u64);
    let show = |ticks: i64| format!("{}.{}", ticks / 10, ticks % 10);
    let side = |from: i64, step: i64| -> String {
        let levels: Vec<String> = (1..=10).map(|d| format!("[\"{}\",\"3.000\"]", show(from + step * d))).collect();
        levels.join(",")
    };
    out.push(format!("{now} {{\"lastUpdateId\":10,\"bids\":[{}],\"asks\":[{}]}}", side(mid, -1), side(mid, 1)));
    for _ in 0..lines {
        now += 1_000_000 + random.next_u64() % 40_000_000;
        let dice = random.next_u64();
        if dice.is_multiple_of(4) {
            // A trade at a price within two ticks of the top.
            let sells = dice & 16 == 0;
            let price = if sells { mid - 1 - (dice >> 8) as i64 % 2 } else { mid + 1 + (dice >> 8) as i64 % 2 };
            let qty = 1 + (dice >> 16) % 4_000;
            out.push(format!(
                "{now} {{\"stream\":\"btcusdt@trade\",\"data\":{{\"p\":\"{}\",\"q\":\"{}.{:03}\",\"X\":\"MARKET\",\"m\":{sells}}}}}",
                show(price),
                qty / 1_000,
                qty % 1_000
            ));
            continue;
        }
        let mut bids = String::new();
        let mut asks = String::new();
        let step = match dice >> 20 & 7 {
            0 => 1,
            1 => -1,
            _ => 0,
        };
        mid += step;
        // After a step the levels of both sides are told anew; else some of them change.
        for depth in 0..=11_i64 {
            if step == 0 && !(dice >> (24 + depth)).is_multiple_of(3) {
                continue;
            }
            let qty = |shift: u32| if depth == 0 || depth == 11 { 0 } else { 1 + (dice >> shift) % 5_000 };
            let (b, a) = (qty(30 + depth as u32), qty(20 + depth as u32));
            bids.push_str(&format!(
                "{}[\"{}\",\"{}.{:03}\"]",
                if bids.is_empty() { "" } else { "," },
                show(mid - depth),
                b / 1_000,
                b % 1_000
            ));
            asks.push_str(&format!(
                "{}[\"{}\",\"{}.{:03}\"]",
                if asks.is_empty() { "" } else { "," },
                show(mid + depth),
                a / 1_000,
                a % 1_000
            ));
        }
        let (first, previous) = (update + 1, update);
        update += 3;
        out.push(format!(
            "{now} {{\"stream\":\"btcusdt@depth@0ms\",\"data\":{{\"U\":{first},\"u\":{update},\"pu\":{previous},\"b\":[{bids}],\"a\":[{asks}]}}}}"
        ));
    }
    out
}

#[track_caller]
fn same(live: &[String], told: &[String]) -> usize {
    for (at, (a, b)) in live.iter().zip(told).enumerate() {
        assert_eq!(a, b, "entry {at}; before: {:?}", live.get(at.saturating_sub(3)..at));
    }
    // Whichever went on a little longer after the end of the data.
    assert!(live.len().abs_diff(told.len()) <= 4, "{} and {}", live.len(), told.len());
    live.len().min(told.len())
}

#[test]
fn made_up_histories_lead_to_the_same_orders() {
    let btc = Instrument::example_btcusdt();
    let interval = btc.parse_price("0.3", Round::Exact).unwrap();
    compare(0..8, &StrategyConfig::Grid(grid_config(interval)), 100);
    compare(8..12, &rich(&btc, interval), 100);
    compare(12..20, &several(interval), 100);
}

/// A grid with all that a grid can have but a ratio: the least one is more than these prices move.
fn rich(btc: &Instrument, interval: Price) -> StrategyConfig {
    let price = |text: &str| btc.parse_price(text, Round::Exact).ok();
    let options = GridOptions {
        lower: price("59999.5"),
        upper: price("60000.5"),
        trailing: Trailing::Both,
        compound: 1_000_000,
        compound_max: 5_000_000,
        skew: 500_000,
        skew_layers: 3,
        ..GridOptions::LONG
    };
    StrategyConfig::GridWith(GridConfig { order_quote: 2_000 * 100_000_000, ..grid_config(interval) }, options)
}

/// A long and a short grid that share a capital: whoever is first holds the symbol until it is flat.
fn several(interval: Price) -> StrategyConfig {
    let child = |options| Some(Child { strategy: ChildConfig::Grid(grid_config(interval), options), when: Regimes::ALL, weight: 400_000 });
    let capital =
        CapitalConfig { amount: 2_000 * 100_000_000, period: Duration::from_secs(60), window: 1, floor: 0, ceiling: 1_000_000, step: 0 };
    let children = [child(GridOptions::LONG), child(GridOptions::SHORT), None, None];
    StrategyConfig::Combo(ComboConfig { children, choice: Choice::All, capital: Some(capital) })
}

#[track_caller]
fn compare(seeds: core::ops::Range<u64>, trades: &StrategyConfig, least: usize) {
    for seed in seeds {
        let entries = compare_on("", seed, made_up(seed, 4_000), trades);
        assert!(entries > least, "seed {seed}: only {entries} orders and fills");
    }
}

#[track_caller]
fn compare_on(name: &str, seed: u64, lines: Vec<String>, trades: &StrategyConfig) -> usize {
    let btc = Instrument::example_btcusdt();
    let dir = tempfile::tempdir().unwrap();
    let file: PathBuf = dir.path().join("btcusdt_x.txt");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let way = Duration::from_micros(1_700 + 900 * seed);
    let live = Live::new(btc, lines, trades, way).run();
    let told = backtest(btc, &file, trades, way);
    eprintln!("{name} seed {seed}: {} orders and fills", live.len());
    same(&live, &told)
}

/// An hour or two of a market that moves some dollars at a time, so that minutes have something to say: a line about every second.
fn minutes(seed: u64, lines: usize) -> Vec<String> {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let mut out = Vec::new();
    // Half of them are so thin that an order of ours empties levels.
    let most = if seed.is_multiple_of(2) { 5_000 } else { 12 };
    let mut now = 1_700_000_000_000_000_000_u64;
    let (mut mid, mut drift, mut update) = (600_000_i64, 0_i64, 10_u64);
    let show = |ticks: i64| format!("{}.{}", ticks / 10, ticks % 10);
    let levels = |of: &mut dyn Iterator<Item = (i64, u64)>| {
        let all: Vec<String> = of.map(|(ticks, qty)| format!("[\"{}\",\"{}.{:03}\"]", show(ticks), qty / 1_000, qty % 1_000)).collect();
        all.join(",")
    };
    let side = |of: &mut dyn Iterator<Item = i64>| levels(&mut of.map(|ticks| (ticks, 3_000)));
    let (bids, asks) = (side(&mut (1..=10).map(|d| mid - d)), side(&mut (1..=10).map(|d| mid + d)));
    out.push(format!("{now} {{\"lastUpdateId\":10,\"bids\":[{bids}],\"asks\":[{asks}]}}"));
    for n in 0..lines {
        now += 100_000_000 + random.next_u64() % 2_000_000_000;
        let dice = random.next_u64();
        // The market leans one way for some minutes, then the other.
        if n % 300 == 0 {
            drift = (dice >> 40) as i64 % 7 - 3;
        }
        if dice.is_multiple_of(3) {
            let sells = dice & 16 == 0;
            let price = if sells { mid - 1 - (dice >> 8) as i64 % 3 } else { mid + 1 + (dice >> 8) as i64 % 3 };
            let qty = 1 + (dice >> 16) % 4_000;
            out.push(format!(
                "{now} {{\"stream\":\"btcusdt@trade\",\"data\":{{\"p\":\"{}\",\"q\":\"{}.{:03}\",\"X\":\"MARKET\",\"m\":{sells}}}}}",
                show(price),
                qty / 1_000,
                qty % 1_000
            ));
            continue;
        }
        let before = mid;
        mid += ((dice >> 20) % 61) as i64 - 30 + drift;
        let mut told = |sign: i64| {
            let gone =
                (1..=10).map(|d| before + sign * d).filter(|ticks| !(1..=10).contains(&(sign * (ticks - mid)))).map(|ticks| (ticks, 0));
            let gone: Vec<(i64, u64)> = gone.collect();
            let new: Vec<(i64, u64)> = (1..=10).map(|d| (mid + sign * d, 1 + random.next_u64() % most)).collect();
            levels(&mut gone.into_iter().chain(new))
        };
        let (bids, asks) = (told(-1), told(1));
        let (first, previous) = (update + 1, update);
        update += 3;
        out.push(format!(
            "{now} {{\"stream\":\"btcusdt@depth@0ms\",\"data\":{{\"U\":{first},\"u\":{update},\"pu\":{previous},\"b\":[{bids}],\"a\":[{asks}]}}}}"
        ));
    }
    out
}

#[test]
fn every_strategy_places_the_same_orders_by_the_same_candles() {
    let btc = Instrument::example_btcusdt();
    for (name, trades) in kinds(&btc, Price::from_units(6_000_000), 150) {
        let mut entries = 0;
        for seed in 0..3 {
            entries += compare_on(name, seed, minutes(seed, 5_000), &trades);
        }
        assert!(entries > 60, "{name}: only {entries} orders and fills");
    }
}

#[test]
fn a_recorded_spike_leads_to_the_same_orders() {
    let root =
        std::env::var_os("PLIMSOLL_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let file = root.join("data/market/hftbacktest/usdm/btcusdt_20230404.dat.gz");
    let Ok(packed) = std::fs::File::open(&file) else {
        eprintln!("left out: {} is not here", file.display());
        return;
    };
    let text = std::io::read_to_string(flate2::read::MultiGzDecoder::new(packed)).unwrap();
    // This one's stamps are microseconds, and go back now and then; what is compared is on one clock.
    let mut last = 0_u64;
    let lines: Vec<String> = text
        .lines()
        .filter_map(|line| {
            let (stamp, rest) = line.split_once(' ')?;
            last = last.max(stamp.parse::<u64>().ok()? * 1_000);
            Some(format!("{last} {rest}"))
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("btcusdt_x.txt");
    std::fs::write(&path, lines.join("\n")).unwrap();
    let btc = Instrument::example_btcusdt();
    let interval = btc.parse_price("1", Round::Exact).unwrap();
    let way = Duration::from_micros(3_333);
    let ratio = GridOptions { ratio: 100, ..GridOptions::LONG };
    for trades in [StrategyConfig::Grid(grid_config(interval)), StrategyConfig::GridWith(grid_config(interval), ratio)] {
        let live = Live::new(btc, lines.clone(), &trades, way).run();
        let entries = same(&live, &backtest(btc, &path, &trades, way));
        assert!(entries > 40, "only {entries} orders and fills");
    }
}
