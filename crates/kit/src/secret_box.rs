//! Secrets at rest: authenticated encryption under keys that can be rotated.
//!
//! Every record is sealed with AES-256-GCM-SIV under a key and nonce of its own, derived by HKDF-SHA256 from the master key and a
//! random salt of 192 bits. A derived key costs about a microsecond, needs no second ciphertext, and like a wrapped random
//! key it is never used twice. Table, column and id of the row are authenticated, so a value that is moved to another row does
//! not open there.
//!
//! Layout: version (1 byte, 1) · length of the key id (1) · key id · salt (24) · ciphertext with its tag (16 more than the
//! plaintext). The layout is authenticated as well.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::Sha256;
use zeroize::Zeroizing;

pub(crate) const VERSION: u8 = 1;
const SALT_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const KEY_ID_BYTES_MAX: usize = 32;
/// Longest beginning that names the key: see [`key_id`].
pub(crate) const HEAD_BYTES_MAX: usize = 2 + KEY_ID_BYTES_MAX;
const EXTRACT_SALT: &[u8] = b"kit.secret_box.v1";

/// Where a sealed value lives. Opening it elsewhere fails. Only a [`SealedColumn`](crate::sealed::SealedColumn) gives places, so
/// that nothing is sealed which a rotation would not find again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Table name.
    pub(crate) table: &'a str,
    /// Column name.
    pub(crate) column: &'a str,
    /// The row within its table, as text.
    pub(crate) id: Cow<'a, str>,
}

/// Why sealed bytes do not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not our layout, or of a version that this build does not know.
    #[error("sealed value is malformed")]
    Malformed,
    /// Sealed under a key that is not in the keyring.
    #[error("sealed value needs key {key_id:?}, which the keyring does not hold")]
    UnknownKey {
        /// The key that is missing.
        key_id: String,
    },
    /// Changed, moved to another place, or sealed under another key of the same id.
    #[error("sealed value does not authenticate")]
    Tampered,
}

/// Why a keyring cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file cannot be read or written.
    #[error("accessing key file {path}")]
    File {
        /// Which one.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// There is no key at all.
    #[error("the keyring is empty; it needs lines of the form <key-id>:<base64 of 32 bytes>")]
    Empty,
    /// An entry has the wrong form. The entry itself is not shown, it may be a key.
    #[error("entry {number} of the keyring is not usable: {reason}")]
    Entry {
        /// Counted from one, blank lines and comments left out.
        number: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// The system has no randomness to give.
    #[error("the system's random source failed")]
    Random,
}

struct MasterKey {
    id: String,
    /// Output of HKDF-Extract over the configured key.
    prk: Zeroizing<[u8; 32]>,
}

/// The master keys, current one first.
#[derive(Clone)]
pub struct Keyring {
    keys: Arc<[MasterKey]>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("key_ids", &self.key_ids().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Reads a text of entries `<key-id>:<base64 of 32 bytes>`, one a line; the first is current, the others only open. In an
    /// environment variable entries may also be separated by commas. Blank lines and lines beginning with `#` are skipped.
    ///
    /// # Errors
    /// See [`KeyringError`].
    pub fn from_env_text(text: &str) -> Result<Self, KeyringError> {
        let entries = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        let mut keys: Vec<MasterKey> = Vec::new();
        for (index, entry) in entries.enumerate() {
            let wrong = |reason| KeyringError::Entry { number: index + 1, reason };
            let (id, encoded) = entry.split_once(':').ok_or_else(|| wrong("the colon is missing"))?;
            let id_is_plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
            if id.is_empty() || id.len() > KEY_ID_BYTES_MAX || !id_is_plain {
                return Err(wrong("the key id must be 1 to 32 of A-Z a-z 0-9 - _ ."));
            }
            if keys.iter().any(|key| key.id == id) {
                return Err(wrong("the key id is used twice"));
            }
            let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| wrong("the key is not base64"))?);
            if bytes.len() != 32 {
                return Err(wrong("the key must be 32 bytes"));
            }
            let (prk, _) = Hkdf::<Sha256>::extract(Some(EXTRACT_SALT), &bytes);
            keys.push(MasterKey { id: id.to_owned(), prk: Zeroizing::new(prk.into()) });
        }
        if keys.is_empty() {
            return Err(KeyringError::Empty);
        }
        Ok(Self { keys: keys.into() })
    }

    /// Reads the same text from a file.
    ///
    /// # Errors
    /// See [`KeyringError`].
    pub fn from_file(path: &Path) -> Result<Self, KeyringError> {
        Self::from_env_text(&read(path)?)
    }

    /// Makes a key file with one random key, readable by its owner only. An existing file is never overwritten: its loss
    /// would be the loss of everything sealed.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn generate_file(path: &Path) -> Result<Self, KeyringError> {
        let text = random_entry()?;
        write_new(path, &text).map_err(|source| KeyringError::File { path: path.to_owned(), source })?;
        Self::from_env_text(&text)
    }

    /// Puts a new random key on top of a key file and keeps the old ones for opening. Readers see the old file or the new.
    ///
    /// # Errors
    /// When the file cannot be read, is not a keyring, or cannot be replaced.
    pub fn rotate_file(path: &Path) -> Result<Self, KeyringError> {
        let old = read(path)?;
        Self::from_env_text(&old)?;
        let text = Zeroizing::new(format!("{}{}", *random_entry()?, *old));
        let next = path.with_extension("next");
        let replaced = write_new(&next, &text).and_then(|()| fs::rename(&next, path)).and_then(|()| {
            match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                Some(parent) => fs::File::open(parent)?.sync_all(),
                None => Ok(()),
            }
        });
        replaced.map_err(|source| KeyringError::File { path: path.to_owned(), source })?;
        Self::from_env_text(&text)
    }

    /// Ids of the keys, current one first.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    fn current(&self) -> &MasterKey {
        &self.keys[0]
    }
}

/// Seals and opens; see the module's description. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SecretBox {
    keyring: Keyring,
}

impl SecretBox {
    /// A box over a keyring.
    pub fn new(keyring: Keyring) -> Self {
        Self { keyring }
    }

    /// Its keys.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Seals `plaintext` for `place` under the current key.
    pub fn seal(&self, place: Place<'_>, plaintext: &[u8]) -> Vec<u8> {
        let key = self.keyring.current();
        let mut sealed = Vec::with_capacity(HEAD_BYTES_MAX + SALT_BYTES + plaintext.len() + TAG_BYTES);
        sealed.extend_from_slice(&self.current_head());
        let mut salt = [0; SALT_BYTES];
        OsRng.try_fill_bytes(&mut salt).expect("Linux gives randomness once it has booted");
        sealed.extend_from_slice(&salt);

        let (cipher, nonce) = record_cipher(key, &salt);
        let associated = associated_data(place, &sealed);
        let ciphertext = cipher
            .encrypt(&nonce, Payload { msg: plaintext, aad: &associated })
            .expect("the plaintext is far below the cipher's limit of 64 GiB");
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// Opens what was sealed for `place`, under any key of the keyring.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let parts = Parts::read(sealed)?;
        let key = self
            .keyring
            .keys
            .iter()
            .find(|key| key.id == parts.key_id)
            .ok_or_else(|| OpenError::UnknownKey { key_id: parts.key_id.to_owned() })?;
        let (cipher, nonce) = record_cipher(key, parts.salt);
        let associated = associated_data(place, parts.head);
        cipher
            .decrypt(&nonce, Payload { msg: parts.ciphertext, aad: &associated })
            .map(Zeroizing::new)
            .map_err(|_| OpenError::Tampered)
    }

    /// What every value begins with that is sealed under the current key: [`VERSION`], length of the key id, key id.
    pub(crate) fn current_head(&self) -> Vec<u8> {
        let id = self.keyring.current().id.as_bytes();
        let length = u8::try_from(id.len()).expect("key ids are at most 32 bytes");
        [&[VERSION, length], id].concat()
    }

    /// Whether the value is sealed under another key than the current one. Malformed bytes need no rotation but an alarm, which
    /// [`SecretBox::open`] gives.
    pub fn needs_rotation(&self, sealed: &[u8]) -> bool {
        Parts::read(sealed).is_ok_and(|parts| parts.key_id != self.keyring.current().id)
    }

    /// Seals again under the current key.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn reseal(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let opened = self.open(place.clone(), sealed)?;
        Ok(self.seal(place, &opened))
    }
}

/// The id of the key under which something is sealed, read from its first [`HEAD_BYTES_MAX`] bytes or more; `None` if it does not
/// begin as sealed values do.
pub(crate) fn key_id(head: &[u8]) -> Option<&str> {
    let [VERSION, length, rest @ ..] = head else { return None };
    let length = usize::from(*length);
    if length == 0 || length > KEY_ID_BYTES_MAX {
        return None;
    }
    std::str::from_utf8(rest.get(..length)?).ok()
}

struct Parts<'a> {
    head: &'a [u8],
    key_id: &'a str,
    salt: &'a [u8],
    ciphertext: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(sealed: &'a [u8]) -> Result<Self, OpenError> {
        let [VERSION, id_length, rest @ ..] = sealed else {
            return Err(OpenError::Malformed);
        };
        let id_length = usize::from(*id_length);
        if id_length == 0 || id_length > KEY_ID_BYTES_MAX || rest.len() < id_length + SALT_BYTES + TAG_BYTES {
            return Err(OpenError::Malformed);
        }
        let (head, ciphertext) = sealed.split_at(2 + id_length + SALT_BYTES);
        let key_id = std::str::from_utf8(&head[2..2 + id_length]).map_err(|_| OpenError::Malformed)?;
        Ok(Self { head, key_id, salt: &head[2 + id_length..], ciphertext })
    }
}

fn record_cipher(key: &MasterKey, salt: &[u8]) -> (Aes256GcmSiv, Nonce) {
    let mut material = Zeroizing::new([0; 44]);
    Hkdf::<Sha256>::from_prk(&*key.prk)
        .expect("the key is as long as the hash")
        .expand(salt, &mut *material)
        .expect("44 bytes are below the limit of HKDF");
    let (record_key, nonce) = material.split_at(32);
    let cipher = Aes256GcmSiv::new_from_slice(record_key).expect("the key is 32 bytes");
    (cipher, Nonce::try_from(nonce).expect("the nonce is 12 bytes"))
}

/// Each part with its length before it, so that no two places look the same.
fn associated_data(place: Place<'_>, head: &[u8]) -> Vec<u8> {
    let parts = [place.table.as_bytes(), place.column.as_bytes(), place.id.as_bytes(), head];
    let mut data = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
    for part in parts {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}

/// One line of a key file. The id is random too, so that files made apart can be joined.
fn random_entry() -> Result<Zeroizing<String>, KeyringError> {
    let mut id = [0; 4];
    let mut key = Zeroizing::new([0; 32]);
    OsRng.try_fill_bytes(&mut id).map_err(|_| KeyringError::Random)?;
    OsRng.try_fill_bytes(&mut *key).map_err(|_| KeyringError::Random)?;
    Ok(Zeroizing::new(format!("k-{}:{}\n", hex::encode(id), *Zeroizing::new(STANDARD.encode(*key)))))
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeyringError> {
    fs::read_to_string(path).map(Zeroizing::new).map_err(|source| KeyringError::File { path: path.to_owned(), source })
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: Place<'static> = place("keys", "secret", "1");

    const fn place(table: &'static str, column: &'static str, id: &'static str) -> Place<'static> {
        Place { table, column, id: Cow::Borrowed(id) }
    }

    fn entry(id: &str, byte: u8) -> String {
        format!("{id}:{}\n", STANDARD.encode([byte; 32]))
    }

    fn secret_box(text: &str) -> SecretBox {
        SecretBox::new(Keyring::from_env_text(text).unwrap())
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_again(plaintext: Vec<u8>, id: String) {
            let secrets = secret_box(&entry("a", 1));
            let place = Place { id: Cow::Owned(id), ..PLACE };
            let sealed = secrets.seal(place.clone(), &plaintext);
            prop_assert_eq!(&*secrets.open(place, &sealed).unwrap(), &plaintext);
        }

        #[test]
        fn arbitrary_bytes_never_open_and_never_panic(bytes: Vec<u8>) {
            prop_assert!(secret_box(&entry("a", 1)).open(PLACE, &bytes).is_err());
        }
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let secrets = secret_box(&entry("a", 1));
        let sealed = secrets.seal(PLACE, b"secret");
        for position in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[position / 8] ^= 1 << (position % 8);
            assert!(secrets.open(PLACE, &changed).is_err(), "bit {position}");
        }
        for length in 0..sealed.len() {
            assert!(secrets.open(PLACE, &sealed[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn a_value_moved_elsewhere_does_not_open() {
        let secrets = secret_box(&entry("a", 1));
        let sealed = secrets.seal(place("t", "cd", "e"), b"secret");
        for place in [place("t", "cd", "f"), place("u", "cd", "e"), place("tc", "d", "e"), place("t", "c", "de")] {
            assert_eq!(secrets.open(place, &sealed).unwrap_err(), OpenError::Tampered);
        }
    }

    #[test]
    fn two_seals_of_the_same_text_differ() {
        let secrets = secret_box(&entry("a", 1));
        assert_ne!(secrets.seal(PLACE, b"x"), secrets.seal(PLACE, b"x"));
    }

    #[test]
    fn rotation_opens_old_values_and_seals_with_the_new_key() {
        let old = secret_box(&entry("a", 1));
        let sealed = old.seal(PLACE, b"secret");
        let both = secret_box(&(entry("b", 2) + &entry("a", 1)));
        assert!(!old.needs_rotation(&sealed) && both.needs_rotation(&sealed));
        let resealed = both.reseal(PLACE, &sealed).unwrap();
        assert!(!both.needs_rotation(&resealed));
        let new = secret_box(&entry("b", 2));
        assert_eq!(&**new.open(PLACE, &resealed).unwrap(), b"secret");
        assert_eq!(new.open(PLACE, &sealed).unwrap_err(), OpenError::UnknownKey { key_id: "a".to_owned() });
    }

    #[test]
    fn another_key_under_the_same_id_does_not_open() {
        let sealed = secret_box(&entry("a", 1)).seal(PLACE, b"secret");
        assert_eq!(secret_box(&entry("a", 9)).open(PLACE, &sealed).unwrap_err(), OpenError::Tampered);
    }

    #[test]
    fn keyrings_are_read_leniently_and_refused_clearly() {
        let ring =
            Keyring::from_env_text(&format!("# keys\n\n {} , {}", entry("new", 1).trim(), entry("old", 2))).unwrap();
        assert_eq!(ring.key_ids().collect::<Vec<_>>(), ["new", "old"]);
        let cases = [
            ("", "empty"),
            ("# only a comment", "empty"),
            ("no-colon", "colon"),
            ("a:!!!", "base64"),
            ("a:AAAA", "32 bytes"),
            (":AAAA", "key id"),
            ("b ad:AAAA", "key id"),
        ];
        for (text, expected) in cases {
            let error = Keyring::from_env_text(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
        let twice = entry("a", 1) + &entry("a", 2);
        assert!(Keyring::from_env_text(&twice).unwrap_err().to_string().contains("twice"));
    }

    #[test]
    fn debug_shows_ids_and_no_keys() {
        let text = format!("{:?}", secret_box(&entry("a", 0x41)));
        assert!(text.contains("\"a\"") && !text.contains("QUFB") && !text.contains("65, 65"), "{text}");
    }
}
