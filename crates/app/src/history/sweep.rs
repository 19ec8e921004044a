//! `plimsoll sweep`: a search over parameters on history.

use super::market::{Market, MarketArgs};
use super::overrides::{put, value_of};
use super::ranges::Ranges;
use super::yaml::to_yaml;
use super::{runs_bar, written};
use crate::cli::ConfigArgs;
use crate::config::{Config, parse_map, read_file};
use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;
use plimsoll_backtest::{Figures, Setup, Summary, Timeline};
use plimsoll_market::{Time, Top};
use plimsoll_sweep::limits::WORKERS_MAX;
use plimsoll_sweep::{
    About, Fold, FoldResult, Guards, Method, Outcome, PlayError, Point, Report, Search, Trial, TrialFile, Window, best, guards, look_ahead,
    page, play, search,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What to search on what.
#[derive(Debug, Args, Clone)]
pub struct SweepArgs {
    /// Where the configuration is.
    #[command(flatten)]
    file: ConfigArgs,
    /// What is searched: a YAML file, described below.
    #[arg(long, value_name = "FILE")]
    ranges: PathBuf,
    /// Where the results go; a sweep whose results are there already goes on where it ended.
    #[arg(long, value_name = "FOLDER", default_value = "sweep")]
    out: PathBuf,
    /// Threads that run backtests; without it as many as there are processors.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=WORKERS_MAX as i64))]
    workers: Option<u16>,
    /// Throw the results in the folder away and begin anew.
    #[arg(long)]
    fresh: bool,
    /// What it is run on.
    #[command(flatten)]
    market: MarketArgs,
}

/// Does it.
///
/// # Errors
/// A sentence with what to change.
pub fn main(args: &SweepArgs) -> anyhow::Result<ExitCode> {
    let path = &args.file.config;
    let map = parse_map(&read_file(path)?, path)?;
    let config = Config::of(&map, path)?;
    let market = Market::open(&args.market)?;
    let place = market.place_in(&config)?;
    let ranges = Ranges::load(&args.ranges, &config, place)?;
    let folds = ranges.walk.divide(market.span.0, market.end())?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let trials = args.out.join("trials.csv");
    let _lock = take_folder(&args.out, &trials, args.fresh, &identity(&map, &config, &ranges, &market)?)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let desk = Desk { map: &map, path, market: &market, ranges: &ranges };
    let found = Sweep { desk, place, folds, workers: args.workers.map_or(cores.min(WORKERS_MAX), usize::from) }.run(&trials)?;
    finish(&found, &args.out, path)
}

/// What makes this sweep another than others; whoever goes on with its results must have the same.
fn identity(map: &Map<String, Value>, config: &Config, ranges: &Ranges, market: &Market) -> anyhow::Result<Vec<(String, String)>> {
    let mut identity = vec![("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    let parts = ["trading", "risk_control"].map(|section| map.get(section).map_or_else(String::new, Value::to_string));
    identity.push(("configuration".to_owned(), parts.join(" ")));
    identity.push(("ranges".to_owned(), format!("{ranges:?}")));
    identity.extend(market.identity(config)?);
    Ok(identity)
}

/// The folder is this process's alone, and what is in it is of the same sweep.
///
/// The lock goes with the process, however that ends.
fn take_folder(out: &Path, trials: &Path, fresh: bool, identity: &[(String, String)]) -> anyhow::Result<File> {
    #[derive(Serialize, Deserialize)]
    struct Kept {
        identity: Vec<(String, String)>, // tidy: bounded by its maker, and by the end of this function
    }
    let path = out.join("sweep.id");
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.as_mut().map_err(|error| anyhow::anyhow!("cannot write {}: {error}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!("another sweep is at work in {}; give another --out", out.display()),
        Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(|| format!("cannot read {}", path.display()))?;
    let exists = std::fs::exists(trials).with_context(|| format!("cannot look for {}", trials.display()))?;
    if exists && !fresh {
        let kept: Kept = serde_json::from_str(&text).with_context(|| {
            format!("{} holds results, but {} does not say of what; give another --out, or --fresh", out.display(), path.display())
        })?;
        let changed: Vec<&str> = identity.iter().filter(|part| !kept.identity.contains(part)).map(|(name, _)| name.as_str()).collect();
        if !changed.is_empty() {
            bail!(
                "{} holds the results of a sweep with another {}; give another --out, or --fresh to throw them away",
                out.display(),
                changed.join(", another ").to_lowercase()
            );
        }
    } else {
        if exists {
            std::fs::remove_file(trials).with_context(|| format!("cannot remove {}", trials.display()))?;
        }
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(serde_json::to_string_pretty(&Kept { identity: identity.to_vec() })?.as_bytes())?;
        file.sync_all()?;
    }
    Ok(file.try_clone()?)
}

/// What makes runs of points.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// The configuration as it is written.
    pub map: &'a Map<String, Value>,
    /// Where it was read from.
    pub path: &'a Path,
    /// The market.
    pub market: &'a Market,
    /// What is searched.
    pub ranges: &'a Ranges,
}

impl Desk<'_> {
    /// The configuration with a point's settings.
    fn with(&self, point: &Point) -> Map<String, Value> {
        let mut map = self.map.clone();
        for (key, value) in self.ranges.space.settings(point) {
            // Keys were checked with the file: a place that is not there is refused by the configuration below.
            if put(&mut map, key, value_of(value)).is_none() {
                map.insert(key.to_owned(), value_of(value));
            }
        }
        map
    }

    /// What a point's run is made of, or why the live program would not begin it.
    fn setup(&self, point: &Point, first: Option<Top>) -> Result<Setup, String> {
        let config = Config::of(&self.with(point), self.path).map_err(|error| error.to_string())?;
        let settings = self.market.settings(&config).map_err(|error| error.to_string())?;
        if let Some(top) = first {
            let (_, against) = self.market.against(&config, settings, top).map_err(|error| error.to_string())?;
            if !against.is_empty() {
                return Err(against.join("; "));
            }
        }
        self.market.setup(&config, settings).map_err(|error| error.to_string())
    }

    /// Runs a point on a part of history.
    fn run(&self, point: &Point, window: Window, first: Option<Top>) -> Result<Outcome, PlayError> {
        match self.setup(point, first) {
            Ok(setup) => Ok(self
                .figures(setup, window, Keep::Sums)?
                .map_or_else(|why| Outcome::refused(&why), |(summary, _)| Outcome::of(&summary, self.ranges.objective))),
            Err(why) => Ok(Outcome::refused(&why)),
        }
    }

    /// The figures of a run, or why these settings have none.
    fn figures(&self, setup: Setup, window: Window, keep: Keep) -> Result<Result<(Summary, Figures), String>, PlayError> {
        let figures = Figures::new(self.market.instrument, None);
        let figures = if keep == Keep::Steps { figures.keeping_trips() } else { figures };
        match play(&self.market.tapes, setup, window, None, figures) {
            Ok(run) => Ok(run.into_observer().summary().map_err(|error| error.to_string())),
            Err(error) if error.is_of_settings() => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        }
    }
}

/// What a run's figures keep.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Sums,
    Steps,
}

struct Sweep<'a> {
    desk: Desk<'a>,
    place: usize,
    folds: Vec<Fold>, // tidy: bounded by FOLDS_MAX
    workers: usize,
}

/// A sweep that is done.
struct Found {
    report: Report,
    /// Of the last fold.
    trials: Vec<Trial>, // tidy: bounded by TRIALS_MAX
    /// The configuration with the best settings.
    ready: Option<Map<String, Value>>,
    /// Why runs were refused, the first one.
    refused: Option<String>,
}

impl Sweep<'_> {
    fn run(&self, path: &Path) -> anyhow::Result<Found> {
        let Self { desk, folds, .. } = self;
        let Ranges { space, method, seed, trials, .. } = desk.ranges;
        let asked = Search { space, method: *method, seed: *seed, trials: *trials, workers: self.workers };
        let mut file = TrialFile::open(path, space)?;
        let bar = runs_bar(asked.count().unwrap_or(0) as u64 * folds.len() as u64)?;
        let (mut results, mut last) = (Vec::new(), Vec::new());
        let mut refused = None;
        for (at, fold) in folds.iter().enumerate() {
            bar.set_message(format!("part {} of {}", at + 1, folds.len()));
            let first = desk.market.first_top(fold.train.from)?;
            let run = |point: &Point| desk.run(point, fold.train, first);
            last = search(&asked, at, &mut file, &run, &|_, _| bar.inc(1))?;
            let reason = last.iter().map(|trial| &trial.outcome.refused).find(|why| !why.is_empty());
            refused = refused.or_else(|| reason.cloned());
            results.push(self.result(*fold, &last)?);
        }
        if file.has_more() {
            bail!("{} holds more runs than this sweep has; give another --out, or --fresh to begin anew", path.display());
        }
        bar.set_message("guards");
        let winner = best(&last).map(|trial| trial.point.clone());
        let guards = match (&winner, folds.last()) {
            (Some(point), Some(fold)) => self.guards(point, fold, &last, &bar)?,
            _ => Guards::default(),
        };
        bar.finish_and_clear();
        let report = Report { about: self.about(winner.is_some())?, parameters: space.clone(), folds: results, guards };
        Ok(Found { report, trials: last, ready: winner.map(|point| desk.with(&point)), refused })
    }

    fn result(&self, fold: Fold, trials: &[Trial]) -> anyhow::Result<FoldResult> {
        let Self { desk, .. } = self;
        let winner = best(trials);
        let settings = winner.map(|trial| desk.ranges.space.settings(&trial.point).map(|(k, v)| (k.to_owned(), v.to_owned())).collect());
        let tried = match winner {
            // Whether it may begin was asked with the search; its grid begins anew at the price of the day.
            Some(trial) => match desk.run(&trial.point, fold.test, None) {
                Ok(outcome) => Some(outcome),
                Err(PlayError::NeverBegan) => None,
                Err(error) => return Err(error.into()),
            },
            None => None,
        };
        Ok(FoldResult {
            fold,
            trials: trials.len(),
            refused: trials.iter().filter(|trial| !trial.outcome.refused.is_empty()).count(),
            settings: settings.unwrap_or_default(),
            found: winner.map(|trial| trial.outcome.clone()),
            tried,
        })
    }

    fn guards(&self, point: &Point, fold: &Fold, trials: &[Trial], bar: &ProgressBar) -> anyhow::Result<Guards> {
        let Self { desk, .. } = self;
        let setup = || desk.setup(point, None).map_err(anyhow::Error::msg);
        let ratios = || trials.iter().filter(|t| t.outcome.score.is_some()).filter_map(|t| t.outcome.sharpe_of_period);
        let winner = best(trials).map(|trial| &trial.outcome);
        let deflated = winner.and_then(|o| {
            let spread = guards::variance(ratios());
            guards::deflated(o.sharpe_of_period?, o.periods, o.skewness?, o.kurtosis?, ratios().count() as u64, spread)
        });
        bar.set_message("looking ahead");
        // A twentieth of the price, in whole ticks.
        let by = desk.market.first_top(fold.train.from)?.map_or(1, |top| {
            let tick = desk.market.instrument.tick.units().max(1);
            top.bid.units() / 20 / tick * tick
        });
        setup()?;
        let look_ahead = look_ahead(fold.train, by, |window, moved, observer| {
            // It was made a moment ago.
            let setup = setup().map_err(|_| PlayError::NeverBegan)?;
            play(&desk.market.tapes, setup, window, moved, observer)
        })?;
        bar.set_message("reshuffling");
        let whole = Window { from: fold.train.from, until: fold.test.until };
        let reshuffled = match desk.figures(setup()?, whole, Keep::Steps)? {
            Ok((summary, figures)) => {
                let trips: Vec<f64> = figures.trips().iter().map(|units| *units as f64 / 1e8).collect();
                let (periods, returns) = figures.returns();
                let (begin, runs, seed) = (summary.equity_begin, desk.ranges.reshuffles, desk.ranges.seed);
                let of = [("round trips", guards::Steps::Amounts(&trips)), (periods, guards::Steps::Returns(returns))];
                of.into_iter().filter_map(|(name, steps)| guards::reshuffle(name, begin, steps, runs, seed)).collect()
            }
            Err(_) => Vec::new(),
        };
        Ok(Guards { deflated, look_ahead, reshuffled })
    }

    fn about(&self, ready: bool) -> anyhow::Result<About> {
        let Desk { map, path, market, ranges } = self.desk;
        let config = Config::of(map, path)?;
        let mut settings = vec![
            (
                "Search".to_owned(),
                match ranges.method {
                    Method::Grid => format!("grid of {} points", ranges.space.size()),
                    Method::Random => format!("random, {} of {} points", ranges.trials, ranges.space.size()),
                    Method::Tpe => format!("TPE, {} of {} points", ranges.trials, ranges.space.size()),
                },
            ),
            ("Seed".to_owned(), ranges.seed.to_string()),
            ("Folds".to_owned(), format!("{}{}", ranges.walk.folds, if ranges.walk.anchored { ", anchored" } else { "" })),
        ];
        let searched = |key: &str| ranges.space.parameters().iter().any(|p| p.key().ends_with(&format!(".{key}")));
        settings.extend(written(map, self.place).into_iter().filter(|(key, _)| !searched(key)));
        settings.extend(market.shown(&config));
        let timeline = Timeline::open(&market.tapes)?;
        let mut notes = vec![
            "Each part of the data begins anew: with the whole wallet, nothing held, indicators cold, and a grid that is anchored at the first price.".to_owned(),
            "Settings that the live program would not start with are refused here, too, and count as no run of the search.".to_owned(),
            "The probability against luck takes all runs as independent. Those of one search resemble each other, so that it is stricter than it would have to be; of several sweeps of the same data it knows nothing, and whoever repeats them until it is high fools himself.".to_owned(),
        ];
        notes.extend(super::market::notes(&timeline, 0, 0));
        Ok(About {
            symbol: market.head.symbol.to_string(),
            quote: market.instrument.quote.to_string(),
            span: (market.span.0.millis(), market.end().millis()),
            objective: ranges.objective.name().to_owned(),
            settings,
            notes,
            ready: ready.then(|| READY.to_owned()),
        })
    }
}

/// Name of the configuration with the best settings.
const READY: &str = "best.yaml";

/// Writes what was found, and says it.
fn finish(found: &Found, out: &Path, path: &Path) -> anyhow::Result<ExitCode> {
    let write = |name: &str, text: &str| {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display())).map(|()| path)
    };
    let html = write("sweep.html", &page(&found.report, &found.trials)?)?;
    write("sweep.json", &serde_json::to_string_pretty(&found.report)?)?;
    let Some(ready) = &found.ready else {
        let why = found.refused.as_ref().map_or_else(|| "none traded".to_owned(), |why| format!("the first one: {why}"));
        bail!("no run of the last part could be the best ({why}); widen the ranges, or see {}", html.display());
    };
    let last = found.report.folds.last();
    let settings: Vec<String> = last.map(|fold| fold.settings.iter().map(|(k, v)| format!("{k} = {v}")).collect()).unwrap_or_default();
    let percent = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2} %"));
    let head = format!(
        "# Of {}, with the best settings of a sweep over {} ({}):\n{}\n# Found: return {}. Past results promise nothing; read sweep.html beside this file.\n",
        path.display(),
        found.report.about.symbol,
        date(found.report.about.span),
        settings.iter().map(|line| format!("#   {line}")).collect::<Vec<_>>().join("\n"),
        percent(last.and_then(|fold| fold.found.as_ref()).and_then(|o| o.return_percent)),
    );
    let text = head + &to_yaml(ready);
    // What is called ready must be: read as a start would read it.
    Config::parse(&text, &out.join(READY)).context("the best settings are no configuration")?;
    let file = write(READY, &text)?;
    let mut lines = Vec::new();
    for (at, fold) in found.report.folds.iter().enumerate() {
        let side = |outcome: &Option<Outcome>| {
            outcome.as_ref().map_or_else(|| "-".to_owned(), |o| format!("{} (fall {:.2} %)", percent(o.return_percent), o.drawdown_percent))
        };
        lines.push(format!(
            "part {}: {} runs, {} refused; found {}, tried on what came after {}",
            at + 1,
            fold.trials,
            fold.refused,
            side(&fold.found),
            side(&fold.tried)
        ));
    }
    let guards = &found.report.guards;
    if let Some(deflated) = guards.deflated {
        lines.push(format!("better than the luck of {} runs with a probability of {:.1} %", deflated.trials, deflated.probability * 100.0));
    }
    for r in &guards.reshuffled {
        lines.push(format!("fall of 1 in 20 orders of its {} {}: {:.2} %", r.steps, r.of, r.worst_20th));
    }
    if last.and_then(|fold| fold.found.as_ref()).and_then(|o| o.return_percent).is_none_or(|percent| percent <= 0.0) {
        lines.push("no settings gained in the last part: the best is the least bad".to_owned());
    }
    let sound = guards.look_ahead.iter().all(|cut| cut.same_when_cut && cut.same_when_moved);
    lines.push(if sound { "no decision looked ahead".to_owned() } else { "DECISIONS LOOKED AHEAD: do not believe this".to_owned() });
    lines.push(format!("best: {}", settings.join(", ")));
    lines.push(format!("{}\n{}", html.display(), file.display()));
    crate::screen::say(&lines.join("\n"));
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn date((from, until): (u64, u64)) -> String {
    let day = |ms| plimsoll_backtest::import::show_time(Time::from_millis(ms)).get(..10).unwrap_or_default().to_owned();
    format!("{} to {}", day(from), day(until))
}
