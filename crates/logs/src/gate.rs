//! What is written now, what is held back, and what is left out. Told the time; has no clock.

use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use plimsoll_market::LogLevel;

use crate::limits::{CHATTER_BURST, CHATTER_PER_SECOND, LINES_BURST, LINES_PER_SECOND, REPEAT_WINDOW, REPEATS_FREE, REPEATS_MAX, TEXT_MAX};
use crate::record::Record;

/// So much in the long run, and so much at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    per_second: u64,
    most: u64,
    /// Millionths of a token.
    tokens: u64,
    at: Duration,
}

/// Millionths in one.
const ONE: u64 = 1_000_000;

impl Bucket {
    /// A full one.
    pub(crate) const fn new(per_second: u32, burst: u32) -> Self {
        let most = burst as u64 * ONE;
        Self { per_second: per_second as u64, most, tokens: most, at: Duration::ZERO }
    }

    /// Takes one, if there is one. Time that goes back brings nothing.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        let elapsed = u64::try_from(now.saturating_sub(self.at).as_micros()).unwrap_or(u64::MAX);
        self.at = self.at.max(now);
        self.tokens = self.tokens.saturating_add(elapsed.saturating_mul(self.per_second)).min(self.most);
        match self.tokens.checked_sub(ONE) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }
}

/// Lines to be written now, in their order: at most what one repeat ends and itself, or all repeats.
pub(crate) type Due = ArrayVec<Arc<Record>, { REPEATS_MAX + 1 }>;

/// A kind of lines that was seen lately.
struct Repeat {
    key: u64,
    until: Duration,
    written: u32,
    held: u32,
    last: Option<Arc<Record>>,
}

impl Repeat {
    /// What is to be said of the lines held back; a single one is said as it was.
    fn told(self) -> Option<Arc<Record>> {
        let last = self.last?;
        if self.held <= 1 {
            return Some(last);
        }
        let note = format!(" (repeated {} times)", self.held);
        let room = TEXT_MAX.saturating_sub(note.len());
        let text = format!("{}{note}", last.text.get(..last.text.floor_char_boundary(room)).unwrap_or_default());
        Some(Arc::new(Record { text: text.into(), ..Record::clone(&last) }))
    }
}

/// Decides what is written now.
///
/// # Bounds
/// [`REPEATS_MAX`] kinds of lines, each with its last one.
pub(crate) struct Gate {
    repeats: ArrayVec<Repeat, REPEATS_MAX>,
    lines: Bucket,
    chatter: Bucket,
    limited: u64,
    held: u64,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            repeats: ArrayVec::new(),
            lines: Bucket::new(LINES_PER_SECOND, LINES_BURST),
            chatter: Bucket::new(CHATTER_PER_SECOND, CHATTER_BURST),
            limited: 0,
            held: 0,
        }
    }

    /// Tells whether a line of this level may be made at all; one that may not is counted.
    pub(crate) fn may(&mut self, now: Duration, level: LogLevel) -> bool {
        let bucket = if level >= LogLevel::Info { &mut self.lines } else { &mut self.chatter };
        let may = bucket.take(now);
        self.limited += u64::from(!may);
        may
    }

    /// Takes a line of a kind and returns what is to be written now: itself, unless it is held back, and before it what the
    /// kind whose place it takes had held back.
    pub(crate) fn admit(&mut self, now: Duration, key: u64, record: Arc<Record>) -> Due {
        let mut due = Due::new();
        // Whoever asks for these wants to see each.
        if record.level < LogLevel::Info {
            due.push(record);
            return due;
        }
        if let Some(repeat) = self.repeats.iter_mut().find(|repeat| repeat.key == key && now < repeat.until) {
            if repeat.written < REPEATS_FREE {
                repeat.written += 1;
                due.push(record);
            } else {
                repeat.held = repeat.held.saturating_add(1);
                repeat.last = Some(record);
                self.held += 1;
            }
            return due;
        }
        // Its own time is over, or it is new and there may be no place.
        let over = self.repeats.iter().position(|repeat| repeat.key == key);
        let first = || self.repeats.iter().enumerate().min_by_key(|(_, repeat)| repeat.until).map(|(at, _)| at);
        let leaves = over.or_else(|| if self.repeats.is_full() { first() } else { None });
        if let Some(at) = leaves {
            due.extend(self.repeats.swap_remove(at).told());
        }
        // There is a place now.
        self.repeats.push(Repeat { key, until: now + REPEAT_WINDOW, written: 1, held: 0, last: None });
        due.push(record);
        due
    }

    /// Returns what was held back for long enough.
    pub(crate) fn over(&mut self, now: Duration) -> Due {
        self.leave(|repeat| repeat.until <= now)
    }

    /// Returns all that is held back.
    pub(crate) fn all(&mut self) -> Due {
        self.leave(|_| true)
    }

    fn leave(&mut self, leaves: impl Fn(&Repeat) -> bool) -> Due {
        let mut due = Due::new();
        let mut at = 0;
        while let Some(repeat) = self.repeats.get(at) {
            if leaves(repeat) {
                due.extend(self.repeats.swap_remove(at).told());
            } else {
                at += 1;
            }
        }
        due.sort_by_key(|record| record.time);
        due
    }

    /// Returns how many lines there were too many of since this was asked last.
    pub(crate) fn take_limited(&mut self) -> u64 {
        std::mem::take(&mut self.limited)
    }

    /// Returns how many lines were held back so far.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }
}

/// The kind of a line: who speaks, the words without those that have a digit, and whom it is about. Numbers and ids differ from
/// line to line; the name of a channel or an error makes it another thing.
pub(crate) fn kind(record: &Record) -> u64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    hash.add(record.target.as_bytes());
    hash.add(record.level.as_str().as_bytes());
    for part in record.text.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_') {
        let word = part.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_');
        let number = word.bytes().any(|byte| byte.is_ascii_digit());
        hash.add(if number { b"0" } else { word.as_bytes() });
        hash.add(part.get(word.len()..).unwrap_or_default().as_bytes());
    }
    hash.add(&[0]);
    // Names that have digits.
    hash.add(record.account.as_ref().map_or("", |name| name.as_str()).as_bytes());
    hash.add(&[0]);
    hash.add(record.symbol.as_ref().map_or("", |symbol| symbol.as_str()).as_bytes());
    hash.0
}

/// FNV-1a.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_market::{Symbol, Time};
    use proptest::prelude::*;

    fn record(second: u64, level: LogLevel, text: &str) -> Arc<Record> {
        let time = Time::from_millis(second * 1_000);
        Arc::new(Record { time, level, target: "t", text: text.into(), account: None, symbol: None })
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn texts(due: &Due) -> Vec<&str> {
        due.iter().map(|record| &*record.text).collect()
    }

    fn say(gate: &mut Gate, second: u64, text: &str) -> Vec<String> {
        let record = record(second, LogLevel::Warn, text);
        let key = kind(&record);
        texts(&gate.admit(at(second), key, record)).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn from_the_fourth_on_repeats_become_one_line_when_their_time_is_over() {
        let mut gate = Gate::new();
        for number in 0..3 {
            assert_eq!(say(&mut gate, 0, &format!("order {number} refused")), [format!("order {number} refused")]);
        }
        for number in 3..10 {
            assert!(say(&mut gate, 1, &format!("order {number} refused")).is_empty());
        }
        assert_eq!(say(&mut gate, 1, "another thing"), ["another thing"]);
        assert!(gate.over(at(4)).is_empty());
        assert_eq!(texts(&gate.over(at(5))), ["order 9 refused (repeated 7 times)"]);
        assert_eq!((gate.over(at(100)).len(), gate.held()), (0, 7));
        assert_eq!(say(&mut gate, 6, "order 11 refused"), ["order 11 refused"], "a new time begins");
    }

    #[test]
    fn the_next_line_ends_a_time_that_is_over_and_one_alone_is_told_as_it_was() {
        let mut gate = Gate::new();
        for _ in 0..4 {
            say(&mut gate, 0, "same");
        }
        assert_eq!(say(&mut gate, 5, "same"), ["same", "same"]);
        for _ in 0..5 {
            say(&mut gate, 5, "same");
        }
        assert_eq!(texts(&gate.all()), ["same (repeated 3 times)"]);
    }

    #[test]
    fn debug_and_trace_are_not_held_back() {
        let mut gate = Gate::new();
        for level in [LogLevel::Debug, LogLevel::Trace] {
            for _ in 0..10 {
                assert_eq!(gate.admit(at(0), 1, record(0, level, "x")).len(), 1);
            }
        }
    }

    #[test]
    fn one_kind_too_many_lets_the_oldest_go_and_tells_what_it_held() {
        let mut gate = Gate::new();
        for _ in 0..5 {
            gate.admit(at(0), 0, record(0, LogLevel::Info, "first"));
        }
        for kind in 1..REPEATS_MAX as u64 {
            assert_eq!(gate.admit(at(1), kind, record(1, LogLevel::Info, "x")).len(), 1);
        }
        let due = gate.admit(at(2), 1_000, record(2, LogLevel::Info, "last"));
        assert_eq!(texts(&due), ["first (repeated 2 times)", "last"]);
        assert_eq!(gate.repeats.len(), REPEATS_MAX);
    }

    #[test]
    fn kinds_differ_by_words_level_and_whom_they_are_about_but_not_by_numbers_and_ids() {
        let of = |text: &str| kind(&record(0, LogLevel::Warn, text));
        let key = of("order 17 of 3 refused id=0:B-5#12 hash=a7ff code=\"io\"");
        assert_eq!(key, of("order 9 of 12345 refused id=77:B-19#1 hash=0 code=\"io\""));
        assert_ne!(key, of("order 17 of 3 refused id=0:B-5#12 hash=a7ff code=\"dns\""));
        assert_ne!(key, of("order 17 of 3 taken id=0:B-5#12 hash=a7ff code=\"io\""));
        assert_ne!(of("a"), kind(&record(0, LogLevel::Error, "a")));
        let about = |name: &str| Record { symbol: Some(Symbol::new(name).unwrap()), ..Record::clone(&record(0, LogLevel::Warn, "a")) };
        assert_ne!(kind(&about("1000PEPEUSDT")), kind(&about("1INCHUSDT")));
    }

    #[test]
    fn beyond_the_burst_lines_come_at_their_rate() {
        let mut gate = Gate::new();
        let mut may = |millis, level| gate.may(Duration::from_millis(millis), level);
        for _ in 0..LINES_BURST {
            assert!(may(0, LogLevel::Error));
        }
        assert!(!may(0, LogLevel::Info));
        assert!(may(0, LogLevel::Trace), "chatter has its own");
        assert!(!may(4, LogLevel::Info) && may(5, LogLevel::Info) && !may(5, LogLevel::Info));
        assert!(!may(1, LogLevel::Info), "time that goes back brings nothing");
        assert_eq!((gate.take_limited(), gate.take_limited()), (4, 0));
    }

    #[test]
    fn a_note_fits_into_the_longest_line() {
        let mut gate = Gate::new();
        let long = "ä".repeat(TEXT_MAX / 2);
        for _ in 0..9 {
            say(&mut gate, 0, &long);
        }
        let due = gate.all();
        assert!(due[0].text.len() <= TEXT_MAX && due[0].text.ends_with("ä (repeated 6 times)"));
    }

    proptest! {
        /// Whatever is said, each line is written, or counted in what is written.
        #[test]
        fn no_line_is_lost(script in proptest::collection::vec((0..3_u64, 0..90_u64), 0..400)) {
            let mut gate = Gate::new();
            let (mut now, mut told) = (0, 0);
            let mut count = |due: &Due| {
                for record in due {
                    let times = record.text.split_once("(repeated ").and_then(|(_, rest)| rest.split(' ').next());
                    told += times.map_or(1, |times| times.parse::<u64>().unwrap());
                }
            };
            for (wait, kind) in &script {
                now += wait;
                count(&gate.admit(at(now), *kind, record(now, LogLevel::Info, "x")));
                if wait == &2 {
                    count(&gate.over(at(now)));
                }
            }
            count(&gate.all());
            prop_assert_eq!(told, script.len() as u64);
        }

        #[test]
        fn no_bucket_gives_more_than_it_has(steps in proptest::collection::vec(0..50_000_u64, 1..300)) {
            let mut bucket = Bucket::new(100, 10);
            let (mut now, mut given) = (0, 0_u64);
            for step in &steps {
                now += step;
                given += u64::from(bucket.take(Duration::from_micros(now)));
            }
            prop_assert!(given <= 10 + now * 100 / 1_000_000);
        }
    }
}
