//! Words of log text: runs of letters and digits in lower case; of Chinese, Japanese and Korean, which put no blanks
//! between words, every character is a word, and several in a query are a phrase.

use tantivy::tokenizer::{LowerCaser, RemoveLongFilter, TextAnalyzer, Token, TokenStream, Tokenizer, TokenizerManager};

/// The name under which the schema knows the tokenizer.
pub(super) const NAME: &str = "log";

/// Longer words are base64 and the like: stored, but not searchable by word.
const LONGEST_WORD: usize = 255;

pub(super) fn register(tokenizers: &TokenizerManager) {
    let analyzer =
        TextAnalyzer::builder(Words).filter(RemoveLongFilter::limit(LONGEST_WORD)).filter(LowerCaser).build();
    tokenizers.register(NAME, analyzer);
}

#[derive(Clone)]
struct Words;

struct WordStream<'a> {
    text: &'a str,
    at: usize,
    token: Token,
}

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        WordStream { text, at: 0, token: Token::default() }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let Some((skipped, first)) = rest.char_indices().find(|(_, character)| character.is_alphanumeric()) else {
            return false;
        };
        let start = self.at + skipped;
        let length = if stands_alone(first) {
            first.len_utf8()
        } else {
            let word = &self.text[start..];
            word.find(|character: char| !character.is_alphanumeric() || stands_alone(character)).unwrap_or(word.len())
        };
        self.at = start + length;
        self.token.position = self.token.position.wrapping_add(1);
        self.token.offset_from = start;
        self.token.offset_to = self.at;
        self.token.text.clear();
        self.token.text.push_str(&self.text[start..self.at]);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

/// Whether a character of a script without blanks between words.
fn stands_alone(character: char) -> bool {
    matches!(character, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut tokenizer = Words;
        let mut stream = tokenizer.token_stream(text);
        let mut words = Vec::new();
        while stream.advance() {
            words.push(stream.token().text.clone());
        }
        words
    }

    #[test]
    fn latin_words_and_single_han_characters() {
        assert_eq!(words("GET /api/v2 took 12ms"), ["GET", "api", "v2", "took", "12ms"]);
        assert_eq!(words("用户bob登录"), ["用", "户", "bob", "登", "录"]);
        assert_eq!(words(" .,"), Vec::<String>::new());
    }
}
