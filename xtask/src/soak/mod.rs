//! A long run: weeks of simulated trading over a bad line, with nobody who scrapes and a browser that stops reading.
//!
//! The bot is the released program in a process of its own; what it is judged by comes from the kernel, from the exchange
//! and from its own API. [`verdict::Seen`] holds what was seen and says whether that is good.

mod browser;
pub(crate) mod exchange;
mod options;
mod proxy;
mod slope;
mod svg;
mod verdict;
mod watch;

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use self::browser::Browser;
use self::exchange::{Executions, KEY, SECRET, last_trade, open_orders};
use self::options::Options;
use self::proxy::Proxy;
use self::verdict::{End, Seen};
use self::watch::{CSV_HEAD, Lines, Reading, memory, told};
use crate::children::{Program, Watchdog};
use crate::http;
use crate::process::{cargo, step};
use crate::report::{Outcome, seconds};
use crate::workspace::Workspace;

/// Time to start, and to trade again after the last storm.
const START_MAX: Duration = Duration::from_secs(60);

/// Time to withdraw everything and end.
const STOP_MAX: Duration = Duration::from_secs(60);

/// Time between two looks at the memory, two questions to the bot, two at the exchange, two lines of progress.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const ASK_EVERY: Duration = Duration::from_secs(5);
const COUNT_EVERY: Duration = Duration::from_secs(60);
const SAY_EVERY: Duration = Duration::from_secs(30);

/// Tabs of the dashboard that stop reading.
const TABS: usize = 2;

/// What is traded: symbol, distance of two levels, value of an order.
const SYMBOLS: [(&str, &str, &str); 2] = [("BTCUSDT", "60", "250"), ("ETHUSDT", "2.5", "100")];

/// Runs it and says whether what was seen is good.
pub(crate) fn run(flags: &[String]) -> Result<bool> {
    let mut options = Options::parse(flags)?;
    // The caller's folder is left for the workspace's.
    for path in [&mut options.out, &mut options.binary].into_iter().flatten() {
        *path = std::path::absolute(&*path)?;
    }
    let workspace = Workspace::enter()?;
    let out = options.out.clone().unwrap_or(workspace.results()?.join("soak"));
    std::fs::create_dir_all(&out).with_context(|| format!("could not create {}", out.display()))?;
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => {
            let built = step(cargo(&["build", "--release", "--locked", "--package", "plimsoll-app"]))?;
            ensure!(built == Outcome::Passed, "the program does not build");
            workspace.target.join("release/plimsoll")
        }
    };
    let seen = watch_over(&options, &binary, &out)?;
    let findings = seen.judge();
    let report = seen.report(&findings);
    std::fs::write(out.join("soak.svg"), seen.chart().draw())?;
    std::fs::write(out.join("soak.md"), &report)?;
    println!("\n{report}\nkept in {}: soak.md, soak.svg, soak.csv, bot.log, exchange.log", out.display());
    let good = findings.iter().all(|finding| finding.good);
    println!("\nlong run: {}", if good { "passed" } else { "FAILED" });
    Ok(good)
}

/// The run itself. Whatever ends it, what it started is ended.
fn watch_over(options: &Options, binary: &Path, out: &Path) -> Result<Seen> {
    println!(
        "{} simulated days at speed {}: {} of real time, the first {:.2} days are warm-up",
        options.days,
        options.speed,
        seconds(options.trading()),
        options.warm_up()
    );
    let watchdog = Watchdog::start("soak")?;
    let mut run = Run::start(options, binary, out, &watchdog)?;
    let mut seen = Seen {
        options: options.clone(),
        readings: Vec::new(),
        lines: Lines::default(),
        missed: 0,
        pace: Vec::new(),
        storms: Vec::new(),
        line: proxy::Counts::default(),
        tabs: browser::Tabs::default(),
        end: End::default(),
    };
    run.until_it_trades(START_MAX)?;
    run.proxy.storm_from(options.seed);
    let began = Instant::now();
    {
        let browser = Browser::open(run.dashboard, TABS);
        run.trade(began, &mut seen, out)?;
        run.proxy.calm();
        seen.tabs = browser.tabs();
    }
    seen.storms =
        run.proxy.storms().into_iter().map(|storm| (options.simulated(storm.at.saturating_duration_since(began)), storm)).collect();
    seen.line = run.proxy.counts();
    seen.end = run.end()?;
    Ok(seen)
}

/// Everything that runs.
struct Run {
    bot: Program,
    proxy: Proxy,
    exchange: Program,
    address: SocketAddr,
    dashboard: SocketAddr,
    executions: Vec<Executions>,
}

impl Run {
    fn start(options: &Options, binary: &Path, out: &Path, watchdog: &Watchdog) -> Result<Self> {
        let folder = watchdog.folder();
        let mut command = Command::new(binary);
        command.args(["testnet", "--listen", "127.0.0.1:0", "--account", &format!("{KEY}:{SECRET}:100000")]);
        command.args(["--seed", &options.seed.to_string(), "--speed", &options.speed.to_string()]);
        let mut exchange = Program::start(watchdog, "the local exchange", command, &out.join("exchange.log"))?;
        let address =
            exchange.wait_for_line("its address", START_MAX, |line| line.trim_end_matches('/').strip_prefix("http://")?.parse().ok())?;
        let proxy = Proxy::start(address)?;
        let dashboard = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).context("no loopback port is free")?;
        let file = folder.join("plimsoll.yaml");
        std::fs::write(&file, configuration(folder, proxy.address(), dashboard))?;
        http::put_token(&folder.join("data"))?;
        let mut command = Command::new(binary);
        command.arg("run").arg("--config").arg(&file);
        command.env("PLIMSOLL_BINANCE_API_KEY", KEY).env("PLIMSOLL_BINANCE_API_SECRET", SECRET);
        // What the caller set for a bot of their own is not for this one.
        command.env_remove("PLIMSOLL_STORAGE_URL").env_remove("PLIMSOLL_LOG");
        let bot = Program::start(watchdog, "the bot", command, &out.join("bot.log"))?;
        let executions = SYMBOLS.iter().map(|(symbol, ..)| Executions::of(symbol)).collect();
        Ok(Self { bot, proxy, exchange, address, dashboard, executions })
    }

    /// Waits until all symbols trade; says how long that took.
    fn until_it_trades(&mut self, limit: Duration) -> Result<Duration> {
        let began = Instant::now();
        loop {
            self.bot.must_run()?;
            self.exchange.must_run()?;
            let answer = told(self.dashboard, &mut Lines::default());
            if answer.as_ref().is_ok_and(|told| told.trading == SYMBOLS.len()) {
                return Ok(began.elapsed());
            }
            if began.elapsed() > limit {
                let why = answer.map_or_else(|error| format!("{error:#}"), |told| format!("{told:?}"));
                anyhow::bail!("not all symbols trade after {}: {why}", seconds(limit));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Looks, asks and writes down until the days are over.
    fn trade(&mut self, began: Instant, seen: &mut Seen, out: &Path) -> Result<()> {
        let csv = out.join("soak.csv");
        let mut csv = BufWriter::new(File::create(&csv).with_context(|| format!("could not create {}", csv.display()))?);
        writeln!(csv, "{CSV_HEAD}")?;
        let (mut ask_at, mut count_at, mut say_at) = (began, began + COUNT_EVERY, began);
        let until = began + seen.options.trading();
        loop {
            self.bot.must_run()?;
            self.exchange.must_run()?;
            let now = Instant::now();
            let real = now - began;
            let days = seen.options.simulated(real);
            let mut reading = Reading { real, days, memory: memory(self.bot.pid())?, told: None };
            if now >= ask_at || now >= until {
                ask_at = now + ASK_EVERY;
                match told(self.dashboard, &mut seen.lines) {
                    Ok(told) => reading.told = Some(told),
                    Err(_) => seen.missed += 1,
                }
                seen.pace.push((days, last_trade(self.address, "BTCUSDT")?));
            }
            writeln!(csv, "{}", reading.csv())?;
            seen.readings.push(reading);
            if now >= count_at {
                count_at = now + COUNT_EVERY;
                csv.flush()?;
                self.count()?;
            }
            if now >= say_at {
                say_at = now + if std::io::stdout().is_terminal() { LOOK_EVERY } else { SAY_EVERY };
                self.say(seen, until.saturating_duration_since(now));
            }
            if now >= until {
                csv.flush()?;
                return Ok(());
            }
            // To the second and not beyond the end.
            std::thread::sleep(LOOK_EVERY.min((until - now).max(Duration::from_millis(1))));
        }
    }

    /// Follows the exchange's own list of our executions, which it does not keep for ever.
    fn count(&mut self) -> Result<()> {
        self.executions.iter_mut().try_for_each(|executions| executions.follow(self.address))
    }

    fn say(&self, seen: &Seen, left: Duration) {
        let Some(reading) = seen.readings.last() else { return };
        let (orders, fills) = seen.readings.iter().rev().find_map(|reading| reading.told).map_or((0, 0), |told| (told.orders, told.fills));
        let line = format!(
            "day {:.2} of {}: resident {:.1} MB, anonymous {:.1} MB, {orders} orders, {fills} fills, {} storms; {} to go",
            reading.days,
            seen.options.days,
            reading.memory.resident as f64 / 1e6,
            reading.memory.anonymous as f64 / 1e6,
            self.proxy.storms().len(),
            seconds(left)
        );
        if std::io::stdout().is_terminal() {
            print!("\r\x1b[K{line}");
            // A terminal that cannot be written to shows nothing; the run goes on.
            drop(std::io::stdout().flush());
        } else {
            println!("{line}");
        }
    }

    /// Fair weather, one look at the metrics, Ctrl-C, and what the exchange says then.
    fn end(mut self) -> Result<End> {
        println!();
        let recovered = self.until_it_trades(START_MAX).map_err(|error| println!("after the last storm: {error:#}")).ok();
        let metrics = http::get(self.dashboard, "/metrics", &[]).ok().filter(|(status, _)| *status == 200);
        let metrics = metrics.map(|(_, body)| {
            (body.len(), String::from_utf8_lossy(&body).lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count())
        });
        self.bot.must_run()?;
        self.bot.signal("INT")?;
        let exit = self.bot.wait(STOP_MAX)?.and_then(|status| status.code());
        let log = self.bot.output()?;
        let farewell = log.lines().rev().find(|line| line.starts_with("stopped after ")).map(str::to_owned);
        let panics = log.lines().filter(|line| line.contains("panicked")).map(str::to_owned).collect();
        let errors = log.lines().filter(|line| line.contains(" ERROR ")).count();
        self.count()?;
        let open = open_orders(self.address).ok();
        let executions = self.executions.iter().map(|executions| executions.count).sum();
        let Self { exchange, .. } = self;
        exchange.stop("TERM", STOP_MAX)?;
        Ok(End { recovered, metrics, exit, farewell, open, executions, panics, errors })
    }
}

/// The bot's configuration: a real exchange's, whose addresses lead over the bad line.
fn configuration(folder: &Path, exchange: SocketAddr, dashboard: SocketAddr) -> String {
    let folder: PathBuf = folder.join("data");
    let mut text = format!(
        "exchange: binance\ndata_dir: {}\non_stop: cancel\nbinance:\n  rest_url: http://{exchange}\n  websocket_url: ws://{exchange}\n\
         risk_control:\n  orders_per_10s: 300\n  enabled: false\n  max_daily_loss_percent: 100\n  drawdown_yellow_percent: 100\n  \
         drawdown_orange_percent: 100\n  max_drawdown_percent: 100\n  max_cancels_per_minute: 0\nstorage:\n  flush_interval: 1s\nweb:\n  listen: {dashboard}\nlog:\n  level: warn\n\
         trading:\n  slot_cleanup_interval: 10s\n  symbols:\n",
        folder.display()
    );
    for (symbol, interval, quantity) in SYMBOLS {
        text.push_str(&format!("    - {{ symbol: {symbol}, price_interval: {interval}, order_quantity: {quantity} }}\n"));
    }
    text
}
