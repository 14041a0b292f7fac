//! When requests left, and which turns were given to requests that have not left yet.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A turn that was given.
pub type TurnId = u64;

/// How long a request takes from its turn to its first byte. While one takes longer, the next turn is
/// not given.
pub(super) const TIME_TO_FIRST_BYTE: Duration = Duration::from_millis(2);

/// Starts that are remembered for the next run, at most.
const MOST_REMEMBERED: usize = 10_000;

/// How old they are at most, where the window is shorter.
const REMEMBERED_FOR: Duration = Duration::from_mins(1);

/// The starts of this run and the last ones before it, and the turns that are open.
#[derive(Debug)]
pub(super) struct Starts {
    /// When requests left, oldest first.
    left: VecDeque<Instant>,
    /// How many have left in this run.
    count: u64,
    /// Turns whose requests have not left, and when they were given.
    open: VecDeque<(TurnId, Instant)>,
    turns: TurnId,
    remembered_for: Duration,
}

impl Starts {
    /// Begins after the starts of the last run; those of two windows are remembered for the next one.
    pub(super) fn after(earlier: VecDeque<Instant>, window: Duration) -> Self {
        let remembered_for = REMEMBERED_FOR.max(window * 2);
        Self { left: earlier, count: 0, open: VecDeque::new(), turns: 0, remembered_for }
    }

    /// A turn is given.
    pub(super) fn open(&mut self, now: Instant) -> TurnId {
        self.turns += 1;
        self.open.push_back((self.turns, now));
        self.turns
    }

    /// The request of a turn has left, or never will.
    pub(super) fn close(&mut self, turn: TurnId) {
        self.open.retain(|(open, _)| *open != turn);
    }

    /// A request leaves.
    pub(super) fn leave(&mut self, now: Instant) {
        self.left.push_back(now);
        self.count += 1;
        let is_old = |start: &Instant| now.saturating_duration_since(*start) > self.remembered_for;
        while self.left.len() > MOST_REMEMBERED || self.left.front().is_some_and(is_old) {
            self.left.pop_front();
        }
    }

    /// How many requests have left in this run.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many turns are open.
    pub(super) fn open_turns(&self) -> u32 {
        u32::try_from(self.open.len()).unwrap_or(u32::MAX)
    }

    /// How many requests have left after this time.
    pub(super) fn since(&self, time: Instant) -> u32 {
        let count = self.left.iter().rev().take_while(|start| **start > time).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// How many requests have left within this time.
    pub(super) fn within(&self, length: Duration, now: Instant) -> u32 {
        now.checked_sub(length).map_or(0, |time| self.since(time))
    }

    /// When requests left, oldest first.
    pub(super) fn all(&self) -> Vec<Instant> {
        self.left.iter().copied().collect()
    }

    /// How long until this gap has passed since the last request left. A request of an old open turn may
    /// still leave at any moment.
    pub(super) fn wait_after_the_last(&self, gap: Duration, now: Instant) -> Duration {
        let is_late = |(_, given): &(TurnId, Instant)| {
            now.saturating_duration_since(*given) > TIME_TO_FIRST_BYTE.max(gap / 2)
        };
        if self.open.front().is_some_and(is_late) {
            return gap;
        }
        let given = self.open.back().map(|(_, given)| *given);
        let last = given.max(self.left.back().copied());
        last.map_or(Duration::ZERO, |last| (last + gap).saturating_duration_since(now))
    }
}
