//! Lumberjack version 2: the protocol between Filebeat and Logstash's `beats` input.
//!
//! Frames start with the version, `2`, and a letter; numbers are 32 bits, most significant byte first:
//!
//! | frame | letter | contents |
//! |---|---|---|
//! | window | `W` | how many events follow until an acknowledgement is due |
//! | JSON | `J` | sequence number, length, document |
//! | data | `D` | sequence number, count of pairs, then length and bytes of each key and each value |
//! | compressed | `C` | length, a zlib stream of further frames |
//! | acknowledgement | `A` | the highest sequence number up to which all events are safe |
//!
//! Sequence numbers start at 1 in each window. An acknowledgement of fewer events than the window has is sent while the
//! receiver works, so that the sender does not run into its time-out; 0 acknowledges nothing but says "still here".
//!
//! Pure: bytes in, frames out. The decoder never holds more than its [`Limits`] allow.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

const VERSION: u8 = b'2';
/// Version and letter.
const HEAD: usize = 2;
/// A number.
const NUMBER: usize = 4;

/// What a decoder accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest document or data frame, in bytes, and the longest compressed frame before it is inflated.
    pub frame: usize,
    /// How many bytes one compressed frame may inflate to.
    pub inflated: usize,
    /// How many events one window may announce.
    pub window: u32,
}

impl Default for Limits {
    /// 32 MiB a frame, 256 MiB inflated, 100,000 events a window.
    fn default() -> Limits {
        Limits { frame: 32 << 20, inflated: 256 << 20, window: 100_000 }
    }
}

/// Bytes that are not Lumberjack version 2, or more than is accepted. The connection is to be closed: where the next
/// frame starts is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LumberjackError {
    /// Another version of the protocol, or something else altogether.
    #[error("the peer speaks no lumberjack version 2 (first byte {0:#04x})")]
    Version(u8),
    /// A frame of a kind that does not exist.
    #[error("unknown lumberjack frame {0:#04x}")]
    Kind(u8),
    /// A compressed frame within a compressed frame.
    #[error("a compressed frame within a compressed frame")]
    Nested,
    /// More than [`Limits`] allow.
    #[error("a {what} of {size} is more than the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it says it is (or has become).
        size: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The zlib stream of a compressed frame is damaged.
    #[error("a compressed frame is damaged: {0}")]
    Inflate(String),
    /// A compressed frame ends within a frame.
    #[error("a compressed frame ends in the middle of a frame")]
    Cut,
}

/// One frame. Its bytes belong to the decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// So many events follow, then an acknowledgement is due.
    Window(u32),
    /// An event as JSON.
    Json {
        /// Its number in the window, from 1.
        sequence: u32,
        /// The document. Not checked.
        document: &'a [u8],
    },
    /// An event as pairs, as senders of version 1 write it.
    Data {
        /// Its number in the window, from 1.
        sequence: u32,
        /// Keys and values. Not checked to be text.
        pairs: Vec<(&'a [u8], &'a [u8])>,
    },
    /// Everything up to this sequence number is safe.
    Ack(u32),
}

/// Takes a stream apart as its bytes come in.
#[derive(Debug, Default)]
pub struct Decoder {
    limits: Limits,
    /// Bytes of the connection that are not taken apart yet, from `at`.
    outer: Vec<u8>,
    at: usize,
    /// What the last compressed frame inflated to, from `inner_at`.
    inner: Vec<u8>,
    inner_at: usize,
}

/// A frame's place in a buffer.
enum Parsed {
    /// More bytes are needed.
    Incomplete,
    /// A frame other than a compressed one, of so many bytes.
    Plain(usize),
    /// A compressed frame whose stream has so many bytes.
    Compressed(usize),
}

impl Decoder {
    /// A decoder at the start of a connection.
    pub fn new(limits: Limits) -> Decoder {
        Decoder { limits, ..Decoder::default() }
    }

    /// Adds bytes from the connection. Take all frames that are complete ([`Decoder::frame`] until `None`) before
    /// adding more: then no more than one frame and one read are held.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.at > 0 {
            self.outer.drain(..self.at);
            self.at = 0;
        }
        self.outer.extend_from_slice(bytes);
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.outer.len() - self.at + self.inner.len() - self.inner_at
    }

    /// The next frame; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes are no frame or more than the limits allow. Further calls then say the same.
    pub fn frame(&mut self) -> Result<Option<Frame<'_>>, LumberjackError> {
        loop {
            if self.inner_at < self.inner.len() {
                return self.inner_frame().map(Some);
            }
            self.let_inner_go();
            match parse(&self.outer[self.at..], self.limits)? {
                Parsed::Incomplete => return Ok(None),
                Parsed::Plain(length) => {
                    let frame = &self.outer[self.at..self.at + length];
                    self.at += length;
                    return Ok(Some(read(frame)));
                }
                Parsed::Compressed(length) => {
                    let start = self.at + HEAD + NUMBER;
                    inflate(&self.outer[start..start + length], self.limits.inflated, &mut self.inner)?;
                    self.at = start + length;
                }
            }
        }
    }

    fn inner_frame(&mut self) -> Result<Frame<'_>, LumberjackError> {
        match parse(&self.inner[self.inner_at..], self.limits)? {
            Parsed::Incomplete => Err(LumberjackError::Cut),
            Parsed::Compressed(_) => Err(LumberjackError::Nested),
            Parsed::Plain(length) => {
                let frame = &self.inner[self.inner_at..self.inner_at + length];
                self.inner_at += length;
                Ok(read(frame))
            }
        }
    }

    /// Keeps the buffer for the next frame unless it is a giant.
    fn let_inner_go(&mut self) {
        const KEPT: usize = 4 << 20;
        self.inner.clear();
        self.inner_at = 0;
        if self.inner.capacity() > KEPT {
            self.inner = Vec::new();
        }
    }
}

/// The number at `at`, if it is there.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + NUMBER)?;
    Some(u32::from_be_bytes(digits.try_into().ok()?))
}

/// Finds the end of the frame at the start of `bytes`, and checks what can be checked before all of it is there.
fn parse(bytes: &[u8], limits: Limits) -> Result<Parsed, LumberjackError> {
    match bytes.first() {
        None => return Ok(Parsed::Incomplete),
        Some(&VERSION) => {}
        Some(other) => return Err(LumberjackError::Version(*other)),
    }
    let Some(kind) = bytes.get(1) else { return Ok(Parsed::Incomplete) };
    let length = match kind {
        b'W' => match number(bytes, HEAD) {
            Some(count) => within("window", count as usize, limits.window as usize).map(|_| Some(HEAD + NUMBER))?,
            None => None,
        },
        b'A' => Some(HEAD + NUMBER),
        b'J' => match number(bytes, HEAD + NUMBER) {
            Some(length) => Some(HEAD + 2 * NUMBER + within("document", length as usize, limits.frame)?),
            None => None,
        },
        b'D' => data_length(bytes, limits.frame)?,
        b'C' => {
            let Some(length) = number(bytes, HEAD) else { return Ok(Parsed::Incomplete) };
            let length = within("compressed frame", length as usize, limits.frame)?;
            let complete = bytes.len() >= HEAD + NUMBER + length;
            return Ok(if complete { Parsed::Compressed(length) } else { Parsed::Incomplete });
        }
        other => return Err(LumberjackError::Kind(*other)),
    };
    Ok(match length {
        Some(length) if bytes.len() >= length => Parsed::Plain(length),
        _ => Parsed::Incomplete,
    })
}

fn within(what: &'static str, size: usize, limit: usize) -> Result<usize, LumberjackError> {
    if size > limit { Err(LumberjackError::TooLarge { what, size, limit }) } else { Ok(size) }
}

/// The length of a data frame, `None` as long as it cannot be known.
fn data_length(bytes: &[u8], limit: usize) -> Result<Option<usize>, LumberjackError> {
    let Some(pairs) = number(bytes, HEAD + NUMBER) else { return Ok(None) };
    let texts = (pairs as usize).saturating_mul(2);
    within("data frame", texts.saturating_mul(NUMBER), limit)?;
    let mut at = HEAD + 2 * NUMBER;
    for _ in 0..texts {
        let Some(length) = number(bytes, at) else { return Ok(None) };
        at = within("data frame", (at + NUMBER).saturating_add(length as usize), limit)?;
    }
    Ok(Some(at))
}

/// Reads a frame that [`parse`] found complete.
fn read(frame: &[u8]) -> Frame<'_> {
    let first = number(frame, HEAD).unwrap_or_default();
    match frame[1] {
        b'W' => Frame::Window(first),
        b'A' => Frame::Ack(first),
        b'J' => Frame::Json { sequence: first, document: &frame[HEAD + 2 * NUMBER..] },
        _ => Frame::Data { sequence: first, pairs: read_pairs(frame) },
    }
}

fn read_pairs(frame: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut at = HEAD + 2 * NUMBER;
    let mut text = || {
        let length = number(frame, at)? as usize;
        let start = at + NUMBER;
        at = start + length;
        frame.get(start..at)
    };
    std::iter::from_fn(|| Some((text()?, text()?))).collect()
}

fn inflate(stream: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), LumberjackError> {
    let damaged = |error: std::io::Error| LumberjackError::Inflate(error.to_string());
    let mut inflated = ZlibDecoder::new(stream).take(limit as u64 + 1);
    inflated.read_to_end(out).map_err(damaged)?;
    let size = out.len();
    let checked = within("inflated frame", size, limit).map(drop);
    if checked.is_err() {
        out.clear();
    }
    checked
}

/// Appends a window frame: `count` events follow.
pub fn write_window(count: u32, out: &mut Vec<u8>) {
    write_head(b'W', count, out);
}

/// Appends an acknowledgement.
pub fn write_ack(sequence: u32, out: &mut Vec<u8>) {
    write_head(b'A', sequence, out);
}

/// Appends an event. Documents of 4 GiB and more do not exist here: every line and event has its limit far below.
pub fn write_json(sequence: u32, document: &[u8], out: &mut Vec<u8>) {
    write_head(b'J', sequence, out);
    out.extend_from_slice(&(document.len() as u32).to_be_bytes());
    out.extend_from_slice(document);
}

/// Appends frames as one compressed frame. `level` is zlib's, 1 to 9 (Filebeat's `compression_level`, by default 3).
pub fn write_compressed(frames: &[u8], level: u32, out: &mut Vec<u8>) {
    write_head(b'C', 0, out);
    let start = out.len();
    let mut encoder = ZlibEncoder::new(&mut *out, Compression::new(level.clamp(1, 9)));
    let written = encoder.write_all(frames).and_then(|()| encoder.try_finish());
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    drop(encoder);
    let length = (out.len() - start) as u32;
    out[start - NUMBER..start].copy_from_slice(&length.to_be_bytes());
}

fn write_head(kind: u8, number: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[VERSION, kind]);
    out.extend_from_slice(&number.to_be_bytes());
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frames that own their bytes, to be compared.
    #[derive(Clone, Debug, PartialEq)]
    enum Owned {
        Window(u32),
        Json(u32, Vec<u8>),
        Data(u32, Vec<(Vec<u8>, Vec<u8>)>),
        Ack(u32),
    }

    fn owned(frame: Frame<'_>) -> Owned {
        match frame {
            Frame::Window(count) => Owned::Window(count),
            Frame::Json { sequence, document } => Owned::Json(sequence, document.to_vec()),
            Frame::Data { sequence, pairs } => {
                Owned::Data(sequence, pairs.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect())
            }
            Frame::Ack(sequence) => Owned::Ack(sequence),
        }
    }

    fn write(frame: &Owned, out: &mut Vec<u8>) {
        match frame {
            Owned::Window(count) => write_window(*count, out),
            Owned::Json(sequence, document) => write_json(*sequence, document, out),
            Owned::Ack(sequence) => write_ack(*sequence, out),
            Owned::Data(sequence, pairs) => {
                write_head(b'D', *sequence, out);
                out.extend_from_slice(&(pairs.len() as u32).to_be_bytes());
                for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
                    out.extend_from_slice(&(text.len() as u32).to_be_bytes());
                    out.extend_from_slice(text);
                }
            }
        }
    }

    fn decode(chunks: &[&[u8]], limits: Limits) -> Result<Vec<Owned>, LumberjackError> {
        let mut decoder = Decoder::new(limits);
        let mut frames = Vec::new();
        for chunk in chunks {
            decoder.push(chunk);
            while let Some(frame) = decoder.frame()? {
                frames.push(owned(frame));
            }
        }
        Ok(frames)
    }

    fn a_frame() -> impl Strategy<Value = Owned> {
        let text = || proptest::collection::vec(any::<u8>(), 0..20);
        prop_oneof![
            (0u32..1000).prop_map(Owned::Window),
            (any::<u32>(), text()).prop_map(|(sequence, document)| Owned::Json(sequence, document)),
            any::<u32>().prop_map(Owned::Ack),
            (any::<u32>(), proptest::collection::vec((text(), text()), 0..4))
                .prop_map(|(sequence, pairs)| Owned::Data(sequence, pairs)),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_however_it_is_cut(
            frames in proptest::collection::vec((a_frame(), any::<bool>()), 0..12),
            cut in 1usize..40,
        ) {
            let mut bytes = Vec::new();
            for (frame, compressed) in &frames {
                let mut plain = Vec::new();
                write(frame, &mut plain);
                if *compressed {
                    write_compressed(&plain, 3, &mut bytes);
                } else {
                    bytes.extend_from_slice(&plain);
                }
            }
            let chunks: Vec<&[u8]> = bytes.chunks(cut).collect();
            let expected: Vec<Owned> = frames.into_iter().map(|(frame, _)| frame).collect();
            prop_assert_eq!(decode(&chunks, Limits::default()).unwrap(), expected);
        }

        #[test]
        fn no_bytes_make_it_panic_or_grow(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0usize..6) {
            let limits = Limits { frame: 200, inflated: 500, window: 10 };
            let mut hostile = match kind {
                0 => Vec::new(),
                kind => vec![VERSION, b"WAJDC"[kind - 1]],
            };
            hostile.extend_from_slice(&bytes);
            let mut decoder = Decoder::new(limits);
            decoder.push(&hostile);
            while let Ok(Some(_)) = decoder.frame() {}
            prop_assert!(decoder.held() <= hostile.len() + limits.inflated);
        }
    }

    #[test]
    fn a_batch_is_laid_out_as_logstash_expects() {
        let mut bytes = Vec::new();
        write_window(1, &mut bytes);
        write_json(1, b"{}", &mut bytes);
        write_ack(1, &mut bytes);
        assert_eq!(bytes, b"2W\0\0\0\x012J\0\0\0\x01\0\0\0\x02{}2A\0\0\0\x01");
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_comes() {
        let limits = Limits { frame: 100, inflated: 1000, window: 10 };
        let refused = |bytes: &[u8]| matches!(decode(&[bytes], limits), Err(LumberjackError::TooLarge { .. }));
        assert!(refused(b"2W\0\0\0\x0b"));
        assert!(refused(b"2J\0\0\0\x01\xff\xff\xff\xff"));
        assert!(refused(b"2C\0\0\x01\0"));
        assert!(refused(b"2D\0\0\0\x01\xff\xff\xff\xff"));
        assert!(refused(b"2D\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff"));
        let mut bomb = Vec::new();
        write_compressed(&vec![b'2'; 10_000], 9, &mut bomb);
        assert!(refused(&bomb));
    }

    #[test]
    fn what_is_no_lumberjack_is_refused() {
        assert_eq!(decode(&[b"GET / HTTP/1.1"], Limits::default()), Err(LumberjackError::Version(b'G')));
        assert_eq!(decode(&[b"2X"], Limits::default()), Err(LumberjackError::Kind(b'X')));
        let damaged = decode(&[b"2C\0\0\0\x03abc"], Limits::default());
        assert!(matches!(damaged, Err(LumberjackError::Inflate(_))), "{damaged:?}");
        let (mut once, mut twice, mut cut) = (Vec::new(), Vec::new(), Vec::new());
        write_compressed(b"2A\0\0\0\x01", 1, &mut once);
        write_compressed(&once, 1, &mut twice);
        assert_eq!(decode(&[&twice], Limits::default()), Err(LumberjackError::Nested));
        write_compressed(b"2A\0\0", 1, &mut cut);
        assert_eq!(decode(&[&cut], Limits::default()), Err(LumberjackError::Cut));
    }
}
