//! Dates as text by the patterns that Logstash knows: Joda-Time's and java.time's.

use crate::timestamp::Timestamp;

/// A pattern such as `YYYY.MM.dd`, cut up once.
#[derive(Clone, Debug)]
pub struct Pattern(Vec<Part>);

/// A pattern that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at character {at} of the date pattern")]
pub struct PatternError {
    /// What is wrong.
    pub message: String,
    /// Which character, from 1.
    pub at: usize,
}

#[derive(Clone, Debug)]
enum Part {
    Literal(String),
    Field(char, usize),
}

impl Pattern {
    /// Reads a Joda-Time pattern.
    pub fn joda(text: &str) -> Result<Pattern, PatternError> {
        Pattern::parse(text)
    }

    /// Reads a java.time pattern.
    pub fn java(text: &str) -> Result<Pattern, PatternError> {
        Pattern::parse(text)
    }

    fn parse(text: &str) -> Result<Pattern, PatternError> {
        let mut parts = Vec::new();
        let characters: Vec<char> = text.chars().collect();
        let mut at = 0;
        while at < characters.len() {
            let letter = characters[at];
            let run = characters[at..].iter().take_while(|other| **other == letter).count();
            if "yYuxMdHmsS".contains(letter) {
                parts.push(Part::Field(letter, run));
                at += run;
            } else if letter.is_ascii_alphabetic() {
                return Err(PatternError { message: format!("unknown letter '{letter}'"), at: at + 1 });
            } else {
                parts.push(Part::Literal(letter.to_string()));
                at += 1;
            }
        }
        Ok(Pattern(parts))
    }

    /// Appends the moment in UTC.
    pub fn print(&self, moment: &Timestamp, out: &mut Vec<u8>) {
        let date = moment.date();
        let second = moment.second_of_day();
        for part in &self.0 {
            let (number, width) = match part {
                Part::Literal(text) => {
                    out.extend_from_slice(text.as_bytes());
                    continue;
                }
                Part::Field('M', width) => (i64::from(date.month), *width),
                Part::Field('d', width) => (i64::from(date.day), *width),
                Part::Field('H', width) => (i64::from(second / 3600), *width),
                Part::Field('m', width) => (i64::from(second / 60 % 60), *width),
                Part::Field('s', width) => (i64::from(second % 60), *width),
                Part::Field('S', width) => (i64::from(moment.nanos) / 10_i64.pow(9 - (*width).min(9) as u32), *width),
                Part::Field(_, width) => (date.year, *width),
            };
            out.extend_from_slice(format!("{number:0width$}").as_bytes());
        }
    }
}
