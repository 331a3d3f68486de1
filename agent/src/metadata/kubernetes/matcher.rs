//! `matchers` and `indexers`: by what an event's pod is found.

use tailrace_common::{Event, Object};

use super::store::Key;
use crate::config::section::Section;
use crate::decode::Pattern;
use crate::document::Format;
use crate::metadata::{is_container_id, put};
use crate::processors::Field;

/// `indexers`: what the text that a matcher finds may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Indexer {
    /// `container`: a container's id.
    Container,
    /// `pod_uid`
    PodUid,
    /// `pod_name`: `namespace/name`.
    PodName,
    /// `ip_port`: an address, with a port or without.
    IpPort,
}

impl Indexer {
    const NAMES: [(&str, Indexer); 4] = [
        ("container", Indexer::Container),
        ("pod_uid", Indexer::PodUid),
        ("pod_name", Indexer::PodName),
        ("ip_port", Indexer::IpPort),
    ];

    /// `indexers`, and the usual one unless `default_indexers` is off.
    pub(crate) fn read(section: &Section<'_>) -> Vec<Indexer> {
        let mut indexers = Vec::new();
        for item in section.maps("indexers") {
            let keys = item.keys();
            let known = Indexer::NAMES.iter().filter(|(name, _)| keys.contains(name));
            indexers.extend(known.map(|(_, indexer)| *indexer));
            for (name, _) in Indexer::NAMES {
                // They have no options.
                item.get(name);
            }
        }
        if section.section("default_indexers").boolean("enabled", true) {
            indexers.push(Indexer::Container);
        }
        indexers
    }

    fn key(self, text: &str) -> Key {
        let text = text.to_owned();
        match self {
            Indexer::Container => Key::Container(text),
            Indexer::PodUid => Key::Uid(text),
            Indexer::PodName => Key::Name(text),
            Indexer::IpPort => Key::Address(text),
        }
    }
}

/// `matchers`: where in an event the text is found.
#[derive(Debug)]
pub(crate) enum Matcher {
    /// `logs_path`: in the path of its file, below `logs_path`.
    LogsPath { below: String, pod: bool },
    /// `fields`: the first of `lookup_fields`, or what `regex_pattern` finds in it.
    Fields { fields: Vec<Field>, pattern: Option<Pattern> },
    /// `field_format`
    FieldFormat(Format),
}

/// Where logs of Docker's containers are, and what `logs_path` is by default.
const DOCKER: &str = "/var/lib/docker/containers/";
/// Where links to all containers' logs are.
const CONTAINERS: &str = "/var/log/containers/";
/// Where the logs themselves are, and where volumes of pods are.
const PODS: &str = "/var/log/pods/";
const VOLUMES: &str = "/var/lib/kubelet/pods/";

impl Matcher {
    /// `matchers`, and the usual one unless `default_matchers` is off.
    pub(crate) fn read(section: &Section<'_>) -> Vec<Matcher> {
        let mut matchers = Vec::new();
        for item in section.maps("matchers") {
            let keys = item.keys();
            let one = if keys.contains(&"logs_path") {
                logs_path(&item.section("logs_path"))
            } else if keys.contains(&"fields") {
                fields(&item.section("fields"))
            } else if keys.contains(&"field_format") {
                field_format(&item.section("field_format"))
            } else {
                None
            };
            item.ignore(&["logs_path", "fields", "field_format"]);
            matchers.extend(one);
        }
        if section.section("default_matchers").boolean("enabled", true) {
            matchers.push(Matcher::LogsPath { below: DOCKER.to_owned(), pod: false });
        }
        if matchers.is_empty() {
            let hint = "set 'matchers', or leave 'default_matchers' on";
            section.fail(format!("'{}' has no matcher", section.full_name()), Some(hint.into()));
        }
        matchers
    }

    /// Whether what it finds differs between plain lines of a file.
    pub(crate) fn varies(&self) -> bool {
        match self {
            Matcher::LogsPath { .. } => false,
            Matcher::Fields { fields, .. } => fields.iter().any(Field::varies),
            Matcher::FieldFormat(format) => !format.is_per_file(),
        }
    }

    /// What the pod of an event may be known by, the surest first.
    pub(crate) fn keys(&self, event: &Event, path: &str, indexers: &[Indexer]) -> Vec<Key> {
        let text = match self {
            Matcher::LogsPath { .. } => return self.keys_of_path(path, indexers),
            Matcher::Fields { fields, pattern } => fields.iter().find_map(|field| {
                let text = field.get(event)?.as_str()?;
                let found = match pattern {
                    Some(pattern) => {
                        pattern.group(text.as_bytes(), "key").and_then(|key| std::str::from_utf8(key).ok())
                    }
                    None => Some(text),
                };
                found.filter(|text| !text.is_empty()).map(str::to_owned)
            }),
            Matcher::FieldFormat(format) => format.text(event).filter(|text| !text.is_empty()),
        };
        text.iter().flat_map(|text| indexers.iter().map(|indexer| indexer.key(text))).collect()
    }

    /// The same by the path of a file alone.
    pub(crate) fn keys_of_path(&self, path: &str, indexers: &[Indexer]) -> Vec<Key> {
        let Matcher::LogsPath { below, pod } = self else { return Vec::new() };
        let Some(rest) = path.strip_prefix(below.as_str()) else { return Vec::new() };
        if *pod {
            return if indexers.contains(&Indexer::PodUid) { keys_of_pod(path) } else { Vec::new() };
        }
        let id = if below.starts_with(CONTAINERS) && path.ends_with(".log") {
            path.len().checked_sub(64 + 4).and_then(|start| path.get(start..path.len() - 4))
        } else {
            rest.get(..64)
        };
        id.iter().flat_map(|id| indexers.iter().map(|indexer| indexer.key(id))).collect()
    }
}

fn keys_of_pod(path: &str) -> Vec<Key> {
    if let Some(rest) = path.strip_prefix(VOLUMES) {
        return rest.split('/').next().map(|uid| Key::Uid(uid.to_owned())).into_iter().collect();
    }
    let Some(log) = PodLog::of(path) else { return Vec::new() };
    vec![Key::UidAndContainer(log.uid.to_owned(), log.container.to_owned()), Key::Uid(log.uid.to_owned())]
}

/// `/var/log/pods/<namespace>_<pod>_<uid>/<container>/<restarts>.log`
struct PodLog<'p> {
    namespace: &'p str,
    pod: &'p str,
    uid: &'p str,
    container: &'p str,
    restarts: Option<u32>,
}

impl<'p> PodLog<'p> {
    fn of(path: &'p str) -> Option<PodLog<'p>> {
        let mut parts = path.strip_prefix(PODS)?.split('/');
        let (namespace, rest) = parts.next()?.split_once('_')?;
        let (pod, uid) = rest.rsplit_once('_')?;
        let container = parts.next()?;
        let name = parts.next().unwrap_or_default();
        let restarts = name.split('.').next().and_then(|number| number.parse().ok());
        Some(PodLog { namespace, pod, uid, container, restarts })
    }
}

/// What a log file's path itself says: the pod's name, its container, and how often that was started before.
pub(crate) fn path_facts(path: &str) -> Option<(Object, Option<u32>)> {
    let mut facts = Object::new();
    if let Some(log) = PodLog::of(path) {
        put(&mut facts, "kubernetes.namespace", log.namespace);
        put(&mut facts, "kubernetes.pod.name", log.pod);
        put(&mut facts, "kubernetes.pod.uid", log.uid);
        put(&mut facts, "kubernetes.container.name", log.container);
        return Some((facts, log.restarts));
    }
    // <pod>_<namespace>_<container>-<id>.log
    let name = path.strip_prefix(CONTAINERS)?.strip_suffix(".log")?;
    let (rest, id) = name.rsplit_once('-').filter(|(_, id)| is_container_id(id))?;
    let mut parts = rest.splitn(3, '_');
    let (pod, namespace, container) = (parts.next()?, parts.next()?, parts.next()?);
    put(&mut facts, "kubernetes.namespace", namespace);
    put(&mut facts, "kubernetes.pod.name", pod);
    put(&mut facts, "kubernetes.container.name", container);
    put(&mut facts, "container.id", id);
    Some((facts, None))
}

fn logs_path(section: &Section<'_>) -> Option<Matcher> {
    let path = section.text("logs_path").unwrap_or(DOCKER).to_owned();
    let pod = section.choice("resource_type", &[("container", false), ("pod", true)], false);
    if section.is_set("resource_type") {
        let allowed: &[&str] = if pod { &[VOLUMES, PODS] } else { &[CONTAINERS] };
        let right = allowed.iter().any(|allowed| path.trim_end_matches('/') == allowed.trim_end_matches('/'));
        if !right || !section.is_set("logs_path") {
            let kind = if pod { "pod" } else { "container" };
            let message = format!("with 'resource_type: {kind}' 'logs_path' must be {}", allowed.join(" or "));
            section.error(if section.is_set("logs_path") { "logs_path" } else { "resource_type" }, message, None);
        }
    }
    Some(Matcher::LogsPath { below: format!("{}/", path.trim_end_matches('/')), pod })
}

fn fields(section: &Section<'_>) -> Option<Matcher> {
    section.require("lookup_fields");
    let pattern = section.pattern("regex_pattern", false);
    if pattern.as_ref().is_some_and(|pattern| !pattern.has_group("key")) {
        let hint = "for example: (?P<key>[0-9a-f]{64})";
        section.error("regex_pattern", "the pattern has no group that is called 'key'", Some(hint.into()));
    }
    let fields = section.texts("lookup_fields").iter().map(|name| Field::new(name)).collect();
    Some(Matcher::Fields { fields, pattern })
}

fn field_format(section: &Section<'_>) -> Option<Matcher> {
    let text = section.required("format")?;
    let format = Format::parse(text).map_err(|error| section.error("format", error.to_string(), None)).ok()?;
    Some(Matcher::FieldFormat(format))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "b5285682fba7449c86452b89a800609440ecc88a7ba5f2d38bedfb85409b30b1";

    fn path(below: &str, pod: bool) -> Matcher {
        Matcher::LogsPath { below: below.to_owned(), pod }
    }

    #[test]
    fn paths_tell_the_pod() {
        let container = Key::Container(ID.to_owned());
        let uid = || Key::Uid("005f3b90-4b9d-12f8-acf0-31020a840133".to_owned());
        for (matcher, text, wanted) in [
            (path(DOCKER, false), format!("/var/lib/docker/containers/{ID}/{ID}-json.log"), vec![container.clone()]),
            (path(CONTAINERS, false), format!("/var/log/containers/web_shop_nginx-{ID}.log"), vec![container.clone()]),
            (path(DOCKER, false), format!("/var/log/containers/web_shop_nginx-{ID}.log"), vec![]),
            (path("/docker/", false), format!("/docker/{ID}/x.log"), vec![container]),
            (path(DOCKER, false), "/var/lib/docker/containers/short.log".to_owned(), vec![]),
            (
                path(PODS, true),
                "/var/log/pods/shop_web-0_005f3b90-4b9d-12f8-acf0-31020a840133/nginx/2.log".to_owned(),
                vec![Key::UidAndContainer("005f3b90-4b9d-12f8-acf0-31020a840133".into(), "nginx".into()), uid()],
            ),
            (
                path(VOLUMES, true),
                "/var/lib/kubelet/pods/005f3b90-4b9d-12f8-acf0-31020a840133/volumes/kubernetes.io~empty-dir/logs/a.log"
                    .to_owned(),
                vec![uid()],
            ),
        ] {
            let indexers = if matches!(matcher, Matcher::LogsPath { pod: true, .. }) {
                Indexer::PodUid
            } else {
                Indexer::Container
            };
            assert_eq!(matcher.keys_of_path(&text, &[indexers]), wanted, "{text}");
        }
    }

    #[test]
    fn paths_tell_names() {
        let text = |path: &str| {
            let (facts, restarts) = path_facts(path)?;
            let mut out = Vec::new();
            tailrace_common::json::write_object(&facts, &mut out);
            Some((String::from_utf8(out).ok()?, restarts))
        };
        let log = "/var/log/pods/shop_web-0_005f3b90-4b9d/nginx/2.log.20240703-100000";
        let wanted = r#"{"kubernetes":{"namespace":"shop","pod":{"name":"web-0","uid":"005f3b90-4b9d"},"container":{"name":"nginx"}}}"#;
        assert_eq!(text(log), Some((wanted.to_owned(), Some(2))));
        let link = format!("/var/log/containers/web-0_shop_my-nginx-{ID}.log");
        let wanted = format!(
            r#"{{"kubernetes":{{"namespace":"shop","pod":{{"name":"web-0"}},"container":{{"name":"my-nginx"}}}},"container":{{"id":"{ID}"}}}}"#
        );
        assert_eq!(text(&link), Some((wanted, None)));
        assert_eq!(text("/var/log/containers/web.log"), None);
    }
}
