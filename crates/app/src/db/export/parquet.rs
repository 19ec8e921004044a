//! Parquet with exact types: decimals, times with a zone, and unsigned numbers.

use super::Lines;
use super::columns::{Cell, Column, Kind, MONEY_DIGITS, PRICE_DIGITS};
use anyhow::Context;
use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use plimsoll_market::{Round, rescale};
use std::fs::File;
use std::sync::Arc;

/// Rows that are kept until they are written together: 20 columns of 50 B make 10 MB, and the writer's own copy as much again.
const GROUP: usize = 10_000;

/// Writes groups of rows.
pub struct Parquet {
    out: SerializedFileWriter<File>,
    columns: &'static [Column],
    /// The rows of the group that is being filled, a list for each column.
    group: Vec<Vec<Cell>>, // tidy: bounded by GROUP rows
    rows: usize,
}

impl Parquet {
    /// Begins a file.
    pub fn new(file: File, columns: &'static [Column]) -> anyhow::Result<Self> {
        let mut text = String::from("message plimsoll {\n");
        for Column { name, kind, .. } in columns {
            let kind = match kind {
                Kind::Text => format!("byte_array {name} (STRING)"),
                Kind::Price => format!("fixed_len_byte_array(16) {name} (DECIMAL(38,{PRICE_DIGITS}))"),
                Kind::Money => format!("fixed_len_byte_array(16) {name} (DECIMAL(38,{MONEY_DIGITS}))"),
                Kind::Time => format!("int64 {name} (TIMESTAMP(NANOS,true))"),
                Kind::Number => format!("int64 {name} (INTEGER(64,false))"),
                Kind::Signed => format!("int64 {name} (INTEGER(64,true))"),
                Kind::Flag => format!("boolean {name}"),
            };
            text.push_str(&format!("  optional {kind};\n"));
        }
        text.push('}');
        let schema = Arc::new(parse_message_type(&text).context("the schema of the file")?);
        let by = format!("plimsoll {}", env!("CARGO_PKG_VERSION"));
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).set_created_by(by).build();
        let out = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
        Ok(Self { out, columns, group: columns.iter().map(|_| Vec::with_capacity(GROUP)).collect(), rows: 0 })
    }

    fn write(&mut self) -> anyhow::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.out.next_row_group()?;
        for (cells, column) in self.group.iter_mut().zip(self.columns) {
            match column.kind {
                Kind::Text => put::<ByteArrayType>(&mut group, cells, |cell| match cell {
                    Cell::Text(text) => Some(Ok(ByteArray::from(text.into_bytes()))),
                    _ => None,
                }),
                Kind::Price => put::<FixedLenByteArrayType>(&mut group, cells, |cell| decimal(&cell, PRICE_DIGITS)),
                Kind::Money => put::<FixedLenByteArrayType>(&mut group, cells, |cell| decimal(&cell, MONEY_DIGITS)),
                Kind::Time => put::<Int64Type>(&mut group, cells, |cell| match cell {
                    Cell::Time(time) => Some(i64::try_from(time.nanos()).context("a time after the year 2262")),
                    _ => None,
                }),
                Kind::Number => put::<Int64Type>(&mut group, cells, |cell| match cell {
                    Cell::Number(number) => Some(Ok(number.cast_signed())),
                    _ => None,
                }),
                Kind::Signed => put::<Int64Type>(&mut group, cells, |cell| match cell {
                    Cell::Signed(number) => Some(Ok(number)),
                    _ => None,
                }),
                Kind::Flag => put::<BoolType>(&mut group, cells, |cell| match cell {
                    Cell::Flag(flag) => Some(Ok(flag)),
                    _ => None,
                }),
            }?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Lines for Parquet {
    fn row(&mut self, cells: &[Cell]) -> anyhow::Result<()> {
        for (column, cell) in self.group.iter_mut().zip(cells) {
            column.push(cell.clone());
        }
        self.rows += 1;
        if self.rows == GROUP { self.write() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> anyhow::Result<File> {
        self.write()?;
        Ok(self.out.into_inner()?)
    }
}

/// Writes a column of a group, and empties its list.
fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    cells: &mut Vec<Cell>,
    value: impl Fn(Cell) -> Option<anyhow::Result<T::T>>,
) -> anyhow::Result<()> {
    let mut there = Vec::with_capacity(cells.len());
    let mut values = Vec::with_capacity(cells.len());
    for cell in cells.drain(..) {
        let value = value(cell).transpose()?;
        there.push(i16::from(value.is_some()));
        values.extend(value);
    }
    let mut column = group.next_column()?.context("more columns than the schema has")?;
    column.typed::<T>().write_batch(&values, Some(&there), None)?;
    Ok(column.close()?)
}

fn decimal(cell: &Cell, digits: u8) -> Option<anyhow::Result<FixedLenByteArray>> {
    let Cell::Decimal(units, scale) = cell else { return None };
    // A value can have more digits than its column: price and quantity of twelve each. No contract we know is near that.
    let units = rescale(*units, *scale, digits, Round::Nearest).context("a number with more than 38 digits");
    Some(units.map(|units| FixedLenByteArray::from(units.to_be_bytes().to_vec())))
}
