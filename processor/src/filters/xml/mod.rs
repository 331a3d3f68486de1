//! Filter `xml`: XML as maps and lists, and what XPath finds in it.

use tailrace_common::{Event, FieldPath, Str, Value};

use crate::options::{Invalid, Options, value_text};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

mod simple;
mod tree;
mod xpath;

use simple::Shape;
use tree::{Document, Mode};
use xpath::XPath;

pub(in crate::filters) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "xml",
    summary: "Reads XML into maps and lists, and takes out what XPath expressions find.",
    example: "filter { xml { source => \"message\" store_xml => false \
              xpath => { \"/order/@id\" => \"[order][id]\" \"/order/item/text()\" => \"[order][items]\" } } }",
    build,
};

const FAILURE: &str = "_xmlparsefailure";

/// The options of libxml2 that change nothing here: nothing is loaded, and errors are not printed.
const HARMLESS: [&str; 12] = [
    "STRICT",
    "RECOVER",
    "NOERROR",
    "NOWARNING",
    "NONET",
    "NODICT",
    "NSCLEAN",
    "COMPACT",
    "NOXINCNODE",
    "NOBASEFIX",
    "PEDANTIC",
    "DEFAULTXML",
];

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    options.require("source");
    let source = options.field("source");
    let target = options.field("target");
    let store = options.boolean("store_xml", true);
    if store && target.is_none() {
        options.error_at("target", "'target' is needed where 'store_xml' is on");
    }
    let mut expressions = Vec::new();
    for (text, field) in options.hash("xpath") {
        let field = options.path("xpath", &value_text(&field));
        match XPath::parse(&text) {
            Ok(expression) => expressions.extend(field.map(|field| (expression, field))),
            Err(message) => options.error_at("xpath", format!("'{text}' cannot be used: {message}")),
        }
    }
    let namespaces = options.hash("namespaces").into_iter().map(|(prefix, namespace)| {
        let prefix = prefix.strip_prefix("xmlns:").map(str::to_string).unwrap_or(prefix);
        (prefix, value_text(&namespace))
    });
    let namespaces = namespaces.collect();
    let shape = Shape {
        force_array: options.boolean("force_array", true),
        force_content: options.boolean("force_content", false),
        suppress_empty: options.boolean("suppress_empty", true),
    };
    let remove_namespaces = options.boolean("remove_namespaces", false);
    let mode = mode(&mut options);
    options.finish()?;
    Ok(Box::new(Xml {
        source: source.ok_or(Invalid)?,
        stored: target.filter(|_| store),
        expressions,
        namespaces,
        remove_namespaces,
        mode,
        shape,
    }))
}

/// Whether what XPath searches must be well-formed: with options, unless `recover` is among them.
fn mode(options: &mut Options<'_>) -> Mode {
    let Some(text) = options.string("parse_options") else { return Mode::Recover };
    let names: Vec<String> = text
        .split([',', '|'])
        .map(|name| name.trim().replace('_', "").to_uppercase())
        .filter(|name| !name.is_empty())
        .collect();
    for name in names.iter().filter(|name| !HARMLESS.contains(&name.as_str())) {
        options.error_at("parse_options", format!("the parse option '{name}' is not supported"));
    }
    let recovers = names.iter().any(|name| name == "RECOVER" || name == "DEFAULTXML");
    if recovers { Mode::Recover } else { Mode::Strict }
}

struct Xml {
    source: FieldPath,
    /// Where the whole document goes.
    stored: Option<FieldPath>,
    expressions: Vec<(XPath, FieldPath)>,
    /// What prefixes in expressions stand for; those of the outermost element when there are none.
    namespaces: Vec<(String, String)>,
    remove_namespaces: bool,
    mode: Mode,
    shape: Shape,
}

/// What is no XML, or cannot be searched or stored; what was set before stays.
struct Failed;

impl Filter for Xml {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let text = match event.get(&self.source) {
            None | Some(Value::Null | Value::Bool(false)) => return,
            Some(Value::Array(values)) if values.len() == 1 => values[0].as_str(),
            Some(value) => value.as_str(),
        };
        let outcome = match text.map(Str::from) {
            Some(text) if text.trim().is_empty() => return,
            Some(text) => self.read(&text, event),
            None => Err(Failed),
        };
        match outcome {
            Ok(true) => context.matched(event),
            Ok(false) => {}
            Err(Failed) => context.failed(event, &[FAILURE]),
        }
    }
}

impl Xml {
    /// Whether anything was found or stored.
    fn read(&self, text: &str, event: &mut Event) -> Result<bool, Failed> {
        let mut any = false;
        if !self.expressions.is_empty() || self.mode == Mode::Strict {
            any |= self.search(text, event)?;
        }
        if let Some(target) = &self.stored {
            let document = Document::parse(text, Mode::Strict).map_err(|_| Failed)?;
            let value = self.shape.of(&document).ok_or(Failed)?;
            event.set(target, value).map_err(|_| Failed)?;
            any = true;
        }
        Ok(any)
    }

    fn search(&self, text: &str, event: &mut Event) -> Result<bool, Failed> {
        let mut document = Document::parse(text, self.mode).map_err(|_| Failed)?;
        let of_root = if self.namespaces.is_empty() { root_namespaces(&document) } else { Vec::new() };
        let namespaces = if self.namespaces.is_empty() { &of_root } else { &self.namespaces };
        if self.remove_namespaces {
            document.remove_namespaces();
        }
        let mut any = false;
        for (expression, field) in &self.expressions {
            let mut found = expression.find(&document, namespaces).map_err(|_| Failed)?;
            let value = match found.len() {
                0 => continue,
                1 if !self.shape.force_array => Value::from(found.swap_remove(0)),
                _ => Value::Array(found.into_iter().map(Value::from).collect()),
            };
            event.set(field, value).map_err(|_| Failed)?;
            any = true;
        }
        Ok(any)
    }
}

/// The namespaces that the outermost element declares; the one without a prefix is called `xmlns`.
fn root_namespaces(document: &Document) -> Vec<(String, String)> {
    let element = document.root().and_then(|root| document.element(root));
    let declared =
        element.into_iter().flat_map(|element| &element.attributes).filter(|attribute| attribute.is_declaration());
    declared.map(|attribute| (attribute.name.local.to_string(), attribute.value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, run, run_with};

    #[test]
    fn documents_are_stored() {
        for (options, text, expected) in [
            ("", "<r a='1'><k>v</k></r>", r#"{"a":"1","k":["v"]}"#),
            ("force_array => false", "<r><k>v</k></r>", r#"{"k":"v"}"#),
            ("", "<r>text</r>", r#""text""#),
        ] {
            let config =
                format!("xml {{ source => \"message\" target => \"x\" remove_field => \"message\" {options} }}");
            check(&config, &format!("{{\"message\":\"{text}\"}}"), &[&format!("{{\"x\":{expected}}}")]);
        }
    }

    #[test]
    fn expressions_fill_fields() {
        let config = "xml { source => \"message\" store_xml => false remove_field => \"message\" \
                      xpath => { \"/r/k/text()\" => \"[o][k]\" \"/r/@a\" => \"a\" \"/r/none\" => \"none\" } }";
        check(config, r#"{"message":"<r a='1'><k>v</k><k>w</k></r>"}"#, &[r#"{"o":{"k":["v","w"]},"a":["1"]}"#]);
        // What is broken is read as far as it goes.
        check(config, r#"{"message":"<r a='1'><k>v</k>"}"#, &[r#"{"o":{"k":["v"]},"a":["1"]}"#]);
        let single = config.replace("store_xml", "force_array => false store_xml");
        check(&single, r#"{"message":["<r a='1'/>"]}"#, &[r#"{"a":"1"}"#]);
    }

    #[test]
    fn prefixes_are_those_of_the_document_or_the_options() {
        let text = r#"{"message":"<p:r xmlns:p='u' xmlns='d'><k>v</k></p:r>"}"#;
        for (options, expression, found) in [
            ("", "/p:r/xmlns:k/text()", true),
            ("namespaces => { \"q\" => \"u\" \"d\" => \"d\" }", "/q:r/d:k/text()", true),
            ("remove_namespaces => true", "/r/k/text()", true),
            ("", "/r/k", false),
        ] {
            let config = format!(
                "xml {{ source => \"message\" store_xml => false xpath => {{ \"{expression}\" => \"f\" }} {options} }}"
            );
            assert_eq!(run(&config, &[text]).concat().contains("\"f\":[\"v\"]"), found, "{expression}");
        }
        let unknown = "xml { source => \"message\" store_xml => false xpath => { \"//z:a\" => \"f\" } }";
        assert!(run(unknown, &[text]).concat().contains("_xmlparsefailure"));
    }

    #[test]
    fn what_is_no_xml_is_tagged() {
        for message in [r#""no xml""#, r#""<a><b></a>""#, "5", r#"["<a/>","<b/>"]"#, r#"{"a":1}"#, "[]"] {
            let event = format!("{{\"message\":{message}}}");
            let expected = format!("{{\"message\":{message},\"tags\":[\"_xmlparsefailure\"]}}");
            check("xml { source => \"message\" target => \"x\" }", &event, &[&expected]);
        }
        for message in [r#""""#, r#"" \n""#, "null", "false"] {
            let event = format!("{{\"message\":{message}}}");
            check("xml { source => \"message\" target => \"x\" }", &event, &[&event]);
        }
        let strict =
            "xml { source => \"message\" store_xml => false parse_options => \"strict\" xpath => { \"/a\" => \"f\" } }";
        assert!(run(strict, &[r#"{"message":"<a>"}"#]).concat().contains("_xmlparsefailure"));
    }

    #[test]
    fn options_are_checked_at_load() {
        for options in [
            "target => \"x\"",
            "source => \"message\"",
            "source => \"m\" store_xml => false xpath => { \"//a[\" => \"f\" }",
            "source => \"m\" target => \"x\" parse_options => \"xinclude\"",
        ] {
            assert!(run_with("v8", &format!("xml {{ {options} }}"), &[]).is_err(), "{options}");
        }
    }
}
