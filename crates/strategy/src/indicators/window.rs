//! What indicators are made of: sums and extremes of the last so many values.

use crate::limits::PERIOD_MAX;
use arrayvec::ArrayVec;

const MOST: usize = PERIOD_MAX as usize;

/// A sum that keeps what single additions lose (Neumaier).
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    pub(super) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
    }

    pub(super) fn get(self) -> f64 {
        self.sum + self.lost
    }
}

/// The last so many values, with their sum and, for those who want it, the sum of their squared distances from a pivot.
///
/// # Bounds
/// [`PERIOD_MAX`] values, inline. A full turn begins its sums anew: what was rounded in one turn is forgotten in the next.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Window {
    items: ArrayVec<f64, MOST>,
    /// Where the oldest value is, and the next one goes.
    at: u16,
    period: u16,
    sum: Sum,
    /// The sum of this turn's values: after a full turn it is the sum of all.
    fresh: Sum,
}

impl Window {
    pub(super) fn new(period: u16) -> Self {
        Self { items: ArrayVec::new(), at: 0, period: period.clamp(1, PERIOD_MAX), sum: Sum::default(), fresh: Sum::default() }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.period);
    }

    pub(super) const fn period(&self) -> u16 {
        self.period
    }

    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= usize::from(self.period)
    }

    /// Takes the newest value and returns the one that it pushed out.
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        let oldest = if self.is_full() {
            let place = self.items.get_mut(usize::from(self.at));
            place.map(|place| core::mem::replace(place, value))
        } else {
            // It is not full: there is room.
            self.items.push(value);
            None
        };
        if let Some(oldest) = oldest {
            self.sum.add(-oldest);
        }
        self.sum.add(value);
        self.fresh.add(value);
        self.at += 1;
        if self.at >= self.period {
            self.at = 0;
            self.sum = core::mem::take(&mut self.fresh);
        }
        oldest
    }

    /// Whether a turn has just ended.
    pub(super) fn turned(&self) -> bool {
        self.at == 0 && self.is_full()
    }

    pub(super) fn sum(&self) -> f64 {
        self.sum.get()
    }

    /// The mean of a full window.
    pub(super) fn mean(&self) -> Option<f64> {
        self.is_full().then(|| self.sum() / f64::from(self.period))
    }

    /// All values, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        let (after, before) = self.items.split_at(usize::from(self.at).min(self.items.len()));
        before.iter().chain(after).copied()
    }
}

/// Mean and deviation of the last so many values.
///
/// Squares are taken of distances from a pivot within the window, so that a large mean costs no digits; with each turn the pivot
/// moves to the mean and the squares are summed anew.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Spread {
    window: Window,
    pivot: f64,
    first: Sum,
    second: Sum,
}

impl Spread {
    pub(super) fn new(period: u16) -> Self {
        Self { window: Window::new(period), pivot: 0.0, first: Sum::default(), second: Sum::default() }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.window.period());
    }

    pub(super) const fn period(&self) -> u16 {
        self.window.period()
    }

    pub(super) fn push(&mut self, value: f64) {
        if self.window.items.is_empty() {
            self.pivot = value;
        }
        let oldest = self.window.push(value);
        if self.window.turned() {
            self.pivot = self.window.mean().unwrap_or(value);
            (self.first, self.second) = (Sum::default(), Sum::default());
            for value in &self.window.items {
                let away = value - self.pivot;
                self.first.add(away);
                self.second.add(away * away);
            }
            return;
        }
        let away = value - self.pivot;
        self.first.add(away);
        self.second.add(away * away);
        if let Some(oldest) = oldest {
            let away = oldest - self.pivot;
            self.first.add(-away);
            self.second.add(-(away * away));
        }
    }

    /// Mean and deviation of the population.
    pub(super) fn get(&self) -> Option<(f64, f64)> {
        let mean = self.window.mean()?;
        let n = f64::from(self.window.period());
        let away = self.first.get() / n;
        Some((mean, (self.second.get() / n - away * away).max(0.0).sqrt()))
    }
}

/// The largest of the last so many values, amortised in constant time: values that a newer one exceeds are never looked at again.
///
/// # Bounds
/// [`PERIOD_MAX`] candidates, inline.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Highest {
    period: u16,
    /// Values taken so far.
    taken: u64,
    /// Falling values, each with its number: a ring.
    #[cfg_attr(feature = "serde", serde(with = "plimsoll_bounded::array"))]
    ring: [(u64, f64); MOST],
    head: u16,
    len: u16,
}

impl Highest {
    pub(super) fn new(period: u16) -> Self {
        Self { period: period.clamp(1, PERIOD_MAX), taken: 0, ring: [(0, 0.0); MOST], head: 0, len: 0 }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.period);
    }

    pub(super) const fn period(&self) -> u16 {
        self.period
    }

    fn place(&self, n: u16) -> usize {
        (usize::from(self.head) + usize::from(n)) % MOST
    }

    pub(super) fn push(&mut self, value: f64) {
        // Ends: each turn takes one away.
        while self.len > 0 && self.ring[self.place(self.len - 1)].1 <= value {
            self.len -= 1;
        }
        if self.len > 0 && self.ring[self.place(0)].0 + u64::from(self.period) <= self.taken {
            self.head = self.place(1) as u16;
            self.len -= 1;
        }
        let place = self.place(self.len);
        self.ring[place] = (self.taken, value);
        self.len += 1;
        self.taken += 1;
    }

    pub(super) fn get(&self) -> Option<f64> {
        (self.taken >= u64::from(self.period)).then(|| self.ring[self.place(0)].1)
    }
}
