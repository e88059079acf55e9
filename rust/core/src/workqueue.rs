//! client-go's `util/workqueue`: a [`Queue`] of items to work on, and [rate limiters](rate_limiter).
//!
//! An item is *dirty* from its add until a worker takes it, *processing* from then until `done`, and *waiting* until the
//! deadline of an `add_after`; it can be all three at once. Invariant: no item is processed twice at once, and an item
//! that was added is taken at least once after that add, unless the queue was shut down before (client-go §184, §185).
//!
//! No thread runs here and nothing polls: entries whose deadline has passed are moved into the line by whoever looks at
//! the queue next, and of the threads that wait for an item one has the earliest deadline as its timeout.
//!
//! Comparing two items may run foreign code; see [`Item`] for how none of it runs under a lock.

mod clock;
mod delays;
mod inbox;
#[cfg(test)]
mod inbox_tests;
mod item;
mod line;
#[cfg(test)]
mod model_tests;
mod queue;
pub mod rate_limiter;
mod state;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod thread_tests;
mod times;

pub use clock::{Clock, FakeClock, Sleeper};
pub use item::Item;
pub use queue::{Options, Queue, Take, Taken, TextQueue, Waited};
pub use state::Stats;

/// Priority for what is no news: adds of the initial list and of a resync (controller-runtime's `LowPriority`).
pub const LOW_PRIORITY: i32 = -100;

/// Items that get ahead of lower priorities before the one that has waited longest comes next, by default.
pub const AGING: u32 = 10;
