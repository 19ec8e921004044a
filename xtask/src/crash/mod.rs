//! A bot that is killed again and again while it trades over a line with faults: does it ever place an order twice, forget
//! one, or lose a fill?
//!
//! The bot is the real program, the exchange is `plimsoll testnet` in a process of its own. After every `kill -9` and
//! restart the exchange itself is asked what is true, past its faults, and the bot is held against that.
//! [`verdict::Seen`] holds what was seen and says whether that is good.

mod books;
mod ids;
mod options;
mod trace;
mod verdict;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use self::books::{Open, Ours, Truth, Word, position, stored};
use self::options::Options;
use self::trace::{LAG, Trace};
use self::verdict::{End, Killed, Round, Seen};
use crate::children::{Program, Watchdog};
use crate::http::{get_json, put_token};
use crate::process::{cargo, step, works};
use crate::report::{Outcome, seconds};
use crate::soak::exchange::{KEY, SECRET};
use crate::workspace::Workspace;

/// Time to start, to get into step, and to place the first order: after it a round has failed.
const START_MAX: Duration = Duration::from_secs(60);

/// Time within which books must once be seen to be equal while it trades, and executions to be stored.
///
/// A user stream that has silently died is found out some ten seconds after the first order that it should have told of; then
/// the bot asks anew, and one of these requests may go unanswered for fifteen.
const SETTLE_MAX: Duration = Duration::from_secs(40);

/// Time to withdraw everything and end.
const STOP_MAX: Duration = Duration::from_secs(60);

/// Time between two looks while it gets into step, and while it trades.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// One round in so many kills the bot while it starts, within this time.
const EARLY_ONE_IN: u64 = 4;
const EARLY_WITHIN: f64 = 3.0;

/// Longest time between a death and the next start.
const DOWN_MAX: f64 = 2.0;

/// Failing rounds after which it is enough.
const FAILING_MAX: usize = 3;

/// Logs of the bot's lives that are kept of good rounds.
const LOGS_KEPT: u32 = 5;

/// What is traded: symbol, distance of two levels, value of an order. So near that something fills all the time.
const SYMBOLS: [(&str, &str, &str); 2] = [("BTCUSDT", "40", "250"), ("ETHUSDT", "1.6", "100")];

/// How much happens a second on the local exchange.
const SPEED: &str = "200";

/// Runs it and says whether what was seen is good.
pub(crate) fn run(flags: &[String]) -> Result<bool> {
    let mut options = Options::parse(flags)?;
    // The caller's folder is left for the workspace's.
    for path in [&mut options.out, &mut options.binary].into_iter().flatten() {
        *path = std::path::absolute(&*path)?;
    }
    let workspace = Workspace::enter()?;
    let out = options.out.clone().unwrap_or(workspace.results()?.join("crash"));
    if out.exists() {
        // Rounds of an earlier run would be taken for this one's.
        std::fs::remove_dir_all(&out).with_context(|| format!("could not empty {}", out.display()))?;
    }
    std::fs::create_dir_all(&out).with_context(|| format!("could not create {}", out.display()))?;
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => {
            let built = step(cargo(&["build", "--release", "--locked", "--package", "plimsoll-app"]))?;
            ensure!(built == Outcome::Passed, "the program does not build");
            workspace.target.join("release/plimsoll")
        }
    };
    println!(
        "{} rounds, seed {}, about {}; faults: {}",
        options.rounds,
        options.seed,
        seconds(options.expected()),
        if options.faults.is_empty() { "none".to_owned() } else { options.faults.join(" ") }
    );
    let watchdog = Watchdog::start("crash")?;
    let seen = Run::start(&options, &binary, &out, &watchdog)?.all()?;
    let findings = seen.judge();
    let report = seen.report(&findings);
    std::fs::write(out.join("crash.md"), &report)?;
    println!("\n{report}\nkept in {}: crash.md, exchange.log, bot-*.log of the last lives", out.display());
    let good = findings.iter().all(|finding| finding.good);
    println!("\ncrash test: {}", if good { "passed" } else { "FAILED" });
    Ok(good)
}

/// Everything that runs, and the exchange's books as far as they were followed.
struct Run<'a> {
    options: &'a Options,
    binary: &'a Path,
    out: &'a Path,
    watchdog: &'a Watchdog,
    exchange: Program,
    address: SocketAddr,
    dashboard: SocketAddr,
    ours: Vec<Ours>,
    trace: Trace,
    /// Executions when the bot was last started, symbol by symbol: all of them are to be known before it is in step.
    begun: Vec<u64>,
    /// Trade ids up to which stored executions were compared.
    compared: Vec<u64>,
    dice: u64,
    seen: Seen,
}

/// Which start of a round.
#[derive(Clone, Copy)]
enum Start {
    /// The one that trades.
    First,
    /// The one that is killed before it does.
    Again,
}

/// A life of the bot.
struct Life {
    bot: Program,
    number: u32,
    began: Instant,
}

/// One look at both sides.
struct Look {
    /// When the bot was asked.
    at: Instant,
    words: Vec<Word>,
    /// Where they differ.
    differences: Vec<String>,
}

impl Look {
    fn is_equal(&self) -> bool {
        self.differences.is_empty()
    }

    fn placed(&self) -> u64 {
        self.words.iter().map(|word| word.placed).sum()
    }
}

impl<'a> Run<'a> {
    fn start(options: &'a Options, binary: &'a Path, out: &'a Path, watchdog: &'a Watchdog) -> Result<Self> {
        let mut command = Command::new(binary);
        command.args(["testnet", "--listen", "127.0.0.1:0", "--account", &format!("{KEY}:{SECRET}:100000")]);
        // A start asks for a fourteenth of what may be asked in a minute: a bot that is killed so often would wait for the next one.
        command
            .args(["--seed", &options.seed.to_string(), "--speed", SPEED, "--weightless"])
            .arg("--state")
            .arg(watchdog.folder().join("exchange"));
        command.args(options.faults.iter().flat_map(|fault| ["--fault", fault]));
        let mut exchange = Program::start(watchdog, "the local exchange", command, &out.join("exchange.log"))?;
        let address =
            exchange.wait_for_line("its address", START_MAX, |line| line.trim_end_matches('/').strip_prefix("http://")?.parse().ok())?;
        let dashboard = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).context("no loopback port is free")?;
        let data = watchdog.folder().join("data");
        std::fs::write(out.join("plimsoll.yaml"), configuration(&data, address, dashboard))?;
        put_token(&data)?;
        Ok(Self {
            options,
            binary,
            out,
            watchdog,
            exchange,
            address,
            dashboard,
            ours: SYMBOLS.iter().map(|(symbol, ..)| Ours::of(symbol)).collect(),
            trace: Trace::default(),
            begun: vec![0; SYMBOLS.len()],
            compared: vec![0; SYMBOLS.len()],
            dice: options.seed,
            seen: Seen { options: options.clone(), rounds: Vec::new(), samples: 0, faults: BTreeMap::new(), end: None },
        })
    }

    /// All rounds and the end.
    fn all(mut self) -> Result<Seen> {
        let mut life = self.begin(0, Start::First)?;
        let mut round = Round::new(0);
        // The first life has nothing to recover; it is not counted as a round.
        self.recover(&mut life, &mut round)?;
        self.until_it_places(&mut life, &mut round)?;
        ensure!(round.wrong.is_empty(), "the bot does not trade at all: {}", round.wrong.join("; "));
        for number in 1..=self.options.rounds {
            let (next, mut round) = self.round(life, number)?;
            life = next;
            println!("{}", round.line(self.options.rounds));
            if !round.wrong.is_empty() {
                let kept = self.keep(&mut life, &round)?;
                round.kept = Some(kept);
            }
            self.seen.rounds.push(round);
            if self.seen.failing() >= FAILING_MAX {
                println!("{FAILING_MAX} rounds have failed: that is enough");
                break;
            }
        }
        self.seen.faults = self.struck()?;
        self.seen.end = Some(self.end(life)?);
        Ok(self.seen)
    }

    /// Lets the bot trade, kills it, starts it again, and holds it against the exchange.
    fn round(&mut self, mut life: Life, number: u32) -> Result<(Life, Round)> {
        let mut round = Round::new(number);
        // A failing round leaves a bot that is down already.
        if life.bot.must_run().is_ok() {
            round.killed = self.until_it_dies(&mut life, &mut round)?;
        }
        self.observe(&mut round)?;
        let fills = self.fills();
        let until = Instant::now() + Duration::from_secs_f64(self.roll() * DOWN_MAX);
        while Instant::now() < until {
            std::thread::sleep(SAMPLE_EVERY.min(until.saturating_duration_since(Instant::now())));
            self.observe(&mut round)?;
        }
        round.missed = self.fills() - fills;
        let (before, mut life) = (self.struck()?, self.begin(number, Start::First)?);
        self.recover(&mut life, &mut round)?;
        round.struck = self.struck_since(&before)?;
        if round.wrong.is_empty() {
            self.until_it_places(&mut life, &mut round)?;
        }
        if round.wrong.is_empty() {
            self.settle(&mut life, &mut round)?;
        }
        if round.wrong.is_empty() {
            self.compare_stored(&mut round)?;
        }
        round.fills = self.fills();
        Ok((life, round))
    }

    fn begin(&mut self, number: u32, start: Start) -> Result<Life> {
        let mut command = Command::new(self.binary);
        command.arg("run").arg("--config").arg(self.out.join("plimsoll.yaml"));
        command.env("PLIMSOLL_BINANCE_API_KEY", KEY).env("PLIMSOLL_BINANCE_API_SECRET", SECRET);
        // What the caller set for a bot of their own is not for this one.
        command.env_remove("PLIMSOLL_STORAGE_URL").env_remove("PLIMSOLL_LOG");
        if let Some(old) = number.checked_sub(LOGS_KEPT) {
            // Not every life has both.
            for start in [Start::First, Start::Again] {
                drop(std::fs::remove_file(self.log(old, start)));
            }
        }
        self.begun = self.counts();
        let began = Instant::now();
        let bot = Program::start(self.watchdog, "the bot", command, &self.log(number, start))?;
        Ok(Life { bot, number, began })
    }

    fn log(&self, number: u32, start: Start) -> PathBuf {
        let again = match start {
            Start::First => "",
            Start::Again => "-again",
        };
        self.out.join(format!("bot-{number:05}{again}.log"))
    }

    /// Waits until books are equal and the bot says that it is in step.
    fn recover(&mut self, life: &mut Life, round: &mut Round) -> Result<()> {
        let mut last = "the bot does not answer".to_owned();
        while life.began.elapsed() < START_MAX {
            if !lives(life, round) {
                return Ok(());
            }
            if let Some(look) = self.look(round)? {
                round.answered.get_or_insert(look.at - life.began);
                if look.is_equal() && look.words.iter().all(Word::is_in_step) {
                    round.recovered = Some(look.at - life.began);
                    round.placed_early |= look.placed() > 0;
                    return Ok(());
                }
                last = match look.is_equal() {
                    false => look.differences.join("; "),
                    true => format!("closed: {:?}", look.words.iter().map(|word| &word.closed).collect::<Vec<_>>()),
                };
            }
            std::thread::sleep(LOOK_EVERY);
        }
        round.wrong.push(format!("books were not in step within {}: {last}", seconds(START_MAX)));
        Ok(())
    }

    /// Waits until every symbol trades and an order was placed.
    fn until_it_places(&mut self, life: &mut Life, round: &mut Round) -> Result<()> {
        let mut last = "the bot does not answer".to_owned();
        while life.began.elapsed() < START_MAX {
            if !lives(life, round) {
                return Ok(());
            }
            if let Some(look) = self.look(round)? {
                if look.placed() > 0 {
                    round.first_order.get_or_insert(look.at - life.began);
                }
                if look.placed() > 0 && look.words.iter().all(Word::trades) {
                    return Ok(());
                }
                last = format!("{:?}", look.words.iter().map(|word| (&word.phase, &word.closed, word.placed)).collect::<Vec<_>>());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        round.wrong.push(format!("it did not trade again within {}: {last}", seconds(START_MAX)));
        Ok(())
    }

    /// Waits until books are seen to be equal while it trades; the orders that it has placed by now are to be among them.
    fn settle(&mut self, life: &mut Life, round: &mut Round) -> Result<()> {
        let (began, before) = (Instant::now(), self.struck()?);
        let mut last = "the bot does not answer".to_owned();
        while began.elapsed() < SETTLE_MAX {
            if !lives(life, round) {
                return Ok(());
            }
            if let Some(look) = self.look(round)? {
                // Of an earlier look, what was placed within the lag need not be known yet.
                if look.is_equal() && look.at >= began + LAG {
                    round.settled = Some(began.elapsed());
                    return Ok(());
                }
                last = look.differences.join("; ");
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let struck = self.struck_since(&before)?.join(" ");
        round.wrong.push(format!("books differ for {} while it trades: {last}; faults since then: {struck}", seconds(SETTLE_MAX)));
        Ok(())
    }

    /// Holds the executions that the bot has stored against the exchange's, one by one.
    fn compare_stored(&mut self, round: &mut Round) -> Result<()> {
        let (exchange, dashboard) = (self.address, self.dashboard);
        for (ours, compared) in self.ours.iter_mut().zip(&mut self.compared) {
            ours.follow(exchange)?;
            let Some(newest) = ours.fresh.keys().next_back().copied() else { continue };
            let began = Instant::now();
            loop {
                let found = match stored(dashboard, ours.symbol, *compared) {
                    Ok(found) => found,
                    Err(error) => {
                        round.wrong.push(format!("{error:#}"));
                        break;
                    }
                };
                // What came after the last question to the exchange is for the next time.
                let found: BTreeMap<_, _> = found.into_iter().filter(|(id, _)| *id <= newest).collect();
                if found == ours.fresh {
                    *compared = newest;
                    ours.fresh.clear();
                    break;
                }
                if began.elapsed() > SETTLE_MAX {
                    let wrong = ours.fresh.iter().filter(|(id, trade)| found.get(*id) != Some(*trade));
                    let wrong: Vec<String> = wrong.map(|(id, trade)| format!("{id}: {trade:?}, stored {:?}", found.get(id))).collect();
                    let extra: Vec<_> = found.keys().filter(|id| !ours.fresh.contains_key(*id)).collect();
                    round.wrong.push(format!(
                        "{}: stored executions differ from the exchange's after {}: {}; stored and unknown there: {extra:?}",
                        ours.symbol,
                        seconds(SETTLE_MAX),
                        wrong.join(", ")
                    ));
                    break;
                }
                std::thread::sleep(SAMPLE_EVERY);
            }
        }
        Ok(())
    }

    /// Lets it trade, or start, until its time has come.
    fn until_it_dies(&mut self, life: &mut Life, round: &mut Round) -> Result<Killed> {
        // An early death comes to a life of its own, so that every round has one to recover from.
        let early = (self.roll() * EARLY_ONE_IN as f64) < 1.0;
        let span = self.options.trading.end - self.options.trading.start;
        let trading = self.options.trading.start + self.roll() * span;
        let until = Instant::now() + Duration::from_secs_f64(trading);
        self.sample(life, until, round)?;
        kill(life)?;
        if !early {
            return Ok(Killed::Trading(trading));
        }
        let starting = self.roll() * EARLY_WITHIN;
        let mut second = self.begin(life.number, Start::Again)?;
        let until = second.began + Duration::from_secs_f64(starting);
        self.sample(&mut second, until, round)?;
        kill(&mut second)?;
        Ok(Killed::Starting(trading, starting))
    }

    /// Looks for orders that are there twice.
    fn sample(&mut self, life: &mut Life, until: Instant, round: &mut Round) -> Result<()> {
        while Instant::now() < until && lives(life, round) {
            self.observe(round)?;
            std::thread::sleep(SAMPLE_EVERY.min(until.saturating_duration_since(Instant::now())));
        }
        Ok(())
    }

    /// Looks at the exchange's executions and open orders; two of a slot at any time are wrong.
    fn observe(&mut self, round: &mut Round) -> Result<()> {
        self.ours.iter_mut().try_for_each(|ours| ours.follow(self.address))?;
        let open = Open::ask(self.address)?;
        self.seen.samples += 1;
        for wrong in open.wrong() {
            if !round.wrong.contains(&wrong) {
                round.wrong.push(wrong);
            }
        }
        self.trace.push(Instant::now(), self.counts(), open);
        Ok(())
    }

    /// Asks the exchange, the bot, and the exchange again; `None` while the bot does not answer.
    fn look(&mut self, round: &mut Round) -> Result<Option<Look>> {
        self.exchange.must_run()?;
        self.observe(round)?;
        let (at, before) = (Instant::now(), self.counts());
        let words: Result<Vec<Word>> = SYMBOLS.iter().map(|(symbol, ..)| Word::ask(self.dashboard, symbol)).collect();
        let Ok(words) = words else { return Ok(None) };
        let positions = SYMBOLS.iter().map(|(symbol, ..)| position(self.address, symbol)).collect::<Result<Vec<i128>>>()?;
        self.observe(round)?;
        let Some(window) = self.trace.window(at) else {
            let differences = vec![format!("nobody looked at the exchange {LAG:?} before the bot was asked")];
            return Ok(Some(Look { at, words, differences }));
        };
        let mut differences = Vec::new();
        for (index, ((symbol, ..), word)) in SYMBOLS.iter().zip(&words).enumerate() {
            let truth = Truth {
                sums: self.ours[index].since(window.fills[index].max(self.begun[index])),
                position: positions[index],
                meanwhile: self.ours[index].since(before[index]),
                throughout: &window.throughout,
                ever: &window.ever,
            };
            differences.extend(word.differences(symbol, &truth));
        }
        Ok(Some(Look { at, words, differences }))
    }

    /// Executions at the exchange as far as they were followed, symbol by symbol.
    fn counts(&self) -> Vec<u64> {
        self.ours.iter().map(Ours::fills).collect()
    }

    fn fills(&self) -> u64 {
        self.counts().iter().sum()
    }

    /// How often each fault has struck so far.
    fn struck(&self) -> Result<BTreeMap<String, u64>> {
        let counts = get_json(self.address, "/fault/counts", &[])?;
        let counts = counts.as_object().context("the counts of faults are an object")?;
        Ok(counts.iter().filter_map(|(name, count)| Some((name.clone(), count.as_u64()?))).collect())
    }

    /// Faults that have struck since then.
    fn struck_since(&self, before: &BTreeMap<String, u64>) -> Result<Vec<String>> {
        Ok(self.struck()?.into_iter().filter(|(name, count)| before.get(name) != Some(count)).map(|(name, _)| name).collect())
    }

    /// A number from 0 to 1, by the seed.
    fn roll(&mut self) -> f64 {
        // Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.dice;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Ends the bot where it stands and puts away everything that shows what went wrong.
    fn keep(&self, life: &mut Life, round: &Round) -> Result<PathBuf> {
        let folder = self.out.join(format!("round-{:05}", round.number));
        std::fs::create_dir_all(&folder)?;
        if life.bot.must_run().is_ok() {
            kill(life)?;
        }
        let evidence = format!("{}\n\n{}\n", round.line(self.options.rounds), round.wrong.join("\n"));
        std::fs::write(folder.join("evidence.txt"), evidence)?;
        let before = round.number.saturating_sub(1);
        let logs =
            [(round.number, Start::First), (before, Start::First), (before, Start::Again)].map(|(number, start)| self.log(number, start));
        for file in logs.into_iter().chain([self.out.join("exchange.log")]) {
            if let Some(name) = file.file_name().filter(|_| file.exists()) {
                std::fs::copy(&file, folder.join(name)).with_context(|| format!("could not keep {}", file.display()))?;
            }
        }
        let mut copy = Command::new("cp");
        copy.arg("-r").args([self.watchdog.folder().join("data"), self.watchdog.folder().join("exchange")]).arg(&folder);
        ensure!(works(copy), "could not keep the data of round {}", round.number);
        println!(
            "round {} FAILED: {}\n  kept in {}: evidence.txt, the log of this life and of the one before, data/ (the bot's), exchange/\n  \
             look: sqlite3 -readonly {}/data/plimsoll.db .tables\n  again: cargo xtask crash --rounds {} --seed {}",
            round.number,
            round.wrong.join("\n  "),
            folder.display(),
            folder.display(),
            round.number,
            self.options.seed
        );
        Ok(folder)
    }

    /// A last comparison, SIGTERM, and what the exchange says then.
    fn end(&mut self, mut life: Life) -> Result<End> {
        let mut round = Round::new(self.options.rounds + 1);
        if life.bot.must_run().is_err() {
            life = self.begin(round.number, Start::First)?;
            self.recover(&mut life, &mut round)?;
        }
        if round.wrong.is_empty() {
            self.settle(&mut life, &mut round)?;
            self.compare_stored(&mut round)?;
        }
        let told: u64 = self.compared.iter().zip(SYMBOLS).try_fold(0, |sum, (newest, (symbol, ..))| {
            let whole = stored(self.dashboard, symbol, 0)?;
            anyhow::Ok(sum + whole.keys().filter(|id| *id <= newest).count() as u64)
        })?;
        let fresh: u64 = self.ours.iter().map(|ours| ours.fresh.len() as u64).sum();
        let fills = self.fills() - fresh;
        life.bot.signal("TERM")?;
        let exit = life.bot.wait(STOP_MAX)?.and_then(|status| status.code());
        let open = Open::ask(self.address)?.0.len();
        let segments = self.replay(&mut round)?;
        Ok(End { wrong: round.wrong, exit, open, fills, stored: told, segments })
    }

    /// Tells the engines of all lives again what they were told; returns how many segments of the journal answer the same.
    fn replay(&self, round: &mut Round) -> Result<usize> {
        let journal = self.watchdog.folder().join("data/journal");
        let output = Command::new(self.binary).arg("replay").arg(&journal).output().context("cannot start the replay")?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let bad: Vec<&str> = text.lines().filter(|line| line.contains("DIFFERENT") || line.contains("DAMAGED")).take(3).collect();
            round.wrong.push(format!("the journal does not replay ({}): {}", output.status, bad.join("; ")));
            let mut copy = Command::new("cp");
            copy.arg("-r").arg(&journal).arg(self.out);
            ensure!(works(copy), "could not keep the journal");
        }
        Ok(text.lines().filter(|line| line.trim() == "identical").count())
    }
}

/// Whether the bot runs; that it does not is wrong.
fn lives(life: &mut Life, round: &mut Round) -> bool {
    match life.bot.must_run() {
        Ok(()) => true,
        Err(error) => {
            round.wrong.push(format!("{error:#}"));
            false
        }
    }
}

/// `kill -9`.
fn kill(life: &mut Life) -> Result<()> {
    if life.bot.must_run().is_ok() {
        life.bot.signal("KILL")?;
    }
    life.bot.wait(STOP_MAX)?.context("a killed process ends")?;
    Ok(())
}

/// The bot's configuration. A short receive window leaves more of the time for trading: after a restart it is waited for.
/// The market is made up and fast, so that neither its falls nor the many cancellations are to stop opening.
fn configuration(data: &Path, exchange: SocketAddr, dashboard: SocketAddr) -> String {
    let mut text = format!(
        "exchange: binance\ndata_dir: {}\non_stop: cancel\nbinance:\n  rest_url: http://{exchange}\n  websocket_url: ws://{exchange}\n  \
         recv_window: 2s\nrisk_control:\n  orders_per_10s: 300\n  max_exposure: 100000\n  max_drawdown_percent: 90\n  enabled: false\n  \
         max_cancels_per_minute: 0\nstorage:\n  \
         flush_interval: 1s\nweb:\n  listen: {dashboard}\nlog:\n  level: info\ntrading:\n  slot_cleanup_interval: 10s\n  symbols:\n",
        data.display()
    );
    for (symbol, interval, quantity) in SYMBOLS {
        text.push_str(&format!("    - {{ symbol: {symbol}, price_interval: {interval}, order_quantity: {quantity} }}\n"));
    }
    text
}
