//! Which tests may run at the same time: those that measure times run apart from those that keep the
//! machine busy.

use std::{
    cell::Cell,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// What a test needs of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Processor time, whenever it gets it.
    Busy,
    /// A core as soon as it wakes up: nothing else may keep the machine busy meanwhile.
    Timed,
}

/// Timed tests that run at once. They wait most of the time.
const TIMED_AT_ONCE: usize = 6;

struct Running {
    busy: usize,
    timed: usize,
    timed_waiting: usize,
}

static RUNNING: Mutex<Running> = Mutex::new(Running { busy: 0, timed: 0, timed_waiting: 0 });
static CHANGED: Condvar = Condvar::new();

thread_local! {
    /// Whether this thread has a turn.
    static HAS_TURN: Cell<bool> = const { Cell::new(false) };
}

/// Held while a test works.
pub(super) struct Turn(Kind);

impl Turn {
    /// Waits until a test of this kind may run.
    pub(super) fn take(kind: Kind) -> Self {
        // A second turn would wait for a test that waits for the first one, for ever.
        assert!(!HAS_TURN.replace(true), "a test has one work directory at a time: drop the first");
        let mut running = lock();
        if kind == Kind::Busy {
            running = wait_while(running, |now| now.timed + now.timed_waiting > 0);
            running.busy += 1;
        } else {
            running.timed_waiting += 1;
            running = wait_while(running, |now| now.busy > 0 || now.timed == TIMED_AT_ONCE);
            running.timed_waiting -= 1;
            running.timed += 1;
        }
        Self(kind)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        HAS_TURN.set(false);
        let mut running = lock();
        match self.0 {
            Kind::Busy => running.busy -= 1,
            Kind::Timed => running.timed -= 1,
        }
        CHANGED.notify_all();
    }
}

fn lock() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait_while(
    running: MutexGuard<'static, Running>,
    mut must_wait: impl FnMut(&Running) -> bool,
) -> MutexGuard<'static, Running> {
    CHANGED.wait_while(running, |now| must_wait(now)).unwrap_or_else(PoisonError::into_inner)
}
