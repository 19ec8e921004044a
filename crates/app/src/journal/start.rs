//! Puts the journal together: one end for each symbol's loop, and the writer of them all.

use super::record::{Journal, JournalParts};
use super::writer::{Buffer, Chunk, Writer, WriterSeat, folder, segment_bytes};
use crate::config::Config;
use crate::trade::SymbolParts;
use plimsoll_bounded::{Grants, Receiver, Sender, TaskSpec, Tasks, channel};
use plimsoll_gateway::Clock;
use plimsoll_journal::{Head, Settings};
use plimsoll_market::Time;
use plimsoll_monitor::Exporter;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The journals of all symbols before their writer is started.
pub struct Journals(Option<Waiting>);

struct Waiting {
    build: u32,
    segment_bytes: u64,
    out: Sender<Chunk>,
    chunks: Receiver<Chunk>,
    seats: Vec<Option<WriterSeat>>, // tidy: bounded by SYMBOLS_MAX, taken apart at the start
}

impl Journals {
    /// Takes what the plan has for the writer; without a journal nothing.
    ///
    /// # Errors
    /// When it was not planned.
    pub fn new(config: &Config, grants: &mut Grants, symbols: usize) -> anyhow::Result<Self> {
        if !config.journal.enabled {
            return Ok(Self(None));
        }
        let (out, chunks) = channel::<Chunk>(grants.take("journal.chunks")?);
        let segment_bytes = segment_bytes(config.journal.segment_bytes, config.journal.keep_bytes, symbols);
        let mut seats = Vec::new();
        seats.resize_with(symbols, || None);
        Ok(Self(Some(Waiting { build: super::build(), segment_bytes, out, chunks, seats })))
    }

    /// The journal of a symbol.
    ///
    /// # Errors
    /// When it was not planned.
    pub fn symbol(&mut self, parts: &SymbolParts, run: u64, grants: &mut Grants) -> anyhow::Result<Journal> {
        let Some(waiting) = &mut self.0 else { return Ok(Journal::off()) };
        let (spare_in, spare) = channel::<Buffer>(grants.take("journal.buffers")?);
        let failed = Arc::new(AtomicBool::new(false));
        let head = Head {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            build: waiting.build,
            account: parts.recorder.key().account,
            run,
            segment: 0,
            follows: false,
            lost: 0,
            began: Time::ZERO,
            instrument: parts.instrument,
            engine: Settings(parts.engine),
            strategy: parts.strategy,
        };
        let journal = JournalParts {
            head,
            index: parts.index.0,
            out: waiting.out.clone(),
            spare,
            failed: Arc::clone(&failed),
            segment_bytes: waiting.segment_bytes,
        };
        let journal = Journal::new(journal, &spare_in);
        if let Some(seat) = waiting.seats.get_mut(parts.index.usize()) {
            *seat = Some(WriterSeat::new(parts.instrument.symbol, spare_in, failed));
        }
        Ok(journal)
    }

    /// Starts the writer.
    ///
    /// # Errors
    /// When there is no room for its task.
    pub fn start(self, config: &Config, exporter: &Exporter, clock: Clock, tasks: &Tasks) -> anyhow::Result<()> {
        let Some(Waiting { segment_bytes, out, chunks, seats, .. }) = self.0 else { return Ok(()) };
        // It ends with the last loop.
        drop(out);
        let writer = Writer::new(folder(&config.data_dir), seats, config.journal.keep_bytes, segment_bytes, exporter.journal(), clock);
        tasks.spawn(TaskSpec { name: "journal", group: "app" }, |task| Box::pin(writer.run(chunks, task)))?;
        Ok(())
    }
}
