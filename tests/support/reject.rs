//! An HTTP server in front of Elasticsearch that answers some `_bulk` requests, or some of their items, by itself.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

/// What happens to one `_bulk` request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing: Elasticsearch gets it and its answer goes back.
    Pass,
    /// The whole request is answered with this status and never reaches Elasticsearch.
    Status(u16),
    /// Every `nth` item is answered with this status, the others go to Elasticsearch.
    Items {
        /// 2 for every second item, 1 for all.
        nth: usize,
        /// Such as 429.
        status: u16,
    },
    /// Elasticsearch indexes it, but the connection is cut instead of the answer.
    LoseAnswer,
}

/// The server. Without scripted faults it passes everything on.
pub(crate) struct Rejecter {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    upstream: String,
    faults: Mutex<VecDeque<Fault>>,
    bulks: AtomicUsize,
    ended: AtomicBool,
}

struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Rejecter {
    /// In front of the Elasticsearch at `upstream` (`http://HOST:PORT`); the `_bulk` requests meet `faults` in this order, later ones pass.
    pub(crate) fn start(upstream: &str, faults: impl IntoIterator<Item = Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream: upstream.trim_start_matches("http://").to_owned(),
            faults: Mutex::new(faults.into_iter().collect()),
            bulks: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if accepting.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || drop(serve(&client, &shared)));
            }
        });
        Self { shared, address }
    }

    /// Its address for a `hosts` setting.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many `_bulk` requests came.
    pub(crate) fn bulks(&self) -> usize {
        self.shared.bulks.load(Ordering::SeqCst)
    }

    /// How many of the scripted faults have not been met.
    pub(crate) fn faults_left(&self) -> usize {
        self.shared.faults.lock().unwrap().len()
    }
}

impl Drop for Rejecter {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn serve(client: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    while let Some(request) = read_message(&mut reader)? {
        let path = request.line.split(' ').nth(1).unwrap_or_default();
        let fault = if path.split('?').next().is_some_and(|p| p.ends_with("_bulk")) {
            shared.bulks.fetch_add(1, Ordering::SeqCst);
            shared.faults.lock().unwrap().pop_front().unwrap_or(Fault::Pass)
        } else {
            Fault::Pass
        };
        let (status, body) = match fault {
            Fault::Pass => forward(&request, &request.body, shared)?,
            Fault::Status(status) => (status, error_of(status).to_string().into_bytes()),
            Fault::Items { nth, status } => some_items(&request, nth, status, shared)?,
            Fault::LoseAnswer => {
                forward(&request, &request.body, shared)?;
                return Ok(());
            }
        };
        answer(client, status, &body, request.line.starts_with("HEAD "))?;
    }
    Ok(())
}

fn answer(mut client: &TcpStream, status: u16, body: &[u8], head: bool) -> io::Result<()> {
    let length = body.len();
    let headers = "content-type: application/json\r\nX-elastic-product: Elasticsearch\r\n";
    let mut bytes = format!("HTTP/1.1 {status} -\r\n{headers}content-length: {length}\r\n\r\n").into_bytes();
    if !head {
        bytes.extend_from_slice(body);
    }
    client.write_all(&bytes)
}

fn error_of(status: u16) -> Value {
    let kind = match status {
        429 => "es_rejected_execution_exception",
        503 => "unavailable_shards_exception",
        _ => "document_parsing_exception",
    };
    json!({"error": {"type": kind, "reason": "made up by the test"}, "status": status})
}

/// Answers every `nth` item with `status`; the rest goes to Elasticsearch, and the answers are put together in order.
fn some_items(request: &Request, nth: usize, status: u16, shared: &Shared) -> io::Result<(u16, Vec<u8>)> {
    let lines: Vec<&[u8]> = request.body.split_inclusive(|&b| b == b'\n').collect();
    let (mut passed, mut passes) = (Vec::new(), Vec::new());
    for (at, pair) in lines.chunks(2).enumerate() {
        let pass = (at + 1) % nth != 0;
        passes.push((pass, pair[0]));
        if pass {
            pair.iter().for_each(|line| passed.extend_from_slice(line));
        }
    }
    let mut real = VecDeque::new();
    if !passed.is_empty() {
        let (_, body) = forward(request, &passed, shared)?;
        let mut answer: Value = serde_json::from_slice(&body)?;
        real.extend(answer["items"].as_array_mut().map(std::mem::take).unwrap_or_default());
    }
    let items: Vec<Value> = passes
        .into_iter()
        .map(|(pass, action)| if pass { real.pop_front().unwrap_or_default() } else { refused(action, status) })
        .collect();
    Ok((200, json!({"took": 1, "errors": true, "items": items}).to_string().into_bytes()))
}

fn refused(action: &[u8], status: u16) -> Value {
    let action: Value = serde_json::from_slice(action).unwrap_or_default();
    let (name, of) = action.as_object().and_then(|o| o.iter().next()).map_or(("create", &Value::Null), |(k, v)| (k, v));
    let mut item = error_of(status);
    item["_index"] = of["_index"].clone();
    item["_id"] = of["_id"].clone();
    json!({ name: item })
}

/// Sends the request with this body on a connection of its own and reads the answer.
fn forward(request: &Request, body: &[u8], shared: &Shared) -> io::Result<(u16, Vec<u8>)> {
    let mut server = TcpStream::connect(&shared.upstream)?;
    let mut bytes = format!("{}\r\nconnection: close\r\ncontent-length: {}\r\n", request.line, body.len()).into_bytes();
    for (name, value) in &request.headers {
        let ours =
            ["content-length", "connection", "transfer-encoding", "content-encoding", "accept-encoding", "expect"];
        if !ours.contains(&name.as_str()) {
            write!(bytes, "{name}: {value}\r\n")?;
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    server.write_all(&bytes)?;
    let answer = read_message(&mut BufReader::new(&server))?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = answer.line.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(502);
    Ok((status, answer.body))
}

/// Reads one HTTP/1.1 request or answer, its body unpacked; nothing where the connection ends before it.
fn read_message(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let Some(line) = read_line(reader)? else { return Ok(None) };
    let mut request = Request { line, headers: Vec::new(), body: Vec::new() };
    while let Some(line) = read_line(reader)?.filter(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':') {
            request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let header = |name: &str| request.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let mut body = Vec::new();
    if header("transfer-encoding").is_some_and(|v| v.contains("chunked")) {
        loop {
            let size = read_line(reader)?.unwrap_or_default();
            let size = u64::from_str_radix(size.split(';').next().unwrap_or_default(), 16).unwrap_or(0);
            reader.take(size).read_to_end(&mut body)?;
            read_line(reader)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = header("content-length").and_then(|v| v.parse().ok()) {
        reader.take(length).read_to_end(&mut body)?;
    }
    if header("content-encoding") == Some("gzip") {
        let packed = std::mem::take(&mut body);
        GzDecoder::new(packed.as_slice()).read_to_end(&mut body)?;
    }
    request.body = body;
    Ok(Some(request))
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}
