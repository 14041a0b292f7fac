//! Events: everything that can happen in a run, and the only vocabulary between work and display.
//!
//! The journal is these events, one a line; every other file of a run is derived from them. No
//! event has room for a secret.

mod list;
mod moved;
mod outcome;
mod pause;
mod row;
mod run;
mod store;

use serde::{Deserialize, Serialize};

pub use self::{
    list::{Duplicate, EarlierFailure, History, List, Listed, NotDue, Ready, Rejected},
    moved::later,
    outcome::{Failed, Recovered, RecoveredBefore, Skipped, Verdict, Verified},
    pause::{Continued, DayTooShort, Held, Paused, Probed, ServerClock},
    row::{
        Call, Exchanging, Missed, Reclaimed, Refreshing, Requesting, Retrying, Saving, TokenFile,
        Unsent, Untried,
    },
    run::{
        Exceeded, Finished, HaltRule, Halted, HandedOn, Interrupt, Leaked, Parent, Resumed, Started,
    },
    store::{StoreBegan, StoreOutcome, Stored},
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
    /// A row of an earlier run's failures that is not due yet: it is left for another run, in no count,
    /// and carried into `failures.csv` as it stands.
    NotDue(Box<NotDue>),
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
    /// HighLevel answered "too many requests", or that none is left: every request is held.
    Held(Held),
    /// By HighLevel's count, the requests that are left today are too few.
    DayTooShort(DayTooShort),
    /// Everything fails the same way: the run pauses, and one installation at a time probes.
    Paused(Paused),
    /// The outage continues: the installation that probed failed.
    Probed(Probed),
    /// The pause is over: answers are good again, or only those are left that had failed before.
    Continued(Continued),
    /// How far the server's clock is from ours: once an execution, and again when it has moved.
    ServerClock(ServerClock),
    /// A token pair came and is about to be written: the checksum that its line must have. The event
    /// for the durable pair follows.
    Saving(Saving),
    /// The token pair is on disk and not checked yet.
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
    /// Tokens were found on disk whose event was lost.
    Reclaimed(Reclaimed),
    /// The tokens of a recovered installation are not on disk: it is open again.
    Missed(Missed),
    /// `--tokens-handed-on`: the tokens recovered so far, or those of one row, are where they belong, and
    /// need not be in their file any more.
    HandedOn(HandedOn),
    /// A secret was found in a file that must not have any.
    Leaked(Leaked),
    /// A shard of a merged run started more requests than its share of the rate allows: a bug.
    Exceeded(Exceeded),
    /// The recovered pairs are about to be written into the app's own store.
    StoreBegan(Box<StoreBegan>),
    /// The store has a pair, or does not take it.
    Stored(Stored),
}

impl Event {
    /// The record whose tokens the event is about, for the events that come with a token line.
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

/// Observes events, and does not answer.
pub trait Listener: Send + Sync {
    /// Called with each event.
    fn on_event(&self, event: &Event);
}

/// A listener that takes lines without an event too.
pub trait Observer: Listener {
    /// Called with each line.
    fn note(&self, line: &str);
}
