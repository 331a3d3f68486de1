//! Addresses and networks, as Ruby's `IPAddr` reads and compares them.

use std::net::{IpAddr, Ipv6Addr};

/// A network; an address is one of full length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    family: Family,
    /// The address, bits beyond the prefix cleared.
    base: u128,
    prefix: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn bits(self) -> u8 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }
}

/// The bits that a prefix leaves to hosts.
fn host_bits(family: Family, prefix: u8) -> u128 {
    match family.bits() - prefix {
        128 => u128::MAX,
        bits => (1_u128 << bits) - 1,
    }
}

impl Network {
    /// `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `fe80::/10`, `[::1]`, or a bare address. Numbers with leading zeros are none.
    ///
    /// IPv4 addresses inside IPv6 (`::ffff:10.0.0.1`) are IPv4 addresses.
    pub(super) fn parse(text: &str) -> Option<Network> {
        let mut parts = text.split('/');
        let address = parts.next()?;
        let bracketed = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
        let address: IpAddr = match bracketed {
            Some(inner) => inner.parse::<Ipv6Addr>().ok()?.into(),
            None => address.parse().ok()?,
        };
        let family = if address.is_ipv4() { Family::V4 } else { Family::V6 };
        let prefix = match parts.next().filter(|prefix| !prefix.is_empty()) {
            None => family.bits(),
            Some(prefix) => parse_prefix(prefix, family)?,
        };
        let whole = match address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        let base = whole & !host_bits(family, prefix);
        Some(match address {
            IpAddr::V6(address) if prefix >= 96 && address.to_ipv4_mapped().is_some() => {
                Network { family: Family::V4, base: base & u128::from(u32::MAX), prefix: prefix - 96 }
            }
            _ => Network { family, base, prefix },
        })
    }

    fn last(&self) -> u128 {
        self.base | host_bits(self.family, self.prefix)
    }

    /// Whether the first address of another network is in this one.
    pub(super) fn contains(&self, other: &Network) -> bool {
        self.family == other.family && (self.base..=self.last()).contains(&other.base)
    }
}

/// A length, or a mask of ones followed by zeros.
fn parse_prefix(text: &str, family: Family) -> Option<u8> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let padded = text.len() > 1 && text.starts_with('0');
        return text.parse().ok().filter(|prefix| *prefix <= family.bits() && !padded);
    }
    let (mask, wide) = match text.parse::<IpAddr>().ok()? {
        IpAddr::V4(mask) => (u128::from(mask.to_bits()) << 96, Family::V4),
        IpAddr::V6(mask) => (mask.to_bits(), Family::V6),
    };
    let ones = mask.leading_ones();
    let contiguous = mask.checked_shl(ones).unwrap_or(0) == 0;
    if wide == family && contiguous { u8::try_from(ones).ok() } else { None }
}

/// Many networks, to be searched fast: ranges of addresses in order, without overlap.
#[derive(Debug, Default)]
pub(super) struct Networks {
    ranges: Vec<(Family, u128, u128)>,
}

impl Networks {
    pub(super) fn new(networks: &[Network]) -> Networks {
        let mut sorted: Vec<_> =
            networks.iter().map(|network| (network.family, network.base, network.last())).collect();
        sorted.sort_unstable();
        let mut ranges: Vec<(Family, u128, u128)> = Vec::with_capacity(sorted.len());
        for (family, first, last) in sorted {
            match ranges.last_mut() {
                // Networks are apart or one holds the other.
                Some(held) if held.0 == family && first <= held.2 => held.2 = held.2.max(last),
                _ => ranges.push((family, first, last)),
            }
        }
        Networks { ranges }
    }

    /// Whether one of them holds the address.
    pub(super) fn contain(&self, address: &Network) -> bool {
        let place =
            self.ranges.partition_point(|(family, first, _)| (*family, *first) <= (address.family, address.base));
        let Some((family, _, last)) = place.checked_sub(1).and_then(|place| self.ranges.get(place)) else {
            return false;
        };
        *family == address.family && address.base <= *last
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_in_networks() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3/255.255.0.0", "10.1.9.9", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "fe80::1", true),
            ("fe80::/64", "fe80::1", true),
            ("fe80::/64", "fe80:0:0:1::1", false),
            ("[::1]", "::1", true),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("::ffff:10.0.0.0/104", "10.1.1.1", true),
            ("10.0.0.0/8/9", "10.1.1.1", true),
            ("10.0.0.0/", "10.0.0.0", true),
        ] {
            let (network, address) = (Network::parse(network).unwrap(), Network::parse(address).unwrap());
            assert_eq!(network.contains(&address), inside, "{network:?} {address:?}");
            assert_eq!(Networks::new(&[network]).contain(&address), inside, "{network:?} {address:?}");
        }
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            "nope",
            "10.0.0.256",
            "10.0.0",
            "010.0.0.1",
            "10.0.0.0/99",
            "10.0.0.0/08",
            "::1/129",
            "10.0.0.0/255.0.255.0",
            "1.2.3.4, 5.6.7.8",
            "[10.0.0.1]",
            " 10.0.0.1",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn searching_is_comparing_with_each(nets in prop::collection::vec((0_u32..64, 24_u8..=32), 0..12), address in 0_u32..64) {
            let networks: Vec<Network> =
                nets.iter().map(|(host, prefix)| Network::parse(&format!("10.0.0.{host}/{prefix}")).unwrap()).collect();
            let address = Network::parse(&format!("10.0.0.{address}")).unwrap();
            let each = networks.iter().any(|network| network.contains(&address));
            prop_assert_eq!(Networks::new(&networks).contain(&address), each);
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[0-9a-f:./\\[\\]% ]{0,40}") {
            let _read = Network::parse(&text);
        }
    }
}
