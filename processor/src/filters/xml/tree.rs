//! An XML document as a flat list of nodes in the order of the text.

use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Elements lie at most so deep in one another, as for libxml2.
const DEPTH_LIMIT: usize = 256;
/// A document has at most so many nodes.
const NODES_LIMIT: usize = 1_000_000;

/// What the prefix `xml` always stands for.
pub(super) const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// A text that is no XML, or too much of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What to do about errors in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Refuse it.
    Strict,
    /// Take what can be taken, as libxml2 does when it recovers.
    Recover,
}

/// A document. Node 0 is the document itself; what lies below a node follows it, up to its `end`.
pub(super) struct Document {
    pub(super) nodes: Vec<Node>,
}

pub(super) struct Node {
    pub(super) parent: usize,
    /// One behind the last node below.
    pub(super) end: usize,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Document,
    Element(Element),
    Text(Text),
    Comment(String),
    Instruction { target: String, content: String },
}

pub(super) struct Element {
    pub(super) name: Name,
    /// In their order, declarations of namespaces among them.
    pub(super) attributes: Vec<Attribute>,
}

/// A run of characters between two tags.
pub(super) struct Text {
    pub(super) value: String,
    /// As written, references and all.
    pub(super) raw: String,
    /// Whether it is a CDATA section.
    pub(super) cdata: bool,
}

pub(super) struct Attribute {
    pub(super) name: Name,
    pub(super) value: String,
}

/// A name with its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) prefix: Option<Box<str>>,
    pub(super) local: Box<str>,
    pub(super) namespace: Option<Arc<str>>,
}

impl Name {
    /// As written: `prefix:local`.
    pub(super) fn qualified(&self) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}:{}", self.local),
            None => self.local.to_string(),
        }
    }
}

impl Attribute {
    /// Whether it declares a namespace.
    pub(super) fn is_declaration(&self) -> bool {
        match self.name.prefix.as_deref() {
            Some(prefix) => prefix == "xmlns",
            None => &*self.name.local == "xmlns",
        }
    }
}

impl Document {
    /// Reads a document.
    pub(super) fn parse(text: &str, mode: Mode) -> Result<Document, Malformed> {
        let nodes = vec![Node { parent: 0, end: 0, kind: Kind::Document }];
        let mut builder = Builder { nodes, open: vec![0], scopes: Vec::new(), marks: Vec::new(), mode };
        let finished = builder.read(text);
        if finished.is_err() && mode == Mode::Strict {
            return Err(Malformed);
        }
        let last = builder.nodes.len();
        builder.open.iter().for_each(|open| builder.nodes[*open].end = last);
        let document = Document { nodes: builder.nodes };
        match document.root() {
            None if mode == Mode::Strict => Err(Malformed),
            _ => Ok(document),
        }
    }

    /// The outermost element.
    pub(super) fn root(&self) -> Option<usize> {
        self.children(0).find(|node| self.element(*node).is_some())
    }

    pub(super) fn element(&self, node: usize) -> Option<&Element> {
        match &self.nodes.get(node)?.kind {
            Kind::Element(element) => Some(element),
            _ => None,
        }
    }

    /// The nodes right below a node.
    pub(super) fn children(&self, node: usize) -> impl Iterator<Item = usize> {
        let end = self.nodes[node].end;
        let first = (node + 1 < end).then_some(node + 1);
        std::iter::successors(first, move |child| {
            let next = self.nodes[*child].end;
            (next < end).then_some(next)
        })
    }

    /// Gives up all namespaces.
    pub(super) fn remove_namespaces(&mut self) {
        for node in &mut self.nodes {
            if let Kind::Element(element) = &mut node.kind {
                element.attributes.retain(|attribute| !attribute.is_declaration());
                let names = element.attributes.iter_mut().map(|attribute| &mut attribute.name);
                for name in names.chain([&mut element.name]) {
                    name.prefix = None;
                    name.namespace = None;
                }
            }
        }
    }
}

struct Builder {
    nodes: Vec<Node>,
    /// The document and the elements that are open.
    open: Vec<usize>,
    /// Prefixes in force with their namespaces; later ones count.
    scopes: Vec<(Box<str>, Arc<str>)>,
    /// How many of them were in force before each open element.
    marks: Vec<usize>,
    mode: Mode,
}

impl Builder {
    fn read(&mut self, text: &str) -> Result<(), Malformed> {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = self.mode == Mode::Recover;
        config.check_comments = self.mode == Mode::Strict;
        loop {
            match reader.read_event().map_err(|_| Malformed)? {
                Event::Start(tag) => self.start(&tag)?,
                Event::Empty(tag) => {
                    self.start(&tag)?;
                    self.close();
                }
                Event::End(tag) => self.end(tag.name().into_inner())?,
                Event::Text(text) => {
                    let raw = text.replace("\r\n", "\n");
                    self.text(&raw, &raw)?;
                }
                Event::GeneralRef(reference) => {
                    let raw = format!("&{};", &*reference);
                    match resolved(&reference) {
                        Some(character) => self.text(&raw, character.encode_utf8(&mut [0; 4]))?,
                        // What was not declared stands for itself; libxml2 leaves it out.
                        None if self.mode == Mode::Strict => self.text(&raw, &raw)?,
                        None => {}
                    }
                }
                Event::CData(text) => {
                    let value = text.replace("\r\n", "\n");
                    let text = Text { raw: value.clone(), value, cdata: true };
                    self.inside_root()?;
                    self.push(Kind::Text(text))?;
                }
                Event::Comment(text) => drop(self.push(Kind::Comment(text.to_string()))?),
                Event::PI(instruction) => {
                    let target = instruction.target().to_string();
                    let content = instruction.content().trim_start().to_string();
                    self.push(Kind::Instruction { target, content })?;
                }
                Event::Decl(_) | Event::DocType(_) => {}
                Event::Eof => break,
            }
        }
        if self.open.len() > 1 { Err(Malformed) } else { Ok(()) }
    }

    fn push(&mut self, kind: Kind) -> Result<usize, Malformed> {
        if self.nodes.len() >= NODES_LIMIT {
            return Err(Malformed);
        }
        let node = self.nodes.len();
        let parent = self.open.last().copied().unwrap_or(0);
        self.nodes.push(Node { parent, end: node + 1, kind });
        Ok(node)
    }

    fn inside_root(&self) -> Result<(), Malformed> {
        if self.open.len() > 1 { Ok(()) } else { Err(Malformed) }
    }

    /// Adds to the run of characters at work, or begins one.
    fn text(&mut self, raw: &str, value: &str) -> Result<(), Malformed> {
        if self.open.len() == 1 {
            return if value.trim().is_empty() { Ok(()) } else { Err(Malformed) };
        }
        let parent = self.open.last().copied().unwrap_or(0);
        if let Some(Node { parent: held, kind: Kind::Text(text), .. }) = self.nodes.last_mut()
            && *held == parent
            && !text.cdata
        {
            text.raw.push_str(raw);
            text.value.push_str(value);
            return Ok(());
        }
        self.push(Kind::Text(Text { value: value.into(), raw: raw.into(), cdata: false })).map(drop)
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), Malformed> {
        let is_second_root =
            self.open.len() == 1 && self.nodes.iter().any(|node| matches!(node.kind, Kind::Element(_)));
        if is_second_root || self.open.len() > DEPTH_LIMIT {
            return Err(Malformed);
        }
        self.marks.push(self.scopes.len());
        let mut written: Vec<(&str, String)> = Vec::new();
        for attribute in tag.attributes() {
            match attribute {
                Ok(attribute) => written.push((attribute.key.into_inner(), attribute_value(&attribute.value))),
                Err(_) if self.mode == Mode::Strict => return Err(Malformed),
                Err(_) => {}
            }
        }
        for (name, value) in &written {
            let prefix = if *name == "xmlns" { Some("") } else { name.strip_prefix("xmlns:") };
            self.scopes.extend(prefix.map(|prefix| (prefix.into(), value.as_str().into())));
        }
        let name = self.name(tag.name().into_inner(), true)?;
        let attributes =
            written.into_iter().map(|(name, value)| Ok(Attribute { name: self.name(name, false)?, value }));
        let attributes = attributes.collect::<Result<_, Malformed>>()?;
        let node = self.push(Kind::Element(Element { name, attributes }))?;
        self.open.push(node);
        Ok(())
    }

    /// A name with the namespace that its prefix stands for.
    fn name(&self, written: &str, is_element: bool) -> Result<Name, Malformed> {
        let (prefix, local) = match written.split_once(':') {
            Some((prefix, local)) if !prefix.is_empty() && !local.is_empty() => (Some(prefix), local),
            _ => (None, written),
        };
        let namespace = match prefix {
            Some("xml") => Some(XML_NAMESPACE.into()),
            Some("xmlns") => None,
            Some(prefix) => {
                let found = self.namespace(prefix);
                if found.is_none() && self.mode == Mode::Strict {
                    return Err(Malformed);
                }
                found
            }
            None if is_element => self.namespace("").filter(|namespace| !namespace.is_empty()),
            None => None,
        };
        Ok(Name { prefix: prefix.map(Into::into), local: local.into(), namespace })
    }

    fn namespace(&self, prefix: &str) -> Option<Arc<str>> {
        self.scopes.iter().rev().find(|(held, _)| &**held == prefix).map(|(_, namespace)| Arc::clone(namespace))
    }

    fn end(&mut self, name: &str) -> Result<(), Malformed> {
        let open = self.open.last().and_then(|open| match &self.nodes[*open].kind {
            Kind::Element(element) => Some(element.name.qualified()),
            _ => None,
        });
        match open {
            // Recovering, any end tag ends the element that is open.
            Some(open) if open == name.trim_end() || self.mode == Mode::Recover => {
                self.close();
                Ok(())
            }
            None if self.mode == Mode::Recover => Ok(()),
            _ => Err(Malformed),
        }
    }

    fn close(&mut self) {
        if self.open.len() > 1
            && let Some(open) = self.open.pop()
        {
            self.nodes[open].end = self.nodes.len();
            self.scopes.truncate(self.marks.pop().unwrap_or(0));
        }
    }
}

/// The character that a reference stands for, unless it must be declared.
fn resolved(reference: &str) -> Option<char> {
    match reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => {
            let digits = reference.strip_prefix('#')?;
            let code = match digits.strip_prefix('x') {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code).filter(|character| *character != '\0')
        }
    }
}

/// The value of an attribute: references resolved, line ends and tabs as blanks.
fn attribute_value(raw: &str) -> String {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\r', '\n', '\t']) {
        value.push_str(&rest[..at]);
        rest = &rest[at..];
        let (character, length) = match rest.strip_prefix('&') {
            None => (' ', if rest.starts_with("\r\n") { 2 } else { 1 }),
            Some(tail) => {
                let reference = tail.find(';').map(|end| &tail[..end]);
                reference.and_then(|reference| Some((resolved(reference)?, reference.len() + 2))).unwrap_or(('&', 1))
            }
        };
        value.push(character);
        rest = &rest[length..];
    }
    value.push_str(rest);
    value
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The tree in a short form: `a(b'text' c)`.
    fn shape(text: &str, mode: Mode) -> Option<String> {
        let document = Document::parse(text, mode).ok()?;
        let mut out = String::new();
        for (at, node) in document.nodes.iter().enumerate().skip(1) {
            match &node.kind {
                Kind::Element(element) => out.push_str(&format!("{}[{}]", element.name.qualified(), node.end - at - 1)),
                Kind::Text(text) => out.push_str(&format!("'{}'", text.value)),
                Kind::Comment(text) => out.push_str(&format!("!{text}!")),
                Kind::Instruction { target, .. } => out.push_str(&format!("?{target}?")),
                Kind::Document => {}
            }
        }
        Some(out)
    }

    #[test]
    fn documents_of_all_parts() {
        for (text, tree) in [
            ("<a><b>x &amp; &#x41;</b><c/></a>", "a[3]b[1]'x & A'c[0]"),
            ("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;<![CDATA[<]]></a>\n", "a[2]'&e;''<'"),
            ("<!-- c --><?p i?><a/>", "! c !?p?a[0]"),
            ("<n:a xmlns:n='u'/>", "n:a[0]"),
        ] {
            assert_eq!(shape(text, Mode::Strict).as_deref(), Some(tree), "{text}");
        }
    }

    #[test]
    fn broken_documents_are_refused_or_mended() {
        for (text, mended) in [
            ("<a><b>x</a>", "a[2]b[1]'x'"),
            ("<a>x", "a[1]'x'"),
            ("<a/><b/>", "a[0]"),
            ("<a x=1 y='2'/>", "a[0]"),
            ("<n:a/>", "n:a[0]"),
            ("text", ""),
            ("<a>x & y</a>", "a[1]'x & y'"),
            ("<a>&undeclared;</a> tail", "a[0]"),
        ] {
            let strict = shape(text, Mode::Strict);
            assert_eq!(strict, None, "{text}");
            assert_eq!(shape(text, Mode::Recover).as_deref(), Some(mended), "{text}");
        }
    }

    #[test]
    fn namespaces_follow_their_scope() {
        let text = "<a xmlns='u' xmlns:p='v' p:x='1' y='&lt;\t2'><b xmlns=''/><p:c/></a>";
        let mut document = Document::parse(text, Mode::Strict).unwrap();
        let names: Vec<_> = [1, 2, 3].iter().map(|node| document.element(*node).unwrap().name.clone()).collect();
        assert_eq!(names[0].namespace.as_deref(), Some("u"));
        assert_eq!(names[1].namespace, None);
        assert_eq!(names[2].namespace.as_deref(), Some("v"));
        let attributes = &document.element(1).unwrap().attributes;
        assert_eq!(attributes[2].name.namespace.as_deref(), Some("v"));
        assert_eq!(attributes[3].value, "< 2");
        document.remove_namespaces();
        assert_eq!(document.element(1).unwrap().attributes.len(), 2);
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let deep = format!("{}{}", "<a>".repeat(2000), "</a>".repeat(2000));
        assert!(Document::parse(&deep, Mode::Strict).is_err());
        assert!(Document::parse(&deep, Mode::Recover).unwrap().nodes.len() < 300);
        let wide = format!("<a>{}</a>", "<b/>".repeat(NODES_LIMIT));
        assert!(Document::parse(&wide, Mode::Strict).is_err());
    }
}
