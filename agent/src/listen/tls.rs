//! `ssl` of an input that listens.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::config::section::Section;

/// Whether clients show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientAuthentication {
    None,
    Optional,
    Required,
}

/// The server's side of TLS; nothing when `ssl` is off.
pub(crate) fn server(section: &Section<'_>) -> Option<Arc<ServerConfig>> {
    let ssl = section.section("ssl");
    let enabled = ssl.boolean("enabled", true) && section.is_set("ssl");
    let certificate = ssl.path("certificate");
    let key = ssl.path("key");
    let authorities: Vec<PathBuf> = ssl.texts("certificate_authorities").into_iter().map(PathBuf::from).collect();
    let kinds = [
        ("none", ClientAuthentication::None),
        ("optional", ClientAuthentication::Optional),
        ("required", ClientAuthentication::Required),
    ];
    // With authorities clients must show a certificate, unless told otherwise.
    let default = if authorities.is_empty() { ClientAuthentication::None } else { ClientAuthentication::Required };
    let clients = ssl.choice("client_authentication", &kinds, default);
    if !enabled {
        return None;
    }
    if certificate.is_none() || key.is_none() {
        ssl.fail("'ssl.certificate' and 'ssl.key' are needed to listen with TLS", None);
    }
    let built = build(&certificate?, &key?, &authorities, clients);
    built.map(Arc::new).map_err(|error| section.error("ssl", error, None)).ok()
}

fn build(
    certificate: &PathBuf,
    key: &PathBuf,
    authorities: &[PathBuf],
    clients: ClientAuthentication,
) -> Result<ServerConfig, String> {
    let read = |path: &PathBuf, error: &dyn std::fmt::Display| format!("cannot read '{}': {error}", path.display());
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| read(certificate, &error))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| read(key, &error))?;
    let mut roots = RootCertStore::empty();
    for path in authorities {
        let found = CertificateDer::pem_file_iter(path).map_err(|error| read(path, &error))?;
        for authority in found {
            let added = authority
                .map_err(|error| error.to_string())
                .and_then(|authority| roots.add(authority).map_err(|error| error.to_string()));
            added.map_err(|error| read(path, &error))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ClientCertVerifier> = match clients {
        ClientAuthentication::None => WebPkiClientVerifier::no_client_auth(),
        wanted => {
            let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
            let builder =
                if wanted == ClientAuthentication::Optional { builder.allow_unauthenticated() } else { builder };
            builder.build().map_err(|error| format!("cannot verify clients: {error}"))?
        }
    };
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?.with_client_cert_verifier(verifier);
    config.with_single_cert(chain, secret).map_err(|error| format!("certificate and key do not fit: {error}"))
}
