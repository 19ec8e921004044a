//! What the exchange said of late.
//!
//! A bot that trades is never asked at the instant of which it tells: it shows its books four times a second, and an event
//! is on its way for a while. So it is held against everything that was true within [`LAG`], and the books of neither side
//! have to stand still for it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::books::Open;

/// How old the books may be that the bot shows: a quarter of a second between two, and as much for what is on its way.
pub(crate) const LAG: Duration = Duration::from_millis(500);

/// A look at the exchange older than this says nothing of the time since then.
const GAP_MAX: Duration = Duration::from_millis(2_000);

/// One look at the exchange.
#[derive(Clone, Debug)]
struct Sample {
    /// When it had answered.
    at: Instant,
    /// Executions by then, symbol by symbol.
    fills: Vec<u64>,
    open: Open,
}

/// The looks of the last while.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    samples: VecDeque<Sample>,
}

/// What was true within the last while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Executions at its beginning, symbol by symbol.
    pub(crate) fills: Vec<u64>,
    /// Orders that were open all the time.
    pub(crate) throughout: Open,
    /// Orders that were open at any time.
    pub(crate) ever: Open,
}

impl Trace {
    /// Takes a look that was answered at `at`. What is too old for any window is forgotten.
    pub(crate) fn push(&mut self, at: Instant, fills: Vec<u64>, open: Open) {
        self.samples.push_back(Sample { at, fills, open });
        while self.samples.front().is_some_and(|oldest| at.saturating_duration_since(oldest.at) > GAP_MAX + LAG) {
            self.samples.pop_front();
        }
    }

    /// What was true from [`LAG`] before `asked` until the last look; `None` when nobody looked around its beginning.
    pub(crate) fn window(&self, asked: Instant) -> Option<Window> {
        let age = |sample: &Sample| asked.saturating_duration_since(sample.at);
        let first = self.samples.iter().rposition(|sample| age(sample) >= LAG).filter(|first| age(&self.samples[*first]) <= GAP_MAX)?;
        let (mut throughout, mut ever) = (self.samples[first].open.clone(), self.samples[first].open.clone());
        for sample in self.samples.iter().skip(first + 1) {
            throughout.0.retain(|order| sample.open.0.contains(order));
            ever.0.extend(sample.open.0.iter().cloned());
        }
        Some(Window { fills: self.samples[first].fills.clone(), throughout, ever })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(ids: &str) -> Open {
        Open(ids.chars().map(|id| ("BTCUSDT".to_owned(), id.to_string())).collect())
    }

    /// Looks at milliseconds, and what is told when the bot was asked at `asked`: executions, open throughout, open ever.
    #[track_caller]
    fn check(looks: &[(u64, u64, &str)], asked: u64, expected: Option<(u64, &str, &str)>) {
        let began = Instant::now();
        let mut trace = Trace::default();
        for (at, fills, ids) in looks {
            trace.push(began + Duration::from_millis(*at), vec![*fills], open(ids));
        }
        let expected =
            expected.map(|(fills, throughout, ever)| Window { fills: vec![fills], throughout: open(throughout), ever: open(ever) });
        assert_eq!(trace.window(began + Duration::from_millis(asked)), expected);
    }

    #[test]
    fn a_window_begins_with_the_last_look_that_is_old_enough() {
        let looks = [(0, 1, "ab"), (400, 2, "abc"), (500, 3, "bcd"), (900, 4, "bd")];
        check(&looks, 900, Some((2, "b", "abcd")));
        check(&looks, 899, Some((1, "b", "abcd")));
        check(&looks, 1_000, Some((3, "bd", "bcd")));
        check(&looks, 1_400, Some((4, "bd", "bd")));
    }

    #[test]
    fn nothing_is_said_of_a_time_without_a_look() {
        check(&[], 900, None);
        check(&[(800, 1, "a")], 900, None);
        check(&[(0, 1, "a"), (2_001, 2, "a")], 2_001, None);
        check(&[(0, 1, "a"), (2_000, 2, "a")], 2_000, Some((1, "a", "a")));
    }
}
