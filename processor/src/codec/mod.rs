//! Codecs: bytes of an input to events, events to bytes of an output.

use tailrace_common::{Event, FieldPath, Object, Str, Timestamp};

use crate::charset::Charset;
use crate::lang::ast::Plugin;
use crate::lang::diagnostic::Diagnostic;
use crate::options::{Invalid, Options};
use crate::plan::compile::unknown_plugin;
use crate::plugin::BuildContext;

mod cef;
mod csv;
mod dots;
mod es_bulk;
mod gzip_lines;
mod json;
mod line;
mod msgpack;
mod multiline;
mod plain;
mod rubydebug;
#[cfg(test)]
pub(crate) mod testing;

pub use multiline::Joiner;

/// A codec, compiled.
pub trait Codec: Send + Sync {
    /// Appends the events that a text holds: one record of Kafka, or one piece that [`Codec::framing`] cut out of a
    /// stream. What cannot be decoded becomes an event with a tag.
    fn decode(&self, text: Str, now: Timestamp, events: &mut Vec<Event>);

    /// The same for bytes that need not be text; asked for when [`Codec::is_binary`] says so.
    fn decode_bytes(&self, bytes: &[u8], now: Timestamp, events: &mut Vec<Event>) {
        self.decode(Str::from(String::from_utf8_lossy(bytes).as_ref()), now, events);
    }

    /// Whether it decodes bytes and not text.
    fn is_binary(&self) -> bool {
        false
    }

    /// How streams are cut up for this codec.
    fn framing(&self) -> Framing {
        Framing::Lines("\n".into())
    }

    /// Joins the lines of one stream before they are decoded, where the codec does that.
    fn joiner(&self) -> Option<Joiner> {
        None
    }

    /// Appends an event as an output writes it, its terminator included where the codec has one.
    fn encode(&self, event: &Event, out: &mut Vec<u8>);
}

/// How a stream of bytes is cut into pieces.
#[derive(Clone, Debug)]
pub enum Framing {
    /// At this delimiter.
    Lines(String),
    /// Where this function says that the first message ends.
    Messages(fn(&[u8]) -> Length),
    /// Not at all.
    Whole,
}

/// How long the first message of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many bytes.
    Complete(usize),
    /// It has not come whole.
    More,
    /// It is none; where the next begins cannot be told.
    Broken,
}

/// Decodes the pieces of one buffer, each as its codec wants it: as bytes, or as text; a piece that is no UTF-8 is shown
/// as Ruby's `inspect` does. `finish` sees the events of each piece with its number.
#[cfg(feature = "edges")]
pub(crate) fn decode_pieces(
    codec: &dyn Codec,
    bytes: Vec<u8>,
    pieces: &[std::ops::Range<usize>],
    now: Timestamp,
    mut finish: impl FnMut(usize, &mut [Event]),
) -> Vec<Event> {
    let mut events = Vec::with_capacity(pieces.len());
    let mut each = |decode: &dyn Fn(&std::ops::Range<usize>, &mut Vec<Event>)| {
        for (number, piece) in pieces.iter().enumerate() {
            let from = events.len();
            decode(piece, &mut events);
            finish(number, &mut events[from..]);
        }
    };
    if codec.is_binary() {
        each(&|piece, events| codec.decode_bytes(&bytes[piece.clone()], now, events));
        return events;
    }
    // The whole may be text where a part is not: an end may lie within a character.
    match String::from_utf8(bytes) {
        Ok(text) if pieces.iter().all(|piece| text.is_char_boundary(piece.end)) => {
            let text = Str::from(text);
            each(&|piece, events| codec.decode(text.try_slice(piece.clone()).unwrap_or_default(), now, events));
        }
        other => {
            let bytes = other.map_or_else(|error| error.into_bytes(), String::into_bytes);
            each(&|piece, events| {
                let text = Charset::Utf8.text(bytes[piece.clone()].to_vec());
                codec.decode(Str::from(text), now, events);
            });
        }
    }
    events
}

/// Builds a codec from its options.
pub type BuildCodec = fn(Options<'_>, &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid>;

/// A codec that configurations can name.
pub struct CodecDefinition {
    /// `json`.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Whether it reads text, in an encoding that the option `charset` names.
    pub text: bool,
    /// Makes one.
    pub build: BuildCodec,
}

/// All codecs, sorted by name.
pub static CODECS: &[CodecDefinition] = &[
    cef::DEFINITION,
    csv::DEFINITION,
    dots::DEFINITION,
    es_bulk::DEFINITION,
    gzip_lines::DEFINITION,
    json::DEFINITION,
    json::LINES_DEFINITION,
    line::DEFINITION,
    msgpack::DEFINITION,
    multiline::DEFINITION,
    plain::DEFINITION,
    rubydebug::DEFINITION,
];

/// Builds the codec that a plugin's `codec` option names, or the one called `default`.
pub fn from_option(
    options: &mut Options<'_>,
    build: &BuildContext<'_>,
    default: &'static str,
) -> Result<Box<dyn Codec>, Invalid> {
    let written = options.plugin("codec");
    let plugin = written.unwrap_or_else(|| Plugin {
        name: default.into(),
        name_span: options.plugin.name_span.clone(),
        attributes: Vec::new(),
        span: options.plugin.span.clone(),
    });
    let Some(definition) = CODECS.iter().find(|known| known.name == plugin.name) else {
        let unknown: Diagnostic = unknown_plugin(&plugin, "codec", CODECS.iter().map(|known| known.name));
        options.report(unknown);
        return Err(Invalid);
    };
    let mut nested = options.nested(&plugin, build);
    nested.ignored("id", "codecs are part of their plugin");
    nested.ignored("enable_metric", "codecs are part of their plugin");
    let charset = if definition.text { Charset::read(&mut nested) } else { Charset::Utf8 };
    let codec = (definition.build)(nested, build)?;
    Ok(match charset {
        Charset::Utf8 => codec,
        charset => Box::new(Recoding { charset, codec }),
    })
}

/// A codec of texts in another encoding than UTF-8.
struct Recoding {
    charset: Charset,
    codec: Box<dyn Codec>,
}

impl Codec for Recoding {
    fn decode(&self, text: Str, now: Timestamp, events: &mut Vec<Event>) {
        self.codec.decode(text, now, events);
    }

    fn decode_bytes(&self, bytes: &[u8], now: Timestamp, events: &mut Vec<Event>) {
        self.codec.decode(Str::from(self.charset.text(bytes.to_vec())), now, events);
    }

    fn is_binary(&self) -> bool {
        true
    }

    fn framing(&self) -> Framing {
        self.codec.framing()
    }

    fn joiner(&self) -> Option<Joiner> {
        self.codec.joiner()
    }

    fn encode(&self, event: &Event, out: &mut Vec<u8>) {
        self.codec.encode(event, out);
    }
}

/// An event of these fields, which stand below `target` where there is one.
fn event_of(fields: Object, target: Option<&FieldPath>, now: Timestamp) -> Event {
    let Some(target) = target else { return Event::from_object(fields, now) };
    let mut event = Event::new(now);
    // A new event has nothing in the way of the target but `@timestamp`, which stays.
    let _unset = event.set(target, fields);
    event
}

/// Builds a codec by its name, as if it were written without options.
pub fn named(name: &str, options: &Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid> {
    let span = options.plugin.name_span.clone();
    let plugin = Plugin { name: name.into(), name_span: span.clone(), attributes: Vec::new(), span };
    let definition = CODECS.iter().find(|known| known.name == name).ok_or(Invalid)?;
    // Without options nothing can be wrong with them.
    let mut findings = Vec::new();
    (definition.build)(Options::new(&plugin, build.ecs, build.expand, &mut findings), build)
}
