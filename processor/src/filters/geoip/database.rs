//! A database of addresses, and how its records become fields.

use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use maxminddb::Reader;
use serde_json::Value as Json;
use tailrace_common::object::Key;
use tailrace_common::{Object, Str, Value};

use super::field::{Field, Kind};

/// A database that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum DatabaseError {
    #[error("cannot use '{path}' as a MaxMind database: {source}")]
    Broken { path: String, source: maxminddb::MaxMindDbError },
    #[error(
        "'{path}' is a database of the type '{kind}'; City, Country, ASN, ISP, Domain, Anonymous-IP and Enterprise are supported"
    )]
    UnknownType { path: String, kind: String },
}

/// A database, held in memory.
pub(super) struct Database {
    reader: Reader<Vec<u8>>,
    kind: Kind,
    wanted: Vec<(Field, Vec<&'static str>)>,
}

impl Database {
    pub(super) fn open(path: &Path, wanted: &[Field], ecs: bool) -> Result<Database, DatabaseError> {
        let shown = || path.display().to_string();
        let reader = Reader::open_readfile(path).map_err(|source| DatabaseError::Broken { path: shown(), source })?;
        let name = &reader.metadata().database_type;
        let kind = Kind::parse(name).ok_or_else(|| DatabaseError::UnknownType { path: shown(), kind: name.clone() })?;
        let wanted = if wanted.is_empty() { kind.fields(ecs) } else { wanted.to_vec() };
        let placed = wanted.into_iter().map(|field| (field, field.path(ecs))).filter(|(_, path)| !path.is_empty());
        Ok(Database { kind, wanted: placed.collect(), reader })
    }

    /// The fields of an address; nothing when the database does not know it.
    pub(super) fn look_up(&self, address: IpAddr) -> Option<Object> {
        // Java takes an IPv4 address inside IPv6 for what it is.
        let address = match address {
            IpAddr::V6(inner) => inner.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        let found = self.reader.lookup(address).ok()?;
        let record: Json = found.decode().ok()??;
        if matches!(self.kind, Kind::City) && !["latitude", "longitude"].iter().any(|at| has(&record, at)) {
            // Most often nothing else is known either.
            return None;
        }
        let mut fields = Object::new();
        for (field, path) in &self.wanted {
            let value = match field {
                Field::Ip => Some(Value::from(java_text(address))),
                Field::Network => found.network().ok().map(|network| Value::from(network.to_string())),
                field => value(*field, &record),
            };
            if let Some(value) = value {
                place(&mut fields, path, value);
            }
        }
        (!fields.is_empty()).then_some(fields)
    }
}

fn has(record: &Json, at: &str) -> bool {
    record.pointer(&format!("/location/{at}")).is_some_and(Json::is_number)
}

/// Puts a value at a path of maps; what stands in the way stays.
fn place(fields: &mut Object, path: &[&'static str], value: Value) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut fields = fields;
    for parent in parents {
        let slot = fields.entry(&Key::new(Str::borrowed(parent)));
        if slot.is_null() {
            *slot = Value::Object(Object::new());
        }
        match slot {
            Value::Object(inner) => fields = inner,
            _ => return,
        }
    }
    fields.insert(Str::borrowed(last), value);
}

/// As Java's `getHostAddress` prints it: IPv6 in full.
fn java_text(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => groups(address).join(":"),
    }
}

fn groups(address: Ipv6Addr) -> Vec<String> {
    address.segments().iter().map(|group| format!("{group:x}")).collect()
}

/// What a record says; some things stand elsewhere in Enterprise databases.
fn value(field: Field, record: &Json) -> Option<Value> {
    let either = |own: &str, enterprise: &str| record.get(own).or_else(|| record.pointer(enterprise));
    let text = |found: Option<&Json>| found.and_then(Json::as_str).map(Value::from);
    let at = |pointer: &str| text(record.pointer(pointer));
    let subdivision = || record.get("subdivisions").and_then(Json::as_array).and_then(|all| all.last());
    let coordinate = |name: &str| record.pointer(&format!("/location/{name}")).and_then(Json::as_f64).map(Value::Float);
    let whole = |found: Option<&Json>| found.and_then(Json::as_i64).map(Value::Int);
    let flag = |name: &str| {
        let found = either(name, &format!("/traits/{name}"));
        Some(Value::Bool(found.and_then(Json::as_bool).unwrap_or(false)))
    };
    match field {
        Field::Asn => whole(either("autonomous_system_number", "/traits/autonomous_system_number")),
        Field::AsOrganization => {
            text(either("autonomous_system_organization", "/traits/autonomous_system_organization"))
        }
        Field::Isp => text(either("isp", "/traits/isp")),
        Field::Organization => text(either("organization", "/traits/organization")),
        Field::Domain => text(either("domain", "/traits/domain")),
        Field::CityName => at("/city/names/en"),
        Field::CountryName => at("/country/names/en"),
        Field::ContinentCode => at("/continent/code"),
        Field::ContinentName => at("/continent/names/en"),
        // `country_code3` holds two letters: the databases have no others.
        Field::CountryCode2 | Field::CountryCode3 => at("/country/iso_code"),
        Field::PostalCode => at("/postal/code"),
        Field::DmaCode => whole(record.pointer("/location/metro_code")),
        Field::RegionName => text(subdivision()?.pointer("/names/en")),
        Field::RegionCode => text(subdivision()?.get("iso_code")),
        Field::RegionIsoCode => {
            let (country, region) = (record.pointer("/country/iso_code")?, subdivision()?.get("iso_code")?);
            Some(Value::from(format!("{}-{}", country.as_str()?, region.as_str()?)))
        }
        Field::Timezone => at("/location/time_zone"),
        Field::Latitude => coordinate("latitude"),
        Field::Longitude => coordinate("longitude"),
        Field::Location => {
            let (latitude, longitude) = (coordinate("latitude")?, coordinate("longitude")?);
            Some(Value::Object([("lat", latitude), ("lon", longitude)].into_iter().collect()))
        }
        Field::HostingProvider => flag("is_hosting_provider"),
        Field::TorExitNode => flag("is_tor_exit_node"),
        Field::AnonymousVpn => flag("is_anonymous_vpn"),
        Field::Anonymous => flag("is_anonymous"),
        Field::PublicProxy => flag("is_public_proxy"),
        Field::ResidentialProxy => flag("is_residential_proxy"),
        Field::Ip | Field::Network => None,
    }
}
