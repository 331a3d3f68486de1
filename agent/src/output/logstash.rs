//! `output.logstash`: documents by Lumberjack to Logstash, or to the processor's input `beats`.
//!
//! A connection carries windows of events; several are on the way at once and are acknowledged in order. When the
//! connection breaks, the windows that are not acknowledged go out again on the next one.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tailrace_common::lumberjack::{self, Decoder, Frame, Limits};

use super::{Output, OutputError, OutputStats};
use crate::document::Documents;
use crate::pipeline::{Batch, Ticket};

/// `output.logstash`
#[derive(Clone, Debug)]
pub struct LogstashSettings {
    /// `hosts`, with ports; they are tried in turn.
    pub hosts: Vec<String>,
    /// `compression_level`; 0 sends as it is.
    pub compression_level: u32,
    /// `bulk_max_size`: events per window.
    pub bulk_max_size: usize,
    /// `pipelining`: windows on the way at once.
    pub pipelining: usize,
    /// `timeout`
    pub timeout: Duration,
    /// `backoff.init` and `backoff.max`
    pub backoff: (Duration, Duration),
    /// `ssl`
    pub tls: Option<TlsSettings>,
}

/// `ssl` of a client.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// `certificate_authorities`: PEM files.
    pub authorities: Vec<PathBuf>,
    /// `certificate` and `key`: PEM files.
    pub identity: Option<(PathBuf, PathBuf)>,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// Events on their way.
struct Window {
    bytes: Vec<u8>,
    count: u32,
    /// Acknowledged with the window: batches whose last event it holds.
    tickets: Vec<Ticket>,
}

struct Connection {
    stream: Box<dyn Stream>,
    decoder: Decoder,
    /// How many of the windows in flight were sent on this connection.
    sent: usize,
}

pub(super) struct Logstash {
    settings: LogstashSettings,
    tls: Option<Arc<ClientConfig>>,
    stats: Arc<OutputStats>,
    stop: Arc<AtomicBool>,
    connection: Option<Connection>,
    next_host: usize,
    /// Not acknowledged yet, oldest first.
    windows: VecDeque<Window>,
}

/// How long one look for acknowledgements takes at most.
const GLANCE: Duration = Duration::from_millis(5);

impl Logstash {
    pub(super) fn new(
        settings: &LogstashSettings,
        stats: Arc<OutputStats>,
        stop: Arc<AtomicBool>,
    ) -> Result<Logstash, OutputError> {
        let tls = settings.tls.as_ref().map(client_config).transpose()?.map(Arc::new);
        Ok(Logstash {
            settings: settings.clone(),
            tls,
            stats,
            stop,
            connection: None,
            next_host: 0,
            windows: VecDeque::new(),
        })
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Connects to the next host; tries until it works or the agent stops.
    fn connect(&mut self) -> bool {
        let mut wait = self.settings.backoff.0;
        while !self.stopping() {
            let host = self.settings.hosts[self.next_host % self.settings.hosts.len()].clone();
            self.next_host += 1;
            match self.open(&host) {
                Ok(stream) => {
                    tracing::info!(host, "connected");
                    self.connection = Some(Connection { stream, decoder: Decoder::new(Limits::default()), sent: 0 });
                    return true;
                }
                Err(error) => {
                    tracing::warn!(host, %error, retry_in_ms = wait.as_millis() as u64, "cannot connect to logstash");
                    let until = Instant::now() + wait;
                    while Instant::now() < until && !self.stopping() {
                        std::thread::sleep(GLANCE.max(Duration::from_millis(20)));
                    }
                    wait = (wait * 2).min(self.settings.backoff.1);
                }
            }
        }
        false
    }

    fn open(&self, host: &str) -> io::Result<Box<dyn Stream>> {
        let mut failure = io::Error::other("the name has no address");
        for address in host.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, self.settings.timeout) {
                Ok(stream) => return self.prepare(stream, host),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn prepare(&self, stream: TcpStream, host: &str) -> io::Result<Box<dyn Stream>> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(self.settings.timeout))?;
        stream.set_read_timeout(Some(GLANCE))?;
        let Some(config) = &self.tls else { return Ok(Box::new(stream)) };
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']).to_string();
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let client = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        let mut tls = StreamOwned::new(client, stream);
        tls.sock.set_read_timeout(Some(self.settings.timeout))?;
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock)?;
        }
        tls.sock.set_read_timeout(Some(GLANCE))?;
        Ok(Box::new(tls))
    }

    /// Sends what was not sent on this connection yet. A broken connection is replaced.
    fn send_waiting(&mut self) {
        while !self.windows.is_empty() {
            if self.connection.is_none() && !self.connect() {
                return;
            }
            let Some(connection) = &mut self.connection else { return };
            let Some(window) = self.windows.get(connection.sent) else { return };
            match connection.stream.write_all(&window.bytes).and_then(|()| connection.stream.flush()) {
                Ok(()) => connection.sent += 1,
                Err(error) => self.broken(&error),
            }
        }
    }

    fn broken(&mut self, error: &io::Error) {
        tracing::warn!(%error, "the connection to logstash broke; what is not acknowledged is sent again");
        let again: u32 = self.windows.iter().map(|window| window.count).sum();
        self.stats.retried.fetch_add(u64::from(again), Ordering::Relaxed);
        self.connection = None;
    }

    /// Takes the acknowledgements that are there.
    fn take_acknowledgements(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let mut buffer = [0; 4096];
        match connection.stream.read(&mut buffer) {
            Ok(0) => self.broken(&io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                connection.decoder.push(&buffer[..length]);
                if let Err(error) = self.read_frames() {
                    self.broken(&io::Error::other(error));
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => self.broken(&error),
        }
    }

    fn read_frames(&mut self) -> Result<(), String> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        while let Some(frame) = connection.decoder.frame().map_err(|error| error.to_string())? {
            let Frame::Ack(sequence) = frame else { return Err("not an acknowledgement".into()) };
            // Smaller numbers say that the far side is alive, or has done a part.
            let done = self.windows.front().is_some_and(|window| window.count == sequence) && connection.sent > 0;
            if done && let Some(window) = self.windows.pop_front() {
                connection.sent -= 1;
                self.stats.acknowledged.fetch_add(u64::from(window.count), Ordering::Relaxed);
                window.tickets.into_iter().for_each(Ticket::acknowledge);
            }
        }
        Ok(())
    }

    /// Makes windows of a batch.
    fn cut(&mut self, batch: Batch, documents: &mut Documents) {
        let most = self.settings.bulk_max_size.max(1);
        let mut frames: Vec<(Vec<u8>, u32)> = Vec::new();
        documents.write(&batch, |outgoing| {
            if frames.last().is_none_or(|(_, count)| *count as usize >= most) {
                frames.push((Vec::with_capacity(1 << 16), 0));
            }
            if let Some((bytes, count)) = frames.last_mut() {
                *count += 1;
                lumberjack::write_json(*count, outgoing.bytes, bytes);
            }
        });
        if frames.is_empty() {
            batch.ticket.acknowledge();
            return;
        }
        for (events, count) in frames {
            let mut bytes = Vec::with_capacity(events.len() / 2);
            lumberjack::write_window(count, &mut bytes);
            if self.settings.compression_level > 0 {
                lumberjack::write_compressed(&events, self.settings.compression_level, &mut bytes);
            } else {
                bytes.extend_from_slice(&events);
            }
            self.windows.push_back(Window { bytes, count, tickets: Vec::new() });
        }
        if let Some(last) = self.windows.back_mut() {
            last.tickets.push(batch.ticket);
        }
    }
}

impl Output for Logstash {
    fn publish(&mut self, batch: Batch, documents: &mut Documents) {
        self.cut(batch, documents);
        self.send_waiting();
        while self.windows.len() >= self.settings.pipelining.max(1) && !self.stopping() {
            self.take_acknowledgements();
            self.send_waiting();
        }
    }

    fn poll(&mut self, _: &mut Documents) -> Duration {
        if self.windows.is_empty() {
            return Duration::from_millis(200);
        }
        self.send_waiting();
        self.take_acknowledgements();
        Duration::ZERO
    }

    fn close(&mut self, deadline: Instant) {
        while !self.windows.is_empty() && Instant::now() < deadline && !self.stopping() {
            self.send_waiting();
            self.take_acknowledgements();
        }
    }
}

fn client_config(settings: &TlsSettings) -> Result<ClientConfig, OutputError> {
    let bad = |path: &PathBuf, error: &dyn std::fmt::Display| {
        OutputError(format!("cannot read '{}': {error}", path.display()))
    };
    let mut roots = RootCertStore::empty();
    for path in &settings.authorities {
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(path, &error))? {
            let certificate = certificate.map_err(|error| bad(path, &error))?;
            roots.add(certificate).map_err(|error| bad(path, &error))?;
        }
    }
    if settings.authorities.is_empty() {
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| OutputError(error.to_string()))?;
    let builder = builder.with_root_certificates(roots);
    let Some((certificate, key)) = &settings.identity else { return Ok(builder.with_no_client_auth()) };
    let chain = CertificateDer::pem_file_iter(certificate).map_err(|error| bad(certificate, &error))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|error| bad(certificate, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| bad(key, &error))?;
    builder.with_client_auth_cert(chain, private).map_err(|error| OutputError(format!("'ssl.certificate': {error}")))
}
