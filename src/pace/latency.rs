//! Whether answers come as quickly as they can: a pure judgement over their times.

use std::time::Duration;

/// Answers before which nothing is judged.
const SAMPLE: u32 = 8;

/// Of each new time, what goes into the time that answers take lately.
const LATELY: f64 = 1.0 / 8.0;

/// Of a slower present, what goes into the usual time, so that a lasting change becomes usual.
const GETTING_USED: f64 = 1.0 / 100.0;

/// Seconds over twice the usual time that tell nothing: schedulers and networks do that.
const NOISE: f64 = 0.02;

/// Compares what answers take lately with what they usually take.
#[derive(Clone, Copy, Debug, Default)]
pub struct LatencyTracker {
    seen: u32,
    lately: f64,
    usual: f64,
}

/// How quickly answers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// As usual.
    Quick,
    /// More than twice as slowly.
    Slow,
}

impl LatencyTracker {
    /// Takes the time of an answer into account.
    pub fn note(&mut self, took: Duration) -> Speed {
        let took = took.as_secs_f64();
        self.seen = self.seen.saturating_add(1);
        if self.seen == 1 {
            self.lately = took;
        }
        self.lately += (took - self.lately) * LATELY;
        if self.seen <= SAMPLE || self.lately < self.usual {
            self.usual = self.lately;
        } else {
            self.usual += (self.lately - self.usual) * GETTING_USED;
        }
        if self.lately > self.usual * 2.0 + NOISE { Speed::Slow } else { Speed::Quick }
    }
}

/// How long something takes lately: up at once, down bit by bit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slowness {
    pub(super) lately: Duration,
}

impl Slowness {
    pub(super) fn note(&mut self, took: Duration) {
        self.lately = took.max(self.lately / 4 * 3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(times_ms: &[(usize, u64)]) -> Vec<Speed> {
        let mut latency = LatencyTracker::default();
        let mut last = |(count, ms): &(usize, u64)| {
            (0..*count).map(|_| latency.note(Duration::from_millis(*ms))).last().unwrap()
        };
        times_ms.iter().map(&mut last).collect()
    }

    #[test]
    fn slow_is_what_takes_more_than_twice_as_long_as_usual() {
        use Speed::{Quick, Slow};
        for (times_ms, speeds) in [
            (&[(20, 100), (20, 150), (20, 100)][..], &[Quick, Quick, Quick][..]),
            (&[(20, 100), (10, 400), (30, 100)], &[Quick, Slow, Quick]),
            (&[(20, 100), (1, 300)], &[Quick, Quick]),
            (&[(20, 1), (20, 15)], &[Quick, Quick]),
            (&[(3, 100), (3, 900)], &[Quick, Quick]),
        ] {
            assert_eq!(judged(times_ms), speeds, "{times_ms:?}");
        }
    }

    #[test]
    fn what_lasts_becomes_usual() {
        use Speed::{Quick, Slow};
        assert_eq!(judged(&[(20, 100), (20, 400), (400, 400)]), [Quick, Slow, Quick]);
    }
}
