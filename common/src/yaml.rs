//! YAML with the place of every value: filebeat.yml, logstash.yml, pipelines.yml, dictionaries.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Deeper documents are refused.
const DEEPEST: usize = 64;
/// A document has at most this many nodes after its aliases are filled in.
const MOST_NODES: usize = 2_000_000;

/// A place in a text; line and column start at 1, columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A text that is no YAML, or more of it than is good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {message}")]
pub struct YamlError {
    /// Where.
    pub position: Position,
    /// What is wrong.
    pub message: String,
}

/// A value with its place. Equality looks at values only.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it begins.
    pub position: Position,
}

/// The kinds of values.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Text as written; what it stands for is asked by [`Node::scalar`].
    Scalar {
        /// The text, quotes and escapes taken off.
        text: String,
        /// Written without quotes, so that it may be a number, a boolean or null.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the text.
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub position: Position,
}

impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.kind == other.kind
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.text == other.text
    }
}

/// What a scalar stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'n> {
    /// `null`, `~`, or nothing at all.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number; also `0x1f` and `0o17`.
    Int(i64),
    /// A number with a point or an exponent.
    Float(f64),
    /// Everything else, and all that is quoted.
    Text(&'n str),
}

impl Node {
    /// What the scalar stands for; nothing for lists and maps.
    pub fn scalar(&self) -> Option<Scalar<'_>> {
        match &self.kind {
            Kind::Scalar { text, plain: true } => Some(plain(text)),
            Kind::Scalar { text, plain: false } => Some(Scalar::Text(text)),
            _ => None,
        }
    }

    /// The text of a scalar as written, also of a number; nothing for null, lists and maps.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// A boolean; `yes`, `no`, `on`, `off` count, quoted or not.
    pub fn as_bool(&self) -> Option<bool> {
        match self.as_text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    /// A whole number, quoted or not.
    pub fn as_i64(&self) -> Option<i64> {
        match plain(self.as_text()?) {
            Scalar::Int(number) => Some(number),
            Scalar::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(number as i64),
            _ => None,
        }
    }

    /// A number, quoted or not.
    pub fn as_f64(&self) -> Option<f64> {
        match plain(self.as_text()?) {
            Scalar::Int(number) => Some(number as f64),
            Scalar::Float(number) => Some(number),
            _ => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        self.scalar() == Some(Scalar::Null)
    }

    /// The items of a list.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a map.
    pub fn as_map(&self) -> Option<&[(Key, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value under a key of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.iter().find(|(held, _)| held.text == key).map(|(_, value)| value)
    }

    /// In words, for messages.
    pub fn type_name(&self) -> &'static str {
        match (&self.kind, self.scalar()) {
            (Kind::List(_), _) => "a list",
            (Kind::Map(_), _) => "a map",
            (_, Some(Scalar::Null)) => "null",
            (_, Some(Scalar::Bool(_))) => "a boolean",
            (_, Some(Scalar::Int(_) | Scalar::Float(_))) => "a number",
            _ => "text",
        }
    }

    /// An empty map.
    pub fn empty_map(position: Position) -> Node {
        Node { kind: Kind::Map(Vec::new()), position }
    }

    /// Turns keys with dots into nested maps (`a.b: 1` into `a: {b: 1}`) and joins what meets; a later value takes the
    /// place of an earlier one. As Filebeat and Logstash read their settings.
    pub fn expand_dots(self) -> Node {
        match self.kind {
            Kind::Map(entries) => {
                let mut whole = Node::empty_map(self.position);
                for (key, value) in entries {
                    whole.merge_at(&key, value.expand_dots());
                }
                whole
            }
            Kind::List(items) => {
                Node { kind: Kind::List(items.into_iter().map(Node::expand_dots).collect()), position: self.position }
            }
            Kind::Scalar { .. } => self,
        }
    }

    /// Puts a value under a key that may have dots.
    pub fn merge_at(&mut self, key: &Key, value: Node) {
        let mut nested = value;
        for part in key.text.split('.').rev() {
            let key = Key { text: part.to_string(), position: key.position };
            let position = key.position;
            nested = Node { kind: Kind::Map(vec![(key, nested)]), position };
        }
        self.merge(nested);
    }

    /// Joins two maps, all the way down; anything else is replaced.
    pub fn merge(&mut self, other: Node) {
        match (&mut self.kind, other.kind) {
            (Kind::Map(held), Kind::Map(added)) => {
                for (key, value) in added {
                    match held.iter_mut().find(|(held, _)| held.text == key.text) {
                        Some((_, existing)) => existing.merge(value),
                        None => held.push((key, value)),
                    }
                }
            }
            (_, kind) => {
                self.kind = kind;
                self.position = other.position;
            }
        }
    }
}

/// YAML 1.2's core schema.
fn plain(text: &str) -> Scalar<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        _ => {}
    }
    let (negative, digits) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        return Scalar::Float(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    let based = [("0x", 16), ("0o", 8)].into_iter().find_map(|(prefix, base)| {
        let digits = digits.strip_prefix(prefix).filter(|digits| !digits.starts_with(['+', '-']))?;
        i64::from_str_radix(digits, base).ok()
    });
    if let Some(number) = based {
        return Scalar::Int(if negative { -number } else { number });
    }
    let numeric = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !numeric {
        return Scalar::Text(text);
    }
    if let Ok(number) = text.parse() {
        return Scalar::Int(number);
    }
    text.parse().map_or(Scalar::Text(text), Scalar::Float)
}

/// Reads one document. An empty text is null.
pub fn parse(text: &str) -> Result<Node, YamlError> {
    let mut builder = Builder { open: Vec::new(), anchors: HashMap::new(), root: None, nodes: 0 };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let position = Position { line: error.marker().line(), column: error.marker().col() + 1 };
            YamlError { position, message: error.info().to_string() }
        })?;
        builder.event(event, span)?;
    }
    let empty =
        Node { kind: Kind::Scalar { text: String::new(), plain: true }, position: Position { line: 1, column: 1 } };
    Ok(builder.root.unwrap_or(empty))
}

/// A list or map that is not complete.
struct Open {
    node: Node,
    anchor: usize,
    /// The key whose value comes next.
    key: Option<Key>,
    /// What `<<` brought; the map's own entries come over it.
    inherited: Option<Node>,
    /// The keys of a map.
    keys: HashSet<String>,
}

impl Open {
    fn new(node: Node, anchor: usize) -> Open {
        Open { node, anchor, key: None, inherited: None, keys: HashSet::new() }
    }
}

struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    root: Option<Node>,
    nodes: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlError> {
        let position = Position { line: span.start.line(), column: span.start.col() + 1 };
        let failed = |message: &str| Err(YamlError { position, message: message.into() });
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let kind = Kind::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                self.complete(Node { kind, position }, anchor, 1)
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if self.open.len() >= DEEPEST => {
                failed(&format!("nested more than {DEEPEST} deep"))
            }
            Event::SequenceStart(anchor, _) => {
                self.open.push(Open::new(Node { kind: Kind::List(Vec::new()), position }, anchor));
                Ok(())
            }
            Event::MappingStart(anchor, _) => {
                self.open.push(Open::new(Node::empty_map(position), anchor));
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(mut open) => {
                    if let Some(mut inherited) = open.inherited.take() {
                        inherited.merge(open.node);
                        open.node = inherited;
                    }
                    let size = if open.anchor > 0 { size(&open.node) } else { 1 };
                    self.complete(open.node, open.anchor, size)
                }
                None => failed("an end without a start"),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some((node, size)) => self.complete(node, 0, size),
                None => failed("this alias refers to itself or to nothing"),
            },
            Event::DocumentStart(_) if self.root.is_some() => failed("there must be one document only"),
            _ => Ok(()),
        }
    }

    /// A node is complete: it goes into the one that is open, as key or as value.
    fn complete(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), YamlError> {
        let position = node.position;
        let failed = |message: String| Err(YamlError { position, message });
        self.nodes += size;
        if self.nodes > MOST_NODES {
            return failed("the document is too large".into());
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.kind {
            Kind::List(items) => items.push(node),
            Kind::Map(entries) => match open.key.take() {
                Some(key) => {
                    if key.text == "<<" && matches!(node.kind, Kind::Map(_)) {
                        open.inherited = Some(node);
                    } else {
                        entries.push((key, node));
                    }
                }
                None => match node.kind {
                    Kind::Scalar { text, .. } => {
                        if text != "<<" && !open.keys.insert(text.clone()) {
                            return failed(format!("the key '{text}' is given twice"));
                        }
                        open.key = Some(Key { text, position });
                    }
                    _ => return failed("a key must be text".into()),
                },
            },
            Kind::Scalar { .. } => {}
        }
        Ok(())
    }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar { .. } => 1,
        Kind::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|(_, value)| 1 + size(value)).sum::<usize>(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scalars_stand_for_what_yaml_says() {
        let node =
            parse("[1, -2, 0x1f, 1.5, 1e3, true, null, ~, yes, '1', \"a\\n\", 1.2.3, a b, 10m, 2024-01-01]").unwrap();
        let scalars: Vec<_> = node.as_list().unwrap().iter().map(|item| item.scalar().unwrap()).collect();
        use Scalar::{Bool, Float, Int, Null, Text};
        assert_eq!(
            scalars,
            [
                Int(1),
                Int(-2),
                Int(31),
                Float(1.5),
                Float(1000.0),
                Bool(true),
                Null,
                Null,
                Text("yes"),
                Text("1"),
                Text("a\n"),
                Text("1.2.3"),
                Text("a b"),
                Text("10m"),
                Text("2024-01-01")
            ]
        );
        assert_eq!(node.as_list().unwrap()[8].as_bool(), Some(true));
        assert_eq!(node.as_list().unwrap()[9].as_i64(), Some(1));
    }

    #[test]
    fn places_are_those_of_the_text() {
        let node = parse("# comment\noutput.kafka:\n  hosts: [a, b]\n  tópic: x\n").unwrap();
        let (key, kafka) = &node.as_map().unwrap()[0];
        assert_eq!((key.text.as_str(), key.position), ("output.kafka", Position { line: 2, column: 1 }));
        let (topic, value) = &kafka.as_map().unwrap()[1];
        assert_eq!(
            (topic.position, value.position),
            (Position { line: 4, column: 3 }, Position { line: 4, column: 10 })
        );
    }

    #[test]
    fn dotted_keys_and_nesting_meet() {
        let node = parse("a.b.c: 1\na:\n  b: {d: 2}\n  b.c: 3\nlist: [{x.y: 1}]").unwrap().expand_dots();
        let wanted = parse("a: {b: {c: 3, d: 2}}\nlist: [{x: {y: 1}}]").unwrap();
        assert_eq!(node, wanted);
    }

    #[test]
    fn anchors_merge_keys_and_empty_texts() {
        let node = parse("base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}").unwrap();
        assert_eq!(node.get("use").unwrap().get("x").unwrap().as_i64(), Some(1));
        assert_eq!(node.get("use").unwrap().get("y").unwrap().as_i64(), Some(3));
        assert!(parse("").unwrap().is_null());
        assert!(parse("# nothing").unwrap().is_null());
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        for (text, position) in
            [("a: 1\na: 2", (2, 1)), ("a: [1, 2", (2, 1)), ("a: 1\n---\nb: 2", (2, 1)), ("a:\n\t- b", (2, 2))]
        {
            let error = parse(text).unwrap_err();
            assert_eq!((error.position.line, error.position.column), position, "{text}: {error}");
        }
    }

    #[test]
    fn aliases_cannot_blow_up_memory() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_string();
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 9].join(", ")));
        }
        assert_eq!(parse(&text).unwrap_err().message, "the document is too large");
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[-:a-c \n\\[\\]{}&*!|>'\"%@`#,?<0-9.\t]{0,60}") {
            if let Ok(node) = parse(&text) {
                node.expand_dots();
            }
        }
    }
}
