use super::{BLOCK, BLOCK_HEAD_BYTES, Bar, END, END_BYTES, HEAD_BYTES, KINDS, MAGIC, TapeError, TapeHead, Tick, VERSION, width, zigzag};
use crate::limits::{BLOCK_BYTES, BLOCK_BYTES_MAX};
use plimsoll_market::Time;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes a tape.
///
/// The file has its name only when it is whole: until then it ends in `.part`, and a writer that is dropped removes it.
///
/// # Bounds
/// One block of memory.
pub struct TapeWriter {
    file: File,
    path: PathBuf,
    part: PathBuf,
    block: Vec<u8>, // tidy: bounded by BLOCK_BYTES_MAX
    events: u32,
    first: u64,
    last: Option<u64>,
    begin: Option<u64>,
    price: i64,
    mark: i64,
    counts: [u64; KINDS],
    bytes: u64,
    whole: bool,
}

impl TapeWriter {
    /// Begins a tape beside its name.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path, head: &TapeHead) -> Result<Self, TapeError> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let error = |source| TapeError::Io { path: part.clone(), source };
        let mut file = File::create(&part).map_err(error)?;
        let mut bytes = [0_u8; HEAD_BYTES];
        let fields: [(&[u8], usize); 6] = [
            (&MAGIC, 0),
            (&VERSION.to_le_bytes(), 8),
            (&[head.price_scale], 10),
            (&[head.qty_scale], 11),
            (&head.candle_secs.to_le_bytes(), 12),
            (head.symbol.as_str().as_bytes(), 16),
        ];
        for (field, at) in fields {
            bytes[at..at + field.len()].copy_from_slice(field);
        }
        let crc = crc32fast::hash(&bytes[..HEAD_BYTES - 4]);
        bytes[HEAD_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        file.write_all(&bytes).map_err(error)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            part,
            block: Vec::with_capacity(BLOCK_BYTES_MAX),
            events: 0,
            first: 0,
            last: None,
            begin: None,
            price: 0,
            mark: 0,
            counts: [0; KINDS],
            bytes: HEAD_BYTES as u64,
            whole: false,
        })
    }

    /// Events written so far.
    pub fn events(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Bytes written so far, without the block that is being filled.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds what happened.
    ///
    /// # Errors
    /// It happened before what was written last, or the disk says no.
    pub fn push(&mut self, time: Time, tick: &Tick) -> Result<(), TapeError> {
        let now = time.nanos();
        if let Some(last) = self.last.filter(|last| now < *last) {
            return Err(TapeError::Backwards { path: self.path.clone(), time, last: Time::from_nanos(last) });
        }
        if self.events == 0 {
            (self.first, self.price, self.mark) = (now, 0, 0);
            self.last = Some(now);
        }
        let since = now - self.last.unwrap_or(now);
        self.last = Some(now);
        self.begin.get_or_insert(now);
        let kind = tick.kind();
        self.counts[kind] += 1;
        self.events += 1;
        let (base, mark) = (self.price, self.mark);
        let mut priced = |price: i64| {
            self.price = price;
            zigzag(price.wrapping_sub(base))
        };
        match *tick {
            Tick::Level { price, qty, .. } | Tick::Trade { price, qty, .. } => {
                let price = priced(price.units());
                self.record(kind, since, price, qty.units(), None);
            }
            Tick::Top { bid, ask } => {
                let price = priced(bid.0.units());
                let more = [ask.0.units().wrapping_sub(bid.0.units()) as u64, ask.1.units(), 0, 0];
                self.record(kind, since, price, bid.1.units(), Some(more));
            }
            Tick::Mark(price) => {
                self.mark = price.units();
                self.record(kind, since, zigzag(price.units().wrapping_sub(mark)), 0, None);
            }
            Tick::Funding(rate) => self.record(kind, since, zigzag(i64::from(rate.ppm())), 0, None),
            Tick::Candle(Bar { open, high, low, close, volume }) => {
                let price = priced(open.units());
                let from = |a: i64, b: i64| a.wrapping_sub(b) as u64;
                let (o, h, l, c) = (open.units(), high.units(), low.units(), close.units());
                self.record(kind, since, price, volume.units(), Some([from(h, o), from(o, l), from(c, l), 0]));
            }
            Tick::Reset => self.record(kind, since, 0, 0, None),
        }
        if self.block.len() >= BLOCK_BYTES { self.flush(BLOCK) } else { Ok(()) }
    }

    fn record(&mut self, kind: usize, time: u64, price: u64, qty: u64, more: Option<[u64; 4]>) {
        let head = kind | width(time) << 4 | width(price) << 8 | width(qty) << 12;
        self.block.extend_from_slice(&(head as u16).to_le_bytes());
        if let Some([a, b, c, d]) = more {
            let head = width(a) | width(b) << 4 | width(c) << 8 | width(d) << 12;
            self.block.extend_from_slice(&(head as u16).to_le_bytes());
        }
        for field in [time, price, qty].into_iter().chain(more.into_iter().flatten()) {
            self.block.extend_from_slice(&field.to_le_bytes()[..width(field)]);
        }
    }

    fn flush(&mut self, magic: [u8; 4]) -> Result<(), TapeError> {
        let mut head = [0_u8; BLOCK_HEAD_BYTES];
        head[0..4].copy_from_slice(&magic);
        // A block is far below 4 GiB.
        head[4..8].copy_from_slice(&(self.block.len() as u32).to_le_bytes());
        head[8..12].copy_from_slice(&self.events.to_le_bytes());
        head[16..24].copy_from_slice(&self.first.to_le_bytes());
        let mut crc = crc32fast::Hasher::new();
        crc.update(&head[..12]);
        crc.update(&head[16..]);
        crc.update(&self.block);
        head[12..16].copy_from_slice(&crc.finalize().to_le_bytes());
        let error = |source| TapeError::Io { path: self.part.clone(), source };
        self.file.write_all(&head).and_then(|()| self.file.write_all(&self.block)).map_err(error)?;
        self.bytes += (head.len() + self.block.len()) as u64;
        self.block.clear();
        self.events = 0;
        Ok(())
    }

    /// Ends the tape and gives it its name; returns its size in bytes.
    ///
    /// # Errors
    /// The disk says no; nothing has the name then.
    pub fn finish(mut self) -> Result<u64, TapeError> {
        if self.events > 0 {
            self.flush(BLOCK)?;
        }
        let times = [self.begin.unwrap_or(0), self.last.unwrap_or(0)];
        self.block.clear();
        for number in self.counts.into_iter().chain(times) {
            self.block.extend_from_slice(&number.to_le_bytes());
        }
        debug_assert_eq!(self.block.len(), END_BYTES, "the end has a fixed size");
        self.flush(END)?;
        let error = |source| TapeError::Io { path: self.part.clone(), source };
        self.file.sync_all().map_err(error)?;
        std::fs::rename(&self.part, &self.path).map_err(error)?;
        self.whole = true;
        Ok(self.bytes)
    }
}

impl Drop for TapeWriter {
    fn drop(&mut self) {
        // Nobody can do anything about a part that cannot be removed; the next import of the name replaces it.
        if !self.whole && std::fs::remove_file(&self.part).is_err() {}
    }
}
