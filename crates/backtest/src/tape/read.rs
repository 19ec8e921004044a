use super::{BLOCK, BLOCK_HEAD_BYTES, Bar, END, END_BYTES, HEAD_BYTES, KINDS, MAGIC, TapeError, TapeHead, Tick, VERSION, unzigzag};
use crate::limits::{BLOCK_BYTES_MAX, RECORD_BYTES_MAX};
use plimsoll_market::{Bps, Price, Qty, RefPrice, Side, Symbol, Time};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// What a tape holds, without having read it all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Info {
    /// The file.
    pub path: PathBuf,
    /// What it is of.
    pub head: TapeHead,
    /// Time of its first event.
    pub first: Time,
    /// Time of its last event.
    pub last: Time,
    /// Level changes.
    pub levels: u64,
    /// Trades.
    pub trades: u64,
    /// Tops.
    pub tops: u64,
    /// Mark prices.
    pub marks: u64,
    /// Fundings.
    pub fundings: u64,
    /// Candles.
    pub candles: u64,
    /// Size in bytes.
    pub bytes: u64,
}

impl Info {
    /// All events.
    pub const fn events(&self) -> u64 {
        self.levels + self.trades + self.tops + self.marks + self.fundings + self.candles
    }
}

/// Looks at head and end of a tape.
///
/// # Errors
/// It is none, or not whole.
pub fn inspect(path: &Path) -> Result<Info, TapeError> {
    let io = |source| TapeError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    let head = read_head(&mut file, path)?;
    let end = (BLOCK_HEAD_BYTES + END_BYTES) as u64;
    let cut = || TapeError::CutShort { path: path.to_owned(), at: bytes };
    let at = bytes.checked_sub(end).filter(|at| *at >= HEAD_BYTES as u64).ok_or_else(cut)?;
    file.seek(SeekFrom::Start(at)).map_err(io)?;
    let mut last = [0_u8; BLOCK_HEAD_BYTES + END_BYTES];
    file.read_exact(&mut last).map_err(io)?;
    let (block, counts) = last.split_at(BLOCK_HEAD_BYTES);
    if block.get(..4) != Some(&END) {
        return Err(cut());
    }
    if checksum(block, counts) != word(block, 12) {
        return Err(TapeError::Damaged { path: path.to_owned(), at, what: "checksum of the end" });
    }
    let count = |kind: usize| long(counts, kind * 8);
    Ok(Info {
        path: path.to_owned(),
        head,
        first: Time::from_nanos(count(KINDS)),
        last: Time::from_nanos(count(KINDS + 1)),
        levels: count(0) + count(1),
        trades: count(2) + count(3),
        tops: count(4),
        marks: count(5),
        fundings: count(6),
        candles: count(7),
        bytes,
    })
}

fn read_head(file: &mut File, path: &Path) -> Result<TapeHead, TapeError> {
    let foreign = || TapeError::Foreign { path: path.to_owned() };
    let mut head = [0_u8; HEAD_BYTES];
    file.read_exact(&mut head).map_err(|_| foreign())?;
    let version = u16::from_le_bytes([head[8], head[9]]);
    if head[..8] != MAGIC || version != VERSION || crc32fast::hash(&head[..HEAD_BYTES - 4]) != word(&head, HEAD_BYTES - 4) {
        return Err(foreign());
    }
    let name = head[16..48].split(|b| *b == 0).next().unwrap_or_default();
    let symbol = core::str::from_utf8(name).ok().and_then(|name| Symbol::new(name).ok()).ok_or_else(foreign)?;
    Ok(TapeHead { symbol, price_scale: head[10], qty_scale: head[11], candle_secs: word(&head, 12) })
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn checksum(head: &[u8], records: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(head.get(..12).unwrap_or_default());
    crc.update(head.get(16..BLOCK_HEAD_BYTES).unwrap_or_default());
    crc.update(records);
    crc.finalize()
}

/// What the lengths of fields cut out of eight bytes.
const MASKS: [u64; 16] = {
    let mut masks = [u64::MAX; 16];
    let mut at = 0;
    while at < 8 {
        masks[at] = (1 << (8 * at)) - 1;
        at += 1;
    }
    masks
};

/// Reads a tape from its beginning.
///
/// # Bounds
/// One block of memory, whatever the file's length.
pub struct TapeReader {
    file: File,
    path: PathBuf,
    head: TapeHead,
    block: Box<[u8]>,
    /// Where the next record begins, and where the block ends.
    at: usize,
    end: usize,
    left: u32,
    time: u64,
    price: i64,
    mark: i64,
    /// Where the block begins, and the next one.
    block_at: u64,
    next_at: u64,
    over: bool,
}

impl TapeReader {
    /// Opens a tape.
    ///
    /// # Errors
    /// It cannot be opened, or is none.
    pub fn open(path: &Path) -> Result<Self, TapeError> {
        let mut file = File::open(path).map_err(|source| TapeError::Io { path: path.to_owned(), source })?;
        let head = read_head(&mut file, path)?;
        // Fields are read eight bytes at a time: a record that ends with the block looks behind it.
        let block = vec![0; BLOCK_BYTES_MAX + RECORD_BYTES_MAX + 8].into_boxed_slice();
        let start = HEAD_BYTES as u64;
        Ok(Self {
            file,
            path: path.to_owned(),
            head,
            block,
            at: 0,
            end: 0,
            left: 0,
            time: 0,
            price: 0,
            mark: 0,
            block_at: start,
            next_at: start,
            over: false,
        })
    }

    /// What it is of.
    pub const fn head(&self) -> &TapeHead {
        &self.head
    }

    /// Bytes read so far.
    pub const fn position(&self) -> u64 {
        self.next_at
    }

    fn damaged(&self, what: &'static str) -> TapeError {
        TapeError::Damaged { path: self.path.clone(), at: self.block_at, what }
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// The file is damaged or breaks off; what was told before was right.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "it may fail, and an iterator of results would be asked again after that")]
    pub fn next(&mut self) -> Result<Option<(Time, Tick)>, TapeError> {
        if self.left == 0 && !self.next_block()? {
            return Ok(None);
        }
        self.left -= 1;
        let block = &*self.block;
        let head = load(block, self.at) as usize;
        let mut at = self.at + 2;
        let kind = head & 15;
        let more = if kind == 4 || kind == 7 {
            let more = load(block, at) as usize & 0xFFFF;
            at += 2;
            more
        } else {
            0
        };
        let (time_len, price_len, qty_len) = (head >> 4 & 15, head >> 8 & 15, head >> 12 & 15);
        let since = load(block, at) & MASKS[time_len];
        at += time_len;
        let price = load(block, at) & MASKS[price_len];
        at += price_len;
        let qty = load(block, at) & MASKS[qty_len];
        at += qty_len;
        self.time = self.time.saturating_add(since);
        let time = Time::from_nanos(self.time);
        if qty > i64::MAX as u64 {
            return Err(self.damaged("a quantity out of range"));
        }
        let tick = if kind < 4 {
            self.price = self.price.wrapping_add(unzigzag(price));
            if self.price < 0 {
                return Err(self.damaged("a price out of range"));
            }
            let (price, qty) = (Price::from_units(self.price), Qty::from_units(qty));
            let side = if kind & 1 == 0 { Side::Buy } else { Side::Sell };
            if kind < 2 { Tick::Level { side, price, qty } } else { Tick::Trade { taker: side, price, qty } }
        } else {
            let mut field = |shift: usize| {
                let len = more >> shift & 15;
                let value = load(block, at) & MASKS[len];
                at += len;
                value
            };
            match kind {
                4 => {
                    self.price = self.price.wrapping_add(unzigzag(price));
                    let (ask, ask_qty) = (self.price.wrapping_add(field(0) as i64), field(4));
                    if self.price < 0 || ask < 0 || ask_qty > i64::MAX as u64 {
                        return Err(self.damaged("a top out of range"));
                    }
                    let ask = (Price::from_units(ask), Qty::from_units(ask_qty));
                    Tick::Top { bid: (Price::from_units(self.price), Qty::from_units(qty)), ask }
                }
                5 => {
                    self.mark = self.mark.wrapping_add(unzigzag(price));
                    Tick::Mark(RefPrice::from_units(self.mark))
                }
                6 => Tick::Funding(Bps::from_ppm(unzigzag(price) as i32)),
                7 => {
                    self.price = self.price.wrapping_add(unzigzag(price));
                    let high = self.price.wrapping_add(field(0) as i64);
                    let low = self.price.wrapping_sub(field(4) as i64);
                    let close = low.wrapping_add(field(8) as i64);
                    if self.price < 0 || high < 0 || low < 0 || close < 0 {
                        return Err(self.damaged("a candle out of range"));
                    }
                    let [open, high, low, close] = [self.price, high, low, close].map(Price::from_units);
                    Tick::Candle(Bar { open, high, low, close, volume: Qty::from_units(qty) })
                }
                8 => Tick::Reset,
                _ => return Err(self.damaged("a record of an unknown kind")),
            }
        };
        self.at = at;
        if at > self.end {
            return Err(self.damaged("a record that is longer than its block"));
        }
        Ok(Some((time, tick)))
    }

    /// Reads the next block; `false` at the end.
    #[cold]
    fn next_block(&mut self) -> Result<bool, TapeError> {
        if self.over {
            return Ok(false);
        }
        if self.at != self.end {
            return Err(self.damaged("bytes after its last record"));
        }
        self.block_at = self.next_at;
        let mut head = [0_u8; BLOCK_HEAD_BYTES];
        self.fill_from_file(&mut head)?;
        let (len, events) = (word(&head, 4) as usize, word(&head, 8));
        let ends = head[..4] == END;
        if !ends && head[..4] != BLOCK || len > BLOCK_BYTES_MAX || ends && len != END_BYTES {
            return Err(self.damaged("no block begins here"));
        }
        let mut block = core::mem::take(&mut self.block);
        let filled = self.fill_from_file(block.get_mut(..len).unwrap_or_default());
        self.block = block;
        filled?;
        let records = self.block.get(..len).unwrap_or_default();
        if checksum(&head, records) != word(&head, 12) {
            return Err(self.damaged("checksum"));
        }
        if ends {
            self.over = true;
            return Ok(false);
        }
        let first = long(&head, 16);
        if first < self.time {
            return Err(self.damaged("it goes back in time"));
        }
        (self.at, self.end, self.left, self.time, self.price, self.mark) = (0, len, events, first, 0, 0);
        if events == 0 {
            return Err(self.damaged("a block without records"));
        }
        Ok(true)
    }

    fn fill_from_file(&mut self, into: &mut [u8]) -> Result<(), TapeError> {
        match self.file.read_exact(into) {
            Ok(()) => {
                self.next_at += into.len() as u64;
                Ok(())
            }
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(TapeError::CutShort { path: self.path.clone(), at: self.next_at })
            }
            Err(source) => Err(TapeError::Io { path: self.path.clone(), source }),
        }
    }
}

/// Eight bytes from a place; zeros behind the end, which the caller then finds to be past its block.
#[inline]
fn load(block: &[u8], at: usize) -> u64 {
    match block.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => 0,
    }
}
