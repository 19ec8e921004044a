//! The log of a running bot: it says nothing that is secret, wherever it goes, and it can be read, followed and bounded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "helpers of tests may panic as tests do")]

mod shared;

use shared::{free_port, get, http, until};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// All of them different, and none of them a word that is said anyway.
const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zv";
const API_SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP";
const ADMIN_TOKEN: &str = "plimsoll_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const TELEGRAM: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
const SLACK: &str = "T00000QZ/B00000QZ/XXQZslackhookXXQZ7788";
const WEBHOOK: &str = "webhookpathsecret991";
const SIGNING: &str = "signingsecret-77-zz";
const MAIL: &str = "mail/pass+word%4711";
const SECRETS: [&str; 8] = [API_KEY, API_SECRET, ADMIN_TOKEN, TELEGRAM, "XXQZslackhookXXQZ7788", WEBHOOK, SIGNING, MAIL];

/// A bot whose terminal is kept.
struct Bot {
    child: Child,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Bot {
    fn start(file: &Path, envs: &[(&str, &str)]) -> Self {
        shared::remember(&["--config", file.to_str().unwrap()]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command.args(["run", "--config"]).arg(file).envs(envs.iter().copied()).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said: Arc<Mutex<Vec<u8>>> = Arc::default();
        let pipes: [Box<dyn Read + Send>; 2] = [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for mut pipe in pipes {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                let mut part = [0; 8_192];
                while let Ok(count @ 1..) = pipe.read(&mut part) {
                    said.lock().unwrap().extend_from_slice(&part[..count]);
                }
            });
        }
        Self { child, said }
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned()
    }

    fn stop(&mut self) -> Option<i32> {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it did not end: {}", self.said());
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

/// A server that repeats all that it was sent, as services do in their errors, and takes nothing.
fn parrot() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            stream.set_read_timeout(Some(Duration::from_millis(300))).ok();
            let mut heard = vec![0; 16_384];
            let count = stream.read(&mut heard).unwrap_or(0);
            let body = String::from_utf8_lossy(&heard[..count]).into_owned();
            stream
                .write_all(format!("HTTP/1.1 400 Bad\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).as_bytes())
                .ok();
        }
    });
    address.to_string()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[track_caller]
fn search(what: &str, bytes: &[u8], more: &[&str]) {
    for secret in SECRETS.iter().chain(more) {
        if contains(bytes, secret) {
            let at = bytes.windows(secret.len()).position(|window| window == secret.as_bytes()).unwrap();
            let around = &bytes[at.saturating_sub(200)..(at + secret.len() + 50).min(bytes.len())];
            panic!("{secret} in {what}: …{}…", String::from_utf8_lossy(around));
        }
    }
}

/// Follows the log until it has heard so much, or for so long.
fn follow(address: &str, most: usize) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let head = format!(
        "GET /ws/logs HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {}\r\n\r\n",
        shared::token(address).unwrap()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let (mut heard, mut part) = (Vec::new(), [0; 8_192]);
    while heard.len() < most {
        match stream.read(&mut part) {
            Ok(count @ 1..) => heard.extend_from_slice(&part[..count]),
            Ok(0) | Err(_) => break,
        }
    }
    heard
}

/// What is typed into the dashboard.
const PASSWORD: &str = "pass-of-the-owner-3f9a";
const WRONG_PASSWORD: &str = "pass-of-nobody-77c1";

#[test]
fn nothing_that_is_written_or_answered_has_a_secret_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let token = data.join("admin.token");
    std::fs::write(&token, ADMIN_TOKEN).unwrap();
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();

    let account = format!("{API_KEY}:{API_SECRET}:100000");
    let exchange =
        shared::Running::start(&["testnet", "--listen", "127.0.0.1:0", "--speed", "20", "--account", &account, "--log", "error"], &[]);
    let at = exchange.first_line.trim_start_matches("http://").to_owned();
    let (web, parrot) = (free_port(), parrot());
    let (host, port) = parrot.split_once(':').unwrap();
    let file = folder.path().join("plimsoll.yaml");
    let text = format!(
        "exchange: binance\ndata_dir: {}\nbinance: {{ rest_url: \"http://{at}\", websocket_url: \"ws://{at}\" }}\n\
         storage: {{ flush_interval: 300ms }}\nweb: {{ listen: \"127.0.0.1:{web}\" }}\nrisk_control: {{ enabled: false }}\n\
         log: {{ level: trace, store: debug, file_size: 64MB, keep: 256MB }}\n\
         alerts:\n  cooldown: 0s\n  channels:\n    - {{ name: tg, kind: telegram, secret_env: TG, chat: \"-100\", base: \"http://{parrot}\" }}\n    \
         - {{ name: sl, kind: slack, secret_env: SL, base: \"http://{parrot}\" }}\n    \
         - {{ name: wh, kind: webhook, secret_env: WH, signing_env: SG }}\n    \
         - {{ name: ma, kind: email, secret_env: MA, host: \"{host}\", port: {port}, security: none, user: bot, from: a@b.example, to: [c@d.example], attempts: 2 }}\n  \
         rules:\n    - {{ severity: info, channels: [tg, sl, wh, ma] }}\n\
         trading:\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: 30, order_quantity: 250 }}\n",
        data.display()
    );
    std::fs::write(&file, text).unwrap();
    let hook = format!("http://{parrot}/hook/{WEBHOOK}?token={WEBHOOK}");
    let mut envs = vec![
        ("PLIMSOLL_BINANCE_API_KEY", API_KEY),
        ("PLIMSOLL_BINANCE_API_SECRET", API_SECRET),
        ("PLIMSOLL_LOG", "trace"),
        ("TG", TELEGRAM),
        ("SL", SLACK),
        ("WH", &hook),
        ("SG", SIGNING),
        ("MA", MAIL),
    ];
    // With a server whose address has a password, the bot's database is there.
    let server = std::env::var("PLIMSOLL_TEST_POSTGRES").ok().filter(|url| password(url).is_some());
    let database = server.as_ref().map(|url| format!("{url}?options[search_path]=logs_secrets"));
    let word = server.as_deref().and_then(password).map(str::to_owned);
    match &database {
        Some(url) => {
            meddle(server.as_deref().unwrap(), "DROP SCHEMA IF EXISTS logs_secrets CASCADE; CREATE SCHEMA logs_secrets");
            envs.push(("PLIMSOLL_STORAGE_URL", url));
        }
        None => eprintln!("left out: the password of a database, because PLIMSOLL_TEST_POSTGRES has none"),
    }

    let mut bot = Bot::start(&file, &envs);
    let api = format!("127.0.0.1:{web}");
    until(Duration::from_secs(60), "fills", || get(&api, "/api/status").is_some_and(|s| s["symbols"][0]["fills"].as_u64() >= Some(1)));
    // A wrong token and a right one, commands, and every way that something can be asked for.
    let (right, wrong) = (format!("Bearer {ADMIN_TOKEN}"), format!("Bearer {ADMIN_TOKEN}x"));
    assert_eq!(http("POST", &api, "/api/control/resync", &[("Authorization", &wrong)]).unwrap().0, 401);
    assert_eq!(http("POST", &api, "/api/control/resync", &[("Authorization", &right)]).unwrap().0, 200);
    // The first password by the printed link, a login, a wrong one, one-time codes, and a token for a program.
    until(Duration::from_secs(10), "the link", || bot.said().contains("/#/setup?code="));
    let said = bot.said();
    let link = said.split_once("/#/setup?code=").unwrap().1.split_whitespace().next().unwrap().to_owned();
    let set = shared::post(&api, "/api/auth/setup", &[], &serde_json::json!({"code": link, "password": PASSWORD}));
    assert_eq!(set.0, 200, "{}", set.2);
    let told: serde_json::Value = serde_json::from_str(&set.2).unwrap();
    let csrf = told["csrf"].as_str().unwrap().to_owned();
    let session = set.1.split_once("plimsoll_session=").unwrap().1.split(';').next().unwrap().to_owned();
    let cookie = format!("plimsoll_session={session}");
    let known = [("Cookie", cookie.as_str()), ("X-CSRF-Token", &csrf)];
    assert_eq!(shared::post(&api, "/api/auth/login", &[], &serde_json::json!({"password": WRONG_PASSWORD})).0, 401);
    let totp = shared::post(&api, "/api/auth/totp/begin", &known, &serde_json::json!({"password": PASSWORD}));
    let totp: serde_json::Value = serde_json::from_str(&totp.2).unwrap();
    let made = shared::post(&api, "/api/auth/tokens", &known, &serde_json::json!({"name": "desk", "scope": "read"}));
    let made: serde_json::Value = serde_json::from_str(&made.2).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut words = vec![PASSWORD.to_owned(), WRONG_PASSWORD.to_owned(), csrf, session, text(&totp["secret"]), text(&made["token"])];
    words.extend(word);
    let more: Vec<&str> = words.iter().map(String::as_str).collect();
    until(Duration::from_secs(30), "channels that failed", || {
        get(&api, "/api/alerts/channels").is_some_and(|found| {
            let channels = found["channels"].as_array().unwrap();
            channels.len() == 4 && channels.iter().all(|channel| channel["failed"].as_u64() >= Some(1))
        })
    });
    until(Duration::from_secs(20), "stored lines", || {
        get(&api, "/api/logs?limit=1000").is_some_and(|page| {
            let lines = page["items"].to_string();
            lines.contains("alert channel failed") && lines.contains("wrong token presented")
        })
    });
    for path in [
        "/api/status",
        "/api/symbols/BTCUSDT",
        "/api/symbols/BTCUSDT/orders",
        "/api/symbols/BTCUSDT/fills",
        "/api/events?limit=1000",
        "/api/logs?limit=1000",
        "/api/logs?limit=1000&level=warn",
        "/api/ledger",
        "/api/tasks",
        "/api/pool",
        "/api/auth/status",
        "/api/auth/sessions",
        "/api/auth/tokens",
        "/api/audit",
        "/api/orders",
        "/api/strategies",
        "/api/risk",
        "/api/openapi.json",
        "/api/alerts/channels",
        "/api/system/metrics/current",
        "/metrics",
        "/readyz",
    ] {
        let (status, body) = http("GET", &api, path, &[]).unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        search(path, body.as_bytes(), &more);
    }
    // Who follows hears what an operator's commands cause.
    let following = {
        let api = api.clone();
        std::thread::spawn(move || follow(&api, 100_000))
    };
    for _ in 0..20 {
        assert_eq!(http("POST", &api, "/api/control/resync", &[("Authorization", &right)]).unwrap().0, 200);
        std::thread::sleep(Duration::from_millis(50));
    }
    let heard = following.join().unwrap();
    assert!(contains(&heard, "\"type\":\"log\"") && contains(&heard, "plimsoll"), "nothing was heard live");
    search("what was heard live", &heard, &more);
    assert_eq!(bot.stop(), Some(0), "{}", bot.said());

    let said = bot.said();
    assert!(said.contains("DEBUG") && said.contains("alert channel failed"), "{said}");
    assert!(said.contains("[redacted]"), "something did carry a secret: {said}");
    search("the terminal", said.as_bytes(), &more);
    let mut kinds = std::collections::BTreeSet::new();
    for path in files(&data) {
        if path == token {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        search(&path.display().to_string(), &bytes, &more);
        kinds.insert(path.strip_prefix(&data).unwrap().iter().next().unwrap().to_owned());
    }
    for kind in ["logs", "journal"] {
        assert!(kinds.contains(std::ffi::OsStr::new(kind)), "no {kind} in {kinds:?}");
    }
    match &server {
        // The file of a server is not ours to read: its tables are.
        Some(url) => search("the server's tables", dump(url).as_bytes(), &more),
        None => assert!(kinds.contains(std::ffi::OsStr::new("plimsoll.db")), "{kinds:?}"),
    }
}

#[test]
fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plimsoll.yaml");
    let text = format!(
        "exchange: local\ndata_dir: {}\nweb: {{ enabled: false }}\ntrading:\n  symbols:\n    \
         - {{ symbol: BTCUSDT, price_interval: 60, order_quantity: 250 }}\n",
        folder.path().display()
    );
    std::fs::write(&file, text).unwrap();
    let url = format!("postgres://bot:{API_SECRET}@127.0.0.1:{}/bot", free_port());
    let envs = [("PLIMSOLL_LOG", "trace"), ("PLIMSOLL_STORAGE_URL", &url)];
    let output = Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(["run", "--config"]).arg(&file).envs(envs).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(contains(&output.stderr, "127.0.0.1") && contains(&output.stderr, "postgres"), "{}", String::from_utf8_lossy(&output.stderr));
    search("standard error", &output.stderr, &[]);
    search("standard output", &output.stdout, &[]);
}

/// The password of an address.
fn password(url: &str) -> Option<&str> {
    url.split_once("://")?.1.rsplit_once('@')?.0.split_once(':').map(|(_, password)| password)
}

fn on_server<T>(url: &str, work: impl AsyncFnOnce(&sea_orm::DatabaseConnection) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = sea_orm::Database::connect(url).await.unwrap();
        let done = work(&server).await;
        server.close().await.unwrap();
        done
    })
}

fn meddle(url: &str, sql: &str) {
    use sea_orm::ConnectionTrait;
    on_server(url, async |server| server.execute_unprepared(sql).await.map(drop).unwrap());
}

/// Everything that the bot stored on a server, as text.
fn dump(url: &str) -> String {
    use sea_orm::{ConnectionTrait, DbBackend, Statement};
    on_server(url, async |server| {
        let mut text = String::new();
        for table in [
            "state",
            "runs",
            "orders",
            "fills",
            "slots",
            "totals",
            "equity",
            "events",
            "logs",
            "account_state",
            "web_users",
            "web_sessions",
            "web_tokens",
            "audit",
        ] {
            let sql = format!("SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM logs_secrets.{table} t");
            let row = server.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap().unwrap();
            text.push_str(&row.try_get_by_index::<String>(0).unwrap());
        }
        assert!(text.contains("plimsoll"), "no line of the log is stored: {text}");
        text
    })
}

#[test]
fn files_stay_within_what_they_may_have_and_stored_lines_can_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let (web, file) = (free_port(), folder.path().join("plimsoll.yaml"));
    let data = folder.path().join("data");
    let text = format!(
        "exchange: local\nlocal: {{ speed: 50 }}\ndata_dir: {}\nweb: {{ listen: \"127.0.0.1:{web}\" }}\n\
         log: {{ file_size: 1MB, keep: 2MB }}\ntrading:\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: 60, order_quantity: 250 }}\n",
        data.display()
    );
    std::fs::write(&file, text).unwrap();
    // What an earlier run left: a file that is nearly full, and more old ones than may be kept from now on.
    let logs = data.join("logs");
    std::fs::create_dir_all(&logs).unwrap();
    let old = |bytes: usize| format!("{}\n", "o".repeat(bytes - 1));
    std::fs::write(logs.join("plimsoll.log"), old((1 << 20) - 400)).unwrap();
    for number in 1..4 {
        std::fs::write(logs.join(format!("plimsoll.{number}.log")), old(1 << 20)).unwrap();
    }
    let sizes = || files(&logs).iter().map(|path| path.metadata().map_or(0, |file| file.len())).sum::<u64>();
    let mut bot = Bot::start(&file, &[("PLIMSOLL_LOG", "debug")]);
    let api = format!("127.0.0.1:{web}");
    until(Duration::from_secs(30), "the next file", || std::fs::metadata(logs.join("plimsoll.log")).is_ok_and(|file| file.len() < 1 << 19));
    assert!(sizes() <= 2 << 20 && !logs.join("plimsoll.2.log").exists(), "{}", sizes());
    until(Duration::from_secs(20), "the line that trading began", || {
        get(&api, "/api/logs?level=info&contains=trading&limit=10").is_some_and(|page| {
            let items = page["items"].as_array().unwrap().clone();
            items.iter().any(|line| line["target"].as_str().unwrap().starts_with("plimsoll") && line["time_ms"].is_u64())
        })
    });
    let (_, metrics) = http("GET", &api, "/metrics", &[]).unwrap();
    for series in ["plimsoll_log_lines_total{sink=\"files\"}", "plimsoll_log_lines_total{sink=\"store\"}", "plimsoll_log_file_bytes"] {
        let line = metrics.lines().find(|line| line.starts_with(series)).unwrap_or_else(|| panic!("no {series}"));
        assert!(!line.ends_with(" 0"), "{line}");
    }
    assert_eq!(bot.stop(), Some(0), "{}", bot.said());
    assert!(sizes() > (1 << 20) - 400 && sizes() <= 2 << 20, "{}", sizes());
    let newest = std::fs::read_to_string(logs.join("plimsoll.log")).unwrap();
    assert!(newest.ends_with('\n') && newest.contains("stopped: edge"), "the last words are in the file");
}
