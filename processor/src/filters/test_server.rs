//! A small web server for tests of filters.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// A request as it came.
pub(crate) struct Asked {
    /// `GET /path?query`.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }
}

/// Serves every request by what `answer` makes of it: status and extra headers, and body; nothing for silence. Gives the
/// address.
pub(crate) fn serve(answer: impl Fn(&Asked) -> Option<(String, String)> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = std::sync::Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            std::thread::spawn(move || connection(stream.unwrap(), &*answer));
        }
    });
    address
}

fn connection(stream: TcpStream, answer: &(dyn Fn(&Asked) -> Option<(String, String)> + Send + Sync)) {
    let mut writing = stream.try_clone().unwrap();
    let mut reading = BufReader::new(stream);
    while let Some(asked) = read(&mut reading) {
        let Some((head, body)) = answer(&asked) else {
            std::thread::sleep(std::time::Duration::from_secs(60));
            return;
        };
        let length = body.len();
        // In one piece: the second of two would wait until the first is acknowledged.
        let whole = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}");
        if writing.write_all(whole.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reading: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reading.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reading.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_string()));
    }
    let mut asked = Asked { line: line.trim().trim_end_matches(" HTTP/1.1").into(), headers, body: String::new() };
    let mut body = vec![0; asked.header("content-length").parse().unwrap_or(0)];
    reading.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Some(asked)
}
