//! The daily limit of requests, as HighLevel reports it, and as it is remembered.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::shard::Shard;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The daily limit of requests, as HighLevel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Requests left.
    pub left: u64,
    /// When the next day begins, as the server says; `None` if it does not.
    pub resets_at: Option<Timestamp>,
}

/// A [`Day`] with the time at which it was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDay {
    /// The report.
    pub day: Day,
    /// Time of the report, UTC.
    pub at: Timestamp,
}

impl KeptDay {
    /// The share of a shard in what is left.
    #[must_use]
    pub fn share(self, shard: Shard) -> Self {
        Self { day: Day { left: shard.share(self.day.left), ..self.day }, ..self }
    }

    /// Whether the day has not ended yet, as far as is known.
    pub(super) fn is_on(&self, now: Timestamp) -> bool {
        self.day.resets_at.map_or(now.duration_since(self.at) < DAY, |reset| now < reset)
    }
}
