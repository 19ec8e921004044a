//! Several tapes of one contract as one course of events.

use crate::limits::TAPES_MAX;
use crate::tape::{Info, TapeError, TapeHead, TapeReader, Tick, inspect};
use plimsoll_market::Time;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why tapes cannot be played together.
#[derive(Debug, Error)]
pub enum TimelineError {
    /// There is none.
    #[error("there is no tape to play")]
    Empty,
    /// More than are played together.
    #[error("{0} tapes are more than {TAPES_MAX}; import longer ones")]
    TooMany(usize),
    /// They are not of one contract, or differ in their digits or candles.
    #[error("{path} does not belong to {first}: it is of {found}, with other digits or other candles")]
    Different {
        /// The tape.
        path: PathBuf,
        /// The first one.
        first: PathBuf,
        /// What it is of.
        found: String,
    },
    /// Two tell of the same time.
    #[error("{path} begins at {begins:?}, before {before} ends; what happened would be told twice")]
    Overlap {
        /// The later one.
        path: PathBuf,
        /// The earlier one.
        before: PathBuf,
        /// When it begins.
        begins: Time,
    },
    /// A tape cannot be read.
    #[error(transparent)]
    Tape(#[from] TapeError),
}

/// A tape in its turn.
enum Cursor {
    /// Its first event comes later.
    Waiting(Info),
    /// It is read; the event is its next one.
    Open(Box<TapeReader>, (Time, Tick)),
    Over,
}

impl Cursor {
    fn next_at(&self) -> Time {
        match self {
            Self::Waiting(info) => info.first,
            Self::Open(_, (time, _)) => *time,
            Self::Over => Time::from_nanos(u64::MAX),
        }
    }
}

/// Several tapes as one course of events, in the order of time; of equal times the tape that was given first goes first.
///
/// # Bounds
/// One block for each tape that is being read; tapes are opened when their time has come, and closed at their end.
pub struct Timeline {
    cursors: Vec<Cursor>, // tidy: bounded by TAPES_MAX, checked when it is made
    infos: Vec<Info>,     // tidy: bounded by TAPES_MAX, checked when it is made
    /// The tape that is read, out of `cursors`, until another one is due.
    reader: Option<(usize, Box<TapeReader>)>,
    until: Time,
    done_bytes: u64,
    all_bytes: u64,
}

/// Whether a tape brings what only one source may bring of a time.
fn is_market(info: &Info) -> bool {
    info.levels + info.trades + info.tops + info.candles > 0
}

impl Timeline {
    /// Opens tapes.
    ///
    /// # Errors
    /// They cannot be read, are of several contracts, or tell of the same time.
    pub fn open(paths: &[PathBuf]) -> Result<Self, TimelineError> {
        if paths.len() > TAPES_MAX {
            return Err(TimelineError::TooMany(paths.len()));
        }
        let infos = paths.iter().map(|path| inspect(path)).collect::<Result<Vec<Info>, TapeError>>()?;
        let first = infos.first().ok_or(TimelineError::Empty)?.clone();
        for info in &infos {
            let (a, b) = (&first.head, &info.head);
            let same = (a.symbol, a.price_scale, a.qty_scale) == (b.symbol, b.price_scale, b.qty_scale);
            let candles = infos.iter().find(|i| i.candles > 0).map_or(0, |i| i.head.candle_secs);
            if !same || info.candles > 0 && info.head.candle_secs != candles {
                return Err(TimelineError::Different { path: info.path.clone(), first: first.path, found: b.symbol.to_string() });
            }
        }
        // Trades, levels and tops may come from several files of the same time, but none of them twice.
        let of_kind: [fn(&Info) -> u64; 4] = [|i| i.levels, |i| i.trades, |i| i.tops, |i| i.candles];
        for count in of_kind {
            let mut of: Vec<&Info> = infos.iter().filter(|info| count(info) > 0).collect();
            of.sort_by_key(|info| info.first);
            let overlap = of.windows(2).find_map(|pair| match pair {
                [a, b] if b.first <= a.last => Some((*a, *b)),
                _ => None,
            });
            if let Some((before, info)) = overlap {
                return Err(TimelineError::Overlap { path: info.path.clone(), before: before.path.clone(), begins: info.first });
            }
        }
        let all_bytes = infos.iter().map(|info| info.bytes).sum();
        let cursors = infos.iter().cloned().map(Cursor::Waiting).collect();
        Ok(Self { cursors, infos, reader: None, until: Time::ZERO, done_bytes: 0, all_bytes })
    }

    /// What the tapes hold.
    pub fn infos(&self) -> &[Info] {
        &self.infos
    }

    /// What they are of; candles of the first that has any.
    pub fn head(&self) -> Option<TapeHead> {
        let with_candles = self.infos.iter().find(|info| info.candles > 0);
        with_candles.or(self.infos.first()).map(|info| info.head)
    }

    /// Time of the first and the last event of the market.
    pub fn span(&self) -> Option<(Time, Time)> {
        let market = || self.infos.iter().filter(|info| is_market(info));
        Some((market().map(|i| i.first).min()?, market().map(|i| i.last).max()?))
    }

    /// Bytes read, and bytes there are.
    pub fn progress(&self) -> (u64, u64) {
        (self.done_bytes + self.reader.as_ref().map_or(0, |(_, reader)| reader.position()), self.all_bytes)
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// A tape is damaged; what was told before was right.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "it may fail, and an iterator of results would be asked again after that")]
    pub fn next(&mut self) -> Result<Option<(Time, Tick)>, TimelineError> {
        if let Some((_, reader)) = &mut self.reader
            && let Some((time, tick)) = reader.next()?
        {
            if time < self.until {
                return Ok(Some((time, tick)));
            }
            return Ok(self.switch(Some((time, tick)))?);
        }
        Ok(self.switch(None)?)
    }

    /// Puts the tape that is read back with its next event, and goes on with the one that is due.
    #[cold]
    fn switch(&mut self, pending: Option<(Time, Tick)>) -> Result<Option<(Time, Tick)>, TapeError> {
        if let Some((at, reader)) = self.reader.take()
            && let Some(cursor) = self.cursors.get_mut(at)
        {
            *cursor = match pending {
                Some(event) => Cursor::Open(reader, event),
                None => {
                    self.done_bytes += reader.position();
                    Cursor::Over
                }
            };
        }
        // bounded: each turn opens a tape that was not open, or returns.
        loop {
            let Some((at, _)) = self.cursors.iter().enumerate().min_by_key(|(at, cursor)| (cursor.next_at(), *at)) else { return Ok(None) };
            let Some(cursor) = self.cursors.get_mut(at) else { return Ok(None) };
            match core::mem::replace(cursor, Cursor::Over) {
                Cursor::Over => return Ok(None),
                Cursor::Waiting(info) => {
                    let mut reader = Box::new(TapeReader::open(&info.path)?);
                    if let Some(event) = reader.next()? {
                        *cursor = Cursor::Open(reader, event);
                    } else {
                        self.done_bytes += reader.position();
                    }
                }
                Cursor::Open(reader, event) => {
                    // Of equal times the first tape goes first: who comes before us is due at our time, who comes after only past it.
                    let next = self.cursors.iter().enumerate().map(|(other, cursor)| {
                        let due = cursor.next_at().nanos();
                        if other < at { due } else { due.saturating_add(1) }
                    });
                    self.until = Time::from_nanos(next.min().unwrap_or(u64::MAX));
                    self.reader = Some((at, reader));
                    return Ok(Some(event));
                }
            }
        }
    }
}

/// The tapes in a folder, or the file itself, in the order of their names.
///
/// # Errors
/// The folder cannot be read.
pub fn tapes_in(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut tapes = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == crate::tape::EXTENSION) {
            tapes.push(path);
        }
    }
    tapes.sort();
    Ok(tapes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;
    use crate::tape::{TapeHead, TapeWriter};
    use plimsoll_market::{Bps, Instrument, Price, Qty, Side};

    fn tape(dir: &Path, name: &str, times: &[u64], tick: impl Fn(u64) -> Tick) -> PathBuf {
        let path = dir.join(name);
        let mut writer = TapeWriter::create(&path, &TapeHead::new(&Instrument::example_btcusdt(), 0)).unwrap();
        for ms in times {
            writer.push(Time::from_millis(*ms), &tick(*ms)).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    fn trade(ms: u64) -> Tick {
        Tick::Trade { taker: Side::Buy, price: Price::from_units(ms as i64), qty: Qty::from_units(1) }
    }

    fn level(ms: u64) -> Tick {
        Tick::Level { side: Side::Buy, price: Price::from_units(ms as i64), qty: Qty::from_units(1) }
    }

    #[test]
    fn tapes_become_one_course_of_events() {
        let dir = tempfile::tempdir().unwrap();
        let a = tape(dir.path(), "a.tape", &[1, 2, 5, 5, 9], trade);
        let b = tape(dir.path(), "b.tape", &[2, 5, 6, 12], level);
        let c = tape(dir.path(), "c.tape", &[5], |_| Tick::Funding(Bps::from_ppm(100)));
        let d = tape(dir.path(), "d.tape", &[10, 11], trade);
        let mut timeline = Timeline::open(&[a, b, c, d]).unwrap();
        assert_eq!(timeline.span().unwrap(), (Time::from_millis(1), Time::from_millis(12)));
        let mut seen = String::new();
        while let Some((time, tick)) = timeline.next().unwrap() {
            let kind = match tick {
                Tick::Trade { .. } => 't',
                Tick::Level { .. } => 'l',
                _ => 'f',
            };
            seen.push_str(&format!("{kind}{} ", time.millis()));
        }
        assert_eq!(seen, "t1 t2 l2 t5 t5 l5 f5 l6 t9 t10 t11 l12 ");
        let (done, all) = timeline.progress();
        assert_eq!(done, all);
    }

    #[test]
    fn the_same_time_is_not_told_twice() {
        let dir = tempfile::tempdir().unwrap();
        let a = tape(dir.path(), "a.tape", &[1, 5], trade);
        let b = tape(dir.path(), "b.tape", &[5, 8], trade);
        assert!(matches!(Timeline::open(&[b, a]), Err(TimelineError::Overlap { .. })));
    }
}
