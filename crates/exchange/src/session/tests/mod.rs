//! Sessions against an exchange made of scripts, in virtual time.

mod boot;
mod catch_up;
mod chaos;
mod orders;
mod rates;
mod side;
mod streams;

use super::*;
use crate::SymbolIndex;
use crate::binance::encode::Method;
use crate::binance::sign::{Secret, Signer};
use ::core::time::Duration;
use plimsoll_bounded::{Grants, Plan};
use plimsoll_market::{
    AccountEvent, Action, Cancel, ClientId, Event, Leg, OrderType, Place, Price, Qty, Side, Symbol, Tag, Time, TimeInForce, TradeId,
};

const START: u64 = 1_700_000_010_000;
/// The exchange's clock is ahead by this.
const AHEAD_MS: u64 = 250;

/// How the exchange answers a request.
#[derive(Clone, Debug)]
enum Answer {
    /// Status and body.
    Status(u16, String),
    /// Status, body, seconds of `Retry-After`.
    Later(u16, String, u64),
    /// The connection broke.
    Failed(Sent),
    /// Nothing comes.
    Never,
}

fn ok(body: impl Into<String>) -> Answer {
    Answer::Status(200, body.into())
}

fn error(code: i32) -> Answer {
    Answer::Status(400, format!(r#"{{"code":{code},"msg":"scripted"}}"#))
}

type Rule = (&'static str, Answer, usize);

/// A session with its exchange.
struct World {
    session: Session,
    out: Outputs,
    now: Time,
    symbols: Vec<&'static str>,
    /// Answers that differ from the ordinary: a part of `METHOD target`, the answer, how many times.
    rules: Vec<Rule>,
    /// Connections that cannot be opened.
    refused: Vec<u8>,
    /// Leaves connections without an answer.
    mute: bool,
    /// Connections that are to be closed take their time.
    lingering: bool,
    log: Vec<String>,
    requests: Vec<HttpRequest>,
    reports: Vec<BootReport>,
    connects: Vec<(Time, u8, String)>,
    snapshot_id: u64,
    ended: bool,
}

fn grants(symbols: usize) -> (Grants, Outputs) {
    let mut plan = Plan::new("test");
    Session::plan(&mut plan, "test", symbols).unwrap();
    let outputs = Outputs::new(plimsoll_bounded::Grant::detached(Outputs::line("test.outputs", symbols)));
    (Grants::detached(&plan), outputs)
}

fn config(symbols: &[&'static str], routing: Routing) -> SessionConfig {
    let secret = |text: &str| Secret::new(text.to_owned()).unwrap();
    SessionConfig {
        symbols: symbols.iter().map(|s| Symbol::new(s).unwrap()).collect(),
        tag: Tag(7),
        routing,
        signer: Signer::new(secret("key"), &secret("secret")),
        recv_window: Duration::from_secs(5),
        leverage: Some(5),
        candles: 0,
        bars: Vec::new(),
        rates: Vec::new(),
        funded_to: Vec::new(),
    }
}

impl World {
    fn new(symbols: &[&'static str], routing: Routing) -> Self {
        let (mut grants, out) = grants(symbols.len());
        let session = Session::new(config(symbols, routing), 42, &mut grants).unwrap();
        assert!(grants.is_empty(), "every grant of the plan is used");
        Self {
            session,
            out,
            now: Time::from_millis(START),
            symbols: symbols.iter().copied().filter(|s| !s.starts_with("NO")).collect(),
            rules: Vec::new(),
            refused: Vec::new(),
            mute: false,
            lingering: false,
            log: Vec::new(),
            requests: Vec::new(),
            reports: Vec::new(),
            connects: Vec::new(),
            snapshot_id: 100,
            ended: false,
        }
    }

    /// A session that is booted and connected, its log empty.
    fn running(symbols: &[&'static str]) -> Self {
        let mut world = Self::new(symbols, Routing::Routed);
        world.input(Input::Start);
        world.advance(Duration::from_secs(1));
        for _ in 0..100 {
            // Hundreds of symbols do not fit into a minute's weight.
            if world.reports.is_empty() {
                world.advance(Duration::from_secs(1));
            }
        }
        assert_eq!(world.reports.len(), 1, "{:#?}", world.log);
        world.log.clear();
        world.requests.clear();
        world
    }

    fn rule(&mut self, part: &'static str, answer: Answer, times: usize) {
        self.rules.push((part, answer, times));
    }

    fn input(&mut self, input: Input<'_>) {
        self.session.on_input(self.now, input, &mut self.out);
        self.settle();
    }

    fn order(&mut self, action: &Action) {
        self.input(Input::Order { symbol: SymbolIndex(0), action });
    }

    fn frame(&mut self, conn: u8, text: &str) {
        self.input(Input::Frame { conn: ConnId(conn), bytes: text.as_bytes() });
    }

    /// Lets the time pass, with frames on market connections so that they do not fall silent.
    fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.session.wake_at().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Wake);
        }
        self.now = end;
    }

    fn advance_alive(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.advance(Duration::from_secs(5).min(end.since(self.now)));
            for conn in 0..limits::CONNS_MAX {
                self.input(Input::Alive { conn: ConnId(conn as u8) });
                self.data(conn as u8);
            }
        }
    }

    /// Something comes over a market connection that tells nothing: an open candle.
    fn data(&mut self, conn: u8) {
        let (symbol, open) = (self.symbols[0], "100.00");
        let candle = format!(
            r#"{{"e":"kline","E":9,"s":"{symbol}","k":{{"t":0,"T":59999,"s":"{symbol}","i":"1m","f":1,"L":2,"o":"{open}","c":"{open}","h":"{open}","l":"{open}","v":"1.000","n":1,"x":false,"q":"100.00","V":"1.000","Q":"100.00","B":"0"}}}}"#
        );
        if conn != ConnId::USER.0 {
            self.frame(conn, &candle);
        }
    }

    /// Carries outputs out until nothing follows.
    fn settle(&mut self) {
        let mut todo = std::collections::VecDeque::new();
        loop {
            while let Some(output) = self.out.pop() {
                todo.push_back(output);
            }
            let Some(output) = todo.pop_front() else { break };
            match output {
                Output::Connect { conn, target } => {
                    self.connects.push((self.now, conn.0, target));
                    if self.refused.contains(&conn.0) {
                        self.session.on_input(self.now, Input::Closed { conn, why: Closed::Refused }, &mut self.out);
                    } else if !self.mute {
                        self.session.on_input(self.now, Input::Connected { conn }, &mut self.out);
                    }
                }
                Output::Close { conn } => {
                    self.log.push(format!("close {}", conn.0));
                    if self.lingering {
                        continue;
                    }
                    self.session.on_input(self.now, Input::Closed { conn, why: Closed::Local }, &mut self.out);
                }
                Output::Request(request) => self.answer(&request),
                Output::Event { symbol, event } => self.log.push(format!("{} {}", symbol.0, show(&event))),
                Output::Account(event) => self.log.push(format!("account {}", show_account(&event))),
                Output::Booted(report) => {
                    self.log.push("booted".into());
                    self.reports.push(*report);
                }
                Output::BootFailed { reason } => self.log.push(format!("failed{}: {reason}", if reason.fatal { " for good" } else { "" })),
                Output::Stopped => {
                    self.log.push("stopped".into());
                    self.ended = true;
                }
            }
        }
    }

    fn answer(&mut self, request: &HttpRequest) {
        self.requests.push(request.clone());
        let line = format!("{} {}", request.method.as_str(), request.target);
        let found = self.rules.iter().position(|(part, _, times)| *times > 0 && line.contains(part));
        let answer = match found {
            Some(n) => {
                self.rules[n].2 -= 1;
                self.rules[n].1.clone()
            }
            None => self.ordinary(request),
        };
        self.reply(request.id, &answer);
    }

    fn reply(&mut self, request: RequestId, answer: &Answer) {
        let used = Used::default();
        let reply = |status, body: &str, retry_after| Input::Reply {
            request,
            reply: Reply { status, used, retry_after, body: Box::leak(body.to_owned().into_boxed_str()).as_bytes() },
        };
        let input = match answer {
            Answer::Status(status, body) => reply(*status, body, None),
            Answer::Later(status, body, seconds) => reply(*status, body, Some(Duration::from_secs(*seconds))),
            Answer::Failed(sent) => Input::Failed { request, sent: *sent },
            Answer::Never => return,
        };
        self.session.on_input(self.now, input, &mut self.out);
    }

    fn ordinary(&self, request: &HttpRequest) -> Answer {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let param = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let symbol = param("symbol").unwrap_or("");
        match (request.method, path) {
            (Method::Get, "/fapi/v1/time") => ok(format!(r#"{{"serverTime":{}}}"#, self.now.millis() + AHEAD_MS)),
            (Method::Get, "/fapi/v1/exchangeInfo") => ok(self.exchange_info("0.10")),
            (Method::Get, "/fapi/v1/positionSide/dual") => ok(r#"{"dualSidePosition":false}"#),
            (Method::Get, "/fapi/v1/multiAssetsMargin") => ok(r#"{"multiAssetsMargin":false}"#),
            (Method::Get, "/fapi/v3/balance") => ok(BALANCES),
            (Method::Get, "/fapi/v1/symbolConfig") => {
                let one = |s: &&str| {
                    format!(
                        r#"{{"symbol":"{s}","marginType":"CROSSED","isAutoAddMargin":false,"leverage":20,"maxNotionalValue":"1000000"}}"#
                    )
                };
                ok(format!("[{}]", self.symbols.iter().map(one).collect::<Vec<_>>().join(",")))
            }
            (Method::Get, "/fapi/v1/commissionRate") => {
                ok(format!(r#"{{"symbol":"{symbol}","makerCommissionRate":"0.000180","takerCommissionRate":"0.000450"}}"#))
            }
            (Method::Post, "/fapi/v1/leverage") => {
                ok(format!(r#"{{"leverage":{},"maxNotionalValue":"1000000","symbol":"{symbol}"}}"#, param("leverage").unwrap()))
            }
            (Method::Post, "/fapi/v1/listenKey") => ok(r#"{"listenKey":"listenkey1"}"#),
            (Method::Put, "/fapi/v1/listenKey") => ok("{}"),
            (Method::Get, "/fapi/v1/depth") => ok(format!(
                r#"{{"lastUpdateId":{},"E":1,"T":1,"bids":[["100.00","1.000"],["99.90","2.000"]],"asks":[["100.10","1.500"]]}}"#,
                self.snapshot_id
            )),
            (Method::Post, "/fapi/v1/order") => ok(order_json(symbol, param("newClientOrderId").unwrap(), 11, "NEW")),
            (Method::Delete, "/fapi/v1/order") => ok(order_json(symbol, param("origClientOrderId").unwrap(), 11, "CANCELED")),
            (Method::Get, "/fapi/v1/order") => match param("origClientOrderId") {
                Some(id) => ok(order_json(symbol, id, 11, "NEW")),
                None => error(-2013),
            },
            (Method::Get, "/fapi/v1/userTrades" | "/fapi/v1/openOrders" | "/fapi/v1/allOrders" | "/fapi/v1/income") => ok("[]"),
            (Method::Get, "/fapi/v3/positionRisk") => ok("[]"),
            other => panic!("nobody serves {other:?}"),
        }
    }

    fn exchange_info(&self, tick: &str) -> String {
        let one = |s: &&str| {
            format!(
                r#"{{"symbol":"{s}","pair":"{s}","contractType":"PERPETUAL","deliveryDate":4133404800000,"status":"TRADING",
                "baseAsset":"{}","quoteAsset":"USDT","marginAsset":"USDT","pricePrecision":2,"quantityPrecision":3,
                "timeInForce":["GTC","IOC","FOK","GTX"],"orderTypes":["LIMIT","MARKET"],"filters":[
                {{"filterType":"PRICE_FILTER","minPrice":"1.00","maxPrice":"1000000.00","tickSize":"{tick}"}},
                {{"filterType":"LOT_SIZE","minQty":"0.001","maxQty":"1000.000","stepSize":"0.001"}},
                {{"filterType":"MARKET_LOT_SIZE","minQty":"0.001","maxQty":"100.000","stepSize":"0.001"}},
                {{"filterType":"MAX_NUM_ORDERS","limit":200}},{{"filterType":"MIN_NOTIONAL","notional":"5"}},
                {{"filterType":"PERCENT_PRICE","multiplierUp":"1.0500","multiplierDown":"0.9500","multiplierDecimal":"4"}}]}}"#,
                s.trim_end_matches("USDT")
            )
        };
        let symbols = self.symbols.iter().map(one).collect::<Vec<_>>().join(",");
        format!(
            r#"{{"timezone":"UTC","serverTime":1,"exchangeFilters":[],"rateLimits":[
            {{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400}},
            {{"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":1200}},
            {{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300}}],"symbols":[{symbols}]}}"#
        )
    }

    /// What was logged since, in one line each.
    #[track_caller]
    fn expect(&mut self, expected: &[&str]) {
        let log = std::mem::take(&mut self.log);
        assert_eq!(log, expected, "{log:#?}");
    }

    fn sent(&self, part: &str) -> usize {
        self.requests.iter().filter(|r| format!("{} {}", r.method.as_str(), r.target).contains(part)).count()
    }
}

const BALANCES: &str = r#"[{"accountAlias":"x","asset":"USDT","balance":"1000.00000000","crossWalletBalance":"1000.00000000",
"crossUnPnl":"0.0","availableBalance":"900.00000000","maxWithdrawAmount":"900.0","marginAvailable":true,"updateTime":5}]"#;

fn order_json(symbol: &str, client: &str, id: u64, status: &str) -> String {
    let filled = if status == "FILLED" { "0.500" } else { "0.000" };
    format!(
        r#"{{"orderId":{id},"symbol":"{symbol}","status":"{status}","clientOrderId":"{client}","price":"100.00","avgPrice":"0.00",
        "origQty":"0.500","executedQty":"{filled}","cumQuote":"0","timeInForce":"GTX","type":"LIMIT","reduceOnly":false,"side":"BUY",
        "positionSide":"BOTH","updateTime":77}}"#
    )
}

fn trade_json(symbol: &str, id: u64, order: u64) -> String {
    format!(
        r#"{{"symbol":"{symbol}","id":{id},"orderId":{order},"side":"BUY","price":"100.00","qty":"0.100","realizedPnl":"0",
        "marginAsset":"USDT","quoteQty":"10","commission":"0.01","commissionAsset":"USDT","time":{id},"positionSide":"BOTH","maker":true,"buyer":true}}"#
    )
}

fn depth_json(symbol: &str, first: u64, last: u64, previous: u64, bid_qty: &str) -> String {
    format!(
        r#"{{"e":"depthUpdate","E":9,"T":9,"s":"{symbol}","U":{first},"u":{last},"pu":{previous},"b":[["100.00","{bid_qty}"]],"a":[]}}"#
    )
}

fn ticker_json(symbol: &str, id: u64, bid_qty: &str) -> String {
    format!(r#"{{"e":"bookTicker","u":{id},"s":"{symbol}","b":"100.00","B":"{bid_qty}","a":"100.10","A":"1.500","T":9,"E":9}}"#)
}

fn id(n: u64) -> ClientId {
    ClientId::new(Tag(7), 1, Leg::new(0, 0).unwrap(), Side::Buy, n)
}

fn place(n: u64) -> Action {
    Action::Place(Place {
        id: id(n),
        price: Price::from_units(10_000),
        qty: Qty::from_units(500),
        kind: OrderType::Limit,
        tif: TimeInForce::Gtx,
        reduce_only: false,
    })
}

fn reduce(n: u64) -> Action {
    let Action::Place(place) = place(n) else { unreachable!() };
    Action::Place(Place { reduce_only: true, ..place })
}

fn cancel(n: u64) -> Action {
    Action::Cancel(Cancel { id: id(n) })
}

fn query(n: u64) -> Action {
    Action::Query { id: id(n) }
}

fn resync(after: Option<u64>) -> Action {
    Action::Resync { after: after.map(TradeId) }
}

fn show(event: &Event) -> String {
    match event {
        Event::Top(top) => format!("top {}x{} u", top.bid.units(), top.bid_qty.units()),
        Event::Trade(trade) => format!("trade {}", trade.price.units()),
        Event::Candle(candle) => format!("candle {}", candle.close.units()),
        Event::Past(past) => format!("past {} s {}", past.interval.as_secs(), past.candle.close.units()),
        Event::Mark(mark) => format!("mark {}", mark.mark),
        Event::Gap(feed) => format!("gap {feed:?}"),
        Event::Link(link) => format!("link {:?} {}", link.feed, if link.up { "up" } else { "down" }),
        Event::Order(report) => {
            let fill = report.fill.map_or(String::new(), |f| format!(" fill {}", f.trade_id));
            let whose = report.id.map_or("foreign".into(), |id| format!("#{}", id.generation()));
            format!("order {whose} {} by {:?}{fill}", report.status.as_str(), report.source)
        }
        Event::Rejected { id, request, reason } => format!("rejected #{} {request:?} {reason:?}", id.generation()),
        Event::CancelFailed { id, reason } => format!("cancel failed #{} {reason:?}", id.generation()),
        Event::Unknown { id, request } => format!("unknown #{} {request:?}", id.generation()),
        Event::NotFound { id } => format!("not found #{}", id.generation()),
        Event::NotSent { id, request } => format!("not sent #{} {request:?}", id.generation()),
        Event::Fills(page) => {
            let ours = page.fills.iter().filter(|f| f.id.is_some()).count();
            let ids: Vec<u64> = page.fills.iter().map(|f| f.trade_id.0).collect();
            let range = ids.first().map_or(String::new(), |first| format!(" {first}..={}", ids.last().unwrap()));
            assert!(ids.is_sorted());
            let baseline = page.baseline.map_or(String::new(), |b| format!(" baseline {b}"));
            format!("fills {}{range} ours {ours}{baseline}{}", ids.len(), if page.last { " last" } else { "" })
        }
        Event::Snapshot(snapshot) => {
            format!(
                "snapshot holding {} open {} at {}",
                snapshot.position.holding.units(),
                snapshot.open.len(),
                snapshot.asked_at.millis() - START
            )
        }
        Event::ResyncFailed => "resync failed".into(),
        Event::Funding(payment) => format!("funding {}", payment.amount),
        Event::Rate(rate) => format!("rate {} {} {}", rate.asset, rate.rate, rate.quote),
        Event::Instrument(instrument) => format!("instrument tick {}", instrument.tick.units()),
        Event::Lease(_)
        | Event::Committed { .. }
        | Event::RecordsFull(_)
        | Event::MemoryShort(_)
        | Event::Command(_)
        | Event::Wake
        | Event::Shutdown(_) => {
            panic!("a session never tells {event:?}")
        }
    }
}

fn show_account(event: &AccountEvent) -> String {
    match event {
        AccountEvent::Balance(balance) => format!("balance {} {}", balance.asset, balance.wallet),
        AccountEvent::Position { symbol, position } => format!("position {symbol} {}", position.holding.units()),
        AccountEvent::Transfer { amount } => format!("transfer {amount}"),
        AccountEvent::MarginCall => "margin call".into(),
        AccountEvent::Leverage { symbol, leverage } => format!("leverage {symbol} {leverage}"),
        AccountEvent::Link(link) => format!("link {:?} {}", link.feed, if link.up { "up" } else { "down" }),
    }
}
