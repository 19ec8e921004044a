//! Who may do what: every route of the table, logins, sessions, tokens, one-time codes, and what is written down.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at once")]

mod common;
#[path = "../examples/made_up/mod.rs"]
mod made_up;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request};
use made_up::MadeUp;
use plimsoll_web::limits::{LOCK_AFTER, SESSION_IDLE, SESSION_LIFE, SESSIONS_MAX, TOKENS_MAX};
use plimsoll_web::{AdminToken, Effect, Needs, Peer, Scope, Web, WebConfig};
use serde_json::{Value, json};
use tower::ServiceExt;

const PASSWORD: &str = "four random words";

struct Site {
    router: Router,
    market: Arc<MadeUp>,
    token: String,
    setup: Option<String>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The cookie that was set, as it is sent back.
    fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap().to_owned()
    }
}

impl Site {
    async fn new(change: impl FnOnce(&mut WebConfig)) -> Self {
        Self::with(common::market(), change).await
    }

    async fn with(market: Arc<MadeUp>, change: impl FnOnce(&mut WebConfig)) -> Self {
        let (mut config, token) = common::config();
        change(&mut config);
        let (router, setup) = Web::router(&config, market.ports(), &common::ledger()).await.unwrap();
        Self { router, market, token, setup }
    }

    /// A site with a password, and a session's cookie and token.
    async fn open() -> (Self, Session) {
        let site = Self::new(|_| {}).await;
        let body = json!({"code": site.code(), "password": PASSWORD});
        let answer = site.ask("POST /api/auth/setup", &[], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        (site, Session::of(&answer))
    }

    fn code(&self) -> String {
        self.setup.as_ref().unwrap().rsplit_once('=').unwrap().1.to_owned()
    }

    async fn ask(&self, line: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        self.from("127.0.0.1", line, headers, body).await
    }

    async fn from(&self, address: &str, line: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        request = request.header("host", "127.0.0.1:15173").extension(Peer(address.parse().unwrap()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(axum::body::to_bytes(body, 64 << 20).await.unwrap().to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    #[track_caller]
    fn check(answer: &Answer, expected: (u16, &str)) {
        let code = if answer.status < 300 { String::new() } else { answer.code() };
        assert_eq!((answer.status, code.as_str()), expected, "{}", answer.text);
    }

    async fn login(&self, password: &str) -> Answer {
        self.ask("POST /api/auth/login", &[], &json!({"password": password})).await
    }
}

#[derive(Clone)]
struct Session {
    cookie: String,
    csrf: String,
}

impl Session {
    fn of(answer: &Answer) -> Self {
        Self { cookie: answer.cookie(), csrf: answer.json()["csrf"].as_str().unwrap().to_owned() }
    }

    fn headers(&self) -> [(&str, &str); 2] {
        [("cookie", &self.cookie), ("x-csrf-token", &self.csrf)]
    }
}

/// Everything that answers without a login or a token: what is not here must not.
const OPEN: [&str; 9] = [
    "GET /api/openapi.json",
    "GET /livez",
    "GET /readyz",
    "GET /metrics",
    "GET /api/auth/status",
    "POST /api/auth/setup",
    "POST /api/auth/login",
    "GET /api/status",
    "GET /api/system/metrics/current",
];

/// Of these, what closes with `web.open_reading: false`, and is never open to other machines.
const CLOSABLE: [&str; 3] = ["GET /metrics", "GET /api/status", "GET /api/system/metrics/current"];

fn line(method: &Method, path: &str) -> String {
    format!("{method} {}", path.replace("{id}", "BTCUSDT").replace("{verb}", "flatten"))
}

#[tokio::test]
async fn what_is_open_is_declared_and_nothing_else_changes_or_tells_anything() {
    for (open_reading, address) in [(true, "127.0.0.1"), (true, "::1"), (false, "127.0.0.1"), (true, "192.0.2.7"), (true, "0.0.0.0")] {
        let site = Site::new(|config| (config.open_reading, config.pprof) = (open_reading, true)).await;
        let near = open_reading && address != "192.0.2.7" && address != "0.0.0.0";
        for rule in Web::routes() {
            let line = line(&rule.method, rule.path);
            let declared = OPEN.contains(&line.as_str()) && (near || !CLOSABLE.contains(&line.as_str()));
            let body = json!({"password": "x", "code": "x"});
            for headers in [&[][..], &[("authorization", "Basic cGxpbXNvbGw6")], &[("cookie", "plimsoll_session=0")]] {
                let answer = site.from(address, &line, headers, if rule.method == Method::POST { &body } else { &Value::Null }).await;
                if declared {
                    assert!(answer.status < 500 || line == "GET /readyz", "{line}: {}", answer.text);
                    assert!(answer.status != 401 || rule.effect != Effect::Reads, "{line}: {}", answer.text);
                } else {
                    Site::check(&answer, (401, "login_needed"));
                    // The refusal says the same to everybody.
                    assert!(!answer.text.contains("BTC") && answer.text.len() < 400, "{line}: {}", answer.text);
                }
            }
        }
        assert!(site.market.commands().is_empty());
        let logins = site.market.vault.logins();
        assert!(logins.users.is_empty() && logins.sessions.is_empty() && logins.tokens.is_empty());
    }
}

#[tokio::test]
async fn every_declared_open_route_is_in_the_table_and_needs_what_is_declared() {
    let rules = Web::routes();
    for rule in &rules {
        let line = line(&rule.method, rule.path);
        let open = match rule.needs {
            Needs::Nothing | Needs::Known => OPEN.contains(&line.as_str()) && !CLOSABLE.contains(&line.as_str()),
            Needs::OpenReading => CLOSABLE.contains(&line.as_str()),
            Needs::Scope(_) => !OPEN.contains(&line.as_str()),
        };
        assert!(open, "{line} needs {:?}", rule.needs);
        if rule.method == Method::GET {
            assert_eq!(rule.effect, Effect::Reads, "{line}");
        }
        // What commands or changes is for those who may.
        if let (Effect::Changes(_), Needs::Scope(scope)) = (rule.effect, rule.needs) {
            assert!(scope > Scope::Read || rule.path == "/api/auth/logout", "{line}");
        }
    }
    assert_eq!(OPEN.iter().filter(|open| rules.iter().any(|rule| line(&rule.method, rule.path) == **open)).count(), OPEN.len());
}

#[tokio::test]
async fn a_token_does_what_its_scope_says_and_no_more() {
    let site = Site::new(|config| config.pprof = true).await;
    let admin = format!("Bearer {}", site.token);
    let mut tokens = Vec::new();
    for scope in ["read", "control"] {
        let made = site.ask("POST /api/auth/tokens", &[("authorization", &admin)], &json!({"name": scope, "scope": scope})).await.json();
        tokens.push((Scope::parse(scope).unwrap(), format!("Bearer {}", made["token"].as_str().unwrap())));
    }
    for rule in Web::routes() {
        let Needs::Scope(needed) = rule.needs else { continue };
        for (scope, token) in &tokens {
            // What takes a while or a socket is only asked by those who may not.
            if *scope >= needed && (rule.path.starts_with("/debug") || rule.path.starts_with("/ws")) {
                continue;
            }
            let answer = site.ask(&line(&rule.method, rule.path), &[("authorization", token)], &Value::Null).await;
            let refused = answer.status == 403 && answer.code() == "scope_needed";
            assert_eq!(refused, *scope < needed, "{} {} with {scope:?}: {}", rule.method, rule.path, answer.text);
            assert_ne!(answer.status, 401, "{} {}: {}", rule.method, rule.path, answer.text);
        }
    }
    // Who looks has not commanded.
    assert!(site.market.commands().iter().all(|(_, verb)| *verb == plimsoll_web::Verb::Flatten));
    assert_eq!(site.market.commands().len(), 2, "one by the control token for all, and one for a symbol");
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing_and_do_not_listen() {
    let (site, session) = Site::open().await;
    for rule in Web::routes() {
        let line = line(&rule.method, rule.path);
        let [cookie, csrf] = session.headers();
        let foreign = ("origin", "http://evil.example");
        if rule.method != Method::GET || rule.path.starts_with("/ws") {
            let body = json!({"password": PASSWORD});
            Site::check(&site.ask(&line, &[cookie, csrf, foreign], &body).await, (403, "cross_origin"));
            Site::check(&site.ask(&line, &[cookie, csrf, ("sec-fetch-site", "cross-site")], &body).await, (403, "cross_origin"));
        }
        // A browser that sends the cookie by itself does not know the token.
        if rule.method != Method::GET && matches!(rule.needs, Needs::Scope(_)) {
            Site::check(&site.ask(&line, &[cookie], &Value::Null).await, (403, "csrf"));
            Site::check(&site.ask(&line, &[cookie, ("x-csrf-token", &"0".repeat(32))], &Value::Null).await, (403, "csrf"));
        }
    }
    assert!(site.market.commands().is_empty());
    assert_eq!(site.market.vault.logins().sessions.len(), 1);
}

#[tokio::test]
async fn first_password_is_set_by_the_link_alone_and_once() {
    let site = Site::new(|_| {}).await;
    let status = site.ask("GET /api/auth/status", &[], &Value::Null).await.json();
    assert_eq!((&status["setup_needed"], &status["logged_in"], &status["csrf"]), (&json!(true), &json!(false), &Value::Null));
    Site::check(&site.login(PASSWORD).await, (409, "setup_needed"));
    let set = async |code: &str, password: &str| site.ask("POST /api/auth/setup", &[], &json!({"code": code, "password": password})).await;
    Site::check(&set("", PASSWORD).await, (401, "wrong_code"));
    Site::check(&set(&site.code(), "short").await, (400, "weak_password"));
    Site::check(&set(&site.code(), "aaaaaaaaaaaaaaa").await, (400, "weak_password"));
    let answer = set(&site.code(), PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.starts_with("plimsoll_session=") && cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains("Secure"),
        "{cookie}"
    );
    assert_eq!((&answer.json()["logged_in"], &answer.json()["scope"]), (&json!(true), &json!("admin")));
    Site::check(&set(&site.code(), PASSWORD).await, (409, "already_set_up"));

    let session = Session::of(&answer);
    Site::check(&site.ask("GET /api/symbols", &session.headers(), &Value::Null).await, (200, ""));
    Site::check(&site.ask("POST /api/control/resync", &session.headers(), &Value::Null).await, (200, ""));
    let done = site.ask("POST /api/auth/logout", &session.headers(), &Value::Null).await;
    assert_eq!((done.status, done.cookie().as_str()), (204, "plimsoll_session="));
    Site::check(&site.ask("GET /api/symbols", &session.headers(), &Value::Null).await, (401, "login_needed"));
    Site::check(&site.login("four random wordz").await, (401, "wrong_password"));
    Site::check(&site.login(PASSWORD).await, (200, ""));
    // The next start knows the password, and makes no link.
    let again = Site::with(Arc::clone(&site.market), |_| {}).await;
    assert!(again.setup.is_none());
    Site::check(&again.login(PASSWORD).await, (200, ""));
}

#[tokio::test]
async fn nothing_secret_is_kept_or_told_back() {
    let (site, session) = Site::open().await;
    let admin = format!("Bearer {}", site.token);
    let made = site.ask("POST /api/auth/tokens", &session.headers(), &json!({"name": "grafana", "scope": "read", "days": 90})).await.json();
    let token = made["token"].as_str().unwrap().to_owned();
    let begun = site.ask("POST /api/auth/totp/begin", &session.headers(), &json!({"password": PASSWORD})).await.json();
    let secret = begun["secret"].as_str().unwrap().to_owned();
    let now = 1_700_000_000_000;
    let confirmed = site.ask("POST /api/auth/totp/confirm", &session.headers(), &json!({"code": code(&secret, now)})).await.json();
    let recovery = confirmed["recovery"][0].as_str().unwrap().to_owned();

    let logins = site.market.vault.logins();
    let mut kept = String::new();
    for row in &logins.users {
        kept.push_str(&format!("{} {} {} ", row.password, row.totp.as_deref().unwrap(), row.recovery));
    }
    logins.sessions.iter().for_each(|row| kept.push_str(&format!("{} {} {} ", row.id, row.hash, row.agent)));
    logins.tokens.iter().for_each(|row| kept.push_str(&format!("{} {} ", row.id, row.hash)));
    site.market.vault.notes().iter().for_each(|entry| kept.push_str(&format!("{entry:?}")));
    assert!(kept.contains("$argon2id$") && kept.contains("totp.confirm"), "{kept}");
    let mut told = kept;
    for path in ["/api/auth/status", "/api/auth/sessions", "/api/auth/tokens", "/api/audit", "/api/status", "/api/logs"] {
        told.push_str(&site.ask(&format!("GET {path}"), &[("authorization", &admin)], &Value::Null).await.text);
    }
    // What is refused does not repeat what was typed.
    let wrong = [json!({"password": PASSWORD, "code": [PASSWORD]}), json!(PASSWORD), json!({"password": PASSWORD, "x": PASSWORD})];
    for body in wrong {
        told.push_str(&site.ask("POST /api/auth/login", &[], &body).await.text);
    }
    let cookie = session.cookie.split_once('=').unwrap().1;
    for secret in [PASSWORD, &token, &token["plimsoll_".len()..], &secret, &recovery, cookie, &session.csrf, &site.token, &site.code()] {
        assert!(!told.contains(secret), "{secret} is in {told}");
    }
}

#[tokio::test]
async fn guessing_is_slow_and_then_locked() {
    let (site, _) = Site::open().await;
    let far = "203.0.113.9";
    let guess = async |password: &str| site.from(far, "POST /api/auth/login", &[], &json!({"password": password})).await;
    let (mut wrong, mut waited, mut longest) = (0, 0, 0);
    while longest < 900 {
        let answer = guess("not the password").await;
        match answer.status {
            401 => wrong += 1,
            429 => {
                let seconds: u64 = answer.header("retry-after").parse().unwrap();
                assert_eq!(answer.json()["retry_after_s"], seconds);
                assert_eq!(answer.code(), "throttled");
                (waited, longest) = (waited + seconds, longest.max(seconds));
                // Even the right one has to wait.
                Site::check(&guess(PASSWORD).await, (429, "throttled"));
                if longest < 900 {
                    site.market.rest(Duration::from_secs(seconds));
                }
            }
            other => panic!("{other}: {}", answer.text),
        }
    }
    assert!(wrong == LOCK_AFTER && waited > 900, "{wrong} guesses in {waited} s");
    // Who is elsewhere gets in, and so does the one who waits until the end.
    Site::check(&site.login(PASSWORD).await, (200, ""));
    site.market.rest(Duration::from_secs(900));
    Site::check(&guess(PASSWORD).await, (200, ""));
    let notes = site.market.vault.notes();
    let refused: Vec<_> = notes.iter().filter(|entry| entry.action == "login" && entry.outcome == "wrong_password").collect();
    assert_eq!((refused.len() as u32, refused[0].address.as_str(), refused[0].actor.as_str()), (LOCK_AFTER, far, "nobody"));
    assert!(notes.iter().all(|entry| entry.outcome != "throttled"), "what only waits fills no list");
}

#[tokio::test]
async fn sessions_are_renewed_listed_ended_and_end_by_themselves() {
    let (site, first) = Site::open().await;
    // A login by a browser that has a session ends the old one: what somebody may have planted is worth nothing.
    let answer = site.ask("POST /api/auth/login", &[("cookie", &first.cookie)], &json!({"password": PASSWORD})).await;
    let second = Session::of(&answer);
    assert_ne!(second.cookie, first.cookie);
    Site::check(&site.ask("GET /api/symbols", &first.headers(), &Value::Null).await, (401, "login_needed"));
    let third = Session::of(&site.ask("POST /api/auth/login", &[("user-agent", "Phone")], &json!({"password": PASSWORD})).await);
    let listed = site.ask("GET /api/auth/sessions", &third.headers(), &Value::Null).await.json();
    let rows = listed["sessions"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let own: Vec<_> = rows.iter().filter(|row| row["current"] == true).collect();
    assert_eq!((own.len(), own[0]["agent"].as_str()), (1, Some("Phone")));
    let other = rows.iter().find(|row| row["current"] == false).unwrap()["id"].as_str().unwrap();
    let end = format!("DELETE /api/auth/sessions/{other}");
    Site::check(&site.ask(&end, &third.headers(), &Value::Null).await, (204, ""));
    Site::check(&site.ask(&end, &third.headers(), &Value::Null).await, (404, "not_found"));
    Site::check(&site.ask("GET /api/symbols", &second.headers(), &Value::Null).await, (401, "login_needed"));

    // A new password ends all others, and renews this one.
    let fourth = Session::of(&site.login(PASSWORD).await);
    let change = |current: &str, new: &str| json!({"current": current, "new": new});
    let line = "POST /api/auth/password";
    Site::check(&site.ask(line, &third.headers(), &change("wrong", "other random words")).await, (403, "wrong_password"));
    let changed = site.ask(line, &third.headers(), &change(PASSWORD, "other random words")).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    for ended in [&third, &fourth] {
        Site::check(&site.ask("GET /api/symbols", &ended.headers(), &Value::Null).await, (401, "login_needed"));
    }
    let fifth = Session::of(&changed);
    Site::check(&site.ask("GET /api/symbols", &fifth.headers(), &Value::Null).await, (200, ""));
    Site::check(&site.login(PASSWORD).await, (401, "wrong_password"));
    assert_eq!(site.market.vault.logins().sessions.len(), 1);

    // It outlives a restart, but not its time.
    let again = Site::with(Arc::clone(&site.market), |_| {}).await;
    Site::check(&again.ask("GET /api/symbols", &fifth.headers(), &Value::Null).await, (200, ""));
    let mut age = Duration::ZERO;
    let step = SESSION_IDLE - Duration::from_secs(1);
    while age + step < SESSION_LIFE {
        site.market.rest(step);
        age += step;
        Site::check(&site.ask("GET /api/symbols", &fifth.headers(), &Value::Null).await, (200, ""));
    }
    site.market.rest(step);
    Site::check(&site.ask("GET /api/symbols", &fifth.headers(), &Value::Null).await, (401, "login_needed"));
    let last = Session::of(&site.login("other random words").await);
    site.market.rest(SESSION_IDLE);
    Site::check(&site.ask("GET /api/symbols", &last.headers(), &Value::Null).await, (401, "login_needed"));
}

#[tokio::test]
async fn sessions_have_a_number_and_the_one_unused_longest_goes() {
    let (site, first) = Site::open().await;
    let mut sessions = vec![first];
    for _ in 1..SESSIONS_MAX {
        site.market.rest(Duration::from_secs(1));
        sessions.push(Session::of(&site.login(PASSWORD).await));
    }
    site.market.rest(Duration::from_secs(1));
    let used = async |session: &Session| site.ask("GET /api/symbols", &session.headers(), &Value::Null).await.status;
    assert_eq!(used(&sessions[0]).await, 200);
    site.market.rest(Duration::from_secs(1));
    Site::check(&site.login(PASSWORD).await, (200, ""));
    assert_eq!((used(&sessions[0]).await, used(&sessions[1]).await, used(&sessions[2]).await), (200, 401, 200));
    assert_eq!(site.market.vault.logins().sessions.len(), SESSIONS_MAX);
    let ended = site.ask("DELETE /api/auth/sessions", &sessions[2].headers(), &Value::Null).await.json();
    assert_eq!(ended, json!({"ended": SESSIONS_MAX - 1}));
    assert_eq!((used(&sessions[0]).await, used(&sessions[2]).await), (401, 200));
}

#[tokio::test]
async fn tokens_end_by_age_and_by_hand_and_have_a_number() {
    let (site, session) = Site::open().await;
    let make = async |body: Value| site.ask("POST /api/auth/tokens", &session.headers(), &body).await;
    for bad in [
        json!({"name": "", "scope": "read"}),
        json!({"name": "x".repeat(41), "scope": "read"}),
        json!({"name": "x", "scope": "root"}),
        json!({"name": "x", "scope": "read", "days": 0}),
        json!({"name": "x", "scope": "read", "days": 3_651}),
        json!({"name": "x"}),
    ] {
        assert_eq!(make(bad.clone()).await.status, 400, "{bad}");
    }
    let short = make(json!({"name": "short", "scope": "read", "days": 1})).await.json();
    site.market.rest(Duration::from_secs(1));
    let long = make(json!({"name": "long", "scope": "control"})).await.json();
    let ask = async |made: &Value| {
        let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
        site.ask("GET /api/symbols", &[("authorization", &bearer)], &Value::Null).await
    };
    site.market.rest(Duration::from_secs(86_398));
    Site::check(&ask(&short).await, (200, ""));
    site.market.rest(Duration::from_secs(1));
    Site::check(&ask(&short).await, (401, "wrong_token"));
    Site::check(&ask(&long).await, (200, ""));
    let rows = site.ask("GET /api/auth/tokens", &session.headers(), &Value::Null).await.json()["tokens"].clone();
    assert_eq!((&rows[1]["name"], &rows[1]["scope"], &rows[1]["expires_ms"]), (&json!("long"), &json!("control"), &Value::Null));
    assert_eq!((rows[0]["used_ms"].is_u64(), rows[1]["used_ms"].is_u64()), (true, true));
    // Another start knows it, and then it is revoked.
    let again = Site::with(Arc::clone(&site.market), |_| {}).await;
    let bearer = format!("Bearer {}", long["token"].as_str().unwrap());
    Site::check(&again.ask("GET /api/symbols", &[("authorization", &bearer)], &Value::Null).await, (200, ""));
    let revoke = format!("DELETE /api/auth/tokens/{}", long["id"].as_str().unwrap());
    Site::check(&site.ask(&revoke, &session.headers(), &Value::Null).await, (204, ""));
    Site::check(&site.ask(&revoke, &session.headers(), &Value::Null).await, (404, "not_found"));
    Site::check(&ask(&long).await, (401, "wrong_token"));
    for _ in 1..TOKENS_MAX {
        Site::check(&make(json!({"name": "one more", "scope": "read"})).await, (200, ""));
    }
    Site::check(&make(json!({"name": "one too many", "scope": "read"})).await, (409, "too_many_tokens"));
}

/// The code that an authenticator app shows.
fn code(base32: &str, now_ms: u64) -> String {
    let bits: String = base32.bytes().map(|b| format!("{:05b}", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(char::from(b)).unwrap())).collect();
    let secret: Vec<u8> =
        bits.as_bytes().chunks_exact(8).map(|b| u8::from_str_radix(std::str::from_utf8(b).unwrap(), 2).unwrap()).collect();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret);
    let tag = ring::hmac::sign(&key, &(now_ms / 30_000).to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let number = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7FFF_FFFF;
    format!("{:06}", number % 1_000_000)
}

#[tokio::test]
async fn one_time_codes_are_asked_for_used_once_and_removed() {
    let (site, session) = Site::open().await;
    let mut now = 1_700_000_000_000_u64;
    let ask = async |path: &str, body: Value| site.ask(&format!("POST /api/auth/{path}"), &session.headers(), &body).await;
    Site::check(&ask("totp/confirm", json!({"code": "123456"})).await, (409, "totp_not_begun"));
    Site::check(&ask("totp/begin", json!({"password": "wrong password"})).await, (403, "wrong_password"));
    let begun = ask("totp/begin", json!({"password": PASSWORD})).await.json();
    let secret = begun["secret"].as_str().unwrap().to_owned();
    assert!(begun["url"].as_str().unwrap().contains(&secret) && begun["qr_svg"].as_str().unwrap().contains("<svg"));
    Site::check(&ask("totp/confirm", json!({"code": "000000"})).await, (403, "wrong_code"));
    // Not confirmed, it is not asked for.
    Site::check(&site.login(PASSWORD).await, (200, ""));
    let confirmed = ask("totp/confirm", json!({"code": code(&secret, now)})).await.json();
    let recovery: Vec<_> = confirmed["recovery"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    assert_eq!(recovery.len(), 10);
    Site::check(&ask("totp/begin", json!({"password": PASSWORD})).await, (409, "totp_enabled"));

    let login = async |code: &str| site.ask("POST /api/auth/login", &[], &json!({"password": PASSWORD, "code": code})).await;
    Site::check(&site.login(PASSWORD).await, (401, "totp_needed"));
    Site::check(&login(&code(&secret, now)).await, (401, "wrong_code"));
    let step = Duration::from_secs(60);
    site.market.rest(step);
    now += 60_000;
    Site::check(&login(&code(&secret, now)).await, (200, ""));
    Site::check(&login(&code(&secret, now)).await, (401, "wrong_code"));
    // A recovery code is good once, also after a restart.
    Site::check(&login(&recovery[3].to_uppercase()).await, (200, ""));
    let again = Site::with(Arc::clone(&site.market), |config| config.token = AdminToken::random().unwrap()).await;
    let used = again.ask("POST /api/auth/login", &[], &json!({"password": PASSWORD, "code": recovery[3]})).await;
    assert_eq!((used.status, used.code().as_str()), (409, "totp_unreadable"), "another admin token does not read the secret");
    Site::check(&again.ask("POST /api/auth/login", &[], &json!({"password": PASSWORD, "code": recovery[4]})).await, (200, ""));
    site.market.rest(step);
    now += 60_000;
    Site::check(&ask("totp/remove", json!({"password": PASSWORD, "code": "000000"})).await, (403, "wrong_code"));
    Site::check(&ask("totp/remove", json!({"password": PASSWORD, "code": code(&secret, now)})).await, (204, ""));
    Site::check(&site.login(PASSWORD).await, (200, ""));
}

#[tokio::test]
async fn what_is_done_is_written_down_with_who_and_whence() {
    let (site, session) = Site::open().await;
    let admin = format!("Bearer {}", site.token);
    let made = site.ask("POST /api/auth/tokens", &session.headers(), &json!({"name": "desk", "scope": "read"})).await.json();
    let token = format!("Bearer {}", made["token"].as_str().unwrap());
    site.ask("POST /api/control/resync", &session.headers(), &Value::Null).await;
    site.from("192.0.2.4", "POST /api/symbols/ETHUSDT/control/pause", &[("authorization", &admin)], &Value::Null).await;
    site.from("192.0.2.4", "POST /api/control/flatten", &[("authorization", &token)], &Value::Null).await;
    site.ask("POST /api/control/explode", &[("authorization", &admin)], &Value::Null).await;
    // Who is not known has done nothing; he would only fill the list.
    site.ask("POST /api/control/flatten", &[], &Value::Null).await;
    let page = site.ask("GET /api/audit", &session.headers(), &Value::Null).await.json();
    let rows: Vec<[String; 5]> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|row| ["actor", "address", "action", "target", "outcome"].map(|key| row[key].as_str().unwrap().to_owned()))
        .collect();
    let (near, far) = ("127.0.0.1", "192.0.2.4");
    assert_eq!(
        rows,
        [
            ["owner", near, "setup", "/api/auth/setup", "done"],
            ["owner", near, "tokens.make", "/api/auth/tokens", "done"],
            ["owner", near, "control", "/api/control/resync", "done"],
            ["admin token", far, "control", "/api/symbols/ETHUSDT/control/pause", "done"],
            ["token desk", far, "control", "/api/control/flatten", "scope_needed"],
            ["admin token", near, "control", "/api/control/explode", "unknown_verb"],
        ]
    );
    let logins = site.ask("GET /api/audit?action=control&limit=2", &session.headers(), &Value::Null).await.json();
    assert_eq!(logins["items"].as_array().unwrap().len(), 2);
    for (query, status) in [("limit=0", 400), ("limit=1001", 400), ("action=", 400), ("action=A%20B", 400), ("action=login", 200)] {
        assert_eq!(site.ask(&format!("GET /api/audit?{query}"), &session.headers(), &Value::Null).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn a_disk_that_fails_keeps_neither_the_owner_out_nor_commands_from_being_done() {
    let (site, session) = Site::open().await;
    site.market.vault.broken.store(true, Relaxed);
    let session_now = Session::of(&site.login(PASSWORD).await);
    Site::check(&site.ask("POST /api/control/flatten", &session_now.headers(), &confirm(&site, "control/flatten").await).await, (200, ""));
    let body = json!({"current": PASSWORD, "new": "other random words"});
    Site::check(&site.ask("POST /api/auth/password", &session.headers(), &body).await, (503, "not_stored"));
    Site::check(&site.ask("POST /api/auth/tokens", &session.headers(), &json!({"name": "x", "scope": "read"})).await, (503, "not_stored"));
    site.market.vault.broken.store(false, Relaxed);
    Site::check(&site.login(PASSWORD).await, (200, ""));
    assert!(site.market.vault.logins().tokens.is_empty());
}

/// What confirms a command of a dashboard.
async fn confirm(site: &Site, path: &str) -> Value {
    let admin = format!("Bearer {}", site.token);
    let preview = site.ask(&format!("POST /api/{path}/preview"), &[("authorization", &admin)], &Value::Null).await.json();
    json!({"confirm": preview["confirm"]})
}

#[tokio::test]
async fn what_withdraws_or_closes_is_confirmed_by_its_own_word() {
    let (site, session) = Site::open().await;
    for path in ["control/flatten", "control/cancel_all", "symbols/ETHUSDT/control/flatten", "control/rearm", "control/stop"] {
        let line = format!("POST /api/{path}");
        let right = confirm(&site, path).await;
        assert!(right["confirm"].is_string(), "{path}");
        let before = site.market.commands().len();
        let mut wrong = vec![Value::Null, json!({}), json!({"confirm": null}), json!({"confirm": "yes"})];
        // The word of something else does not do.
        wrong.push(confirm(&site, if path == "control/stop" { "control/flatten" } else { "control/stop" }).await);
        for wrong in wrong {
            let answer = site.ask(&line, &session.headers(), &wrong).await;
            Site::check(&answer, (409, "confirm_needed"));
            assert!(answer.json()["detail"].as_str().unwrap().contains("ETHUSDT"), "{}", answer.text);
        }
        assert_eq!(site.market.commands().len(), before, "{path}");
        Site::check(&site.ask(&line, &session.headers(), &json!({"confirm": 7})).await, (400, "bad_body"));
        Site::check(&site.ask(&line, &session.headers(), &right).await, (200, ""));
        assert_eq!(site.market.commands().len(), before + 1, "{path}");
        // A program says what it means by calling.
        let admin = format!("Bearer {}", site.token);
        Site::check(&site.ask(&line, &[("authorization", &admin)], &Value::Null).await, (200, ""));
    }
    for path in ["control/pause", "symbols/BTCUSDT/control/drain"] {
        assert_eq!(confirm(&site, path).await, json!({"confirm": null}));
        Site::check(&site.ask(&format!("POST /api/{path}"), &session.headers(), &Value::Null).await, (200, ""));
    }
    let preview = site.ask("POST /api/symbols/BTCUSDT/control/flatten/preview", &session.headers(), &Value::Null).await.json();
    assert!(preview["orders_canceled"].as_u64() > Some(0) && preview["symbols"] == json!(["BTCUSDT"]), "{preview}");
    Site::check(&site.ask("POST /api/symbols/BTCUSDT/control/stop/preview", &session.headers(), &Value::Null).await, (400, "refused"));
    Site::check(&site.ask("POST /api/control/explode/preview", &session.headers(), &Value::Null).await, (404, "unknown_verb"));
}

#[tokio::test]
async fn forgotten_password_is_set_anew_by_the_admin_token_alone() {
    let (site, session) = Site::open().await;
    Site::check(&site.ask("POST /api/auth/reset", &session.headers(), &Value::Null).await, (403, "admin_token_needed"));
    let admin = format!("Bearer {}", site.token);
    let answer = site.ask("POST /api/auth/reset", &[("authorization", &admin)], &Value::Null).await.json();
    let code = answer["setup_url"].as_str().unwrap().rsplit_once('=').unwrap().1.to_owned();
    Site::check(&site.ask("GET /api/symbols", &session.headers(), &Value::Null).await, (401, "login_needed"));
    Site::check(&site.login(PASSWORD).await, (409, "setup_needed"));
    let kept = site.market.vault.logins();
    assert!(kept.users.is_empty() && kept.sessions.is_empty());
    let body = json!({"code": code, "password": "other random words"});
    Site::check(&site.ask("POST /api/auth/setup", &[], &body).await, (200, ""));
    Site::check(&site.login("other random words").await, (200, ""));
}

#[tokio::test]
async fn behind_a_proxy_its_word_counts_and_cookies_are_for_tls_alone() {
    let site = Site::new(|config| (config.behind_proxy, config.hosts) = (true, vec!["bot.example".to_owned()])).await;
    let body = json!({"code": site.code(), "password": PASSWORD});
    let proxied = [("x-forwarded-for", "10.9.9.9, 198.51.100.3"), ("x-forwarded-proto", "https")];
    let answer = site.ask("POST /api/auth/setup", &proxied, &body).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-plimsoll_session=") && cookie.ends_with("; Secure"), "{cookie}");
    assert_eq!(site.market.vault.notes()[0].address, "198.51.100.3");
    // Nobody is near: the proxy is asked by strangers.
    for path in ["/api/status", "/metrics", "/api/system/metrics/current"] {
        Site::check(&site.ask(&format!("GET {path}"), &[], &Value::Null).await, (401, "login_needed"));
        let cookie = answer.cookie();
        Site::check(&site.ask(&format!("GET {path}"), &[("cookie", &cookie), proxied[1]], &Value::Null).await, (200, ""));
    }
    // Without the setting, what a proxy adds makes nobody near, and is not believed.
    let (site, _) = Site::open().await;
    Site::check(&site.ask("GET /api/status", &[("x-forwarded-for", "127.0.0.1")], &Value::Null).await, (401, "login_needed"));
    Site::check(&site.ask("GET /api/status", &[("forwarded", "for=127.0.0.1")], &Value::Null).await, (401, "login_needed"));
    Site::check(
        &site.ask("POST /api/auth/login", &[("x-forwarded-for", "10.0.0.1")], &json!({"password": "wrong password"})).await,
        (401, "wrong_password"),
    );
    assert_eq!(site.market.vault.notes().last().unwrap().address, "127.0.0.1");
}
