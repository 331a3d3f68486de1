//! What the action `update` does: a part of a document, or a script.

use serde_json::{Value as Json, json};
use tailrace_common::Event;

use super::bulk::filled;
use crate::options::Options;
use crate::plan::template::Template;

/// The options of the action `update`.
#[derive(Debug)]
pub(super) struct Update {
    doc_as_upsert: bool,
    /// The document that is made where there is none, as JSON.
    upsert: Option<Template>,
    script: Option<Script>,
}

#[derive(Debug)]
struct Script {
    source: Template,
    /// Whether the source is the id of a script that is stored.
    stored: bool,
    language: String,
    /// What the script calls the event.
    variable: String,
    scripted_upsert: bool,
}

impl Update {
    pub(super) fn read(options: &mut Options<'_>) -> Update {
        let given = |template: Option<Template>| {
            template.filter(|template| template.as_constant().is_none_or(|text| !text.is_empty()))
        };
        let doc_as_upsert = options.boolean("doc_as_upsert", false);
        let upsert = given(options.template("upsert"));
        let source = given(options.template("script"));
        let kinds = ["inline", "indexed", "file"];
        // A list of one is how Logstash documents it.
        let kind = options.one_of("script_type", &kinds, "inline");
        if kind == "file" {
            options.error_at("script_type", "Elasticsearch has no scripts in files any more; use inline or indexed");
        }
        let language = options.string("script_lang").unwrap_or_else(|| "painless".into());
        let variable = options.string("script_var_name").unwrap_or_else(|| "event".into());
        let scripted_upsert = options.boolean("scripted_upsert", false);
        if doc_as_upsert && scripted_upsert {
            options.error_at("scripted_upsert", "'doc_as_upsert' and 'scripted_upsert' exclude each other");
        }
        let stored = kind == "indexed";
        let script = source.map(|source| Script { source, stored, language, variable, scripted_upsert });
        Update { doc_as_upsert, upsert, script }
    }

    /// Writes the line that says what is to be done.
    pub(super) fn write(&self, event: &Event, out: &mut Vec<u8>) -> Result<(), String> {
        let Some(script) = &self.script else {
            out.extend_from_slice(b"{\"doc\":");
            event.write_json(out);
            if self.doc_as_upsert {
                out.extend_from_slice(b",\"doc_as_upsert\":true");
            } else if let Some(upsert) = self.upsert(event)? {
                out.extend_from_slice(format!(",\"upsert\":{upsert}").as_bytes());
            }
            out.push(b'}');
            return Ok(());
        };
        let document = document(event)?;
        let source = filled(&script.source, event, "script")?;
        let mut told = json!({ "params": { &script.variable: &document } });
        told[if script.stored { "id" } else { "source" }] = source.into();
        // A stored script knows its language.
        if !script.stored && !script.language.is_empty() {
            told["lang"] = script.language.as_str().into();
        }
        let mut update = json!({ "script": told });
        if script.scripted_upsert {
            update["scripted_upsert"] = true.into();
            update["upsert"] = json!({});
        } else if self.doc_as_upsert {
            update["upsert"] = document;
        } else if let Some(upsert) = self.upsert(event)? {
            update["upsert"] = upsert;
        }
        out.extend_from_slice(update.to_string().as_bytes());
        Ok(())
    }

    fn upsert(&self, event: &Event) -> Result<Option<Json>, String> {
        let Some(template) = &self.upsert else { return Ok(None) };
        let text = filled(template, event, "upsert")?;
        serde_json::from_str(&text).map(Some).map_err(|error| format!("'upsert' is no JSON: {error}"))
    }
}

fn document(event: &Event) -> Result<Json, String> {
    let mut text = Vec::new();
    event.write_json(&mut text);
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}
