//! An expression from its text.

use super::ast::{Axis, Expr, Function, Op, Start, Step, Test};
use super::lex::{Token, tokens};

/// Expressions lie at most so deep in one another.
const DEPTH_LIMIT: usize = 64;

/// The operators, those that bind loosest first.
const LEVELS: [&[(&str, Op)]; 6] = [
    &[("or", Op::Or)],
    &[("and", Op::And)],
    &[("=", Op::Equal), ("!=", Op::NotEqual)],
    &[("<", Op::Less), ("<=", Op::LessEqual), (">", Op::Greater), (">=", Op::GreaterEqual)],
    &[("+", Op::Add), ("-", Op::Subtract)],
    &[("*", Op::Multiply), ("div", Op::Divide), ("mod", Op::Modulo)],
];

/// Reads an expression; a message where it is none, or uses what is not supported.
pub(super) fn parse(text: &str) -> Result<Expr, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let expr = parser.expr()?;
    match parser.tokens.get(parser.at) {
        None => Ok(expr),
        Some(token) => Err(format!("{} is not expected", shown(token))),
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Number(number) => format!("'{number}'"),
        Token::Literal(text) => format!("'{text}'"),
        Token::Name(name) => format!("'{name}'"),
        Token::Star => "'*'".into(),
        Token::Sign(sign) => format!("'{sign}'"),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(0, sign);
        self.at += usize::from(found);
        found
    }

    fn is_sign(&self, ahead: usize, sign: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some(Token::Sign(held)) if *held == sign)
    }

    fn need(&mut self, sign: &str) -> Result<(), String> {
        if self.sign(sign) { Ok(()) } else { Err(format!("'{sign}' is missing")) }
    }

    fn expr(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err("it is nested too deep".into());
        }
        let expr = self.binary(0);
        self.depth -= 1;
        expr
    }

    fn binary(&mut self, level: usize) -> Result<Expr, String> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            let found = operators.iter().find(|(sign, _)| self.is_sign(0, sign));
            let Some((_, op)) = found else { return Ok(left) };
            self.at += 1;
            let right = self.binary(level + 1)?;
            left = Expr::Binary(*op, Box::new(left), Box::new(right));
        }
    }

    fn unary(&mut self) -> Result<Expr, String> {
        let mut negative = false;
        let mut any = false;
        while self.sign("-") {
            negative = !negative;
            any = true;
        }
        let mut expr = self.path()?;
        while self.sign("|") {
            let right = self.path()?;
            expr = Expr::Binary(Op::Union, Box::new(expr), Box::new(right));
        }
        Ok(match (any, negative) {
            (false, _) => expr,
            (true, true) => Expr::Negate(Box::new(expr)),
            (true, false) => Expr::Negate(Box::new(Expr::Negate(Box::new(expr)))),
        })
    }

    fn path(&mut self) -> Result<Expr, String> {
        if self.is_sign(0, "/") || self.is_sign(0, "//") {
            return self.absolute();
        }
        let Some(primary) = self.primary()? else {
            let mut steps = vec![self.step()?];
            self.steps(&mut steps)?;
            return Ok(Expr::Path(Start::Here, steps));
        };
        let predicates = self.predicates()?;
        let mut steps = Vec::new();
        self.steps(&mut steps)?;
        if predicates.is_empty() && steps.is_empty() {
            return Ok(primary);
        }
        Ok(Expr::Path(Start::From(Box::new(primary), predicates), steps))
    }

    fn absolute(&mut self) -> Result<Expr, String> {
        let mut steps = Vec::new();
        if self.is_sign(0, "/") {
            self.at += 1;
            let goes_on = match self.tokens.get(self.at) {
                Some(Token::Name(_) | Token::Star) => true,
                Some(Token::Sign(sign)) => matches!(*sign, "." | ".." | "@"),
                _ => false,
            };
            if !goes_on {
                return Ok(Expr::Path(Start::Root, steps));
            }
            steps.push(self.step()?);
        }
        self.steps(&mut steps)?;
        Ok(Expr::Path(Start::Root, steps))
    }

    /// The steps that follow, each after its slash.
    fn steps(&mut self, steps: &mut Vec<Step>) -> Result<(), String> {
        loop {
            if self.sign("//") {
                steps.push(Step { axis: Axis::DescendantOrSelf, test: Test::Node, predicates: Vec::new() });
            } else if !self.sign("/") {
                return Ok(());
            }
            steps.push(self.step()?);
        }
    }

    /// An expression that is no path of steps, if one begins here.
    fn primary(&mut self) -> Result<Option<Expr>, String> {
        let Some(token) = self.tokens.get(self.at).cloned() else { return Err("the end is not expected".into()) };
        let expr = match token {
            Token::Number(number) => Expr::Number(number),
            Token::Literal(text) => Expr::Literal(text),
            Token::Sign("(") => {
                self.at += 1;
                let inner = self.expr()?;
                self.need(")")?;
                return Ok(Some(inner));
            }
            Token::Sign("$") => return Err("variables are not supported".into()),
            Token::Name(name) if self.is_sign(1, "(") && !is_node_type(&name) => {
                self.at += 2;
                return self.call(&name).map(Some);
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(expr))
    }

    fn call(&mut self, name: &str) -> Result<Expr, String> {
        let (function, arity) =
            Function::named(name).ok_or_else(|| format!("the function '{name}' is not supported"))?;
        let mut arguments = Vec::new();
        if !self.sign(")") {
            loop {
                arguments.push(self.expr()?);
                if !self.sign(",") {
                    break;
                }
            }
            self.need(")")?;
        }
        if !arity.contains(&arguments.len()) {
            return Err(format!("'{name}' does not take {} arguments", arguments.len()));
        }
        Ok(Expr::Call(function, arguments))
    }

    fn predicates(&mut self) -> Result<Vec<Expr>, String> {
        let mut predicates = Vec::new();
        while self.sign("[") {
            predicates.push(self.expr()?);
            self.need("]")?;
        }
        Ok(predicates)
    }

    fn step(&mut self) -> Result<Step, String> {
        for (sign, axis) in [(".", Axis::Here), ("..", Axis::Parent)] {
            if self.sign(sign) {
                return Ok(Step { axis, test: Test::Node, predicates: Vec::new() });
            }
        }
        let axis = if self.sign("@") {
            Axis::Attribute
        } else if let Some(Token::Name(name)) = self.tokens.get(self.at)
            && self.is_sign(1, "::")
        {
            let axis = Axis::named(name).ok_or_else(|| format!("the axis '{name}' is not supported"))?;
            self.at += 2;
            axis
        } else {
            Axis::Child
        };
        let test = self.test()?;
        Ok(Step { axis, test, predicates: self.predicates()? })
    }

    fn test(&mut self) -> Result<Test, String> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        let name = match token {
            Some(Token::Star) => return Ok(Test::AnyName),
            Some(Token::Name(name)) => name,
            Some(token) => return Err(format!("a name is expected, not {}", shown(&token))),
            None => return Err("a name is expected at the end".into()),
        };
        if is_node_type(&name) && self.sign("(") {
            let target = match self.tokens.get(self.at).cloned() {
                Some(Token::Literal(target)) if name == "processing-instruction" => {
                    self.at += 1;
                    Some(target)
                }
                _ => None,
            };
            self.need(")")?;
            return Ok(match name.as_str() {
                "text" => Test::Text,
                "comment" => Test::Comment,
                "processing-instruction" => Test::Instruction(target),
                _ => Test::Node,
            });
        }
        Ok(match name.split_once(':') {
            Some((prefix, "*")) => Test::AnyOf(prefix.to_string()),
            Some((prefix, local)) => Test::Name(Some(prefix.to_string()), local.to_string()),
            None => Test::Name(None, name),
        })
    }
}

fn is_node_type(name: &str) -> bool {
    matches!(name, "node" | "text" | "comment" | "processing-instruction")
}
