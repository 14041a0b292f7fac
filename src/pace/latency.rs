//! Whether answers come as quickly as usual: a pure decision over their times.

use std::time::Duration;

/// Answers before anything is judged.
const SAMPLE: u32 = 8;

/// Weight of a new time in the recent average.
const RECENT_WEIGHT: f64 = 1.0 / 8.0;

/// Weight of a slower recent average in the usual time, so that a lasting change becomes usual.
const USUAL_WEIGHT: f64 = 1.0 / 100.0;

/// Seconds over twice the usual time that are noise of schedulers and networks.
const NOISE: f64 = 0.02;

/// Compares the recent with the usual time of answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct LatencyTracker {
    seen: u32,
    recent: f64,
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
    /// Records the time of an answer.
    pub fn record(&mut self, took: Duration) -> Speed {
        let took = took.as_secs_f64();
        self.seen = self.seen.saturating_add(1);
        if self.seen == 1 {
            self.recent = took;
        }
        self.recent += (took - self.recent) * RECENT_WEIGHT;
        if self.seen <= SAMPLE || self.recent < self.usual {
            self.usual = self.recent;
        } else {
            self.usual += (self.recent - self.usual) * USUAL_WEIGHT;
        }
        if self.recent > self.usual * 2.0 + NOISE { Speed::Slow } else { Speed::Quick }
    }
}

/// How long something takes recently: up at once, down step by step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RecentDuration {
    pub(super) recent: Duration,
}

impl RecentDuration {
    pub(super) fn record(&mut self, took: Duration) {
        self.recent = took.max(self.recent / 4 * 3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(times_ms: &[(usize, u64)]) -> Vec<Speed> {
        let mut latency = LatencyTracker::default();
        let mut last = |(count, ms): &(usize, u64)| {
            (0..*count).map(|_| latency.record(Duration::from_millis(*ms))).last().unwrap()
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
