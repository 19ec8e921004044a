//! Routes about the process itself, and profiles.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at once")]

mod common;
#[path = "../examples/made_up/mod.rs"]
mod made_up;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use plimsoll_bounded::{Class, Ledger, TaskStatus, WhenFull};
use plimsoll_market::{Symbol, Time};
use plimsoll_web::dto::{ChannelDto, EventDto, FillDto, OrderDto, PnlDayDto, SystemDayDto, SystemPointDto};
use plimsoll_web::limits::{PROFILE_BYTES_MAX, TASKS_MAX};
use plimsoll_web::{
    DaysRange, EquityLine, EquityRange, Health, History, HistoryError, Page, PageRequest, Ports, ProfileRefused, Profiler, Source,
    SymbolNow, System, SystemMetrics, SystemRange, Web,
};
use serde_json::{Value, json};
use tower::ServiceExt;

const NOW_MS: u64 = 1_700_000_000_000;
const DAY_MS: u64 = 86_400_000;

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

/// A site, and its admin token. `change` replaces ports.
async fn site(pprof: bool, change: impl FnOnce(&mut Ports)) -> (Router, String) {
    let (mut config, token) = common::config();
    config.pprof = pprof;
    let mut ports = common::market().ports();
    change(&mut ports);
    let (router, _) = Web::router(&config, ports, &Ledger::with_lines(100_000_000, 64)).await.unwrap();
    let right = http::HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    // Profiles are about who may have them; for all else it is enough that somebody may.
    let known = axum::middleware::map_request(move |mut request: Request<Body>| {
        let right = right.clone();
        async move {
            if !request.uri().path().starts_with("/debug/") {
                request.headers_mut().insert("authorization", right);
            }
            request
        }
    });
    (router.layer(known), token)
}

async fn ask(router: &Router, path: &str, token: Option<&str>) -> Answer {
    let mut request = Request::get(path).header("host", "localhost");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// Asks and checks the status and, for answers that are no success, the error's word.
async fn check(router: &Router, path: &str, token: Option<&str>, expected: (u16, &str)) -> Answer {
    let answer = ask(router, path, token).await;
    let shown: String = String::from_utf8_lossy(&answer.body).chars().take(300).collect();
    assert_eq!(answer.status.as_u16(), expected.0, "{path}: {shown}");
    if !answer.status.is_success() {
        assert_eq!(answer.json()["code"], expected.1, "{path}");
    }
    answer
}

#[tokio::test]
async fn samples_are_asked_for_by_instants_of_either_kind() {
    let (router, _) = site(false, |_| {}).await;
    let all = check(&router, "/api/system/metrics", None, (200, "")).await.json();
    assert_eq!((all["from_ms"].as_u64(), all["to_ms"].as_u64()), (Some(NOW_MS - DAY_MS), Some(NOW_MS)), "a day unless told");
    let points = all["points"].as_array().unwrap();
    assert!(points.len() <= 500 && points.len() > 100, "{}", points.len());

    let hour = check(&router, "/api/system/metrics?from=2023-11-14T21:13:20Z&to=1700000000000", None, (200, "")).await.json();
    assert_eq!((hour["from_ms"].as_u64(), hour["to_ms"].as_u64()), (Some(NOW_MS - 3_600_000), Some(NOW_MS)));
    let points = hour["points"].as_array().unwrap();
    assert_eq!(points.len(), 60);
    let point = &points[0];
    assert_eq!((&point["cpu_cores"], &point["tasks"], &point["pressure_rung"]), (&json!(0.031), &json!(24), &json!(0)));
    assert_eq!(point["open_files"], Value::Null, "what is not known is null");
    let offset = "/api/system/metrics?from=2023-11-14T22:13:20%2B01:00&to=2023-11-14T23:13:20+01:00";
    assert_eq!(check(&router, offset, None, (200, "")).await.json(), hour);
}

#[tokio::test]
async fn ranges_and_points_of_samples_have_limits() {
    let (router, _) = site(false, |_| {}).await;
    let week = 7 * DAY_MS;
    for (query, expected) in [
        ("points=8".to_owned(), (200, "")),
        ("points=10000".to_owned(), (200, "")),
        ("points=7".to_owned(), (400, "bad_query")),
        ("points=10001".to_owned(), (400, "bad_query")),
        ("points=many".to_owned(), (400, "bad_query")),
        (format!("from=0&to={week}"), (200, "")),
        (format!("from=0&to={}", week + 1), (400, "bad_query")),
        ("from=2000&to=1000".to_owned(), (400, "bad_query")),
        ("from=1000&to=1000".to_owned(), (400, "bad_query")),
        ("from=yesterday".to_owned(), (400, "bad_query")),
        ("to=2023-02-30".to_owned(), (400, "bad_query")),
        ("to=18446744073709551615".to_owned(), (400, "bad_query")),
        ("from=-5".to_owned(), (400, "bad_query")),
        ("from=".to_owned(), (400, "bad_query")),
        (format!("from={}", NOW_MS + 1), (400, "bad_query")),
    ] {
        let answer = check(&router, &format!("/api/system/metrics?{query}"), None, expected).await;
        if expected.0 != 200 {
            assert!(answer.json()["hint"].is_string(), "{query}");
        }
    }
}

#[tokio::test]
async fn days_go_back_a_year() {
    let (router, _) = site(false, |_| {}).await;
    let default = check(&router, "/api/system/metrics/daily", None, (200, "")).await.json();
    assert_eq!(default["to_ms"].as_u64().unwrap() - default["from_ms"].as_u64().unwrap(), 90 * DAY_MS);
    let two = check(&router, "/api/system/metrics/daily?from=2023-11-10&to=2023-11-12", None, (200, "")).await.json();
    let day = json!({
        "day_ms": 1_699_574_400_000_u64,
        "samples": 1_440,
        "rss_bytes": {"min": 27_400_000, "avg": 27_990_000, "max": 28_580_000},
        "cpu_cores": {"min": 0.01, "avg": 0.031, "max": 0.2},
        "tasks": null,
        "allocated_bytes": {"min": 14_200_000, "avg": 14_790_000, "max": 15_380_000},
    });
    assert_eq!((two["days"].as_array().unwrap().len(), &two["days"][0]), (2, &day));
    let year = 365 * DAY_MS;
    let pnl = ["/api/pnl/daily", "/api/symbols/BTCUSDT/pnl/daily"];
    for (query, expected) in [
        (format!("from=0&to={year}"), (200, "")),
        (format!("from=0&to={}", year + 1), (400, "bad_query")),
        ("from=2023-11-12&to=2023-11-10".to_owned(), (400, "bad_query")),
        ("to=soon".to_owned(), (400, "bad_query")),
        ("points=10".to_owned(), (400, "bad_query")),
    ] {
        for path in pnl.into_iter().chain(["/api/system/metrics/daily"]) {
            check(&router, &format!("{path}?{query}"), None, expected).await;
        }
    }
}

#[tokio::test]
async fn tasks_that_need_attention_come_first() {
    let (router, _) = site(false, |_| {}).await;
    let answer = check(&router, "/api/tasks", None, (200, "")).await.json();
    assert_eq!((&answer["live"], &answer["overdue"], &answer["left_out"]), (&json!(2), &json!(1), &json!(0)));
    let names: Vec<_> = answer["tasks"].as_array().unwrap().iter().map(|task| task["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["gateway/market", "engine/BTCUSDT", "download"]);
    assert_eq!(
        answer["tasks"][0],
        json!({
            "name": "gateway/market", "group": "gateway", "owner": "app", "state": "running", "age_ms": 600_000, "quiet_ms": 90_000,
            "beats": 120, "overdue": true, "restarts": 1, "exit": null, "last_failure": "failed: socket closed",
        })
    );
    assert_eq!((&answer["tasks"][2]["state"], &answer["tasks"][2]["exit"]), (&json!("ended"), &json!("finished")));
}

#[tokio::test]
async fn connections_and_channels_are_shown() {
    let (router, _) = site(false, |_| {}).await;
    let pool = check(&router, "/api/pool", None, (200, "")).await.json();
    assert_eq!((&pool["max"], &pool["in_use"], &pool["healthy"], &pool["failing"]), (&json!(3), &json!(1), &json!(true), &Value::Null));
    assert_eq!(pool["held"], json!([{"holder": "storage.read_equity", "held_ms": 31_000, "too_long": true}]));
    let channels = check(&router, "/api/alerts/channels", None, (200, "")).await.json();
    let channels = channels["channels"].as_array().unwrap();
    assert_eq!((channels.len(), &channels[0]["up"], &channels[1]["up"]), (2, &json!(true), &json!(false)));
    assert_eq!((&channels[1]["kind"], &channels[1]["last_error"]), (&json!("telegram"), &json!("the service answered 429")));
}

#[tokio::test]
async fn current_figures_tell_of_pressure_and_leaks() {
    let (router, _) = site(false, |ports| ports.source = Arc::new(crowded())).await;
    let metrics = check(&router, "/api/system/metrics/current", None, (200, "")).await.json();
    assert_eq!((&metrics["pressure_rung"], &metrics["pressure_word"]), (&json!(3), &json!("stop_opening")));
    assert_eq!((&metrics["memory_limit_bytes"], &metrics["memory_limiter"]), (&json!(1_000), &json!("cgroup")));
    assert_eq!((&metrics["memory_used_ratio"], &metrics["memory_pressure"]), (&json!(0.9), &json!(0.25)));
    assert_eq!((&metrics["purges"], &metrics["num_gc"], &metrics["cleanups"]), (&json!(7), &json!(7), &json!(2)));
    assert_eq!(metrics["leak_slope_bytes_per_hour"], json!(1.5));
    let suspects = metrics["leak_suspects"].as_array().unwrap();
    assert_eq!(suspects.len(), 8, "of a hundred");
    assert!(suspects.iter().all(|who| who.as_str().unwrap().chars().count() == 128), "cut, also between wide characters");

    let (router, _) = site(false, |ports| ports.source = Arc::new(Told::default())).await;
    let metrics = check(&router, "/api/system/metrics/current", None, (200, "")).await.json();
    assert_eq!(
        (&metrics["pressure_word"], &metrics["memory_limiter"], &metrics["leak_suspects"]),
        (&json!("unknown"), &Value::Null, &json!([]))
    );
}

/// A process of which just so much is known.
#[derive(Default)]
struct Told {
    metrics: SystemMetrics,
    tasks: Option<Vec<TaskStatus>>,
    channels: Option<Vec<ChannelDto>>,
}

/// A process with far more of everything than is shown.
fn crowded() -> Told {
    let few = common::market().ports().source.tasks().unwrap();
    let metrics = SystemMetrics {
        purges: 7,
        cleanups: 2,
        memory_pressure: Some(0.25),
        pressure_rung: 3,
        pressure_word: "stop_opening",
        memory_limit_bytes: Some(1_000),
        memory_limiter: Some("cgroup"),
        memory_used_ratio: Some(0.9),
        leak_suspects: vec!["币".repeat(1_000); 100],
        leak_slope_bytes_per_hour: Some(1.5),
        ..SystemMetrics::default()
    };
    let tasks = Some(few.into_iter().cycle().take(TASKS_MAX + 7).collect());
    Told { metrics, tasks, channels: Some(vec![ChannelDto::default(); 1_000]) }
}

impl Source for Told {
    fn now(&self) -> Time {
        Time::from_millis(NOW_MS)
    }

    fn system(&self) -> System {
        common::market().ports().source.system()
    }

    fn symbols(&self) -> Vec<Arc<SymbolNow>> {
        Vec::new()
    }

    fn symbol(&self, _: &Symbol) -> Option<Arc<SymbolNow>> {
        None
    }

    fn fills(&self, _: &Symbol) -> Vec<FillDto> {
        Vec::new()
    }

    fn metrics(&self) -> SystemMetrics {
        self.metrics.clone()
    }

    fn tasks(&self) -> Option<Vec<TaskStatus>> {
        self.tasks.clone()
    }

    fn channels(&self) -> Option<Vec<ChannelDto>> {
        self.channels.clone()
    }

    fn health(&self) -> Health {
        Health { dead: Vec::new(), unready: Vec::new() }
    }

    fn prometheus(&self) -> String {
        String::new()
    }
}

/// A storage that gives more than was asked for.
struct Generous;

#[async_trait]
impl History for Generous {
    async fn orders(&self, _: &Symbol, _: PageRequest) -> Result<Page<OrderDto>, HistoryError> {
        unreachable!()
    }

    async fn fills(&self, _: &Symbol, _: PageRequest) -> Result<Page<FillDto>, HistoryError> {
        unreachable!()
    }

    async fn events(&self, _: PageRequest) -> Result<Page<EventDto>, HistoryError> {
        unreachable!()
    }

    async fn equity(&self, _: EquityRange) -> Result<EquityLine, HistoryError> {
        unreachable!()
    }

    async fn system(&self, range: SystemRange) -> Result<Vec<SystemPointDto>, HistoryError> {
        Ok(vec![SystemPointDto::default(); range.points + 1])
    }

    async fn system_daily(&self, _: DaysRange) -> Result<Vec<SystemDayDto>, HistoryError> {
        let day = SystemDayDto { day_ms: 0, samples: 0, rss_bytes: None, cpu_cores: None, tasks: None, allocated_bytes: None };
        Ok(vec![day; 1_000])
    }

    async fn pnl_daily(&self, _: Option<&Symbol>, _: DaysRange) -> Result<Vec<PnlDayDto>, HistoryError> {
        let zero = || plimsoll_web::money(0);
        let day = PnlDayDto {
            day_ms: 0,
            asset: "USDT".to_owned(),
            net: zero(),
            realized: zero(),
            slot_realized: zero(),
            fees: zero(),
            funding: zero(),
            turnover: zero(),
            fills: 0,
            wins: 0,
            losses: 0,
            other_fees: 0,
        };
        Ok(vec![day; 2_000])
    }
}

#[tokio::test]
async fn more_than_can_be_shown_is_cut() {
    let (router, _) = site(false, |ports| (ports.source, ports.history) = (Arc::new(crowded()), Arc::new(Generous))).await;
    let length = async |path: &str, list: &str| check(&router, path, None, (200, "")).await.json()[list].as_array().unwrap().len();
    assert_eq!(length("/api/system/metrics?points=9", "points").await, 9);
    assert_eq!(length("/api/system/metrics/daily", "days").await, 366);
    assert_eq!(length("/api/pnl/daily", "days").await, 1_000);
    assert_eq!(length("/api/alerts/channels", "channels").await, 32);
    let tasks = check(&router, "/api/tasks", None, (200, "")).await.json();
    assert_eq!((tasks["tasks"].as_array().unwrap().len(), &tasks["left_out"]), (TASKS_MAX, &json!(7)));
    assert_eq!(tasks["overdue"], json!(669), "counted before it is cut");
    check(&router, "/api/pool", None, (503, "unavailable")).await;
}

#[tokio::test]
async fn what_is_not_known_yet_is_said() {
    /// Stored nothing of what was added later.
    struct Old;

    #[async_trait]
    impl History for Old {
        async fn orders(&self, _: &Symbol, _: PageRequest) -> Result<Page<OrderDto>, HistoryError> {
            unreachable!()
        }

        async fn fills(&self, _: &Symbol, _: PageRequest) -> Result<Page<FillDto>, HistoryError> {
            unreachable!()
        }

        async fn events(&self, _: PageRequest) -> Result<Page<EventDto>, HistoryError> {
            unreachable!()
        }

        async fn equity(&self, _: EquityRange) -> Result<EquityLine, HistoryError> {
            unreachable!()
        }
    }

    let (router, _) = site(false, |ports| (ports.source, ports.history) = (Arc::new(Told::default()), Arc::new(Old))).await;
    for path in ["/api/tasks", "/api/pool", "/api/alerts/channels"] {
        let answer = check(&router, path, None, (503, "unavailable")).await;
        assert_eq!(answer.header("retry-after"), "2", "{path}");
    }
    for path in ["/api/system/metrics", "/api/system/metrics/daily"] {
        check(&router, path, None, (503, "history_unavailable")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn profiles_are_there_only_when_enabled_and_only_with_the_token() {
    let (off, token) = site(false, |_| {}).await;
    for path in ["/debug/pprof/heap", "/debug/pprof/profile", "/debug/pprof/profile?seconds=1", "/debug/pprof/"] {
        check(&off, path, Some(&token), (404, "not_found")).await;
        let unknown = if path.ends_with('/') { (404, "not_found") } else { (401, "login_needed") };
        check(&off, path, None, unknown).await;
    }
    let (router, token) = site(true, |_| {}).await;
    let wrong = format!("{token}x");
    for path in ["/debug/pprof/heap", "/debug/pprof/profile?seconds=1", "/debug/pprof/profile?seconds=nonsense"] {
        let answer = check(&router, path, None, (401, "login_needed")).await;
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
        check(&router, path, Some(&wrong), (401, "wrong_token")).await;
    }
    let began = tokio::time::Instant::now();
    for (path, body, name, seconds) in [
        ("/debug/pprof/heap", "a made-up heap profile", "heap", 0),
        ("/debug/pprof/profile", "a made-up profile of 10 s", "cpu", 10),
        ("/debug/pprof/profile?seconds=1", "a made-up profile of 1 s", "cpu", 11),
        ("/debug/pprof/profile?seconds=60", "a made-up profile of 60 s", "cpu", 71),
    ] {
        let answer = check(&router, path, Some(&token), (200, "")).await;
        assert_eq!(answer.body, body.as_bytes());
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"plimsoll-{name}-1700000000.pb.gz\""));
        assert_eq!(answer.header("content-length"), body.len().to_string());
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(began.elapsed().as_secs(), seconds, "longer than other requests may take");
    }
    for seconds in ["0", "61", "-1", "1.5", "", "18446744073709551616"] {
        check(&router, &format!("/debug/pprof/profile?seconds={seconds}"), Some(&token), (400, "bad_query")).await;
    }
}

/// Takes as long, and as much, as it is told.
#[derive(Default)]
struct Stubborn {
    bytes: usize,
    asked: AtomicUsize,
}

#[async_trait]
impl Profiler for Stubborn {
    async fn heap(&self) -> Result<Vec<u8>, ProfileRefused> {
        self.asked.fetch_add(1, Relaxed);
        match self.bytes {
            0 => std::future::pending().await,
            1 => Err(ProfileRefused::Failed("this build has no jemalloc".to_owned())),
            2 => Err(ProfileRefused::Busy),
            bytes => Ok(vec![0; bytes]),
        }
    }

    async fn cpu(&self, _: Duration) -> Result<Vec<u8>, ProfileRefused> {
        self.heap().await
    }
}

async fn stubborn(bytes: usize) -> (Router, String, Arc<Stubborn>) {
    let profiler = Arc::new(Stubborn { bytes, ..Stubborn::default() });
    let (router, token) = site(true, |ports| ports.profiler = profiler.clone()).await;
    (router, token, profiler)
}

#[tokio::test(start_paused = true)]
async fn one_profile_is_taken_at_a_time() {
    let (router, token, profiler) = stubborn(0).await;
    let (one, other) = (router.clone(), token.clone());
    let mut first = Box::pin(async move { check(&one, "/debug/pprof/heap", Some(&other), (504, "timeout")).await });
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut first).await.is_err(), "it takes its time");
    for path in ["/debug/pprof/heap", "/debug/pprof/profile?seconds=5"] {
        let answer = check(&router, path, Some(&token), (429, "profile_running")).await;
        assert!(answer.json()["hint"].is_string());
    }
    check(&router, "/debug/pprof/heap", None, (401, "login_needed")).await;
    assert_eq!(profiler.asked.load(Relaxed), 1);
    // Who goes away makes room.
    drop(first);
    let again = tokio::time::timeout(Duration::from_secs(1), ask(&router, "/debug/pprof/heap", Some(&token))).await;
    assert!(again.is_err() && profiler.asked.load(Relaxed) == 2);
    // What never ends is given up, and makes room as well.
    let began = tokio::time::Instant::now();
    check(&router, "/debug/pprof/heap", Some(&token), (504, "timeout")).await;
    assert_eq!(began.elapsed(), Duration::from_secs(150));
    assert_eq!(profiler.asked.load(Relaxed), 3);
}

#[tokio::test]
async fn a_profile_counts_as_taken_until_its_last_byte_has_left() {
    let (router, token, _) = stubborn(PROFILE_BYTES_MAX).await;
    let request = || {
        let request = Request::get("/debug/pprof/heap").header("host", "localhost").header("authorization", format!("Bearer {token}"));
        router.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    let first = request().await.unwrap();
    assert_eq!(first.status(), 200);
    assert_eq!(request().await.unwrap().status(), 429);
    let body = axum::body::to_bytes(first.into_body(), PROFILE_BYTES_MAX).await.unwrap();
    assert_eq!(body.len(), PROFILE_BYTES_MAX);
    assert_eq!(request().await.unwrap().status(), 200);
}

#[tokio::test]
async fn profiles_that_fail_or_are_too_large_are_refused_with_words() {
    let (router, token, _) = stubborn(PROFILE_BYTES_MAX + 1).await;
    let answer = check(&router, "/debug/pprof/heap", Some(&token), (500, "profile_too_large")).await;
    assert!(answer.json()["detail"].as_str().unwrap().contains(&(PROFILE_BYTES_MAX + 1).to_string()));
    // It was given back at once.
    check(&router, "/debug/pprof/profile?seconds=1", Some(&token), (500, "profile_too_large")).await;
    let (router, token, _) = stubborn(1).await;
    let answer = check(&router, "/debug/pprof/heap", Some(&token), (503, "profile_failed")).await;
    assert_eq!(answer.json()["detail"], "this build has no jemalloc");
    let (router, token, _) = stubborn(2).await;
    check(&router, "/debug/pprof/profile", Some(&token), (429, "profile_running")).await;
}

#[test]
fn memory_of_a_profile_is_planned_where_profiles_are_enabled() {
    let line = |pprof| {
        let (mut config, _) = common::config();
        config.pprof = pprof;
        let ledger = Ledger::with_lines(100_000_000, 64);
        let grants = ledger.admit(&config.plan().unwrap()).unwrap();
        let line = ledger.handle().lines().iter().find(|line| line.name.as_str() == "web.profile").cloned();
        drop(grants);
        line
    };
    assert!(line(false).is_none());
    let line = line(true).unwrap();
    assert_eq!((line.capacity, line.bytes >= PROFILE_BYTES_MAX as u64), (1, true));
    assert_eq!((line.policy, line.class), (WhenFull::Refuse, Class::BestEffort));
}
