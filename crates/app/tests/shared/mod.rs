//! Starts the real binary, asks it over real sockets, and ends it by its pid.

#![allow(dead_code, reason = "each test uses its part")]

use plimsoll_exchange::binance::sign::{Secret, Signer};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub const KEY: &str = "testkey";
pub const SECRET: &str = "testsecret";

/// A running `plimsoll`; killed when dropped.
pub struct Running {
    child: Child,
    pub first_line: String,
}

impl Running {
    /// Starts the binary and reads its first line.
    pub fn start(args: &[&str], envs: &[(&str, &str)]) -> Self {
        remember(args);
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command.args(args);
        Self::spawn(command, envs)
    }

    /// Starts it by a shell's script, which gets the binary's path as its name.
    pub fn start_by(shell: &[&str], envs: &[(&str, &str)]) -> Self {
        let mut command = Command::new(shell[0]);
        remember(shell);
        command.args(&shell[1..]).arg(env!("CARGO_BIN_EXE_plimsoll"));
        Self::spawn(command, envs)
    }

    fn spawn(mut command: Command, envs: &[(&str, &str)]) -> Self {
        command.envs(envs.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::inherit()).stdin(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut first_line = String::new();
        reader.read_line(&mut first_line).unwrap();
        // Keeps reading, so that the program never waits for a full pipe.
        std::thread::spawn(move || {
            let mut rest = String::new();
            while reader.read_line(&mut rest).is_ok_and(|n| n > 0) {
                eprint!("  | {rest}");
                rest.clear();
            }
        });
        Self { child, first_line: first_line.trim().to_owned() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the end.
    pub fn wait(&mut self, longest: Duration) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            assert!(began.elapsed() < longest, "did not end within {longest:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn stop(&mut self, longest: Duration) -> ExitStatus {
        self.signal("-TERM");
        self.wait(longest)
    }

    /// Resident bytes now; zero where the system does not tell.
    pub fn rss(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or("");
        line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 1_024
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.exited().is_none() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

/// A loopback port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Which token a bot's API takes: written beside its books, known by the address of its configuration.
static TOKENS: Mutex<Vec<(String, PathBuf)>> = Mutex::new(Vec::new());

/// Reads address and data folder of a bot that is to be started, so that it can be asked what needs a token.
pub fn remember(args: &[&str]) {
    let Some(at) = args.iter().position(|arg| *arg == "--config") else { return };
    let text = std::fs::read_to_string(args[at + 1]).unwrap_or_default();
    let word = |key: &str| {
        let (_, rest) = text.split_once(key)?;
        Some(rest.trim_start_matches([' ', '"']).split(['"', ' ', '\n', '}', ',']).next()?.to_owned())
    };
    if let (Some(listen), Some(data)) = (word("listen:"), word("data_dir:")) {
        TOKENS.lock().unwrap().push((listen, Path::new(&data).join("admin.token")));
    }
}

/// The admin token of the bot that listens there, once it has one.
pub fn token(address: &str) -> Option<String> {
    let file = TOKENS.lock().unwrap().iter().rev().find(|(listen, _)| listen == address)?.1.clone();
    Some(std::fs::read_to_string(file).ok()?.trim().to_owned())
}

/// Asks over HTTP, with the bot's admin token unless headers say otherwise; returns status and body.
pub fn http(method: &str, address: &str, target: &str, headers: &[(&str, &str)]) -> std::io::Result<(u16, String)> {
    send(method, address, target, headers, "")
}

/// Sends JSON with the bot's admin token; returns status and what is answered.
#[allow(dead_code, reason = "not every test sends something")]
pub fn send_json(method: &str, address: &str, target: &str, body: &Value) -> (u16, Value) {
    let (status, text) = send(method, address, target, &[("Content-Type", "application/json")], &body.to_string()).unwrap();
    (status, serde_json::from_str(&text).unwrap_or_default())
}

fn send(method: &str, address: &str, target: &str, headers: &[(&str, &str)], body: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address.parse::<SocketAddr>().unwrap(), Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(token) = token(address).filter(|_| !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"))) {
        request.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or(std::io::ErrorKind::InvalidData)?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Ok((status, if chunked { dechunk(body) } else { body.to_owned() }))
}

fn dechunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        whole.push_str(&rest[..size]);
        body = &rest[size + 2..];
    }
    whole
}

/// Sends JSON; returns status, head and body.
pub fn post(address: &str, target: &str, headers: &[(&str, &str)], body: &Value) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let body = body.to_string();
    let mut request = format!("POST {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all((request + "\r\n" + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_owned(), body.to_owned())
}

pub fn get(address: &str, target: &str) -> Option<Value> {
    let (status, body) = http("GET", address, target, &[]).ok()?;
    (status == 200).then(|| serde_json::from_str(&body).unwrap())
}

/// Asks a testnet with our key's signature.
pub fn signed(address: &str, method: &str, path: &str, query: &str) -> Value {
    let signer = Signer::new(Secret::new(KEY.to_owned()).unwrap(), &Secret::new(SECRET.to_owned()).unwrap());
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let separator = if query.is_empty() { "" } else { "&" };
    let mut text = format!("{query}{separator}recvWindow=10000&timestamp={millis}");
    signer.append_signature(&mut text);
    let target = format!("{path}?{text}");
    let (status, body) = http(method, address, &target, &[("X-MBX-APIKEY", KEY)]).unwrap();
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Waits until `done` says so.
#[track_caller]
pub fn until(longest: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < longest, "{what} did not come within {longest:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The folder of recorded data, or `None` with a line that says what was left out.
pub fn shared(what: &str) -> Option<PathBuf> {
    let root =
        std::env::var_os("PLIMSOLL_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = root.join(what);
    if path.exists() {
        return Some(path);
    }
    eprintln!("left out: {what} (install: put the recorded data beside the repository as ../shared, or set PLIMSOLL_SHARED)");
    None
}

/// Writes the configuration of a bot whose local exchange and records are quick; returns the file's name.
pub fn quick(folder: &Path, web: u16) -> String {
    let file = folder.join("plimsoll.yaml");
    let text = format!(
        "exchange: local\ndata_dir: {}\nlocal: {{ speed: 20 }}\nstorage: {{ flush_interval: 300ms }}\nweb: {{ listen: \"127.0.0.1:{web}\" }}\n\
         log: {{ level: warn }}\nrisk_control: {{ enabled: false }}\n\
         trading:\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: 30, order_quantity: 250 }}\n",
        folder.display()
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// Runs a verb to its end; its exit code, and what it said.
pub fn verb(args: &[&str]) -> (Option<i32>, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_plimsoll")).args(args).output().unwrap();
    (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr))
}
