//! The filters: one file each, with its options, behaviour and example.

use crate::plugin::FilterDefinition;

/// All filters, sorted by name.
pub static FILTERS: &[FilterDefinition] = &[];

/// The filter of that name.
pub fn find(name: &str) -> Option<&'static FilterDefinition> {
    FILTERS.iter().find(|definition| definition.name == name)
}
