//! The journal's thread: takes commands in groups and gives each group to the files.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{self, Runtime},
    sync::mpsc,
    time::timeout_at,
};

use super::{
    command::{JournalCommand, TokenDocument, Wait, documents},
    fault::FirstFault,
    line_file::StorageError,
    spill::{Spill, Spilled},
    writer::{GroupFault, Writer},
};

/// Commands that one sync covers at most.
const GROUP: usize = 1024;

/// Events that nobody waits for are synced after this time: a power cut takes no older ones.
const SYNCED_WITHIN: Duration = Duration::from_millis(100);

/// Whether the tokens of a file that was deleted during the run are in a second place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unsaved {
    NotSaved,
    Saved,
}

/// How the journal's thread ended.
#[derive(Debug)]
pub struct Ended {
    /// The files, back again, unless the disk still has them.
    pub writer: Option<Writer>,
    /// The fault, if the disk failed.
    pub lost: Option<StorageError>,
    /// What became of the tokens in hand then.
    pub spilled: Spilled,
}

/// The journal's thread.
pub(super) struct Service {
    writer: Writer,
    spill: Spill,
    unsaved: Unsaved,
    fault: Arc<FirstFault>,
    /// When the events have to be synced that are not synced yet, if there are any.
    sync_at: Option<Instant>,
    /// Measures time while the thread waits for commands.
    clock: Runtime,
}

impl Service {
    pub(super) fn new(writer: Writer, spill: Spill, fault: Arc<FirstFault>) -> io::Result<Self> {
        let clock = runtime::Builder::new_current_thread().enable_time().build()?;
        let (unsaved, sync_at) = (Unsaved::NotSaved, None);
        Ok(Self { writer, spill, unsaved, fault, sync_at, clock })
    }

    /// Serves commands until every sender is dropped.
    pub(super) fn run(mut self, mut commands: mpsc::Receiver<JournalCommand>) -> Ended {
        let mut group = Vec::with_capacity(GROUP);
        while let Some(first) = self.next(&mut commands) {
            group.push(first);
            while group.len() < GROUP
                && let Ok(next) = commands.try_recv()
            {
                group.push(next);
            }
            self.serve(&mut group);
            for done in group.drain(..).filter_map(|command| command.done) {
                // The caller may be gone; what was written stays written.
                let _ = done.send(self.fault.result());
            }
            self.schedule_sync();
        }
        // Here, and not with the last event, a journal that is gone still brings the tokens to safety.
        if self.sync_at.is_some() {
            self.sync_late_events();
        }
        if self.fault.get().is_some() {
            self.save_unsaved();
        }
        let spilled = self.spill.result();
        Ended { writer: Some(self.writer), lost: self.fault.get().cloned(), spilled }
    }

    /// Waits for the next command. When it is time, syncs the events that nobody waits for.
    fn next(&mut self, commands: &mut mpsc::Receiver<JournalCommand>) -> Option<JournalCommand> {
        if let Some(at) = self.sync_at {
            let next = async { timeout_at(at.into(), commands.recv()).await };
            if at > Instant::now()
                && let Ok(next) = self.clock.block_on(next)
            {
                return next;
            }
            self.sync_late_events();
        }
        commands.blocking_recv()
    }

    fn schedule_sync(&mut self) {
        let is_due = self.fault.get().is_none() && self.writer.has_unsynced_events();
        let at = || Instant::now() + SYNCED_WITHIN;
        self.sync_at = is_due.then(|| self.sync_at.unwrap_or_else(at));
    }

    fn sync_late_events(&mut self) {
        self.sync_at = None;
        if let Err(fault) = self.writer.sync_events() {
            self.fault.report(fault);
            self.writer.retreat_events();
        }
    }

    fn serve(&mut self, group: &mut [JournalCommand]) {
        if self.fault.get().is_some() {
            return self.save(group);
        }
        let ahead = self.writer.write_ahead(group);
        if ahead.is_ok() {
            for command in group.iter_mut().filter(|command| command.wait == Wait::UntilWritten) {
                // The caller may be gone.
                let _ = command.done.take().map(|done| done.send(Ok(())));
            }
        }
        match ahead.map_err(GroupFault::Ahead).and_then(|()| self.writer.commit(group)) {
            Ok(()) => {}
            Err(GroupFault::Events(lost)) => {
                self.fault.report(lost);
                self.writer.retreat_events();
            }
            Err(GroupFault::Ahead(lost)) => {
                self.fault.report(lost);
                self.writer.retreat_events();
                self.save(group);
            }
            Err(GroupFault::Documents(lost)) => {
                self.fault.report(lost);
                self.writer.retreat_documents();
                self.save(group);
            }
        }
    }

    /// When the folder was deleted during the run, the tokens of the whole run are saved. Its files
    /// are deleted one after the other, so the journal may be missed before the tokens are gone.
    fn save_unsaved(&mut self) {
        if self.unsaved == Unsaved::NotSaved
            && let Some(lines) = self.writer.unsaved_tokens()
        {
            self.unsaved = Unsaved::Saved;
            for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                self.spill.keep(line);
            }
        }
    }

    /// Saves the documents of a group one by one, where they belong or in a second place. The next
    /// execution finds those that are where they belong.
    fn save(&mut self, group: &[JournalCommand]) {
        self.save_unsaved();
        for TokenDocument { file, line, .. } in documents(group) {
            let bytes = line.expose().as_bytes();
            if self.writer.keep_alone(*file, bytes).is_err() {
                self.spill.keep(bytes);
            }
        }
    }
}
