//! What the command line asks for.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// How much faster than real life the local exchange can be asked to run.
pub(crate) const SPEED_MAX: f64 = 2_000.0;

/// Seconds of a day.
const DAY_S: f64 = 86_400.0;

/// Real time beside the trading: the start, the way back from the last storm, the stop.
const BESIDE: Duration = Duration::from_secs(90);

/// Share of the run after which memory must not grow, and simulated days that it has at least.
const WARM_UP: (f64, f64) = (0.1, 2.0);

/// What a long run is to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// Simulated days.
    pub(crate) days: f64,
    /// Simulated seconds in a second.
    pub(crate) speed: f64,
    /// Most time that it may take.
    pub(crate) limit: Duration,
    /// Seed of market and storms.
    pub(crate) seed: u64,
    /// Where the results go, if not the usual place.
    pub(crate) out: Option<PathBuf>,
    /// The program, if it is not to be built.
    pub(crate) binary: Option<PathBuf>,
}

impl Options {
    pub(crate) fn parse(flags: &[String]) -> Result<Self> {
        let mut options = Self { days: 30.0, speed: SPEED_MAX, limit: Duration::from_secs(3_600), seed: 7, out: None, binary: None };
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            let value = flags.next().with_context(|| format!("{flag} needs a value"))?;
            let number = |least: f64, most: f64| -> Result<f64> {
                let number = value.parse::<f64>().ok().filter(|number| (least..=most).contains(number));
                number.with_context(|| format!("{flag} {value} is not allowed; allowed: {least} to {most}"))
            };
            match flag.as_str() {
                "--days" => options.days = number(0.01, 3_650.0)?,
                "--speed" if value == "max" => options.speed = SPEED_MAX,
                "--speed" => options.speed = number(1.0, SPEED_MAX)?,
                "--minutes" => options.limit = Duration::from_secs_f64(60.0 * number(0.5, 10_000.0)?),
                "--seed" => options.seed = value.parse().with_context(|| format!("--seed {value} is no whole number"))?,
                "--out" => options.out = Some(value.into()),
                "--binary" => options.binary = Some(value.into()),
                _ => bail!("unknown flag {flag}; known: --days N, --speed max|N, --minutes M, --seed S, --out FOLDER, --binary FILE"),
            }
        }
        ensure!(
            options.trading() + BESIDE <= options.limit,
            "{} simulated days at speed {} take {:.0} minutes, more than the {:.0} of --minutes: ask for fewer days or a higher speed",
            options.days,
            options.speed,
            (options.trading() + BESIDE).as_secs_f64() / 60.0,
            options.limit.as_secs_f64() / 60.0,
        );
        Ok(options)
    }

    /// Real time that the simulated days take.
    pub(crate) fn trading(&self) -> Duration {
        Duration::from_secs_f64(self.days * DAY_S / self.speed)
    }

    /// Simulated days in so much real time.
    pub(crate) fn simulated(&self, real: Duration) -> f64 {
        real.as_secs_f64() * self.speed / DAY_S
    }

    /// Real hours of a simulated day.
    pub(crate) fn hours_a_day(&self) -> f64 {
        24.0 / self.speed
    }

    /// Simulated days before memory has to stand still: a tenth of the run, at least two, at most half.
    pub(crate) fn warm_up(&self) -> f64 {
        let (share, least) = WARM_UP;
        (self.days * share).max(least).min(self.days / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options> {
        Options::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_usual_run_is_thirty_days_within_an_hour() {
        let options = parse("--days 30 --speed max").unwrap();
        assert_eq!(options, parse("").unwrap());
        assert_eq!(options.trading(), Duration::from_secs(1_296));
        assert!((options.simulated(Duration::from_secs(1_296)) - 30.0).abs() < 1e-9);
        assert!((options.warm_up() - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_short_run_warms_up_for_half_of_it() {
        assert!((parse("--days 10").unwrap().warm_up() - 2.0).abs() < 1e-9);
        assert!((parse("--days 1").unwrap().warm_up() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_figures() {
        for (text, part) in [
            ("--days 0", "0.01 to 3650"),
            ("--days", "needs a value"),
            ("--speed 0.5", "1 to 2000"),
            ("--speed fast", "1 to 2000"),
            ("--speed NaN", "1 to 2000"),
            ("--days 30 --speed 100", "take 434 minutes, more than the 60"),
            ("--seed x", "no whole number"),
            ("--colour red", "unknown flag"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(parse("--days 30 --speed 100 --minutes 440").is_ok());
    }
}
