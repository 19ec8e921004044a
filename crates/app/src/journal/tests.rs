//! What is recorded replays; what was changed is found; nothing makes the reader panic.

use super::record::{Journal, JournalParts};
use super::replay::{lines, replay_all};
use super::writer::{Buffer, Chunk, Writer, WriterSeat, buffer};
use plimsoll_bounded::{Class, Grant, Line, Receiver, WhenFull, channel};
use plimsoll_engine::{Boot, Engine, EngineConfig};
use plimsoll_gateway::Clock;
use plimsoll_journal::{
    Answer, End, Ending, Entry, EntryRef, FRAME_HEAD, Head, MAGIC, PAYLOAD_MAX, Report, SegmentReader, Settings, Step, replay, seal,
};
use plimsoll_market::*;
use plimsoll_monitor::{Exporter, ExporterGrants};
use plimsoll_position::PositionConfig;
use plimsoll_safety::{GateConfig, GuardConfig};
use plimsoll_strategy::{Grid, GridConfig, StrategyConfig};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const QUOTE: i128 = 200 * 100_000_000;

fn config() -> EngineConfig {
    EngineConfig {
        position: PositionConfig {
            tag: Tag(7),
            run: 100,
            series: 0,
            placed_before: 0,
            recv_window_ms: 5_000,
            compare_every: PositionConfig::COMPARE_EVERY,
            accept_position: true,
        },
        gate: GateConfig { stale_after: Duration::from_secs(10), exposure_max: 1_000_000 * 100_000_000, guard: GuardConfig::OFF },
        interval: Price::from_units(10_000).into(),
        countdown: None,
    }
}

fn grid(order_quote: i128) -> GridConfig {
    GridConfig { interval: Price::from_units(10_000), order_quote, buy_window: 5, sell_window: 5 }
}

fn engine(order_quote: i128) -> Engine {
    let strategy = Box::new(Grid::new(grid(order_quote), 0));
    Engine::new(Instrument::example_btcusdt(), config(), strategy, &Boot::default()).unwrap()
}

/// An engine, its journal, the writer, and an exchange that answers to the engine.
struct Rig {
    folder: tempfile::TempDir,
    engine: Engine,
    journal: Journal,
    writer: Writer,
    chunks: Receiver<Chunk>,
    now: Time,
    actions: Actions,
    waiting: Vec<Event>,
    resting: BTreeMap<u64, (ClientId, Place)>,
    next: u64,
    random: u64,
    mid: i64,
    held: i64,
    events: u64,
}

impl Rig {
    fn new(segment_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let line = |name, capacity| Line::of::<Chunk>(name, capacity, WhenFull::Refuse, Class::BestEffort);
        let (out, chunks) = channel(Grant::detached(line("test.chunks", 2)));
        let (spare_in, spare) = channel::<Buffer>(Grant::detached(line("test.spare", 2)));
        let failed = Arc::new(AtomicBool::new(false));
        let head = Head {
            program: "1".to_owned(),
            build: super::build(),
            account: Name::new("main").unwrap(),
            run: 100,
            segment: 0,
            follows: false,
            lost: 0,
            began: Time::ZERO,
            instrument: Instrument::example_btcusdt(),
            engine: Settings(config()),
            strategy: StrategyConfig::Grid(grid(QUOTE)),
        };
        let journal = Journal::new(JournalParts { head, index: 0, out, spare, failed: Arc::clone(&failed), segment_bytes }, &spare_in);
        let seat = WriterSeat::new(Symbol::new("BTCUSDT").unwrap(), spare_in, failed);
        let metrics = Exporter::new(ExporterGrants::detached()).journal();
        let writer = Writer::new(folder.path().join("journal"), vec![Some(seat)], 1 << 30, segment_bytes, metrics, Clock::start());
        Self {
            folder,
            engine: engine(QUOTE),
            journal,
            writer,
            chunks,
            now: Time::from_millis(1_700_000_000_000),
            actions: Actions::new(),
            waiting: Vec::new(),
            resting: BTreeMap::new(),
            next: 1,
            random: 9,
            mid: 6_000_000,
            held: 0,
            events: 0,
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let listed = std::fs::read_dir(self.folder.path().join("journal")).unwrap();
        let mut files: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn write(&mut self) {
        while let Ok(chunk) = self.chunks.try_recv() {
            self.writer.take(chunk);
        }
    }

    fn begin(&mut self) {
        self.journal.begin(self.now, &self.engine);
        self.boot();
    }

    /// What the exchange tells at first.
    fn boot(&mut self) {
        for event in [
            Event::Link(Link { feed: Feed::Account, up: true }),
            Event::Fills(Box::new(FillPage { fills: Vec::new(), baseline: Some(TradeId(5)), last: true, asked_at: self.now })),
            self.top(),
            self.snapshot(),
            self.lease(),
        ] {
            self.feed(&event);
        }
    }

    fn lease(&self) -> Event {
        Event::Lease(Lease {
            exposure_max: 100_000 * 100_000_000,
            orders_per_10s: 100,
            until: self.now + Duration::from_secs(60),
            demand: None,
        })
    }

    fn top(&self) -> Event {
        let price = |units| Price::from_units(units / 10 * 10);
        let qty = Qty::from_units(1_000 + self.random % 1_000);
        Event::Top(Top { bid: price(self.mid), bid_qty: qty, ask: price(self.mid + 10), ask_qty: qty, time: self.now })
    }

    fn report(&self, order: u64, id: ClientId, place: &Place, status: OrderStatus, fill: Option<Fill>) -> OrderReport {
        OrderReport {
            id: Some(id),
            order_id: OrderId(u128::from(order)),
            side: id.side(),
            price: place.price,
            qty: place.qty,
            filled: fill.map_or(Qty::ZERO, |fill| fill.qty),
            average: RefPrice::ZERO,
            status,
            kind: place.kind,
            tif: place.tif,
            reduce_only: place.reduce_only,
            fill,
            time: self.now,
            source: if fill.is_some() { Source::Stream } else { Source::Reply },
        }
    }

    fn snapshot(&self) -> Event {
        let position = PositionReport {
            side: PositionSide::Both,
            holding: Holding::from_units(self.held),
            entry: RefPrice::ZERO,
            liquidation: RefPrice::ZERO,
            leverage: 10,
        };
        let open = self.resting.iter().map(|(order, (id, place))| self.report(*order, *id, place, OrderStatus::New, None)).collect();
        Event::Snapshot(Box::new(Snapshot { asked_at: self.now, position, open }))
    }

    fn feed(&mut self, event: &Event) {
        self.events += 1;
        self.engine.on_event(self.now, event, &mut self.actions);
        self.journal.record(self.now, event, self.actions.as_slice(), &self.engine);
        for action in self.actions.drain().collect::<Vec<_>>() {
            match action {
                Action::Place(place) => {
                    let order = self.next;
                    self.next += 1;
                    self.resting.insert(order, (place.id, place));
                    let report = self.report(order, place.id, &place, OrderStatus::New, None);
                    self.waiting.push(Event::Order(Box::new(report)));
                }
                Action::Cancel(cancel) => {
                    let Some((&order, &(id, place))) = self.resting.iter().find(|(_, (id, _))| *id == cancel.id) else { continue };
                    self.resting.remove(&order);
                    let report = self.report(order, id, &place, OrderStatus::Canceled, None);
                    self.waiting.push(Event::Order(Box::new(report)));
                }
                Action::Commit(state) => self.waiting.push(Event::Committed { version: state.version }),
                Action::Resync { .. } => {
                    let page = FillPage { fills: Vec::new(), baseline: Some(TradeId(5)), last: true, asked_at: self.now };
                    self.waiting.push(Event::Fills(Box::new(page)));
                    let snapshot = self.snapshot();
                    self.waiting.push(snapshot);
                }
                Action::Query { .. } | Action::Record(_) | Action::Alert(_) | Action::Countdown { .. } | Action::History => {}
            }
        }
    }

    /// One step of the market, and what comes of it.
    fn step(&mut self) {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.now = self.now + Duration::from_micros(500 + self.random % 200_000);
        self.mid += (self.random >> 33) as i64 % 12_000 - 6_000;
        let crossed = |place: &Place, side| match side {
            Side::Buy => place.price.units() > self.mid,
            Side::Sell => place.price.units() < self.mid,
        };
        let filled: Vec<u64> = self.resting.iter().filter(|(_, (id, p))| crossed(p, id.side())).map(|(order, _)| *order).collect();
        for order in filled {
            let (id, place) = self.resting.remove(&order).unwrap();
            self.next += 1;
            self.held += place.qty.signed(id.side()).units();
            let money = |units| Amount::new(Asset::new("USDT").unwrap(), units);
            let fill = Fill {
                trade_id: TradeId(1_000 + self.next),
                order_id: OrderId(u128::from(order)),
                id: Some(id),
                side: id.side(),
                price: place.price,
                qty: place.qty,
                fee: money(4_000_000),
                realized: money(0),
                maker: true,
                time: self.now,
            };
            let report = self.report(order, id, &place, OrderStatus::Filled, Some(fill));
            self.waiting.push(Event::Order(Box::new(report)));
        }
        let top = self.top();
        self.feed(&top);
        if self.random.is_multiple_of(101) {
            let lease = self.lease();
            self.feed(&lease);
        }
        if self.engine.wake_at().is_some_and(|at| at <= self.now) {
            self.feed(&Event::Wake);
        }
        let mut left = 1_000;
        while !self.waiting.is_empty() && left > 0 {
            left -= 1;
            let event = self.waiting.remove(0);
            self.feed(&event);
        }
        self.journal.tick(self.now);
    }

    fn run(&mut self, steps: u32) {
        for _ in 0..steps {
            self.step();
            self.write();
        }
    }

    fn close(&mut self) {
        self.journal.close(self.now);
        self.write();
    }
}

/// Exit code and what was said.
fn replayed(files: &[PathBuf]) -> (u8, String) {
    let mut said = String::new();
    let code = replay_all(
        files,
        |_, _| {},
        |text| {
            said.push_str(text);
            said.push('\n');
        },
    );
    (code.unwrap(), said)
}

fn report(path: &Path) -> Report {
    replay(std::fs::File::open(path).unwrap(), |_, _| {}).map_err(|(damage, _)| damage).unwrap().unwrap()
}

#[track_caller]
fn check(files: &[PathBuf], expected: u8, needles: &[&str]) {
    let (code, said) = replayed(files);
    assert_eq!(code, expected, "{said}");
    for needle in needles {
        assert!(said.contains(needle), "{needle} is missing in\n{said}");
    }
}

#[test]
fn a_run_replays_to_identical_actions_over_several_segments() {
    let mut rig = Rig::new(100_000);
    rig.begin();
    rig.run(12_000);
    rig.close();
    let files = rig.files();
    assert!(files.len() >= 3, "{} segments", files.len());
    let reports: Vec<Report> = files.iter().map(|path| report(path)).collect();
    assert_eq!(reports.iter().map(|r| r.events).sum::<u64>(), rig.events);
    assert!(reports.iter().map(|r| r.actions).sum::<u64>() > 1_000, "the engine must have had something to do");
    // Each stands alone and goes on exactly where the one before ended.
    for pair in reports.windows(2) {
        assert_eq!((pair[0].ending, pair[1].head.follows), (Ending::Marked(End::Full), true));
        assert_eq!(pair[0].state, pair[1].began);
    }
    assert_eq!(reports.last().unwrap().ending, Ending::Marked(End::Stopped));
    assert_eq!(reports.last().unwrap().state, postcard::to_stdvec(&rig.engine).unwrap());
    check(&files, 0, &["ends because it was long enough", "ends because the symbol stopped", "identical"]);
    for path in &files {
        let bytes = std::fs::metadata(path).unwrap().len();
        assert!(bytes <= 100_000 + crate::limits::JOURNAL_EXCESS, "{bytes}");
    }
}

#[test]
fn an_engine_that_answers_otherwise_is_named_with_the_event() {
    let mut rig = Rig::new(1 << 20);
    // What is written down is an engine with other settings than the one that answers.
    rig.journal.begin(rig.now, &engine(QUOTE * 2));
    rig.boot();
    rig.run(50);
    rig.close();
    let files = rig.files();
    check(&files, 1, &["DIFFERENT from event 9 on", "state 1 is on disk", "recorded:", "buy 0.003 at", "answered now:", "buy 0.006 at"]);
}

#[test]
fn every_changed_bit_is_found() {
    let mut rig = Rig::new(1 << 20);
    rig.begin();
    rig.run(25);
    rig.close();
    let files = rig.files();
    let good = std::fs::read(&files[0]).unwrap();
    assert_eq!(replayed(&files).0, 0);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        let found = replay(bad.as_slice(), |_, _| {});
        assert!(found.is_err(), "bit {} of byte {at} of {}", at % 8, good.len());
    }
    // A whole frame that is left out, doubled or moved is found, too.
    let frames = frames(&good);
    let [first, second, third, ..] = frames.as_slice() else { panic!("{} frames", frames.len()) };
    for order in [[first, third, third], [first, second, second], [first, third, second], [second, first, third]] {
        let moved = order.into_iter().fold(MAGIC.to_vec(), |file, frame| [file, frame.clone()].concat());
        assert!(replay(moved.as_slice(), |_, _| {}).is_err());
    }
}

fn frames(file: &[u8]) -> Vec<Vec<u8>> {
    let (mut frames, mut at) = (Vec::new(), MAGIC.len());
    while at < file.len() {
        let end = at + FRAME_HEAD + u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        frames.push(file[at..end].to_vec());
        at = end;
    }
    frames
}

#[test]
fn a_torn_tail_is_told_and_is_no_error() {
    let mut rig = Rig::new(1 << 20);
    rig.begin();
    rig.run(40);
    rig.close();
    let path = rig.files().remove(0);
    let good = std::fs::read(&path).unwrap();
    for length in 0..good.len() {
        let report = replay(&good[..length], |_, _| {}).map_err(|(damage, _)| damage).unwrap();
        let Some(report) = report else { continue };
        assert!(report.difference.is_none() && !matches!(report.ending, Ending::Marked(_)), "{length} bytes: {:?}", report.ending);
    }
    std::fs::write(&path, &good[..good.len() - 1]).unwrap();
    check(std::slice::from_ref(&path), 0, &["its writer was killed", "torn and left out", "identical"]);
    let last = frames(&good).pop().unwrap().len();
    std::fs::write(&path, [&good[..good.len() - last], &[0; 5_000]].concat()).unwrap();
    check(std::slice::from_ref(&path), 0, &["torn"]);
    std::fs::write(&path, &good[..4]).unwrap();
    check(&[path], 0, &["nothing to replay"]);
}

#[test]
fn without_room_the_segment_ends_with_a_gap_and_the_next_stands_alone() {
    let mut rig = Rig::new(1 << 20);
    rig.begin();
    rig.run(100);
    // The disk takes nothing for a while.
    for _ in 0..3_000 {
        rig.step();
    }
    rig.run(2_000);
    rig.close();
    let files = rig.files();
    assert_eq!(files.len(), 2);
    let (first, second) = (report(&files[0]), report(&files[1]));
    let Ending::Marked(End::Gap(lost)) = first.ending else { panic!("{:?}", first.ending) };
    assert_eq!(first.events + lost + second.events, rig.events);
    assert_eq!((second.head.lost, second.head.follows), (lost, false));
    check(&files, 0, &["ends with a gap", "events or more were not recorded"]);
}

/// The buffers are with a disk that is behind: the segment still gets its end.
#[test]
fn a_stop_before_a_slow_disk_still_ends_the_segment() {
    let mut rig = Rig::new(1 << 20);
    rig.begin();
    rig.run(100);
    for _ in 0..20 {
        rig.step();
    }
    rig.now = rig.now + Duration::from_secs(2);
    rig.journal.tick(rig.now);
    rig.step();
    assert_eq!(rig.chunks.len(), 1, "the only other buffer waits for the disk");
    rig.close();
    let files = rig.files();
    assert_eq!(report(&files[0]).events, rig.events);
    check(&files, 0, &["ends because the symbol stopped", "identical"]);
}

#[test]
fn a_disk_that_fails_costs_what_it_failed_to_take_and_no_more() {
    let mut rig = Rig::new(1 << 20);
    // The folder's place is taken by a file.
    let folder = rig.folder.path().join("journal");
    std::fs::write(&folder, "in the way").unwrap();
    rig.begin();
    rig.run(500);
    std::fs::remove_file(&folder).unwrap();
    rig.run(500);
    rig.close();
    let files = rig.files();
    assert_eq!(files.len(), 1);
    let report = report(&files[0]);
    assert!(report.head.lost > 0 && report.events > 100, "{} lost, {} events", report.head.lost, report.events);
    check(&files, 0, &["before it"]);
}

#[cfg(target_os = "linux")]
#[test]
#[allow(clippy::print_stderr, reason = "says what it leaves out")]
fn a_disk_that_is_full_leaves_no_half_frames_and_no_empty_files() {
    use std::process::Command;
    let mut rig = Rig::new(1 << 20);
    let folder = rig.folder.path().join("journal");
    std::fs::create_dir(&folder).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"]).arg(&folder).output();
    if !mounted.is_ok_and(|done| done.status.success()) {
        eprintln!("left out: a full disk of the journal, because this user may not mount a small one (run as root on Linux)");
        return;
    }
    let filler = folder.join("filler");
    let fill = || drop(std::fs::write(&filler, vec![1; 1 << 20]));
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        rig.begin();
        rig.run(300);
        // The next chunk goes in half at most, and after it no segment can begin.
        fill();
        rig.run(20_000);
        let files = |rig: &Rig| rig.files().into_iter().filter(|path| !path.ends_with("filler")).collect::<Vec<_>>();
        let before = files(&rig);
        assert_eq!(before.len(), 1, "an attempt left something");
        let first = report(&before[0]);
        assert!(matches!(first.ending, Ending::Unmarked) && first.events > 0, "{:?}", first.ending);
        std::fs::remove_file(&filler).unwrap();
        rig.run(2_000);
        rig.close();
        let after = files(&rig);
        assert_eq!(after.len(), 2);
        let second = report(&after[1]);
        // What was on its way when the disk refused it is not counted one by one: so many are missing, or more.
        assert!(first.events + second.head.lost + second.events <= rig.events);
        assert!(
            second.head.lost > 0 && second.events > 1_000 && matches!(second.ending, Ending::Marked(End::Stopped)),
            "{:?}",
            second.ending
        );
        check(&after, 0, &["before it"]);
    }));
    Command::new("umount").arg("-l").arg(&folder).status().unwrap();
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn an_engine_that_fails_fails_again_and_one_built_anew_begins_a_segment() {
    let mut rig = Rig::new(1 << 20);
    rig.begin();
    rig.run(20);
    // A scale never changes: to the books that is a bug of ours.
    let mut other = Instrument::example_btcusdt();
    other.price_scale = 3;
    let event = Event::Instrument(Box::new(other));
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rig.engine.on_event(rig.now, &event, &mut rig.actions)));
    assert!(failed.is_err());
    rig.journal.fault(rig.now, &event);
    rig.journal.record(rig.now, &Event::Wake, &[], &rig.engine);
    rig.write();
    rig.engine = engine(QUOTE);
    rig.journal.begin(rig.now, &rig.engine);
    rig.engine.halt(rig.now, &mut rig.actions);
    let actions: Vec<Action> = rig.actions.drain().collect();
    rig.journal.halted(rig.now, &actions, &rig.engine);
    rig.engine = engine(QUOTE);
    rig.journal.begin(rig.now, &rig.engine);
    rig.write();
    rig.close();
    let files = rig.files();
    let endings: Vec<Ending> = files.iter().map(|path| report(path).ending).collect();
    assert_eq!(endings, [Ending::Marked(End::Fault), Ending::Marked(End::Rebuilt), Ending::Marked(End::Stopped)]);
    check(&files, 0, &["ends because the engine failed", "ends because the engine was built anew"]);
    // An engine that does not fail any more is another.
    let mut bytes = std::fs::read(&files[0]).unwrap();
    let fault = postcard::to_stdvec(&EntryRef::Fault { since: 0, event: &Event::Wake }).unwrap();
    bytes.truncate(MAGIC.len() + FRAME_HEAD + first_payload(&bytes));
    let mut frame = vec![0; FRAME_HEAD];
    frame.extend(&fault);
    let length = frame.len();
    seal(&mut frame, length, 1);
    bytes.extend(&frame);
    let report = replay(bytes.as_slice(), |_, _| {}).map_err(|(damage, _)| damage).unwrap().unwrap();
    assert!(matches!(report.difference.unwrap().got, Answer::Actions(_)));
}

fn first_payload(file: &[u8]) -> usize {
    u32::from_le_bytes(file[MAGIC.len()..MAGIC.len() + 4].try_into().unwrap()) as usize
}

#[test]
fn entries_are_read_as_they_are_written() {
    let btc = Instrument::example_btcusdt();
    let id = ClientId::new(Tag(1), 2, Leg::new(3, -4).unwrap(), Side::Sell, 5);
    for event in [Event::Wake, Event::NotFound { id }, Event::Instrument(Box::new(btc)), Event::Shutdown(StopMode::Flatten)] {
        let cases = [
            (EntryRef::Event { since: 1, actions: 2, event: &event }, Entry::Event { since: 1, actions: 2, event: event.clone() }),
            (EntryRef::Fault { since: 3, event: &event }, Entry::Fault { since: 3, event: event.clone() }),
            (EntryRef::Halted { since: u64::MAX, actions: 1 }, Entry::Halted { since: u64::MAX, actions: 1 }),
            (EntryRef::Action(&Action::Query { id }), Entry::Action(Action::Query { id })),
            (EntryRef::End(End::Gap(7)), Entry::End(End::Gap(7))),
        ];
        for (written, read) in cases {
            assert_eq!(postcard::from_bytes::<Entry>(&postcard::to_stdvec(&written).unwrap()), Ok(read));
        }
    }
}

#[test]
fn the_largest_events_fit_a_chunk() {
    let mut rig = Rig::new(1 << 20);
    let id = ClientId::new(Tag(u16::MAX), ClientId::RUN_MAX, Leg::new(63, -1).unwrap(), Side::Sell, ClientId::GENERATION_MAX);
    rig.now = Time::from_nanos(u64::MAX);
    let (price, qty) = (Price::from_units(i64::MAX), Qty::from_units(i64::MAX.unsigned_abs()));
    let place = Place { id, price, qty, kind: OrderType::Market, tif: TimeInForce::Gtx, reduce_only: true };
    let mut report = rig.report(u64::MAX, id, &place, OrderStatus::Rejected, None);
    (report.order_id, report.filled, report.average) = (OrderId(u128::MAX), qty, RefPrice::from_units(i64::MIN));
    let asset = Asset::new("ABCDEFGHIJKLMNOP").unwrap();
    let fill = Fill {
        trade_id: TradeId(u64::MAX),
        order_id: OrderId(u128::MAX),
        id: Some(id),
        side: Side::Sell,
        price,
        qty,
        fee: Amount::new(asset, i128::MIN),
        realized: Amount::new(asset, i128::MIN),
        maker: true,
        time: rig.now,
    };
    let Event::Snapshot(mut snapshot) = rig.snapshot() else { panic!() };
    snapshot.open = vec![report; plimsoll_market::limits::SNAPSHOT_ORDERS_MAX];
    let fills = vec![fill; plimsoll_market::limits::FILL_PAGE_MAX];
    let page = FillPage { fills, baseline: Some(TradeId(u64::MAX)), last: true, asked_at: rig.now };
    for event in [Event::Snapshot(snapshot), Event::Fills(Box::new(page))] {
        let bytes = postcard::to_stdvec(&EntryRef::Event { since: u64::MAX, actions: u16::MAX, event: &event }).unwrap().len();
        assert!(bytes <= PAYLOAD_MAX, "{bytes}");
    }
    // An engine with as much in it as a test can bring about is far below, so that the sum in limits.rs is believable.
    rig = Rig::new(1 << 20);
    rig.begin();
    rig.run(2_000);
    let bytes = postcard::to_stdvec(&rig.engine).unwrap().len();
    assert!(bytes < 8_000, "{bytes}");
}

/// What an event costs is printed: figures of a debug build prove nothing.
#[test]
fn what_is_recorded_as_fast_as_it_goes_is_all_there() {
    let mut rig = Rig::new(1 << 30);
    rig.begin();
    rig.run(50);
    let top = rig.top();
    let began = std::time::Instant::now();
    for _ in 0..100_000 {
        rig.journal.record(rig.now, &top, &[], &rig.engine);
        if !rig.chunks.is_empty() {
            rig.write();
        }
    }
    eprintln!("recording takes {} ns an event", began.elapsed().as_nanos() / 100_000);
    rig.close();
    assert_eq!(report(&rig.files()[0]).events, rig.events + 100_000);
}

/// Replaces bytes of the payloads and mends lengths and checksums: only the decoder and the engine stand against it.
fn mangle(file: &[u8], changes: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    let (mut at, mut number) = (MAGIC.len(), 0);
    while at < bytes.len() {
        let end = at + FRAME_HEAD + u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let payload = &mut bytes[at + FRAME_HEAD..end];
        for (place, byte) in changes {
            let length = payload.len();
            payload[place % length] = *byte;
        }
        seal(&mut bytes[at..end], end - at, number);
        (at, number) = (end, number + 1);
    }
    bytes
}

fn small() -> Vec<u8> {
    let mut rig = Rig::new(1 << 20);
    rig.begin();
    rig.run(30);
    rig.close();
    std::fs::read(&rig.files()[0]).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..600), magic: bool) {
        let file = if magic { [&MAGIC[..], &bytes].concat() } else { bytes };
        let _outcome = replay(file.as_slice(), |_, _| {}).is_ok();
    }

    #[test]
    fn any_payload_is_refused_or_read(changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6)) {
        use std::sync::OnceLock;
        static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
        let bytes = mangle(GOOD.get_or_init(small), &changes);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.journal");
        std::fs::write(&path, bytes).unwrap();
        let (code, said) = replayed_and_shown(&path);
        prop_assert!(code <= 2 && !said.is_empty());
    }

    #[test]
    fn any_entry_is_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _outcome = postcard::from_bytes::<Entry>(&bytes).is_ok();
        let _outcome = postcard::from_bytes::<Engine>(&bytes).is_ok();
    }
}

fn replayed_and_shown(path: &Path) -> (u8, String) {
    let said = std::cell::RefCell::new(String::new());
    let show = |head: &Head, step: &Step| said.borrow_mut().push_str(&lines(head, step));
    let code = replay_all(&[path.to_owned()], show, |text| said.borrow_mut().push_str(text));
    (code.unwrap(), said.into_inner())
}

#[test]
fn what_is_no_journal_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "dear diary").unwrap();
    check(&[path], 2, &["is no journal of this format"]);
    let whole = buffer();
    assert!(SegmentReader::open([&MAGIC[..], &whole].concat().as_slice()).unwrap().is_none(), "zeros are what a machine leaves that stops");
}
