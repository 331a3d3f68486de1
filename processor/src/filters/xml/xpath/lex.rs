//! The words of an expression.

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Literal(String),
    /// A name, perhaps with a prefix, perhaps `prefix:*`.
    Name(String),
    /// `*` where a name may stand.
    Star,
    /// Signs, and the names of operators.
    Sign(&'static str),
}

const SIGNS: [&str; 21] =
    ["..", "::", "//", "!=", "<=", ">=", "(", ")", "[", "]", ".", "@", ",", "/", "|", "+", "-", "=", "<", ">", "$"];

/// Cuts an expression up; a message where it is none.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        // After an operand a name or a star is an operator.
        let after_operand = tokens.last().is_some_and(|token| match token {
            Token::Sign(sign) => matches!(*sign, ")" | "]" | "." | ".."),
            _ => true,
        });
        let second = rest[first.len_utf8()..].chars().next();
        let (token, length) = if first == '"' || first == '\'' {
            let end = rest[1..].find(first).ok_or_else(|| format!("the text {rest} does not end"))?;
            (Token::Literal(rest[1..=end].to_string()), end + 2)
        } else if first.is_ascii_digit() || first == '.' && second.is_some_and(|next| next.is_ascii_digit()) {
            number(rest)?
        } else if first == '*' {
            (if after_operand { Token::Sign("*") } else { Token::Star }, 1)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else if starts_name(first) {
            name(rest, after_operand)?
        } else {
            return Err(format!("'{first}' has no meaning here"));
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn number(rest: &str) -> Result<(Token, usize), String> {
    let length = rest.find(|sign: char| !sign.is_ascii_digit() && sign != '.').unwrap_or(rest.len());
    let number = rest[..length].parse().map_err(|_| format!("'{}' is no number", &rest[..length]))?;
    Ok((Token::Number(number), length))
}

fn name(rest: &str, after_operand: bool) -> Result<(Token, usize), String> {
    let end = |text: &str| text.find(|letter: char| !in_name(letter)).unwrap_or(text.len());
    let length = end(rest);
    let simple = &rest[..length];
    if after_operand {
        let operator = ["and", "or", "mod", "div"].into_iter().find(|operator| *operator == simple);
        return operator
            .map(|operator| (Token::Sign(operator), length))
            .ok_or_else(|| format!("'{simple}' is no operator"));
    }
    let tail = rest[length..].strip_prefix(':').filter(|tail| !tail.starts_with(':'));
    let local = match tail {
        Some(tail) if tail.starts_with('*') => 2,
        Some(tail) if tail.starts_with(starts_name) => 1 + end(tail),
        Some(_) => return Err(format!("a name is missing after '{simple}:'")),
        None => 0,
    };
    Ok((Token::Name(rest[..length + local].to_string()), length + local))
}

fn starts_name(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_'
}

fn in_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.')
}
