//! Which lines belong to a stack trace: the built-in `auto` mode of multiline, for Java and its kin, Python, Go, Node,
//! .NET, Ruby and PHP.

/// Where in a trace we are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Trace {
    /// No trace has begun, but one may: Java, Node, .NET and Ruby only show by their second line.
    #[default]
    None,
    /// Among the indented frames of Python's traceback.
    PythonFrames,
    /// Behind Python's last line, `ValueError: ...`; another traceback may be chained to it.
    PythonEnd,
    /// Inside of Go's panic, whose goroutines are separated by blank lines.
    Go,
    /// Inside of PHP's `Stack trace:`.
    Php,
}

fn indented(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

fn contains(line: &[u8], part: &str) -> bool {
    memchr::memmem::find(line, part.as_bytes()).is_some()
}

fn starts_with_any(line: &[u8], parts: &[&str]) -> bool {
    parts.iter().any(|part| line.starts_with(part.as_bytes()))
}

/// A line that only ever stands inside of a trace, whatever the language.
fn is_frame(line: &[u8]) -> bool {
    let trimmed = line.trim_ascii_start();
    if indented(line) {
        let known =
            ["at ", "... ", "from ", "--- End of ", "---> ", "Caused by", "Suppressed:", "File \"", "thrown in "];
        return starts_with_any(trimmed, &known);
    }
    starts_with_any(line, &["Caused by:", "Suppressed:", "--- End of ", "Wrapped by:", "[CIRCULAR REFERENCE"])
}

fn is_php_frame(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    let line = line.strip_prefix(b"PHP ").unwrap_or(line).trim_ascii_start();
    line.starts_with(b"Stack trace:")
        || starts_with_any(line, &["thrown in ", "Next "])
        || (line.first() == Some(&b'#') && line.get(1).is_some_and(u8::is_ascii_digit))
        || line.first().is_some_and(u8::is_ascii_digit) && contains(line, ". ")
}

fn is_go_frame(line: &[u8]) -> bool {
    line.is_empty()
        || indented(line)
        || starts_with_any(line, &["goroutine ", "created by ", "[signal ", "exit status ", "panic(", "runtime"])
        || (line.ends_with(b")") && contains(line, "(") && contains(line, "."))
}

impl Trace {
    /// Looks at the first line of an event.
    pub(super) fn begin(&mut self, line: &[u8]) {
        *self = if contains(line, "Traceback (most recent call last):") {
            Trace::PythonFrames
        } else if starts_with_any(line, &["panic: ", "fatal error: ", "goroutine "]) {
            Trace::Go
        } else if contains(line, "PHP Fatal error") || contains(line, "PHP Warning") || contains(line, "Stack trace:") {
            Trace::Php
        } else {
            Trace::None
        };
    }

    /// Whether a line belongs to the event so far.
    pub(super) fn continues(&mut self, line: &[u8]) -> bool {
        if contains(line, "Traceback (most recent call last):")
            && (*self != Trace::None || line.starts_with(b"Traceback"))
        {
            *self = Trace::PythonFrames;
            return true;
        }
        match self {
            Trace::PythonFrames if indented(line) || line.is_empty() => true,
            Trace::PythonFrames => {
                // The exception itself ends the frames; its name holds no blank before the colon.
                *self = Trace::PythonEnd;
                true
            }
            Trace::PythonEnd => {
                let chained = ["During handling of the above", "The above exception was"];
                line.is_empty() || starts_with_any(line, &chained)
            }
            Trace::Go => is_go_frame(line),
            Trace::Php => is_php_frame(line),
            Trace::None => {
                if starts_with_any(line, &["Stack trace:", "PHP Stack trace:"]) {
                    *self = Trace::Php;
                    return true;
                }
                is_frame(line)
            }
        }
    }
}
