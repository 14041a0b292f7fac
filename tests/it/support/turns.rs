//! Which tests may run at the same time.

use std::{
    cell::Cell,
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// Tests share it; a test of times has it alone, so that no other test's work shifts its times.
pub(super) static TURN: RwLock<()> = RwLock::new(());

/// Held while a test works; nobody looks at it.
pub(super) struct Turn {
    pub(super) _shared: Option<RwLockReadGuard<'static, ()>>,
    pub(super) _alone: Option<RwLockWriteGuard<'static, ()>>,
}

thread_local! {
    /// Whether this thread has a work directory.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

/// A second turn would wait for a test that waits for the first one, for ever.
pub(super) fn take_turn() {
    assert!(!AT_WORK.replace(true), "a test has one work directory at a time: drop the first");
}

impl Drop for Turn {
    fn drop(&mut self) {
        AT_WORK.set(false);
    }
}
