//! TLS of plugins that listen or connect by themselves: Logstash's `ssl_*` options, checked and loaded when the
//! configuration is.

use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use tailrace_common::tls::Verification;

use crate::java_store::Identity;
use crate::options::Options;
use crate::proofs::{Stores, refuse_passphrase};

/// Files of PEM that prove who we are, and whom we believe.
struct Files {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    authorities: Vec<PathBuf>,
}

impl Files {
    fn read(options: &mut Options<'_>) -> Files {
        options.ignored("ssl_supported_protocols", "TLS 1.2 and 1.3 are spoken");
        options.ignored("ssl_cipher_suites", "TLS 1.2 and 1.3 are spoken with safe cipher suites");
        refuse_passphrase(options);
        Files {
            certificate: options.existing_path("ssl_certificate"),
            key: options.existing_path("ssl_key"),
            authorities: options.existing_paths("ssl_certificate_authorities"),
        }
    }

    /// With those of a store, in PEM.
    fn roots(&self, stored: Option<&str>) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        if let Some(stored) = stored {
            let certificates = CertificateDer::pem_slice_iter(stored.as_bytes()).filter_map(Result::ok);
            roots.add_parsable_certificates(certificates);
        }
        for authority in &self.authorities {
            for certificate in certificates(authority)? {
                roots.add(certificate).map_err(|error| format!("'{}': {error}", authority.display()))?;
            }
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    read.map_err(|error| format!("cannot read certificates from '{}': {error}", path.display()))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| format!("cannot read the key from '{}': {error}", path.display()))
}

/// Certificates, the own one first, and their key.
type Proof = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn of_files(certificate: &Path, key: &Path) -> Result<Proof, String> {
    Ok((certificates(certificate)?, private_key(key)?))
}

fn of_store(Identity { chain, key }: &Identity) -> Result<Proof, String> {
    let read = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .and_then(|chain| Ok((chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)));
    read.map_err(|error| format!("cannot use what the key store holds: {error}"))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The certificates of a plugin that listens.
#[derive(Clone)]
pub(crate) struct ServerTls(Arc<ServerConfig>);

impl ServerTls {
    /// Reads the options; `None` without `ssl_enabled`.
    pub(crate) fn read(options: &mut Options<'_>) -> Option<ServerTls> {
        ServerTls::of(options, &Stores::default())
    }

    /// As [`ServerTls::read`], where Logstash takes key stores of Java's, too.
    pub(crate) fn read_with_stores(options: &mut Options<'_>) -> Option<ServerTls> {
        let stores = Stores::read(options, "ssl_certificate_authorities", "ssl_certificate");
        ServerTls::of(options, &stores)
    }

    fn of(options: &mut Options<'_>, stores: &Stores) -> Option<ServerTls> {
        for (old, new) in [
            ("ssl", "use 'ssl_enabled'"),
            ("ssl_enable", "use 'ssl_enabled'"),
            ("ssl_cert", "use 'ssl_certificate'"),
            ("ssl_extra_chain_certs", "append them to the file of 'ssl_certificate'"),
            ("ssl_verify", "use 'ssl_client_authentication'"),
            ("ssl_verify_mode", "use 'ssl_client_authentication'"),
            ("verify_mode", "use 'ssl_client_authentication'"),
            ("cipher_suites", "TLS 1.2 and 1.3 are spoken with safe cipher suites"),
            ("tls_min_version", "TLS 1.2 and 1.3 are spoken"),
            ("tls_max_version", "TLS 1.2 and 1.3 are spoken"),
        ] {
            options.obsolete(old, new);
        }
        let enabled = options.boolean("ssl_enabled", false);
        let files = Files::read(options);
        let clients = options.one_of("ssl_client_authentication", &["none", "optional", "required"], "none");
        options.ignored("ssl_handshake_timeout", "handshakes may take 10 seconds");
        if !enabled {
            return None;
        }
        let identity = match (&stores.identity, &files.certificate, &files.key) {
            (Some(identity), _, _) => of_store(identity),
            (None, Some(certificate), Some(key)) => of_files(certificate, key),
            _ => {
                for option in ["ssl_certificate", "ssl_key"].into_iter().filter(|_| !stores.prove) {
                    options.require(option);
                }
                return None;
            }
        };
        let roots = match clients {
            "none" => Ok(RootCertStore::empty()),
            _ => files.roots(stores.authorities.as_deref()),
        };
        let config = identity.and_then(|(chain, key)| server_config(chain, key, roots?, clients));
        config
            .map_err(|message| options.error_at("ssl_certificate", message))
            .ok()
            .map(|config| ServerTls(Arc::new(config)))
    }

    /// For an acceptor.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.0.clone()
    }
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: RootCertStore,
    clients: &str,
) -> Result<ServerConfig, String> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if clients == "none" {
        builder.with_no_client_auth()
    } else {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        let verifier = if clients == "optional" { verifier.allow_unauthenticated() } else { verifier };
        let verifier = verifier.build().map_err(|error| format!("'ssl_certificate_authorities': {error}"))?;
        builder.with_client_cert_verifier(verifier)
    };
    builder.with_single_cert(chain, key).map_err(|error| format!("certificate and key do not fit: {error}"))
}

/// What a plugin that connects believes, and proves.
#[derive(Clone)]
pub(crate) struct ClientTls(Arc<ClientConfig>);

impl ClientTls {
    /// Reads the options; `None` without `ssl_enabled`.
    pub(crate) fn read(options: &mut Options<'_>) -> Option<ClientTls> {
        for (old, new) in [
            ("ssl_enable", "use 'ssl_enabled'"),
            ("ssl_verify", "use 'ssl_verification_mode'"),
            ("ssl_cacert", "use 'ssl_certificate_authorities'"),
            ("ssl_cert", "use 'ssl_certificate'"),
        ] {
            options.obsolete(old, new);
        }
        let enabled = options.boolean("ssl_enabled", false);
        let files = Files::read(options);
        let verification = match options.one_of("ssl_verification_mode", &["full", "none"], "full") {
            "none" => Verification::None,
            _ => Verification::Full,
        };
        options.ignored("ssl_client_authentication", "it is for listening");
        if !enabled {
            return None;
        }
        match client_config(&files, verification) {
            Ok(config) => Some(ClientTls(Arc::new(config))),
            Err(message) => {
                options.error_at("ssl_enabled", message);
                None
            }
        }
    }

    /// Without options: the authorities of the system.
    pub(crate) fn of_system() -> Result<ClientTls, String> {
        let files = Files { certificate: None, key: None, authorities: Vec::new() };
        client_config(&files, Verification::Full).map(|config| ClientTls(Arc::new(config)))
    }

    /// Encrypts a connection to a host; the handshake comes with the first bytes.
    pub(crate) fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let name = ServerName::try_from(host.to_string()).map_err(io::Error::other)?;
        let session = ClientConnection::new(self.0.clone(), name).map_err(io::Error::other)?;
        Ok(StreamOwned::new(session, stream))
    }
}

fn client_config(files: &Files, verification: Verification) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut roots = files.roots(None)?;
    if files.authorities.is_empty() && verification != Verification::None {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let builder = verification.believe(builder, roots)?;
    match (&files.certificate, &files.key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(certificate), Some(key)) => builder
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(|error| format!("certificate and key do not fit: {error}")),
        _ => Err("'ssl_certificate' and 'ssl_key' belong together".into()),
    }
}
