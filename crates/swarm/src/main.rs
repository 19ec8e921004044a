//! `cargo xtask swarm`: lives many worlds, shows how far it is, and prints how to live a failing one again.

#![allow(clippy::print_stdout, reason = "a command line prints")]

use anyhow::ensure;
use clap::Parser;
use plimsoll_position::invariants::{Broken, Invariant};
use plimsoll_swarm::{Fault, Options, Outcome, run, shrink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_secs(5);
/// Lines of a failing world that are printed.
const TAIL: usize = 60;

/// The trading stack against the local exchange, in worlds where everything goes wrong.
#[derive(Debug, Parser)]
#[command(name = "swarm")]
struct Args {
    /// Lives this one world and shows it; the same seed is the same world.
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,
    /// How many worlds are lived.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// Seed of the first; without it they begin at a number made of the clock, so that each run lives fresh ones.
    #[arg(long)]
    first: Option<u64>,
    /// Minutes of trouble in each world.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Threads; without it as many as there are processors.
    #[arg(long)]
    threads: Option<usize>,
    /// Stops at the first world that fails, and shows only its seed.
    #[arg(long)]
    stop_at_first: bool,
    /// Makes the failing world smaller.
    #[arg(long)]
    shrink: bool,
    /// Turns a fault on, off or to a rate in each world: NAME=RATE, a probability.
    #[arg(long, value_name = "NAME=RATE")]
    fault: Vec<String>, // tidy: bounded by the command line
    /// Prints the whole of what is kept of a world's last happenings.
    #[arg(long)]
    trace: bool,
}

impl Args {
    fn options(&self, seed: u64) -> anyhow::Result<Options> {
        ensure!((0.05..=600.0).contains(&self.minutes), "--minutes {} is not allowed; allowed: 0.05 to 600", self.minutes);
        let mut options = Options::draw(seed, Duration::from_secs_f64(self.minutes * 60.0));
        for text in &self.fault {
            let (name, rate) = text.split_once('=').unwrap_or((text, ""));
            let known = || Fault::ALL.map(|(_, word, _)| word).join(", ");
            let rate: f64 = rate
                .parse()
                .ok()
                .filter(|rate| (0.0..=1.0).contains(rate))
                .ok_or_else(|| anyhow::anyhow!("--fault {text}: a rate from 0 to 1 is wanted, as in {name}=0.01"))?;
            if name == "all" {
                Fault::ALL.iter().for_each(|(fault, ..)| options = options.with(*fault, (rate * 1e6) as u32));
                continue;
            }
            let fault = Fault::parse(name).ok_or_else(|| anyhow::anyhow!("--fault {name} is not known; known: {}, all", known()))?;
            options = options.with(fault, (rate * 1e6) as u32);
        }
        Ok(options)
    }
}

/// Lives a world; a panic of the code under test is a breach like others.
fn live(options: &Options, trace: bool) -> anyhow::Result<Result<Outcome, String>> {
    match catch_unwind(AssertUnwindSafe(|| run(options, trace))) {
        Ok(outcome) => outcome.map(Ok),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Ok(Err(text.unwrap_or_else(|| "a panic without words".to_owned())))
        }
    }
}

fn fails(options: &Options) -> Option<Invariant> {
    match live(options, false) {
        Ok(Ok(outcome)) => outcome.broken.map(|Broken { invariant, .. }| invariant),
        // A panic is shrunk as what it most likely breaks.
        Ok(Err(_)) => Some(Invariant::Heals),
        Err(_) => None,
    }
}

/// Shows a world that fails, and how to live it again.
fn show(args: &Args, options: &Options) -> anyhow::Result<()> {
    println!("{options}");
    let options = if args.shrink { shrink(options, fails, |smaller| println!("  still fails: {smaller}")) } else { options.clone() };
    match live(&options, true)? {
        Ok(outcome) => {
            let skip = if args.trace { 0 } else { outcome.trace.len().saturating_sub(TAIL) };
            outcome.trace.iter().skip(skip).for_each(|line| println!("  {line}"));
            match &outcome.broken {
                Some(broken) => println!("broken: {broken}"),
                None => println!("nothing is broken"),
            }
            println!(
                "{} steps in {} s of made-up time, {} fills, {} crashes, digest {:016x}",
                outcome.events,
                outcome.passed.as_secs(),
                outcome.fills,
                outcome.crashes,
                outcome.digest
            );
        }
        Err(panic) => println!("panic: {panic}"),
    }
    println!("again: cargo xtask swarm --seed {} --minutes {} --shrink", options.seed, args.minutes);
    Ok(())
}

/// What all worlds together came to.
#[derive(Default)]
struct Sum {
    worlds: u64,
    events: u64,
    seconds: u64,
    fills: u64,
    crashes: u64,
    faults: Vec<u64>,           // tidy: bounded by the kinds of faults
    failed: Vec<(u64, String)>, // tidy: bounded by the worlds asked for
}

fn many(args: &Args, first: u64) -> anyhow::Result<Sum> {
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    let (next, ended) = (AtomicU64::new(first), AtomicBool::new(false));
    let sum = Mutex::new(Sum { faults: vec![0; Fault::ALL.len()], ..Sum::default() });
    let begun = Instant::now();
    println!("{} worlds from seed {first}, {} minutes of trouble each, {threads} threads", args.seeds, args.minutes);
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| -> anyhow::Result<()> {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= first + args.seeds || ended.load(Ordering::Relaxed) {
                            return Ok(());
                        }
                        let lived = live(&args.options(seed)?, false)?;
                        let mut sum = sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        sum.worlds += 1;
                        let failed = lived.as_ref().map_or(true, |outcome| outcome.broken.is_some());
                        ended.fetch_or(failed && args.stop_at_first, Ordering::Relaxed);
                        match lived {
                            Ok(outcome) => {
                                sum.events += outcome.events;
                                sum.seconds += outcome.passed.as_secs();
                                sum.fills += outcome.fills;
                                sum.crashes += outcome.crashes;
                                for (all, one) in sum.faults.iter_mut().zip(outcome.faults) {
                                    *all += one;
                                }
                                if let Some(broken) = outcome.broken {
                                    println!("seed {seed}: {broken}");
                                    sum.failed.push((seed, broken.to_string()));
                                }
                            }
                            Err(panic) => {
                                println!("seed {seed}: panic: {panic}");
                                sum.failed.push((seed, panic));
                            }
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let mut shown = Instant::now();
            while !ended.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(100));
                if shown.elapsed() >= SHOW_EVERY {
                    shown = Instant::now();
                    let sum = sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    let rate = sum.events as f64 / begun.elapsed().as_secs_f64() / threads as f64;
                    println!(
                        "{} of {} worlds, {} failed, {} fills, {} crashes, {rate:.0} steps a second and thread",
                        sum.worlds,
                        args.seeds,
                        sum.failed.len(),
                        sum.fills,
                        sum.crashes
                    );
                }
            }
        });
        let results: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        ended.store(true, Ordering::Relaxed);
        for result in results {
            result.map_err(|_| anyhow::anyhow!("a thread of the simulation panicked"))??;
        }
        Ok(())
    })?;
    let sum = sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{} worlds: {} s of made-up time in {took:.0} s, {} steps ({:.0} a second and thread), {} fills, {} crashes",
        sum.worlds,
        sum.seconds,
        sum.events,
        sum.events as f64 / took / threads as f64,
        sum.fills,
        sum.crashes
    );
    let faults: Vec<String> = Fault::ALL.iter().zip(&sum.faults).map(|((_, word, _), count)| format!("{word} {count}")).collect();
    println!("faults: {}", faults.join(", "));
    Ok(sum)
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    if let Some(seed) = args.seed {
        let options = args.options(seed)?;
        let failed = fails(&options).is_some();
        show(&args, &options)?;
        return Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let first = args.first.unwrap_or(now.as_secs() * 1_000);
    let sum = many(&args, first)?;
    // Fresh worlds in which nothing happens would prove nothing.
    ensure!(
        sum.worlds < 20 || (sum.fills > sum.worlds && sum.crashes > 0),
        "too little happened: {} fills, {} crashes",
        sum.fills,
        sum.crashes
    );
    let Some((seed, _)) = sum.failed.first() else { return Ok(ExitCode::SUCCESS) };
    if args.stop_at_first {
        return Ok(ExitCode::FAILURE);
    }
    println!("{} of {} worlds failed; the first:", sum.failed.len(), sum.worlds);
    show(&args, &args.options(*seed)?)?;
    Ok(ExitCode::FAILURE)
}
