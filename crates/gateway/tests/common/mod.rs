//! A small exchange on loopback made of threads: scripted answers, streams fed by the test.
#![allow(dead_code, reason = "each test file and the bench use a part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use plimsoll_bounded::{Grants, Plan, Tasks};
use plimsoll_exchange::SymbolIndex;
use plimsoll_exchange::binance::sign::{Secret, Signer};
use plimsoll_exchange::session::{BootFailure, BootReport, Routing, Session, SessionConfig};
use plimsoll_gateway::{Clock, Gateway, GatewayConfig, GatewayHandle, Sink};
use plimsoll_market::{AccountEvent, ClientId, Event, Leg, OrderType, Place, Price, Qty, Side, Symbol, Tag, Time, TimeInForce};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

/// What the server does with a request.
pub enum Act {
    Reply(u16, String),
    /// With a header.
    Header(u16, String, &'static str),
    /// After a while.
    Slow(Duration, u16, String),
    /// Half an answer, then the end.
    Half,
    /// No answer; the connection is closed.
    Cut,
    /// An answer, then the end.
    Last(u16, String),
}

/// What a stream's thread does.
pub enum Push {
    Text(String),
    /// A frame's head that promises more than frames may have.
    Oversized,
    /// The first half of a frame, then the end of the connection.
    HalfFrame,
    Ping,
    Close,
}

type Script = Box<dyn Fn(&str, &str) -> Option<Act> + Send + Sync>;

struct Shared {
    script: Script,
    streams: Mutex<Vec<(String, Sender<Push>)>>,
    requests: Mutex<Vec<(Instant, String)>>,
    /// Told when each order has arrived, and the raw sockets of the streams: for the bench.
    arrivals: Mutex<Option<Sender<Instant>>>,
    sockets: Mutex<Vec<(String, TcpStream)>>,
    stop: AtomicBool,
    live: AtomicUsize,
    accepted: AtomicUsize,
}

pub struct Server {
    pub addr: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves the ordinary answers, except where the script says otherwise for `METHOD` and target.
    pub fn start(script: impl Fn(&str, &str) -> Option<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            streams: Mutex::default(),
            requests: Mutex::default(),
            arrivals: Mutex::default(),
            sockets: Mutex::default(),
            stop: AtomicBool::new(false),
            live: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
        });
        let inner = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if inner.stop.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { break };
                inner.accepted.fetch_add(1, Ordering::SeqCst);
                inner.live.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&inner);
                std::thread::spawn(move || {
                    serve(stream, &shared);
                    shared.live.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { addr, shared, thread: Some(thread) }
    }

    /// Sends to the newest stream whose path has this part; waits for one.
    pub fn push(&self, part: &str, push: Push) {
        let until = Instant::now() + Duration::from_secs(10);
        let mut push = Some(push);
        while let Some(what) = push.take() {
            let mut streams = self.shared.streams.lock().unwrap();
            match streams.iter().rposition(|(path, _)| path.contains(part)) {
                Some(n) => {
                    if let Err(back) = streams[n].1.send(what) {
                        streams.remove(n);
                        push = Some(back.0);
                    }
                }
                None => {
                    push = Some(what);
                    drop(streams);
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            assert!(Instant::now() < until, "no stream {part}");
        }
    }

    pub fn streams(&self) -> usize {
        self.shared.streams.lock().unwrap().len()
    }

    /// Has the arrival of each order told from now on, instead of kept.
    pub fn arrivals(&self) -> Receiver<Instant> {
        let (sender, receiver) = mpsc::channel();
        *self.shared.arrivals.lock().unwrap() = Some(sender);
        receiver
    }

    /// The raw socket of a stream, to write frames past its thread.
    pub fn socket(&self, part: &str) -> TcpStream {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some((_, socket)) = self.shared.sockets.lock().unwrap().iter().find(|(path, _)| path.contains(part)) {
                return socket.try_clone().unwrap();
            }
            assert!(Instant::now() < until, "no stream {part}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Connections open now.
    pub fn live(&self) -> usize {
        self.shared.live.load(Ordering::SeqCst)
    }

    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> Vec<(Instant, String)> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub fn count(&self, part: &str) -> usize {
        self.requests().iter().filter(|(_, line)| line.contains(part)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        drop(TcpStream::connect(self.addr));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut buffer = Vec::new();
    let mut chunk = [0; 4096];
    let mut read_at = Instant::now();
    loop {
        let head = match buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            Some(end) => {
                let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
                buffer.drain(..end + 4);
                head
            }
            None => match stream.read(&mut chunk) {
                Ok(0) => return,
                Ok(n) => {
                    read_at = Instant::now();
                    buffer.extend_from_slice(&chunk[..n]);
                    continue;
                }
                Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                    if shared.stop.load(Ordering::SeqCst) {
                        return;
                    }
                    continue;
                }
                Err(_) => return,
            },
        };
        let line = head.lines().next().unwrap();
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let header =
            |name: &str| head.lines().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v));
        if let Some(key) = header("sec-websocket-key") {
            let accept = derive_accept_key(key.as_bytes());
            let reply = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            // Known before the client hears of it.
            let (sender, receiver) = mpsc::channel();
            shared.streams.lock().unwrap().push((target.to_owned(), sender));
            shared.sockets.lock().unwrap().push((target.to_owned(), stream.try_clone().unwrap()));
            stream.write_all(reply.as_bytes()).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
            stream_loop(stream, &receiver, shared);
            return;
        }
        let told = shared.arrivals.lock().unwrap().as_ref().map(|arrivals| arrivals.send(read_at));
        if told.is_none() {
            shared.requests.lock().unwrap().push((read_at, format!("{method} {target}")));
        }
        let act = (shared.script)(method, target).unwrap_or_else(|| ordinary(method, target));
        let (status, body, extra, last) = match act {
            Act::Reply(status, body) => (status, body, "", false),
            Act::Header(status, body, header) => (status, body, header, false),
            Act::Slow(wait, status, body) => {
                std::thread::sleep(wait);
                (status, body, "", false)
            }
            Act::Half => {
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"orderId\":"));
                return;
            }
            Act::Cut => return,
            Act::Last(status, body) => (status, body, "", true),
        };
        let reply = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{extra}\r\n{body}", body.len());
        if stream.write_all(reply.as_bytes()).is_err() || last {
            return;
        }
    }
}

fn stream_loop(stream: TcpStream, pushes: &Receiver<Push>, shared: &Shared) {
    let mut raw = stream.try_clone().unwrap();
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    loop {
        match pushes.try_recv() {
            Ok(Push::Text(text)) => {
                if socket.send(Message::text(text)).is_err() {
                    return;
                }
            }
            Ok(Push::Ping) => socket.send(Message::Ping(vec![1].into())).unwrap(),
            Ok(Push::Oversized) => {
                // A text frame of 2 MiB: the head is enough.
                raw.write_all(&[0x81, 127, 0, 0, 0, 0, 0, 0x20, 0, 0]).unwrap();
            }
            Ok(Push::HalfFrame) => {
                raw.write_all(&[0x81, 100, b'{', b'"']).unwrap();
                raw.shutdown(std::net::Shutdown::Both).unwrap();
                return;
            }
            Ok(Push::Close) => drop(socket.close(None)),
            Err(_) => {}
        }
        match socket.read() {
            Ok(_) => {}
            Err(Error::Io(e)) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                if shared.stop.load(Ordering::SeqCst) {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

pub fn param<'a>(target: &'a str, name: &str) -> &'a str {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or("")
}

pub fn order_json(target: &str, status: &str) -> String {
    let id = match param(target, "newClientOrderId") {
        "" => param(target, "origClientOrderId"),
        id => id,
    };
    format!(
        r#"{{"orderId":5,"symbol":"BTCUSDT","status":"{status}","clientOrderId":"{id}","price":"100.00","avgPrice":"0","origQty":"0.500",
        "executedQty":"0","cumQuote":"0","timeInForce":"GTX","type":"LIMIT","reduceOnly":false,"side":"BUY","positionSide":"BOTH","updateTime":7}}"#
    )
}

const SYMBOL: &str = r#"{"timezone":"UTC","serverTime":1,"exchangeFilters":[],"rateLimits":[
{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400},
{"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":1000000},
{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":1000000}],"symbols":[
{"symbol":"BTCUSDT","pair":"BTCUSDT","contractType":"PERPETUAL","deliveryDate":4133404800000,"status":"TRADING","baseAsset":"BTC",
"quoteAsset":"USDT","marginAsset":"USDT","pricePrecision":2,"quantityPrecision":3,"timeInForce":["GTC","IOC","FOK","GTX"],
"orderTypes":["LIMIT","MARKET"],"filters":[
{"filterType":"PRICE_FILTER","minPrice":"1.00","maxPrice":"1000000.00","tickSize":"0.10"},
{"filterType":"LOT_SIZE","minQty":"0.001","maxQty":"1000.000","stepSize":"0.001"},
{"filterType":"MARKET_LOT_SIZE","minQty":"0.001","maxQty":"100.000","stepSize":"0.001"},
{"filterType":"MAX_NUM_ORDERS","limit":200},{"filterType":"MIN_NOTIONAL","notional":"5"},
{"filterType":"PERCENT_PRICE","multiplierUp":"1.0500","multiplierDown":"0.9500","multiplierDecimal":"4"}]}]}"#;

fn ordinary(method: &str, target: &str) -> Act {
    let path = target.split('?').next().unwrap();
    let body = match (method, path) {
        ("GET", "/fapi/v1/time") => {
            format!(r#"{{"serverTime":{}}}"#, SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis())
        }
        ("GET", "/fapi/v1/exchangeInfo") => SYMBOL.to_owned(),
        ("GET", "/fapi/v1/positionSide/dual") => r#"{"dualSidePosition":false}"#.to_owned(),
        ("GET", "/fapi/v1/multiAssetsMargin") => r#"{"multiAssetsMargin":false}"#.to_owned(),
        ("GET", "/fapi/v1/commissionRate") => {
            r#"{"symbol":"BTCUSDT","makerCommissionRate":"0.0002","takerCommissionRate":"0.0005"}"#.to_owned()
        }
        ("POST", "/fapi/v1/listenKey") => r#"{"listenKey":"listenkey1"}"#.to_owned(),
        ("GET", "/fapi/v1/depth") => {
            r#"{"lastUpdateId":100,"E":1,"T":1,"bids":[["100.00","1.000"]],"asks":[["100.10","1.500"]]}"#.to_owned()
        }
        ("POST", "/fapi/v1/order") => order_json(target, "NEW"),
        ("DELETE", "/fapi/v1/order") => order_json(target, "CANCELED"),
        ("GET", "/fapi/v1/order") => order_json(target, "NEW"),
        _ => "[]".to_owned(),
    };
    Act::Reply(200, body)
}

pub fn ticker(id: u64) -> String {
    let qty = id % 1_000 + 1;
    format!(
        r#"{{"stream":"btcusdt@bookTicker","data":{{"e":"bookTicker","u":{id},"s":"BTCUSDT","b":"100.00","B":"{qty}","a":"100.10","A":"1.500","T":9,"E":9}}}}"#
    )
}

pub fn id(n: u64) -> ClientId {
    ClientId::new(Tag(7), 1, Leg::new(0, 0).unwrap(), Side::Buy, n)
}

pub fn place(n: u64) -> plimsoll_market::Action {
    plimsoll_market::Action::Place(Place {
        id: id(n),
        price: Price::from_units(10_000),
        qty: Qty::from_units(500),
        kind: OrderType::Limit,
        tif: TimeInForce::Gtx,
        reduce_only: false,
    })
}

/// A sink that hands everything to the test.
pub struct Tape(pub Sender<String>);

impl Sink for Tape {
    fn event(&mut self, symbol: SymbolIndex, _now: Time, event: Event) {
        let text = match event {
            Event::Top(top) => format!("top {}", top.bid_qty.units()),
            Event::Order(report) => format!("order {} {}", report.id.map_or(0, |id| id.generation()), report.status.as_str()),
            other => format!("{other:?}"),
        };
        drop(self.0.send(format!("{} {text}", symbol.0)));
    }

    fn account(&mut self, _now: Time, event: AccountEvent) {
        drop(self.0.send(format!("account {event:?}")));
    }

    fn booted(&mut self, _now: Time, report: Result<BootReport, BootFailure>) {
        drop(self.0.send(match report {
            Ok(report) => format!("booted {}", report.symbols.len()),
            Err(failure) => format!("failed {failure}"),
        }));
    }
}

pub fn tasks() -> Tasks {
    Tasks::new(plimsoll_bounded::Grant::detached(Tasks::line("test.tasks", 4, 64 << 10)))
}

pub fn spawn(addr: SocketAddr, sink: impl Sink, tasks: &Tasks) -> GatewayHandle {
    let mut plan = Plan::new("test");
    Session::plan(&mut plan, "test", 1).unwrap();
    Gateway::plan(&mut plan, "test", 1).unwrap();
    let mut grants = Grants::detached(&plan);
    let secret = |text: &str| Secret::new(text.to_owned()).unwrap();
    let config = SessionConfig {
        symbols: vec![Symbol::new("BTCUSDT").unwrap()],
        tag: Tag(7),
        routing: Routing::Routed,
        signer: Signer::new(secret("key"), &secret("secret")),
        recv_window: Duration::from_secs(5),
        leverage: None,
        candles: 0,
        bars: Vec::new(),
        rates: Vec::new(),
        funded_to: Vec::new(),
    };
    let session = Session::new(config, 1, &mut grants).unwrap();
    let config = GatewayConfig::new("test", &format!("http://{addr}"), &format!("ws://{addr}"), "key").unwrap();
    let handle = Gateway::spawn(&config, session, sink, Clock::start(), tasks, &mut grants).unwrap();
    assert!(grants.is_empty(), "every grant of the plan is used");
    handle
}
