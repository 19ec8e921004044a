//! No secret comes out: services repeat all they were sent in their errors, and everything that we say is searched.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod common;

use common::{Bench, Reply, Server, alert, btc, config, fast, secret};
use plimsoll_market::{AlertCode, Severity};
use plimsoll_notify::{ChannelConfig, ChannelKind, Email, Hook, Robot, Security, Telegram, Webhook};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

const SECRETS: [&str; 12] = [
    "weburlsecret1",
    "websigning22",
    "999888777:tgtoken-33",
    "tgtoken-33",
    "slacksecret44",
    "discordsecret55",
    "feishuhook66",
    "feishusign77",
    "dinghook88",
    "SECdingsign99",
    "wecomkey1010",
    "mailpassword11",
];

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn channels(server: &Server) -> Vec<ChannelConfig> {
    let hook = |text: &str| Hook { base: server.base(), hook: secret(text) };
    let robot = |text: &str, signing: &str| Robot { base: server.base(), hook: secret(text), signing: Some(secret(signing)) };
    let url = secret(&format!("http://{}/x/weburlsecret1?token=weburlsecret1", server.addr));
    let mail = Email {
        host: "127.0.0.1".into(),
        // Speaks HTTP, not SMTP: the conversation fails and tells how.
        port: Some(server.addr.port()),
        security: Security::None,
        user: Some("bot".into()),
        password: Some(secret("mailpassword11")),
        from: "bot@example.org".into(),
        to: vec!["me@example.org".into()],
    };
    let bot =
        Telegram { base: server.base(), token: secret("999888777:tgtoken-33"), chat: "-1".into(), thread: None, commanders: Vec::new() };
    [
        ChannelKind::Log,
        ChannelKind::Webhook(Webhook { url, signing: Some(secret("websigning22")) }),
        ChannelKind::Telegram(bot),
        ChannelKind::Slack(hook("T0/B0/slacksecret44")),
        ChannelKind::Discord(hook("123456789/discordsecret55")),
        ChannelKind::Email(Box::new(mail)),
        ChannelKind::Feishu(robot("feishuhook66", "feishusign77")),
        ChannelKind::DingTalk(robot("dinghook88", "SECdingsign99")),
        ChannelKind::WeCom(hook("wecomkey1010")),
    ]
    .into_iter()
    .map(|kind| {
        let mut channel = fast(kind.as_str(), kind);
        (channel.connect_timeout, channel.timeout) = (Duration::from_millis(300), Duration::from_millis(300));
        channel
    })
    .collect()
}

#[track_caller]
fn search(what: &str, text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in {what}: {text}");
    }
}

#[tokio::test]
async fn nothing_that_we_say_has_a_secret_in_it() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start(Reply::Echo(400)).await;
    let config = config(channels(&server));
    assert!(config.check().is_ok());
    search("the configuration", &format!("{config:?}"));
    let bench = Bench::start(&config);
    let mut said = String::new();
    for reply in [Reply::Echo(400), Reply::Echo(200), Reply::Echo(500), Reply::Echo(429), Reply::Hang] {
        server.usually(reply);
        let before = bench.notifier.status();
        bench.notifier.submit_for(&alert(Severity::Critical, AlertCode::Cpu, "x"), &btc());
        for channel in &before.channels {
            let tried = |now: &plimsoll_notify::ChannelStatus| now.failed + now.sent > channel.failed + channel.sent;
            bench.until(&channel.name, tried).await;
            let tested = bench.notifier.send_test(&channel.name).await;
            said.push_str(&format!("{tested:?} {}\n", tested.as_ref().map_or_else(ToString::to_string, |()| String::new())));
        }
        said.push_str(&format!("{:?}\n{:?}\n", bench.notifier.status(), bench.notifier));
    }
    // Wrong secrets are told without being shown.
    let mut wrong = config.clone();
    wrong.channels[2].kind = ChannelKind::Telegram(Telegram {
        base: None,
        token: secret("tgtoken-33 with blanks"),
        chat: "1".into(),
        thread: None,
        commanders: Vec::new(),
    });
    wrong.channels[3].kind = ChannelKind::Slack(Hook { base: None, hook: secret("slacksecret44 \u{7f}") });
    said.push_str(&format!("{:?}", wrong.check().unwrap_err()));
    search("what it said", &said);
    assert!(said.contains("[redacted]"), "services did repeat them: {said}");
    drop(bench.stop(Duration::from_millis(400)).await);
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    search("the log", &logged);
    assert!(logged.contains("alert channel failed") && logged.contains("ERROR") && logged.contains("code=\"cpu\""), "{logged}");
    for (place, secret) in SECRETS.iter().enumerate() {
        assert!(SECRETS.iter().skip(place + 1).all(|other| other != secret));
    }
}
