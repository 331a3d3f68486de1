//! Output `email`, against a mail server of our own.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, sync_channel};

use crate::support::start;

/// Takes mails and tells what it was said; refuses mails to `nobody`, and is busy the first time.
fn serve() -> (u16, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = sync_channel(100);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let stream = stream.unwrap();
            let mut writing = stream.try_clone().unwrap();
            let greeting = if number == 0 { "421 busy\r\n" } else { "220 ready\r\n" };
            writing.write_all(greeting.as_bytes()).unwrap();
            let (mut said, mut data) = (Vec::new(), false);
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                said.push(line.clone());
                let answer = match line.as_str() {
                    "." => {
                        data = false;
                        "250 taken"
                    }
                    _ if data => continue,
                    "DATA" => {
                        data = true;
                        "354 go on"
                    }
                    line if line.starts_with("EHLO") => "250-here\r\n250 AUTH PLAIN LOGIN",
                    line if line.starts_with("AUTH") => "235 fine",
                    line if line.contains("nobody") => "550 no such user",
                    "QUIT" => "221 bye",
                    _ => "250 fine",
                };
                if write!(writing, "{answer}\r\n").is_err() {
                    break;
                }
            }
            if !said.is_empty() {
                tell.send(said).unwrap();
            }
        }
    });
    (port, told)
}

#[test]
fn events_are_mails() {
    let folder = tempfile::tempdir().unwrap();
    let (port, told) = serve();
    let config = format!(
        "input {{ generator {{ lines => [\"somebody\", \"nobody\"] count => 1 ecs_compatibility => disabled }} }}
         output {{ email {{ to => \"%{{message}}@example.com\" from => \"Logs <logs@example.com>\" subject => \"about %{{message}}\"
                          body => \"text\" contenttype => \"text/plain\" address => \"127.0.0.1\" port => {port}
                          username => \"uu\" password => \"pp\" }} }}"
    );
    let running = start(&config, folder.path());
    let said = told.recv().unwrap();
    let monitor = running.monitor();
    assert!(running.join());
    assert_eq!(monitor.stats().dead_letters, 1, "the mail to nobody is refused");
    assert_eq!(
        said[..5],
        [
            "EHLO localhost",
            "AUTH PLAIN AHV1AHBw",
            "MAIL FROM:<logs@example.com>",
            "RCPT TO:<somebody@example.com>",
            "DATA"
        ]
    );
    for line in ["From: Logs <logs@example.com>", "To: somebody@example.com", "Subject: about somebody", "dGV4dA=="] {
        assert!(said.iter().any(|held| held == line), "{line}: {said:?}");
    }
}
