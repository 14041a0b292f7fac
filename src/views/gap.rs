//! Why a run was slower than its rate.

use serde::Serialize;

use crate::pace::AskedRate;

/// A run that takes so much longer than its rate allows still reached it.
pub(super) const TOLERANCE: f64 = 1.02;

/// Of the places in flight, so many that wait for answers explain a slower pace.
const BUSY: f64 = 0.6;

/// Why a run was slower than its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// What cost most.
    pub reason: GapReason,
    pub(super) held_ms: u64,
    pub(super) paused_ms: u64,
}

/// What costs a run most of the time that it takes beyond its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// HighLevel answered "too many requests", and everything was held.
    Held,
    /// Everything failed the same way, and the run paused.
    Paused,
    /// After "too many requests" the rate was lower, and climbed back bit by bit.
    Lowered,
    /// `--rate auto` was finding its pace.
    Finding,
    /// Answers took so long that more installations would have to be in flight.
    InFlight,
    /// Waits before further attempts, and the last installations.
    Attempts,
}

impl GapReason {
    /// The reason in a sentence.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Held => "HighLevel asked to wait",
            Self::Paused => "the run paused in an outage",
            Self::Lowered => "the rate was lowered after \"too many requests\", and climbed back",
            Self::Finding => "--rate auto was finding its pace",
            Self::InFlight => "answers took long; a higher --concurrency would use the rate",
            Self::Attempts => "waits before further attempts, and the last few installations",
        }
    }
}

/// What may have cost time.
pub(super) struct Reasons {
    pub(super) missing_ms: f64,
    pub(super) held_ms: f64,
    pub(super) paused_ms: f64,
    pub(super) in_flight: f64,
    pub(super) was_lowered: bool,
    pub(super) asked: AskedRate,
}

impl Reasons {
    pub(super) fn main(&self) -> GapReason {
        let half = self.missing_ms / 2.0;
        match self {
            Self { held_ms, paused_ms, .. } if held_ms.max(*paused_ms) >= half => {
                if held_ms >= paused_ms { GapReason::Held } else { GapReason::Paused }
            }
            Self { asked: AskedRate::Auto, .. } => GapReason::Finding,
            Self { was_lowered: true, .. } => GapReason::Lowered,
            Self { in_flight, .. } if *in_flight >= BUSY => GapReason::InFlight,
            _ => GapReason::Attempts,
        }
    }
}
