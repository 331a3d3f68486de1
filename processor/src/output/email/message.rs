//! A mail as text (RFC 5322, MIME): headers, bodies, attachments. Everything that is not plain ASCII is in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The longest line of a body in base64.
const LINE: usize = 76;
/// Bytes of an encoded word in a header.
const WORD: usize = 45;

/// A mail to be written.
#[derive(Debug, Default)]
pub(super) struct Mail {
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) cc: Vec<String>,
    pub(super) reply_to: Option<String>,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: Option<String>,
    /// The type of the body when there is no other.
    pub(super) content_type: String,
    /// Names and contents.
    pub(super) attachments: Vec<(String, Vec<u8>)>,
    pub(super) date: String,
    /// What parts it: in no part.
    pub(super) boundary: String,
    pub(super) id: String,
}

impl Mail {
    /// The mail, its lines ended as SMTP wants them, without the dot at its end.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = String::new();
        header(&mut out, "Date", &self.date);
        header(&mut out, "From", &self.from);
        header(&mut out, "Message-ID", &self.id);
        for (name, addresses) in [("To", &self.to), ("Cc", &self.cc)] {
            if !addresses.is_empty() {
                header(&mut out, name, &addresses.join(", "));
            }
        }
        if let Some(address) = &self.reply_to {
            header(&mut out, "Reply-To", address);
        }
        header(&mut out, "Subject", &encoded(&self.subject));
        header(&mut out, "MIME-Version", "1.0");
        if self.attachments.is_empty() {
            self.bodies(&mut out);
        } else {
            let boundary = format!("mixed-{}", self.boundary);
            header(&mut out, "Content-Type", &format!("multipart/mixed; boundary=\"{boundary}\""));
            out.push_str(&format!("\r\n--{boundary}\r\n"));
            self.bodies(&mut out);
            for (name, content) in &self.attachments {
                out.push_str(&format!("\r\n--{boundary}\r\n"));
                let name = encoded(name);
                part(&mut out, "application/octet-stream", Some(&name), content);
            }
            out.push_str(&format!("\r\n--{boundary}--\r\n"));
        }
        out.into_bytes()
    }

    fn bodies(&self, out: &mut String) {
        let Some(html) = &self.html else {
            return part(out, &self.content_type, None, self.text.as_bytes());
        };
        let boundary = format!("alternative-{}", self.boundary);
        header(out, "Content-Type", &format!("multipart/alternative; boundary=\"{boundary}\""));
        for (kind, body) in [("text/plain; charset=UTF-8", &self.text), ("text/html; charset=UTF-8", html)] {
            out.push_str(&format!("\r\n--{boundary}\r\n"));
            part(out, kind, None, body.as_bytes());
        }
        out.push_str(&format!("\r\n--{boundary}--\r\n"));
    }
}

/// A header; what could end it early is left out.
fn header(out: &mut String, name: &str, value: &str) {
    let value: String = value.chars().filter(|character| !matches!(character, '\r' | '\n' | '\0')).collect();
    out.push_str(&format!("{name}: {}\r\n", value.replace("?==?", "?=\r\n =?")));
}

fn part(out: &mut String, kind: &str, attached: Option<&str>, content: &[u8]) {
    header(out, "Content-Type", kind);
    header(out, "Content-Transfer-Encoding", "base64");
    if let Some(name) = attached {
        header(out, "Content-Disposition", &format!("attachment; filename=\"{}\"", name.replace(['"', '\\'], "_")));
    }
    out.push_str("\r\n");
    let text = STANDARD.encode(content);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        out.push_str(line);
        out.push_str("\r\n");
        rest = after;
    }
}

/// Text for a header: as it is, or in encoded words (RFC 2047).
fn encoded(text: &str) -> String {
    if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return text.into();
    }
    let mut words = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.floor_char_boundary(WORD));
        words.push_str(&format!("=?UTF-8?B?{}?=", STANDARD.encode(word)));
        rest = after;
    }
    words
}

/// The bare address in `Name <address>`; nothing for what is none.
pub(super) fn address(text: &str) -> Option<&str> {
    let bare = match text.rsplit_once('<') {
        Some((_, rest)) => rest.split('>').next()?,
        None => text,
    };
    let bare = bare.trim();
    let plain =
        !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b','));
    plain.then_some(bare)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn mail() -> Mail {
        Mail {
            from: "logs@example.com".into(),
            to: vec!["a@example.com".into(), "B <b@example.com>".into()],
            subject: "Größe\r\nBcc: evil@example.com".into(),
            text: "line\n.\n".into(),
            content_type: "text/html; charset=UTF-8".into(),
            date: "Thu, 01 Jan 1970 00:00:00 +0000".into(),
            boundary: "x".into(),
            id: "<1@host>".into(),
            ..Mail::default()
        }
    }

    #[test]
    fn a_plain_mail() {
        let text = String::from_utf8(mail().write()).unwrap();
        assert_eq!(
            text,
            "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\nFrom: logs@example.com\r\nMessage-ID: <1@host>\r\n\
             To: a@example.com, B <b@example.com>\r\nSubject: =?UTF-8?B?R3LDtsOfZQ0KQmNjOiBldmlsQGV4YW1wbGUuY29t?=\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
             bGluZQouCg==\r\n"
        );
    }

    #[test]
    fn parts_and_attachments() {
        let mail = Mail { html: Some("<p>".into()), attachments: vec![("a\"b.txt".into(), vec![0; 100])], ..mail() };
        let text = String::from_utf8(mail.write()).unwrap();
        for wanted in [
            "boundary=\"mixed-x\"\r\n\r\n--mixed-x\r\n",
            "boundary=\"alternative-x\"\r\n\r\n--alternative-x\r\nContent-Type: text/plain",
            "Content-Type: text/html; charset=UTF-8",
            "filename=\"a_b.txt\"",
            "--alternative-x--\r\n\r\n--mixed-x\r\n",
            "--mixed-x--\r\n",
        ] {
            assert!(text.contains(wanted), "{wanted} in {text}");
        }
        assert!(text.lines().all(|line| line.len() <= 76));
    }

    #[test]
    fn headers_cannot_be_smuggled_in() {
        let mail = Mail { from: "a@b\r\nBcc: evil@example.com".into(), ..mail() };
        let text = String::from_utf8(mail.write()).unwrap();
        assert!(!text.contains("\r\nBcc"), "{text}");
        for bad in ["", "a b@c", "a@b\r\nDATA", "<a@b>,<c", "ü@b"] {
            assert_eq!(address(bad).filter(|found| found.contains(['\r', ' ', ','])), None, "{bad}");
        }
        assert_eq!((address("B <b@c>"), address(" a@b ")), (Some("b@c"), Some("a@b")));
    }
}
