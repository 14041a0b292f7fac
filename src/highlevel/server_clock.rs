//! How far the server's clock is from ours, by the `Date` of its answers.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::{header_times::http_date, reply::Reply};
use crate::clock;

/// The least change that is reported, in milliseconds.
const LEAST_CHANGE_MS: i64 = 2000;

/// The longest answer that is used, in milliseconds: longer ones are too inexact.
const LONGEST_MS: i64 = 5000;

/// Remembers the offset that was reported last.
#[derive(Debug, Default)]
pub struct OffsetWatch {
    reported: Mutex<Option<i64>>,
}

impl OffsetWatch {
    /// The offset in milliseconds that an answer shows, if it has changed.
    pub fn change(&self, reply: &Reply) -> Option<i64> {
        let date = http_date(reply.date.as_deref()?)?;
        let seen = OffsetBounds::of(date, reply.sent.day(), reply.received.day())?;
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let change = seen.is_change_after(*reported).then(|| seen.best_guess());
        *reported = change.or(*reported);
        change
    }
}

/// The bounds of the server's clock minus ours, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OffsetBounds {
    least: i64,
    most: i64,
}

impl OffsetBounds {
    /// A `Date` has whole seconds and was written some time between our sending and receiving.
    fn of(date: Timestamp, sent: Timestamp, received: Timestamp) -> Option<Self> {
        let took = clock::millis_between(sent, received);
        (0..=LONGEST_MS).contains(&took).then(|| Self {
            least: clock::millis_between(received, date),
            most: clock::millis_between(sent, date) + 999,
        })
    }

    fn is_change_after(self, reported: Option<i64>) -> bool {
        reported.is_none_or(|before| {
            before < self.least - LEAST_CHANGE_MS || before > self.most + LEAST_CHANGE_MS
        })
    }

    /// The middle of the bounds; 0 if the clocks may agree.
    fn best_guess(self) -> i64 {
        if self.least <= 0 && self.most >= 0 { 0 } else { i64::midpoint(self.least, self.most) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(date: &str, took_ms: i64) -> Option<OffsetBounds> {
        let at = |text: &str| -> Timestamp { format!("2026-11-22T{text}Z").parse().unwrap() };
        let sent = at("10:00:00.300");
        let received = Timestamp::from_millisecond(sent.as_millisecond() + took_ms).unwrap();
        OffsetBounds::of(at(date), sent, received)
    }

    #[test]
    fn an_offset_is_as_exact_as_whole_seconds_allow() {
        for (date, took_ms, guess) in [
            ("10:00:00", 100, Some(0)),
            ("09:59:59", 100, Some(-850)),
            ("10:00:01", 100, Some(1149)),
            ("10:00:01", 700, Some(0)),
            ("10:05:00", 200, Some(300_099)),
            ("09:00:00", 200, Some(-3_599_900)),
            ("10:00:00", 5001, None),
            ("10:00:00", -1, None),
        ] {
            let seen = bounds(date, took_ms).map(OffsetBounds::best_guess);
            assert_eq!(seen, guess, "{date} after {took_ms} ms");
        }
    }

    #[test]
    fn an_offset_is_reported_once_and_again_when_it_has_moved() {
        let seen = OffsetBounds { least: 9_000, most: 10_099 };
        for (reported, change) in [
            (None, true),
            (Some(9_500), false),
            (Some(7_000), false),
            (Some(6_999), true),
            (Some(12_099), false),
            (Some(12_100), true),
            (Some(-9_500), true),
        ] {
            assert_eq!(seen.is_change_after(reported), change, "{reported:?}");
        }
    }
}
