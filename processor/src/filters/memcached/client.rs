//! A client for memcached's text protocol: many commands in one go, the answers in their order.

use std::io;
use std::io::Read;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flate2::Crc;
use flate2::read::ZlibDecoder;
use sha1::{Digest, Sha1};
use tailrace_common::{Str, Value};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::marshal;

/// For connecting, and for the answers to all commands of a batch.
pub(super) const TIMEOUT: Duration = Duration::from_secs(1);
/// The largest value that is read.
const LARGEST: usize = 16 << 20;
/// The longest key, as the server has it.
const LONGEST_KEY: usize = 250;
/// Connections that are kept open to one server.
const MOST_IDLE: usize = 16;
/// Places of one server on the ring, as the client of Logstash has it.
const POINTS: usize = 160;
/// Marks of values: written by Ruby's Marshal; compressed.
const SERIALIZED: u32 = 1;
const COMPRESSED: u32 = 2;

/// A command.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Get(Str),
    Set(Str, Value),
}

/// An answer: the value of a key that is there.
pub(super) type Answer = Result<Option<Value>, String>;

/// One or more servers.
pub(super) struct Client {
    servers: Vec<Server>,
    /// Places on the ring with the server that they belong to.
    ring: Vec<(u32, usize)>,
    ttl: u64,
}

struct Server {
    address: String,
    idle: Mutex<Vec<BufReader<TcpStream>>>,
}

impl Client {
    pub(super) fn new(addresses: Vec<String>, ttl: u64) -> Client {
        let points = |(number, address): (usize, &String)| {
            let address = address.clone();
            (0..POINTS).map(move |point| {
                let digest = Sha1::digest(format!("{address}:{point}"));
                (u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]), number)
            })
        };
        let mut ring: Vec<_> = addresses.iter().enumerate().flat_map(points).collect();
        ring.sort_unstable();
        let servers = addresses.into_iter().map(|address| Server { address, idle: Mutex::default() }).collect();
        Client { servers, ring, ttl }
    }

    /// The server of a key: the one whose place comes before that of the key.
    fn server_of(&self, key: &str) -> usize {
        if self.servers.len() < 2 {
            return 0;
        }
        let mut crc = Crc::new();
        crc.update(key.as_bytes());
        let place = self.ring.partition_point(|(point, _)| *point <= crc.sum());
        let before = place.checked_sub(1).unwrap_or(self.ring.len() - 1);
        self.ring[before].1
    }

    /// Runs commands, those for one server in their order, and gives the answers in the order of the commands.
    pub(super) async fn run(&self, commands: Vec<Command>) -> Vec<Answer> {
        let mut answers: Vec<Answer> = commands.iter().map(|_| Ok(None)).collect();
        let mut parts: Vec<Vec<(usize, Command)>> = self.servers.iter().map(|_| Vec::new()).collect();
        for (at, command) in commands.into_iter().enumerate() {
            let (Command::Get(key) | Command::Set(key, _)) = &command;
            if !legal(key) {
                answers[at] = Err(format!("'{key}' is no key"));
                continue;
            }
            parts[self.server_of(key)].push((at, command));
        }
        // Servers are few: a slow one holds the batch up once.
        for (server, part) in self.servers.iter().zip(parts).filter(|(_, part)| !part.is_empty()) {
            let places: Vec<usize> = part.iter().map(|(at, _)| *at).collect();
            let exchange = timeout(TIMEOUT, server.exchange(&part, self.ttl)).await;
            match exchange.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut))) {
                Ok(found) => places.into_iter().zip(found).for_each(|(at, answer)| answers[at] = answer),
                Err(error) => {
                    let message = format!("{}: {error}", server.address);
                    places.into_iter().for_each(|at| answers[at] = Err(message.clone()));
                }
            }
        }
        answers
    }
}

/// Keys have neither blanks nor control characters.
fn legal(key: &str) -> bool {
    (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| byte > b' ' && byte != 0x7f)
}

impl Server {
    async fn exchange(&self, commands: &[(usize, Command)], ttl: u64) -> io::Result<Vec<Answer>> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reused = idle.is_some();
        let mut stream = match idle {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        let answers = match converse(&mut stream, commands, ttl).await {
            // The server may have closed it since; nothing has been done then.
            Err(error) if reused && error.kind() != io::ErrorKind::InvalidData => {
                stream = self.connect().await?;
                converse(&mut stream, commands, ttl).await?
            }
            answers => answers?,
        };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push(stream);
        }
        Ok(answers)
    }

    async fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        Ok(BufReader::new(stream))
    }
}

/// Writes all commands while it reads the answers, so that neither side waits for the other.
async fn converse(
    stream: &mut BufReader<TcpStream>,
    commands: &[(usize, Command)],
    ttl: u64,
) -> io::Result<Vec<Answer>> {
    let mut request = Vec::new();
    commands.iter().for_each(|(_, command)| write(command, ttl, &mut request));
    let (reading, mut writing) = tokio::io::split(stream);
    let mut reading = BufReader::new(reading);
    let write = async {
        writing.write_all(&request).await?;
        writing.flush().await
    };
    let read = async {
        let mut answers = Vec::with_capacity(commands.len());
        for (_, command) in commands {
            answers.push(match command {
                Command::Get(_) => read_value(&mut reading).await?,
                Command::Set(..) => read_stored(&mut reading).await?,
            });
        }
        Ok(answers)
    };
    let (written, answers) = tokio::join!(write, read);
    written.and(answers)
}

fn write(command: &Command, ttl: u64, out: &mut Vec<u8>) {
    match command {
        Command::Get(key) => out.extend_from_slice(format!("get {key}\r\n").as_bytes()),
        Command::Set(key, value) => {
            // Text is kept as it is, for everyone to read.
            let (flags, bytes) = match value {
                Value::String(text) => (0, text.as_bytes().to_vec()),
                other => (SERIALIZED, marshal::dump(other)),
            };
            out.extend_from_slice(format!("set {key} {flags} {ttl} {}\r\n", bytes.len()).as_bytes());
            out.extend_from_slice(&bytes);
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn odd(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("unexpected answer '{}'", line.trim()))
}

async fn line(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    let mut limited = stream.take(1024);
    limited.read_line(&mut line).await?;
    if line.ends_with('\n') { Ok(line) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) }
}

async fn read_stored(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Answer> {
    let line = line(stream).await?;
    match line.trim() {
        "STORED" => Ok(Ok(None)),
        refused if refused.starts_with("SERVER_ERROR") || refused == "NOT_STORED" => Ok(Err(refused.into())),
        _ => Err(odd(&line)),
    }
}

async fn read_value(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Answer> {
    let header = line(stream).await?;
    let mut words = header.split_whitespace();
    let (flags, length) = match words.next() {
        Some("END") => return Ok(Ok(None)),
        Some("SERVER_ERROR") => return Ok(Err(header.trim().into())),
        Some("VALUE") => {
            let mut number = || words.next_back().and_then(|word| word.parse::<usize>().ok());
            let (length, flags) = (number(), number());
            flags.zip(length).ok_or_else(|| odd(&header))?
        }
        _ => return Err(odd(&header)),
    };
    if length > LARGEST {
        return Err(odd(&header));
    }
    let mut bytes = vec![0; length + 2];
    stream.read_exact(&mut bytes).await?;
    bytes.truncate(length);
    if line(stream).await?.trim() != "END" {
        return Err(odd("no END"));
    }
    let value = decoded(bytes, u32::try_from(flags).unwrap_or(0));
    Ok(value.map(Some).ok_or_else(|| "the value is in a format that is not known".into()))
}

fn decoded(mut bytes: Vec<u8>, flags: u32) -> Option<Value> {
    if flags & COMPRESSED != 0 {
        let mut inflated = Vec::new();
        ZlibDecoder::new(bytes.as_slice()).take(LARGEST as u64).read_to_end(&mut inflated).ok()?;
        bytes = inflated;
    }
    if flags & SERIALIZED != 0 {
        return marshal::load(&bytes);
    }
    Some(Value::from(String::from_utf8_lossy(&bytes).as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spread_over_the_servers() {
        let client = Client::new(vec!["a:11211".into(), "b:11211".into(), "c:11211".into()], 0);
        let mut seen = [0; 3];
        (0..3000).for_each(|number| seen[client.server_of(&format!("key{number}"))] += 1);
        assert!(seen.iter().all(|count| *count > 500), "{seen:?}");
        assert_eq!(client.ring.len(), 3 * POINTS);
    }

    #[test]
    fn keys_that_no_server_takes() {
        for key in ["", "a b", "a\nb", "a\u{7f}"] {
            assert!(!legal(key), "{key:?}");
        }
        assert!(!legal(&"x".repeat(251)) && legal(&"x".repeat(250)) && legal("a:ü"));
    }
}
