//! `fingerprint`: a hash over fields.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use data_encoding::{BASE32, HEXLOWER};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use tailrace_common::{Event, Timestamp, Value};
use xxhash_rust::xxh64::xxh64;

use super::field::text_of;
use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Clone, Copy, Debug)]
enum Method {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
    XxHash,
}

#[derive(Clone, Copy, Debug)]
enum Encoding {
    Hex,
    Base32,
    Base64,
}

#[derive(Debug)]
struct Fingerprint {
    /// In the order of their names.
    fields: Vec<Field>,
    target: Field,
    method: Method,
    encoding: Encoding,
    ignore_missing: bool,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("fields");
    let mut fields = section.texts("fields");
    fields.sort();
    fields.dedup();
    let methods = [
        ("sha256", Method::Sha256),
        ("md5", Method::Md5),
        ("sha1", Method::Sha1),
        ("sha384", Method::Sha384),
        ("sha512", Method::Sha512),
        ("xxhash", Method::XxHash),
    ];
    let encodings = [("hex", Encoding::Hex), ("base32", Encoding::Base32), ("base64", Encoding::Base64)];
    Some(Arc::new(Fingerprint {
        fields: fields.iter().map(|name| Field::new(name)).collect(),
        target: Field::new(section.text("target_field").unwrap_or("fingerprint")),
        method: section.choice("method", &methods, Method::Sha256),
        encoding: section.choice("encoding", &encodings, Encoding::Hex),
        ignore_missing: section.boolean("ignore_missing", false),
    }))
}

/// `2023-11-14 22:13:20.123 +0000 UTC`, as Go prints a moment.
fn go_moment(moment: Timestamp) -> String {
    let mut text = Vec::new();
    Timestamp { nanos: 0, ..moment }.write_iso8601(&mut text);
    let seconds = String::from_utf8_lossy(&text[..text.len().min(19)]).replace('T', " ");
    let fraction = format!("{:09}", moment.nanos);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{seconds}{point}{fraction} +0000 UTC")
}

impl Fingerprint {
    /// `|name|value|name|value|`
    fn source(&self, event: &Event) -> Result<String, Failure> {
        let mut source = String::new();
        for field in &self.fields {
            let name = field.name();
            let text = match field.get(event) {
                None if self.ignore_missing => continue,
                None => return Err(Failure(format!("failed to find field [{name}] in event: key not found"))),
                Some(Value::Object(_) | Value::Array(_)) => {
                    return Err(Failure(format!("cannot compute fingerprint using non-scalar field [{name}]")));
                }
                Some(Value::Timestamp(moment)) => go_moment(*moment),
                Some(value) => text_of(value),
            };
            source.push_str(&format!("|{name}|{text}"));
        }
        source.push('|');
        Ok(source)
    }

    fn encoded(&self, source: &[u8]) -> String {
        let hash = match self.method {
            Method::Md5 => Md5::digest(source).to_vec(),
            Method::Sha1 => Sha1::digest(source).to_vec(),
            Method::Sha256 => Sha256::digest(source).to_vec(),
            Method::Sha384 => Sha384::digest(source).to_vec(),
            Method::Sha512 => Sha512::digest(source).to_vec(),
            Method::XxHash => xxh64(source, 0).to_be_bytes().to_vec(),
        };
        match self.encoding {
            Encoding::Hex => HEXLOWER.encode(&hash),
            Encoding::Base32 => BASE32.encode(&hash),
            Encoding::Base64 => STANDARD.encode(&hash),
        }
    }
}

impl Processor for Fingerprint {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        let source = self.source(event)?;
        self.target.put(event, self.encoded(source.as_bytes())).map(|()| Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processors::read::tests::changed;

    /// `printf '|field1|foo|field2|bar|' | sha256sum`, and so on.
    #[test]
    fn hashes_are_those_of_names_and_values() {
        for (options, wanted) in [
            ("method: md5", "4c45df4792f3ef850c928ec5f5232538"),
            ("method: sha1, encoding: base64", "IvdkJ9YmUW0/egV4UWW5lhdoOyI="),
            (
                "method: sha384, encoding: base32",
                "FFNN7YF4AOIISSHEWC3KKT2EC5TYM7SCNXNFSBBQIWOIUFD7XOREFI4MXIUCVXXHQM23TYEIO64GY===",
            ),
            ("", "1208288932231e313b369bae587ff574cd3016a408e52e7128d7bee752674003"),
        ] {
            let yaml = format!("- fingerprint: {{fields: [field2, field1], {options}}}");
            let made = changed(&yaml, r#"{"field1":"foo","field2":"bar"}"#)["fingerprint"].to_string();
            assert_eq!(made.trim_matches('"'), wanted, "{options}");
        }
        let missing = changed("- fingerprint: {fields: [a, nope]}", r#"{"a":1}"#);
        assert!(missing.get("fingerprint").is_none());
    }

    #[test]
    fn moments_are_printed_as_by_go() {
        assert_eq!(go_moment(Timestamp::from_millis(1_700_000_000_120)), "2023-11-14 22:13:20.12 +0000 UTC");
    }
}
