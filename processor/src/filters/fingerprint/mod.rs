//! Filter `fingerprint`: hashes of fields, to find the same event again.

use tailrace_common::{Event, FieldPath, Str, Value};
use tailrace_grok::{Budget, Options as RegexOptions, Regex, Scratch};

use crate::options::{Invalid, Options};
use crate::plan::text::ruby_to_s;
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) mod digest;
pub(super) mod murmur;
pub(super) mod network;

use digest::{Digest, Digester};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "fingerprint",
    summary: "Hashes fields (SHA, MD5, Murmur, with a key or without), masks addresses, makes UUIDs.",
    example: "filter { fingerprint { source => [\"host\", \"message\"] concatenate_sources => true method => \"SHA256\" \
              target => \"[@metadata][fingerprint]\" } }",
    build,
};

const METHODS: [&str; 10] =
    ["SHA1", "SHA256", "SHA384", "SHA512", "MD5", "MURMUR3", "MURMUR3_128", "IPV4_NETWORK", "UUID", "PUNCTUATION"];

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let ecs = options.ecs().enabled();
    let default = if ecs { FieldPath::field("event").child("hash") } else { FieldPath::field("fingerprint") };
    let target = options.field("target").unwrap_or(default);
    let mut names = options.strings("source");
    if names.is_empty() {
        names.push("message".into());
    }
    let base64 = options.boolean("base64encode", false);
    let concatenate = options.boolean("concatenate_sources", false);
    let all_fields = options.boolean("concatenate_all_fields", false);
    let key = password(&mut options, "key");
    let method = match options.one_of("method", &METHODS, "SHA1") {
        "MURMUR3" => Method::Hash(Hash::Murmur),
        "MURMUR3_128" => Method::Hash(Hash::Murmur128 { base64 }),
        "IPV4_NETWORK" => Method::Hash(Hash::Network { prefix: network::prefix(&mut options, key.as_deref()) }),
        "UUID" => Method::Uuid,
        "PUNCTUATION" => Method::Punctuation(punctuation()?),
        name => Method::Hash(Hash::Digest(Digester::new(Digest::named(name), key.as_deref(), base64))),
    };
    if concatenate || matches!(method, Method::Punctuation(_)) {
        names.sort();
    }
    let sources = names.into_iter().filter_map(|name| Some((options.path("source", &name)?, name))).collect();
    options.finish()?;
    let sources = match (all_fields, concatenate) {
        (true, _) => Sources::AllJoined,
        (false, true) => Sources::Joined(sources),
        (false, false) => Sources::Each(sources),
    };
    Ok(Box::new(Fingerprint { sources, target, method }))
}

/// An option of Logstash's type password takes nothing but text.
pub(super) fn password(options: &mut Options<'_>, option: &'static str) -> Option<String> {
    match options.raw(option)? {
        Value::String(text) => Some(text.to_string()),
        _ => {
            options.error_at(option, format!("'{option}' must be a string; quote it"));
            None
        }
    }
}

fn punctuation() -> Result<Box<Regex>, Invalid> {
    Regex::new(r"[\p{P}\p{S}]+", RegexOptions::default()).map(Box::new).map_err(|_| Invalid)
}

struct Fingerprint {
    sources: Sources,
    target: FieldPath,
    method: Method,
}

/// Fields with their names as written.
enum Sources {
    /// Hashed one after the other; the last is kept.
    Each(Vec<(FieldPath, String)>),
    /// Joined with their names: `|a|1|b|2|`.
    Joined(Vec<(FieldPath, String)>),
    /// The whole document, joined.
    AllJoined,
}

enum Method {
    Hash(Hash),
    Uuid,
    /// Keeps the signs of a text; this finds them.
    Punctuation(Box<Regex>),
}

enum Hash {
    Digest(Digester),
    Murmur,
    Murmur128 { base64: bool },
    Network { prefix: i64 },
}

impl Filter for Fingerprint {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        match self.store(event, context.scratch) {
            Ok(()) => context.matched(event),
            Err(reason) => context.reject(event, reason),
        }
    }
}

impl Fingerprint {
    fn store(&self, event: &mut Event, scratch: &mut Scratch) -> Result<(), String> {
        let set = |event: &mut Event, value: Value| event.set(&self.target, value).map_err(|error| error.to_string());
        let hash = match &self.method {
            Method::Uuid => return set(event, uuid::Uuid::new_v4().to_string().into()),
            Method::Punctuation(signs) => {
                let (Sources::Each(sources) | Sources::Joined(sources)) = &self.sources else { return Ok(()) };
                for (path, name) in sources {
                    match event.get(path) {
                        None => {}
                        Some(Value::String(text)) => {
                            let kept = only(signs, text, scratch)?;
                            set(event, kept.into())?;
                        }
                        Some(_) => return Err(format!("'{name}' is no text")),
                    }
                }
                return Ok(());
            }
            Method::Hash(hash) => hash,
        };
        match &self.sources {
            Sources::Each(sources) => {
                for (path, _) in sources {
                    let hashed = match event.get(path) {
                        None => continue,
                        Some(Value::Array(values)) => {
                            Value::Array(values.iter().map(|value| hash.of(value)).collect::<Result<_, _>>()?)
                        }
                        Some(value) => hash.of(value)?,
                    };
                    set(event, hashed)?;
                }
                Ok(())
            }
            Sources::Joined(sources) => {
                let fields = sources.iter().map(|(path, name)| (name.as_str(), event.get(path)));
                let joined = joined(fields);
                set(event, hash.of(&joined)?)
            }
            Sources::AllJoined => {
                let mut fields: Vec<_> =
                    event.fields().iter().map(|(name, value)| (name.as_str(), Some(value))).collect();
                fields.sort_by_key(|(name, _)| *name);
                let joined = joined(fields.into_iter());
                set(event, hash.of(&joined)?)
            }
        }
    }
}

/// `|name|value|name|value|`.
fn joined<'v>(fields: impl Iterator<Item = (&'v str, Option<&'v Value>)>) -> Value {
    let mut text = String::with_capacity(128);
    for (name, value) in fields {
        text.push('|');
        text.push_str(name);
        text.push('|');
        if let Some(value) = value {
            write_canonical(value, &mut text);
        }
    }
    text.push('|');
    text.into()
}

/// Appends what is hashed of a value: maps in the order of their names, with all names and values between bars.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => out.push_str(text),
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(name, _)| name);
            for (at, (name, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    out.push('|');
                }
                out.push_str(name);
                out.push('|');
                write_canonical(value, out);
            }
        }
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push('|');
                }
                write_canonical(value, out);
            }
        }
        other => out.push_str(&ruby_to_s(other)),
    }
}

/// The parts of a text that an expression finds.
fn only(regex: &Regex, text: &Str, scratch: &mut Scratch) -> Result<String, String> {
    if text.is_ascii() {
        // In ASCII all that is neither letter, digit, blank nor control is a sign.
        return Ok(text.chars().filter(char::is_ascii_punctuation).collect());
    }
    let mut kept = String::new();
    let mut found = regex.find_iter(text.as_bytes(), scratch, Budget::UNLIMITED);
    while let Some(captures) = found.next_captures().map_err(|error| error.to_string())? {
        if let Some((start, end)) = captures.first().copied().flatten() {
            kept.push_str(text.get(start..end).unwrap_or_default());
        }
    }
    Ok(kept)
}

impl Hash {
    fn of(&self, value: &Value) -> Result<Value, String> {
        let text = || match value {
            Value::String(text) => text.clone(),
            other => {
                let mut text = String::new();
                write_canonical(other, &mut text);
                Str::from(text)
            }
        };
        match (self, value) {
            (Hash::Digest(digester), Value::String(text)) => Ok(digester.of(text.as_bytes()).into()),
            (Hash::Digest(digester), _) => Ok(digester.of(text().as_bytes()).into()),
            (Hash::Murmur, Value::Int(number)) => Ok(murmur::hash32(&number.to_le_bytes()).into()),
            (Hash::Murmur | Hash::Murmur128 { .. }, Value::BigInt(number)) => {
                Err(format!("{number} is too large for a Murmur hash"))
            }
            (Hash::Murmur, _) => Ok(murmur::hash32(text().as_bytes()).into()),
            (Hash::Murmur128 { base64 }, value) => {
                let hash = match value {
                    Value::Int(number) => match i32::try_from(*number) {
                        Ok(small) => murmur::hash128(&small.to_le_bytes()),
                        Err(_) => murmur::hash128(&number.to_le_bytes()),
                    },
                    _ => murmur::hash128(text().as_bytes()),
                };
                Ok(digest::encoded(&hash, *base64).into())
            }
            (Hash::Network { prefix }, Value::String(text)) => {
                network::masked(text, *prefix).map(Value::from).ok_or_else(|| format!("'{text}' cannot be masked"))
            }
            (Hash::Network { .. }, other) => Err(format!("a {} is no address", other.type_name())),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, run, run_with};

    #[test]
    fn maps_are_sorted_and_lists_hashed_one_by_one() {
        let hash = |event: &str| run("fingerprint { source => \"o\" target => \"f\" remove_field => \"o\" }", &[event]);
        assert_eq!(hash(r#"{"o":{"a":1,"b":{"d":1,"c":2}}}"#), hash(r#"{"o":{"b":{"c":2,"d":1},"a":1}}"#));
        check(
            "fingerprint { source => \"o\" method => \"MD5\" target => \"f\" }",
            r#"{"o":["a",null]}"#,
            &[r#"{"o":["a",null],"f":["0cc175b9c0f1b6a831c399e269772661","d41d8cd98f00b204e9800998ecf8427e"]}"#],
        );
    }

    #[test]
    fn what_is_no_text_and_no_address_is_rejected() {
        for (method, event) in [
            ("method => \"PUNCTUATION\"", r#"{"message":5}"#),
            ("method => \"IPV4_NETWORK\" key => \"24\"", r#"{"message":"10.0.0.256"}"#),
            ("method => \"IPV4_NETWORK\" key => \"33\"", r#"{"message":"10.0.0.1"}"#),
            ("method => \"IPV4_NETWORK\" key => \"24\"", r#"{"message":null}"#),
            ("method => \"MURMUR3\"", r#"{"message":123456789012345678901234567890}"#),
        ] {
            check(&format!("fingerprint {{ {method} }}"), event, &[]);
        }
    }

    #[test]
    fn signs_of_all_scripts_are_kept() {
        check(
            "fingerprint { method => \"PUNCTUATION\" }",
            r#"{"message":"价格：￥5（a）"}"#,
            &[r#"{"message":"价格：￥5（a）","fingerprint":"：￥（）"}"#],
        );
    }

    #[test]
    fn a_key_is_text() {
        for config in ["fingerprint { key => 123 }", "fingerprint { method => \"IPV4_NETWORK\" }"] {
            assert!(run_with("v8", config, &[]).is_err(), "{config}");
        }
    }
}
