//! A server for tests that answers as it is told, over a unix socket or TCP, whole or chunk by chunk.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

/// What was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Decoded, with what follows `?`.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What it answers.
pub(crate) enum Answer {
    /// A status and a body.
    Whole(u16, String),
    /// Chunks as they come; when the sender is dropped the answer ends.
    Stream(Receiver<String>),
}

type Handler = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A running server. Dropped, it answers no more.
pub(crate) struct Fake {
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    wake: Box<dyn Fn()>,
    thread: Option<JoinHandle<()>>,
}

trait Duplex: Read + Write + Send {}
impl<T: Read + Write + Send> Duplex for T {}

impl Fake {
    /// At a unix socket.
    pub(crate) fn unix(path: &Path, handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Fake {
        std::fs::remove_file(path).ok();
        let listener = UnixListener::bind(path).unwrap();
        let path = path.to_owned();
        let accept = move || listener.accept().map(|(stream, _)| Box::new(stream) as Box<dyn Duplex>);
        Fake::start(accept, move || drop(UnixStream::connect(&path)), handler)
    }

    /// At a TCP port, which is told; 0 takes any.
    pub(crate) fn tcp(port: u16, handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> (Fake, u16) {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let address = listener.local_addr().unwrap();
        let accept = move || listener.accept().map(|(stream, _)| Box::new(stream) as Box<dyn Duplex>);
        (Fake::start(accept, move || drop(TcpStream::connect(address)), handler), address.port())
    }

    fn start(
        accept: impl Fn() -> std::io::Result<Box<dyn Duplex>> + Send + 'static,
        wake: impl Fn() + 'static,
        handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Fake {
        let (asked, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let handler: Arc<Handler> = Arc::new(handler);
        let (log, stopping) = (asked.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            while let Ok(stream) = accept() {
                if stopping.load(Ordering::SeqCst) {
                    return;
                }
                let (log, handler, stopping) = (log.clone(), handler.clone(), stopping.clone());
                std::thread::spawn(move || answer(stream, &log, &*handler, &stopping));
            }
        });
        Fake { asked, stop, wake: Box::new(wake), thread: Some(thread) }
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        (self.wake)();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn answer(stream: Box<dyn Duplex>, log: &Mutex<Vec<Asked>>, handler: &Handler, stop: &AtomicBool) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let mut asked = Asked { method: words.next()?.to_owned(), path: decoded(words.next()?), ..Asked::default() };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        asked.headers.push((name.to_lowercase(), value.to_owned()));
    }
    log.lock().unwrap().push(asked.clone());
    let out = stream.get_mut();
    match handler(&asked) {
        Answer::Whole(status, body) => {
            let length = body.len();
            write!(out, "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").ok()?;
        }
        Answer::Stream(chunks) => {
            write!(out, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
                .ok()?;
            out.flush().ok()?;
            loop {
                match chunks.recv_timeout(Duration::from_millis(20)) {
                    Ok(chunk) => write!(out, "{:x}\r\n{chunk}\r\n", chunk.len()).ok()?,
                    Err(error) if error.is_disconnected() => break,
                    // The connection breaks with the server.
                    Err(_) if stop.load(Ordering::SeqCst) => return None,
                    Err(_) => {}
                }
                out.flush().ok()?;
            }
            write!(out, "0\r\n\r\n").ok()?;
        }
    }
    out.flush().ok()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = (*first == b'%').then(|| u8::from_str_radix(std::str::from_utf8(&more[..2]).unwrap(), 16).unwrap());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &more[2..] } else { more };
    }
    String::from_utf8(bytes).unwrap()
}

/// Waits until something is as it should be.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
