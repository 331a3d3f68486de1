//! What an expression of XPath is made of.

/// An expression.
#[derive(Debug, PartialEq)]
pub(super) enum Expr {
    Binary(Op, Box<Expr>, Box<Expr>),
    Negate(Box<Expr>),
    Literal(String),
    Number(f64),
    Call(Function, Vec<Expr>),
    Path(Start, Vec<Step>),
}

/// Where a path begins.
#[derive(Debug, PartialEq)]
pub(super) enum Start {
    /// At the document.
    Root,
    /// At the node at hand.
    Here,
    /// At the nodes of an expression that pass all predicates.
    From(Box<Expr>, Vec<Expr>),
}

/// From a node to others.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    pub(super) axis: Axis,
    pub(super) test: Test,
    pub(super) predicates: Vec<Expr>,
}

/// In which direction a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Ancestor,
    AncestorOrSelf,
    Attribute,
    Child,
    Descendant,
    DescendantOrSelf,
    Following,
    FollowingSibling,
    Parent,
    Preceding,
    PrecedingSibling,
    Here,
}

/// Which nodes a step takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// `*`
    AnyName,
    /// `prefix:*`
    AnyOf(String),
    /// `prefix:local`, `local`
    Name(Option<String>, String),
    /// `node()`
    Node,
    /// `text()`
    Text,
    /// `comment()`
    Comment,
    /// `processing-instruction()`, perhaps with a target.
    Instruction(Option<String>),
}

/// What stands between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Union,
}

/// The functions of XPath 1.0, but for `id` and `lang`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Last,
    Position,
    Count,
    LocalName,
    NamespaceUri,
    Name,
    String,
    Concat,
    StartsWith,
    Contains,
    SubstringBefore,
    SubstringAfter,
    Substring,
    StringLength,
    NormalizeSpace,
    Translate,
    Boolean,
    Not,
    True,
    False,
    Number,
    Sum,
    Floor,
    Ceiling,
    Round,
}

impl Function {
    /// The function of that name, and how many arguments it takes.
    pub(super) fn named(name: &str) -> Option<(Function, std::ops::RangeInclusive<usize>)> {
        Some(match name {
            "last" => (Function::Last, 0..=0),
            "position" => (Function::Position, 0..=0),
            "count" => (Function::Count, 1..=1),
            "local-name" => (Function::LocalName, 0..=1),
            "namespace-uri" => (Function::NamespaceUri, 0..=1),
            "name" => (Function::Name, 0..=1),
            "string" => (Function::String, 0..=1),
            "concat" => (Function::Concat, 2..=usize::MAX),
            "starts-with" => (Function::StartsWith, 2..=2),
            "contains" => (Function::Contains, 2..=2),
            "substring-before" => (Function::SubstringBefore, 2..=2),
            "substring-after" => (Function::SubstringAfter, 2..=2),
            "substring" => (Function::Substring, 2..=3),
            "string-length" => (Function::StringLength, 0..=1),
            "normalize-space" => (Function::NormalizeSpace, 0..=1),
            "translate" => (Function::Translate, 3..=3),
            "boolean" => (Function::Boolean, 1..=1),
            "not" => (Function::Not, 1..=1),
            "true" => (Function::True, 0..=0),
            "false" => (Function::False, 0..=0),
            "number" => (Function::Number, 0..=1),
            "sum" => (Function::Sum, 1..=1),
            "floor" => (Function::Floor, 1..=1),
            "ceiling" => (Function::Ceiling, 1..=1),
            "round" => (Function::Round, 1..=1),
            _ => return None,
        })
    }
}

impl Axis {
    pub(super) fn named(name: &str) -> Option<Axis> {
        Some(match name {
            "ancestor" => Axis::Ancestor,
            "ancestor-or-self" => Axis::AncestorOrSelf,
            "attribute" => Axis::Attribute,
            "child" => Axis::Child,
            "descendant" => Axis::Descendant,
            "descendant-or-self" => Axis::DescendantOrSelf,
            "following" => Axis::Following,
            "following-sibling" => Axis::FollowingSibling,
            "parent" => Axis::Parent,
            "preceding" => Axis::Preceding,
            "preceding-sibling" => Axis::PrecedingSibling,
            "self" => Axis::Here,
            _ => return None,
        })
    }
}
