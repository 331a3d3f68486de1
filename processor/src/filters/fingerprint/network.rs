//! Addresses with their last bits masked out (Ruby's `IPAddr#mask`).

use std::net::IpAddr;

use tailrace_common::Value;

use crate::filters::ruby::to_i;
use crate::options::Options;

/// The length of the prefix that the option `key` gives, or an error.
pub(in crate::filters) fn prefix(options: &mut Options<'_>, key: Option<&str>) -> i64 {
    match key {
        Some(key) => match to_i(key) {
            Value::Int(number) => number,
            _ => i64::MAX,
        },
        None => {
            options.error_at("key", "'key' must be the length of the network's prefix");
            0
        }
    }
}

/// The network of an address, which may bear a prefix of its own (`10.1.2.3/16`); nothing for what is no address, and
/// for a prefix that it cannot have.
pub(in crate::filters) fn masked(text: &str, prefix: i64) -> Option<String> {
    let (address, own) = match text.split_once('/') {
        Some((address, own)) => (address, Some(own.parse::<i64>().ok()?)),
        None => (text, None),
    };
    let bare = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(address);
    let mut address: IpAddr = bare.parse().ok()?;
    for prefix in own.into_iter().chain([prefix]) {
        address = match address {
            IpAddr::V4(v4) => {
                let host = 32_u32.checked_sub(u32::try_from(prefix).ok()?)?;
                IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(host).unwrap_or(0)).into())
            }
            IpAddr::V6(v6) => {
                let host = 128_u32.checked_sub(u32::try_from(prefix).ok()?)?;
                IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(host).unwrap_or(0)).into())
            }
        };
    }
    Some(address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bits_go() {
        for (text, prefix, network) in [
            ("123.123.123.123", 24, Some("123.123.123.0")),
            ("10.1.2.3", 0, Some("0.0.0.0")),
            ("10.1.2.3", 32, Some("10.1.2.3")),
            ("10.1.2.3/8", 16, Some("10.0.0.0")),
            ("2001:db8:1:2::3", 32, Some("2001:db8::")),
            ("10.1.2.3", 33, None),
            ("10.1.2.3", -1, None),
            ("010.1.2.3", 8, None),
            ("host", 8, None),
        ] {
            assert_eq!(masked(text, prefix).as_deref(), network, "{text}/{prefix}");
        }
    }
}
