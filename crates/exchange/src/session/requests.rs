//! What a job is on the wire.

use super::config::Routing;
use super::conns::Role;
use super::core::Session;
use super::jobs::Job;
use super::limits::{BOOK_SNAPSHOT_LEVELS, INCOME_PAGE, TRADES_PAGE};
use super::user::ListenKey;
use crate::SymbolIndex;
use crate::binance::encode::{self, DepthSpeed, Interval, OrderRef, RequestSpec, ResponseType, Route, Security, Stream};
use plimsoll_market::{Symbol, Time};

/// A request as it goes out.
pub(super) struct Encoded {
    pub(super) spec: RequestSpec,
    pub(super) target: String,
}

/// Streams of a symbol about its book.
const BOOKS: [Stream; 2] = [Stream::BookTicker, Stream::Depth(DepthSpeed::Ms100)];
/// Streams of a symbol about its trades.
const TAPE: [Stream; 3] = [Stream::AggTrade, Stream::MarkPrice, Stream::Kline(Interval::M1)];

impl Session {
    /// Writes and signs a request.
    pub(super) fn encode(&self, now: Time, job: Job, index: SymbolIndex) -> Encoded {
        let mut query = String::with_capacity(384);
        let instrument = self.instruments.get(index);
        let rate = if let Job::Rate(at) = job { self.rate_symbol(at) } else { None };
        let spec = match instrument.map(|i| (i, &i.symbol)) {
            _ if rate.is_some() => encode::premium_index(&mut query, rate.as_ref()),
            Some((instrument, symbol)) => symbol_request(&mut query, job, instrument, symbol),
            None => account_request(&mut query, job),
        };
        if spec.security == Security::Signed {
            let window_ms = u32::try_from(self.config.recv_window.as_millis()).unwrap_or(u32::MAX);
            self.config.signer.sign(&mut query, self.offset.exchange_time(now), window_ms);
        }
        let mut target = String::with_capacity(spec.path.len() + 1 + query.len());
        target.push_str(spec.path);
        if !query.is_empty() {
            target.push('?');
            target.push_str(&query);
        }
        Encoded { spec, target }
    }

    /// The path and query of a connection; `None` while the user stream has no key.
    pub(super) fn stream_target(&self, role: Role) -> Option<String> {
        let mut target = String::new();
        let (route, shard) = match (role, &self.listen) {
            (Role::User, ListenKey::Held { key, .. }) => {
                encode::private_url(&mut target, "", self.config.routing == Routing::Routed, key);
                return Some(target);
            }
            (Role::User, ListenKey::None | ListenKey::Wanted(_) | ListenKey::Asking) => return None,
            (Role::Books(shard), _) => (Some(Route::Public), shard),
            (Role::Tape(shard), _) => (Some(Route::Market), shard),
            (Role::All(shard), _) => (None, shard),
        };
        encode::public_url(&mut target, "", route);
        let (books, tape): (&[Stream], &[Stream]) = match role {
            Role::Books(_) => (&BOOKS, &[]),
            Role::Tape(_) => (&[], &TAPE),
            Role::User | Role::All(_) => (&BOOKS, &TAPE),
        };
        let mut separator = "?streams=";
        for state in self.shard(shard).filter_map(|n| self.symbols.get(n)) {
            for stream in books.iter().chain(tape) {
                target.push_str(separator);
                separator = "/";
                // Names in other scripts must not stand in an address as they are.
                let mut name = String::new();
                encode::stream_name(&mut name, &state.symbol, *stream);
                push_escaped(&mut target, &name);
            }
        }
        Some(target)
    }
}

fn push_escaped(target: &mut String, name: &str) {
    for byte in name.bytes() {
        if byte.is_ascii() {
            target.push(char::from(byte));
        } else {
            target.push('%');
            for nibble in [byte >> 4, byte & 15] {
                target.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
}

fn symbol_request(query: &mut String, job: Job, instrument: &plimsoll_market::Instrument, symbol: &Symbol) -> RequestSpec {
    match job {
        // The final state: of an order that fills at once, or never, the answer tells all even when the stream is down.
        Job::Place(place) => encode::place_order(query, instrument, &place, ResponseType::Result),
        Job::Cancel(id) => encode::cancel_order(query, symbol, OrderRef::Client(id)),
        Job::Query(id) => encode::query_order(query, symbol, OrderRef::Client(id)),
        Job::OrderById(id) => encode::query_order(query, symbol, OrderRef::Exchange(id)),
        Job::Fees => encode::commission_rate(query, symbol),
        Job::Leverage(leverage) => encode::set_leverage(query, symbol, leverage),
        Job::Baseline => encode::user_trades(query, symbol, None, None, 1),
        Job::Trades(from) => encode::user_trades(query, symbol, Some(from.0), None, TRADES_PAGE),
        Job::OrdersFrom(from) => encode::all_orders(query, symbol, Some(from), TRADES_PAGE),
        Job::Position => encode::position_risk(query, Some(symbol)),
        Job::OpenOrders => encode::open_orders(query, Some(symbol)),
        Job::BookSnapshot => encode::depth(query, symbol, BOOK_SNAPSHOT_LEVELS),
        Job::Countdown(after) => encode::countdown_cancel_all(query, symbol, after),
        // One more than asked for: the newest is not closed yet.
        Job::Candles(interval, count) => encode::klines(query, symbol, interval, count + 1, None, None),
        Job::Clock
        | Job::ExchangeInfo
        | Job::PositionMode
        | Job::MultiAssets
        | Job::Balances
        | Job::SymbolConfig
        | Job::ListenKey
        | Job::KeepAlive
        | Job::AllPositions
        | Job::AllOpenOrders
        | Job::Rate(_)
        | Job::Income(_) => account_request(query, job),
    }
}

fn account_request(query: &mut String, job: Job) -> RequestSpec {
    match job {
        Job::ExchangeInfo => encode::exchange_info(query),
        Job::PositionMode => encode::hedge_mode(query),
        Job::MultiAssets => encode::multi_assets_margin(query),
        Job::Balances => encode::balance(query),
        Job::SymbolConfig => encode::symbol_config(query, None),
        Job::ListenKey => encode::listen_key_start(query),
        Job::KeepAlive => encode::listen_key_keep(query),
        Job::AllPositions => encode::position_risk(query, None),
        Job::AllOpenOrders => encode::open_orders(query, None),
        Job::Income(from) => encode::income(query, None, Some("FUNDING_FEE"), Some(from), INCOME_PAGE),
        Job::Clock => encode::server_time(query),
        Job::Place(_)
        | Job::Cancel(_)
        | Job::Query(_)
        | Job::Fees
        | Job::Leverage(_)
        | Job::Baseline
        | Job::Trades(_)
        | Job::OrdersFrom(_)
        | Job::OrderById(_)
        | Job::Position
        | Job::OpenOrders
        | Job::Countdown(_)
        | Job::Candles(..)
        | Job::Rate(_)
        // bug of ours: jobs of a symbol are queued with their symbol only, rates with an asset that is known.
        | Job::BookSnapshot => unreachable!("{} is asked for symbols in use only", job.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binance::encode::Method;
    use plimsoll_market::{ClientId, Instrument, Leg, OrderId, OrderType, Place, Price, Qty, Side, Tag, TimeInForce, TradeId};

    #[test]
    fn jobs_cost_what_their_requests_cost() {
        let id = ClientId::new(Tag(1), 1, Leg::new(0, 0).unwrap(), Side::Buy, 1);
        let (price, qty) = (Price::from_units(1), Qty::from_units(1));
        let place = Place { id, price, qty, kind: OrderType::Limit, tif: TimeInForce::Gtx, reduce_only: false };
        let instrument = Instrument::example_btcusdt();
        let jobs = [
            Job::Place(place),
            Job::Cancel(id),
            Job::Query(id),
            Job::Clock,
            Job::ExchangeInfo,
            Job::PositionMode,
            Job::MultiAssets,
            Job::Balances,
            Job::SymbolConfig,
            Job::Fees,
            Job::Leverage(3),
            Job::ListenKey,
            Job::KeepAlive,
            Job::Baseline,
            Job::Trades(TradeId(1)),
            Job::OrdersFrom(OrderId(1)),
            Job::OrderById(OrderId(1)),
            Job::Position,
            Job::OpenOrders,
            Job::AllPositions,
            Job::AllOpenOrders,
            Job::BookSnapshot,
            Job::Income(Time::ZERO),
        ];
        for job in jobs {
            let spec = symbol_request(&mut String::new(), job, &instrument, &instrument.symbol);
            let cost = job.cost();
            assert_eq!((cost.weight, cost.orders), (u32::from(spec.weight), u32::from(spec.orders)), "{}", job.name());
            let expected = if matches!(job, Job::Place(_) | Job::Leverage(_) | Job::ListenKey) {
                Method::Post
            } else if matches!(job, Job::Cancel(_)) {
                Method::Delete
            } else if matches!(job, Job::KeepAlive) {
                Method::Put
            } else {
                Method::Get
            };
            assert_eq!(spec.method, expected, "{}", job.name());
        }
    }

    #[test]
    fn names_in_other_scripts_are_escaped() {
        let mut target = String::new();
        push_escaped(&mut target, "币usdt@depth@100ms");
        assert_eq!(target, "%E5%B8%81usdt@depth@100ms");
    }
}
