//! `${NAME}` and `${NAME:default}` in configurations (`util/substitution_variables.rb`).

use std::env::VarError;

/// Fills in every `${NAME}` and `${NAME:default}`: by `lookup`, else by the default, which may be empty. What only looks
/// like a variable stays as it is.
///
/// # Errors
/// A message when a variable has neither value nor default.
pub fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some((name, default, length)) = variable(rest) else {
            out.push_str("${");
            rest = &rest[2..];
            continue;
        };
        match lookup(name).or_else(|| default.map(str::to_string)) {
            Some(value) => out.push_str(&value),
            None => return Err(format!("the variable '{name}' is not set and has no default")),
        }
        rest = &rest[length..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Name, default and length of the variable that `text` starts with.
fn variable(text: &str) -> Option<(&str, Option<&str>, usize)> {
    let inside = text.strip_prefix("${")?;
    let end = inside.find('}')?;
    let (name, default) = match inside[..end].split_once(':') {
        Some((name, default)) => (name, Some(default)),
        None => (&inside[..end], None),
    };
    is_name(name).then_some((name, default, end + 3))
}

/// Whether a variable may be called so.
pub fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.'));
    starts && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
}

/// The environment; a value that is not UTF-8 counts as not set.
pub fn environment(name: &str) -> Option<String> {
    match std::env::var(name) {
        Ok(value) => Some(value),
        Err(VarError::NotPresent) => None,
        Err(VarError::NotUnicode(_)) => {
            tracing::warn!(variable = name, "the environment variable is not valid UTF-8 and counts as not set");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_defaults_and_what_only_looks_like_one() {
        let lookup = |name: &str| (name == "HOST").then(|| "es1".to_string());
        for (text, wanted) in [
            ("http://${HOST}:${PORT:9200}/", Ok("http://es1:9200/".to_string())),
            ("${HOST:other}${P:}", Ok("es1".into())),
            ("${a-b} $HOST ${ %{x}", Ok("${a-b} $HOST ${ %{x}".into())),
            ("${X:http://a:1}", Ok("http://a:1".into())),
            ("${MISSING}", Err("the variable 'MISSING' is not set and has no default".into())),
        ] {
            assert_eq!(expand(text, &lookup), wanted, "{text}");
        }
    }
}
