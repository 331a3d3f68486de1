//! What is done to keys and values before they are taken: `trim_*`, `remove_char_*`, `transform_*`.

use std::borrow::Cow;

use tailrace_grok::{Budget, Options as RegexOptions, Regex, Scratch};

use super::class::Class;
use super::scan::TimedOut;
use crate::filters::mutate::strings::Case;
use crate::options::Options;

/// A text may take a regular expression this long, in milliseconds.
const BUDGET: Budget = Budget::millis(30_000);

#[derive(Default)]
pub(super) struct Cleaning {
    trim: Option<Characters>,
    remove: Option<Characters>,
    case: Option<Case>,
}

/// Characters that go: by the expression that Logstash makes of them, and as a set where that gives the same.
struct Characters {
    class: Option<Class>,
    regex: Box<Regex>,
}

impl Cleaning {
    /// Reads the options of these names: what is trimmed, what is removed, how letters change.
    pub(super) fn read(options: &mut Options<'_>, [trim, remove, transform]: [&'static str; 3]) -> Cleaning {
        let case = match options.one_of(transform, &["lowercase", "uppercase", "capitalize"], "") {
            "lowercase" => Some(Case::Lower),
            "uppercase" => Some(Case::Upper),
            "capitalize" => Some(Case::Capital),
            _ => None,
        };
        Cleaning {
            trim: characters(options, trim, |class| format!("^[{class}]+|[{class}]+$")),
            remove: characters(options, remove, |class| format!("[{class}]")),
            case,
        }
    }

    /// The text as it is taken.
    #[inline]
    pub(super) fn of<'t>(&self, text: &'t str, scratch: &mut Scratch) -> Result<Cow<'t, str>, TimedOut> {
        let mut text = Cow::Borrowed(text);
        if let Some(trim) = &self.trim {
            text = match (&trim.class, text) {
                // Of a text of several lines each is trimmed.
                (Some(class), Cow::Borrowed(whole)) if memchr::memchr(b'\n', whole.as_bytes()).is_none() => {
                    Cow::Borrowed(whole.trim_matches(|character| class.contains_char(character)))
                }
                (_, text) => without(&trim.regex, text, scratch)?,
            };
        }
        if let Some(remove) = &self.remove {
            text = match &remove.class {
                Some(class) if class.find(text.as_bytes(), 0) == text.len() => text,
                Some(class) => text.chars().filter(|character| !class.contains_char(*character)).collect(),
                None => without(&remove.regex, text, scratch)?,
            };
        }
        Ok(match self.case {
            Some(case) => Cow::Owned(case.of(&text)),
            None => text,
        })
    }
}

fn characters(
    options: &mut Options<'_>,
    option: &'static str,
    pattern: impl FnOnce(&str) -> String,
) -> Option<Characters> {
    let given = options.string(option)?;
    match Regex::new(&pattern(&given), RegexOptions::default()) {
        Ok(regex) => Some(Characters { class: Class::parse(&given), regex: Box::new(regex) }),
        Err(error) => {
            options.error_at(option, format!("'{given}' is no list of characters: {error}"));
            None
        }
    }
}

/// The text without what an expression finds.
fn without<'t>(regex: &Regex, text: Cow<'t, str>, scratch: &mut Scratch) -> Result<Cow<'t, str>, TimedOut> {
    let mut kept = String::new();
    let mut copied = 0;
    let mut found = regex.find_iter(text.as_bytes(), scratch, BUDGET);
    while let Some(captures) = found.next_captures().map_err(|_| TimedOut)? {
        let Some((start, end)) = captures.first().copied().flatten() else { break };
        kept.push_str(text.get(copied..start).unwrap_or_default());
        copied = end;
    }
    if copied == 0 {
        return Ok(text);
    }
    kept.push_str(text.get(copied..).unwrap_or_default());
    Ok(Cow::Owned(kept))
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::check;

    #[test]
    fn both_ways_of_cleaning() {
        for (config, event, expected) in [
            ("trim_value => \"<>\"", r#"{"message":"a=<1> b=>2<"}"#, r#"{"a":"1","b":"2"}"#),
            ("trim_value => \"0-9\"", r#"{"message":"a=12x3 b=4"}"#, r#"{"a":"x","b":""}"#),
            ("field_split => \"&\" trim_value => \",\"", r#"{"message":"a=,1,\n,2,"}"#, r#"{"a":"1\n2"}"#),
            ("trim_key => \"\\[\\]\"", r#"{"message":"[a]=1"}"#, r#"{"a":"1"}"#),
            ("remove_char_value => \"$,\"", r#"{"message":"a=$1,000"}"#, r#"{"a":"1000"}"#),
            ("remove_char_key => \"0-9\" transform_key => \"capitalize\"", r#"{"message":"a1B2=x"}"#, r#"{"Ab":"x"}"#),
        ] {
            check(&format!("kv {{ {config} remove_field => \"message\" }}"), event, &[expected]);
        }
    }
}
