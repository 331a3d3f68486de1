//! Reading the parts of a configuration: typed values, and what nobody asked for.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::time::Duration;

use tailrace_common::nearest::nearest;
use tailrace_common::yaml::{Kind, Node, Position};

use crate::decode::Pattern;

/// What is wrong or worth saying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// Where.
    pub position: Position,
    /// What.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the agent cannot start with it.
    pub is_error: bool,
}

/// Collects findings.
#[derive(Debug, Default)]
pub(crate) struct Report(RefCell<Vec<Finding>>);

impl Report {
    pub(crate) fn error(&self, position: Position, message: impl Into<String>, hint: Option<String>) {
        self.0.borrow_mut().push(Finding {
            file: PathBuf::new(),
            position,
            message: message.into(),
            hint,
            is_error: true,
        });
    }

    pub(crate) fn notice(&self, position: Position, message: impl Into<String>) {
        self.0.borrow_mut().push(Finding {
            file: PathBuf::new(),
            position,
            message: message.into(),
            hint: None,
            is_error: false,
        });
    }

    pub(crate) fn into_findings(self) -> Vec<Finding> {
        self.0.into_inner()
    }
}

/// A map of the configuration. When it is dropped, keys that nobody asked for are reported.
pub(crate) struct Section<'n> {
    node: Option<&'n Node>,
    path: String,
    position: Position,
    known: RefCell<Vec<&'static str>>,
    lenient: Cell<bool>,
    report: &'n Report,
}

impl<'n> Section<'n> {
    /// The map at `path`; what is no map is reported.
    pub(crate) fn new(node: Option<&'n Node>, path: String, position: Position, report: &'n Report) -> Section<'n> {
        let usable = node.filter(|node| {
            let wrong = node.as_map().is_none() && !node.is_null();
            if wrong {
                report.error(node.position, format!("'{path}' must be a map, this is {}", node.type_name()), None);
            }
            !wrong
        });
        Section { node: usable, path, position, known: RefCell::default(), lenient: Cell::new(false), report }
    }

    pub(crate) fn position(&self) -> Position {
        self.node.map_or(self.position, |node| node.position)
    }

    pub(crate) fn report(&self) -> &'n Report {
        self.report
    }

    /// The full name of a key.
    pub(crate) fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key; null counts as not set.
    pub(crate) fn get(&self, key: &'static str) -> Option<&'n Node> {
        self.known.borrow_mut().push(key);
        self.node?.get(key).filter(|node| !node.is_null())
    }

    /// The map under a key.
    pub(crate) fn section(&self, key: &'static str) -> Section<'n> {
        let node = self.get(key);
        Section::new(node, self.name(key), self.position(), self.report)
    }

    pub(crate) fn is_set(&self, key: &str) -> bool {
        self.value(key).is_some_and(|node| !node.is_null())
    }

    /// The value of a key, null included; it does not become known by this.
    pub(crate) fn value(&self, key: &str) -> Option<&'n Node> {
        self.node?.get(key)
    }

    /// The keys that the map has.
    pub(crate) fn keys(&self) -> Vec<&'n str> {
        self.node
            .and_then(Node::as_map)
            .map_or_else(Vec::new, |entries| entries.iter().map(|(key, _)| key.text.as_str()).collect())
    }

    fn read<T>(&self, key: &'static str, expected: &str, read: impl FnOnce(&'n Node) -> Option<T>) -> Option<T> {
        let node = self.get(key)?;
        let value = read(node);
        if value.is_none() {
            self.report.error(
                node.position,
                format!("'{}' must be {expected}, this is {}", self.name(key), node.type_name()),
                None,
            );
        }
        value
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<&'n str> {
        self.read(key, "text", Node::as_text)
    }

    pub(crate) fn path(&self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    pub(crate) fn boolean(&self, key: &'static str, default: bool) -> bool {
        self.read(key, "true or false", Node::as_bool).unwrap_or(default)
    }

    pub(crate) fn number(&self, key: &'static str) -> Option<u64> {
        self.read(key, "a whole number", |node| node.as_i64().and_then(|number| u64::try_from(number).ok()))
    }

    /// `5s`, `1h30m`, or a number of seconds.
    pub(crate) fn duration(&self, key: &'static str) -> Option<Duration> {
        self.read(key, "a time such as '5s' or '1h30m'", |node| parse_duration(node.as_text()?))
    }

    /// `10MiB`, or a number of bytes.
    pub(crate) fn bytes(&self, key: &'static str) -> Option<u64> {
        self.read(key, "a size such as '10MiB'", |node| parse_bytes(node.as_text()?))
    }

    /// A list of texts; a single text is split at commas.
    pub(crate) fn texts(&self, key: &'static str) -> Vec<String> {
        let read = |node: &Node| match &node.kind {
            Kind::List(items) => items.iter().map(|item| item.as_text().map(str::to_string)).collect(),
            _ => node.as_text().map(|text| {
                text.split(',').map(|part| part.trim().to_string()).filter(|part| !part.is_empty()).collect()
            }),
        };
        self.read(key, "a list of texts", read).unwrap_or_default()
    }

    /// One of several words.
    pub(crate) fn choice<T: Copy>(&self, key: &'static str, choices: &[(&'static str, T)], default: T) -> T {
        let Some(text) = self.text(key) else { return default };
        if let Some((_, value)) = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return *value;
        }
        let names = choices.iter().map(|(name, _)| *name);
        let hint = nearest(text, names.clone()).map(|near| format!("did you mean '{near}'?"));
        let names = names.collect::<Vec<_>>().join(", ");
        self.error(key, format!("'{}' must be one of {names}, this is '{text}'", self.name(key)), hint);
        default
    }

    /// Reports something about the value of a key.
    pub(crate) fn error(&self, key: &str, message: impl Into<String>, hint: Option<String>) {
        let position = self.node.and_then(|node| node.get(key)).map_or(self.position(), |node| node.position);
        self.report.error(position, message, hint);
    }

    /// Reports something about the map itself.
    pub(crate) fn fail(&self, message: impl Into<String>, hint: Option<String>) {
        self.report.error(self.position(), message, hint);
    }

    /// Says something about the value of a key.
    pub(crate) fn notice(&self, key: &str, message: impl Into<String>) {
        let position = self.node.and_then(|node| node.get(key)).map_or(self.position(), |node| node.position);
        self.report.notice(position, message);
    }

    /// Accepts keys that mean nothing here.
    pub(crate) fn ignore(&self, keys: &[&'static str]) {
        self.known.borrow_mut().extend_from_slice(keys);
    }

    /// Accepts keys that have no effect here, and says why where they are set.
    pub(crate) fn without_effect(&self, keys: &[&'static str], why: &str) {
        self.ignore(keys);
        for key in keys.iter().filter(|key| self.is_set(key)) {
            self.notice(key, format!("'{}' has no effect: {why}", self.name(key)));
        }
    }

    /// Reports keys that Filebeat knows and that are not here.
    pub(crate) fn unsupported(&self, keys: &[&'static str], hint: Option<&str>) {
        self.ignore(keys);
        for key in keys.iter().filter(|key| self.is_set(key)) {
            self.error(key, format!("'{}' is not supported", self.name(key)), hint.map(str::to_owned));
        }
    }

    /// Accepts whatever there is, because what is wrong was said already.
    pub(crate) fn ignore_all(&self) {
        self.lenient.set(true);
    }

    /// The full name of the map.
    pub(crate) fn full_name(&self) -> &str {
        &self.path
    }

    /// Reports that a key is missing.
    pub(crate) fn require(&self, key: &'static str) {
        if !self.is_set(key) {
            self.known.borrow_mut().push(key);
            self.fail(format!("'{}' is missing", self.name(key)), None);
        }
    }

    /// The text of a key that must be set.
    pub(crate) fn required(&self, key: &'static str) -> Option<&'n str> {
        self.require(key);
        self.text(key)
    }

    /// The text of a key, which may be empty: `target: ''`.
    pub(crate) fn text_or_empty(&self, key: &'static str) -> Option<&'n str> {
        self.known.borrow_mut().push(key);
        match self.node?.get(key).map(|node| &node.kind) {
            Some(Kind::Scalar { text, plain: false }) => Some(text),
            _ => self.text(key),
        }
    }

    /// A whole number that counts something.
    pub(crate) fn count(&self, key: &'static str) -> Option<usize> {
        self.number(key).and_then(|number| usize::try_from(number).ok())
    }

    /// A number.
    pub(crate) fn float(&self, key: &'static str) -> Option<f64> {
        self.read(key, "a number", Node::as_f64)
    }

    /// A list of texts, or one text as it is.
    pub(crate) fn raw_texts(&self, key: &'static str) -> Vec<String> {
        let read = |node: &Node| match &node.kind {
            Kind::List(items) => items.iter().map(|item| item.as_text().map(str::to_string)).collect(),
            _ => node.as_text().map(|text| vec![text.to_string()]),
        };
        self.read(key, "a list of texts", read).unwrap_or_default()
    }

    /// A list of maps.
    pub(crate) fn maps(&self, key: &'static str) -> Vec<Section<'n>> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let Some(items) = node.as_list() else {
            self.error(key, format!("'{}' must be a list, this is {}", self.name(key), node.type_name()), None);
            return Vec::new();
        };
        let item = |(number, item): (usize, &'n Node)| {
            Section::new(Some(item), format!("{}.{number}", self.name(key)), item.position, self.report)
        };
        items.iter().enumerate().map(item).collect()
    }

    /// A regular expression.
    pub(crate) fn pattern(&self, key: &'static str, required: bool) -> Option<Pattern> {
        let text = if required { self.required(key)? } else { self.text(key)? };
        Pattern::new(text).map_err(|error| self.error(key, format!("'{}': {error}", self.name(key)), None)).ok()
    }
}

/// The scalars and lists below a map, under their dotted names: what the configuration's reading parted is joined again,
/// for maps whose keys are fields of events.
pub(crate) fn fold_dots(node: &Node) -> Vec<(String, &Node)> {
    let mut folded = Vec::new();
    let mut open: Vec<(String, &Node)> = vec![(String::new(), node)];
    while let Some((prefix, node)) = open.pop() {
        let Some(entries) = node.as_map() else {
            folded.push((prefix, node));
            continue;
        };
        let dot = if prefix.is_empty() { "" } else { "." };
        // The last one is taken first: in reverse they come in the order of the text.
        open.extend(entries.iter().rev().map(|(key, node)| (format!("{prefix}{dot}{}", key.text), node)));
    }
    folded.retain(|(name, _)| !name.is_empty());
    folded
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        let Some(entries) = self.node.and_then(Node::as_map).filter(|_| !self.lenient.get()) else { return };
        let known = self.known.borrow();
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str())) {
            let hint =
                nearest(&key.text, known.iter().copied()).map(|near| format!("did you mean '{}'?", self.name(near)));
            self.report.error(key.position, format!("unknown key '{}'", self.name(&key.text)), hint);
        }
    }
}

/// Go's durations: `1h30m`, `1.5s`, `100ms`; a bare number counts seconds.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return (0.0..1e10).contains(&seconds).then(|| Duration::from_secs_f64(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|character: char| character.is_ascii_digit() || character == '.').unwrap_or(rest.len());
        let seconds = match &rest[..unit] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = &rest[unit..];
    }
    Some(total)
}

pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let factor = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "k" | "kib" => 1024.0,
        "mb" => 1e6,
        "m" | "mib" => 1024_f64.powi(2),
        "gb" => 1e9,
        "g" | "gib" => 1024_f64.powi(3),
        _ => return None,
    };
    Some((number * factor) as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;

    /// Reads the root of a YAML text; what was read, and the messages of all that is wrong.
    pub(crate) fn with_section<T>(yaml: &str, read: impl FnOnce(&Section<'_>) -> T) -> (T, Vec<String>) {
        let node = tailrace_common::yaml::parse(yaml).unwrap().expand_dots();
        let report = Report::default();
        let read = {
            let root = Section::new(Some(&node), String::new(), node.position, &report);
            read(&root)
        };
        (read, report.into_findings().into_iter().filter(|found| found.is_error).map(|found| found.message).collect())
    }

    #[test]
    fn durations_are_those_of_go() {
        for (text, wanted) in [
            ("5s", Some(5.0)),
            ("1h30m", Some(5400.0)),
            ("1.5s", Some(1.5)),
            ("250ms", Some(0.25)),
            ("10", Some(10.0)),
            ("5x", None),
            ("s", None),
        ] {
            assert_eq!(parse_duration(text).map(|time| time.as_secs_f64()), wanted, "{text}");
        }
        assert_eq!(parse_bytes("10MiB"), Some(10 << 20));
    }
}
