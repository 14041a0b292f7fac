//! The pacer's thread: hands out turns, and renews the promise that the next run relies on.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use super::{
    memory::Promise,
    memory_writer::MemoryWriter,
    queue::{MemorySave, Promised, Queue, SharedQueue},
};

/// Between two saves of the memory.
const REMEMBER_EVERY: Duration = Duration::from_secs(1);

/// How long a promise lasts: a save may take this long without delaying requests.
const PROMISED_FOR: Duration = Duration::from_secs(5);

/// Checks without a promise before the memory is given up. Checks are counted rather than time, which
/// passes while the process is suspended.
const CHECKS_FOR_PROMISE: u32 = 40;

/// The pacer's thread: gives each turn to the request that is first at that moment.
pub(super) struct PacerThread {
    queue_handle: Arc<SharedQueue>,
    memory_writer: Option<MemoryWriter>,
    saved_at: Option<Instant>,
    checks: u32,
}

impl PacerThread {
    pub(super) fn new(queue_handle: Arc<SharedQueue>, memory_writer: Option<MemoryWriter>) -> Self {
        Self { queue_handle, memory_writer, saved_at: None, checks: 0 }
    }

    /// Hands out turns until the pacer is closed.
    pub(super) fn run(mut self) {
        let queue_handle = self.queue_handle.clone();
        let mut queue = queue_handle.lock();
        while queue.is_open {
            self.save(&mut queue);
            queue = match queue.serve() {
                Ok(()) => queue,
                Err(wait) => {
                    let wait = wait.unwrap_or(REMEMBER_EVERY).min(REMEMBER_EVERY);
                    let woken = queue_handle.changed.wait_timeout(queue, wait);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        let last = queue.remembered(None);
        drop(queue);
        if let Some(memory_writer) = &self.memory_writer {
            memory_writer.keep_last(last);
        }
    }

    /// Renews the promise in time. A memory that cannot be written is given up: no run fails for it.
    fn save(&mut self, queue: &mut Queue) {
        let Some(memory_writer) = &self.memory_writer else { return };
        let now = Instant::now();
        let is_overdue = !queue.may_start(now);
        if queue.saving == MemorySave::UnderWay {
            self.checks = if is_overdue { self.checks + 1 } else { 0 };
            if self.checks > CHECKS_FOR_PROMISE {
                queue.promised = Promised::Nothing;
            }
            return;
        }
        let is_due = self.saved_at.is_none_or(|at| now.duration_since(at) >= REMEMBER_EVERY);
        if is_due || is_overdue {
            let at_most = queue.limiter.at_most_within(PROMISED_FOR);
            let promise = Promise { until: now + PROMISED_FOR, at_most };
            if memory_writer.keep(queue.remembered(Some(promise))) {
                queue.saving = MemorySave::UnderWay;
            }
            (self.saved_at, self.checks) = (Some(now), 0);
        }
    }
}
