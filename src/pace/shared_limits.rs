//! Limits in headers, taken to hold for all when two installations agree. HighLevel documents limits for
//! each location, so what one answer says is its location's own until another one says the same.

use std::time::{Duration, Instant};

use super::{day::Day, refusals::Who};
use crate::highlevel::allowance::Allowance;

/// Two counts of the same requests may differ by those in flight.
const ON_THEIR_WAY: u64 = 16;

/// Two reports of one count may differ by one part in this many.
const PART: u64 = 50;

/// Remembers what one installation's answer said until another one's agrees.
#[derive(Debug, Default)]
pub(super) struct SharedLimits {
    limit: Option<(Who, (u32, Duration))>,
    left: Option<Left>,
    day: Option<(Who, Day)>,
}

/// What is left of an interval.
#[derive(Clone, Copy, Debug)]
struct Left {
    who: Who,
    left: u32,
    until: Instant,
    starts: u64,
}

impl SharedLimits {
    /// What holds for all; `starts` is how many requests have left so far.
    pub(super) fn observe(
        &mut self,
        who: Who,
        reported: &Allowance,
        starts: u64,
        now: Instant,
    ) -> Allowance {
        let day = reported.daily_remaining.and_then(|left| {
            let day = Day { left, resets_at: reported.daily_resets_at };
            self.agree_on_day(who, day)
        });
        let left = reported.remaining.zip(reported.resets_in);
        let is_agreed = left.is_some_and(|(left, resets_in)| {
            self.agree_on_left(who, left, now + resets_in, starts, now)
        });
        Allowance {
            limit: reported.limit.filter(|limit| self.agree_on_limit(who, *limit)),
            remaining: reported.remaining.filter(|_| is_agreed),
            resets_in: reported.resets_in.filter(|_| is_agreed),
            daily_remaining: day.map(|day| day.left),
            daily_resets_at: day.and_then(|day| day.resets_at),
        }
    }

    fn agree_on_limit(&mut self, who: Who, limit: (u32, Duration)) -> bool {
        match self.limit {
            Some((other, before)) if before == limit => who.is_none() || other != who,
            _ => {
                self.limit = Some((who, limit));
                who.is_none()
            }
        }
    }

    /// A shared count falls with each of our requests. One that does not is not shared.
    fn agree_on_left(
        &mut self,
        who: Who,
        left: u32,
        until: Instant,
        starts: u64,
        now: Instant,
    ) -> bool {
        let before = self.left.replace(Left { who, left, until, starts });
        if who.is_none() {
            return true;
        }
        let Some(before) = before.filter(|before| before.who != who && now < before.until) else {
            return false;
        };
        let expected = u64::from(before.left).saturating_sub(starts.saturating_sub(before.starts));
        expected.abs_diff(left.into()) <= ON_THEIR_WAY.min(u64::from(before.left) / 2 + 2)
    }

    fn agree_on_day(&mut self, who: Who, day: Day) -> Option<Day> {
        let before = self.day.replace((who, day));
        if who.is_none() {
            return Some(day);
        }
        let (_, before) = before.filter(|(other, _)| *other != who)?;
        let most = before.left.max(day.left);
        (before.left.abs_diff(day.left) <= (most / PART).max(ON_THEIR_WAY)).then_some(day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether what the second of two answers says is believed.
    fn is_believed(first: (u32, Allowance), second: (u32, Allowance)) -> bool {
        let mut shared_limits = SharedLimits::default();
        let now = Instant::now();
        let alone = shared_limits.observe(Some(first.0), &first.1, 10, now);
        assert_eq!(alone, Allowance::default(), "one alone");
        shared_limits.observe(Some(second.0), &second.1, 11, now) != Allowance::default()
    }

    #[test]
    fn what_one_answer_says_is_its_installations_own_until_another_agrees() {
        let seconds = Duration::from_secs;
        let limit = |n, time| Allowance { limit: Some((n, seconds(time))), ..Allowance::default() };
        let left = |n| Allowance {
            remaining: Some(n),
            resets_in: Some(seconds(10)),
            ..Allowance::default()
        };
        let day = |n| Allowance { daily_remaining: Some(n), ..Allowance::default() };
        for (first, second, expected) in [
            ((1, limit(1, 600)), (1, limit(1, 600)), false),
            ((1, limit(1, 600)), (2, limit(1, 600)), true),
            ((1, limit(1, 600)), (2, limit(100, 10)), false),
            ((1, left(40)), (2, left(39)), true),
            ((1, left(0)), (2, left(0)), true),
            ((1, left(99)), (2, left(0)), false),
            ((1, left(0)), (2, left(99)), false),
            ((1, left(0)), (1, left(0)), false),
            ((1, day(0)), (2, day(199_999)), false),
            ((1, day(199_999)), (2, day(0)), false),
            ((1, day(0)), (1, day(0)), false),
            ((1, day(0)), (2, day(0)), true),
            ((1, day(31)), (2, day(28)), true),
            ((1, day(199_999)), (2, day(199_900)), true),
        ] {
            assert_eq!(is_believed(first, second), expected, "{first:?}, {second:?}");
        }
    }
}
