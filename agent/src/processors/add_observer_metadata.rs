//! `add_observer_metadata`: this machine as the observer of another, `observer.*`.

use std::sync::Arc;

use super::Processor;
use super::add_host_metadata::HostMetadata;
use crate::config::section::Section;

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let observer = HostMetadata::new(section, "observer", false, &["hostname"]);
    let overwrite = section.boolean("overwrite", false);
    Some(Arc::new(if overwrite { observer } else { observer.unless_there() }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn an_observer_that_is_there_stays() {
        let observer = "- add_observer_metadata: ~";
        assert_eq!(changed(observer, r#"{"observer":{"type":"x"}}"#), json!({"observer": {"type": "x"}}));
        assert!(changed(observer, "{}")["observer"]["hostname"].is_string());
    }
}
