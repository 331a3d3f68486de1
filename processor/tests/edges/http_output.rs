//! Output `http`, against a small server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, sync_channel};

use crate::support::start;

/// Answers requests by these statuses, the last for ever, and tells their first lines and bodies.
fn serve(statuses: &'static [u16]) -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (tell, told) = sync_channel(100);
    std::thread::spawn(move || {
        for (answered, stream) in listener.incoming().enumerate() {
            let stream = stream.unwrap();
            let mut writing = stream.try_clone().unwrap();
            let mut reading = BufReader::new(stream);
            let mut line = String::new();
            reading.read_line(&mut line).unwrap();
            let mut length = 0;
            loop {
                let mut header = String::new();
                reading.read_line(&mut header).unwrap();
                match header.to_lowercase().trim().split_once(':') {
                    Some(("content-length", value)) => length = value.trim().parse().unwrap(),
                    Some(_) => {}
                    None => break,
                }
            }
            let mut body = vec![0; length];
            reading.read_exact(&mut body).unwrap();
            let status = statuses[answered.min(statuses.len() - 1)];
            write!(writing, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            tell.send((line.trim().to_string(), String::from_utf8(body).unwrap())).unwrap();
        }
    });
    (address, told)
}

/// Runs two events through the output; gives what the server was asked, and how many events became dead letters.
fn sent(statuses: &'static [u16], options: &str, requests: usize) -> (Vec<(String, String)>, u64) {
    let folder = tempfile::tempdir().unwrap();
    let (address, told) = serve(statuses);
    let config = format!(
        "input {{ generator {{ lines => [\"a\", \"b c\"] count => 1 ecs_compatibility => disabled }} }}
         output {{ http {{ url => \"http://{address}/%{{message}}\" http_method => post {options} }} }}"
    );
    let running = start(&config, folder.path());
    let mut asked: Vec<_> = (0..requests).map(|_| told.recv().unwrap()).collect();
    let monitor = running.monitor();
    assert!(running.join());
    asked.sort();
    (asked, monitor.stats().dead_letters)
}

#[test]
fn an_event_a_request() {
    let (asked, lost) = sent(&[200], "mapping => { \"m\" => \"<%{message}>\" \"n\" => 1 }", 2);
    let wanted = [
        ("POST /a HTTP/1.1".to_string(), r#"{"m":"<a>","n":1}"#.to_string()),
        ("POST /b%20c HTTP/1.1".to_string(), r#"{"m":"<b c>","n":1}"#.to_string()),
    ];
    assert_eq!((asked.as_slice(), lost), (&wanted[..], 0));
}

#[test]
fn the_other_formats() {
    let (asked, _) = sent(&[204], "format => form mapping => { \"m\" => \"%{message}&\" }", 2);
    assert_eq!(asked[1].1, "m=b+c%26");
    let (asked, _) = sent(&[200], "format => message message => \"x %{message}\" content_type => \"text/x\"", 2);
    assert_eq!(asked[0].1, "x a");
    let (asked, _) = sent(&[200], "format => json_batch mapping => { \"m\" => \"%{message}\" }", 1);
    assert_eq!(asked[0].1, r#"[{"m":"a"},{"m":"b c"}]"#);
}

#[test]
fn what_is_busy_is_asked_again_and_what_is_refused_is_kept() {
    let (asked, lost) = sent(&[503, 200], "format => json_batch", 2);
    assert_eq!((asked[0] == asked[1], lost), (true, 0));
    assert_eq!(sent(&[400], "format => json_batch", 1).1, 2);
    assert_eq!(sent(&[400], "format => json_batch ignorable_codes => [400]", 1).1, 0);
    assert_eq!(sent(&[503], "format => json_batch retry_failed => false", 1).1, 2);
}
