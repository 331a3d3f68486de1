//! What an error of Kafka means for the events that met it.

use rdkafka::error::RDKafkaErrorCode as Code;

/// What to do with refused events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may pass: the topic's lane waits and tries again.
    Retry,
    /// One of the events sent together is at fault: they go again one by one, and the one that still fails is rejected.
    Alone,
    /// We took it back ourselves.
    Purged,
    /// This producer is done for: a new one sends what is under way again.
    Renew,
}

/// The verdict on an error.
pub(super) fn on(code: Code) -> Verdict {
    match code {
        Code::PurgeQueue | Code::PurgeInflight => Verdict::Purged,
        Code::Fatal
        | Code::GaplessGuarantee
        | Code::Fenced
        | Code::InvalidProducerEpoch
        | Code::OutOfOrderSequenceNumber => Verdict::Renew,
        Code::MessageSizeTooLarge
        | Code::MessageBatchTooLarge
        | Code::InvalidMessage
        | Code::InvalidMessageSize
        | Code::InvalidRecord
        | Code::InvalidTimestamp
        | Code::InvalidDifferentRecord
        | Code::InvalidArgument => Verdict::Alone,
        _ => Verdict::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart() {
        for (code, verdict) in [
            (Code::TopicAuthorizationFailed, Verdict::Retry),
            (Code::UnknownTopicOrPartition, Verdict::Retry),
            (Code::NotEnoughReplicas, Verdict::Retry),
            (Code::MessageSizeTooLarge, Verdict::Alone),
            (Code::InvalidTimestamp, Verdict::Alone),
            (Code::PurgeInflight, Verdict::Purged),
            (Code::Fatal, Verdict::Renew),
        ] {
            assert_eq!(on(code), verdict, "{code:?}");
        }
    }
}
