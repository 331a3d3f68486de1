//! What all listening inputs share: the address, TLS, accepting, stopping, and waiting for the workers without holding up
//! other connections.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{Batch, Feed, InputError, Stopped};
use crate::lang::diagnostic::Diagnostic;
use crate::options::Options;
use crate::tls::ServerTls;

/// More connections than this wait to be accepted.
pub(crate) const MOST_CONNECTIONS: usize = 2048;
/// How soon a waiting task notices that the pipeline stops, or that a worker is free.
const STEP: Duration = Duration::from_millis(20);

/// Where an input listens.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Reads `host` and `port`. Unlike Logstash, which listens on all addresses, an input without `host` is reached from
    /// this machine only.
    pub(super) fn read(options: &mut Options<'_>, default_port: Option<u16>) -> Address {
        if default_port.is_none() {
            options.require("port");
        }
        let host = match options.string("host") {
            Some(host) => host,
            None => {
                let message = format!("'{}' listens on 127.0.0.1 only", options.plugin.name);
                let span = options.plugin.name_span.clone();
                let hint = "set host => \"0.0.0.0\" to be reached from other machines";
                options.report(Diagnostic::warning("loopback-only", &span, message).with_hint(hint));
                "127.0.0.1".into()
            }
        };
        let port = match options.integer("port") {
            None => default_port.unwrap_or_default(),
            Some(number) => u16::try_from(number).unwrap_or_else(|_| {
                options.error_at("port", format!("'port' must be 0 to 65535, this is {number}"));
                0
            }),
        };
        Address { host, port }
    }

    pub(super) fn failed(&self, error: &io::Error) -> InputError {
        InputError(format!("cannot listen on {}:{}: {error}", self.host, self.port))
    }
}

/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Runs a future on a runtime of this thread.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, InputError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| InputError(format!("cannot start: {error}")))?;
    Ok(runtime.block_on(future))
}

/// Accepts connections until the pipeline stops, then waits until `serve` has ended for each.
pub(super) async fn accept<F>(
    address: &Address,
    tls: Option<ServerTls>,
    feed: &Feed,
    serve: impl Fn(Box<dyn Stream>, SocketAddr) -> F + Send + Sync + 'static,
) -> Result<(), InputError>
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind((address.host.as_str(), address.port)).await;
    let listener = listener.map_err(|error| address.failed(&error))?;
    if let Ok(bound) = listener.local_addr() {
        tracing::info!(address = %bound, "listening");
    }
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let serve = Arc::new(serve);
    let mut connections = JoinSet::new();
    while let Some((stream, peer)) = next_connection(&listener, feed).await {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = room.clone().acquire_owned().await else { break };
        let (tls, serve) = (tls.clone(), serve.clone());
        connections.spawn(async move {
            if let Some(stream) = shaken(stream, peer, tls).await {
                serve(stream, peer).await;
            }
            drop(permit);
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// The connection after its TLS handshake, where there is to be one.
pub(crate) async fn shaken(stream: TcpStream, peer: SocketAddr, tls: Option<ServerTls>) -> Option<Box<dyn Stream>> {
    const HANDSHAKE: Duration = Duration::from_secs(10);
    let Some(tls) = tls else { return Some(Box::new(stream)) };
    match tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(tls.config()).accept(stream)).await {
        Ok(Ok(stream)) => return Some(Box::new(stream)),
        Ok(Err(error)) => tracing::warn!(%peer, %error, "the TLS handshake failed"),
        Err(_) => tracing::warn!(%peer, "the TLS handshake took too long"),
    }
    None
}

/// The next connection; `None` when the pipeline stops.
async fn next_connection(listener: &TcpListener, feed: &Feed) -> Option<(TcpStream, SocketAddr)> {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    // Acknowledgements are small and must not wait for more.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%peer, %error, "cannot switch off Nagle's algorithm");
                    }
                    return Some((stream, peer));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            () = stopped(feed) => return None,
        }
    }
}

/// Waits until the pipeline is to stop.
pub(super) async fn stopped(feed: &Feed) {
    while !feed.stopping() {
        tokio::time::sleep(STEP * 5).await;
    }
}

/// Hands a batch to the workers; waits while they are busy.
pub(super) async fn give(feed: &Feed, mut batch: Batch) -> Result<(), Stopped> {
    loop {
        batch = match feed.try_send(batch)? {
            None => return Ok(()),
            Some(refused) => refused,
        };
        tokio::time::sleep(STEP / 4).await;
    }
}
