//! What is sent: requests with their cost, and the names and addresses of streams.
//!
//! Each request is a function that writes the query into a text given by the caller and returns where it goes and what it
//! costs; a signed one then goes through [`super::sign::Signer::sign`]. Nothing is allocated once the text is large enough.

mod requests;
mod streams;

pub use requests::{
    Interval, MarginType, Method, OrderRef, RequestSpec, ResponseType, Security, account, account_config, agg_trades, all_orders,
    api_restrictions, balance, cancel_all, cancel_order, commission_rate, countdown_cancel_all, depth, exchange_info, hedge_mode, income,
    klines, leverage_bracket, listen_key_close, listen_key_keep, listen_key_start, multi_assets_margin, open_orders, ping, place_order,
    position_risk, position_risk_v2, premium_index, query_order, server_time, set_hedge_mode, set_leverage, set_margin_type, symbol_config,
    user_trades,
};
pub use streams::{DepthSpeed, Route, Stream, private_url, public_url, stream_name, subscribe, unsubscribe};
