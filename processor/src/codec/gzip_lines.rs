//! Codec `gzip_lines`: lines compressed by gzip.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use tailrace_common::{Event, Str, Timestamp};

use super::plain::message;
use super::{Codec, CodecDefinition, Framing};
use crate::charset::Charset;
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: CodecDefinition = CodecDefinition {
    name: "gzip_lines",
    summary: "Takes each line of text compressed by gzip for a message.",
    // It reads the option itself: the text is inside.
    text: false,
    build,
};

/// More than this is not unpacked of one piece.
const LARGEST: u64 = 256 << 20;

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid> {
    let keep_original = options.ecs().enabled();
    let charset = Charset::read(&mut options);
    options.finish()?;
    Ok(Box::new(GzipLines { keep_original, charset }))
}

struct GzipLines {
    keep_original: bool,
    charset: Charset,
}

impl Codec for GzipLines {
    fn decode(&self, text: Str, now: Timestamp, events: &mut Vec<Event>) {
        self.decode_bytes(text.as_bytes(), now, events);
    }

    fn decode_bytes(&self, bytes: &[u8], now: Timestamp, events: &mut Vec<Event>) {
        let mut unpacked = Vec::new();
        let read = MultiGzDecoder::new(bytes).take(LARGEST + 1).read_to_end(&mut unpacked);
        let too_large = unpacked.len() as u64 > LARGEST;
        unpacked.truncate(usize::try_from(LARGEST).unwrap_or(usize::MAX));
        let whole = unpacked.strip_suffix(b"\n").unwrap_or(&unpacked);
        let lines = if unpacked.is_empty() { None } else { Some(whole.split(|byte| *byte == b'\n')) };
        for line in lines.into_iter().flatten() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            events.push(message(Str::from(self.charset.text(line.to_vec())), now, self.keep_original));
        }
        // What could be unpacked is kept; that there was more must be seen.
        if read.is_err() || too_large {
            let mut event = message(Str::borrowed("the gzip data is broken, cut off or too large"), now, false);
            event.tag("_gziplinesfailure");
            events.push(event);
        }
    }

    fn is_binary(&self) -> bool {
        true
    }

    fn framing(&self) -> Framing {
        Framing::Whole
    }

    fn encode(&self, event: &Event, out: &mut Vec<u8>) {
        let mut text = Vec::new();
        super::plain::encode_text(event, None, &mut text);
        text.push(b'\n');
        // A member of its own for each event: members may follow each other. Writing to memory does not fail.
        let packed = GzEncoder::new(Vec::new(), Compression::default());
        out.extend(finish(packed, &text).unwrap_or_default());
    }
}

fn finish(mut encoder: GzEncoder<Vec<u8>>, text: &[u8]) -> std::io::Result<Vec<u8>> {
    encoder.write_all(text)?;
    encoder.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const CODEC: GzipLines = GzipLines { keep_original: false, charset: Charset::Utf8 };

    fn packed(text: &str) -> Vec<u8> {
        finish(GzEncoder::new(Vec::new(), Compression::default()), text.as_bytes()).unwrap()
    }

    fn messages(bytes: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        CODEC.decode_bytes(bytes, Timestamp::EPOCH, &mut events);
        events.iter().map(|event| event.fields().get("message").unwrap().as_str().unwrap().to_string()).collect()
    }

    #[test]
    fn lines_are_messages() {
        let both = [packed("a\nb\n"), packed("\u{e9}")].concat();
        assert_eq!(messages(&both), ["a", "b", "é"]);
        let mut out = Vec::new();
        CODEC.encode(&Event::with_message("m".into(), Timestamp::EPOCH), &mut out);
        assert_eq!(messages(&out), ["1970-01-01T00:00:00.000Z %{host} m"]);
    }

    #[test]
    fn what_is_broken_is_seen() {
        let whole = packed("line one\nline two\n");
        let mut events = Vec::new();
        CODEC.decode_bytes(&whole[..whole.len() - 12], Timestamp::EPOCH, &mut events);
        assert!(events.last().unwrap().has_tag("_gziplinesfailure"));
        assert_eq!(messages(b"no gzip").len(), 1);
    }
}
