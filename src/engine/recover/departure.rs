//! What goes before the first byte of a request, in this order: leave to make it ready, what has to be
//! on disk, its connection, its turn, and the last word on whether it still makes sense.

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
    /// Waits until a call that nothing has to follow may be made ready; a run that is to end makes no
    /// more.
    pub(crate) async fn preparation(&self) -> Result<Preparation, AttemptError> {
        self.enter(WaitingFor::TurnToReconnect);
        tokio::select! {
            biased;
            cause = self.tools.cancellation.cancelled() => Err(AttemptError::Cancelled(cause)),
            preparation = self.tools.pacer.preparation() => Ok(preparation),
        }
    }

    /// Makes such a call ready and waits for its turn.
    pub(crate) async fn clear(
        &mut self,
        stage: Stage,
        readying: Readying,
    ) -> Result<Departure, AttemptError> {
        let cleared = self.clear_in(Lane::Other, stage, readying).await?;
        Ok(cleared.depart(unless_cancelled(&self.tools.cancellation)).0)
    }

    /// Makes the asking for a code ready and waits for its turn. Where the server closes each
    /// connection after an answer, the one for the exchange is made before.
    pub(crate) async fn clear_for_code(
        &mut self,
    ) -> Result<(Departure, Reservation, Option<Connection>), AttemptError> {
        let preparation = self.preparation().await?;
        if self.tools.pacer.codes_come_too_late() {
            // What is being synced now would take this code's life, too.
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

    /// No answer came.
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

    /// Nothing was sent, since the run is to end, or since it was stopped for so long that the next one
    /// counts on nothing leaving any more.
    fn held_back(&self) -> AttemptError {
        match self.tools.cancellation.cause() {
            Some(cause) => AttemptError::Cancelled(cause),
            None => AttemptError::Failed(no_answer(Stage::Reconnect, Unanswered::HeldBack), None),
        }
    }
}

/// A run that is to end asks for nothing more, up to the last moment.
fn unless_cancelled(stop: &Cancellation) -> impl FnOnce(&Moment) -> MayLeave + Send + 'static {
    let stop = stop.clone();
    move |_| if stop.cause().is_none() { MayLeave::Yes } else { MayLeave::No }
}
