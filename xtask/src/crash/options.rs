use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// What goes wrong unless asked otherwise: every fault there is, so often that a round meets several.
const FAULTS: [&str; 12] = [
    "delay=0.02",
    "reset=0.005",
    "half_open=0.002",
    "duplicate=0.02",
    "reorder=0.02",
    "busy_accepted=0.01",
    "timeout_accepted=0.005",
    "reject_busy=0.005",
    "rate_limit=0.001",
    "listen_key_expired=0.01",
    "stamp=0.005",
    "drop_request=0.01",
];

/// Rounds that may be asked for.
const ROUNDS_MAX: u32 = 100_000;

/// Longest round in seconds.
const ROUND_MAX: f64 = 3_600.0;

/// What a crash test is to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// How often the bot is killed.
    pub(crate) rounds: u32,
    /// Seed of market, faults and of the instants of death.
    pub(crate) seed: u64,
    /// How long it may trade before it is killed, in seconds.
    pub(crate) trading: Range<f64>,
    /// Faults as the local exchange takes them.
    pub(crate) faults: Vec<String>,
    /// Where the results go, if not the usual place.
    pub(crate) out: Option<PathBuf>,
    /// The program, if it is not to be built.
    pub(crate) binary: Option<PathBuf>,
}

impl Options {
    pub(crate) fn parse(flags: &[String]) -> Result<Self> {
        let faults = FAULTS.map(str::to_owned).to_vec();
        let mut options = Self { rounds: 30, seed: 7, trading: 0.5..5.0, faults, out: None, binary: None };
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            let value = flags.next().with_context(|| format!("{flag} needs a value"))?;
            match flag.as_str() {
                "--rounds" => {
                    let rounds = value.parse().ok().filter(|rounds| (1..=ROUNDS_MAX).contains(rounds));
                    options.rounds = rounds.with_context(|| format!("--rounds {value} is not allowed; allowed: 1 to {ROUNDS_MAX}"))?;
                }
                "--seed" => options.seed = value.parse().with_context(|| format!("--seed {value} is no whole number"))?,
                "--seconds-per-round" => options.trading = seconds(value)?,
                // The local exchange knows the names and explains them. The last word on a fault counts there.
                "--fault" if value == "none" => options.faults.clear(),
                "--fault" => options.faults.push(value.clone()),
                "--out" => options.out = Some(value.into()),
                "--binary" => options.binary = Some(value.into()),
                _ => bail!(
                    "unknown flag {flag}; known: --rounds N, --seed S, --seconds-per-round A..B, --fault NAME=RATE|none, --out FOLDER, --binary FILE"
                ),
            }
        }
        Ok(options)
    }

    /// Most time that all of it takes: every round with its start and its checks.
    pub(crate) fn expected(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.rounds) * ((self.trading.start + self.trading.end) / 2.0 + 5.0))
    }
}

fn seconds(value: &str) -> Result<Range<f64>> {
    let parsed = value.split_once("..").and_then(|(from, until)| Some(from.parse::<f64>().ok()?..until.parse::<f64>().ok()?));
    let parsed = parsed.filter(|range| range.start >= 0.0 && range.start < range.end && range.end <= ROUND_MAX);
    parsed.with_context(|| format!("--seconds-per-round {value} is not allowed; allowed: A..B with 0 <= A < B <= {ROUND_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options> {
        Options::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn flags_are_read() {
        let options = parse("--rounds 200 --seed 9 --seconds-per-round 1..2.5 --fault none --fault delay=1 --binary x").unwrap();
        assert_eq!((options.rounds, options.seed, options.trading.clone()), (200, 9, 1.0..2.5));
        assert_eq!((options.faults, options.binary), (vec!["delay=1".to_owned()], Some("x".into())));
        assert_eq!(parse("").unwrap().faults.len(), FAULTS.len());
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_figures() {
        for (text, part) in [
            ("--rounds 0", "1 to 100000"),
            ("--rounds", "needs a value"),
            ("--seed x", "no whole number"),
            ("--seconds-per-round 3", "A..B"),
            ("--seconds-per-round 3..2", "A..B"),
            ("--seconds-per-round NaN..2", "A..B"),
            ("--seconds-per-round 1..4000", "3600"),
            ("--colour red", "unknown flag"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
