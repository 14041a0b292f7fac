//! A request on its way to its first byte: prepared, then its turn, then a last check.

use std::time::Instant;

use super::{
    answer::Lane,
    pacer::Pacer,
    queue::QueueEnd,
    turn::{Preparation, Reservation, Turn},
};
use crate::{
    clock::Moment,
    highlevel::client::{Client, Connection, Departure, MayLeave, Unanswered},
};

/// A request that may leave: its connection is ready and its turn has come.
#[derive(Debug)]
pub struct Clearance {
    connection: Connection,
    turn: Turn,
    reservation: Option<Reservation>,
}

impl Clearance {
    /// What the request leaves with. `judge` decides when its first byte is about to leave; the start is
    /// counted then, or the turn given back.
    pub fn depart(
        self,
        judge: impl FnOnce(&Moment) -> MayLeave + Send + 'static,
    ) -> (Departure, Option<Reservation>) {
        let Self { connection, turn, reservation } = self;
        let leave = move |now: &Moment| match judge(now) {
            MayLeave::Yes => turn.leave(now.instant()),
            MayLeave::No => MayLeave::No,
        };
        (Departure { connection, leave: Box::new(leave) }, reservation)
    }
}

/// How a request is prepared, and since when.
#[derive(Debug)]
pub enum Readying {
    /// Ahead of its turn.
    Ahead(Preparation),
    /// An exchange, whose code came at this time.
    Code(Instant),
    /// A repetition.
    Again,
}

impl Pacer {
    /// Prepares a request and waits for its turn: on the held connection while that is fresh, else on
    /// another. Nothing waits between the turn and the first byte.
    pub async fn clear(
        &self,
        client: &Client,
        lane: Lane,
        held: Option<Connection>,
        readying: Readying,
    ) -> Result<Clearance, Unanswered> {
        let mut held = held.filter(Connection::is_fresh);
        let mut end = QueueEnd::Back;
        loop {
            let connection = match held.take() {
                Some(connection) => connection,
                None => match client.connection().await {
                    Ok(connection) => connection,
                    Err(unanswered) => return Err(self.count_as_start(lane, unanswered).await),
                },
            };
            if end == QueueEnd::Back {
                self.record_preparation(&readying);
            }
            let (turn, reservation) = match lane {
                Lane::Reconnect => {
                    let (turn, reservation) = self.turn_to_reconnect(end).await;
                    (turn, Some(reservation))
                }
                Lane::Exchange | Lane::Other => (self.turn(lane, end).await, None),
            };
            if connection.is_fresh() {
                return Ok(Clearance { connection, turn, reservation });
            }
            // The connection was closed meanwhile: the turn goes to the next request that is ready.
            end = QueueEnd::Front;
        }
    }

    /// A failed connection counts as a start, so that connections are tried no faster than requests.
    async fn count_as_start(&self, lane: Lane, unanswered: Unanswered) -> Unanswered {
        let lane = if lane == Lane::Reconnect { Lane::Other } else { lane };
        self.turn(lane, QueueEnd::Back).await.leave(Instant::now());
        unanswered
    }

    fn record_preparation(&self, readying: &Readying) {
        let limiter = &mut self.queue_handle.lock().limiter;
        match readying {
            Readying::Ahead(preparation) => limiter.record_preparation(preparation.since.elapsed()),
            Readying::Code(came) => limiter.code_readied_in(came.elapsed()),
            Readying::Again => {}
        }
    }
}
