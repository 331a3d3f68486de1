//! `ssl` of an output, for rustls.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};

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

/// `verification_mode`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// `full`, `strict`: the certificate and the name in it.
    #[default]
    Full,
    /// `certificate`: the certificate, whatever name is in it.
    Certificate,
    /// `none`
    None,
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
        let roots = Arc::new(self.roots()?);
        let versions: &[&SupportedProtocolVersion] = match self.without {
            None => &[&TLS13, &TLS12],
            Some(TlsVersion::V12) => &[&TLS13],
            Some(TlsVersion::V13) => &[&TLS12],
        };
        let builder = ClientConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions);
        let builder = builder.map_err(|error| OutputError(error.to_string()))?;
        let builder = match self.verification {
            Verification::Full => builder.with_root_certificates(roots),
            mode => builder.dangerous().with_custom_certificate_verifier(lenient(mode, roots, provider)?),
        };
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

fn lenient(
    mode: Verification,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, OutputError> {
    let chain = if mode == Verification::None {
        None
    } else {
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
        Some(verifier.map_err(|error| OutputError(format!("'ssl.certificate_authorities': {error}")))?)
    };
    Ok(Arc::new(Lenient { chain, provider }))
}

/// Asks for less than rustls does: not for the name, or for nothing at all.
#[derive(Debug)]
struct Lenient {
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
