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

/// The name in the option `fields`, the name without ECS, and the path under ECS (none where ECS has no place for it).
const NAMES: [(Field, &str, &str, &[&str]); 28] = [
    (Asn, "autonomous_system_number", "asn", &["as", "number"]),
    (AsOrganization, "autonomous_system_organization", "as_org", &["as", "organization", "name"]),
    (CityName, "city_name", "city_name", &["geo", "city_name"]),
    (CountryName, "country_name", "country_name", &["geo", "country_name"]),
    (ContinentCode, "continent_code", "continent_code", &["geo", "continent_code"]),
    (ContinentName, "continent_name", "continent_name", &["geo", "continent_name"]),
    (CountryCode2, "country_code2", "country_code2", &["geo", "country_iso_code"]),
    (CountryCode3, "country_code3", "country_code3", &[]),
    (Domain, "domain", "domain", &["domain"]),
    (Ip, "ip", "ip", &["ip"]),
    (Isp, "isp", "isp", &["mmdb", "isp"]),
    (PostalCode, "postal_code", "postal_code", &["geo", "postal_code"]),
    (DmaCode, "dma_code", "dma_code", &["mmdb", "dma_code"]),
    (RegionName, "region_name", "region_name", &["geo", "region_name"]),
    (RegionCode, "region_code", "region_code", &["geo", "region_code"]),
    (RegionIsoCode, "region_iso_code", "region_iso_code", &["geo", "region_iso_code"]),
    (Timezone, "timezone", "timezone", &["geo", "timezone"]),
    (Location, "location", "location", &["geo", "location"]),
    (Latitude, "latitude", "latitude", &["geo", "location", "lat"]),
    (Longitude, "longitude", "longitude", &["geo", "location", "lon"]),
    (Organization, "organization", "organization", &["mmdb", "organization"]),
    (Network, "network", "network", &["traits", "network"]),
    (HostingProvider, "hosting_provider", "hosting_provider", &["traits", "hosting_provider"]),
    (TorExitNode, "tor_exit_node", "tor_exit_node", &["traits", "tor_exit_node"]),
    (AnonymousVpn, "anonymous_vpn", "anonymous_vpn", &["traits", "anonymous_vpn"]),
    (Anonymous, "anonymous", "anonymous", &["traits", "anonymous"]),
    (PublicProxy, "public_proxy", "public_proxy", &["traits", "public_proxy"]),
    (ResidentialProxy, "residential_proxy", "residential_proxy", &["traits", "residential_proxy"]),
];

impl Field {
    /// By its name in the option `fields`, in any case.
    pub(super) fn parse(name: &str) -> Option<Field> {
        let found = NAMES.iter().find(|(_, known, ..)| known.eq_ignore_ascii_case(name));
        found.map(|(field, ..)| *field)
    }

    /// The names of the option `fields`.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(_, name, ..)| *name)
    }

    /// Where it goes under the target; nothing when it has no place.
    pub(super) fn path(self, ecs: bool) -> Vec<&'static str> {
        let Some((_, _, legacy, path)) = NAMES.iter().find(|(field, ..)| *field == self) else { return Vec::new() };
        if ecs { path.to_vec() } else { vec![legacy] }
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
    pub(super) fn fields(self, ecs: bool) -> &'static [Field] {
        match (self, ecs) {
            (Kind::City, false) => &[
                Ip,
                CityName,
                ContinentCode,
                CountryName,
                CountryCode2,
                CountryCode3,
                PostalCode,
                DmaCode,
                RegionName,
                RegionCode,
                Timezone,
                Location,
                Latitude,
                Longitude,
            ],
            (Kind::City, true) => &[
                Ip,
                CityName,
                ContinentCode,
                CountryName,
                CountryCode2,
                PostalCode,
                DmaCode,
                RegionName,
                RegionIsoCode,
                Timezone,
                Location,
            ],
            (Kind::Country, _) => &[Ip, CountryCode2, CountryName, ContinentName],
            (Kind::Isp, _) => &[Ip, Asn, AsOrganization, Isp, Organization],
            (Kind::Asn, _) => &[Ip, Asn, AsOrganization],
            (Kind::Domain, _) => &[Domain],
            (Kind::AnonymousIp, _) => {
                &[Ip, HostingProvider, TorExitNode, AnonymousVpn, Anonymous, PublicProxy, ResidentialProxy]
            }
            (Kind::Enterprise, _) => &[
                Ip,
                CountryCode2,
                CountryName,
                ContinentCode,
                ContinentName,
                RegionIsoCode,
                RegionName,
                CityName,
                PostalCode,
                Timezone,
                Location,
                Asn,
                AsOrganization,
                Network,
                HostingProvider,
                TorExitNode,
                AnonymousVpn,
                Anonymous,
                PublicProxy,
                ResidentialProxy,
                Domain,
                Isp,
                Organization,
            ],
        }
    }
}
