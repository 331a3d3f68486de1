//! `${data.container.id}`: what a target is, in its configuration.

use tailrace_common::yaml::{Kind, Node};
use tailrace_common::{Event, Object};

use crate::config::fill_data;
use crate::document::text_of;
use crate::processors::Field;

/// The configuration for a target.
///
/// # Errors
/// Which variable it has not.
pub(super) fn fill(config: &Node, data: &Object) -> Result<Node, String> {
    let event = Event::bare(data.clone());
    let mut config = config.clone();
    walk(&mut config, &|name| {
        let value = Field::new(name).get(&event)?;
        text_of(value).map(|text| text.into_owned())
    })?;
    Ok(config)
}

/// YAML's depth limit bounds the recursion.
fn walk(node: &mut Node, lookup: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    match &mut node.kind {
        Kind::Scalar { text, .. } if text.contains("${") => *text = fill_data(text, lookup)?,
        Kind::Scalar { .. } => {}
        Kind::List(items) => items.iter_mut().try_for_each(|item| walk(item, lookup))?,
        Kind::Map(entries) => entries.iter_mut().try_for_each(|(_, value)| walk(value, lookup))?,
    }
    Ok(())
}

/// The places of all values that a target fills in.
pub(super) fn open_places(node: &Node, places: &mut Vec<tailrace_common::yaml::Position>) {
    match &node.kind {
        Kind::Scalar { text, .. } if text.contains("${data.") => places.push(node.position),
        Kind::Scalar { .. } => {}
        Kind::List(items) => items.iter().for_each(|item| open_places(item, places)),
        Kind::Map(entries) => entries.iter().for_each(|(_, value)| open_places(value, places)),
    }
}
