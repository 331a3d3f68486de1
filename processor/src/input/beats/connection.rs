//! One connection: frames in, acknowledgements out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tailrace_common::event::Lane;
use tailrace_common::lumberjack::{Decoder, Frame, Limits, LumberjackError, write_ack};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf};
use tokio::time::timeout;

use super::Context;
use super::acks::Acks;
use super::records::Collected;
use crate::input::net::{Stream, give, stopped};
use crate::input::{Batch, Feed, Stopped};

/// A sender that waits hears of us this often (an acknowledgement of nothing), so that it does not give up.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Bytes read at once.
const READ: usize = 64 << 10;
/// A batch is full at this many bytes.
const MOST_BYTES: usize = 4 << 20;
/// What one frame may hold: the window is cut into batches, so it is the frame that must fit into memory.
const LIMITS: Limits = Limits { frame: 32 << 20, inflated: 64 << 20, window: 100_000 };

/// Why a connection ends.
enum End {
    /// The sender closed it, was silent for too long, or the pipeline stops.
    Done,
    /// What it sent cannot be read.
    Broken(LumberjackError),
    /// Reading failed.
    Lost(std::io::Error),
}

impl From<Stopped> for End {
    fn from(_: Stopped) -> End {
        End::Done
    }
}

/// Serves a connection until it ends.
pub(super) async fn serve(stream: Box<dyn Stream>, peer: SocketAddr, context: Arc<Context>, feed: Feed) {
    let (reading, writing) = tokio::io::split(stream);
    let acks = Arc::new(Acks::default());
    let mut reader = Reader {
        stream: reading,
        decoder: Decoder::new(LIMITS),
        collected: Collected::default(),
        window: 0,
        peer,
        context,
        acks: acks.clone(),
        feed: feed.clone(),
        lane: Arc::new(Lane { topic: format!("beats-{}", uuid::Uuid::new_v4().simple()), partition: 0 }),
        given: 0,
    };
    let end = tokio::select! {
        end = reader.run() => end,
        end = acknowledge(writing, &acks, &feed) => end,
        // What is not delivered by then is not acknowledged; the sender sends it again.
        () = overdue(&feed) => End::Done,
    };
    match end {
        End::Done => tracing::debug!(%peer, "connection closed"),
        End::Broken(error) => tracing::warn!(%peer, %error, "closing a connection that is not understood"),
        End::Lost(error) => tracing::info!(%peer, %error, "connection lost"),
    }
}

/// Writes acknowledgements as they become due. Ends when the connection does, or when the pipeline stops and all that
/// was read is acknowledged.
async fn acknowledge(mut stream: impl AsyncWrite + Unpin, acks: &Acks, feed: &Feed) -> End {
    let mut out = Vec::new();
    loop {
        out.clear();
        acks.due().into_iter().for_each(|sequence| write_ack(sequence, &mut out));
        if out.is_empty() && acks.is_settled() && feed.stopping() {
            return End::Done;
        }
        if !out.is_empty()
            && let Err(error) = stream.write_all(&out).await.and(stream.flush().await)
        {
            return End::Lost(error);
        }
        out.clear();
        tokio::select! {
            () = acks.changed() => {}
            () = tokio::time::sleep(KEEP_ALIVE) => {
                if !acks.is_settled() {
                    write_ack(0, &mut out);
                }
            }
            () = settled_and_stopped(acks, feed) => {}
        }
        if !out.is_empty()
            && let Err(error) = stream.write_all(&out).await.and(stream.flush().await)
        {
            return End::Lost(error);
        }
    }
}

/// Waits until what is on its way has had its time after the stop.
async fn overdue(feed: &Feed) {
    stopped(feed).await;
    tokio::time::sleep(feed.drain).await;
}

async fn settled_and_stopped(acks: &Acks, feed: &Feed) {
    stopped(feed).await;
    while !acks.is_settled() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

struct Reader {
    stream: ReadHalf<Box<dyn Stream>>,
    decoder: Decoder,
    collected: Collected,
    /// Events of the window that are still to come.
    window: u32,
    peer: SocketAddr,
    context: Arc<Context>,
    acks: Arc<Acks>,
    feed: Feed,
    /// Names this connection, so that documents without an id of their own get one that is used once.
    lane: Arc<Lane>,
    /// Documents of the connection so far.
    given: i64,
}

impl Reader {
    async fn run(&mut self) -> End {
        let mut buffer = vec![0; READ];
        let feed = self.feed.clone();
        loop {
            let read = tokio::select! {
                read = self.read(&mut buffer) => read,
                () = stopped(&feed) => {
                    // The rest is for `acknowledge` to finish.
                    std::future::pending::<()>().await;
                    return End::Done;
                }
            };
            let length = match read {
                Ok(0) => return End::Done,
                Ok(length) => length,
                Err(error) => return End::Lost(error),
            };
            self.decoder.push(&buffer[..length]);
            if let Err(end) = self.take_frames().await {
                return end;
            }
        }
    }

    /// Reads; 0 at the end or after too long a silence.
    async fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.context.inactivity == 0 {
            return self.stream.read(buffer).await;
        }
        loop {
            match timeout(Duration::from_secs(self.context.inactivity), self.stream.read(buffer)).await {
                Ok(read) => return read,
                // The sender may be waiting for us.
                Err(_) if !self.acks.is_settled() => {}
                Err(_) => return Ok(0),
            }
        }
    }

    async fn take_frames(&mut self) -> Result<(), End> {
        while let Some(frame) = self.decoder.frame().map_err(End::Broken)? {
            let sequence = match frame {
                Frame::Window(count) => {
                    self.window = count;
                    continue;
                }
                Frame::Ack(_) => continue,
                Frame::Json { sequence, document } => {
                    self.collected.push(document);
                    sequence
                }
                Frame::Data { sequence, pairs } => {
                    self.collected.push_pairs(&pairs);
                    sequence
                }
            };
            self.window = self.window.saturating_sub(1);
            let full = self.collected.len() >= self.feed.batch_size || self.collected.bytes() >= MOST_BYTES;
            if self.window == 0 || full {
                self.hand_over(sequence).await?;
            }
        }
        Ok(())
    }

    async fn hand_over(&mut self, sequence: u32) -> Result<(), Stopped> {
        let collected = std::mem::take(&mut self.collected);
        let count = collected.len();
        let lease = self.acks.lease(count, sequence);
        let records = collected.into_records(self.peer, &self.lane, self.given, &self.context);
        self.given += count as i64;
        give(&self.feed, Batch { records: Box::new(records), count, lease }).await
    }
}
