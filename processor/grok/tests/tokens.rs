//! Parts that an automaton decides match as they do without one, and as Oniguruma's do.

#![allow(clippy::unwrap_used)]

use tailrace_grok::{Budget, Captures, Grok, GrokOptions, Options, PatternSet, Regex, Scratch};

fn fast(regex: &Regex, text: &str) -> Option<Captures> {
    let mut captures = Vec::new();
    let budget = Budget::UNLIMITED;
    let found = regex.captures_at(text.as_bytes(), 0, &mut captures, &mut Scratch::default(), budget).unwrap();
    found.then_some(captures)
}

fn careful(regex: &Regex, text: &str) -> Option<Captures> {
    let mut captures = Vec::new();
    let found = regex.captures_carefully(text.as_bytes(), 0, &mut captures, &mut Scratch::default()).unwrap();
    found.then_some(captures)
}

fn native(regex: &Regex, text: &str) -> Option<Option<Captures>> {
    let mut captures = Vec::new();
    let found = regex.captures_natively(text.as_bytes(), 0, &mut captures, &mut Scratch::default())?;
    Some(found.then_some(captures))
}

fn oniguruma(pattern: &str, text: &str) -> Option<Captures> {
    let options = onig::RegexOptions::REGEX_OPTION_MULTILINE;
    let regex = onig::Regex::with_options(pattern, options, onig::Syntax::ruby()).unwrap();
    let captures = regex.captures(text)?;
    Some(captures.iter_pos().collect())
}

/// Compares the whole match and the named groups, or all groups when none has a name.
fn agree(pattern: &str, regex: &Regex, text: &str) {
    let named = regex.group_names().iter().any(Option::is_some);
    let wanted = |groups: Option<Captures>| -> Option<Captures> {
        let kept = |at: usize| at == 0 || !named || regex.group_names()[at].is_some();
        groups.map(|groups| groups.into_iter().enumerate().filter(|(at, _)| kept(*at)).map(|(_, span)| span).collect())
    };
    let expected = wanted(oniguruma(pattern, text));
    assert_eq!(wanted(fast(regex, text)), expected, "{pattern} on {text:?}");
    assert_eq!(wanted(careful(regex, text)), expected, "{pattern} carefully on {text:?}");
    if let Some(found) = native(regex, text) {
        assert_eq!(wanted(found), expected, "{pattern} natively on {text:?}");
    }
}

fn agree_all(patterns: &[&str], texts: &[&str]) {
    let options = Options { multi_line: true, ..Options::default() };
    for pattern in patterns {
        let regex = Regex::new(pattern, options).unwrap();
        texts.iter().for_each(|text| agree(pattern, &regex, text));
    }
}

#[test]
fn standard_tokens_in_their_surroundings() {
    let long = format!("{}.{}", "a".repeat(70), "b".repeat(62));
    let long_user = format!("{}@example.com", "u.".repeat(40));
    let words = [
        "10.1.2.3",
        "256.1.1.1",
        "1.2.3",
        "1.2.3.4.5",
        "fe80::1",
        "fe80::1%eth0",
        "1:2:3:4:5:6:7:8",
        "::ffff:1.2.3.4",
        "a.example.com",
        "a.example.com.",
        "-a",
        "a-",
        "a..b",
        "é.example",
        "aé",
        &long,
        "john@example.com",
        &long_user,
        "-",
        "1.5",
        "1.",
        ".5",
        "+1.x",
        "-12e3",
        "10/Oct/2000:13:55:36 -0700",
        "1/März/2000:1:2:60,5 +0",
        "Oct  3 10:00:00",
        "2024-01-02T03:04:05.678+01:00",
        "\"a \\\" b\"",
        "\"\"",
        "\"é\\é\"",
        "'x' \"y\"",
        "`z",
        "com.example.Foo$Bar",
        "WARNING",
        "Warn",
        "/a/b?c=d",
        "00:1B:44:11:3A:B7",
        "",
    ];
    let names = [
        "IPORHOST",
        "IP",
        "IPV6",
        "HOSTNAME",
        "HTTPDUSER",
        "NUMBER",
        "BASE16FLOAT",
        "HTTPDATE",
        "SYSLOGTIMESTAMP",
        "TIMESTAMP_ISO8601",
        "QS",
        "JAVACLASS",
        "LOGLEVEL",
        "URIPATHPARAM",
        "MAC",
        "EMAILADDRESS",
        "UNIXPATH",
    ];
    let forms = [
        "%{N:x} ",
        "\\[%{N:x}\\]",
        "^%{N:x}$",
        "%{N:x}(?:,%{N:y})* %{NOTSPACE:z}",
        "(?:%{N:x}|-) %{NOTSPACE:y}",
        "%{N:x}%{WORD:y}",
    ];
    let patterns = PatternSet::legacy();
    for name in names {
        for form in forms {
            let form = form.replace("{N:", &format!("{{{name}:"));
            let grok = Grok::compile(&patterns, &form, &GrokOptions::default()).unwrap();
            for word in words {
                for text in
                    [format!("{word} x"), format!("[{word}]"), format!("é{word}"), format!("{word},{word} {word}é")]
                {
                    // Oniguruma's \w takes letters past ASCII, Logstash's does not.
                    agree(&grok.expanded().replace("\\w", "[0-9A-Za-z_]"), grok.regex(), &text);
                }
            }
        }
    }
}

#[test]
fn atomic_groups_take_their_first_way_only() {
    let patterns = [
        "(?<x>(?>a|ab))c",
        "(?<x>(?>ab|a))(?<y>b?)c",
        "(?<x>(?>[0-9]+(?:[.][0-9]+)?|[.][0-9]+)) ",
        "(?<x>(?>a+|b)+)c",
        "(?<x>(?>(?:a|aa)|b)c?)[ab]",
        "(?<x>(?>a(?:b|bc))d?)c",
    ];
    agree_all(&patterns, &["abc", "ac", "aac", "aabc", "abcd", "1.5 ", "1. ", "1.x 2 ", "aabbc", "aab", "bc"]);
}

#[test]
fn characters_past_ascii_are_whole() {
    let patterns = [
        "(?<x>(?:é|e)+)!",
        "(?<x>[^\"]+[^']+)\"",
        "\"(?<x>(?:\\\\.|[^\"\\\\])*)\"",
        "(?<x>\\b(?:a|é)\\b)[^a]",
        "(?<x>(?:[^ ]|,x)+) ",
        "(?<x>(?:a|b)(?![é]))",
        "(?<x>(?:ab?|c)(?<!é))é",
    ];
    agree_all(&patterns, &["éee!", "é\"", "\"é\\é\\\"é\"", "é é", "aé", "abé", "中文 ", "中文", "\"中", "a é"]);
}

#[test]
fn groups_of_ways_not_taken_are_empty() {
    let patterns = [
        "(?:(?<a>x)y|(?<b>x)z)w?",
        "(?:(?<a>x)|(?<b>y))?(?<c>z)?!",
        "(?:(?<a>x+)(?<b>y)?|(?<c>.))z",
        "(?:(?<a>a)|(?<b>b)|(?<c>c))d|(?<d>.*)",
        "(?:(?<a>a)|b)*c",
        "(?:(?<a>.)(?:(?<b>b)|(?<c>c))?)?d",
        "(?<a>a)??(?<b>.)?b",
    ];
    agree_all(
        &patterns,
        &["xy", "xz", "xzw", "!", "xz!", "y!", "xxyz", "xxz", "bd", "ax", "abc", "abbac", "acd", "abd", "ab", "b"],
    );
}

#[test]
fn a_required_round_of_a_loop_may_fail_at_the_end_of_the_pattern() {
    agree_all(&["(?:[0-9]a?[0-9]?){2}", "(?:[0-9][0-9]?){3}", "([0-9][0-9]?){60}"], &["11_", "1a1", "123", "12_3"]);
}

#[test]
fn what_succeeded_inside_of_an_atomic_group_may_be_tried_again() {
    let patterns =
        ["(?:[^a]*?[0-9a-z]$|[0-9]??1.*?[^a]*+)*+[ \n]{0,3}a{1,2}a?", "(?:(?>a*b?)c?)+d", "(?>(?:a|b)*?b)c|b"];
    agree_all(&patterns, &["b a\nbca111", "aabcabd", "aabcab", "abab", "abbc"]);
}
