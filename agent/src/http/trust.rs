//! Whom a client trusts, and how it shows who it is.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tailrace_common::tls::Verification;
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trust {
    /// Authorities; the system's where there are none.
    pub(crate) authorities: Vec<Pem>,
    /// A certificate and its key.
    pub(crate) identity: Option<(Pem, Pem)>,
    /// How closely the server's certificate is looked at.
    pub(crate) verification: Verification,
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

    /// The same for `ureq`, which looks at names whenever it looks at certificates.
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
            .disable_verification(self.verification == Verification::None)
            .build())
    }

    /// The same for `rustls`.
    ///
    /// # Errors
    /// What cannot be used.
    pub(crate) fn for_rustls(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?;
        let mut roots = RootCertStore::empty();
        if self.verification != Verification::None {
            roots.add_parsable_certificates(self.roots()?);
        }
        let builder = self.verification.believe(builder, roots)?;
        let Some((shown, key)) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let secret = PrivateKeyDer::from_pem_slice(&key.text()?).map_err(|error| key.unusable(&error))?;
        let config = builder.with_client_auth_cert(shown.certificates()?, secret);
        config.map_err(|error| format!("{shown:?} and its key do not fit: {error}"))
    }
}

fn certificate(der: &CertificateDer<'_>) -> Certificate<'static> {
    Certificate::from_der(der).to_owned()
}
