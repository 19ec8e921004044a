//! Finds files that tell the same stretch again under new times.

use std::collections::VecDeque;

/// How far back a repetition is found: two weeks of minutes.
const BACK: usize = 20_160;
/// Candles in a row that must be alike. Two that are alike are chance when hardly anything is traded; forty are none.
const ALIKE: u32 = 40;

/// Looks for a stretch of candles that was told before.
///
/// # Bounds
/// The last [`BACK`] candles, eight bytes each.
pub(super) struct Repeats {
    seen: VecDeque<u64>, // tidy: bounded by BACK
    /// How far back the present likeness lies, and how long it is.
    back: usize,
    run: u32,
}

impl Repeats {
    pub(super) fn new() -> Self {
        Self { seen: VecDeque::with_capacity(BACK), back: 0, run: 0 }
    }

    /// Takes a candle's prices and volume; answers how many candles ago a stretch that ends here was told, when it was.
    pub(super) fn push(&mut self, values: [u64; 5], flat: bool) -> Option<usize> {
        let mut hash = crc32fast::Hasher::new();
        values.iter().for_each(|value| hash.update(&value.to_le_bytes()));
        let hash = u64::from(hash.finalize()) | u64::from(flat) << 32;
        let at = |seen: &VecDeque<u64>, back: usize| seen.len().checked_sub(back).and_then(|at| seen.get(at)).copied();
        if flat {
            // Hours without a trade are all alike; they neither begin nor end a likeness.
        } else if self.run > 0 && at(&self.seen, self.back) == Some(hash) {
            self.run += 1;
        } else {
            let found = self.seen.iter().rev().position(|seen| *seen == hash);
            (self.back, self.run) = found.map_or((0, 0), |back| (back + 1, 1));
        }
        if self.seen.len() == BACK {
            self.seen.pop_front();
        }
        self.seen.push_back(hash);
        (self.run >= ALIKE).then_some(self.back)
    }
}
