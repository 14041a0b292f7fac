//! One installation, start to end: the ways back to a token pair, one after the other, until one of
//! them leads to tokens on disk.

mod agency;
mod departure;
pub mod no_route;
pub mod observe;
mod reconnect;
mod refresh;
pub mod retry;
pub mod routes;
pub mod token_check;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::time::sleep;

pub(crate) use self::observe::continued;
use self::{
    no_route::RouteUnavailable,
    retry::{KnownGood, Next},
    routes::Routes,
};
use super::{
    batch::Job,
    cancellation::{Cancellation, Cause},
    dispatcher::{Dispatcher, Slot},
    gauge::Gauge,
    outage::{self, Blame},
    recorder::Recorder,
    slots::Urgency,
    watchdog::{Step, Watchdog},
};
use crate::{
    app::AppName,
    clock::{self, Moment},
    event::{Call, Event, Failed, HaltRule, Halted, Recovered, Retrying, Untried, Verified},
    failure::{Class, Failure, Stage},
    highlevel::{
        client::Client,
        server_clock::OffsetWatch,
        tokens::{Mismatch, TokenPair},
    },
    installation::{Installation, Scope},
    journal::writer::{StorageError, TokenFile},
    pace::Pacer,
    plan::recoveries::RecoveryLog,
    route::Route,
    text::SafeText,
};

/// What a recovery works with.
pub struct Tools {
    /// The API.
    pub client: Client,
    /// The ways back, and which of them are open.
    pub routes: Routes,
    /// When requests may start.
    pub pacer: Pacer,
    /// Where it is said what happens.
    pub recorder: Recorder,
    /// The app, where the run has several.
    pub app: Option<AppName>,
    /// Whether the run is to end, or its part for this app.
    pub stop: Cancellation,
    /// Who may go, and whose a failure is.
    pub dispatcher: Arc<Dispatcher>,
    /// How far the server's clock is from ours.
    pub server_clock: OffsetWatch,
    /// Conversations for one installation at most, on each way.
    pub attempts: u32,
    /// How long nothing but bad answers may come.
    pub max_outage: Duration,
    /// How many installations there are.
    pub gauge: Gauge,
    /// What runs remember of each other; `None` in a rehearsal.
    pub recoveries: Option<RecoveryLog>,
    /// What each of them waits for.
    pub watchdog: Watchdog,
    /// Whether it was said that the day's allowance is too small.
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
        if !self.stop.cancel(Cause::Halted) {
            return Ok(());
        }
        let (message, app) = (SafeText::new(why), self.app.clone());
        let halted = Halted { at: clock::now(), class, message, app, rule };
        self.recorder.record(Event::Halted(halted)).await
    }
}

/// How it ended.
#[derive(Debug)]
pub enum Ending {
    /// The token pair is on disk, by this route.
    Recovered(Route),
    /// Its tokens are good: nothing was asked for.
    Skipped,
    /// Given up.
    Failed(Failure),
    /// Given up for a failure that concerns all.
    FailedForAll(Failure),
    /// The run is to end and this installation was left as it is.
    Abandoned,
    /// The disk does not take what it is given.
    StorageError(StorageError),
}

/// Recovers one installation, which has a slot. The slot comes back with the ending, so that nobody
/// gets it before the ending is judged.
pub async fn recover(tools: &Tools, job: &Job, slot: Slot) -> (Ending, Option<Slot>) {
    tools.client.know(&job.tokens);
    let mut recovery = Recovery {
        tools,
        job,
        row: job.row,
        installation: &job.installation,
        started_at: clock::now(),
        attempt: 0,
        attempts_before: job.before.attempts,
        slot: Some(slot),
        for_all: None,
        free_retries: 0,
        is_stale_throttle: false,
        refresh_sent: None,
        reconnect_trace_id: None,
        token_trace_id: None,
        trace_ids: job.before.trace_ids.clone(),
        last: None,
    };
    let ending = recovery.run().await.unwrap_or_else(Ending::StorageError);
    (ending, recovery.slot.take())
}

struct Recovery<'a> {
    tools: &'a Tools,
    job: &'a Job,
    row: u32,
    installation: &'a Installation,
    started_at: Timestamp,
    /// Conversations on the present way.
    attempt: u32,
    /// Conversations in earlier legs, and on the ways before.
    attempts_before: u32,
    /// Its place among those in flight; none while it waits.
    slot: Option<Slot>,
    /// A failure that concerns all.
    for_all: Option<Failure>,
    /// Failures that cost no attempt.
    free_retries: u32,
    /// Whether the last answer only repeated a "too many" that another installation got.
    is_stale_throttle: bool,
    /// When the refresh token may have been spent.
    refresh_sent: Option<Moment>,
    reconnect_trace_id: Option<SafeText>,
    token_trace_id: Option<SafeText>,
    trace_ids: Vec<SafeText>,
    last: Option<Failure>,
}

/// Why a conversation did not end with tokens on disk.
enum AttemptError {
    Failed(Failure, Option<Call>),
    /// This way is not open to the installation, as was found out just now.
    Blocked(Failure),
    /// Tokens came for somebody else, or are refused where they are tried.
    NotToBeUsed(Failure, Call, Box<TokenPair>),
    Stopped(Cause),
    StorageError(StorageError),
}

impl From<StorageError> for AttemptError {
    fn from(lost: StorageError) -> Self {
        Self::StorageError(lost)
    }
}

/// Tokens that were granted.
struct Granted {
    route: Route,
    pair: TokenPair,
    call: Call,
    received: Moment,
    /// Of the code that gave them.
    code: Option<CodeTimes>,
}

/// How old a code was when it was presented, and how much of its life was left.
#[derive(Clone, Copy)]
struct CodeTimes {
    age_ms: u32,
    margin_ms: u32,
}

/// How one way ended.
enum Passed {
    /// The installation is done with, one way or the other.
    Through(Ending),
    /// This way does not lead there; another one may.
    Blocked(Failure, Option<Call>),
}

impl Drop for Recovery<'_> {
    fn drop(&mut self) {
        self.tools.watchdog.leave(self.row);
    }
}

impl Recovery<'_> {
    async fn run(&mut self) -> Result<Ending, StorageError> {
        if let Some(ending) = self.check_old_token().await? {
            return Ok(ending);
        }
        let tools = self.tools;
        let (mut failed, mut unavailable) = (None, Vec::new());
        for route in tools.routes.routes().iter() {
            if route == Route::Agency && self.installation.scope == Scope::Location {
                self.wait_for_agencies().await;
            }
            if let Err(failure) = tools.routes.check_open(route, self.job) {
                unavailable.push(RouteUnavailable::closed(route, failure));
                continue;
            }
            if let Some((failure, call)) = failed.take() {
                // Why another way is tried now.
                self.wait_for_next(failure, call, Duration::ZERO).await?;
            }
            match self.go(route).await? {
                Passed::Through(ending) => return Ok(ending),
                Passed::Blocked(failure, call) => {
                    unavailable.push(RouteUnavailable::tried(route, failure.clone(), call.clone()));
                    failed = Some((failure, call));
                }
            }
        }
        self.fail_without_route(unavailable).await
    }

    /// One way, as many conversations as it may take.
    async fn go(&mut self, route: Route) -> Result<Passed, StorageError> {
        (self.attempts_before, self.attempt) = (self.attempts(), 0);
        loop {
            self.attempt += 1;
            let (failure, call) = match self.attempt_as_canary(route).await {
                Ok(()) => return Ok(Passed::Through(Ending::Recovered(route))),
                Err(AttemptError::Failed(failure, call)) => (failure, call),
                Err(AttemptError::Blocked(failure)) => {
                    self.attempt -= 1;
                    return Ok(Passed::Blocked(failure, None));
                }
                Err(other) => return self.end(other).await.map(Passed::Through),
            };
            match self.blame(&failure).await {
                Err(cause) => {
                    self.last = Some(failure);
                    return self.abandon(cause, call).await.map(Passed::Through);
                }
                // The outage is not this installation's fault, and costs it no attempt.
                Ok(Blame::Outage) => {
                    self.wait_for_outage(failure, call).await?;
                    self.attempt -= 1;
                    continue;
                }
                Ok(Blame::Own | Blame::Undecided) => {}
            }
            if self.is_free_retry(&failure) {
                // The pace is not this installation's fault either.
                self.free_retries += 1;
                self.wait_for_next(failure, call, Duration::ZERO).await?;
                self.attempt -= 1;
                continue;
            }
            let (attempts, known_good) = (self.tools.attempts, self.known_good());
            match retry::next(&failure, self.attempt, attempts, known_good, fastrand::u64(..)) {
                Next::Again(wait) => self.wait_for_next(failure, call, wait).await?,
                Next::OtherRoute => {
                    self.judge_route(route, &failure);
                    return Ok(Passed::Blocked(failure, call));
                }
                Next::GiveUp => {
                    self.judge_route(route, &failure);
                    return self.give_up(failure, call).await.map(Passed::Through);
                }
            }
        }
    }

    /// Looks whether the failure of a route concerns the others too.
    fn judge_route(&mut self, route: Route, failure: &Failure) {
        if !self.tools.dispatcher.route_failed(self.row, failure) {
            return;
        }
        self.tools.routes.learn(route, failure);
        if !self.tools.routes.bypass(failure) {
            self.for_all = Some(failure.clone());
        }
    }

    /// Waits, without a slot, until it is known whose a failure was; an error is that the run is to
    /// end first.
    async fn blame(&mut self, failure: &Failure) -> Result<Blame, Cause> {
        if !outage::is_sign(failure) {
            return Ok(Blame::Own);
        }
        if self.tools.dispatcher.is_nobody(failure) {
            return Ok(Blame::Own);
        }
        self.slot = None;
        self.enter(Step::Outage);
        tokio::select! {
            biased;
            blame = self.tools.dispatcher.blame(failure.stage, self.row) => Ok(blame),
            cause = self.tools.stop.cancelled() => Err(cause),
        }
    }

    /// Waits for the end of an outage, or to be its probe.
    async fn wait_for_outage(
        &mut self,
        failure: Failure,
        call: Option<Call>,
    ) -> Result<(), StorageError> {
        self.record_retrying(failure, call, None).await?;
        self.enter(Step::Outage);
        self.take_slot().await;
        Ok(())
    }

    /// Waits for a slot where it has none. A run that is to end gives none any more, and needs none.
    async fn take_slot(&mut self) {
        if self.slot.is_some() {
            return;
        }
        let in_doubt = self.refresh_sent.is_some();
        let urgency = if in_doubt { Urgency::Urgent } else { Urgency::None };
        tokio::select! {
            biased;
            _ = self.tools.stop.cancelled() => {}
            slot = self.tools.dispatcher.slot_again(self.row, urgency) => self.slot = Some(slot),
        }
    }

    /// Waits, without a slot, for the agencies whose tokens may serve it.
    async fn wait_for_agencies(&mut self) {
        if self.tools.routes.are_agencies_done() {
            return;
        }
        self.slot = None;
        self.enter(Step::Agencies);
        self.tools.routes.agencies_are_done().await;
        self.enter(Step::Slot);
        self.take_slot().await;
    }

    /// Ends with whatever is no failure of the way.
    async fn end(&mut self, error: AttemptError) -> Result<Ending, StorageError> {
        match error {
            AttemptError::StorageError(lost) => Err(lost),
            AttemptError::Stopped(cause) => {
                self.attempt -= 1;
                self.abandon(cause, None).await
            }
            AttemptError::NotToBeUsed(failure, call, pair) => {
                if self.tools.dispatcher.route_failed(self.row, &failure) {
                    self.for_all = Some(failure.clone());
                }
                self.quarantine(failure, call, &pair).await
            }
            AttemptError::Failed(failure, call) => self.give_up(failure, call).await,
            AttemptError::Blocked(failure) => self.give_up(failure, None).await,
        }
    }

    /// Ends before anything was asked for.
    async fn end_early(&mut self, error: AttemptError) -> Result<Ending, StorageError> {
        self.attempt += 1;
        self.end(error).await
    }

    /// Conversations in all legs, on all ways.
    fn attempts(&self) -> u32 {
        self.attempts_before + self.attempt
    }

    /// Whether HighLevel has given an answer in this leg that is no sign of an outage.
    fn known_good(&self) -> KnownGood {
        if self.tools.dispatcher.has_been_good(Stage::Reconnect) {
            KnownGood::Known
        } else {
            KnownGood::Unknown
        }
    }

    /// One conversation; alone on its way as long as nobody knows whether the way is there at all.
    async fn attempt_as_canary(&mut self, route: Route) -> Result<(), AttemptError> {
        let tools = self.tools;
        self.enter(Step::Outage);
        let _alone = tokio::select! {
            biased;
            cause = tools.stop.cancelled() => return Err(AttemptError::Stopped(cause)),
            alone = tools.routes.canary(route) => alone,
        };
        tools.routes.check_open(route, self.job).map_err(AttemptError::Blocked)?;
        let attempted = self.attempt(route).await;
        match &attempted {
            Err(AttemptError::Failed(failure, _)) if failure.class == Class::EndpointRemoved => {
                // One that is known to be there is judged by several installations.
                if !tools.routes.is_proven(route) {
                    tools.routes.learn(route, failure);
                }
            }
            Ok(()) | Err(AttemptError::NotToBeUsed(..)) => tools.routes.prove(route),
            Err(AttemptError::Failed(failure, _)) if failure.http_status.is_some() => {
                tools.routes.prove(route);
            }
            Err(_) => {}
        }
        attempted
    }

    /// One conversation, up to tokens on disk.
    async fn attempt(&mut self, route: Route) -> Result<(), AttemptError> {
        let granted = match route {
            Route::Refresh => self.attempt_refresh().await?,
            Route::Reconnect => self.attempt_reconnect().await?,
            Route::Agency => self.attempt_agency().await?,
        };
        self.enter(Step::Disk);
        let client_id = &self.tools.client.credentials().client_id;
        match granted.pair.belongs_to(self.installation, client_id) {
            Ok(()) => self.take_in(granted).await,
            Err(mismatch) => Err(wrong_tenant(&mismatch, granted)),
        }
    }

    /// Brings tokens to disk; where they are to prove themselves, they do so when they are safe.
    async fn take_in(&mut self, granted: Granted) -> Result<(), AttemptError> {
        let tools = self.tools;
        let Some(path) = &tools.routes.token_checks().new else {
            return Ok(self.keep(granted).await?);
        };
        self.keep_untried(&granted).await?;
        match self.check_new_token(&granted, path).await? {
            Ok(verified) => Ok(self.record_recovered(granted, Some(verified)).await?),
            Err((failure, call)) => {
                Err(AttemptError::NotToBeUsed(failure, call, Box::new(granted.pair)))
            }
        }
    }

    async fn keep(&self, granted: Granted) -> Result<(), StorageError> {
        let document = self.document(&granted.pair);
        let event = Event::Recovered(Box::new(self.recovered(&granted, None)));
        let begun = Instant::now();
        self.tools.recorder.keep(TokenFile::Tokens, &document, event).await?;
        self.tools.pacer.disk_took(begun.elapsed());
        self.pass_on(&granted);
        Ok(())
    }

    async fn keep_untried(&self, granted: &Granted) -> Result<(), StorageError> {
        let untried = Untried {
            row: self.row,
            id: self.installation.id.clone(),
            at: granted.received.day(),
            via: granted.route,
            call: granted.call.clone(),
        };
        let document = self.document(&granted.pair);
        self.tools.recorder.keep(TokenFile::Tokens, &document, Event::Untried(untried)).await
    }

    async fn record_recovered(
        &self,
        granted: Granted,
        verified: Option<Verified>,
    ) -> Result<(), StorageError> {
        let event = Event::Recovered(Box::new(self.recovered(&granted, verified)));
        self.tools.recorder.record_durably(event).await?;
        self.pass_on(&granted);
        Ok(())
    }

    /// Others get to know of the recovery. The tokens of an agency are a way for its sub-accounts.
    fn pass_on(&self, granted: &Granted) {
        if let Some(recoveries) = &self.tools.recoveries {
            recoveries.remember(self.installation);
        }
        if self.installation.scope == Scope::Company {
            let (token, expires_at) = (granted.pair.access_token(), granted.pair.expires_at());
            let company = self.installation.id.clone();
            self.tools.routes.agencies().insert(company, token.clone(), expires_at);
        }
    }

    fn recovered(&self, granted: &Granted, verified: Option<Verified>) -> Recovered {
        Recovered {
            row: self.row,
            id: self.installation.id.clone(),
            attempts: self.attempts(),
            via: granted.route,
            started_at: self.started_at,
            at: granted.received.day(),
            reconnect_trace_id: self.reconnect_trace_id.clone(),
            exchange: granted.call.clone(),
            code_age_ms: granted.code.map(|code| code.age_ms),
            code_margin_ms: granted.code.map(|code| code.margin_ms),
            token_expires_at: granted.pair.expires_at(),
            without_refresh_token: !granted.pair.has_refresh_token(),
            verified,
        }
    }

    async fn quarantine(
        &mut self,
        failure: Failure,
        call: Call,
        pair: &TokenPair,
    ) -> Result<Ending, StorageError> {
        let mut document = Map::new();
        document.insert("quarantined_for".into(), failure.class.name().into());
        document.insert("reason".into(), failure.message.as_str().into());
        document.insert("row".into(), self.row.into());
        document.extend(self.document(pair));
        self.trace_ids.extend(call.trace_id.clone());
        let event = self.failed_event(failure.clone(), Some(call));
        self.tools.recorder.keep(TokenFile::Quarantine, &document, event).await?;
        Ok(self.ended_with(failure))
    }

    fn ended_with(&mut self, failure: Failure) -> Ending {
        self.for_all.take().map_or(Ending::Failed(failure), Ending::FailedForAll)
    }

    fn document(&self, pair: &TokenPair) -> Map<String, Value> {
        pair.session_document(&self.tools.client.credentials().client_id, self.installation)
    }

    async fn give_up(
        &mut self,
        failure: Failure,
        call: Option<Call>,
    ) -> Result<Ending, StorageError> {
        let event = self.failed_event(failure.clone(), call);
        self.tools.recorder.record(event).await?;
        Ok(self.ended_with(failure))
    }

    /// Leaves the installation as it is. One that was never asked for stays without an outcome.
    async fn abandon(&mut self, cause: Cause, call: Option<Call>) -> Result<Ending, StorageError> {
        if let Some(last) = self.last.take() {
            let (class, word) = match cause {
                Cause::Interrupted(_) => (Class::Interrupted, "interrupted"),
                Cause::Halted | Cause::StorageError => (Class::Halted, "halted"),
            };
            let message = format!("the run was {word} before the next attempt, after {last}");
            let failure = Failure { class, message: SafeText::new(&message), ..last };
            let event = self.failed_event(failure, call);
            self.tools.recorder.record(event).await?;
        }
        Ok(Ending::Abandoned)
    }

    async fn wait_for_next(
        &mut self,
        failure: Failure,
        call: Option<Call>,
        wait: Duration,
    ) -> Result<(), StorageError> {
        let keeps_slot = self.tools.dispatcher.concerns_the_canary(&failure);
        self.record_retrying(failure, call, Some(wait)).await?;
        if wait.is_zero() {
            return Ok(());
        }
        if !keeps_slot {
            self.slot = None;
        }
        self.enter(Step::Backoff(wait));
        tokio::select! {
            _ = self.tools.stop.cancelled() => {}
            () = sleep(wait) => {
                self.enter(Step::Slot);
                self.take_slot().await;
            }
        }
        Ok(())
    }

    async fn record_retrying(
        &mut self,
        failure: Failure,
        call: Option<Call>,
        wait: Option<Duration>,
    ) -> Result<(), StorageError> {
        let retrying = Retrying {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
            failure: failure.clone(),
            call,
            wait_ms: wait.map(clock::millis),
        };
        self.last = Some(failure);
        self.tools.recorder.record(Event::Retrying(retrying)).await
    }

    /// Whether a failure is that of a pace which another installation was told of before. So many
    /// times only: an installation that is all by itself in failing must in the end make room for
    /// another.
    fn is_free_retry(&self, failure: &Failure) -> bool {
        let is_of_the_pace = failure.class == Class::RateLimited && self.is_stale_throttle;
        is_of_the_pace && self.free_retries < self.tools.attempts
    }

    /// What the installation waits for from now on, for the watchdog and the dispatcher.
    fn enter(&self, step: Step) {
        self.tools.watchdog.enter(self.row, &self.installation.id, step);
        self.tools.dispatcher.sends(self.row, step.request());
    }

    fn failed_event(&mut self, failure: Failure, call: Option<Call>) -> Event {
        Event::Failed(Box::new(Failed {
            row: self.row,
            id: self.installation.id.clone(),
            attempts: self.attempts(),
            started_at: self.started_at,
            at: clock::now(),
            failure,
            call,
            reconnect_trace_id: self.reconnect_trace_id.take(),
            token_trace_id: self.token_trace_id.take(),
            trace_ids: std::mem::take(&mut self.trace_ids),
        }))
    }
}

fn wrong_tenant(mismatch: &Mismatch, granted: Granted) -> AttemptError {
    let Granted { route, pair, call, .. } = granted;
    let failure = Failure {
        http_status: call.http_status,
        trace_id: call.trace_id.clone(),
        ..Failure::without_answer(routes::stage_of(route), mismatch.class, &mismatch.message)
    };
    AttemptError::NotToBeUsed(failure, call, Box::new(pair))
}
