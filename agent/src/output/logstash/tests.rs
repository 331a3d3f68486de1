#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;

use tailrace_common::lumberjack::{Decoder, Frame, Limits};

use super::*;
use crate::document::Codec;
use crate::output::testing::{batch, documents};
use crate::pipeline::{Acks, FileMeta};

/// What a server saw: the number of events in each window of each connection.
type Seen = Arc<Mutex<Vec<Vec<u32>>>>;

/// A server that acknowledges so many windows on each connection and then closes it, or hangs where it says so.
fn serve(windows: usize, hangs_first: bool) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let seen = Seen::default();
    let shared = seen.clone();
    std::thread::spawn(move || {
        let mut hangs = hangs_first;
        let mut hung = Vec::new();
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let place = {
                let mut seen = shared.lock().unwrap();
                seen.push(Vec::new());
                seen.len() - 1
            };
            if std::mem::take(&mut hangs) {
                hung.push(stream);
                continue;
            }
            let shared = shared.clone();
            std::thread::spawn(move || answer(stream, windows, |count| shared.lock().unwrap()[place].push(count)));
        }
    });
    (host, seen)
}

fn answer(mut stream: TcpStream, windows: usize, seen: impl Fn(u32)) {
    let mut decoder = Decoder::new(Limits::default());
    let mut buffer = [0; 4096];
    let (mut left, mut size) = (windows, 0);
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        decoder.push(&buffer[..read]);
        while let Some(frame) = decoder.frame().unwrap() {
            let sequence = match frame {
                Frame::Window(count) => {
                    size = count;
                    continue;
                }
                Frame::Json { sequence, .. } => sequence,
                _ => continue,
            };
            if sequence < size {
                continue;
            }
            if left == 0 {
                return;
            }
            left -= 1;
            seen(size);
            let mut ack = Vec::new();
            lumberjack::write_ack(size, &mut ack);
            stream.write_all(&ack).unwrap();
        }
    }
}

fn settings(hosts: &[&str]) -> LogstashSettings {
    LogstashSettings {
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        loadbalance: false,
        workers: 1,
        compression_level: 3,
        bulk_max_size: 2,
        slow_start: false,
        pipelining: 2,
        timeout: Duration::from_secs(30),
        ttl: Duration::ZERO,
        backoff: (Duration::from_millis(10), Duration::from_millis(20)),
        index: None,
        tls: None,
    }
}

/// Sends batches of so many lines; all of them must arrive.
fn send(settings: &LogstashSettings, batches: &[usize]) -> Arc<OutputStats> {
    let stats = Arc::new(OutputStats::default());
    let mut output = Logstash::new(settings, stats.clone(), Arc::default()).unwrap();
    let (file, acks) = (Arc::new(FileMeta::unknown()), Acks::new());
    let mut documents = documents(&file, Codec::Json);
    for size in batches {
        output.publish(batch(&vec!["line"; *size], &file, &acks), &mut documents);
    }
    output.close(Instant::now() + Duration::from_secs(60));
    assert_eq!(acks.total_outstanding(), 0);
    assert_eq!(stats.acknowledged.load(Ordering::Relaxed), batches.iter().sum::<usize>() as u64);
    stats
}

#[test]
fn windows_are_as_large_as_bulk_max_size_says() {
    let (host, seen) = serve(usize::MAX, false);
    send(&settings(&[&host]), &[5, 1]);
    assert_eq!(*seen.lock().unwrap(), [vec![2, 2, 1, 1]]);
}

#[test]
fn what_a_broken_connection_did_not_acknowledge_goes_again() {
    let (host, seen) = serve(1, false);
    let stats = send(&settings(&[&host]), &[2, 2, 2]);
    let acknowledged: usize = seen.lock().unwrap().iter().map(Vec::len).sum();
    assert_eq!(acknowledged, 3);
    assert!(stats.retried.load(Ordering::Relaxed) >= 2);
}

#[test]
fn a_host_that_says_nothing_is_given_up() {
    let (host, seen) = serve(usize::MAX, true);
    let stats = send(&LogstashSettings { timeout: Duration::from_millis(100), ..settings(&[&host]) }, &[2]);
    assert_eq!(*seen.lock().unwrap(), [vec![], vec![2]]);
    assert_eq!(stats.retried.load(Ordering::Relaxed), 2);
}

#[test]
fn a_host_that_is_away_is_passed_over() {
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (host, seen) = serve(usize::MAX, false);
    send(&settings(&[&away, &host]), &[2]);
    send(&LogstashSettings { loadbalance: true, ..settings(&[&away, &host]) }, &[2, 2, 2]);
    let all: usize = seen.lock().unwrap().iter().map(Vec::len).sum();
    assert_eq!(all, 4);
}

#[test]
fn loadbalance_sends_to_all_hosts() {
    let ((one, to_one), (other, to_other)) = (serve(usize::MAX, false), serve(usize::MAX, false));
    let settings = LogstashSettings { loadbalance: true, workers: 2, pipelining: 1, ..settings(&[&one, &other]) };
    send(&settings, &[2; 200]);
    let (to_one, to_other) = (to_one.lock().unwrap().len(), to_other.lock().unwrap().len());
    assert!(to_one > 0 && to_other > 0 && to_one <= 2 && to_other <= 2, "{to_one} {to_other}");
}

#[test]
fn connections_end_with_their_time_to_live() {
    let (host, seen) = serve(usize::MAX, false);
    send(&LogstashSettings { ttl: Duration::from_nanos(1), pipelining: 1, ..settings(&[&host]) }, &[2; 20]);
    assert_eq!(*seen.lock().unwrap(), vec![vec![2]; 20]);
}

#[test]
fn slow_start_begins_with_small_windows() {
    let (host, seen) = serve(usize::MAX, false);
    let settings = LogstashSettings { slow_start: true, bulk_max_size: 40, pipelining: 1, ..settings(&[&host]) };
    send(&settings, &[40, 40, 40, 40, 40]);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0][..4], [10, 10, 10, 10]);
    assert_eq!(seen[0].last(), Some(&40));
}
