//! The way of the Reconnect API: ask for a code, present it at once.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{
    CodeTimes, Granted, Recovery, Setback,
    listen::{call_of, call_without_answer, no_answer},
};
use crate::{
    clock::{self, Moment},
    event::{Call, Event, Exchanging, Retrying},
    highlevel::{
        client::{Presentation, Reply},
        failure::{Class, Failure, Stage},
        grant::{self, CodeLife, Grant},
        tokens,
    },
    pace::{Lane, Place},
    secret::AuthorizationCode,
    watchdog::Step,
    way::Way,
};

/// The wait before a code that never left is presented again.
const NEVER_LEFT_WAIT: Duration = Duration::from_millis(200);

/// How often a code that never left is presented in one conversation.
const NEVER_LEFT_TRIES: u32 = 10;

impl Recovery<'_> {
    /// One code, one exchange.
    pub(super) async fn converse_by_code(&mut self) -> Result<Granted, Setback> {
        let (grant, reconnect, place) = self.ask_for_code().await?;
        let exchanging = Exchanging {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
            reconnect,
            code_expires_at: grant.expires_at.map(clock::to_millisecond),
        };
        // Were the process killed after the exchange, this is how one knows of a lost grant.
        self.enter(Step::Disk);
        self.tools.recorder.tell_first(Event::Exchanging(exchanging)).await?;
        self.exchange(grant, place).await
    }

    async fn ask_for_code(&mut self) -> Result<(Grant, Call, Place), Setback> {
        let place = self.turn_to_reconnect().await?;
        // The endpoint may have been found gone while this one waited.
        self.tools.roads.open_to(Way::Reconnect, self.job).map_err(Setback::Blocked)?;
        self.enter(Step::Reconnect);
        let sent = Moment::now();
        let answer = self.tools.client.reconnect(self.installation).await;
        match answer {
            Ok(reply) => {
                self.heed(Lane::Reconnect, &reply).await?;
                let call = call_of(&reply);
                self.reconnect_trace_id.clone_from(&call.trace_id);
                match grant::grant_of(&reply) {
                    Ok(grant) => {
                        let call = Call { trace_id: grant.trace_id.clone(), ..call };
                        self.reconnect_trace_id.clone_from(&call.trace_id);
                        self.trace_ids.extend(call.trace_id.clone());
                        self.went_well(Stage::Reconnect).await?;
                        self.tools
                            .pacer
                            .code_lives(grant.life.left(&reply.received).unwrap_or_default());
                        Ok((grant, call, place))
                    }
                    Err(failure) => Err(self.failed(failure, call).await),
                }
            }
            Err(unanswered) => {
                self.heed_silence(Lane::Reconnect, &sent);
                let failure = no_answer(Stage::Reconnect, unanswered);
                Err(self.failed(failure, call_without_answer(&sent)).await)
            }
        }
    }

    /// Presents the code; as long as it never leaves, again, while it lives.
    async fn exchange(&mut self, grant: Grant, place: Place) -> Result<Granted, Setback> {
        let Grant { mut code, life, .. } = grant;
        let mut place = Some(place);
        for _ in 0..NEVER_LEFT_TRIES {
            let (sent, margin) = self.turn_to_exchange(&life).await?;
            place.take();
            self.enter(Step::Exchange);
            match self.tools.client.exchange(code, self.installation.scope).await {
                Presentation::Answered(reply) => {
                    return self.judge_exchange(&reply, life.age(&sent), margin).await;
                }
                Presentation::InDoubt(doubt) => {
                    self.heed_silence(Lane::Exchange, &sent);
                    let failure = no_answer(Stage::Exchange, doubt);
                    return Err(self.failed(failure, call_without_answer(&sent)).await);
                }
                Presentation::NeverLeft(same, why) => {
                    code = self.wait_with_code(same, &why, &sent).await?;
                }
            }
        }
        let why = "no connection for the exchange, several times in a row";
        Err(Setback::Failed(Failure::without_answer(Stage::Exchange, Class::Network, why), None))
    }

    async fn judge_exchange(
        &mut self,
        reply: &Reply,
        age: Duration,
        margin: Duration,
    ) -> Result<Granted, Setback> {
        self.heed(Lane::Exchange, reply).await?;
        let call = call_of(reply);
        self.token_trace_id.clone_from(&call.trace_id);
        match tokens::tokens_of(reply) {
            Ok(pair) => {
                self.went_well(Stage::Exchange).await?;
                let call = Call { trace_id: pair.trace_id.clone(), ..call };
                self.token_trace_id.clone_from(&call.trace_id);
                let times =
                    CodeTimes { age_ms: clock::millis(age), margin_ms: clock::millis(margin) };
                let received = reply.received;
                Ok(Granted { way: Way::Reconnect, pair, call, received, code: Some(times) })
            }
            Err(failure) => Err(self.failed(failure, call).await),
        }
    }

    /// Waits for a start in the lane for new codes; a run that is to end asks for no more.
    async fn turn_to_reconnect(&self) -> Result<Place, Setback> {
        self.enter(Step::TurnToReconnect);
        tokio::select! {
            biased;
            cause = self.tools.stop.requested() => Err(Setback::Stopped(cause)),
            place = self.tools.pacer.turn_to_reconnect() => Ok(place),
        }
    }

    /// Waits for a start in the lane for codes in hand, no longer than the code lives, and looks at
    /// the code again after it.
    async fn turn_to_exchange(&self, life: &CodeLife) -> Result<(Moment, Duration), Setback> {
        self.enter(Step::TurnToExchange);
        let left = life.left(&Moment::now()).unwrap_or_default();
        let turn = timeout(left, self.tools.pacer.turn_to_exchange()).await;
        let now = Moment::now();
        match (turn, life.left(&now)) {
            (Ok(()), Some(margin)) => Ok((now, margin)),
            _ => Err(Setback::Failed(past_its_life(), None)),
        }
    }

    async fn wait_with_code(
        &self,
        code: AuthorizationCode,
        why: &str,
        sent: &Moment,
    ) -> Result<AuthorizationCode, Setback> {
        let retrying = Retrying {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
            failure: Failure::without_answer(Stage::Exchange, Class::Network, why),
            call: Some(call_without_answer(sent)),
            wait_ms: Some(clock::millis(NEVER_LEFT_WAIT)),
        };
        self.tools.recorder.tell(Event::Retrying(retrying)).await?;
        sleep(NEVER_LEFT_WAIT).await;
        Ok(code)
    }
}

fn past_its_life() -> Failure {
    let why = "the code was past its life before it could be presented";
    Failure::without_answer(Stage::Exchange, Class::CodeExpired, why)
}
