//! Requests over a unix socket, TCP or TLS, whose answers are read whole or line by line as they come: what Docker's and
//! Kubernetes' APIs take. One connection serves one request, as a watch needs its own and the others are rare.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// How long connecting and the beginning of an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// An answer that is read whole is no longer, and no line is.
const LARGEST: usize = 64 << 20;

/// Where a server is.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    /// A unix socket.
    Unix(PathBuf),
    /// A host and port; with TLS, under a name that its certificate must bear.
    Tcp(String, Option<(Arc<ClientConfig>, ServerName<'static>)>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// The server does not answer as it should.
    #[error("{0}")]
    Broken(String),
    /// It says no.
    #[error("it answers {0}{1}")]
    Status(StatusCode, String),
}

impl Refused {
    /// The status, if it answers at all.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Refused::Broken(_) => None,
            Refused::Status(status, _) => Some(status.as_u16()),
        }
    }
}

fn broken(error: impl std::fmt::Display) -> Refused {
    Refused::Broken(error.to_string())
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Asks one server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    endpoint: Endpoint,
    /// `authorization`, where it takes one.
    authorization: Option<String>,
}

impl Client {
    pub(crate) fn new(endpoint: Endpoint, authorization: Option<String>) -> Client {
        Client { endpoint, authorization }
    }

    /// The whole answer to a request.
    ///
    /// # Errors
    /// When there is none, or it is none of success.
    pub(crate) async fn get(&self, path: &str) -> Result<Bytes, Refused> {
        let answer = self.send(path).await?;
        read(answer.into_body()).await
    }

    /// The answer to a request, line by line.
    ///
    /// # Errors
    /// When there is none, or it is none of success.
    pub(crate) async fn lines(&self, path: &str) -> Result<Lines, Refused> {
        Ok(Lines { body: self.send(path).await?.into_body(), buffer: Vec::new(), scanned: 0 })
    }

    async fn send(&self, path: &str) -> Result<Response<Incoming>, Refused> {
        let answer = timeout(PATIENCE, self.exchange(path)).await;
        let answer = answer.map_err(|_| broken("it does not answer in time"))??;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = timeout(PATIENCE, read(answer.into_body())).await.ok().and_then(Result::ok).unwrap_or_default();
        let text: String = String::from_utf8_lossy(&text).trim().chars().take(300).collect();
        Err(Refused::Status(status, if text.is_empty() { text } else { format!(": {text}") }))
    }

    async fn exchange(&self, path: &str) -> Result<Response<Incoming>, Refused> {
        let stream = self.connect().await.map_err(broken)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::trace!(%error, "a connection broke");
            }
        });
        let mut request = Request::get(path)
            .header(HOST, self.host())
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("tailrace-agent/", env!("CARGO_PKG_VERSION")));
        if let Some(authorization) = &self.authorization {
            request = request.header(hyper::header::AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(broken)?;
        sender.send_request(request).await.map_err(broken)
    }

    fn host(&self) -> &str {
        match &self.endpoint {
            Endpoint::Unix(_) => "localhost",
            Endpoint::Tcp(host, _) => host,
        }
    }

    async fn connect(&self) -> std::io::Result<Pin<Box<dyn Stream>>> {
        Ok(match &self.endpoint {
            Endpoint::Unix(path) => Box::pin(UnixStream::connect(path).await?),
            Endpoint::Tcp(host, None) => Box::pin(TcpStream::connect(host).await?),
            Endpoint::Tcp(host, Some((config, name))) => {
                let stream = TcpStream::connect(host).await?;
                Box::pin(tokio_rustls::TlsConnector::from(config.clone()).connect(name.clone(), stream).await?)
            }
        })
    }
}

async fn read(body: Incoming) -> Result<Bytes, Refused> {
    Limited::new(body, LARGEST).collect().await.map(|body| body.to_bytes()).map_err(broken)
}

/// The lines of an answer.
#[derive(Debug)]
pub(crate) struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
    /// So much of the buffer has no line end.
    scanned: usize,
}

impl Lines {
    /// The next line that is not empty; nothing when the server has closed the connection. May be dropped while it waits
    /// and called again.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Refused> {
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[self.scanned..]) {
                let rest = self.buffer.split_off(self.scanned + at + 1);
                let line = std::mem::replace(&mut self.buffer, rest);
                self.scanned = 0;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Ok(Some(line));
            }
            self.scanned = self.buffer.len();
            if self.scanned > LARGEST {
                return Err(broken("a line of its answer is too long"));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            if let Ok(data) = frame.map_err(broken)?.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}
