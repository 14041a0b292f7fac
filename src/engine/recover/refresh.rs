//! The route `refresh`: a refresh token is presented once, and repeated only while that is safe.

use std::time::Duration;

use super::{
    observe::call_of,
    open_routes::{OpenRoutes, missing},
    recovery::{AttemptError, Granted, Recovery},
    route_steps::{Attempt, RouteSteps},
};
use crate::{
    clock::{self, Moment},
    engine::{job::Job, watchdog::WaitingFor},
    event::{Event, Refreshing, Retrying},
    failure::{Class, Failure, Stage},
    highlevel::{
        client::{Departure, MayLeave, Unanswered},
        reply::Reply,
        tokens,
    },
    installation::Scope,
    pace::{Lane, Readying},
    route::Route,
};

/// For 30 seconds the same refresh token of the same client gives the same new one again, as the API's
/// documentation says; after that it is dead. The rest is for the way to the server.
const SAME_AGAIN: Duration = Duration::from_secs(25);

/// See [`Route::Refresh`].
pub(super) struct RefreshRoute;

impl RouteSteps for RefreshRoute {
    fn check_open(&self, routes: &OpenRoutes, job: &Job) -> Result<(), Failure> {
        let Some(token) = &job.tokens.refresh else {
            return Err(missing("the list has no refresh token for it"));
        };
        if let Some(at) = job.before.refresh_presented {
            let why = format!(
                "its refresh token was presented in an earlier execution of this run, at {}, without an \
                 answer, and may be spent",
                clock::stamp(at)
            );
            return Err(Failure::without_answer(Stage::Refresh, Class::OutcomeUnknown, &why));
        }
        routes
            .claim_refresh_token(token, job.row)
            .map_err(|row| missing(&format!("row {row} of the list has the same refresh token")))
    }

    fn can_be_opened(&self, _scope: Scope) -> bool {
        false
    }

    fn attempt<'a>(&self, recovery: &'a mut Recovery<'_>) -> Attempt<'a> {
        Box::pin(recovery.attempt_refresh())
    }
}

impl Recovery<'_> {
    /// One presentation of the refresh token.
    async fn attempt_refresh(&mut self) -> Result<Granted, AttemptError> {
        let Some(token) = &self.job.tokens.refresh else {
            let why = "the list has no refresh token for it";
            let failure = Failure::without_answer(Stage::Refresh, Class::InvalidRequest, why);
            return Err(AttemptError::Blocked(failure));
        };
        let departure = self.clear_for_refresh().await?;
        self.enter(WaitingFor::Answer(Stage::Refresh));
        let sent = Moment::now();
        match self.tools.client.refresh(departure, token, self.installation.scope).await {
            Ok(reply) => self.judge_refresh(&reply).await,
            Err(Unanswered::HeldBack) => Err(self.not_presented().await?),
            Err(unanswered) => {
                if !matches!(unanswered, Unanswered::NeverLeft(_)) {
                    self.refresh_sent.get_or_insert(sent);
                }
                Err(self.unanswered(Lane::Other, Stage::Refresh, &sent, unanswered).await)
            }
        }
    }

    /// Records that the token is presented, then prepares the request, so that its bytes follow its turn.
    /// If the process is killed after the record, the token is never presented again; so only requests
    /// whose turns come soon are recorded.
    async fn clear_for_refresh(&mut self) -> Result<Departure, AttemptError> {
        let repeats = self.refresh_sent;
        let readying = match repeats {
            // A repetition is urgent, and is made after a cancellation too.
            Some(_) => Readying::Again,
            None => Readying::Ahead(self.preparation().await?),
        };
        let refreshing = Refreshing {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
        };
        self.enter(WaitingFor::Disk);
        self.tools.recorder.record_first(Event::Refreshing(refreshing)).await?;
        let tools = self.tools;
        let Some(first) = repeats else {
            self.enter(WaitingFor::TurnToReconnect);
            let departure = self.clear(Stage::Refresh, readying).await;
            if matches!(departure, Err(AttemptError::Cancelled(_))) {
                self.not_presented().await?;
            }
            return departure;
        };
        self.enter(WaitingFor::TurnToExchange);
        match tools.pacer.clear(&tools.client, Lane::Exchange, None, readying).await {
            Ok(cleared) => Ok(cleared.depart(move |now| if_in_time(&first, now)).0),
            Err(unanswered) => {
                let now = Moment::now();
                Err(self.unanswered(Lane::Exchange, Stage::Refresh, &now, unanswered).await)
            }
        }
    }

    /// Nothing was sent: the run was cancelled, or a repetition would have come too late.
    async fn not_presented(&mut self) -> Result<AttemptError, AttemptError> {
        if self.refresh_sent.is_some() {
            let why = "the refresh token may have been spent without an answer, too long ago to repeat it";
            let failure = Failure::without_answer(Stage::Refresh, Class::OutcomeUnknown, why);
            return Ok(AttemptError::Blocked(failure));
        }
        let why = "the refresh token was not presented: the run was to end before its turn came";
        let failure = Failure::without_answer(Stage::Refresh, Class::Network, why);
        let (row, id, at) = (self.row, self.installation.id.clone(), clock::now());
        let attempt = self.attempts().saturating_sub(1);
        let retrying = Retrying {
            row,
            id,
            attempt,
            at,
            failure: failure.clone(),
            call: None,
            wait_ms: Some(0),
        };
        self.tools.recorder.record(Event::Retrying(retrying)).await?;
        Ok(self
            .tools
            .cancellation
            .cause()
            .map_or(AttemptError::Failed(failure, None), AttemptError::Cancelled))
    }

    async fn judge_refresh(&mut self, reply: &Reply) -> Result<Granted, AttemptError> {
        self.observe(Lane::Other, reply).await?;
        let call = call_of(reply);
        self.token_trace_id.clone_from(&call.trace_id);
        let failure = match tokens::tokens_at(Stage::Refresh, reply) {
            Ok(pair) => {
                self.went_well(Stage::Refresh).await?;
                let (received, route) = (reply.received, Route::Refresh);
                return Ok(Granted { route, pair, call, received, code: None });
            }
            Err(failure) => failure,
        };
        if matches!(failure.class, Class::ServerError | Class::BadAnswer) {
            self.refresh_sent.get_or_insert(reply.sent);
        }
        Err(self.failed(failure, call).await)
    }
}

/// Holds a repetition back that comes too late, checked when its first byte is about to leave.
fn if_in_time(first: &Moment, now: &Moment) -> MayLeave {
    if first.elapsed_at(now) < SAME_AGAIN { MayLeave::Yes } else { MayLeave::No }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_leaves_in_time_or_not_at_all() {
        let first = Moment::now();
        assert_eq!(if_in_time(&first, &first), MayLeave::Yes);
        for (after, expected) in [(24_990, MayLeave::Yes), (25_000, MayLeave::No)] {
            let now = first.after(Duration::from_millis(after));
            assert_eq!(if_in_time(&first, &now), expected, "{after} ms");
        }
    }
}
