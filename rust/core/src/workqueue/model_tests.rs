//! Random histories of a queue against a plain model: lists that are searched.

use std::time::Duration;

use proptest::prelude::*;

use super::testing::{ms, take, with_clock};

/// What a random history does next.
#[derive(Clone, Debug)]
enum Step {
    Add(u32, i32),
    AddAll(Vec<u32>, i32),
    AddAfter(u32, u64, Option<i32>),
    Take,
    /// The item taken so many takes ago, modulo how many there are.
    Done(usize),
    DoneOfAny(u32),
    Time(u64),
    ShutDown,
}

fn step() -> impl Strategy<Value = Step> {
    // 1000 and 1001 have the hashes of 0 and 1.
    let item = || prop_oneof![0..4_u32, 1000..1002_u32];
    let priority = || -1..2_i32;
    prop_oneof![
        6 => (item(), priority()).prop_map(|(item, priority)| Step::Add(item, priority)),
        1 => (prop::collection::vec(item(), 0..4), priority())
            .prop_map(|(items, priority)| Step::AddAll(items, priority)),
        4 => (item(), 0..30_u64, prop::option::of(priority()))
            .prop_map(|(item, delay, priority)| Step::AddAfter(item, delay, priority)),
        6 => Just(Step::Take),
        5 => any::<usize>().prop_map(Step::Done),
        1 => item().prop_map(Step::DoneOfAny),
        3 => (0..20_u64).prop_map(Step::Time),
    ]
}

/// A long history, in which the queue is shut down at some time or never.
fn history() -> impl Strategy<Value = Vec<Step>> {
    let steps = prop::collection::vec(step(), 1..120);
    (steps, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(mut steps, at, ends)| {
        if ends {
            steps.insert(at.index(steps.len()), Step::ShutDown);
        }
        steps
    })
}

#[derive(Default)]
struct Model {
    /// Item and priority, in order of arrival.
    line: Vec<(u32, i32)>,
    /// Item, priority it was taken with, and that of an add meanwhile.
    processing: Vec<(u32, i32, Option<i32>)>,
    /// Deadline, item, priority; in order of the adds that set the deadline.
    waiting: Vec<(u64, u32, i32)>,
    now: u64,
    shutting_down: bool,
    aging: Option<u32>,
    got_ahead: u32,
    adds: u64,
}

impl Model {
    fn taken(&mut self, item: u32) -> Option<&mut (u32, i32, Option<i32>)> {
        self.processing
            .iter_mut()
            .find(|(other, ..)| *other == item)
    }

    fn add(&mut self, item: u32, priority: i32) {
        if self.shutting_down {
            return;
        }
        if let Some((_, _, again)) = self.taken(item) {
            let is_new = again.is_none();
            *again = Some(again.map_or(priority, |before| before.max(priority)));
            self.adds += u64::from(is_new);
        } else if let Some(place) = self.line.iter().position(|(other, _)| *other == item) {
            if self.line[place].1 < priority {
                self.line.remove(place);
                self.line.push((item, priority));
            }
        } else {
            self.line.push((item, priority));
            self.adds += 1;
        }
    }

    fn add_after(&mut self, item: u32, delay: u64, priority: Option<i32>) {
        let taken = self.taken(item).map(|(_, priority, _)| *priority);
        let mut priority = priority.or(taken).unwrap_or(0);
        if delay == 0 {
            self.add(item, priority);
        } else if !self.shutting_down {
            let mut due = self.now + delay;
            if let Some(place) = self.waiting.iter().position(|(_, other, _)| *other == item) {
                let (before, _, other_priority) = self.waiting[place];
                priority = priority.max(other_priority);
                if before <= due {
                    self.waiting[place].2 = priority;
                    return;
                }
                self.waiting.remove(place);
                due = due.min(before);
            }
            self.waiting.push((due, item, priority));
        }
    }

    fn time(&mut self, passed: u64) {
        self.now += passed;
        self.waiting.sort_by_key(|(due, ..)| *due);
        while self
            .waiting
            .first()
            .is_some_and(|(due, ..)| *due <= self.now)
        {
            let (_, item, priority) = self.waiting.remove(0);
            self.add(item, priority);
        }
    }

    fn take(&mut self) -> Option<u32> {
        let highest = self.line.iter().map(|(_, priority)| *priority).max()?;
        let first = self
            .line
            .iter()
            .position(|(_, priority)| *priority == highest);
        let mut place = first.expect("the highest is one of them");
        if self.line.iter().all(|(_, priority)| *priority == highest) {
            self.got_ahead = 0;
        } else if self.aging == Some(self.got_ahead) {
            self.got_ahead = 0;
            place = 0;
        } else {
            self.got_ahead += u32::from(self.aging.is_some());
        }
        let (item, priority) = self.line.remove(place);
        self.processing.push((item, priority, None));
        Some(item)
    }

    fn done(&mut self, item: u32) {
        let place = self
            .processing
            .iter()
            .position(|(other, ..)| *other == item);
        let Some(place) = place else {
            return;
        };
        if let (_, _, Some(again)) = self.processing.remove(place) {
            self.line.push((item, again));
        }
    }
}

proptest! {
    #[test]
    fn a_queue_is_what_its_model_is(
        steps in history(),
        aging in prop::option::of(0..3_u32),
        looks_often in any::<bool>(),
    ) {
        let (queue, clock) = with_clock(aging);
        let mut model = Model { aging, ..Model::default() };
        for step in steps {
            match step {
                Step::Add(item, priority) => {
                    queue.add(item, priority).unwrap();
                    model.add(item, priority);
                }
                Step::AddAll(items, priority) => {
                    for &item in &items {
                        model.add(item, priority);
                    }
                    queue.add_all(items, priority).unwrap();
                }
                Step::AddAfter(item, delay, priority) => {
                    queue.add_after(item, ms(delay), priority).unwrap();
                    model.add_after(item, delay, priority);
                }
                Step::Take => prop_assert_eq!(take(&queue), model.take()),
                Step::Done(index) => {
                    if let Some(count) = model.processing.len().checked_sub(1) {
                        let item = model.processing[index % (count + 1)].0;
                        queue.done(&item).unwrap();
                        model.done(item);
                    }
                }
                Step::DoneOfAny(item) => {
                    queue.done(&item).unwrap();
                    model.done(item);
                }
                Step::Time(passed) => {
                    clock.step(ms(passed));
                    model.time(passed);
                    // What is due is moved by whoever looks at the queue next, so that must be here.
                    queue.len();
                }
                Step::ShutDown => {
                    queue.shut_down();
                    model.shutting_down = true;
                    model.waiting.clear();
                }
            }
            if looks_often {
                prop_assert_eq!(queue.len(), model.line.len());
            }
            let stats = queue.stats();
            let again = model.processing.iter().filter(|(.., again)| again.is_some());
            prop_assert_eq!(stats.depth, model.line.len() + again.count());
            prop_assert_eq!(stats.processing, model.processing.len());
            prop_assert_eq!(stats.waiting, model.waiting.len());
            prop_assert_eq!(stats.adds, model.adds);
        }
        model.time(1000);
        clock.step(ms(1000));
        queue.len();
        for (item, ..) in model.processing.clone() {
            queue.done(&item).unwrap();
            model.done(item);
        }
        prop_assert_eq!(queue.len(), model.line.len());
        while let Some(item) = model.take() {
            prop_assert_eq!(take(&queue), Some(item));
            queue.done(&item).unwrap();
            model.done(item);
        }
        prop_assert_eq!(queue.kept(), (0, 0, 0));
        prop_assert_eq!(queue.stats().unfinished_work, Duration::ZERO);
    }
}
