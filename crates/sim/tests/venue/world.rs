//! A small venue that scripts can drive, and that writes down what it tells.

use core::time::Duration;
use plimsoll_market::{Instrument, Name, OrderType, Price, Qty, Side, Symbol, Time};
use plimsoll_sim::rows::Row;
use plimsoll_sim::venue::{
    AccountEvent, AccountId, AccountSpec, ClientText, Execution, Journal, MarketEvent, MarketSpec, NewOrder, OrderRef, SelfTrade,
    SourceSpec, Tif, Venue, VenueConfig, VenueEvent,
};

pub const START: Time = Time::from_millis(1_700_000_000_000);
pub const USDT: i128 = 100_000_000;

pub fn btc() -> Instrument {
    Instrument::example_btcusdt()
}

pub fn eth() -> Instrument {
    Instrument { symbol: Symbol::new("ETHUSDT").unwrap(), tick: Price::from_units(1), price_min: Price::from_units(3_986), ..btc() }
}

pub fn market(instrument: Instrument, source: SourceSpec) -> MarketSpec {
    MarketSpec { instrument, brackets: Vec::new(), source }
}

pub fn config(markets: Vec<MarketSpec>, wallet: i128) -> VenueConfig {
    let account = |name| AccountSpec { name: Name::new(name).unwrap(), wallet };
    VenueConfig {
        markets,
        accounts: ["a", "b", "c"].map(account).to_vec(),
        start: START,
        funding_interval: Duration::from_secs(8 * 3_600),
        leverage: 20,
        journal: Journal::On,
        lag_max: None,
    }
}

/// A venue with its log of what accounts were told, its journal, and the books that followers of both diff chains keep.
pub struct World {
    pub venue: Venue,
    pub now: Time,
    pub heard: Heard,
}

#[derive(Default)]
pub struct Heard {
    pub log: Vec<String>,
    pub rows: Vec<Row>,
    pub trades: Vec<plimsoll_market::Trade>,
    pub tops: u64,
    pub depth_updates: u64,
    last: [u64; 2],
    last_trade: u64,
    pub last_ticker: Option<(u64, plimsoll_market::Top)>,
    pub book: Option<plimsoll_market::Book>,
    pub hash: u64,
    pub same_ids: u64,
}

impl Heard {
    /// Follows everything that is told and checks the chains of ids on the way.
    pub fn take(&mut self, event: VenueEvent<'_>) {
        if !matches!(event, VenueEvent::Row(_)) {
            for byte in format!("{event:?}").bytes() {
                self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        match event {
            VenueEvent::Row(row) => self.rows.push(row.clone()),
            VenueEvent::Account { account, event } => self.log.push(describe(account, event)),
            VenueEvent::Market { symbol, event } => {
                if symbol.as_str() != "BTCUSDT" {
                    return;
                }
                self.take_market(event);
            }
        }
    }

    fn take_market(&mut self, event: MarketEvent<'_>) {
        match event {
            MarketEvent::Trade(trade) => {
                assert!(trade.id.0 > self.last_trade, "trade ids grow");
                self.last_trade = trade.id.0;
                self.trades.push(trade);
            }
            MarketEvent::Depth(diff) => {
                let chain = &mut self.last[usize::from(diff.cadence == plimsoll_sim::venue::Cadence::Tick)];
                assert!(*chain == 0 || diff.previous == *chain, "pu is the u before");
                assert!(diff.first > diff.previous && diff.last >= diff.first);
                assert!(!diff.changes.is_empty());
                *chain = diff.last;
                self.depth_updates += 1;
                if diff.cadence == plimsoll_sim::venue::Cadence::RealTime {
                    let book = self.book.get_or_insert_with(|| plimsoll_market::Book::new(8_192));
                    for change in diff.changes {
                        book.set(*change);
                    }
                }
            }
            MarketEvent::BookTicker { update_id, top } => {
                self.tops += 1;
                // A ticker with the id of a diff describes the book that the diffs make.
                assert_eq!(update_id, self.last[0]);
                let book = self.book.as_ref().unwrap().top(top.time).unwrap().unwrap();
                assert_eq!((book.bid, book.bid_qty, book.ask, book.ask_qty), (top.bid, top.bid_qty, top.ask, top.ask_qty));
                self.same_ids += 1;
                self.last_ticker = Some((update_id, top));
            }
            MarketEvent::AggTrade(_) | MarketEvent::Mark(_) | MarketEvent::Candle { .. } => {}
        }
    }
}

pub fn name(account: AccountId) -> char {
    ['a', 'b', 'c'][usize::from(account.0)]
}

pub fn describe(account: AccountId, event: &AccountEvent) -> String {
    let who = name(account);
    match event {
        AccountEvent::Order { row, execution, fill, .. } => {
            let fill = fill.map_or(String::new(), |f| {
                format!(" {}@{} {}", f.qty.units(), f.price.units() / 100, if f.maker { "maker" } else { "taker" })
            });
            let id = if row.client_id.starts_with("auto") { "auto" } else { row.client_id.as_str() };
            let matched = if row.in_match { " in match" } else { "" };
            let _: Execution = *execution;
            format!("{who} {} {id} {} {}/{}{fill}{matched}", execution.as_str(), row.status.as_str(), row.filled.units(), row.qty.units())
        }
        AccountEvent::Account { reason, change, position, .. } => match reason {
            plimsoll_sim::venue::Reason::Order => format!("{who} position {}", position.map_or(0, |p| p.holding.units())),
            _ => format!("{who} {} {change}", reason.as_str()),
        },
        AccountEvent::Leverage { leverage, .. } => format!("{who} leverage {leverage}"),
        AccountEvent::MarginCall { .. } => format!("{who} margin call"),
    }
}

pub fn order(side: Side, tif: Tif, qty: u64, price_usdt: i64, id: &str) -> NewOrder {
    NewOrder {
        symbol: btc().symbol,
        client_id: Some(ClientText::from(id).unwrap()),
        side,
        kind: if price_usdt == 0 { OrderType::Market } else { OrderType::Limit },
        tif,
        price: Price::from_units(price_usdt * 100),
        qty: Qty::from_units(qty),
        reduce_only: false,
        self_trade: SelfTrade::default(),
    }
}

impl World {
    pub fn new() -> Self {
        Self::of(config(vec![market(btc(), SourceSpec::Empty)], 100_000 * USDT))
    }

    pub fn of(config: VenueConfig) -> Self {
        let now = config.start;
        Self { venue: Venue::new(config).unwrap(), now, heard: Heard::default() }
    }

    pub fn advance(&mut self, by: Duration) {
        self.now = self.now + by;
        let heard = &mut self.heard;
        loop {
            self.venue.advance(self.now, &mut |event| heard.take(event));
            if self.venue.wake_at().is_none_or(|at| at > self.now) {
                break;
            }
        }
        self.check();
    }

    #[track_caller]
    pub fn check(&self) {
        if let Err(broken) = self.venue.check() {
            panic!("{broken}");
        }
    }

    pub fn place(&mut self, account: u16, order: NewOrder) -> Result<plimsoll_sim::venue::OrderRow, plimsoll_sim::VenueError> {
        let heard = &mut self.heard;
        let done = self.venue.place(self.now, AccountId(account), order, &mut |event| heard.take(event));
        self.check();
        done
    }

    /// Carries out a line: `a buy 10 @ 60000 [gtc|gtx|ioc|fok|gtd] [ro] [none|taker|both] x1`, `a sell 10 market x2`,
    /// `a cancel x1`, `a amend x1 5 @ 60001`, `a all`, `a countdown 100`, `a leverage 5`, `wait 1000`.
    pub fn line(&mut self, line: &str) {
        self.now = self.now + Duration::from_millis(1);
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "wait" {
            self.advance(Duration::from_millis(words[1].parse().unwrap()));
            return;
        }
        let account = AccountId(u16::from(words[0].as_bytes()[0] - b'a'));
        let (symbol, now) = (btc().symbol, self.now);
        let client = |text: &str| OrderRef::Client(ClientText::from(text).unwrap());
        let heard = &mut self.heard;
        let mut out = |event: VenueEvent<'_>| heard.take(event);
        let result = match words[1] {
            "cancel" => self.venue.cancel(now, account, symbol, client(words[2]), &mut out).map(|_| ()),
            "all" => self.venue.cancel_all(now, account, symbol, &mut out).map(|_| ()),
            "leverage" => self.venue.set_leverage(now, account, symbol, words[2].parse().unwrap(), &mut out).map(|_| ()),
            "countdown" => {
                let after = Some(words[2].parse().unwrap()).filter(|ms| *ms > 0).map(Duration::from_millis);
                self.venue.countdown_cancel_all(now, account, symbol, after, &mut out)
            }
            "amend" => {
                let (qty, price) = (words[3].parse().unwrap(), words[5].parse::<i64>().unwrap() * 100);
                self.venue
                    .amend(now, account, symbol, client(words[2]), Price::from_units(price), Qty::from_units(qty), &mut out)
                    .map(|_| ())
            }
            side => {
                let side = if side == "buy" { Side::Buy } else { Side::Sell };
                let price = words.iter().position(|w| *w == "@").map_or(0, |at| words[at + 1].parse().unwrap());
                let tif = match () {
                    () if words.contains(&"gtx") => Tif::Gtx,
                    () if words.contains(&"ioc") => Tif::Ioc,
                    () if words.contains(&"fok") => Tif::Fok,
                    () if words.contains(&"gtd") => Tif::Gtd(now + Duration::from_secs(601)),
                    () => Tif::Gtc,
                };
                let mut new = order(side, tif, words[2].parse().unwrap(), price, words[words.len() - 1]);
                new.reduce_only = words.contains(&"ro");
                new.self_trade = match () {
                    () if words.contains(&"none") => SelfTrade::None,
                    () if words.contains(&"taker") => SelfTrade::ExpireTaker,
                    () if words.contains(&"both") => SelfTrade::ExpireBoth,
                    () => SelfTrade::ExpireMaker,
                };
                self.venue.place(now, account, new, &mut out).map(|_| ())
            }
        };
        if let Err(error) = result {
            self.heard.log.push(format!("error {}", error.code()));
        }
        self.check();
    }
}
