//! The filters: one file each, with its options, behaviour and example.

use crate::plugin::FilterDefinition;

mod date;
mod dissect;
mod drop;
pub(crate) mod grok;
mod json;
mod mutate;

/// All filters, sorted by name.
pub static FILTERS: &[FilterDefinition] =
    &[date::DEFINITION, dissect::DEFINITION, drop::DEFINITION, grok::DEFINITION, json::DEFINITION, mutate::DEFINITION];

/// The filter of that name.
pub fn find(name: &str) -> Option<&'static FilterDefinition> {
    FILTERS.iter().find(|definition| definition.name == name)
}
