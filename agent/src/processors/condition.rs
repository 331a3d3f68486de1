//! Conditions: `when` of a processor, `if` of a branch, and wherever else Filebeat decides by an event's fields.

use std::net::IpAddr;

use tailrace_common::yaml::{Kind, Node, Scalar};
use tailrace_common::{Event, Value};

use super::field::Field;
use super::network::Network;
use crate::config::section::{Section, fold_dots};
use crate::decode::Pattern;

/// A compiled condition.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Equals(Vec<(Field, Expected)>),
    Contains(Vec<(Field, String)>),
    Regexp(Vec<(Field, Pattern)>),
    Range(Vec<(Field, Vec<(Bound, f64)>)>),
    Network(Vec<(Field, Vec<Network>)>),
    HasFields(Vec<Field>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
}

/// What `equals` compares with: only values of the same kind are equal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expected {
    Int(i64),
    Bool(bool),
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    AtLeast,
    Above,
    AtMost,
    Below,
}

impl Bound {
    const NAMES: [(&'static str, Bound); 4] =
        [("gte", Bound::AtLeast), ("gt", Bound::Above), ("lte", Bound::AtMost), ("lt", Bound::Below)];

    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Bound::AtLeast => value >= limit,
            Bound::Above => value > limit,
            Bound::AtMost => value <= limit,
            Bound::Below => value < limit,
        }
    }
}

/// The kinds, as they are named.
const KINDS: [&str; 9] = ["equals", "contains", "regexp", "range", "network", "has_fields", "and", "or", "not"];

impl Condition {
    /// Reads the condition that a map holds under `key`; nothing when it has none.
    pub(crate) fn read(section: &Section<'_>, key: &'static str) -> Option<Condition> {
        section.is_set(key).then(|| Condition::of(&section.section(key))).flatten()
    }

    /// Reads a map with one kind of condition. Nested ones are read by recursion, which YAML's depth limit bounds.
    fn of(section: &Section<'_>) -> Option<Condition> {
        let keys = section.keys();
        let condition = match keys.as_slice() {
            [one] => KINDS.into_iter().find(|kind| kind == one).and_then(|kind| Condition::kind(section, kind)),
            [] => {
                section.fail("a condition is missing", Some(format!("use one of {}", KINDS.join(", "))));
                None
            }
            several => {
                let message = format!("a condition must be one of its kinds, these are {}", several.join(", "));
                section.fail(message, Some("put them in a list under 'and'".into()));
                None
            }
        };
        section.ignore(&KINDS);
        condition
    }

    fn kind(section: &Section<'_>, kind: &'static str) -> Option<Condition> {
        let node = section.get(kind)?;
        Some(match kind {
            "equals" => Condition::Equals(pairs(section, kind, "text, a whole number or a boolean", expected)),
            "contains" => Condition::Contains(pairs(section, kind, "text", |node| node.as_text().map(str::to_owned))),
            "regexp" => Condition::Regexp(pairs(section, kind, "a regular expression", |node| {
                Pattern::new(node.as_text()?).ok()
            })),
            "range" => Condition::Range(ranges(section)),
            "network" => Condition::Network(pairs(section, kind, "a network or a list of networks", networks)),
            "has_fields" => Condition::HasFields(section.texts(kind).iter().map(|name| Field::new(name)).collect()),
            "and" | "or" => {
                let inner = section.maps(kind);
                let inner: Vec<Condition> = inner.iter().filter_map(Condition::of).collect();
                if kind == "and" { Condition::And(inner) } else { Condition::Or(inner) }
            }
            _ => Condition::Not(Box::new(Condition::of(&Section::new(
                Some(node),
                section.name(kind),
                node.position,
                section.report(),
            ))?)),
        })
    }

    /// Whether it holds for an event.
    pub(crate) fn holds(&self, event: &Event) -> bool {
        match self {
            Condition::Equals(pairs) => all(event, pairs, |value, expected| expected.is(value)),
            Condition::Contains(pairs) => all(event, pairs, |value, text| any_text(value, |held| held.contains(text))),
            Condition::Regexp(pairs) => {
                all(event, pairs, |value, pattern| any_text(value, |held| pattern.is_match(held.as_bytes())))
            }
            Condition::Range(pairs) => all(event, pairs, |value, bounds| {
                number(value).is_some_and(|value| bounds.iter().all(|(bound, limit)| bound.holds(value, *limit)))
            }),
            Condition::Network(pairs) => all(event, pairs, |value, networks| {
                any_text(value, |held| {
                    let address = held.parse::<IpAddr>();
                    address.is_ok_and(|address| networks.iter().any(|network| network.contains(address)))
                })
            }),
            Condition::HasFields(fields) => fields.iter().all(|field| field.get(event).is_some()),
            Condition::And(inner) => inner.iter().all(|inner| inner.holds(event)),
            Condition::Or(inner) => inner.iter().any(|inner| inner.holds(event)),
            Condition::Not(inner) => !inner.holds(event),
        }
    }

    /// Whether it looks at fields that differ between plain lines of a file.
    pub(crate) fn varies(&self) -> bool {
        fn any<T>(pairs: &[(Field, T)]) -> bool {
            pairs.iter().any(|(field, _)| field.varies())
        }
        match self {
            Condition::Equals(pairs) => any(pairs),
            Condition::Contains(pairs) => any(pairs),
            Condition::Regexp(pairs) => any(pairs),
            Condition::Range(pairs) => any(pairs),
            Condition::Network(pairs) => any(pairs),
            Condition::HasFields(fields) => fields.iter().any(Field::varies),
            Condition::And(inner) | Condition::Or(inner) => inner.iter().any(Condition::varies),
            Condition::Not(inner) => inner.varies(),
        }
    }
}

fn all<T>(event: &Event, pairs: &[(Field, T)], holds: impl Fn(&Value, &T) -> bool) -> bool {
    pairs.iter().all(|(field, expected)| field.get(event).is_some_and(|value| holds(value, expected)))
}

/// Whether a text, or one of a list's, is as wanted.
fn any_text(value: &Value, wanted: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => wanted(text),
        Value::Array(items) => items.iter().filter_map(Value::as_str).any(wanted),
        _ => false,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    }
}

impl Expected {
    fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Expected::Int(expected), Value::Int(held)) => expected == held,
            (Expected::Bool(expected), Value::Bool(held)) => expected == held,
            (Expected::Text(expected), Value::String(held)) => expected == held.as_str(),
            _ => false,
        }
    }
}

fn expected(node: &Node) -> Option<Expected> {
    match node.scalar()? {
        Scalar::Int(number) => Some(Expected::Int(number)),
        Scalar::Bool(flag) => Some(Expected::Bool(flag)),
        Scalar::Text(text) => Some(Expected::Text(text.to_owned())),
        Scalar::Float(_) | Scalar::Null => None,
    }
}

fn networks(node: &Node) -> Option<Vec<Network>> {
    match &node.kind {
        Kind::List(items) => items.iter().map(|item| Network::parse(item.as_text()?)).collect(),
        _ => Some(vec![Network::parse(node.as_text()?)?]),
    }
}

/// The fields of a map with what is expected of each.
fn pairs<T>(
    section: &Section<'_>,
    kind: &'static str,
    wanted: &str,
    read: impl Fn(&Node) -> Option<T>,
) -> Vec<(Field, T)> {
    let entries = section.get(kind).map(fold_dots).unwrap_or_default();
    if entries.is_empty() {
        section.error(kind, format!("'{}' must be a map of fields", section.name(kind)), None);
    }
    let pair = |(name, node): (String, &Node)| match read(node) {
        Some(value) => Some((Field::new(&name), value)),
        None => {
            let message = format!("'{}.{name}' must be {wanted}, this is {}", section.name(kind), shown(node));
            let hint = (kind == "network").then(|| format!("a CIDR or one of {}", Network::NAMES.join(", ")));
            section.report().error(node.position, message, hint);
            None
        }
    };
    entries.into_iter().filter_map(pair).collect()
}

fn shown(node: &Node) -> String {
    node.as_text().map_or_else(|| node.type_name().to_owned(), |text| format!("'{text}'"))
}

/// `range`: names that end with the bound, `status.gte: 400`.
fn ranges(section: &Section<'_>) -> Vec<(Field, Vec<(Bound, f64)>)> {
    let mut ranges: Vec<(String, Vec<(Bound, f64)>)> = Vec::new();
    for (name, node) in section.get("range").map(fold_dots).unwrap_or_default() {
        let (field, bound) = name.rsplit_once('.').unwrap_or(("", &name));
        let bound = Bound::NAMES.iter().find(|(known, _)| *known == bound).map(|(_, bound)| *bound);
        let (Some(bound), false) = (bound, field.is_empty()) else {
            let message = format!("'{}.{name}' must end with gte, gt, lte or lt", section.name("range"));
            section.report().error(node.position, message, Some("for example: range: {status: {gte: 400}}".into()));
            continue;
        };
        let Some(limit) = node.as_f64() else {
            let message = format!("'{}.{name}' must be a number, this is {}", section.name("range"), shown(node));
            section.report().error(node.position, message, None);
            continue;
        };
        match ranges.iter_mut().find(|(known, _)| known == field) {
            Some((_, bounds)) => bounds.push((bound, limit)),
            None => ranges.push((field.to_owned(), vec![(bound, limit)])),
        }
    }
    ranges.into_iter().map(|(field, bounds)| (Field::new(&field), bounds)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::section::tests::with_section;
    use crate::processors::field::tests::event;

    fn read(yaml: &str) -> (Option<Condition>, Vec<String>) {
        with_section(&format!("when: {yaml}"), |section| Condition::read(section, "when"))
    }

    #[test]
    fn conditions_hold_as_in_filebeat() {
        let event = event(
            r#"{"message":"GET /health 200","status":404,"text":"404","user":"bot","on":true,"ip":"10.1.2.3",
                "tags":["a","beta"],"http":{"code":503.5},"x.y":1}"#,
        );
        for (yaml, wanted) in [
            ("{equals: {status: 404}}", true),
            ("{equals: {text: 404}}", false),
            ("{equals: {text: '404', user: bot}}", true),
            ("{equals: {on: true}}", true),
            ("{equals: {nope: 1}}", false),
            ("{contains: {message: health}}", true),
            ("{contains: {tags: eta}}", true),
            ("{regexp: {message: '^GET\\s'}}", true),
            ("{range: {status: {gte: 400, lt: 500}}}", true),
            ("{range: {http.code.gt: 504}}", false),
            ("{range: {text.lte: 404}}", true),
            ("{network: {ip: private}}", true),
            ("{network: {ip: [loopback, 10.1.0.0/16]}}", true),
            ("{has_fields: [x.y, http.code]}", true),
            ("{has_fields: [http.nope]}", false),
            ("{not: {equals: {user: bot}}}", false),
            ("{and: [{equals: {user: bot}}, {or: [{has_fields: [nope]}, {has_fields: [user]}]}]}", true),
        ] {
            let (condition, found) = read(yaml);
            assert_eq!((condition.unwrap().holds(&event), found), (wanted, vec![]), "{yaml}");
        }
    }

    #[test]
    fn what_is_no_condition_is_named() {
        for (yaml, message) in [
            ("{equals: {a: 1}, contains: {b: c}}", "a condition must be one of its kinds, these are equals, contains"),
            ("{equlas: {a: 1}}", "unknown key 'when.equlas'"),
            ("{equals: {a: 1.5}}", "'when.equals.a' must be text, a whole number or a boolean, this is '1.5'"),
            ("{range: {status: 400}}", "'when.range.status' must end with gte, gt, lte or lt"),
            ("{network: {ip: home}}", "'when.network.ip' must be a network or a list of networks, this is 'home'"),
            ("{not: {}}", "a condition is missing"),
        ] {
            assert_eq!(read(yaml).1, [message], "{yaml}");
        }
    }

    #[test]
    fn conditions_on_what_a_file_has_are_known() {
        assert!(!read("{or: [{contains: {log.file.path: x}}, {not: {has_fields: [a]}}]}").0.unwrap().varies());
        assert!(read("{and: [{equals: {a: 1}}, {regexp: {message: x}}]}").0.unwrap().varies());
    }
}
