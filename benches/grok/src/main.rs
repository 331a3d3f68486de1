//! Grok side by side with other engines on the same lines; prints a table with the ratios for benches/README.md.
//!
//!     scripts/bench-grok            all rows
//!     scripts/bench-grok Java       those whose name contains this
//!     scripts/bench-grok Java tailrace,pcre2-jit    the same with these engines only
//!     scripts/bench-grok --lines    prints one line of each row

mod dialect;
mod engines;
mod lines;
mod rows;
mod table;

fn main() {
    let only = std::env::args().nth(1);
    if only.as_deref() == Some("--lines") {
        rows::all().iter().for_each(|row| println!("{}: {}", row.name, row.lines[0]));
    } else {
        table::print(only.as_deref(), std::env::args().nth(2).as_deref());
    }
}
