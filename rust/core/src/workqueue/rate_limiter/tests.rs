//! Limiters against client-go's statements (`sNN_…` tests §NN).

use std::sync::Arc;
use std::time::Duration;

use super::{
    default_controller, default_item_based, BucketRateLimiter, ItemExponentialFailureRateLimiter,
    ItemFastSlowRateLimiter, MaxOfRateLimiter, RateLimiter, WithMaxWaitRateLimiter,
};
use crate::workqueue::testing::{drain, ms, queue, with_clock, Foreign};
use crate::workqueue::{Clock, FakeClock};

fn waits<const N: usize>(
    limiter: &dyn RateLimiter<&'static str>,
    item: &'static str,
) -> [Duration; N] {
    [(); N].map(|()| limiter.when(&item).unwrap())
}

#[test]
fn s190_the_wait_doubles_for_each_failure_of_an_item_up_to_the_cap() {
    let limiter = ItemExponentialFailureRateLimiter::new(ms(1), Duration::from_secs(1));
    assert_eq!(waits(&limiter, "one"), [1, 2, 4, 8, 16].map(ms));
    assert_eq!(limiter.num_requeues(&"one"), Ok(5));
    assert_eq!(waits(&limiter, "two"), [1, 2].map(ms));
    limiter.forget(&"one").unwrap();
    assert_eq!(limiter.num_requeues(&"one"), Ok(0));
    assert_eq!(waits(&limiter, "one"), [ms(1)]);
    assert_eq!(
        waits(&limiter, "two"),
        [4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000].map(ms)
    );
}

#[test]
fn s190_no_number_of_failures_overflows() {
    let max = Duration::from_secs(1000);
    let limiters: [(_, Duration); 3] = [
        (ItemExponentialFailureRateLimiter::new(ms(1), max), max),
        (
            ItemExponentialFailureRateLimiter::new(ms(1), Duration::MAX),
            Duration::MAX,
        ),
        (
            ItemExponentialFailureRateLimiter::new(Duration::ZERO, max),
            Duration::ZERO,
        ),
    ];
    for (limiter, last) in limiters {
        let all: Vec<_> = (0..300).map(|_| limiter.when(&"a").unwrap()).collect();
        assert!(all.is_sorted());
        assert_eq!(all.last(), Some(&last));
    }
    let tiny = ItemExponentialFailureRateLimiter::new(Duration::from_nanos(1), max);
    let all: Vec<_> = (0..40).map(|_| tiny.when(&"a").unwrap()).collect();
    assert_eq!(all[33], Duration::from_nanos(1 << 33));
}

#[test]
fn fast_and_slow() {
    let limiter = ItemFastSlowRateLimiter::new(ms(5), Duration::from_secs(10), 3);
    let [fast, slow] = [ms(5), Duration::from_secs(10)];
    assert_eq!(waits(&limiter, "one"), [fast, fast, fast, slow, slow]);
    assert_eq!(limiter.num_requeues(&"one"), Ok(5));
    assert_eq!(waits(&limiter, "two"), [fast]);
    limiter.forget(&"one").unwrap();
    assert_eq!(waits(&limiter, "one"), [fast]);
}

#[test]
fn the_bucket_lets_a_burst_through_and_then_so_many_a_second() {
    let clock = Arc::new(FakeClock::default());
    let limiter = BucketRateLimiter::new(10.0, 3, Clock::Fake(Arc::clone(&clock)));
    assert_eq!(waits(&limiter, "a"), [0, 0, 0, 100, 200].map(ms));
    clock.step(ms(250));
    assert_eq!(waits(&limiter, "b"), [ms(50)], "what was promised counts");
    clock.step(Duration::from_secs(3600));
    assert_eq!(
        waits(&limiter, "a"),
        [0, 0, 0, 100].map(ms),
        "no more than a burst is saved"
    );
    RateLimiter::<&str>::forget(&limiter, &"a").unwrap();
    assert_eq!(limiter.num_requeues(&"a"), Ok(0));
}

#[test]
fn s191_the_slowest_limiter_decides_and_all_count() {
    let clock = Arc::new(FakeClock::default());
    let bucket = Arc::new(BucketRateLimiter::new(10.0, 1, Clock::Fake(clock)));
    let slow = Arc::new(ItemFastSlowRateLimiter::new(ms(5), ms(3000), 3));
    let exponential = Arc::new(ItemExponentialFailureRateLimiter::new(ms(1), ms(1000)));
    let all: Vec<Arc<dyn RateLimiter<&'static str>>> =
        vec![bucket, slow.clone(), exponential.clone()];
    let limiter = MaxOfRateLimiter::new(all);
    assert_eq!(waits(&limiter, "a"), [5, 100, 200, 3000].map(ms));
    assert_eq!(
        waits(&*exponential, "a"),
        [ms(16)],
        "it was asked four times"
    );
    assert_eq!(
        limiter.num_requeues(&"a"),
        Ok(5),
        "the most that any counts"
    );
    limiter.forget(&"a").unwrap();
    assert_eq!(limiter.num_requeues(&"a"), Ok(0));
    assert_eq!(slow.num_requeues(&"a"), Ok(0));
    assert_eq!(MaxOfRateLimiter::new(vec![]).when(&"a"), Ok(Duration::ZERO));
}

#[test]
fn a_cap_on_another_limiter() {
    let exponential = Arc::new(ItemExponentialFailureRateLimiter::new(ms(1), ms(1000)));
    let limiter = WithMaxWaitRateLimiter::new(exponential, ms(3));
    assert_eq!(waits(&limiter, "a"), [1, 2, 3, 3].map(ms));
    assert_eq!(limiter.num_requeues(&"a"), Ok(4));
    limiter.forget(&"a").unwrap();
    assert_eq!(waits(&limiter, "a"), [ms(1)]);
}

#[test]
fn defaults_are_client_gos() {
    let clock = Arc::new(FakeClock::default());
    let controller = default_controller(Clock::Fake(clock));
    assert_eq!(waits(&controller, "a"), [5, 10, 20, 40].map(ms));
    for _ in 0..96 {
        controller.when(&"b").unwrap();
    }
    assert_eq!(
        waits(&controller, "c"),
        [100, 200].map(ms),
        "past the burst, 10 a second"
    );
    let item_based = default_item_based();
    assert_eq!(waits(&item_based, "a"), [1, 2, 4].map(ms));
    for limiter in [&controller as &dyn RateLimiter<_>, &item_based] {
        let longest = (0..30).map(|_| limiter.when(&"d").unwrap()).max();
        assert_eq!(longest, Some(Duration::from_secs(1000)));
    }
}

#[test]
fn foreign_items_are_counted_by_equality() {
    let limiter = Arc::new(ItemExponentialFailureRateLimiter::new(ms(1), ms(1000)));
    let quiet = |name| Foreign::new(name, |_: &Foreign, _: &Foreign| ());
    assert_eq!(limiter.when(&quiet("a")), Ok(ms(1)));
    assert_eq!(limiter.when(&quiet("b")), Ok(ms(1)));
    assert_eq!(limiter.when(&quiet("a")), Ok(ms(2)));
    assert_eq!(limiter.when(&quiet("incomparable")), Err("no"));
    limiter.forget(&quiet("a")).unwrap();
    assert_eq!(limiter.num_requeues(&quiet("a")), Ok(0));
    assert_eq!(limiter.num_requeues(&quiet("b")), Ok(1));
}

#[test]
fn a_rate_limited_item_comes_when_its_limiter_says() {
    let (queue, clock) = with_clock(None);
    let limiter = ItemExponentialFailureRateLimiter::new(ms(10), ms(1000));
    assert_eq!(queue.add_rate_limited("a", &limiter, None), Ok(ms(10)));
    assert_eq!(queue.add_rate_limited("b", &limiter, None), Ok(ms(10)));
    clock.step(ms(10));
    assert_eq!(drain(&queue), ["a", "b"]);
    assert_eq!(queue.add_rate_limited("a", &limiter, None), Ok(ms(20)));
    clock.step(ms(19));
    assert_eq!(queue.len(), 0);
    clock.step(ms(1));
    assert_eq!(drain(&queue), ["a"]);
    assert_eq!(queue.stats().retries, 3);
}

#[test]
fn an_item_that_the_limiter_cannot_compare_is_not_added() {
    let queue = queue::<Foreign>();
    let limiter = ItemExponentialFailureRateLimiter::new(ms(10), ms(1000));
    let quiet = |name| Foreign::new(name, |_: &Foreign, _: &Foreign| ());
    limiter.when(&quiet("a")).unwrap();
    assert_eq!(
        queue.add_rate_limited(quiet("incomparable"), &limiter, None),
        Err("no")
    );
    assert_eq!(queue.stats().waiting, 0);
}
