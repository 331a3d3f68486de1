//! Networks: CIDR, and the ranges that Filebeat knows by name.

use std::net::IpAddr;

/// A network or a named range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// `10.0.0.0/8`
    Cidr(IpAddr, u8),
    /// `loopback`
    Loopback,
    /// `unicast`, `global_unicast`
    GlobalUnicast,
    /// `link_local_unicast`
    LinkLocalUnicast,
    /// `interface_local_multicast`
    InterfaceLocalMulticast,
    /// `link_local_multicast`
    LinkLocalMulticast,
    /// `multicast`
    Multicast,
    /// `private`
    Private,
    /// `public`
    Public,
    /// `unspecified`
    Unspecified,
}

impl Network {
    /// The names, for hints.
    pub(crate) const NAMES: [&'static str; 10] = [
        "loopback",
        "unicast",
        "global_unicast",
        "link_local_unicast",
        "interface_local_multicast",
        "link_local_multicast",
        "multicast",
        "private",
        "public",
        "unspecified",
    ];

    /// Reads a name or a CIDR.
    pub(crate) fn parse(text: &str) -> Option<Network> {
        Some(match text {
            "loopback" => Network::Loopback,
            "unicast" | "global_unicast" => Network::GlobalUnicast,
            "link_local_unicast" => Network::LinkLocalUnicast,
            "interface_local_multicast" => Network::InterfaceLocalMulticast,
            "link_local_multicast" => Network::LinkLocalMulticast,
            "multicast" => Network::Multicast,
            "private" => Network::Private,
            "public" => Network::Public,
            "unspecified" => Network::Unspecified,
            cidr => {
                let (address, length) = cidr.split_once('/')?;
                let (address, length): (IpAddr, u8) = (address.parse().ok()?, length.parse().ok()?);
                let longest = if address.is_ipv4() { 32 } else { 128 };
                return (length <= longest).then_some(Network::Cidr(address, length));
            }
        })
    }

    /// Whether an address lies in it.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Network::Cidr(network, length) => in_cidr(network.to_canonical(), length, address),
            Network::Loopback => address.is_loopback(),
            Network::GlobalUnicast => {
                !is_broadcast(address)
                    && !address.is_unspecified()
                    && !address.is_loopback()
                    && !address.is_multicast()
                    && !is_link_local(address)
            }
            Network::LinkLocalUnicast => is_link_local(address),
            Network::InterfaceLocalMulticast => multicast_scope(address) == Some(1),
            Network::LinkLocalMulticast => match address {
                IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
                IpAddr::V6(_) => multicast_scope(address) == Some(2),
            },
            Network::Multicast => address.is_multicast(),
            Network::Private => is_private(address),
            Network::Public => is_public(address),
            Network::Unspecified => address.is_unspecified(),
        }
    }
}

fn in_cidr(network: IpAddr, length: u8, address: IpAddr) -> bool {
    let same = |left: u128, right: u128, width: u32| {
        let shift = width.saturating_sub(u32::from(length));
        // A shift by the whole width keeps nothing: everything is within a network of length 0.
        left.checked_shr(shift).unwrap_or(0) == right.checked_shr(shift).unwrap_or(0)
    };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => same(u32::from(network).into(), u32::from(address).into(), 32),
        (IpAddr::V6(network), IpAddr::V6(address)) => same(network.into(), address.into(), 128),
        _ => false,
    }
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn multicast_scope(address: IpAddr) -> Option<u8> {
    match address {
        IpAddr::V6(v6) if v6.is_multicast() => Some(v6.octets()[1] & 0x0f),
        _ => None,
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

fn is_public(address: IpAddr) -> bool {
    !(is_broadcast(address)
        || address.is_unspecified()
        || address.is_loopback()
        || is_link_local(address)
        || multicast_scope(address) == Some(1)
        || Network::LinkLocalMulticast.contains(address)
        || is_private(address))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_their_networks() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("fd00::/8", "fd12::1", true),
            ("::/0", "fd12::1", true),
            ("192.168.1.0/24", "::ffff:192.168.1.7", true),
            ("private", "172.31.0.1", true),
            ("private", "8.8.8.8", false),
            ("public", "8.8.8.8", true),
            ("public", "169.254.1.1", false),
            ("loopback", "::1", true),
            ("link_local_multicast", "224.0.0.5", true),
            ("link_local_multicast", "ff02::1", true),
            ("interface_local_multicast", "ff01::1", true),
            ("global_unicast", "10.0.0.1", true),
            ("unspecified", "0.0.0.0", true),
        ] {
            let network = Network::parse(network).unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network:?} {address}");
        }
        for wrong in ["10.0.0.0/33", "10.0.0.0", "home", "x/8"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}
