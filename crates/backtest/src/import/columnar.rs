//! A Parquet file as the rows of a CSV file with a head: one path for both.

use super::ImportError;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Tells the rows as text.
///
/// # Bounds
/// A row's text; the reader keeps a page of each column.
pub(super) struct Rows {
    rows: RowIter<'static>,
    text: String,
    told: usize,
}

impl Rows {
    /// Opens a file.
    ///
    /// # Errors
    /// It is no Parquet file, or its rows are not flat.
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let error = |text: String| ImportError::Read { path: path.to_owned(), text };
        let file = File::open(path).map_err(|e| error(e.to_string()))?;
        let reader = SerializedFileReader::new(file).map_err(|e| error(e.to_string()))?;
        let schema = reader.metadata().file_metadata().schema();
        let fields = schema.get_fields();
        if let Some(nested) = fields.iter().find(|field| field.is_group()) {
            return Err(error(format!("column {} holds more than one value", nested.name())));
        }
        let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
        let text = names.join(",") + "\n";
        Ok(Self { rows: RowIter::from_file_into(Box::new(reader)), text, told: 0 })
    }

    fn next(&mut self) -> std::io::Result<bool> {
        let Some(row) = self.rows.next() else { return Ok(false) };
        let row: Row = row.map_err(std::io::Error::other)?;
        self.text.clear();
        self.told = 0;
        for (at, (_, field)) in row.get_column_iter().enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            put(&mut self.text, field);
        }
        self.text.push('\n');
        Ok(true)
    }
}

impl Read for Rows {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.told == self.text.len() && !self.next()? {
            return Ok(0);
        }
        let rest = self.text.as_bytes().get(self.told..).unwrap_or_default();
        let count = rest.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.told += count;
        Ok(count)
    }
}

/// A value as a CSV file would have it. A decimal loses the zeros behind its last digit: a contract's prices have fewer digits than
/// the column.
fn put(text: &mut String, field: &Field) {
    let begin = text.len();
    let _never = match field {
        Field::Null => Ok(()),
        Field::Str(word) => {
            text.push_str(word);
            Ok(())
        }
        Field::Double(number) => write!(text, "{number}"),
        Field::Float(number) => write!(text, "{number}"),
        Field::TimestampMillis(at) | Field::TimestampMicros(at) => write!(text, "{at}"),
        other => write!(text, "{other}"),
    };
    if matches!(field, Field::Decimal(_)) && text.get(begin..).is_some_and(|number| number.contains('.')) {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len().max(begin + 1));
    }
}
