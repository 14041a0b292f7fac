//! An answer as far as the pace is concerned.

use std::time::{Duration, Instant};

use super::refusals::Who;
use crate::highlevel::allowance::Allowance;

/// The lane of a request: which requests go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Presenting a code: always first, since codes expire.
    Exchange,
    /// Asking for a code.
    Reconnect,
    /// Any other request: no exchange follows it. Shares a queue with the reconnects.
    Other,
}

/// What an answer means for the pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerOutcome {
    /// Any other answer.
    Clean,
    /// The same, from an endpoint with limits of its own.
    Aside,
    /// No answer, or a server error.
    Failing,
    /// A throttle (429), with the wait that the server asked for, if any.
    Throttled(Option<Duration>),
}

/// An answer, or its absence, as far as the pace is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The installation that it is about.
    pub who: Who,
    /// The lane in which the request went.
    pub lane: Lane,
    /// When the request was sent.
    pub sent: Instant,
    /// What it means.
    pub outcome: AnswerOutcome,
    /// What its headers say about limits.
    pub allowance: Allowance,
}
