//! What broke once: pattern, text, and what Oniguruma finds.

#![allow(clippy::unwrap_used)]

use tailrace_grok::{Budget, Captures, Options, Regex, Scratch};

fn captures(pattern: &str, text: &str) -> Captures {
    let regex = Regex::new(pattern, Options::default()).unwrap();
    let (mut scratch, mut fast, mut carefully) = (Scratch::default(), Captures::new(), Captures::new());
    regex.captures_at(text.as_bytes(), 0, &mut fast, &mut scratch, Budget::UNLIMITED).unwrap();
    if regex.captures_carefully(text.as_bytes(), 0, &mut carefully, &mut scratch).is_some() {
        assert_eq!(fast, carefully, "the linear program differs");
    }
    let mut natively = Captures::new();
    if regex.captures_natively(text.as_bytes(), 0, &mut natively, &mut scratch).is_some() {
        assert_eq!(fast, natively, "native code differs");
    }
    fast
}

#[test]
fn rounds_that_are_due_get_characters_back_from_those_before() {
    let pattern = r"(?:[+-]?[0-9]+){1,3}(,(?:[+-]?[0-9]+){3})*";
    assert_eq!(captures(pattern, "26,+685806-262"), [Some((0, 14)), Some((2, 14))]);
    assert_eq!(captures(r"(?:(?:-1)\B){1,2}", "x-1-1"), []);
    assert_eq!(captures(r"(?:a+b?){40}", &"a".repeat(60)), [Some((0, 60))]);
    assert_eq!(captures(r"(?:(?:-1)Ac+?){2,}", "-1Acccc-1Ac-1Accccb"), [Some((0, 15))]);
}

#[test]
fn a_greedy_repetition_of_a_lazy_one_takes_all_it_can() {
    assert_eq!(captures(r"(?:a+?)+", "aaab"), [Some((0, 3))]);
    assert_eq!(captures(r"(?:a+?)*b?", "aaab"), [Some((0, 4))]);
    assert_eq!(captures(r"(?:a+?)+?", "aaab"), [Some((0, 1))]);
}

#[test]
fn raised_digits_and_fractions_are_of_words_at_boundaries_only() {
    for c in ["\u{b2}", "\u{b3}", "\u{b9}", "\u{bc}", "\u{bd}", "\u{be}"] {
        assert_eq!(captures(r"b\B.", &format!("b{c}")), [Some((0, 3))], "{c}");
        assert_eq!(captures(r"[[:word:]]", c), [], "{c}");
    }
    assert_eq!(captures(r"b\b.", "b\u{b7}"), [Some((0, 3))]);
}

/// Runs of everything note which of their ends were tried; what lies before the first or after the last is new.
#[test]
fn ends_of_runs_that_were_not_tried_are() {
    let lazy = r"a((?m:.*?)) ((?m:.*?)) (\d)";
    assert_eq!(captures(lazy, "a b c d 5"), [Some((0, 9)), Some((1, 1)), Some((2, 7)), Some((8, 9))]);
    assert_eq!(captures(lazy, "a b\na c d"), []);
    let both = r"((?m:.*))=((?m:.*?)) (\d)";
    assert_eq!(captures(both, "k=v 1 l=w x"), [Some((0, 5)), Some((0, 1)), Some((2, 3)), Some((4, 5))]);
    let greedy = r"((?m:.*?))=((?m:.*)),(\d)";
    assert_eq!(captures(greedy, "k=v,l=w,1,x"), [Some((0, 9)), Some((0, 1)), Some((2, 7)), Some((8, 9))]);
    let starts = r"[ab]((?m:.*)),(\d)(?m:.*?)z";
    assert_eq!(captures(starts, "a,b,1z,2,"), [Some((0, 6)), Some((1, 3)), Some((4, 5))]);
    assert_eq!(captures(starts, "ab,x,b,1"), []);
}

/// A round that takes nothing comes to places again where it has not failed yet.
#[test]
fn the_linear_program_goes_through_rounds_that_take_nothing() {
    let all = Some((0, 2));
    assert_eq!(captures(r"((a)+|(b|bc)*)+$", "bc"), [all, Some((2, 2)), None, all]);
    let end = Some((2, 2));
    assert_eq!(captures(r"(?>((b|bc)*)+)$", "bc"), [end, end, None]);
}

/// A round that takes nothing ends a lazy loop with an end, and one that is not written out.
#[test]
fn rounds_that_are_due_may_end_a_loop() {
    assert_eq!(captures(r"a(?:(?<x>)|\D1){1,3}?(?<!a)", "-aa'1"), [Some((2, 5)), None]);
    assert_eq!(captures(r"[]a](?:b{2}(?=-c)|(?:(?<x>|ab*\G)|\D1)){1,3}?(?<!a)", "-aa'1"), [Some((2, 5)), None]);
}

#[test]
fn groups_repeated_no_times_can_be_called() {
    assert_eq!(captures(r"(?<x>a+){0}b\g<x>", "baa"), [Some((0, 3)), Some((1, 3))]);
}

#[test]
fn what_is_not_supported_says_so() {
    let error = |pattern: &str| Regex::new(pattern, Options::default()).unwrap_err();
    for (pattern, position) in [(r"(?<x>a)\k<x+0>", 7), (r"(a)\k<1-1>", 3), ("b(?~a)", 1)] {
        assert!(error(pattern).message.ends_with("is not supported"), "{}", error(pattern));
        assert_eq!(error(pattern).position, position);
    }
    assert!(error(r"(?<x>a)\k<y+0>").message.contains("no group named 'y+0'"));
}

#[test]
fn octal_escapes_are_bytes() {
    assert_eq!(captures(r"\303\251+[\303\250]", "ééè"), [Some((0, 6))]);
    assert_eq!(captures(r"\101\xC3\251", "Aé"), [Some((0, 3))]);
    for pattern in [r"\211", r"[\211]", r"\400", r"\303x", r"\303\x41"] {
        assert!(Regex::new(pattern, Options::default()).is_err(), "{pattern}");
    }
}

/// Where the library Oniguruma finds nothing, though there is a match.
#[test]
fn matches_that_the_library_misses() {
    assert_eq!(captures(r"\B.+bb", "e1bb"), [Some((1, 4))]);
    assert_eq!(captures(r"(b)(?(1)bx)a", "bbxa"), [Some((0, 4)), Some((0, 1))]);
    assert_eq!(captures(r"(é)(?(1)é x)a", "éé xa"), [Some((0, 7)), Some((0, 2))]);
}

#[test]
fn ascii_classes_take_no_notice_of_case_folding() {
    assert_eq!(captures(r"(?i:\W)", "\u{17f}"), [Some((0, 2))]);
    assert_eq!(captures(r"(?i:\w)", "\u{17f}"), []);
}

#[test]
fn a_long_number_refers_to_a_group_only_when_so_many_were_opened_before() {
    let conditions = format!(r"(a){}\10", "(?(1)b)".repeat(9));
    assert_eq!(captures(&conditions, "abbbbbbbbb\u{8}"), [Some((0, 11)), Some((0, 1))]);
    let later = format!(r"\10{}", "()".repeat(10));
    assert_eq!(captures(&later, "\u{8}").first(), Some(&Some((0, 1))));
    let before = format!(r"(a){}\10", "(b)".repeat(9));
    assert_eq!(captures(&before, "abbbbbbbbbb").first(), Some(&Some((0, 11))));
}

#[test]
fn runs_that_lead_nowhere_are_counted() {
    let text = vec![b'a'; 300_000];
    let budget = Budget::millis(60_000);
    for pattern in [r"\S+[ \t]", r"(\S+)[ \t]", r"a.*?[bc]", r"a[^d]*?[bc]", r"(?m)a.*[bc]", r"(?m)(a.*?)(?:bc|ce)"] {
        let regex = Regex::new(pattern, Options::default()).unwrap();
        assert_eq!(regex.is_match(&text, &mut Scratch::default(), budget), Ok(false), "{pattern}");
    }
}

#[test]
fn texts_that_a_lazy_run_looks_for_in_vain_are_counted() {
    let text = format!("{}d", "xb".repeat(200_000));
    let regex = Regex::new(r"(?m)x(?:.*?ab|c)d", Options::default()).unwrap();
    // Native code gives up, whatever else does.
    let (mut scratch, mut captures) = (Scratch::default(), Captures::new());
    assert_eq!(regex.captures_natively(text.as_bytes(), 0, &mut captures, &mut scratch), None);
    assert_eq!(regex.is_match(text.as_bytes(), &mut scratch, Budget::millis(60_000)), Ok(false));
}
