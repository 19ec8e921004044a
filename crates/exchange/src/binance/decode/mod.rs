//! What the exchange sends, as values of the shared words.
//!
//! [`decode`] reads the frames of a WebSocket; each REST reply has a function of its own, named after what it brings.
//! Prices and quantities are exact or the message is refused; figures that are never sent in an order are rounded to 1e-8.

mod account;
mod commands;
mod depth_stream;
mod exchange_info;
mod market_reply;
mod market_stream;
mod orders;
mod quick;
mod rights;
mod statistics;
mod stream;
mod user_stream;
mod ws_api;

pub use account::{
    AccountInfo, AccountSettings, AdlQuantile, AssetBalance, Bracket, Brackets, CommissionRate, Countdown, Income, IncomeKind, LeverageSet,
    ListenKey, MarginChange, MarginMoved, PositionInfo, SymbolConfig, account, account_settings, adl_quantiles, balances, commission_rate,
    countdown, done, fee_burn, hedge_mode, income, leverage_brackets, leverage_set, listen_key, margin_changes, margin_moved, multi_assets,
    positions, symbol_configs,
};
pub use commands::{Command, Reply, ReplyId, command};
pub use depth_stream::DepthUpdate;
pub use exchange_info::{Contract, ContractType, ExchangeInfo, SkipReason, Skipped, exchange_info};
pub use market_reply::{
    AssetIndex, DepthSnapshot, FundingInfo, FundingRate, OpenInterest, PastCandle, PriceTicker, agg_trades, asset_indexes, book_tickers,
    depth_snapshot, funding_infos, funding_rates, index_price, klines, open_interest, premium_index, price_tickers, server_time, tickers,
    trades,
};
pub use market_stream::{AggTrade, BookTicker, ForceOrder, Kline, Mark, StreamTrade, Ticker, TradeOrigin};
pub use orders::{
    AlgoOrder, AlgoStatus, Amendment, BatchElement, ClientText, Listing, OrderKind, OrderReply, OrderTif, Origin, UserTrade, algo_order,
    algo_orders, amendments, batch, order, orders, user_trades,
};
pub use rights::{KeyRights, api_restrictions};
pub use statistics::{AlgoCanceled, Statistic, StatisticKind, algo_canceled, statistics};
pub use stream::{Message, decode};
pub use user_stream::{
    AccountConfig, AccountReason, AccountUpdate, BalanceChange, Execution, ListenKeyExpired, MarginCall, OrderUpdate, PositionChange,
    ShortPosition, TradeLite, TriggerReject,
};
pub use ws_api::{LimitKind, RateLimit, WsApiReply, order_limits, ws_api_reply};
