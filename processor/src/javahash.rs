//! The order in which Logstash sees the entries of a hash option.
//!
//! Options of type hash are copied into a Java `HashMap`, so filters meet their entries in bucket order and not in the
//! order of the text. Results depend on it (`rename` chains, `grok` with several fields), so it is reproduced.

/// Java's `String.hashCode`: over UTF-16 units.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// Sorts entries with unique keys into the iteration order of a `HashMap` that they were put into one by one.
pub fn sort_as_hash_map<V>(entries: &mut [(String, V)]) {
    sort_in_table(entries, 16);
}

/// The same for a `HashMap` that was made with room for as many entries as it gets.
pub fn sort_as_sized_hash_map<V>(entries: &mut [(String, V)]) {
    let capacity = u32::try_from(entries.len()).unwrap_or(1 << 30).next_power_of_two();
    sort_in_table(entries, capacity);
}

fn sort_in_table<V>(entries: &mut [(String, V)], mut capacity: u32) {
    while entries.len() as f64 > f64::from(capacity) * 0.75 {
        capacity *= 2;
    }
    // Stable: within a bucket the order of insertion stays.
    entries.sort_by_cached_key(|(key, _)| {
        let hash = java_hash(key) as u32;
        (hash ^ (hash >> 16)) & (capacity - 1)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_option_has_the_order_of_buckets() {
        let mut entries = ["message", "somefield", "a", "b"].map(|key| (key.to_string(), ()));
        sort_as_hash_map(&mut entries);
        let keys: Vec<_> = entries.iter().map(|(key, ())| key.as_str()).collect();
        // grok's documented surprise: `somefield` is matched before `message`.
        assert!(keys.iter().position(|key| *key == "somefield") < keys.iter().position(|key| *key == "message"));
        assert_eq!(java_hash("message"), 954_925_063);
    }
}
