//! The way of the agency: its token gives its sub-accounts theirs.

use super::{AttemptError, Granted, Recovery, observe::call_of, routes};
use crate::{
    clock::{self, Moment},
    engine::watchdog::Step,
    event::{Event, Requesting, Unsent},
    failure::Stage,
    highlevel::{
        agency::{self, Concern},
        client::Unanswered,
        tokens,
    },
    journal::writer::StorageError,
    pace::{Lane, Readying},
    route::Route,
    settings::agency_tokens::Held,
};

impl Recovery<'_> {
    /// One request for a location token.
    pub(crate) async fn attempt_agency(&mut self) -> Result<Granted, AttemptError> {
        let preparation = self.preparation().await?;
        // The agency's token may have been refused while this installation waited.
        self.tools.routes.check_open(Route::Agency, self.job).map_err(AttemptError::Blocked)?;
        let agency = self
            .installation
            .company
            .as_ref()
            .map(|company| (company, self.tools.routes.agencies().get(company)));
        let Some((company, Held::Usable(token))) = agency else {
            return Err(AttemptError::Blocked(routes::no_route()));
        };
        self.announce_request().await?;
        let departure = match self.clear(Stage::Agency, Readying::Ahead(preparation)).await {
            Ok(departure) => departure,
            Err(error) => return Err(self.not_requested(error).await?),
        };
        self.enter(Step::Agency);
        let sent = Moment::now();
        let location = &self.installation.id;
        match self.tools.client.location_token(departure, &token, company, location).await {
            Ok(reply) => {
                self.observe(Lane::Other, &reply).await?;
                let call = call_of(&reply);
                self.token_trace_id.clone_from(&call.trace_id);
                match tokens::location_tokens_of(&reply, company) {
                    Ok(pair) => {
                        self.went_well(Stage::Agency).await?;
                        let (received, route) = (reply.received, Route::Agency);
                        Ok(Granted { route, pair, call, received, code: None })
                    }
                    Err(failure) => {
                        if agency::concern(&failure) == Concern::Agency {
                            self.tools.routes.agencies().refuse(company, &token, &failure);
                        }
                        Err(self.failed(failure, call).await)
                    }
                }
            }
            Err(unanswered) => {
                let is_unsent = matches!(unanswered, Unanswered::HeldBack);
                let error = self.unanswered(Lane::Other, Stage::Agency, &sent, unanswered).await;
                Err(if is_unsent { self.not_requested(error).await? } else { error })
            }
        }
    }

    /// Should the answer get lost, in a power cut too, this is how one knows of a lost grant.
    async fn announce_request(&self) -> Result<(), StorageError> {
        let requesting = Requesting {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
        };
        self.enter(Step::Disk);
        self.tools.recorder.record_durably(Event::Requesting(requesting)).await
    }

    /// Nothing was sent after all.
    async fn not_requested(&self, error: AttemptError) -> Result<AttemptError, StorageError> {
        let (row, id, at) = (self.row, self.installation.id.clone(), clock::now());
        self.tools.recorder.record(Event::Unsent(Unsent { row, id, at })).await?;
        Ok(error)
    }
}
