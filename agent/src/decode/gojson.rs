//! Finds the end of a JSON value, or says what is wrong in the words of Go's `encoding/json`: documents that carry
//! `error.message` stay what they were.

/// The index behind the first value of the text.
///
/// # Errors
/// Go's message.
pub(crate) fn first_value(text: &[u8]) -> Result<usize, String> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.blanks();
    if scanner.at == text.len() {
        return Err("EOF".to_owned());
    }
    scanner.value()?;
    Ok(scanner.at)
}

/// Go's limit on nesting.
const DEPTH_LIMIT: usize = 10_000;

struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn wrong<T>(&self, context: &str) -> Result<T, String> {
        let Some(byte) = self.peek() else { return Err("unexpected EOF".to_owned()) };
        let shown = match byte {
            b'\'' => r"'\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            b'\n' => r"'\n'".to_owned(),
            b'\r' => r"'\r'".to_owned(),
            b'\t' => r"'\t'".to_owned(),
            b'\\' => r"'\\'".to_owned(),
            7 => r"'\a'".to_owned(),
            8 => r"'\b'".to_owned(),
            11 => r"'\v'".to_owned(),
            12 => r"'\f'".to_owned(),
            0x20..0x7f => format!("'{}'", char::from(byte)),
            0..0x80 => format!("'\\x{byte:02x}'"),
            0x80..0xa0 | 0xad => format!("'\\u{byte:04x}'"),
            other => format!("'{}'", char::from(other)),
        };
        Err(format!("invalid character {shown} {context}"))
    }

    /// The whole value, without recursion: the stack holds the closing bracket of each open one.
    fn value(&mut self) -> Result<(), String> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                Some(b'{') => {
                    self.at += 1;
                    self.blanks();
                    open.push(b'}');
                    if self.peek() == Some(b'}') {
                        self.close(&mut open);
                    } else {
                        self.key()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    self.blanks();
                    open.push(b']');
                    if self.peek() == Some(b']') {
                        self.close(&mut open);
                    } else {
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            if open.len() > DEPTH_LIMIT {
                return Err("exceeded max depth".to_owned());
            }
            if !self.behind_value(&mut open)? {
                return Ok(());
            }
        }
    }

    fn close(&mut self, open: &mut Vec<u8>) {
        open.pop();
        self.at += 1;
    }

    /// Takes closing brackets and a comma; whether another value follows.
    fn behind_value(&mut self, open: &mut Vec<u8>) -> Result<bool, String> {
        while let Some(bracket) = open.last().copied() {
            self.blanks();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.blanks();
                    if bracket == b'}' {
                        self.key()?;
                    }
                    return Ok(true);
                }
                Some(byte) if byte == bracket => self.close(open),
                _ if bracket == b'}' => return self.wrong("after object key:value pair"),
                _ => return self.wrong("after array element"),
            }
        }
        Ok(false)
    }

    fn key(&mut self) -> Result<(), String> {
        if self.peek() != Some(b'"') {
            return self.wrong("looking for beginning of object key string");
        }
        self.string()?;
        self.blanks();
        if self.peek() != Some(b':') {
            return self.wrong("after object key");
        }
        self.at += 1;
        Ok(())
    }

    fn scalar(&mut self) -> Result<(), String> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.wrong("looking for beginning of value"),
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), String> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return self.wrong(&format!("in literal {word} (expecting '{}')", char::from(expected)));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn number(&mut self) -> Result<(), String> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.wrong("in numeric literal"),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.wrong("after decimal point in numeric literal");
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.wrong("in exponent of numeric literal");
            }
            self.digits();
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), String> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"') => self.at += 1,
                        Some(b'u') => {
                            self.at += 1;
                            for _ in 0..4 {
                                if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                                    return self.wrong("in \\u hexadecimal character escape");
                                }
                                self.at += 1;
                            }
                        }
                        _ => return self.wrong("in string escape code"),
                    }
                }
                Some(0x20..) => self.at += 1,
                _ => return self.wrong("in string literal"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn agrees_with_a_json_parser(text in r#"[\[\]{}:,"a0-9.eE+\\ntrufals -]{0,20}"#) {
            let ours = first_value(text.as_bytes()).is_ok_and(|end| text[end..].trim().is_empty());
            let whole = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            proptest::prop_assert_eq!(ours, whole);
        }
    }
}
