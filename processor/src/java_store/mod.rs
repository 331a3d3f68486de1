//! Key stores of Java's, which Logstash's plugins take certificates and keys from: JKS and PKCS 12, told apart by what
//! stands in them, whatever their type is said to be (so does Java: `keystore.type.compat`), and handed on as PEM.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use der::pem::{LineEnding, encode_string};
use memchr::memmem;
use p12_keystore::{Certificate, PrivateKey};

use crate::lang::diagnostic::Diagnostic;
use crate::options::Options;

mod jks;
mod pkcs12;
#[cfg(test)]
mod tests;

/// Larger files are refused; the authorities of a JDK take 200 kB.
const LARGEST: u64 = 16 << 20;

/// The options of a plugin that name a store.
pub(crate) struct Named {
    pub(crate) location: &'static str,
    /// What is said of its format; only checked.
    pub(crate) kind: &'static str,
    pub(crate) password: &'static str,
    /// The password of the key, where it may have one of its own.
    pub(crate) key_password: Option<&'static str>,
}

/// What stands where an option names a store.
#[derive(Debug)]
pub(crate) enum Found<T> {
    /// A file of PEM, unread.
    Pem(PathBuf),
    Store(T),
}

/// A private key and its certificates, the own one first, as PEM. Never printed.
pub(crate) struct Identity {
    pub(crate) chain: String,
    pub(crate) key: String,
}

/// Why a store cannot be used; follows its path.
#[derive(Debug, thiserror::Error)]
enum StoreError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is larger than {LARGEST} bytes")]
    TooLarge,
    #[error("is no key store that can be read: JKS and PKCS 12 can")]
    Unknown,
    #[error("holds what cannot be read: {0}")]
    Unsupported(String),
    #[error("is damaged, or no key store")]
    Damaged,
    #[error("cannot be opened: the password is wrong, or the file damaged")]
    Password,
    #[error("holds a private key of which the password is wrong")]
    KeyPassword,
    #[error("holds no certificate that is trusted")]
    NoAuthority,
    #[error("holds no private key with its certificate")]
    NoKey,
}

/// What a store holds.
#[derive(Default)]
struct Store {
    trusted: Vec<Certificate>,
    keys: Vec<Entry>,
}

/// A private key with its certificates, the own one first.
struct Entry {
    key: Key,
    chain: Vec<Certificate>,
}

/// A private key.
enum Key {
    Plain(PrivateKey),
    /// Behind a password of its own, as JKS has it.
    Protected(Vec<u8>),
}

impl Named {
    /// The certificates that the store says to trust, as PEM.
    pub(crate) fn authorities(&self, options: &mut Options<'_>) -> Option<Found<String>> {
        self.read(options, Store::authorities)
    }

    /// The first private key of the store; that there are more is a warning.
    pub(crate) fn identity(&self, options: &mut Options<'_>) -> Option<Found<Identity>> {
        let given = self.key_password.and_then(|option| options.string(option)).or_else(|| self.password(options));
        let mut keys = 0;
        let found = self.read(options, |store| {
            keys = store.keys.len();
            store.identity(given.as_deref().unwrap_or_default())
        });
        if keys > 1 {
            let span = options.span_of(self.location);
            let message = format!("the store holds {keys} private keys, of which the first is used");
            options.report(Diagnostic::warning("java-key-store", &span, message));
        }
        found
    }

    fn password(&self, options: &mut Options<'_>) -> Option<String> {
        options.string(self.password).filter(|password| !password.is_empty())
    }

    /// Reads the store and takes something out of it, reporting what goes wrong.
    fn read<T>(
        &self,
        options: &mut Options<'_>,
        take: impl FnOnce(&Store) -> Result<T, StoreError>,
    ) -> Option<Found<T>> {
        let kinds = ["jks", "pkcs12", "pem"];
        if let Some(kind) = options.string(self.kind)
            && !kinds.iter().any(|known| known.eq_ignore_ascii_case(&kind))
        {
            options
                .error_at(self.kind, format!("'{}' must be one of {}, this is '{kind}'", self.kind, kinds.join(", ")));
        }
        let password = self.password(options);
        let path = options.existing_path(self.location)?;
        let found = contents(&path).and_then(|bytes| match Store::parse(&bytes, password.as_deref())? {
            None => Ok(Found::Pem(path.clone())),
            Some(store) => take(&store).map(Found::Store),
        });
        let error = match found {
            Ok(found) => return Some(found),
            Err(error) => error,
        };
        let span = options.span_of(self.location);
        let diagnostic = Diagnostic::error("java-key-store", &span, format!("'{}' {error}", path.display()));
        options.report(match self.hint(&error, &path) {
            Some(hint) => diagnostic.with_hint(hint),
            None => diagnostic,
        });
        None
    }

    fn hint(&self, error: &StoreError, path: &Path) -> Option<String> {
        let path = path.display();
        let list = format!("keytool -list -keystore {path}");
        Some(match error {
            StoreError::Io(_) | StoreError::TooLarge => return None,
            StoreError::Unknown | StoreError::Unsupported(_) => {
                format!("keytool -importkeystore -srckeystore {path} -destkeystore store.p12 -deststoretype PKCS12")
            }
            StoreError::Damaged => format!("see what '{list}' makes of it"),
            StoreError::Password => format!("set '{}' to the password that '{list}' takes", self.password),
            StoreError::KeyPassword => match self.key_password {
                Some(option) => format!("set '{option}' to the password that the key was stored with"),
                None => format!("give it the store's: keytool -keypasswd -alias NAME -keystore {path}"),
            },
            StoreError::NoAuthority => format!("keytool -importcert -file authority.pem -keystore {path}"),
            StoreError::NoKey => format!("'{list}' must show a PrivateKeyEntry"),
        })
    }
}

fn contents(path: &Path) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST { Err(StoreError::TooLarge) } else { Ok(bytes) }
}

impl Store {
    /// Reads a store; nothing when it is PEM. Without a password JKS is taken without being checked, as Java does.
    fn parse(bytes: &[u8], password: Option<&str>) -> Result<Option<Store>, StoreError> {
        /// How everything in DER begins that is a sequence.
        const SEQUENCE: &[u8] = &[0x30];
        if bytes.starts_with(&jks::MAGIC) {
            jks::read(bytes, password).map(Some)
        } else if memmem::find(bytes, b"-----BEGIN ").is_some() {
            Ok(None)
        } else if bytes.starts_with(SEQUENCE) {
            pkcs12::read(bytes, password.unwrap_or_default()).map(Some)
        } else {
            Err(StoreError::Unknown)
        }
    }

    /// Whom Java's `TrustManagerFactory` would trust: also the own certificate of each key.
    fn authorities(&self) -> Result<String, StoreError> {
        let own = self.keys.iter().filter_map(|entry| entry.chain.first());
        let all: Vec<Certificate> = self.trusted.iter().chain(own).cloned().collect();
        if all.is_empty() { Err(StoreError::NoAuthority) } else { certificates(&all) }
    }

    fn identity(&self, password: &str) -> Result<Identity, StoreError> {
        let Entry { key, chain } =
            self.keys.first().filter(|entry| !entry.chain.is_empty()).ok_or(StoreError::NoKey)?;
        let key = match key {
            Key::Plain(key) => pem("PRIVATE KEY", key.as_der()),
            Key::Protected(key) => pem("PRIVATE KEY", jks::unprotect(key, password)?.as_der()),
        };
        Ok(Identity { chain: certificates(chain)?, key: key? })
    }
}

fn certificates(all: &[Certificate]) -> Result<String, StoreError> {
    all.iter().map(|certificate| pem("CERTIFICATE", certificate.as_der())).collect()
}

fn pem(label: &str, der: &[u8]) -> Result<String, StoreError> {
    encode_string(label, LineEnding::LF, der).map_err(|error| StoreError::Unsupported(error.to_string()))
}
