//! Time as it is written down, and how long a thing has really been lying about.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The time of day in UTC, to the millisecond: what the journal and every file show.
pub fn now() -> Timestamp {
    to_millisecond(Timestamp::now())
}

/// Cuts a time to whole milliseconds, so that it reads the same from the journal as from memory.
pub fn to_millisecond(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// A time as the files show it: `2026-11-22T10:00:00.000Z`.
pub fn stamp(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// Milliseconds of a duration, at most `u32::MAX` (49 days).
pub fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// Milliseconds from one time to another; negative when `to` comes first.
pub fn millis_between(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millisecond().saturating_sub(from.as_millisecond())
}

/// A moment by two clocks. The monotonic clock stands still while a laptop sleeps, the clock of
/// the day can be set: what has passed is the longer of the two.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    monotonic: Instant,
    day: Timestamp,
}

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self { monotonic: Instant::now(), day: Timestamp::now() }
    }

    /// The time of day, to the millisecond.
    pub fn day(&self) -> Timestamp {
        to_millisecond(self.day)
    }

    /// The moment by the monotonic clock alone.
    pub fn instant(&self) -> Instant {
        self.monotonic
    }

    /// A moment later by both clocks.
    #[cfg(test)]
    pub(crate) fn after(&self, time: Duration) -> Self {
        Self { monotonic: self.monotonic + time, day: self.day + time }
    }

    /// How long ago this moment was, at `later`, by the clock that says longer.
    pub fn elapsed_at(&self, later: &Self) -> Duration {
        let monotonic = later.monotonic.saturating_duration_since(self.monotonic);
        let day = Duration::try_from(later.day.duration_since(self.day)).unwrap_or_default();
        monotonic.max(day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_that_says_longer_counts() {
        let start = Moment::now();
        let slept = Moment {
            monotonic: start.monotonic + Duration::from_secs(1),
            day: start.day + Duration::from_mins(1),
        };
        assert_eq!(start.elapsed_at(&slept), Duration::from_mins(1));
        let set_back = Moment {
            monotonic: start.monotonic + Duration::from_secs(1),
            day: start.day - Duration::from_mins(1),
        };
        assert_eq!(start.elapsed_at(&set_back), Duration::from_secs(1));
    }
}
