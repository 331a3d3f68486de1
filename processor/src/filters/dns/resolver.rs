//! Asks name servers, as Ruby's `Resolv` does: hosts files first, then the servers in turn.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::message::{self, Answer, Kind};

/// The largest answer by UDP that is read.
const LARGEST: usize = 4096;
const PORT: u16 = 53;

/// What became of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Found(String),
    /// There is no such name, or nobody could say.
    Failed,
    TimedOut,
}

/// Where names are looked up.
#[derive(Debug)]
pub(super) struct Resolver {
    pub(super) servers: Vec<SocketAddr>,
    /// Domains that are tried after a name.
    pub(super) search: Vec<String>,
    /// A name with at least so many dots is tried as it is first.
    pub(super) dots: usize,
    pub(super) hosts: Hosts,
    /// For one try.
    pub(super) timeout: Duration,
    /// Further tries after a time-out.
    pub(super) retries: u32,
}

/// Names and addresses of hosts files.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    addresses: HashMap<String, String>,
    names: HashMap<IpAddr, String>,
}

impl Hosts {
    /// Adds the entries of a file; the first entry of a name or an address counts.
    pub(super) fn add(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let Some((address, parsed)) = words.next().and_then(|word| Some((word, word.parse::<IpAddr>().ok()?)))
            else {
                continue;
            };
            for name in words {
                self.addresses.entry(name.to_string()).or_insert_with(|| address.to_string());
                self.names.entry(parsed).or_insert_with(|| name.to_string());
            }
        }
    }
}

/// `nameserver`, `search` and `options ndots` of a `resolv.conf`.
pub(super) fn system(path: &Path) -> (Vec<SocketAddr>, Vec<String>, usize) {
    let text = fs::read_to_string(path).unwrap_or_default();
    let (mut servers, mut search, mut dots) = (Vec::new(), Vec::new(), 1);
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => servers.extend(words.next().and_then(server)),
            Some("search" | "domain") => search = words.map(str::to_string).collect(),
            Some("options") => {
                let given = words.find_map(|word| word.strip_prefix("ndots:")?.parse().ok());
                dots = given.unwrap_or(dots);
            }
            _ => {}
        }
    }
    if servers.is_empty() {
        servers.push((Ipv4Addr::LOCALHOST, PORT).into());
    }
    (servers, search, dots)
}

/// An address, with or without port.
pub(super) fn server(text: &str) -> Option<SocketAddr> {
    let bare = |text: &str| Some(SocketAddr::new(text.parse().ok()?, PORT));
    text.parse().ok().or_else(|| bare(text))
}

impl Resolver {
    /// The most time that a look-up takes.
    pub(super) fn longest(&self) -> Duration {
        self.timeout.saturating_mul(self.retries.saturating_add(1))
    }

    /// The address of a name.
    pub(super) async fn address_of(&self, name: &str) -> Outcome {
        if name.parse::<IpAddr>().is_ok() {
            return Outcome::Found(name.into());
        }
        if let Some(address) = self.hosts.addresses.get(name) {
            return Outcome::Found(address.clone());
        }
        let candidates = self.candidates(name);
        self.tries(&candidates, &[Kind::A, Kind::Aaaa]).await
    }

    /// The name of an address.
    pub(super) async fn name_of(&self, address: IpAddr) -> Outcome {
        if let Some(name) = self.hosts.names.get(&address) {
            return Outcome::Found(name.clone());
        }
        self.tries(&[message::reverse_name(address)], &[Kind::Ptr]).await
    }

    fn candidates(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.into()];
        }
        let mut candidates: Vec<String> = self.search.iter().map(|domain| format!("{name}.{domain}")).collect();
        let place = if name.matches('.').count() >= self.dots { 0 } else { candidates.len() };
        candidates.insert(place, name.into());
        candidates
    }

    async fn tries(&self, names: &[String], kinds: &[Kind]) -> Outcome {
        for attempt in 0..=self.retries {
            if let Ok(outcome) = timeout(self.timeout, self.once(names, kinds, attempt as usize)).await {
                return outcome;
            }
        }
        Outcome::TimedOut
    }

    async fn once(&self, names: &[String], kinds: &[Kind], attempt: usize) -> Outcome {
        for name in names {
            for kind in kinds {
                match self.ask(name, *kind, attempt).await {
                    Some(Answer { found: Some(found), .. }) => return Outcome::Found(found),
                    // Without the name there is nothing else under it.
                    Some(Answer { code: 3, .. }) => break,
                    _ => {}
                }
            }
        }
        Outcome::Failed
    }

    /// Asks one server after the other; another one begins in the next attempt.
    async fn ask(&self, name: &str, kind: Kind, attempt: usize) -> Option<Answer> {
        let count = self.servers.len().max(1);
        let share = self.timeout / u32::try_from(count).unwrap_or(1);
        for turn in 0..self.servers.len() {
            let server = self.servers[(attempt + turn) % count];
            let question = message::question(fastrand::u16(..), name, kind)?;
            let exchange = exchange(server, &question, kind);
            let last = turn + 1 == self.servers.len();
            // The time of the last server is that of the whole try.
            let answered = if last { Ok(exchange.await) } else { timeout(share, exchange).await };
            match answered {
                Ok(Ok(answer)) if matches!(answer.code, 0 | 3) => return Some(answer),
                Ok(Err(error)) => tracing::debug!(%server, name, %error, "dns"),
                _ => {}
            }
        }
        None
    }
}

async fn exchange(server: SocketAddr, question: &[u8], kind: Kind) -> io::Result<Answer> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; LARGEST];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // What answers something else is not for us.
        match message::answer(&buffer[..length], question, kind) {
            Some(Answer { truncated: true, .. }) => return by_tcp(server, question, kind).await,
            Some(answer) => return Ok(answer),
            None => {}
        }
    }
}

async fn by_tcp(server: SocketAddr, question: &[u8], kind: Kind) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).unwrap_or(u16::MAX);
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(question).await?;
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    let answer = message::answer(&message, question, kind);
    answer.filter(|answer| !answer.truncated).ok_or_else(|| io::Error::other("no answer to the question"))
}
