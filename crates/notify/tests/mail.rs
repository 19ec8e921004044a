//! Mail, spoken with a small real server.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod common;
#[path = "common/tls.rs"]
mod tls;

use common::{Bench, PATIENCE, alert, btc, config, fast, secret};
use plimsoll_market::{AlertCode, Severity};
use plimsoll_notify::{ChannelConfig, ChannelKind, Email, Security};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tls::Authority;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// What a mail server does.
#[derive(Clone, Default)]
struct Manners {
    tls: Option<TlsAcceptor>,
    starttls: Option<TlsAcceptor>,
    auth: bool,
    /// Answers to RCPT, the first of them first; "250 ok" when there is none.
    rcpt: Arc<Mutex<Vec<&'static str>>>,
    /// Answers to AUTH instead of taking it; `{}` stands for what the client sent.
    auth_refused: Option<&'static str>,
    babble: bool,
}

/// A conversation as the server saw it: every line of the client.
type Talk = Vec<String>;

async fn serve(manners: Manners) -> (u16, mpsc::UnboundedReceiver<Talk>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, talks) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let mut talk = Vec::new();
            match manners.tls.clone() {
                Some(acceptor) => {
                    let Ok(stream) = acceptor.accept(tcp).await else { continue };
                    talk.push("(tls)".to_owned());
                    converse(&mut BufReader::new(stream), &manners, true, &mut talk).await;
                }
                None => {
                    let mut stream = BufReader::new(tcp);
                    if converse(&mut stream, &manners, true, &mut talk).await
                        && let Ok(stream) = manners.starttls.clone().unwrap().accept(stream.into_inner()).await
                    {
                        talk.push("(tls)".to_owned());
                        converse(&mut BufReader::new(stream), &Manners { starttls: None, ..manners.clone() }, false, &mut talk).await;
                    }
                }
            }
            drop(sender.send(talk));
        }
    });
    (port, talks)
}

/// Returns whether TLS is to begin.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, manners: &Manners, greet: bool, talk: &mut Talk) -> bool {
    async fn say<S: AsyncWrite + AsyncRead + Unpin>(stream: &mut BufReader<S>, text: &str) {
        drop(stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).await);
        drop(stream.get_mut().flush().await);
    }
    if manners.babble {
        while stream.get_mut().write_all(&[b'2'; 4096]).await.is_ok() {}
        return false;
    }
    if greet {
        say(stream, "220 mail.test ready").await;
    }
    let mut line = String::new();
    while matches!(stream.read_line(&mut line).await, Ok(read) if read > 0) {
        let text = line.trim_end().to_owned();
        line.clear();
        talk.push(text.clone());
        let word = text.split(' ').next().unwrap_or_default().to_uppercase();
        match word.as_str() {
            "EHLO" => {
                say(stream, "250-mail.test").await;
                if manners.starttls.is_some() {
                    say(stream, "250-STARTTLS").await;
                }
                if manners.auth {
                    say(stream, "250-AUTH PLAIN LOGIN").await;
                }
                say(stream, "250 8BITMIME").await;
            }
            "STARTTLS" => {
                say(stream, "220 go on").await;
                return true;
            }
            "AUTH" => match manners.auth_refused {
                Some(answer) => say(stream, &answer.replace("{}", &text)).await,
                None => say(stream, "235 welcome").await,
            },
            "RCPT" => {
                let mut script = manners.rcpt.lock().unwrap().clone();
                let answer = if script.is_empty() { "250 ok" } else { script.remove(0) };
                *manners.rcpt.lock().unwrap() = script;
                say(stream, answer).await;
            }
            "DATA" => {
                say(stream, "354 go on").await;
                while matches!(stream.read_line(&mut line).await, Ok(read) if read > 0) {
                    let text = line.trim_end().to_owned();
                    line.clear();
                    let end = text == ".";
                    talk.push(text);
                    if end {
                        break;
                    }
                }
                say(stream, "250 queued as 1").await;
            }
            "QUIT" => {
                say(stream, "221 bye").await;
                return false;
            }
            _ => say(stream, "250 ok").await,
        }
    }
    false
}

fn mail(port: u16, security: Security) -> Email {
    Email {
        host: "127.0.0.1".into(),
        port: Some(port),
        security,
        user: None,
        password: None,
        from: "Bot <bot@example.org>".into(),
        to: vec!["one@example.org".into(), "Two <two@example.org>".into()],
    }
}

fn channel(mail: Email) -> ChannelConfig {
    fast("mail", ChannelKind::Email(Box::new(mail)))
}

async fn next(talks: &mut mpsc::UnboundedReceiver<Talk>) -> Talk {
    timeout(PATIENCE, talks.recv()).await.expect("nobody called").unwrap()
}

/// Envelope and head of the mail and what follows it, without what differs each time.
fn gist(talk: &Talk) -> Vec<&str> {
    talk.iter().map(String::as_str).filter(|line| !line.starts_with("Date: ") && !line.is_empty()).collect()
}

#[tokio::test]
async fn a_mail_is_handed_over() {
    let (port, mut talks) = serve(Manners::default()).await;
    let bench = Bench::start(&config(vec![channel(mail(port, Security::None))]));
    bench.notifier.submit_for(&alert(Severity::Critical, AlertCode::Halted, "net position 0.5 BTC"), &btc());
    let talk = next(&mut talks).await;
    assert_eq!(
        gist(&talk),
        [
            "EHLO example.org",
            "MAIL FROM:<bot@example.org>",
            "RCPT TO:<one@example.org>",
            "RCPT TO:<two@example.org>",
            "DATA",
            "From: Bot <bot@example.org>",
            "Subject: [bot-1] CRITICAL halted BTCUSDT binance:main",
            "To: one@example.org, Two <two@example.org>",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
            "net position 0.5 BTC",
            "2023-11-14 22:13:20 UTC =C2=B7 bot-1",
            ".",
            "QUIT",
        ]
        .into_iter()
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
    );
    let status = bench.stop(Duration::from_secs(2)).await;
    assert_eq!((status.channels[0].sent, status.channels[0].failed), (1, 0));
}

#[tokio::test]
async fn login_and_tls_after_the_greeting() {
    let authority = Authority::new();
    let (port, mut talks) = serve(Manners { starttls: Some(authority.acceptor.clone()), auth: true, ..Manners::default() }).await;
    let login = Email { user: Some("bot".into()), password: Some(secret("hunter22")), ..mail(port, Security::StartTls) };
    let mut channel = channel(login);
    channel.ca_file = Some(authority.file.path().to_owned());
    plimsoll_notify::send_test(&config(vec![channel]), "mail").await.unwrap();
    let talk = next(&mut talks).await;
    let gist = gist(&talk);
    assert_eq!(gist[..5], ["EHLO example.org", "STARTTLS", "(tls)", "EHLO example.org", "AUTH PLAIN AGJvdABodW50ZXIyMg=="]);
    assert_eq!(gist[5], "MAIL FROM:<bot@example.org>");
}

#[tokio::test]
async fn tls_from_the_start() {
    let authority = Authority::new();
    let (port, mut talks) = serve(Manners { tls: Some(authority.acceptor.clone()), ..Manners::default() }).await;
    let mut channel = channel(mail(port, Security::Tls));
    channel.ca_file = Some(authority.file.path().to_owned());
    plimsoll_notify::send_test(&config(vec![channel.clone()]), "mail").await.unwrap();
    assert_eq!(gist(&next(&mut talks).await)[..2], ["(tls)", "EHLO example.org"]);
    channel.ca_file = None;
    let error = plimsoll_notify::send_test(&config(vec![channel]), "mail").await.unwrap_err();
    assert_eq!(error.to_string(), "channel mail (email): no TLS with the server: invalid peer certificate: UnknownIssuer");
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_when_tls_is_wanted() {
    let (port, mut talks) = serve(Manners { auth: true, ..Manners::default() }).await;
    let login = Email { user: Some("bot".into()), password: Some(secret("hunter22")), ..mail(port, Security::StartTls) };
    let error = plimsoll_notify::send_test(&config(vec![channel(login)]), "mail").await.unwrap_err();
    assert!(error.to_string().contains("STARTTLS is not supported on this server"), "{error}");
    assert!(!next(&mut talks).await.iter().any(|line| line.contains("AUTH")), "no password without TLS");
}

#[tokio::test]
async fn a_busy_server_is_tried_again_and_a_refusal_is_not() {
    let rcpt = Arc::new(Mutex::new(vec!["451 greylisted, come back"]));
    let (port, mut talks) = serve(Manners { rcpt: Arc::clone(&rcpt), ..Manners::default() }).await;
    let bench = Bench::start(&config(vec![channel(mail(port, Security::None))]));
    bench.notifier.submit(&alert(Severity::Warning, AlertCode::Cpu, "first"));
    let status = bench.until("mail", |channel| channel.sent == 1).await;
    assert_eq!((status.failed, status.retried), (1, 1));
    assert_eq!(status.last_error.unwrap().1.as_str(), "the mail server answered 451: transient error (451): greylisted, come back");
    assert_eq!((next(&mut talks).await.len(), next(&mut talks).await.contains(&"DATA".to_owned())), (4, true));
    rcpt.lock().unwrap().push("550 no such user here");
    bench.notifier.submit(&alert(Severity::Warning, AlertCode::Cpu, "second"));
    let status = bench.until("mail", |channel| channel.dropped == 1).await;
    assert_eq!((status.failed, status.retried), (2, 1));
    assert_eq!(status.last_error.unwrap().1.as_str(), "the mail server answered 550: permanent error (550): no such user here");
    bench.stop(Duration::from_millis(200)).await;
}

#[tokio::test]
async fn a_server_that_repeats_the_password_does_not_get_it_into_the_error() {
    let refused = "535 cannot take {} hunter22";
    let (port, _talks) = serve(Manners { auth: true, auth_refused: Some(refused), ..Manners::default() }).await;
    let login = Email { user: Some("bot".into()), password: Some(secret("hunter22")), ..mail(port, Security::None) };
    let error = plimsoll_notify::send_test(&config(vec![channel(login)]), "mail").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "channel mail (email): the mail server answered 535: permanent error (535): cannot take AUTH PLAIN [redacted] [redacted]"
    );
}

#[tokio::test]
async fn a_server_that_talks_without_end_is_left() {
    let (port, _talks) = serve(Manners { babble: true, ..Manners::default() }).await;
    let error = plimsoll_notify::send_test(&config(vec![channel(mail(port, Security::None))]), "mail").await.unwrap_err();
    assert_eq!(error.to_string(), "channel mail (email): no mail could be handed over: network error: the mail server sent too much");
}
