//! `add_kubernetes_metadata`: `kubernetes.*` and `container.*`, as the cluster knows the pod that a line comes from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tailrace_common::{Event, Object};

use super::{Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::document::deep_merge;
use crate::metadata::kubernetes::{
    self, Cluster, FieldSettings, Indexer, Key, Lookup, Matcher, PATIENCE, PodContainer, Subject, path_facts,
};
use crate::pipeline::{Awaits, FileMeta};

/// How long what was found holds for a file, and what was not.
const FOUND: Duration = Duration::from_secs(10);
const MISSED: Duration = Duration::from_millis(500);
/// How long the fields of a pod are used again for single events.
const FRESH: Duration = Duration::from_secs(2);
/// So many are kept.
const MOST: usize = 1024;

/// Fields, and when they were made.
type Made = (Instant, Arc<Object>);

#[derive(Debug)]
struct KubernetesMetadata {
    cluster: Arc<Cluster>,
    fields: FieldSettings,
    indexers: Vec<Indexer>,
    matchers: Vec<Matcher>,
    path: Field,
    patience: Duration,
    /// The fields of pods that were asked for lately.
    made: Mutex<HashMap<(Key, Option<u32>), Made>>,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let fields = kubernetes::fields(section);
    let settings = kubernetes::cluster(section, &fields);
    let waits = section.boolean("wait_for_metadata", false);
    let longest = section.duration("wait_for_metadata_timeout").unwrap_or(Duration::from_secs(30));
    section.duration("wait_for_metadata_retry_period");
    Some(Arc::new(KubernetesMetadata {
        cluster: Cluster::of(&settings),
        fields,
        indexers: Indexer::read(section),
        matchers: Matcher::read(section),
        path: Field::new("log.file.path"),
        patience: match longest {
            Duration::ZERO if waits => Duration::MAX,
            longest if waits => longest,
            _ => PATIENCE,
        },
        made: Mutex::default(),
    }))
}

impl KubernetesMetadata {
    /// The first of the keys that the cluster knows; else how it stands with the first.
    fn find(&self, keys: &[Key]) -> Result<(Key, Subject), Lookup> {
        let mut missed = Lookup::Unknown;
        for key in keys {
            match self.cluster.find(key) {
                Lookup::Found(subject) => return Ok((key.clone(), subject)),
                other => missed = other,
            }
        }
        Err(missed)
    }

    /// What the matchers find in the path of a file.
    fn keys_of_path(&self, file: &FileMeta) -> Vec<Key> {
        let Some(path) = file.path.to_str() else { return Vec::new() };
        let keys = self.matchers.iter().map(|matcher| matcher.keys_of_path(path, &self.indexers));
        keys.into_iter().find(|keys| !keys.is_empty()).unwrap_or_default()
    }

    /// The fields of a pod, made anew now and then.
    fn made(&self, key: Key, mut subject: Subject, restarts: Option<u32>) -> Arc<Object> {
        let key = (key, restarts);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, fields)) = made.get(&key)
            && at.elapsed() < FRESH
        {
            return fields.clone();
        }
        if made.len() >= MOST {
            made.clear();
        }
        subject.container = subject.container.map(|container| of_its_time(container, restarts));
        let fields = Arc::new(self.cluster.fields(&subject, &self.fields));
        made.insert(key, (Instant::now(), fields.clone()));
        fields
    }
}

/// The container that wrote a file of `/var/log/pods`, which may have been started again since.
fn of_its_time(container: Arc<PodContainer>, restarts: Option<u32>) -> Arc<PodContainer> {
    match restarts {
        None => container,
        Some(restarts) if restarts == container.restarts => container,
        Some(restarts) => {
            let before = container.before.clone().filter(|_| restarts + 1 == container.restarts);
            Arc::new(PodContainer { id: before.unwrap_or_default(), ..PodContainer::clone(&container) })
        }
    }
}

impl Processor for KubernetesMetadata {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        if event.fields().contains("kubernetes") {
            return Ok(Verdict::Keep);
        }
        let path = self.path.get(event).and_then(|path| path.as_str()).unwrap_or_default().to_owned();
        let keys = self.matchers.iter().map(|matcher| matcher.keys(event, &path, &self.indexers));
        let Some(keys) = keys.into_iter().find(|keys| !keys.is_empty()) else { return Ok(Verdict::Keep) };
        let by_path = path_facts(&path);
        match self.find(&keys) {
            Ok((key, subject)) => {
                let restarts = matches!(key, Key::UidAndContainer(..)).then(|| by_path.and_then(|(_, number)| number));
                let fields = self.made(key, subject, restarts.flatten());
                deep_merge(event.fields_mut(), Object::clone(&fields), true);
            }
            // There is none to ask, as outside of a cluster.
            Err(Lookup::Nowhere) => {}
            // What the path says is better than nothing.
            Err(_) => {
                if let Some((facts, _)) = by_path {
                    deep_merge(event.fields_mut(), facts, true);
                }
            }
        }
        Ok(Verdict::Keep)
    }

    fn is_per_file(&self) -> bool {
        !self.matchers.iter().any(Matcher::varies)
    }

    fn valid_for(&self, file: &FileMeta) -> Option<Duration> {
        let keys = self.keys_of_path(file);
        // Other matchers look into the event, where nothing is known of here.
        Some(if keys.is_empty() || self.find(&keys).is_ok() { FOUND } else { MISSED })
    }

    fn start(&self) {
        self.cluster.start();
    }

    fn awaits(&self, file: &FileMeta, waited: Duration) -> Awaits {
        let keys = self.keys_of_path(file);
        if keys.is_empty() {
            return Awaits::Nothing;
        }
        match self.find(&keys) {
            Ok(_) if self.cluster.is_complete() => Awaits::Nothing,
            Err(Lookup::Nowhere) => Awaits::Nothing,
            _ if waited < self.patience => Awaits::Facts,
            _ => Awaits::NoLonger,
        }
    }
}

#[cfg(test)]
mod tests;
