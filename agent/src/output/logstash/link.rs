//! One connection at a time to one of its hosts, on a thread of its own.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tailrace_common::lumberjack::{Decoder, Frame, Limits};

use super::queue::{Next, Queue, Window};
use super::{LogstashSettings, OutputStats, WindowSize};

/// How long one look for acknowledgements takes at most.
const GLANCE: Duration = Duration::from_millis(5);
/// How long an idle link waits for a window before it looks whether its connection is still there.
const IDLE: Duration = Duration::from_millis(200);

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

pub(super) struct Link {
    pub(super) hosts: Vec<String>,
    pub(super) settings: Arc<LogstashSettings>,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) stats: Arc<OutputStats>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) queue: Arc<Queue>,
    pub(super) window_size: Arc<WindowSize>,
}

struct Connection {
    stream: Box<dyn Stream>,
    decoder: Decoder,
    /// Sent and not acknowledged, oldest first.
    sent: VecDeque<Window>,
    begun: Instant,
    /// Whether it carried a window.
    used: bool,
    /// When something was last sent while nothing was on the way, or heard.
    heard: Instant,
}

impl Link {
    /// Sends windows until the queue is closed.
    pub(super) fn run(self) {
        let mut wait = self.settings.backoff.0;
        let mut next_host = 0;
        while !self.stop.load(Ordering::Relaxed) {
            match self.queue.take(IDLE) {
                Next::Closed => return,
                Next::Nothing => continue,
                // Whoever connects first has it.
                Next::Window(window) => self.queue.give_back([window].into_iter()),
            }
            let host = &self.hosts[next_host % self.hosts.len()];
            let Err(error) = self.connect_and_serve(host, &mut wait) else { continue };
            next_host += 1;
            tracing::warn!(host, %error, retry_in_ms = wait.as_millis() as u64, "cannot send to logstash");
            self.window_size.failed(self.settings.slow_start);
            self.pause(wait);
            wait = (wait * 2).min(self.settings.backoff.1);
        }
    }

    fn connect_and_serve(&self, host: &str, wait: &mut Duration) -> io::Result<()> {
        let stream = self.open(host)?;
        tracing::info!(host, "connected");
        let now = Instant::now();
        let mut connection = Connection {
            stream,
            decoder: Decoder::new(Limits::default()),
            sent: VecDeque::new(),
            begun: now,
            used: false,
            heard: now,
        };
        let served = self.serve(&mut connection, wait);
        if served.is_err() {
            let again: u32 = connection.sent.iter().map(|window| window.count).sum();
            self.stats.retried.fetch_add(u64::from(again), Ordering::Relaxed);
            self.queue.give_back(connection.sent.into_iter());
        }
        served
    }

    fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20).min(time));
        }
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

    /// Sends on a connection until it breaks, its time is over, or the queue is closed.
    fn serve(&self, connection: &mut Connection, wait: &mut Duration) -> io::Result<()> {
        let ttl = self.settings.ttl;
        loop {
            let is_old = connection.used && !ttl.is_zero() && connection.begun.elapsed() >= ttl;
            if is_old && connection.sent.is_empty() {
                return Ok(());
            }
            if !is_old && connection.sent.len() < self.settings.pipelining.max(1) {
                match self.queue.take(if connection.sent.is_empty() { IDLE } else { Duration::ZERO }) {
                    Next::Window(window) => connection.send(window)?,
                    Next::Nothing => {}
                    Next::Closed if connection.sent.is_empty() => return Ok(()),
                    Next::Closed => {}
                }
            }
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let done = connection.receive()?;
            for window in done {
                *wait = self.settings.backoff.0;
                self.window_size.acknowledged(window.count as usize);
                self.stats.acknowledged.fetch_add(u64::from(window.count), Ordering::Relaxed);
                window.ticket.part_done();
                self.queue.acknowledged();
            }
            if !connection.sent.is_empty() && connection.heard.elapsed() >= self.settings.timeout {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no acknowledgement came in time ('timeout')"));
            }
        }
    }
}

impl Connection {
    /// The window counts as sent even if that fails: the far side may have it.
    fn send(&mut self, window: Window) -> io::Result<()> {
        if self.sent.is_empty() {
            self.heard = Instant::now();
        }
        self.used = true;
        self.sent.push_back(window);
        let Some(window) = self.sent.back() else { return Ok(()) };
        self.stream.write_all(&window.bytes)?;
        self.stream.flush()
    }

    /// The windows that are acknowledged by now.
    fn receive(&mut self) -> io::Result<Vec<Window>> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => self.decoder.push(&buffer[..length]),
            Err(error) => {
                let kinds = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut, io::ErrorKind::Interrupted];
                return if kinds.contains(&error.kind()) { Ok(Vec::new()) } else { Err(error) };
            }
        }
        let mut done = Vec::new();
        while let Some(frame) = self.decoder.frame().map_err(io::Error::other)? {
            let Frame::Ack(sequence) = frame else { return Err(io::Error::other("not an acknowledgement")) };
            self.heard = Instant::now();
            // Smaller numbers say that the far side is alive, or has done a part.
            if self.sent.front().is_some_and(|window| window.count == sequence) {
                done.extend(self.sent.pop_front());
            }
        }
        Ok(done)
    }
}
