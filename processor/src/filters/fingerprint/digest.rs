//! Cryptographic hashes, with a key or without, as hexadecimal text or base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::FixedOutput;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// A hash function.
#[derive(Clone, Copy, Debug)]
pub(in crate::filters) enum Digest {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    /// Of Logstash's name for it; SHA-1 for any other.
    pub(in crate::filters) fn named(name: &str) -> Digest {
        match name {
            "MD5" => Digest::Md5,
            "SHA256" => Digest::Sha256,
            "SHA384" => Digest::Sha384,
            "SHA512" => Digest::Sha512,
            _ => Digest::Sha1,
        }
    }
}

/// A hash function with its key, ready to be used by all workers.
pub(in crate::filters) struct Digester {
    function: Box<dyn Function>,
    base64: bool,
}

trait Function: Send + Sync {
    fn of(&self, data: &[u8], base64: bool) -> String;
}

struct Plain<D>(D);

impl<D: sha2::Digest + Clone + Send + Sync> Function for Plain<D> {
    fn of(&self, data: &[u8], base64: bool) -> String {
        encoded(&self.0.clone().chain_update(data).finalize(), base64)
    }
}

/// Holds the key already digested.
struct Keyed<M>(M);

impl<M: Mac + FixedOutput + Clone + Send + Sync> Function for Keyed<M> {
    fn of(&self, data: &[u8], base64: bool) -> String {
        encoded(&self.0.clone().chain_update(data).finalize().into_bytes(), base64)
    }
}

impl Digester {
    /// With a key it is an HMAC.
    pub(in crate::filters) fn new(digest: Digest, key: Option<&str>, base64: bool) -> Digester {
        let function: Box<dyn Function> = match (digest, key.map(str::as_bytes)) {
            (Digest::Md5, None) => Box::new(Plain(Md5::new())),
            (Digest::Sha1, None) => Box::new(Plain(Sha1::new())),
            (Digest::Sha256, None) => Box::new(Plain(Sha256::new())),
            (Digest::Sha384, None) => Box::new(Plain(Sha384::new())),
            (Digest::Sha512, None) => Box::new(Plain(Sha512::new())),
            (Digest::Md5, Some(key)) => keyed::<Hmac<Md5>>(key),
            (Digest::Sha1, Some(key)) => keyed::<Hmac<Sha1>>(key),
            (Digest::Sha256, Some(key)) => keyed::<Hmac<Sha256>>(key),
            (Digest::Sha384, Some(key)) => keyed::<Hmac<Sha384>>(key),
            (Digest::Sha512, Some(key)) => keyed::<Hmac<Sha512>>(key),
        };
        Digester { function, base64 }
    }

    /// The hash as text.
    pub(in crate::filters) fn of(&self, data: &[u8]) -> String {
        self.function.of(data, self.base64)
    }
}

fn keyed<M: Mac + KeyInit + FixedOutput + Clone + Send + Sync + 'static>(key: &[u8]) -> Box<dyn Function> {
    match <M as KeyInit>::new_from_slice(key) {
        Ok(mac) => Box::new(Keyed(mac)),
        // HMAC takes keys of any length.
        Err(_) => unreachable!("a key of {} bytes was refused", key.len()),
    }
}

/// Bytes as hexadecimal text or base64.
pub(in crate::filters) fn encoded(bytes: &[u8], base64: bool) -> String {
    if base64 {
        return STANDARD.encode(bytes);
    }
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_functions_with_a_key_and_without() {
        for (name, key, base64, hash) in [
            ("MD5", None, false, "5d41402abc4b2a76b9719d911017c592"),
            ("SHA1", None, true, "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
            ("SHA1", Some("k"), true, "C3k40aLNyvqUZFpcNQj3I2rkV6k="),
            ("MD5", Some("s3cret"), false, "5f4502cce53317563d0395eecdaf17e9"),
            ("SHA256", None, false, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
        ] {
            assert_eq!(Digester::new(Digest::named(name), key, base64).of(b"hello"), hash, "{name} {key:?}");
        }
    }
}
