//! The way of the refresh token: it is spent once, and repeated only while that is safe.

use std::time::Duration;

use super::{
    Granted, Recovery, Setback,
    listen::{call_of, call_without_answer, no_answer},
};
use crate::{
    clock::{self, Moment},
    event::{Event, Refreshing},
    highlevel::{
        client::{Reply, Unanswered},
        failure::{Class, Failure, Stage},
        tokens,
    },
    pace::Lane,
    watchdog::Step,
    way::Way,
};

/// For 30 seconds the same refresh token of the same client gives the same new one again, as the API's
/// documentation says; after that it is dead. What is left of them is for the way there.
const SAME_AGAIN: Duration = Duration::from_secs(25);

impl Recovery<'_> {
    /// One presentation of the refresh token.
    pub(super) async fn converse_by_refresh(&mut self) -> Result<Granted, Setback> {
        let Some(token) = &self.job.tokens.refresh else {
            let why = "the list has no refresh token for it";
            let failure = Failure::without_answer(Stage::Refresh, Class::InvalidRequest, why);
            return Err(Setback::Blocked(failure));
        };
        self.turn_to_refresh().await?;
        let refreshing = Refreshing {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
        };
        // Were the process killed after this, the token would not be presented again.
        self.enter(Step::Disk);
        self.tools.recorder.tell_first(Event::Refreshing(refreshing)).await?;
        self.enter(Step::Refresh);
        let sent = Moment::now();
        match self.tools.client.refresh(token, self.installation.scope).await {
            Ok(reply) => self.judge_refresh(&reply).await,
            Err(unanswered) => {
                if !matches!(unanswered, Unanswered::NeverLeft(_)) {
                    self.refresh_sent.get_or_insert(sent);
                }
                self.heed_silence(Lane::Other, &sent);
                let failure = no_answer(Stage::Refresh, unanswered);
                Err(self.failed(failure, call_without_answer(&sent)).await)
            }
        }
    }

    /// A repetition is urgent; where it comes too late all the same, it is not made.
    async fn turn_to_refresh(&self) -> Result<(), Setback> {
        let Some(first) = self.refresh_sent else { return self.turn_to_other().await };
        self.enter(Step::TurnToExchange);
        self.tools.pacer.turn_to_exchange().await;
        if first.elapsed_at(&Moment::now()) < SAME_AGAIN {
            return Ok(());
        }
        let why =
            "the refresh token may have been spent without an answer, too long ago to repeat it";
        Err(Setback::Blocked(Failure::without_answer(Stage::Refresh, Class::OutcomeUnknown, why)))
    }

    async fn judge_refresh(&mut self, reply: &Reply) -> Result<Granted, Setback> {
        self.heed(Lane::Other, reply).await?;
        let call = call_of(reply);
        self.token_trace_id.clone_from(&call.trace_id);
        let failure = match tokens::tokens_at(Stage::Refresh, reply) {
            Ok(pair) => {
                self.went_well(Stage::Refresh).await?;
                let (received, way) = (reply.received, Way::Refresh);
                return Ok(Granted { way, pair, call, received, code: None });
            }
            Err(failure) => failure,
        };
        if matches!(failure.class, Class::ServerError | Class::BadAnswer) {
            self.refresh_sent.get_or_insert(reply.sent);
        }
        Err(self.failed(failure, call).await)
    }
}
