//! The server on real sockets: live updates, its limits, and stopping.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at once")]

mod common;
#[path = "../examples/made_up/mod.rs"]
mod made_up;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use made_up::MadeUp;
use plimsoll_bounded::{Grant, TaskState, Tasks};
use plimsoll_market::LogLevel;
use plimsoll_web::limits::LOG_VIEWERS_MAX;
use plimsoll_web::{Web, WebConfig, WebHandle};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longer than anything here takes; a test that gets there has failed.
const PATIENCE: Duration = Duration::from_secs(20);

struct Site {
    web: WebHandle,
    token: String,
    market: Arc<MadeUp>,
    tasks: Tasks,
    ledger: plimsoll_bounded::Ledger<plimsoll_bounded::Sealed>,
}

async fn site(change: impl FnOnce(&mut WebConfig)) -> Site {
    let market = common::market();
    let (mut config, token) = common::config();
    change(&mut config);
    let ledger = common::ledger().seal().unwrap();
    let tasks = Tasks::new(Grant::detached(Tasks::line("tasks", 8, 8 * 1024)));
    let web = Web::start(config, market.ports(), &tasks, &ledger).await.unwrap();
    Site { web, token, market, tasks, ledger }
}

impl Site {
    /// Asks for a socket, with the admin token.
    fn upgrade(&self, path: &str) -> http::Request<()> {
        let mut request = format!("ws://{}{path}", self.web.addr()).into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request
    }
}

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn open(site: &Site, query: &str) -> Self {
        Self::at(site, &format!("/ws{query}")).await
    }

    async fn at(site: &Site, path: &str) -> Self {
        Self(timeout(PATIENCE, connect_async(site.upgrade(path))).await.unwrap().unwrap().0)
    }

    /// The next JSON frame; `None` when the server has closed.
    async fn next(&mut self) -> Option<Value> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("no frame in time")? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) => return None,
                Ok(_) => {}
                Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_) | Error::Io(_)) => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Frames up to the first of a kind.
    async fn until(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await.unwrap_or_else(|| panic!("closed before {kind}"));
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }
}

#[tokio::test]
async fn a_subscriber_is_told_everything_and_then_what_changes() {
    let site = site(|_| {}).await;
    let mut client = Client::open(&site, "").await;
    let hello = client.next().await.unwrap();
    assert_eq!((hello["type"].as_str(), hello["status"]["exchange"].as_str()), (Some("hello"), Some("made-up market (example)")));
    assert!(hello["metrics"]["goroutines"].is_u64());
    let first = client.next().await.unwrap();
    assert_eq!((first["type"].as_str(), first["symbols"].as_array().unwrap().len()), (Some("pulse"), 2));

    client.say(&json!({"watch": ["ETHUSDT"]})).await;
    let opening = client.until("symbol").await;
    assert_eq!(opening["symbol"], "ETHUSDT");
    for section in ["orders", "slots", "fills", "prices"] {
        assert!(opening[section].is_array(), "{section}");
    }
    // The market moves: a pulse carries the new price.
    site.market.advance(Duration::from_secs(5));
    let moved = loop {
        let pulse = client.until("pulse").await;
        let price = pulse["symbols"].as_array().unwrap().iter().find(|symbol| symbol["symbol"] == "ETHUSDT").map(|s| s["price"].clone());
        if let Some(price) = price.filter(|price| *price != first["symbols"][1]["price"]) {
            break price;
        }
    };
    assert!(moved.is_string());
    // Sequence numbers of what is broadcast grow by one.
    let (a, b) = (client.until("pulse").await, client.until("pulse").await);
    assert!(a["seq"].as_u64() < b["seq"].as_u64());
    site.web.stop().await;
}

#[tokio::test]
async fn a_watch_can_begin_with_the_connection_and_ends_with_another() {
    let site = site(|_| {}).await;
    let mut client = Client::open(&site, "?watch=BTCUSDT,ETHUSDT").await;
    let (a, b) = (client.until("symbol").await, client.until("symbol").await);
    assert_eq!((a["symbol"].as_str(), b["symbol"].as_str()), (Some("BTCUSDT"), Some("ETHUSDT")));
    let watched = || site.ledger.lines().into_iter().find(|line| &*line.name == "web.live.watched").unwrap().len;
    assert_eq!(watched(), 2);
    for (wish, detail) in [
        (json!({"watch": ["A", "B", "C", "D", "E"]}), "too many symbols"),
        (json!({"watch": ["DOGEUSDT"]}), "not traded here"),
        (json!({"wash": []}), "say {"),
    ] {
        client.say(&wish).await;
        let error = client.until("error").await;
        assert!(error["detail"].as_str().unwrap().contains(detail), "{error}");
    }
    client.say(&json!({"watch": ["BTCUSDT"]})).await;
    client.until("symbol").await;
    assert_eq!(watched(), 1);
    site.web.stop().await;
}

#[tokio::test]
async fn the_oldest_subscriber_leaves_when_one_too_many_comes() {
    let site = site(|config| config.subscribers = 2).await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client::open(&site, "").await;
        client.until("pulse").await;
        clients.push(client);
    }
    let mut third = Client::open(&site, "").await;
    third.until("pulse").await;
    let bye = clients[0].until("bye").await;
    assert_eq!(bye["reason"], "replaced_by_newer");
    assert_eq!(clients[0].next().await, None);
    clients[1].until("pulse").await;
    site.web.stop().await;
}

#[tokio::test]
async fn subscribers_are_sent_away_while_memory_is_short_and_come_back_after_it() {
    let site = site(|_| {}).await;
    let viewers = site.web.viewers();
    let live = || site.ledger.lines().into_iter().find(|line| &*line.name == "web.live.tasks").unwrap().len;
    let mut clients = [Client::open(&site, "").await, Client::open(&site, "?watch=BTCUSDT").await];
    for client in &mut clients {
        client.until("pulse").await;
    }
    assert_eq!((viewers.count(), live()), (2, 2));
    viewers.send_away();
    viewers.send_away();
    for mut client in clients {
        assert_eq!(client.until("bye").await["reason"], "memory_short");
        assert_eq!(client.next().await, None);
    }
    timeout(PATIENCE, async {
        while viewers.count() + live() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("a place is still taken");
    // While it holds nobody gets in, and is told why; whoever asks is still answered.
    match timeout(PATIENCE, connect_async(site.upgrade("/ws"))).await.unwrap() {
        Err(Error::Http(response)) => {
            assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "2"));
            let text = String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned();
            assert!(text.contains("memory_short") && text.contains("trading goes on"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    viewers.let_in();
    let mut back = Client::open(&site, "").await;
    assert_eq!(back.next().await.unwrap()["type"], "hello", "the whole picture is told anew");
    site.web.stop().await;
}

#[tokio::test]
async fn the_log_can_be_followed_by_level_and_text() {
    let site = site(|_| {}).await;
    let mut all = Client::at(&site, "/ws/logs").await;
    let mut some = Client::at(&site, "/ws/logs?level=warn&contains=ORDER").await;
    for client in [&mut all, &mut some] {
        assert_eq!(client.next().await.unwrap(), json!({"type": "hello"}));
    }
    for (level, text) in [(LogLevel::Debug, "order kept"), (LogLevel::Error, "disk full"), (LogLevel::Warn, "Order refused")] {
        site.market.say(level, text);
    }
    for text in ["order kept", "disk full", "Order refused"] {
        assert_eq!(all.next().await.unwrap()["text"], text);
    }
    let line = some.next().await.unwrap();
    assert_eq!((&line["type"], &line["level"], &line["text"]), (&json!("log"), &json!("warn"), &json!("Order refused")));
    for (query, status) in [("level=loud", 400), (&*format!("contains={}", "x".repeat(201)), 400)] {
        match timeout(PATIENCE, connect_async(site.upgrade(&format!("/ws/logs?{query}")))).await.unwrap() {
            Err(Error::Http(response)) => assert_eq!(response.status(), status, "{query}"),
            other => panic!("{query}: {other:?}"),
        }
    }
    let viewers = site.web.viewers();
    viewers.send_away();
    for mut client in [all, some] {
        assert_eq!(client.until("bye").await["reason"], "memory_short");
    }
    viewers.let_in();
    let mut last = Client::at(&site, "/ws/logs").await;
    last.until("hello").await;
    let (_, bye) = tokio::join!(site.web.stop(), last.until("bye"));
    assert_eq!(bye["reason"], "stopping");
}

#[tokio::test]
async fn the_oldest_of_101_who_follow_the_log_leaves_and_is_told() {
    let site = site(|_| {}).await;
    let mut clients = Vec::new();
    for _ in 0..=LOG_VIEWERS_MAX {
        let mut client = Client::at(&site, "/ws/logs").await;
        client.until("hello").await;
        clients.push(client);
    }
    assert_eq!(clients[0].until("bye").await["reason"], "replaced_by_newer");
    assert_eq!(clients[0].next().await, None);
    site.market.say(LogLevel::Info, "for all");
    for client in &mut clients[1..] {
        assert_eq!(client.next().await.unwrap()["text"], "for all");
    }
    site.web.stop().await;
}

#[tokio::test]
async fn tasks_of_connections_and_subscribers_can_be_watched() {
    let site = site(|_| {}).await;
    let mut client = Client::open(&site, "").await;
    client.until("pulse").await;
    let mut idle = TcpStream::connect(site.web.addr()).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    idle.read_exact(&mut [0; 12]).await.unwrap();
    let mut seen: Vec<_> = site.web.task_sets().iter().flat_map(Tasks::status).filter(|task| task.state == TaskState::Running).collect();
    seen.sort_by_key(|task| task.name.to_string());
    let mut names: Vec<_> = seen.iter().map(|task| (task.group, task.name.to_string())).collect();
    // The connection that became the subscriber's may still be ending.
    names.dedup();
    assert_eq!(names, [("web", "web/connection".to_owned()), ("web", "web/live".to_owned())]);
    assert!(seen.iter().all(|task| !task.overdue));
    site.web.stop().await;
}

#[tokio::test]
async fn a_subscriber_that_talks_too_much_is_let_go() {
    let site = site(|_| {}).await;
    let mut client = Client::open(&site, "").await;
    client.until("pulse").await;
    for _ in 0..41 {
        client.say(&json!({"watch": []})).await;
    }
    assert_eq!(client.until("bye").await["reason"], "too_many_messages");
    let mut client = Client::open(&site, "").await;
    client.until("pulse").await;
    client.0.send(Message::text("x".repeat(5_000))).await.unwrap();
    while client.next().await.is_some() {}
    site.web.stop().await;
}

#[tokio::test]
async fn pages_of_other_sites_cannot_listen() {
    let site = site(|_| {}).await;
    let mut request = site.upgrade("/ws");
    request.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
    match timeout(PATIENCE, connect_async(request)).await.unwrap() {
        Err(Error::Http(response)) => assert_eq!(response.status(), 403),
        other => panic!("{other:?}"),
    }
    site.web.stop().await;
}

#[tokio::test]
async fn a_connection_too_many_is_told_so() {
    let site = site(|config| config.connections = 4).await;
    let addr = site.web.addr();
    let mut kept = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        kept.push(stream);
    }
    let mut fifth = TcpStream::connect(addr).await.unwrap();
    let mut told = String::new();
    timeout(PATIENCE, fifth.read_to_string(&mut told)).await.unwrap().unwrap();
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("too many connections"), "{told}");
    // The way back: one leaves, another is served.
    drop(kept.pop());
    loop {
        let mut again = TcpStream::connect(addr).await.unwrap();
        // The server may have closed already: then the write or the read fails and the next attempt tells.
        let written = again.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
        let mut answer = String::new();
        let read = timeout(PATIENCE, again.read_to_string(&mut answer)).await.unwrap();
        if written.is_ok() && read.is_ok() && answer.starts_with("HTTP/1.1 200") {
            break;
        }
    }
    site.web.stop().await;
}

#[tokio::test]
async fn heads_have_a_limit() {
    let site = site(|_| {}).await;
    let mut stream = TcpStream::connect(site.web.addr()).await.unwrap();
    let head = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    // The server may answer and close before all is written.
    drop(stream.write_all(head.as_bytes()).await);
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 431");
    site.web.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_said_with_what_to_do() {
    let site = site(|_| {}).await;
    let (mut config, _) = common::config();
    config.listen = site.web.addr();
    let error = Web::start(config, site.market.ports(), &site.tasks, &common::ledger()).await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("is taken by another process") && said.contains("web.listen"), "{said}");
    site.web.stop().await;
}

#[tokio::test]
async fn stopping_says_good_bye_and_joins_everything() {
    let site = site(|_| {}).await;
    let addr = site.web.addr();
    let mut client = Client::open(&site, "").await;
    client.until("pulse").await;
    let mut idle = TcpStream::connect(addr).await.unwrap();
    let lines = site.ledger.lines().len();
    let (stopped, bye) = tokio::join!(timeout(PATIENCE, site.web.stop()), client.until("bye"));
    stopped.unwrap();
    assert_eq!(bye["reason"], "stopping");
    assert_eq!(site.tasks.counts().live, 0);
    let mut rest = Vec::new();
    // Closed or reset: either way it has ended.
    drop(timeout(PATIENCE, idle.read_to_end(&mut rest)).await.unwrap());
    assert!(TcpStream::connect(addr).await.is_err());
    // Every grant of the plan has come back with the handle.
    drop(site.web);
    assert_eq!(site.ledger.lines().len(), lines - 12);
}

#[tokio::test]
async fn a_socket_ends_with_the_token_that_opened_it() {
    let site = site(|_| {}).await;
    // Over a real socket, as a program would.
    let ask = async |method: &str, path: &str, body: &str| {
        let mut stream = TcpStream::connect(site.web.addr()).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
            site.token,
            body.len()
        );
        stream.write_all((head + body).as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        answer
    };
    let made = ask("POST", "/api/auth/tokens", "{\"name\":\"desk\",\"scope\":\"read\"}").await;
    let made: Value = serde_json::from_str(made.split_once("\r\n\r\n").unwrap().1).unwrap();
    let mut sockets = Vec::new();
    for path in ["/ws", "/ws/logs"] {
        let mut request = site.upgrade(path);
        request.headers_mut().insert("authorization", format!("Bearer {}", made["token"].as_str().unwrap()).parse().unwrap());
        let mut client = Client(timeout(PATIENCE, connect_async(request)).await.unwrap().unwrap().0);
        client.until("hello").await;
        sockets.push(client);
    }
    let revoked = ask("DELETE", &format!("/api/auth/tokens/{}", made["id"].as_str().unwrap()), "").await;
    assert!(revoked.starts_with("HTTP/1.1 204"), "{revoked}");
    for mut client in sockets {
        let speaking = async {
            loop {
                site.market.say(LogLevel::Info, "something");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let bye = tokio::select! {
            bye = client.until("bye") => bye,
            () = speaking => unreachable!("it never ends"),
        };
        assert_eq!(bye["reason"], "logged_out");
    }
    site.web.stop().await;
}

#[tokio::test]
async fn beyond_loopback_it_needs_a_password_and_tls_or_a_proxy() {
    let start = async |market: &Arc<MadeUp>, change: &dyn Fn(&mut WebConfig)| {
        let (mut config, _) = common::config();
        config.listen = "0.0.0.0:0".parse().unwrap();
        change(&mut config);
        let tasks = Tasks::new(Grant::detached(Tasks::line("tasks", 8, 8 * 1024)));
        match Web::start(config, market.ports(), &tasks, &common::ledger()).await {
            Ok(web) => {
                web.stop().await;
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    };
    let market = common::market();
    let proxied = |config: &mut WebConfig| config.behind_proxy = true;
    let error = start(&market, &proxied).await.unwrap_err();
    assert!(error.contains("no password is set") && error.contains("plimsoll password"), "{error}");
    let row = plimsoll_web::password_row("four random words", plimsoll_market::Time::ZERO).unwrap();
    plimsoll_web::Vault::change(market.vault.as_ref(), vec![plimsoll_web::LoginChange::User(row)]).await.unwrap();
    let error = start(&market, &|_| {}).await.unwrap_err();
    assert!(error.contains("in the clear") && error.contains("web.tls_cert"), "{error}");
    start(&market, &proxied).await.unwrap();
    start(&market, &|config| config.listen = "127.0.0.1:0".parse().unwrap()).await.unwrap();
}

#[tokio::test]
async fn tls_is_spoken_with_the_configured_certificate() {
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mode = |mode| std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    let files = plimsoll_web::TlsFiles { certificate, key: key.clone() };
    mode(0o644);
    let (mut config, _) = common::config();
    config.tls = Some(files.clone());
    let error = Web::router(&config, common::market().ports(), &common::ledger()).await.unwrap_err().to_string();
    assert!(error.contains("everybody can read it"), "{error}");
    mode(0o600);
    let site = site(|config| config.tls = Some(files)).await;
    assert!(site.web.url().starts_with("https://"));

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(made.cert.der().to_vec())).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    let tcp = TcpStream::connect(site.web.addr()).await.unwrap();
    let mut stream = timeout(PATIENCE, connector.connect(ServerName::try_from("localhost").unwrap(), tcp)).await.unwrap().unwrap();
    stream.write_all(b"GET /api/status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().ok();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&answer));
    // Who does not speak it gets nothing, and is let go.
    let mut plain = TcpStream::connect(site.web.addr()).await.unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    drop(timeout(PATIENCE, plain.read_to_end(&mut answer)).await.unwrap());
    assert!(!answer.starts_with(b"HTTP"));
    site.web.stop().await;
}
