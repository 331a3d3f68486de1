//! The cloud that the machine runs in, by its metadata service. It is asked once, at the start, of all providers side by
//! side; who answers is who it is.

mod providers;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use tailrace_common::Object;
use ureq::Agent;

use super::Shared;
use crate::http::Trust;

pub(crate) use providers::{Provider, named, usual};

/// Files wait no longer than this for an answer: a metadata service is next door, and most machines have none.
const PATIENCE: Duration = Duration::from_secs(1);
/// An answer is no longer.
const LARGEST_ANSWER: u64 = 4 << 20;

static CLOUDS: Shared<Settings, Cloud> = Shared::new();

/// What `add_cloud_metadata` says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `providers`
    pub(crate) providers: Vec<&'static Provider>,
    /// `timeout`
    pub(crate) timeout: Duration,
    /// `host`: instead of each provider's own address.
    pub(crate) host: Option<String>,
    /// `ssl`
    pub(crate) trust: Trust,
}

/// What was found out.
#[derive(Clone, Debug, Default)]
enum Answer {
    /// Nobody was asked yet.
    #[default]
    Unasked,
    /// It may come.
    Pending,
    /// What it is; nothing where nobody answered.
    Known(Arc<Object>),
}

/// The answer of the metadata service.
#[derive(Debug)]
pub(crate) struct Cloud {
    settings: Settings,
    answer: Mutex<Answer>,
}

impl Cloud {
    /// The one of these settings.
    pub(crate) fn of(settings: &Settings) -> Arc<Cloud> {
        CLOUDS.get(settings, |settings| Cloud { settings, answer: Mutex::default() })
    }

    /// Asks, on threads that end with the answers.
    pub(crate) fn start(self: &Arc<Cloud>) {
        {
            let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
            if !matches!(*answer, Answer::Unasked) {
                return;
            }
            *answer = Answer::Pending;
        }
        let cloud = self.clone();
        let thread = std::thread::Builder::new().name("cloud".into()).spawn(move || cloud.learn());
        if let Err(error) = thread {
            tracing::warn!(%error, "cannot ask the cloud's metadata service");
            self.know(Object::new());
        }
    }

    /// The fields to be added, once they are known.
    pub(crate) fn facts(&self) -> Option<Arc<Object>> {
        match &*self.answer.lock().unwrap_or_else(PoisonError::into_inner) {
            Answer::Known(facts) => Some(facts.clone()),
            Answer::Unasked | Answer::Pending => None,
        }
    }

    /// How long files may wait for it.
    pub(crate) fn patience(&self) -> Duration {
        self.settings.timeout.min(PATIENCE)
    }

    fn know(&self, facts: Object) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Answer::Known(Arc::new(facts));
    }

    fn learn(&self) {
        match self.ask() {
            Some((provider, facts)) => {
                tracing::info!(provider = provider.name(), "the metadata service of a cloud has answered");
                self.know(facts);
            }
            None => {
                tracing::info!("no metadata service of a cloud has answered: no 'cloud' is added");
                self.know(Object::new());
            }
        }
    }

    /// Who answered. A service that gives itself out for another's, as OpenStack's does for Amazon's, gives way.
    fn ask(&self) -> Option<(&'static Provider, Object)> {
        let tls =
            self.settings.trust.for_ureq().inspect_err(|error| tracing::warn!(%error, "add_cloud_metadata")).ok()?;
        let config = Agent::config_builder()
            .timeout_global(Some(self.settings.timeout))
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .tls_config(tls)
            .build();
        let agent = Agent::from(config);
        let deadline = Instant::now() + self.settings.timeout;
        let (answers, inbox) = bounded(self.settings.providers.len());
        for provider in self.settings.providers.iter().copied() {
            let (agent, host, answers) = (agent.clone(), self.settings.host.clone(), answers.clone());
            let ask = move || {
                let asker =
                    Asker { agent, host: host.as_deref().unwrap_or(provider.host()), scheme: provider.scheme() };
                // When the time is over nobody listens any more.
                answers.send((provider, provider.ask(&asker))).ok();
            };
            if let Err(error) = std::thread::Builder::new().name("cloud".into()).spawn(ask) {
                tracing::debug!(%error, "cannot ask a provider");
            }
        }
        drop(answers);
        let mut best = None;
        while let Ok((provider, answer)) = inbox.recv_deadline(deadline) {
            match answer {
                Ok(facts) if provider.is_certain() => return Some((provider, facts)),
                Ok(facts) => best = best.or(Some((provider, facts))),
                Err(error) => tracing::debug!(provider = provider.name(), %error, "no answer"),
            }
        }
        best
    }
}

/// Asks one provider's service.
pub(crate) struct Asker<'a> {
    agent: Agent,
    scheme: &'static str,
    host: &'a str,
}

impl Asker<'_> {
    fn address(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.host)
    }

    /// The text at a path.
    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<String, String> {
        let mut request = self.agent.get(self.address(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        text(request.call())
    }

    /// The answer to a request that puts nothing.
    fn put(&self, path: &str, headers: &[(&str, &str)]) -> Result<String, String> {
        let mut request = self.agent.put(self.address(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        text(request.send_empty())
    }
}

fn text(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<String, String> {
    let mut answer = answer.map_err(|error| error.to_string())?;
    if answer.status() != 200 {
        return Err(format!("it answers {}", answer.status()));
    }
    answer.body_mut().with_config().limit(LARGEST_ANSWER).read_to_string().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
