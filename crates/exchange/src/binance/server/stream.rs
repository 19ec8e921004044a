//! WebSocket addresses, stream names and control messages.

use arrayvec::ArrayString;
use plimsoll_market::Symbol;

use super::json::{List, Object, write_text};

/// Longest name of a stream or listen key that is kept, in bytes.
///
/// The longest name we know is `1000000mogusdt_perpetual@continuousKline_15m`, 44; listen keys have 64.
pub const STREAM_NAME_MAX: usize = 72;

/// The name of a stream, as its client wrote it.
pub type StreamName = ArrayString<STREAM_NAME_MAX>;

/// Which part of the exchange's streams an address serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// All of them: the address without a route.
    All,
    /// Books and single trades.
    Public,
    /// All other market data.
    Market,
    /// An account's events.
    Private,
}

/// What a client asks for by opening an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SocketUrl {
    /// Which streams the address serves.
    pub scope: Scope,
    /// Whether events come as `{"stream":…,"data":…}`.
    pub wrapped: bool,
    /// Stream names and listen keys given, as sent.
    pub names: Vec<String>, // tidy: bounded by the address's length, lives as long as the handshake
    /// Kinds of the owner's events wanted; empty is all.
    pub events: Vec<String>, // tidy: bounded by the length of an address
}

/// Reads an address; `None` when it is none of the stream addresses.
///
/// The forms are `/ws`, `/ws/<a>/<b>`, `/stream?streams=<a>/<b>`, `/ws?listenKey=<k>`, each also behind `/public`, `/market`
/// or `/private`. A bare number behind `/ws/` is a client's own counter and means nothing.
pub fn parse_socket_url(path: &str, query: &str) -> Option<SocketUrl> {
    let (scope, rest) = match path.strip_prefix('/')?.split_once('/') {
        Some(("public", rest)) => (Scope::Public, rest),
        Some(("market", rest)) => (Scope::Market, rest),
        Some(("private", rest)) => (Scope::Private, rest),
        _ => (Scope::All, path.strip_prefix('/')?),
    };
    let (wrapped, tail) = match rest.split_once('/') {
        Some(("ws", tail)) => (false, tail),
        Some(("stream", tail)) => (true, tail),
        None if rest == "ws" => (false, ""),
        None if rest == "stream" => (true, ""),
        _ => return None,
    };
    let is_counter = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let mut names: Vec<String> = tail.split('/').filter(|name| !name.is_empty() && !is_counter(name)).map(str::to_owned).collect();
    let mut events = Vec::new();
    for part in query.split('&') {
        if let Some(value) = part.strip_prefix("events=") {
            events.extend(value.replace("%2F", "/").replace("%2f", "/").split('/').map(str::to_owned));
        }
        if let Some(value) = part.strip_prefix("streams=").or_else(|| part.strip_prefix("listenKey=")) {
            // Some clients encode the separators.
            let value = value.replace("%2F", "/").replace("%2f", "/").replace("%40", "@").replace("%21", "!");
            names.extend(value.split('/').filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
    Some(SocketUrl { scope, wrapped, names, events })
}

/// How often book changes come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DepthSpeed {
    /// As they happen.
    Ms0,
    /// Every 100 ms.
    Ms100,
    /// Every 250 ms: the default.
    Ms250,
    /// Every 500 ms.
    Ms500,
}

impl DepthSpeed {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ms0, Self::Ms100, Self::Ms250, Self::Ms500];

    /// The time between two events, in milliseconds; zero is as they happen.
    pub const fn millis(self) -> u64 {
        match self {
            Self::Ms0 => 0,
            Self::Ms100 => 100,
            Self::Ms250 => 250,
            Self::Ms500 => 500,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "0ms" => Some(Self::Ms0),
            "100ms" => Some(Self::Ms100),
            "250ms" => Some(Self::Ms250),
            "500ms" => Some(Self::Ms500),
            _ => None,
        }
    }
}

/// A candle's interval.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "minutes, hours, days, a week, a month")]
pub enum Interval {
    M1,
    M3,
    M5,
    M15,
    M30,
    H1,
    H2,
    H4,
    H6,
    H8,
    H12,
    D1,
    D3,
    W1,
    Month,
}

/// A day in milliseconds.
const DAY_MS: u64 = 86_400_000;

impl Interval {
    /// All of them, the shortest first.
    pub const ALL: [Self; 15] = [
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
        Self::Month,
    ];

    /// The exchange's word for it.
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
            Self::Month => "1M",
        }
    }

    /// Reads the exchange's word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.as_str() == text)
    }

    const fn fixed_ms(self) -> u64 {
        match self {
            Self::M1 => 60_000,
            Self::M3 => 180_000,
            Self::M5 => 300_000,
            Self::M15 => 900_000,
            Self::M30 => 1_800_000,
            Self::H1 => 3_600_000,
            Self::H2 => 7_200_000,
            Self::H4 => 14_400_000,
            Self::H6 => 21_600_000,
            Self::H8 => 28_800_000,
            Self::H12 => 43_200_000,
            Self::D1 => DAY_MS,
            Self::D3 => 3 * DAY_MS,
            Self::W1 => 7 * DAY_MS,
            Self::Month => 0,
        }
    }

    /// The start of the candle that a time falls into, in milliseconds.
    pub fn start_ms(self, at_ms: u64) -> u64 {
        match self {
            Self::Month => month_start_ms(at_ms, 0),
            // The epoch was a Thursday; weeks begin on Mondays.
            Self::W1 => ((at_ms + 3 * DAY_MS) / (7 * DAY_MS) * (7 * DAY_MS)).saturating_sub(3 * DAY_MS),
            other => at_ms / other.fixed_ms() * other.fixed_ms(),
        }
    }

    /// The end of the candle that starts at this time: the next one's start, in milliseconds.
    pub fn end_ms(self, start_ms: u64) -> u64 {
        match self {
            Self::Month => month_start_ms(start_ms, 1),
            other => start_ms + other.fixed_ms(),
        }
    }
}

/// The start of the month `later` months after that of a time (Hinnant's civil calendar).
fn month_start_ms(at_ms: u64, later: u64) -> u64 {
    let days = at_ms / DAY_MS + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months count from March here, so that the leap day is the year's last.
    let month = (5 * day_of_year + 2) / 153 + later;
    let year = era * 400 + year_of_era + month / 12;
    let month = month % 12;
    let day_of_year = (153 * month + 2) / 5;
    let (era, year_of_era) = (year / 400, year % 400);
    let days = era * 146_097 + 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    days.saturating_sub(719_468) * DAY_MS
}

/// What a stream carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StreamKind {
    /// Trades, those of one taker at one price as one.
    AggTrade,
    /// Trades, one by one.
    Trade,
    /// The best bid and ask.
    BookTicker,
    /// Book changes.
    Depth(DepthSpeed),
    /// The first levels of the book, 5, 10 or 20.
    PartialDepth(u8, DepthSpeed),
    /// Candles.
    Kline(Interval),
    /// Mark price every 3 s, or every second.
    MarkPrice(Seconds),
    /// The day's figures.
    Ticker,
    /// The day's figures, the shorter form.
    MiniTicker,
    /// Well-formed, but nothing comes on it here: liquidations of others, composite indexes, contract changes.
    Silent,
}

/// The period of a mark price stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Seconds {
    /// Every second.
    One,
    /// Every three seconds.
    Three,
}

/// A stream that a client wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stream {
    /// Its name as sent: what a wrapped event and the list of subscriptions say.
    pub name: StreamName,
    /// Whose data; `None` for all symbols.
    pub symbol: Option<Symbol>,
    /// What it carries.
    pub kind: StreamKind,
}

impl Stream {
    /// Reads a stream's name; `None` when it is none (it may be a listen key).
    ///
    /// Names that are well-formed but not served are silent, as on the exchange.
    pub fn parse(text: &str) -> Option<Self> {
        let name = ArrayString::from(text).ok()?;
        let (subject, tail) = text.split_once('@').or_else(|| text.starts_with('!').then_some((text, "")))?;
        let (symbol, kind) = match subject.strip_prefix('!') {
            Some(all) => (None, all_kind(all, tail)),
            None if subject.is_empty() || tail.is_empty() => return None,
            None => (Some(Symbol::new(&subject.to_uppercase()).ok()?), one_kind(tail)),
        };
        Some(Self { name, symbol, kind })
    }

    /// Tells whether an address of this scope serves it.
    pub fn is_in(&self, scope: Scope) -> bool {
        let public = match self.kind {
            StreamKind::Trade | StreamKind::BookTicker | StreamKind::Depth(_) | StreamKind::PartialDepth(..) => true,
            StreamKind::AggTrade
            | StreamKind::Kline(_)
            | StreamKind::MarkPrice(_)
            | StreamKind::Ticker
            | StreamKind::MiniTicker
            | StreamKind::Silent => false,
        };
        match scope {
            Scope::All => true,
            Scope::Public => public,
            Scope::Market => !public,
            Scope::Private => false,
        }
    }
}

fn one_kind(tail: &str) -> StreamKind {
    let (word, option) = tail.split_once('@').unwrap_or((tail, ""));
    let speed = if option.is_empty() { Some(DepthSpeed::Ms250) } else { DepthSpeed::parse(option) };
    let kind = match (word, option) {
        ("aggTrade", "") => Some(StreamKind::AggTrade),
        ("trade", "") => Some(StreamKind::Trade),
        ("bookTicker", "") => Some(StreamKind::BookTicker),
        ("ticker", "") => Some(StreamKind::Ticker),
        ("miniTicker", "") => Some(StreamKind::MiniTicker),
        ("markPrice", "") => Some(StreamKind::MarkPrice(Seconds::Three)),
        ("markPrice", "1s") => Some(StreamKind::MarkPrice(Seconds::One)),
        ("depth", _) => speed.map(StreamKind::Depth),
        ("depth5", _) => speed.map(|speed| StreamKind::PartialDepth(5, speed)),
        ("depth10", _) => speed.map(|speed| StreamKind::PartialDepth(10, speed)),
        ("depth20", _) => speed.map(|speed| StreamKind::PartialDepth(20, speed)),
        (other, "") => other.strip_prefix("kline_").and_then(Interval::parse).map(StreamKind::Kline),
        _ => None,
    };
    kind.unwrap_or(StreamKind::Silent)
}

fn all_kind(word: &str, tail: &str) -> StreamKind {
    match (word, tail) {
        ("bookTicker", "") => StreamKind::BookTicker,
        ("ticker", "arr") => StreamKind::Ticker,
        ("miniTicker", "arr") => StreamKind::MiniTicker,
        ("markPrice", "arr") => StreamKind::MarkPrice(Seconds::Three),
        ("markPrice", "arr@1s") => StreamKind::MarkPrice(Seconds::One),
        _ => StreamKind::Silent,
    }
}

/// A control message of a client on a stream connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Control {
    /// What to do.
    pub method: ControlMethod,
    /// The client's id of it as JSON text: a number, a string, or `null`.
    pub id: String,
}

/// What a control message asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ControlMethod {
    /// More streams.
    Subscribe(Vec<String>),
    /// Fewer streams.
    Unsubscribe(Vec<String>),
    /// Which streams there are.
    List,
    /// Sets whether events are wrapped (`combined`).
    SetCombined(bool),
    /// Asks whether events are wrapped.
    GetCombined,
}

/// Reads a control message.
///
/// # Errors
/// The reply to send instead.
pub fn parse_control(text: &str) -> Result<Control, String> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| control_error(3, &format!("Invalid JSON: {error}"), "null"))?;
    let id = match value.get("id") {
        None | Some(serde_json::Value::Null) => "null".to_owned(),
        Some(id @ (serde_json::Value::Number(_) | serde_json::Value::String(_))) => id.to_string(),
        Some(_) => return Err(control_error(2, "Invalid request: request ID must be an unsigned integer or a string", "null")),
    };
    let refuse = |why: &str| control_error(2, &format!("Invalid request: {why}"), &id);
    let Some(method) = value.get("method").and_then(serde_json::Value::as_str) else { return Err(refuse("missing field `method`")) };
    let names = || -> Result<Vec<String>, String> {
        let Some(list) = value.get("params").and_then(serde_json::Value::as_array) else {
            return Err(refuse("params must be an array of strings"));
        };
        let names: Option<Vec<String>> = list.iter().map(|name| name.as_str().map(str::to_owned)).collect();
        names.ok_or_else(|| refuse("params must be an array of strings"))
    };
    let property = |at: usize| value.get("params").and_then(|params| params.get(at));
    let combined = || property(0).and_then(serde_json::Value::as_str) == Some("combined");
    let method = match method {
        "SUBSCRIBE" => ControlMethod::Subscribe(names()?),
        "UNSUBSCRIBE" => ControlMethod::Unsubscribe(names()?),
        "LIST_SUBSCRIPTIONS" => ControlMethod::List,
        "SET_PROPERTY" if combined() => match property(1).and_then(serde_json::Value::as_bool) {
            Some(on) => ControlMethod::SetCombined(on),
            None => return Err(refuse("combined must be true or false")),
        },
        "GET_PROPERTY" if combined() => ControlMethod::GetCombined,
        "SET_PROPERTY" | "GET_PROPERTY" => return Err(refuse("unknown property")),
        other => {
            let known = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`";
            return Err(refuse(&format!("unknown variant `{}`, expected one of {known}", other.chars().take(40).collect::<String>())));
        }
    };
    Ok(Control { method, id })
}

impl Control {
    /// The reply to a message that was carried out; `result` is JSON text.
    pub fn done(&self, result: &str) -> String {
        let mut out = String::new();
        Object::new(&mut out).bare("result", result).bare("id", &self.id).end();
        out
    }

    /// The reply that lists subscriptions.
    pub fn listed<'a>(&self, names: impl Iterator<Item = &'a str>) -> String {
        let mut list = String::new();
        let mut items = List::new(&mut list);
        for name in names {
            items.item(|out| write_text(out, name));
        }
        items.end();
        self.done(&list)
    }

    /// The reply to a message that was not carried out.
    pub fn refused(&self, why: &str) -> String {
        control_error(2, &format!("Invalid request: {why}"), &self.id)
    }
}

fn control_error(code: i32, msg: &str, id: &str) -> String {
    let mut out = String::new();
    let write = |out: &mut String| Object::new(out).bare("code", code).text("msg", msg).end();
    Object::new(&mut out).with("error", write).bare("id", id).end();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check_url(address: &str, scope: Scope, wrapped: bool, names: &[&str]) {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let found = parse_socket_url(path, query).map(|url| SocketUrl { events: Vec::new(), ..url });
        assert_eq!(found, Some(SocketUrl { scope, wrapped, names, events: Vec::new() }), "{address}");
    }

    #[test]
    fn reads_every_form_of_address() {
        check_url("/public/ws/btcusdt@depth/ethusdt@depth", Scope::Public, false, &["btcusdt@depth", "ethusdt@depth"]);
        check_url(
            "/market/stream?streams=btcusdt@aggTrade/ethusdt@aggTrade",
            Scope::Market,
            true,
            &["btcusdt@aggTrade", "ethusdt@aggTrade"],
        );
        check_url("/market/stream", Scope::Market, true, &[]);
        check_url("/public/ws/3", Scope::Public, false, &[]);
        check_url("/private/ws?listenKey=abc", Scope::Private, false, &["abc"]);
        check_url("/private/ws?listenKey=abc&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE", Scope::Private, false, &["abc"]);
        check_url("/stream?streams=btcusdt%40bookTicker%2Fabc", Scope::All, true, &["btcusdt@bookTicker", "abc"]);
        check_url("/ws", Scope::All, false, &[]);
        check_url("/ws/abc", Scope::All, false, &["abc"]);
        let url = parse_socket_url("/private/ws", "listenKey=abc&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE").unwrap();
        assert_eq!(url.events, ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]);
        for wrong in ["/", "", "/other", "/public", "/fapi/v1/ping", "/wsx"] {
            assert_eq!(parse_socket_url(wrong, ""), None, "{wrong}");
        }
    }

    #[track_caller]
    fn check(name: &str, symbol: Option<&str>, kind: StreamKind) {
        let stream = Stream::parse(name).unwrap();
        assert_eq!((stream.name.as_str(), stream.symbol.as_ref().map(Symbol::as_str), stream.kind), (name, symbol, kind));
    }

    #[test]
    fn reads_stream_names() {
        check("btcusdt@depth", Some("BTCUSDT"), StreamKind::Depth(DepthSpeed::Ms250));
        check("btcusdt@depth@0ms", Some("BTCUSDT"), StreamKind::Depth(DepthSpeed::Ms0));
        check("btcusdt@depth10@500ms", Some("BTCUSDT"), StreamKind::PartialDepth(10, DepthSpeed::Ms500));
        check("ethusdt@kline_1M", Some("ETHUSDT"), StreamKind::Kline(Interval::Month));
        check("ethusdt@markPrice@1s", Some("ETHUSDT"), StreamKind::MarkPrice(Seconds::One));
        check("!markPrice@arr", None, StreamKind::MarkPrice(Seconds::Three));
        check("!bookTicker", None, StreamKind::BookTicker);
        check("btcusdt@forceOrder", Some("BTCUSDT"), StreamKind::Silent);
        check("btcusdt@kline_7m", Some("BTCUSDT"), StreamKind::Silent);
        for wrong in ["", "@depth", "btcusdt@", "pqia91ma19a5s61cv6a81va65sdf19v8a65a1"] {
            assert_eq!(Stream::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn knows_what_belongs_to_which_route() {
        let in_scope = |name: &str, scope| Stream::parse(name).unwrap().is_in(scope);
        assert!(in_scope("btcusdt@depth", Scope::Public) && !in_scope("btcusdt@depth", Scope::Market));
        assert!(in_scope("btcusdt@aggTrade", Scope::Market) && !in_scope("btcusdt@aggTrade", Scope::Public));
        assert!(in_scope("btcusdt@aggTrade", Scope::All) && !in_scope("btcusdt@aggTrade", Scope::Private));
    }

    #[test]
    fn candles_start_where_the_exchange_starts_them() {
        // Wednesday 2024-08-07 13:47:12.345 UTC.
        let at = 1_723_038_432_345;
        assert_eq!(Interval::M5.start_ms(at), 1_723_038_300_000);
        assert_eq!(Interval::D1.start_ms(at), 1_722_988_800_000);
        assert_eq!(Interval::W1.start_ms(at), 1_722_816_000_000, "Monday 5 August");
        assert_eq!(Interval::Month.start_ms(at), 1_722_470_400_000, "1 August");
        assert_eq!(Interval::Month.end_ms(1_722_470_400_000), 1_725_148_800_000, "1 September");
        assert_eq!(Interval::Month.end_ms(1_706_745_600_000), 1_709_251_200_000, "February 2024 has 29 days");
        assert_eq!(Interval::Month.end_ms(1_733_011_200_000), 1_735_689_600_000, "December 2024");
    }

    #[test]
    fn answers_with_the_id_as_it_came() {
        let control = parse_control(r#"{"method":"SUBSCRIBE","params":["btcusdt@depth"],"id":"a-1"}"#).unwrap();
        assert_eq!(control.method, ControlMethod::Subscribe(vec!["btcusdt@depth".to_owned()]));
        assert_eq!(control.done("null"), r#"{"result":null,"id":"a-1"}"#);
        let control = parse_control(r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#).unwrap();
        assert_eq!(control.listed(["a@b"].into_iter()), r#"{"result":["a@b"],"id":3}"#);
    }

    #[test]
    fn refuses_malformed_control_messages() {
        for (text, code) in [
            ("{", 3),
            (r#"{"id":1}"#, 2),
            (r#"{"method":"SUBSCRIBE","id":1}"#, 2),
            (r#"{"method":"SUBSCRIBE","params":[1],"id":1}"#, 2),
            (r#"{"method":"FLY","params":[],"id":1}"#, 2),
            (r#"{"method":"LIST_SUBSCRIPTIONS","id":[]}"#, 2),
        ] {
            let reply: serde_json::Value = serde_json::from_str(&parse_control(text).unwrap_err()).unwrap();
            assert_eq!(reply["error"]["code"], code, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
            let _stream = Stream::parse(&text);
            let _control = parse_control(&text);
            let _url = parse_socket_url(&text, &text);
        }

        #[test]
        fn a_time_lies_in_its_candle(at in 1_000_000_000_000_u64..4_000_000_000_000) {
            for interval in Interval::ALL {
                let start = interval.start_ms(at);
                prop_assert!(start <= at && at < interval.end_ms(start), "{:?}", interval);
                prop_assert_eq!(interval.start_ms(start), start);
            }
        }
    }
}
