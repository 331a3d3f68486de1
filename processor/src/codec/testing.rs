//! Building codecs from text in tests.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;

use tailrace_common::json::{self, Numbers};
use tailrace_common::{Clock, Event, Str, Timestamp, Value};

use super::{Codec, from_option};
use crate::lang::ast::Source;
use crate::lang::{ParseOptions, parse};
use crate::options::{Ecs, Options};
use crate::plan::compile::each_plugin;
use crate::plugin::{BuildContext, Shared};
use crate::tune::cases::rendered;

/// A codec as it is written, with ECS disabled; the findings when it is refused.
pub(crate) fn codec(written: &str) -> Result<Box<dyn Codec>, String> {
    let source = Arc::new(Source { name: "test".into(), text: format!("input {{ in {{ codec => {written} }} }}") });
    let (config, mut findings) = parse(&source, ParseOptions::default());
    let build = BuildContext {
        ecs: Ecs::Disabled,
        clock: Clock::System,
        timezone: "UTC".into(),
        expand: &|text| Ok(text.to_string()),
        directory: PathBuf::from("."),
        shared: Shared::default(),
    };
    let mut built = None;
    for section in &config.sections {
        each_plugin(&section.body, &mut |plugin| {
            let mut options = Options::new(plugin, build.ecs, build.expand, &mut findings);
            built = from_option(&mut options, &build, "plain").ok();
        });
    }
    built.ok_or_else(|| rendered(&findings))
}

/// The documents of the events that texts become, without `@timestamp` and `@version`.
pub(crate) fn decode(codec: &dyn Codec, texts: &[&str]) -> Vec<Value> {
    let mut events = Vec::new();
    for text in texts {
        codec.decode(Str::from(*text), Timestamp::EPOCH, &mut events);
    }
    let bare = |mut event: Event| {
        for name in ["@timestamp", "@version"] {
            event.fields_mut().remove(name);
        }
        Value::Object(event.fields().clone())
    };
    events.into_iter().map(bare).collect()
}

/// The same as JSON, with `@timestamp` where a codec set it.
pub(crate) fn read(codec: &dyn Codec, texts: &[&str]) -> Vec<serde_json::Value> {
    let mut events = Vec::new();
    for text in texts {
        codec.decode(Str::from(*text), Timestamp::EPOCH, &mut events);
    }
    let shown = events.iter().map(|event| {
        let mut text = Vec::new();
        json::write_object(event.fields(), &mut text);
        let mut document: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let fields = document.as_object_mut().unwrap();
        fields.remove("@version");
        fields.retain(|name, value| name != "@timestamp" || *value != "1970-01-01T00:00:00.000Z");
        document
    });
    shown.collect()
}

/// What events of exactly these fields are written as.
pub(crate) fn encode(codec: &dyn Codec, events: &[&str]) -> String {
    let mut out = Vec::new();
    for text in events {
        match json::parse(&Str::from(*text), Numbers::Float).unwrap() {
            Value::Object(fields) => codec.encode(&Event::bare(fields), &mut out),
            other => panic!("no object: {other:?}"),
        }
    }
    String::from_utf8(out).unwrap()
}
