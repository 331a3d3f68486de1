//! Texts to match: made after a pattern, damaged, random.

use fastrand::Rng;
use tailrace_grok::Regex;

/// What logs are made of.
const PIECES: &[&str] = &[
    " ",
    " ",
    "  ",
    "\t",
    "-",
    ":",
    "/",
    ".",
    ",",
    "=",
    "\"",
    "'",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    "{",
    "}",
    "%",
    "@",
    "|",
    "\\",
    "0",
    "1",
    "12",
    "255",
    "2026",
    "-1",
    "0x1f",
    "GET",
    "INFO",
    "error",
    "Nov",
    "Mon",
    "user",
    "a",
    "b",
    "z",
    "_",
    "10.0.0.1",
    "::1",
    "fe80::1",
    "example.com",
    "http://",
    "/var/log",
    "+0100",
    "12:34:56",
    "T",
    "Z",
    "\u{e9}",
    "\u{4e2d}",
    "\u{1f600}",
    "\u{17f}",
    "\n",
    "\r\n",
    "\0",
];

/// The alphabet of the random patterns.
const SMALL: &[&str] =
    &["a", "a", "a", "b", "b", "c", "A", "B", "1", "2", "_", " ", "-", "\n", "\r", "\u{e9}", "\u{c9}", "\u{4e2d}", "x"];

fn random_of(pieces: &[&str], rng: &mut Rng, most: usize) -> String {
    (0..rng.usize(..=most)).map(|_| pieces[rng.usize(..pieces.len())]).collect()
}

fn made_after(regex: &Regex, rng: &mut Rng) -> String {
    String::from_utf8_lossy(&regex.sample(&mut |ways| rng.usize(..ways.max(1)))).into_owned()
}

/// A text for a standard pattern: random (0), made after it (1, 2), with something around (3, 4), damaged (5 to 7).
pub(crate) fn after(regex: &Regex, rng: &mut Rng, way: usize) -> String {
    if way == 0 {
        return random_of(PIECES, rng, 24);
    }
    let made = made_after(regex, rng);
    match way {
        1 | 2 => made,
        3 | 4 => format!("{}{made}{}", random_of(PIECES, rng, 6), random_of(PIECES, rng, 6)),
        _ => damage(&made, PIECES, rng),
    }
}

/// A text for a random pattern: random (0, 1), made after it (2), damaged (3).
pub(crate) fn small(regex: &Regex, rng: &mut Rng, way: usize) -> String {
    match way {
        0 | 1 => random_of(SMALL, rng, 12),
        2 => format!("{}{}{}", random_of(SMALL, rng, 2), made_after(regex, rng), random_of(SMALL, rng, 2)),
        _ => damage(&made_after(regex, rng), SMALL, rng),
    }
}

/// One to three times a piece is taken out, put in or doubled.
fn damage(text: &str, pieces: &[&str], rng: &mut Rng) -> String {
    let mut text = text.to_owned();
    for _ in 0..rng.usize(1..=3) {
        let from = text.floor_char_boundary(rng.usize(..=text.len()));
        let to = text.ceil_char_boundary((from + rng.usize(..4)).min(text.len()));
        match rng.u8(..3) {
            0 => text.replace_range(from..to, ""),
            1 => text.insert_str(from, pieces[rng.usize(..pieces.len())]),
            _ => {
                let doubled = text[from..to].to_owned();
                text.insert_str(from, &doubled);
            }
        }
    }
    text
}
