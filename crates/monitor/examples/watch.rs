//! Watches itself working for a moment and prints what Prometheus would scrape.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use plimsoll_bounded::{Class, Ledger, Line, Ring, Tasks, WhenFull};
use plimsoll_market::{Name, Symbol, Time};
use plimsoll_monitor::{Exporter, ExporterGrants, Ladder, LadderConfig, ManagerConfig, MemoryManager, Sampler, SystemMetrics};

fn main() -> Result<(), Box<dyn Error>> {
    let ledger = Ledger::open(64_000_000);
    let exporter = Exporter::install(ExporterGrants::take(&ledger)?)?;
    let tasks = Tasks::new(ledger.grant(Tasks::line("example.tasks", 8, 4_096))?);
    let history = ledger.grant(Sampler::line("monitor.samples", 16))?;
    let line = Line::of::<u64>("example.window/BTCUSDT", 1_000, WhenFull::DropOldest, Class::LatestWins);
    let mut window = Ring::new(ledger.grant(line)?);
    let ledger = ledger.seal()?;

    let symbol = exporter.symbol(&Name::new("main")?, &Symbol::new("BTCUSDT")?)?;
    let mut sampler = Sampler::new(history, ledger.handle(), [tasks], exporter.clone());
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let config = ManagerConfig { purge_every: minutes(5), cleanup_every: minutes(30), high_memory_bytes: 48_000_000 };
    let (mut manager, mut ladder) = (MemoryManager::new(config), Ladder::new(LadderConfig::default()));
    let mut out = std::io::stdout().lock();
    for _ in 0..3 {
        let end = Instant::now() + Duration::from_millis(100);
        let mut number = 0_u64;
        while Instant::now() < end {
            let began = Instant::now();
            number = number.wrapping_mul(31).wrapping_add(7);
            window.roll(number);
            if window.len() == window.capacity() {
                symbol.decision().record(began.elapsed());
            }
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let sample = sampler.sample(Time::from_millis(now.as_millis() as u64));
        // Both only say what is to be done; whoever asks them does it.
        let duties = manager.due(&sample);
        let rungs: Vec<_> = ladder.look(sample.time, sample.room().as_ref(), sample.stall()).collect();
        exporter.memory(&sample, &manager.figures(), ladder.rung(), None);
        writeln!(out, "{duties:?} {rungs:?} {:?}", SystemMetrics::of(&sample, &manager.figures()))?;
    }
    writeln!(out, "{}", exporter.render())?;
    Ok(())
}
