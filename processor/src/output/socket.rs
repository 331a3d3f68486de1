//! Outputs `tcp` and `udp`: events over a socket. Nothing is acknowledged by the far side: what the system took counts as
//! delivered.

use std::io::{self, Write};
use std::net::{ToSocketAddrs, UdpSocket};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tailrace_common::Event;

use super::tcp_server::TcpServer;
use super::{Output, OutputDefinition, OutputError, Services, common_options, connect};
use crate::codec::{self, Codec};
use crate::delivery::Share;
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;
use crate::tls::{ClientTls, ServerTls};

pub(super) const TCP: OutputDefinition =
    OutputDefinition { name: "tcp", summary: "Sends events over TCP.", build: build_tcp };

pub(super) const UDP: OutputDefinition =
    OutputDefinition { name: "udp", summary: "Sends events over UDP.", build: build_udp };

/// How long connecting and writing may take.
const TIMEOUT: Duration = Duration::from_secs(10);

fn build_tcp(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    common_options(&mut options);
    let (host, port) = address(&mut options);
    let codec = codec::from_option(&mut options, build, "json");
    if options.one_of("mode", &["server", "client"], "client") == "server" {
        let tls = ServerTls::read(&mut options);
        options.ignored("reconnect_interval", "in mode server it is the others who connect");
        options.finish()?;
        return Ok(Box::new(TcpServer::new(host, port, codec?, tls)));
    }
    let tls = ClientTls::read(&mut options);
    let interval = options.number("reconnect_interval").unwrap_or(10.0).clamp(0.001, 86_400.0);
    options.finish()?;
    let retry = Duration::from_secs_f64(interval);
    Ok(Box::new(Socket {
        host,
        port,
        codec: codec?,
        retry,
        wire: Wire::Tcp { stream: Mutex::default(), tls },
        services: OnceLock::new(),
    }))
}

fn build_udp(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    common_options(&mut options);
    let (host, port) = address(&mut options);
    let codec = codec::from_option(&mut options, build, "json");
    let retries = options.integer("retry_count").unwrap_or(0).max(0) as u64;
    let backoff = options.integer("retry_backoff_ms").unwrap_or(100).max(1) as u64;
    options.finish()?;
    let wire = Wire::Udp { socket: Mutex::default(), retries };
    let retry = Duration::from_millis(backoff);
    Ok(Box::new(Socket { host, port, codec: codec?, retry, wire, services: OnceLock::new() }))
}

fn address(options: &mut Options<'_>) -> (String, u16) {
    let host = options.required_string("host");
    options.require("port");
    let port = options.integer("port").unwrap_or_default();
    let port = u16::try_from(port).unwrap_or_else(|_| {
        options.error_at("port", format!("'port' must be 0 to 65535, this is {port}"));
        0
    });
    (host, port)
}

/// What goes over a stream: each event ends its line.
pub(super) fn lines(codec: &dyn Codec, events: &[&Event]) -> Vec<u8> {
    let mut text = Vec::with_capacity(events.len() * 512);
    for event in events {
        codec.encode(event, &mut text);
        if text.last() != Some(&b'\n') {
            text.push(b'\n');
        }
    }
    text
}

struct Socket {
    host: String,
    port: u16,
    codec: Box<dyn Codec>,
    /// How long to wait before another try.
    retry: Duration,
    wire: Wire,
    services: OnceLock<Services>,
}

/// A connection, encrypted or not.
type Stream = Box<dyn Write + Send>;

enum Wire {
    Tcp { stream: Mutex<Option<Stream>>, tls: Option<ClientTls> },
    Udp { socket: Mutex<Option<UdpSocket>>, retries: u64 },
}

impl Output for Socket {
    fn start(&self, services: &Services) -> Result<(), OutputError> {
        self.services.get_or_init(|| services.clone());
        Ok(())
    }

    fn write(&self, events: &[&Event], share: Share) {
        let Some(services) = self.services.get() else { return };
        let delivered = match &self.wire {
            Wire::Tcp { stream, tls } => self.write_stream(events, stream, tls.as_ref(), services),
            Wire::Udp { socket, retries } => self.write_datagrams(events, socket, *retries, services),
        };
        if delivered {
            services.count(events.len());
            share.done();
        }
    }
}

impl Socket {
    /// Writes until all is taken; false when the pipeline gave up before.
    fn write_stream(
        &self,
        events: &[&Event],
        stream: &Mutex<Option<Stream>>,
        tls: Option<&ClientTls>,
        services: &Services,
    ) -> bool {
        let text = lines(&*self.codec, events);
        let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
        while let Err(error) = self.write_once(&mut stream, tls, &text) {
            *stream = None;
            tracing::warn!(host = self.host, port = self.port, %error, "cannot send; will try again");
            services.abandon.sleep(self.retry);
            if services.abandon.is_set() {
                return false;
            }
        }
        true
    }

    fn write_once(&self, stream: &mut Option<Stream>, tls: Option<&ClientTls>, text: &[u8]) -> io::Result<()> {
        let open = match stream {
            Some(open) => open,
            None => {
                let plain = connect(&self.host, self.port, TIMEOUT)?;
                stream.insert(match tls {
                    Some(tls) => Box::new(tls.connect(&self.host, plain)?),
                    None => Box::new(plain),
                })
            }
        };
        open.write_all(text)?;
        open.flush()
    }

    /// Sends a datagram for each event. What cannot be sent goes to the dead letters.
    fn write_datagrams(
        &self,
        events: &[&Event],
        socket: &Mutex<Option<UdpSocket>>,
        retries: u64,
        services: &Services,
    ) -> bool {
        let mut text = Vec::with_capacity(512);
        let mut socket = socket.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            text.clear();
            self.codec.encode(event, &mut text);
            let mut tries = 0;
            while let Err(error) = self.send_once(&mut socket, &text) {
                if tries < retries && !services.abandon.is_set() {
                    tries += 1;
                    services.abandon.sleep(self.retry);
                    continue;
                }
                if !services.bury(event, "udp", &error.to_string()) {
                    return false;
                }
                break;
            }
        }
        true
    }

    fn send_once(&self, socket: &mut Option<UdpSocket>, text: &[u8]) -> io::Result<()> {
        let open = match socket {
            Some(open) => open,
            None => {
                let address = (self.host.as_str(), self.port).to_socket_addrs()?.next();
                let address =
                    address.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
                let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let open = UdpSocket::bind(any)?;
                open.connect(address)?;
                socket.insert(open)
            }
        };
        match open.send(text) {
            // An earlier datagram met a closed port; this one has not been sent.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => open.send(text).map(drop),
            sent => sent.map(drop),
        }
    }
}
