//! When an installation that failed is due again: by what its line in `failures.csv` says.

use std::time::Duration;

use jiff::Timestamp;

use crate::failure::Advice;

/// How long a row waits that is to be retried later, where the server named no time: longer than the
/// spells in which a server fails for a moment.
pub const WAIT: Duration = Duration::from_mins(5);

/// What stands before the time that the server named, at the end of a message.
const NOT_BEFORE: &str = " (not before ";

/// When a row is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Now.
    Now,
    /// From this time on.
    From(Timestamp),
    /// Once this is done; time alone does not help.
    After(Advice),
}

/// What a line says of when it is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryCells {
    /// The column `retry`; `None` where it says nothing.
    pub advice: Option<Advice>,
    /// The column `failed_at`; `None` where it cannot be read.
    pub failed_at: Option<Timestamp>,
    /// The time at the end of the column `message`.
    pub not_before: Option<Timestamp>,
}

impl RetryCells {
    /// When it is due, as of now. Where no time is known the wait is over.
    pub fn due(self, now: Timestamp) -> Due {
        match self.advice {
            None | Some(Advice::Now) => Due::Now,
            Some(Advice::Later) => match self.waits_until() {
                Some(time) if time > now => Due::From(time),
                _ => Due::Now,
            },
            Some(advice) => Due::After(advice),
        }
    }

    /// When the wait of a row that is to be retried later is over.
    pub fn waits_until(self) -> Option<Timestamp> {
        self.not_before.or_else(|| self.failed_at?.checked_add(WAIT).ok())
    }
}

/// A message with the time that the server named.
pub fn with_time(message: &str, time: Timestamp) -> String {
    format!("{message}{NOT_BEFORE}{time:.0})")
}

/// The time at the end of a message, as [`with_time`] puts it there.
pub fn time_of(message: &str) -> Option<Timestamp> {
    let (_, time) = message.trim_end().strip_suffix(')')?.rsplit_once(NOT_BEFORE)?;
    time.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    #[test]
    fn a_row_is_due_by_its_advice_and_its_times() {
        use Advice::{FixInput, Later, NeedsReinstall, Never, Now};
        for (advice, failed_at, not_before, due) in [
            (None, Some(9), None, Due::Now),
            (Some(Now), Some(9), Some(99), Due::Now),
            (Some(Later), None, None, Due::Now),
            (Some(Later), Some(9), None, Due::From(at(14))),
            (Some(Later), Some(5), None, Due::Now),
            (Some(Later), Some(1), Some(12), Due::From(at(12))),
            (Some(Later), Some(9), Some(10), Due::Now),
            (Some(NeedsReinstall), Some(0), None, Due::After(NeedsReinstall)),
            (Some(FixInput), None, None, Due::After(FixInput)),
            (Some(Never), None, None, Due::After(Never)),
        ] {
            let cells =
                RetryCells { advice, failed_at: failed_at.map(at), not_before: not_before.map(at) };
            assert_eq!(cells.due(at(10)), due, "{cells:?}");
        }
    }

    #[test]
    fn the_time_in_a_message_is_read_back() {
        let message = with_time("Too Many (not before tea)", at(1));
        assert_eq!(time_of(&message), Some(at(1)));
        for none in ["", "Too Many", "x (not before tea)", "x (not before 2027-01-15T08:00:00Z) y"]
        {
            assert_eq!(time_of(none), None, "{none}");
        }
    }
}
