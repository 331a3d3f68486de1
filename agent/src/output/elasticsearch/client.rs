//! Bulk requests over HTTP.

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use rustls::pki_types::CertificateDer;
use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::{ElasticsearchSettings, Item, OutputError, TlsSettings};
use crate::http::escaped;
use crate::output::tls::{Verification, certificates, is_pem};

/// An answer is no longer.
const LARGEST_ANSWER: u64 = 64 << 20;

/// Why a request came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may work later.
    Again(String),
    /// It is too large (413).
    TooLarge,
}

pub(super) struct Client {
    agent: Agent,
    addresses: Vec<String>,
    next: usize,
    headers: Vec<(String, String)>,
    compression: u32,
}

impl Client {
    pub(super) fn new(settings: &ElasticsearchSettings) -> Result<Client, OutputError> {
        let config = Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            .user_agent(concat!("tailrace-agent/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls(&settings.tls)?)
            .build();
        let parameters: Vec<String> =
            settings.parameters.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
        let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
        let addresses = settings.hosts.iter().map(|host| format!("{}/_bulk{query}", host.trim_end_matches('/')));
        let mut headers = settings.headers.clone();
        if let Some(authorization) = &settings.authorization {
            headers.push(("authorization".to_owned(), authorization.0.clone()));
        }
        Ok(Client {
            agent: config.into(),
            addresses: addresses.collect(),
            next: 0,
            headers,
            compression: settings.compression_level,
        })
    }

    /// Sends documents; the answer comes back as it is.
    pub(super) fn bulk(&mut self, items: &[Item]) -> Result<Vec<u8>, Failure> {
        let address = self.addresses[self.next % self.addresses.len()].clone();
        let sent = self.send(&address, &self.body(items));
        if matches!(sent, Err(Failure::Again(_))) {
            self.next += 1;
        }
        sent
    }

    fn send(&self, address: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let again = |error: &dyn std::fmt::Display| Failure::Again(format!("{address}: {error}"));
        let mut request = self.agent.post(address).header("content-type", "application/x-ndjson");
        if self.compression > 0 {
            request = request.header("content-encoding", "gzip");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut response = request.send(body).map_err(|error| again(&error))?;
        let status = response.status();
        if status.as_u16() == 413 {
            return Err(Failure::TooLarge);
        }
        let answer =
            response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec().map_err(|error| again(&error))?;
        if !status.is_success() {
            let text = String::from_utf8_lossy(&answer);
            return Err(again(&format!("{status} {}", text.chars().take(300).collect::<String>())));
        }
        Ok(answer)
    }

    /// Asks the first host who it is.
    pub(super) fn ping(&self) -> Result<(), String> {
        let root = self.addresses.first().and_then(|address| address.split("/_bulk").next()).unwrap_or_default();
        let mut request = self.agent.get(root);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.call().map_err(|error| error.to_string())?;
        let status = response.status();
        if status.is_success() { Ok(()) } else { Err(status.to_string()) }
    }

    fn body(&self, items: &[Item]) -> Vec<u8> {
        let lines = items.iter().flat_map(|item| [&item.action, &item.source]);
        if self.compression == 0 {
            return lines.flat_map(|line| line.iter().copied().chain([b'\n'])).collect();
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(self.compression));
        for line in lines {
            // Writing to memory does not fail.
            encoder.write_all(line).and_then(|()| encoder.write_all(b"\n")).ok();
        }
        encoder.finish().unwrap_or_default()
    }
}

fn tls(settings: &TlsSettings) -> Result<TlsConfig, OutputError> {
    let own = |all: Vec<CertificateDer<'static>>| -> Vec<Certificate<'static>> {
        all.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
    };
    let mut roots = Vec::new();
    for authority in &settings.authorities {
        roots.extend(own(certificates(authority)?));
    }
    if settings.authorities.is_empty() {
        roots = own(rustls_native_certs::load_native_certs().certs);
    }
    let client = match &settings.identity {
        None => None,
        Some((certificate, key)) => {
            let cannot = |error: &dyn std::fmt::Display| OutputError(format!("cannot read 'ssl.key': {error}"));
            let text = if is_pem(&key.0) { Ok(key.0.clone()) } else { std::fs::read_to_string(&key.0) };
            let key = PrivateKey::from_pem(text.map_err(|error| cannot(&error))?.as_bytes());
            Some(ClientCert::new_with_certs(&own(certificates(certificate)?), key.map_err(|error| cannot(&error))?))
        }
    };
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .client_cert(client)
        .disable_verification(settings.verification == Verification::None)
        .build())
}
