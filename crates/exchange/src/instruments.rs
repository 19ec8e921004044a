use crate::limits::INSTRUMENTS_MAX;
use core::fmt;
use plimsoll_bounded::{Class as LineClass, Grant, Line, List, WhenFull};
use plimsoll_market::{Asset, Instrument, Symbol};
use thiserror::Error;

/// A symbol's number within one [`Instruments`] table; stable for the table's life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SymbolIndex(pub u16);

impl SymbolIndex {
    /// The number that [`Instruments::any`] gives every symbol.
    pub const ANY: Self = Self(u16::MAX);

    /// As an index into an array of per-symbol state.
    pub const fn usize(self) -> usize {
        self.0 as usize
    }
}

/// What decoding needs to know of a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scales {
    /// The symbol's number.
    pub index: SymbolIndex,
    /// Digits after the point of prices.
    pub price: u8,
    /// Digits after the point of quantities.
    pub qty: u8,
    /// What realised profit is counted in.
    pub quote: Asset,
}

/// Why an instrument cannot enter the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum InstrumentsError {
    /// No room.
    #[error("table of instruments is full at {capacity}; {symbol} does not fit")]
    Full {
        /// The symbol that was to enter.
        symbol: Symbol,
        /// How many the table holds.
        capacity: usize,
    },
    /// A symbol's scales never change while it is in use.
    #[error("{symbol} would change its scales from {old_price}/{old_qty} to {price}/{qty}")]
    Scales {
        /// The symbol.
        symbol: Symbol,
        /// Digits of prices until now.
        old_price: u8,
        /// Digits of quantities until now.
        old_qty: u8,
        /// Digits of prices to be.
        price: u8,
        /// Digits of quantities to be.
        qty: u8,
    },
    /// The table answers for every symbol and keeps none.
    #[error("a table for any symbol takes no instruments")]
    Any,
}

/// The symbols in use and their rules, found by name or by number.
///
/// # Bounds
/// The grant's capacity, at most [`INSTRUMENTS_MAX`]; symbols are never removed, so numbers stay valid.
pub struct Instruments {
    source: Source,
}

enum Source {
    Listed(List<Entry>),
    Any(Asset),
}

/// The instrument with the place's number, and in the same place the number of the n-th symbol by name.
pub struct Entry {
    instrument: Instrument,
    by_name: u16,
}

impl Instruments {
    /// Declares the table's memory.
    pub const fn line(name: &str, capacity: usize) -> Line<'_> {
        Line::of::<Entry>(name, capacity, WhenFull::Refuse, LineClass::MustKeep)
    }

    /// Makes an empty table.
    ///
    /// # Panics
    /// When the grant's capacity is above [`INSTRUMENTS_MAX`].
    pub fn new(grant: Grant) -> Self {
        assert!(grant.capacity() <= INSTRUMENTS_MAX, "a table of instruments is limited");
        Self { source: Source::Listed(List::new(grant)) }
    }

    /// Makes a table that answers for every symbol with eight digits for prices and quantities: for reading messages
    /// without knowing the exchange's list. Money of a symbol is counted in `quote`.
    pub const fn any(quote: Asset) -> Self {
        Self { source: Source::Any(quote) }
    }

    /// Adds a symbol, or replaces its rules.
    ///
    /// # Errors
    /// No room, or changed scales.
    pub fn put(&mut self, instrument: Instrument) -> Result<SymbolIndex, InstrumentsError> {
        let Source::Listed(list) = &mut self.source else { return Err(InstrumentsError::Any) };
        let symbol = instrument.symbol;
        let at = match search(list.as_slice(), symbol.as_str()) {
            Ok(index) => {
                if let Some(entry) = list.get_mut(index.usize()) {
                    let old = entry.instrument;
                    if (old.price_scale, old.qty_scale) != (instrument.price_scale, instrument.qty_scale) {
                        return Err(InstrumentsError::Scales {
                            symbol,
                            old_price: old.price_scale,
                            old_qty: old.qty_scale,
                            price: instrument.price_scale,
                            qty: instrument.qty_scale,
                        });
                    }
                    entry.instrument = instrument;
                }
                return Ok(index);
            }
            Err(at) => at,
        };
        let index = list.len() as u16;
        let capacity = list.capacity();
        list.push(Entry { instrument, by_name: index }).map_err(|_| InstrumentsError::Full { symbol, capacity })?;
        // Moves the names behind the new one up by a place.
        let entries = list.as_mut_slice();
        for place in (at + 1..entries.len()).rev() {
            entries[place].by_name = entries[place - 1].by_name;
        }
        entries[at].by_name = index;
        Ok(SymbolIndex(index))
    }

    /// Finds what decoding needs of a symbol; `None` for one that is not in use.
    pub fn scales(&self, symbol: &str) -> Option<Scales> {
        match &self.source {
            Source::Any(quote) => Some(Scales { index: SymbolIndex::ANY, price: 8, qty: 8, quote: *quote }),
            Source::Listed(list) => {
                let index = search(list.as_slice(), symbol).ok()?;
                let instrument = &list.get(index.usize())?.instrument;
                Some(Scales { index, price: instrument.price_scale, qty: instrument.qty_scale, quote: instrument.quote })
            }
        }
    }

    /// Finds a symbol's number.
    pub fn index(&self, symbol: &str) -> Option<SymbolIndex> {
        self.scales(symbol).map(|s| s.index)
    }

    /// The rules of a symbol.
    pub fn get(&self, index: SymbolIndex) -> Option<&Instrument> {
        match &self.source {
            Source::Listed(list) => list.get(index.usize()).map(|e| &e.instrument),
            Source::Any(_) => None,
        }
    }

    /// All symbols with their numbers, in order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (SymbolIndex, &Instrument)> {
        let entries = match &self.source {
            Source::Listed(list) => list.as_slice(),
            Source::Any(_) => &[],
        };
        entries.iter().enumerate().map(|(i, e)| (SymbolIndex(i as u16), &e.instrument))
    }

    /// How many symbols there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Instruments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(index, i)| (index.0, i.symbol))).finish()
    }
}

/// The symbol's number, or the place of its name.
fn search(entries: &[Entry], symbol: &str) -> Result<SymbolIndex, usize> {
    let name = |e: &Entry| entries.get(usize::from(e.by_name)).map_or("", |e| e.instrument.symbol.as_str());
    let found = entries.binary_search_by(|e| name(e).cmp(symbol));
    found.map(|at| SymbolIndex(entries[at].by_name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_bounded::Ledger;

    fn named(name: &str) -> Instrument {
        Instrument { symbol: Symbol::new(name).unwrap(), ..Instrument::example_btcusdt() }
    }

    #[test]
    fn finds_by_name_and_number_in_any_order_of_arrival() {
        let ledger = Ledger::open(1 << 20);
        let mut table = Instruments::new(ledger.grant(Instruments::line("test.instruments", 5)).unwrap());
        for (i, name) in ["M", "A", "Z", "B", "N"].into_iter().enumerate() {
            assert_eq!(table.put(named(name)).unwrap(), SymbolIndex(i as u16));
        }
        for (i, name) in ["M", "A", "Z", "B", "N"].into_iter().enumerate() {
            assert_eq!(table.index(name), Some(SymbolIndex(i as u16)), "{name}");
            assert_eq!(table.get(SymbolIndex(i as u16)).unwrap().symbol.as_str(), name);
        }
        assert_eq!(table.index("C"), None);
        assert!(matches!(table.put(named("C")), Err(InstrumentsError::Full { capacity: 5, .. })));
        assert_eq!(table.put(named("Z")), Ok(SymbolIndex(2)));
        let finer = Instrument { qty_scale: 4, ..named("Z") };
        assert!(matches!(table.put(finer), Err(InstrumentsError::Scales { old_qty: 3, qty: 4, .. })));
    }
}
