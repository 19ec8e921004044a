//! Asks a server on this machine, one request a connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// How long a connection and each part of an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Bytes of an answer that are read; a longer one is an error.
const ANSWER_MAX: u64 = 64 * 1024 * 1024;

/// The admin token of every bot that is started here.
const TOKEN: &str = "plimsoll_of_a_bot_that_trades_play_money_on_loopback";

/// Gives a bot its admin token, before its first start.
pub(crate) fn put_token(data: &Path) -> Result<()> {
    std::fs::create_dir_all(data)?;
    let file = data.join("admin.token");
    std::fs::write(&file, TOKEN)?;
    #[cfg(unix)]
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

/// What a bot answers to whoever has its admin token.
pub(crate) fn bot_json(bot: SocketAddr, target: &str) -> Result<Value> {
    get_json(bot, target, &[("Authorization", &format!("Bearer {TOKEN}"))])
}

/// A `GET`; status and body.
pub(crate) fn get(server: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Result<(u16, Vec<u8>)> {
    let ask = || -> Result<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut request = format!("GET {target} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.take(ANSWER_MAX).read_to_end(&mut answer)?;
        parse(&answer)
    };
    ask().with_context(|| format!("GET http://{server}{}", target.split('?').next().unwrap_or(target)))
}

/// A `GET` whose answer is 200 and JSON.
pub(crate) fn get_json(server: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Result<Value> {
    let (status, body) = get(server, target, headers)?;
    let path = target.split('?').next().unwrap_or(target);
    if status != 200 {
        bail!("GET http://{server}{path} was answered {status}: {}", String::from_utf8_lossy(&body));
    }
    serde_json::from_slice(&body).with_context(|| format!("GET http://{server}{path}: the answer is not JSON"))
}

fn parse(answer: &[u8]) -> Result<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("the answer has no end of its head")?;
    let (head, body) = answer.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("the answer has no status")?;
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if field("transfer-encoding:") == Some("chunked") {
        return Ok((status, dechunk(body)?));
    }
    if let Some(length) = field("content-length:").and_then(|length| length.parse::<usize>().ok())
        && body.len() != length
    {
        bail!("the answer has {} bytes of {length}", body.len());
    }
    Ok((status, body.to_vec()))
}

fn dechunk(mut body: &[u8]) -> Result<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").context("a chunk has no size")?;
        let (size, rest) = body.split_at(end);
        let size = usize::from_str_radix(String::from_utf8_lossy(size).trim(), 16).context("a chunk's size is no number")?;
        if size == 0 {
            return Ok(whole);
        }
        whole.extend_from_slice(rest.get(2..2 + size).context("a chunk is cut short")?);
        body = rest.get(4 + size..).context("the last chunk is missing")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &str, expected: Option<(u16, &str)>) {
        let found = parse(answer.as_bytes()).ok();
        assert_eq!(found, expected.map(|(status, body)| (status, body.as_bytes().to_vec())), "{answer:?}");
    }

    #[test]
    fn answers_of_both_kinds_are_read_and_cut_ones_refused() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Some((200, "hi")));
        check("HTTP/1.1 404 No\r\n\r\nall the rest", Some((404, "all the rest")));
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", Some((200, "abcd")));
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", None);
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", None);
        check("HTTP/1.1 200 OK\r\n", None);
        check("", None);
    }
}
