//! The filters: one file each, with its options, behaviour and example.

use crate::plugin::FilterDefinition;

mod aggregate;
mod alter;
mod anonymize;
mod bytes;
mod cidr;
mod cipher;
mod clone;
pub(crate) mod csv;
mod date;
mod de_dot;
mod dissect;
mod dns;
mod drop;
mod elapsed;
#[cfg(feature = "edges")]
mod elasticsearch;
mod environment;
mod extractnumbers;
mod fingerprint;
mod geoip;
pub(crate) mod grok;
#[cfg(test)]
mod hostile;
#[cfg(feature = "edges")]
mod http;
mod i18n;
mod json;
mod json_encode;
mod kv;
mod memcached;
mod metrics;
mod mutate;
mod prune;
mod range;
mod ruby;
mod sleep;
mod split;
mod syslog_pri;
#[cfg(all(test, feature = "edges"))]
mod test_server;
#[cfg(test)]
mod testing;
mod throttle;
mod tld;
mod translate;
mod truncate;
mod urldecode;
mod useragent;
mod uuid;
mod xml;

/// All filters, sorted by name.
pub static FILTERS: &[FilterDefinition] = &[
    aggregate::DEFINITION,
    alter::DEFINITION,
    anonymize::DEFINITION,
    bytes::DEFINITION,
    cidr::DEFINITION,
    cipher::DEFINITION,
    clone::DEFINITION,
    csv::DEFINITION,
    date::DEFINITION,
    de_dot::DEFINITION,
    dissect::DEFINITION,
    dns::DEFINITION,
    drop::DEFINITION,
    elapsed::DEFINITION,
    #[cfg(feature = "edges")]
    elasticsearch::DEFINITION,
    environment::DEFINITION,
    extractnumbers::DEFINITION,
    fingerprint::DEFINITION,
    geoip::DEFINITION,
    grok::DEFINITION,
    #[cfg(feature = "edges")]
    http::DEFINITION,
    i18n::DEFINITION,
    json::DEFINITION,
    json_encode::DEFINITION,
    kv::DEFINITION,
    memcached::DEFINITION,
    metrics::DEFINITION,
    mutate::DEFINITION,
    prune::DEFINITION,
    range::DEFINITION,
    sleep::DEFINITION,
    split::DEFINITION,
    syslog_pri::DEFINITION,
    throttle::DEFINITION,
    tld::DEFINITION,
    translate::DEFINITION,
    truncate::DEFINITION,
    urldecode::DEFINITION,
    useragent::DEFINITION,
    uuid::DEFINITION,
    xml::DEFINITION,
];

/// The filter of that name.
pub fn find(name: &str) -> Option<&'static FilterDefinition> {
    FILTERS.iter().find(|definition| definition.name == name)
}
