//! The way of the agency: its token gives its sub-accounts theirs.

use super::{
    Granted, Recovery, Setback,
    listen::{call_of, call_without_answer, no_answer},
    roads,
};
use crate::{
    agency_tokens::Held,
    clock::Moment,
    highlevel::{
        agency::{self, Concern},
        failure::Stage,
        tokens,
    },
    pace::Lane,
    watchdog::Step,
    way::Way,
};

impl Recovery<'_> {
    /// One request for a location token.
    pub(super) async fn converse_by_agency(&mut self) -> Result<Granted, Setback> {
        self.turn_to_other().await?;
        // The agency's token may have been refused while this installation waited.
        self.tools.roads.open_to(Way::Agency, self.job).map_err(Setback::Blocked)?;
        let agency = self
            .installation
            .company
            .as_ref()
            .map(|company| (company, self.tools.roads.agencies().get(company)));
        let Some((company, Held::Usable(token))) = agency else {
            return Err(Setback::Blocked(roads::no_way()));
        };
        self.enter(Step::Agency);
        let sent = Moment::now();
        let location = &self.installation.id;
        match self.tools.client.location_token(&token, company, location).await {
            Ok(reply) => {
                self.heed(Lane::Other, &reply).await?;
                let call = call_of(&reply);
                self.token_trace_id.clone_from(&call.trace_id);
                match tokens::location_tokens_of(&reply, company) {
                    Ok(pair) => {
                        self.went_well(Stage::Agency).await?;
                        let (received, way) = (reply.received, Way::Agency);
                        Ok(Granted { way, pair, call, received, code: None })
                    }
                    Err(failure) => {
                        if agency::concern(&failure) == Concern::Agency {
                            self.tools.roads.agencies().refuse(company, &token, &failure);
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
}
