//! Every cloud's metadata service: where it is, what is asked, and the fields of its answers. Names are Filebeat's.

use serde_json::Value as Json;
use tailrace_common::{Object, Value, yaml};

use super::Asker;
use crate::metadata::put;

/// The address that most of them have.
const LINK_LOCAL: &str = "169.254.169.254";

/// One cloud.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Provider {
    /// What `providers` calls it; the first is `cloud.provider`.
    names: &'static [&'static str],
    host: &'static str,
    scheme: &'static str,
    /// Whether it is asked unless `providers` says otherwise: those are that need no name server.
    usual: bool,
    service: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Aws,
    Azure,
    Gcp,
    DigitalOcean,
    /// Each fact has a path of its own.
    Paths(&'static [(&'static str, &'static str)]),
}

const NOVA: Kind = Kind::Paths(&[
    ("instance.id", "/2009-04-04/meta-data/instance-id"),
    ("machine.type", "/2009-04-04/meta-data/instance-type"),
    ("instance.name", "/2009-04-04/meta-data/hostname"),
    ("availability_zone", "/2009-04-04/meta-data/placement/availability-zone"),
]);

const HETZNER: Kind = Kind::Paths(&[
    ("instance.id", "/hetzner/v1/metadata/instance-id"),
    ("instance.name", "/hetzner/v1/metadata/hostname"),
    ("availability_zone", "/hetzner/v1/metadata/availability-zone"),
    ("region", "/hetzner/v1/metadata/region"),
]);

const ALIBABA: Kind = Kind::Paths(&[
    ("instance.id", "/latest/meta-data/instance-id"),
    ("region", "/latest/meta-data/region-id"),
    ("availability_zone", "/latest/meta-data/zone-id"),
]);

const TENCENT: Kind = Kind::Paths(&[
    ("instance.id", "/meta-data/instance-id"),
    ("region", "/meta-data/placement/region"),
    ("availability_zone", "/meta-data/placement/zone"),
]);

const fn provider(names: &'static [&'static str], service: &'static str, kind: Kind) -> Provider {
    Provider { names, host: LINK_LOCAL, scheme: "http", usual: true, service, kind }
}

static PROVIDERS: [Provider; 9] = [
    provider(&["aws", "ec2"], "EC2", Kind::Aws),
    provider(&["azure"], "Virtual Machines", Kind::Azure),
    provider(&["gcp"], "GCE", Kind::Gcp),
    provider(&["digitalocean"], "Droplets", Kind::DigitalOcean),
    provider(&["hetzner"], "Cloud", HETZNER),
    provider(&["openstack", "nova", "huawei"], "Nova", NOVA),
    Provider { scheme: "https", ..provider(&["openstack", "openstack-ssl", "nova-ssl"], "Nova", NOVA) },
    Provider { host: "100.100.100.200", usual: false, ..provider(&["ecs", "alibaba"], "ECS", ALIBABA) },
    Provider { host: "metadata.tencentyun.com", usual: false, ..provider(&["qcloud", "tencent"], "CVM", TENCENT) },
];

/// Those that are asked unless the configuration names others.
pub(crate) fn usual() -> Vec<&'static Provider> {
    PROVIDERS.iter().filter(|provider| provider.usual).collect()
}

/// The one of a name, else all names.
pub(crate) fn named(name: &str) -> Result<&'static Provider, Vec<&'static str>> {
    let known = PROVIDERS.iter().find(|provider| provider.names.contains(&name));
    known.ok_or_else(|| PROVIDERS.iter().flat_map(|provider| provider.names).copied().collect())
}

impl Provider {
    /// `cloud.provider`
    pub(super) fn name(&self) -> &'static str {
        self.names[0]
    }

    pub(super) fn host(&self) -> &'static str {
        self.host
    }

    pub(super) fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// Whether nobody else gives this answer.
    pub(super) fn is_certain(&self) -> bool {
        !matches!(self.kind, Kind::Paths(_))
    }

    /// The fields to be added: `cloud`, and `orchestrator` where the machine says so.
    pub(super) fn ask(&self, asker: &Asker<'_>) -> Result<Object, String> {
        let mut facts = match self.kind {
            Kind::Aws => aws(asker),
            Kind::Azure => azure(asker),
            Kind::Gcp => gcp(asker),
            Kind::DigitalOcean => digital_ocean(asker),
            Kind::Paths(paths) => by_paths(asker, paths),
        }?;
        put(&mut facts, "cloud.service.name", self.service);
        put(&mut facts, "cloud.provider", self.name());
        Ok(facts)
    }
}

fn parse(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| format!("its answer is no JSON: {error}"))
}

/// Puts what an answer has at the keys to the fields.
fn take(facts: &mut Object, answer: &Json, pairs: &[(&str, &str)]) {
    for (field, key) in pairs {
        match answer.pointer(key) {
            Some(Json::String(text)) => put(facts, field, text.as_str()),
            Some(Json::Number(number)) => put(facts, field, number.to_string()),
            _ => {}
        }
    }
}

fn by_paths(asker: &Asker<'_>, paths: &[(&str, &str)]) -> Result<Object, String> {
    let mut facts = Object::new();
    for (field, path) in paths {
        put(&mut facts, &format!("cloud.{field}"), asker.get(path, &[])?);
    }
    Ok(facts)
}

/// IMDSv2, a token first; where there is only the first version, without one.
fn aws(asker: &Asker<'_>) -> Result<Object, String> {
    let token = asker.put("/latest/api/token", &[("x-aws-ec2-metadata-token-ttl-seconds", "21600")]);
    let headers: Vec<(&str, &str)> = token.iter().map(|token| ("x-aws-ec2-metadata-token", token.as_str())).collect();
    let document = parse(&asker.get("/latest/dynamic/instance-identity/document", &headers)?)?;
    let mut facts = Object::new();
    let pairs = [
        ("cloud.instance.id", "/instanceId"),
        ("cloud.machine.type", "/instanceType"),
        ("cloud.region", "/region"),
        ("cloud.availability_zone", "/availabilityZone"),
        ("cloud.account.id", "/accountId"),
        ("cloud.image.id", "/imageId"),
    ];
    take(&mut facts, &document, &pairs);
    // Filebeat asks EC2's own API for the tag, which takes a role; here it must be among the tags that the instance's
    // metadata shows.
    if let Ok(cluster) = asker.get("/latest/meta-data/tags/instance/eks:cluster-name", &headers) {
        let text = |key: &str| document.pointer(key).and_then(Json::as_str).unwrap_or_default();
        let id = format!("arn:aws:eks:{}:{}:cluster/{cluster}", text("/region"), text("/accountId"));
        put(&mut facts, "orchestrator.cluster.name", cluster);
        put(&mut facts, "orchestrator.cluster.id", id);
    }
    Ok(facts)
}

fn azure(asker: &Asker<'_>) -> Result<Object, String> {
    let answer = asker.get("/metadata/instance/compute?api-version=2021-02-01", &[("metadata", "true")])?;
    let mut facts = Object::new();
    let pairs = [
        ("cloud.account.id", "/subscriptionId"),
        ("cloud.instance.id", "/vmId"),
        ("cloud.instance.name", "/name"),
        ("cloud.machine.type", "/vmSize"),
        ("cloud.region", "/location"),
    ];
    take(&mut facts, &parse(&answer)?, &pairs);
    Ok(facts)
}

fn digital_ocean(asker: &Asker<'_>) -> Result<Object, String> {
    let answer = parse(&asker.get("/metadata/v1.json", &[])?)?;
    let mut facts = Object::new();
    take(&mut facts, &answer, &[("cloud.instance.id", "/droplet_id"), ("cloud.region", "/region")]);
    Ok(facts)
}

fn gcp(asker: &Asker<'_>) -> Result<Object, String> {
    let answer = parse(&asker.get("/computeMetadata/v1/?recursive=true&alt=json", &[("metadata-flavor", "Google")])?)?;
    let mut facts = Object::new();
    let pairs = [
        ("cloud.instance.id", "/instance/id"),
        ("cloud.instance.name", "/instance/name"),
        ("cloud.project.id", "/project/projectId"),
        ("cloud.account.id", "/project/projectId"),
    ];
    take(&mut facts, &answer, &pairs);
    // "projects/123/zones/us-east1-b"
    for (field, key) in [("cloud.machine.type", "/instance/machineType"), ("cloud.availability_zone", "/instance/zone")]
    {
        if let Some(text) = answer.pointer(key).and_then(Json::as_str) {
            put(&mut facts, field, text.rsplit('/').next().unwrap_or(text));
        }
    }
    if let Some(cluster) = answer.pointer("/instance/attributes/cluster-name").and_then(Json::as_str) {
        put(&mut facts, "orchestrator.cluster.name", cluster);
        let config = answer.pointer("/instance/attributes/kubeconfig").and_then(Json::as_str);
        if let Some(server) = config.and_then(server_of) {
            put(&mut facts, "orchestrator.cluster.url", server);
        }
    }
    Ok(facts)
}

/// The server of a kubeconfig's first cluster.
fn server_of(kubeconfig: &str) -> Option<Value> {
    let config = yaml::parse(kubeconfig).ok()?;
    let server = config.get("clusters")?.as_list()?.first()?.get("cluster")?.get("server")?.as_text()?;
    (!server.is_empty()).then(|| Value::from(server))
}
