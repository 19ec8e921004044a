//! A bad line: passes bytes on to the local exchange, and from time to time cuts, freezes or refuses.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Connections at a time; the bot has half a dozen, and a few that are on their way out.
const LINKS_MAX: usize = 64;

/// Bytes passed on at once.
const PIECE: usize = 16 * 1024;

/// How often sleepers look whether they are wanted.
const LOOK: Duration = Duration::from_millis(20);

/// What a storm did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// All connections were cut, several times in a row.
    Cuts,
    /// Connections stayed open and carried nothing; some were cut afterwards.
    Stall,
    /// Nothing came through, and new connections were closed at once.
    Dark,
}

impl Weather {
    pub(crate) const ALL: [Self; 3] = [Self::Cuts, Self::Stall, Self::Dark];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cuts => "cuts",
            Self::Stall => "stall",
            Self::Dark => "dark",
        }
    }
}

/// A storm, when it came and how many connections it cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storm {
    pub(crate) at: Instant,
    pub(crate) weather: Weather,
    pub(crate) cut: usize,
}

/// The line's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Connections that the bot made.
    pub(crate) made: u64,
    /// Connections that were cut.
    pub(crate) cut: u64,
    /// Connections that were refused.
    pub(crate) refused: u64,
}

/// A listener between the bot and its exchange.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    upstream: SocketAddr,
    links: Mutex<Vec<Link>>,
    storms: Mutex<Vec<Storm>>,
    dark: AtomicBool,
    calm: AtomicBool,
    ended: AtomicBool,
    made: AtomicU64,
    cut: AtomicU64,
    refused: AtomicU64,
}

struct Link {
    id: u64,
    ends: [TcpStream; 2],
    frozen: Arc<AtomicBool>,
}

impl Link {
    fn close(&self) {
        for end in &self.ends {
            // An error means that it is closed already.
            drop(end.shutdown(Shutdown::Both));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Listens on a free loopback port. The weather is fair until [`Proxy::storm_from`].
    pub(crate) fn start(upstream: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no loopback port is free")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream,
            links: Mutex::default(),
            storms: Mutex::default(),
            dark: AtomicBool::new(false),
            calm: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            made: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let door = Arc::clone(&shared);
        let threads = vec![std::thread::spawn(move || door.accept(&listener))];
        Ok(Self { address, shared, threads })
    }

    /// Where the bot has to connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins with the bad weather: a storm every 20 to 60 s, the same for the same seed.
    pub(crate) fn storm_from(&mut self, seed: u64) {
        let shared = Arc::clone(&self.shared);
        self.threads.push(std::thread::spawn(move || shared.storms(Chance(seed))));
    }

    /// No further storms; one that is under way ends at once.
    pub(crate) fn calm(&self) {
        self.shared.calm.store(true, SeqCst);
    }

    pub(crate) fn counts(&self) -> Counts {
        let Shared { made, cut, refused, .. } = &*self.shared;
        Counts { made: made.load(SeqCst), cut: cut.load(SeqCst), refused: refused.load(SeqCst) }
    }

    /// The storms so far.
    pub(crate) fn storms(&self) -> Vec<Storm> {
        lock(&self.shared.storms).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, SeqCst);
        self.shared.calm.store(true, SeqCst);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                eprintln!("a thread of the line panicked");
            }
        }
        self.shared.cut(|_| true);
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while !self.ended.load(SeqCst) {
            match listener.accept() {
                Ok((client, _)) => {
                    // Closing is the refusal.
                    if self.dark.load(SeqCst) || lock(&self.links).len() >= LINKS_MAX || self.join(client).is_err() {
                        self.refused.fetch_add(1, SeqCst);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(LOOK),
                Err(error) => {
                    eprintln!("the line accepts nothing: {error}");
                    std::thread::sleep(LOOK);
                }
            }
        }
    }

    /// Connects both ends and lets bytes flow.
    fn join(self: &Arc<Self>, client: TcpStream) -> std::io::Result<()> {
        client.set_nonblocking(false)?;
        client.set_nodelay(true)?;
        let upstream = TcpStream::connect_timeout(&self.upstream, Duration::from_secs(5))?;
        upstream.set_nodelay(true)?;
        let id = self.made.fetch_add(1, SeqCst);
        let frozen = Arc::new(AtomicBool::new(false));
        for (from, to) in [(client.try_clone()?, upstream.try_clone()?), (upstream.try_clone()?, client.try_clone()?)] {
            let (shared, frozen) = (Arc::clone(self), Arc::clone(&frozen));
            std::thread::spawn(move || {
                pump(from, to, &frozen);
                shared.leave(id);
            });
        }
        lock(&self.links).push(Link { id, ends: [client, upstream], frozen });
        Ok(())
    }

    /// One direction has ended: so does the other.
    fn leave(&self, id: u64) {
        let mut links = lock(&self.links);
        if let Some(place) = links.iter().position(|link| link.id == id) {
            links.swap_remove(place).close();
        }
    }

    /// Closes what `chosen` picks and says how many that were.
    fn cut(&self, mut chosen: impl FnMut(&Link) -> bool) -> usize {
        let mut links = lock(&self.links);
        let (gone, kept): (Vec<Link>, Vec<Link>) = std::mem::take(&mut *links).into_iter().partition(|link| chosen(link));
        *links = kept;
        gone.iter().for_each(Link::close);
        self.cut.fetch_add(gone.len() as u64, SeqCst);
        gone.len()
    }

    fn storms(&self, mut chance: Chance) {
        while self.rest(chance.between(20_000, 60_000)) {
            let at = Instant::now();
            let (weather, cut) = match chance.below(10) {
                0..6 => (Weather::Cuts, self.burst(&mut chance)),
                6..9 => (Weather::Stall, self.stall(&mut chance)),
                _ => (Weather::Dark, self.darkness(&mut chance)),
            };
            lock(&self.storms).push(Storm { at, weather, cut });
        }
    }

    /// Cuts everything two to eight times; some of the connections are cut while they are being made.
    fn burst(&self, chance: &mut Chance) -> usize {
        let mut cut = 0;
        for _ in 0..chance.between(2, 8) {
            cut += self.cut(|_| true);
            if !self.rest(chance.between(50, 2_500)) {
                break;
            }
        }
        cut
    }

    /// Freezes what is open, most of it or all, for 3 to 20 s; then it goes on as if nothing had been, or is cut.
    fn stall(&self, chance: &mut Chance) -> usize {
        let mut frozen = Vec::new();
        for link in lock(&self.links).iter() {
            if chance.below(4) != 0 {
                link.frozen.store(true, SeqCst);
                frozen.push(link.id);
            }
        }
        self.rest(chance.between(3_000, 20_000));
        let cut = if chance.below(2) == 0 { self.cut(|link| frozen.contains(&link.id)) } else { 0 };
        for link in lock(&self.links).iter() {
            link.frozen.store(false, SeqCst);
        }
        cut
    }

    /// Cuts everything and lets nobody in for 2 to 12 s.
    fn darkness(&self, chance: &mut Chance) -> usize {
        self.dark.store(true, SeqCst);
        let cut = self.cut(|_| true);
        self.rest(chance.between(2_000, 12_000));
        self.dark.store(false, SeqCst);
        cut
    }

    /// Sleeps so many milliseconds; `false` when the bad weather is to end.
    fn rest(&self, millis: u64) -> bool {
        let until = Instant::now() + Duration::from_millis(millis);
        while Instant::now() < until {
            if self.calm.load(SeqCst) {
                return false;
            }
            std::thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
        }
        true
    }
}

/// Passes bytes on until either side ends; a frozen link holds what it has.
fn pump(mut from: TcpStream, mut to: TcpStream, frozen: &AtomicBool) {
    let mut piece = vec![0; PIECE];
    loop {
        let Ok(count @ 1..) = from.read(&mut piece) else { return };
        while frozen.load(SeqCst) {
            std::thread::sleep(LOOK);
        }
        let Some(bytes) = piece.get(..count) else { return };
        if to.write_all(bytes).is_err() {
            return;
        }
    }
}

/// Seeded chance (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut byte = [0];
                    while matches!(stream.read(&mut byte), Ok(1)) && stream.write_all(&byte).is_ok() {}
                });
            }
        });
        address
    }

    fn connect(proxy: &Proxy) -> TcpStream {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    fn says_back(stream: &mut TcpStream, byte: u8) -> bool {
        let mut answer = [0];
        stream.write_all(&[byte]).is_ok() && stream.read_exact(&mut answer).is_ok() && answer == [byte]
    }

    #[test]
    fn passes_on_cuts_and_takes_new_connections() {
        let proxy = Proxy::start(echo()).unwrap();
        let mut stream = connect(&proxy);
        assert!(says_back(&mut stream, 7));
        assert_eq!(proxy.shared.cut(|_| true), 1);
        assert!(!says_back(&mut stream, 8));
        assert!(says_back(&mut connect(&proxy), 9));
        assert_eq!(proxy.counts(), Counts { made: 2, cut: 1, refused: 0 });
    }

    #[test]
    fn a_frozen_link_is_open_and_says_nothing_until_it_thaws() {
        let proxy = Proxy::start(echo()).unwrap();
        let mut stream = connect(&proxy);
        assert!(says_back(&mut stream, 1));
        let frozen = Arc::clone(&lock(&proxy.shared.links)[0].frozen);
        frozen.store(true, SeqCst);
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(!says_back(&mut stream, 2));
        frozen.store(false, SeqCst);
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut late = [0];
        stream.read_exact(&mut late).unwrap();
        assert_eq!(late, [2]);
    }

    #[test]
    fn in_the_dark_nobody_gets_through() {
        let proxy = Proxy::start(echo()).unwrap();
        proxy.shared.dark.store(true, SeqCst);
        assert!(!says_back(&mut connect(&proxy), 1));
        proxy.shared.dark.store(false, SeqCst);
        assert!(says_back(&mut connect(&proxy), 1));
        assert_eq!(proxy.counts().refused, 1);
    }

    #[test]
    fn the_same_seed_makes_the_same_weather() {
        let draw = |seed| {
            let mut chance = Chance(seed);
            (0..100).map(|_| chance.between(20, 60)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(9).iter().all(|value| (20..=60).contains(value)));
    }
}
