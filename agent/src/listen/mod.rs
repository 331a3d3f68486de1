//! The inputs that do not read files: `tcp`, `udp`, `unix`, `syslog`, `stdin`.
//!
//! One thread serves them all. A source is read only while there is room for its messages: the sender of a stream waits,
//! datagrams are left to the system's buffer.

mod datagrams;
mod frames;
mod source;
mod stdin;
mod streams;
pub(crate) mod tls;

use std::future::Future;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, UdpSocket, UnixDatagram, UnixListener};
use tokio::sync::{Notify, watch};

use self::source::Shared;
use crate::pipeline::{Acks, Outlet, Pool, Text};
use crate::tail::settings::{InputKind, InputSettings, ListenAddress, ListenSettings};

/// An input that cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenError {
    address: String,
    source: io::Error,
}

/// The listening inputs at work.
#[derive(Debug)]
pub struct Listeners {
    stop: watch::Sender<bool>,
    acks: Acks,
    /// Inputs that end and may still bring something: `stdin`.
    open: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// The bytes that may be received but not yet sent.
#[derive(Clone)]
struct Room {
    pool: Pool,
    freed: Arc<Notify>,
}

impl Room {
    fn new(limit: usize) -> Room {
        let freed = Arc::new(Notify::new());
        let notify = freed.clone();
        Room { pool: Pool::new(limit, move || notify.notify_waiters()), freed }
    }

    async fn take(&self, bytes: usize) -> Text {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // From here on no notice is missed.
            freed.as_mut().enable();
            match self.pool.take(bytes) {
                Some(text) => return text,
                None => freed.await,
            }
        }
    }
}

/// How often sources that are gone are forgotten.
const SWEEP: Duration = Duration::from_secs(1);
/// How often a stop looks for acknowledgements.
const GLANCE: Duration = Duration::from_millis(5);

impl Listeners {
    /// Starts the inputs that listen; nothing when there are none. Sockets are bound before it returns.
    ///
    /// # Errors
    /// When a socket cannot be bound.
    pub fn start(
        inputs: &[Arc<InputSettings>],
        outlet: &Outlet,
        memory_limit: usize,
    ) -> Result<Option<Listeners>, ListenError> {
        let listening: Vec<_> = inputs.iter().filter(|input| !input.kind.reads_files()).cloned().collect();
        if listening.is_empty() {
            return Ok(None);
        }
        let failed = |source| ListenError { address: "any address".to_owned(), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (stop, stopping) = watch::channel(false);
        let acks = Acks::new();
        let shared = Shared {
            outlet: outlet.clone(),
            acks: acks.clone(),
            room: Room::new(memory_limit),
            closed: Arc::default(),
        };
        let ends = listening.iter().filter(|input| input.kind == InputKind::Stdin).count();
        let open = Arc::new(AtomicUsize::new(ends));
        for input in listening {
            serve(&runtime, input, shared.clone(), stopping.clone(), open.clone())?;
        }
        let run = move || {
            runtime.block_on(until_stop(stopping, &shared));
            // Tasks send what they have; the standard input may be blocked in a read.
            runtime.shutdown_timeout(Duration::from_millis(200));
        };
        let thread = std::thread::Builder::new().name("listener".into()).spawn(run).map_err(failed)?;
        Ok(Some(Listeners { stop, acks, open, thread: Some(thread) }))
    }

    /// Whether every input that ends has ended, and all that came is acknowledged. Sockets never end: what comes by
    /// them later is not waited for.
    pub fn is_done(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0 && self.acks.total_outstanding() == 0
    }

    /// Stops listening, and waits until everything received is acknowledged or the deadline has passed. Says whether it
    /// is.
    pub fn stop(mut self, deadline: Duration) -> bool {
        self.close();
        let until = Instant::now() + deadline;
        while self.acks.total_outstanding() > 0 && Instant::now() < until {
            std::thread::sleep(GLANCE);
        }
        self.acks.total_outstanding() == 0
    }

    fn close(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the listener panicked");
        }
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.close();
    }
}

/// Waits for the stop; meanwhile forgets what is gone.
async fn until_stop(mut stop: watch::Receiver<bool>, shared: &Shared) {
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            _ = sweep.tick() => shared.sweep(),
            // An error means that the other end is gone, which is a stop too.
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Binds the input's socket and serves it on the runtime.
fn serve(
    runtime: &tokio::runtime::Runtime,
    input: Arc<InputSettings>,
    shared: Shared,
    stop: watch::Receiver<bool>,
    open: Arc<AtomicUsize>,
) -> Result<(), ListenError> {
    let _context = runtime.enter();
    let run = |work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| drop(runtime.spawn(work));
    let Some(listen) = input.listen.clone() else {
        debug_assert_eq!(input.kind, InputKind::Stdin, "the others have an address");
        run(Box::pin(async move {
            stdin::serve(input, shared, stop).await;
            open.fetch_sub(1, Ordering::AcqRel);
        }));
        return Ok(());
    };
    let failed = |source| ListenError { address: shown(&listen.address), source };
    match &listen.address {
        ListenAddress::Tcp(address) => {
            let listener = std::net::TcpListener::bind(address).and_then(|listener| {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener)
            });
            run(Box::pin(streams::serve_tcp(listener.map_err(failed)?, listen.clone(), input, shared, stop)));
        }
        ListenAddress::UnixStream(path) => {
            let listener = bind_path(path, &listen, |path| UnixListener::bind(path)).map_err(failed)?;
            run(Box::pin(streams::serve_unix(listener, listen.clone(), input, shared, stop)));
        }
        ListenAddress::Udp(address) => {
            let socket = udp(*address, listen.read_buffer).map_err(failed)?;
            run(Box::pin(datagrams::serve(socket, listen.clone(), input, shared, stop)));
        }
        ListenAddress::UnixDatagram(path) => {
            let socket = bind_path(path, &listen, |path| UnixDatagram::bind(path)).map_err(failed)?;
            run(Box::pin(datagrams::serve(socket, listen.clone(), input, shared, stop)));
        }
    }
    tracing::info!(address = shown(&listen.address), "listening");
    Ok(())
}

fn shown(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Tcp(address) => format!("tcp {address}"),
        ListenAddress::Udp(address) => format!("udp {address}"),
        ListenAddress::UnixStream(path) | ListenAddress::UnixDatagram(path) => format!("'{}'", path.display()),
    }
}

fn udp(address: std::net::SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    if buffer > 0 {
        socket2::SockRef::from(&socket).set_recv_buffer_size(buffer)?;
    }
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// Binds a socket in the file system. What is left of an earlier one goes; anything else there stays.
fn bind_path<S>(path: &Path, listen: &ListenSettings, bind: impl Fn(&Path) -> io::Result<S>) -> io::Result<S> {
    match std::fs::symlink_metadata(path) {
        Ok(there) if there.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of that name")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let socket = bind(path)?;
    let mode = listen.mode.unwrap_or(0o600);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
