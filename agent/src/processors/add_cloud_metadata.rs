//! `add_cloud_metadata`: `cloud.*`, as the metadata service of the cloud says.

use std::sync::Arc;
use std::time::Duration;

use tailrace_common::Event;
use tailrace_common::nearest::nearest;
use tailrace_common::tls::Verification;

use super::{Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::config::trust;
use crate::metadata::cloud::{self, Cloud, Provider, Settings};
use crate::pipeline::{Awaits, FileMeta};

#[derive(Debug)]
struct CloudMetadata {
    cloud: Arc<Cloud>,
    overwrite: bool,
}

/// Names the providers over the configuration, as it does for Filebeat.
const PROVIDERS: &str = "BEATS_ADD_CLOUD_METADATA_PROVIDERS";

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let mut providers = providers(section, &section.texts("providers"));
    if let Ok(names) = std::env::var(PROVIDERS) {
        let named = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        providers = named.filter_map(|name| cloud::named(name).ok()).collect();
    } else if !section.is_set("providers") {
        providers = cloud::usual();
    }
    let trust = trust(section, "certificate_authorities").unwrap_or_default();
    if trust.verification == Verification::Certificate {
        let message = "'verification_mode: certificate' is not supported here";
        section.section("ssl").error("verification_mode", message, Some("use full or none".into()));
    }
    let settings = Settings {
        providers,
        timeout: section.duration("timeout").filter(|time| !time.is_zero()).unwrap_or(Duration::from_secs(3)),
        host: section.text("host").map(str::to_owned),
        trust,
    };
    Some(Arc::new(CloudMetadata { cloud: Cloud::of(&settings), overwrite: section.boolean("overwrite", false) }))
}

fn providers(section: &Section<'_>, names: &[String]) -> Vec<&'static Provider> {
    let one = |name: &String| match cloud::named(name) {
        Ok(provider) => Some(provider),
        Err(known) => {
            let hint = nearest(name, known.iter().copied())
                .map_or_else(|| format!("use some of {}", known.join(", ")), |near| format!("did you mean '{near}'?"));
            section.error("providers", format!("'{name}' is no cloud that is known"), Some(hint));
            None
        }
    };
    let mut providers: Vec<&'static Provider> = Vec::new();
    for provider in names.iter().filter_map(one) {
        if !providers.contains(&provider) {
            providers.push(provider);
        }
    }
    providers
}

impl Processor for CloudMetadata {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        if let Some(facts) = self.cloud.facts() {
            for (name, value) in facts.iter() {
                if self.overwrite || !event.fields().contains(name) {
                    event.fields_mut().insert(name.clone(), value.clone());
                }
            }
        }
        Ok(Verdict::Keep)
    }

    fn is_per_file(&self) -> bool {
        true
    }

    fn valid_for(&self, _file: &FileMeta) -> Option<Duration> {
        self.cloud.facts().is_none().then_some(Duration::from_millis(100))
    }

    fn start(&self) {
        self.cloud.start();
    }

    fn awaits(&self, _file: &FileMeta, waited: Duration) -> Awaits {
        match self.cloud.facts() {
            Some(_) => Awaits::Nothing,
            None if waited < self.cloud.patience() => Awaits::Facts,
            None => Awaits::NoLonger,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::fake::{Answer, Fake, eventually};
    use crate::processors::field::tests::{event, fields_of};
    use crate::processors::read::tests::{chain, problems};

    #[test]
    fn the_cloud_is_added_where_there_is_none_yet() {
        let (_server, port) = Fake::tcp(0, |asked| match asked.path.as_str() {
            "/metadata/v1.json" => Answer::Whole(200, r#"{"droplet_id":7,"region":"nyc3"}"#.into()),
            _ => Answer::Whole(404, String::new()),
        });
        for (overwrite, kept) in [
            (false, json!({"id": 1})),
            (
                true,
                json!({"instance": {"id": "7"}, "region": "nyc3", "service": {"name": "Droplets"}, "provider": "digitalocean"}),
            ),
        ] {
            let yaml = format!(
                "- add_cloud_metadata: {{host: '127.0.0.1:{port}', providers: [digitalocean], overwrite: {overwrite}}}"
            );
            let (chain, problems) = chain(&yaml);
            assert_eq!(problems, Vec::<String>::new());
            let file = FileMeta::unknown();
            chain.start();
            eventually("the answer", || {
                crate::pipeline::Awaited::awaits(&chain, &file, Duration::ZERO) == Awaits::Nothing
            });
            let mut event = event(r#"{"cloud":{"id":1}}"#);
            chain.run(&mut event, &file);
            assert_eq!(fields_of(&event)["cloud"], kept);
        }
    }

    #[test]
    fn wrong_options_are_named() {
        assert_eq!(problems("- add_cloud_metadata: {providers: [awss]}"), ["'awss' is no cloud that is known"]);
        assert_eq!(
            problems("- add_cloud_metadata: {timeouts: 3s}"),
            ["unknown key 'processors.0.add_cloud_metadata.timeouts'"]
        );
        assert_eq!(problems("- add_cloud_metadata: ~"), Vec::<String>::new());
    }
}
