//! The inside of a character class, as the options of kv give it.

/// A set of ASCII characters.
#[derive(Clone)]
pub(super) struct Class([bool; 256]);

impl Class {
    /// Reads what stands between the brackets of a class, where it only names ASCII characters one by one. Nothing for
    /// ranges, negations, classes in the class and letters of other scripts: those are left to regular expressions.
    pub(super) fn parse(text: &str) -> Option<Class> {
        let mut members = [false; 256];
        let mut characters = text.chars().peekable();
        let mut any = false;
        while let Some(character) = characters.next() {
            let member = match character {
                '[' | ']' | '&' if characters.peek() == Some(&character) => return None,
                '[' | ']' => return None,
                '^' if !any => return None,
                // At the end it stands for itself.
                '-' if characters.peek().is_some() => return None,
                '\\' => match characters.next()? {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    letter if letter.is_ascii_alphanumeric() => return None,
                    sign => sign,
                },
                plain => plain,
            };
            any = true;
            *members.get_mut(u8::try_from(member).ok().filter(u8::is_ascii)? as usize)? = true;
        }
        any.then_some(Class(members))
    }

    /// Members of either.
    pub(super) fn or(&self, other: &Class) -> Class {
        Class(std::array::from_fn(|byte| self.0[byte] || other.0[byte]))
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    /// Whether the character is a member.
    pub(super) fn contains_char(&self, character: char) -> bool {
        u8::try_from(character).is_ok_and(|byte| self.contains(byte))
    }

    /// The first member at or after `start`, else the length.
    pub(super) fn find(&self, text: &[u8], start: usize) -> usize {
        let rest = text.get(start..).unwrap_or_default();
        rest.iter().position(|byte| self.contains(*byte)).map_or(text.len(), |at| start + at)
    }

    /// The first byte at or after `start` that is no member, else the length.
    pub(super) fn find_other(&self, text: &[u8], start: usize) -> usize {
        let rest = text.get(start..).unwrap_or_default();
        rest.iter().position(|byte| !self.contains(*byte)).map_or(text.len(), |at| start + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_single_characters_are_read() {
        for (text, members) in
            [(" ", " "), ("&?", "&?"), ("\\[\\]", "[]"), ("a^", "a^"), ("|-", "|-"), ("\\n\\t", "\n\t")]
        {
            let class = Class::parse(text);
            for member in members.chars() {
                assert!(class.as_ref().is_some_and(|class| class.contains_char(member)), "{text}: {member}");
            }
            assert!(class.is_some_and(|class| !class.contains(b'z')), "{text}");
        }
        for text in ["", "^a", "a-z", "[a", "]", "\\s", "\\d", "，", "a&&b", "\\"] {
            assert!(Class::parse(text).is_none(), "{text}");
        }
    }
}
