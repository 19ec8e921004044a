//! Recorded days, read line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use plimsoll_market::Symbol;
use tracing::warn;

use crate::error::StartError;
use crate::limits::{RECORDING_LINE_MAX, RECORDING_PROBE_LINES};

/// Bytes read from disk, and unpacked, at once.
const BUFFER_BYTES: usize = 32 * 1024;

/// The lines of one or more files, one after the other; each is opened when its turn comes.
///
/// # Bounds
/// One line of at most [`RECORDING_LINE_MAX`] bytes; a longer one ends its file.
pub(crate) struct Recording {
    /// Those still to be read, the next one last.
    files: Vec<PathBuf>, // tidy: bounded by RECORDINGS_MAX
    reader: Option<Box<dyn BufRead + Send>>,
}

impl Recording {
    pub(crate) fn new(files: &[PathBuf]) -> Self {
        Self { files: files.iter().rev().cloned().collect(), reader: None }
    }
}

impl Iterator for Recording {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        loop {
            if let Some(reader) = &mut self.reader {
                match read_line(reader) {
                    Ok(Some(line)) => return Some(line),
                    Ok(None) => {}
                    Err(error) => warn!(%error, "recording ends early"),
                }
                self.reader = None;
            }
            let path = self.files.pop()?;
            match open(&path) {
                Ok(reader) => self.reader = Some(reader),
                Err(error) => warn!(path = %path.display(), %error, "recording cannot be opened"),
            }
        }
    }
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    let mut file = File::open(path)?;
    let mut magic = [0_u8; 2];
    let read = file.read(&mut magic)?;
    file.rewind()?;
    if read == 2 && magic == [0x1f, 0x8b] {
        let unpacked = MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, file));
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, unpacked)));
    }
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, file)))
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = reader.take(RECORDING_LINE_MAX as u64).read_line(&mut line)?;
    if read == 0 {
        return Ok(None);
    }
    if !line.ends_with('\n') && read == RECORDING_LINE_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long"));
    }
    line.truncate(line.trim_end().len());
    Ok(Some(line))
}

/// Groups recordings by the symbol that their first messages name, in the order given.
///
/// # Errors
/// A file cannot be read or names no symbol.
pub(crate) fn group(paths: &[PathBuf]) -> Result<Vec<(Symbol, Vec<PathBuf>)>, StartError> {
    let mut groups: Vec<(Symbol, Vec<PathBuf>)> = Vec::new();
    for path in paths {
        let symbol = symbol_of(path)?;
        match groups.iter_mut().find(|(known, _)| *known == symbol) {
            Some((_, files)) => files.push(path.clone()),
            None => groups.push((symbol, vec![path.clone()])),
        }
    }
    Ok(groups)
}

fn symbol_of(path: &Path) -> Result<Symbol, StartError> {
    let failed = |source| StartError::Recording { path: path.to_owned(), source };
    let mut reader = open(path).map_err(failed)?;
    for _ in 0..RECORDING_PROBE_LINES {
        let Some(line) = read_line(&mut reader).map_err(failed)? else { break };
        let named = line.split_once("\"s\":\"").and_then(|(_, rest)| rest.split_once('"'));
        if let Some(symbol) = named.and_then(|(name, _)| Symbol::new(name).ok()) {
            return Ok(symbol);
        }
    }
    Err(StartError::RecordingSymbol { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn joins_the_files_of_a_symbol_packed_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("a");
        std::fs::write(&plain, "1 {\"s\":\"BTCUSDT\"}\n2 x\n").unwrap();
        let packed = folder.path().join("b.gz");
        let mut encoder = flate2::write::GzEncoder::new(File::create(&packed).unwrap(), flate2::Compression::fast());
        encoder.write_all(b"3 {\"s\":\"BTCUSDT\"}\n4 y").unwrap();
        encoder.finish().unwrap();
        let groups = group(&[plain, packed]).unwrap();
        let [(symbol, files)] = groups.as_slice() else { panic!("one symbol") };
        assert_eq!(symbol.as_str(), "BTCUSDT");
        let lines: Vec<_> = Recording::new(files).collect();
        assert_eq!(lines, ["1 {\"s\":\"BTCUSDT\"}", "2 x", "3 {\"s\":\"BTCUSDT\"}", "4 y"]);
    }

    #[test]
    fn a_file_without_a_symbol_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "nothing\n").unwrap();
        assert!(matches!(group(std::slice::from_ref(&path)), Err(StartError::RecordingSymbol { .. })));
        assert!(matches!(group(&[folder.path().join("none")]), Err(StartError::Recording { .. })));
    }
}
