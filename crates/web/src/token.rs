//! The admin token: made once, kept in a file that only its owner reads, compared in constant time.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// Random bytes in a token: 256 bits, beyond guessing.
const TOKEN_BYTES: usize = 32;
/// What tokens begin with, so that scanners and people recognise them.
const PREFIX: &str = "plimsoll_";
/// Shortest token accepted from a file that somebody else wrote.
const TEXT_MIN: usize = 24;
/// Longest token accepted.
const TEXT_MAX: usize = 256;

/// The secret that allows commands over HTTP. Zeroed when dropped; has no `Debug`, `Display` or `Serialize`.
pub struct AdminToken(Zeroizing<String>);

/// Whether a token was there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Made just now: tell the operator once.
    Created,
    /// Read from its file.
    Loaded,
}

/// Why there is no token.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The file or its folder cannot be read or written.
    #[error("cannot {verb} the admin token file {path}")]
    File {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Others than the owner can read it.
    #[error("the admin token file {path} can be read by others (mode {mode:o}): run `chmod 600 {path}`, or delete it to get a new token")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not hold one token.
    #[error(
        "the admin token file {path} does not hold one token of {TEXT_MIN} to {TEXT_MAX} printable characters: delete it to get a new one"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes")]
    Random,
}

impl AdminToken {
    /// Reads the token from its file, or makes one and the file (mode 0600, its folder 0700) when there is none.
    ///
    /// # Errors
    /// Files that cannot be read or written, that others can read, or that hold something else.
    pub fn load_or_create(path: &Path) -> Result<(Self, Origin), TokenError> {
        let fault = |verb: &'static str| move |source| TokenError::File { verb, path: path.to_owned(), source };
        match std::fs::File::open(path) {
            Ok(file) => Self::read(file, path).map(|token| (token, Origin::Loaded)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
                    create_folder(folder).map_err(fault("create the folder of"))?;
                }
                let token = Self::random()?;
                // `create_new`: two processes that start at once never overwrite each other's token.
                let mut file = create_file(path).map_err(fault("create"))?;
                writeln!(file, "{}", token.0.as_str()).and_then(|()| file.sync_all()).map_err(fault("write"))?;
                Ok((token, Origin::Created))
            }
            Err(error) => Err(fault("open")(error)),
        }
    }

    /// Makes a token that is kept nowhere, for tests and examples.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn random() -> Result<Self, TokenError> {
        let mut bytes = Zeroizing::new([0_u8; TOKEN_BYTES]);
        SystemRandom::new().fill(bytes.as_mut_slice()).map_err(|_| TokenError::Random)?;
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 2 * TOKEN_BYTES));
        text.push_str(PREFIX);
        for byte in bytes.iter() {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        Ok(Self(text))
    }

    fn read(file: std::fs::File, path: &Path) -> Result<Self, TokenError> {
        let fault = |source| TokenError::File { verb: "read", path: path.to_owned(), source };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = file.metadata().map_err(fault)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(TokenError::Exposed { path: path.to_owned(), mode });
            }
        }
        let mut raw = Zeroizing::new(Vec::with_capacity(TEXT_MAX + 2));
        file.take(TEXT_MAX as u64 + 2).read_to_end(&mut raw).map_err(fault)?;
        let malformed = || TokenError::Malformed { path: path.to_owned() };
        let text = std::str::from_utf8(&raw).map_err(|_| malformed())?.trim();
        if !(TEXT_MIN..=TEXT_MAX).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(malformed());
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// Shows the secret, for the one line that tells it to the operator and for `ctl`, which sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(unix)]
fn create_file(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create_file(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn create_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_folder(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)
}

/// Tells a right token from a wrong one without keeping it: a keyed digest under a key of this process.
#[derive(Clone)]
pub(crate) struct Verifier {
    key: hmac::Key,
    digest: hmac::Tag,
}

impl Verifier {
    pub(crate) fn new(token: &AdminToken) -> Result<Self, TokenError> {
        let mut key_bytes = [0_u8; 32];
        SystemRandom::new().fill(&mut key_bytes).map_err(|_| TokenError::Random)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key_bytes);
        key_bytes.zeroize();
        let digest = hmac::sign(&key, token.0.as_bytes());
        Ok(Self { key, digest })
    }

    /// Compares in constant time: what leaks is only the digest's, and its key is secret.
    pub(crate) fn accepts(&self, presented: &str) -> bool {
        presented.len() <= TEXT_MAX && hmac::verify(&self.key, presented.as_bytes(), self.digest.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_made_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets/admin.token");
        let (made, origin) = AdminToken::load_or_create(&path).unwrap();
        assert_eq!(origin, Origin::Created);
        assert!(made.reveal().starts_with(PREFIX) && made.reveal().len() == PREFIX.len() + 64);
        let (read, origin) = AdminToken::load_or_create(&path).unwrap();
        assert_eq!((read.reveal(), origin), (made.reveal(), Origin::Loaded));
    }

    #[cfg(unix)]
    #[test]
    fn file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.token");
        AdminToken::load_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = AdminToken::load_or_create(&path).err().unwrap();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn refuses_files_that_hold_no_token() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("empty", String::new()), ("short", "abc".into()), ("long", "x".repeat(300)), ("two", "a".repeat(30) + " b")] {
            let path = folder.path().join(name);
            create_file(&path).unwrap().write_all(text.as_bytes()).unwrap();
            let error = AdminToken::load_or_create(&path).err().unwrap();
            assert!(matches!(error, TokenError::Malformed { .. }), "{name}: {error}");
        }
    }

    #[test]
    fn verifier_tells_right_from_wrong() {
        let token = AdminToken::random().unwrap();
        let verifier = Verifier::new(&token).unwrap();
        assert!(verifier.accepts(token.reveal()));
        let mut wrong = token.reveal().to_owned();
        wrong.pop();
        for wrong in ["", wrong.as_str(), &format!("{}0", token.reveal()), &"x".repeat(10_000)] {
            assert!(!verifier.accepts(wrong));
        }
        assert!(!verifier.accepts(AdminToken::random().unwrap().reveal()));
    }
}
