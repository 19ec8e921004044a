//! Keys of the exchange: from the environment or from files, never from the configuration.

use crate::config::SecretSource;
use std::path::PathBuf;
use thiserror::Error;

/// A file of a key longer than this holds something else.
const SECRET_BYTES_MAX: u64 = 4_096;

/// Why there is no key.
#[derive(Debug, Error)]
pub enum SecretError {
    /// Neither variable nor file.
    #[error("there is no {what}: set the environment variable {env}, or name a file in the configuration")]
    Missing {
        /// Which.
        what: &'static str,
        /// Variable.
        env: String,
    },
    /// The file cannot be read.
    #[error("cannot read the {what} from {path}")]
    Read {
        /// Which.
        what: &'static str,
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not one word of printable characters.
    #[error("the {what} from {from} is not one word of printable characters")]
    Malformed {
        /// Which.
        what: &'static str,
        /// Variable or file.
        from: String,
    },
}

/// Reads a secret: the variable first, then the file.
///
/// # Errors
/// Neither is there, or it is not one word.
pub fn read(what: &'static str, source: &SecretSource) -> Result<String, SecretError> {
    let (text, from) = match (std::env::var(&source.env), &source.file) {
        (Ok(text), _) => (text, source.env.clone()),
        (Err(_), Some(path)) => {
            let fault = |source| SecretError::Read { what, path: path.clone(), source };
            let size = std::fs::metadata(path).map_err(fault)?.len();
            if size > SECRET_BYTES_MAX {
                return Err(SecretError::Malformed { what, from: path.display().to_string() });
            }
            (std::fs::read_to_string(path).map_err(fault)?, path.display().to_string())
        }
        (Err(_), None) => return Err(SecretError::Missing { what, env: source.env.clone() }),
    };
    let word = text.trim();
    if word.is_empty() || !word.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(SecretError::Malformed { what, from });
    }
    crate::log::hide(word);
    Ok(word.to_owned())
}
