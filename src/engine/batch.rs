//! All installations: the canary alone, then many at a time, until the list ends or the run is
//! cancelled.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use anyhow::Error;
use futures::FutureExt;
use tokio::{task::JoinSet, time::sleep_until};

use super::{
    breaker::BreakerVerdict,
    cancellation::Cause,
    dispatcher::{Begun, NextStart, Slot, Source},
    job::Job,
    recover::{AgencyInWork, Ending, Tools, continued, recover},
    slots::Untried,
};
use crate::{
    clock,
    event::{Event, Failed, HaltRule},
    failure::{Class, Failure, Stage},
    installation::Scope,
    journal::writer::StorageError,
    plan::recoveries::RecoveryLog,
};

/// Source of the installations.
pub trait Supply {
    /// Waits until more are available. Safe to cancel: nothing is lost.
    fn refill(&mut self) -> impl Future<Output = Result<(), Error>> + Send;

    /// The next one of the list, if it is available.
    fn peek(&self) -> Option<&Job>;

    /// Which installations are available.
    fn untried(&self) -> Untried;

    /// Takes one that is available.
    fn take(&mut self, source: Source) -> Option<Job>;
}

/// Why a batch ended early.
#[derive(Debug)]
pub enum Broken {
    /// The run folder cannot be written.
    Storage,
    /// The list could not be read to its end.
    Supply(Error),
}

/// The work on all installations of a run, or of one of its apps.
pub struct Batch {
    tools: Tools,
    /// Whether the run folder could not be written.
    storage_failed: AtomicBool,
}

impl Batch {
    /// A batch that works with these tools.
    pub fn new(tools: Tools) -> Self {
        Self { tools, storage_failed: AtomicBool::new(false) }
    }

    /// Works until the jobs are done or the run is cancelled.
    ///
    /// Each installation is a task that awaits its own write, so that a slow sync delays no other.
    pub async fn run(self: Arc<Self>, mut jobs: impl Supply) -> Result<(), Broken> {
        let mut tasks = JoinSet::new();
        let fed = self.dispatch(&mut jobs, &mut tasks).await;
        if fed.is_err() {
            self.tools.cancellation.cancel(Cause::StorageError);
        }
        while tasks.join_next().await.is_some() {}
        if self.storage_failed.load(Ordering::Relaxed) {
            return Err(Broken::Storage);
        }
        fed.map_err(Broken::Supply)
    }

    /// Starts one installation after the other, until none is left or the run is cancelled.
    async fn dispatch(
        self: &Arc<Self>,
        jobs: &mut impl Supply,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), Error> {
        let dispatcher = &self.tools.dispatcher;
        while self.tools.cancellation.cause().is_none() {
            while tasks.try_join_next().is_some() {}
            let untried = self.untried(jobs);
            let until = match dispatcher.next(untried) {
                NextStart::Untried(source) => {
                    if let Some(job) = jobs.take(source) {
                        self.start(job, tasks);
                    }
                    continue;
                }
                NextStart::OutageOver(lasted) => {
                    self.note(&self.tools.recorder.record(continued(lasted)).await);
                    continue;
                }
                NextStart::Wait(until) => until,
            };
            if tasks.is_empty() && jobs.untried() == Untried::default() {
                break;
            }
            let later = || Instant::now() + std::time::Duration::from_hours(1);
            tokio::select! {
                fed = jobs.refill() => fed?,
                () = dispatcher.changed() => {}
                () = sleep_until(until.unwrap_or_else(later).into()) => {}
                Some(_) = tasks.join_next() => {}
                _ = self.tools.cancellation.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Recoveries by other runs, and for them.
    pub fn recoveries(&self) -> Option<&RecoveryLog> {
        self.tools.recoveries.as_ref()
    }

    /// The installations that may start. While agencies are in flight, no sub-account that may need
    /// their tokens probes an outage: it would only wait for them.
    fn untried(&self, jobs: &impl Supply) -> Untried {
        let untried = jobs.untried();
        let routes = &self.tools.routes;
        if !routes.use_agency_tokens() {
            return untried;
        }
        let is_agency = |job: &Job| job.installation.scope == Scope::Company;
        let next_is_agency = jobs.peek().is_some_and(is_agency);
        let agencies_done = routes.are_agencies_done();
        Untried {
            next: untried.next
                && (next_is_agency || agencies_done || !self.tools.dispatcher.is_paused()),
            elsewhere: untried.elsewhere && agencies_done && !next_is_agency,
            more: untried.more,
        }
    }

    fn start(self: &Arc<Self>, job: Job, tasks: &mut JoinSet<()>) {
        let (begun, slot) = self.tools.dispatcher.begin(job.row);
        let agency = self.tools.routes.begin(&job.installation);
        tasks.spawn(self.clone().work(job, slot, begun, agency));
    }

    async fn work(
        self: Arc<Self>,
        job: Job,
        slot: Slot,
        _begun: Begun,
        _agency: Option<AgencyInWork>,
    ) {
        let working = AssertUnwindSafe(recover(&self.tools, &job, slot));
        let (ending, _slot) = match working.catch_unwind().await {
            Ok(ended) => ended,
            Err(_) => (self.panicked(job).await, None),
        };
        let noted = self.apply_ending(ending).await;
        self.note(&noted);
    }

    /// Records that the work on one installation panicked: a bug that must not stop the others.
    async fn panicked(&self, job: Job) -> Ending {
        let why = "the work on this installation panicked: a bug, please report it";
        let failure = Failure::without_answer(Stage::Store, Class::Unrecognised, why);
        let now = clock::now();
        let failed = Failed {
            row: job.row,
            id: job.installation.id,
            attempts: job.before.attempts,
            started_at: now,
            at: now,
            failure: failure.clone(),
            call: None,
            reconnect_trace_id: None,
            token_trace_id: None,
            trace_ids: job.before.trace_ids,
        };
        match self.tools.recorder.record(Event::Failed(Box::new(failed))).await {
            Ok(()) => Ending::Failed(failure),
            Err(lost) => Ending::StorageError(lost),
        }
    }

    async fn apply_ending(&self, ending: Ending) -> Result<(), StorageError> {
        let dispatcher = &self.tools.dispatcher;
        match ending {
            Ending::Recovered(route) => self.apply(dispatcher.recovered(Some(route))).await,
            Ending::Skipped => self.apply(dispatcher.recovered(None)).await,
            Ending::Failed(failure) => self.apply(dispatcher.failed(&failure)).await,
            Ending::FailedForAll(failure) => {
                dispatcher.failed(&failure);
                self.tools.halt(failure.class, &failure.to_string(), None).await
            }
            Ending::Abandoned => Ok(()),
            Ending::StorageError(lost) => Err(lost),
        }
    }

    async fn apply(&self, verdict: BreakerVerdict) -> Result<(), StorageError> {
        match verdict {
            BreakerVerdict::GoOn => Ok(()),
            BreakerVerdict::TooMany { failed, ended, limit } => {
                let why = format!(
                    "{failed} of {ended} installations failed, more than --max-failures {limit} allows"
                );
                self.tools.halt(Class::Halted, &why, Some(HaltRule::MaxFailures)).await
            }
            BreakerVerdict::NoneRecovered(why) => {
                self.tools.halt(Class::Halted, &why, Some(HaltRule::GiveUpAfter)).await
            }
        }
    }

    fn note(&self, noted: &Result<(), StorageError>) {
        if noted.is_err() {
            self.storage_failed.store(true, Ordering::Relaxed);
            self.tools.cancellation.cancel(Cause::StorageError);
        }
    }
}
