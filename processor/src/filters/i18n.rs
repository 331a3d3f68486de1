//! Filter `i18n`: letters without their accents.

use tailrace_common::{Event, FieldPath, Str, Value};

use crate::options::{Invalid, Options};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "i18n",
    summary: "Replaces Latin letters with accents by plain ones, and all other letters by question marks.",
    example: "filter { i18n { transliterate => [\"city\"] } }",
    build,
};

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let fields = options.fields("transliterate");
    options.finish()?;
    Ok(Box::new(I18n { fields }))
}

struct I18n {
    fields: Vec<FieldPath>,
}

impl Filter for I18n {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        for field in &self.fields {
            match event.get_mut(field) {
                Some(Value::String(text)) => transliterate(text),
                Some(Value::Array(values)) => {
                    for value in values {
                        match value {
                            Value::String(text) => transliterate(text),
                            // As Logstash, which ends here.
                            other => {
                                let reason = format!("a {} cannot be transliterated", other.type_name());
                                context.reject(event, reason);
                                return;
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        context.matched(event);
    }
}

fn transliterate(text: &mut Str) {
    if text.is_ascii() {
        return;
    }
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match plain(letter) {
            Some(plain) => out.push_str(plain),
            None if letter.is_ascii() => out.push(letter),
            None => out.push('?'),
        }
    }
    *text = out.into();
}

/// The letters of Latin-1 from `À`, with `,` where there is no plain one.
const LATIN_1: &str = "A A A A A A AE C E E E E I I I I D N O O O O O x O U U U U Y Th ss \
                       a a a a a a ae c e e e e i i i i d n o o o o o , o u u u u y th y";

/// The letters of Latin Extended-A from `Ā` to `ž`.
const LATIN_A: &str = "A a A a A a C c C c C c C c D d D d E e E e E e E e E e G g G g G g G g H h H h \
                       I i I i I i I i I i IJ ij J j K k k L l L l L l L l L l N n N n N n 'n NG ng \
                       O o O o O o OE oe R r R r R r S s S s S s S s T t T t T t U u U u U u U u U u U u \
                       W w Y y Y Z z Z z Z z";

fn plain(letter: char) -> Option<&'static str> {
    let code = u32::from(letter);
    let (table, first) = match code {
        0xC0..=0xFF => (LATIN_1, 0xC0),
        0x100..=0x17E => (LATIN_A, 0x100),
        0x1E9E => return Some("SS"),
        _ => return None,
    };
    table.split_ascii_whitespace().nth((code - first) as usize).filter(|plain| *plain != ",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters::testing::check;

    #[test]
    fn letters_lose_their_accents() {
        check(
            "i18n { transliterate => [\"a\", \"b\", \"n\"] }",
            r#"{"a":"Ærøskøbing Łódź ŉ ž ÿ ÷","b":["Straße","京"],"n":5}"#,
            &[r#"{"a":"AEroskobing Lodz 'n z y ?","b":["Strasse","?"],"n":5}"#],
        );
    }

    #[test]
    fn the_tables_are_whole() {
        assert_eq!(LATIN_1.split_ascii_whitespace().count(), 0x40);
        assert_eq!(LATIN_A.split_ascii_whitespace().count(), 0x7F);
        for (letter, plain_letter) in
            [('ñ', "n"), ('Đ', "D"), ('ı', "i"), ('Ĳ', "IJ"), ('ŋ', "ng"), ('Œ', "OE"), ('ű', "u")]
        {
            assert_eq!(plain(letter), Some(plain_letter), "{letter}");
        }
    }
}
