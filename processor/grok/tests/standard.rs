//! The standard patterns.

#![allow(clippy::unwrap_used)]

use tailrace_grok::{Budget, Grok, GrokError, GrokOptions, PatternSet, Scratch};

fn fields(patterns: &PatternSet, pattern: &str, text: &str) -> Vec<(String, String)> {
    let grok = Grok::compile(patterns, pattern, &GrokOptions::default()).unwrap();
    let mut spans = Vec::new();
    grok.captures(text.as_bytes(), &mut Scratch::default(), Budget::UNLIMITED, &mut spans).unwrap();
    grok.fields()
        .iter()
        .zip(spans)
        .filter_map(|(field, span)| span.map(|(a, b)| (field.name.clone(), text[a..b].to_owned())))
        .collect()
}

#[test]
fn every_standard_pattern_compiles() {
    for set in [PatternSet::legacy(), PatternSet::ecs_v1()] {
        for name in set.names() {
            let grok = match Grok::compile(&set, &format!("%{{{name}}}"), &GrokOptions::default()) {
                Ok(grok) => grok,
                Err(error) => panic!("{name}: {error}"),
            };
            // The program is made when it first runs.
            let found = grok.regex().is_match(b"x", &mut Scratch::default(), Budget::UNLIMITED);
            assert!(found.is_ok(), "{name} has a program");
        }
    }
}

#[test]
fn the_standard_sets_are_complete() {
    assert_eq!((PatternSet::legacy().len(), PatternSet::ecs_v1().len()), (318, 361));
    assert_eq!(PatternSet::ecs_v1().source("QS"), Some(("grok-patterns", 89)));
}

#[test]
fn combined_apache_log() {
    let line = r#"203.0.113.7 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif?x=1 HTTP/1.1" 200 2326 "http://example.com/start" "Mozilla/5.0 (X11)""#;
    let found = fields(&PatternSet::legacy(), "%{COMBINEDAPACHELOG}", line);
    let expected = [
        ("clientip", "203.0.113.7"),
        ("ident", "-"),
        ("auth", "frank"),
        ("timestamp", "10/Oct/2000:13:55:36 -0700"),
        ("verb", "GET"),
        ("request", "/a.gif?x=1"),
        ("httpversion", "1.1"),
        ("response", "200"),
        ("bytes", "2326"),
        ("referrer", "\"http://example.com/start\""),
        ("agent", "\"Mozilla/5.0 (X11)\""),
    ];
    let expected: Vec<_> = expected.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    assert_eq!(found, expected);
}

#[test]
fn errors_point_at_the_named_pattern_that_is_wrong_by_itself() {
    let cases = [
        ("OPEN (a|b", "%{OPEN:x} y", 0),
        ("CLOSED a)b", "%{CLOSED:x} y", 1),
        ("SLASH a\\", "%{SLASH}", 1),
        ("CLASS x[a", "%{CLASS} [b]", 1),
        ("STAR *", "%{STAR}", 0),
        ("NUMBER_FIRST %{INT}+*(?<1>)", "%{NUMBER_FIRST}", 8),
    ];
    for (line, pattern, position) in cases {
        let mut patterns = PatternSet::legacy();
        patterns.add_text("mine", &format!("# first\n{line}\n"));
        patterns.add("AROUND", pattern);
        for given in [pattern, "%{INT:i} %{AROUND}"] {
            let error = Grok::compile(&patterns, given, &GrokOptions::default()).unwrap_err();
            let GrokError::Syntax { origin, .. } = &error else { panic!("{given}: {error}") };
            assert_eq!((&origin.file, origin.position), (&Some(("mine".to_owned(), 2)), position), "{given}: {error}");
        }
    }
    // A reference may lead out of the named pattern.
    let mut patterns = PatternSet::empty();
    patterns.add("AGAIN", "\\k<word>");
    let error = Grok::compile(&patterns, "(?<word>a)%{AGAIN}(", &GrokOptions::default()).unwrap_err();
    assert!(error.to_string().ends_with("(in the pattern, byte 18)"), "{error}");
}
