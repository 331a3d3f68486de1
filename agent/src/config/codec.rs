//! `codec` of an output.

use tailrace_common::yaml::{Key, Node};

use super::outputs::is_enabled;
use super::section::{Report, Section};
use crate::document::{Codec, Format};

/// The codec of the one output that is set.
pub(super) fn read(whole: &Node, report: &Report) -> Codec {
    let outputs = whole.get("output").and_then(Node::as_map).unwrap_or_default();
    let outputs: Vec<_> = outputs.iter().filter(|(_, output)| is_enabled(output)).collect();
    let is_pretty = |(name, output): &&(Key, Node)| {
        name.text == "console" && output.get("pretty").and_then(Node::as_bool).unwrap_or(false)
    };
    if outputs.iter().any(is_pretty) {
        return Codec::PrettyJson;
    }
    let found =
        outputs.iter().find_map(|(name, output)| Some((name, output.get("codec").filter(|node| !node.is_null())?)));
    let Some((name, node)) = found else { return Codec::Json };
    let section = Section::new(Some(node), format!("output.{}.codec", name.text), node.position, report);
    match section.keys().as_slice() {
        [] | ["json"] => {
            let json = section.section("json");
            // HTML is escaped by none of the two, whatever is asked for.
            json.boolean("escape_html", false);
            if json.boolean("local_time", false) {
                json.error("local_time", "'local_time' is not supported: times are in UTC", None);
            }
            if json.boolean("pretty", false) { Codec::PrettyJson } else { Codec::Json }
        }
        ["format"] => format(&section.section("format")).map_or(Codec::Json, Codec::Format),
        _ => {
            section.ignore(&["json", "format"]);
            let hint = Some("use json or format".to_owned());
            section.fail(format!("'{}' must be one codec", section.full_name()), hint);
            Codec::Json
        }
    }
}

fn format(section: &Section<'_>) -> Option<Format> {
    let text = section.required("string")?;
    Format::parse(text).map_err(|error| section.error("string", error.to_string(), None)).ok()
}
