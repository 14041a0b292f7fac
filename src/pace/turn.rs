//! What the pacer hands out: a turn to start a request, a permit to prepare one, a reservation for an
//! exchange. Each is given back on drop.

use std::{sync::Arc, time::Instant};

use super::{limiter::TurnId, queue::SharedQueue};
use crate::highlevel::client::MayLeave;

/// A turn to start one request. The start is counted when the request's first byte leaves; a turn
/// dropped before that is given back.
#[derive(Debug)]
pub struct Turn {
    pub(super) id: TurnId,
    pub(super) queue_handle: Arc<SharedQueue>,
    pub(super) state: TurnState,
}

/// Whether the request of a turn has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnState {
    Open,
    Used,
}

impl Turn {
    /// The first byte of the request leaves now. Refused if the process was suspended past its promise
    /// to the next run.
    pub fn leave(mut self, now: Instant) -> MayLeave {
        let left = self.queue_handle.change(|queue| {
            let may_leave = queue.may_start(now);
            if may_leave {
                queue.limiter.leave(self.id, now);
            }
            may_leave
        });
        if !left {
            return MayLeave::No;
        }
        self.state = TurnState::Used;
        MayLeave::Yes
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.state == TurnState::Open {
            self.queue_handle.change(|queue| queue.limiter.give_back(self.id));
        }
    }
}

/// A permit to prepare a request before its turn.
#[derive(Debug)]
pub struct Preparation {
    pub(super) queue_handle: Arc<SharedQueue>,
    pub(super) since: Instant,
}

impl Drop for Preparation {
    fn drop(&mut self) {
        self.queue_handle.change(|queue| queue.limiter.preparation_ended());
    }
}

/// A start reserved for the exchange of a code.
#[derive(Debug)]
pub struct Reservation(pub(super) Arc<SharedQueue>);

impl Drop for Reservation {
    fn drop(&mut self) {
        self.0.change(|queue| queue.limiter.release_reservation());
    }
}
