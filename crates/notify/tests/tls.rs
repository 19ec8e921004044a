//! HTTPS with certificates of one's own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod common;
#[path = "common/tls.rs"]
mod tls;

use common::{Bench, PATIENCE, alert, config, fast, secret};
use plimsoll_market::{AlertCode, Severity};
use plimsoll_notify::{ChannelConfig, ChannelKind, StartError, Webhook};
use std::net::SocketAddr;
use std::time::Duration;
use tls::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Answers every request with "ok", and hands out what it read.
async fn serve(authority: &Authority) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (sender, seen) = mpsc::unbounded_channel();
    let acceptor = authority.acceptor.clone();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            // A client that does not trust us leaves in the middle.
            let Ok(mut stream) = acceptor.accept(tcp).await else { continue };
            let mut text = Vec::new();
            while !text.ends_with(b"}") {
                let mut chunk = [0; 4096];
                match stream.read(&mut chunk).await {
                    Ok(read) if read > 0 => text.extend_from_slice(&chunk[..read]),
                    _ => break,
                }
            }
            drop(sender.send(String::from_utf8(text).unwrap()));
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await);
            drop(stream.shutdown().await);
        }
    });
    (addr, seen)
}

fn https(addr: SocketAddr, host: &str) -> ChannelConfig {
    let url = secret(&format!("https://{host}:{}/in/abcdefgh", addr.port()));
    fast("hook", ChannelKind::Webhook(Webhook { url, signing: None }))
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_trusted_when_its_file_is_named() {
    let authority = Authority::new();
    let (addr, mut seen) = serve(&authority).await;
    for host in ["127.0.0.1", "localhost"] {
        let mut channel = https(addr, host);
        channel.ca_file = Some(authority.file.path().to_owned());
        let bench = Bench::start(&config(vec![channel]));
        bench.notifier.submit(&alert(Severity::Critical, AlertCode::Cpu, "over TLS"));
        let text = timeout(PATIENCE, seen.recv()).await.unwrap().unwrap();
        assert!(text.starts_with("POST /in/abcdefgh HTTP/1.1\r\n") && text.contains("over TLS"), "{text}");
        let status = bench.stop(Duration::from_secs(2)).await;
        assert_eq!((status.channels[0].sent, status.channels[0].failed), (1, 0));
    }
}

#[tokio::test]
async fn an_unknown_certificate_is_not_trusted() {
    let authority = Authority::new();
    let (addr, mut seen) = serve(&authority).await;
    let error = plimsoll_notify::send_test(&config(vec![https(addr, "127.0.0.1")]), "hook").await.unwrap_err();
    assert_eq!(error.to_string(), "channel hook (webhook): no TLS with the server: invalid peer certificate: UnknownIssuer");
    assert!(seen.try_recv().is_err(), "nothing was sent");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted() {
    let authority = Authority::of(&["localhost"]);
    let (addr, mut seen) = serve(&authority).await;
    let mut channel = https(addr, "127.0.0.1");
    channel.ca_file = Some(authority.file.path().to_owned());
    let error = plimsoll_notify::send_test(&config(vec![channel]), "hook").await.unwrap_err().to_string();
    assert!(
        error.starts_with("channel hook (webhook): no TLS with the server: invalid peer certificate: certificate not valid for name"),
        "{error}"
    );
    assert!(seen.try_recv().is_err(), "nothing was sent");
}

#[tokio::test]
async fn files_without_certificates_are_refused() {
    let authority = Authority::new();
    let (addr, _seen) = serve(&authority).await;
    let empty = tempfile::NamedTempFile::new().unwrap();
    for (path, wanted) in [
        (empty.path().to_owned(), "channel hook cannot be set up: ca_file: it has no certificate in PEM form, or a broken one"),
        ("/no/such/file".into(), "channel hook cannot be set up: ca_file: cannot read it: No such file or directory (os error 2)"),
    ] {
        let mut channel = https(addr, "127.0.0.1");
        channel.ca_file = Some(path);
        let error = plimsoll_notify::send_test(&config(vec![channel]), "hook").await.unwrap_err();
        assert_eq!(error.to_string(), wanted);
    }
    let text = StartError::Config(Vec::new()).to_string();
    assert!(text.contains("0 mistakes"), "{text}");
}
