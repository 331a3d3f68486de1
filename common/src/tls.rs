//! How closely a client looks at a server's certificate.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    WantsVerifier,
};

/// `verification_mode`, `ssl_verification_mode`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// The certificate and the name in it.
    #[default]
    Full,
    /// The certificate, whatever name is in it.
    Certificate,
    /// Nothing, as long as the server holds the key of the certificate that it shows.
    None,
}

impl Verification {
    /// Goes on with a client's configuration: whose certificates it takes.
    ///
    /// # Errors
    /// When the authorities cannot be used, such as none at all.
    pub fn believe(
        self,
        client: ConfigBuilder<ClientConfig, WantsVerifier>,
        roots: RootCertStore,
    ) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, String> {
        let provider = client.crypto_provider().clone();
        let chain = match self {
            Verification::Full => return Ok(client.with_root_certificates(roots)),
            Verification::None => None,
            Verification::Certificate => {
                let built = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build();
                Some(built.map_err(|error| error.to_string())?)
            }
        };
        Ok(client.dangerous().with_custom_certificate_verifier(Arc::new(Lenient { chain, provider })))
    }
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
