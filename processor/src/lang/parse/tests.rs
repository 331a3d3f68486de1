#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::lang::ast::{Condition, ConditionKind, LiteralKind, OperandKind, Plugin, Statement};

fn read(text: &str) -> (Config, Vec<Diagnostic>) {
    let source = Arc::new(Source { name: "test.conf".into(), text: text.into() });
    parse(&source, ParseOptions::default())
}

fn accepted(text: &str) -> bool {
    !has_errors(&read(text).1)
}

fn plugin(text: &str) -> Plugin {
    let (config, diagnostics) = read(&format!("filter {{ mutate {{ {text} }} }}"));
    assert!(diagnostics.is_empty(), "{text}: {diagnostics:?}");
    match config.sections.into_iter().next().unwrap().body.into_iter().next().unwrap() {
        Statement::Plugin(plugin) => plugin,
        Statement::Branch(_) => panic!("a branch"),
    }
}

/// The condition with its grouping made visible.
fn grouping(text: &str) -> String {
    fn shown(condition: &Condition) -> String {
        match &condition.kind {
            ConditionKind::Boolean(op, left, right) => {
                format!("({} {} {})", shown(left), format!("{op:?}").to_lowercase(), shown(right))
            }
            _ => condition.span.text().to_string(),
        }
    }
    let (config, diagnostics) = read(&format!("filter {{ if {text} {{ }} }}"));
    assert!(diagnostics.is_empty(), "{text}: {diagnostics:?}");
    match &config.sections[0].body[0] {
        Statement::Branch(branch) => shown(&branch.arms[0].condition),
        Statement::Plugin(_) => panic!("a plugin"),
    }
}

#[test]
fn what_logstash_takes_and_refuses() {
    for (text, wanted) in [
        ("", true),
        ("# only a comment", true),
        ("filter{}output{}filter{}", true),
        ("filter { mutate { } } # no newline", true),
        ("filter { mutate {\r\n add_tag => [ \"a\" ]\r\n } }", true),
        ("\u{feff}filter { }", false),
        ("filter { \"mutate\" { \"add_tag\" => \"ab\" } }", true),
        ("filter { mutate { add_tag => x } }", false),
        ("filter { mutate { add_tag => xy } }", true),
        ("filter { mutate { add_tag => my-tag } }", false),
        ("filter { mutate { add_tag => \"a\", id => \"b\" } }", false),
        ("filter { mutate { add_tag => \"a\"id => \"b\" } }", false),
        ("filter { mutate { add_tag = > \"a\" } }", false),
        ("filter { mutate { add_tag => [\"a\",] } }", false),
        ("filter { mutate { add_tag => [\"a\" \"b\"] } }", false),
        ("filter { mutate { add_tag => [] } }", true),
        ("filter { mutate { rename => { \"a\" => \"b\", \"c\" => \"d\" } } }", false),
        ("filter { mutate { rename => { \"a\" => \"b\" # comment\n \"c\" => \"d\" } } }", true),
        ("filter { mutate { rename => { \"a\" => \"b\" \"a\" => \"d\" } } }", false),
        ("filter { mutate { x => 5. y => -1.25 z1 => 07 } }", true),
        ("filter { mutate { x => \"C:\\dir\\\" } }", false),
        ("filter { mutate { x => \"[\\\\]\" y => 'it' } }", true),
        ("filter { if [a] { } else if [b] { } else { } }", true),
        ("filter { if [a] { } elsif [b] { } }", false),
        ("filter { if [a] && [b] { } }", false),
        ("filter { if [a] == true { } }", false),
        ("filter { if not [a] { } }", false),
        ("filter { if [a] AND [b] { } }", false),
        ("filter { if !\"a\" in [l] { } }", false),
        ("filter { if !![a] { } }", false),
        ("filter { if ! [t]==\"x\" { } }", false),
        ("filter { if !([t]==\"x\") { } }", true),
        ("filter { if ![a] and !( [b] or [c] ) { } }", true),
        ("filter { if [a] =~ /x/i { } }", false),
        ("filter { if [a] =~ /a\\/b/ or [a] !~ \"x\" { } }", true),
        ("filter { if [a] in [\"x\", \"y\"] and \"z\" not in [b] { } }", true),
        ("filter { if [a] xor [b] { } }", true),
        ("filter { if [a] xor [b] and [c] { } }", false),
        ("filter { if [a]{mutate{}}else{drop{}} }", true),
        ("input { stdin { codec => json { charset => \"UTF-8\" } } }", true),
        ("filter { mutate { } ", false),
        ("filter { mutate { } } }", false),
        ("filter { mutate { x => \"${A:b}\" } }", true),
        ("filter { mutate { x => ${A} } }", false),
    ] {
        assert_eq!(accepted(text), wanted, "{text}: {:?}", read(text).1);
    }
}

#[test]
fn values_keep_their_text() {
    let plugin = plugin(
        r#"one => "x\"y" two => 'a"b' three => -5. four => word five => [1, [2]] six => { "k" => v1 7 => {} } seven => json { a1 => b2 }"#,
    );
    let kinds: Vec<_> = plugin.attributes.iter().map(|attribute| &attribute.value.kind).collect();
    assert!(matches!(kinds[0], LiteralKind::String(text) if text == r#"x\"y"#));
    assert!(matches!(kinds[1], LiteralKind::String(text) if text == "a\"b"));
    assert!(matches!(kinds[2], LiteralKind::Number(text) if text == "-5."));
    assert!(matches!(kinds[3], LiteralKind::Bareword(text) if text == "word"));
    assert!(matches!(kinds[4], LiteralKind::Array(items) if items.len() == 2));
    assert!(matches!(kinds[5], LiteralKind::Hash(entries) if entries.len() == 2));
    assert!(matches!(kinds[6], LiteralKind::Plugin(inner) if inner.name == "json" && inner.attributes.len() == 1));
    assert_eq!(plugin.attributes[5].value.span.text(), r#"{ "k" => v1 7 => {} }"#);
}

#[test]
fn escapes_are_processed_where_they_are_supported() {
    let text = r#"filter { mutate { x => "a\tb\"c\d" } }"#;
    let source = Arc::new(Source { name: "t".into(), text: text.into() });
    let (config, _) = parse(&source, ParseOptions { support_escapes: true });
    let Statement::Plugin(plugin) = &config.sections[0].body[0] else { panic!("no plugin") };
    assert!(matches!(&plugin.attributes[0].value.kind, LiteralKind::String(text) if text == "a\tb\"c\\d"));
}

#[test]
fn operators_group_as_logstash_groups_them() {
    for (text, wanted) in [
        ("[a] and [b] or [c]", "(([a] and [b]) or [c])"),
        ("[a] or [b] and [c]", "([a] or ([b] and [c]))"),
        ("[a] and [b] and [c] or [d]", "([a] and (([b] and [c]) or [d]))"),
        ("[a] or [b] and [c] or [d]", "([a] or (([b] and [c]) or [d]))"),
        ("[a] and [b] and [c]", "([a] and ([b] and [c]))"),
        ("([a] or [b]) and [c]", "(([a] or [b]) and [c])"),
    ] {
        assert_eq!(grouping(text), wanted, "{text}");
    }
}

#[test]
fn a_list_of_one_reads_as_a_field() {
    let (config, _) = read("filter { if [a] in [\"one\"] { } }");
    let Statement::Branch(branch) = &config.sections[0].body[0] else { panic!("no branch") };
    let ConditionKind::In { right, .. } = &branch.arms[0].condition.kind else { panic!("no in") };
    assert!(matches!(&right.kind, OperandKind::Field(text) if text == "[\"one\"]"));
}

#[test]
fn errors_say_where_and_several_are_found() {
    let (config, diagnostics) = read(
        "filter {\n  mutate { add_tag = \"x\" }\n}\noutput { null { } }\ninput {\n  stdin { type => \"a\", }\n}\n",
    );
    let places: Vec<_> =
        diagnostics.iter().map(|found| (found.span.position().line, found.span.position().column)).collect();
    assert_eq!(places, [(2, 20), (6, 22)]);
    assert_eq!(diagnostics[0].message, "expected '=>', found '='");
    assert_eq!(config.sections.len(), 1);
}

#[test]
fn depth_is_limited() {
    for (open, close) in [("[", "]"), ("{ \"a\" => ", "}")] {
        let text = format!("filter {{ mutate {{ x => {}{} }} }}", open.repeat(100_000), close.repeat(100_000));
        assert!(!accepted(&text));
    }
    assert!(!accepted(&format!("filter {{ if {}[a]{} {{ }} }}", "(".repeat(100_000), ")".repeat(100_000))));
    assert!(!accepted(&format!("filter {{ {}", "if [a] { ".repeat(100_000))));
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "(filter|input|if|else|mutate|and|in|not|[\\[\\]{}()!=<>~/\"'\\\\#, \na1$é-])*") {
        read(&text);
        read(&format!("filter {{ {text}"));
    }
}
