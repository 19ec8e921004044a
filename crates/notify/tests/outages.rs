//! Services that are down, slow, full, or come back.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod common;

use common::{Bench, Reply, Server, alert, btc, config, fast, ok, secret, time, webhook, webhook_at};
use plimsoll_market::{Alert, AlertCode, Severity};
use plimsoll_notify::{ChannelKind, Config, Origin, Robot, Rule, Submitted, Telegram, limits};
use std::time::Duration;
use tokio::time::Instant;

fn about(n: usize) -> Origin {
    Origin::process().about(&n.to_string())
}

#[tokio::test]
async fn a_refused_connection_is_tried_until_the_service_is_there() {
    let addr = Server::start(ok("")).await.stop().await;
    let bench = Bench::start(&config(vec![fast("hook", webhook_at(addr))]));
    bench.notifier.submit_for(&alert(Severity::Critical, AlertCode::Halted, "x"), &btc());
    let status = bench.until("hook", |channel| channel.failed >= 3).await;
    assert_eq!(
        (status.up, status.sent, status.queued.max(1), status.last_error.unwrap().1.as_str()),
        (false, 0, 1, "could not connect: connection refused")
    );
    let mut server = Server::start_at(addr, ok("")).await;
    assert_eq!(server.next().await.json()["code"], "halted");
    let status = bench.until("hook", |channel| channel.up && channel.queued == 0).await;
    assert_eq!((status.sent, status.dropped, status.retried), (1, 0, status.failed));
    bench.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn errors_of_the_server_are_tried_again_with_the_same_id() {
    let mut server = Server::start(ok("")).await;
    server.script([Reply::Status(500, "oops".into()), Reply::Status(503, "busy".into())]);
    let bench = Bench::start(&config(vec![webhook("hook", &server)]));
    bench.notifier.submit(&alert(Severity::Warning, AlertCode::Cpu, "x"));
    let ids = [server.next().await, server.next().await, server.next().await].map(|seen| seen.json()["id"].clone());
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
    let status = bench.until("hook", |channel| channel.sent == 1).await;
    assert_eq!(
        (status.failed, status.retried, status.dropped, status.last_error.unwrap().1.as_str()),
        (2, 2, 0, "the service answered 503: busy")
    );
    bench.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time() {
    let mut server = Server::start(ok("")).await;
    server.script([Reply::Hang]);
    let mut channel = webhook("hook", &server);
    (channel.connect_timeout, channel.timeout) = (Duration::from_millis(100), Duration::from_millis(150));
    let bench = Bench::start(&config(vec![channel]));
    bench.notifier.submit(&alert(Severity::Warning, AlertCode::Cpu, "x"));
    let first = server.next().await.at;
    assert!(server.next().await.at - first >= Duration::from_millis(140));
    let status = bench.until("hook", |channel| channel.sent == 1).await;
    assert_eq!(status.last_error.unwrap().1.as_str(), "no answer within 150 ms");
    bench.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_pause_asked_for_in_a_header_is_kept() {
    let mut server = Server::start(ok("")).await;
    server.script([Reply::RetryAfter(429, "1", "slow down".into())]);
    let bench = Bench::start(&config(vec![webhook("hook", &server)]));
    bench.notifier.submit(&alert(Severity::Critical, AlertCode::Cpu, "x"));
    let first = server.next().await.at;
    assert!(server.next().await.at - first >= Duration::from_millis(990));
    bench.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_pause_asked_for_in_json_is_kept() {
    let mut server = Server::start(ok(r#"{"ok":true}"#)).await;
    let body = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 1","parameters":{"retry_after":1}}"#;
    server.script([Reply::Status(429, body.into())]);
    let kind = ChannelKind::Telegram(Telegram {
        base: server.base(),
        token: secret("123456:AAbb-cc"),
        chat: "1".into(),
        thread: None,
        commanders: Vec::new(),
    });
    let bench = Bench::start(&config(vec![fast("tg", kind)]));
    bench.notifier.submit(&alert(Severity::Critical, AlertCode::Cpu, "x"));
    let first = server.next().await.at;
    assert!(server.next().await.at - first >= Duration::from_millis(990));
    bench.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_limit_told_inside_a_good_answer_is_kept_too() {
    let mut server = Server::start(ok(r#"{"errcode":130101,"errmsg":"send too fast"}"#)).await;
    let robot = Robot { base: server.base(), hook: secret("abcdef0123"), signing: None };
    let bench = Bench::start(&config(vec![fast("ding", ChannelKind::DingTalk(robot))]));
    for n in 0..3 {
        bench.notifier.submit_for(&alert(Severity::Critical, AlertCode::Task, "x"), &about(n));
    }
    server.next().await;
    let status = bench.until("ding", |channel| channel.failed == 1).await;
    assert_eq!((status.queued, status.retried), (3, 1), "none is lost, and none is sent meanwhile");
    let began = Instant::now();
    let status = bench.stop(Duration::from_secs(5)).await;
    assert!(began.elapsed() < Duration::from_secs(2), "waiting ten minutes is no use at the end");
    assert_eq!((status.channels[0].dropped, server.is_quiet()), (3, true));
}

#[tokio::test]
async fn what_was_lost_is_told_when_the_channel_works_again() {
    let mut server = Server::start(Reply::Status(500, String::new())).await;
    let mut channel = webhook("hook", &server);
    channel.queue = 4;
    let bench = Bench::start(&config(vec![channel]));
    for n in 0..20 {
        bench.notifier.submit_for(&Alert::new(Severity::Warning, AlertCode::Task, time(n as u64), &n), &about(n));
    }
    let status = bench.until("hook", |channel| channel.dropped >= 15 && channel.failed > 1).await;
    assert!(status.queued <= 5, "{status:?}");
    server.usually(ok(""));
    let told = loop {
        let seen = server.next().await.json();
        if seen["kind"] == "undelivered" {
            break seen;
        }
    };
    bench.until("hook", |channel| channel.queued == 0).await;
    assert_eq!(
        (&told["count"], &told["severity"], &told["code"]),
        (&serde_json::json!(status.dropped), &serde_json::json!("warning"), &serde_json::Value::Null)
    );
    let text = told["text"].as_str().unwrap();
    assert!(text.contains(&format!("{} alerts were not delivered here (0 critical), from 2023-11-14 22:13:2", status.dropped)), "{text}");
    let status = bench.stop(Duration::from_secs(2)).await;
    assert_eq!((status.channels[0].queued, status.channels[0].dropped), (0, told["count"].as_u64().unwrap()));
}

#[tokio::test]
async fn a_dead_channel_delays_neither_others_nor_the_sender() {
    let (dead, mut live) = (Server::start(Reply::Hang).await, Server::start(ok("")).await);
    let bench = Bench::start(&config(vec![webhook("dead", &dead), webhook("live", &live)]));
    let began = Instant::now();
    for n in 0..50 {
        bench.notifier.submit_for(&alert(Severity::Warning, AlertCode::Task, "x"), &about(n));
    }
    for _ in 0..50 {
        live.next().await;
    }
    assert!(began.elapsed() < Duration::from_secs(8), "the dead one's timeout is 10 s: {:?}", began.elapsed());
    bench.until("live", |channel| channel.sent == 50).await;
    let status = bench.channel("dead");
    assert_eq!((status.sent, status.queued), (0, 50));
    let status = bench.stop(Duration::from_millis(50)).await;
    assert_eq!(status.channels.iter().map(|channel| channel.dropped).collect::<Vec<_>>(), [50, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_critical_alert_arrives_under_a_flood() {
    let mut server = Server::start(ok("")).await;
    let bench = Bench::start(&config(vec![webhook("hook", &server)]));
    let (notifier, ledger) = (bench.notifier.clone(), bench.ledger.handle());
    let flood = tokio::task::spawn_blocking(move || {
        let mut slowest = Duration::ZERO;
        for n in 0..100_000_usize {
            if n == 50_000 {
                let critical = alert(Severity::Critical, AlertCode::Halted, "here");
                assert_eq!(notifier.submit_for(&critical, &btc()), Submitted::Queued);
            }
            let warning = alert(Severity::Warning, AlertCode::Task, "flood");
            let began = std::time::Instant::now();
            notifier.submit_for(&warning, &about(n));
            slowest = slowest.max(began.elapsed());
        }
        slowest
    });
    let mut told = 0;
    let mut count = |seen: common::Seen| {
        let json = seen.json();
        told += if json["kind"] == "undelivered" { 0 } else { json["count"].as_u64().unwrap() };
        json["code"] == "halted"
    };
    while !count(server.next().await) {}
    let slowest = flood.await.unwrap();
    for line in ledger.lines() {
        assert!(line.high_water <= line.capacity, "{line:?}");
    }
    let status = bench.notifier.status();
    assert_eq!((status.submitted, status.refused), (100_001, 0));
    let status = bench.stop(Duration::from_secs(10)).await;
    let channel = &status.channels[0];
    assert_eq!((channel.queued, channel.failed), (0, 0));
    while let Some(seen) = server.seen_now() {
        count(seen);
    }
    assert_eq!(told + status.displaced + channel.dropped, 100_001, "every alert was told or is counted: {status:?}");
    eprintln!("the slowest of 100,000 submits took {slowest:?}");
}

#[tokio::test]
async fn cool_downs_and_digests_arrive() {
    let mut server = Server::start(ok("")).await;
    let mut config: Config = config(vec![webhook("hook", &server)]);
    config.rules = vec![Rule { cooldown: Some(Duration::from_millis(300)), ..Rule::from(Severity::Info, &["hook"]) }];
    let bench = Bench::start(&config);
    for n in 0..58 {
        bench.notifier.submit_for(&Alert::new(Severity::Warning, AlertCode::Stale, time(n), &n), &btc());
    }
    let first = server.next().await;
    assert_eq!((&first.json()["kind"], &first.json()["count"]), (&"alert".into(), &1.into()));
    let second = server.next().await;
    let json = second.json();
    assert_eq!((&json["kind"], &json["count"], &json["text"]), (&"digest".into(), &57.into(), &"57".into()));
    assert_eq!((json["first_ms"].as_u64(), json["last_ms"].as_u64()), (Some(time(1).millis()), Some(time(57).millis())));
    assert!(second.at - first.at >= Duration::from_millis(250));
    assert_eq!(bench.channel("hook").suppressed, 57);
    bench.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn the_end_tells_critical_alerts_first_and_keeps_its_deadline() {
    let (mut server, dead) = (Server::start(ok("")).await, Server::start(Reply::Hang).await);
    server.script([Reply::Hang]);
    let mut config = config(vec![webhook("hook", &server), webhook("dead", &dead)]);
    config.rules[0].cooldown = Some(Duration::from_secs(3600));
    let bench = Bench::start(&config);
    bench.notifier.submit_for(&alert(Severity::Warning, AlertCode::Task, "hangs"), &about(0));
    server.next().await;
    bench.notifier.submit_for(&alert(Severity::Warning, AlertCode::Task, "kept"), &about(0));
    bench.notifier.submit_for(&alert(Severity::Warning, AlertCode::Stopped, "lesser"), &about(1));
    bench.notifier.submit_for(&alert(Severity::Critical, AlertCode::Stopped, "last words"), &about(2));
    let began = Instant::now();
    let status = bench.stop(Duration::from_secs(2)).await;
    assert!(began.elapsed() < Duration::from_millis(2600), "{:?}", began.elapsed());
    let texts =
        [server.next().await, server.next().await, server.next().await, server.next().await].map(|seen| seen.json()["text"].clone());
    // The one that hung was given up for the critical one, and sent again after it.
    assert_eq!(texts, ["last words", "hangs", "lesser", "kept"]);
    assert_eq!((status.channels[0].sent, status.channels[0].dropped), (4, 0));
    assert_eq!((status.channels[1].sent, status.channels[1].dropped), (0, 4));
    assert_eq!(status.waiting, 0);
}

#[tokio::test]
async fn nothing_is_taken_after_the_end() {
    let server = Server::start(ok("")).await;
    let bench = Bench::start(&config(vec![webhook("hook", &server)]));
    let notifier = bench.notifier.clone();
    bench.stop(Duration::from_secs(1)).await;
    assert_eq!(notifier.submit(&alert(Severity::Critical, AlertCode::Cpu, "late")), Submitted::Closed);
}

#[tokio::test]
async fn a_set_of_tasks_that_goes_down_takes_the_notifier_with_it() {
    let dead = Server::start(Reply::Hang).await;
    let bench = Bench::start(&config(vec![webhook("dead", &dead)]));
    bench.notifier.submit(&alert(Severity::Critical, AlertCode::Cpu, "x"));
    bench.until("dead", |channel| channel.queued == 1).await;
    let report = bench.tasks.shutdown(Duration::from_secs(2)).await;
    assert!(report.is_clean() && report.ended == 2, "{report:?}");
    assert_eq!((bench.channel("dead").dropped, bench.notifier.submit(&alert(Severity::Info, AlertCode::Cpu, ""))), (1, Submitted::Closed));
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let server = Server::start(ok(&"x".repeat(limits::ANSWER_MAX))).await;
    let bench = Bench::start(&config(vec![webhook("hook", &server)]));
    bench.notifier.submit(&alert(Severity::Warning, AlertCode::Cpu, "at the limit"));
    bench.until("hook", |channel| channel.sent == 1).await;
    server.usually(ok(&"x".repeat(limits::ANSWER_MAX + 1)));
    bench.notifier.submit(&alert(Severity::Warning, AlertCode::Cpu, "one more"));
    let status = bench.until("hook", |channel| channel.failed == 1).await;
    assert_eq!(status.last_error.unwrap().1.as_str(), "the answer is longer than 64 KiB");
    bench.stop(Duration::from_millis(50)).await;
}
