//! Secrets for `${NAME}` in the configuration, in a file that only its owner may read.
//!
//! The file is Filebeat's: "v1" and, in base64, salt, nonce and a JSON map, encrypted by AES-256-GCM with a key stretched
//! from an empty password by PBKDF2. That keeps secrets from being read in passing; the file's permissions protect them.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::pbkdf2;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

const VERSION: &str = "v1";
const SALT: usize = 64;
const NONCE: usize = 12;
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(9_999);

/// What can be wrong with a keystore.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// The file cannot be read or written.
    #[error("cannot use the keystore '{}': {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no keystore, or is damaged.
    #[error("'{}' is no keystore, or is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// No randomness can be had.
    #[error("the system gives no random numbers")]
    Random,
}

#[derive(Serialize, Deserialize)]
struct Secret {
    value: String,
}

/// Names and their secrets.
#[derive(Debug)]
pub struct Keystore {
    path: PathBuf,
    secrets: BTreeMap<String, Vec<u8>>,
}

impl Keystore {
    /// Reads the keystore; an empty one if there is no file.
    ///
    /// # Errors
    /// When the file cannot be read or is no keystore.
    pub fn open(path: &Path) -> Result<Keystore, KeystoreError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Keystore::empty(path)),
            Err(source) => return Err(KeystoreError::File { path: path.into(), source }),
        };
        let damaged = || KeystoreError::Damaged { path: path.into() };
        let secrets = decrypt(&text).ok_or_else(damaged)?;
        let secrets: BTreeMap<String, Secret> = serde_json::from_slice(&secrets).map_err(|_| damaged())?;
        let decode = |(name, secret): (String, Secret)| Some((name, STANDARD.decode(secret.value).ok()?));
        let secrets = secrets.into_iter().map(decode).collect::<Option<_>>().ok_or_else(damaged)?;
        Ok(Keystore { path: path.into(), secrets })
    }

    /// One without secrets; nothing is written.
    pub fn empty(path: &Path) -> Keystore {
        Keystore { path: path.into(), secrets: BTreeMap::new() }
    }

    /// The secret with this name.
    pub fn get(&self, name: &str) -> Option<String> {
        self.secrets.get(name).map(|secret| String::from_utf8_lossy(secret).into_owned())
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.secrets.keys().map(String::as_str)
    }

    /// Adds or replaces a secret.
    pub fn set(&mut self, name: &str, secret: &[u8]) {
        self.secrets.insert(name.into(), secret.into());
    }

    /// Removes a secret; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.secrets.remove(name).is_some()
    }

    /// Writes the file, readable by its owner only.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self) -> Result<(), KeystoreError> {
        let encode = |(name, secret): (&String, &Vec<u8>)| (name.clone(), Secret { value: STANDARD.encode(secret) });
        let secrets: BTreeMap<String, Secret> = self.secrets.iter().map(encode).collect();
        let plain = serde_json::to_vec(&secrets).unwrap_or_default();
        let text = encrypt(plain).ok_or(KeystoreError::Random)?;
        let file = |source| KeystoreError::File { path: self.path.clone(), source };
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(file)?;
        }
        crate::output::write_private(&self.path, text.as_bytes()).map_err(file)
    }
}

fn key(salt: &[u8]) -> Option<LessSafeKey> {
    let mut key = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, ROUNDS, salt, b"", &mut key);
    UnboundKey::new(&AES_256_GCM, &key).ok().map(LessSafeKey::new)
}

fn encrypt(mut plain: Vec<u8>) -> Option<String> {
    let mut head = [0; SALT + NONCE];
    SystemRandom::new().fill(&mut head).ok()?;
    let (salt, nonce) = head.split_at(SALT);
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    key(salt)?.seal_in_place_append_tag(nonce, Aad::empty(), &mut plain).ok()?;
    Some(format!("{VERSION}{}", STANDARD.encode([head.as_slice(), &plain].concat())))
}

fn decrypt(text: &str) -> Option<Vec<u8>> {
    let mut bytes = STANDARD.decode(text.strip_prefix(VERSION)?.trim_end()).ok()?;
    let mut rest = bytes.split_off(bytes.len().min(SALT + NONCE));
    let (salt, nonce) = bytes.split_at_checked(SALT)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let plain = key(salt)?.open_in_place(nonce, Aad::empty(), &mut rest).ok()?;
    Some(plain.to_vec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_are_kept_and_not_readable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/filebeat.keystore");
        let mut keystore = Keystore::open(&path).unwrap();
        keystore.set("KAFKA_PASSWORD", "geheim äö".as_bytes());
        keystore.set("OTHER", b"x");
        keystore.save().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("v1") && !text.contains("KAFKA"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut keystore = Keystore::open(&path).unwrap();
        assert_eq!(keystore.get("KAFKA_PASSWORD").as_deref(), Some("geheim äö"));
        assert_eq!(keystore.names().collect::<Vec<_>>(), ["KAFKA_PASSWORD", "OTHER"]);
        assert!(keystore.remove("OTHER") && !keystore.remove("OTHER"));
    }

    #[test]
    fn what_is_no_keystore_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        let whole = encrypt(b"{\"A\":{\"value\":\"eA==\"}}".to_vec()).unwrap();
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(Keystore::open(&path).unwrap().get("A").as_deref(), Some("x"));
        for text in ["", "v1", "v1AAAA", "v2AAAA", &whole[..whole.len() - 8], &whole.replacen(&whole[20..21], "!", 1)] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(Keystore::open(&path), Err(KeystoreError::Damaged { .. })), "{text}");
        }
    }
}
