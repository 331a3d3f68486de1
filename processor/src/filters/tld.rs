//! Filter `tld`: the parts of a host name by the public suffix list.

use tailrace_common::{Event, FieldPath, Object, Str, Value};

use crate::options::{Invalid, Options};
use crate::plan::text::ruby_to_s;
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "tld",
    summary: "Cuts a host name into its public suffix, its domain and what stands before.",
    example: "filter { tld { source => \"[url][domain]\" target => \"tld\" } }",
    build,
};

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let source = options.field("source").unwrap_or_else(|| FieldPath::field("message"));
    let target = options.field("target").unwrap_or_else(|| FieldPath::field("tld"));
    options.finish()?;
    Ok(Box::new(Tld { source, target }))
}

struct Tld {
    source: FieldPath,
    target: FieldPath,
}

impl Filter for Tld {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let parts = match event.get(&self.source) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => parts(text),
            Some(other) => parts(&ruby_to_s(other)),
        };
        let Some(parts) = parts else { return };
        let mut fields = match event.get(&self.target) {
            None | Some(Value::Null) => Object::new(),
            Some(Value::Object(fields)) => fields.clone(),
            Some(other) => {
                let reason = format!("'{}' is a {} and no map", self.target, other.type_name());
                context.reject(event, reason);
                return;
            }
        };
        fields.extend(parts);
        match event.set(&self.target, fields) {
            Ok(()) => context.matched(event),
            Err(error) => context.reject(event, error.to_string()),
        }
    }
}

/// The parts of a host name below a listed suffix; nothing for a suffix alone.
fn parts(name: &str) -> Option<[(&'static str, Value); 6]> {
    let name = name.trim();
    let name = name.strip_suffix('.').unwrap_or(name).to_lowercase();
    if name.is_empty() || name.starts_with('.') {
        return None;
    }
    let suffix = psl::suffix(name.as_bytes()).filter(psl::Suffix::is_known)?;
    let suffix = std::str::from_utf8(suffix.as_bytes()).ok()?;
    let before = name.strip_suffix(suffix)?.strip_suffix('.')?;
    let (rest, label) = match before.rsplit_once('.') {
        Some((rest, label)) => (Some(rest), label),
        None => (None, before),
    };
    let text = |text: &str| Value::String(Str::from(text));
    Some([
        ("tld", text(suffix)),
        ("sld", text(label)),
        ("trd", rest.map_or(Value::Null, text)),
        ("domain", text(&format!("{label}.{suffix}"))),
        ("subdomain", rest.map_or(Value::Null, |_| text(&name))),
        ("top_level_domain", text(suffix)),
    ])
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::check;

    #[test]
    fn names_are_cut_at_their_suffix() {
        check(
            "tld { }",
            r#"{"message":"Www.Sub.example.co.uk.","tld":{"x":1}}"#,
            &[r#"{"message":"Www.Sub.example.co.uk.","tld":{"x":1,"tld":"co.uk","sld":"example","trd":"www.sub",
                "domain":"example.co.uk","subdomain":"www.sub.example.co.uk","top_level_domain":"co.uk"}}"#],
        );
        check(
            "tld { target => \"t\" }",
            r#"{"message":"example.com"}"#,
            &[r#"{"message":"example.com","t":{"tld":"com","sld":"example","trd":null,"domain":"example.com",
                "subdomain":null,"top_level_domain":"com"}}"#],
        );
        for name in ["com", "co.uk", "host.invalidtld", "", ".com", "http://example.com/x", "10.0.0.1"] {
            let event = format!("{{\"message\":\"{name}\"}}");
            check("tld { add_tag => \"t\" }", &event, &[&event]);
        }
        check("tld { }", r#"{"message":"a.com","tld":"text"}"#, &[]);
    }
}
