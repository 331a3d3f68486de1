//! `gsub`: regular expressions and what takes their place, as Ruby's `String#gsub`.

use tailrace_common::{Event, FieldPath, Str, Value};
use tailrace_grok::{Budget, Captures, Options as RegexOptions, Regex, Scratch};

use super::{Failed, Operation, Reference};
use crate::options::{Diagnosis, Options, value_text};
use crate::plan::template::Template;

/// A text may take the regular expression this long, in milliseconds.
const MILLIS: u64 = 30_000;

/// One pattern with its replacement.
pub(super) struct Substitution {
    pattern: Pattern,
    replacement: Replacement,
}

enum Pattern {
    Fixed(Box<Regex>),
    /// `%{...}` in the pattern: compiled for each event.
    Filled(Template),
}

enum Replacement {
    Fixed(Vec<Piece>),
    Filled(Template),
}

/// A part of a replacement.
#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Group(usize),
    Named(String),
    Before,
    After,
}

pub(super) fn read(options: &mut Options<'_>, operations: &mut Vec<Operation>) {
    let items: Vec<String> = options.list("gsub").iter().map(value_text).collect();
    if !items.len().is_multiple_of(3) {
        options.error_at("gsub", "'gsub' takes threes: field, pattern, replacement");
        return;
    }
    for three in items.chunks_exact(3) {
        let (field, pattern, replacement) = (&three[0], &three[1], &three[2]);
        let pattern = if pattern.contains("%{") {
            Pattern::Filled(Template::parse(pattern))
        } else {
            match Regex::new(pattern, RegexOptions::default()) {
                Ok(regex) => Pattern::Fixed(Box::new(regex)),
                Err(error) => {
                    let what = format!("invalid regular expression: {}", error.message);
                    let place = error.position..error.position + 1;
                    options.error_within("gsub", pattern, place, Diagnosis { what, hint: None });
                    continue;
                }
            }
        };
        let replacement = if replacement.contains("%{") {
            Replacement::Filled(Template::parse(replacement))
        } else {
            Replacement::Fixed(pieces(replacement))
        };
        operations.push(Operation::Gsub(Reference::new(field), Substitution { pattern, replacement }));
    }
}

impl Substitution {
    pub(super) fn apply(&self, event: &mut Event, path: &FieldPath, scratch: &mut Scratch) -> Result<(), Failed> {
        if !matches!(event.get(path), Some(Value::String(_) | Value::Array(_))) {
            return Ok(());
        }
        let compiled;
        let regex = match &self.pattern {
            Pattern::Fixed(regex) => regex,
            Pattern::Filled(template) => {
                let pattern = template.render(event).map_err(|_| Failed)?;
                compiled = Regex::new(&pattern, RegexOptions::default()).map_err(|_| Failed)?;
                &compiled
            }
        };
        let cut;
        let replacement = match &self.replacement {
            Replacement::Fixed(pieces) => pieces,
            Replacement::Filled(template) => {
                cut = pieces(&template.render(event).map_err(|_| Failed)?);
                &cut
            }
        };
        let mut replace = |value: &mut Value| -> Result<(), Failed> {
            if let Value::String(text) = value
                && let Some(changed) = substitute(regex, replacement, text, scratch)?
            {
                *text = changed;
            }
            Ok(())
        };
        match event.get_mut(path) {
            Some(Value::Array(values)) => values.iter_mut().try_for_each(replace),
            Some(value) => replace(value),
            None => Ok(()),
        }
    }
}

/// The text with every match replaced; nothing when there is none.
fn substitute(regex: &Regex, replacement: &[Piece], text: &Str, scratch: &mut Scratch) -> Result<Option<Str>, Failed> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut copied = 0;
    let mut found = false;
    let mut matches = regex.find_iter(bytes, scratch, Budget::millis(MILLIS));
    while let Some(captures) = matches.next_captures().map_err(|_| Failed)? {
        let Some((start, end)) = captures.first().copied().flatten() else { break };
        out.extend_from_slice(&bytes[copied..start]);
        for piece in replacement {
            piece.write(regex, captures, bytes, &mut out);
        }
        copied = end;
        found = true;
    }
    if !found {
        return Ok(None);
    }
    out.extend_from_slice(&bytes[copied..]);
    Ok(Some(Str::from(String::from_utf8_lossy(&out).as_ref())))
}

impl Piece {
    fn write(&self, regex: &Regex, captures: &Captures, text: &[u8], out: &mut Vec<u8>) {
        let span = |group: usize| captures.get(group).copied().flatten();
        match self {
            Piece::Text(piece) => out.extend_from_slice(piece.as_bytes()),
            Piece::Group(group) => {
                if let Some((start, end)) = span(*group) {
                    out.extend_from_slice(&text[start..end]);
                }
            }
            Piece::Named(name) => {
                // Of several groups of a name the last that took part counts.
                let groups = regex.group_names().iter().enumerate().rev();
                let named = groups.filter(|(_, held)| held.as_deref() == Some(name.as_str()));
                if let Some((start, end)) = named.map(|(group, _)| span(group)).find(Option::is_some).flatten() {
                    out.extend_from_slice(&text[start..end]);
                }
            }
            Piece::Before => out.extend_from_slice(&text[..span(0).map_or(0, |(start, _)| start)]),
            Piece::After => out.extend_from_slice(&text[span(0).map_or(text.len(), |(_, end)| end)..]),
        }
    }
}

/// Cuts a replacement up: `\1`, `\0`, `\&`, `\k<name>`, `` \` ``, `\'`, `\\`; other backslashes stay.
fn pieces(replacement: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let (piece, length) = match escape.chars().next() {
            Some(digit @ '0'..='9') => (Some(Piece::Group(digit as usize - '0' as usize)), 1),
            Some('&') => (Some(Piece::Group(0)), 1),
            Some('`') => (Some(Piece::Before), 1),
            Some('\'') => (Some(Piece::After), 1),
            Some('k') if escape.starts_with("k<") && escape.contains('>') => {
                let end = escape.find('>').unwrap_or_default();
                (Some(Piece::Named(escape[2..end].to_string())), end + 1)
            }
            Some('\\') => {
                text.push('\\');
                (None, 1)
            }
            _ => {
                text.push('\\');
                (None, 0)
            }
        };
        if let Some(piece) = piece {
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(piece);
        }
        rest = &escape[length..];
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements_are_cut_up_as_ruby_reads_them() {
        let text = |text: &str| Piece::Text(text.into());
        assert_eq!(pieces(r"a\1b"), [text("a"), Piece::Group(1), text("b")]);
        assert_eq!(pieces(r"<\k<n>>"), [text("<"), Piece::Named("n".into()), text(">")]);
        assert_eq!(pieces(r"\\1\n"), [text(r"\1\n")]);
        assert_eq!(pieces(r"\`\&\'\"), [Piece::Before, Piece::Group(0), Piece::After, text(r"\")]);
    }
}
