//! All installations: the canary alone, then so many at a time, until the list or the run ends.

pub mod breaker;
pub mod limit;

use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt};

use self::{
    breaker::{Breaker, Verdict},
    limit::MaxFailures,
};
use crate::{
    clock,
    event::{Event, Failed, Halted},
    highlevel::failure::{Class, Failure, Stage},
    installation::Installation,
    journal::{ledger::Tried, writer::CustodyLost},
    recover::{Ending, Tools, recover, roads::AgencyInWork},
    secret::TokensAtHand,
    stop::Cause,
    text::SafeText,
};

/// An installation to recover.
#[derive(Clone, Debug)]
pub struct Job {
    /// Number of the record in the list.
    pub row: u32,
    /// What to recover.
    pub installation: Installation,
    /// What the list still has of its tokens.
    pub tokens: TokensAtHand,
    /// What earlier legs of the run have tried.
    pub before: Tried,
}

/// Everything that the installations of a run share.
pub struct Batch {
    tools: Tools,
    breaker: Mutex<Breaker>,
    lost: Mutex<Option<CustodyLost>>,
}

impl Batch {
    /// Sets a batch up, which halts when more fail than may.
    pub fn new(tools: Tools, limit: MaxFailures) -> Self {
        Self { tools, breaker: Mutex::new(Breaker::new(limit)), lost: Mutex::default() }
    }

    /// Works until the jobs are done or the run is to end. The error is the disk's.
    ///
    /// Each installation is a task of its own that awaits its own place on disk, so that a slow
    /// sync holds up no other.
    pub async fn run(
        self: Arc<Self>,
        jobs: impl Stream<Item = Job> + Unpin,
        concurrency: usize,
    ) -> Result<(), CustodyLost> {
        // The canaries may be all there are, and the stream is asked once more after its end.
        let mut jobs = jobs.fuse();
        while !self.is_over()
            && !self.is_proven()
            && let Some(canary) = jobs.next().await
        {
            let begun = self.tools.roads.begin(&canary.installation);
            self.clone().work(canary, begun).await;
        }
        let over = self.tools.stop.clone();
        jobs.take_until(async move { over.requested().await })
            .map(|job| {
                let begun = self.tools.roads.begin(&job.installation);
                self.clone().work(job, begun)
            })
            .buffer_unordered(concurrency)
            .for_each(|()| async {})
            .await;
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    fn is_over(&self) -> bool {
        self.tools.stop.cause().is_some()
    }

    fn is_proven(&self) -> bool {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner).is_proven()
    }

    async fn work(self: Arc<Self>, job: Job, _begun: Option<AgencyInWork>) {
        let (batch, working) = (self.clone(), job.clone());
        let task = tokio::spawn(async move {
            let _in_flight = batch.tools.gauge.begin();
            recover(&batch.tools, &working).await
        });
        let ending = match task.await {
            Ok(ending) => ending,
            Err(_) => self.broke_off(job).await,
        };
        self.take_note(ending).await;
    }

    /// The work on one installation panicked: a bug, which must not take the others down.
    async fn broke_off(&self, job: Job) -> Ending {
        let why = "the work on this installation broke off: a bug, please report it";
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
        match self.tools.recorder.tell(Event::Failed(Box::new(failed))).await {
            Ok(()) => Ending::Failed(failure),
            Err(lost) => Ending::CustodyLost(lost),
        }
    }

    async fn take_note(&self, ending: Ending) {
        match ending {
            Ending::Recovered => {
                let verdict = self.with_breaker(Breaker::recovered);
                self.heed(verdict, None).await;
            }
            Ending::Failed(failure) => {
                let verdict = self.with_breaker(|breaker| breaker.failed(&failure));
                self.heed(verdict, Some(&failure)).await;
            }
            Ending::OutageTooLong(failure) => {
                let why = format!("no good answer for longer than --max-outage allows; {failure}");
                self.halt(failure.class, &why).await;
            }
            Ending::Abandoned | Ending::Skipped => {}
            Ending::CustodyLost(lost) => self.lose(lost),
        }
    }

    async fn heed(&self, verdict: Verdict, failure: Option<&Failure>) {
        match (verdict, failure) {
            (Verdict::Halt, Some(failure)) if self.tools.roads.lead_around(failure) => {}
            (Verdict::Halt, Some(failure)) => {
                self.halt(failure.class, &failure.to_string()).await;
            }
            (Verdict::TooMany { failed, ended, limit }, _) => {
                let why = format!(
                    "{failed} of {ended} installations failed, more than --max-failures {limit} allows"
                );
                self.halt(Class::Halted, &why).await;
            }
            (Verdict::GoOn | Verdict::Halt, _) => {}
        }
    }

    async fn halt(&self, class: Class, why: &str) {
        if self.is_over() {
            return;
        }
        self.tools.stop.request(Cause::Halted);
        let (message, app) = (SafeText::new(why), self.tools.app.clone());
        let halted = Halted { at: clock::now(), class, message, app };
        if let Err(lost) = self.tools.recorder.tell(Event::Halted(halted)).await {
            self.lose(lost);
        }
    }

    fn lose(&self, lost: CustodyLost) {
        self.tools.stop.request(Cause::CustodyLost);
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(lost);
    }

    fn with_breaker<T>(&self, judge: impl FnOnce(&mut Breaker) -> T) -> T {
        judge(&mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
