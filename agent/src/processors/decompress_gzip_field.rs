//! `decompress_gzip_field`: a text that holds gzip becomes what it holds.

use std::io::Read;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use tailrace_common::Event;

use super::edit::{FromTo, Strictness, pair};
use super::field::go_type;
use super::{Failure, Outcome, Processor};
use crate::config::section::Section;
use crate::document::to_text;
use crate::pipeline::FileMeta;

/// What is longer when unpacked is a failure.
const LONGEST: u64 = 10 << 20;

#[derive(Debug)]
struct DecompressGzip {
    field: FromTo,
    strictness: Strictness,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("field");
    let field = pair(&section.section("field"), true);
    let strictness = Strictness::read(section);
    Some(Arc::new(DecompressGzip { field: field?, strictness }))
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    MultiGzDecoder::new(bytes).take(LONGEST + 1).read_to_end(&mut out).map_err(|error| error.to_string())?;
    if out.len() as u64 > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    Ok(out)
}

impl Processor for DecompressGzip {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        let item = std::slice::from_ref(&self.field);
        self.strictness.each(
            event,
            item,
            "Failed to decompress field in decompress_gzip_field processor",
            |event, item| {
                let Some(value) = self.strictness.value(&item.from, event)? else { return Ok(()) };
                let text = value
                    .as_str()
                    .ok_or_else(|| Failure(format!("could not decompress: expected text, got {}", go_type(value))))?;
                let unpacked =
                    unpack(text.as_bytes()).map_err(|error| Failure(format!("could not decompress: {error}")))?;
                item.to.put(event, to_text(&unpacked))
            },
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::processors::read::tests::changed;

    #[test]
    fn gzip_is_unpacked_up_to_a_limit() {
        let packed = |bytes: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        assert_eq!(unpack(&packed(b"hi")).unwrap(), b"hi");
        assert!(unpack(&packed(&vec![0; 11 << 20])).unwrap_err().contains("longer than"));
        let message = changed("- decompress_gzip_field: {field: {from: a, to: b}}", r#"{"a":"x"}"#)["error"]["message"]
            .to_string();
        assert!(message.contains("could not decompress"), "{message}");
    }
}
