//! JKS, Java's own format, as `sun.security.provider.JavaKeyStore` reads it, with private keys behind
//! `sun.security.provider.KeyProtector`.

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Sequence};
use p12_keystore::{Certificate, PrivateKey};
use sha1::{Digest, Sha1};

use super::{Entry, Key, Store, StoreError};

/// How a store begins.
pub(super) const MAGIC: [u8; 4] = [0xFE, 0xED, 0xFE, 0xED];

/// What is digested between the password and the store.
const WHITENER: &[u8] = b"Mighty Aphrodite";

const DIGEST: usize = 20;

/// Sun's key protector.
const PROTECTOR: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.42.2.17.1.1");

/// What is left of a store; nothing is read past its end, whatever lengths it names.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], StoreError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(StoreError::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, StoreError> {
        let (number, rest) = self.0.split_first_chunk().ok_or(StoreError::Damaged)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*number))
    }

    /// A text with its length before it.
    fn text(&mut self) -> Result<&'a [u8], StoreError> {
        let (length, rest) = self.0.split_first_chunk().ok_or(StoreError::Damaged)?;
        self.0 = rest;
        self.take(usize::from(u16::from_be_bytes(*length)))
    }

    /// Bytes with their number before them.
    fn block(&mut self) -> Result<&'a [u8], StoreError> {
        let length = self.number()?;
        self.take(usize::try_from(length).map_err(|_| StoreError::Damaged)?)
    }

    fn certificate(&mut self, version: u32) -> Result<Certificate, StoreError> {
        // The first version knew one kind only.
        if version > 1 {
            let kind = self.text()?;
            if kind != b"X.509" {
                return Err(StoreError::Unsupported(format!("a certificate '{}'", kind.escape_ascii())));
            }
        }
        Certificate::from_der(self.block()?).map_err(|_| StoreError::Damaged)
    }
}

/// Reads a store; with a password it is checked to be whole.
pub(super) fn read(bytes: &[u8], password: Option<&str>) -> Result<Store, StoreError> {
    let (content, digest) = bytes.split_last_chunk::<DIGEST>().ok_or(StoreError::Damaged)?;
    if let Some(password) = password {
        let found = Sha1::new_with_prefix(password_bytes(password)).chain_update(WHITENER).chain_update(content);
        if found.finalize().as_slice() != digest {
            return Err(StoreError::Password);
        }
    }
    let mut reader = Reader(content);
    reader.take(MAGIC.len())?;
    let version = reader.number()?;
    if !(1..=2).contains(&version) {
        return Err(StoreError::Unsupported(format!("version {version} of JKS")));
    }
    let mut store = Store::default();
    for _ in 0..reader.number()? {
        let kind = reader.number()?;
        reader.text()?;
        reader.take(size_of::<u64>())?;
        match kind {
            1 => {
                let key = Key::Protected(reader.block()?.to_vec());
                let length = reader.number()?;
                let chain = (0..length).map(|_| reader.certificate(version)).collect::<Result<_, _>>()?;
                store.keys.push(Entry { key, chain });
            }
            2 => store.trusted.push(reader.certificate(version)?),
            _ => return Err(StoreError::Damaged),
        }
    }
    if reader.0.is_empty() { Ok(store) } else { Err(StoreError::Damaged) }
}

/// An encrypted private key (PKCS 8), whatever it is encrypted by.
#[derive(Sequence)]
struct Protected<'a> {
    algorithm: Algorithm<'a>,
    data: &'a OctetStringRef,
}

#[derive(Sequence)]
struct Algorithm<'a> {
    oid: ObjectIdentifier,
    parameters: Option<AnyRef<'a>>,
}

/// Takes a private key from behind its password: a salt, the key under a stream of digests each made of the one before,
/// and a digest of the key.
pub(super) fn unprotect(protected: &[u8], password: &str) -> Result<PrivateKey, StoreError> {
    let Protected { algorithm, data } = Protected::from_der(protected).map_err(|_| StoreError::Damaged)?;
    if algorithm.oid != PROTECTOR {
        return Err(StoreError::Unsupported(format!("a private key behind {}", algorithm.oid)));
    }
    let (salt, rest) = data.as_bytes().split_first_chunk::<DIGEST>().ok_or(StoreError::Damaged)?;
    let (hidden, check) = rest.split_last_chunk::<DIGEST>().ok_or(StoreError::Damaged)?;
    let password = password_bytes(password);
    let digest =
        |bytes: &[u8]| -> [u8; DIGEST] { Sha1::new_with_prefix(&password).chain_update(bytes).finalize().into() };
    let mut stream = *salt;
    let mut key = hidden.to_vec();
    for block in key.chunks_mut(DIGEST) {
        stream = digest(&stream);
        block.iter_mut().zip(stream).for_each(|(byte, mask)| *byte ^= mask);
    }
    if digest(&key) != *check {
        return Err(StoreError::KeyPassword);
    }
    PrivateKey::from_der(&key).map_err(|_| StoreError::Damaged)
}

/// A password as Java digests it.
fn password_bytes(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}
