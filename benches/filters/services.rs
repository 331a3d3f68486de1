//! Filters that ask somebody else: small servers on this machine answer, and a database of one network is written first.
//!
//! What such a filter costs is mostly waiting, so these rows are wall time; a batch is asked side by side.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;

use serde_json::json;
use tempfile::NamedTempFile;

#[path = "../../processor/src/filters/geoip/mmdb.rs"]
#[allow(dead_code)]
mod mmdb;
#[path = "../../processor/src/filters/test_server.rs"]
#[allow(dead_code)]
mod test_server;

/// A filter, and the event that goes through it.
pub(crate) struct Lookup {
    pub(crate) name: &'static str,
    pub(crate) config: String,
    pub(crate) event: &'static str,
}

/// The rows, and the file that they need.
pub(crate) fn lookups() -> (Vec<Lookup>, NamedTempFile) {
    let database = database();
    let web =
        test_server::serve(|_| Some(("200 OK\r\ncontent-type: application/json".into(), r#"{"plan":"gold"}"#.into())));
    let cluster = test_server::serve(|_| Some(("200 OK".into(), found().to_string())));
    let (names, values) = (name_server(), memcached());
    let lookup = |name, config: String, event| Lookup { name, config: format!("filter {{ {config} }}"), event };
    let path = database.path().display();
    let mut rows = vec![
        lookup("geoip City", format!("geoip {{ source => ip database => \"{path}\" }}"), r#"{"ip":"2.125.160.216"}"#),
        lookup(
            "dns, known",
            format!(
                "dns {{ nameserver => \"{names}\" resolve => \"h\" action => replace hit_cache_size => 1000 hit_cache_ttl => 3600 }}"
            ),
            r#"{"h":"host.example"}"#,
        ),
        lookup(
            "dns, asked",
            format!("dns {{ nameserver => \"{names}\" resolve => \"h\" action => replace }}"),
            r#"{"h":"host.example"}"#,
        ),
        lookup(
            "memcached",
            format!("memcached {{ hosts => \"{values}\" get => {{ \"%{{user}}\" => \"plan\" }} }}"),
            r#"{"user":"frank"}"#,
        ),
    ];
    if cfg!(feature = "edges") {
        rows.extend([
            lookup(
                "http",
                format!("http {{ url => \"http://{web}/plans/%{{user}}\" target_body => plan }}"),
                r#"{"user":"frank"}"#,
            ),
            lookup(
                "elasticsearch",
                format!(
                    "elasticsearch {{ hosts => \"{cluster}\" query => \"user:%{{user}}\" fields => {{ \"plan\" => \"plan\" }} }}"
                ),
                r#"{"user":"frank"}"#,
            ),
        ]);
    }
    (rows, database)
}

/// One network as the City databases have them.
fn database() -> NamedTempFile {
    let record = json!({
        "city": { "names": { "en": "Boxford" } },
        "continent": { "code": "EU", "names": { "en": "Europe" } },
        "country": { "iso_code": "GB", "names": { "en": "United Kingdom" } },
        "location": { "latitude": 51.75, "longitude": -1.25, "time_zone": "Europe/London" },
        "postal": { "code": "OX1" },
        "subdivisions": [{ "iso_code": "ENG", "names": { "en": "England" } }],
    });
    let mut file = tempfile::Builder::new().suffix(".mmdb").tempfile().unwrap();
    file.write_all(&mmdb::database("GeoLite2-City", &[([2, 125, 160, 0], 20, record)])).unwrap();
    file
}

/// What a search finds.
fn found() -> serde_json::Value {
    json!({
        "_shards": { "total": 1 },
        "hits": {
            "total": { "value": 1, "relation": "eq" },
            "hits": [{ "_index": "i", "_id": "1", "_source": { "plan": "gold" } }],
        },
    })
}

/// A name server that knows one address.
fn name_server() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let mut answer = buffer[..length].to_vec();
            answer[2] |= 0x80;
            answer[7] = 1;
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1]);
            socket.send_to(&answer, from).unwrap();
        }
    });
    address
}

/// A memcached that holds `gold` for every key.
fn memcached() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || listener.incoming().for_each(|stream| drop(thread::spawn(move || gold(stream.unwrap())))));
    address
}

fn gold(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while let Some(Ok(line)) = lines.next() {
        let key = line.split_whitespace().nth(1).unwrap_or_default();
        write!(stream, "VALUE {key} 0 4\r\ngold\r\nEND\r\n").unwrap();
    }
}
