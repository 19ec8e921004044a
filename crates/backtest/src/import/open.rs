//! Opens a file as what it holds: plain, gzip, Parquet, or the one file of a zip archive.

use super::ImportError;
use super::columnar::Rows;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Calls `with` with the text of a file, streaming.
pub(super) fn open<T>(path: &Path, with: impl FnOnce(&mut dyn Read) -> Result<T, ImportError>) -> Result<T, ImportError> {
    let error = |text: String| ImportError::Read { path: path.to_owned(), text };
    let file = File::open(path).map_err(|e| error(e.to_string()))?;
    let ends = |end: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(end));
    if ends("zip") {
        let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|e| error(e.to_string()))?;
        if archive.len() != 1 {
            return Err(error(format!("{} files are in it; one was expected", archive.len())));
        }
        let mut inside = archive.by_index(0).map_err(|e| error(e.to_string()))?;
        return with(&mut inside);
    }
    if ends("parquet") {
        return with(&mut Rows::open(path)?);
    }
    if ends("gz") {
        return with(&mut flate2::read::MultiGzDecoder::new(BufReader::new(file)));
    }
    with(&mut BufReader::new(file))
}

/// A plain or gzipped file that owns itself.
pub(super) fn own(path: &Path) -> Result<Box<dyn Read + Send>, ImportError> {
    let file = File::open(path).map_err(|e| ImportError::Read { path: path.to_owned(), text: e.to_string() })?;
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz")) {
        return Ok(Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file))));
    }
    Ok(Box::new(file))
}

/// The file's name in lower case.
pub(super) fn bare_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}
