//! How long a run takes to end in order once it is told to.

use std::{fmt, time::Duration};

use super::{Plan, in_words};

/// Time to write the files after the last answer, on a slow disk.
const FILES: Duration = Duration::from_secs(30);

/// Requests of one installation that may follow each other after a signal: a reconnect that is in flight,
/// and its exchange.
const REQUESTS: u32 = 2;

impl Plan {
    /// How long codes in hand can take after a signal: what is in flight, the exchanges that follow it at
    /// the rate, and the checks of their tokens. A hold that HighLevel asks for is not known beforehand.
    pub fn drain_time(&self) -> Duration {
        let checks = u32::from(self.token_checks.new.is_some());
        let in_flight = self.timeout.saturating_mul(REQUESTS + checks);
        let turns = self.pacing.bound().interval().saturating_mul(self.concurrency * (1 + checks));
        in_flight.saturating_add(turns)
    }

    /// The grace period that an engine should give.
    pub fn grace_period(&self) -> Duration {
        let seconds = (self.drain_time() + FILES).as_secs_f64().ceil();
        Duration::from_secs_f64(seconds)
    }

    /// What a signal of an engine means for it, where an engine runs it.
    pub(super) fn write_grace(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.started_by == StartedBy::Person {
            return Ok(());
        }
        writeln!(
            f,
            "On SIGTERM     codes in hand are exchanged within {}, then the files are written: give a \
             grace period of {} seconds",
            in_words(self.drain_time()),
            self.grace_period().as_secs()
        )
    }
}

/// Who starts the run, and ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartedBy {
    /// A person.
    Person,
    /// An engine that starts the same command again: Kubernetes, Slurm and the like.
    Engine,
}
