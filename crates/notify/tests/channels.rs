//! What each service is sent, to the letter.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod common;

use common::{Bench, Reply, Seen, Server, alert, btc, config, fast, ok, secret};
use plimsoll_market::{AlertCode, Severity};
use plimsoll_notify::{ChannelConfig, ChannelKind, Hook, Robot, Telegram, Webhook};
use serde_json::json;
use std::time::Duration;

const TEXT: &str = "CRITICAL position_mismatch BTCUSDT binance:main\nours 0.1 < theirs 0.2 & more\n2023-11-14 22:13:20 UTC · bot-1";

/// Sends one alert over one channel to a server that answers so, and returns what arrived.
async fn send(answer: &str, change: impl FnOnce(&mut ChannelConfig), kind: impl FnOnce(&Server) -> ChannelKind) -> Seen {
    let mut server = Server::start(ok(answer)).await;
    let mut channel = fast("one", kind(&server));
    change(&mut channel);
    let bench = Bench::start(&config(vec![channel]));
    bench.notifier.submit_for(&alert(Severity::Critical, AlertCode::PositionMismatch, "ours 0.1 < theirs 0.2 & more"), &btc());
    let seen = server.next().await;
    let status = bench.stop(Duration::from_secs(5)).await;
    let one = &status.channels[0];
    assert_eq!((one.sent, one.failed, one.dropped, one.queued, one.up), (1, 0, 0, 0, true), "{one:?}");
    assert!(server.is_quiet());
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(seen.headers["host"], server.addr.to_string().as_str());
    seen
}

fn same(_: &mut ChannelConfig) {}

fn hook(server: &Server, text: &str) -> Hook {
    Hook { base: server.base(), hook: secret(text) }
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

fn now_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test]
async fn webhook_is_sent_our_json_with_a_signature() {
    let seen = send("anything", same, |server| {
        let url = secret(&format!("http://{}/hooks/abcdef?x=1", server.addr));
        ChannelKind::Webhook(Webhook { url, signing: Some(secret("topsecret")) })
    })
    .await;
    let mut json = seen.json();
    let id = json["id"].take();
    assert!(id.as_str().unwrap().ends_with("-1"), "{id}");
    assert_eq!(
        json,
        json!({
            "version": 1, "id": null, "instance": "bot-1", "kind": "alert", "severity": "critical", "code": "position_mismatch",
            "account": "binance:main", "symbol": "BTCUSDT", "subject": null, "text": "ours 0.1 < theirs 0.2 & more",
            "count": 1, "first_ms": 1_700_000_000_000_u64, "last_ms": 1_700_000_000_000_u64,
        })
    );
    assert_eq!(seen.path, "/hooks/abcdef?x=1");
    let timestamp = seen.headers["x-plimsoll-timestamp"].to_str().unwrap();
    assert!(now_seconds().abs_diff(timestamp.parse().unwrap()) < 100);
    let signature: String =
        hmac(b"topsecret", format!("{timestamp}.{}", seen.body).as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(seen.headers["x-plimsoll-signature"], format!("sha256={signature}").as_str());
}

#[tokio::test]
async fn webhook_without_a_secret_has_no_signature() {
    let seen =
        send("", same, |server| ChannelKind::Webhook(Webhook { url: secret(&format!("{}/x", server.base().unwrap())), signing: None }))
            .await;
    assert!(!seen.headers.contains_key("x-plimsoll-signature"));
}

#[tokio::test]
async fn telegram_is_sent_plain_text() {
    let seen = send(r#"{"ok":true,"result":{"message_id":1}}"#, same, |server| {
        ChannelKind::Telegram(Telegram {
            base: server.base(),
            token: secret("123456:AAbb-cc"),
            chat: "-100987".into(),
            thread: None,
            commanders: Vec::new(),
        })
    })
    .await;
    assert_eq!(seen.path, "/bot123456:AAbb-cc/sendMessage");
    assert_eq!(seen.json(), json!({ "chat_id": "-100987", "text": TEXT, "disable_web_page_preview": true }));
}

#[tokio::test]
async fn telegram_writes_to_a_topic_through_a_proxy() {
    let seen = send(r#"{"ok":true,"result":{}}"#, same, |server| {
        let base = Some(format!("{}/proxy/", server.base().unwrap()));
        ChannelKind::Telegram(Telegram {
            base,
            token: secret("123456:AAbb-cc"),
            chat: "@here".into(),
            thread: Some(7),
            commanders: Vec::new(),
        })
    })
    .await;
    assert_eq!(seen.path, "/proxy/bot123456:AAbb-cc/sendMessage");
    assert_eq!(seen.json(), json!({ "chat_id": "@here", "text": TEXT, "disable_web_page_preview": true, "message_thread_id": 7 }));
}

#[tokio::test]
async fn slack_is_sent_escaped_text() {
    let seen = send("ok", same, |server| ChannelKind::Slack(hook(server, "T01/B01/xyzxyz"))).await;
    assert_eq!(seen.path, "/services/T01/B01/xyzxyz");
    assert_eq!(seen.json(), json!({ "text": TEXT.replace('&', "&amp;").replace('<', "&lt;") }));
}

#[tokio::test]
async fn discord_is_sent_text_that_calls_nobody() {
    let seen = send("", same, |server| ChannelKind::Discord(hook(server, "12345/to-ken"))).await;
    assert_eq!(seen.path, "/api/webhooks/12345/to-ken");
    assert_eq!(seen.json(), json!({ "content": TEXT, "allowed_mentions": { "parse": [] } }));
}

#[tokio::test]
async fn feishu_is_sent_signed_text() {
    let seen = send(r#"{"code":0,"msg":"success","data":{}}"#, same, |server| {
        ChannelKind::Feishu(Robot { base: server.base(), hook: secret("aaaa-bbbb"), signing: Some(secret("topsecret")) })
    })
    .await;
    assert_eq!(seen.path, "/open-apis/bot/v2/hook/aaaa-bbbb");
    let json = seen.json();
    let timestamp = json["timestamp"].as_str().unwrap().to_owned();
    assert!(now_seconds().abs_diff(timestamp.parse().unwrap()) < 100);
    let sign = base64(&hmac(format!("{timestamp}\ntopsecret").as_bytes(), b""));
    assert_eq!(json, json!({ "msg_type": "text", "content": { "text": TEXT }, "timestamp": timestamp, "sign": sign }));
}

#[tokio::test]
async fn feishu_without_a_secret_is_not_signed() {
    let seen = send(r#"{"StatusCode":0,"StatusMessage":"success"}"#, same, |server| {
        ChannelKind::Feishu(Robot { base: server.base(), hook: secret("aaaa-bbbb"), signing: None })
    })
    .await;
    assert_eq!(seen.json(), json!({ "msg_type": "text", "content": { "text": TEXT } }));
}

#[tokio::test]
async fn dingtalk_is_sent_text_with_a_signed_address() {
    let seen = send(r#"{"errcode":0,"errmsg":"ok"}"#, same, |server| {
        ChannelKind::DingTalk(Robot { base: server.base(), hook: secret("abcdef0123"), signing: Some(secret("SECtop")) })
    })
    .await;
    assert_eq!(seen.json(), json!({ "msgtype": "text", "text": { "content": TEXT } }));
    let query: Vec<(&str, &str)> = seen.path.split_once('?').unwrap().1.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
    let (timestamp, sign) = (query[1].1, query[2].1);
    assert!((now_seconds() * 1000).abs_diff(timestamp.parse().unwrap()) < 100_000);
    let expected = base64(&hmac(b"SECtop", format!("{timestamp}\nSECtop").as_bytes()));
    let expected = expected.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    assert_eq!(query, [("access_token", "abcdef0123"), ("timestamp", timestamp), ("sign", expected.as_str())]);
    assert_eq!(sign, expected);
}

#[tokio::test]
async fn wecom_is_sent_text() {
    let seen = send(r#"{"errcode":0,"errmsg":"ok"}"#, same, |server| ChannelKind::WeCom(hook(server, "693axxx6-7aoc"))).await;
    assert_eq!(seen.path, "/cgi-bin/webhook/send?key=693axxx6-7aoc");
    assert_eq!(seen.json(), json!({ "msgtype": "text", "text": { "content": TEXT } }));
}

#[tokio::test]
async fn texts_are_cut_to_the_channels_limit() {
    let seen = send("", |channel| channel.text_max = Some(64), |server| ChannelKind::Discord(hook(server, "12345/to-ken"))).await;
    let text = seen.json()["content"].as_str().unwrap().to_owned();
    assert_eq!((text.chars().count(), text.chars().last()), (64, Some('…')));
    assert!(TEXT.starts_with(text.trim_end_matches('…')));
}

#[tokio::test]
async fn refusals_inside_good_answers_are_failures() {
    let server = Server::start(ok(r#"{"errcode":310000,"errmsg":"keywords not in content"}"#)).await;
    let robot = Robot { base: server.base(), hook: secret("abcdef0123"), signing: None };
    let bench = Bench::start(&config(vec![fast("ding", ChannelKind::DingTalk(robot))]));
    bench.notifier.submit(&alert(Severity::Warning, AlertCode::Cpu, "x"));
    let status = bench.until("ding", |channel| channel.failed > 0).await;
    assert_eq!((status.sent, status.dropped, status.up), (0, 1, false));
    let (_, note) = status.last_error.unwrap();
    assert_eq!(note.as_str(), "the service refused it with code 310000: keywords not in content");
    bench.stop(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn a_test_message_says_what_is_wrong_or_works() {
    let mut server = Server::start(Reply::Status(401, r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#.into())).await;
    let kind = ChannelKind::Telegram(Telegram {
        base: server.base(),
        token: secret("123456:AAbb-cc"),
        chat: "1".into(),
        thread: None,
        commanders: Vec::new(),
    });
    let config = config(vec![fast("tg", kind)]);
    let error = plimsoll_notify::send_test(&config, "tg").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "channel tg (telegram): the service answered 401 (is the token right, and may it write there?): Unauthorized"
    );
    server.next().await;
    server.usually(ok(r#"{"ok":true,"result":{}}"#));
    let bench = Bench::start(&config);
    bench.notifier.send_test("tg").await.unwrap();
    let text = server.next().await.json()["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("TEST\nthis channel works\n") && text.ends_with(" UTC · bot-1"), "{text}");
    assert_eq!(bench.notifier.send_test("slack").await.unwrap_err().to_string(), r#"there is no channel "slack""#);
    let addr = server.stop().await;
    assert_eq!(
        bench.notifier.send_test("tg").await.unwrap_err().to_string(),
        "channel tg (telegram): could not connect: connection refused"
    );
    assert_ne!(addr.port(), 0);
    bench.stop(Duration::from_secs(1)).await;
}

/// Written apart from the crate's own, so that both would have to be wrong.
fn base64(bytes: &[u8]) -> String {
    let letters: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let mut out: String = bits
        .as_bytes()
        .chunks(6)
        .map(|chunk| {
            let text = format!("{:0<6}", std::str::from_utf8(chunk).unwrap());
            letters[usize::from_str_radix(&text, 2).unwrap()]
        })
        .collect();
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}
