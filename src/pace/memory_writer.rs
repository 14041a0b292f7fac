//! The thread that writes the memory, so that a hanging file system delays no start.

use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use super::memory::{Memory, Promise, Remembered};

/// How a save went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SaveResult {
    /// It is in the file, with this promise.
    Saved(Option<Promise>),
    /// The file cannot be written.
    Failed,
}

/// Handle of the thread.
#[derive(Debug)]
pub(super) struct MemoryWriter {
    /// One save at a time.
    queue: SyncSender<Remembered>,
}

impl MemoryWriter {
    /// Starts the thread, which ends after this is dropped. `on_saved` is called after each save.
    pub(super) fn start(
        memory: Memory,
        on_saved: impl Fn(SaveResult) + Send + 'static,
        ended: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, savings) = sync_channel(1);
        let work = move || {
            keep_all(&memory, &savings, on_saved);
            ended();
        };
        thread::Builder::new().name("memory".into()).spawn(work)?;
        Ok(Self { queue })
    }

    /// Asks for a save. Returns whether the thread accepted it.
    pub(super) fn keep(&self, remembered: Remembered) -> bool {
        self.queue.try_send(remembered).is_ok()
    }

    /// Asks for the last save, once the thread accepts it.
    pub(super) fn keep_last(&self, remembered: Remembered) {
        // The thread is gone, and nothing can be saved.
        let _ = self.queue.send(remembered);
    }
}

fn keep_all(memory: &Memory, savings: &Receiver<Remembered>, on_saved: impl Fn(SaveResult)) {
    for remembered in savings {
        let promise = remembered.promise;
        on_saved(
            memory.keep(&remembered).map_or(SaveResult::Failed, |()| SaveResult::Saved(promise)),
        );
    }
}
