//! `ssl` of an output, for rustls.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
pub use tailrace_common::tls::Verification;

use super::OutputError;

/// `ssl` of an output.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// `certificate_authorities`: PEM files, or PEM itself.
    pub authorities: Vec<String>,
    /// `certificate` and `key`: PEM files, or PEM itself.
    pub identity: Option<(String, Pem)>,
    /// `verification_mode`
    pub verification: Verification,
    /// `supported_protocols`: not 1.2, not 1.3.
    pub without: Option<TlsVersion>,
}

/// A private key, or the path to one: never printed.
#[derive(Clone, Default)]
pub struct Pem(pub String);

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if is_pem(&self.0) { "(a key)" } else { &self.0 })
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2
    V12,
    /// 1.3
    V13,
}

/// Whether a setting is PEM itself, and not the path to it.
pub(crate) fn is_pem(text: &str) -> bool {
    text.trim_start().starts_with("-----BEGIN")
}

impl TlsSettings {
    /// What rustls is told.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else.
    pub(super) fn client(&self) -> Result<ClientConfig, OutputError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[&SupportedProtocolVersion] = match self.without {
            None => &[&TLS13, &TLS12],
            Some(TlsVersion::V12) => &[&TLS13],
            Some(TlsVersion::V13) => &[&TLS12],
        };
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
        let builder = builder.map_err(|error| OutputError(error.to_string()))?;
        let builder = self.verification.believe(builder, self.roots()?);
        let builder = builder.map_err(|error| OutputError(format!("'ssl.certificate_authorities': {error}")))?;
        let Some((certificate, key)) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let private = match is_pem(&key.0) {
            true => PrivateKeyDer::from_pem_slice(key.0.as_bytes()),
            false => PrivateKeyDer::from_pem_file(&key.0),
        };
        let private = private.map_err(|error| OutputError(format!("cannot read 'ssl.key': {error}")))?;
        let built = builder.with_client_auth_cert(certificates(certificate)?, private);
        built.map_err(|error| OutputError(format!("'ssl.certificate': {error}")))
    }

    fn roots(&self) -> Result<RootCertStore, OutputError> {
        let mut roots = RootCertStore::empty();
        for authority in &self.authorities {
            for certificate in certificates(authority)? {
                let added = roots.add(certificate);
                added.map_err(|error| OutputError(format!("'ssl.certificate_authorities': {error}")))?;
            }
        }
        if self.authorities.is_empty() {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Ok(roots)
    }
}

pub(super) fn certificates(setting: &str) -> Result<Vec<CertificateDer<'static>>, OutputError> {
    let found = if is_pem(setting) {
        CertificateDer::pem_slice_iter(setting.as_bytes()).collect()
    } else {
        CertificateDer::pem_file_iter(setting).and_then(Iterator::collect::<Result<Vec<_>, _>>)
    };
    let name = if is_pem(setting) { "a certificate" } else { setting };
    found.map_err(|error| OutputError(format!("cannot read '{name}': {error}")))
}
