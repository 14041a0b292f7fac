//! The journal and the token files of a run, with one owner.
//!
//! A token pair is written and synced before its event is written, and the caller gets its answer
//! after both. Many installations share one sync. It is that of the token file: if a power cut takes
//! the event from the journal, `resume` rebuilds it from the token line. Every other event that a
//! caller waits for is synced before the answer. When the disk fails, no new code is asked for, and
//! the tokens in hand are saved one by one.

pub use super::line_file::StorageError;
use super::{
    command::{JournalCommand, TokenDocument, documents},
    folder::RunFolder,
    line_file::LineFile,
    seal,
};
use crate::event::Event;
pub use crate::event::TokenFile;

/// The files of a run, owned.
#[derive(Debug)]
pub struct Writer {
    journal: LineFile,
    tokens: LineFile,
    quarantine: Option<LineFile>,
    folder: RunFolder,
}

impl Writer {
    /// Makes the files in a new run folder.
    pub fn create(folder: &RunFolder) -> Result<Self, StorageError> {
        let journal = LineFile::create(folder.disk(), &folder.journal())?;
        let tokens = LineFile::create(folder.disk(), &folder.tokens())?;
        sync_folder(folder)?;
        Ok(Self { journal, tokens, quarantine: None, folder: folder.clone() })
    }

    /// Opens the files of an earlier execution. The journal is cut after its last whole event, the others
    /// after their last whole line.
    pub fn open(folder: &RunFolder, journal_end: u64) -> Result<Self, StorageError> {
        let journal = LineFile::open(folder.disk(), &folder.journal(), Some(journal_end))?;
        let tokens = LineFile::open(folder.disk(), &folder.tokens(), None)?;
        let quarantine = folder.quarantine().exists();
        let quarantine = quarantine
            .then(|| LineFile::open(folder.disk(), &folder.quarantine(), None))
            .transpose()?;
        sync_folder(folder)?;
        Ok(Self { journal, tokens, quarantine, folder: folder.clone() })
    }

    /// Appends an event; durable only after [`Writer::sync`].
    pub fn append(&mut self, event: &Event) -> Result<(), StorageError> {
        self.journal.line(&self.line_of(event)?)
    }

    /// Where the next event will begin in the journal.
    pub fn journal_end(&self) -> u64 {
        self.journal.end()
    }

    /// Appends a document as it stands; durable only after [`Writer::sync`].
    pub fn append_document(&mut self, storage: TokenFile, line: &[u8]) -> Result<(), StorageError> {
        self.storage(storage)?.line(line)
    }

    /// Makes everything that was appended durable, tokens before events.
    pub fn sync(&mut self) -> Result<(), StorageError> {
        self.tokens.sync()?;
        self.quarantine.as_mut().map_or(Ok(()), LineFile::sync)?;
        self.journal.sync()
    }

    fn line_of(&self, event: &Event) -> Result<Vec<u8>, StorageError> {
        seal::sealed(event).map_err(|e| StorageError::new(&self.folder.journal(), e.into()))
    }

    /// Writes the events of a group that belong to no tokens: they need not wait for the tokens of
    /// others, and a code that is about to be presented waits for them. For tokens, writes the
    /// checksums that their lines will have.
    pub(super) fn write_ahead(&mut self, group: &[JournalCommand]) -> Result<(), StorageError> {
        for command in group.iter().filter(|command| !command.event.is_empty()) {
            match &command.document {
                None => self.journal.line(&command.event)?,
                Some(document) => self.journal.line(&document.saving)?,
            }
        }
        self.journal.write()
    }

    /// Writes the rest of a group: tokens first, synced; then their events. Syncs the events if a
    /// caller waits for one that could not be rebuilt.
    pub(super) fn commit(&mut self, group: &[JournalCommand]) -> Result<(), GroupFault> {
        self.commit_documents(group).map_err(GroupFault::Documents)?;
        self.commit_events(group).map_err(GroupFault::Events)
    }

    fn commit_documents(&mut self, group: &[JournalCommand]) -> Result<(), StorageError> {
        for TokenDocument { file, line, .. } in documents(group) {
            self.storage(*file)?.line(line.expose().as_bytes())?;
        }
        for storage in [TokenFile::Tokens, TokenFile::Quarantine] {
            if group.iter().any(|command| command.is_for(storage)) {
                self.storage(storage)?.sync()?;
            }
        }
        Ok(())
    }

    fn commit_events(&mut self, group: &[JournalCommand]) -> Result<(), StorageError> {
        for command in group.iter().filter(|command| command.document.is_some()) {
            self.journal.line(&command.event)?;
        }
        if group.iter().any(JournalCommand::needs_synced_event) {
            self.journal.sync()
        } else {
            self.journal.write()
        }
    }

    fn storage(&mut self, storage: TokenFile) -> Result<&mut LineFile, StorageError> {
        match storage {
            TokenFile::Tokens => Ok(&mut self.tokens),
            TokenFile::Quarantine => {
                let folder = &self.folder;
                let file = match self.quarantine.take() {
                    Some(file) => file,
                    None => LineFile::open(folder.disk(), &folder.quarantine(), None)
                        .and_then(|file| sync_folder(folder).map(|()| file))?,
                };
                Ok(self.quarantine.insert(file))
            }
        }
    }

    /// Whether a power cut would take events from the journal.
    pub(super) fn has_unsynced_events(&self) -> bool {
        self.journal.has_unsynced()
    }

    /// Makes the events durable that nobody waits for.
    pub(super) fn sync_events(&mut self) -> Result<(), StorageError> {
        self.journal.sync()
    }

    /// After a fault: forgets the events that are not written, and cuts off a part of one.
    pub(super) fn retreat_events(&mut self) {
        self.journal.retreat_to_written();
    }

    /// After a fault: forgets and cuts off the documents that are not durable.
    pub(super) fn retreat_documents(&mut self) {
        self.tokens.retreat_to_durable();
        self.quarantine.iter_mut().for_each(LineFile::retreat_to_durable);
    }

    /// The durable tokens, if their file was deleted.
    pub(super) fn unsaved_tokens(&mut self) -> Option<Vec<u8>> {
        self.tokens.unsaved()
    }

    /// The run folder that the files are in.
    pub(super) fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Keeps one document in its own file, durably.
    pub(super) fn keep_alone(
        &mut self,
        storage: TokenFile,
        document: &[u8],
    ) -> Result<(), StorageError> {
        let file = self.storage(storage)?;
        let kept = file.line(document).and_then(|()| file.sync());
        if kept.is_err() {
            file.retreat_to_durable();
        }
        kept
    }
}

/// What a failed group left undone.
pub(super) enum GroupFault {
    /// Nothing of it is written but events, if any.
    Ahead(StorageError),
    /// The documents are not safe.
    Documents(StorageError),
    /// The documents are safe, the events are not.
    Events(StorageError),
}

fn sync_folder(folder: &RunFolder) -> Result<(), StorageError> {
    folder.disk().sync_folder(folder.path()).map_err(|e| StorageError::new(folder.path(), e))
}
