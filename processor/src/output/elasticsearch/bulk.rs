//! Events to `_bulk` bodies.

use std::ops::Range;

use tailrace_common::{Event, FieldPath, Object, Value, json};

use super::sender::Sender;
use super::settings::Flavour;
use super::update::Update;
use crate::options::{Options, value_text};
use crate::output::document_id;
use crate::plan::template::Template;

/// A body is sent when it has this many bytes (Logstash's TARGET_BULK_BYTES).
const BODY_BYTES: usize = 20 << 20;

/// One `_bulk` request.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// Action and document lines.
    pub(super) body: Vec<u8>,
    /// The actions in the body.
    pub(super) items: Vec<Item>,
}

/// One action of a request.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// The action line and, but for `delete`, the document line.
    pub(super) whole: Range<usize>,
    /// The document, without its line end; empty for `delete`.
    pub(super) document: Range<usize>,
    /// Whether a conflict means that the document is there already.
    pub(super) create: bool,
}

impl Request {
    /// The request that is left when only these items are to be sent again.
    pub(super) fn only(&self, items: &[Item]) -> Request {
        let mut left = Request::default();
        for item in items {
            let start = left.body.len();
            left.body.extend_from_slice(&self.body[item.whole.clone()]);
            let document = start + (item.document.start - item.whole.start);
            left.items.push(Item {
                whole: start..left.body.len(),
                document: document..document + item.document.len(),
                create: item.create,
            });
        }
        left
    }
}

/// What goes into the action lines, from the plugin's options.
#[derive(Debug)]
pub(super) struct Encoder {
    action: Option<Template>,
    target: Target,
    document_id: Option<Template>,
    routing: Option<Template>,
    pipeline: Option<Template>,
    version: Option<Template>,
    version_type: Option<Template>,
    retry_on_conflict: i64,
    update: Update,
    join: Option<Join>,
}

/// `join_field` and `parent`: documents that belong to others of the same index.
#[derive(Debug)]
struct Join {
    field: FieldPath,
    parent: Template,
}

/// Where documents go.
#[derive(Debug)]
enum Target {
    /// `given` says that the plugin names it.
    Index {
        template: Template,
        given: bool,
    },
    DataStream {
        defaults: [String; 3],
        auto_routing: bool,
        sync_fields: bool,
    },
}

/// The parts of a data stream's name.
const STREAM_PARTS: [(&str, &str, &str); 3] = [
    ("type", "data_stream_type", "logs"),
    ("dataset", "data_stream_dataset", "generic"),
    ("namespace", "data_stream_namespace", "default"),
];

/// Options that a data stream has no use for (`data_stream_support.rb`), and with which `data_stream => auto` is none.
const ENDS_STREAM: [&str; 21] = [
    "index",
    "template",
    "template_name",
    "template_overwrite",
    "template_api",
    "ilm_enabled",
    "ilm_rollover_alias",
    "ilm_pattern",
    "ilm_policy",
    "document_type",
    "join_field",
    "parent",
    "version",
    "version_type",
    "doc_as_upsert",
    "upsert",
    "script",
    "script_type",
    "script_lang",
    "scripted_upsert",
    "retry_on_conflict",
];

impl Encoder {
    pub(super) fn read(options: &mut Options<'_>, flavour: Flavour) -> Encoder {
        let target = Target::read(options, flavour);
        let action = options.template("action");
        if let Some(action) = action.as_ref().and_then(Template::as_constant)
            && !matches!(action.as_str(), "index" | "create" | "update" | "delete")
        {
            let message = format!("'action' must be index, create, update or delete, this is '{action}'");
            options.error_at("action", message);
        }
        Encoder {
            action,
            target,
            document_id: options.template("document_id"),
            routing: options.template("routing"),
            pipeline: options.template("pipeline"),
            version: options.template("version"),
            version_type: options.template("version_type"),
            retry_on_conflict: options.integer("retry_on_conflict").unwrap_or(1),
            update: Update::read(options),
            join: Join::read(options),
        }
    }

    /// Whether documents go to data streams.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.target, Target::DataStream { .. })
    }

    /// The events as requests. What cannot be encoded goes to the dead letters; the second is false when one could not be
    /// written there.
    pub(super) fn requests(&self, events: &[&Event], sender: &Sender) -> (Vec<Request>, bool) {
        let mut kept = true;
        let mut requests = Vec::with_capacity(1);
        let mut request =
            Request { body: Vec::with_capacity(events.len() * 768), items: Vec::with_capacity(events.len()) };
        for event in events {
            if request.body.len() >= BODY_BYTES {
                requests.push(std::mem::take(&mut request));
            }
            if let Err(reason) = self.encode(event, &mut request) {
                kept &= sender.reject_event(event, &reason);
            }
        }
        requests.push(request);
        requests.retain(|request| !request.items.is_empty());
        (requests, kept)
    }

    pub(super) fn encode(&self, event: &Event, request: &mut Request) -> Result<(), String> {
        let synced;
        let (index, event) = match &self.target {
            Target::Index { template, given } => match own(event, "index").filter(|_| !given) {
                Some(index) => (index, event),
                None => (filled(template, event, "index")?, event),
            },
            Target::DataStream { defaults, auto_routing, sync_fields } => {
                let parts = stream_parts(event, defaults, *auto_routing);
                synced = sync_fields.then(|| with_stream_fields(event, &parts)).flatten();
                (parts.join("-"), synced.as_ref().unwrap_or(event))
            }
        };
        let joined = self.join.as_ref().map(|join| join.of(event)).transpose()?;
        let event = joined.as_ref().map_or(event, |(event, _)| event);
        let parent = joined.as_ref().map(|(_, parent)| parent.as_str());
        let (action, id) = self.action_and_id(event)?;
        let start = request.body.len();
        self.write_action(&action, &index, id.as_deref(), parent, event, &mut request.body);
        let document = request.body.len();
        if action == "update" {
            self.update.write(event, &mut request.body).inspect_err(|_| request.body.truncate(start))?;
        } else if action != "delete" {
            event.write_json(&mut request.body);
        }
        let end = request.body.len();
        if end > document {
            request.body.push(b'\n');
        }
        let whole = start..request.body.len();
        request.items.push(Item { whole, document: document..end, create: action == "create" });
        Ok(())
    }

    fn action_and_id(&self, event: &Event) -> Result<(String, Option<String>), String> {
        let id = match &self.document_id {
            Some(template) => Some(filled(template, event, "document_id")?).filter(|id| !id.is_empty()),
            None => own(event, "id").or_else(|| document_id(event)),
        };
        let action = match &self.action {
            Some(template) => filled(template, event, "action")?,
            // An id of the user's own may mean: replace. The ids made here never do.
            None if self.document_id.is_some() && matches!(self.target, Target::Index { .. }) => "index".into(),
            None => "create".into(),
        };
        if !matches!(action.as_str(), "index" | "create" | "update" | "delete") {
            return Err(format!("'{action}' is no action"));
        }
        // With an id, a request whose answer was lost can be sent again and adds nothing twice.
        let adds = matches!(action.as_str(), "create" | "index");
        let id = id.or_else(|| adds.then(|| uuid::Uuid::new_v4().simple().to_string()));
        Ok((action, id))
    }

    /// What an event says of itself in `[@metadata][_ingest_document]` counts where the plugin does not say it.
    fn write_action(
        &self,
        action: &str,
        index: &str,
        id: Option<&str>,
        parent: Option<&str>,
        event: &Event,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(b"{\"");
        out.extend_from_slice(action.as_bytes());
        out.extend_from_slice(b"\":{\"_index\":");
        json::write_string(index, out);
        let mut put = |name: &str, value: &str| {
            if !value.is_empty() {
                out.extend_from_slice(b",\"");
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"\":");
                json::write_string(value, out);
            }
        };
        put("_id", id.unwrap_or_default());
        for (name, template) in [("routing", &self.routing), ("pipeline", &self.pipeline), ("version", &self.version)] {
            match template {
                Some(template) => put(name, &template.render_lenient(event)),
                None if name == "routing" && parent.is_some() => put(name, parent.unwrap_or_default()),
                None => put(name, &own(event, name).unwrap_or_default()),
            }
        }
        let version_type = self.version_type.as_ref().map(|template| template.render_lenient(event));
        put("version_type", &version_type.unwrap_or_default());
        if action == "update" {
            out.extend_from_slice(format!(",\"retry_on_conflict\":{}", self.retry_on_conflict).as_bytes());
        }
        out.extend_from_slice(b"}}\n");
    }
}

impl Target {
    fn read(options: &mut Options<'_>, flavour: Flavour) -> Target {
        let ecs = options.ecs().enabled();
        let wanted = options.one_of("data_stream", &["true", "false", "auto"], "auto");
        let against = ENDS_STREAM.iter().copied().filter(|option| options.is_set(option)).collect::<Vec<_>>();
        let action = options.string("action").filter(|action| action != "create");
        let managed = options.is_set("manage_template") && options.boolean("manage_template", false);
        let own_id = options.is_set("document_id");
        let plain = !against.is_empty() || action.is_some() || managed || own_id;
        let is_stream = wanted == "true" || (wanted == "auto" && ecs && !plain && flavour == Flavour::Elasticsearch);
        let defaults = STREAM_PARTS.map(|(_, option, default)| {
            if options.is_set(option) && !is_stream {
                options.error_at(option, format!("'{option}' needs data_stream => true"));
            }
            options.string(option).unwrap_or_else(|| default.into())
        });
        for option in ["data_stream_auto_routing", "data_stream_sync_fields"] {
            if options.is_set(option) && !is_stream {
                options.error_at(option, format!("'{option}' needs data_stream => true"));
            }
        }
        let auto_routing = options.boolean("data_stream_auto_routing", true);
        let sync_fields = options.boolean("data_stream_sync_fields", true);
        if is_stream {
            let action = action.map(|_| "action");
            for option in against.into_iter().chain(action).chain(managed.then_some("manage_template")) {
                options.error_at(option, format!("'{option}' cannot be combined with data_stream => true"));
            }
        }
        let default = if ecs { "ecs-logstash-%{+yyyy.MM.dd}" } else { "logstash-%{+yyyy.MM.dd}" };
        let index = options.template("index").unwrap_or_else(|| Template::parse(default));
        if let Some(problem) = index.problem() {
            options.error_at("index", problem.to_string());
        }
        if is_stream {
            return Target::DataStream { defaults, auto_routing, sync_fields };
        }
        Target::Index { template: index, given: options.is_set("index") }
    }
}

impl Join {
    fn read(options: &mut Options<'_>) -> Option<Join> {
        let field = options.field("join_field");
        let parent = options.template("parent");
        if parent.is_some() && field.is_none() {
            options.error_at("parent", "'parent' needs 'join_field'");
        }
        Some(Join { field: field?, parent: parent.unwrap_or_else(|| Template::parse("")) })
    }

    /// The event with its place in the family, and the parent that it is routed with.
    fn of(&self, event: &Event) -> Result<(Event, String), String> {
        let parent = filled(&self.parent, event, "parent")?;
        let mut copy = event.clone();
        if !parent.is_empty() {
            let name = event.get(&self.field).cloned().unwrap_or_default();
            let place: Object = [("name", name), ("parent", parent.as_str().into())].into_iter().collect();
            copy.set(&self.field, place).map_err(|error| error.to_string())?;
        }
        Ok((copy, parent))
    }
}

/// What an event says of itself: `[@metadata][_ingest_document][NAME]`; of its pipeline also where the older
/// `[@metadata][target_ingest_pipeline]` does.
fn own(event: &Event, name: &str) -> Option<String> {
    let metadata = event.metadata();
    let told = metadata.get("_ingest_document").and_then(Value::as_object).and_then(|told| told.get(name));
    let older = || metadata.get("target_ingest_pipeline").filter(|_| name == "pipeline");
    told.or_else(older).map(value_text)
}

/// Fills a template in; one that keeps a `%{...}` names nothing.
pub(super) fn filled(template: &Template, event: &Event, option: &str) -> Result<String, String> {
    let text = template.render(event).map_err(|error| format!("'{option}': {error}"))?;
    if template.as_constant().is_none() && text.contains("%{") {
        return Err(format!("'{option}' could not be filled in: '{text}'"));
    }
    Ok(text.to_string())
}

fn stream_field(name: &str) -> FieldPath {
    FieldPath::field("data_stream").child(name)
}

fn stream_parts(event: &Event, defaults: &[String; 3], auto_routing: bool) -> [String; 3] {
    let mut parts = defaults.clone();
    if auto_routing {
        for (part, (name, ..)) in parts.iter_mut().zip(STREAM_PARTS) {
            if let Some(value) = event.get(&stream_field(name)) {
                *part = value_text(value);
            }
        }
    }
    parts
}

/// A copy of the event whose `data_stream` fields say where it goes; `None` when they already do.
fn with_stream_fields(event: &Event, parts: &[String; 3]) -> Option<Event> {
    let same = |(part, (name, ..)): (&String, (&str, &str, &str))| {
        event.get(&stream_field(name)).and_then(Value::as_str) == Some(part)
    };
    if parts.iter().zip(STREAM_PARTS).all(same) {
        return None;
    }
    let mut copy = event.clone();
    for (part, (name, ..)) in parts.iter().zip(STREAM_PARTS) {
        // A `data_stream` that is no map keeps what it is; Elasticsearch says so.
        let _unset = copy.set(&stream_field(name), part.as_str());
    }
    Some(copy)
}
