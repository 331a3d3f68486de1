//! Datagrams: udp and unix. Each is one message.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{UdpSocket, UnixDatagram};
use tokio::sync::watch;

use super::source::{Shared, Source};
use crate::tail::settings::{InputSettings, ListenSettings};

/// The senders of more addresses than these are made anew when they come again.
const MOST_SOURCES: usize = 1024;
/// A datagram is no longer.
const LARGEST: usize = 64 << 10;
/// How many datagrams are taken before others get their turn.
const ROUND: usize = 256;

/// A socket of either kind.
pub(super) trait Datagrams: Send + Sync {
    /// Waits until there is something to receive.
    fn ready(&self) -> impl Future<Output = io::Result<()>> + Send;

    /// A datagram's length, and where it comes from.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<SocketAddr>)>;
}

impl Datagrams for UdpSocket {
    fn ready(&self) -> impl Future<Output = io::Result<()>> + Send {
        self.readable()
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<SocketAddr>)> {
        self.try_recv_from(buffer).map(|(count, peer)| (count, Some(peer)))
    }
}

impl Datagrams for UnixDatagram {
    fn ready(&self) -> impl Future<Output = io::Result<()>> + Send {
        self.readable()
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<SocketAddr>)> {
        self.try_recv(buffer).map(|count| (count, None))
    }
}

/// Receives until the input stops.
pub(super) async fn serve(
    socket: impl Datagrams,
    listen: ListenSettings,
    input: Arc<InputSettings>,
    shared: Shared,
    mut stop: watch::Receiver<bool>,
) {
    let mut sources: HashMap<Option<SocketAddr>, Source> = HashMap::new();
    let mut buffer = vec![0; LARGEST];
    loop {
        let readable = tokio::select! {
            readable = socket.ready() => readable,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if let Err(error) = readable {
            tracing::error!(%error, "cannot receive");
            return;
        }
        for _ in 0..ROUND {
            let (count, peer) = match socket.receive(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An answer that an earlier datagram could not be delivered: not ours.
                Err(_) => continue,
            };
            if sources.len() >= MOST_SOURCES && !sources.contains_key(&peer) {
                sources.clear();
            }
            let source = sources
                .entry(peer)
                .or_insert_with(|| Source::new(shared.clone(), input.clone(), peer.map(|peer| peer.to_string()), ""));
            let kept = count.min(listen.max_message_size);
            let mut gathered = source.gather(kept).await;
            let message = buffer[..kept].strip_suffix(b"\n").unwrap_or(&buffer[..kept]);
            source.add(message, count > kept, &mut gathered);
            if !source.send(gathered) {
                return;
            }
        }
        tokio::task::yield_now().await;
    }
}
