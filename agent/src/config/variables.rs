//! Variables in values: `${NAME}`, `${NAME:default}`, `${NAME:?message}`; `$${` stands for `${` itself.
//!
//! A name is a key of the configuration (`${path.data}`), else an entry of the keystore, else an environment variable.

use tailrace_common::yaml::{self, Kind, Node};

use super::section::Report;

/// Where a value is looked up.
pub(crate) type Lookup<'l> = &'l dyn Fn(&str) -> Option<String>;

/// Defaults stand within defaults no deeper.
const DEEPEST: usize = 8;
/// A filled value is no longer.
const LONGEST: usize = 1 << 20;

/// Fills in everything. Names of `autodiscover` (`${data.container.id}`) are filled in later, per container.
pub(super) fn expand(whole: &mut Node, environment: Lookup<'_>, report: &Report) {
    let before = whole.clone();
    let lookup = |name: &str| {
        let own = name.split('.').try_fold(&before, |node, key| node.get(key));
        let own = own.and_then(Node::as_text).filter(|text| !text.contains("${"));
        own.filter(|_| name.contains('.')).map(str::to_owned).or_else(|| environment(name))
    };
    walk(whole, &lookup, report);
}

/// YAML's depth limit bounds the recursion.
fn walk(node: &mut Node, lookup: Lookup<'_>, report: &Report) {
    let position = node.position;
    match &mut node.kind {
        Kind::Scalar { text, plain } if text.contains("${") => match fill(text, lookup) {
            Ok(filled) => {
                let whole = is_one_variable(text);
                *text = filled;
                if whole {
                    *plain = true;
                    structure(node);
                }
            }
            Err(message) => report.error(position, message, None),
        },
        Kind::Scalar { .. } => {}
        Kind::List(items) => items.iter_mut().for_each(|item| walk(item, lookup, report)),
        Kind::Map(entries) => entries.iter_mut().for_each(|(_, value)| walk(value, lookup, report)),
    }
}

/// Whether a value is nothing but one variable: then it may be a number, a list or a map.
fn is_one_variable(text: &str) -> bool {
    text.starts_with("${") && matching_brace(&text[2..]).is_some_and(|end| end + 3 == text.len())
}

/// A list or map in the syntax of YAML becomes one.
fn structure(node: &mut Node) {
    let Kind::Scalar { text, .. } = &node.kind else { return };
    let trimmed = text.trim();
    let looks =
        (trimmed.starts_with('[') && trimmed.ends_with(']')) || (trimmed.starts_with('{') && trimmed.ends_with('}'));
    let Some(parsed) = looks.then(|| yaml::parse(trimmed).ok()).flatten() else { return };
    let position = node.position;
    let mut parsed = parsed.expand_dots();
    place(&mut parsed, &mut |at| *at = position);
    *node = parsed;
}

/// Changes the place of everything in a node.
pub(crate) fn place(node: &mut Node, change: &mut impl FnMut(&mut yaml::Position)) {
    change(&mut node.position);
    match &mut node.kind {
        Kind::Scalar { .. } => {}
        Kind::List(items) => items.iter_mut().for_each(|item| place(item, change)),
        Kind::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
            change(&mut key.position);
            place(value, change);
        }),
    }
}

/// Fills in what a target of `autodiscover` is: `${data.container.id}`. `lookup` is asked for what stands behind `data.`.
///
/// # Errors
/// What the target has not, in words.
pub(crate) fn fill_data(text: &str, lookup: Lookup<'_>) -> Result<String, String> {
    fill(&text.replace("${data.", "${"), lookup)
}

/// Fills in the variables of one text.
///
/// # Errors
/// What is missing, in words.
pub(super) fn fill(text: &str, lookup: Lookup<'_>) -> Result<String, String> {
    fill_within(text, lookup, DEEPEST)
}

fn fill_within(text: &str, lookup: Lookup<'_>, depth: usize) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let before = &rest[..start];
        let inside = &rest[start + 2..];
        if let Some(escaped) = before.strip_suffix('$') {
            out.push_str(escaped);
            out.push_str("${");
            rest = inside;
            continue;
        }
        out.push_str(before);
        let Some(end) = matching_brace(inside) else {
            return Err(format!("'${{' is not closed in '{text}'"));
        };
        out.push_str(&variable(&inside[..end], lookup, depth)?);
        if out.len() > LONGEST {
            return Err("the value is too long after its variables are filled in".to_owned());
        }
        rest = &inside[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// The value of what stands between the braces.
fn variable(inside: &str, lookup: Lookup<'_>, depth: usize) -> Result<String, String> {
    let (name, default) = inside.split_once(':').map_or((inside, None), |(name, default)| (name, Some(default)));
    if name.starts_with("data.") {
        return Ok(format!("${{{inside}}}"));
    }
    if depth == 0 {
        return Err(format!("more than {DEEPEST} defaults stand within each other at '{name}'"));
    }
    match (lookup(name), default) {
        (Some(value), _) => Ok(value),
        (None, None) => Err(format!("the variable '{name}' is not set and has no default")),
        (None, Some(default)) => match default.strip_prefix('?') {
            Some(message) => Err(format!("the variable '{name}' is not set: {message}")),
            None => fill_within(default, lookup, depth - 1),
        },
    }
}

/// Where the brace closes that was opened before the text.
fn matching_brace(text: &str) -> Option<usize> {
    let mut open = 1;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "A" => Some("1".into()),
            "LIST" => Some("[x, {y: 2}]".into()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_filled_in() {
        for (text, wanted) in [
            ("${A}", Ok("1")),
            ("x${A}y${A}", Ok("x1y1")),
            ("${B:default}", Ok("default")),
            ("${B:}", Ok("")),
            ("${B:${C:${A}}}", Ok("1")),
            ("${B:logs-%{[fields.env]}}", Ok("logs-%{[fields.env]}")),
            ("${B:http://x:1}", Ok("http://x:1")),
            ("$${A} costs $5", Ok("${A} costs $5")),
            ("${data.container.id}", Ok("${data.container.id}")),
            ("${data.kubernetes.labels.app:none}", Ok("${data.kubernetes.labels.app:none}")),
            ("${B}", Err("the variable 'B' is not set and has no default")),
            ("${B:?why}", Err("the variable 'B' is not set: why")),
            ("${B", Err("'${' is not closed in '${B'")),
        ] {
            assert_eq!(fill(text, &lookup), wanted.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn targets_fill_in_what_they_are() {
        let data = |name: &str| (name == "container.id").then(|| "abc".to_owned());
        assert_eq!(fill_data("/logs/*-${data.container.id}.log", &data), Ok("/logs/*-abc.log".to_owned()));
        assert_eq!(fill_data("${data.host:localhost}", &data), Ok("localhost".to_owned()));
        let missing = "the variable 'host' is not set and has no default".to_owned();
        assert_eq!(fill_data("${data.host}", &data), Err(missing));
    }

    #[test]
    fn values_may_be_lists_and_other_keys() {
        let mut node =
            yaml::parse("path: {home: /h}\na: ${LIST}\nb: '${A}'\nc: ${path.home}/x\nd: \"${LIST} \"").unwrap();
        let report = Report::default();
        expand(&mut node, &lookup, &report);
        assert_eq!(report.into_findings(), []);
        let wanted = yaml::parse("path: {home: /h}\na: [x, {y: 2}]\nb: 1\nc: /h/x\nd: '[x, {y: 2}] '").unwrap();
        assert_eq!(node, wanted);
        assert_eq!(node.get("a").unwrap().as_list().unwrap()[1].position.line, 2);
    }

    proptest! {
        #[test]
        fn any_text_is_filled_without_panic(text in "[${}:?A中. ]{0,40}") {
            fill(&text, &lookup).ok();
        }
    }
}
