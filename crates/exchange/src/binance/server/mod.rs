//! The exchange's side of the protocol: reads requests, checks signatures, names errors, writes replies and stream events.
//!
//! Everything here is pure. It knows how Binance USDⓈ-M writes things, not what an account holds: the values to be
//! written come in as plain rows ([`OrderRow`], [`PositionRow`] …) that the venue fills.
//!
//! Read [`ROUTES`] and [`ApiError`] first.

mod account;
mod error;
mod events;
mod json;
mod market;
mod orders;
mod params;
mod route;
mod sign;
mod stream;
mod wsapi;

pub use account::{
    AccountRow, BalanceRow, IncomeRow, PositionRow, write_account_config, write_account_v2, write_account_v3, write_api_restrictions,
    write_balances, write_income, write_positions_v2, write_positions_v3, write_symbol_config,
};
pub use error::ApiError;
pub use events::{
    AccountUpdate, DepthIds, OrderEvent, write_account_update, write_agg_trade, write_assets_mode_update, write_book_ticker,
    write_depth_update, write_kline_event, write_leverage_update, write_listen_key_expired, write_margin_call, write_mark_price,
    write_mini_ticker, write_order_update, write_partial_depth, write_ticker_event, write_trade, write_trade_lite, write_wrapped,
};
pub use json::{List, Object, write_text};
pub use market::{
    Bracket, FundingRow, KlineRow, MarketTrade, SymbolFacts, TickerRow, write_brackets, write_depth, write_exchange_info, write_funding,
    write_klines, write_premium_index, write_rest_agg_trades, write_rest_trades, write_ticker_24h,
};
pub use orders::{
    CLIENT_ID_MAX, CancelTarget, ClientText, ModifyOrder, NewOrder, OrderRow, ResponseType, SelfTrade, Tif, TradeRow, parse_batch,
    write_order, write_queried_order, write_user_trade,
};
pub use params::{PARAMS_MAX, Params};
pub use route::{Endpoint, Found, ROUTES, Route, Security, Weight, find_route};
pub use sign::Signed;
pub use stream::{
    Control, ControlMethod, DepthSpeed, Interval, STREAM_NAME_MAX, Scope, Seconds, SocketUrl, Stream, StreamKind, StreamName,
    parse_control, parse_socket_url,
};
pub use wsapi::{Used, WsRequest, parse_ws_request, write_ws_error, write_ws_result};
