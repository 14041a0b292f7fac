//! What precedes the first byte of a request, in this order: its preparation, what has to be on disk,
//! its connection, its turn, and a last check that it is still wanted.

use super::{
    observe::{call_without_answer, no_answer},
    recovery::{AttemptError, Recovery},
};
use crate::{
    clock::Moment,
    engine::{cancellation::Cancellation, watchdog::WaitingFor},
    failure::Stage,
    highlevel::client::{Connection, Departure, MayLeave, Unanswered},
    pace::{Clearance, Lane, Preparation, Readying, Reservation},
};

impl Recovery<'_> {
    /// Waits until a request may be prepared. After a cancellation none is.
    pub(crate) async fn preparation(&self) -> Result<Preparation, AttemptError> {
        self.enter(WaitingFor::TurnToReconnect);
        tokio::select! {
            biased;
            cause = self.tools.cancellation.cancelled() => Err(AttemptError::Cancelled(cause)),
            preparation = self.tools.pacer.preparation() => Ok(preparation),
        }
    }

    /// Prepares a request that no other has to follow, and waits for its turn.
    pub(crate) async fn clear(
        &mut self,
        stage: Stage,
        readying: Readying,
    ) -> Result<Departure, AttemptError> {
        let cleared = self.clear_in(Lane::Other, stage, readying).await?;
        Ok(cleared.depart(unless_cancelled(&self.tools.cancellation)).0)
    }

    /// Prepares a reconnect and waits for its turn. If the server closes each connection after an
    /// answer, the connection for the exchange is made first.
    pub(crate) async fn clear_for_code(
        &mut self,
    ) -> Result<(Departure, Reservation, Option<Connection>), AttemptError> {
        let preparation = self.preparation().await?;
        if self.tools.pacer.codes_would_expire() {
            // A sync that takes longer than a code lives would let this one die too.
            self.enter(WaitingFor::Disk);
            self.tools.recorder.settle().await?;
            self.enter(WaitingFor::TurnToReconnect);
        }
        let client = &self.tools.client;
        let spare = if client.connections_are_closed_after_use() {
            client.connection().await.ok()
        } else {
            None
        };
        let readying = Readying::Ahead(preparation);
        let cleared = self.clear_in(Lane::Reconnect, Stage::Reconnect, readying).await?;
        let (departure, reservation) = cleared.depart(unless_cancelled(&self.tools.cancellation));
        match reservation {
            Some(reservation) => Ok((departure, reservation, spare)),
            None => Err(self.held_back()),
        }
    }

    async fn clear_in(
        &mut self,
        lane: Lane,
        stage: Stage,
        readying: Readying,
    ) -> Result<Clearance, AttemptError> {
        let tools = self.tools;
        let cleared = tokio::select! {
            biased;
            cause = tools.cancellation.cancelled() => return Err(AttemptError::Cancelled(cause)),
            cleared = tools.pacer.clear(&tools.client, lane, None, readying) => cleared,
        };
        match cleared {
            Ok(cleared) => Ok(cleared),
            Err(unanswered) => Err(self.unanswered(lane, stage, &Moment::now(), unanswered).await),
        }
    }

    /// The error of a request without an answer.
    pub(crate) async fn unanswered(
        &mut self,
        lane: Lane,
        stage: Stage,
        sent: &Moment,
        unanswered: Unanswered,
    ) -> AttemptError {
        if matches!(unanswered, Unanswered::HeldBack) {
            return self.held_back();
        }
        self.observe_no_answer(lane, sent);
        let failure = no_answer(stage, unanswered);
        self.failed(failure, call_without_answer(sent)).await
    }

    /// Nothing was sent: the run was cancelled, or the process was suspended past its promise to the
    /// next run.
    fn held_back(&self) -> AttemptError {
        match self.tools.cancellation.cause() {
            Some(cause) => AttemptError::Cancelled(cause),
            None => AttemptError::Failed(no_answer(Stage::Reconnect, Unanswered::HeldBack), None),
        }
    }
}

/// Holds a request back, up to its first byte, once the run is cancelled.
fn unless_cancelled(
    cancellation: &Cancellation,
) -> impl FnOnce(&Moment) -> MayLeave + Send + 'static {
    let cancellation = cancellation.clone();
    move |_| if cancellation.cause().is_none() { MayLeave::Yes } else { MayLeave::No }
}
