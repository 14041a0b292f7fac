//! The vocabulary between work, journal and progress: everything that can happen in a run.
//!
//! The journal is these events, one a line; every other file of a run is derived from them. No
//! event has room for a secret.

mod list;
mod outcome;
mod pause;
mod row;
mod run;

use serde::{Deserialize, Serialize};

pub use self::{
    list::{Duplicate, History, List, Listed, Ready, Rejected},
    outcome::{Failed, Recovered, RecoveredBefore, Skipped, Verdict, Verified},
    pause::{Continued, DayTooShort, Held, Paused, Probed, ServerClock},
    row::{
        Call, Exchanging, Missed, Reclaimed, Refreshing, Requesting, Retrying, Saving, TokenFile,
        Unsent, Untried,
    },
    run::{Finished, HaltRule, Halted, HandedOn, Interrupt, Leaked, Parent, Resumed, Started},
};

/// Version of the journal's format. A journal of a newer one is refused.
pub const FORMAT: u32 = 1;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run began: always the first event.
    Started(Box<Started>),
    /// An installation of the list that is to be recovered.
    Listed(Listed),
    /// A row that repeats an earlier one.
    Duplicate(Duplicate),
    /// A row that could not be read.
    Rejected(Rejected),
    /// The list is in the journal as a whole; calls begin after this.
    Ready(Ready),
    /// A code came and is about to be presented.
    Exchanging(Exchanging),
    /// A refresh token is about to be presented.
    Refreshing(Refreshing),
    /// An agency's token is about to be presented for that of a sub-account.
    Requesting(Requesting),
    /// What was about to be presented was not: the request never left.
    Unsent(Unsent),
    /// An attempt failed and another one follows.
    Retrying(Retrying),
    /// HighLevel said "too many", or that nothing is left: every request is held.
    Held(Held),
    /// By HighLevel's count, what is left of the day will not do.
    DayTooShort(DayTooShort),
    /// Everything fails the same way: the run pauses, and one installation at a time probes.
    Paused(Paused),
    /// The outage goes on: the installation that probed failed.
    Probed(Probed),
    /// The pause is over: answers are good again, or only those are left that had failed before.
    Continued(Continued),
    /// How far the server's clock is from ours: recorded once an execution, and again when it has moved.
    ServerClock(ServerClock),
    /// A token pair came and is about to be written: whatever its file has later, this says what it
    /// had to be. The event that says that the pair is durable follows.
    Saving(Saving),
    /// The token pair is on disk and has not proved itself yet.
    Untried(Untried),
    /// The token pair is on disk.
    Recovered(Box<Recovered>),
    /// The installation is left alone: the token that the list had for it is good, or another run
    /// has recovered it already.
    Skipped(Skipped),
    /// The installation is given up in this run.
    Failed(Box<Failed>),
    /// Something that concerns all installations stopped the run, or the part of it for one app.
    Halted(Halted),
    /// The run ended in order.
    Finished(Finished),
    /// The run is resumed: another execution begins.
    Resumed(Resumed),
    /// Tokens were found on disk whose event had not been written.
    Reclaimed(Reclaimed),
    /// Tokens that the journal speaks of are not on disk: the installation is open again.
    Missed(Missed),
    /// Somebody said that the tokens recovered so far are where they belong: their file need not have
    /// them any more.
    HandedOn(HandedOn),
    /// A secret was found in a file that must not have any.
    Leaked(Leaked),
}

impl Event {
    /// The record whose tokens it speaks of, where it is one that goes with a token line.
    pub fn row_of_tokens(&self) -> Option<u32> {
        match self {
            Self::Untried(e) => Some(e.row),
            Self::Recovered(e) => Some(e.row),
            Self::Failed(e) => Some(e.row),
            _ => None,
        }
    }
}

impl<T: Listener> Listener for std::sync::Arc<T> {
    fn on_event(&self, event: &Event) {
        (**self).on_event(event);
    }
}

/// Hears what happens, and does not answer.
pub trait Listener: Send + Sync {
    /// Takes note of an event.
    fn on_event(&self, event: &Event);
}

/// Listens, and takes lines that no event stands for.
pub trait Observer: Listener {
    /// Takes note of a line.
    fn note(&self, line: &str);
}
