//! `WakePipe`: wakes an event loop, which watches a file descriptor, and tells it whom to wake.
//!
//! Whoever adds the first token writes one byte, so the descriptor is readable, now or soon, iff there are tokens to take.
//! Waking never blocks, and needs nothing of the loop's thread.

use std::io::{ErrorKind, Read, Result, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::sync::Mutex;

/// See the [module](self).
#[derive(Debug)]
pub struct WakePipe {
    tokens: Mutex<Vec<u64>>,
    watched: UnixStream,
    written: UnixStream,
}

struct TokenWaker {
    pipe: Arc<WakePipe>,
    token: u64,
}

impl Wake for TokenWaker {
    fn wake(self: Arc<Self>) {
        self.pipe.push(self.token);
    }
}

impl WakePipe {
    /// One with nobody to wake. Fails when the process has no file descriptors left.
    pub fn new() -> Result<Self> {
        let (watched, written) = UnixStream::pair()?;
        watched.set_nonblocking(true)?;
        written.set_nonblocking(true)?;
        Ok(Self {
            tokens: Mutex::new(Vec::new()),
            watched,
            written,
        })
    }

    /// What to watch for reading.
    pub fn watched(&self) -> RawFd {
        self.watched.as_raw_fd()
    }

    /// A waker that adds `token`.
    pub fn waker(self: &Arc<Self>, token: u64) -> Waker {
        Waker::from(Arc::new(TokenWaker {
            pipe: Arc::clone(self),
            token,
        }))
    }

    fn push(&self, token: u64) {
        let mut tokens = self.tokens.lock();
        tokens.push(token);
        let first = tokens.len() == 1;
        drop(tokens);
        // A full buffer is readable.
        while first && is_interrupted(&(&self.written).write(&[1])) {}
    }

    /// The tokens that were added since the last call.
    pub fn take(&self) -> Vec<u64> {
        self.drain();
        std::mem::take(&mut *self.tokens.lock())
    }

    /// The same, and none when another thread holds the lock: then `take` has to follow.
    pub fn try_take(&self) -> Option<Vec<u64>> {
        self.drain();
        Some(std::mem::take(&mut *self.tokens.try_lock()?))
    }

    fn drain(&self) {
        let mut bytes = [0; 64];
        loop {
            let read = (&self.watched).read(&mut bytes);
            // A byte that is written after this is for tokens that are taken now, or wakes once more.
            if !is_interrupted(&read) && !matches!(read, Ok(length) if length == bytes.len()) {
                break;
            }
        }
    }
}

fn is_interrupted(done: &Result<usize>) -> bool {
    matches!(done, Err(error) if error.kind() == ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn is_readable(pipe: &WakePipe) -> bool {
        pipe.watched.set_nonblocking(true).unwrap();
        let mut byte = [0];
        let peeked = pipe.watched.try_clone().unwrap().read(&mut byte);
        match peeked {
            Ok(_) => {
                (&pipe.written).write_all(&byte).unwrap();
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    }

    #[test]
    fn tokens_are_taken_once_and_the_descriptor_is_readable_iff_there_are_some() {
        let pipe = Arc::new(WakePipe::new().unwrap());
        assert!(!is_readable(&pipe));
        pipe.waker(7).wake_by_ref();
        let waker = pipe.waker(8);
        waker.wake_by_ref();
        waker.wake_by_ref();
        assert!(is_readable(&pipe));
        assert_eq!(pipe.take(), [7, 8, 8]);
        assert!(!is_readable(&pipe));
        assert_eq!(pipe.take(), [0; 0]);
        waker.wake();
        assert!(is_readable(&pipe));
        assert_eq!(pipe.take(), [8]);
    }

    #[test]
    fn no_token_of_many_threads_is_lost() {
        const EACH: u64 = 10_000;
        let pipe = Arc::new(WakePipe::new().unwrap());
        let threads: Vec<_> = (0..3)
            .map(|number| {
                let waker = pipe.waker(number);
                thread::spawn(move || (0..EACH).for_each(|_| waker.wake_by_ref()))
            })
            .collect();
        let mut taken = [0; 3];
        pipe.watched.set_nonblocking(false).unwrap();
        while taken.iter().sum::<u64>() < 3 * EACH {
            // Blocks, as an event loop does, until there is a byte: a lost one would hang here.
            (&pipe.watched).read_exact(&mut [0]).unwrap();
            pipe.watched.set_nonblocking(true).unwrap();
            for token in pipe.take() {
                taken[token as usize] += 1;
            }
            pipe.watched.set_nonblocking(false).unwrap();
        }
        assert_eq!(taken, [EACH; 3]);
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
