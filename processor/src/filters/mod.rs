//! The filters: one file each, with its options, behaviour and example.

use crate::plugin::FilterDefinition;

mod clone;
mod csv;
mod date;
mod de_dot;
mod dissect;
mod drop;
mod fingerprint;
pub(crate) mod grok;
mod json;
mod kv;
mod mutate;
mod prune;
mod ruby;
mod split;
mod syslog_pri;
#[cfg(test)]
mod testing;
mod truncate;
mod urldecode;

/// All filters, sorted by name.
pub static FILTERS: &[FilterDefinition] = &[
    clone::DEFINITION,
    csv::DEFINITION,
    date::DEFINITION,
    de_dot::DEFINITION,
    dissect::DEFINITION,
    drop::DEFINITION,
    fingerprint::DEFINITION,
    grok::DEFINITION,
    json::DEFINITION,
    kv::DEFINITION,
    mutate::DEFINITION,
    prune::DEFINITION,
    split::DEFINITION,
    syslog_pri::DEFINITION,
    truncate::DEFINITION,
    urldecode::DEFINITION,
];

/// The filter of that name.
pub fn find(name: &str) -> Option<&'static FilterDefinition> {
    FILTERS.iter().find(|definition| definition.name == name)
}
