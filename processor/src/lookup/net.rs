//! Asking other machines many things at once, for a limited time.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// What all filters wait on. The one thread only sees to the sockets; workers run their own questions.
pub(crate) fn runtime() -> Result<&'static Runtime, String> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let start = || {
        let built = Builder::new_multi_thread().worker_threads(1).thread_name("lookup").enable_all().build();
        built.map_err(|error| format!("cannot start a thread for look-ups: {error}"))
    };
    RUNTIME.get_or_init(start).as_ref().map_err(Clone::clone)
}

/// Asks all questions, so many at once, and waits at most so long for all of them together. The answers stand in the
/// order of the questions; nothing stands for what was not answered in time.
pub(crate) fn side_by_side<Q, A, F>(
    runtime: &Runtime,
    questions: Vec<Q>,
    at_once: usize,
    time: Duration,
    ask: impl Fn(Q) -> F,
) -> Vec<Option<A>>
where
    A: Send + 'static,
    F: Future<Output = A> + Send + 'static,
{
    let mut answers: Vec<Option<A>> = questions.iter().map(|_| None).collect();
    if questions.is_empty() {
        return answers;
    }
    runtime.block_on(async {
        let end = Instant::now() + time;
        let mut running = JoinSet::new();
        let mut waiting = questions.into_iter().enumerate();
        loop {
            while running.len() < at_once.max(1)
                && let Some((at, question)) = waiting.next()
            {
                let answer = ask(question);
                running.spawn(async move { (at, answer.await) });
            }
            match timeout_at(end, running.join_next()).await {
                Ok(Some(Ok((at, answer)))) => answers[at] = Some(answer),
                // A question that came to grief is one without an answer.
                Ok(Some(Err(_))) => {}
                Ok(None) | Err(_) => break,
            }
        }
    });
    answers
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow_holds_up_nothing_but_itself() {
        let ask = |number: u64| async move {
            if number == 2 {
                std::future::pending::<()>().await;
            }
            assert_ne!(number, 3, "this question comes to grief");
            number * 10
        };
        let answers = side_by_side(runtime().unwrap(), vec![1, 2, 3, 4], 2, Duration::from_secs(3), ask);
        assert_eq!(answers, [Some(10), None, None, Some(40)]);
    }
}
