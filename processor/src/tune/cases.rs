//! Golden cases: a filter configuration, the events that go in and the events that must come out.
//!
//! One JSON object a line: `id`, `group`, `config`, `ecs`, `in`, `out`, `error`; optional, also null: `title`, `clock`
//! (RFC 3339), `timezone`, `env` (name to value), `settings` (logstash.yml key to value), `runtime_error`.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::value::RawValue;
use tailrace_common::json::{self, Numbers};
use tailrace_common::path::EscapeStyle;
use tailrace_common::{Clock, Event, Str, Timestamp, Value};

use crate::lang::diagnostic::Diagnostic;
use crate::lang::{ParseOptions, has_errors, parse, render};
use crate::options::Ecs;
use crate::plan::compile::{check_ids, compile_filters};
use crate::plan::run::{FilterPlan, Worker};
use crate::plugin::{BuildContext, Shared};
use crate::settings::variables;

/// One case.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// What it is about, such as `grok`.
    #[serde(default)]
    pub group: String,
    /// In words.
    #[serde(default)]
    pub title: Option<String>,
    /// The configuration; only its filter sections count.
    pub config: String,
    /// `disabled`, `v1` or `v8`.
    #[serde(default)]
    pub ecs: Option<String>,
    /// The events that go in.
    #[serde(rename = "in", default)]
    pub input: Vec<Box<RawValue>>,
    /// The events that must come out.
    #[serde(default)]
    pub out: Option<Vec<Box<RawValue>>>,
    /// Set when the configuration must be refused.
    #[serde(default)]
    pub error: Option<String>,
    /// What "now" is.
    #[serde(default)]
    pub clock: Option<String>,
    /// The zone of the host.
    #[serde(default)]
    pub timezone: Option<String>,
    /// The environment.
    #[serde(default)]
    pub env: Option<HashMap<String, String>>,
    /// Keys of logstash.yml.
    #[serde(default)]
    pub settings: Option<HashMap<String, serde_json::Value>>,
}

/// What came of a case.
#[derive(Debug)]
pub enum Outcome {
    /// As it must be.
    Passed,
    /// Other events came out: those expected and those got, as JSON.
    Differs {
        /// What must come out.
        expected: Vec<String>,
        /// What came out.
        got: Vec<String>,
    },
    /// It was refused and should not have been, or the other way round, or is no case.
    Failed(String),
}

impl Outcome {
    /// Whether all is as it must be.
    pub fn passed(&self) -> bool {
        matches!(self, Outcome::Passed)
    }
}

impl Case {
    /// Runs the case.
    pub fn run(&self) -> Outcome {
        let output = self.output();
        if self.setting("config.field_reference.escape_style").is_some() {
            EscapeStyle::None.install();
        }
        match (output, &self.error) {
            (Err(_), Some(_)) => Outcome::Passed,
            (Ok(_), Some(wanted)) => Outcome::Failed(format!("must be refused with: {wanted}")),
            (Err(message), None) => Outcome::Failed(message),
            (Ok(events), None) => self.compare(&events),
        }
    }

    /// The events that come out, as JSON.
    ///
    /// # Errors
    /// The rendered findings when the configuration is refused.
    pub fn output(&self) -> Result<Vec<String>, String> {
        let clock = match &self.clock {
            None => Clock::System,
            Some(text) => {
                let moment = Timestamp::parse_rfc3339(text);
                Clock::Frozen(moment.ok_or_else(|| format!("'{text}' is no time in RFC 3339"))?)
            }
        };
        let plan = self.compile(clock)?;
        let now = clock.now();
        let mut events = Vec::with_capacity(self.input.len());
        for text in &self.input {
            events.push(event(text.get(), now)?);
        }
        let mut worker = Worker::default();
        let mut filtered = plan.run(events, &mut worker, now).events;
        filtered.extend(plan.flush(true, &mut worker, now).events);
        Ok(filtered.iter().map(document).collect())
    }

    fn compile(&self, clock: Clock) -> Result<FilterPlan, String> {
        if let Some(style) = self.setting("config.field_reference.escape_style") {
            let style = style.as_str().and_then(EscapeStyle::parse);
            style.ok_or("no escape_style of field references")?.install();
        }
        let source = crate::lang::ast::Source { name: self.id.clone(), text: self.config.clone() };
        let escapes = self.setting("config.support_escapes").and_then(serde_json::Value::as_bool);
        let options = ParseOptions { support_escapes: escapes.unwrap_or(false) };
        let (config, mut findings) = parse(&source.into(), options);
        let ecs = self.setting("pipeline.ecs_compatibility").and_then(|value| value.as_str().map(str::to_string));
        let ecs = ecs.or_else(|| self.ecs.clone()).unwrap_or_else(|| "v8".into());
        let ecs = Ecs::parse(&ecs).ok_or_else(|| format!("'{ecs}' is no ecs_compatibility"))?;
        let lookup = |name: &str| self.env.as_ref().and_then(|env| env.get(name).cloned());
        let expand = |text: &str| variables::expand(text, &lookup);
        let timezone = self.timezone.clone().unwrap_or_else(|| "UTC".into());
        let (directory, shared) = (PathBuf::from("."), Shared::default());
        let build = BuildContext { ecs, clock, timezone, expand: &expand, directory, shared };
        let plan = compile_filters(&config, &build, &mut findings);
        check_ids(&config, &mut findings);
        if has_errors(&findings) { Err(rendered(&findings)) } else { Ok(plan) }
    }

    fn setting(&self, key: &str) -> Option<&serde_json::Value> {
        self.settings.as_ref()?.get(key)
    }

    fn compare(&self, got: &[String]) -> Outcome {
        let texts = self.out.iter().flatten().map(|event| event.get().to_string());
        let expected: Vec<String> = texts.collect();
        let same = expected.len() == got.len()
            && expected.iter().zip(got).all(|(expected, got)| comparable(expected) == comparable(got));
        if same { Outcome::Passed } else { Outcome::Differs { expected, got: got.to_vec() } }
    }
}

fn event(text: &str, now: Timestamp) -> Result<Event, String> {
    match json::parse(&Str::from(text), Numbers::Float) {
        Ok(Value::Object(mut fields)) => {
            // The cases were recorded from Logstash 8.5, which left tags that are no text alone.
            let tags = match fields.get("tags") {
                Some(Value::Object(_)) => fields.remove("tags"),
                _ => None,
            };
            let mut event = Event::from_object(fields, now);
            if let Some(tags) = tags {
                event.fields_mut().insert("tags", tags);
            }
            Ok(event)
        }
        Ok(_) => Err("an event of 'in' is no object".into()),
        Err(error) => Err(format!("an event of 'in' cannot be read: {error}")),
    }
}

/// The event as JSON; `@metadata` is part of it unless it is empty.
pub fn document(event: &Event) -> String {
    let mut fields = event.fields().clone();
    if !event.metadata().is_empty() {
        fields.insert("@metadata", event.metadata().clone());
    }
    let mut out = Vec::with_capacity(256);
    json::write_object(&fields, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// What is compared: everything but `@version`, numbers by kind and value.
fn comparable(text: &str) -> Option<Value> {
    let mut value = json::parse(&Str::from(text), Numbers::Float).ok()?;
    value.as_object_mut()?.remove("@version");
    Some(value)
}

/// Findings, as people read them.
pub fn rendered(findings: &[Diagnostic]) -> String {
    findings.iter().map(|finding| render::human(finding, render::Colours(false))).collect()
}
