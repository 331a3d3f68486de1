//! RFC 3339 moments of container lines, on bytes and fast.

use tailrace_common::Timestamp;

/// Reads `2026-11-23T09:15:00.000123456Z` or with an offset.
pub(super) fn parse(text: &[u8]) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(std::str::from_utf8(text).ok()?)
}
