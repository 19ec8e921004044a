//! Which alerts are told to whom, and when what was kept silent is told. Time comes in as an argument.

use crate::config::{Config, Rule};
use crate::letter::{Batch, Key, Kind, Letter};
use crate::limits::{RULE_BYTES, WINDOWS_MAX};
use plimsoll_bounded::{Class, Grant, Grants, Line, Map, NotPlanned, WhenFull};
use plimsoll_market::{AlertCode, Severity, Time};
use std::time::Duration;

/// A bit for each channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Mask(u16);

impl Mask {
    fn with(self, channel: usize) -> Self {
        Self(self.0 | 1_u16.checked_shl(u32::try_from(channel).unwrap_or(u32::MAX)).unwrap_or(0))
    }

    fn channels(self) -> impl Iterator<Item = usize> {
        (0..u16::BITS as usize).filter(move |&channel| self.0 & (1 << channel) != 0)
    }
}

/// Takes what the pipeline decides.
pub(crate) trait Sink {
    /// A message for a channel.
    fn letter(&mut self, channel: usize, letter: Letter);
    /// So many alerts that a channel would have been told are kept for its digest.
    fn suppressed(&mut self, channel: usize, count: u64);
}

/// Rules, cool-downs and digests.
///
/// # Bounds
/// [`WINDOWS_MAX`] keys that are cooling down; beyond it the oldest is closed early.
pub(crate) struct Pipeline {
    rules: Box<[Fitted]>,
    /// For critical alerts that no rule fits.
    all: Mask,
    cooldown_critical: Duration,
    windows: Map<Key, Window>,
    /// Not later than the first window closes.
    next: Option<Time>,
    last_id: u64,
    /// Alerts that no rule fits.
    pub(crate) unmatched: u64,
    /// Alerts that a rule without channels keeps silent.
    pub(crate) silenced: u64,
    /// Kept while the rules are.
    _rules_grant: Grant,
}

/// A rule with its names looked up.
struct Fitted {
    /// A bit for each code.
    codes: u64,
    severity_min: Severity,
    accounts: Box<[Box<str>]>,
    symbols: Box<[Box<str>]>,
    told: Mask,
    cooldown: Duration,
    cooldown_critical: Duration,
}

const _: () = assert!(AlertCode::ALL.len() <= u64::BITS as usize);
const _: () = assert!(size_of::<Fitted>() <= RULE_BYTES);

/// A key that is cooling down.
#[derive(Clone, Copy)]
struct Window {
    until: Time,
    cooldown: Duration,
    told: Mask,
    /// What was kept silent.
    kept: Option<Batch>,
}

impl Fitted {
    fn of(rule: &Rule, config: &Config) -> Self {
        let codes = rule.codes.iter().fold(0, |codes, code| codes | (1_u64 << (*code as u32)));
        let names = |names: &[String]| names.iter().map(|name| name.as_str().into()).collect();
        let place = |name: &String| config.channels.iter().position(|channel| channel.name == *name);
        Self {
            codes: if codes == 0 { u64::MAX } else { codes },
            severity_min: rule.severity_min,
            accounts: names(&rule.accounts),
            symbols: names(&rule.symbols),
            told: rule.channels.iter().filter_map(place).fold(Mask::default(), Mask::with),
            cooldown: rule.cooldown.unwrap_or(config.cooldown),
            cooldown_critical: rule.cooldown_critical.unwrap_or(config.cooldown_critical),
        }
    }

    fn fits(&self, key: &Key) -> bool {
        let named = |names: &[Box<str>], name: Option<&str>| names.is_empty() || names.iter().any(|n| name == Some(&**n));
        self.codes & (1 << (key.code as u32)) != 0
            && key.severity >= self.severity_min
            && named(&self.accounts, key.origin.account_name())
            && named(&self.symbols, key.origin.symbol_name())
    }
}

/// What holds without rules: warnings and worse to all, the rest to the log.
fn usual(config: &Config) -> [Rule; 2] {
    let names = |log_only: bool| {
        let channels = config.channels.iter().filter(|channel| !log_only || channel.kind.as_str() == "log");
        channels.map(|channel| channel.name.as_str()).collect::<Vec<_>>()
    };
    [Rule::from(Severity::Warning, &names(false)), Rule::from(Severity::Info, &names(true))]
}

impl Pipeline {
    pub(crate) const WINDOWS: &str = "notify.windows";
    pub(crate) const RULES: &str = "notify.rules";

    pub(crate) fn lines(config: &Config) -> [Line<'static>; 2] {
        let rules = config.rules.len().max(usual(config).len());
        [
            Map::<Key, Window>::line(Self::WINDOWS, WINDOWS_MAX, WhenFull::Refuse, Class::BestEffort),
            Line { name: Self::RULES, capacity: rules, item_bytes: RULE_BYTES, policy: WhenFull::Refuse, class: Class::MustKeep },
        ]
    }

    pub(crate) fn new(config: &Config, grants: &mut Grants) -> Result<Self, NotPlanned> {
        let (windows, rules_grant) = (grants.take(Self::WINDOWS)?, grants.take(Self::RULES)?);
        let usual = usual(config);
        let rules = if config.rules.is_empty() { &usual[..] } else { &config.rules };
        let rules: Box<[Fitted]> = rules.iter().map(|rule| Fitted::of(rule, config)).collect();
        rules_grant.gauge().set_len(rules.len());
        let all = (0..config.channels.len()).fold(Mask::default(), Mask::with);
        let windows = Map::new(windows);
        let cooldown_critical = config.cooldown_critical;
        Ok(Self { rules, all, cooldown_critical, windows, next: None, last_id: 0, unmatched: 0, silenced: 0, _rules_grant: rules_grant })
    }

    /// Takes alerts of one key.
    pub(crate) fn take(&mut self, now: Time, batch: &Batch, sink: &mut dyn Sink) {
        let critical = batch.is_critical();
        let rule = self.rules.iter().find(|rule| rule.fits(&batch.key));
        let (told, cooldown) = match rule {
            Some(rule) if critical => (rule.told, rule.cooldown_critical),
            Some(rule) => (rule.told, rule.cooldown),
            None => {
                self.unmatched += batch.count;
                (if critical { self.all } else { Mask::default() }, self.cooldown_critical)
            }
        };
        if told == Mask::default() {
            self.silenced += if rule.is_some() { batch.count } else { 0 };
            return;
        }
        if cooldown.is_zero() {
            return self.send(Kind::Alert, batch, told, now, sink);
        }
        if self.windows.get(&batch.key).is_some_and(|window| now >= window.until) {
            // It has ended and nobody looked yet. With a digest told just now, it goes on.
            self.tick(now, sink);
        }
        let Some(window) = self.windows.get_mut(&batch.key) else { return self.open(now, batch, told, cooldown, sink) };
        match &mut window.kept {
            Some(kept) => kept.fold(batch),
            kept => *kept = Some(*batch),
        }
        for channel in told.channels() {
            sink.suppressed(channel, batch.count);
        }
    }

    fn open(&mut self, now: Time, batch: &Batch, told: Mask, cooldown: Duration, sink: &mut dyn Sink) {
        if self.windows.is_full()
            && let Some((_, Window { told, kept: Some(kept), .. })) = self.windows.pop_first()
        {
            self.send(Kind::Digest, &kept, told, now, sink);
        }
        let until = now + cooldown;
        if self.windows.insert(batch.key, Window { until, cooldown, told, kept: None }).is_ok() {
            self.next = Time::earliest(self.next, Some(until));
        }
        self.send(Kind::Alert, batch, told, now, sink);
    }

    /// When [`Pipeline::tick`] has something to do.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        self.next
    }

    /// Closes what has cooled down. A key with something kept silent is told so and goes on cooling down, so that a lasting
    /// trouble is told once in a cool-down.
    pub(crate) fn tick(&mut self, now: Time, sink: &mut dyn Sink) {
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        let mut next = None;
        let last_id = &mut self.last_id;
        self.windows.retain(|_, window| {
            if now >= window.until {
                let Some(kept) = window.kept.take() else { return false };
                send(last_id, Kind::Digest, &kept, window.told, now, sink);
                window.until = now + window.cooldown;
            }
            next = Time::earliest(next, Some(window.until));
            true
        });
        self.next = next;
    }

    /// Tells everything that is kept silent, at the end.
    pub(crate) fn close(&mut self, now: Time, sink: &mut dyn Sink) {
        while let Some((_, window)) = self.windows.pop_first() {
            if let Some(kept) = window.kept {
                self.send(Kind::Digest, &kept, window.told, now, sink);
            }
        }
        self.next = None;
    }

    /// Keys that are cooling down.
    pub(crate) fn windows(&self) -> usize {
        self.windows.len()
    }

    fn send(&mut self, kind: Kind, batch: &Batch, told: Mask, now: Time, sink: &mut dyn Sink) {
        send(&mut self.last_id, kind, batch, told, now, sink);
    }
}

fn send(last_id: &mut u64, kind: Kind, batch: &Batch, told: Mask, now: Time, sink: &mut dyn Sink) {
    *last_id += 1;
    for channel in told.channels() {
        sink.letter(channel, Letter::of(*last_id, kind, batch, now));
    }
}

#[cfg(test)]
mod tests;
