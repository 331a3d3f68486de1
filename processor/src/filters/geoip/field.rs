//! The fields of the geoip filter: their names, where they stand in a database, where they go.

/// What is known of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Asn,
    AsOrganization,
    CityName,
    CountryName,
    ContinentCode,
    ContinentName,
    CountryCode2,
    CountryCode3,
    Domain,
    Ip,
    Isp,
    PostalCode,
    DmaCode,
    RegionName,
    RegionCode,
    RegionIsoCode,
    Timezone,
    Location,
    Latitude,
    Longitude,
    Organization,
    Network,
    HostingProvider,
    TorExitNode,
    AnonymousVpn,
    Anonymous,
    PublicProxy,
    ResidentialProxy,
}

use Field::*;

/// Where a field goes under ECS.
#[derive(Clone, Copy)]
enum Place {
    /// ECS has no place for it.
    Nowhere,
    /// By its own name in this map.
    In(&'static str),
    At(&'static [&'static str]),
}

use Place::{At, In, Nowhere};

/// The fields by their names in the option `fields`.
const NAMES: [(&str, Field, Place); 28] = [
    ("autonomous_system_number", Asn, At(&["as", "number"])),
    ("autonomous_system_organization", AsOrganization, At(&["as", "organization", "name"])),
    ("city_name", CityName, In("geo")),
    ("country_name", CountryName, In("geo")),
    ("continent_code", ContinentCode, In("geo")),
    ("continent_name", ContinentName, In("geo")),
    ("country_code2", CountryCode2, At(&["geo", "country_iso_code"])),
    ("country_code3", CountryCode3, Nowhere),
    ("domain", Domain, At(&["domain"])),
    ("ip", Ip, At(&["ip"])),
    ("isp", Isp, In("mmdb")),
    ("postal_code", PostalCode, In("geo")),
    ("dma_code", DmaCode, In("mmdb")),
    ("region_name", RegionName, In("geo")),
    ("region_code", RegionCode, In("geo")),
    ("region_iso_code", RegionIsoCode, In("geo")),
    ("timezone", Timezone, In("geo")),
    ("location", Location, In("geo")),
    ("latitude", Latitude, At(&["geo", "location", "lat"])),
    ("longitude", Longitude, At(&["geo", "location", "lon"])),
    ("organization", Organization, In("mmdb")),
    ("network", Network, In("traits")),
    ("hosting_provider", HostingProvider, In("traits")),
    ("tor_exit_node", TorExitNode, In("traits")),
    ("anonymous_vpn", AnonymousVpn, In("traits")),
    ("anonymous", Anonymous, In("traits")),
    ("public_proxy", PublicProxy, In("traits")),
    ("residential_proxy", ResidentialProxy, In("traits")),
];

impl Field {
    /// By its name in the option `fields`, in any case.
    pub(super) fn parse(name: &str) -> Option<Field> {
        let found = NAMES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
        found.map(|(_, field, _)| *field)
    }

    /// The names of the option `fields`.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, ..)| *name)
    }

    /// Where it goes under the target; nothing when it has no place.
    pub(super) fn path(self, ecs: bool) -> Vec<&'static str> {
        let Some((name, _, place)) = NAMES.iter().find(|(_, field, _)| *field == self) else { return Vec::new() };
        match (self, ecs, place) {
            (Asn, false, _) => vec!["asn"],
            (AsOrganization, false, _) => vec!["as_org"],
            (_, false, _) => vec![name],
            (_, true, Nowhere) => Vec::new(),
            (_, true, In(map)) => vec![map, name],
            (_, true, At(path)) => path.to_vec(),
        }
    }
}

/// The kinds of databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    City,
    Country,
    Asn,
    Isp,
    Domain,
    AnonymousIp,
    Enterprise,
}

impl Kind {
    /// By the `database_type` of a database: `GeoLite2-City`, `GeoIP2-City-Europe`, `DBIP-ASN-Lite`.
    pub(super) fn parse(database_type: &str) -> Option<Kind> {
        let kinds = [
            ("Enterprise", Kind::Enterprise),
            ("Anonymous-IP", Kind::AnonymousIp),
            ("City", Kind::City),
            ("Country", Kind::Country),
            ("ASN", Kind::Asn),
            ("ISP", Kind::Isp),
            ("Domain", Kind::Domain),
        ];
        kinds.into_iter().find(|(name, _)| database_type.contains(name)).map(|(_, kind)| kind)
    }

    /// What is set when the option `fields` is not.
    pub(super) fn fields(self, ecs: bool) -> Vec<Field> {
        const PLACE: [Field; 4] = [CityName, CountryName, CountryCode2, ContinentCode];
        const SYSTEM: [Field; 2] = [Asn, AsOrganization];
        const ANONYMITY: [Field; 6] =
            [HostingProvider, TorExitNode, AnonymousVpn, Anonymous, PublicProxy, ResidentialProxy];
        let region: &[Field] = if ecs {
            &[PostalCode, DmaCode, RegionName, RegionIsoCode, Timezone, Location]
        } else {
            &[CountryCode3, PostalCode, DmaCode, RegionName, RegionCode, Timezone, Location, Latitude, Longitude]
        };
        let enterprise = [ContinentName, RegionIsoCode, RegionName, PostalCode, Timezone, Location, Network];
        match self {
            Kind::City => [&[Ip], PLACE.as_slice(), region].concat(),
            Kind::Country => vec![Ip, CountryCode2, CountryName, ContinentName],
            Kind::Isp => [&[Ip], SYSTEM.as_slice(), &[Isp, Organization]].concat(),
            Kind::Asn => [[Ip].as_slice(), &SYSTEM].concat(),
            Kind::Domain => vec![Domain],
            Kind::AnonymousIp => [[Ip].as_slice(), &ANONYMITY].concat(),
            Kind::Enterprise => {
                [&[Ip], PLACE.as_slice(), &enterprise, &SYSTEM, &ANONYMITY, &[Domain, Isp, Organization]].concat()
            }
        }
    }
}
