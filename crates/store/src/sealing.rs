//! Values that only this installation can read.
//!
//! A key of 32 bytes seals them with AES-256-GCM. It comes from the environment, from a credential
//! that systemd hands over, or lies in the data directory in a file for its owner alone.

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The environment variable that may hold the key, as hex or base64.
pub const SEALING_KEY_VARIABLE: &str = "GATEWRIGHT_SEALING_KEY";

/// The name of the credential that may hold the key, in systemd's directory of credentials.
pub const SEALING_KEY_CREDENTIAL: &str = "gatewright-sealing-key";

/// The file in the data directory that holds the key otherwise.
pub const SEALING_KEY_FILE: &str = "sealing.key";

/// Length of a key, in bytes.
const KEY_BYTES: usize = 32;

/// Longest text of a key that is read: hex, and white space around it, in bytes.
const TEXT_BYTES_MAX: u64 = 128;

/// What a sealed value begins with: how it was sealed.
const VERSION: u8 = 1;

/// Length of the tag that AES-256-GCM puts at the end, in bytes.
const TAG_BYTES: usize = 16;

/// Sealed by a key to recognise it again.
const CHECK_CONTEXT: &str = "gatewright sealing key check";

/// Where a key may come from.
#[derive(Default)]
pub struct KeySources {
    /// The value of `GATEWRIGHT_SEALING_KEY`.
    pub environment: Option<Zeroizing<String>>,
    /// The value of `CREDENTIALS_DIRECTORY`.
    pub credentials: Option<PathBuf>,
}

impl KeySources {
    /// # Errors
    /// When `GATEWRIGHT_SEALING_KEY` is no text.
    pub fn from_environment() -> Result<Self, SealingKeyError> {
        let environment = match std::env::var_os(SEALING_KEY_VARIABLE).map(OsString::into_string) {
            None => None,
            Some(Ok(text)) => Some(Zeroizing::new(text)),
            Some(Err(_)) => return Err(no_key(SEALING_KEY_VARIABLE.to_owned())),
        };
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Ok(Self {
            environment,
            credentials,
        })
    }
}

impl fmt::Debug for KeySources {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeySources")
            .field("environment", &self.environment.is_some())
            .field("credentials", &self.credentials)
            .finish()
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum SealingKeyError {
    #[error("{place} holds no sealing key: it must be 32 bytes, as 64 digits of hex or as base64")]
    NoKey { place: String },
    #[error("the sealing key {} cannot be read or made: {reason}", file.display())]
    File { file: PathBuf, reason: String },
    #[error(
        "the sealing key {} may be read by others (mode {mode:03o}); \
         if nobody did, make it its owner's alone with chmod 600",
        file.display()
    )]
    Exposed { file: PathBuf, mode: u32 },
    #[error(
        "the data directory was sealed with a key that is missing; restore the file {}, or give \
         the key in {SEALING_KEY_VARIABLE}",
        file.display()
    )]
    Missing { file: PathBuf },
    #[error(
        "the sealing key from {place} is not the one that the data directory was sealed with; \
         restore that key in its place"
    )]
    Other { place: String },
}

/// Why a sealed value does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("the sealed value is too short")]
    TooShort,
    #[error("the sealed value is of version {0}, which this program does not know")]
    Version(u8),
    #[error("the sealed value was altered, or sealed with another key or for another place")]
    Refused,
    #[error("the value cannot be sealed")]
    Unsealable,
}

/// A key of AES-256-GCM. Its bytes are overwritten when it is dropped.
///
/// Nonces are random, so one key must not seal more than 2^32 values (NIST SP 800-38D, 8.3).
pub struct SealingKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    place: String,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealingKey(from {})", self.place)
    }
}

impl SealingKey {
    /// Takes the first that is there of: `GATEWRIGHT_SEALING_KEY`, systemd's credential
    /// `gatewright-sealing-key`, the file `sealing.key` in the data directory. Where none is, that
    /// file is made, with a random key, for its owner alone.
    ///
    /// # Errors
    /// When the one that is there is no key, or is a file that others may read.
    pub fn load_or_create(directory: &Path, sources: &KeySources) -> Result<Self, SealingKeyError> {
        match Self::load(directory, sources)? {
            Some(key) => Ok(key),
            None => Self::create(directory),
        }
    }

    /// As [`SealingKey::load_or_create`], but makes none.
    ///
    /// # Errors
    /// As [`SealingKey::load_or_create`].
    pub fn load(directory: &Path, sources: &KeySources) -> Result<Option<Self>, SealingKeyError> {
        if let Some(text) = &sources.environment {
            return Self::parse(text, SEALING_KEY_VARIABLE.to_owned()).map(Some);
        }
        if let Some(credentials) = &sources.credentials {
            // systemd lets nobody else read it, by means that a mode does not show.
            let file = credentials.join(SEALING_KEY_CREDENTIAL);
            if let Some(opened) = open(&file)? {
                return Self::read(opened, &file).map(Some);
            }
        }
        let file = directory.join(SEALING_KEY_FILE);
        let Some(opened) = open(&file)? else {
            return Ok(None);
        };
        let metadata = opened.metadata().map_err(|error| unusable(&file, &error))?;
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SealingKeyError::Exposed { file, mode });
        }
        Self::read(opened, &file).map(Some)
    }

    fn create(directory: &Path) -> Result<Self, SealingKeyError> {
        let file = directory.join(SEALING_KEY_FILE);
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if aws_lc_rs::rand::fill(bytes.as_mut()).is_err() {
            let reason = "there is no randomness".to_owned();
            return Err(SealingKeyError::File { file, reason });
        }
        let mut text = Zeroizing::new(hex(bytes.as_ref()));
        text.push('\n');
        write_new(&file, text.as_bytes()).map_err(|error| unusable(&file, &error))?;
        Ok(Self {
            bytes,
            place: file.display().to_string(),
        })
    }

    fn read(opened: File, file: &Path) -> Result<Self, SealingKeyError> {
        let mut text = Zeroizing::new(String::with_capacity(TEXT_BYTES_MAX as usize));
        let read = opened.take(TEXT_BYTES_MAX).read_to_string(&mut text);
        match read {
            Ok(_) => Self::parse(&text, file.display().to_string()),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                Err(no_key(file.display().to_string()))
            }
            Err(error) => Err(unusable(file, &error)),
        }
    }

    fn parse(text: &str, place: String) -> Result<Self, SealingKeyError> {
        let text = text.trim();
        let decoded = if text.len() == 2 * KEY_BYTES {
            from_hex(text)
        } else {
            STANDARD.decode(text).ok().map(Zeroizing::new)
        };
        let decoded = decoded.filter(|decoded| decoded.len() == KEY_BYTES);
        let Some(decoded) = decoded else {
            return Err(no_key(place));
        };
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        bytes.copy_from_slice(&decoded);
        Ok(Self { bytes, place })
    }

    /// Seals `plain` so that it opens with the same `context` only: name the place that it is kept
    /// in, so that a sealed value that was moved elsewhere does not open there.
    ///
    /// The sealed value is 29 bytes longer: a version, a nonce, the encrypted bytes, a tag.
    ///
    /// # Errors
    /// [`SealError::Unsealable`] where `plain` is larger than AES-GCM takes: 64 GiB.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.key()?;
        let mut text = Zeroizing::new(Vec::with_capacity(plain.len() + TAG_BYTES));
        text.extend_from_slice(plain);
        let aad = Aad::from(associated(context));
        let nonce = key.seal_in_place_append_tag(aad, &mut *text);
        let nonce = nonce.map_err(|_| SealError::Unsealable)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + text.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// # Errors
    /// When `sealed` was not made by this key with this `context`, byte for byte.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (version, rest) = sealed.split_first().ok_or(SealError::TooShort)?;
        if *version != VERSION {
            return Err(SealError::Version(*version));
        }
        let (nonce, text) = rest
            .split_first_chunk::<NONCE_LEN>()
            .filter(|(_, text)| text.len() >= TAG_BYTES)
            .ok_or(SealError::TooShort)?;
        let mut text = Zeroizing::new(text.to_vec());
        let key = self.key()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aad = Aad::from(associated(context));
        let opened = key.open_in_place(nonce, aad, &mut text);
        let length = opened.map_err(|_| SealError::Refused)?.len();
        text.truncate(length);
        Ok(text)
    }

    /// What a store keeps to recognise the key by; it tells nothing about the key.
    pub(crate) fn check_value(&self) -> Result<Vec<u8>, SealError> {
        self.seal(CHECK_CONTEXT, &[])
    }

    /// Whether this key made `check_value`.
    pub(crate) fn made(&self, check_value: &[u8]) -> Result<(), SealingKeyError> {
        let opened = self.open(CHECK_CONTEXT, check_value);
        opened.map(drop).map_err(|_| SealingKeyError::Other {
            place: self.place.clone(),
        })
    }

    /// The library's key overwrites its own copy.
    fn key(&self) -> Result<RandomizedNonceKey, SealError> {
        RandomizedNonceKey::new(&AES_256_GCM, self.bytes.as_ref())
            .map_err(|_| SealError::Unsealable)
    }
}

/// The version is part of what is protected.
fn associated(context: &str) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(context.as_bytes());
    bytes
}

fn open(file: &Path) -> Result<Option<File>, SealingKeyError> {
    match File::open(file) {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(file, &error)),
    }
}

/// Writes a file that is not there yet so that it is there whole or not at all, also after a power
/// cut: half a key would lock its owner out.
fn write_new(file: &Path, content: &[u8]) -> std::io::Result<()> {
    let beside = file.with_extension("key.new");
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut opened = options.open(&beside)?;
    opened.write_all(content)?;
    opened.sync_all()?;
    crate::files::rename_new(&beside, file)?;
    match file.parent() {
        Some(directory) => crate::files::sync_directory(directory),
        None => Ok(()),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len() + 1);
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(digit.into(), 16));
        }
    }
    text
}

fn from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    let mut digits = text.chars().map(|digit| digit.to_digit(16));
    while let Some(high) = digits.next() {
        let byte = high? * 16 + digits.next()??;
        bytes.push(u8::try_from(byte).ok()?);
    }
    Some(bytes)
}

fn no_key(place: String) -> SealingKeyError {
    SealingKeyError::NoKey { place }
}

fn unusable(file: &Path, error: &std::io::Error) -> SealingKeyError {
    SealingKeyError::File {
        file: file.to_owned(),
        reason: error.to_string(),
    }
}
