//! The route `reconnect`: ask the Reconnect API for a code, present it at once.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::{
    observe::{call_of, call_without_answer, no_answer},
    recovery::{AttemptError, CodeTimes, Granted, Recovery, Tools},
    route_steps::{Attempt, RouteSteps},
};
use crate::{
    clock::{self, Moment},
    engine::watchdog::WaitingFor,
    event::{Call, Event, Exchanging, Retrying},
    failure::{Class, Failure, Stage},
    highlevel::{
        client::{Connection, Departure, MayLeave, Presentation},
        grant::{self, CodeLife, Grant},
        reply::Reply,
        tokens,
    },
    pace::{Lane, Readying, Reservation},
    route::Route,
    secret::AuthorizationCode,
};

/// The wait before a code that never left is presented again.
const NEVER_LEFT_WAIT: Duration = Duration::from_millis(200);

/// How often a code that never left is presented in one attempt.
const NEVER_LEFT_TRIES: u32 = 10;

/// See [`Route::Reconnect`].
pub(super) struct ReconnectRoute;

impl RouteSteps for ReconnectRoute {
    fn attempt<'a>(&self, recovery: &'a mut Recovery<'_>) -> Attempt<'a> {
        Box::pin(recovery.attempt_reconnect())
    }
}

impl Recovery<'_> {
    /// One code, one exchange.
    async fn attempt_reconnect(&mut self) -> Result<Granted, AttemptError> {
        let Asked { grant, call: reconnect, reservation, connection, came } =
            self.ask_for_code().await?;
        let exchanging = Exchanging {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
            reconnect,
            code_expires_at: grant.expires_at.map(clock::to_millisecond),
        };
        // If the process is killed during the exchange, this event names the lost grant.
        self.enter(WaitingFor::Disk);
        self.tools.recorder.record_first(Event::Exchanging(exchanging)).await?;
        self.exchange(grant, reservation, connection, came).await
    }

    async fn ask_for_code(&mut self) -> Result<Asked, AttemptError> {
        let (departure, reservation, spare) = self.clear_for_code().await?;
        // The route may have been closed while this installation waited.
        self.tools.routes.check_not_closed(Route::Reconnect).map_err(AttemptError::Blocked)?;
        self.enter(WaitingFor::Answer(Stage::Reconnect));
        let sent = Moment::now();
        match self.tools.client.reconnect(departure, self.installation).await {
            Ok((reply, connection)) => {
                let (grant, call) = self.judge_reconnect(&reply).await?;
                let (connection, came) = (spare.unwrap_or(connection), reply.received.instant());
                Ok(Asked { grant, call, reservation, connection, came })
            }
            Err(unanswered) => {
                Err(self.unanswered(Lane::Reconnect, Stage::Reconnect, &sent, unanswered).await)
            }
        }
    }

    async fn judge_reconnect(&mut self, reply: &Reply) -> Result<(Grant, Call), AttemptError> {
        self.observe(Lane::Reconnect, reply).await?;
        let call = call_of(reply);
        self.reconnect_trace_id.clone_from(&call.trace_id);
        let grant = match grant::grant_of(reply) {
            Ok(grant) => grant,
            Err(failure) => return Err(self.failed(failure, call).await),
        };
        let call = Call { trace_id: grant.trace_id.clone(), ..call };
        self.reconnect_trace_id.clone_from(&call.trace_id);
        self.trace_ids.extend(call.trace_id.clone());
        self.went_well(Stage::Reconnect).await?;
        self.tools
            .pacer
            .observe_code_lifetime(grant.life.left(&reply.received).unwrap_or_default());
        Ok((grant, call))
    }

    /// Presents the code. While it provably never left and still lives, it is presented again. Its life
    /// is checked once more when its first byte is about to leave.
    async fn exchange(
        &mut self,
        grant: Grant,
        reservation: Reservation,
        connection: Connection,
        came: Instant,
    ) -> Result<Granted, AttemptError> {
        let Grant { mut code, life, .. } = grant;
        let (mut held, mut readying) = (Some(connection), Readying::Code(came));
        let mut reservation = Some(reservation);
        for _ in 0..NEVER_LEFT_TRIES {
            let departure = match self.clear_to_exchange(&life, held.take(), readying).await? {
                Ok(departure) => departure,
                Err(why) => {
                    readying = Readying::Again;
                    code = self.wait_with_code(code, &why, &Moment::now()).await?;
                    continue;
                }
            };
            readying = Readying::Again;
            reservation.take();
            self.enter(WaitingFor::Answer(Stage::Exchange));
            let sent = Moment::now();
            match self.tools.client.exchange(departure, code, self.installation.scope).await {
                Presentation::Answered(reply) => {
                    let margin = life.left(&reply.sent).unwrap_or_default();
                    return self.judge_exchange(&reply, life.age(&reply.sent), margin).await;
                }
                Presentation::InDoubt(doubt) => {
                    return Err(self
                        .unanswered(Lane::Exchange, Stage::Exchange, &sent, doubt)
                        .await);
                }
                Presentation::HeldBack(same) if life.left(&Moment::now()).is_some() => code = same,
                Presentation::HeldBack(_) => {
                    return Err(AttemptError::Failed(past_its_life(), None));
                }
                Presentation::NeverLeft(same, why) => {
                    code = self.wait_with_code(same, &why, &sent).await?;
                }
            }
        }
        let why = "no connection for the exchange, several times in a row";
        Err(AttemptError::Failed(
            Failure::without_answer(Stage::Exchange, Class::Network, why),
            None,
        ))
    }

    async fn judge_exchange(
        &mut self,
        reply: &Reply,
        age: Duration,
        margin: Duration,
    ) -> Result<Granted, AttemptError> {
        self.observe(Lane::Exchange, reply).await?;
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
                Ok(Granted { route: Route::Reconnect, pair, call, received, code: Some(times) })
            }
            Err(failure) => Err(self.failed(failure, call).await),
        }
    }

    /// Prepares an exchange and waits for its turn, no longer than the code lives. The inner error is
    /// why there is no connection.
    async fn clear_to_exchange(
        &self,
        life: &CodeLife,
        held: Option<Connection>,
        readying: Readying,
    ) -> Result<Result<Departure, String>, AttemptError> {
        self.enter(WaitingFor::TurnToExchange);
        let Tools { pacer, client, .. } = self.tools;
        let dead = || AttemptError::Failed(past_its_life(), None);
        let left = life.left(&Moment::now()).ok_or_else(dead)?;
        let cleared = pacer.clear(client, Lane::Exchange, held, readying);
        let life = *life;
        let judge = move |now: &Moment| match life.left(now) {
            Some(_) => MayLeave::Yes,
            None => MayLeave::No,
        };
        match timeout(left, cleared).await {
            Err(_) => Err(dead()),
            Ok(Ok(cleared)) => Ok(Ok(cleared.depart(judge).0)),
            Ok(Err(unanswered)) => {
                Ok(Err(no_answer(Stage::Exchange, unanswered).message.as_str().to_owned()))
            }
        }
    }

    async fn wait_with_code(
        &self,
        code: AuthorizationCode,
        why: &str,
        sent: &Moment,
    ) -> Result<AuthorizationCode, AttemptError> {
        let retrying = Retrying {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
            failure: Failure::without_answer(Stage::Exchange, Class::Network, why),
            call: Some(call_without_answer(sent)),
            wait_ms: Some(clock::millis(NEVER_LEFT_WAIT)),
        };
        self.tools.recorder.record(Event::Retrying(retrying)).await?;
        sleep(NEVER_LEFT_WAIT).await;
        Ok(code)
    }
}

/// A code, and what its exchange needs.
struct Asked {
    grant: Grant,
    call: Call,
    reservation: Reservation,
    connection: Connection,
    /// When the code came.
    came: Instant,
}

fn past_its_life() -> Failure {
    let why = "the code was past its life before it could be presented";
    Failure::without_answer(Stage::Exchange, Class::CodeExpired, why)
}
