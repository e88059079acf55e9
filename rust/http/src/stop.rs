//! `Stop`: ends whatever one exchange is waiting for. Once it is set, it stays set.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Stop {
    set: AtomicBool,
    changed: Notify,
}

impl Stop {
    /// Sets it; does not block.
    pub fn set(&self) {
        self.set.store(true, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::SeqCst)
    }

    /// Waits until it is set.
    pub async fn wait(&self) {
        let mut changed = pin!(self.changed.notified());
        // From here on a notification is seen, so a `set` is seen either here or there.
        changed.as_mut().enable();
        if !self.is_set() {
            changed.await;
        }
    }
}
