//! The local exchange's own word, asked with the account's key and past the bad line.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use ring::hmac;
use serde_json::Value;

use crate::http::get_json;

/// The play account's key and secret: they open nothing but the local exchange that this tool starts.
pub(crate) const KEY: &str = "soakkey";
pub(crate) const SECRET: &str = "soaksecret";

/// Executions of a page: the exchange's own limit.
const PAGE: usize = 1_000;

/// Asks with a signature, past the limits and faults of the local exchange: who watches must not be in the way.
pub(crate) fn signed(exchange: SocketAddr, path: &str, query: &str) -> Result<Value> {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let separator = if query.is_empty() { "" } else { "&" };
    let text = format!("{query}{separator}recvWindow=10000&timestamp={millis}");
    let signature = sign(SECRET, &text);
    get_json(exchange, &format!("{path}?{text}&signature={signature}"), &[("X-MBX-APIKEY", KEY), ("X-Plimsoll-Audit", "1")])
}

fn sign(secret: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::sign(&key, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Orders that are open, of all symbols.
pub(crate) fn open_orders(exchange: SocketAddr) -> Result<usize> {
    let orders = signed(exchange, "/fapi/v1/openOrders", "")?;
    Ok(orders.as_array().context("open orders are a list")?.len())
}

/// The id of the latest trade on the market, ours or not: how far the market has come.
pub(crate) fn last_trade(exchange: SocketAddr, symbol: &str) -> Result<u64> {
    let trades = get_json(exchange, &format!("/fapi/v1/trades?symbol={symbol}&limit=1"), &[])?;
    trades.pointer("/0/id").and_then(Value::as_u64).context("the market had no trade yet")
}

/// Counts the account's executions on a symbol, page by page.
#[derive(Debug)]
pub(crate) struct Executions {
    symbol: &'static str,
    from: u64,
    pub(crate) count: u64,
}

impl Executions {
    pub(crate) fn of(symbol: &'static str) -> Self {
        Self { symbol, from: 1, count: 0 }
    }

    /// Takes what has come since the last time.
    pub(crate) fn follow(&mut self, exchange: SocketAddr) -> Result<()> {
        self.each(exchange, |_| Ok(()))
    }

    /// Shows each execution that has come since the last time.
    pub(crate) fn each(&mut self, exchange: SocketAddr, mut show: impl FnMut(&Value) -> Result<()>) -> Result<()> {
        loop {
            let query = format!("symbol={}&fromId={}&limit={PAGE}", self.symbol, self.from);
            let page = signed(exchange, "/fapi/v1/userTrades", &query)?;
            let page = page.as_array().context("executions are a list")?;
            for trade in page {
                let id = trade.get("id").and_then(Value::as_u64).context("an execution has an id")?;
                self.from = self.from.max(id + 1);
                show(trade)?;
            }
            self.count += page.len() as u64;
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_exchanges_documents_show() {
        // From https://developers.binance.com/docs/derivatives/usds-margined-futures/general-info, read 2025-11.
        let text = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943";
        let secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9";
        assert_eq!(sign(secret, text), "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9");
    }
}
