//! A small HTTP server and client: GET, one answer per connection, nothing that is not needed to look at the agent.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// A request's head is no longer than this.
const LONGEST: usize = 8 << 10;
/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many clients are served at once.
const MOST: usize = 8;

/// Where to listen or connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `host` and `port`
    Tcp(String, u16),
    /// `unix:///path`
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(host, port) => write!(f, "http://{host}:{port}"),
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl Address {
    /// Reads `unix:///path`, `http://host:port`, `host:port` or a host.
    pub fn parse(text: &str, port: u16) -> Address {
        if let Some(path) = text.strip_prefix("unix://") {
            return Address::Unix(path.into());
        }
        let text = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        match text.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
            Some((host, Ok(port))) if !host.is_empty() => Address::Tcp(host.trim_matches(['[', ']']).into(), port),
            _ => Address::Tcp(text.trim_matches(['[', ']']).into(), port),
        }
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        match self {
            Address::Unix(_) => true,
            Address::Tcp(host, _) => host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        }
    }
}

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Without the query.
    pub path: String,
    query: String,
}

impl Request {
    /// Whether the query names this.
    pub fn has(&self, name: &str) -> bool {
        self.query.split('&').any(|part| part.split('=').next() == Some(name) && !part.ends_with("=false"))
    }

    /// `?pretty`
    pub fn is_pretty(&self) -> bool {
        self.has("pretty")
    }
}

/// What it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
}

impl Response {
    /// A JSON document.
    pub fn json(body: &Value, pretty: bool) -> Response {
        let text = if pretty { serde_json::to_vec_pretty(body) } else { serde_json::to_vec(body) };
        Response { status: 200, kind: "application/json; charset=utf-8", body: text.unwrap_or_default() }
    }

    /// Prometheus' text.
    pub fn text(body: String) -> Response {
        Response { status: 200, kind: "text/plain; version=0.0.4; charset=utf-8", body: body.into_bytes() }
    }

    /// 404
    pub fn not_found() -> Response {
        Response::text("there are /, /stats, /state, /inputs, /metrics and /health\n".into()).with_status(404)
    }

    /// The same with another status.
    pub fn with_status(self, status: u16) -> Response {
        Response { status, ..self }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            _ => "Service Unavailable",
        };
        let (status, kind, length) = (self.status, self.kind, self.body.len());
        write!(
            out,
            "HTTP/1.1 {status} {reason}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        )?;
        out.write_all(&self.body)?;
        out.flush()
    }
}

/// What answers.
pub type Handler = Arc<dyn Fn(&Request) -> Response + Send + Sync>;

/// A listener with its thread. Dropped, it stops.
pub struct Server {
    address: Address,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

trait Connection: Read + Write + Send {}
impl<T: Read + Write + Send> Connection for T {}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn accept(&self) -> io::Result<Box<dyn Connection>> {
        Ok(match self {
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Box::new(stream)
            }
            Listener::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Box::new(stream)
            }
        })
    }
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn start(address: &Address, handler: Handler) -> io::Result<Server> {
        let (listener, address) = match address {
            Address::Tcp(host, port) => {
                let listener = TcpListener::bind((host.as_str(), *port))?;
                let port = listener.local_addr()?.port();
                (Listener::Tcp(listener), Address::Tcp(host.clone(), port))
            }
            Address::Unix(path) => (Listener::Unix(bind(path)?), address.clone()),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let thread =
            std::thread::Builder::new().name("http".into()).spawn(move || serve(&listener, &handler, &stopping))?;
        Ok(Server { address, stop, thread: Some(thread) })
    }

    /// Where it listens; the port is the real one.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread from its wait.
        drop(connect(&self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        if let Address::Unix(path) = &self.address {
            drop(fs::remove_file(path));
        }
    }
}

/// A socket that only its owner may use. One that nobody listens on any more is replaced.
fn bind(path: &PathBuf) -> io::Result<UnixListener> {
    if UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another agent listens there"));
    }
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn serve(listener: &Listener, handler: &Handler, stop: &AtomicBool) {
    let busy = Arc::new(AtomicUsize::new(0));
    loop {
        let connection = listener.accept();
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let Ok(mut connection) = connection else {
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        if busy.load(Ordering::Acquire) >= MOST {
            drop(Response::text("too many requests at once\n".into()).with_status(503).write(&mut connection));
            continue;
        }
        busy.fetch_add(1, Ordering::AcqRel);
        let (handler, done) = (handler.clone(), busy.clone());
        let spawned = std::thread::Builder::new().name("http".into()).spawn(move || {
            drop(answer(&mut connection, &handler));
            done.fetch_sub(1, Ordering::AcqRel);
        });
        if spawned.is_err() {
            busy.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn answer(connection: &mut Box<dyn Connection>, handler: &Handler) -> io::Result<()> {
    let mut head = Vec::new();
    let mut block = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = connection.read(&mut block)?;
        if read == 0 || head.len() > LONGEST {
            return Response::text("no request\n".into()).with_status(400).write(connection);
        }
        head.extend_from_slice(&block[..read]);
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or("/"));
    if !matches!(method, "GET" | "HEAD") {
        return Response::text("only GET\n".into()).with_status(405).write(connection);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    handler(&Request { path: path.into(), query: query.into() }).write(connection)
}

fn connect(address: &Address) -> io::Result<Box<dyn Connection>> {
    match address {
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(Box::new(stream))
        }
        Address::Tcp(host, port) => {
            let addresses: Vec<SocketAddr> = (host.as_str(), *port).to_socket_addrs()?.collect();
            let mut failure = io::Error::other("the name has no address");
            for address in addresses {
                match TcpStream::connect_timeout(&address, PATIENCE) {
                    Ok(stream) => {
                        stream.set_read_timeout(Some(PATIENCE))?;
                        return Ok(Box::new(stream));
                    }
                    Err(error) => failure = error,
                }
            }
            Err(failure)
        }
    }
}

/// The body of what a server answers to GET.
///
/// # Errors
/// When there is no server, or no answer.
pub fn get(address: &Address, path: &str) -> io::Result<Vec<u8>> {
    let mut connection = connect(address)?;
    write!(connection, "GET {path} HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n\r\n")?;
    connection.flush()?;
    let mut answer = Vec::new();
    connection.take(64 << 20).read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n");
    let end = end.ok_or_else(|| io::Error::other("no answer"))?;
    Ok(answer.split_off(end + 4))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn echo() -> Handler {
        Arc::new(|request: &Request| Response::text(format!("{} {}", request.path, request.is_pretty())))
    }

    #[test]
    fn answers_come_by_tcp_and_by_socket() {
        let server = Server::start(&Address::Tcp("127.0.0.1".into(), 0), echo()).unwrap();
        assert_eq!(get(server.address(), "/a/b?pretty").unwrap(), b"/a/b true");
        let folder = tempfile::tempdir().unwrap();
        let address = Address::Unix(folder.path().join("s"));
        let server = Server::start(&address, echo()).unwrap();
        assert_eq!(get(&address, "/x?pretty=false").unwrap(), b"/x false");
        assert!(Server::start(&address, echo()).is_err(), "a socket in use is taken");
        drop(server);
        assert!(get(&address, "/").is_err());
        // A socket left behind by a crash is replaced.
        drop(UnixListener::bind(folder.path().join("s")).unwrap());
        drop(Server::start(&address, echo()).unwrap());
    }

    #[test]
    fn nonsense_is_answered() {
        let server = Server::start(&Address::Tcp("127.0.0.1".into(), 0), echo()).unwrap();
        for (sent, wanted) in [
            ("POST / HTTP/1.1\r\n\r\n", "HTTP/1.1 405"),
            ("\0\u{1}\u{2}\r\n\r\n", "HTTP/1.1 405"),
            ("GET\r\n\r\n", "HTTP/1.1 200"),
        ] {
            let mut connection = connect(server.address()).unwrap();
            connection.write_all(sent.as_bytes()).unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with(wanted), "{sent:?}: {answer}");
        }
    }

    #[test]
    fn addresses_are_read() {
        for (text, wanted) in [
            ("localhost", Address::Tcp("localhost".into(), 5066)),
            ("http://[::1]:80/", Address::Tcp("::1".into(), 80)),
            ("unix:///run/a.sock", Address::Unix("/run/a.sock".into())),
        ] {
            assert_eq!(Address::parse(text, 5066), wanted);
            assert!(wanted.is_loopback());
        }
        assert!(!Address::parse("0.0.0.0:80", 1).is_loopback());
    }
}
