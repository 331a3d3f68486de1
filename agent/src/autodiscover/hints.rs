//! Hints: what a container says itself of how its lines are to be read, in labels or annotations `co.elastic.logs/...`.

use std::collections::BTreeMap;

use tailrace_common::yaml::{self, Key, Kind, Node, Position};

/// The hints of one container: names behind the slash, with dots, and values.
pub(super) type Hints = BTreeMap<String, String>;

/// What is read of `hints` of a provider.
#[derive(Clone, Debug)]
pub(super) struct HintSettings {
    /// `prefix` of the provider.
    pub(super) prefix: String,
    /// `hints.key`
    pub(super) key: String,
    /// `hints.default_config`, without `enabled`.
    pub(super) default_config: Node,
    /// Whether containers without the hint `enabled` are read.
    pub(super) enabled: bool,
}

/// What is read unless `hints.default_config` says otherwise.
pub(super) const DEFAULT: &str = "
type: filestream
id: container-logs-${data.container.id}
prospector.scanner.symlinks: true
close.on_state_change.removed: false
take_over: {enabled: true, from_ids: ['kubernetes-container-logs-${data.container.id}']}
parsers: [{container: ~}]
paths:
  - /var/log/containers/*-${data.container.id}.log
  - /var/lib/docker/containers/${data.container.id}/*-json.log
";

impl HintSettings {
    /// The hints among labels or annotations. Those of the container itself (`co.elastic.logs.nginx/...`) go over those of
    /// its pod, and these over those of `defaults`.
    pub(super) fn find<'a>(
        &self,
        defaults: &'a [(String, String)],
        own: impl IntoIterator<Item = (&'a String, &'a String)>,
        container: &str,
    ) -> Hints {
        let (mut general, mut special) = (Hints::new(), Hints::new());
        let whole = format!("{}.{}", self.prefix, self.key);
        for (name, value) in defaults.iter().map(|(name, value)| (name, value)).chain(own) {
            let Some((head, key)) = name.split_once('/') else { continue };
            let Some(rest) = head.strip_prefix(whole.as_str()) else { continue };
            if rest.is_empty() {
                general.insert(key.to_owned(), value.clone());
            } else if !container.is_empty() && rest.strip_prefix('.') == Some(container) {
                special.insert(key.to_owned(), value.clone());
            }
        }
        general.extend(special);
        general
    }

    /// The configurations that the hints ask for, with variables still in them.
    pub(super) fn configs(&self, hints: &Hints, target: &str) -> Vec<Node> {
        let enabled = hints.get("enabled").and_then(|text| truth(text)).unwrap_or(self.enabled);
        if !enabled {
            return Vec::new();
        }
        if let Some(raw) = hints.get("raw") {
            return raw_configs(raw, target);
        }
        if let Some(module) = hints.get("module") {
            tracing::info!(target, module, "there are no modules here: the container's lines are read as they are");
        }
        let sets = sets(hints);
        let several = sets.len() > 1;
        let config = |(number, set): (usize, Set)| {
            let mut config = self.default_config.clone();
            apply(&mut config, &set, target);
            if several && let Some(id) = config.get("id").and_then(Node::as_text).map(str::to_owned) {
                // Each of them has its own position in the file.
                set_at(&mut config, "id", scalar(&format!("{id}-{}", number + 1)));
            }
            config
        };
        sets.into_iter().enumerate().map(config).collect()
    }
}

/// One set of hints, as a tree.
type Set = Node;

fn truth(text: &str) -> Option<bool> {
    // What Go takes for a boolean.
    match text.trim() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn nothing() -> Node {
    Node::empty_map(Position { line: 1, column: 1 })
}

fn scalar(text: &str) -> Node {
    Node { kind: Kind::Scalar { text: text.to_owned(), plain: true }, position: Position { line: 1, column: 1 } }
}

fn set_at(node: &mut Node, name: &str, value: Node) {
    node.merge_at(&Key { text: name.to_owned(), position: value.position }, value);
}

/// Numbered sets (`1.multiline.pattern`) in order, then what has no number. `enabled` makes no set.
fn sets(hints: &Hints) -> Vec<Set> {
    let mut numbered: BTreeMap<u64, Node> = BTreeMap::new();
    let mut plain: Option<Node> = None;
    for (name, value) in hints.iter().filter(|(name, _)| *name != "enabled") {
        let number = name.split_once('.').and_then(|(head, rest)| Some((head.parse::<u64>().ok()?, rest)));
        match number {
            Some((number, rest)) => set_at(numbered.entry(number).or_insert_with(nothing), rest, scalar(value)),
            None => set_at(plain.get_or_insert_with(nothing), name, scalar(value)),
        }
    }
    let sets: Vec<Node> = numbered.into_values().chain(plain).collect();
    if sets.is_empty() { vec![nothing()] } else { sets }
}

/// Hints that say something of how lines are read; others are of no concern here.
const KNOWN: [&str; 9] =
    ["multiline", "json", "include_lines", "exclude_lines", "processors", "pipeline", "module", "fileset", "raw"];

fn apply(config: &mut Node, set: &Set, target: &str) {
    for (key, value) in set.as_map().unwrap_or_default() {
        match key.text.as_str() {
            "multiline" => multiline(config, value),
            "json" => json(config, value),
            name @ ("include_lines" | "exclude_lines") => {
                let list = list(value.as_text().unwrap_or_default());
                push(config, name, list.as_list().unwrap_or_default().to_vec());
            }
            "processors" => processors(config, value, target),
            "pipeline" => set_at(config, "pipeline", value.clone()),
            "module" | "fileset" | "raw" => {}
            other => {
                tracing::warn!(target, "the hint '{other}' is not known; known are {}", KNOWN.join(", "));
            }
        }
    }
}

fn is_filestream(config: &Node) -> bool {
    config.get("type").and_then(Node::as_text) == Some("filestream")
}

/// Adds an item to the list of that name.
fn push(config: &mut Node, name: &str, items: Vec<Node>) {
    let held = config.get(name).and_then(Node::as_list).unwrap_or_default().to_vec();
    let kind = Kind::List(held.into_iter().chain(items).collect());
    set_at(config, name, Node { kind, position: Position { line: 1, column: 1 } });
}

fn one(name: &str, value: Node) -> Node {
    let mut item = nothing();
    set_at(&mut item, name, value);
    item
}

fn multiline(config: &mut Node, value: &Node) {
    if is_filestream(config) {
        push(config, "parsers", vec![one("multiline", value.clone())]);
    } else {
        set_at(config, "multiline", value.clone());
    }
}

/// The options of the older inputs, which hints have, as those of the parser `ndjson`.
fn json(config: &mut Node, value: &Node) {
    if !is_filestream(config) {
        set_at(config, "json", value.clone());
        return;
    }
    let mut parser = nothing();
    let mut root = false;
    for (key, value) in value.as_map().unwrap_or_default() {
        match key.text.as_str() {
            "keys_under_root" => root = value.as_bool() == Some(true),
            name => set_at(&mut parser, name, value.clone()),
        }
    }
    let target = if root { "" } else { "json" };
    set_at(&mut parser, "target", Node { kind: Kind::Scalar { text: target.to_owned(), plain: false }, ..scalar("") });
    // Lines are JSON before they are joined.
    push(config, "parsers", vec![one("ndjson", parser)]);
}

/// Texts between commas, or a list as JSON has it.
fn list(text: &str) -> Node {
    if text.trim_start().starts_with('[')
        && let Ok(node) = yaml::parse(text)
        && node.as_list().is_some_and(|items| items.iter().all(|item| item.as_text().is_some()))
    {
        return node;
    }
    let items = text.split(',').map(|part| {
        let kind = Kind::Scalar { text: part.trim().to_owned(), plain: false };
        Node { kind, position: Position { line: 1, column: 1 } }
    });
    Node { kind: Kind::List(items.collect()), position: Position { line: 1, column: 1 } }
}

/// `processors.1.dissect.tokenizer` in the order of their numbers, then those without; a processor may also be a text in
/// JSON.
fn processors(config: &mut Node, value: &Node, target: &str) {
    let mut numbered: BTreeMap<u64, Node> = BTreeMap::new();
    let mut plain = Vec::new();
    for (key, value) in value.as_map().unwrap_or_default() {
        match key.text.parse::<u64>() {
            Ok(number) => {
                let names = value.as_map().unwrap_or_default();
                let mut item = nothing();
                names.iter().for_each(|(name, value)| set_at(&mut item, &name.text, parsed(value, target)));
                numbered.insert(number, item);
            }
            Err(_) => plain.push(one(&key.text, parsed(value, target))),
        }
    }
    push(config, "processors", numbered.into_values().chain(plain).collect());
}

/// A text that is a map in JSON becomes one.
fn parsed(value: &Node, target: &str) -> Node {
    let Some(text) = value.as_text().filter(|text| text.trim_start().starts_with('{')) else { return value.clone() };
    match yaml::parse(text) {
        Ok(node) => at_start(node.expand_dots()),
        Err(error) => {
            tracing::warn!(target, %error, "a hint is no JSON");
            value.clone()
        }
    }
}

/// Hints have no place in a file.
fn at_start(mut node: Node) -> Node {
    crate::config::place(&mut node, &mut |at| *at = Position { line: 1, column: 1 });
    node
}

/// `raw`: whole configurations in JSON.
fn raw_configs(raw: &str, target: &str) -> Vec<Node> {
    match yaml::parse(raw) {
        Ok(node) => match at_start(node.expand_dots()) {
            Node { kind: Kind::List(items), .. } => items,
            node => vec![node],
        },
        Err(error) => {
            tracing::error!(target, %error, "the hint 'raw' is no JSON");
            Vec::new()
        }
    }
}
