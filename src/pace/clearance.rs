//! The way of a request from its wish to its first byte: made ready, then its turn, then the last word.

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

/// A request that may go: its connection is ready and its turn has come.
#[derive(Debug)]
pub struct Clearance {
    connection: Connection,
    turn: Turn,
    reservation: Option<Reservation>,
}

impl Clearance {
    /// What the request goes out with. `judge` has the last word when its first byte is about to leave;
    /// the start is booked then, or the turn given back.
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

/// Since when a request has been made ready, and for whom that counts.
#[derive(Debug)]
pub enum Readying {
    /// It was let ahead of its turn, among a few.
    Ahead(Preparation),
    /// Its code came then.
    Code(Instant),
    /// It is made ready again.
    Again,
}

impl Pacer {
    /// Makes a request ready and returns when its turn has come: on the connection that is held for
    /// it, as long as that is fresh, or on another. Whatever may wait was waited for before its turn.
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
                self.note(&readying);
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
            // It was closed while it waited for its turn, which goes to whoever is ready.
            end = QueueEnd::Front;
        }
    }

    /// A connection that did not come about counts as a start: nobody is asked for connections more
    /// often than for answers.
    async fn count_as_start(&self, lane: Lane, unanswered: Unanswered) -> Unanswered {
        let lane = if lane == Lane::Reconnect { Lane::Other } else { lane };
        self.turn(lane, QueueEnd::Back).await.leave(Instant::now());
        unanswered
    }

    fn note(&self, readying: &Readying) {
        let limiter = &mut self.queue_handle.lock().limiter;
        match readying {
            Readying::Ahead(preparation) => limiter.readied_in(preparation.since.elapsed()),
            Readying::Code(came) => limiter.code_readied_in(came.elapsed()),
            Readying::Again => {}
        }
    }
}
