//! The connection to Elasticsearch: the official client's transport.

use std::time::Duration;

use bytes::Bytes;
use elasticsearch::auth::ClientCertificate;
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::headers::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use elasticsearch::http::transport::{MultiNodeConnectionPool, Transport, TransportBuilder};
use elasticsearch::http::{Method, Url};

use super::response::BulkResponse;
use super::settings::{Connection, Secret};
use crate::http_client;
use crate::output::OutputError;

/// Sends bulk requests.
pub(super) struct Client {
    transport: Transport,
    path: String,
    bulk_path: String,
    parameters: Vec<(String, String)>,
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
        let mut builder = TransportBuilder::new(pool).request_body_compression(connection.compress);
        builder = match &connection.proxy {
            None => builder.disable_proxy(),
            Some(proxy) => {
                let url: Url = proxy.parse().map_err(|error| bad("'proxy' is no address", &error))?;
                let user = (!url.username().is_empty()).then(|| url.username().to_string());
                let password = url.password().map(str::to_string);
                builder.proxy(url, user.as_deref(), password.as_deref())
            }
        };
        builder = builder.cert_validation(validation(connection)?);
        if let Some(pem) = &connection.proofs.identity {
            builder = builder.auth(ClientCertificate::Pem(pem.clone()).into());
        }
        let transport =
            builder.build().map_err(|error| bad("cannot set up the connection to elasticsearch", &error))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        // The transport takes either credentials or a certificate.
        let authorization = match &connection.credentials {
            Some(Secret::Basic(user, password)) => http_client::authorization(user, password),
            Some(Secret::ApiKey(key)) => http_client::api_key(key),
            None => None,
        };
        headers.extend(authorization.map(|value| (AUTHORIZATION, value)));
        for (name, value) in &connection.headers {
            let name: HeaderName = name.parse().map_err(|error| bad("invalid name in 'custom_headers'", &error))?;
            let value =
                HeaderValue::from_str(value).map_err(|error| bad("invalid value in 'custom_headers'", &error))?;
            headers.insert(name, value);
        }
        let addresses = connection.hosts.iter().map(|host| without_password(host)).collect::<Vec<_>>().join(", ");
        Ok(Client {
            transport,
            bulk_path: connection.bulk_path.clone().unwrap_or_else(|| format!("{}/_bulk", connection.path)),
            path: connection.path.clone(),
            parameters: connection.parameters.clone(),
            headers,
            timeout: connection.timeout,
            addresses,
        })
    }

    /// Sends one bulk request.
    pub(super) async fn bulk(&self, body: Bytes) -> Result<BulkResponse, RequestError> {
        let filter = ("filter_path", "errors,items.*.error,items.*.status");
        let (status, bytes) =
            self.send(Method::Post, &self.bulk_path, self.headers.clone(), Some(filter), Some(body)).await?;
        match status {
            200 => {}
            413 => return Err(RequestError::TooLarge),
            400 => return Err(RequestError::Refused(shown(&bytes))),
            status => return Err(RequestError::Busy { status, text: shown(&bytes) }),
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| RequestError::Busy { status, text: format!("{error} in {}", shown(&bytes)) })
    }

    /// Whether something is there.
    pub(super) async fn exists(&self, path: &str) -> Result<bool, RequestError> {
        let path = format!("{}{path}", self.path);
        match self.send(Method::Head, &path, self.headers.clone(), None, None).await? {
            (200, _) => Ok(true),
            (404, _) => Ok(false),
            (status, bytes) => Err(RequestError::Busy { status, text: shown(&bytes) }),
        }
    }

    /// Puts JSON somewhere.
    pub(super) async fn put(&self, path: &str, body: Bytes) -> Result<(), RequestError> {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let path = format!("{}{path}", self.path);
        match self.send(Method::Put, &path, headers, None, Some(body)).await? {
            (200 | 201, _) => Ok(()),
            (400, bytes) => Err(RequestError::Refused(shown(&bytes))),
            (status, bytes) => Err(RequestError::Busy { status, text: shown(&bytes) }),
        }
    }

    /// The status and the body of an answer.
    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        query: Option<(&str, &str)>,
        body: Option<Bytes>,
    ) -> Result<(u16, Bytes), RequestError> {
        let own = self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let query: Vec<(&str, &str)> = query.into_iter().chain(own).collect();
        let sent = self.transport.send(method, path, headers, Some(&query), body, Some(self.timeout)).await;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        let status = response.status_code().as_u16();
        let bytes = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        Ok((status, bytes))
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
    let authorities = &connection.proofs.authorities;
    if authorities.is_empty() {
        return Ok(CertificateValidation::Default);
    }
    let certificate = Certificate::from_pem(authorities)
        .map_err(|error| OutputError(format!("cannot use the authorities for elasticsearch: {error}")))?;
    Ok(CertificateValidation::Full(certificate))
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
