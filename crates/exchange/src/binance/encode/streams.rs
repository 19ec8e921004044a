use super::requests::Interval;
use crate::binance::decode::ListenKey;
use crate::limits::SUBSCRIBE_STREAMS_MAX;
use core::fmt::Write;
use plimsoll_market::Symbol;

/// The three addresses that carry streams since March 2026.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Route {
    /// Books and single trades.
    Public,
    /// Aggregated trades, candles, mark prices, tickers, liquidations.
    Market,
    /// The account's events.
    Private,
}

impl Route {
    /// The part of the path.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Market => "market",
            Self::Private => "private",
        }
    }
}

/// How often a book's changes are sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DepthSpeed {
    /// As they happen.
    Realtime,
    /// Every 100 ms.
    Ms100,
    /// Every 250 ms.
    Ms250,
    /// Every 500 ms.
    Ms500,
}

/// A stream of one symbol.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stream {
    /// Changes of the book.
    Depth(DepthSpeed),
    /// Best bid and ask.
    BookTicker,
    /// Single trades.
    Trade,
    /// Trades of one taker order.
    AggTrade,
    /// Candles.
    Kline(Interval),
    /// Mark price every second.
    MarkPrice,
    /// Figures of 24 hours.
    Ticker,
    /// Figures of 24 hours, short.
    MiniTicker,
    /// Liquidations.
    ForceOrder,
}

impl Stream {
    /// The address that carries it.
    pub const fn route(self) -> Route {
        match self {
            Self::Depth(_) | Self::BookTicker | Self::Trade => Route::Public,
            Self::AggTrade | Self::Kline(_) | Self::MarkPrice | Self::Ticker | Self::MiniTicker | Self::ForceOrder => Route::Market,
        }
    }
}

/// Appends a stream's name; symbols are in lower case there.
pub fn stream_name(out: &mut String, symbol: &Symbol, stream: Stream) {
    out.extend(symbol.as_str().chars().flat_map(char::to_lowercase));
    let tail = match stream {
        Stream::Depth(DepthSpeed::Realtime) => "@depth@0ms",
        Stream::Depth(DepthSpeed::Ms100) => "@depth@100ms",
        Stream::Depth(DepthSpeed::Ms250) => "@depth",
        Stream::Depth(DepthSpeed::Ms500) => "@depth@500ms",
        Stream::BookTicker => "@bookTicker",
        Stream::Trade => "@trade",
        Stream::AggTrade => "@aggTrade",
        Stream::Kline(interval) => {
            out.push_str("@kline_");
            interval.as_str()
        }
        Stream::MarkPrice => "@markPrice@1s",
        Stream::Ticker => "@ticker",
        Stream::MiniTicker => "@miniTicker",
        Stream::ForceOrder => "@forceOrder",
    };
    out.push_str(tail);
}

/// Writes a command that names streams. Symbols cannot carry quotes or backslashes, so names need no escapes.
fn command<'a>(out: &mut String, method: &str, id: u64, streams: impl IntoIterator<Item = (&'a Symbol, Stream)>) {
    out.clear();
    // Writing into a text cannot fail.
    write!(out, r#"{{"method":"{method}","params":["#).unwrap_or_default();
    for (n, (symbol, stream)) in streams.into_iter().take(SUBSCRIBE_STREAMS_MAX).enumerate() {
        out.push_str(if n == 0 { "\"" } else { ",\"" });
        stream_name(out, symbol, stream);
        out.push('"');
    }
    write!(out, r#"],"id":{id}}}"#).unwrap_or_default();
}

/// Writes a command that subscribes to streams. Streams beyond [`SUBSCRIBE_STREAMS_MAX`] need another command.
pub fn subscribe<'a>(out: &mut String, id: u64, streams: impl IntoIterator<Item = (&'a Symbol, Stream)>) {
    command(out, "SUBSCRIBE", id, streams);
}

/// Writes a command that ends subscriptions. Streams beyond [`SUBSCRIBE_STREAMS_MAX`] need another command.
pub fn unsubscribe<'a>(out: &mut String, id: u64, streams: impl IntoIterator<Item = (&'a Symbol, Stream)>) {
    command(out, "UNSUBSCRIBE", id, streams);
}

/// Writes the address of a socket for market streams whose events come wrapped; streams are then subscribed by command.
///
/// `base` is scheme and host (`wss://fstream.binance.com`); without a route it is the form of before 2026, which testnets keep.
pub fn public_url(out: &mut String, base: &str, route: Option<Route>) {
    out.clear();
    out.push_str(base.trim_end_matches('/'));
    if let Some(route) = route {
        out.push('/');
        out.push_str(route.as_str());
    }
    out.push_str("/stream");
}

/// Writes the address of the account's stream, routed or in the form of before 2026.
pub fn private_url(out: &mut String, base: &str, routed: bool, key: &ListenKey) {
    out.clear();
    out.push_str(base.trim_end_matches('/'));
    // The routed form takes the key as a parameter, the old one as the stream's name.
    out.push_str(if routed { "/private/ws?listenKey=" } else { "/ws/" });
    out.push_str(key.as_str());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_streams() {
        let btc = Symbol::new("BTCUSDT").unwrap();
        let all = [
            (Stream::Depth(DepthSpeed::Realtime), "btcusdt@depth@0ms", Route::Public),
            (Stream::Depth(DepthSpeed::Ms100), "btcusdt@depth@100ms", Route::Public),
            (Stream::Depth(DepthSpeed::Ms250), "btcusdt@depth", Route::Public),
            (Stream::Depth(DepthSpeed::Ms500), "btcusdt@depth@500ms", Route::Public),
            (Stream::BookTicker, "btcusdt@bookTicker", Route::Public),
            (Stream::Trade, "btcusdt@trade", Route::Public),
            (Stream::AggTrade, "btcusdt@aggTrade", Route::Market),
            (Stream::Kline(Interval::M15), "btcusdt@kline_15m", Route::Market),
            (Stream::MarkPrice, "btcusdt@markPrice@1s", Route::Market),
            (Stream::Ticker, "btcusdt@ticker", Route::Market),
            (Stream::MiniTicker, "btcusdt@miniTicker", Route::Market),
            (Stream::ForceOrder, "btcusdt@forceOrder", Route::Market),
        ];
        for (stream, name, route) in all {
            let mut out = String::new();
            stream_name(&mut out, &btc, stream);
            assert_eq!((out.as_str(), stream.route()), (name, route));
        }
    }

    #[test]
    fn commands_are_json_and_bounded() {
        let (btc, eth) = (Symbol::new("BTCUSDT").unwrap(), Symbol::new("ETHUSDT").unwrap());
        let mut out = String::new();
        subscribe(&mut out, 7, [(&btc, Stream::BookTicker), (&eth, Stream::AggTrade)]);
        assert_eq!(out, r#"{"method":"SUBSCRIBE","params":["btcusdt@bookTicker","ethusdt@aggTrade"],"id":7}"#);
        unsubscribe(&mut out, 8, []);
        assert_eq!(out, r#"{"method":"UNSUBSCRIBE","params":[],"id":8}"#);
        subscribe(&mut out, 9, core::iter::repeat_n((&btc, Stream::Trade), SUBSCRIBE_STREAMS_MAX + 1));
        assert_eq!(crate::binance::decode::command(out.as_bytes()).unwrap().params.len(), SUBSCRIBE_STREAMS_MAX);
    }

    #[test]
    fn addresses_have_a_routed_and_an_old_form() {
        let key = ListenKey::new("abcd1234").unwrap();
        let mut out = String::new();
        public_url(&mut out, "wss://fstream.binance.com/", Some(Route::Market));
        assert_eq!(out, "wss://fstream.binance.com/market/stream");
        public_url(&mut out, "ws://127.0.0.1:9", None);
        assert_eq!(out, "ws://127.0.0.1:9/stream");
        private_url(&mut out, "wss://fstream.binance.com", true, &key);
        assert_eq!(out, "wss://fstream.binance.com/private/ws?listenKey=abcd1234");
        private_url(&mut out, "ws://127.0.0.1:9/", false, &key);
        assert_eq!(out, "ws://127.0.0.1:9/ws/abcd1234");
    }
}
