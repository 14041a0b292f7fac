//! Writes the memory in a thread of its own, so that a file system that hangs holds up no start.

use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use super::memory::{Memory, Promise, Remembered};

/// How keeping went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SaveResult {
    /// It is in the file, with this promise.
    Saved(Option<Promise>),
    /// It cannot be written: nothing depends on it.
    Failed,
}

/// The way to the memory's thread.
#[derive(Debug)]
pub(super) struct MemoryWriter {
    /// One saving at a time: the next one is asked for when this one is known to have ended.
    queue: SyncSender<Remembered>,
}

impl MemoryWriter {
    /// Starts the thread, which ends after the keeper is dropped; `tell` hears how each saving went.
    pub(super) fn start(
        memory: Memory,
        tell: impl Fn(SaveResult) + Send + 'static,
        ended: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, savings) = sync_channel(1);
        let work = move || {
            keep_all(&memory, &savings, tell);
            ended();
        };
        thread::Builder::new().name("memory".into()).spawn(work)?;
        Ok(Self { queue })
    }

    /// Asks for a saving; whether it was taken.
    pub(super) fn keep(&self, remembered: Remembered) -> bool {
        self.queue.try_send(remembered).is_ok()
    }

    /// Hands over what is kept last, once the thread takes it.
    pub(super) fn keep_last(&self, remembered: Remembered) {
        // Gone, it keeps nothing.
        let _ = self.queue.send(remembered);
    }
}

fn keep_all(memory: &Memory, savings: &Receiver<Remembered>, tell: impl Fn(SaveResult)) {
    for remembered in savings {
        let promise = remembered.promise;
        tell(memory.keep(&remembered).map_or(SaveResult::Failed, |()| SaveResult::Saved(promise)));
    }
}
