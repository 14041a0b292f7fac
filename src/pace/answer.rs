//! An answer as far as the pace is concerned.

use std::time::{Duration, Instant};

use super::refusals::Who;
use crate::highlevel::allowance::Allowance;

/// Which requests go before which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Presenting a code: always first, since the code is dying.
    Exchange,
    /// Asking for a code.
    Reconnect,
    /// Any other call: none has to follow it. It waits in one line with those for codes.
    Other,
}

/// What an answer means for the pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerOutcome {
    /// An answer that is neither of the others.
    Clean,
    /// The same, of an endpoint with limits of its own: it says nothing of those of the others.
    Aside,
    /// No answer, or one that says that the server fails.
    Failing,
    /// "Too many", with the wait that the server asked for, if it did.
    Throttled(Option<Duration>),
}

/// An answer, or its absence, as far as the pace is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The installation that it is about.
    pub who: Who,
    /// The lane in which the request went.
    pub lane: Lane,
    /// When it was sent.
    pub sent: Instant,
    /// What it means.
    pub outcome: AnswerOutcome,
    /// What its headers say about limits.
    pub allowance: Allowance,
}
