//! The leak detector on real memory and made-up time: leaks on purpose are named, and trading without leaks is not.
#![cfg(all(feature = "leak", feature = "jemalloc", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

#[path = "../src/dripping.rs"]
mod dripping;
#[path = "../../sim/tests/swarm/world.rs"]
mod world;

use dripping::{Kind, Leaker};
use plimsoll_bounded::{Class, Grant, Ledger, Line, Sealed, Tasks, WhenFull};
use plimsoll_market::Time;
use plimsoll_monitor::{Culprit, Exporter, ExporterGrants, LeakConfig, LeakDetector, Sampler};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Both tests look at the memory of the whole process: one after the other.
static ALONE: Mutex<()> = Mutex::new(());

const STEP: Duration = Duration::from_secs(5);
const START: Time = Time::from_millis(1_700_000_000_000);

struct Watched {
    sampler: Sampler,
    detector: LeakDetector,
    ledger: Ledger<Sealed>,
    slots: plimsoll_bounded::Gauge,
    orders: plimsoll_bounded::Gauge,
    /// A live figure, as the app shows them: it grows with every leak and is not to be blamed for it.
    stacks: plimsoll_bounded::Gauge,
    now: Time,
}

fn watched() -> (Watched, Grant) {
    let ledger = Ledger::open(500_000_000);
    let exporter = Exporter::new(ExporterGrants::take(&ledger).unwrap());
    let leak = ledger.grant(dripping::line()).unwrap();
    let gauge = |name, capacity| ledger.grant(Line::of::<[u8; 128]>(name, capacity, WhenFull::Refuse, Class::MustKeep)).unwrap().gauge();
    let (slots, orders) = (gauge("engine.slots/test", 256), gauge("engine.orders/test", 64));
    let stacks = ledger.external("process.stacks", 6 << 20).unwrap();
    let tasks = Tasks::new(ledger.grant(Tasks::line("test.tasks", 1, 64)).unwrap());
    let history = ledger.grant(Sampler::line("monitor.samples", 720)).unwrap();
    let [lines, spoken] = LeakDetector::lines().map(|line| ledger.grant(line).unwrap());
    let ledger = ledger.seal().unwrap();
    let sampler = Sampler::new(history, ledger.handle(), [tasks], exporter);
    let detector = LeakDetector::new(LeakConfig::default(), lines, spoken);
    (Watched { sampler, detector, ledger, slots, orders, stacks, now: START }, leak)
}

impl Watched {
    /// Takes a sample of the real process at a made-up time.
    fn look(&mut self) -> Option<Culprit> {
        self.now = self.now + STEP;
        let sample = self.sampler.sample(self.now);
        self.stacks.set_len(sample.process.map_or(0, |process| process.resident_bytes as usize));
        let found = self.detector.look(&sample, &self.ledger.handle().templates());
        found.map(|leak| {
            eprintln!("  {:?}: {}", self.now.since(START), leak.alert.text);
            leak.culprit
        })
    }
}

#[test]
fn a_leak_is_named_within_ten_minutes() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let cases = [
        ("container:20000", Kind::Container, 20_000),
        ("allocator:50000", Kind::Allocator, 50_000),
        ("outside:50000", Kind::Outside, 50_000),
    ];
    for (text, kind, bytes_per_second) in cases {
        let (mut watched, grant) = watched();
        assert_eq!(Leaker::parse(text), Some((kind, bytes_per_second)));
        let mut leaker = Leaker::new(kind, bytes_per_second, grant);
        // Ten minutes in which nothing leaks: the detector warms up and has nothing to say.
        for _ in 0..120 {
            assert_eq!(watched.look(), None, "{kind:?}: nothing leaks yet");
        }
        let began = watched.now;
        let mut culprit = None;
        while culprit.is_none() && watched.now.since(began) <= Duration::from_secs(600) {
            leaker.drip(STEP);
            culprit = watched.look();
        }
        let expected = match kind {
            Kind::Container => Culprit::Container(plimsoll_bounded::Text::cut("test.leak")),
            Kind::Allocator => Culprit::Allocator,
            Kind::Outside => Culprit::Outside,
        };
        assert_eq!(culprit, Some(expected), "{kind:?}");
        eprintln!("{kind:?} at {bytes_per_second} B/s named after {} s", watched.now.since(began).as_secs());
    }
}

#[test]
fn trading_without_leaks_raises_no_alarm() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut turns = 0;
    for seed in 1..=50 {
        let mut world = world::World::new(seed);
        world.lend();
        world.connect();
        let (mut watched, _leak) = watched();
        // Fourteen minutes with delays, losses, cuts and crashes: five of warm-up, and the whole horizon after it.
        for _ in 0..168 {
            world.run_for(seed, STEP);
            let view = world.engine.position().view(world.now);
            watched.slots.set_len(view.slots.iter().count());
            watched.orders.set_len(view.orders.len());
            assert_eq!(watched.look(), None, "seed {seed}");
            turns += 1;
        }
    }
    eprintln!("50 seeds, {turns} looks, no alarm");
}
