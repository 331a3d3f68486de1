//! The filters: one file each, with its options, behaviour and example.

use crate::plugin::FilterDefinition;

mod aggregate;
mod cidr;
mod clone;
mod csv;
mod date;
mod de_dot;
mod dissect;
mod dns;
mod drop;
mod elapsed;
mod fingerprint;
mod geoip;
pub(crate) mod grok;
mod json;
mod kv;
mod metrics;
mod mutate;
mod prune;
mod ruby;
mod split;
mod syslog_pri;
#[cfg(test)]
mod test_plan;
#[cfg(test)]
mod testing;
mod throttle;
mod translate;
mod truncate;
mod urldecode;
mod useragent;

/// All filters, sorted by name.
pub static FILTERS: &[FilterDefinition] = &[
    aggregate::DEFINITION,
    cidr::DEFINITION,
    clone::DEFINITION,
    csv::DEFINITION,
    date::DEFINITION,
    de_dot::DEFINITION,
    dissect::DEFINITION,
    dns::DEFINITION,
    drop::DEFINITION,
    elapsed::DEFINITION,
    fingerprint::DEFINITION,
    geoip::DEFINITION,
    grok::DEFINITION,
    json::DEFINITION,
    kv::DEFINITION,
    metrics::DEFINITION,
    mutate::DEFINITION,
    prune::DEFINITION,
    split::DEFINITION,
    syslog_pri::DEFINITION,
    throttle::DEFINITION,
    translate::DEFINITION,
    truncate::DEFINITION,
    urldecode::DEFINITION,
    useragent::DEFINITION,
];

/// The filter of that name.
pub fn find(name: &str) -> Option<&'static FilterDefinition> {
    FILTERS.iter().find(|definition| definition.name == name)
}
