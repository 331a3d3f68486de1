//! Sending mails by SMTP (RFC 5321), with STARTTLS and AUTH.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::output::connect;
use crate::tls::ClientTls;

/// For connecting and for each answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A longer answer is none of SMTP.
const LONGEST_ANSWER: u64 = 64 << 10;

/// Where mails are handed over.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    /// How this machine calls itself.
    pub(super) domain: String,
    pub(super) starttls: bool,
    pub(super) login: Option<Login>,
}

/// Who we are. Never printed.
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
    /// `login`, else `plain`.
    pub(super) by_login: bool,
}

/// Why a mail was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum SmtpError {
    /// The server cannot be reached, or not now.
    #[error("{0}")]
    Later(String),
    /// It does not want this mail.
    #[error("the mail server refused: {0}")]
    Refused(String),
}

impl From<io::Error> for SmtpError {
    fn from(error: io::Error) -> SmtpError {
        SmtpError::Later(error.to_string())
    }
}

trait Duplex: Read + Write {}
impl<T: Read + Write> Duplex for T {}

struct Connection(BufReader<Box<dyn Duplex>>);

impl Connection {
    /// Sends a line and reads the answer, which must begin with one of these digits.
    fn say(&mut self, line: &str, wanted: &str) -> Result<String, SmtpError> {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        self.0.get_mut().flush()?;
        self.answer(wanted)
    }

    fn answer(&mut self, wanted: &str) -> Result<String, SmtpError> {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            (&mut self.0).take(LONGEST_ANSWER).read_line(&mut line)?;
            text.push_str(&line);
            if line.is_empty() || text.len() as u64 > LONGEST_ANSWER {
                return Err(SmtpError::Later("the mail server closed the connection".into()));
            }
            // Lines before the last have a dash after their number.
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        let first = text.chars().next().unwrap_or_default();
        match first {
            first if wanted.contains(first) => Ok(text),
            '5' => Err(SmtpError::Refused(text.trim().into())),
            _ => Err(SmtpError::Later(text.trim().into())),
        }
    }
}

impl Server {
    /// Hands a mail over.
    pub(super) fn send(&self, from: &str, to: &[&str], mail: &[u8]) -> Result<(), SmtpError> {
        let stream = connect(&self.host, self.port, TIMEOUT)?;
        let mut connection = Connection(BufReader::new(Box::new(stream.try_clone()?)));
        connection.answer("2")?;
        let greeting = format!("EHLO {}", self.domain);
        let mut features = connection.say(&greeting, "2")?;
        if self.starttls {
            connection.say("STARTTLS", "2")?;
            let tls = ClientTls::of_system().map_err(SmtpError::Refused)?;
            connection = Connection(BufReader::new(Box::new(tls.connect(&self.host, stream)?)));
            features = connection.say(&greeting, "2")?;
        }
        self.log_in(&mut connection, &features)?;
        connection.say(&format!("MAIL FROM:<{from}>"), "2")?;
        for address in to {
            connection.say(&format!("RCPT TO:<{address}>"), "2")?;
        }
        connection.say("DATA", "3")?;
        let mut body = Vec::with_capacity(mail.len() + 5);
        for line in mail.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b".") {
                body.push(b'.');
            }
            body.extend_from_slice(line);
        }
        body.extend_from_slice(b".");
        connection.0.get_mut().write_all(&body)?;
        connection.say("", "2")?;
        // The mail has been taken; how the farewell goes does not matter.
        drop(connection.say("QUIT", "2"));
        Ok(())
    }

    fn log_in(&self, connection: &mut Connection, features: &str) -> Result<(), SmtpError> {
        let Some(Login { user, password, by_login }) = &self.login else { return Ok(()) };
        if !features.to_ascii_uppercase().contains("AUTH") {
            return Err(SmtpError::Refused("it knows no AUTH".into()));
        }
        if *by_login {
            connection.say("AUTH LOGIN", "3")?;
            connection.say(&STANDARD.encode(user), "3")?;
            connection.say(&STANDARD.encode(password), "2")?;
        } else {
            connection.say(&format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{user}\0{password}"))), "2")?;
        }
        Ok(())
    }
}
