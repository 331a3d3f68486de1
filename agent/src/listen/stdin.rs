//! `stdin`: the standard input, line by line, until it ends.

use std::io::{self, Read};
use std::sync::Arc;

use tokio::sync::watch;

use super::frames::Framer;
use super::source::{Gathered, Shared, Source};
use crate::decode::TextEncoding;
use crate::tail::settings::{Framing, InputSettings};

/// How much is read at a time.
const READ: usize = 64 << 10;
/// `log.file.path` of the standard input.
const PATH: &str = "-";

pub(super) async fn serve(input: Arc<InputSettings>, shared: Shared, mut stop: watch::Receiver<bool>) {
    let encoding = input.encoding;
    let (delimiter, _) = encoding.encode("\n");
    let mut framer = Framer::new(&Framing::Delimiter(delimiter), input.message_max_bytes);
    let mut source = Source::new(shared, input, None, PATH);
    let mut reading = tokio::task::spawn_blocking(|| read(vec![0; READ]));
    loop {
        let deadline = source.deadline();
        let expired = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let arrived = tokio::select! {
            read = &mut reading => Some(read.unwrap_or_else(|error| (Vec::new(), Err(error.into())))),
            () = expired => None,
            _ = stop.wait_for(|stop| *stop) => Some((Vec::new(), Ok(0))),
        };
        let Some((buffer, count)) = arrived else {
            if source.expire(false).await {
                continue;
            }
            return;
        };
        let count = count.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot read the standard input");
            0
        });
        let mut gathered = source.gather((count + framer.held()) * 3).await;
        let mut add = |message: &[u8], cut: bool| line(encoding, message, cut, &mut source, &mut gathered);
        if count == 0 {
            framer.finish(&mut add);
            source.send(gathered);
            source.expire(true).await;
            return;
        }
        framer.feed(&buffer[..count], &mut add);
        if !source.send(gathered) {
            return;
        }
        reading = tokio::task::spawn_blocking(move || read(buffer));
    }
}

/// Reads once; on a thread of its own, because nothing can end such a read.
fn read(mut buffer: Vec<u8>) -> (Vec<u8>, io::Result<usize>) {
    let count = io::stdin().read(&mut buffer);
    (buffer, count)
}

fn line(encoding: TextEncoding, message: &[u8], cut: bool, source: &mut Source, gathered: &mut Gathered) {
    match encoding {
        TextEncoding::Plain => source.add(message, cut, gathered),
        other => {
            let text = other.decode(message, false);
            source.add(text.strip_suffix('\r').unwrap_or(&text).as_bytes(), cut, gathered);
        }
    }
}
