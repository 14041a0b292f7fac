//! Who waits for a turn, and who goes first: exchanges, then everything else, in the order of asking.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    answer::Lane,
    limiter::{Limiter, TurnId},
    memory::{Promise, Remembered},
    memory_writer::SaveResult,
};

/// Between two checks while nothing may start for want of a promise.
pub(super) const LOOK_FOR_PROMISE: Duration = Duration::from_millis(50);

/// The queue, shared between the handles and the thread.
#[derive(Debug)]
pub(super) struct SharedQueue {
    queue: Mutex<Queue>,
    pub(super) changed: Condvar,
}

/// Who waits for what, and the limiter that decides.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) limiter: Limiter,
    exchanges: VecDeque<Waiting>,
    others: VecDeque<Waiting>,
    preparing: VecDeque<oneshot::Sender<Instant>>,
    pub(super) promised: Promised,
    pub(super) saving: MemorySave,
    pub(super) is_open: bool,
}

type Waiting = (Lane, oneshot::Sender<TurnId>);

/// Until when requests may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promised {
    /// There is no memory: nothing is promised to the next run.
    Nothing,
    /// Nothing leaves after this moment.
    Until(Instant),
}

/// Whether the memory is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemorySave {
    None,
    UnderWay,
}

/// The end of a queue at which a request enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueueEnd {
    /// A request that had its turn and lost its connection.
    Front,
    Back,
}

impl SharedQueue {
    /// An empty queue before a limiter.
    pub(super) fn new(limiter: Limiter, promised: Promised) -> Self {
        let queue = Queue {
            limiter,
            exchanges: VecDeque::new(),
            others: VecDeque::new(),
            preparing: VecDeque::new(),
            promised,
            saving: MemorySave::None,
            is_open: true,
        };
        Self { queue: Mutex::new(queue), changed: Condvar::new() }
    }

    /// Changes the queue, and wakes the thread if a request waits.
    pub(super) fn change<T>(&self, act: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.lock();
        let result = act(&mut queue);
        if !(queue.is_empty() && queue.preparing.is_empty()) {
            self.changed.notify_all();
        }
        result
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Takes a turn at once if the queue is empty and the limiter allows it, else enters the queue.
    pub(super) fn ask(
        &mut self,
        lane: Lane,
        end: QueueEnd,
    ) -> Result<TurnId, oneshot::Receiver<TurnId>> {
        let now = Instant::now();
        if self.is_empty()
            && self.may_start(now)
            && let Ok(turn) = self.limiter.try_start(lane, now)
        {
            return Ok(turn);
        }
        let (turn, come) = oneshot::channel();
        match end {
            QueueEnd::Front => self.line(lane).push_front((lane, turn)),
            QueueEnd::Back => self.line(lane).push_back((lane, turn)),
        }
        Err(come)
    }

    pub(super) fn ask_to_prepare(&mut self) -> oneshot::Receiver<Instant> {
        let (leave, come) = oneshot::channel();
        self.preparing.push_back(leave);
        self.let_prepare();
        come
    }

    /// Lets requests be prepared whose turns will come soon.
    fn let_prepare(&mut self) {
        let now = Instant::now();
        while let Some(first) = self.preparing.front() {
            if first.is_closed() {
                self.preparing.pop_front();
                continue;
            }
            if !self.limiter.may_prepare(now) {
                return;
            }
            if let Some(leave) = self.preparing.pop_front() {
                self.limiter.preparation_began();
                if leave.send(now).is_err() {
                    self.limiter.preparation_ended();
                }
            }
        }
    }

    pub(super) fn give_back(&mut self, lane: Lane, turn: TurnId) {
        self.limiter.give_back(turn);
        if lane == Lane::Reconnect {
            self.limiter.release_reservation();
        }
    }

    pub(super) fn may_start(&self, now: Instant) -> bool {
        match self.promised {
            Promised::Nothing => true,
            Promised::Until(until) => now < until,
        }
    }

    /// A save of the memory has ended.
    pub(super) fn kept(&mut self, kept: SaveResult) {
        self.saving = MemorySave::None;
        self.promised = match (kept, self.promised) {
            (SaveResult::Saved(Some(Promise { until, .. })), Promised::Until(_)) => {
                Promised::Until(until)
            }
            (SaveResult::Failed, _) => Promised::Nothing,
            (_, promised) => promised,
        };
    }

    pub(super) fn remembered(&self, promise: Option<Promise>) -> Remembered {
        Remembered { starts: self.limiter.remembered(), promise, day: self.limiter.day() }
    }

    fn is_empty(&self) -> bool {
        self.exchanges.is_empty() && self.others.is_empty()
    }

    fn line(&mut self, lane: Lane) -> &mut VecDeque<Waiting> {
        match lane {
            Lane::Exchange => &mut self.exchanges,
            Lane::Reconnect | Lane::Other => &mut self.others,
        }
    }

    /// The lane whose turn it is: exchanges first. Requests that no longer wait are passed over.
    fn first_lane(&mut self) -> Option<Lane> {
        [&mut self.exchanges, &mut self.others].into_iter().find_map(|line| {
            while line.front().is_some_and(|(_, turn)| turn.is_closed()) {
                line.pop_front();
            }
            line.front().map(|(lane, _)| *lane)
        })
    }

    /// Gives the first request a turn. The error is how long to wait for one; `None`: until something
    /// changes.
    pub(super) fn serve(&mut self) -> Result<(), Option<Duration>> {
        self.let_prepare();
        let soon = (!self.preparing.is_empty()).then_some(LOOK_FOR_PROMISE);
        let lane = self.first_lane().ok_or(soon)?;
        let now = Instant::now();
        if !self.may_start(now) {
            return Err(Some(LOOK_FOR_PROMISE));
        }
        let turn = self.limiter.try_start(lane, now);
        let turn = turn.map_err(|wait| Some(soon.map_or(wait, |soon| soon.min(wait))))?;
        let first = self.line(lane).pop_front();
        let is_taken = first.is_some_and(|(_, first)| first.send(turn).is_ok());
        if !is_taken {
            self.give_back(lane, turn);
        }
        Ok(())
    }
}
