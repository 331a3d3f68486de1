//! Output `tcp` in `mode => server`: it listens, and whoever connects gets the events from then on.
//!
//! As in Logstash, events that come while nobody is connected are gone; this is said once each time. A client that reads
//! slower than events come holds up the pipeline, and is cut off when it takes nothing for [`TIMEOUT`]. What clients send is
//! forgotten; one that has sent its end is gone.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tailrace_common::Event;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::socket::lines;
use super::{Output, OutputError, Services};
use crate::codec::Codec;
use crate::delivery::Share;
use crate::input::{MOST_CONNECTIONS, Stream, shaken};
use crate::tls::ServerTls;

/// How long a client may take nothing.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Batches that wait for one client.
const WAITING: usize = 64;
const STEP: Duration = Duration::from_millis(10);

/// A listening output.
pub(super) struct TcpServer {
    host: String,
    port: u16,
    codec: Box<dyn Codec>,
    tls: Option<ServerTls>,
    clients: Arc<Clients>,
    /// Whether the last events found nobody.
    alone: AtomicBool,
    running: OnceLock<(Services, Mutex<Option<Runtime>>)>,
}

/// Those who are connected.
#[derive(Default)]
struct Clients {
    /// Locked by workers only, who may wait for a slow client meanwhile.
    served: Mutex<Vec<Client>>,
    /// Admitted since the last events; never locked for long, or nobody would be written to meanwhile.
    arrived: Mutex<Vec<Client>>,
}

/// One of them, and what writes to it.
struct Client {
    peer: SocketAddr,
    texts: Sender<Bytes>,
    writer: JoinHandle<()>,
}

impl Clients {
    /// All of them, with those who have arrived.
    fn lock(&self) -> MutexGuard<'_, Vec<Client>> {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.append(&mut self.arrived.lock().unwrap_or_else(PoisonError::into_inner));
        served
    }

    /// Takes one in, and forgets those who have come and gone since the last events.
    fn admit(&self, client: Client) {
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        arrived.retain(|client| !client.texts.is_closed());
        arrived.push(client);
    }
}

impl Client {
    /// Gives it the text; false when it is no more, or is to be cut off.
    fn give(&self, text: &Bytes, services: &Services) -> bool {
        let begun = Instant::now();
        loop {
            match self.texts.try_send(text.clone()) {
                Ok(()) => return true,
                Err(TrySendError::Closed(_)) => return false,
                Err(TrySendError::Full(_)) if begun.elapsed() > TIMEOUT || services.abandon.is_set() => {
                    tracing::warn!(peer = %self.peer, "a client takes nothing and is cut off");
                    self.writer.abort();
                    return false;
                }
                Err(TrySendError::Full(_)) => services.abandon.sleep(STEP),
            }
        }
    }
}

impl TcpServer {
    pub(super) fn new(host: String, port: u16, codec: Box<dyn Codec>, tls: Option<ServerTls>) -> TcpServer {
        let (clients, alone, running) = (Arc::default(), AtomicBool::default(), OnceLock::new());
        TcpServer { host, port, codec, tls, clients, alone, running }
    }
}

impl Output for TcpServer {
    fn start(&self, services: &Services) -> Result<(), OutputError> {
        let failed = |error| OutputError(format!("cannot listen on {}:{}: {error}", self.host, self.port));
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("tcp-server").enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let listener = runtime.block_on(TcpListener::bind((self.host.as_str(), self.port))).map_err(failed)?;
        runtime.spawn(accept(listener, self.tls.clone(), self.clients.clone()));
        self.running.get_or_init(|| (services.clone(), Mutex::new(Some(runtime))));
        Ok(())
    }

    fn write(&self, events: &[&Event], share: Share) {
        let Some((services, _)) = self.running.get() else { return };
        let text = Bytes::from(lines(&*self.codec, events));
        let mut clients = self.clients.lock();
        clients.retain(|client| client.give(&text, services));
        let alone = clients.is_empty();
        drop(clients);
        if alone && !self.alone.swap(true, Ordering::Relaxed) {
            tracing::warn!(host = self.host, port = self.port, "nobody is connected: events go nowhere");
        } else if !alone {
            self.alone.store(false, Ordering::Relaxed);
        }
        services.count(events.len());
        share.done();
    }

    fn close(&self) {
        let Some((_, runtime)) = self.running.get() else { return };
        let Some(runtime) = runtime.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let clients = std::mem::take(&mut *self.clients.lock());
        // Without its sender a writer ends when it has written what waits.
        let writers: Vec<_> = clients.into_iter().map(|client| client.writer).collect();
        for writer in writers {
            if runtime.block_on(async { timeout(TIMEOUT, writer).await }).is_err() {
                tracing::warn!("a client did not take everything before the end");
            }
        }
        runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

/// Takes in whoever comes, while there is room.
async fn accept(listener: TcpListener, tls: Option<ServerTls>, clients: Arc<Clients>) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    while let Ok(place) = room.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => drop(tokio::spawn(admit(stream, peer, tls.clone(), clients.clone(), place))),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn admit(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<ServerTls>,
    clients: Arc<Clients>,
    place: OwnedSemaphorePermit,
) {
    let Some(stream) = shaken(stream, peer, tls).await else { return };
    let (texts, waiting) = channel(WAITING);
    let writer = tokio::spawn(async move {
        serve(stream, peer, waiting).await;
        drop(place);
    });
    clients.admit(Client { peer, texts, writer });
}

/// Writes to one client until it is gone or the output closes.
async fn serve(stream: Box<dyn Stream>, peer: SocketAddr, texts: Receiver<Bytes>) {
    let (reading, writing) = split(stream);
    tokio::select! {
        () = write_all(writing, peer, texts) => {}
        () = left(reading) => tracing::info!(%peer, "a client is gone"),
    }
}

/// Waits for the end of what a client sends.
async fn left(mut reading: impl AsyncRead + Unpin) {
    let mut forgotten = [0; 512];
    while reading.read(&mut forgotten).await.is_ok_and(|length| length > 0) {}
}

async fn write_all(mut stream: impl AsyncWrite + Unpin, peer: SocketAddr, mut texts: Receiver<Bytes>) {
    while let Some(text) = texts.recv().await {
        let written = async {
            stream.write_all(&text).await?;
            stream.flush().await
        };
        match timeout(TIMEOUT, written).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return tracing::info!(%peer, %error, "a client is gone"),
            Err(_) => return tracing::warn!(%peer, "a client takes nothing and is cut off"),
        }
    }
    if let Err(error) = stream.shutdown().await {
        tracing::debug!(%peer, %error, "a client was gone at the end");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::net::TcpStream as Connection;

    use super::*;

    /// Who is admitted, where to come to be, and what must live as long.
    fn listening() -> (Arc<Clients>, SocketAddr, Runtime) {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let clients = Arc::<Clients>::default();
        runtime.spawn(accept(listener, None, clients.clone()));
        (clients, address, runtime)
    }

    fn eventually(what: impl Fn() -> bool) {
        let begun = Instant::now();
        while !what() {
            assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain");
            std::thread::sleep(STEP);
        }
    }

    #[test]
    fn a_client_that_goes_is_noticed_without_events() {
        let (clients, address, _runtime) = listening();
        let mut connection = Connection::connect(address).unwrap();
        connection.write_all(b"hello").unwrap();
        let open = || clients.lock().iter().filter(|client| !client.texts.is_closed()).count();
        eventually(|| open() == 1);
        drop(connection);
        eventually(|| open() == 0);
    }

    #[test]
    fn places_of_those_who_went_are_free_again() {
        let (clients, address, _runtime) = listening();
        for _ in 0..MOST_CONNECTIONS + 10 {
            drop(Connection::connect(address).unwrap());
        }
        let stays = Connection::connect(address).unwrap();
        let peer = stays.local_addr().unwrap();
        let arrived = || clients.arrived.lock().unwrap();
        eventually(|| arrived().iter().any(|client| client.peer == peer));
        assert!(arrived().len() <= MOST_CONNECTIONS);
    }
}
