//! The pump: reads a body and feeds a sink, until there is something to decide.
//!
//! All frames that are there go in together: an API server sends one for each event, and feeding each alone would take
//! the queue's lock and wake its processor for each.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kubeinformer_core::source::ReadError;
use tokio::task::{block_in_place, yield_now};
use tokio::time::{sleep, sleep_until, Instant};

use crate::body::Body;
use crate::error::Error;
use crate::sink::{Fed, Sink};
use crate::stop::Stop;

/// Bytes that are fed at once, about.
pub const PIECE: usize = 256 * 1024;

/// While the queue is full: the processor has seconds of work, so nobody is kept waiting by this.
const FULL: Duration = Duration::from_millis(2);

/// Why the pump came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pumped {
    /// The body is at its end, or the reader says that the stream is over.
    Over,
    /// There is something to look at, or the time is up.
    Look,
}

/// How long it may go on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without a byte.
    pub silence: Duration,
    /// At all.
    pub at_most: Duration,
}

/// When bytes came last; read by any thread while the pump writes.
#[derive(Debug)]
pub struct Heard {
    begin: Instant,
    milliseconds: AtomicU64,
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            begin: Instant::now(),
            milliseconds: AtomicU64::new(0),
        }
    }
}

impl Heard {
    fn note(&self, now: Instant) {
        let passed = u64::try_from((now - self.begin).as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.store(passed, Ordering::Relaxed);
    }

    /// Bytes came just now.
    pub fn note_now(&self) {
        self.note(Instant::now());
    }

    /// How long ago that was; before the first byte, since this was made.
    pub fn silence(&self) -> Duration {
        let heard = Duration::from_millis(self.milliseconds.load(Ordering::Relaxed));
        self.begin.elapsed().saturating_sub(heard)
    }
}

/// A time so far away that it is never.
fn after(now: Instant, time: Duration) -> Instant {
    now.checked_add(time)
        .unwrap_or_else(|| now + Duration::from_secs(1 << 30))
}

/// See the [module](self). What it read before an error is fed.
pub async fn pump(
    body: &mut Body,
    sink: &mut dyn Sink,
    limits: Limits,
    stop: &Stop,
    heard: &Heard,
) -> Result<Pumped, Error> {
    let now = Instant::now();
    let end = after(now, limits.at_most);
    let mut silent = after(now, limits.silence);
    let mut stopped = pin!(stop.wait());
    // It is set anew when it fires, not for each piece.
    let mut timer = pin!(sleep_until(silent.min(end)));
    loop {
        tokio::select! {
            biased;
            () = &mut stopped => return Err(Error::Stopped),
            room = room(sink) => room.map_err(Error::Read)?,
        }
        tokio::select! {
            biased;
            () = &mut stopped => return Err(Error::Stopped),
            read = body.read(PIECE) => read?,
            () = &mut timer => {
                let now = Instant::now();
                if now >= end {
                    return Ok(Pumped::Look);
                }
                if now >= silent {
                    return Err(Error::Silent);
                }
                timer.as_mut().reset(silent.min(end));
                continue;
            }
        }
        let pieces = body.pieces();
        if pieces.is_empty() {
            return Ok(Pumped::Over);
        }
        let fed = feed(sink, &pieces).map_err(Error::Read)?;
        let now = Instant::now();
        heard.note(now);
        silent = after(now, limits.silence);
        match fed {
            Fed::Over => return Ok(Pumped::Over),
            Fed::Look => return Ok(Pumped::Look),
            Fed::More if now >= end => return Ok(Pumped::Look),
            // Other streams are on the same few threads.
            Fed::More => yield_now().await,
        }
    }
}

async fn room(sink: &mut dyn Sink) -> Result<(), ReadError> {
    while !sink.has_room()? {
        sleep(FULL).await;
    }
    Ok(())
}

fn feed(sink: &mut dyn Sink, pieces: &[&[u8]]) -> Result<Fed, ReadError> {
    if sink.blocks() {
        return block_in_place(|| sink.feed(pieces));
    }
    sink.feed(pieces)
}
