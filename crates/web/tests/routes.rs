//! Every route, asked without a socket.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at once")]

mod common;
#[path = "../examples/made_up/mod.rs"]
mod made_up;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use made_up::MadeUp;
use plimsoll_market::Symbol;
use plimsoll_web::dto::{EventDto, FillDto, OrderDto};
use plimsoll_web::{EquityLine, EquityRange, History, HistoryError, Page, PageRequest, Ports, Verb, Web};
use serde_json::Value;
use tower::ServiceExt;

struct Site {
    router: Router,
    market: Arc<MadeUp>,
    token: String,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn site() -> Site {
    let market = common::market();
    let (mut config, token) = common::config();
    config.hosts = vec!["desk.lan".to_owned()];
    let (router, _) = Web::router(&config, market.ports(), &common::ledger()).await.unwrap();
    Site { router, market, token }
}

/// `METHOD PATH` and headers as `name: value` lines.
async fn ask(router: &Router, line: &str, headers: &[(&str, &str)], body: Body) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path).extension(common::near());
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "127.0.0.1:15173");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// Asks and checks the status and, for answers that are no success, the error's word.
///
/// Without an `authorization` of its own, it has the admin token.
async fn check(site: &Site, line: &str, headers: &[(&str, &str)], expected: (u16, &str)) -> Answer {
    let right = format!("Bearer {}", site.token);
    let mut headers = headers.to_vec();
    if !headers.iter().any(|(name, _)| *name == "authorization") {
        headers.push(("authorization", &right));
    }
    let answer = ask(&site.router, line, &headers, Body::empty()).await;
    let shown: String = String::from_utf8_lossy(&answer.body).chars().take(300).collect();
    assert_eq!(answer.status.as_u16(), expected.0, "{line}: {shown}");
    if !answer.status.is_success() && answer.status != StatusCode::NOT_MODIFIED && !expected.1.is_empty() {
        let json = answer.json();
        assert_eq!(json["code"], expected.1, "{line}");
        assert_eq!(
            (answer.header("content-type"), json["status"].as_u64()),
            ("application/problem+json", Some(u64::from(expected.0))),
            "{line}"
        );
        assert_eq!(json["type"], format!("/docs/problems#{}", expected.1), "{line}");
        assert!(!json["detail"].as_str().unwrap().is_empty());
    }
    answer
}

/// Compares with `tests/snapshots/NAME.json`; `PLIMSOLL_UPDATE_SNAPSHOTS=1` writes it instead.
#[track_caller]
fn snapshot(name: &str, value: &Value) {
    let path = format!("{}/tests/snapshots/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var_os("PLIMSOLL_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "{name} differs from its snapshot");
}

#[tokio::test]
async fn answers_have_their_documented_shape() {
    let site = site().await;
    let at = "since=1699999400000&until=1700000000000";
    for (name, path) in [
        ("status", "/api/status".to_owned()),
        ("symbol", "/api/symbols/BTCUSDT".to_owned()),
        ("slots", "/api/symbols/ETHUSDT/slots?limit=2".to_owned()),
        ("orders", "/api/symbols/BTCUSDT/orders?limit=2".to_owned()),
        ("fills", "/api/symbols/BTCUSDT/fills?limit=2".to_owned()),
        ("funding", "/api/symbols/BTCUSDT/funding?limit=2".to_owned()),
        ("pnl", "/api/pnl/daily?from=2023-11-13&to=2023-11-15".to_owned()),
        ("pnl_of_symbol", "/api/symbols/BTCUSDT/pnl/daily?from=2023-11-14&to=2023-11-15".to_owned()),
        ("events", "/api/events?limit=2".to_owned()),
        ("logs", "/api/logs?level=warn&contains=minute&limit=2".to_owned()),
        ("equity", format!("/api/equity?{at}&points=3")),
        ("metrics", "/api/system/metrics/current".to_owned()),
        ("samples", "/api/system/metrics?from=2023-11-14T22:00:00Z&to=2023-11-14T22:01:30Z".to_owned()),
        ("days", "/api/system/metrics/daily?from=2023-11-14&to=2023-11-15".to_owned()),
        ("tasks", "/api/tasks".to_owned()),
        ("pool", "/api/pool".to_owned()),
        ("channels", "/api/alerts/channels".to_owned()),
        ("all_orders", "/api/orders?status=filled&limit=2".to_owned()),
        ("all_fills", "/api/fills?side=sell&limit=2".to_owned()),
        ("candles", "/api/symbols/BTCUSDT/candles?interval=5m&limit=2".to_owned()),
        ("strategies", "/api/strategies".to_owned()),
        ("risk", "/api/risk".to_owned()),
        ("streams", "/api/streams".to_owned()),
        ("rates", "/api/rates".to_owned()),
        ("disk", "/api/disk".to_owned()),
        ("journal", "/api/journal".to_owned()),
    ] {
        let answer = check(&site, &format!("GET {path}"), &[], (200, "")).await;
        assert_eq!(answer.header("content-type"), "application/json", "{name}");
        snapshot(name, &answer.json());
    }
}

#[tokio::test]
async fn status_adds_up() {
    let status = check(&site().await, "GET /api/status", &[], (200, "")).await.json();
    let symbols = status["symbols"].as_array().unwrap();
    assert_eq!(symbols.len(), 2);
    let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let total = &status["totals"]["pnl"][0];
    for key in ["realized", "fees", "funding", "unrealized", "net"] {
        let sum: f64 = symbols.iter().map(|symbol| number(&symbol["pnl"][key])).sum();
        assert!((sum - number(&total[key])).abs() < 1e-6, "{key}");
    }
    let parts = number(&total["realized"]) - number(&total["fees"]) + number(&total["funding"]) + number(&total["unrealized"]);
    assert!((parts - number(&total["net"])).abs() < 1e-6);
    for key in ["orders_working", "orders_placed", "fills"] {
        let sum: u64 = symbols.iter().map(|symbol| symbol[key].as_u64().unwrap()).sum();
        assert_eq!(status["totals"][key], sum, "{key}");
        assert!(sum > 0, "{key}");
    }
}

#[tokio::test]
async fn metrics_carry_the_ten_original_names_and_the_ledger() {
    let site = site().await;
    let metrics = check(&site, "GET /api/system/metrics/current", &[], (200, "")).await.json();
    for name in
        "alloc_mb sys_mb heap_alloc_mb heap_sys_mb heap_inuse_mb heap_idle_mb num_gc next_gc_mb gc_cpu_fraction goroutines".split(' ')
    {
        assert!(metrics[name].is_number(), "{name}");
    }
    let ledger = check(&site, "GET /api/ledger", &[], (200, "")).await.json();
    assert_eq!(ledger["budget_bytes"], metrics["ledger_budget_bytes"]);
    assert!(ledger["lines"].as_array().unwrap().iter().any(|line| line["name"] == "web.live.frames"));
    let text = check(&site, "GET /metrics", &[], (200, "")).await;
    assert_eq!(text.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.body.starts_with(b"# TYPE"));
}

#[tokio::test]
async fn page_limits_hold_on_both_sides() {
    let site = site().await;
    for list in ["symbols/BTCUSDT/slots", "symbols/BTCUSDT/orders", "symbols/BTCUSDT/fills", "symbols/BTCUSDT/funding", "events"] {
        for (query, expected) in [
            ("limit=1", (200, "")),
            ("limit=1000", (200, "")),
            ("limit=0", (400, "bad_query")),
            ("limit=1001", (400, "bad_query")),
            ("limit=-1", (400, "bad_query")),
            ("limit=ten", (400, "bad_query")),
            ("before=x", (400, "bad_query")),
            ("before=18446744073709551616", (400, "bad_query")),
            ("before=18446744073709551615", (200, "")),
        ] {
            check(&site, &format!("GET /api/{list}?{query}"), &[], expected).await;
        }
    }
    let (fits, long) = ("x".repeat(200), "x".repeat(201));
    for (query, expected) in [
        ("limit=1", (200, "")),
        ("limit=1000", (200, "")),
        ("limit=0", (400, "bad_query")),
        ("limit=1001", (400, "bad_query")),
        ("level=trace", (200, "")),
        ("level=fatal", (400, "bad_query")),
        ("level=", (400, "bad_query")),
        (&format!("contains={fits}"), (200, "")),
        (&format!("contains={long}"), (400, "bad_query")),
        ("from=2023-11-07&to=2023-11-14", (200, "")),
        ("from=2023-11-07&to=2023-11-14T00:00:00.001Z", (400, "bad_query")),
        ("from=2023-11-14&to=2023-11-14", (400, "bad_query")),
        ("from=yesterday", (400, "bad_query")),
        ("before=x", (400, "bad_query")),
        ("before=", (400, "bad_query")),
    ] {
        check(&site, &format!("GET /api/logs?{query}"), &[], expected).await;
    }
    for (query, expected) in [
        ("points=2", (200, "")),
        ("points=10000", (200, "")),
        ("points=1", (400, "bad_query")),
        ("points=10001", (400, "bad_query")),
        ("since=2000&until=1000", (400, "bad_query")),
        ("since=0&until=31536000000", (200, "")),
        ("since=0&until=31536000001", (400, "bad_query")),
        ("until=18446744073709551615", (400, "bad_query")),
    ] {
        check(&site, &format!("GET /api/equity?{query}"), &[], expected).await;
    }
}

#[tokio::test]
async fn rows_of_all_symbols_are_filtered_and_sent_as_csv() {
    let site = site().await;
    for (query, expected) in [
        ("", 200),
        ("symbol=BTCUSDT&side=buy&since=2023-11-01&until=2023-12-01", 200),
        ("symbol=a b".replace(' ', "%20").as_str(), 400),
        ("side=long", 400),
        ("since=2&until=1", 400),
        ("since=yesterday", 400),
        ("limit=1001", 400),
        ("before=x", 400),
    ] {
        for list in ["orders", "fills"] {
            check(&site, &format!("GET /api/{list}?{query}"), &[], (expected, if expected == 200 { "" } else { "bad_query" })).await;
        }
    }
    check(&site, "GET /api/orders?status=gone", &[], (400, "bad_query")).await;
    check(&site, "GET /api/fills?status=new", &[], (400, "bad_query")).await;
    let csv = check(&site, "GET /api/fills?symbol=ETHUSDT&limit=3", &[("accept", "text/csv")], (200, "")).await;
    assert_eq!((csv.header("content-type"), csv.header("x-next")), ("text/csv; charset=utf-8", "3"));
    let text = String::from_utf8(csv.body).unwrap();
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert!(lines[0].starts_with("time_ms,symbol,trade_id,") && lines.len() == 5 && lines[4].is_empty(), "{text}");
    let rows = check(&site, "GET /api/fills?symbol=ETHUSDT&limit=3", &[], (200, "")).await.json();
    for (line, row) in lines[1..4].iter().zip(rows["items"].as_array().unwrap()) {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(fields.len(), lines[0].split(',').count());
        assert_eq!((fields[1], Some(fields[2]), Some(fields[11])), ("ETHUSDT", row["trade_id"].as_str(), row["fee"]["amount"].as_str()));
    }
    for (query, expected) in [("interval=1d&limit=1000", 200), ("interval=2m", 400), ("limit=0", 400), ("limit=1001", 400)] {
        let path = format!("GET /api/symbols/BTCUSDT/candles?{query}");
        check(&site, &path, &[], (expected, if expected == 200 { "" } else { "bad_query" })).await;
    }
}

#[tokio::test]
async fn pages_join_without_gap_or_overlap() {
    let site = site().await;
    for list in [
        "symbols/BTCUSDT/orders",
        "symbols/BTCUSDT/fills",
        "symbols/BTCUSDT/funding",
        "symbols/BTCUSDT/slots",
        "events",
        "logs",
        "orders",
        "fills",
    ] {
        // Half a day of the log is less than it gives at once.
        let of = if list == "logs" { "&from=2023-11-14T12:00:00Z&to=2023-11-15" } else { "" };
        let all = check(&site, &format!("GET /api/{list}?limit=1000{of}"), &[], (200, "")).await.json();
        assert_eq!(all["next"], Value::Null, "{list}");
        let all = all["items"].as_array().unwrap().clone();
        assert!(all.len() > 3, "{list} has {}", all.len());
        let (mut joined, mut before) = (Vec::new(), String::new());
        loop {
            let page = check(&site, &format!("GET /api/{list}?limit=3{of}{before}"), &[], (200, "")).await.json();
            joined.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => before = format!("&before={next}"),
                None => break,
            }
        }
        assert_eq!(joined, all, "{list}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_json() {
    let site = site().await;
    for (line, expected) in [
        ("GET /api/events?limit=1&limit=2", (400, "bad_query")),
        ("GET /api/symbols/%FF/slots", (404, "not_found")),
        ("GET /api/symbols/DOGEUSDT", (404, "unknown_symbol")),
        ("GET /api/symbols/DOGEUSDT/fills", (404, "unknown_symbol")),
        ("GET /api/symbols/a%20b", (404, "unknown_symbol")),
        ("GET /api/nothing", (404, "not_found")),
        ("GET /nothing.js", (404, "not_found")),
        ("GET /../Cargo.toml", (404, "not_found")),
        ("POST /api/status", (405, "wrong_method")),
        ("GET /api/control/pause", (405, "wrong_method")),
        ("PUT /", (405, "wrong_method")),
        ("GET /ws", (426, "websocket_needed")),
        ("GET /ws/logs", (426, "websocket_needed")),
    ] {
        let answer = check(&site, line, &[], expected).await;
        assert!(answer.json()["hint"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn commands_need_the_token() {
    let site = site().await;
    let right = format!("Bearer {}", site.token);
    let wrong = format!("Bearer {}x", site.token);
    for (authorization, code) in
        [("", "login_needed"), (wrong.as_str(), "wrong_token"), (&site.token, "login_needed"), ("Basic cGxpbXNvbGw6", "login_needed")]
    {
        let answer = check(&site, "POST /api/control/pause", &[("authorization", authorization)], (401, code)).await;
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
    assert!(site.market.commands().is_empty());

    let auth = [("authorization", right.as_str())];
    let done = check(&site, "POST /api/control/pause", &auth, (200, "")).await.json();
    assert_eq!(done["symbols"], serde_json::json!(["BTCUSDT", "ETHUSDT"]));
    let eth = Symbol::new("ETHUSDT").unwrap();
    for verb in Verb::ALL {
        let expected = if verb.command().is_none() { (400, "refused") } else { (200, "") };
        check(&site, &format!("POST /api/symbols/ETHUSDT/control/{}", verb.as_str()), &auth, expected).await;
    }
    check(&site, "POST /api/control/stop", &auth, (200, "")).await;
    check(&site, "POST /api/control/restart", &auth, (200, "")).await;
    check(&site, "POST /api/control/explode", &auth, (404, "unknown_verb")).await;
    check(&site, "POST /api/symbols/DOGEUSDT/control/pause", &auth, (404, "unknown_symbol")).await;
    let one = |verb| (Some(eth), verb);
    assert_eq!(
        site.market.commands(),
        [
            (None, Verb::Pause),
            one(Verb::Pause),
            one(Verb::Resume),
            one(Verb::Drain),
            one(Verb::Rearm),
            one(Verb::CancelAll),
            one(Verb::Flatten),
            one(Verb::CleanupSlots),
            one(Verb::Resync),
            (None, Verb::Stop),
            (None, Verb::Restart)
        ]
    );
}

#[tokio::test]
async fn commands_of_other_sites_are_refused_even_with_the_token() {
    let site = site().await;
    let auth = format!("Bearer {}", site.token);
    for (name, value, expected) in [
        ("origin", "http://evil.example", (403, "cross_origin")),
        ("origin", "null", (403, "cross_origin")),
        ("origin", "http://127.0.0.1:9999", (403, "cross_origin")),
        ("sec-fetch-site", "cross-site", (403, "cross_origin")),
        ("sec-fetch-site", "same-site", (403, "cross_origin")),
        ("origin", "http://127.0.0.1:15173", (200, "")),
        ("sec-fetch-site", "same-origin", (200, "")),
        ("sec-fetch-site", "none", (200, "")),
    ] {
        let headers = [("authorization", auth.as_str()), (name, value)];
        check(&site, "POST /api/control/resync", &headers, expected).await;
    }
    // Nor may their pages listen.
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("origin", "http://evil.example"),
    ];
    check(&site, "GET /ws", &upgrade, (403, "cross_origin")).await;
    check(&site, "GET /ws/logs", &upgrade, (403, "cross_origin")).await;
}

#[tokio::test]
async fn other_names_for_this_server_are_refused() {
    let site = site().await;
    for (host, expected) in [
        ("localhost:15173", (200, "")),
        ("LOCALHOST", (200, "")),
        ("[::1]:15173", (200, "")),
        ("desk.lan:15173", (200, "")),
        ("evil.example", (421, "unknown_host")),
        ("evil.example:15173", (421, "unknown_host")),
        ("127.0.0.1.evil.example", (421, "unknown_host")),
        ("localhost@evil.example", (421, "unknown_host")),
        ("", (421, "unknown_host")),
    ] {
        for path in ["/", "/api/status", "/metrics"] {
            check(&site, &format!("GET {path}"), &[("host", host)], expected).await;
        }
        check(&site, "GET /livez", &[("host", host)], (200, "")).await;
    }
}

#[tokio::test]
async fn bodies_have_a_limit_declared_or_not() {
    let site = site().await;
    let auth = format!("Bearer {}", site.token);
    let headers = [("authorization", auth.as_str())];
    for (bytes, expected) in [(0, 200), (4_096, 200), (4_097, 413), (10_000_000, 413)] {
        // `content-length` set by hand, and a stream that does not tell.
        let length = bytes.to_string();
        let declared = [headers[0], ("content-length", length.as_str())];
        let answer = ask(&site.router, "POST /api/control/resync", &declared, Body::from(vec![b' '; bytes])).await;
        assert_eq!(answer.status, expected, "{bytes} declared");
        let pieces = vec![Ok::<_, std::convert::Infallible>(vec![b' '; 1_000]); bytes.div_ceil(1_000).min(50)];
        if bytes != 4_096 && bytes != 4_097 {
            let body = Body::from_stream(futures_util::stream::iter(pieces));
            let answer = ask(&site.router, "POST /api/control/resync", &headers, body).await;
            assert_eq!(answer.status, expected, "{bytes} in pieces");
        }
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let site = site().await;
    for line in ["GET /", "GET /api/status", "GET /nothing", "POST /api/control/pause", "GET /metrics"] {
        let answer = ask(&site.router, line, &[], Body::empty()).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{line}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{line}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{line}");
        assert!(!answer.header("cache-control").is_empty(), "{line}");
        assert!(answer.header("access-control-allow-origin").is_empty(), "{line}");
    }
}

#[tokio::test]
async fn dashboard_is_embedded_cached_and_whole() {
    let site = site().await;
    let page = check(&site, "GET /", &[], (200, "")).await;
    assert!(page.header("content-type").starts_with("text/html"));
    assert_eq!(page.header("cache-control"), "no-cache");
    let tag = page.header("etag").to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let again = check(&site, "GET /", &[("if-none-match", &known)], (304, "")).await;
        assert!(again.body.is_empty());
    }
    check(&site, "GET /", &[("if-none-match", "\"other\"")], (200, "")).await;

    let html = String::from_utf8(page.body).unwrap();
    let files: Vec<&str> = html.split(['"']).filter(|part| part.starts_with("./")).map(|part| part.trim_start_matches('.')).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let answer = check(&site, &format!("GET {file}"), &[], (200, "")).await;
        assert!(answer.body.len() > 100, "{file}");
        assert!(!file.starts_with("/assets/") || answer.header("cache-control").contains("immutable"), "{file}");
        let text = String::from_utf8(answer.body).unwrap();
        // Names of formats, and where the framework explains its errors: nothing that is asked for.
        let outside = text.replace("http://www.w3.org/", "").replace("https://svelte.dev/e/", "");
        assert!(!outside.contains("http://") && !outside.contains("https://"), "{file} names another host");
    }
}

#[tokio::test]
async fn dashboard_stays_small() {
    fn bytes(folder: &std::path::Path) -> u64 {
        let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        entries.map(|entry| if entry.path().is_dir() { bytes(&entry.path()) } else { entry.metadata().unwrap().len() }).sum()
    }
    let total = bytes(concat!(env!("CARGO_MANIFEST_DIR"), "/dist").as_ref());
    // Of all pages together; the first view is under 300 kB, which the browser's test measures.
    assert!((10_000..650_000).contains(&total), "dist has {total} bytes");
}

#[tokio::test]
async fn readiness_says_why_not() {
    let site = site().await;
    check(&site, "GET /readyz", &[], (200, "")).await;
    site.market.set_links(false);
    let answer = check(&site, "GET /readyz", &[], (503, "")).await.json();
    assert_eq!(answer, serde_json::json!({"ok": false, "reasons": ["the market feed is down"]}));
    check(&site, "GET /livez", &[], (200, "")).await;
}

/// A storage in its worst hour.
struct Broken;

#[async_trait]
impl History for Broken {
    async fn orders(&self, _: &Symbol, _: PageRequest) -> Result<Page<OrderDto>, HistoryError> {
        panic!("a bug in the storage")
    }

    async fn fills(&self, _: &Symbol, _: PageRequest) -> Result<Page<FillDto>, HistoryError> {
        Err(HistoryError::Unavailable { reason: "disk full".to_owned() })
    }

    async fn events(&self, _: PageRequest) -> Result<Page<EventDto>, HistoryError> {
        std::future::pending().await
    }

    async fn equity(&self, _: EquityRange) -> Result<EquityLine, HistoryError> {
        Err(HistoryError::Refused { reason: "no such range".to_owned() })
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_storage_breaks_only_its_own_answers() {
    let market = common::market();
    let ports = Ports { history: Arc::new(Broken), ..market.ports() };
    let (config, token) = common::config();
    let (router, _) = Web::router(&config, ports, &common::ledger()).await.unwrap();
    let site = Site { router, market, token };
    check(&site, "GET /api/symbols/BTCUSDT/orders", &[], (500, "internal")).await;
    let answer = check(&site, "GET /api/symbols/BTCUSDT/fills", &[], (503, "history_unavailable")).await;
    assert_eq!(answer.header("retry-after"), "2");
    check(&site, "GET /api/equity", &[], (400, "bad_query")).await;
    let began = tokio::time::Instant::now();
    check(&site, "GET /api/events", &[], (504, "timeout")).await;
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    check(&site, "GET /api/status", &[], (200, "")).await;
}

#[tokio::test]
async fn a_large_page_waits_until_the_one_before_has_left() {
    let site = site().await;
    let token = format!("Bearer {}", site.token);
    let request = |path: &str| {
        let request = Request::get(path).header("host", "localhost").header("authorization", &token);
        request.extension(common::near()).body(Body::empty()).unwrap()
    };
    let first = site.router.clone().oneshot(request("/api/symbols/BTCUSDT/orders?limit=51")).await.unwrap();
    let mut second = Box::pin(site.router.clone().oneshot(request("/api/symbols/BTCUSDT/orders?limit=51")));
    let waited = tokio::time::timeout(Duration::from_millis(50), &mut second).await;
    assert!(waited.is_err(), "the second page was made while the first was still being sent");
    check(&site, "GET /api/symbols/BTCUSDT/orders?limit=50", &[], (200, "")).await;
    drop(first);
    assert_eq!(second.await.unwrap().status(), 200);
}

#[tokio::test]
async fn figures_out_of_range_are_refused_by_name() {
    for (change, key) in [
        (Box::new(|config: &mut plimsoll_web::WebConfig| config.connections = 3) as Box<dyn Fn(&mut _)>, "web.connections is 3"),
        (Box::new(|config: &mut plimsoll_web::WebConfig| config.connections = 1_025), "web.connections is 1025"),
        (Box::new(|config: &mut plimsoll_web::WebConfig| config.subscribers = 0), "web.subscribers is 0"),
        (Box::new(|config: &mut plimsoll_web::WebConfig| config.subscribers = 101), "web.subscribers is 101"),
        (Box::new(|config: &mut plimsoll_web::WebConfig| config.hosts = vec!["http://x/".to_owned()]), "web.hosts is http://x/"),
        (Box::new(|config: &mut plimsoll_web::WebConfig| config.hosts = vec!["x".to_owned(); 17]), "web.hosts is 17 names"),
    ] {
        let (mut config, _) = common::config();
        change(&mut config);
        let error = Web::router(&config, common::market().ports(), &common::ledger()).await.unwrap_err();
        assert!(error.to_string().starts_with(key), "{error}");
    }
}
