//! From `processors` of the configuration to chains.

use std::sync::Arc;
use std::time::Duration;

use tailrace_common::Event;
use tailrace_common::yaml::{Kind, Node};

use super::condition::Condition;
use super::{Chain, Outcome, Processor};
use crate::config::section::Section;
use crate::pipeline::{Awaited, Awaits, FileMeta};

type Read = fn(&Section<'_>) -> Option<Arc<dyn Processor>>;

/// Every processor there is.
const KNOWN: [(&str, Read); 44] = [
    ("add_cloud_metadata", super::add_cloud_metadata::read),
    ("add_docker_metadata", super::add_docker_metadata::read),
    ("add_fields", super::add_fields::read),
    ("add_host_metadata", super::add_host_metadata::read),
    ("add_id", super::add_id::read),
    ("add_kubernetes_metadata", super::add_kubernetes_metadata::read),
    ("add_labels", super::add_labels::read),
    ("add_locale", super::add_locale::read),
    ("add_network_direction", super::add_network_direction::read),
    ("add_observer_metadata", super::add_observer_metadata::read),
    ("add_process_metadata", super::add_process_metadata::read),
    ("add_tags", super::add_tags::read),
    ("append", super::append::read),
    ("append_processor", super::append::read),
    ("community_id", super::community_id::read),
    ("convert", super::convert::read),
    ("copy_fields", super::copy_fields::read),
    ("decode_base64_field", super::decode_base64_field::read),
    ("decode_csv_fields", super::decode_csv_fields::read),
    ("decode_duration", super::decode_duration::read),
    ("decode_json_fields", super::decode_json_fields::read),
    ("decode_xml", super::decode_xml::read),
    ("decompress_gzip_field", super::decompress_gzip_field::read),
    ("detect_mime_type", super::detect_mime_type::read),
    ("dissect", super::dissect::read),
    ("dns", super::dns::read),
    ("drop_event", super::drop_event::read),
    ("drop_fields", super::drop_fields::read),
    ("extract_array", super::extract_array::read),
    ("fingerprint", super::fingerprint::read),
    ("include_fields", super::include_fields::read),
    ("lowercase", super::case::read_lowercase),
    ("move_fields", super::move_fields::read),
    ("now", super::now::read),
    ("rate_limit", super::rate_limit::read),
    ("registered_domain", super::registered_domain::read),
    ("rename", super::rename::read),
    ("replace", super::replace::read),
    ("syslog", super::syslog::read),
    ("timestamp", super::timestamp::read),
    ("truncate_fields", super::truncate_fields::read),
    ("uppercase", super::case::read_uppercase),
    ("urldecode", super::urldecode::read),
    ("if", branch),
];

/// Filebeat has them, we do not, and why.
const UNSUPPORTED: [(&str, &str); 9] = [
    ("script", "there is no JavaScript here: do it in a processor's pipeline, with its ruby-free filters"),
    ("parse_aws_vpc_flow_log", "it belongs to Elastic's licensed part"),
    ("translate_sid", "it needs Windows"),
    ("translate_ldap_attribute", "it belongs to Elastic's licensed part"),
    ("decode_cef", "it belongs to Elastic's licensed part"),
    ("decode_xml_wineventlog", "it needs Windows"),
    ("add_cloudfoundry_metadata", "it belongs to Elastic's licensed part"),
    ("add_nomad_metadata", "it belongs to Elastic's licensed part"),
    ("cache", "it belongs to Elastic's licensed part"),
];

/// The chain that a map holds under `processors`.
pub(crate) fn read(section: &Section<'_>) -> Chain {
    Chain::new(list(section, "processors"))
}

/// The processors of a list, or of a single map.
fn list(section: &Section<'_>, key: &'static str) -> Vec<Arc<dyn Processor>> {
    let Some(node) = section.get(key) else { return Vec::new() };
    let items: Vec<&Node> = match &node.kind {
        Kind::List(items) => items.iter().collect(),
        Kind::Map(_) => vec![node],
        Kind::Scalar { .. } => {
            section.error(key, format!("'{}' must be a list, this is {}", section.name(key), node.type_name()), None);
            Vec::new()
        }
    };
    let item = |(number, item): (usize, &Node)| {
        let name = format!("{}.{number}", section.name(key));
        let item = Section::new(Some(item), name, item.position, section.report());
        one(&item)
    };
    items.into_iter().enumerate().filter_map(item).collect()
}

/// One item: a map whose only key is the processor's name.
fn one(item: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let keys = item.keys();
    if keys.contains(&"if") {
        return branch(item);
    }
    let [name] = keys.as_slice() else {
        item.ignore_all();
        let message = format!("'{}' must be a map with one processor", item.full_name());
        item.fail(message, (!keys.is_empty()).then(|| "begin each processor with '- ' of its own".to_owned()));
        return None;
    };
    if let Some((known, read)) = KNOWN.iter().find(|(known, _)| known == name) {
        let section = item.section(known);
        let condition = Condition::read(&section, "when");
        let inner = read(&section)?;
        return Some(match condition {
            Some(condition) => Arc::new(When { condition, then: Chain::new(vec![inner]), otherwise: Chain::default() }),
            None => inner,
        });
    }
    if let Some((known, why)) = UNSUPPORTED.iter().find(|(known, _)| known == name) {
        item.error(known, format!("the processor '{known}' is not supported"), Some((*why).to_owned()));
        item.ignore_all();
    }
    // Any other name is reported with the nearest known one, when the section is dropped.
    item.ignore(&KNOWN.map(|(known, _)| known));
    None
}

/// `if`, `then`, `else`.
fn branch(item: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let condition = Condition::read(item, "if");
    item.require("then");
    let (then, otherwise) = (Chain::new(list(item, "then")), Chain::new(list(item, "else")));
    Some(Arc::new(When { condition: condition?, then, otherwise }))
}

/// Processors under a condition.
#[derive(Debug)]
struct When {
    condition: Condition,
    then: Chain,
    otherwise: Chain,
}

impl Processor for When {
    fn run(&self, event: &mut Event, file: &FileMeta) -> Outcome {
        let chosen = if self.condition.holds(event) { &self.then } else { &self.otherwise };
        Ok(chosen.run(event, file))
    }

    fn is_per_file(&self) -> bool {
        !self.condition.varies() && self.then.is_per_file() && self.otherwise.is_per_file()
    }

    fn valid_for(&self, file: &FileMeta) -> Option<Duration> {
        [&self.then, &self.otherwise].into_iter().filter_map(|chain| chain.valid_for(file)).min()
    }

    fn start(&self) {
        self.then.start();
        self.otherwise.start();
    }

    // Which of them it will be is not known before there is an event.
    fn awaits(&self, file: &FileMeta, waited: Duration) -> Awaits {
        self.then.awaits(file, waited).max(self.otherwise.awaits(file, waited))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use crate::config::section::tests::with_section;
    use crate::processors::Verdict;
    use crate::processors::field::tests::{event, fields_of};

    /// The chain of a YAML list, and what is wrong with it.
    pub(crate) fn chain(yaml: &str) -> (Chain, Vec<String>) {
        let indented: String = yaml.lines().map(|line| format!("  {line}\n")).collect();
        with_section(&format!("processors:\n{indented}"), super::read)
    }

    /// What the processors make of an event.
    pub(crate) fn run(yaml: &str, text: &str) -> (Verdict, Event) {
        let (chain, problems) = chain(yaml);
        assert_eq!(problems, Vec::<String>::new(), "{yaml}");
        let mut event = event(text);
        let verdict = chain.run(&mut event, &FileMeta::unknown());
        (verdict, event)
    }

    /// The same, as JSON; it must be kept.
    pub(crate) fn changed(yaml: &str, text: &str) -> serde_json::Value {
        let (verdict, event) = run(yaml, text);
        assert_eq!(verdict, Verdict::Keep, "{yaml}");
        fields_of(&event)
    }

    /// What is wrong with the processors.
    pub(crate) fn problems(yaml: &str) -> Vec<String> {
        chain(yaml).1
    }

    #[test]
    fn branches_and_conditions_choose() {
        let branch = "
- if: {equals: {a: 1}}
  then:
    - add_fields: {target: '', fields: {b: then}}
    - drop_event: {when: {has_fields: [drop]}}
  else: {add_fields: {target: '', fields: {b: else}}}
- add_tags: {tags: [x], when: {equals: {b: else}}}";
        assert_eq!(changed(branch, r#"{"a":1}"#), serde_json::json!({"a": 1, "b": "then"}));
        assert_eq!(changed(branch, r#"{"a":2}"#), serde_json::json!({"a": 2, "b": "else", "tags": ["x"]}));
        assert_eq!(run(branch, r#"{"a":1,"drop":1}"#).0, Verdict::Drop);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (yaml, message) in [
            ("- add_feilds: {fields: {a: 1}}", "unknown key 'processors.0.add_feilds'"),
            ("- add_fields: {field: {a: 1}}", "'processors.0.add_fields.fields' is missing"),
            ("- script: {lang: javascript}", "the processor 'script' is not supported"),
            ("- add_tags: {tags: [a]}\n  add_id: ~", "'processors.0' must be a map with one processor"),
            ("- if: {equals: {a: 1}}", "'processors.0.then' is missing"),
        ] {
            assert_eq!(problems(yaml).first().map(String::as_str), Some(message), "{yaml}");
        }
    }

    #[test]
    fn chains_over_files_alone_are_known() {
        for (yaml, per_file) in [
            ("- add_host_metadata: {when.not.contains.tags: forwarded}", true),
            ("- add_fields: {fields: {a: 1}}\n- add_tags: {tags: [x]}\n- add_labels: {labels: {a: 1}}", true),
            ("- drop_fields: {fields: [agent, log.file.inode]}", true),
            ("- drop_fields: {fields: [log.offset]}", false),
            ("- add_fields: {fields: {a: 1}, when: {contains: {message: x}}}", false),
            ("- add_fields: {target: '', fields: {message: x}}", false),
            ("- rename: {fields: [{from: a, to: b}]}", false),
        ] {
            assert_eq!(chain(yaml).0.is_per_file(), per_file, "{yaml}");
        }
    }
}
