//! Connections: tcp, with or without TLS, and unix streams.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::frames::Framer;
use super::source::{Shared, Source};
use crate::tail::settings::{InputSettings, ListenSettings};

/// How much is read at a time.
const READ: usize = 64 << 10;
/// How long a client may take to agree on TLS.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// How long accepting rests after it failed, for example for want of handles.
const REST: Duration = Duration::from_millis(100);

/// A listener of either kind.
trait Accept {
    /// A connection, with where it comes from.
    type Connection;

    fn next(&self) -> impl Future<Output = io::Result<Self::Connection>> + Send;
}

impl Accept for TcpListener {
    type Connection = (TcpStream, SocketAddr);

    fn next(&self) -> impl Future<Output = io::Result<Self::Connection>> + Send {
        self.accept()
    }
}

impl Accept for UnixListener {
    type Connection = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

/// What the connections of one input share.
#[derive(Clone)]
struct Server {
    listen: ListenSettings,
    input: Arc<InputSettings>,
    shared: Shared,
    stop: watch::Receiver<bool>,
    connections: Arc<Semaphore>,
}

impl Server {
    fn new(listen: ListenSettings, input: Arc<InputSettings>, shared: Shared, stop: watch::Receiver<bool>) -> Server {
        let most = if listen.max_connections == 0 { Semaphore::MAX_PERMITS } else { listen.max_connections };
        Server { listen, input, shared, stop, connections: Arc::new(Semaphore::new(most)) }
    }

    /// The next connection, once there may be one more; nothing when the input stops.
    async fn next<L: Accept>(&mut self, listener: &L) -> Option<(L::Connection, OwnedSemaphorePermit)> {
        let permit = self.connections.clone().acquire_owned().await.ok()?;
        loop {
            let accepted = tokio::select! {
                accepted = listener.next() => accepted,
                _ = self.stop.wait_for(|stop| *stop) => return None,
            };
            match accepted {
                Ok(connection) => return Some((connection, permit)),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    async fn connection(self, stream: impl AsyncRead + Unpin, address: Option<String>) {
        let mut source = Source::new(self.shared.clone(), self.input.clone(), address.clone(), "");
        if let Err(error) = self.read(stream, &mut source).await {
            tracing::debug!(%error, address, "a connection broke");
        }
        source.expire(true).await;
    }

    async fn read(&self, mut stream: impl AsyncRead + Unpin, source: &mut Source) -> io::Result<()> {
        let mut framer = Framer::new(&self.listen.framing, self.listen.max_message_size);
        let mut stop = self.stop.clone();
        let mut buffer = vec![0; READ];
        loop {
            let read = tokio::select! {
                read = tokio::time::timeout(self.listen.timeout, stream.read(&mut buffer)) => read,
                _ = stop.wait_for(|stop| *stop) => Ok(Ok(0)),
            };
            let count = match read {
                Ok(read) => read?,
                Err(_) => 0,
            };
            // What the framer holds may come with it.
            let mut gathered = source.gather(count + framer.held()).await;
            if count == 0 {
                framer.finish(|message, cut| source.add(message, cut, &mut gathered));
                source.send(gathered);
                return Ok(());
            }
            framer.feed(&buffer[..count], |message, cut| source.add(message, cut, &mut gathered));
            if !source.send(gathered) {
                return Ok(());
            }
        }
    }
}

pub(super) async fn serve_tcp(
    listener: TcpListener,
    listen: ListenSettings,
    input: Arc<InputSettings>,
    shared: Shared,
    stop: watch::Receiver<bool>,
) {
    let acceptor = listen.tls.clone().map(TlsAcceptor::from);
    let mut server = Server::new(listen, input, shared, stop);
    while let Some(((stream, peer), permit)) = server.next(&listener).await {
        let (server, acceptor) = (server.clone(), acceptor.clone());
        tokio::spawn(async move {
            let address = Some(peer.to_string());
            match acceptor {
                None => server.connection(stream, address).await,
                Some(acceptor) => match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => server.connection(stream, address).await,
                    Ok(Err(error)) => tracing::warn!(%error, %peer, "a client does not agree on TLS"),
                    Err(_) => tracing::warn!(%peer, "a client takes too long to agree on TLS"),
                },
            }
            drop(permit);
        });
    }
}

pub(super) async fn serve_unix(
    listener: UnixListener,
    listen: ListenSettings,
    input: Arc<InputSettings>,
    shared: Shared,
    stop: watch::Receiver<bool>,
) {
    let mut server = Server::new(listen, input, shared, stop);
    while let Some((stream, permit)) = server.next(&listener).await {
        let server = server.clone();
        tokio::spawn(async move {
            server.connection(stream, None).await;
            drop(permit);
        });
    }
}
