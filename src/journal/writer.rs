//! Durable events and custody of tokens: one owner of the files.
//!
//! Order is everything here. A token pair is written and synced before the event that says so, and
//! the event is synced before anybody is told; many installations share one sync. When the disk
//! fails, nothing more is asked for, and the tokens in hand are brought to safety one by one.

use std::{
    fmt, io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc::RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use serde_json::{Map, Value};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::timeout,
};

pub use super::line_file::StorageError;
use super::{
    folder::RunFolder,
    line_file::LineFile,
    seal,
    spill::{Spill, Spilled},
};
pub use crate::event::TokenFile;
use crate::{
    checksum::Checksum,
    event::{Event, Saving},
    secret::Secret,
};

/// Commands that may wait for the disk; enough that work goes on through a slow sync.
const QUEUE: usize = 4096;

/// Commands that one sync covers at most.
const GROUP: usize = 1024;

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

    /// Opens the files of an earlier leg. The journal is cut after its last whole event, the others
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

    /// Hands the files to a thread of their own. `on_failure` is called when the disk fails: the
    /// caller then asks for no new code.
    pub fn spawn(
        self,
        run_id: &str,
        on_failure: impl Fn() + Send + Sync + 'static,
    ) -> anyhow::Result<(Journal, Writing)> {
        let on_failure = OnFailure(Arc::new(on_failure));
        let (queue, commands) = mpsc::channel(QUEUE);
        let lost = Arc::new(OnceLock::new());
        let service = Service {
            path: self.folder.journal().into(),
            spill: Spill::new(self.folder.path(), run_id),
            unsaved: Unsaved::NotSaved,
            writer: self,
            lost: lost.clone(),
            on_failure: on_failure.clone(),
        };
        let stalled = Arc::new(Stalled {
            patience: service.writer.folder.disk().patience(),
            path: service.path.clone(),
            spill: Mutex::new(Spill::elsewhere(service.writer.folder.path(), run_id)),
            lost,
            on_failure,
        });
        let journal = Journal { queue, stalled: stalled.clone() };
        let (end, ended) = std::sync::mpsc::sync_channel(1);
        let work = move || {
            // Whoever waited for it may have given up.
            let _ = end.send(service.run(commands));
        };
        thread::Builder::new()
            .name("journal".into())
            .spawn(work)
            .context("cannot start the journal's thread")?;
        Ok((journal, Writing { ended, stalled }))
    }

    /// Writes the events of a group that speak of no tokens. They need not wait for the tokens of
    /// others, and a code that is about to be presented waits for them. Of the tokens, it is written
    /// what their lines will be.
    fn write_ahead(&mut self, group: &[Command]) -> Result<(), StorageError> {
        for command in group.iter().filter(|command| !command.event.is_empty()) {
            match &command.document {
                None => self.journal.line(&command.event)?,
                Some(document) => self.journal.line(&document.saving)?,
            }
        }
        self.journal.write()
    }

    /// Writes the rest of a group: tokens first, synced; then the events that speak of them; and syncs
    /// all events where somebody waits for it.
    fn commit(&mut self, group: &[Command]) -> Result<(), Broken> {
        self.commit_documents(group).map_err(Broken::Documents)?;
        self.commit_events(group).map_err(Broken::Events)
    }

    fn commit_documents(&mut self, group: &[Command]) -> Result<(), StorageError> {
        for Document { file, line, .. } in documents(group) {
            self.storage(*file)?.line(line.expose().as_bytes())?;
        }
        for storage in [TokenFile::Tokens, TokenFile::Quarantine] {
            if group.iter().any(|command| command.is_for(storage)) {
                self.storage(storage)?.sync()?;
            }
        }
        Ok(())
    }

    fn commit_events(&mut self, group: &[Command]) -> Result<(), StorageError> {
        for command in group.iter().filter(|command| command.document.is_some()) {
            self.journal.line(&command.event)?;
        }
        if group.iter().any(|command| command.wait == Wait::UntilDurable) {
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

    /// Keeps one document in its own file, or says that this does not work any more.
    fn keep_alone(&mut self, storage: TokenFile, document: &[u8]) -> Result<(), StorageError> {
        let file = self.storage(storage)?;
        let kept = file.line(document).and_then(|()| file.sync());
        if kept.is_err() {
            file.retreat_to_durable();
        }
        kept
    }
}

/// Called with each failure of the disk, from whichever thread notices it.
#[derive(Clone)]
struct OnFailure(Arc<dyn Fn() + Send + Sync>);

impl OnFailure {
    fn call(&self) {
        (self.0)();
    }
}

impl fmt::Debug for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnFailure")
    }
}

/// What a failed group left undone.
enum Broken {
    /// Nothing of it is written but events, if any.
    Ahead(StorageError),
    /// The documents are not safe.
    Documents(StorageError),
    /// The documents are safe, the events are not.
    Events(StorageError),
}

/// Whether the tokens of a file that was deleted under the run are in a second place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unsaved {
    NotSaved,
    Saved,
}

/// The journal's thread.
struct Service {
    writer: Writer,
    path: Arc<Path>,
    spill: Spill,
    unsaved: Unsaved,
    lost: Arc<OnceLock<StorageError>>,
    on_failure: OnFailure,
}

impl Service {
    fn run(mut self, mut commands: mpsc::Receiver<Command>) -> Ended {
        let mut group = Vec::with_capacity(GROUP);
        while let Some(first) = commands.blocking_recv() {
            group.push(first);
            while group.len() < GROUP
                && let Ok(next) = commands.try_recv()
            {
                group.push(next);
            }
            self.serve(&mut group);
            for done in group.drain(..).filter_map(|command| command.done) {
                // The one who asked may be gone; what was written stays written.
                let _ = done.send(self.lost.get().cloned().map_or(Ok(()), Err));
            }
        }
        if self.lost.get().is_some() {
            self.save_unsaved();
        }
        let spilled = self.spill.result();
        Ended { writer: Some(self.writer), lost: self.lost.get().cloned(), spilled }
    }

    fn serve(&mut self, group: &mut [Command]) {
        if self.lost.get().is_some() {
            return self.save(group);
        }
        let ahead = self.writer.write_ahead(group);
        if ahead.is_ok() {
            for command in group.iter_mut().filter(|command| command.wait == Wait::UntilWritten) {
                // The one who asked may be gone.
                let _ = command.done.take().map(|done| done.send(Ok(())));
            }
        }
        match ahead.map_err(Broken::Ahead).and_then(|()| self.writer.commit(group)) {
            Ok(()) => {}
            Err(Broken::Events(lost)) => {
                self.give_up(lost);
                self.writer.journal.retreat_to_written();
            }
            Err(Broken::Ahead(lost)) => {
                self.give_up(lost);
                self.writer.journal.retreat_to_written();
                self.save(group);
            }
            Err(Broken::Documents(lost)) => {
                self.give_up(lost);
                self.writer.tokens.retreat_to_durable();
                if let Some(quarantine) = &mut self.writer.quarantine {
                    quarantine.retreat_to_durable();
                }
                self.save(group);
            }
        }
    }

    fn give_up(&self, lost: StorageError) {
        // Only the first fault is told; the others follow from it.
        let _ = self.lost.set(lost);
        self.on_failure.call();
    }

    /// When the folder was deleted under the run, the tokens of the whole run are saved. Its files
    /// go one after the other, so the journal may be missed before the tokens are gone.
    fn save_unsaved(&mut self) {
        if self.unsaved == Unsaved::NotSaved
            && let Some(lines) = self.writer.tokens.unsaved()
        {
            self.unsaved = Unsaved::Saved;
            for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                self.spill.keep(line);
            }
        }
    }

    /// Saves the documents of a group one by one, where they belong or in a second place. What
    /// lands where it belongs is found there by the next leg.
    fn save(&mut self, group: &[Command]) {
        self.save_unsaved();
        for Document { file, line, .. } in documents(group) {
            let bytes = line.expose().as_bytes();
            if self.writer.keep_alone(*file, bytes).is_err() {
                self.spill.keep(bytes);
            }
        }
    }
}

/// The way to the journal from anywhere in the work.
#[derive(Clone, Debug)]
pub struct Journal {
    queue: mpsc::Sender<Command>,
    stalled: Arc<Stalled>,
}

/// What happens when the disk neither takes what it is given nor says that it does not.
#[derive(Debug)]
struct Stalled {
    patience: Duration,
    path: Arc<Path>,
    spill: Mutex<Spill>,
    lost: Arc<OnceLock<StorageError>>,
    on_failure: OnFailure,
}

/// How long a second place may take to keep one document.
const RESCUE_TAKES: Duration = Duration::from_secs(10);

impl Stalled {
    /// Gives the disk up.
    fn give_up(&self) -> StorageError {
        let seconds = self.patience.as_secs_f32();
        let why = format!("the disk has not answered for {seconds} s");
        let lost = StorageError::new(&self.path, io::Error::new(io::ErrorKind::TimedOut, why));
        let lost = self.lost.get_or_init(|| lost).clone();
        self.on_failure.call();
        lost
    }

    /// Brings a document to another disk.
    async fn save(self: &Arc<Self>, document: Secret) {
        let stalled = self.clone();
        let keep = move || stalled.spill().keep(document.expose().as_bytes());
        if timeout(RESCUE_TAKES, spawn_blocking(keep)).await.is_err()
            && let Ok(mut spill) = self.spill.try_lock()
        {
            spill.give_up_one();
        }
    }

    fn spill(&self) -> MutexGuard<'_, Spill> {
        self.spill.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    /// Appends an event. It is durable with the next sync; nobody waits for it.
    pub async fn record(&self, event: &Event) -> Result<(), StorageError> {
        if let Some(lost) = self.stalled.lost.get() {
            return Err(lost.clone());
        }
        let event = self.line_of(event)?;
        self.send(Command { document: None, event, done: None, wait: Wait::No }).await
    }

    /// Appends an event and returns when it outlives the process, though not yet a power cut.
    pub async fn record_first(&self, event: &Event) -> Result<(), StorageError> {
        if let Some(lost) = self.stalled.lost.get() {
            return Err(lost.clone());
        }
        let event = self.line_of(event)?;
        self.send_and_wait(None, event, Wait::UntilWritten).await
    }

    /// Returns when what was given before is written: how long that takes tells how busy the disk is.
    pub async fn settle(&self) -> Result<(), StorageError> {
        self.send_and_wait(None, Vec::new(), Wait::UntilWritten).await
    }

    /// Appends an event and returns when it can be read back after a power cut.
    pub async fn record_durably(&self, event: &Event) -> Result<(), StorageError> {
        if let Some(lost) = self.stalled.lost.get() {
            return Err(lost.clone());
        }
        let event = self.line_of(event)?;
        self.send_and_wait(None, event, Wait::UntilDurable).await
    }

    /// Takes a token pair into custody and returns when it, and the event that says so, can be
    /// read back after a power cut.
    pub async fn keep(
        &self,
        storage: TokenFile,
        document: &Map<String, Value>,
        event: &Event,
    ) -> Result<(), StorageError> {
        let text = serde_json::to_string(document)
            .map_err(|e| StorageError::new(&self.stalled.path, e.into()))?;
        let saving = Event::Saving(Saving {
            row: event.row_of_tokens().unwrap_or_default(),
            file: storage,
            token_line: Checksum::of(text.as_bytes()),
        });
        let (line, saving) = (Secret::new(text), self.line_of(&saving)?);
        let event = self.line_of(event)?;
        let kept = match self.stalled.lost.get() {
            Some(lost) if lost.is_stall() => Err(lost.clone()),
            _ => {
                let document = Some(Document { file: storage, line: line.clone(), saving });
                self.send_and_wait(document, event, Wait::UntilDurable).await
            }
        };
        if kept.as_ref().is_err_and(StorageError::is_stall) {
            self.stalled.save(line).await;
        }
        kept
    }

    async fn send_and_wait(
        &self,
        document: Option<Document>,
        event: Vec<u8>,
        wait: Wait,
    ) -> Result<(), StorageError> {
        let (done, served) = oneshot::channel();
        self.send(Command { document, event, done: Some(done), wait }).await?;
        match timeout(self.stalled.patience, served).await {
            Ok(served) => served.unwrap_or_else(|_| Err(self.thread_gone())),
            Err(_) => Err(self.stalled.give_up()),
        }
    }

    async fn send(&self, command: Command) -> Result<(), StorageError> {
        match timeout(self.stalled.patience, self.queue.send(command)).await {
            Ok(sent) => sent.map_err(|_| self.thread_gone()),
            Err(_) => Err(self.stalled.give_up()),
        }
    }

    fn line_of(&self, event: &Event) -> Result<Vec<u8>, StorageError> {
        seal::sealed(event).map_err(|e| StorageError::new(&self.stalled.path, e.into()))
    }

    fn thread_gone(&self) -> StorageError {
        StorageError::new(&self.stalled.path, io::Error::other("the journal's thread has ended"))
    }
}

/// The journal's thread at work.
#[derive(Debug)]
pub struct Writing {
    ended: std::sync::mpsc::Receiver<Ended>,
    stalled: Arc<Stalled>,
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

impl Writing {
    /// Waits until all is written, every [`Journal`] being dropped, and takes the files back.
    pub fn finish(self) -> anyhow::Result<Ended> {
        // What was given up once is not waited for again.
        let is_given_up = self.stalled.lost.get().is_some_and(StorageError::is_stall);
        let patience = if is_given_up { Duration::ZERO } else { self.stalled.patience };
        let ended = match self.ended.recv_timeout(patience) {
            Ok(ended) => ended,
            Err(RecvTimeoutError::Disconnected) => bail!("the journal's thread broke off: a bug"),
            Err(RecvTimeoutError::Timeout) => {
                let spilled = Spilled::default();
                Ended { writer: None, lost: Some(self.stalled.give_up()), spilled }
            }
        };
        let elsewhere = self.stalled.spill.try_lock().map(|spill| spill.result());
        let spilled = ended.spilled.and(elsewhere.unwrap_or_default());
        Ok(Ended { spilled, ..ended })
    }
}

/// A line of tokens.
#[derive(Debug)]
struct Document {
    file: TokenFile,
    line: Secret,
    /// The event that says what the line will be, as a line of the journal.
    saving: Vec<u8>,
}

fn documents(group: &[Command]) -> impl Iterator<Item = &Document> {
    group.iter().filter_map(|command| command.document.as_ref())
}

#[derive(Debug)]
struct Command {
    document: Option<Document>,
    event: Vec<u8>,
    done: Option<oneshot::Sender<Result<(), StorageError>>>,
    wait: Wait,
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    No,
    UntilWritten,
    UntilDurable,
}

impl Command {
    fn is_for(&self, storage: TokenFile) -> bool {
        self.document.as_ref().is_some_and(|document| document.file == storage)
    }
}

fn sync_folder(folder: &RunFolder) -> Result<(), StorageError> {
    folder.disk().sync_folder(folder.path()).map_err(|e| StorageError::new(folder.path(), e))
}
