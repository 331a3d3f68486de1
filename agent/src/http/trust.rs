//! Whom a client trusts, and how it shows who it is.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// Certificates or a key in PEM.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Pem {
    /// In a file, which may change.
    File(PathBuf),
    /// In the configuration itself.
    Text(Vec<u8>),
}

impl Pem {
    fn text(&self) -> Result<Cow<'_, [u8]>, String> {
        match self {
            Pem::File(path) => std::fs::read(path).map(Cow::Owned).map_err(|error| self.unusable(&error)),
            Pem::Text(text) => Ok(Cow::Borrowed(text)),
        }
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let read = CertificateDer::pem_slice_iter(&self.text()?).collect::<Result<Vec<_>, _>>();
        read.map_err(|error| self.unusable(&error))
    }

    fn unusable(&self, error: &dyn fmt::Display) -> String {
        format!("cannot read {self:?}: {error}")
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pem::File(path) => write!(f, "'{}'", path.display()),
            // It may be a key.
            Pem::Text(_) => f.write_str("a certificate or key of the configuration"),
        }
    }
}

/// Whom a client trusts, and how it shows who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trust {
    /// Authorities; the system's where there are none.
    pub(crate) authorities: Vec<Pem>,
    /// A certificate and its key.
    pub(crate) identity: Option<(Pem, Pem)>,
    /// Whether the server's certificate is checked.
    pub(crate) verify: bool,
}

impl Default for Trust {
    fn default() -> Trust {
        Trust { authorities: Vec::new(), identity: None, verify: true }
    }
}

impl Trust {
    fn roots(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        if self.authorities.is_empty() {
            return Ok(rustls_native_certs::load_native_certs().certs);
        }
        let mut roots = Vec::new();
        for authority in &self.authorities {
            roots.extend(authority.certificates()?);
        }
        Ok(roots)
    }

    /// The same for `ureq`.
    ///
    /// # Errors
    /// What cannot be used.
    pub(crate) fn for_ureq(&self) -> Result<TlsConfig, String> {
        let roots: Vec<Certificate<'static>> = self.roots()?.iter().map(certificate).collect();
        let client = match &self.identity {
            None => None,
            Some((shown, key)) => {
                let chain: Vec<_> = shown.certificates()?.iter().map(certificate).collect();
                let key = PrivateKey::from_pem(&key.text()?).map_err(|error| key.unusable(&error))?;
                Some(ClientCert::new_with_certs(&chain, key))
            }
        };
        Ok(TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .client_cert(client)
            .disable_verification(!self.verify)
            .build())
    }

    /// The same for `rustls`.
    ///
    /// # Errors
    /// What cannot be used.
    pub(crate) fn for_rustls(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?;
        let builder = if self.verify {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(self.roots()?);
            builder.with_root_certificates(roots)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        };
        let Some((shown, key)) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let secret = PrivateKeyDer::from_pem_slice(&key.text()?).map_err(|error| key.unusable(&error))?;
        let config = builder.with_client_auth_cert(shown.certificates()?, secret);
        config.map_err(|error| format!("{shown:?} and its key do not fit: {error}"))
    }
}

fn certificate(der: &CertificateDer<'_>) -> Certificate<'static> {
    Certificate::from_der(der).to_owned()
}

/// Takes any server for the right one, because the configuration says so; it must hold the key that it shows.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
