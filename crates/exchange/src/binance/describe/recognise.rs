use core::fmt;
use core::str::FromStr;
use serde_json::{Map, Value};
use thiserror::Error;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What a message is, by the exchange's own names; also the hint for replies that do not tell it.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The name, as a hint is written.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// An event of a stream, or several in one frame; its own name tells which.
    Event = "event",
    /// The answer to a stream command.
    Reply = "reply",
    /// A command or WebSocket-API request, as a client sends it.
    Command = "command",
    /// An answer of the WebSocket-API.
    WebSocketApi = "ws-api",
    /// A reply in the envelope of a stream, as recordings have it.
    Wrapped = "wrapped",
    /// A refusal.
    Error = "error",
    /// A confirmation and nothing more.
    Done = "done",
    /// An empty list of anything.
    EmptyList = "empty-list",
    /// An empty object: a confirmation.
    EmptyObject = "empty-object",
    /// The exchange's time.
    Time = "time",
    /// Contracts and their rules.
    ExchangeInfo = "exchangeInfo",
    /// A book.
    Depth = "depth",
    /// Candles.
    Klines = "klines",
    /// Aggregated trades.
    AggTrades = "aggTrades",
    /// Trades.
    Trades = "trades",
    /// Figures of 24 hours.
    Ticker24h = "ticker/24hr",
    /// Last prices.
    TickerPrice = "ticker/price",
    /// Best bids and asks.
    TickerBook = "ticker/bookTicker",
    /// Mark prices.
    PremiumIndex = "premiumIndex",
    /// Funding rates of the past.
    FundingRate = "fundingRate",
    /// Symbols with other funding than the ordinary.
    FundingInfo = "fundingInfo",
    /// Open interest.
    OpenInterest = "openInterest",
    /// Prices of assets as margin.
    AssetIndex = "assetIndex",
    /// Points of a statistic.
    Statistic = "statistic",
    /// One order.
    Order = "order",
    /// Orders.
    Orders = "orders",
    /// Outcomes of a batch.
    Batch = "batchOrders",
    /// Executions of the account.
    UserTrades = "userTrades",
    /// Amendments of an order.
    Amendments = "orderAmendment",
    /// One conditional order.
    AlgoOrder = "algoOrder",
    /// Conditional orders.
    AlgoOrders = "algoOrders",
    /// Confirmation that a conditional order is withdrawn.
    AlgoCanceled = "algoOrder-canceled",
    /// Balances and positions.
    Account = "account",
    /// Balances.
    Balance = "balance",
    /// Positions.
    PositionRisk = "positionRisk",
    /// Leverage tables.
    LeverageBracket = "leverageBracket",
    /// Settings of symbols.
    SymbolConfig = "symbolConfig",
    /// Settings of the account.
    AccountConfig = "accountConfig",
    /// Fees.
    CommissionRate = "commissionRate",
    /// Hedge mode or not.
    HedgeMode = "positionSide/dual",
    /// Whether all assets together are margin.
    MultiAssets = "multiAssetsMargin",
    /// Whether fees are paid in BNB.
    FeeBurn = "feeBurn",
    /// A leverage as set.
    Leverage = "leverage",
    /// Margin moved.
    PositionMargin = "positionMargin",
    /// Movements of margin.
    MarginHistory = "positionMargin/history",
    /// The dead man's switch.
    Countdown = "countdownCancelAll",
    /// Money movements.
    Income = "income",
    /// A listen key.
    ListenKey = "listenKey",
    /// Limits of orders.
    OrderLimits = "rateLimit/order",
    /// Places in the queue of deleveraging.
    AdlQuantile = "adlQuantile",
    /// How near deleveraging is; not used.
    AdlRisk = "adlRisk",
    /// Restrictions of the account; not used.
    TradingStatus = "apiTradingStatus",
    /// What an index price is made of; not used.
    Constituents = "constituents",
    /// What a composite index is made of; not used.
    IndexInfo = "indexInfo",
    /// The insurance fund; not used.
    InsuranceFund = "insuranceBalance",
    /// Hours of ordinary finance's contracts; not used.
    TradingSchedule = "tradingSchedule",
    /// A conversion of assets; not used.
    Convert = "convert/orderStatus",
    /// Portfolio margin; not used.
    PortfolioMargin = "pmAccountInfo",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A hint that names no kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("no such kind of message")]
pub struct UnknownKind;

impl FromStr for Kind {
    type Err = UnknownKind;
    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.iter().copied().find(|k| k.as_str() == text).ok_or(UnknownKind)
    }
}

/// Tells what a message is by its fields, or why it cannot.
pub(super) fn recognise(value: &Value) -> Result<Kind, &'static str> {
    match value {
        Value::Object(map) => object(map),
        Value::Array(list) => match list.first() {
            None => Ok(Kind::EmptyList),
            Some(Value::Object(first)) => objects(list, first),
            Some(Value::Array(_)) => Ok(Kind::Klines),
            Some(Value::String(_)) => Err("an array of texts alone, such as one level of a book, is no message"),
            Some(_) => Err("an array of bare values is no message"),
        },
        _ => Err("a bare value is no message"),
    }
}

/// The kind of the first row whose fields are all there.
fn by_fields(map: &Map<String, Value>, rows: &[(&[&str], Kind)]) -> Option<Kind> {
    rows.iter().find(|(fields, _)| fields.iter().all(|f| map.contains_key(*f))).map(|(_, kind)| *kind)
}

fn object(map: &Map<String, Value>) -> Result<Kind, &'static str> {
    if map.is_empty() {
        return Ok(Kind::EmptyObject);
    }
    if let Some(data) = map.get("data").filter(|_| map.contains_key("stream")) {
        let inner = data.get(0).unwrap_or(data);
        return Ok(if inner.get("e").is_some() { Kind::Event } else { Kind::Wrapped });
    }
    let rows: &[(&[&str], Kind)] = &[
        (&["e"], Kind::Event),
        (&["method"], Kind::Command),
        (&["id", "status", "result"], Kind::WebSocketApi),
        (&["id", "status", "error"], Kind::WebSocketApi),
        (&["result"], Kind::Reply),
        (&["error", "id"], Kind::Reply),
        (&["algoId", "algoStatus"], Kind::AlgoOrder),
        (&["algoId", "code"], Kind::AlgoCanceled),
        (&["amount", "code", "type"], Kind::PositionMargin),
        (&["orderId", "clientOrderId", "status"], Kind::Order),
    ];
    if let Some(kind) = by_fields(map, rows) {
        return Ok(kind);
    }
    if let Some(code) = map.get("code") {
        return Ok(if code.as_i64() == Some(200) || code.as_str() == Some("200") { Kind::Done } else { Kind::Error });
    }
    if ["u", "b", "B", "a", "A"].iter().all(|f| map.contains_key(*f)) {
        return Err("a best bid and ask without the event's name is of the spot market, not of futures");
    }
    let rows: &[(&[&str], Kind)] = &[
        (&["symbols", "rateLimits"], Kind::ExchangeInfo),
        (&["bidPrice"], Kind::TickerBook),
        (&["lastUpdateId"], Kind::Depth),
        (&["serverTime"], Kind::Time),
        (&["totalWalletBalance"], Kind::Account),
        (&["canTrade", "dualSidePosition"], Kind::AccountConfig),
        (&["dualSidePosition"], Kind::HedgeMode),
        (&["multiAssetsMargin"], Kind::MultiAssets),
        (&["feeBurn"], Kind::FeeBurn),
        (&["listenKey"], Kind::ListenKey),
        (&["leverage", "maxNotionalValue"], Kind::Leverage),
        (&["countdownTime"], Kind::Countdown),
        (&["makerCommissionRate"], Kind::CommissionRate),
        (&["brackets"], Kind::LeverageBracket),
        (&["openInterest"], Kind::OpenInterest),
        (&["lastPrice"], Kind::Ticker24h),
        (&["markPrice", "lastFundingRate"], Kind::PremiumIndex),
        (&["index", "bidRate"], Kind::AssetIndex),
        (&["symbol", "price"], Kind::TickerPrice),
        (&["adlRisk"], Kind::AdlRisk),
        (&["indicators"], Kind::TradingStatus),
        (&["constituents"], Kind::Constituents),
        (&["marketSchedules"], Kind::TradingSchedule),
        (&["orderStatus", "fromAsset"], Kind::Convert),
        (&["maxWithdrawAmountUSD"], Kind::PortfolioMargin),
        (&["symbols", "assets"], Kind::InsuranceFund),
    ];
    by_fields(map, rows).ok_or("its fields are of no known message; a hint may help")
}

fn objects(list: &[Value], first: &Map<String, Value>) -> Result<Kind, &'static str> {
    let failed = |v: &Value| v.get("code").and_then(Value::as_i64).is_some_and(|c| c < 0);
    if list.iter().any(failed) {
        return Ok(Kind::Batch);
    }
    let rows: &[(&[&str], Kind)] = &[
        (&["e"], Kind::Event),
        (&["amendmentId"], Kind::Amendments),
        (&["orderId", "commission"], Kind::UserTrades),
        (&["orderId", "clientOrderId", "status"], Kind::Orders),
        (&["algoId", "algoStatus"], Kind::AlgoOrders),
        (&["positionAmt"], Kind::PositionRisk),
        (&["asset", "crossWalletBalance"], Kind::Balance),
        (&["brackets"], Kind::LeverageBracket),
        (&["marginType", "leverage"], Kind::SymbolConfig),
        (&["incomeType"], Kind::Income),
        (&["deltaType"], Kind::MarginHistory),
        (&["adlQuantile"], Kind::AdlQuantile),
        (&["adlRisk"], Kind::AdlRisk),
        (&["rateLimitType"], Kind::OrderLimits),
        (&["adjustedFundingRateCap"], Kind::FundingInfo),
        (&["lastFundingRate", "markPrice"], Kind::PremiumIndex),
        (&["fundingRate"], Kind::FundingRate),
        (&["bidPrice"], Kind::TickerBook),
        (&["lastPrice"], Kind::Ticker24h),
        (&["isBuyerMaker"], Kind::Trades),
        (&["p", "q", "f", "l", "T", "m"], Kind::AggTrades),
        (&["index", "bidRate"], Kind::AssetIndex),
        (&["sumOpenInterest"], Kind::Statistic),
        (&["longShortRatio"], Kind::Statistic),
        (&["buySellRatio"], Kind::Statistic),
        (&["basisRate"], Kind::Statistic),
        (&["deliveryPrice"], Kind::Statistic),
        (&["baseAssetList"], Kind::IndexInfo),
        (&["symbol", "price"], Kind::TickerPrice),
    ];
    by_fields(first, rows).ok_or("the fields of its first element are of no known message; a hint may help")
}
