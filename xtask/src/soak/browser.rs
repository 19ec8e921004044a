//! A browser that was left open in a tab which no longer reads.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a tab is left: longer than the server's patience.
const LEFT_FOR: Duration = Duration::from_secs(75);

/// How long it takes to look what has become of it.
const LOOK_FOR: Duration = Duration::from_secs(2);

/// What became of the tabs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tabs {
    /// Tabs whose live view was opened.
    pub(crate) opened: u64,
    /// Tabs that the server let go after a while.
    pub(crate) let_go: u64,
    /// Times that no live view was to be had.
    pub(crate) failed: u64,
}

#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    opened: AtomicU64,
    let_go: AtomicU64,
    failed: AtomicU64,
}

/// Some tabs, each of which is opened anew when it has been left for long.
pub(crate) struct Browser {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Browser {
    /// Opens so many tabs of the dashboard.
    pub(crate) fn open(dashboard: SocketAddr, tabs: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let threads = (0..tabs)
            .map(|_| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    while !shared.ended.load(SeqCst) {
                        shared.tab(dashboard);
                    }
                })
            })
            .collect();
        Self { shared, threads }
    }

    pub(crate) fn tabs(&self) -> Tabs {
        let Shared { opened, let_go, failed, .. } = &*self.shared;
        Tabs { opened: opened.load(SeqCst), let_go: let_go.load(SeqCst), failed: failed.load(SeqCst) }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.shared.ended.store(true, SeqCst);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                eprintln!("a tab panicked");
            }
        }
    }
}

impl Shared {
    fn tab(&self, dashboard: SocketAddr) {
        match upgrade(dashboard) {
            Ok(stream) => {
                self.opened.fetch_add(1, SeqCst);
                if self.rest(LEFT_FOR) && was_let_go(stream) {
                    self.let_go.fetch_add(1, SeqCst);
                }
            }
            Err(_) => {
                self.failed.fetch_add(1, SeqCst);
                self.rest(Duration::from_secs(1));
            }
        }
    }

    /// `false` when it is over.
    fn rest(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if self.ended.load(SeqCst) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        true
    }
}

/// Opens the live view as a page would, reads the answer's head, and nothing after it.
fn upgrade(dashboard: SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&dashboard, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request = format!(
        "GET /ws?watch=BTCUSDT,ETHUSDT HTTP/1.1\r\nHost: {dashboard}\r\nOrigin: http://{dashboard}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 4_096 {
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    if head.starts_with(b"HTTP/1.1 101 ") { Ok(stream) } else { Err(ErrorKind::ConnectionRefused.into()) }
}

/// Takes what lies there: a connection that was let go has an end.
fn was_let_go(mut stream: TcpStream) -> bool {
    let until = Instant::now() + LOOK_FOR;
    if stream.set_read_timeout(Some(Duration::from_millis(500))).is_err() {
        return false;
    }
    let mut waste = vec![0; 64 * 1024];
    while Instant::now() < until {
        match stream.read(&mut waste) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
    false
}
