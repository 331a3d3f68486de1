//! What the machine says of itself: `host.*`.

use std::collections::HashMap;
use std::path::Path;

use tailrace_common::{Object, Value};

/// The host's name.
pub(crate) fn name() -> String {
    text("/proc/sys/kernel/hostname").unwrap_or_else(|| "localhost".to_owned())
}

/// Everything but addresses: `name`, `hostname`, `architecture`, `os`, `id`, `containerized`.
pub(crate) fn facts() -> Object {
    let name = name().to_lowercase();
    let mut host = Object::new();
    host.insert("name", name.as_str());
    host.insert("hostname", name.as_str());
    host.insert("architecture", std::env::consts::ARCH);
    host.insert("os", system());
    if let Some(id) = text("/etc/machine-id") {
        host.insert("id", id);
    }
    host.insert("containerized", is_container());
    host
}

/// Adds `ip` and `mac`, without the loopback's.
pub(crate) fn add_addresses(host: &mut Object) {
    let interfaces = match if_addrs::get_if_addrs() {
        Ok(interfaces) => interfaces,
        Err(error) => {
            tracing::warn!(%error, "cannot ask for the addresses of this host");
            return;
        }
    };
    let outside = interfaces.iter().filter(|interface| !interface.is_loopback());
    let mut addresses: Vec<String> = outside.clone().map(|interface| interface.ip().to_string()).collect();
    let mut names: Vec<&str> = outside.map(|interface| interface.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let hardware = names.iter().filter_map(|name| text(&format!("/sys/class/net/{name}/address")));
    let mut hardware: Vec<String> = hardware.map(|address| address.replace(':', "-").to_uppercase()).collect();
    addresses.dedup();
    hardware.sort_unstable();
    hardware.dedup();
    let list = |texts: Vec<String>| Value::Array(texts.into_iter().map(Value::from).collect());
    if !addresses.is_empty() {
        host.insert("ip", list(addresses));
    }
    if !hardware.is_empty() {
        host.insert("mac", list(hardware));
    }
}

fn text(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn system() -> Object {
    let release = text("/etc/os-release").or_else(|| text("/usr/lib/os-release")).unwrap_or_default();
    let mut os = release_fields(&release);
    os.insert("type", "linux");
    if let Some(kernel) = text("/proc/sys/kernel/osrelease") {
        os.insert("kernel", kernel);
    }
    os
}

/// The families of distributions, by what `ID` or `ID_LIKE` says.
const FAMILIES: [(&str, &str); 16] = [
    ("debian", "debian"),
    ("ubuntu", "debian"),
    ("linuxmint", "debian"),
    ("rhel", "redhat"),
    ("redhat", "redhat"),
    ("fedora", "redhat"),
    ("centos", "redhat"),
    ("amzn", "redhat"),
    ("ol", "redhat"),
    ("scientific", "redhat"),
    ("suse", "suse"),
    ("sles", "suse"),
    ("opensuse", "suse"),
    ("arch", "arch"),
    ("alpine", "alpine"),
    ("gentoo", "gentoo"),
];

fn release_fields(release: &str) -> Object {
    let pairs = release.lines().filter_map(|line| line.split_once('='));
    let facts: HashMap<&str, &str> =
        pairs.map(|(name, value)| (name.trim(), value.trim().trim_matches(['"', '\'']))).collect();
    let mut os = Object::new();
    let named = [("name", "NAME"), ("platform", "ID"), ("version", "VERSION"), ("codename", "VERSION_CODENAME")];
    for (field, name) in named {
        let fallback = if field == "version" { facts.get("VERSION_ID") } else { None };
        if let Some(value) = facts.get(name).or(fallback) {
            os.insert(field, *value);
        }
    }
    let own = facts.get("ID").copied().unwrap_or_default();
    let like = facts.get("ID_LIKE").copied().unwrap_or_default();
    let family = std::iter::once(own).chain(like.split_whitespace()).find_map(|id| {
        let known = FAMILIES.iter().find(|(name, _)| *name == id || (id.starts_with("opensuse") && *name == "suse"));
        known.map(|(_, family)| *family)
    });
    if let Some(family) = family {
        os.insert("family", family);
    }
    os
}

/// Whether process 1 runs in a container.
fn is_container() -> bool {
    let groups = text("/proc/1/cgroup").unwrap_or_default();
    ["docker", "kubepods", "libpod", "containerd", "lxc"].iter().any(|name| groups.contains(name))
        || Path::new("/.dockerenv").exists()
        || Path::new("/run/.containerenv").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_belong_to_families() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n\
                      VERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        let wanted = [
            ("name", "Debian GNU/Linux"),
            ("platform", "debian"),
            ("version", "12 (bookworm)"),
            ("codename", "bookworm"),
            ("family", "debian"),
        ];
        assert_eq!(release_fields(debian), wanted.into_iter().collect());
        let rocky = release_fields("NAME='Rocky Linux'\nID=rocky\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=9.3\n");
        assert_eq!((rocky.get("family"), rocky.get("version")), (Some(&"redhat".into()), Some(&"9.3".into())));
        assert_eq!(release_fields(""), Object::new());
    }

    #[test]
    fn this_host_has_a_name() {
        let facts = facts();
        assert!(facts.get("hostname").and_then(Value::as_str).is_some_and(|name| !name.is_empty()));
        assert!(facts.get("os").and_then(Value::as_object).is_some_and(|os| os.contains("kernel")));
    }
}
