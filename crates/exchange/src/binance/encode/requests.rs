use core::fmt::{Display, Write};
use core::time::Duration;
use plimsoll_market::{ClientId, Instrument, OrderId, OrderType, Place, Side, Symbol, Time, TimeInForce};

/// An HTTP method.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes.
    Post,
    /// Changes or renews.
    Put,
    /// Withdraws.
    Delete,
}

impl Method {
    /// The word in the request line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// What a request must carry besides its query.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Security {
    /// Nothing.
    None,
    /// The API key's header.
    Key,
    /// The header, a timestamp and a signature.
    Signed,
}

/// Where a request goes and what it costs. The query stands in the text that the caller gave.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestSpec {
    /// The method.
    pub method: Method,
    /// The path, from `/fapi` on.
    pub path: &'static str,
    /// Weight against the address's limit of 2,400 a minute.
    pub weight: u16,
    /// Orders against the account's limits of 300 in ten seconds and 1,200 a minute.
    pub orders: u8,
    /// What it must carry.
    pub security: Security,
}

const fn spec(method: Method, path: &'static str, weight: u16, security: Security) -> RequestSpec {
    RequestSpec { method, path, weight, orders: 0, security }
}

const fn get(path: &'static str, weight: u16) -> RequestSpec {
    spec(Method::Get, path, weight, Security::None)
}

const fn signed(method: Method, path: &'static str, weight: u16) -> RequestSpec {
    spec(method, path, weight, Security::Signed)
}

/// A candle's interval, in the exchange's words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Interval {
    /// One minute.
    M1,
    /// Three minutes.
    M3,
    /// Five minutes.
    M5,
    /// A quarter of an hour.
    M15,
    /// Half an hour.
    M30,
    /// One hour.
    H1,
    /// Two hours.
    H2,
    /// Four hours.
    H4,
    /// Six hours.
    H6,
    /// Eight hours.
    H8,
    /// Twelve hours.
    H12,
    /// One day, UTC.
    D1,
    /// Three days.
    D3,
    /// One week.
    W1,
}

impl Interval {
    /// All of them, shortest first.
    pub const ALL: [Self; 14] = [
        Self::M1,
        Self::M3,
        Self::M5,
        Self::M15,
        Self::M30,
        Self::H1,
        Self::H2,
        Self::H4,
        Self::H6,
        Self::H8,
        Self::H12,
        Self::D1,
        Self::D3,
        Self::W1,
    ];

    /// The exchange's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::M1 => "1m",
            Self::M3 => "3m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::M30 => "30m",
            Self::H1 => "1h",
            Self::H2 => "2h",
            Self::H4 => "4h",
            Self::H6 => "6h",
            Self::H8 => "8h",
            Self::H12 => "12h",
            Self::D1 => "1d",
            Self::D3 => "3d",
            Self::W1 => "1w",
        }
    }

    /// How long it is.
    pub const fn duration(self) -> Duration {
        const HOUR: u64 = 3_600;
        Duration::from_secs(match self {
            Self::M1 => 60,
            Self::M3 => 180,
            Self::M5 => 300,
            Self::M15 => 900,
            Self::M30 => 1_800,
            Self::H1 => HOUR,
            Self::H2 => 2 * HOUR,
            Self::H4 => 4 * HOUR,
            Self::H6 => 6 * HOUR,
            Self::H8 => 8 * HOUR,
            Self::H12 => 12 * HOUR,
            Self::D1 => 24 * HOUR,
            Self::D3 => 72 * HOUR,
            Self::W1 => 168 * HOUR,
        })
    }

    /// The interval of a word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|i| i.as_str() == text)
    }
}

/// How much the answer to an order tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResponseType {
    /// That it was taken, at once; what fills comes by the stream.
    Ack,
    /// The state after matching.
    Result,
}

/// How an order is named.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OrderRef {
    /// By our id.
    Client(ClientId),
    /// By the exchange's id.
    Exchange(OrderId),
}

/// Whether positions of a symbol share the account's margin.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MarginType {
    /// They share it.
    Crossed,
    /// Each has its own.
    Isolated,
}

/// Appends `key=value`; the value needs no escapes.
fn pair(query: &mut String, key: &str, value: impl Display) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(key);
    // Writing into a text cannot fail.
    write!(query, "={value}").unwrap_or_default();
}

/// Appends a symbol; those written in other scripts are escaped byte by byte.
fn symbol_pair(query: &mut String, symbol: &Symbol) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str("symbol=");
    for byte in symbol.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~') {
            query.push(char::from(byte));
        } else {
            write!(query, "%{byte:02X}").unwrap_or_default();
        }
    }
}

fn time_pair(query: &mut String, key: &str, time: Option<Time>) {
    if let Some(time) = time {
        pair(query, key, time.millis());
    }
}

/// Asks nothing but whether the exchange is there.
pub fn ping(query: &mut String) -> RequestSpec {
    query.clear();
    get("/fapi/v1/ping", 1)
}

/// Asks the exchange's time.
pub fn server_time(query: &mut String) -> RequestSpec {
    query.clear();
    get("/fapi/v1/time", 1)
}

/// Asks for the contracts and their rules.
pub fn exchange_info(query: &mut String) -> RequestSpec {
    query.clear();
    get("/fapi/v1/exchangeInfo", 1)
}

/// Asks for a book; `limit` is rounded up to one that the exchange knows (5, 10, 20, 50, 100, 500, 1000).
pub fn depth(query: &mut String, symbol: &Symbol, limit: u16) -> RequestSpec {
    query.clear();
    symbol_pair(query, symbol);
    let (limit, weight) = match limit {
        0..=5 => (5, 2),
        6..=10 => (10, 2),
        11..=20 => (20, 2),
        21..=50 => (50, 2),
        51..=100 => (100, 5),
        101..=500 => (500, 10),
        _ => (1_000, 20),
    };
    pair(query, "limit", limit);
    get("/fapi/v1/depth", weight)
}

/// Asks for candles whose start lies within the times given, both ends included; at most 1,500.
pub fn klines(query: &mut String, symbol: &Symbol, interval: Interval, limit: u16, from: Option<Time>, to: Option<Time>) -> RequestSpec {
    query.clear();
    symbol_pair(query, symbol);
    pair(query, "interval", interval.as_str());
    time_pair(query, "startTime", from);
    time_pair(query, "endTime", to);
    let limit = limit.clamp(1, 1_500);
    pair(query, "limit", limit);
    let weight = match limit {
        1..=99 => 1,
        100..=499 => 2,
        500..=1_000 => 5,
        _ => 10,
    };
    get("/fapi/v1/klines", weight)
}

/// Asks for aggregated trades from an aggregate's id on, or the newest; at most 1,000.
pub fn agg_trades(query: &mut String, symbol: &Symbol, from_id: Option<u64>, limit: u16) -> RequestSpec {
    query.clear();
    symbol_pair(query, symbol);
    if let Some(id) = from_id {
        pair(query, "fromId", id);
    }
    pair(query, "limit", limit.clamp(1, 1_000));
    get("/fapi/v1/aggTrades", 20)
}

/// Asks for mark price and funding, of one symbol or all.
pub fn premium_index(query: &mut String, symbol: Option<&Symbol>) -> RequestSpec {
    query.clear();
    let weight = match symbol {
        Some(symbol) => {
            symbol_pair(query, symbol);
            1
        }
        None => 10,
    };
    get("/fapi/v1/premiumIndex", weight)
}

/// Asks for a listen key; an existing one is given again and lives another 60 minutes.
pub fn listen_key_start(query: &mut String) -> RequestSpec {
    query.clear();
    spec(Method::Post, "/fapi/v1/listenKey", 1, Security::Key)
}

/// Lets the listen key live another 60 minutes.
pub fn listen_key_keep(query: &mut String) -> RequestSpec {
    query.clear();
    spec(Method::Put, "/fapi/v1/listenKey", 1, Security::Key)
}

/// Ends the listen key.
pub fn listen_key_close(query: &mut String) -> RequestSpec {
    query.clear();
    spec(Method::Delete, "/fapi/v1/listenKey", 1, Security::Key)
}

/// Sends an order. In one-way mode the position's side is left out; the order's side is in its id.
pub fn place_order(query: &mut String, instrument: &Instrument, place: &Place, response: ResponseType) -> RequestSpec {
    query.clear();
    symbol_pair(query, &instrument.symbol);
    let side = match place.id.side() {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    };
    pair(query, "side", side);
    match place.kind {
        OrderType::Limit => {
            pair(query, "type", "LIMIT");
            let tif = match place.tif {
                TimeInForce::Gtc => "GTC",
                TimeInForce::Ioc => "IOC",
                TimeInForce::Fok => "FOK",
                TimeInForce::Gtx => "GTX",
            };
            pair(query, "timeInForce", tif);
            pair(query, "price", instrument.show_price(place.price));
        }
        // A price or a time in force with an order at market is refused (-1106, -1114).
        OrderType::Market => pair(query, "type", "MARKET"),
    }
    pair(query, "quantity", instrument.show_qty(place.qty));
    if place.reduce_only {
        pair(query, "reduceOnly", "true");
    }
    pair(query, "newClientOrderId", place.id.text());
    let response = match response {
        ResponseType::Ack => "ACK",
        ResponseType::Result => "RESULT",
    };
    pair(query, "newOrderRespType", response);
    RequestSpec { orders: 1, ..signed(Method::Post, "/fapi/v1/order", 0) }
}

fn order_pair(query: &mut String, symbol: &Symbol, order: OrderRef) {
    query.clear();
    symbol_pair(query, symbol);
    match order {
        OrderRef::Client(id) => pair(query, "origClientOrderId", id.text()),
        OrderRef::Exchange(id) => pair(query, "orderId", id),
    }
}

/// Withdraws an order.
pub fn cancel_order(query: &mut String, symbol: &Symbol, order: OrderRef) -> RequestSpec {
    order_pair(query, symbol, order);
    signed(Method::Delete, "/fapi/v1/order", 1)
}

/// Asks the state of an order.
pub fn query_order(query: &mut String, symbol: &Symbol, order: OrderRef) -> RequestSpec {
    order_pair(query, symbol, order);
    signed(Method::Get, "/fapi/v1/order", 1)
}

/// Withdraws every order of a symbol, also those that are not ours.
pub fn cancel_all(query: &mut String, symbol: &Symbol) -> RequestSpec {
    query.clear();
    symbol_pair(query, symbol);
    signed(Method::Delete, "/fapi/v1/allOpenOrders", 1)
}

/// Sets the dead man's switch: every order of the symbol, also those that are not ours, is withdrawn after this long unless it
/// is set again. Zero switches it off.
pub fn countdown_cancel_all(query: &mut String, symbol: &Symbol, after: Duration) -> RequestSpec {
    query.clear();
    symbol_pair(query, symbol);
    pair(query, "countdownTime", after.as_millis());
    signed(Method::Post, "/fapi/v1/countdownCancelAll", 10)
}

/// Asks for the open orders of one symbol, or of all at forty times the weight.
pub fn open_orders(query: &mut String, symbol: Option<&Symbol>) -> RequestSpec {
    query.clear();
    let weight = match symbol {
        Some(symbol) => {
            symbol_pair(query, symbol);
            1
        }
        None => 40,
    };
    signed(Method::Get, "/fapi/v1/openOrders", weight)
}

/// Asks for orders of any state from an order's id on; at most 1,000.
pub fn all_orders(query: &mut String, symbol: &Symbol, from: Option<OrderId>, limit: u16) -> RequestSpec {
    query.clear();
    symbol_pair(query, symbol);
    if let Some(id) = from {
        pair(query, "orderId", id);
    }
    pair(query, "limit", limit.clamp(1, 1_000));
    signed(Method::Get, "/fapi/v1/allOrders", 5)
}

/// Asks for the account's executions, oldest first; at most 1,000. The exchange refuses an id and a time together: where both are
/// given the id counts.
pub fn user_trades(query: &mut String, symbol: &Symbol, from_id: Option<u64>, from: Option<Time>, limit: u16) -> RequestSpec {
    query.clear();
    symbol_pair(query, symbol);
    match from_id {
        Some(id) => pair(query, "fromId", id),
        None => time_pair(query, "startTime", from),
    }
    pair(query, "limit", limit.clamp(1, 1_000));
    signed(Method::Get, "/fapi/v1/userTrades", 5)
}

/// Asks for balances and positions together.
pub fn account(query: &mut String) -> RequestSpec {
    query.clear();
    signed(Method::Get, "/fapi/v3/account", 5)
}

/// Asks for the balances.
pub fn balance(query: &mut String) -> RequestSpec {
    query.clear();
    signed(Method::Get, "/fapi/v3/balance", 5)
}

/// Asks for positions, of one symbol or all; symbols without position and orders are left out.
pub fn position_risk(query: &mut String, symbol: Option<&Symbol>) -> RequestSpec {
    query.clear();
    if let Some(symbol) = symbol {
        symbol_pair(query, symbol);
    }
    signed(Method::Get, "/fapi/v3/positionRisk", 5)
}

/// Asks for positions with leverage and margin type, of one symbol or all.
pub fn position_risk_v2(query: &mut String, symbol: Option<&Symbol>) -> RequestSpec {
    query.clear();
    if let Some(symbol) = symbol {
        symbol_pair(query, symbol);
    }
    signed(Method::Get, "/fapi/v2/positionRisk", 5)
}

/// Asks for the leverage table of a symbol, or of all.
pub fn leverage_bracket(query: &mut String, symbol: Option<&Symbol>) -> RequestSpec {
    query.clear();
    if let Some(symbol) = symbol {
        symbol_pair(query, symbol);
    }
    signed(Method::Get, "/fapi/v1/leverageBracket", 1)
}

/// Sets a symbol's leverage, 1 to 125.
pub fn set_leverage(query: &mut String, symbol: &Symbol, leverage: u16) -> RequestSpec {
    query.clear();
    symbol_pair(query, symbol);
    pair(query, "leverage", leverage);
    signed(Method::Post, "/fapi/v1/leverage", 1)
}

/// Sets a symbol's margin type; -4046 says that it was already so.
pub fn set_margin_type(query: &mut String, symbol: &Symbol, margin: MarginType) -> RequestSpec {
    query.clear();
    symbol_pair(query, symbol);
    let word = match margin {
        MarginType::Crossed => "CROSSED",
        MarginType::Isolated => "ISOLATED",
    };
    pair(query, "marginType", word);
    signed(Method::Post, "/fapi/v1/marginType", 1)
}

/// Asks whether the account is in hedge mode.
pub fn hedge_mode(query: &mut String) -> RequestSpec {
    query.clear();
    signed(Method::Get, "/fapi/v1/positionSide/dual", 30)
}

/// Sets hedge mode on or off; -4059 says that it was already so.
pub fn set_hedge_mode(query: &mut String, hedge: bool) -> RequestSpec {
    query.clear();
    pair(query, "dualSidePosition", hedge);
    signed(Method::Post, "/fapi/v1/positionSide/dual", 1)
}

/// Asks whether all assets together are margin.
pub fn multi_assets_margin(query: &mut String) -> RequestSpec {
    query.clear();
    signed(Method::Get, "/fapi/v1/multiAssetsMargin", 30)
}

/// Asks for the account's fees on a symbol.
pub fn commission_rate(query: &mut String, symbol: &Symbol) -> RequestSpec {
    query.clear();
    symbol_pair(query, symbol);
    signed(Method::Get, "/fapi/v1/commissionRate", 20)
}

/// Asks for leverage and margin type, of one symbol or all.
pub fn symbol_config(query: &mut String, symbol: Option<&Symbol>) -> RequestSpec {
    query.clear();
    if let Some(symbol) = symbol {
        symbol_pair(query, symbol);
    }
    signed(Method::Get, "/fapi/v1/symbolConfig", 5)
}

/// Asks for the account's settings.
pub fn account_config(query: &mut String) -> RequestSpec {
    query.clear();
    signed(Method::Get, "/fapi/v1/accountConfig", 5)
}

/// Asks what the key may do. It is not of the futures' address: `api.binance.com` has it.
pub fn api_restrictions(query: &mut String) -> RequestSpec {
    query.clear();
    signed(Method::Get, "/sapi/v1/account/apiRestrictions", 1)
}

/// Asks for money movements (`kind` in the exchange's word, `FUNDING_FEE` say), oldest first; at most 1,000.
pub fn income(query: &mut String, symbol: Option<&Symbol>, kind: Option<&'static str>, from: Option<Time>, limit: u16) -> RequestSpec {
    query.clear();
    if let Some(symbol) = symbol {
        symbol_pair(query, symbol);
    }
    if let Some(kind) = kind {
        pair(query, "incomeType", kind);
    }
    time_pair(query, "startTime", from);
    pair(query, "limit", limit.clamp(1, 1_000));
    signed(Method::Get, "/fapi/v1/income", 30)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_market::{Leg, Price, Qty, Tag};

    #[track_caller]
    fn check(build: impl FnOnce(&mut String) -> RequestSpec, expected: &str) {
        let mut query = "left=over".to_owned();
        let s = build(&mut query);
        let text = format!("{} {}?{} w{} o{} {:?}", s.method.as_str(), s.path, query, s.weight, s.orders, s.security);
        assert_eq!(text, expected);
    }

    fn id() -> ClientId {
        ClientId::new(Tag(7), 1_700_000_000, Leg::new(0, -3).unwrap(), Side::Buy, 42)
    }

    fn place(kind: OrderType, tif: TimeInForce, reduce_only: bool) -> Place {
        Place { id: id(), price: Price::from_units(6_180_010), qty: Qty::from_units(2), kind, tif, reduce_only }
    }

    #[test]
    fn orders_carry_what_their_kind_needs_and_nothing_else() {
        let btc = Instrument::example_btcusdt();
        let text = id().text();
        for (tif, word) in [(TimeInForce::Gtc, "GTC"), (TimeInForce::Gtx, "GTX"), (TimeInForce::Ioc, "IOC"), (TimeInForce::Fok, "FOK")] {
            check(
                |q| place_order(q, &btc, &place(OrderType::Limit, tif, false), ResponseType::Ack),
                &format!(
                    "POST /fapi/v1/order?symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce={word}&price=61800.10&quantity=0.002\
                     &newClientOrderId={text}&newOrderRespType=ACK w0 o1 Signed"
                ),
            );
        }
        check(
            |q| place_order(q, &btc, &place(OrderType::Market, TimeInForce::Gtc, true), ResponseType::Result),
            &format!(
                "POST /fapi/v1/order?symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.002&reduceOnly=true\
                 &newClientOrderId={text}&newOrderRespType=RESULT w0 o1 Signed"
            ),
        );
    }

    #[test]
    fn requests_go_where_they_belong_at_their_weight() {
        let btc = Symbol::new("BTCUSDT").unwrap();
        let text = id().text();
        let t = |ms| Some(Time::from_millis(ms));
        check(ping, "GET /fapi/v1/ping? w1 o0 None");
        check(server_time, "GET /fapi/v1/time? w1 o0 None");
        check(exchange_info, "GET /fapi/v1/exchangeInfo? w1 o0 None");
        for (asked, sent, weight) in [(1, 5, 2), (50, 50, 2), (51, 100, 5), (500, 500, 10), (501, 1000, 20), (9999, 1000, 20)] {
            check(|q| depth(q, &btc, asked), &format!("GET /fapi/v1/depth?symbol=BTCUSDT&limit={sent} w{weight} o0 None"));
        }
        for (limit, weight) in [(99, 1), (100, 2), (499, 2), (500, 5), (1000, 5), (1001, 10)] {
            check(
                |q| klines(q, &btc, Interval::M1, limit, t(1), t(2)),
                &format!("GET /fapi/v1/klines?symbol=BTCUSDT&interval=1m&startTime=1&endTime=2&limit={limit} w{weight} o0 None"),
            );
        }
        check(|q| agg_trades(q, &btc, Some(5), 2000), "GET /fapi/v1/aggTrades?symbol=BTCUSDT&fromId=5&limit=1000 w20 o0 None");
        check(|q| premium_index(q, None), "GET /fapi/v1/premiumIndex? w10 o0 None");
        check(listen_key_start, "POST /fapi/v1/listenKey? w1 o0 Key");
        check(listen_key_keep, "PUT /fapi/v1/listenKey? w1 o0 Key");
        check(listen_key_close, "DELETE /fapi/v1/listenKey? w1 o0 Key");
        check(
            |q| cancel_order(q, &btc, OrderRef::Client(id())),
            &format!("DELETE /fapi/v1/order?symbol=BTCUSDT&origClientOrderId={text} w1 o0 Signed"),
        );
        check(|q| query_order(q, &btc, OrderRef::Exchange(OrderId(9))), "GET /fapi/v1/order?symbol=BTCUSDT&orderId=9 w1 o0 Signed");
        check(|q| cancel_all(q, &btc), "DELETE /fapi/v1/allOpenOrders?symbol=BTCUSDT w1 o0 Signed");
        check(
            |q| countdown_cancel_all(q, &btc, Duration::from_secs(100)),
            "POST /fapi/v1/countdownCancelAll?symbol=BTCUSDT&countdownTime=100000 w10 o0 Signed",
        );
        check(|q| open_orders(q, None), "GET /fapi/v1/openOrders? w40 o0 Signed");
        check(|q| open_orders(q, Some(&btc)), "GET /fapi/v1/openOrders?symbol=BTCUSDT w1 o0 Signed");
        check(|q| all_orders(q, &btc, Some(OrderId(3)), 10), "GET /fapi/v1/allOrders?symbol=BTCUSDT&orderId=3&limit=10 w5 o0 Signed");
        check(|q| user_trades(q, &btc, Some(8), t(5), 0), "GET /fapi/v1/userTrades?symbol=BTCUSDT&fromId=8&limit=1 w5 o0 Signed");
        check(|q| user_trades(q, &btc, None, t(5), 9), "GET /fapi/v1/userTrades?symbol=BTCUSDT&startTime=5&limit=9 w5 o0 Signed");
        check(account, "GET /fapi/v3/account? w5 o0 Signed");
        check(balance, "GET /fapi/v3/balance? w5 o0 Signed");
        check(|q| position_risk(q, Some(&btc)), "GET /fapi/v3/positionRisk?symbol=BTCUSDT w5 o0 Signed");
        check(|q| position_risk_v2(q, None), "GET /fapi/v2/positionRisk? w5 o0 Signed");
        check(|q| leverage_bracket(q, None), "GET /fapi/v1/leverageBracket? w1 o0 Signed");
        check(|q| set_leverage(q, &btc, 10), "POST /fapi/v1/leverage?symbol=BTCUSDT&leverage=10 w1 o0 Signed");
        check(
            |q| set_margin_type(q, &btc, MarginType::Isolated),
            "POST /fapi/v1/marginType?symbol=BTCUSDT&marginType=ISOLATED w1 o0 Signed",
        );
        check(api_restrictions, "GET /sapi/v1/account/apiRestrictions? w1 o0 Signed");
        check(hedge_mode, "GET /fapi/v1/positionSide/dual? w30 o0 Signed");
        check(|q| set_hedge_mode(q, false), "POST /fapi/v1/positionSide/dual?dualSidePosition=false w1 o0 Signed");
        check(multi_assets_margin, "GET /fapi/v1/multiAssetsMargin? w30 o0 Signed");
        check(|q| commission_rate(q, &btc), "GET /fapi/v1/commissionRate?symbol=BTCUSDT w20 o0 Signed");
        check(|q| symbol_config(q, None), "GET /fapi/v1/symbolConfig? w5 o0 Signed");
        check(account_config, "GET /fapi/v1/accountConfig? w5 o0 Signed");
        check(
            |q| income(q, None, Some("FUNDING_FEE"), t(7), 100),
            "GET /fapi/v1/income?incomeType=FUNDING_FEE&startTime=7&limit=100 w30 o0 Signed",
        );
    }

    #[test]
    fn symbols_in_other_scripts_are_escaped() {
        let symbol = Symbol::new("币USDT").unwrap();
        check(|q| cancel_all(q, &symbol), "DELETE /fapi/v1/allOpenOrders?symbol=%E5%B8%81USDT w1 o0 Signed");
    }

    #[test]
    fn intervals_read_back() {
        for interval in Interval::ALL {
            assert_eq!(Interval::parse(interval.as_str()), Some(interval));
        }
        assert_eq!(Interval::parse("1M"), None);
        assert!(Interval::ALL.is_sorted_by_key(|i| i.duration()));
    }
}
