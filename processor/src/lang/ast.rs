//! The tree of a pipeline configuration: what the text says, with where it says it.
//!
//! Nothing is resolved here: plugin names may not exist, options may be wrong. The parser builds this tree,
//! `plan` compiles it, `tune` reads it for diagnostics.

use std::sync::Arc;

/// One configuration text with its name, shared by every [`Span`] that points into it.
#[derive(Debug)]
pub struct Source {
    /// Path as given by the user, or a description such as `config string`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A stretch of a source text, in bytes.
#[derive(Clone, Debug)]
pub struct Span {
    /// The text that the bytes count in.
    pub source: Arc<Source>,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A place as people name it; line and column start at 1, columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Byte offset, from 0.
    pub byte: usize,
}

impl Span {
    /// The text under the span.
    pub fn text(&self) -> &str {
        self.source.text.get(self.start..self.end).unwrap_or_default()
    }

    /// Where the span starts.
    pub fn position(&self) -> Position {
        let before = self.source.text.get(..self.start).unwrap_or(&self.source.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1,
            column: before[line_start..].chars().count() + 1,
            byte: self.start,
        }
    }
}

/// All sections of one or several files, in order.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `input { }`, `filter { }` and `output { }` blocks in the order of the text.
    pub sections: Vec<Section>,
}

/// Which of the three kinds a section, and so a plugin in it, is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `input { }`.
    Input,
    /// `filter { }`.
    Filter,
    /// `output { }`.
    Output,
    /// A codec: the value of a `codec` option.
    Codec,
}

/// `filter { ... }`.
#[derive(Clone, Debug)]
pub struct Section {
    /// Input, filter or output.
    pub kind: Kind,
    /// Plugins and branches in order.
    pub body: Vec<Statement>,
    /// The whole section.
    pub span: Span,
}

/// A plugin or a branch.
#[derive(Clone, Debug)]
pub enum Statement {
    /// `mutate { ... }`.
    Plugin(Plugin),
    /// `if ... { } else { }`.
    Branch(Branch),
}

/// `name { option => value ... }`.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// `mutate`.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// Options in the order of the text, repeated ones included.
    pub attributes: Vec<Attribute>,
    /// The whole plugin.
    pub span: Span,
}

/// `option => value`.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Option name, without quotes.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// The value as written.
    pub value: Literal,
}

/// A value as written, with its place.
#[derive(Clone, Debug)]
pub struct Literal {
    /// What it is.
    pub kind: LiteralKind,
    /// Where it stands, quotes and brackets included.
    pub span: Span,
}

/// The kinds of values the grammar knows.
#[derive(Clone, Debug)]
pub enum LiteralKind {
    /// An unquoted word, such as `true` or `stdout`.
    Bareword(String),
    /// Quoted text without its quotes; escapes are processed when `config.support_escapes` is on.
    String(String),
    /// A number as written; `5.` is legal.
    Number(String),
    /// `[a, b]`.
    Array(Vec<Literal>),
    /// `{ k => v }` in the order of the text.
    Hash(Vec<(Literal, Literal)>),
    /// `codec => json { ... }`.
    Plugin(Box<Plugin>),
}

/// `if c { } else if d { } else { }`.
#[derive(Clone, Debug)]
pub struct Branch {
    /// `if` and every `else if`, in order.
    pub arms: Vec<Arm>,
    /// The body of `else`, if there is one.
    pub otherwise: Option<Vec<Statement>>,
    /// The whole branch.
    pub span: Span,
}

/// One condition with its body.
#[derive(Clone, Debug)]
pub struct Arm {
    /// When the body runs.
    pub condition: Condition,
    /// What runs.
    pub body: Vec<Statement>,
}

/// A condition, already grouped as Logstash groups it (its operator stack pops a single operator at a time).
#[derive(Clone, Debug)]
pub struct Condition {
    /// What it tests.
    pub kind: ConditionKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of conditions.
#[derive(Clone, Debug)]
pub enum ConditionKind {
    /// `[field]` or a constant: is it truthy.
    Truthy(Operand),
    /// `!( ... )` and `! [field]`.
    Not(Box<Condition>),
    /// `a and b`, `or`, `xor`, `nand`.
    Boolean(BooleanOp, Box<Condition>, Box<Condition>),
    /// `==`, `!=`, `<`, `>`, `<=`, `>=`.
    Compare(CompareOp, Operand, Operand),
    /// `=~` (true) or `!~` (false) against a regular expression or a string.
    Match {
        /// `=~` rather than `!~`.
        positive: bool,
        /// The left side.
        left: Operand,
        /// The pattern.
        pattern: Operand,
    },
    /// `in` (true) or `not in` (false).
    In {
        /// `in` rather than `not in`.
        positive: bool,
        /// What is looked for.
        left: Operand,
        /// Where it is looked for.
        right: Operand,
    },
}

/// Operators between conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BooleanOp {
    /// `and`
    And,
    /// `or`
    Or,
    /// `xor`
    Xor,
    /// `nand`
    Nand,
}

/// Operators between values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `>`
    Greater,
    /// `<=`
    LessOrEqual,
    /// `>=`
    GreaterOrEqual,
}

/// One side of a comparison.
#[derive(Clone, Debug)]
pub struct Operand {
    /// What it is.
    pub kind: OperandKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of operands.
#[derive(Clone, Debug)]
pub enum OperandKind {
    /// `[a][b]`, brackets included, as written. `["one"]`, a list of one literal, is read as this, too: Logstash's
    /// grammar takes it for a field whose name has quotes.
    Field(String),
    /// Quoted text.
    String(String),
    /// A number as written.
    Number(String),
    /// `/pattern/` without its slashes, `\/` already turned into `/`.
    Regex(String),
    /// `["a", "b"]`.
    Array(Vec<Operand>),
}
