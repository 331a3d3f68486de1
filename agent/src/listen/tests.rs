#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;

use crossbeam_channel::Receiver;

use super::*;
use crate::pipeline::{Batch, channel};
use crate::tail::settings::{Framing, Parser};

const PATIENCE: Duration = Duration::from_secs(30);

fn input(kind: InputKind, address: ListenAddress) -> InputSettings {
    let listen = ListenSettings {
        address,
        framing: Framing::Delimiter(b"\n".to_vec()),
        max_message_size: 16,
        max_connections: 0,
        timeout: PATIENCE,
        read_buffer: 0,
        tls: None,
        mode: None,
    };
    InputSettings { kind, listen: Some(listen), ..InputSettings::default() }
}

fn start(input: InputSettings) -> (Listeners, Receiver<Batch>) {
    let (outlet, batches) = channel();
    let listeners = Listeners::start(&[Arc::new(input)], &outlet, 1 << 20).unwrap().unwrap();
    (listeners, batches)
}

/// The next messages, with their sender.
fn receive(batches: &Receiver<Batch>, count: usize) -> Vec<(String, Option<String>)> {
    let mut messages = Vec::new();
    while messages.len() < count {
        let batch = batches.recv_timeout(PATIENCE).unwrap();
        for entry in &batch.entries {
            let text = String::from_utf8_lossy(batch.message(entry)).into_owned();
            messages.push((text, batch.file.source.clone()));
        }
        batch.ticket.acknowledge();
    }
    messages
}

/// A port that was free a moment ago.
fn free_tcp() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn connections_bring_messages() {
    let address = free_tcp();
    let (listeners, batches) = start(input(InputKind::Tcp, ListenAddress::Tcp(address)));
    let mut client = TcpStream::connect(address).unwrap();
    let from = Some(client.local_addr().unwrap().to_string());
    client.write_all(b"one\n\ntwo\r\nlonger than sixteen bytes\nlast").unwrap();
    drop(client);
    let texts = ["one", "two", "longer than sixt", "last"];
    assert_eq!(receive(&batches, 4), texts.map(|text| (text.to_owned(), from.clone())));
    assert!(listeners.stop(PATIENCE));
}

#[test]
fn datagrams_are_messages() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let (listeners, batches) = start(input(InputKind::Udp, ListenAddress::Udp(address)));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let from = Some(client.local_addr().unwrap().to_string());
    client.send_to(b"one\n", address).unwrap();
    client.send_to(b"two", address).unwrap();
    assert_eq!(receive(&batches, 2), ["one", "two"].map(|text| (text.to_owned(), from.clone())));
    assert!(listeners.stop(PATIENCE));
}

#[test]
fn sockets_in_the_file_system_bring_messages() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("stream.sock");
    let (listeners, batches) = start(input(InputKind::Unix, ListenAddress::UnixStream(path.clone())));
    UnixStream::connect(&path).unwrap().write_all(b"a\nb\n").unwrap();
    assert_eq!(receive(&batches, 2), ["a", "b"].map(|text| (text.to_owned(), None)));
    assert!(listeners.stop(PATIENCE));
    // What an agent that was killed leaves behind does not keep the next one from listening.
    let datagrams = input(InputKind::Unix, ListenAddress::UnixDatagram(path.clone()));
    let (_listeners, batches) = start(datagrams.clone());
    UnixDatagram::unbound().unwrap().send_to(b"c", &path).unwrap();
    assert_eq!(receive(&batches, 1), [("c".to_owned(), None)]);
    std::fs::write(folder.path().join("file"), "keep").unwrap();
    let taken = input(InputKind::Unix, ListenAddress::UnixDatagram(folder.path().join("file")));
    let (outlet, _batches) = channel();
    assert!(Listeners::start(&[Arc::new(taken)], &outlet, 1 << 20).is_err());
}

#[test]
fn syslog_is_parsed() {
    let address = free_tcp();
    let mut settings = input(InputKind::Syslog, ListenAddress::Tcp(address));
    settings.parsers = vec![Parser::Syslog(Arc::default())];
    if let Some(listen) = &mut settings.listen {
        listen.framing = Framing::Rfc6587;
        listen.max_message_size = 200;
    }
    let (_listeners, batches) = start(settings);
    let message = "<165>1 2024-01-01T00:00:00Z h app 1 ID - m";
    let counted = format!("{} {message}", message.len());
    TcpStream::connect(address).unwrap().write_all(counted.as_bytes()).unwrap();
    let batch = batches.recv_timeout(PATIENCE).unwrap();
    let syslog = batch.entries[0].extra.as_ref().unwrap().syslog.as_ref().unwrap();
    assert_eq!((syslog.hostname.as_deref(), batch.message(&batch.entries[0])), (Some("h"), b"m".as_slice()));
}

/// The sender waits while the outputs hold too much, and nothing is lost.
#[test]
fn a_sender_waits_for_room() {
    let address = free_tcp();
    let mut settings = input(InputKind::Tcp, ListenAddress::Tcp(address));
    if let Some(listen) = &mut settings.listen {
        listen.max_message_size = 1 << 10;
    }
    let (outlet, batches) = channel();
    let listeners = Listeners::start(&[Arc::new(settings)], &outlet, 256 << 10).unwrap().unwrap();
    let line = format!("{}\n", "x".repeat(1000));
    let sender = std::thread::spawn(move || {
        let mut client = TcpStream::connect(address).unwrap();
        for _ in 0..3000 {
            client.write_all(line.as_bytes()).unwrap();
        }
    });
    let mut count = 0;
    while count < 3000 {
        let batch = batches.recv_timeout(PATIENCE).unwrap();
        count += batch.entries.len();
        batch.ticket.acknowledge();
    }
    sender.join().unwrap();
    assert!(listeners.stop(PATIENCE));
}
