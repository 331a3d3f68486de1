//! Suites of logstash-filter-verifier: `fields`, `codec`, `ignore`, `testcases` with `input` and `expected`, in JSON or
//! YAML, read as that program reads them.

use std::path::Path;

use tailrace_common::json::{self, Numbers};
use tailrace_common::nearest::nearest;
use tailrace_common::yaml::{self, Node, Scalar};
use tailrace_common::{Event, FieldPath, Object, Str, Value};

use super::cases::{Outcome, document};

/// One file of test cases.
#[derive(Debug)]
pub struct Suite {
    /// The codec by which lines become events, as a configuration writes it; the input's own when not given.
    pub codec: Option<String>,
    /// The id of the input that the lines come from.
    pub input: Option<String>,
    cases: Vec<SuiteCase>,
    fields: Vec<(FieldPath, Value)>,
    ignored: Vec<FieldPath>,
    metadata: bool,
}

/// Lines, and the events that must come of them.
#[derive(Debug, Default)]
struct SuiteCase {
    description: Option<String>,
    input: Vec<String>,
    /// Fields of this case only.
    event: Vec<(FieldPath, Value)>,
    expected: Vec<Object>,
    outputs: Vec<String>,
}

/// A file that is no suite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SuiteError(String);

/// What a suite is run by.
pub trait Runner {
    /// The events of one line, before the filters.
    fn decode(&mut self, line: &str) -> Vec<Event>;
    /// An event without a line.
    fn event(&mut self) -> Event;
    /// What comes out of the filters.
    fn filter(&mut self, events: Vec<Event>) -> Vec<Event>;
    /// What the filters hold back until the end.
    fn rest(&mut self) -> Vec<Event>;
    /// The ids of the outputs that an event goes to.
    fn outputs(&mut self, event: &Event) -> Vec<String>;
}

const KEYS: [&str; 8] =
    ["fields", "codec", "ignore", "testcases", "input", "expected", "export_metadata", "input_plugin"];
const CASE_KEYS: [&str; 5] = ["input", "event", "expected", "expected_outputs", "description"];

impl Suite {
    /// Reads a suite; the ending of the name tells JSON from YAML.
    ///
    /// # Errors
    /// What is no suite, with the key that is wrong.
    pub fn parse(path: &Path, text: &str) -> Result<Suite, SuiteError> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let root = match ending {
            "json" => json::parse(&Str::from(text), Numbers::Float).map_err(|error| SuiteError(error.to_string()))?,
            "yml" | "yaml" => of_yaml(&yaml::parse(text).map_err(|error| SuiteError(error.to_string()))?),
            _ => return Err(SuiteError("the name of a suite ends in .json, .yml or .yaml".into())),
        };
        let Value::Object(root) = root else { return Err(SuiteError("a suite is a map".into())) };
        known_keys(&root, &KEYS)?;
        let mut suite = Suite {
            codec: text_of(&root, "codec")?,
            input: text_of(&root, "input_plugin")?,
            cases: Vec::new(),
            fields: fields(&root, "fields")?,
            ignored: texts(&root, "ignore")?.iter().map(|name| path_of(name)).collect::<Result<_, _>>()?,
            metadata: root.get("export_metadata") == Some(&Value::Bool(true)),
        };
        suite.ignored.push(FieldPath::field("@version"));
        // The form of old: one case beside the others.
        let old = SuiteCase { input: texts(&root, "input")?, expected: events(&root)?, ..SuiteCase::default() };
        if !old.input.is_empty() {
            suite.cases.push(old);
        }
        for case in list(&root, "testcases")? {
            let Value::Object(case) = case else { return Err(SuiteError("'testcases' must hold maps".into())) };
            known_keys(case, &CASE_KEYS)?;
            suite.cases.push(SuiteCase {
                description: text_of(case, "description")?,
                input: texts(case, "input")?,
                event: fields(case, "event")?,
                expected: events(case)?,
                outputs: texts(case, "expected_outputs")?,
            });
        }
        Ok(suite)
    }

    /// Runs the cases in order, all through the same filters; a name and an outcome each.
    pub fn run(&self, runner: &mut dyn Runner) -> Vec<(Option<String>, Outcome)> {
        let mut got = Vec::with_capacity(self.cases.len());
        for case in &self.cases {
            let events = self.input(case, runner);
            got.push(runner.filter(events));
        }
        if let Some(last) = got.last_mut() {
            last.extend(runner.rest());
        }
        let judged = self.cases.iter().zip(got).map(|(case, got)| {
            let outcome = self.compare(case, got, runner);
            (case.description.clone(), outcome)
        });
        judged.collect()
    }

    fn input(&self, case: &SuiteCase, runner: &mut dyn Runner) -> Vec<Event> {
        let mut events: Vec<Event> = if case.input.is_empty() {
            vec![runner.event()]
        } else {
            case.input.iter().flat_map(|line| runner.decode(line)).collect()
        };
        for event in &mut events {
            for (path, value) in self.fields.iter().chain(&case.event) {
                let _unset = event.set(path, value.clone());
            }
        }
        events
    }

    fn compare(&self, case: &SuiteCase, got: Vec<Event>, runner: &mut dyn Runner) -> Outcome {
        for event in &got {
            let mut outputs = runner.outputs(event);
            let mut wanted = case.outputs.clone();
            outputs.sort_unstable();
            wanted.sort_unstable();
            if !wanted.is_empty() && outputs != wanted {
                let message = format!("goes to the outputs {outputs:?}, expected {wanted:?}");
                return Outcome::Failed(message);
            }
        }
        let got: Vec<Object> = got.into_iter().map(|event| self.shown(event)).collect();
        let same =
            got.len() == case.expected.len() && got.iter().zip(&case.expected).all(|(got, wanted)| got == wanted);
        if same {
            return Outcome::Passed;
        }
        let texts = |events: &[Object]| events.iter().map(json_text).collect();
        Outcome::Differs { expected: texts(&case.expected), got: texts(&got) }
    }

    /// An event as it is compared: the ignored fields left out, numbers as JSON has them.
    fn shown(&self, mut event: Event) -> Object {
        for path in &self.ignored {
            event.remove(path);
        }
        if !self.metadata {
            event.metadata_mut().clear();
        }
        let text = Str::from(document(&event));
        match json::parse(&text, Numbers::Float) {
            Ok(Value::Object(fields)) => fields.into_iter().map(|(name, value)| (name, plain(value))).collect(),
            _ => Object::new(),
        }
    }
}

/// Whole numbers as doubles: JSON knows one kind of number.
fn plain(value: Value) -> Value {
    match value {
        Value::Int(_) | Value::BigInt(_) => value.as_f64().map_or(Value::Null, Value::Float),
        Value::Array(values) => Value::Array(values.into_iter().map(plain).collect()),
        Value::Object(object) => Value::Object(object.into_iter().map(|(name, value)| (name, plain(value))).collect()),
        other => other,
    }
}

/// Sorted by name, so that lines of both sides can be held against each other.
fn json_text(object: &Object) -> String {
    let mut entries: Vec<_> = object.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    let sorted: Object = entries.into_iter().collect();
    let mut out = Vec::new();
    json::write_object(&sorted, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn known_keys(map: &Object, known: &[&str]) -> Result<(), SuiteError> {
    let Some(unknown) = map.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
    let near = nearest(unknown, known.iter().copied()).map(|near| format!("; did you mean '{near}'?"));
    Err(SuiteError(format!("unknown key '{unknown}'{}", near.unwrap_or_default())))
}

fn text_of(map: &Object, key: &str) -> Result<Option<String>, SuiteError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.to_string())),
        Some(other) => Err(SuiteError(format!("'{key}' must be text, this is {}", other.type_name()))),
    }
}

fn list<'m>(map: &'m Object, key: &str) -> Result<&'m [Value], SuiteError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(values)) => Ok(values),
        Some(other) => Err(SuiteError(format!("'{key}' must be a list, this is {}", other.type_name()))),
    }
}

fn texts(map: &Object, key: &str) -> Result<Vec<String>, SuiteError> {
    let texts = list(map, key)?.iter().map(|value| match value {
        Value::String(text) => Ok(text.to_string()),
        other => Err(SuiteError(format!("'{key}' must hold text, this is {}", other.type_name()))),
    });
    texts.collect()
}

fn path_of(name: &str) -> Result<FieldPath, SuiteError> {
    FieldPath::parse(name).map_err(|error| SuiteError(error.to_string()))
}

/// Fields to be set; their names may be references.
fn fields(map: &Object, key: &str) -> Result<Vec<(FieldPath, Value)>, SuiteError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(fields)) => fields.iter().map(|(name, value)| Ok((path_of(name)?, value.clone()))).collect(),
        Some(other) => Err(SuiteError(format!("'{key}' must be a map, this is {}", other.type_name()))),
    }
}

/// The expected events; a key in brackets stands for the maps that it leads through.
fn events(map: &Object) -> Result<Vec<Object>, SuiteError> {
    let events = list(map, "expected")?.iter().map(|event| {
        let Value::Object(fields) = event else { return Err(SuiteError("'expected' must hold maps".into())) };
        let mut built = Event::bare(Object::new());
        for (name, value) in fields {
            match name.starts_with('[').then(|| path_of(name)) {
                Some(path) => built.set(&path?, plain(value.clone())).map_err(|error| SuiteError(error.to_string()))?,
                None => drop(built.fields_mut().insert(name.clone(), plain(value.clone()))),
            }
        }
        let metadata = built.metadata().clone();
        let mut fields = std::mem::take(built.fields_mut());
        if !metadata.is_empty() {
            fields.insert("@metadata", metadata);
        }
        Ok(fields)
    });
    events.collect()
}

fn of_yaml(node: &Node) -> Value {
    if let Some(items) = node.as_list() {
        return Value::Array(items.iter().map(of_yaml).collect());
    }
    if let Some(entries) = node.as_map() {
        return Value::Object(entries.iter().map(|(key, value)| (key.text.clone(), of_yaml(value))).collect());
    }
    match node.scalar() {
        Some(Scalar::Bool(flag)) => Value::Bool(flag),
        Some(Scalar::Int(number)) => Value::Int(number),
        Some(Scalar::Float(number)) => Value::Float(number),
        Some(Scalar::Text(text)) => Value::from(text),
        Some(Scalar::Null) | None => Value::Null,
    }
}
