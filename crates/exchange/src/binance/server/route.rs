//! The routes, as data: method, path, weight, security.

use super::params::Params;

/// What a route needs to be let in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Security {
    /// Nothing.
    Open,
    /// A known key.
    Key,
    /// A known key, a time stamp and a signature.
    Signed,
}

/// What a call costs of the minute's allowance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weight {
    /// Always the same.
    Fixed(u16),
    /// Less when a symbol is given.
    BySymbol {
        /// With a symbol.
        one: u16,
        /// Without.
        all: u16,
    },
    /// By the levels asked for.
    Depth,
    /// By the candles asked for.
    Klines,
}

impl Weight {
    /// Returns what a call with these parameters costs.
    pub fn of(self, params: &Params) -> u32 {
        let limit = || params.maybe_integer("limit").ok().flatten().unwrap_or(500);
        u32::from(match self {
            Self::Fixed(weight) => weight,
            Self::BySymbol { one, all } => {
                if params.has("symbol") {
                    one
                } else {
                    all
                }
            }
            Self::Depth => match limit() {
                ..=50 => 2,
                51..=100 => 5,
                101..=500 => 10,
                _ => 20,
            },
            Self::Klines => match limit() {
                ..100 => 1,
                100..500 => 2,
                500..=1000 => 5,
                _ => 10,
            },
        })
    }
}

/// What a route does. Each is handled by exactly one arm of the venue's desk.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "each is named as the exchange names its path")]
pub enum Endpoint {
    Ping,
    Time,
    ExchangeInfo,
    Depth,
    Trades,
    HistoricalTrades,
    AggTrades,
    Klines,
    ContinuousKlines,
    PremiumIndex,
    FundingRate,
    FundingInfo,
    Ticker24h,
    TickerPrice,
    TickerPriceV2,
    TickerBook,
    OpenInterest,
    ForceOrders,
    PlaceOrder,
    TestOrder,
    ModifyOrder,
    CancelOrder,
    QueryOrder,
    PlaceBatch,
    ModifyBatch,
    CancelBatch,
    CancelAll,
    Countdown,
    OpenOrder,
    OpenOrders,
    AllOrders,
    UserTrades,
    Balance,
    AccountV2,
    AccountV3,
    PositionRiskV2,
    PositionRiskV3,
    LeverageBracket,
    SymbolConfig,
    AccountConfig,
    /// What a key may do.
    KeyRights,
    CommissionRate,
    GetMultiAssets,
    SetMultiAssets,
    GetFeeBurn,
    SetFeeBurn,
    OrderRateLimit,
    TradingStatus,
    AdlQuantile,
    Income,
    SetLeverage,
    SetMarginType,
    GetPositionMode,
    SetPositionMode,
    StartStream,
    KeepStream,
    CloseStream,
    PlaceAlgoOrder,
    QueryAlgoOrder,
    CancelAlgoOrder,
    OpenAlgoOrders,
    AllAlgoOrders,
    CancelAllAlgoOrders,
}

/// One route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// HTTP method.
    pub method: &'static str,
    /// Path from the root.
    pub path: &'static str,
    /// What it needs.
    pub security: Security,
    /// What it costs.
    pub weight: Weight,
    /// Orders it counts as; a batch counts each of its own.
    pub orders: u16,
    /// What it does.
    pub endpoint: Endpoint,
}

const fn open(path: &'static str, weight: Weight, endpoint: Endpoint) -> Route {
    Route { method: "GET", path, security: Security::Open, weight, orders: 0, endpoint }
}

const fn signed(method: &'static str, path: &'static str, weight: u16, endpoint: Endpoint) -> Route {
    Route { method, path, security: Security::Signed, weight: Weight::Fixed(weight), orders: 0, endpoint }
}

const fn keyed(method: &'static str, path: &'static str, weight: u16, endpoint: Endpoint) -> Route {
    Route { method, path, security: Security::Key, weight: Weight::Fixed(weight), orders: 0, endpoint }
}

const fn order(method: &'static str, path: &'static str, weight: u16, endpoint: Endpoint) -> Route {
    Route { method, path, security: Security::Signed, weight: Weight::Fixed(weight), orders: 1, endpoint }
}

const fn by_symbol(path: &'static str, one: u16, all: u16, endpoint: Endpoint) -> Route {
    Route { method: "GET", path, security: Security::Signed, weight: Weight::BySymbol { one, all }, orders: 0, endpoint }
}

use Endpoint as E;
use Weight::{BySymbol, Depth, Fixed, Klines};

/// All routes. Weights are those of the exchange's own documentation, 2026.
pub const ROUTES: &[Route] = &[
    // Market data.
    open("/fapi/v1/ping", Fixed(1), E::Ping),
    open("/fapi/v1/time", Fixed(1), E::Time),
    open("/fapi/v1/exchangeInfo", Fixed(1), E::ExchangeInfo),
    open("/fapi/v1/depth", Depth, E::Depth),
    open("/fapi/v1/trades", Fixed(5), E::Trades),
    keyed("GET", "/fapi/v1/historicalTrades", 20, E::HistoricalTrades),
    open("/fapi/v1/aggTrades", Fixed(20), E::AggTrades),
    open("/fapi/v1/klines", Klines, E::Klines),
    open("/fapi/v1/continuousKlines", Klines, E::ContinuousKlines),
    open("/fapi/v1/premiumIndex", BySymbol { one: 1, all: 10 }, E::PremiumIndex),
    open("/fapi/v1/fundingRate", Fixed(1), E::FundingRate),
    open("/fapi/v1/fundingInfo", Fixed(1), E::FundingInfo),
    open("/fapi/v1/ticker/24hr", BySymbol { one: 1, all: 40 }, E::Ticker24h),
    open("/fapi/v1/ticker/price", BySymbol { one: 1, all: 2 }, E::TickerPrice),
    open("/fapi/v2/ticker/price", BySymbol { one: 1, all: 2 }, E::TickerPriceV2),
    open("/fapi/v1/ticker/bookTicker", BySymbol { one: 2, all: 5 }, E::TickerBook),
    open("/fapi/v1/openInterest", Fixed(1), E::OpenInterest),
    by_symbol("/fapi/v1/forceOrders", 20, 50, E::ForceOrders),
    // Orders.
    order("POST", "/fapi/v1/order", 0, E::PlaceOrder),
    order("POST", "/fapi/v1/order/test", 0, E::TestOrder),
    order("PUT", "/fapi/v1/order", 0, E::ModifyOrder),
    signed("DELETE", "/fapi/v1/order", 1, E::CancelOrder),
    signed("GET", "/fapi/v1/order", 1, E::QueryOrder),
    signed("POST", "/fapi/v1/batchOrders", 5, E::PlaceBatch),
    signed("PUT", "/fapi/v1/batchOrders", 5, E::ModifyBatch),
    signed("DELETE", "/fapi/v1/batchOrders", 1, E::CancelBatch),
    signed("DELETE", "/fapi/v1/allOpenOrders", 1, E::CancelAll),
    signed("POST", "/fapi/v1/countdownCancelAll", 10, E::Countdown),
    signed("GET", "/fapi/v1/openOrder", 1, E::OpenOrder),
    by_symbol("/fapi/v1/openOrders", 1, 40, E::OpenOrders),
    signed("GET", "/fapi/v1/allOrders", 5, E::AllOrders),
    signed("GET", "/fapi/v1/userTrades", 5, E::UserTrades),
    // The account.
    signed("GET", "/fapi/v2/balance", 5, E::Balance),
    signed("GET", "/fapi/v3/balance", 5, E::Balance),
    signed("GET", "/fapi/v2/account", 5, E::AccountV2),
    signed("GET", "/fapi/v3/account", 5, E::AccountV3),
    signed("GET", "/fapi/v2/positionRisk", 5, E::PositionRiskV2),
    signed("GET", "/fapi/v3/positionRisk", 5, E::PositionRiskV3),
    signed("GET", "/fapi/v1/leverageBracket", 1, E::LeverageBracket),
    signed("GET", "/fapi/v1/symbolConfig", 5, E::SymbolConfig),
    signed("GET", "/fapi/v1/accountConfig", 5, E::AccountConfig),
    // Of another address at the real exchange.
    signed("GET", "/sapi/v1/account/apiRestrictions", 1, E::KeyRights),
    signed("GET", "/fapi/v1/commissionRate", 20, E::CommissionRate),
    signed("GET", "/fapi/v1/multiAssetsMargin", 30, E::GetMultiAssets),
    signed("POST", "/fapi/v1/multiAssetsMargin", 1, E::SetMultiAssets),
    signed("GET", "/fapi/v1/feeBurn", 30, E::GetFeeBurn),
    signed("POST", "/fapi/v1/feeBurn", 1, E::SetFeeBurn),
    signed("GET", "/fapi/v1/rateLimit/order", 1, E::OrderRateLimit),
    by_symbol("/fapi/v1/apiTradingStatus", 1, 10, E::TradingStatus),
    signed("GET", "/fapi/v1/adlQuantile", 5, E::AdlQuantile),
    signed("GET", "/fapi/v1/income", 30, E::Income),
    signed("POST", "/fapi/v1/leverage", 1, E::SetLeverage),
    signed("POST", "/fapi/v1/marginType", 1, E::SetMarginType),
    signed("GET", "/fapi/v1/positionSide/dual", 30, E::GetPositionMode),
    signed("POST", "/fapi/v1/positionSide/dual", 1, E::SetPositionMode),
    // The user stream needs the key alone.
    keyed("POST", "/fapi/v1/listenKey", 1, E::StartStream),
    keyed("PUT", "/fapi/v1/listenKey", 1, E::KeepStream),
    keyed("DELETE", "/fapi/v1/listenKey", 1, E::CloseStream),
    // Conditional orders: the lists are there and empty, because clients ask for them at start.
    order("POST", "/fapi/v1/algoOrder", 0, E::PlaceAlgoOrder),
    signed("GET", "/fapi/v1/algoOrder", 1, E::QueryAlgoOrder),
    signed("DELETE", "/fapi/v1/algoOrder", 1, E::CancelAlgoOrder),
    by_symbol("/fapi/v1/openAlgoOrders", 1, 40, E::OpenAlgoOrders),
    signed("GET", "/fapi/v1/allAlgoOrders", 5, E::AllAlgoOrders),
    signed("DELETE", "/fapi/v1/algoOpenOrders", 1, E::CancelAllAlgoOrders),
];

/// What a method and path lead to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// A route.
    Route(&'static Route),
    /// The path is served, but not by this method.
    OtherMethod,
    /// Nothing.
    Nothing,
}

/// Finds the route of a request.
pub fn find_route(method: &str, path: &str) -> Found {
    let mut known = false;
    for route in ROUTES.iter().filter(|route| route.path == path) {
        if route.method == method {
            return Found::Route(route);
        }
        known = true;
    }
    if known { Found::OtherMethod } else { Found::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_by_its_own_method_only() {
        for route in ROUTES {
            assert_eq!(find_route(route.method, route.path), Found::Route(route));
            assert_eq!(find_route("PATCH", route.path), Found::OtherMethod);
        }
        assert_eq!(find_route("GET", "/fapi/v1/nothing"), Found::Nothing);
        assert_eq!(find_route("GET", "/"), Found::Nothing);
    }

    #[test]
    fn what_changes_an_account_is_signed() {
        for route in ROUTES.iter().filter(|route| route.method != "GET") {
            let stream = route.path == "/fapi/v1/listenKey";
            assert_eq!(route.security, if stream { Security::Key } else { Security::Signed }, "{} {}", route.method, route.path);
        }
    }

    #[test]
    fn weight_grows_with_what_is_asked() {
        let weight = |weight: Weight, query: &str| weight.of(&Params::parse(query, b"").unwrap());
        assert_eq!([5, 50, 100, 500, 1000].map(|n| weight(Weight::Depth, &format!("limit={n}"))), [2, 2, 5, 10, 20]);
        assert_eq!([99, 100, 499, 500, 1000, 1500].map(|n| weight(Weight::Klines, &format!("limit={n}"))), [1, 2, 2, 5, 5, 10]);
        let open_orders = Weight::BySymbol { one: 1, all: 40 };
        assert_eq!((weight(open_orders, "symbol=BTCUSDT"), weight(open_orders, "")), (1, 40));
    }
}
