//! A local exchange and a tiny client for it: raw HTTP and raw WebSocket frames over loopback.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use plimsoll_bounded::{Grant, Grants, Tasks};
use plimsoll_exchange::binance::sign::{Secret, Signer};
use plimsoll_testnet::{AccountConfig, Testnet, TestnetConfig, TestnetHandle};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running exchange with what runs it.
pub struct Exchange {
    pub handle: TestnetHandle,
    pub tasks: Tasks,
}

impl Exchange {
    pub async fn start(config: TestnetConfig) -> Self {
        let tasks = Tasks::new(Grant::detached(Tasks::line("test.tasks", 8, 4096)));
        let grants = Grants::detached(&Testnet::plan(&config).unwrap());
        let handle = Testnet::start(config, grants, &tasks).await.unwrap();
        Self { handle, tasks }
    }

    pub async fn stop(self) {
        assert!(self.handle.stop(PATIENCE).await.unwrap().is_ok());
        assert!(self.tasks.shutdown(PATIENCE).await.is_clean());
    }

    pub fn client(&self) -> Client {
        Client::new(&self.handle, "testkey", "testsecret")
    }

    pub async fn socket(&self, address: &str) -> Socket {
        Socket::open(&self.handle, address).await.unwrap()
    }
}

/// One account and the default contracts.
pub fn config() -> TestnetConfig {
    TestnetConfig::new(7, vec![AccountConfig::parse("testkey:testsecret:100000").unwrap()])
}

/// The folder of recorded data, if it is there.
pub fn shared() -> Option<std::path::PathBuf> {
    let root = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var_os("PLIMSOLL_SHARED").map_or_else(|| root.join("../shared"), std::path::PathBuf::from);
    folder.join("data/market/hftbacktest/usdm").is_dir().then_some(folder)
}

pub fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: Value,
    pub text: String,
}

impl Answer {
    pub fn code(&self) -> i64 {
        self.body["code"].as_i64().unwrap_or(0)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.headers.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }
}

pub struct Client {
    addr: std::net::SocketAddr,
    key: String,
    signer: Signer,
}

impl Client {
    pub fn new(handle: &TestnetHandle, key: &str, secret: &str) -> Self {
        let text = |text: &str| Secret::new(text.to_owned()).unwrap();
        Self { addr: handle.addr(), key: key.to_owned(), signer: Signer::new(text(key), &text(secret)) }
    }

    /// Sends a request as it is.
    pub async fn raw(&self, method: &str, target: &str, key: Option<&str>, body: &str) -> Answer {
        timeout(PATIENCE, async {
            let mut stream = TcpStream::connect(self.addr).await.unwrap();
            let key = key.map(|key| format!("x-mbx-apikey: {key}\r\n")).unwrap_or_default();
            let form = "content-type: application/x-www-form-urlencoded\r\n";
            let length = body.len();
            let head =
                format!("{method} {target} HTTP/1.1\r\nhost: local\r\nconnection: close\r\n{form}{key}content-length: {length}\r\n\r\n");
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            let (headers, body) = text.split_once("\r\n\r\n").unwrap();
            let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
            let value = serde_json::from_str(body).unwrap_or(Value::Null);
            Answer { status, headers: headers.to_owned(), body: value, text: body.to_owned() }
        })
        .await
        .unwrap()
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.raw("GET", target, None, "").await
    }

    pub fn signed(&self, query: &str) -> String {
        let mut text = query.to_owned();
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(&format!("timestamp={}", now_ms()));
        self.signer.append_signature(&mut text);
        text
    }

    /// Signs and sends: parameters of GET and DELETE in the query, of the others in the body, as ccxt does.
    pub async fn call(&self, method: &str, path: &str, query: &str) -> Answer {
        let text = self.signed(query);
        match method {
            "GET" | "DELETE" => self.raw(method, &format!("{path}?{text}"), Some(&self.key), "").await,
            _ => self.raw(method, path, Some(&self.key), &text).await,
        }
    }

    pub async fn listen_key(&self) -> String {
        let answer = self.raw("POST", "/fapi/v1/listenKey", Some(&self.key), "").await.ok();
        answer["listenKey"].as_str().unwrap().to_owned()
    }

    /// A price on the tick about so many parts per thousand from the middle.
    pub async fn price(&self, symbol: &str, permille: i64) -> String {
        let top = self.get(&format!("/fapi/v1/ticker/bookTicker?symbol={symbol}")).await.ok();
        let bid: f64 = top["bidPrice"].as_str().unwrap().parse().unwrap();
        let price = bid * (1000 + permille) as f64 / 1000.0;
        format!("{:.1}0", (price * 10.0).floor() / 10.0)
    }
}

/// A WebSocket connection.
pub struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The last text as it came.
    pub last: String,
}

/// What came over a socket.
#[derive(Debug)]
pub enum Frame {
    Text(Value),
    Closed(u16, String),
}

impl Socket {
    /// Opens an address; the status when it is refused.
    pub async fn open(handle: &TestnetHandle, address: &str) -> Result<Self, u16> {
        let mut stream = TcpStream::connect(handle.addr()).await.unwrap();
        let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n";
        let head = format!("GET {address} HTTP/1.1\r\nhost: local\r\nconnection: Upgrade\r\nupgrade: websocket\r\n{key}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut buffer = Vec::new();
        loop {
            let mut bytes = [0; 4096];
            let read = timeout(PATIENCE, stream.read(&mut bytes)).await.unwrap().unwrap();
            buffer.extend_from_slice(&bytes[..read]);
            if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8(buffer.drain(..at + 4).collect()).unwrap();
                let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
                return if status == 101 { Ok(Self { stream, buffer, last: String::new() }) } else { Err(status) };
            }
            assert!(read > 0, "closed during the handshake");
        }
    }

    pub async fn send(&mut self, text: &str) {
        let mut frame = vec![0x81];
        match text.len() {
            length @ 0..126 => frame.push(0x80 | length as u8),
            length => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        // A mask of zeros leaves the text as it is.
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        self.stream.write_all(&frame).await.unwrap();
    }

    /// Sends a ping.
    pub async fn ping(&mut self) {
        self.stream.write_all(&[0x89, 0x80, 0, 0, 0, 0]).await.unwrap();
    }

    /// Whether a pong is the next thing that comes.
    pub async fn pong(&mut self) -> bool {
        timeout(PATIENCE, async {
            loop {
                if let Some((kind, _)) = self.take() {
                    return kind == 10;
                }
                let mut bytes = [0; 4096];
                match self.stream.read(&mut bytes).await {
                    Ok(0) | Err(_) => return false,
                    Ok(read) => self.buffer.extend_from_slice(&bytes[..read]),
                }
            }
        })
        .await
        .unwrap()
    }

    /// The next text or the end; pings are passed over.
    pub async fn next(&mut self) -> Frame {
        timeout(PATIENCE, async {
            loop {
                if let Some((kind, payload)) = self.take() {
                    match kind {
                        1 => {
                            self.last = String::from_utf8(payload).unwrap();
                            return Frame::Text(serde_json::from_str(&self.last).unwrap());
                        }
                        8 => {
                            let code = payload.first_chunk::<2>().map_or(0, |code| u16::from_be_bytes(*code));
                            return Frame::Closed(code, String::from_utf8(payload.get(2..).unwrap_or(&[]).to_vec()).unwrap());
                        }
                        _ => continue,
                    }
                }
                let mut bytes = [0; 16384];
                match self.stream.read(&mut bytes).await {
                    Ok(0) | Err(_) => return Frame::Closed(1006, String::new()),
                    Ok(read) => self.buffer.extend_from_slice(&bytes[..read]),
                }
            }
        })
        .await
        .expect("something comes over the socket")
    }

    fn take(&mut self) -> Option<(u8, Vec<u8>)> {
        let (first, second) = (*self.buffer.first()?, *self.buffer.get(1)?);
        let (length, head) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes(*self.buffer.get(2..)?.first_chunk()?)), 4),
            127 => (usize::try_from(u64::from_be_bytes(*self.buffer.get(2..)?.first_chunk()?)).unwrap(), 10),
            length => (usize::from(length), 2),
        };
        let payload = self.buffer.get(head..head + length)?.to_vec();
        self.buffer.drain(..head + length);
        Some((first & 0x0f, payload))
    }

    pub async fn text(&mut self) -> Value {
        match self.next().await {
            Frame::Text(value) => value,
            closed => panic!("{closed:?}"),
        }
    }

    /// The next event for which `wanted` says so; others are passed over.
    pub async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let value = self.text().await;
            if wanted(&value) {
                return value;
            }
        }
    }

    /// The next event of a kind.
    pub async fn event(&mut self, kind: &str) -> Value {
        self.until(|value| value["e"] == kind).await
    }
}
