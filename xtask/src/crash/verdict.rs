//! What was seen, and whether that is good.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use super::options::Options;
use crate::report::seconds;

/// Time from the start of the process until books are in step, while the line is good.
const RECOVERY_MAX: Duration = Duration::from_secs(2);

/// The same while faults strike: an unanswered request is given up after fifteen seconds.
const RECOVERY_STRUCK_MAX: Duration = Duration::from_secs(40);

/// Faults that need not keep a recovery up: events that come twice or out of order.
const HARMLESS: [&str; 2] = ["duplicate", "reorder"];

/// When the bot was killed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Killed {
    /// It was down already.
    Before,
    /// After so many seconds of trading.
    Trading(f64),
    /// After so many seconds of trading, and again after so many seconds of its next life.
    Starting(f64, f64),
}

/// One death and what came after it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Round {
    pub(crate) number: u32,
    pub(crate) killed: Killed,
    /// Executions while it was down.
    pub(crate) missed: u64,
    /// From the start of the process until its API answered, until books were in step, until it had placed an order.
    pub(crate) answered: Option<Duration>,
    pub(crate) recovered: Option<Duration>,
    pub(crate) first_order: Option<Duration>,
    /// From the first order until books were seen to be equal once more.
    pub(crate) settled: Option<Duration>,
    /// It had placed an order when books were first seen to be in step.
    pub(crate) placed_early: bool,
    /// Faults that struck while it recovered.
    pub(crate) struck: Vec<String>,
    /// Executions at the exchange so far.
    pub(crate) fills: u64,
    /// What is wrong.
    pub(crate) wrong: Vec<String>,
    /// Where the evidence is.
    pub(crate) kept: Option<PathBuf>,
}

impl Round {
    pub(crate) fn new(number: u32) -> Self {
        Self {
            number,
            killed: Killed::Before,
            missed: 0,
            answered: None,
            recovered: None,
            first_order: None,
            settled: None,
            placed_early: false,
            struck: Vec::new(),
            fills: 0,
            wrong: Vec::new(),
            kept: None,
        }
    }

    /// Whether no fault struck while it recovered that could keep it up.
    fn is_undisturbed(&self) -> bool {
        self.struck.iter().all(|name| HARMLESS.contains(&name.as_str()))
    }

    /// A line of progress.
    pub(crate) fn line(&self, of: u32) -> String {
        let killed = match self.killed {
            Killed::Before => "was down".to_owned(),
            Killed::Trading(after) => format!("killed after {after:.2} s of trading"),
            Killed::Starting(after, again) => format!("killed after {after:.2} s of trading and {again:.2} s into the next start"),
        };
        let time = |time: Option<Duration>| time.map_or("never".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()));
        let struck = if self.struck.is_empty() { String::new() } else { format!(", met {}", self.struck.join(" ")) };
        format!(
            "round {} of {of}: {killed}, {} fills while down; answers after {}, in step after {}{struck}, first order after {}; {} fills{}",
            self.number,
            self.missed,
            time(self.answered),
            time(self.recovered),
            time(self.first_order),
            self.fills,
            if self.wrong.is_empty() { "" } else { "; WRONG" }
        )
    }
}

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    /// What the last comparison found.
    pub(crate) wrong: Vec<String>,
    /// Exit code after SIGTERM.
    pub(crate) exit: Option<i32>,
    /// Orders that were then open.
    pub(crate) open: usize,
    /// Executions at the exchange, and of these in the bot's database.
    pub(crate) fills: u64,
    pub(crate) stored: u64,
    /// Segments of the journal that replay to the same actions; what does not is in `wrong`.
    pub(crate) segments: usize,
}

/// Everything that was seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) options: Options,
    pub(crate) rounds: Vec<Round>,
    /// Looks at the exchange's open orders.
    pub(crate) samples: u64,
    /// How often each fault struck.
    pub(crate) faults: BTreeMap<String, u64>,
    pub(crate) end: Option<End>,
}

/// One sentence of the verdict.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) good: bool,
    pub(crate) what: &'static str,
    pub(crate) text: String,
}

impl Seen {
    /// Rounds with something wrong.
    pub(crate) fn failing(&self) -> usize {
        self.rounds.iter().filter(|round| !round.wrong.is_empty()).count()
    }

    /// Judges what was seen.
    pub(crate) fn judge(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut say = |good, what, text| findings.push(Finding { good, what, text });
        let all = self.rounds.len();
        say(all == self.options.rounds as usize, "all rounds", format!("{all} of {}", self.options.rounds));
        let wrong = |parts: &[&str]| -> usize {
            let hit = |text: &String| parts.iter().any(|part| text.contains(part));
            self.rounds.iter().filter(|round| round.wrong.iter().any(hit)).count()
        };
        let twice = wrong(&["live orders on"]);
        say(
            twice == 0,
            "no order twice",
            format!("{twice} rounds with two live orders of a slot, in {} looks at the exchange", self.samples),
        );
        let orphans = wrong(&["unknown to the bot", "nobody's", "not open at the exchange"]);
        say(orphans == 0, "no orphan", format!("{orphans} rounds with an order that only one side knows, once it trades"));
        let books = wrong(&["at the bot,"]);
        say(books == 0, "equal books", format!("{books} rounds with another position, fee, profit or number of fills at the exchange"));
        let stored = wrong(&["stored"]);
        say(stored == 0, "each fill stored once", format!("{stored} rounds with stored fills that are not the exchange's"));
        let failing = self.failing();
        say(failing == 0, "nothing else", format!("{failing} rounds in which anything was wrong"));
        let settled: Vec<Duration> = self.rounds.iter().filter_map(|round| round.settled).collect();
        say(!settled.is_empty(), "equal while it trades", format!("seen from the first order on after {}", spread(settled)));
        self.judge_recovery(&mut say);
        let missed: u64 = self.rounds.iter().map(|round| round.missed).sum();
        let fills = self.rounds.last().map_or(0, |round| round.fills);
        say(missed > 0 && fills > 0, "it traded", format!("{fills} fills, {missed} of them while it was down"));
        let struck: u64 = self.faults.values().sum();
        let told: Vec<String> = self.faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let asked = !self.options.faults.is_empty();
        say(struck > 0 || !asked, "faults struck", told.join(", "));
        let (good, text) = match &self.end {
            None => (false, "it did not come to an end".to_owned()),
            Some(end) => (
                end.wrong.is_empty() && end.exit == Some(0) && end.open == 0 && end.fills == end.stored && end.segments > 0,
                format!(
                    "SIGTERM: exit code {}, {} orders open; {} fills at the exchange, {} in the database; {} segments of the journal replay{}{}",
                    end.exit.map_or("none".to_owned(), |code| code.to_string()),
                    end.open,
                    end.fills,
                    end.stored,
                    end.segments,
                    if end.wrong.is_empty() { "" } else { "; " },
                    end.wrong.join("; ")
                ),
            ),
        };
        say(good, "the end", text);
        findings
    }

    fn judge_recovery(&self, say: &mut impl FnMut(bool, &'static str, String)) {
        let times = |undisturbed: bool| -> Vec<Duration> {
            let of_kind = self.rounds.iter().filter(|round| round.is_undisturbed() == undisturbed);
            of_kind.filter_map(|round| round.recovered).collect()
        };
        let (good, struck) = (times(true), times(false));
        let slowest = |times: &[Duration]| times.iter().max().copied().unwrap_or_default();
        say(
            !good.is_empty() && slowest(&good) < RECOVERY_MAX,
            "recovery under 2 s",
            format!(
                "start of the process until books are in step, {} rounds without a fault meanwhile: {}",
                good.len(),
                spread(good.clone())
            ),
        );
        say(
            slowest(&struck) < RECOVERY_STRUCK_MAX,
            "recovery while faults strike",
            format!("{} rounds: {}", struck.len(), spread(struck.clone())),
        );
        let orders: Vec<Duration> = self.rounds.iter().filter_map(|round| round.first_order).collect();
        let early = self.rounds.iter().filter(|round| round.placed_early).count();
        let text =
            format!("the receive window of the dead is waited out first: {}; {early} before books were in step", spread(orders.clone()));
        say(!orders.is_empty() && early == 0, "first order", text);
    }

    /// The report.
    pub(crate) fn report(&self, findings: &[Finding]) -> String {
        let good = findings.iter().all(|finding| finding.good);
        let mut text = format!(
            "# Crash test: {}\n\n{} rounds, seed {}, faults: {}\n\n| | what | found |\n|---|---|---|\n",
            if good { "passed" } else { "FAILED" },
            self.rounds.len(),
            self.options.seed,
            if self.options.faults.is_empty() { "none".to_owned() } else { self.options.faults.join(" ") }
        );
        for Finding { good, what, text: found } in findings {
            // Writing to a String cannot fail.
            writeln!(text, "| {} | {what} | {} |", if *good { "yes" } else { "**no**" }, found.replace('|', "/")).unwrap_or_default();
        }
        for round in self.rounds.iter().filter(|round| !round.wrong.is_empty()) {
            let kept = round.kept.as_ref().map_or_else(String::new, |kept| format!(" (kept in {})", kept.display()));
            writeln!(text, "\n{}{kept}", round.line(self.options.rounds)).unwrap_or_default();
            for wrong in &round.wrong {
                writeln!(text, "- {wrong}").unwrap_or_default();
            }
        }
        text
    }
}

/// Median, nine tenths, 99 of a hundred, and the longest.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
    match (at(50), at(90), at(99), times.last()) {
        (Some(half), Some(ninth), Some(most), Some(last)) => {
            let show =
                |time: &Duration| if *time < Duration::from_secs(60) { format!("{:.2} s", time.as_secs_f64()) } else { seconds(*time) };
            format!("p50 {}, p90 {}, p99 {}, longest {}", show(half), show(ninth), show(most), show(last))
        }
        _ => "none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(number: u32) -> Round {
        Round {
            killed: Killed::Trading(1.0),
            missed: 2,
            answered: Some(Duration::from_millis(100)),
            recovered: Some(Duration::from_millis(300)),
            first_order: Some(Duration::from_secs(4)),
            settled: Some(Duration::from_millis(20)),
            fills: u64::from(number) * 10,
            ..Round::new(number)
        }
    }

    fn seen() -> Seen {
        let options = Options { rounds: 3, seed: 7, trading: 1.0..2.0, faults: vec!["delay=1".into()], out: None, binary: None };
        let struck = Round { recovered: Some(Duration::from_secs(20)), struck: vec!["drop_request".into()], ..round(3) };
        Seen {
            options,
            rounds: vec![round(1), Round { struck: vec!["reorder".into()], ..round(2) }, struck],
            samples: 9,
            faults: BTreeMap::from([("delay".to_owned(), 5)]),
            end: Some(End { wrong: Vec::new(), exit: Some(0), open: 0, fills: 30, stored: 30, segments: 8 }),
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Seen), expected_bad: &[&str]) {
        let mut seen = seen();
        change(&mut seen);
        let findings = seen.judge();
        let bad: Vec<&str> = findings.iter().filter(|finding| !finding.good).map(|finding| finding.what).collect();
        assert_eq!(bad, expected_bad);
        assert_eq!(seen.report(&findings).starts_with("# Crash test: passed"), expected_bad.is_empty());
    }

    #[test]
    fn a_good_run_passes_and_faults_may_hold_a_recovery_up() {
        check(|_| {}, &[]);
    }

    #[test]
    fn everything_that_can_go_wrong_is_named() {
        let wrong = |text: &str| {
            let text = text.to_owned();
            move |seen: &mut Seen| seen.rounds[1].wrong.push(text)
        };
        check(wrong("2 live orders on BTCUSDT, strategy 0, slot 4: a, b"), &["no order twice", "nothing else"]);
        check(wrong("BTCUSDT: order a is open at the exchange and unknown to the bot"), &["no orphan", "nothing else"]);
        check(wrong("BTCUSDT: fees 1 at the bot, 2 at the exchange"), &["equal books", "nothing else"]);
        check(wrong("BTCUSDT: execution 5 is stored twice"), &["each fill stored once", "nothing else"]);
        check(wrong("the bot ended by itself"), &["nothing else"]);
        check(|seen| drop(seen.rounds.pop()), &["all rounds"]);
        check(|seen| seen.rounds[0].recovered = Some(Duration::from_secs(2)), &["recovery under 2 s"]);
        check(|seen| seen.rounds[2].recovered = Some(Duration::from_secs(40)), &["recovery while faults strike"]);
        check(|seen| seen.rounds[2].placed_early = true, &["first order"]);
        check(|seen| seen.rounds.iter_mut().for_each(|round| round.missed = 0), &["it traded"]);
        check(|seen| seen.rounds.iter_mut().for_each(|round| round.settled = None), &["equal while it trades"]);
        check(|seen| seen.faults.clear(), &["faults struck"]);
        check(|seen| seen.end = None, &["the end"]);
        check(|seen| seen.end.iter_mut().for_each(|end| end.stored = 29), &["the end"]);
        check(|seen| seen.end.iter_mut().for_each(|end| end.segments = 0), &["the end"]);
        check(|seen| seen.end.iter_mut().for_each(|end| end.open = 1), &["the end"]);
    }

    #[test]
    fn a_line_says_what_happened() {
        let line = seen().rounds[2].line(3);
        assert!(line.starts_with("round 3 of 3: killed after 1.00 s of trading, 2 fills while down"), "{line}");
        assert!(line.contains("in step after 20.00 s, met drop_request, first order after 4.00 s; 30 fills"), "{line}");
    }
}
