//! The connection to Elasticsearch: the official client's transport.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use elasticsearch::auth::{ClientCertificate, Credentials};
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::Method;
use elasticsearch::http::headers::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use elasticsearch::http::transport::{MultiNodeConnectionPool, Transport, TransportBuilder};

use super::response::BulkResponse;
use super::settings::{Connection, Secret};
use crate::output::OutputError;

/// Sends bulk requests.
pub(super) struct Client {
    transport: Transport,
    path: String,
    headers: HeaderMap,
    timeout: Duration,
    /// For messages.
    pub(super) addresses: String,
}

/// Why a request as a whole came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// Nobody answered.
    #[error("cannot reach elasticsearch at {addresses}: {cause}")]
    Unreachable { addresses: String, cause: String },
    /// The request is too large for the server.
    #[error("the request is too large for elasticsearch (413)")]
    TooLarge,
    /// The server says that the request as such is wrong.
    #[error("elasticsearch refused the request: {0}")]
    Refused(String),
    /// The server cannot take it now, or does not want us.
    #[error("elasticsearch answered {status}: {text}")]
    Busy { status: u16, text: String },
}

impl Client {
    pub(super) fn new(connection: &Connection) -> Result<Client, OutputError> {
        let bad = |what: &str, error: &dyn std::fmt::Display| OutputError(format!("{what}: {error}"));
        let urls = connection.hosts.iter().map(|host| host.parse()).collect::<Result<Vec<_>, _>>();
        let urls = urls.map_err(|error| bad("invalid address in 'hosts'", &error))?;
        let pool = MultiNodeConnectionPool::round_robin(urls, None);
        let mut builder = TransportBuilder::new(pool).disable_proxy().request_body_compression(connection.compress);
        builder = builder.cert_validation(validation(connection)?);
        match &connection.credentials {
            Some(Secret::Basic(user, password)) => {
                builder = builder.auth(Credentials::Basic(user.clone(), password.clone()))
            }
            Some(Secret::ApiKey(key)) => {
                // Logstash writes id:key, Elasticsearch takes it in base64; what is already encoded is taken as it is.
                builder = builder.auth(match key.split_once(':') {
                    Some((id, secret)) => Credentials::ApiKey(id.into(), secret.into()),
                    None => Credentials::EncodedApiKey(key.clone()),
                });
            }
            None => {}
        }
        if let Some((certificate, key)) = &connection.identity {
            let mut pem = read(certificate)?;
            pem.push(b'\n');
            pem.extend(read(key)?);
            builder = builder.auth(ClientCertificate::Pem(pem).into());
        }
        let transport =
            builder.build().map_err(|error| bad("cannot set up the connection to elasticsearch", &error))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        for (name, value) in &connection.headers {
            let name: HeaderName = name.parse().map_err(|error| bad("invalid name in 'custom_headers'", &error))?;
            let value =
                HeaderValue::from_str(value).map_err(|error| bad("invalid value in 'custom_headers'", &error))?;
            headers.insert(name, value);
        }
        let addresses = connection.hosts.iter().map(|host| without_password(host)).collect::<Vec<_>>().join(", ");
        Ok(Client {
            transport,
            path: format!("{}/_bulk", connection.path),
            headers,
            timeout: connection.timeout,
            addresses,
        })
    }

    /// Sends one bulk request.
    pub(super) async fn bulk(&self, body: Bytes) -> Result<BulkResponse, RequestError> {
        let query = [("filter_path", "errors,items.*.error,items.*.status")];
        let headers = self.headers.clone();
        let sent =
            self.transport.send(Method::Post, &self.path, headers, Some(&query), Some(body), Some(self.timeout)).await;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        let status = response.status_code().as_u16();
        let bytes = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        match status {
            200 => {}
            413 => return Err(RequestError::TooLarge),
            400 => return Err(RequestError::Refused(shown(&bytes))),
            status => return Err(RequestError::Busy { status, text: shown(&bytes) }),
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| RequestError::Busy { status, text: format!("{error} in {}", shown(&bytes)) })
    }

    fn unreachable(&self, error: &dyn std::error::Error) -> RequestError {
        let mut cause = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            cause = inner.to_string();
            source = inner.source();
        }
        RequestError::Unreachable { addresses: self.addresses.clone(), cause }
    }
}

fn validation(connection: &Connection) -> Result<CertificateValidation, OutputError> {
    if !connection.verify {
        return Ok(CertificateValidation::None);
    }
    if connection.authorities.is_empty() {
        return Ok(CertificateValidation::Default);
    }
    let mut pem = Vec::new();
    for path in &connection.authorities {
        pem.extend(read(path)?);
        pem.push(b'\n');
    }
    let certificate = Certificate::from_pem(&pem)
        .map_err(|error| OutputError(format!("cannot read 'ssl_certificate_authorities': {error}")))?;
    Ok(CertificateValidation::Full(certificate))
}

fn read(path: &Path) -> Result<Vec<u8>, OutputError> {
    fs::read(path).map_err(|error| OutputError(format!("cannot read '{}': {error}", path.display())))
}

/// The start of an answer, for a message.
fn shown(bytes: &[u8]) -> String {
    const LONGEST: usize = 500;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]);
    text.trim().to_string()
}

fn without_password(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => address.to_string(),
    }
}
