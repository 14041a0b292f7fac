//! The work on one installation as types: what it works with, how far it is, how it can end.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use jiff::Timestamp;

use super::open_routes::OpenRoutes;
use crate::{
    app::AppName,
    clock::{self, Moment},
    engine::{
        cancellation::{Cancellation, Cause},
        dispatcher::{Dispatcher, Slot},
        gauge::Gauge,
        job::Job,
        recorder::Recorder,
        watchdog::{WaitingFor, Watchdog},
    },
    event::{Call, Event, HaltRule, Halted},
    failure::{Class, Failure},
    highlevel::{client::Client, server_clock::OffsetWatch, tokens::TokenPair},
    installation::Installation,
    journal::writer::StorageError,
    pace::Pacer,
    plan::recoveries::RecoveryLog,
    route::Route,
    text::SafeText,
};

/// What a recovery works with.
pub struct Tools {
    /// The API.
    pub client: Client,
    /// The routes of the run, and which of them are open.
    pub routes: OpenRoutes,
    /// Decides when requests may start.
    pub pacer: Pacer,
    /// Takes every event.
    pub recorder: Recorder,
    /// The app, where the run has several.
    pub app: Option<AppName>,
    /// Cancellation of the run, or of its part for this app.
    pub cancellation: Cancellation,
    /// Decides who may go, and whether a failure is the installation's own.
    pub dispatcher: Arc<Dispatcher>,
    /// How far the server's clock is from ours.
    pub server_clock: OffsetWatch,
    /// Attempts for one installation on each route, at most.
    pub attempts: u32,
    /// The longest time without a good answer.
    pub max_outage: Duration,
    /// How many installations are open and in flight.
    pub gauge: Gauge,
    /// Recoveries by other runs, and for them; `None` in a rehearsal.
    pub recoveries: Option<RecoveryLog>,
    /// What each installation waits for.
    pub watchdog: Watchdog,
    /// Whether [`Event::DayTooShort`] is recorded.
    pub day_is_recorded: AtomicBool,
}

impl Tools {
    /// Halts the run, or its part for this app, unless it is to end already.
    pub async fn halt(
        &self,
        class: Class,
        why: &str,
        rule: Option<HaltRule>,
    ) -> Result<(), StorageError> {
        if !self.cancellation.cancel(Cause::Halted) {
            return Ok(());
        }
        let (message, app) = (SafeText::new(why), self.app.clone());
        let halted = Halted { at: clock::now(), class, message, app, rule };
        self.recorder.record(Event::Halted(halted)).await
    }
}

/// How the work on an installation ended.
#[derive(Debug)]
pub enum Ending {
    /// The token pair is on disk, by this route.
    Recovered(Route),
    /// Its tokens are good: nothing was asked for.
    Skipped,
    /// It has failed.
    Failed(Failure),
    /// It has failed in a way that concerns all.
    FailedForAll(Failure),
    /// The run was cancelled, and the installation is left as it was.
    Abandoned,
    /// The run folder cannot be written.
    StorageError(StorageError),
}

/// The work on one installation.
pub(super) struct Recovery<'a> {
    pub(super) tools: &'a Tools,
    pub(super) job: &'a Job,
    pub(super) row: u32,
    pub(super) installation: &'a Installation,
    pub(super) started_at: Timestamp,
    /// Attempts on the present route.
    pub(super) attempt: u32,
    /// Attempts in earlier executions, and on the routes before.
    pub(super) attempts_before: u32,
    /// Its slot among those in flight; `None` while it waits.
    pub(super) slot: Option<Slot>,
    /// A failure that concerns all.
    pub(super) for_all: Option<Failure>,
    /// Failures that cost no attempt.
    pub(super) uncounted_retries: u32,
    /// Whether the last answer only repeated a "too many" that another installation got.
    pub(super) is_repeated_429: bool,
    /// When the refresh token may have been spent.
    pub(super) refresh_sent: Option<Moment>,
    pub(super) reconnect_trace_id: Option<SafeText>,
    pub(super) token_trace_id: Option<SafeText>,
    pub(super) trace_ids: Vec<SafeText>,
    pub(super) last: Option<Failure>,
}

/// Why an attempt did not end with tokens on disk.
pub(super) enum AttemptError {
    Failed(Failure, Option<Call>),
    /// The route is not open to the installation after all.
    Blocked(Failure),
    /// The tokens are for another installation, or were refused by a token check.
    Quarantine(Failure, Call, Box<TokenPair>),
    Cancelled(Cause),
    StorageError(StorageError),
}

impl From<StorageError> for AttemptError {
    fn from(lost: StorageError) -> Self {
        Self::StorageError(lost)
    }
}

/// Tokens that were granted.
pub(super) struct Granted {
    pub(super) route: Route,
    pub(super) pair: TokenPair,
    pub(super) call: Call,
    pub(super) received: Moment,
    /// The code that gave them; `None` on routes without codes.
    pub(super) code: Option<CodeTimes>,
}

/// How old a code was when it was presented, and how much of its life was left.
#[derive(Clone, Copy)]
pub(super) struct CodeTimes {
    pub(super) age_ms: u32,
    pub(super) margin_ms: u32,
}

impl<'a> Recovery<'a> {
    /// Begins the work on an installation that has a slot.
    pub(super) fn new(tools: &'a Tools, job: &'a Job, slot: Slot) -> Self {
        Self {
            tools,
            job,
            row: job.row,
            installation: &job.installation,
            started_at: clock::now(),
            attempt: 0,
            attempts_before: job.before.attempts,
            slot: Some(slot),
            for_all: None,
            uncounted_retries: 0,
            is_repeated_429: false,
            refresh_sent: None,
            reconnect_trace_id: None,
            token_trace_id: None,
            trace_ids: job.before.trace_ids.clone(),
            last: None,
        }
    }

    /// Attempts in all executions, on all routes.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts_before + self.attempt
    }

    /// What the installation waits for from now on, for the watchdog and the dispatcher.
    pub(super) fn enter(&self, step: WaitingFor) {
        self.tools.watchdog.enter(self.row, &self.installation.id, step);
        self.tools.dispatcher.sends(self.row, step.request());
    }
}

impl Drop for Recovery<'_> {
    fn drop(&mut self) {
        self.tools.watchdog.leave(self.row);
    }
}
