//! Conditions, with Logstash's grouping of operators.

use super::Parsed;
use super::cursor::Cursor;
use crate::lang::ast::{BooleanOp, CompareOp, Condition, ConditionKind, Operand, OperandKind, Span};

/// Operators between conditions.
const BOOLEAN: [(&str, BooleanOp); 4] =
    [("and", BooleanOp::And), ("or", BooleanOp::Or), ("xor", BooleanOp::Xor), ("nand", BooleanOp::Nand)];
/// Operators between values; longer ones first.
const COMPARE: [(&str, CompareOp); 6] = [
    ("==", CompareOp::Equal),
    ("!=", CompareOp::NotEqual),
    ("<=", CompareOp::LessOrEqual),
    (">=", CompareOp::GreaterOrEqual),
    ("<", CompareOp::Less),
    (">", CompareOp::Greater),
];

/// A condition has at most so many operators: its tree is as deep.
const MOST_OPERATORS: usize = 500;

impl Cursor<'_> {
    /// Expressions with operators between them.
    pub(super) fn condition(&mut self) -> Parsed<Condition> {
        let start = self.at;
        let mut grouping = Grouping { operands: vec![self.expression()?], operators: Vec::new() };
        let mut alone: Option<BooleanOp> = None;
        let mut count = 0;
        loop {
            let end = self.at;
            self.blanks();
            let Some((_, operator)) = BOOLEAN.into_iter().find(|(text, _)| self.take(text)) else {
                self.at = end;
                break;
            };
            if matches!(operator, BooleanOp::Xor | BooleanOp::Nand) {
                alone = Some(operator);
            }
            count += 1;
            self.operators += 1;
            if self.operators > MOST_OPERATORS {
                let message = format!("more than {MOST_OPERATORS} operators in one condition");
                return self.fail(self.span(start), message, Some("a list and 'in' is shorter"));
            }
            if count > 1 && alone.is_some() {
                let message = "'xor' and 'nand' cannot stand beside other operators".into();
                return self.fail(self.span(start), message, Some("put parts of the condition into parentheses"));
            }
            self.blanks();
            grouping.operator(operator);
            grouping.operands.push(self.expression()?);
        }
        match grouping.finish() {
            Some(condition) => Ok(condition),
            None => self.expected("a condition", None),
        }
    }

    fn expression(&mut self) -> Parsed<Condition> {
        let start = self.at;
        if self.peek() == Some(b'(') {
            let inner = self.parenthesised()?;
            return Ok(Condition { kind: inner.kind, span: self.span(start) });
        }
        if self.peek() == Some(b'!') {
            return self.negation(start);
        }
        for (wrong, hint) in [
            ("not ", "write '!' before the field or '!( ... )'"),
            ("true", "compare with \"true\""),
            ("false", "compare with \"false\""),
        ] {
            if self.rest().starts_with(wrong) {
                return self.expected("a condition", Some(hint));
            }
        }
        let left = self.operand()?;
        let end = self.at;
        self.blanks();
        let kind = match self.comparison(left)? {
            Ok(kind) => kind,
            Err(left) => {
                self.at = end;
                ConditionKind::Truthy(left)
            }
        };
        Ok(Condition { kind, span: self.span(start) })
    }

    fn parenthesised(&mut self) -> Parsed<Condition> {
        self.take("(");
        self.blanks();
        let inner = self.deeper(Self::condition)?;
        self.blanks();
        if !self.take(")") {
            return self.expected("')'", None);
        }
        Ok(inner)
    }

    /// `!( ... )` or `! [field]`
    fn negation(&mut self, start: usize) -> Parsed<Condition> {
        self.take("!");
        self.blanks();
        let inner = match self.peek() {
            Some(b'(') => self.parenthesised()?,
            Some(b'[') => {
                let field = self.at;
                let Some(text) = self.selector() else { return self.expected("a [field]", None) };
                let operand = Operand { kind: OperandKind::Field(text), span: self.span(field) };
                Condition { span: operand.span.clone(), kind: ConditionKind::Truthy(operand) }
            }
            _ => {
                return self.expected("'(' or a [field] after '!'", Some("put the negated condition into parentheses"));
            }
        };
        Ok(Condition { kind: ConditionKind::Not(Box::new(inner)), span: self.span(start) })
    }

    /// The operator and right side that follow `left`; `left` itself when none does.
    fn comparison(&mut self, left: Operand) -> Parsed<Result<ConditionKind, Operand>> {
        if self.take("in") {
            self.blanks();
            return Ok(Ok(ConditionKind::In { positive: true, left, right: self.operand()? }));
        }
        if self.rest().starts_with("not") {
            self.take("not");
            if !self.blanks() || !self.take("in") {
                return self.expected("'in' after 'not'", None);
            }
            self.blanks();
            return Ok(Ok(ConditionKind::In { positive: false, left, right: self.operand()? }));
        }
        for (token, positive) in [("=~", true), ("!~", false)] {
            if self.take(token) {
                self.blanks();
                if !matches!(self.peek(), Some(b'"' | b'\'' | b'/')) {
                    return self.expected("/pattern/ or \"pattern\"", None);
                }
                return Ok(Ok(ConditionKind::Match { positive, left, pattern: self.operand()? }));
            }
        }
        let Some((_, operator)) = COMPARE.into_iter().find(|(token, _)| self.take(token)) else {
            return Ok(Err(left));
        };
        self.blanks();
        Ok(Ok(ConditionKind::Compare(operator, left, self.operand()?)))
    }

    /// string / number / selector / array / regexp
    fn operand(&mut self) -> Parsed<Operand> {
        let start = self.at;
        let kind = match self.peek() {
            Some(b'"' | b'\'') => OperandKind::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => OperandKind::Number(self.number()?),
            Some(b'[') => match self.selector() {
                Some(text) => OperandKind::Field(text),
                None => self.deeper(Self::operands)?,
            },
            Some(b'/') => OperandKind::Regex(self.pattern()?),
            _ => {
                let hint = "fields are written [name], text in quotes; words like true are text here, too";
                return self.expected("a [field], text, number, list or /pattern/", Some(hint));
            }
        };
        Ok(Operand { kind, span: self.span(start) })
    }

    /// `[a][b]`: brackets around anything but `]` and `,`. A list of one literal reads as a field, as in Logstash.
    fn selector(&mut self) -> Option<String> {
        let start = self.at;
        let mut end = start;
        while self.take("[") {
            let inside = memchr::memchr2(b']', b',', self.rest().as_bytes())?;
            if inside == 0 || self.rest().as_bytes()[inside] == b',' {
                break;
            }
            self.at += inside + 1;
            end = self.at;
        }
        self.at = end;
        (end > start).then(|| self.text[start..end].to_string())
    }

    fn operands(&mut self) -> Parsed<OperandKind> {
        self.take("[");
        self.blanks();
        let mut items = Vec::new();
        loop {
            items.push(self.operand()?);
            self.blanks();
            if self.take("]") {
                return Ok(OperandKind::Array(items));
            }
            if !self.take(",") {
                return self.expected("',' or ']'", Some("the items of a list are separated by commas"));
            }
            self.blanks();
        }
    }

    /// `/.../`, in which `\/` stands for a slash.
    fn pattern(&mut self) -> Parsed<String> {
        let start = self.at;
        let bytes = self.rest().as_bytes();
        let mut at = 1;
        while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'/', b'\\', rest)) {
            at += found;
            if bytes[at] == b'/' {
                let text = self.rest()[1..at].replace("\\/", "/");
                self.at += at + 1;
                if self.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) && !self.operator_follows() {
                    return self.expected("an operator or '{'", Some("patterns have no flags; write /(?i)pattern/"));
                }
                return Ok(text);
            }
            at += if bytes.get(at + 1) == Some(&b'/') { 2 } else { 1 };
        }
        self.at += 1;
        self.fail(self.span(start), "this pattern is never closed".into(), Some("a '/' is missing"))
    }

    fn operator_follows(&self) -> bool {
        BOOLEAN.iter().any(|(text, _)| self.rest().starts_with(text))
    }
}

/// Logstash groups operators by a stack of which a weaker operator takes one stronger operator off, and no more; the
/// rest is grouped from the right. So `A and B and C or D` becomes `A and ((B and C) or D)`.
struct Grouping {
    operands: Vec<Condition>,
    operators: Vec<BooleanOp>,
}

impl Grouping {
    fn operator(&mut self, operator: BooleanOp) {
        if operator == BooleanOp::Or && self.operators.last() == Some(&BooleanOp::And) {
            self.join();
        }
        self.operators.push(operator);
    }

    fn join(&mut self) {
        if let (Some(operator), Some(right), Some(left)) =
            (self.operators.pop(), self.operands.pop(), self.operands.pop())
        {
            let span = Span { end: right.span.end, ..left.span.clone() };
            let kind = ConditionKind::Boolean(operator, Box::new(left), Box::new(right));
            self.operands.push(Condition { kind, span });
        }
    }

    fn finish(mut self) -> Option<Condition> {
        while !self.operators.is_empty() {
            self.join();
        }
        self.operands.pop()
    }
}
