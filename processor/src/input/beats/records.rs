//! Documents of Beats on their way to a worker: one buffer for all, decoded there (`message_listener.rb` and its
//! transforms).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tailrace_common::event::{Lane, Origin};
use tailrace_common::json::{self, Numbers};
use tailrace_common::{Event, Object, Str, Timestamp, Value};

use super::Context;
use crate::input::Records;

/// Documents collected for one batch.
#[derive(Default)]
pub(super) struct Collected {
    text: Vec<u8>,
    /// Where each document ends.
    ends: Vec<usize>,
}

impl Collected {
    /// Adds a document.
    pub(super) fn push(&mut self, document: &[u8]) {
        match std::str::from_utf8(document) {
            Ok(_) => self.text.extend_from_slice(document),
            Err(_) => self.text.extend_from_slice(String::from_utf8_lossy(document).as_bytes()),
        }
        self.ends.push(self.text.len());
    }

    /// Adds a document given as pairs.
    pub(super) fn push_pairs(&mut self, pairs: &[(&[u8], &[u8])]) {
        self.text.push(b'{');
        for (at, (name, value)) in pairs.iter().enumerate() {
            if at > 0 {
                self.text.push(b',');
            }
            json::write_string(&String::from_utf8_lossy(name), &mut self.text);
            self.text.push(b':');
            json::write_string(&String::from_utf8_lossy(value), &mut self.text);
        }
        self.text.push(b'}');
        self.ends.push(self.text.len());
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// What a worker decodes; the first document is number `first` of its connection.
    pub(super) fn into_records(self, peer: SocketAddr, lane: &Arc<Lane>, first: i64, context: &Arc<Context>) -> Work {
        Work { collected: self, peer: peer.ip(), lane: lane.clone(), first, context: context.clone() }
    }
}

/// What the worker decodes.
pub(super) struct Work {
    collected: Collected,
    peer: IpAddr,
    lane: Arc<Lane>,
    first: i64,
    context: Arc<Context>,
}

impl Records for Work {
    fn events(self: Box<Self>, now: Timestamp) -> Vec<Event> {
        let Collected { text, ends } = self.collected;
        // Checked when it was collected.
        let text = Str::from(String::from_utf8(text).unwrap_or_default());
        let decoder = Decoder { context: &self.context, peer: Str::from(self.peer.to_string()), now };
        let mut events = Vec::with_capacity(ends.len());
        let mut start = 0;
        for (offset, end) in (self.first..).zip(ends) {
            let from = events.len();
            decoder.document(text.try_slice(start..end).unwrap_or_default(), &mut events);
            for event in &mut events[from..] {
                event.origin = Some(Origin { lane: self.lane.clone(), offset, ordinal: 0 });
                self.context.decoration.apply(event);
            }
            start = end;
        }
        events
    }
}

struct Decoder<'a> {
    context: &'a Context,
    peer: Str,
    now: Timestamp,
}

impl Decoder<'_> {
    fn document(&self, text: Str, events: &mut Vec<Event>) {
        let mut fields = match json::parse(&text, Numbers::Float) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) | Err(_) => {
                let mut event = Event::with_message(text, self.now);
                event.tag("_jsonparsefailure");
                events.push(event);
                return;
            }
        };
        self.add_peer(&mut fields);
        let line = fields.remove("message").or_else(|| fields.remove("line"));
        let Some(line) = line else {
            let mut event = Event::from_object(fields, self.now);
            self.finish(&mut event, self.context.raw);
            events.push(event);
            return;
        };
        let from = events.len();
        self.context.codec.decode(line_text(line), self.now, events);
        let mut decoded = events[from..].iter_mut().peekable();
        while let Some(event) = decoded.next() {
            let fields = if decoded.peek().is_some() { fields.clone() } else { std::mem::take(&mut fields) };
            merge(event, fields);
            self.finish(event, self.context.applied.as_deref());
        }
    }

    /// Where the document came from, if it has `@metadata`.
    fn add_peer(&self, fields: &mut Object) {
        if !self.context.source_metadata {
            return;
        }
        let Some(Value::Object(metadata)) = fields.get_mut("@metadata") else { return };
        if self.context.ecs {
            let host: Object = [("ip", Value::String(self.peer.clone()))].into_iter().collect();
            let beats: Object = [("host", host)].into_iter().collect();
            metadata.insert("input", [("beats", beats)].into_iter().collect::<Object>());
        } else {
            metadata.insert("ip_address", self.peer.clone());
        }
    }

    fn finish(&self, event: &mut Event, tag: Option<&str>) {
        if self.context.add_hostname
            && !event.fields().contains("host")
            && let Some(Value::Object(beat)) = event.fields().get("beat")
            && let Some(name) = beat.get("hostname").cloned()
        {
            event.fields_mut().insert("host", name);
        }
        if let Some(tag) = tag {
            event.tag(tag);
        }
    }
}

fn line_text(line: Value) -> Str {
    match line {
        Value::String(text) => text,
        other => {
            let mut out = Vec::new();
            json::write(&other, &mut out);
            Str::from(String::from_utf8_lossy(&out).as_ref())
        }
    }
}

/// Puts the fields of the document into the decoded event; they win.
fn merge(event: &mut Event, fields: Object) {
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("@timestamp", Value::String(text)) => {
                if let Some(moment) = Timestamp::parse_rfc3339(&text) {
                    event.set_timestamp(moment);
                }
            }
            ("@timestamp", _) => {}
            ("@metadata", Value::Object(metadata)) => *event.metadata_mut() = metadata,
            (_, value) => drop(event.fields_mut().insert(name, value)),
        }
    }
}
