#![allow(clippy::unwrap_used)]

use super::{Identity, Named, Store, StoreError};
use crate::lang::diagnostic::Diagnostic;
use crate::options::testing;

const PASSWORD: &str = "store-password";
const KEY_PASSWORD: &str = "key-password";

const KEYS: Named = Named { location: "path", kind: "type", password: "password", key_password: Some("key_password") };

fn file(name: &str) -> String {
    format!("{}/tests/edges/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(file(name)).unwrap()
}

fn open(name: &str) -> Store {
    Store::parse(&bytes(name), Some(PASSWORD)).unwrap().unwrap()
}

/// What stands between the lines of a file of PEM.
fn blocks(pem: &str) -> Vec<String> {
    let joined: String = pem.lines().collect();
    joined.split("-----").filter(|part| part.len() > 60).map(str::to_string).collect()
}

fn certificates_of(names: &[&str]) -> Vec<String> {
    names.iter().flat_map(|name| blocks(&String::from_utf8(bytes(name)).unwrap())).collect()
}

#[test]
fn authorities_of_both_formats() {
    for name in ["trust.jks", "trust.p12"] {
        assert_eq!(blocks(&open(name).authorities().unwrap()), certificates_of(&["authority.pem"]), "{name}");
        assert!(matches!(open(name).identity(PASSWORD), Err(StoreError::NoKey)), "{name}");
    }
    // Java takes what JKS holds without a password, too.
    assert!(Store::parse(&bytes("trust.jks"), None).unwrap().unwrap().authorities().is_ok());
    // The own certificate is trusted, but none of its chain.
    for name in ["host.jks", "host.p12"] {
        assert_eq!(blocks(&open(name).authorities().unwrap()), certificates_of(&["host.pem"]), "{name}");
    }
}

#[test]
fn identities_of_both_formats() {
    for (name, password) in [("host.jks", KEY_PASSWORD), ("host.p12", PASSWORD), ("host-legacy.p12", PASSWORD)] {
        let Identity { chain, key: found } = open(name).identity(password).unwrap();
        assert_eq!(blocks(&chain), certificates_of(&["host.pem", "authority.pem"]), "{name}");
        assert_eq!(der_of_key(&found), der_of_key(&String::from_utf8(bytes("host.key")).unwrap()), "{name}");
    }
    assert!(matches!(open("host.jks").identity(PASSWORD), Err(StoreError::KeyPassword)));
}

fn der_of_key(pem: &str) -> Vec<u8> {
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap().secret_der().to_vec()
}

#[test]
fn damage_is_an_error_and_never_more() {
    for name in ["host.jks", "trust.jks", "host.p12", "trust.p12"] {
        let whole = bytes(name);
        for length in 0..whole.len() {
            let cut = &whole[..length];
            assert!(Store::parse(cut, Some(PASSWORD)).is_err(), "{name} cut at {length}");
            assert!(Store::parse(cut, None).is_err(), "{name} cut at {length}, unchecked");
        }
        // Checking takes Java thousands of rounds of PKCS 12.
        let step = if name.ends_with("p12") { 11 } else { 1 };
        for at in (0..whole.len()).step_by(step) {
            for bit in [0, 3, 7] {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                assert!(usable(&flipped, Some(PASSWORD)).is_err(), "{name} flipped at {at}");
                drop(usable(&flipped, None));
            }
        }
    }
}

fn usable(bytes: &[u8], password: Option<&str>) -> Result<(), StoreError> {
    let store = Store::parse(bytes, password)?.ok_or(StoreError::Unknown)?;
    store.authorities()?;
    store.identity(KEY_PASSWORD).map(drop)
}

#[test]
fn lengths_are_not_believed() {
    let head = |kind: u32, rest: &[u32]| {
        let numbers = [0xFEED_FEED, 2, u32::MAX, kind].into_iter().chain(rest.iter().copied());
        let mut bytes: Vec<u8> = numbers.flat_map(u32::to_be_bytes).collect();
        bytes.extend([0; 20]);
        bytes
    };
    for bytes in [head(1, &[]), head(2, &[0, 0, 0, u32::MAX]), head(1, &[0xFFFF_0000]), head(1, &[0, 0, 0, 0, 0])] {
        assert!(Store::parse(&bytes, None).is_err());
    }
    assert!(matches!(Store::parse(b"\xCE\xCE\xCE\xCE", None), Err(StoreError::Unknown)));
    assert!(Store::parse(&bytes("host.pem"), None).unwrap().is_none());
}

/// Message and hint of each finding.
fn findings(written: &str) -> Vec<(String, String)> {
    let (_, findings) = testing::read("x", written, |options| drop(KEYS.identity(options)));
    let shown = |finding: Diagnostic| (finding.message.replace(&file(""), ""), finding.hint.unwrap_or_default());
    findings.into_iter().map(shown).collect()
}

#[test]
fn what_is_wrong_is_told_with_a_hint() {
    let given = |name: &str, more: &str| findings(&format!("path => \"{}\" {more}", file(name)));
    let password = format!("password => \"{PASSWORD}\"");
    assert_eq!(given("host.jks", &format!("{password} key_password => \"{KEY_PASSWORD}\" type => JKS")), []);
    assert_eq!(given("host.p12", &format!("{password} type => jks")), []);
    assert_eq!(given("host.pem", "type => PEM"), []);
    for (name, more, message, hint) in [
        ("host.jks", "password => wrong", "'host.jks' cannot be opened", "set 'password' to the password"),
        ("host.p12", "password => wrong", "'host.p12' cannot be opened", "set 'password' to the password"),
        ("host.jks", password.as_str(), "'host.jks' holds a private key of which", "set 'key_password' to"),
        ("trust.jks", password.as_str(), "'trust.jks' holds no private key", "must show a PrivateKeyEntry"),
        ("README.md", "", "'README.md' is no key store", "keytool -importkeystore -srckeystore"),
        ("", "", "'' cannot be read", ""),
        ("host.pem", "type => bks", "'type' must be one of jks, pkcs12, pem, this is 'bks'", ""),
    ] {
        let found = given(name, more);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0.starts_with(message) && found[0].1.contains(hint), "{found:?}");
    }
}
