//! A grok compiler and a regular expression engine with Ruby's (Oniguruma's) syntax and meaning.
//!
//! [`Regex`] is the engine: what a Logstash configuration calls a regular expression, in grok, in
//! conditions, in `gsub`. [`Grok`] compiles patterns such as `%{IP:client} %{NUMBER:bytes:int}`
//! against a [`PatternSet`], and [`GrokSet`] tries a list of them.
//!
//! Everything here is pure: no files, no clock but for budgets, no global state but a table by which equal patterns
//! share what is compiled. A match never recurses, its memory is bounded, and it takes time proportional to the text unless the pattern
//! has back-references, sub-expression calls or large look-arounds; those stop at their
//! [`Budget`]. Patterns that run often become machine code on x86-64, unless the feature `native` is off.
// What only native code asks.
#![cfg_attr(not(all(feature = "native", target_arch = "x86_64")), allow(dead_code))]

mod analysis;
mod anchor;
mod ast;
mod block;
mod budget;
mod bytes;
mod charset;
mod clause;
mod compile;
mod compiled;
mod error;
mod expand;
mod fold;
mod fold_table;
mod grok;
mod grok_set;
mod intern;
mod listing;
mod native;
mod needle;
mod parse;
mod pattern_set;
mod program;
mod regex;
mod run;
mod sample;
mod scan;
mod search;
mod simplify;
mod standard;
mod token;
mod unicode;
mod utf8;
mod vm;

pub use budget::Budget;
pub use error::{Error, OutOfBudget};
pub use expand::{GrokError, Origin};
pub use grok::{Conversion, Grok, GrokField, GrokOptions};
pub use grok_set::{Candidates, GrokSet};
pub use listing::Step;
pub use parse::Options;
pub use pattern_set::PatternSet;
pub use regex::{Captures, Matches, Regex};
pub use vm::Scratch;
