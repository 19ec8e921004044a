//! What one channel still has to send, in which order and when. Time comes in as an argument.

use crate::config::{ChannelConfig, Rate, Retry};
use crate::error::{Class as Fate, SendError};
use crate::letter::{Kind, Letter, utc};
use crate::limits::REFUSED_PAUSE;
use crate::secret::Note;
use plimsoll_bounded::{Class, Grants, Line, NotPlanned, Ring, WhenFull};
use plimsoll_market::{Severity, Time};
use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::time::Duration;

/// The queues of a channel, its rate limit and its pauses.
///
/// # Bounds
/// The configured letters in each of two queues, and one in each that is to be tried again.
pub(crate) struct Delivery {
    critical: Ring<Letter>,
    lesser: Ring<Letter>,
    /// Letters that failed and are next, by lane.
    again: [Option<Letter>; 2],
    bucket: Bucket,
    retry: Retry,
    jitter: Pcg64Mcg,
    /// Failures since the last success.
    failures: u32,
    /// Whether the last failure would come again.
    refused: bool,
    not_before: Time,
    /// Whether `not_before` is the service's own word.
    told_to_wait: bool,
    lost: Option<Lost>,
    /// What the letter on its way tells of.
    telling: Option<Lost>,
    lost_told: u64,
    pub(crate) counts: Counts,
}

/// Letters that nobody was told of yet that they were lost.
#[derive(Clone, Copy)]
struct Lost {
    alerts: u64,
    critical: u64,
    first: Time,
    last: Time,
}

impl Lost {
    fn and(self, other: Self) -> Self {
        Self {
            alerts: self.alerts.saturating_add(other.alerts),
            critical: self.critical.saturating_add(other.critical),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// What a channel did.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) failed: u64,
    pub(crate) retried: u64,
    pub(crate) dropped: u64,
    pub(crate) folded: u64,
    pub(crate) last_error: Option<(Time, Note)>,
    pub(crate) last_ok: Option<Time>,
}

/// What to do now.
#[expect(clippy::large_enum_variant, reason = "lives for one turn; a box for each letter would be an allocation for nothing")]
#[derive(Debug, PartialEq)]
pub(crate) enum Turn {
    /// Send this and say how it went.
    Send(Letter),
    /// Nothing before this.
    Wait(Time),
    /// Nothing at all.
    Idle,
}

const CRITICAL: usize = 0;
const LESSER: usize = 1;

/// Digests of losses have an id from here on, apart from those of alerts.
const LOST_IDS: u64 = 1 << 63;

impl Delivery {
    fn names(name: &str) -> [String; 2] {
        [format!("notify.queue_critical/{name}"), format!("notify.queue/{name}")]
    }

    /// Calls `add` with both lines.
    pub(crate) fn lines<E>(config: &ChannelConfig, mut add: impl FnMut(Line<'_>) -> Result<(), E>) -> Result<(), E> {
        let [critical, lesser] = Self::names(&config.name);
        add(Line::of::<Letter>(&critical, config.queue_critical, WhenFull::DropOldest, Class::MustKeep))?;
        add(Line::of::<Letter>(&lesser, config.queue, WhenFull::DropOldest, Class::BestEffort))
    }

    pub(crate) fn new(config: &ChannelConfig, seed: u64, grants: &mut Grants) -> Result<Self, NotPlanned> {
        let [critical, lesser] = Self::names(&config.name);
        Ok(Self {
            critical: Ring::new(grants.take(&critical)?),
            lesser: Ring::new(grants.take(&lesser)?),
            again: [None, None],
            bucket: Bucket::new(config.rate),
            retry: config.retry,
            jitter: Pcg64Mcg::seed_from_u64(seed),
            failures: 0,
            refused: false,
            not_before: Time::ZERO,
            told_to_wait: false,
            lost: None,
            telling: None,
            lost_told: 0,
            counts: Counts::default(),
        })
    }

    /// Puts a letter into its lane. In a full lane one that is like it is counted up, or the oldest is lost.
    pub(crate) fn push(&mut self, letter: Letter) {
        let lane = if letter.is_critical() { &mut self.critical } else { &mut self.lesser };
        if lane.is_full()
            && let Some(like) = lane.iter_mut().rev().find(|waiting| waiting.is_like(&letter))
        {
            like.fold(&letter);
            self.counts.folded += 1;
            return;
        }
        if let Some(oldest) = lane.roll(letter) {
            self.lose(&oldest);
        }
    }

    /// Says what to do now. A letter that it hands out comes back by one of [`Delivery::sent`], [`Delivery::failed`] and
    /// [`Delivery::put_back`].
    pub(crate) fn turn(&mut self, now: Time) -> Turn {
        self.expire(now);
        let empty = self.queued() == 0;
        let lost = self.lost.is_some();
        if empty && !lost {
            return Turn::Idle;
        }
        let mut ready = self.not_before.max(self.bucket.ready_at());
        if empty && self.refused && !self.told_to_wait {
            // Only the loss itself is to be told, at a service that refuses us.
            ready = ready.max(self.counts.last_error.as_ref().map_or(Time::ZERO, |(at, _)| *at) + REFUSED_PAUSE);
        }
        if now < ready {
            return Turn::Wait(ready);
        }
        let mut letter = self.take_again(CRITICAL).or_else(|| self.critical.pop_front());
        if letter.is_none() && (self.failures == 0 || empty) {
            // The loss is told once something else got through, or when nothing else is left to try with.
            letter = self.lost_letter(now);
        }
        let letter = letter.or_else(|| self.take_again(LESSER)).or_else(|| self.lesser.pop_front());
        match letter {
            Some(letter) => {
                self.bucket.take(now);
                Turn::Send(letter)
            }
            None => Turn::Idle,
        }
    }

    /// The letter arrived.
    pub(crate) fn sent(&mut self, letter: &Letter, now: Time) {
        self.counts.sent += 1;
        self.counts.last_ok = Some(now);
        (self.failures, self.refused, self.not_before, self.told_to_wait) = (0, false, now, false);
        if letter.kind == Kind::Undelivered {
            self.telling = None;
        }
    }

    /// The letter did not arrive, as far as we know.
    pub(crate) fn failed(&mut self, mut letter: Letter, error: &SendError, now: Time) {
        self.failures = self.failures.saturating_add(1);
        self.counts.failed += 1;
        self.counts.last_error = Some((now, Note::plain(&error.to_string())));
        let pause = self.pause();
        let fate = error.class();
        self.refused = fate == Fate::Refused;
        self.told_to_wait = matches!(fate, Fate::Retry { after: Some(_) });
        self.not_before = now
            + match fate {
                Fate::Retry { after: Some(after) } => pause.max(after),
                Fate::Retry { after: None } | Fate::Refused => pause,
            };
        if letter.kind == Kind::Undelivered {
            return self.put_back(letter);
        }
        letter.attempts += 1;
        if self.refused || letter.attempts >= self.retry.attempts || self.is_too_old(&letter, now) {
            self.lose(&letter);
        } else {
            self.counts.retried += 1;
            self.put_back(letter);
        }
    }

    /// The letter was not tried after all, and is the next of its lane.
    pub(crate) fn put_back(&mut self, letter: Letter) {
        if letter.kind == Kind::Undelivered {
            // It is written anew from what is lost by then.
            if let Some(told) = self.telling.take() {
                self.lost = Some(self.lost.map_or(told, |lost| lost.and(told)));
            }
            return;
        }
        let lane = if letter.is_critical() { CRITICAL } else { LESSER };
        if let Some(place) = self.again.get_mut(lane) {
            debug_assert!(place.is_none(), "two letters of one lane on their way");
            *place = Some(letter);
        }
    }

    /// The end is near: what failed is tried once more now, unless the service told us to wait.
    pub(crate) fn hurry(&mut self, now: Time) {
        if !self.told_to_wait {
            self.not_before = now;
        }
    }

    /// The end: what is left is lost.
    pub(crate) fn abandon(&mut self) {
        while let Some(letter) = self.take_any() {
            self.counts.dropped += letter.count;
        }
    }

    /// Letters that wait.
    pub(crate) fn queued(&self) -> usize {
        self.critical.len() + self.lesser.len() + self.again.iter().flatten().count()
    }

    /// Whether a critical letter waits.
    pub(crate) fn has_critical(&self) -> bool {
        !self.critical.is_empty() || self.again.first().is_some_and(Option::is_some)
    }

    /// Whether the last attempt was a success, or there was none yet.
    pub(crate) fn is_up(&self) -> bool {
        self.failures == 0
    }

    /// How many attempts failed since the last success.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    fn take_again(&mut self, lane: usize) -> Option<Letter> {
        self.again.get_mut(lane)?.take()
    }

    fn take_any(&mut self) -> Option<Letter> {
        let again = self.again.iter_mut().find_map(Option::take);
        again.or_else(|| self.critical.pop_front()).or_else(|| self.lesser.pop_front())
    }

    /// First, twice, four times as long, up to the longest; and up to a quarter more by chance.
    fn pause(&mut self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(24);
        let pause = self.retry.first.saturating_mul(1 << doublings).min(self.retry.max);
        let part = self.jitter.next_u32() % 1024;
        pause + pause * part / 4096
    }

    fn is_too_old(&self, letter: &Letter, now: Time) -> bool {
        now.since(letter.queued) > self.retry.age_max
    }

    fn expire(&mut self, now: Time) {
        for lane in [CRITICAL, LESSER] {
            if let Some(old) = self.again.get_mut(lane).and_then(|place| place.take_if(|l| now.since(l.queued) > self.retry.age_max)) {
                self.lose(&old);
            }
            loop {
                let ring = if lane == CRITICAL { &mut self.critical } else { &mut self.lesser };
                // They are in the order in which they came.
                if ring.first().is_none_or(|letter| now.since(letter.queued) <= self.retry.age_max) {
                    break;
                }
                let Some(old) = ring.pop_front() else { break };
                self.lose(&old);
            }
        }
    }

    fn lose(&mut self, letter: &Letter) {
        self.counts.dropped += letter.count;
        if letter.kind == Kind::Test {
            return;
        }
        let critical = if letter.is_critical() { letter.count } else { 0 };
        let this = Lost { alerts: letter.count, critical, first: letter.first, last: letter.last };
        self.lost = Some(self.lost.map_or(this, |lost| lost.and(this)));
    }

    fn lost_letter(&mut self, now: Time) -> Option<Letter> {
        let lost = self.lost.take()?;
        let Lost { alerts, critical, first, last } = lost;
        self.telling = Some(lost);
        self.lost_told += 1;
        let word = if alerts == 1 { "alert was" } else { "alerts were" };
        let text = format!("{alerts} {word} not delivered here ({critical} critical), from {} to {} UTC", utc(first), utc(last));
        let severity = if critical > 0 { Severity::Critical } else { Severity::Warning };
        let letter = Letter::of_channel(LOST_IDS | self.lost_told, Kind::Undelivered, severity, &text, now);
        Some(Letter { count: alerts, first, last, ..letter })
    }
}

/// A token bucket, kept as the time when it will be full again.
struct Bucket {
    interval: Duration,
    slack: Duration,
    full_at: Time,
}

impl Bucket {
    fn new(rate: Rate) -> Self {
        let interval = Duration::from_secs(60) / rate.per_minute.max(1);
        Self { interval, slack: interval * rate.burst.saturating_sub(1), full_at: Time::ZERO }
    }

    /// When there is a token.
    fn ready_at(&self) -> Time {
        Time::from_nanos(self.full_at.nanos().saturating_sub(u64::try_from(self.slack.as_nanos()).unwrap_or(u64::MAX)))
    }

    fn take(&mut self, now: Time) {
        self.full_at = self.full_at.max(now) + self.interval;
    }
}

#[cfg(test)]
mod tests;
