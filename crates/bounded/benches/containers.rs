//! The containers against their plain counterparts, side by side in one run, with accounting on.
//!
//! `cargo bench -p plimsoll-bounded --features spsc,tokio --bench containers`
//!
//! The two of a pair run in turns, round by round, so that a machine that is slow for a while is slow for both; the ratio is
//! the median of the rounds' ratios. There are many short rounds, because a machine that other programs share is disturbed
//! for longer than a few. With a ratio missed, the exit status is 1.

#![allow(missing_docs, clippy::print_stdout, reason = "a bench prints what it measured")]
#![allow(clippy::unwrap_used, reason = "a bench may panic as a test does")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use plimsoll_bounded::{Class, FixedState, Grant, Line, Map, Producer, Ring, WhenFull, channel, spsc};

/// Rounds of each pair; odd, so that there is a median.
const ROUNDS: usize = 301;

/// One comparison: two ways of doing the same work, which return how long it took.
struct Pair<'a> {
    name: &'a str,
    wanted: f64,
    operations: u64,
    ours: Box<dyn FnMut() -> Duration + 'a>,
    theirs: Box<dyn FnMut() -> Duration + 'a>,
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

impl Pair<'_> {
    /// Runs both in turns and prints a row; tells whether the wanted ratio holds.
    fn holds(mut self) -> bool {
        let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let operations = self.operations as f64;
        let per_operation = |time: Duration| time.as_secs_f64() * 1e9 / operations;
        (self.ours)();
        (self.theirs)();
        for round in 0..ROUNDS {
            // Who goes first changes, so that neither always finds a warm or a throttled machine.
            let (our, their) = if round % 2 == 0 {
                let our = (self.ours)();
                (our, (self.theirs)())
            } else {
                let their = (self.theirs)();
                ((self.ours)(), their)
            };
            ratios.push(our.as_secs_f64() / their.as_secs_f64());
            ours.push(per_operation(our));
            theirs.push(per_operation(their));
        }
        let ratio = median(ratios);
        let verdict = if ratio <= self.wanted { "ok" } else { "missed" };
        let (name, wanted) = (self.name, self.wanted);
        println!("{name:<52} {:>9.2} {:>9.2} {ratio:>7.2} {wanted:>7.2}  {verdict}", median(ours), median(theirs));
        ratio <= wanted
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// A small generator, the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// What one would write by hand: an array, a head and a length.
struct ArrayRing {
    items: Box<[u64]>,
    head: usize,
    len: usize,
}

impl ArrayRing {
    fn new(capacity: usize) -> Self {
        Self { items: vec![0; capacity].into_boxed_slice(), head: 0, len: 0 }
    }

    #[inline]
    fn place(&self, offset: usize) -> usize {
        let at = self.head + offset;
        if at >= self.items.len() { at - self.items.len() } else { at }
    }

    /// Adds the newest, letting the oldest go when full.
    #[inline]
    fn roll(&mut self, item: u64) -> Option<u64> {
        if self.len == self.items.len() {
            let oldest = std::mem::replace(&mut self.items[self.head], item);
            self.head = self.place(1);
            return Some(oldest);
        }
        let at = self.place(self.len);
        self.items[at] = item;
        self.len += 1;
        None
    }

    #[inline]
    fn pop_front(&mut self) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        let oldest = self.items[self.head];
        self.head = self.place(1);
        self.len -= 1;
        Some(oldest)
    }

    #[inline]
    fn sum(&self) -> u64 {
        (0..self.len).map(|offset| self.items[self.place(offset)]).fold(0, u64::wrapping_add)
    }
}

fn rings() -> Vec<Pair<'static>> {
    const CAPACITY: usize = 1000;
    const TURNS: u64 = 400_000;
    let line = Line::of::<u64>("ring", CAPACITY, WhenFull::DropOldest, Class::BestEffort);
    let new = move || (Ring::<u64>::new(Grant::detached(line)), ArrayRing::new(CAPACITY));

    // `black_box` of a ring makes each operation find it in memory, as a field of something larger is found in use: left to
    // itself, the compiler keeps the head and the length of the plain one in registers from the first turn to the last.
    let (mut ring, mut plain) = new();
    let window = Pair {
        name: "Ring / array ring: full window, roll",
        wanted: 1.2,
        operations: TURNS,
        ours: Box::new(move || {
            timed(|| {
                for turn in 0..TURNS {
                    black_box(black_box(&mut ring).roll(black_box(turn)));
                }
            })
        }),
        theirs: Box::new(move || {
            timed(|| {
                for turn in 0..TURNS {
                    black_box(black_box(&mut plain).roll(black_box(turn)));
                }
            })
        }),
    };
    let (mut ring, mut plain) = new();
    let queue = Pair {
        name: "Ring / array ring: queue, push 3 and pop 3",
        wanted: 1.2,
        operations: TURNS * 6,
        ours: Box::new(move || {
            timed(|| {
                for turn in 0..TURNS {
                    for part in 0..3 {
                        black_box(black_box(&mut ring).push(black_box(turn + part)).is_ok());
                    }
                    for _ in 0..3 {
                        black_box(black_box(&mut ring).pop_front());
                    }
                }
            })
        }),
        theirs: Box::new(move || {
            timed(|| {
                for turn in 0..TURNS {
                    for part in 0..3 {
                        black_box(black_box(&mut plain).roll(black_box(turn + part)));
                    }
                    for _ in 0..3 {
                        black_box(black_box(&mut plain).pop_front());
                    }
                }
            })
        }),
    };
    let (mut ring, mut plain) = new();
    let sums = Pair {
        name: "Ring / array ring: roll, sum every 1000",
        wanted: 1.2,
        operations: TURNS,
        ours: Box::new(move || {
            timed(|| {
                for turn in 0..TURNS {
                    black_box(&mut ring).roll(black_box(turn));
                    if turn % 1000 == 0 {
                        black_box(ring.iter().fold(0, |sum: u64, item| sum.wrapping_add(*item)));
                    }
                }
            })
        }),
        theirs: Box::new(move || {
            timed(|| {
                for turn in 0..TURNS {
                    black_box(&mut plain).roll(black_box(turn));
                    if turn % 1000 == 0 {
                        black_box(plain.sum());
                    }
                }
            })
        }),
    };
    vec![window, queue, sums]
}

/// Half of the looks find something; inserts and removes hold the tables at about three quarters of `capacity`.
fn maps(capacity: usize, name: &'static str) -> Pair<'static> {
    const TURNS: u64 = 300_000;
    let mut map = Map::<u64, [u64; 4]>::new(Grant::detached(Map::<u64, [u64; 4]>::line("m", capacity, WhenFull::Refuse, Class::MustKeep)));
    let mut plain = hashbrown::HashMap::<u64, [u64; 4], FixedState>::with_capacity_and_hasher(capacity, FixedState);
    let keys = capacity as u64 * 3 / 2;
    let mut random = Random(1);
    // Removes go to keys of which there are as many as are inserted: the table neither fills nor empties.
    let script: Vec<(u64, u8)> = (0..TURNS).map(|_| (random.next() % keys, (random.next() % 4) as u8)).collect();
    let other = script.clone();
    Pair {
        name,
        wanted: 1.5,
        operations: TURNS,
        ours: Box::new(move || {
            timed(|| {
                for (key, what) in &script {
                    match what {
                        0 => {
                            black_box(map.insert(*key, [*key; 4]).unwrap_or(None));
                        }
                        1 => {
                            black_box(map.remove(key));
                        }
                        _ => {
                            black_box(map.get(key));
                        }
                    }
                }
            })
        }),
        theirs: Box::new(move || {
            timed(|| {
                for (key, what) in &other {
                    match what {
                        // Bounded, as ours: a map that may grow has no such question, and no such promise.
                        0 if plain.len() < capacity || plain.contains_key(key) => {
                            black_box(plain.insert(*key, [*key; 4]));
                        }
                        0 => {}
                        1 => {
                            black_box(plain.remove(key));
                        }
                        _ => {
                            black_box(plain.get(key));
                        }
                    }
                }
            })
        }),
    }
}

const QUEUE: usize = 1024;
const ITEMS: u64 = 200_000;

/// From one thread to one other, both busy; each round on threads of its own.
fn across_threads(mut push: impl FnMut(u64) -> bool + Send, mut pop: impl FnMut() -> Option<u64>) -> Duration {
    std::thread::scope(|scope| {
        let begun = Instant::now();
        scope.spawn(move || {
            for item in 0..ITEMS {
                while !push(item) {
                    std::hint::spin_loop();
                }
            }
        });
        let mut next = 0;
        while next < ITEMS {
            match pop() {
                Some(item) => {
                    assert_eq!(item, next);
                    next += 1;
                }
                None => std::hint::spin_loop(),
            }
        }
        begun.elapsed()
    })
}

fn spscs() -> Vec<Pair<'static>> {
    let line = Producer::<u64>::line("spsc", QUEUE, WhenFull::Refuse, Class::MustKeep);
    let threads = Pair {
        name: "spsc / rtrb: two threads",
        wanted: 1.5,
        operations: ITEMS,
        ours: Box::new(move || {
            let (mut producer, mut consumer) = spsc::<u64>(Grant::detached(line));
            across_threads(move |item| producer.push(item).is_ok(), move || consumer.pop())
        }),
        theirs: Box::new(|| {
            let (mut producer, mut consumer) = rtrb::RingBuffer::<u64>::new(QUEUE);
            across_threads(move |item| producer.push(item).is_ok(), move || consumer.pop().ok())
        }),
    };
    let (mut producer, mut consumer) = spsc::<u64>(Grant::detached(line));
    let (mut plain_in, mut plain_out) = rtrb::RingBuffer::<u64>::new(QUEUE);
    let alone = Pair {
        name: "spsc / rtrb: one thread, push 16 and pop 16",
        wanted: 1.5,
        operations: ITEMS * 2,
        ours: Box::new(move || {
            timed(|| {
                for turn in 0..ITEMS / 16 {
                    for part in 0..16 {
                        black_box(producer.push(black_box(turn + part)).is_ok());
                    }
                    for _ in 0..16 {
                        black_box(consumer.pop());
                    }
                }
            })
        }),
        theirs: Box::new(move || {
            timed(|| {
                for turn in 0..ITEMS / 16 {
                    for part in 0..16 {
                        black_box(plain_in.push(black_box(turn + part)).is_ok());
                    }
                    for _ in 0..16 {
                        black_box(plain_out.pop().ok());
                    }
                }
            })
        }),
    };
    vec![threads, alone]
}

fn runtime(threads: usize) -> tokio::runtime::Runtime {
    match threads {
        1 => tokio::runtime::Builder::new_current_thread().build().unwrap(),
        _ => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).build().unwrap(),
    }
}

/// Senders that wait for room and a receiver, as tasks of one runtime; with a large queue and with one that is always full.
fn channels(threads: usize, senders: u64, capacity: usize, name: &'static str) -> Pair<'static> {
    let each = ITEMS / 2 / senders;
    let (ours, theirs) = (runtime(threads), runtime(threads));
    Pair {
        name,
        wanted: 1.2,
        operations: each * senders,
        ours: Box::new(move || {
            let line = Line::of::<u64>("channel", capacity, WhenFull::Wait, Class::MustKeep);
            let (sender, mut receiver) = channel::<u64>(Grant::detached(line));
            let work = async move {
                for _ in 0..senders {
                    let sender = sender.clone();
                    tokio::spawn(async move {
                        for item in 0..each {
                            sender.send(item).await.unwrap();
                        }
                    });
                }
                drop(sender);
                let receive = tokio::spawn(async move {
                    let mut count = 0;
                    while receiver.recv().await.is_some() {
                        count += 1;
                    }
                    count
                });
                assert_eq!(receive.await.unwrap(), each * senders);
            };
            timed(|| ours.block_on(work))
        }),
        theirs: Box::new(move || {
            let (sender, mut receiver) = tokio::sync::mpsc::channel::<u64>(capacity);
            let work = async move {
                for _ in 0..senders {
                    let sender = sender.clone();
                    tokio::spawn(async move {
                        for item in 0..each {
                            sender.send(item).await.unwrap();
                        }
                    });
                }
                drop(sender);
                let receive = tokio::spawn(async move {
                    let mut count = 0;
                    while receiver.recv().await.is_some() {
                        count += 1;
                    }
                    count
                });
                assert_eq!(receive.await.unwrap(), each * senders);
            };
            timed(|| theirs.block_on(work))
        }),
    }
}

/// One item in, one item out, without waiting: the cost of an item that finds room.
fn channel_by_hand() -> Pair<'static> {
    let line = Line::of::<u64>("channel", QUEUE, WhenFull::Wait, Class::MustKeep);
    let (sender, mut receiver) = channel::<u64>(Grant::detached(line));
    let (plain_in, mut plain_out) = tokio::sync::mpsc::channel::<u64>(QUEUE);
    Pair {
        name: "channel / tokio mpsc: one thread, try_send 16, try_recv",
        wanted: 1.2,
        operations: ITEMS * 2,
        ours: Box::new(move || {
            timed(|| {
                for turn in 0..ITEMS / 16 {
                    for part in 0..16 {
                        sender.try_send(black_box(turn + part)).unwrap();
                    }
                    for _ in 0..16 {
                        black_box(receiver.try_recv().unwrap());
                    }
                }
            })
        }),
        theirs: Box::new(move || {
            timed(|| {
                for turn in 0..ITEMS / 16 {
                    for part in 0..16 {
                        plain_in.try_send(black_box(turn + part)).unwrap();
                    }
                    for _ in 0..16 {
                        black_box(plain_out.try_recv().unwrap());
                    }
                }
            })
        }),
    }
}

fn main() -> ExitCode {
    println!("{ROUNDS} rounds each, in turns; medians; nanoseconds an operation");
    println!("{:<52} {:>9} {:>9} {:>7} {:>7}", "", "ours", "theirs", "ratio", "wanted");
    let mut pairs = rings();
    pairs.push(maps(64, "Map / hashbrown: 64, get 2 insert 1 remove 1"));
    pairs.push(maps(10_000, "Map / hashbrown: 10,000, get 2 insert 1 remove 1"));
    pairs.extend(spscs());
    pairs.push(channel_by_hand());
    pairs.push(channels(1, 1, QUEUE, "channel / tokio mpsc: one thread, queue of 1024"));
    pairs.push(channels(1, 4, 16, "channel / tokio mpsc: one thread, 4 senders, of 16"));
    pairs.push(channels(2, 1, QUEUE, "channel / tokio mpsc: two threads, queue of 1024"));
    pairs.push(channels(2, 4, 64, "channel / tokio mpsc: two threads, 4 senders, of 64"));
    let missed = pairs.into_iter().map(Pair::holds).filter(|held| !held).count();
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
