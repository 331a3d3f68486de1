//! Events larger than `max_message_bytes`.

use serde_json::{Map, Value, json};

/// `oversized`: what becomes of an event that is larger than `max_message_bytes`. Ours; Filebeat drops it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Oversized {
    /// `split`: several events, each with a part of the message, flagged and numbered.
    #[default]
    Split,
    /// `truncate`: one event with as much of the message as fits, flagged.
    Truncate,
    /// `reject`: it goes to the file of rejected events.
    Reject,
}

/// An event is cut into no more pieces than this.
const MOST: usize = 10_000;

/// Cuts a document so that no piece is larger than `limit`; `None` when its message is not what makes it large.
pub(super) fn cut(document: &[u8], limit: usize, how: Oversized) -> Option<Vec<Vec<u8>>> {
    if how == Oversized::Reject {
        return None;
    }
    let mut event: Map<String, Value> = serde_json::from_slice(document).ok()?;
    let Some(Value::String(message)) = event.get_mut("message").map(Value::take) else { return None };
    let id = event.get("@metadata").and_then(|metadata| metadata.get("_id")).and_then(Value::as_str).map(str::to_owned);
    let flag = if how == Oversized::Split { "split" } else { "truncated" };
    add_flag(&mut event, flag)?;
    let mut frame = event.clone();
    decorate(&mut frame, how, id.as_deref(), MOST, MOST, message.len(), String::new());
    let room = limit.checked_sub(serde_json::to_vec(&frame).ok()?.len() + 1).filter(|room| *room >= 16)?;
    let mut pieces = pieces(&message, room);
    if how == Oversized::Truncate {
        pieces.truncate(1);
    }
    if pieces.len() > MOST {
        return None;
    }
    let of = pieces.len();
    let written = pieces.iter().enumerate().map(|(number, piece)| {
        let mut part = event.clone();
        decorate(&mut part, how, id.as_deref(), number, of, message.len(), (*piece).to_owned());
        serde_json::to_vec(&part).ok()
    });
    written.collect()
}

/// Adds to `log.flags`.
fn add_flag(event: &mut Map<String, Value>, flag: &str) -> Option<()> {
    let log = event.entry("log").or_insert_with(|| json!({})).as_object_mut()?;
    let flags = log.entry("flags").or_insert_with(|| json!([]));
    flags.as_array_mut()?.push(flag.into());
    Some(())
}

fn decorate(
    part: &mut Map<String, Value>,
    how: Oversized,
    id: Option<&str>,
    number: usize,
    of: usize,
    length: usize,
    message: String,
) {
    part.insert("message".into(), message.into());
    if how == Oversized::Truncate {
        return;
    }
    if let Some(log) = part.get_mut("log").and_then(Value::as_object_mut) {
        log.insert("split".into(), json!({"part": number + 1, "parts": of, "bytes": length}));
    }
    // Each piece is a document of its own, and the same one whenever it is sent again.
    if number > 0
        && let Some(id) = id
        && let Some(metadata) = part.get_mut("@metadata").and_then(Value::as_object_mut)
    {
        metadata.insert("_id".into(), format!("{id}-{}", number + 1).into());
    }
}

/// Pieces of a text that take at most `room` bytes each as JSON, cut between characters.
fn pieces(text: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (at, character) in text.char_indices() {
        let width = match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' => 6,
            other => other.len_utf8(),
        };
        if size + width > room {
            pieces.push(&text[start..at]);
            (start, size) = (at, 0);
        }
        size += width;
    }
    pieces.push(&text[start..]);
    pieces
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn document(message: &str) -> Vec<u8> {
        let document = json!({
            "@timestamp": "2024-03-15T10:00:00.000Z",
            "@metadata": {"beat": "filebeat", "_id": "abc"},
            "log": {"offset": 7, "flags": ["multiline"]},
            "message": message,
        });
        serde_json::to_vec(&document).unwrap()
    }

    #[test]
    fn the_pieces_fit_and_make_up_the_message() {
        let message = "äöü \"quoted\" \\ tab\t\u{1} ".repeat(200);
        let limit = 400;
        let parts = cut(&document(&message), limit, Oversized::Split).unwrap();
        assert!(parts.len() > 5 && parts.iter().all(|part| part.len() <= limit));
        let parts: Vec<Value> = parts.iter().map(|part| serde_json::from_slice(part).unwrap()).collect();
        let joined: String = parts.iter().map(|part| part["message"].as_str().unwrap()).collect();
        assert_eq!(joined, message);
        assert_eq!(parts[0]["@metadata"]["_id"], "abc");
        assert_eq!(parts[1]["@metadata"]["_id"], "abc-2");
        assert_eq!(parts[1]["log"]["split"], json!({"part": 2, "parts": parts.len(), "bytes": message.len()}));
        assert_eq!(parts[1]["log"]["flags"], json!(["multiline", "split"]));
    }

    #[test]
    fn a_truncated_event_is_one_and_flagged() {
        let parts = cut(&document(&"x".repeat(5000)), 400, Oversized::Truncate).unwrap();
        assert_eq!(parts.len(), 1);
        let part: Value = serde_json::from_slice(&parts[0]).unwrap();
        assert_eq!(part["log"]["flags"], json!(["multiline", "truncated"]));
        assert!(parts[0].len() <= 400 && part["message"].as_str().unwrap().len() > 100);
    }

    #[test]
    fn what_is_large_for_another_reason_is_not_cut() {
        assert_eq!(cut(&document(&"x".repeat(500)), 100, Oversized::Split), None);
        assert_eq!(cut(b"{\"a\":1}", 2, Oversized::Split), None);
        assert_eq!(cut(b"no json", 2, Oversized::Split), None);
        assert_eq!(cut(&document(&"x".repeat(500)), 400, Oversized::Reject), None);
    }
}
