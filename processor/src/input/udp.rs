//! Input `udp`: one text per datagram. Datagrams that come while the workers are busy wait in the socket's buffer; the
//! kernel drops what does not fit there.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tailrace_common::{Event, FieldPath, Str, Timestamp};

use super::net::Address;
use super::texts::Texts;
use super::{Feed, Input, InputDecoration, InputDefinition, InputError};
use crate::codec::{self, Codec};
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: InputDefinition =
    InputDefinition { name: "udp", summary: "Receives datagrams over UDP.", build };

/// How soon the input notices that the pipeline stops.
const STEP: Duration = Duration::from_millis(100);

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Input>, Invalid> {
    let decoration = InputDecoration::read(&mut options);
    let ecs = options.ecs().enabled();
    let address = Address::read(&mut options, None);
    let codec = codec::from_option(&mut options, build, "plain");
    let buffer_size = options.integer("buffer_size").unwrap_or(65_536).clamp(1, 65_536) as usize;
    let default = if ecs { "[host][ip]" } else { "host" };
    let source = options.string("source_ip_fieldname").unwrap_or_else(|| default.into());
    let source = options.path("source_ip_fieldname", &source);
    options.ignored("receive_buffer_bytes", "left to the operating system (net.core.rmem_default)");
    options.ignored("queue_size", "the pipeline's queue is used");
    options.ignored("workers", "the pipeline's workers decode");
    options.finish()?;
    let Some(source) = source else { return Err(Invalid) };
    Ok(Box::new(Udp { address, buffer_size, context: Arc::new(Context { codec: codec?, decoration, source }) }))
}

struct Udp {
    address: Address,
    buffer_size: usize,
    context: Arc<Context>,
}

/// What decoding needs.
struct Context {
    codec: Box<dyn Codec>,
    decoration: InputDecoration,
    /// Where the sender's address goes.
    source: FieldPath,
}

impl Input for Udp {
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError> {
        let context = self.context.clone();
        receive(&self.address, self.buffer_size, feed, move |texts, peers, now| {
            texts.events(&*context.codec, now, |number, event| {
                if event.get(&context.source).is_none() {
                    // A `host` that is no map keeps what it is.
                    let _unset = event.set(&context.source, Str::from(peers[number].ip().to_string()));
                }
                context.decoration.apply(event);
            })
        })
    }
}

/// Receives datagrams until the pipeline stops; `decode` makes events of them in the workers.
pub(super) fn receive(
    address: &Address,
    buffer_size: usize,
    feed: &Feed,
    decode: impl Fn(Texts, &[SocketAddr], Timestamp) -> Vec<Event> + Clone + Send + 'static,
) -> Result<(), InputError> {
    let socket = UdpSocket::bind((address.host.as_str(), address.port));
    let socket = socket.map_err(|error| address.failed(&error))?;
    let mut buffer = vec![0; buffer_size];
    while !feed.stopping() {
        let (texts, peers) = collect(&socket, &mut buffer, feed).map_err(|error| address.failed(&error))?;
        let decode = decode.clone();
        if texts.len() > 0 && feed.send_free(texts.len(), move |now| decode(texts, &peers, now)).is_err() {
            break;
        }
    }
    Ok(())
}

/// Takes what comes until the batch is full or its time is over.
fn collect(socket: &UdpSocket, buffer: &mut [u8], feed: &Feed) -> std::io::Result<(Texts, Vec<SocketAddr>)> {
    let (mut texts, mut peers) = (Texts::default(), Vec::new());
    let mut deadline = Instant::now() + STEP;
    while texts.len() < feed.batch_size {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        socket.set_read_timeout(Some(left))?;
        match socket.recv_from(buffer) {
            Ok((length, peer)) => {
                if texts.len() == 0 {
                    deadline = Instant::now() + feed.batch_delay.max(Duration::from_millis(1));
                }
                texts.push(&buffer[..length]);
                peers.push(peer);
            }
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                break;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((texts, peers))
}
