use std::sync::Arc;

use super::lint;
use crate::lang::ast::Source;
use crate::lang::{ParseOptions, parse};

/// Code, marked text and message of every warning.
fn warnings(text: &str) -> Vec<(&'static str, String, String)> {
    let source = Arc::new(Source { name: "a.conf".into(), text: text.into() });
    let (config, errors) = parse(&source, ParseOptions::default());
    assert!(errors.is_empty(), "{errors:?}");
    lint(&config).into_iter().map(|found| (found.code, found.span.text().to_string(), found.message)).collect()
}

fn codes(text: &str) -> Vec<&'static str> {
    warnings(text).into_iter().map(|(code, ..)| code).collect()
}

#[test]
fn lists_of_one_element() {
    for (condition, found) in [
        (r#"[a] in ["x"]"#, true),
        (r#"[a] not in ['x']"#, true),
        (r#"!([a] in ["x"]) or [b]"#, true),
        ("[a] in [5]", true),
        (r#"[a] in ["x", "y"]"#, false),
        ("[a] in [b]", false),
        (r#""x" in [tags]"#, false),
    ] {
        let codes = codes(&format!("filter {{ if {condition} {{ drop {{ }} }} }}"));
        assert_eq!(codes, if found { vec!["one-element-list"] } else { vec![] }, "{condition}");
    }
}

#[test]
fn and_before_or_only_where_it_matters() {
    for (condition, found) in [
        ("[a] and [b] and [c] or [d]", true),
        ("[a] and [b] or [c]", false),
        ("[a] or [b] and [c]", false),
        ("[a] and ([b] or [c])", false),
        ("([a] and [b] and [c]) or [d]", false),
        ("[z] or [a] and [b] and [c] or [d]", true),
    ] {
        let codes = codes(&format!("filter {{ if {condition} {{ drop {{ }} }} }}"));
        assert_eq!(codes, if found { vec!["and-or-precedence"] } else { vec![] }, "{condition}");
    }
    let text = "filter { if [a] and [b] and [c] or [d] { drop { } } }";
    assert_eq!(warnings(text)[0].2, "Logstash reads this as [a] and ([b] and [c] or [d])");
}

#[test]
fn branches_that_are_never_taken() {
    let twice = r#"filter { if [a] == "x" { drop { } } else if [a]  == "x" { drop { } } }"#;
    assert_eq!(codes(twice), ["never-taken"]);
    assert_eq!(codes(r#"filter { if [a] == "x" and [a] == "y" { drop { } } }"#), ["never-taken"]);
    assert_eq!(codes(r#"filter { if [a] == "x" or [a] == "y" { drop { } } }"#), [""; 0]);
    assert_eq!(codes("filter { drop { } mutate { } }"), ["never-taken"]);
    assert_eq!(codes("filter { drop { percentage => 10 } mutate { } }"), [""; 0]);
}

#[test]
fn mutates_whose_order_matters() {
    for (options, found) in [
        (r#"gsub => ["a", "x", "y"] rename => { "a" => "b" }"#, true),
        (r#"rename => { "a" => "b" } gsub => ["b", "x", "y"]"#, false),
        (r#"gsub => ["a", "x", "y"] rename => { "c" => "b" }"#, false),
        (r#"copy => { "a" => "b" } lowercase => ["b"]"#, true),
        (r#"remove_field => ["k"] add_field => { "n" => "%{k}" }"#, true),
        (r#"add_field => { "n" => "%{k}" } remove_field => ["k"]"#, false),
        (r#"add_field => { "n" => "v" } replace => { "[n]" => "w" }"#, true),
        (r#"add_tag => ["t_%{k}"] remove_field => ["k"]"#, true),
    ] {
        let codes = codes(&format!("filter {{ mutate {{ {options} }} }}"));
        assert_eq!(codes, if found { vec!["mutate-order"] } else { vec![] }, "{options}");
    }
}

#[test]
fn references_that_are_slips() {
    let text = r#"filter {
        grok { match => { "message" => "%{IP:clientip} (?<verb>\w+)" } }
        mutate { add_field => { "a" => "%{clientp} %{verb} %{other_field} %{+YYYY} %{[a][b]}" } }
    }"#;
    let found = warnings(text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].2, "nothing sets the field clientp, so %{clientp} stays as it is written");
    assert_eq!(codes(r#"filter { if [clientp] { mutate { add_field => { "clientip" => "%{clientp}" } } } }"#), [""; 0]);
}
