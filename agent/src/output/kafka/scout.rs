//! Asks the cluster about topics on a thread of its own, so that nobody waits for the answers.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rdkafka::client::Client;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::context::Context;
use super::partition::Partitions;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many questions may wait.
const QUESTIONS: usize = 256;

/// What the cluster says of a topic.
pub(super) type Answer = Result<Partitions, RDKafkaErrorCode>;

type Question = (Arc<str>, Arc<Client<Context>>);

/// The thread that asks. It ends with the value.
pub(super) struct Scout {
    questions: Sender<Question>,
    answers: Receiver<(Arc<str>, Answer)>,
}

impl Scout {
    pub(super) fn start() -> std::io::Result<Scout> {
        let (questions, inbox) = bounded::<Question>(QUESTIONS);
        let (outbox, answers) = bounded(QUESTIONS);
        std::thread::Builder::new().name("scout".into()).spawn(move || {
            let mut met = Weak::new();
            for (topic, client) in inbox {
                let answer = ask(&client, &topic);
                let new = answer.is_ok() && met.as_ptr() != Arc::as_ptr(&client);
                if outbox.send((topic.clone(), answer)).is_err() {
                    return;
                }
                if new {
                    // Nothing goes out before librdkafka has an id for its producer. It looks for one twice a second,
                    // and whenever a broker answers by the address that the cluster told: not yet the first time.
                    ask(&client, &topic).ok();
                    met = Arc::downgrade(&client);
                }
            }
        })?;
        Ok(Scout { questions, answers })
    }

    /// Asks about a topic; `false` when too many questions wait already.
    pub(super) fn ask(&self, topic: &Arc<str>, client: &Arc<Client<Context>>) -> bool {
        match self.questions.try_send((topic.clone(), client.clone())) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    pub(super) fn answer(&self) -> Option<(Arc<str>, Answer)> {
        self.answers.try_recv().ok()
    }
}

fn ask(client: &Client<Context>, topic: &str) -> Answer {
    let metadata = client.fetch_metadata(Some(topic), PATIENCE).map_err(|error| match error {
        KafkaError::MetadataFetch(code) => code,
        other => other.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown),
    })?;
    let topic = metadata.topics().first().ok_or(RDKafkaErrorCode::UnknownTopicOrPartition)?;
    if let Some(code) = topic.error() {
        return Err(code.into());
    }
    let count = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
    if count == 0 {
        return Err(RDKafkaErrorCode::LeaderNotAvailable);
    }
    let mut reachable: Vec<i32> =
        topic.partitions().iter().filter(|partition| partition.leader() >= 0).map(|partition| partition.id()).collect();
    reachable.sort_unstable();
    Ok(Partitions { count, reachable })
}
