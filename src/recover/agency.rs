//! The way of the agency: its token gives its sub-accounts theirs.

use super::{
    Granted, Recovery, Setback,
    listen::{call_of, call_without_answer, no_answer},
    roads,
};
use crate::{
    agency_tokens::Held,
    clock::{self, Moment},
    event::{Event, Requesting, Unsent},
    highlevel::{
        agency::{self, Concern},
        failure::Stage,
        tokens,
    },
    installation::Id,
    journal::writer::CustodyLost,
    pace::Lane,
    secret::Secret,
    watchdog::Step,
    way::Way,
};

impl Recovery<'_> {
    /// One request for a location token.
    pub(super) async fn converse_by_agency(&mut self) -> Result<Granted, Setback> {
        self.announce_request().await?;
        let (company, token) = match self.turn_to_agency().await {
            Ok(turn) => turn,
            Err(setback) => {
                let (row, id, at) = (self.row, self.installation.id.clone(), clock::now());
                self.tools.recorder.tell(Event::Unsent(Unsent { row, id, at })).await?;
                return Err(setback);
            }
        };
        self.enter(Step::Agency);
        let sent = Moment::now();
        let location = &self.installation.id;
        match self.tools.client.location_token(&token, &company, location).await {
            Ok(reply) => {
                self.heed(Lane::Other, &reply).await?;
                let call = call_of(&reply);
                self.token_trace_id.clone_from(&call.trace_id);
                match tokens::location_tokens_of(&reply, &company) {
                    Ok(pair) => {
                        self.went_well(Stage::Agency).await?;
                        let (received, way) = (reply.received, Way::Agency);
                        Ok(Granted { way, pair, call, received, code: None })
                    }
                    Err(failure) => {
                        if agency::concern(&failure) == Concern::Agency {
                            self.tools.roads.agencies().refuse(&company, &token, &failure);
                        }
                        Err(self.failed(failure, call).await)
                    }
                }
            }
            Err(unanswered) => {
                self.heed_silence(Lane::Other, &sent);
                let failure = no_answer(Stage::Agency, unanswered);
                Err(self.failed(failure, call_without_answer(&sent)).await)
            }
        }
    }

    /// Should the answer get lost, in a power cut too, this is how one knows of a lost grant.
    async fn announce_request(&self) -> Result<(), CustodyLost> {
        let requesting = Requesting {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
        };
        self.enter(Step::Disk);
        self.tools.recorder.tell_durably(Event::Requesting(requesting)).await
    }

    /// Waits for a start, and takes the agency's token as it is then.
    async fn turn_to_agency(&self) -> Result<(Id, Secret), Setback> {
        self.turn_to_other().await?;
        // The agency's token may have been refused while this installation waited.
        self.tools.roads.open_to(Way::Agency, self.job).map_err(Setback::Blocked)?;
        let company = self.installation.company.as_ref();
        match company.map(|company| (company, self.tools.roads.agencies().get(company))) {
            Some((company, Held::Usable(token))) => Ok((company.clone(), token)),
            _ => Err(Setback::Blocked(roads::no_way())),
        }
    }
}
