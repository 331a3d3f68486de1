//! PKCS 12, Java's format since version 9.

use p12_keystore::error::Error;
use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};

use super::{Entry, Key, Store, StoreError};

/// Reads a store. As in Java, certificates without a key are trusted only where they are marked so (`keytool -importcert`
/// does), and keys have the password of their store.
pub(super) fn read(bytes: &[u8], password: &str) -> Result<Store, StoreError> {
    let read = KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Strict).map_err(|error| match error {
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => StoreError::Password,
        Error::UnsupportedContentType
        | Error::UnsupportedCertificateType
        | Error::UnsupportedEncryptionScheme
        | Error::UnsupportedMacAlgorithm => StoreError::Unsupported(error.to_string().to_lowercase()),
        _ => StoreError::Damaged,
    })?;
    let mut store = Store::default();
    for (_, entry) in read.entries() {
        match entry {
            KeyStoreEntry::PrivateKeyChain(chain) => {
                store.keys.push(Entry { key: Key::Plain(chain.key().clone()), chain: chain.certs().to_vec() });
            }
            KeyStoreEntry::Certificate(certificate) => store.trusted.push(certificate.clone()),
            KeyStoreEntry::Secret(_) => {}
        }
    }
    Ok(store)
}
