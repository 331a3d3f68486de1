//! The index template of `template`, put into Elasticsearch before the first document.

use bytes::Bytes;
use serde_json::Value;

use super::client::{Client, RequestError};
use crate::options::Options;
use crate::plugin::BuildContext;

/// An index template to install.
#[derive(Clone, Debug)]
pub(super) struct IndexTemplate {
    pub(super) name: String,
    /// `/_index_template`, or `/_template` for those of old.
    place: &'static str,
    body: Bytes,
    /// Whether one of that name is replaced.
    overwrite: bool,
}

impl IndexTemplate {
    /// Reads the options. Unlike Logstash, which brings a template of its own, nothing is installed without `template`.
    pub(super) fn read(options: &mut Options<'_>, build: &BuildContext<'_>, stream: bool) -> Option<IndexTemplate> {
        let ecs = options.ecs().enabled();
        let manage = options.boolean("manage_template", !stream);
        let path = options.existing_path("template");
        let name = options.string("template_name");
        let name = name.unwrap_or_else(|| if ecs { "ecs-logstash".into() } else { "logstash".into() });
        let overwrite = options.boolean("template_overwrite", false);
        let api = options.one_of("template_api", &["auto", "legacy", "composable"], "auto");
        let path = build.directory.join(path.filter(|_| manage)?);
        let read = std::fs::read(&path).map_err(|error| format!("cannot read '{}': {error}", path.display()));
        let parsed = read.and_then(|text| {
            let parsed = serde_json::from_slice::<Value>(&text);
            parsed.map(|value| (text, value)).map_err(|error| format!("'{}' is no JSON: {error}", path.display()))
        });
        let (text, value) = parsed.map_err(|message| options.error_at("template", message)).ok()?;
        // What composable templates say of indices stands under 'template'.
        let composable = api == "composable" || api == "auto" && value.get("template").is_some_and(Value::is_object);
        let place = if composable { "/_index_template" } else { "/_template" };
        Some(IndexTemplate { name, place, body: text.into(), overwrite })
    }

    pub(super) async fn install(&self, client: &Client) -> Result<(), RequestError> {
        let path = format!("{}/{}", self.place, self.name);
        if !self.overwrite && client.exists(&path).await? {
            tracing::info!(template = self.name, "the index template is there already");
            return Ok(());
        }
        client.put(&path, self.body.clone()).await?;
        tracing::info!(template = self.name, "the index template is installed");
        Ok(())
    }
}
