//! What holds all requests: refusals, outages, the day's allowance, clocks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{clock, failure::Failure};

/// What [`Event::Held`](super::Event::Held) records.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// Milliseconds for which nothing starts.
    pub hold_ms: u32,
    /// Milliseconds between two starts after it; 0 is no bound.
    pub interval_ms: u32,
}

/// What [`Event::DayTooShort`](super::Event::DayTooShort) records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayTooShort {
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// Requests that are left today by HighLevel's count.
    pub left: u64,
    /// Requests that the installations still need when all goes well.
    pub needed: u64,
    /// When the next day begins, by the server's reckoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Timestamp>,
}

impl DayTooShort {
    /// For the person on call.
    pub fn in_words(&self) -> String {
        let reset = self.resets_at.map(|at| format!(" until {}", clock::stamp(at)));
        format!(
            "HighLevel's allowance for today will not suffice: {} requests are left{}, {} are needed. \
             When it is used up the run stops, and can be resumed",
            self.left,
            reset.unwrap_or_default(),
            self.needed
        )
    }
}

/// What [`Event::Paused`](super::Event::Paused) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paused {
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// The failure that made it an outage.
    pub failure: Failure,
    /// When the run halts, unless the outage has ended before.
    pub gives_up_at: Timestamp,
}

/// What [`Event::Probed`](super::Event::Probed) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// Number of the record of the installation that probed.
    pub row: u32,
    /// When its probe failed.
    pub at: Timestamp,
    /// What went wrong.
    pub failure: Failure,
    /// Milliseconds until the next probe.
    pub next_ms: u32,
    /// When the run halts, unless the outage has ended before.
    pub gives_up_at: Timestamp,
}

/// What [`Event::Continued`](super::Event::Continued) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Continued {
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// Milliseconds that the run paused.
    pub paused_ms: u32,
}

/// What [`Event::ServerClock`](super::Event::ServerClock) records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerClock {
    /// Time of the answer whose `Date` was compared, UTC.
    pub at: Timestamp,
    /// Milliseconds by which the server's clock is ahead of ours; 0 where the two agree as far as
    /// a time of whole seconds can tell.
    pub offset_ms: i64,
}
