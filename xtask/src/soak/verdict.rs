//! What a long run has shown, and whether that is good.

use std::fmt::Write as _;
use std::time::Duration;

use super::browser::Tabs;
use super::options::Options;
use super::proxy::{Counts, Storm, Weather};
use super::slope::{median, theil_sen};
use super::svg::{Chart, Mark, Series};
use super::watch::{Lines, Reading};
use crate::report::seconds;

/// Megabytes a simulated day that memory may gain or lose after the warm-up.
const SLOPE_MAX: f64 = 1.0;

/// Share of the median pace that the slowest tenth of the run must have kept.
const PACE_LEAST: f64 = 0.4;

/// Share of questions that the bot may have left unanswered.
const MISSED_MAX: f64 = 0.02;

const MB: f64 = 1e6;

/// Everything that was seen.
pub(crate) struct Seen {
    pub(crate) options: Options,
    pub(crate) readings: Vec<Reading>,
    pub(crate) lines: Lines,
    /// Questions to the bot that were not answered.
    pub(crate) missed: u64,
    /// Simulated days and the market's latest trade then.
    pub(crate) pace: Vec<(f64, u64)>,
    /// When storms came, in simulated days.
    pub(crate) storms: Vec<(f64, Storm)>,
    pub(crate) line: Counts,
    pub(crate) tabs: Tabs,
    pub(crate) end: End,
}

/// How it ended.
#[derive(Debug, Default)]
pub(crate) struct End {
    /// Time until everything traded again after the last storm.
    pub(crate) recovered: Option<Duration>,
    /// Bytes of the only answer of `/metrics`, and its lines of figures.
    pub(crate) metrics: Option<(usize, usize)>,
    /// The exit code after Ctrl-C.
    pub(crate) exit: Option<i32>,
    /// What the bot said last.
    pub(crate) farewell: Option<String>,
    /// Our orders that the exchange still has.
    pub(crate) open: Option<usize>,
    /// Executions by the exchange's own count.
    pub(crate) executions: u64,
    /// Lines of the bot's log that tell of a panic.
    pub(crate) panics: Vec<String>,
    /// Lines of the bot's log that are errors.
    pub(crate) errors: usize,
}

/// A figure of a reading, in bytes, where it has one.
type Figure = dyn Fn(&Reading) -> Option<u64>;

/// One question and its answer.
pub(crate) struct Finding {
    pub(crate) good: bool,
    pub(crate) what: &'static str,
    pub(crate) text: String,
}

impl Seen {
    /// Every question, in the order of their weight.
    pub(crate) fn judge(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut say = |good, what, text| findings.push(Finding { good, what, text });
        let slope = self.slope(|reading| reading.memory.resident);
        let (day, hour) = (slope.unwrap_or(f64::NAN), slope.unwrap_or(f64::NAN) / self.options.hours_a_day());
        say(
            day.abs() <= SLOPE_MAX,
            "resident memory stands still",
            format!("{day:+.3} MB a simulated day after the warm-up (allowed ±{SLOPE_MAX}), {hour:+.2} MB an hour of real time"),
        );
        let Lines { readings, lines, above, fullest, .. } = &self.lines;
        let fullest = fullest.as_ref().map_or("none".to_owned(), |(name, full)| format!("{name} at {:.0} %", full * 100.0));
        let text = if above.is_empty() {
            format!("{lines} lines, {readings} readings, none above its capacity; the fullest ever was {fullest}")
        } else {
            above.join("; ")
        };
        say(above.is_empty() && *readings > 0, "every length within its capacity", text);
        let days = self.readings.last().map_or(0.0, |reading| reading.days);
        say(days >= self.options.days, "ran to the end", format!("{days:.2} of {} simulated days", self.options.days));
        let (pace, slowest) = self.pace();
        say(
            slowest >= PACE_LEAST,
            "the market kept its pace",
            format!("{pace:.0} trades a simulated day on BTCUSDT, the slowest tenth {:.0} % of the median", slowest * 100.0),
        );
        let (orders, fills) = self.traded();
        say(fills as f64 >= days && orders > 0, "it traded", format!("{orders} orders and {fills} fills after the warm-up"));
        say(
            !self.storms.is_empty() && self.line.cut > 0 && self.end.recovered.is_some(),
            "it came through the storms",
            format!(
                "{}; {} connections made, {} cut, {} refused; {}",
                self.weather(),
                self.line.made,
                self.line.cut,
                self.line.refused,
                self.end
                    .recovered
                    .map_or("it did not trade again".to_owned(), |took| format!("all traded {} after the last", seconds(took)))
            ),
        );
        let asked = self.lines.readings + self.missed;
        say(
            self.missed as f64 <= asked as f64 * MISSED_MAX,
            "it answered",
            format!("{} of {asked} questions were not answered", self.missed),
        );
        say(
            self.tabs.opened > 0,
            "browsers that stopped reading",
            format!(
                "{} live views opened, {} let go by the server within 75 s, {} refused",
                self.tabs.opened, self.tabs.let_go, self.tabs.failed
            ),
        );
        self.judge_end(&mut say);
        findings
    }

    fn judge_end(&self, say: &mut impl FnMut(bool, &'static str, String)) {
        let End { metrics, exit, farewell, open, executions, panics, errors, .. } = &self.end;
        let text = metrics
            .map_or("no answer".to_owned(), |(bytes, lines)| format!("{bytes} bytes, {lines} series, asked for the first time at the end"));
        say(metrics.is_some(), "metrics that nobody scraped", text);
        let text = panics.first().map_or_else(|| format!("none; {errors} lines of level error"), Clone::clone);
        say(panics.is_empty(), "no panic in the log", text);
        let text = format!(
            "exit code {}: {}",
            exit.map_or("none".to_owned(), |code| code.to_string()),
            farewell.as_deref().unwrap_or("no farewell")
        );
        say(*exit == Some(0) && farewell.is_some(), "Ctrl-C ends it cleanly", text);
        let text =
            open.map_or("the exchange did not answer".to_owned(), |open| format!("the exchange has {open} open orders of the account"));
        say(*open == Some(0), "no order is left", text);
        let booked = farewell.as_deref().and_then(fills_told);
        let text = format!(
            "the exchange counts {executions} executions, the bot booked {}",
            booked.map_or("?".to_owned(), |count| count.to_string())
        );
        say(booked == Some(*executions), "each fill booked once", text);
    }

    /// Megabytes a simulated day after the warm-up.
    fn slope(&self, of: impl Fn(&Reading) -> u64) -> Option<f64> {
        let warm = self.options.warm_up();
        let points: Vec<(f64, f64)> =
            self.readings.iter().filter(|reading| reading.days >= warm).map(|reading| (reading.days, of(reading) as f64 / MB)).collect();
        theil_sen(&points)
    }

    /// Trades a simulated day, and the slowest tenth's share of the median.
    fn pace(&self) -> (f64, f64) {
        let Some(((from, first), (until, last))) = self.pace.first().zip(self.pace.last()) else { return (0.0, 0.0) };
        let tenth = (until - from) / 10.0;
        let mut paces = Vec::new();
        for part in 0..10 {
            let start = from + tenth * f64::from(part);
            let inside = || self.pace.iter().filter(|(day, _)| (start..=start + tenth).contains(day));
            if let Some((a, b)) = inside().next().zip(inside().next_back())
                && b.0 > a.0
            {
                paces.push((b.1 - a.1) as f64 / (b.0 - a.0));
            }
        }
        let slowest = paces.iter().copied().fold(f64::INFINITY, f64::min);
        let Some(middle) = median(&mut paces).filter(|middle| *middle > 0.0) else { return (0.0, 0.0) };
        ((last - first) as f64 / (until - from), slowest / middle)
    }

    /// How many storms of each kind there were, and what they cut.
    fn weather(&self) -> String {
        let kinds = Weather::ALL.map(|weather| {
            let of_kind = || self.storms.iter().map(|(_, storm)| storm).filter(|storm| storm.weather == weather);
            format!("{} storms of kind {} that cut {}", of_kind().count(), weather.name(), of_kind().map(|storm| storm.cut).sum::<usize>())
        });
        kinds.join(", ")
    }

    /// Orders and fills after the warm-up.
    fn traded(&self) -> (u64, u64) {
        let warm = self.options.warm_up();
        let mut told = self.readings.iter().filter(|reading| reading.days >= warm).filter_map(|reading| reading.told);
        let Some(first) = told.next() else { return (0, 0) };
        let last = told.next_back().unwrap_or(first);
        (last.orders.saturating_sub(first.orders), last.fills.saturating_sub(first.fills))
    }

    /// The picture of memory over time.
    pub(crate) fn chart(&self) -> Chart {
        let line = |name: &str, colour, dashed, of: &Figure| Series {
            name: name.to_owned(),
            colour,
            dashed,
            points: self.readings.iter().filter_map(|reading| Some((reading.days, of(reading)? as f64 / MB))).collect(),
        };
        let colour = |weather| match weather {
            Weather::Cuts => "#cf222e",
            Weather::Stall => "#bf8700",
            Weather::Dark => "#8250df",
        };
        let Options { days, speed, seed, .. } = self.options;
        let slope = self.slope(|reading| reading.memory.resident).unwrap_or(f64::NAN);
        Chart {
            title: format!("Memory of plimsoll over {days} simulated days at speed {speed}"),
            subtitle: format!(
                "resident memory {slope:+.3} MB a simulated day after the warm-up; {} storms, {} connections cut, seed {seed}",
                self.storms.len(),
                self.line.cut
            ),
            x_label: "simulated days".into(),
            y_label: "MB".into(),
            shaded_until: self.options.warm_up(),
            series: vec![
                line("resident", "#0969da", false, &|reading| Some(reading.memory.resident)),
                line("anonymous", "#1a7f37", false, &|reading| Some(reading.memory.anonymous)),
                line("accounted in the ledger", "#bc4c00", true, &|reading| Some(reading.told?.used)),
            ],
            legend: Weather::ALL.map(|weather| (format!("storm: {}", weather.name()), colour(weather))).to_vec(),
            marks: self.storms.iter().map(|(x, storm)| Mark { x: *x, colour: colour(storm.weather) }).collect(),
        }
    }

    /// The report beside the picture.
    pub(crate) fn report(&self, findings: &[Finding]) -> String {
        let good = findings.iter().all(|finding| finding.good);
        let Options { days, speed, seed, .. } = self.options;
        let real = self.readings.last().map_or(Duration::ZERO, |reading| reading.real);
        let mut text = format!(
            "# Long run: {}\n\n{days} simulated days at speed {speed} in {} of real time, seed {seed}. Only the market runs faster: clocks and \
             timers of the bot are real. The first {:.2} simulated days are warm-up.\n\n![memory over time](soak.svg)\n\n| | what | found |\n|---|---|---|\n",
            if good { "passed" } else { "FAILED" },
            seconds(real),
            self.options.warm_up(),
        );
        for Finding { good, what, text: found } in findings {
            add(&mut text, &format!("| {} | {what} | {} |", if *good { "yes" } else { "**no**" }, found.replace('|', "/")));
        }
        add(
            &mut text,
            "\n## Memory\n\n| | at the end of the warm-up | at the end | most | MB a simulated day | MB a real hour |\n|---|---|---|---|---|---|",
        );
        self.memory_rows(&mut text);
        let cpu = self.readings.last().map_or(0.0, |reading| reading.memory.cpu);
        add(&mut text, &format!("\nProcessor time of the bot: {cpu:.1} s, {:.1} % of a core.", cpu / real.as_secs_f64().max(1.0) * 100.0));
        if !self.lines.overflows.is_empty() {
            add(&mut text, "\n## Limits that acted\n\n| line | times |\n|---|---|");
            for (name, times) in &self.lines.overflows {
                add(&mut text, &format!("| `{name}` | {times} |"));
            }
        }
        text
    }

    fn memory_rows(&self, text: &mut String) {
        let warm = self.options.warm_up();
        let kinds: [(&str, &Figure); 3] = [
            ("resident", &|reading| Some(reading.memory.resident)),
            ("anonymous", &|reading| Some(reading.memory.anonymous)),
            ("accounted in the ledger", &|reading| Some(reading.told?.used)),
        ];
        for (name, of) in kinds {
            let points: Vec<(f64, f64)> = self
                .readings
                .iter()
                .filter(|reading| reading.days >= warm)
                .filter_map(|reading| Some((reading.days, of(reading)? as f64 / MB)))
                .collect();
            let (Some(first), Some(last), Some(slope)) = (points.first(), points.last(), theil_sen(&points)) else { continue };
            let most = points.iter().map(|point| point.1).fold(0.0, f64::max);
            let hour = slope / self.options.hours_a_day();
            add(text, &format!("| {name} | {:.1} MB | {:.1} MB | {most:.1} MB | {slope:+.3} | {hour:+.2} |", first.1, last.1));
        }
    }
}

fn add(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    writeln!(text, "{line}").unwrap_or_default();
}

/// The number of fills in the bot's last words.
pub(crate) fn fills_told(farewell: &str) -> Option<u64> {
    let (before, _) = farewell.split_once(" fills")?;
    before.rsplit([' ', ';']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::watch::{Memory, Told};
    use super::*;
    use std::time::Instant;

    /// A good run of ten days whose memory gains so many megabytes a day.
    fn seen(gain: f64) -> Seen {
        let options = Options { days: 10.0, speed: 1_000.0, limit: Duration::from_secs(3_600), seed: 7, out: None, binary: None };
        let readings = (0..=1_000_u32).map(|step| {
            let days = f64::from(step) / 100.0;
            // It fills up for a day and a half, and breathes by a megabyte.
            let resident = 20.0 + days.min(1.5) * 8.0 + gain * days + f64::from(step % 7) / 7.0;
            let memory = Memory { resident: (resident * MB) as u64, anonymous: 9_000_000, threads: 6, cpu: 1.0 };
            let told =
                Told { used: 5_000_000, planned: 9_000_000, overflows: 0, orders: u64::from(step), fills: u64::from(step), trading: 2 };
            Reading { real: Duration::from_secs_f64(days * 86.4), days, memory, told: step.is_multiple_of(5).then_some(told) }
        });
        Seen {
            options,
            readings: readings.collect(),
            lines: Lines { readings: 200, lines: 60, fullest: Some(("a/b".into(), 0.5)), ..Lines::default() },
            missed: 0,
            pace: (0..=100).map(|step| (f64::from(step) / 10.0, 1_000 * u64::from(step as u32))).collect(),
            storms: vec![(1.0, Storm { at: Instant::now(), weather: Weather::Cuts, cut: 4 })],
            line: Counts { made: 10, cut: 4, refused: 0 },
            tabs: Tabs { opened: 2, let_go: 1, failed: 0 },
            end: End {
                recovered: Some(Duration::from_secs(2)),
                metrics: Some((40_000, 500)),
                exit: Some(0),
                farewell: Some(
                    "stopped after 864 s in 0.1 s: the exchange confirms that none of our orders is open; 998 fills, net 1.00".into(),
                ),
                open: Some(0),
                executions: 998,
                ..End::default()
            },
        }
    }

    #[track_caller]
    fn check(seen: &Seen, expected_bad: &[&str]) {
        let findings = seen.judge();
        let bad: Vec<&str> = findings.iter().filter(|finding| !finding.good).map(|finding| finding.what).collect();
        assert_eq!(bad, expected_bad);
        let report = seen.report(&findings);
        assert_eq!(report.starts_with("# Long run: passed"), expected_bad.is_empty(), "{report}");
        assert!(report.contains("| anonymous | 9.0 MB | 9.0 MB | 9.0 MB | +0.000 | +0.00 |"), "{report}");
        assert!(seen.chart().draw().contains("simulated days"));
    }

    #[test]
    fn a_good_run_passes_and_its_warm_up_is_no_growth() {
        check(&seen(0.0), &[]);
        check(&seen(0.9), &[]);
    }

    #[test]
    fn growth_and_shrinking_beyond_a_megabyte_a_day_fail() {
        check(&seen(1.1), &["resident memory stands still"]);
        check(&seen(-1.1), &["resident memory stands still"]);
    }

    #[test]
    fn everything_that_can_go_wrong_is_named() {
        let mut bad = seen(0.0);
        bad.lines.above.push("a/b held 5 of 4".into());
        bad.options.days = 30.0;
        bad.pace = vec![(0.0, 0), (5.0, 5_000), (10.0, 5_100)];
        bad.missed = 50;
        bad.tabs.opened = 0;
        bad.end = End { panics: vec!["thread panicked".into()], open: Some(3), exit: Some(3), executions: 5, ..End::default() };
        bad.end.farewell = Some("4 fills".into());
        check(
            &bad,
            &[
                "every length within its capacity",
                "ran to the end",
                "the market kept its pace",
                "it came through the storms",
                "it answered",
                "browsers that stopped reading",
                "metrics that nobody scraped",
                "no panic in the log",
                "Ctrl-C ends it cleanly",
                "no order is left",
                "each fill booked once",
            ],
        );
    }

    #[test]
    fn nothing_seen_is_not_good() {
        let mut nothing = seen(0.0);
        (nothing.readings, nothing.pace, nothing.lines) = (Vec::new(), Vec::new(), Lines::default());
        let findings = nothing.judge();
        assert!(findings.iter().take(5).all(|finding| !finding.good));
    }

    #[test]
    fn fills_are_read_from_the_last_words() {
        assert_eq!(fills_told("stopped after 30 s in 0.0 s: none is open; 278 fills, net 26.11"), Some(278));
        assert_eq!(fills_told("no figures here"), None);
    }
}
