//! The gateway against a small exchange on loopback.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{Act, Push, Server, Tape, id, order_json, place, spawn, tasks, ticker};
use plimsoll_bounded::Tasks;
use plimsoll_exchange::SymbolIndex;
use plimsoll_gateway::{GatewayHandle, OrderRefused};
use plimsoll_market::{Action, Cancel};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// A gateway on a current-thread runtime, as the trading thread has it, with its exchange.
struct Rig {
    server: Server,
    runtime: Runtime,
    tasks: Tasks,
    handle: Option<GatewayHandle>,
    tape: Receiver<String>,
}

impl Rig {
    fn start(script: impl Fn(&str, &str) -> Option<Act> + Send + Sync + 'static) -> Self {
        let server = Server::start(script);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let tasks = tasks();
        let (sender, tape) = channel();
        let handle = runtime.block_on(async { spawn(server.addr, Tape(sender), &tasks) });
        let mut rig = Self { server, runtime, tasks, handle: Some(handle), tape };
        rig.wait_for("booted 1");
        rig.connected();
        rig
    }

    /// Runs until both kinds of streams are up, whichever comes first.
    fn connected(&mut self) {
        let mut down = vec!["0 Link(Link { feed: Account, up: true })", "0 Link(Link { feed: Market, up: true })"];
        let until = Instant::now() + Duration::from_secs(10);
        while !down.is_empty() {
            match self.tape.try_recv() {
                Ok(line) => down.retain(|d| *d != line),
                Err(_) => self.pause(1),
            }
            assert!(Instant::now() < until, "{down:?}");
        }
    }

    /// Runs until the sink was told this.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let until = Instant::now() + Duration::from_secs(10);
        let mut seen = Vec::new();
        loop {
            match self.tape.try_recv() {
                Ok(line) if line.starts_with(text) => return,
                Ok(line) => seen.push(line),
                Err(_) => self.pause(1),
            }
            assert!(Instant::now() < until, "{text:?} never came; {seen:#?}");
        }
    }

    /// Runs until something holds.
    #[track_caller]
    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let until = Instant::now() + Duration::from_secs(10);
        while !holds(self) {
            assert!(Instant::now() < until, "{what}");
            self.pause(1);
        }
    }

    /// Lets the gateway run for a while.
    fn pause(&self, ms: u64) {
        self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(ms)).await });
    }

    fn order(&self, action: Action) {
        self.handle.as_ref().unwrap().orders().try_send(SymbolIndex(0), action).unwrap();
    }

    #[track_caller]
    fn stop(mut self) {
        let handle = self.handle.take().unwrap();
        let started = Instant::now();
        let report = self.runtime.block_on(handle.stop(Duration::from_secs(8)));
        assert!(report.is_clean(), "{report:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert_eq!(self.tasks.counts().live, 0);
        self.until("every socket is closed", |rig| rig.server.live() == 0);
    }
}

fn is_order(method: &str, target: &str) -> bool {
    method == "POST" && target.starts_with("/fapi/v1/order?")
}

#[test]
fn frames_come_in_and_orders_go_out_and_stop_leaves_nothing() {
    let mut rig = Rig::start(|_, _| None);
    rig.server.push("/public", Push::Text(ticker(6)));
    rig.wait_for("0 top 7000");
    rig.order(place(1));
    rig.wait_for("0 order 1 new");
    rig.order(Action::Cancel(Cancel { id: id(1) }));
    rig.wait_for("0 order 1 canceled");
    rig.server.push("/private", Push::Text(r#"{"e":"MARGIN_CALL","E":5,"cw":"3.1","p":[]}"#.into()));
    rig.wait_for("account MarginCall");
    rig.until("figures are published", |rig| rig.handle.as_ref().unwrap().stats().session.frames == 2);
    let stats = rig.handle.as_ref().unwrap().stats();
    assert_eq!((stats.session.places, stats.session.cancels, stats.session.conns_open, stats.http_failures), (1, 1, 3, 0));
    let orders = rig.handle.as_ref().unwrap().orders();
    rig.stop();
    assert!(matches!(orders.try_send(SymbolIndex(0), place(2)), Err(OrderRefused::Ended(_))));
}

#[test]
fn orders_reuse_the_connections_opened_in_advance() {
    let mut rig = Rig::start(|_, _| None);
    rig.until("opened in advance", |rig| rig.server.accepted() >= 6);
    let before = rig.server.accepted();
    for n in 1..=20 {
        rig.order(place(n));
        rig.wait_for(&format!("0 order {n} new"));
    }
    assert_eq!(rig.server.accepted(), before);
    rig.stop();
}

#[test]
fn headers_reach_the_session() {
    let mut rig = Rig::start(|method, target| {
        is_order(method, target)
            .then(|| Act::Header(429, r#"{"code":-1003,"msg":"slow down"}"#.into(), "Retry-After: 1\r\nX-MBX-USED-WEIGHT-1M: 901\r\n"))
    });
    rig.order(place(1));
    rig.wait_for("0 NotSent");
    let rested = Instant::now();
    rig.order(Action::Cancel(Cancel { id: id(9) }));
    rig.wait_for("0 order 9 canceled");
    assert!(rested.elapsed() > Duration::from_millis(900), "{:?}", rested.elapsed());
    rig.stop();
}

#[test]
fn an_answer_cut_in_the_middle_leaves_the_outcome_open() {
    let mut rig = Rig::start(|method, target| is_order(method, target).then_some(Act::Half));
    rig.order(place(1));
    rig.wait_for("0 Unknown");
    rig.stop();
}

#[test]
fn a_connection_cut_after_the_request_leaves_the_outcome_open() {
    let mut rig = Rig::start(|method, target| is_order(method, target).then_some(Act::Cut));
    rig.order(place(1));
    rig.wait_for("0 Unknown");
    assert_eq!(rig.server.count("POST /fapi/v1/order?"), 1, "it is not sent again");
    rig.stop();
}

#[test]
fn connections_that_the_exchange_closes_after_an_answer_are_replaced() {
    let mut rig = Rig::start(|method, target| is_order(method, target).then(|| Act::Last(200, order_json(target, "NEW"))));
    for n in 1..=10 {
        rig.order(place(n));
        rig.wait_for(&format!("0 order {n} new"));
        // The end of the connection arrives with or after the answer.
        rig.pause(2);
    }
    rig.stop();
}

#[test]
fn an_answer_longer_than_it_may_be_is_none() {
    let mut rig = Rig::start(|method, target| is_order(method, target).then(|| Act::Reply(200, " ".repeat(200_000))));
    rig.order(place(1));
    rig.wait_for("0 Unknown");
    rig.stop();
}

#[test]
fn a_slow_exchange_is_given_up_after_the_timeout() {
    let mut rig = Rig::start(|method, target| is_order(method, target).then(|| Act::Slow(Duration::from_secs(6), 200, String::new())));
    let sent = Instant::now();
    rig.order(place(1));
    rig.wait_for("0 Unknown");
    let waited = sent.elapsed();
    assert!(waited > Duration::from_millis(4_900) && waited < Duration::from_millis(6_000), "{waited:?}");
    rig.until("the server's thread has ended", |rig| rig.server.live() <= 7);
    rig.stop();
}

#[test]
fn a_frame_cut_in_the_middle_is_a_gap_and_the_stream_is_opened_again() {
    let mut rig = Rig::start(|_, _| None);
    rig.server.push("/public", Push::Text(ticker(1)));
    rig.wait_for("0 top 2000");
    rig.server.push("/public", Push::HalfFrame);
    rig.wait_for("0 Gap(Market)");
    rig.wait_for("0 Link(Link { feed: Market, up: false })");
    rig.wait_for("0 Link(Link { feed: Market, up: true })");
    rig.server.push("/public", Push::Text(ticker(2)));
    rig.wait_for("0 top 3000");
    rig.stop();
}

#[test]
fn a_frame_too_long_is_counted_and_a_gap() {
    let mut rig = Rig::start(|_, _| None);
    rig.server.push("/market", Push::Oversized);
    rig.wait_for("0 Gap(Market)");
    rig.wait_for("0 Link(Link { feed: Market, up: true })");
    rig.until("it is counted", |rig| rig.handle.as_ref().unwrap().stats().session.frames_oversized == 1);
    rig.stop();
}

#[test]
fn a_stream_closed_in_order_is_opened_again() {
    let mut rig = Rig::start(|_, _| None);
    rig.server.push("/private", Push::Ping);
    rig.server.push("/private", Push::Close);
    rig.wait_for("0 Gap(Account)");
    rig.wait_for("0 Link(Link { feed: Account, up: true })");
    rig.stop();
}

#[test]
fn stopping_waits_for_orders_under_way() {
    let release = std::sync::Arc::new(AtomicBool::new(false));
    let held = std::sync::Arc::clone(&release);
    let mut rig = Rig::start(move |method, target| {
        if !is_order(method, target) {
            return None;
        }
        while !held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Some(Act::Reply(200, order_json(target, "NEW")))
    });
    rig.order(place(1));
    rig.until("the order has arrived", |rig| rig.server.count("POST /fapi/v1/order?") == 1);
    let handle = rig.handle.take().unwrap();
    let report = rig.runtime.block_on(async {
        let stopping = handle.stop(Duration::from_secs(8));
        tokio::pin!(stopping);
        let early = tokio::time::timeout(Duration::from_millis(100), &mut stopping).await;
        assert!(early.is_err());
        release.store(true, Ordering::SeqCst);
        stopping.await
    });
    assert!(report.is_clean(), "{report:?}");
    rig.wait_for("0 order 1 new");
    assert_eq!(rig.tasks.counts().live, 0);
}

#[test]
fn an_exchange_that_is_not_there_fails_the_boot_and_stop_still_works() {
    // Bound and not listening to anybody: the port is refused once the listener is gone.
    let addr = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (tasks, (sender, tape)) = (tasks(), channel());
    runtime.block_on(async {
        let handle = spawn(addr, Tape(sender), &tasks);
        let until = Instant::now() + Duration::from_secs(20);
        let told = loop {
            if let Ok(line) = tape.try_recv() {
                break line;
            }
            assert!(Instant::now() < until);
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        assert_eq!(told, "failed boot failed at server time: exchange cannot be reached");
        assert!(handle.stop(Duration::from_secs(2)).await.is_clean());
    });
    assert_eq!(tasks.counts().live, 0);
}

#[test]
fn runs_on_a_runtime_of_many_threads_too() {
    let server = Server::start(|_, _| None);
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (tasks, (sender, tape)) = (tasks(), channel());
    let handle = runtime.block_on(async { spawn(server.addr, Tape(sender), &tasks) });
    while !tape.recv_timeout(Duration::from_secs(10)).unwrap().starts_with("0 Link(Link { feed: Market, up: true })") {}
    handle.orders().try_send(SymbolIndex(0), place(1)).unwrap();
    while !tape.recv_timeout(Duration::from_secs(10)).unwrap().starts_with("0 order 1 new") {}
    assert!(runtime.block_on(handle.stop(Duration::from_secs(8))).is_clean());
    assert_eq!(tasks.counts().live, 0);
}
