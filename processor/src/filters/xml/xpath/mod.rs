//! XPath 1.0, but for variables, the namespace axis and the functions `id` and `lang`.

use super::tree::{Document, Kind};

mod ast;
mod eval;
mod functions;
mod lex;
mod parse;
mod value;

use eval::{Context, Evaluator};
pub(super) use value::Failed;
use value::{NodeRef, Value};

/// An expression, compiled.
#[derive(Debug)]
pub(super) struct XPath(ast::Expr);

impl XPath {
    /// Reads an expression; a message where it is none, or uses what is not supported.
    pub(super) fn parse(text: &str) -> Result<XPath, String> {
        parse::parse(text).map(XPath)
    }

    /// What it finds in a document, as Nokogiri prints it: elements and texts as XML, attributes and strings as they
    /// are, numbers as Ruby writes doubles; `false` finds nothing. Prefixes stand for these namespaces.
    pub(super) fn find(&self, document: &Document, namespaces: &[(String, String)]) -> Result<Vec<String>, Failed> {
        let evaluator = Evaluator::new(document, namespaces);
        let context = Context { node: NodeRef::node(0), position: 1, size: 1 };
        Ok(match evaluator.expr(&self.0, context)? {
            Value::Nodes(nodes) => {
                let mut printed = Vec::with_capacity(nodes.len());
                for node in nodes {
                    evaluator.visit(document.nodes[node.node].end - node.node)?;
                    printed.push(print(&evaluator, node)?);
                }
                printed
            }
            Value::Text(text) => vec![text],
            Value::Boolean(flag) => {
                if flag {
                    vec!["true".into()]
                } else {
                    Vec::new()
                }
            }
            Value::Number(number) => {
                let mut out = Vec::new();
                tailrace_common::json::write_float_ruby(number, &mut out);
                vec![String::from_utf8(out).unwrap_or_default()]
            }
        })
    }
}

fn print(evaluator: &Evaluator<'_>, node: NodeRef) -> Result<String, Failed> {
    if node.is_attribute() {
        return evaluator.text_of(node);
    }
    let mut out = String::new();
    if node.node == 0 {
        out.push_str("<?xml version=\"1.0\"?>\n");
        for child in evaluator.document.children(0) {
            write(evaluator.document, child, Some(0), &mut out);
            out.push('\n');
        }
    } else {
        write(evaluator.document, node.node, Some(0), &mut out);
    }
    Ok(out)
}

/// A node as XML, in lines of their own where no text lies between the elements; `level` is how far they are moved in.
/// Elements lie at most 256 deep in one another.
fn write(document: &Document, node: usize, level: Option<usize>, out: &mut String) {
    let element = match &document.nodes[node].kind {
        Kind::Element(element) => element,
        Kind::Text(text) if text.cdata => return out.push_str(&format!("<![CDATA[{}]]>", text.value)),
        Kind::Text(text) => return escape(&text.value, &[], out),
        Kind::Comment(text) => return out.push_str(&format!("<!--{text}-->")),
        Kind::Instruction { target, content } if content.is_empty() => return out.push_str(&format!("<?{target}?>")),
        Kind::Instruction { target, content } => return out.push_str(&format!("<?{target} {content}?>")),
        Kind::Document => return,
    };
    let name = element.name.qualified();
    out.push('<');
    out.push_str(&name);
    let declarations = element.attributes.iter().filter(|attribute| attribute.is_declaration());
    for attribute in declarations.chain(element.attributes.iter().filter(|attribute| !attribute.is_declaration())) {
        out.push_str(&format!(" {}=\"", attribute.name.qualified()));
        escape(&attribute.value, &[('"', "&quot;"), ('\n', "&#10;"), ('\t', "&#9;")], out);
        out.push('"');
    }
    let mut children = document.children(node).peekable();
    if children.peek().is_none() {
        return out.push_str("/>");
    }
    out.push('>');
    let has_text = document.children(node).any(|child| matches!(document.nodes[child].kind, Kind::Text(_)));
    let inner = level.filter(|_| !has_text).map(|level| level + 1);
    for child in children {
        if let Some(level) = inner {
            out.push('\n');
            out.push_str(&"  ".repeat(level));
        }
        write(document, child, inner, out);
    }
    if let (Some(_), Some(level)) = (inner, level) {
        out.push('\n');
        out.push_str(&"  ".repeat(level));
    }
    out.push_str(&format!("</{name}>"));
}

fn escape(text: &str, more: &[(char, &str)], out: &mut String) {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\r' => out.push_str("&#13;"),
            other => match more.iter().find(|(known, _)| *known == other) {
                Some((_, escaped)) => out.push_str(escaped),
                None => out.push(other),
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tree::Mode;
    use super::*;

    const SHOP: &str = "<shop n:open='yes' xmlns:n='urn:n'><!-- note -->\
        <book id='1' price='12.5'><title lang='en'>A &amp; B</title><n:page>3</n:page></book>\
        <book id='2' price='7'><title>C</title></book><?php echo?><book id='3'/></shop>";

    fn find(expression: &str) -> Vec<String> {
        let document = Document::parse(SHOP, Mode::Strict).unwrap();
        XPath::parse(expression).unwrap().find(&document, &[("n".into(), "urn:n".into())]).unwrap()
    }

    #[test]
    fn expressions_of_all_kinds() {
        for (expression, found) in [
            ("/shop/book/@id", &["1", "2", "3"][..]),
            ("//title/text()", &["A &amp; B", "C"]),
            ("//title", &["<title lang=\"en\">A &amp; B</title>", "<title>C</title>"]),
            ("string(//title)", &["A & B"]),
            ("//book[2]/@price", &["7"]),
            ("//book[last()]/@id", &["3"]),
            ("//book[@price > 10]/@id", &["1"]),
            ("//book[@price='7' or title='A & B']/@id", &["1", "2"]),
            ("//book[not(title)]/@id", &["3"]),
            ("//book[title[@lang]]/@id", &["1"]),
            ("count(//book)", &["3.0"]),
            ("sum(//@price) div 2", &["9.75"]),
            ("count(//book) > 2", &["true"]),
            ("count(//book) > 3", &[]),
            ("//n:page", &["<n:page>3</n:page>"]),
            ("//n:*/text()", &["3"]),
            ("//@n:open", &["yes"]),
            ("//page", &[]),
            ("name(//book[1]/*[2])", &["n:page"]),
            ("local-name(//n:page)", &["page"]),
            ("namespace-uri(//n:page)", &["urn:n"]),
            ("//book[1]/following-sibling::book/@id", &["2", "3"]),
            ("//book[3]/preceding-sibling::book[1]/@id", &["2"]),
            ("//title[.='C']/../@id", &["2"]),
            ("//title/ancestor::shop/@*", &["yes"]),
            ("//n:page/preceding::title/@lang", &["en"]),
            ("//n:page/following::title", &["<title>C</title>"]),
            ("(//book)[2]/@id | //book[1]/@id", &["1", "2"]),
            ("//comment()", &["<!-- note -->"]),
            ("//processing-instruction('php')", &["<?php echo?>"]),
            ("/shop/book[position() mod 2 = 1]/@id", &["1", "3"]),
            ("concat('a', \"b\", 1 + 2 * 3, true())", &["ab7true"]),
            ("substring('12345', 1.5, 2.6)", &["234"]),
            ("substring('12345', 0, 3)", &["12"]),
            ("substring-before('a=b', '=')", &["a"]),
            ("substring-after('a=b=c', '=')", &["b=c"]),
            ("translate('bar', 'abc', 'AB')", &["BAr"]),
            ("normalize-space('  a \n b ')", &["a b"]),
            ("string-length('日本')", &["2.0"]),
            ("round(-1.5) + floor(2.7) + ceiling(2.1)", &["4.0"]),
            ("number('x')", &["NaN"]),
            ("-(-3) - -2", &["5.0"]),
            ("10 div 4 mod 2", &["0.5"]),
            ("starts-with(/shop/book[1]/title, 'A') and contains('abc', 'b')", &["true"]),
            ("boolean(//none)", &[]),
            ("self::node()/shop/book[2]/title/text()", &["C"]),
            ("descendant::book[@id='2']/child::title", &["<title>C</title>"]),
        ] {
            assert_eq!(find(expression), found, "{expression}");
        }
    }

    #[test]
    fn elements_are_printed_in_lines_unless_they_hold_text() {
        let document = Document::parse("<a x='&quot;'><b><c/></b><d>t<e/></d></a>", Mode::Strict).unwrap();
        let printed = XPath::parse("/a").unwrap().find(&document, &[]).unwrap();
        assert_eq!(printed, ["<a x=\"&quot;\">\n  <b>\n    <c/>\n  </b>\n  <d>t<e/></d>\n</a>"]);
        let printed = XPath::parse("/").unwrap().find(&document, &[]).unwrap();
        assert!(printed[0].starts_with("<?xml version=\"1.0\"?>\n<a") && printed[0].ends_with("</a>\n"));
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for expression in [
            "",
            "/shop/",
            "//",
            "book[",
            "book]",
            "id('x')",
            "$x",
            "namespace::*",
            "a b",
            "count()",
            "'open",
            "a:",
            "1.2.3",
            "foo(1)",
            "@",
            "a::b",
            "#",
            "text(",
            "concat('a')",
        ] {
            assert!(XPath::parse(expression).is_err(), "{expression}");
        }
        assert!(XPath::parse(&format!("{}1{}", "(".repeat(500), ")".repeat(500))).is_err());
        let document = Document::parse(SHOP, Mode::Strict).unwrap();
        assert_eq!(XPath::parse("//x:a").unwrap().find(&document, &[]), Err(Failed::UnknownPrefix));
        assert_eq!(XPath::parse("count('x')").unwrap().find(&document, &[]), Err(Failed::NoNodes));
    }

    #[test]
    fn work_is_bounded() {
        let document = Document::parse(&format!("<a>{}</a>", "<b/>".repeat(100_000)), Mode::Strict).unwrap();
        let found = XPath::parse("//b[count(preceding-sibling::b) = 5]").unwrap().find(&document, &[]);
        assert_eq!(found, Err(Failed::TooMuch));
    }
}
