//! What goes wrong on purpose: which faults there are, how often they strike, and how often they have struck.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use plimsoll_market::{Round, format_units, parse_units};
use thiserror::Error;

use crate::limits::{
    FAULT_DELAY_MOST, FAULTS_IN_A_ROW_MAX, LISTEN_KEY_FAULT_EVERY, RATE_LIMIT_EVERY, RATE_LIMIT_FOR, STREAM_FAULTLESS_FOR,
};

/// Digits of a rate after the point.
const RATE_SCALE: u8 = 9;

/// A rate of one: it always strikes.
const ALWAYS: u32 = 1_000_000_000;

/// Something that goes wrong on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Answers, requests and streams come late.
    Delay,
    /// A TCP connection is cut.
    Reset,
    /// A stream stays open, answers pings and is silent.
    HalfOpen,
    /// An event of the owner's is sent twice.
    Duplicate,
    /// Two events of the owner's change places.
    Reorder,
    /// 503 although the change was made.
    BusyAccepted,
    /// No answer, or -1007, although the change was made.
    TimeoutAccepted,
    /// 503, and nothing was done.
    RejectBusy,
    /// 429 for a while.
    RateLimit,
    /// The listen key ends before its time.
    ListenKeyExpired,
    /// The time stamp is said to be wrong.
    Stamp,
    /// The request is read and thrown away.
    DropRequest,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Delay,
        Self::Reset,
        Self::HalfOpen,
        Self::Duplicate,
        Self::Reorder,
        Self::BusyAccepted,
        Self::TimeoutAccepted,
        Self::RejectBusy,
        Self::RateLimit,
        Self::ListenKeyExpired,
        Self::Stamp,
        Self::DropRequest,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Reset => "reset",
            Self::HalfOpen => "half_open",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::BusyAccepted => "busy_accepted",
            Self::TimeoutAccepted => "timeout_accepted",
            Self::RejectBusy => "reject_busy",
            Self::RateLimit => "rate_limit",
            Self::ListenKeyExpired => "listen_key_expired",
            Self::Stamp => "stamp",
            Self::DropRequest => "drop_request",
        }
    }

    /// What happens, and what its rate counts by.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Delay => {
                "by request: carried out or answered up to 0.5 s late; by second of a stream: nothing comes for up to 0.5 s, then all of it"
            }
            Self::Reset => "by request: carried out, then the connection is cut instead of answered; by second of a stream: it is cut",
            Self::HalfOpen => "by second of a stream: it stays open, answers pings and brings nothing any more; cut after 5 minutes",
            Self::Duplicate => "by event of the user data stream: it is sent twice",
            Self::Reorder => "by event of the user data stream: it comes after the next one, or 0.2 s late when there is none",
            Self::BusyAccepted => {
                "by change (POST, PUT, DELETE): carried out, but answered 503 \"Unknown error, please check your request\""
            }
            Self::TimeoutAccepted => "by change (POST, PUT, DELETE): carried out, but never answered, or answered -1007",
            Self::RejectBusy => "by request: answered 503 \"Service Unavailable.\", not carried out",
            Self::RateLimit => {
                "by request: this one and all within the next second are answered 429 with Retry-After 1; once in 5 s at most"
            }
            Self::ListenKeyExpired => {
                "by second of a user data stream: its listen key expires, it says so and closes; once in 10 s at most"
            }
            Self::Stamp => "by signed request: answered -1021, not carried out",
            Self::DropRequest => "by request: read, never carried out, the connection is cut",
        }
    }

    const fn at(self) -> usize {
        self as usize
    }
}

/// How often each fault strikes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FaultConfig {
    /// Equal seeds make equal faults of equal requests.
    pub seed: u64,
    /// Thousand-millionths, in the order of [`Fault::ALL`].
    rates: [u32; Fault::ALL.len()],
}

impl FaultConfig {
    /// Nothing goes wrong.
    pub const fn none() -> Self {
        Self { seed: 0, rates: [0; Fault::ALL.len()] }
    }

    /// Whether anything may go wrong.
    pub fn is_none(&self) -> bool {
        self.rates.iter().all(|rate| *rate == 0)
    }

    /// Takes over `NAME=RATE`.
    ///
    /// # Errors
    /// No such name, or no rate from 0 to 1; the error's text lists all names with their meaning.
    pub fn set(&mut self, text: &str) -> Result<(), FaultTextError> {
        let refuse = |why: FaultMistake| FaultTextError { text: text.to_owned(), why };
        let (name, rate) = text.split_once('=').ok_or_else(|| refuse(FaultMistake::Form))?;
        let fault = Fault::ALL.into_iter().find(|fault| fault.name() == name).ok_or_else(|| refuse(FaultMistake::Name))?;
        let rate = parse_units(rate, RATE_SCALE, Round::Exact).ok().and_then(|rate| u32::try_from(rate).ok());
        let rate = rate.filter(|rate| *rate <= ALWAYS).ok_or_else(|| refuse(FaultMistake::Rate))?;
        if let Some(place) = self.rates.get_mut(fault.at()) {
            *place = rate;
        }
        Ok(())
    }

    fn rate(&self, fault: Fault) -> u32 {
        self.rates.get(fault.at()).copied().unwrap_or(0)
    }
}

impl fmt::Display for FaultConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault seed {}:", self.seed)?;
        for fault in Fault::ALL.into_iter().filter(|fault| self.rate(*fault) > 0) {
            let rate = format_units(i128::from(self.rate(fault)), RATE_SCALE).to_string();
            write!(f, " {}={}", fault.name(), rate.trim_end_matches('0').trim_end_matches('.'))?;
        }
        Ok(())
    }
}

/// Why a text says no fault.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub struct FaultTextError {
    text: String,
    why: FaultMistake,
}

impl FaultTextError {
    /// The text that was refused and why, without the list.
    pub fn text(&self) -> String {
        let why = match self.why {
            FaultMistake::Form => "is not NAME=RATE",
            FaultMistake::Name => "names no fault",
            FaultMistake::Rate => "has no rate from 0 to 1 with at most nine digits",
        };
        format!("{:?} {why}", self.text)
    }
}

/// What is wrong with the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FaultMistake {
    Form,
    Name,
    Rate,
}

impl fmt::Display for FaultTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; RATE is a probability from 0 to 1, NAME one of", self.text())?;
        for fault in Fault::ALL {
            write!(f, "\n  {:<18} {}", fault.name(), fault.meaning())?;
        }
        Ok(())
    }
}

/// What is known of a request before it is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Asked {
    /// It changes something: POST, PUT or DELETE.
    pub(crate) changes: bool,
    /// It carries a signature.
    pub(crate) signed: bool,
}

/// What happens to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Strike {
    /// It is carried out so late.
    LateRequest(Duration),
    /// It is answered so late.
    LateAnswer(Duration),
    /// It is carried out, then the connection is cut.
    Reset,
    /// It is carried out and answered 503, with the exchange's code or without one.
    BusyAccepted { coded: bool },
    /// It is carried out, and then it is said that this is not known, or nothing at all.
    TimeoutAccepted { told: bool },
    /// It is answered 503.
    RejectBusy,
    /// It is answered 429.
    RateLimit,
    /// It is answered -1021.
    Stamp,
    /// It is thrown away and the connection is cut.
    DropRequest,
}

/// What happens to a stream connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StreamStrike {
    /// Nothing comes for so long.
    Stall(Duration),
    /// It is cut.
    Reset,
    /// Nothing comes any more.
    HalfOpen,
}

/// What happens to an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Twist {
    /// It is sent twice.
    Twice,
    /// It is sent after the next one.
    Later,
}

/// Decides what goes wrong: a pure function of the seed and of what it is asked in which order.
///
/// Each fault has dice of its own, so that one more of them leaves the others' throws as they were.
///
/// # Bounds
/// A world always makes progress: at most [`FAULTS_IN_A_ROW_MAX`] requests in a row are kept from succeeding, one second
/// of five may be limited, streams have [`STREAM_FAULTLESS_FOR`] without faults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Faults {
    config: FaultConfig,
    dice: [u64; Fault::ALL.len()],
    counts: [u64; Fault::ALL.len()],
    in_a_row: u32,
    limited_from: Option<Duration>,
    expired_at: Option<Duration>,
}

impl Faults {
    pub(crate) fn new(config: FaultConfig) -> Self {
        let mut dice = [0; Fault::ALL.len()];
        for (die, number) in dice.iter_mut().zip(1_u64..) {
            *die = mix(config.seed ^ mix(number));
        }
        Self { config, dice, counts: [0; Fault::ALL.len()], in_a_row: 0, limited_from: None, expired_at: None }
    }

    /// The next throw of a fault's dice.
    fn throw(&mut self, fault: Fault) -> u64 {
        let Some(die) = self.dice.get_mut(fault.at()) else { unreachable!("every fault has dice") };
        *die = die.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(*die)
    }

    /// Whether a fault strikes; does not count it yet.
    fn strikes(&mut self, fault: Fault) -> bool {
        let rate = u64::from(self.config.rate(fault));
        rate > 0 && ((self.throw(fault) >> 32) * u64::from(ALWAYS)) >> 32 < rate
    }

    fn count(&mut self, fault: Fault) {
        if let Some(count) = self.counts.get_mut(fault.at()) {
            *count += 1;
        }
    }

    /// A time from nothing to the longest delay.
    fn delay(&mut self) -> Duration {
        let most = u64::try_from(FAULT_DELAY_MOST.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.throw(Fault::Delay) % (most + 1))
    }

    /// Says what happens to a request; `now` is the time since the exchange opened.
    pub(crate) fn request(&mut self, now: Duration, asked: Asked) -> Option<Strike> {
        let since_limit = self.limited_from.map(|from| now.saturating_sub(from));
        if since_limit.is_some_and(|since| since < RATE_LIMIT_FOR) {
            self.count(Fault::RateLimit);
            return Some(Strike::RateLimit);
        }
        // All are thrown, so that a fault's throws do not depend on what the others' were; the first that strikes counts.
        let mut found = None;
        for fault in [
            Fault::RateLimit,
            Fault::RejectBusy,
            Fault::Stamp,
            Fault::DropRequest,
            Fault::Reset,
            Fault::TimeoutAccepted,
            Fault::BusyAccepted,
            Fault::Delay,
        ] {
            let possible = match fault {
                Fault::Stamp => asked.signed,
                Fault::TimeoutAccepted | Fault::BusyAccepted => asked.changes,
                _ => true,
            };
            if possible && self.strikes(fault) && found.is_none() {
                found = Some(fault);
            }
        }
        if found == Some(Fault::RateLimit) && since_limit.is_some_and(|since| since < RATE_LIMIT_EVERY) {
            found = None;
        }
        let harmless = matches!(found, None | Some(Fault::Delay));
        if !harmless && self.in_a_row >= FAULTS_IN_A_ROW_MAX {
            found = None;
        }
        self.in_a_row = if harmless || found.is_none() { 0 } else { self.in_a_row + 1 };
        let fault = found?;
        self.count(fault);
        let coin = self.throw(fault).is_multiple_of(2);
        Some(match fault {
            Fault::Delay if coin => Strike::LateRequest(self.delay()),
            Fault::Delay => Strike::LateAnswer(self.delay()),
            Fault::Reset => Strike::Reset,
            Fault::BusyAccepted => Strike::BusyAccepted { coded: coin },
            Fault::TimeoutAccepted => Strike::TimeoutAccepted { told: coin },
            Fault::RejectBusy => Strike::RejectBusy,
            Fault::Stamp => Strike::Stamp,
            Fault::DropRequest => Strike::DropRequest,
            Fault::RateLimit => {
                self.limited_from = Some(now);
                Strike::RateLimit
            }
            Fault::HalfOpen | Fault::Duplicate | Fault::Reorder | Fault::ListenKeyExpired => unreachable!("not of requests"),
        })
    }

    /// Says what happens to a stream connection in this second of its life.
    pub(crate) fn second(&mut self, age: Duration) -> Option<StreamStrike> {
        let [half_open, reset, delay] = [Fault::HalfOpen, Fault::Reset, Fault::Delay].map(|fault| self.strikes(fault));
        let fault = match (half_open, reset, delay) {
            (true, ..) => Fault::HalfOpen,
            (_, true, _) => Fault::Reset,
            (.., true) => Fault::Delay,
            _ => return None,
        };
        if age < STREAM_FAULTLESS_FOR {
            return None;
        }
        self.count(fault);
        Some(match fault {
            Fault::HalfOpen => StreamStrike::HalfOpen,
            Fault::Reset => StreamStrike::Reset,
            _ => StreamStrike::Stall(self.delay()),
        })
    }

    /// Says what happens to an event of the user data stream.
    pub(crate) fn event(&mut self) -> Option<Twist> {
        let (twice, later) = (self.strikes(Fault::Duplicate), self.strikes(Fault::Reorder));
        let (fault, twist) = match (twice, later) {
            (true, _) => (Fault::Duplicate, Twist::Twice),
            (_, true) => (Fault::Reorder, Twist::Later),
            _ => return None,
        };
        self.count(fault);
        Some(twist)
    }

    /// Says whether the listen key of a stream that is open expires in this second.
    pub(crate) fn listen_key(&mut self, now: Duration) -> bool {
        let rests = self.expired_at.is_some_and(|at| now.saturating_sub(at) < LISTEN_KEY_FAULT_EVERY);
        if !self.strikes(Fault::ListenKeyExpired) || rests {
            return false;
        }
        self.expired_at = Some(now);
        self.count(Fault::ListenKeyExpired);
        true
    }

    /// How often each fault has struck.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Fault, u64)> {
        Fault::ALL.into_iter().zip(self.counts)
    }
}

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014), the output function.
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The faults as sockets and engine share them. Without faults nothing is locked.
#[derive(Clone, Debug)]
pub(crate) struct SharedFaults {
    faults: Option<Arc<Mutex<Faults>>>,
    from: Instant,
}

impl SharedFaults {
    pub(crate) fn new(config: FaultConfig) -> Self {
        let faults = (!config.is_none()).then(|| Arc::new(Mutex::new(Faults::new(config))));
        Self { faults, from: Instant::now() }
    }

    /// Whether anything may go wrong.
    pub(crate) fn any(&self) -> bool {
        self.faults.is_some()
    }

    fn ask<T>(&self, ask: impl FnOnce(&mut Faults, Duration) -> Option<T>) -> Option<T> {
        let faults = self.faults.as_ref()?;
        // Every critical section leaves it whole at each step.
        let mut faults = faults.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&mut faults, self.from.elapsed())
    }

    pub(crate) fn request(&self, asked: Asked) -> Option<Strike> {
        self.ask(|faults, now| faults.request(now, asked))
    }

    pub(crate) fn second(&self, age: Duration) -> Option<StreamStrike> {
        self.ask(|faults, _| faults.second(age))
    }

    pub(crate) fn event(&self) -> Option<Twist> {
        self.ask(|faults, _| faults.event())
    }

    pub(crate) fn listen_key(&self) -> bool {
        self.ask(|faults, now| faults.listen_key(now).then_some(())).is_some()
    }

    /// How often each fault has struck.
    pub(crate) fn counts(&self) -> [(Fault, u64); Fault::ALL.len()] {
        let mut counts = Fault::ALL.map(|fault| (fault, 0));
        self.ask(|faults, _| {
            for (place, count) in counts.iter_mut().zip(faults.counts()) {
                *place = count;
            }
            Some(())
        });
        counts
    }

    /// The counts as a document.
    pub(crate) fn document(&self) -> String {
        let fields: Vec<String> = self.counts().iter().map(|(fault, count)| format!("\"{}\":{count}", fault.name())).collect();
        format!("{{{}}}", fields.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGE: Asked = Asked { changes: true, signed: true };
    const READ: Asked = Asked { changes: false, signed: false };

    fn faults(texts: &[&str]) -> Faults {
        let mut config = FaultConfig { seed: 42, ..FaultConfig::none() };
        texts.iter().for_each(|text| config.set(text).unwrap());
        Faults::new(config)
    }

    fn count(faults: &Faults, fault: Fault) -> u64 {
        faults.counts().find(|(known, _)| *known == fault).unwrap().1
    }

    /// So many requests, a minute apart.
    fn requests(faults: &mut Faults, asked: Asked, many: u32) -> Vec<Option<Strike>> {
        (1..=many).map(|at| faults.request(Duration::from_secs(60) * at, asked)).collect()
    }

    #[test]
    fn texts_are_read_and_mistakes_are_answered_with_the_whole_list() {
        let mut config = FaultConfig { seed: 9, ..FaultConfig::none() };
        assert!(config.is_none());
        for text in ["delay=0.02", "reset=1", "stamp=0", "half_open=0.000000001"] {
            config.set(text).unwrap();
        }
        assert_eq!(config.to_string(), "fault seed 9: delay=0.02 reset=1 half_open=0.000000001");
        for text in ["delay", "delay=", "delay=1.1", "delay=-0.1", "delay=x", "delay=0.0000000001", "late=0.1", "=0.1", ""] {
            let said = config.set(text).unwrap_err().to_string();
            for fault in Fault::ALL {
                assert!(said.contains(fault.name()) && said.contains(fault.meaning()), "{said}");
            }
            assert!(said.contains("from 0 to 1"), "{said}");
        }
        assert!(config.set("late=0.1").unwrap_err().to_string().contains("\"late=0.1\" names no fault"));
    }

    #[test]
    fn equal_seeds_make_equal_faults_and_other_seeds_others() {
        let all: Vec<String> = Fault::ALL.iter().map(|fault| format!("{}=0.1", fault.name())).collect();
        let run = |seed| {
            let mut config = FaultConfig { seed, ..FaultConfig::none() };
            all.iter().for_each(|text| config.set(text).unwrap());
            let mut faults = Faults::new(config);
            let struck = requests(&mut faults, CHANGE, 1_000);
            let events: Vec<_> = (0..1_000).map(|_| faults.event()).collect();
            let seconds: Vec<_> = (0..1_000).map(|age| faults.second(Duration::from_secs(age))).collect();
            (struck, events, seconds, faults.counts().collect::<Vec<_>>())
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn each_fault_strikes_at_its_rate_and_only_where_it_can() {
        for fault in Fault::ALL {
            let mut faults = faults(&[&format!("{}=0.05", fault.name())]);
            requests(&mut faults, CHANGE, 20_000);
            for at in 0..20_000 {
                faults.event();
                faults.second(STREAM_FAULTLESS_FOR);
                faults.listen_key(LISTEN_KEY_FAULT_EVERY * at);
            }
            let expected = match fault {
                Fault::Delay | Fault::Reset => 1_900..=2_100,
                _ => 900..=1_100,
            };
            assert!(expected.contains(&count(&faults, fault)), "{}: {}", fault.name(), count(&faults, fault));
            assert_eq!(faults.counts().map(|(_, count)| count).sum::<u64>(), count(&faults, fault));
        }
        let mut faults = faults(&["stamp=1", "busy_accepted=1", "timeout_accepted=1"]);
        assert!(requests(&mut faults, READ, 100).iter().all(Option::is_none));
    }

    #[test]
    fn one_fault_more_leaves_the_others_throws_as_they_were() {
        let duplicates = |texts: &[&str]| {
            let mut faults = faults(texts);
            (0..1_000).map(|_| faults.event() == Some(Twist::Twice)).collect::<Vec<_>>()
        };
        assert_eq!(duplicates(&["duplicate=0.1"]), duplicates(&["duplicate=0.1", "reorder=0.5", "reset=0.5"]));
    }

    #[test]
    fn of_four_requests_one_gets_through_whatever_the_rates() {
        for fault in ["drop_request=1", "reset=1", "reject_busy=1", "stamp=1", "timeout_accepted=1", "busy_accepted=1"] {
            let mut faults = faults(&[fault]);
            let struck: Vec<bool> = requests(&mut faults, CHANGE, 8).iter().map(Option::is_some).collect();
            assert_eq!(struck, [true, true, true, false, true, true, true, false], "{fault}");
        }
        // Being late keeps nothing from succeeding.
        let mut faults = faults(&["delay=1"]);
        assert!(requests(&mut faults, READ, 100).iter().all(Option::is_some));
    }

    #[test]
    fn a_limit_lasts_a_second_and_leaves_four() {
        let mut faults = faults(&["rate_limit=1"]);
        let limited: Vec<u64> =
            (0..100).map(|tenth| 100 * tenth).filter(|at| faults.request(Duration::from_millis(*at), READ).is_some()).collect();
        let expected: Vec<u64> = (0..100).map(|tenth| 100 * tenth).filter(|at| at % 5_000 < 1_000).collect();
        assert_eq!(limited, expected);
        assert_eq!(count(&faults, Fault::RateLimit), 20);
    }

    #[test]
    fn streams_and_listen_keys_have_time_without_faults() {
        let mut faults = faults(&["reset=1", "listen_key_expired=1"]);
        assert_eq!(faults.second(STREAM_FAULTLESS_FOR - Duration::from_millis(1)), None);
        assert_eq!(faults.second(STREAM_FAULTLESS_FOR), Some(StreamStrike::Reset));
        let expired: Vec<u64> = (100..130).filter(|second| faults.listen_key(Duration::from_secs(*second))).collect();
        assert_eq!(expired, [100, 110, 120]);
        assert_eq!((count(&faults, Fault::Reset), count(&faults, Fault::ListenKeyExpired)), (1, 3));
    }

    #[test]
    fn delays_stay_within_their_most() {
        let mut faults = faults(&["delay=1"]);
        let mut kinds = [0_u32; 2];
        for strike in requests(&mut faults, READ, 1_000) {
            let (kind, delay) = match strike {
                Some(Strike::LateRequest(delay)) => (0, delay),
                Some(Strike::LateAnswer(delay)) => (1, delay),
                other => panic!("{other:?}"),
            };
            assert!(delay <= FAULT_DELAY_MOST);
            kinds[kind] += 1;
        }
        assert!(kinds.iter().all(|kind| *kind > 400), "{kinds:?}");
    }
}
