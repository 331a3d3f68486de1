//! Input `tcp`: lines, or what the codec makes of them, over TCP. Nothing is acknowledged to the sender: what is on its
//! way when the process is killed is lost, as with Logstash.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tailrace_common::{Event, FieldPath, Str, Timestamp, Value};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::net::{self, Address, Stream, give, stopped};
use super::texts::{Cutter, Texts, without_return};
use super::{Batch, Feed, Input, InputDecoration, InputDefinition, InputError, Stopped};
use crate::codec::{self, Codec};
use crate::delivery::Lease;
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;
use crate::tls::ServerTls;

pub(super) const DEFINITION: InputDefinition =
    InputDefinition { name: "tcp", summary: "Receives lines over TCP.", build };

/// A longer line is cut.
const LONGEST_LINE: usize = 20 << 20;
/// How soon joined lines are given out that wait for more.
const IDLE: Duration = Duration::from_millis(100);
/// Bytes read at once, and so most bytes of a batch but for a long line.
const READ: usize = 256 << 10;

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Input>, Invalid> {
    let decoration = InputDecoration::read(&mut options);
    let ecs = options.ecs().enabled();
    let client = options.one_of("mode", &["server", "client"], "server") == "client";
    let address = Address::read(&mut options, None);
    let tls = ServerTls::read(&mut options);
    if client && tls.is_some() {
        options.error_at("mode", "TLS is supported in mode server only");
    }
    let codec = codec::from_option(&mut options, build, "line");
    if options.boolean("proxy_protocol", false) {
        options.error_at("proxy_protocol", "'proxy_protocol' is not supported");
    }
    options.ignored("dns_reverse_lookup_enabled", "senders are named by their address; use the dns filter");
    options.ignored("tcp_keep_alive", "left to the operating system");
    options.finish()?;
    let context = Arc::new(Context { codec: codec?, decoration, peer: PeerFields::of(ecs) });
    Ok(Box::new(Tcp { address, tls, client, context }))
}

struct Tcp {
    address: Address,
    tls: Option<ServerTls>,
    client: bool,
    context: Arc<dyn Sink>,
}

/// What makes events of the texts of one sender.
pub(super) trait Sink: Send + Sync {
    /// How the stream is cut and decoded.
    fn codec(&self) -> &dyn Codec;

    /// Decodes texts of a sender.
    fn events(&self, texts: Texts, peer: SocketAddr, now: Timestamp) -> Vec<Event>;
}

/// What decoding needs.
struct Context {
    codec: Box<dyn Codec>,
    decoration: InputDecoration,
    peer: PeerFields,
}

/// Where the sender's address goes.
struct PeerFields {
    name: FieldPath,
    ip: FieldPath,
    port: FieldPath,
}

impl PeerFields {
    fn of(ecs: bool) -> PeerFields {
        let metadata = FieldPath::metadata();
        if ecs {
            let source = metadata.child("input").child("tcp").child("source");
            PeerFields { name: source.child("name"), ip: source.child("ip"), port: source.child("port") }
        } else {
            PeerFields {
                name: FieldPath::field("host"),
                ip: metadata.child("ip_address"),
                port: FieldPath::field("port"),
            }
        }
    }

    fn apply(&self, ip: &Str, port: u16, event: &mut Event) {
        let values = [
            (&self.name, Value::from(ip.clone())),
            (&self.ip, ip.clone().into()),
            (&self.port, i64::from(port).into()),
        ];
        for (path, value) in values {
            if event.get(path).is_none() {
                // Something in the way keeps what it is.
                let _unset = event.set(path, value);
            }
        }
    }
}

impl Input for Tcp {
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError> {
        if self.client {
            return net::block_on(self.dial(feed));
        }
        let (context, given) = (self.context.clone(), feed.clone());
        let serve = move |stream, peer| serve(stream, peer, context.clone(), given.clone());
        net::block_on(net::accept(&self.address, self.tls, feed, serve))?
    }
}

impl Tcp {
    /// Connects, reads to the end, and connects again.
    async fn dial(&self, feed: &Feed) {
        const PAUSE: Duration = Duration::from_secs(5);
        while !feed.stopping() {
            let address = (self.address.host.as_str(), self.address.port);
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    let peer = stream.peer_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
                    serve(Box::new(stream), peer, self.context.clone(), feed.clone()).await;
                }
                Err(error) => tracing::warn!(host = address.0, port = address.1, %error, "cannot connect; will retry"),
            }
            tokio::select! { () = stopped(feed) => {}, () = tokio::time::sleep(PAUSE) => {} }
        }
    }
}

/// Reads a connection to its end, or until the pipeline stops.
pub(super) async fn serve(mut stream: Box<dyn Stream>, peer: SocketAddr, sink: Arc<dyn Sink>, feed: Feed) {
    let mut cutter = Cutter::new(sink.codec(), None, LONGEST_LINE);
    let mut texts = Texts::default();
    let mut buffer = vec![0; READ];
    loop {
        let read = tokio::select! {
            read = stream.read(&mut buffer) => read,
            () = stopped(&feed) => Ok(0),
            () = tokio::time::sleep(IDLE) => {
                cutter.flush_due(|text, _| texts.push(text));
                if texts.len() > 0 && hand_over(&mut texts, peer, &sink, &feed).await.is_err() {
                    return;
                }
                continue;
            }
        };
        match read {
            Ok(0) => break,
            Ok(length) => cutter.push(&buffer[..length], |text, _| texts.push(without_return(text))),
            Err(error) => {
                tracing::info!(%peer, %error, "connection lost");
                break;
            }
        }
        if texts.len() > 0 && hand_over(&mut texts, peer, &sink, &feed).await.is_err() {
            return;
        }
    }
    cutter.finish(|text, _| texts.push(without_return(text)));
    if texts.len() > 0 && hand_over(&mut texts, peer, &sink, &feed).await.is_err() {
        tracing::debug!(%peer, "the pipeline ended before the connection");
    }
}

async fn hand_over(texts: &mut Texts, peer: SocketAddr, sink: &Arc<dyn Sink>, feed: &Feed) -> Result<(), Stopped> {
    let (texts, sink) = (std::mem::take(texts), sink.clone());
    let count = texts.len();
    let records = move |now| sink.events(texts, peer, now);
    give(feed, Batch { records: Box::new(records), count, lease: Lease::free() }).await
}

impl Sink for Context {
    fn codec(&self) -> &dyn Codec {
        &*self.codec
    }

    fn events(&self, texts: Texts, peer: SocketAddr, now: Timestamp) -> Vec<Event> {
        let ip = Str::from(peer.ip().to_string());
        texts.events(&*self.codec, now, |_, event| {
            self.peer.apply(&ip, peer.port(), event);
            self.decoration.apply(event);
        })
    }
}
