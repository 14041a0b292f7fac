//! The route `agency`: the token of an agency gives its sub-accounts theirs.

use futures::future::BoxFuture;

use super::{
    observe::call_of,
    open_routes::{OpenRoutes, missing},
    recovery::{AttemptError, Granted, Recovery},
    route_steps::{Attempt, RouteSteps},
};
use crate::{
    clock::{self, Moment},
    engine::{job::Job, watchdog::WaitingFor},
    event::{Event, Requesting, Unsent},
    failure::{Failure, Stage},
    highlevel::{
        agency::{self, Concern},
        client::Unanswered,
        reply::Reply,
        tokens,
    },
    installation::{Id, Installation, Scope},
    journal::writer::StorageError,
    pace::{Lane, Readying},
    route::Route,
    secret::Secret,
    settings::agency_tokens::Held,
};

/// See [`Route::Agency`].
pub(super) struct AgencyRoute;

impl RouteSteps for AgencyRoute {
    /// The agencies of the list come first: their tokens serve their sub-accounts.
    fn prepare<'a>(&self, recovery: &'a mut Recovery<'_>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if recovery.installation.scope == Scope::Location {
                recovery.wait_for_agencies().await;
            }
        })
    }

    fn check_open(&self, routes: &OpenRoutes, job: &Job) -> Result<(), Failure> {
        usable_token(routes, &job.installation).map(drop)
    }

    fn can_be_opened(&self, scope: Scope) -> bool {
        scope == Scope::Location
    }

    fn attempt<'a>(&self, recovery: &'a mut Recovery<'_>) -> Attempt<'a> {
        Box::pin(recovery.attempt_agency())
    }
}

/// The token of an installation's agency, and the agency.
fn usable_token<'a>(
    routes: &OpenRoutes,
    installation: &'a Installation,
) -> Result<(&'a Id, Secret), Failure> {
    let missing = |why: &str| Err(missing(why));
    if installation.scope == Scope::Company {
        return missing("an agency has no agency that could ask for its tokens");
    }
    let Some(company) = &installation.company else {
        return missing("the list does not say which agency (company id) it belongs to");
    };
    match routes.agencies().get(company) {
        Held::Usable(token) => Ok((company, token)),
        Held::Missing => missing(&format!(
            "no agency token for company {company}: give --agency-tokens, or put the agency into the list"
        )),
        Held::Expired(at) => missing(&format!(
            "the token of agency {company} has expired at {}: give a fresh one with --agency-tokens",
            clock::stamp(at)
        )),
        Held::Refused(failure) => missing(&format!(
            "the token of agency {company} was refused ({}): give another one with --agency-tokens",
            failure.message
        )),
    }
}

impl Recovery<'_> {
    /// One request for a location token.
    async fn attempt_agency(&mut self) -> Result<Granted, AttemptError> {
        let preparation = self.preparation().await?;
        // The route may have been closed, or the token refused, while this installation waited.
        self.tools.routes.check_not_closed(Route::Agency).map_err(AttemptError::Blocked)?;
        let (company, token) =
            usable_token(&self.tools.routes, self.installation).map_err(AttemptError::Blocked)?;
        self.announce_request().await?;
        let departure = match self.clear(Stage::Agency, Readying::Ahead(preparation)).await {
            Ok(departure) => departure,
            Err(error) => return Err(self.not_requested(error).await?),
        };
        self.enter(WaitingFor::Answer(Stage::Agency));
        let sent = Moment::now();
        let location = &self.installation.id;
        match self.tools.client.location_token(departure, &token, company, location).await {
            Ok(reply) => self.judge_agency(&reply, company, &token).await,
            Err(unanswered) => {
                let is_unsent = matches!(unanswered, Unanswered::HeldBack);
                let error = self.unanswered(Lane::Other, Stage::Agency, &sent, unanswered).await;
                Err(if is_unsent { self.not_requested(error).await? } else { error })
            }
        }
    }

    async fn judge_agency(
        &mut self,
        reply: &Reply,
        company: &Id,
        token: &Secret,
    ) -> Result<Granted, AttemptError> {
        self.observe(Lane::Other, reply).await?;
        let call = call_of(reply);
        self.token_trace_id.clone_from(&call.trace_id);
        match tokens::location_tokens_of(reply, company) {
            Ok(pair) => {
                self.went_well(Stage::Agency).await?;
                let (received, route) = (reply.received, Route::Agency);
                Ok(Granted { route, pair, call, received, code: None })
            }
            Err(failure) => {
                if agency::concern(&failure) == Concern::Agency {
                    self.tools.routes.agencies().refuse(company, token, &failure);
                }
                Err(self.failed(failure, call).await)
            }
        }
    }

    /// Records the request before it leaves, so that a lost answer is known as a lost grant even after
    /// a power cut.
    async fn announce_request(&self) -> Result<(), StorageError> {
        let requesting = Requesting {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
        };
        self.enter(WaitingFor::Disk);
        self.tools.recorder.record_durably(Event::Requesting(requesting)).await
    }

    /// Records that nothing was sent after all.
    async fn not_requested(&self, error: AttemptError) -> Result<AttemptError, StorageError> {
        let (row, id, at) = (self.row, self.installation.id.clone(), clock::now());
        self.tools.recorder.record(Event::Unsent(Unsent { row, id, at })).await?;
        Ok(error)
    }
}
