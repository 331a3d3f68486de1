//! Findings as text: for people, for machines, for CI.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use super::ast::Span;
use super::diagnostic::{Diagnostic, Severity};

/// Colours of the terminal, or none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Colours(pub bool);

impl Colours {
    pub(crate) fn paint(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// As rustc does it:
///
/// ```text
/// error[unknown-option]: unknown option 'mach' for 'grok'
///   --> pipeline.conf:3:5
///    |
///  3 |     mach => { "message" => "%{IP}" }
///    |     ^^^^
///    = hint: did you mean 'match'?
/// ```
pub fn human(diagnostic: &Diagnostic, colours: Colours) -> String {
    let (word, colour) = match diagnostic.severity {
        Severity::Error => ("error", "1;31"),
        Severity::Warning => ("warning", "1;33"),
    };
    let position = diagnostic.span.position();
    let (line, column) = excerpt(line_at(&diagnostic.span), position.column);
    let number = position.line.to_string();
    let margin = " ".repeat(number.len());
    let bar = colours.paint("1;34", "|");
    let head = colours.paint(colour, &format!("{word}[{}]", diagnostic.code));
    let before: String = line.chars().take(column - 1).map(|held| if held == '\t' { '\t' } else { ' ' }).collect();
    let carets = colours.paint(colour, &"^".repeat(width_on_line(&diagnostic.span, &line, column)));
    let mut out = format!("{head}: {}\n", colours.paint("1", &diagnostic.message));
    let arrow = colours.paint("1;34", "-->");
    let shown = [
        format!("{margin} {arrow} {}:{number}:{}", diagnostic.span.source.name, position.column),
        format!("{margin}  {bar}"),
        format!(" {} {bar} {line}", colours.paint("1;34", &number)),
        format!("{margin}  {bar} {before}{carets}"),
    ];
    for shown in shown {
        out.push_str(shown.trim_end());
        out.push('\n');
    }
    if let Some(hint) = &diagnostic.hint {
        // Writing to a String cannot fail.
        let _infallible = writeln!(out, "{margin}  {} {hint}", colours.paint("1;34", "= hint:"));
    }
    out
}

/// One JSON object.
pub fn json(diagnostic: &Diagnostic) -> serde_json::Value {
    let position = diagnostic.span.position();
    json!({
        "severity": match diagnostic.severity { Severity::Error => "error", Severity::Warning => "warning" },
        "code": diagnostic.code,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "file": diagnostic.span.source.name,
        "line": position.line,
        "column": position.column,
        "byte": position.byte,
        "text": diagnostic.span.text(),
    })
}

/// A line that GitHub shows as an annotation of the file.
pub fn github(diagnostic: &Diagnostic) -> String {
    let position = diagnostic.span.position();
    let word = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let escaped = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escaped(text).replace(':', "%3A").replace(',', "%2C");
    let hint = diagnostic.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!(
        "::{word} file={},line={},col={},title={}::{}",
        property(&diagnostic.span.source.name),
        position.line,
        position.column,
        property(diagnostic.code),
        escaped(&format!("{}{hint}", diagnostic.message)),
    )
}

/// JUnit's XML: one test case per file, its errors as failures, its warnings as output.
pub fn junit<'a>(files: impl Iterator<Item = (&'a Path, &'a [Diagnostic])>) -> String {
    let mut cases = String::new();
    let (mut count, mut failed) = (0, 0);
    for (path, findings) in files {
        count += 1;
        let (errors, warnings): (Vec<_>, Vec<_>) =
            findings.iter().partition(|finding| finding.severity == Severity::Error);
        failed += usize::from(!errors.is_empty());
        let text = |findings: &[&Diagnostic]| -> String {
            findings.iter().map(|finding| human(finding, Colours(false))).collect()
        };
        let mut inside = String::new();
        for (tag, findings) in [("failure", errors), ("system-out", warnings)] {
            if !findings.is_empty() {
                inside.push_str(&format!("<{tag}>{}</{tag}>", xml_escaped(&text(&findings))));
            }
        }
        let name = xml_escaped(&path.display().to_string());
        cases.push_str(&format!("  <testcase classname=\"check\" name=\"{name}\">{inside}</testcase>\n"));
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"tailrace check\" tests=\"{count}\" failures=\"{failed}\">\n{cases}</testsuite>\n"
    )
}

/// Text for XML; control characters, which XML cannot hold, are left out.
pub fn xml_escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    text.chars().filter(|character| !character.is_control() || matches!(character, '\n' | '\t')).collect()
}

/// The line that a span starts on.
fn line_at(span: &Span) -> &str {
    let text = &span.source.text;
    let start = text[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[span.start..].find('\n').map_or(text.len(), |newline| span.start + newline);
    text[start..end].trim_end_matches('\r')
}

/// A line as it is shown, and the column in it: of a long line only what is near.
fn excerpt(line: &str, column: usize) -> (Cow<'_, str>, usize) {
    const LONGEST: usize = 160;
    const BEFORE: usize = 60;
    let count = line.chars().count();
    if count <= LONGEST {
        return (Cow::Borrowed(line), column);
    }
    let start = column.saturating_sub(BEFORE).min(count - LONGEST);
    let part = line.chars().skip(start).take(LONGEST).collect::<String>();
    let (before, after) = (if start > 0 { "…" } else { "" }, if start + LONGEST < count { "…" } else { "" });
    (format!("{before}{part}{after}").into(), column - start + before.chars().count())
}

/// How many characters of its first line a span covers; at least one.
fn width_on_line(span: &Span, line: &str, column: usize) -> usize {
    let covered = span.text().lines().next().unwrap_or_default().chars().count();
    covered.min(line.chars().count().saturating_sub(column - 1)).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lang::ast::Source;

    fn finding() -> Diagnostic {
        let text = "filter {\n\tgrök { mach => 1 }\r\n}";
        let start = text.find("mach").unwrap_or_default();
        let source = Arc::new(Source { name: "a,b.conf".into(), text: text.into() });
        let span = Span { source, start, end: start + 4 };
        Diagnostic::error("unknown-option", &span, "unknown option 'mach'").with_hint("did you mean 'match'?")
    }

    #[test]
    fn for_people() {
        let wanted = "error[unknown-option]: unknown option 'mach'\n  --> a,b.conf:2:9\n   |\n 2 | \tgrök { mach => 1 }\n   | \t       ^^^^\n   = hint: did you mean 'match'?\n";
        assert_eq!(human(&finding(), Colours(false)), wanted);
        assert!(human(&finding(), Colours(true)).contains("\x1b[1;31merror[unknown-option]\x1b[0m"));
    }

    #[test]
    fn of_long_lines_a_part_is_shown() {
        let text = format!("{}mach{}", "x ".repeat(500), " y".repeat(500));
        let source = Arc::new(Source { name: "long.conf".into(), text });
        let span = Span { source, start: 1000, end: 1004 };
        let shown = human(&Diagnostic::error("unknown-option", &span, "unknown option 'mach'"), Colours(false));
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1], "  --> long.conf:1:1001");
        assert!(lines[3].contains('…') && lines[3].chars().count() < 180, "{shown}");
        let marked = lines[4].chars().zip(lines[3].chars()).filter(|(mark, _)| *mark == '^').map(|(_, letter)| letter);
        assert_eq!(marked.collect::<String>(), "mach");
    }

    #[test]
    fn for_machines() {
        let wanted =
            "::error file=a%2Cb.conf,line=2,col=9,title=unknown-option::unknown option 'mach' (did you mean 'match'?)";
        assert_eq!(github(&finding()), wanted);
        let value = json(&finding());
        assert_eq!(
            (value["line"].as_u64(), value["column"].as_u64(), value["text"].as_str()),
            (Some(2), Some(9), Some("mach"))
        );
    }

    #[test]
    fn a_finding_at_the_end_of_the_text_points_behind_it() {
        let source = Arc::new(Source { name: "x".into(), text: "filter {".into() });
        let finding = Diagnostic::error("syntax", &Span { source, start: 8, end: 8 }, "expected '}'");
        assert!(human(&finding, Colours(false)).ends_with(" 1 | filter {\n   |         ^\n"));
    }
}
