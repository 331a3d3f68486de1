//! Codec `multiline`: joins lines that belong together, such as stack traces. The joining is done where the stream is
//! read ([`super::Joiner`]); what is left here is the event.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tailrace_common::{Event, Str, Timestamp};
use tailrace_grok::{Budget, Grok, GrokOptions, PatternSet, Regex, Scratch};

use super::plain::{encode_text, message};
use super::{Codec, CodecDefinition};
use crate::filters::grok::read_pattern_files;
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: CodecDefinition =
    CodecDefinition { name: "multiline", summary: "Joins lines that belong together.", text: true, build };

/// How much work the pattern may take on one line.
const BUDGET_MILLIS: u64 = 1000;

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid> {
    let ecs = options.ecs().enabled();
    let mut patterns = if ecs { PatternSet::ecs_v1() } else { PatternSet::legacy() };
    read_pattern_files(&mut options, &mut patterns);
    let pattern = options.required_string("pattern");
    options.require("what");
    let to_next = options.one_of("what", &["previous", "next"], "previous") == "next";
    let negate = options.boolean("negate", false);
    let most_lines = options.integer("max_lines").unwrap_or(500).max(1) as usize;
    let most_bytes = options.bytes("max_bytes").unwrap_or(10 << 20).max(1) as usize;
    let flush_after =
        options.number("auto_flush_interval").map(|seconds| Duration::from_secs_f64(seconds.clamp(0.01, 86_400.0)));
    let tag = options.string("multiline_tag").unwrap_or_else(|| "multiline".into());
    options.ignored("stream_identity", "every connection and file is a stream of its own");
    let regex = match Grok::compile(&patterns, &pattern, &GrokOptions::default()) {
        Ok(grok) => Some(grok),
        Err(error) => {
            options.error_at("pattern", format!("'{pattern}': {error}"));
            None
        }
    };
    options.finish()?;
    let Some(pattern) = regex else { return Err(Invalid) };
    let rule = Rule { pattern, to_next, negate, most_lines, most_bytes, flush_after };
    Ok(Box::new(Multiline { rule: Arc::new(rule), tag, keep_original: ecs }))
}

struct Multiline {
    rule: Arc<Rule>,
    tag: String,
    keep_original: bool,
}

impl Codec for Multiline {
    fn decode(&self, text: Str, now: Timestamp, events: &mut Vec<Event>) {
        let lines = memchr::memchr_iter(b'\n', text.as_bytes()).count() + 1;
        // Line ends between lines do not count.
        let length = text.len() - (lines - 1);
        let mut event = message(text, now, self.keep_original);
        if lines > 1 && !self.tag.is_empty() {
            event.tag(&self.tag);
        }
        if length >= self.rule.most_bytes {
            event.tag("multiline_codec_max_bytes_reached");
        }
        if lines > self.rule.most_lines {
            event.tag("multiline_codec_max_lines_reached");
        }
        events.push(event);
    }

    fn joiner(&self) -> Option<Joiner> {
        Some(Joiner {
            rule: self.rule.clone(),
            scratch: Scratch::default(),
            held: Vec::new(),
            lines: 0,
            stood: 0,
            since: Instant::now(),
        })
    }

    fn encode(&self, event: &Event, out: &mut Vec<u8>) {
        encode_text(event, None, out);
    }
}

/// Which lines belong together.
struct Rule {
    pattern: Grok,
    /// A line that matches belongs to the next, not to the previous.
    to_next: bool,
    negate: bool,
    most_lines: usize,
    most_bytes: usize,
    flush_after: Option<Duration>,
}

impl Rule {
    fn joins(&self, line: &[u8], scratch: &mut Scratch) -> bool {
        let regex: &Regex = self.pattern.regex();
        // A line on which the pattern takes too long counts as one that does not match.
        let matches = regex.is_match(line, scratch, Budget::millis(BUDGET_MILLIS)).unwrap_or(false);
        matches != self.negate
    }
}

/// Joins the lines of one stream.
pub struct Joiner {
    rule: Arc<Rule>,
    scratch: Scratch,
    held: Vec<u8>,
    lines: usize,
    /// Bytes of the stream that the held lines stood for.
    stood: usize,
    /// When the last line came.
    since: Instant,
}

impl Joiner {
    /// Takes a line that stood for so many bytes of the stream; calls `text` with what is complete by it.
    pub fn push(&mut self, line: &[u8], stood: usize, mut text: impl FnMut(&[u8], usize)) {
        let joins = self.rule.joins(line, &mut self.scratch);
        if !self.rule.to_next && (!joins || self.is_full()) {
            self.flush(&mut text);
        }
        if self.lines > 0 {
            self.held.push(b'\n');
        }
        self.held.extend_from_slice(line);
        self.lines += 1;
        self.stood += stood;
        self.since = Instant::now();
        if self.rule.to_next && (!joins || self.is_full()) {
            self.flush(&mut text);
        }
    }

    /// As in Logstash the line that is one too many still belongs to the text.
    fn is_full(&self) -> bool {
        let bytes = self.held.len() - self.lines.saturating_sub(1);
        self.lines > self.rule.most_lines || bytes >= self.rule.most_bytes
    }

    /// Gives out what is held.
    pub fn flush(&mut self, mut text: impl FnMut(&[u8], usize)) {
        if self.lines > 0 {
            text(&self.held, self.stood);
            self.held.clear();
            (self.lines, self.stood) = (0, 0);
        }
    }

    /// Whether what is held has waited for `auto_flush_interval`.
    pub fn is_due(&self) -> bool {
        self.lines > 0 && self.rule.flush_after.is_some_and(|time| self.since.elapsed() >= time)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn joined(pattern: &str, to_next: bool, negate: bool, lines: &[&str]) -> Vec<String> {
        let pattern = Grok::compile(&PatternSet::legacy(), pattern, &GrokOptions::default()).unwrap();
        let rule = Rule { pattern, to_next, negate, most_lines: 4, most_bytes: 1000, flush_after: None };
        let codec = Multiline { rule: Arc::new(rule), tag: "multiline".into(), keep_original: false };
        let mut joiner = codec.joiner().unwrap();
        let (mut texts, mut total) = (Vec::new(), 0);
        let mut take = |text: &[u8], stood: usize| {
            total += stood;
            texts.push(String::from_utf8_lossy(text).into_owned());
        };
        lines.iter().for_each(|line| joiner.push(line.as_bytes(), line.len(), &mut take));
        joiner.flush(&mut take);
        assert_eq!(total, lines.iter().map(|line| line.len()).sum::<usize>());
        texts
    }

    #[test]
    fn lines_are_joined_by_the_rule() {
        let lines = ["A", "  at x", "  at y", "B"];
        assert_eq!(joined("^\\s", false, false, &lines), ["A\n  at x\n  at y", "B"]);
        assert_eq!(joined("^[A-Z]", false, true, &lines), ["A\n  at x\n  at y", "B"]);
        assert_eq!(joined("\\\\$", true, false, &["a\\", "b", "c"]), ["a\\\nb", "c"]);
        assert_eq!(joined("^x", false, false, &["1", "x2", "x3", "x4", "x5", "x6"]), ["1\nx2\nx3\nx4\nx5", "x6"]);
        assert_eq!(
            joined("^%{TIMESTAMP_ISO8601}", false, true, &["2024-01-01T00:00:00 a", "b"]),
            ["2024-01-01T00:00:00 a\nb"]
        );
    }
}
