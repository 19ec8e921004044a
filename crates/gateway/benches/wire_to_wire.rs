//! From a WebSocket frame in to a signed order request out: the gateway with its session against a bare pair of sockets that
//! reads a raw frame and writes a raw request, in the same run, in turns, on loopback.
//!
//! Both talk to the same server. A measurement is from just before the frame is written to just after the request is read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a bench measures or dies")]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Server, order_json, place, spawn, tasks, ticker};
use plimsoll_exchange::SymbolIndex;
use plimsoll_exchange::session::{BootFailure, BootReport};
use plimsoll_gateway::{OrderSender, Sink};
use plimsoll_market::{AccountEvent, Event, Feed, Time};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

const ROUNDS: usize = 6_000;
const WARM_UP: usize = 500;
const TIME_MAX: Duration = Duration::from_secs(12);

/// Answers each new top with an order.
struct Quoter {
    orders: Arc<OnceLock<OrderSender>>,
    ready: Sender<()>,
    n: u64,
}

impl Sink for Quoter {
    fn event(&mut self, symbol: SymbolIndex, _now: Time, event: Event) {
        match event {
            Event::Top(_) => {
                self.n += 1;
                if let Some(orders) = self.orders.get() {
                    orders.try_send(symbol, place(self.n)).unwrap();
                }
            }
            Event::Link(link) if link.feed == Feed::Market && link.up => self.ready.send(()).unwrap(),
            _ => {}
        }
    }

    fn account(&mut self, _now: Time, _event: AccountEvent) {}

    fn booted(&mut self, _now: Time, report: Result<BootReport, BootFailure>) {
        report.unwrap();
    }
}

fn main() {
    let server = Server::start(|_, _| None);
    let addr = server.addr;
    let orders = Arc::new(OnceLock::new());
    let (ready, is_ready) = channel();
    let quoter = Quoter { orders: Arc::clone(&orders), ready, n: 0 };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let trading = std::thread::Builder::new().name("trading".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tasks = tasks();
        runtime.block_on(async {
            let handle = spawn(addr, quoter, &tasks);
            orders.set(handle.orders()).unwrap();
            stopped.await.unwrap();
            assert!(handle.stop(Duration::from_secs(8)).await.is_clean());
        });
    });
    is_ready.recv_timeout(Duration::from_secs(10)).unwrap();
    let mut ours_in = server.socket("/public");
    let bare = bare(addr);
    let mut bare_in = server.socket("/bare");
    // Connections opened in advance are there by now.
    std::thread::sleep(Duration::from_millis(200));
    let arrivals = server.arrivals();
    let (mut ours, mut raw) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    let started = Instant::now();
    for round in 0..ROUNDS + WARM_UP {
        let text = ticker(round as u64 + 1);
        let a = once(&mut ours_in, &text, &arrivals);
        let b = once(&mut bare_in, &text, &arrivals);
        if round >= WARM_UP {
            ours.push(a);
            raw.push(b);
        }
        if started.elapsed() > TIME_MAX {
            break;
        }
    }
    stop.send(()).unwrap();
    trading.unwrap().join().unwrap();
    drop(bare_in);
    drop(server);
    bare.join().unwrap();
    report(&mut ours, &mut raw);
}

fn once(socket: &mut TcpStream, text: &str, arrivals: &Receiver<Instant>) -> Duration {
    let mut frame = vec![0x81, 126];
    frame.extend_from_slice(&(text.len() as u16).to_be_bytes());
    frame.extend_from_slice(text.as_bytes());
    let sent = Instant::now();
    socket.write_all(&frame).unwrap();
    let arrived = arrivals.recv_timeout(Duration::from_secs(5)).expect("an order for each frame");
    // The answer comes back and everybody falls asleep again.
    std::thread::sleep(Duration::from_micros(300));
    arrived.duration_since(sent)
}

/// A thread that reads a frame and writes a request that was made beforehand.
fn bare(addr: SocketAddr) -> std::thread::JoinHandle<()> {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_nodelay(true).unwrap();
    let hello = format!(
        "GET /bare HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(hello.as_bytes()).unwrap();
    let mut http = TcpStream::connect(addr).unwrap();
    http.set_nodelay(true).unwrap();
    let target = format!(
        "/fapi/v1/order?symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTX&price=100.00&quantity=0.500&newClientOrderId={}\
         &newOrderRespType=RESULT&recvWindow=5000&timestamp=1700000000000&signature={}",
        common::id(1).text(),
        "0".repeat(64)
    );
    let request = format!("POST {target} HTTP/1.1\r\nhost: {addr}\r\nx-mbx-apikey: key\r\ncontent-length: 0\r\n\r\n");
    let answer = order_json(&target, "NEW").len();
    std::thread::spawn(move || {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let mut buffer = vec![0; 4096];
        loop {
            // One frame is one write of the server: it comes whole, or the rest follows at once.
            let mut have = 0;
            while have < 4 || have < 4 + usize::from(u16::from_be_bytes([buffer[2], buffer[3]])) {
                match stream.read(&mut buffer[have..]) {
                    Ok(n) if n > 0 && buffer[0] == 0x81 => have += n,
                    _ => return,
                }
            }
            http.write_all(request.as_bytes()).unwrap();
            let mut have = 0;
            while have < answer {
                match http.read(&mut buffer) {
                    Ok(0) | Err(_) => return,
                    Ok(n) => have += n,
                }
            }
        }
    })
}

fn report(ours: &mut [Duration], raw: &mut [Duration]) {
    ours.sort_unstable();
    raw.sort_unstable();
    let at = |all: &[Duration], permille: usize| all[(all.len() - 1) * permille / 1_000].as_nanos() as f64 / 1_000.0;
    println!("wire to wire, {} rounds: WebSocket frame in, order request out", ours.len());
    for (name, permille) in [("p50", 500), ("p99", 990)] {
        let (a, b) = (at(ours, permille), at(raw, permille));
        println!("{name}: ours {a:.1} us, bare sockets {b:.1} us, ratio {:.2}", a / b);
    }
}
