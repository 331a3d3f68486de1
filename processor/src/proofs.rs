//! Whom a client of HTTP believes, and how it proves who it is: files of PEM, or key stores of Java's. A server of HTTP
//! takes the stores, too.

use std::fs;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::java_store::{Found, Identity, Named};
use crate::options::Options;

/// Stores of authorities, by today's options and by those of old.
const TRUST: [Named; 2] = [
    Named {
        location: "ssl_truststore_path",
        kind: "ssl_truststore_type",
        password: "ssl_truststore_password",
        key_password: None,
    },
    Named { location: "truststore", kind: "truststore_type", password: "truststore_password", key_password: None },
];

/// Stores of a key, likewise.
const KEYS: [Named; 2] = [
    Named {
        location: "ssl_keystore_path",
        kind: "ssl_keystore_type",
        password: "ssl_keystore_password",
        key_password: None,
    },
    Named { location: "keystore", kind: "keystore_type", password: "keystore_password", key_password: None },
];

/// PEM, checked as far as it can be without a peer. The identity is never printed.
pub(crate) struct Proofs {
    /// Empty where the usual authorities are believed.
    pub(crate) authorities: Vec<u8>,
    /// Certificates and their key.
    pub(crate) identity: Option<Vec<u8>>,
}

impl std::fmt::Debug for Proofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proofs").finish_non_exhaustive()
    }
}

impl Proofs {
    /// Reads the options: those of files by the names of authorities, certificate and key, those of stores by theirs.
    pub(crate) fn read(options: &mut Options<'_>, [authorities, certificate, key]: [&'static str; 3]) -> Proofs {
        let mut believed = Vec::new();
        for path in options.existing_paths(authorities) {
            match read_authorities(&path) {
                Ok(pem) => append(&mut believed, &pem),
                Err(message) => options.error_at(authorities, message),
            }
        }
        let stores = Stores::read(options, authorities, certificate);
        if let Some(pem) = stores.authorities {
            append(&mut believed, pem.as_bytes());
        }
        let files = match (options.existing_path(certificate), options.existing_path(key)) {
            (Some(certificate_path), Some(key_path)) => match read_identity(&certificate_path, &key_path) {
                Ok(pem) => Some(pem),
                Err(message) => {
                    options.error_at(certificate, message);
                    None
                }
            },
            _ => None,
        };
        if options.is_set(certificate) != options.is_set(key) {
            options.error_at(certificate, format!("'{certificate}' and '{key}' belong together"));
        }
        let identity = stores.identity.map(|Identity { chain, key }| (chain + &key).into_bytes()).or(files);
        Proofs { authorities: believed, identity }
    }
}

/// What stores of Java's hold.
#[derive(Default)]
pub(crate) struct Stores {
    /// PEM.
    pub(crate) authorities: Option<String>,
    pub(crate) identity: Option<Identity>,
    /// Whether there should be an identity.
    pub(crate) prove: bool,
}

impl Stores {
    /// Reads the options of stores, given those that name files of PEM instead.
    pub(crate) fn read(options: &mut Options<'_>, authorities: &str, certificate: &str) -> Stores {
        let mut stores = Stores::default();
        for store in &TRUST {
            exclude(options, authorities, store.location);
            match store.authorities(options) {
                Some(Found::Store(pem)) => stores.authorities = Some(pem),
                Some(Found::Pem(_)) => no_store(options, store.location, authorities),
                None => {}
            }
        }
        for store in &KEYS {
            exclude(options, certificate, store.location);
            stores.prove |= options.is_set(store.location);
            match store.identity(options) {
                Some(Found::Store(identity)) => stores.identity = Some(identity),
                Some(Found::Pem(_)) => no_store(options, store.location, certificate),
                None => {}
            }
        }
        stores
    }
}

/// As in Logstash, either files or a store.
fn exclude(options: &mut Options<'_>, file: &str, store: &str) {
    if options.is_set(file) && options.is_set(store) {
        options.error_at(store, format!("set either '{file}' or '{store}'"));
    }
}

fn no_store(options: &mut Options<'_>, store: &str, file: &str) {
    options.error_at(store, format!("this is a file of PEM, which '{file}' takes"));
}

fn append(pem: &mut Vec<u8>, more: &[u8]) {
    pem.extend(more);
    pem.push(b'\n');
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read '{}': {error}", path.display()))
}

fn read_authorities(path: &Path) -> Result<Vec<u8>, String> {
    let pem = read(path)?;
    let mut certificates = CertificateDer::pem_slice_iter(&pem).peekable();
    if certificates.peek().is_none() {
        return Err(format!("'{}' holds no certificate in PEM", path.display()));
    }
    match certificates.find_map(Result::err) {
        Some(error) => Err(format!("cannot use '{}': {error}", path.display())),
        None => Ok(pem),
    }
}

fn read_identity(certificate: &Path, key: &Path) -> Result<Vec<u8>, String> {
    let mut pem = Vec::new();
    append(&mut pem, &read(certificate)?);
    append(&mut pem, &read(key)?);
    reqwest::Identity::from_pem(&pem)
        .map_err(|error| format!("cannot use '{}' and its key: {error}", certificate.display()))?;
    Ok(pem)
}

/// Reports a key behind a passphrase.
pub(crate) fn refuse_passphrase(options: &mut Options<'_>) {
    if options.string("ssl_key_passphrase").is_some() {
        options.error_at("ssl_key_passphrase", "encrypted keys are not supported; decrypt it by 'openssl pkey'");
    }
}
