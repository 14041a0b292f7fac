//! The rate limit of the API, where the options ask for one.

use std::time::Duration;

use super::answers::Answer;
use super::clock::{Micros, micros};

/// What is left of the daily limit: the sandbox never lets it run out.
const DAILY: u32 = 200_000;

/// A limit on requests, told in `X-RateLimit-*` headers on every answer and enforced with 429.
///
/// Documented are 100 requests in 10 seconds for an app in a location or company; the sandbox
/// counts all requests together, in fixed windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many requests a window lets through.
    pub requests: u32,
    /// How long a window is.
    pub per: Duration,
}

/// How much of the present window is used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    number: u64,
    used: u32,
}

/// What a window has left after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// So many more.
    Requests(u32),
    /// This one was one too many.
    Overdrawn,
}

impl Quota {
    /// Counts a request.
    pub(super) fn count(self, window: &mut Window, at: Micros) -> Left {
        let number = at / micros(self.per).max(1);
        if window.number != number {
            *window = Window { number, used: 0 };
        }
        window.used = window.used.saturating_add(1);
        self.requests.checked_sub(window.used).map_or(Left::Overdrawn, Left::Requests)
    }

    /// Puts the headers on an answer, spelt as observed.
    pub(super) fn tell(self, answer: Answer, left: Left) -> Answer {
        let left = match left {
            Left::Requests(left) => left,
            Left::Overdrawn => 0,
        };
        answer
            .with("X-RateLimit-Limit-Daily", DAILY.to_string())
            .with("X-RateLimit-Daily-Remaining", (DAILY - 1).to_string())
            .with("X-RateLimit-Interval-Milliseconds", self.per.as_millis().to_string())
            .with("X-RateLimit-Max", self.requests.to_string())
            .with("X-RateLimit-Remaining", left.to_string())
    }
}
