//! Where requests are let in, carried out and answered: everything but sockets.

mod account;
mod market;
mod trading;
mod wsapi;

use plimsoll_exchange::binance::server::{ApiError, Endpoint, Found, Params, Security, Signed, find_route};
use plimsoll_market::{Instrument, Symbol, Time};
use plimsoll_sim::venue::{AccountId, Sink, Venue, VenueEvent};

use crate::convert;
use crate::hub::{Hub, ListenEnd};
use crate::journal::Journal;
use crate::keys::Keys;
use crate::rates::Rates;

/// Window of a request that names none, in milliseconds.
const RECV_WINDOW_MS: i64 = 5_000;

/// Longest window a request may name, in milliseconds.
const RECV_WINDOW_MS_MAX: i64 = 60_000;

/// How far ahead of ours a request's clock may be, in milliseconds.
const AHEAD_MS: i64 = 1_000;

/// A request over HTTP, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: bytes::Bytes,
    pub(crate) key: Option<String>,
}

/// The answer to a request over HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Weight used in this minute.
    pub(crate) weight: u32,
    /// Orders in these ten seconds and this minute, for requests that count as orders.
    pub(crate) orders: Option<(u32, u32)>,
    pub(crate) retry_after_s: Option<u64>,
}

/// The venue and everything that stands between it and its clients.
pub(crate) struct Desk {
    pub(crate) venue: Venue,
    pub(crate) hub: Hub,
    pub(crate) keys: Keys,
    pub(crate) rates: Rates,
    pub(crate) journal: Journal,
    /// When this exchange opened, and with it wallets that nothing has touched since.
    pub(crate) opened: Time,
}

/// Passes an event of the venue on: rows to the journal, the rest to those who listen.
fn relay(hub: &mut Hub, journal: &mut Journal, now: Time, event: VenueEvent<'_>) {
    match event {
        VenueEvent::Market { symbol, event } => hub.market(now, symbol, &event),
        VenueEvent::Account { account, event } => hub.account(now, account, event),
        VenueEvent::Row(row) => journal.push(row),
    }
}

impl Desk {
    /// Asks the venue for something and passes on what happens.
    pub(crate) fn at_venue<T>(&mut self, now: Time, ask: impl FnOnce(&mut Venue, &mut Sink<'_>) -> T) -> T {
        let Self { venue, hub, journal, .. } = self;
        ask(venue, &mut |event| relay(hub, journal, now, event))
    }

    /// Lets everything happen that is due, and tells it.
    pub(crate) fn step(&mut self, now: Time) {
        self.at_venue(now, |venue, sink| venue.advance(now, sink));
        self.hub.beat(now, &self.venue);
        self.cut_listeners_short(now);
        while let Some((account, listen_key)) = self.keys.pop_expired(now) {
            self.hub.end_listen(account, ListenEnd::Expired { listen_key: &listen_key, now });
        }
        self.journal.tend(&self.venue);
    }

    /// Once a second asks the faults about every account that listens.
    fn cut_listeners_short(&mut self, now: Time) {
        if !self.hub.faults.any() || now.millis() / 1_000 == self.hub.fault_second {
            return;
        }
        self.hub.fault_second = now.millis() / 1_000;
        for account in (0..self.keys.len()).filter_map(|at| u16::try_from(at).ok()).map(AccountId) {
            if self.hub.has_owner(account)
                && self.hub.faults.listen_key()
                && let Some(listen_key) = self.keys.cut_short(account)
            {
                self.hub.end_listen(account, ListenEnd::CutShort { listen_key: &listen_key, now });
            }
        }
    }

    /// Answers a request of somebody who watches: it counts against no limit.
    pub(crate) fn audit(&mut self, now: Time, call: &Call) -> Reply {
        let exempt = std::mem::replace(&mut self.rates.exempt, true);
        let reply = self.call(now, call);
        self.rates.exempt = exempt;
        reply
    }

    /// Answers a request.
    pub(crate) fn call(&mut self, now: Time, call: &Call) -> Reply {
        let mut ordered = None;
        let outcome = self.answer(now, call, &mut ordered).and_then(|body| self.promised(body));
        let weight = self.rates.weight(now);
        let orders = ordered.map(|account| self.rates.orders(now, account));
        match outcome {
            Ok(body) => Reply { status: 200, body, weight, orders, retry_after_s: None },
            Err(error) => {
                let mut body = String::new();
                error.write(&mut body);
                let retry_after_s = self.rates.retry_after_s(now, &error);
                Reply { status: error.status, body, weight, orders, retry_after_s }
            }
        }
    }

    /// Holds back an answer whose rows could not be written: nobody may be told what a restart would forget.
    fn promised(&self, body: String) -> Result<String, ApiError> {
        if self.journal.failure().is_some() { Err(ApiError::timeout()) } else { Ok(body) }
    }

    fn answer(&mut self, now: Time, call: &Call, ordered: &mut Option<AccountId>) -> Result<String, ApiError> {
        let route = match find_route(&call.method, &call.path) {
            Found::Route(route) => route,
            Found::OtherMethod => return Err(ApiError::method_not_allowed()),
            Found::Nothing => return Err(ApiError::not_found()),
        };
        let params = Params::parse(&call.query, &call.body);
        let weight = params.as_ref().map_or(1, |params| route.weight.of(params));
        self.rates.take(now, weight)?;
        let params = params?;
        let account = match route.security {
            Security::Open => None,
            Security::Key => Some(self.keys.account(call.key.as_deref())?),
            Security::Signed => {
                let account = self.keys.account(call.key.as_deref())?;
                check_time(now, &params)?;
                Signed::split(&call.query, &call.body)?.verify(self.keys.signer(account)?)?;
                Some(account)
            }
        };
        if route.orders > 0 {
            *ordered = account;
        }
        if let Some(account) = account {
            self.count_orders(now, account, u32::from(route.orders))?;
        }
        self.carry_out(now, route.endpoint, account, &params)
    }

    fn count_orders(&mut self, now: Time, account: AccountId, count: u32) -> Result<(), ApiError> {
        if count == 0 { Ok(()) } else { self.rates.take_orders(now, account, count) }
    }

    /// Does what an endpoint does. What needs an account got one with its security.
    fn carry_out(&mut self, now: Time, endpoint: Endpoint, account: Option<AccountId>, params: &Params) -> Result<String, ApiError> {
        use Endpoint as E;
        let owner = || account.ok_or_else(ApiError::key_refused);
        match endpoint {
            E::Ping => Ok("{}".to_owned()),
            E::Time => Ok(format!("{{\"serverTime\":{}}}", now.millis())),
            E::ExchangeInfo => Ok(self.exchange_info(now)),
            E::Depth => self.depth(now, params),
            E::Trades | E::HistoricalTrades => self.trades(params),
            E::AggTrades => self.agg_trades(params),
            E::Klines => self.klines(params.need("symbol")?, params),
            E::ContinuousKlines => {
                if params.need("contractType")? != "PERPETUAL" {
                    return Err(ApiError::invalid_data("contractType"));
                }
                self.klines(params.need("pair")?, params)
            }
            E::PremiumIndex => self.premium_index(now, params),
            E::FundingRate => self.funding_rate(params),
            E::FundingInfo => Ok(self.funding_info()),
            E::Ticker24h => self.ticker_24h(params),
            E::TickerPrice | E::TickerPriceV2 => self.ticker_price(now, params),
            E::TickerBook => self.ticker_book(params),
            E::OpenInterest => self.open_interest(now, params),
            E::PlaceOrder => self.place(now, owner()?, params),
            E::TestOrder => self.test_order(now, owner()?, params),
            E::ModifyOrder => self.modify(now, owner()?, params),
            E::CancelOrder => self.cancel(now, owner()?, params),
            E::QueryOrder => self.query_order(owner()?, params),
            E::PlaceBatch => self.place_batch(now, owner()?, params),
            E::ModifyBatch => self.modify_batch(now, owner()?, params),
            E::CancelBatch => self.cancel_batch(now, owner()?, params),
            E::CancelAll => self.cancel_all(now, owner()?, params),
            E::Countdown => self.countdown(now, owner()?, params),
            E::OpenOrder => self.open_order(owner()?, params),
            E::OpenOrders => self.open_orders(owner()?, params),
            E::AllOrders => self.all_orders(owner()?, params),
            E::UserTrades => self.user_trades(owner()?, params),
            E::Balance => self.balance(owner()?),
            E::AccountV2 => self.account_v2(owner()?),
            E::AccountV3 => self.account_v3(owner()?),
            E::PositionRiskV2 => self.position_risk_v2(owner()?, params),
            E::PositionRiskV3 => self.position_risk_v3(owner()?, params),
            E::LeverageBracket => self.leverage_bracket(params),
            E::SymbolConfig => self.symbol_config(owner()?, params),
            E::AccountConfig => self.account_config(owner()?),
            E::KeyRights => Ok(self.key_rights(owner()?)),
            E::CommissionRate => self.commission_rate(params),
            E::GetMultiAssets => self.get_multi_assets(owner()?),
            E::SetMultiAssets => self.set_multi_assets(now, owner()?, params),
            E::GetFeeBurn => self.get_fee_burn(owner()?),
            E::SetFeeBurn => self.set_fee_burn(owner()?, params),
            E::OrderRateLimit => Ok(self.order_rate_limit()),
            E::TradingStatus => Ok(format!("{{\"indicators\":{{}},\"updateTime\":{}}}", now.millis())),
            E::AdlQuantile => self.adl_quantile(owner()?, params),
            E::Income => self.income(owner()?, params),
            E::SetLeverage => self.set_leverage(now, owner()?, params),
            E::SetMarginType => self.set_margin_type(now, owner()?, params),
            E::GetPositionMode => Ok("{\"dualSidePosition\":false}".to_owned()),
            E::SetPositionMode => self.set_position_mode(now, owner()?, params),
            E::StartStream => self.start_stream(now, owner()?),
            E::KeepStream => self.keep_stream(now, owner()?, params),
            E::CloseStream => self.close_stream(owner()?),
            E::PlaceAlgoOrder => Err(ApiError::unsupported("conditional orders")),
            E::QueryAlgoOrder => Err(convert::refused(&plimsoll_sim::VenueError::NoSuchOrder)),
            E::CancelAlgoOrder => Err(ApiError::unknown_order()),
            E::ForceOrders | E::OpenAlgoOrders | E::AllAlgoOrders => Ok("[]".to_owned()),
            E::CancelAllAlgoOrders => {
                self.instrument(params)?;
                Ok(done("The operation of cancel all open order is done."))
            }
        }
    }

    /// The contract that a request names.
    fn instrument(&self, params: &Params) -> Result<Instrument, ApiError> {
        self.named(params.need("symbol")?)
    }

    fn named(&self, symbol: &str) -> Result<Instrument, ApiError> {
        self.hub.find(symbol).copied().ok_or_else(ApiError::bad_symbol)
    }

    /// The contract that a request names, if it names one.
    fn maybe_instrument(&self, params: &Params) -> Result<Option<Instrument>, ApiError> {
        params.maybe("symbol")?.map(|symbol| self.named(symbol)).transpose()
    }

    /// The contract of a row that the venue gave out.
    fn listed(&self, symbol: Symbol) -> Result<Instrument, ApiError> {
        self.hub.listing(symbol).map(|listing| listing.instrument).ok_or_else(ApiError::unknown)
    }
}

/// Holds a request's time stamp against the clock.
fn check_time(now: Time, params: &Params) -> Result<(), ApiError> {
    let stamp = params.need_integer("timestamp")?;
    let window = params.maybe_integer("recvWindow")?.unwrap_or(RECV_WINDOW_MS);
    if window > RECV_WINDOW_MS_MAX {
        return Err(ApiError::recv_window_long());
    }
    let now = i64::try_from(now.millis()).unwrap_or(i64::MAX);
    if stamp >= now.saturating_add(AHEAD_MS) {
        return Err(ApiError::timestamp_ahead());
    }
    if now.saturating_sub(stamp) > window { Err(ApiError::timestamp_old()) } else { Ok(()) }
}

/// The document that says that something was done.
fn done(msg: &str) -> String {
    format!("{{\"code\":200,\"msg\":\"{msg}\"}}")
}
