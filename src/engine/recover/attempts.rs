//! One installation, start to end: one route after the other, and as many attempts as each may take.

use std::time::Duration;

use super::{
    no_route::RouteUnavailable,
    recovery::{AttemptError, Ending, Granted, Recovery, Tools},
    retry::{self, KnownGood, NextStep},
    routes::steps_of,
};
use crate::{
    engine::{dispatcher::Slot, job::Job, outage::Blame, watchdog::WaitingFor},
    event::Call,
    failure::{Class, Failure, Stage},
    highlevel::tokens::Mismatch,
    journal::writer::StorageError,
    route::Route,
};

/// Recovers one installation, which has a slot. The slot is returned with the ending, so that no other
/// installation gets it before the ending is judged.
pub async fn recover(tools: &Tools, job: &Job, slot: Slot) -> (Ending, Option<Slot>) {
    tools.client.know(&job.tokens);
    let mut recovery = Recovery::new(tools, job, slot);
    let ending = recovery.run().await.unwrap_or_else(Ending::StorageError);
    (ending, recovery.slot.take())
}

/// How one route ended.
enum RouteEnd {
    /// The installation is done.
    Done(Ending),
    /// The route did not lead to tokens; another one may.
    Unavailable(Failure, Option<Call>),
}

impl Recovery<'_> {
    async fn run(&mut self) -> Result<Ending, StorageError> {
        if let Some(ending) = self.check_old_token().await? {
            return Ok(ending);
        }
        let tools = self.tools;
        let (mut failed, mut unavailable) = (None, Vec::new());
        for route in tools.routes.list().iter() {
            steps_of(route).prepare(self).await;
            if let Err(failure) = self.check_open(route) {
                unavailable.push(RouteUnavailable::closed(route, failure));
                continue;
            }
            if let Some((failure, call)) = failed.take() {
                // Why another route is tried now.
                self.wait_for_next(failure, call, Duration::ZERO).await?;
            }
            match self.try_route(route).await? {
                RouteEnd::Done(ending) => return Ok(ending),
                RouteEnd::Unavailable(failure, call) => {
                    unavailable.push(RouteUnavailable::tried(route, failure.clone(), call.clone()));
                    failed = Some((failure, call));
                }
            }
        }
        self.fail_without_route(unavailable).await
    }

    /// Whether a route is open to the installation; an error says why not.
    pub(super) fn check_open(&self, route: Route) -> Result<(), Failure> {
        let routes = &self.tools.routes;
        routes.check_not_closed(route)?;
        steps_of(route).check_open(routes, self.job)
    }

    /// One route, as many attempts as it may take.
    async fn try_route(&mut self, route: Route) -> Result<RouteEnd, StorageError> {
        (self.attempts_before, self.attempt) = (self.attempts(), 0);
        loop {
            self.attempt += 1;
            let (failure, call) = match self.attempt_alone_until_proven(route).await {
                Ok(()) => return Ok(RouteEnd::Done(Ending::Recovered(route))),
                Err(AttemptError::Failed(failure, call)) => (failure, call),
                Err(AttemptError::Blocked(failure)) => {
                    self.attempt -= 1;
                    return Ok(RouteEnd::Unavailable(failure, None));
                }
                Err(other) => return self.end(other).await.map(RouteEnd::Done),
            };
            if let Some(end) = self.after_failure(route, failure, call).await? {
                return Ok(end);
            }
        }
    }

    /// What follows a failed attempt: `None` is another one, after its wait.
    async fn after_failure(
        &mut self,
        route: Route,
        failure: Failure,
        call: Option<Call>,
    ) -> Result<Option<RouteEnd>, StorageError> {
        match self.blame(&failure).await {
            Err(cause) => {
                self.last = Some(failure);
                return self.abandon(cause, call).await.map(|ending| Some(RouteEnd::Done(ending)));
            }
            // Neither an outage nor the pace of all is this installation's fault.
            Ok(Blame::Outage) => {
                self.wait_for_outage(failure, call).await?;
                self.attempt -= 1;
                return Ok(None);
            }
            Ok(Blame::Own | Blame::Undecided) if self.costs_no_attempt(&failure) => {
                self.uncounted_retries += 1;
                self.wait_for_next(failure, call, Duration::ZERO).await?;
                self.attempt -= 1;
                return Ok(None);
            }
            Ok(Blame::Own | Blame::Undecided) => {}
        }
        let (attempts, known_good) = (self.tools.attempts, self.known_good());
        match retry::next(&failure, self.attempt, attempts, known_good, fastrand::u64(..)) {
            NextStep::Again(wait) => {
                self.wait_for_next(failure, call, wait).await?;
                Ok(None)
            }
            NextStep::OtherRoute => {
                self.check_whether_route_failed_for_all(route, &failure);
                Ok(Some(RouteEnd::Unavailable(failure, call)))
            }
            NextStep::GiveUp => {
                self.check_whether_route_failed_for_all(route, &failure);
                self.give_up(failure, call).await.map(|ending| Some(RouteEnd::Done(ending)))
            }
        }
    }

    /// Closes a route, or halts the run, when its failure concerns all installations.
    fn check_whether_route_failed_for_all(&mut self, route: Route, failure: &Failure) {
        if !self.tools.dispatcher.route_failed(self.row, failure) {
            return;
        }
        self.tools.routes.learn(route, failure);
        if !self.tools.routes.bypass(failure) {
            self.for_all = Some(failure.clone());
        }
    }

    /// Ends with what is no failure of the route.
    async fn end(&mut self, error: AttemptError) -> Result<Ending, StorageError> {
        match error {
            AttemptError::StorageError(lost) => Err(lost),
            AttemptError::Cancelled(cause) => {
                self.attempt -= 1;
                self.abandon(cause, None).await
            }
            AttemptError::Quarantine(failure, call, pair) => {
                if self.tools.dispatcher.route_failed(self.row, &failure) {
                    self.for_all = Some(failure.clone());
                }
                self.quarantine(failure, call, &pair).await
            }
            AttemptError::Failed(failure, call) => self.give_up(failure, call).await,
            AttemptError::Blocked(failure) => self.give_up(failure, None).await,
        }
    }

    /// Ends before the first attempt.
    pub(super) async fn end_early(&mut self, error: AttemptError) -> Result<Ending, StorageError> {
        self.attempt += 1;
        self.end(error).await
    }

    /// Whether HighLevel has given an answer in this execution that is no sign of an outage.
    fn known_good(&self) -> KnownGood {
        if self.tools.dispatcher.has_been_good(Stage::Reconnect) {
            KnownGood::Known
        } else {
            KnownGood::Unknown
        }
    }

    /// One attempt; alone on its route until an answer has proven the route.
    async fn attempt_alone_until_proven(&mut self, route: Route) -> Result<(), AttemptError> {
        let tools = self.tools;
        self.enter(WaitingFor::Outage);
        let _turn = tokio::select! {
            biased;
            cause = tools.cancellation.cancelled() => return Err(AttemptError::Cancelled(cause)),
            turn = tools.dispatcher.wait_for_route(route, self.row) => turn,
        };
        self.check_open(route).map_err(AttemptError::Blocked)?;
        let attempted = self.attempt(route).await;
        match &attempted {
            Err(AttemptError::Failed(failure, _)) if failure.class == Class::EndpointRemoved => {
                // A proven route is judged by several installations.
                if !tools.dispatcher.is_proven(route) {
                    tools.routes.learn(route, failure);
                }
            }
            Ok(()) | Err(AttemptError::Quarantine(..)) => tools.dispatcher.prove(route),
            Err(AttemptError::Failed(failure, _)) if failure.http_status.is_some() => {
                tools.dispatcher.prove(route);
            }
            Err(_) => {}
        }
        attempted
    }

    /// One attempt, up to tokens on disk.
    async fn attempt(&mut self, route: Route) -> Result<(), AttemptError> {
        let granted = steps_of(route).attempt(self).await?;
        self.enter(WaitingFor::Disk);
        let client_id = &self.tools.client.credentials().client_id;
        match granted.pair.belongs_to(self.installation, client_id) {
            Ok(()) => self.store_tokens(granted).await,
            Err(mismatch) => Err(wrong_tenant(&mismatch, granted)),
        }
    }

    /// Whether a failure only repeats a throttle that another installation has met, and so costs no
    /// attempt. An installation that fails alone gives up after its own attempts.
    fn costs_no_attempt(&self, failure: &Failure) -> bool {
        let is_repeated_429 = failure.class == Class::RateLimited && self.is_repeated_429;
        is_repeated_429 && self.uncounted_retries < self.tools.attempts
    }
}

fn wrong_tenant(mismatch: &Mismatch, granted: Granted) -> AttemptError {
    let Granted { route, pair, call, .. } = granted;
    let failure = Failure {
        http_status: call.http_status,
        trace_id: call.trace_id.clone(),
        ..Failure::without_answer(route.grants_at(), mismatch.class, &mismatch.message)
    };
    AttemptError::Quarantine(failure, call, Box::new(pair))
}
