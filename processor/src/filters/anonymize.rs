//! Filter `anonymize`: hashes in the place of values.

use tailrace_common::{Event, FieldPath, Value};

use super::fingerprint::digest::{Digest, Digester};
use super::fingerprint::{murmur, network, password};
use crate::options::{Invalid, Options};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "anonymize",
    summary: "Replaces fields by their hash with a key, or addresses by their network.",
    example: "filter { anonymize { fields => [\"user\"] algorithm => \"SHA256\" key => \"secret\" } }",
    build,
};

const ALGORITHMS: [&str; 7] = ["SHA1", "SHA256", "SHA384", "SHA512", "MD5", "MURMUR3", "IPV4_NETWORK"];

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    options.require("fields");
    options.require("key");
    let fields = options.fields("fields");
    let key = password(&mut options, "key");
    let algorithm = match options.one_of("algorithm", &ALGORITHMS, "SHA1") {
        "MURMUR3" => Algorithm::Murmur,
        "IPV4_NETWORK" => Algorithm::Network { prefix: network::prefix(&mut options, key.as_deref()) },
        name => {
            let key = key.unwrap_or_default();
            Algorithm::Digest(Digester::new(Digest::named(name), Some(&key), false))
        }
    };
    options.finish()?;
    Ok(Box::new(Anonymize { fields, algorithm }))
}

struct Anonymize {
    fields: Vec<FieldPath>,
    algorithm: Algorithm,
}

enum Algorithm {
    Digest(Digester),
    Murmur,
    Network { prefix: i64 },
}

impl Filter for Anonymize {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        for field in &self.fields {
            let hashed = match event.get(field) {
                None => continue,
                Some(Value::Array(values)) => {
                    values.iter().map(|value| self.algorithm.of(value)).collect::<Result<_, _>>().map(Value::Array)
                }
                Some(value) => self.algorithm.of(value),
            };
            let stored = hashed.and_then(|hashed| event.set(field, hashed).map_err(|error| error.to_string()));
            if let Err(reason) = stored {
                context.reject(event, reason);
                return;
            }
        }
        context.matched(event);
    }
}

impl Algorithm {
    /// Only texts are hashed, and whole numbers by Murmur; Logstash ends at anything else.
    fn of(&self, value: &Value) -> Result<Value, String> {
        match (self, value) {
            (Algorithm::Digest(digester), Value::String(text)) => Ok(digester.of(text.as_bytes()).into()),
            (Algorithm::Murmur, Value::Int(number)) => Ok(murmur::hash32(&number.to_le_bytes()).into()),
            (Algorithm::Murmur, Value::String(text)) => Ok(murmur::hash32(text.as_bytes()).into()),
            (Algorithm::Murmur, _) => Ok(Value::Null),
            (Algorithm::Network { prefix }, Value::String(text)) => {
                network::masked(text, *prefix).map(Value::from).ok_or_else(|| format!("'{text}' cannot be masked"))
            }
            (_, other) => Err(format!("a {} cannot be anonymized", other.type_name())),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, run_with};

    #[test]
    fn values_give_way_to_their_hashes() {
        for (options, event, expected) in [
            (
                "algorithm => \"MD5\" key => \"s3cret\"",
                r#"{"f":"hello"}"#,
                r#"{"f":"5f4502cce53317563d0395eecdaf17e9"}"#,
            ),
            (
                "algorithm => \"MURMUR3\" key => \"x\"",
                r#"{"f":["hello",42,1.5]}"#,
                r#"{"f":[613153351,1871679806,null]}"#,
            ),
            ("algorithm => \"IPV4_NETWORK\" key => \"16\"", r#"{"f":"10.1.2.3"}"#, r#"{"f":"10.1.0.0"}"#),
            ("key => \"x\"", r#"{"g":1}"#, r#"{"g":1}"#),
        ] {
            check(&format!("anonymize {{ fields => [\"f\"] {options} }}"), event, &[expected]);
        }
        check("anonymize { fields => [\"f\"] key => \"x\" }", r#"{"f":5}"#, &[]);
        assert!(run_with("v8", "anonymize { fields => [\"f\"] }", &[]).is_err());
    }
}
