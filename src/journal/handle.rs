//! The handle by which all work records events, and what happens when the disk does not answer.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::RecvTimeoutError},
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

pub use super::thread::Ended;
use super::{
    command::{JournalCommand, TokenDocument, Wait},
    fault::FirstFault,
    line_file::StorageError,
    seal,
    spill::{Spill, Spilled},
    thread::Service,
    writer::Writer,
};
use crate::{
    checksum::Checksum,
    event::{Event, Saving, TokenFile},
    secret::Secret,
};

/// Commands that may wait for the disk; enough that work continues during a slow sync.
const QUEUE: usize = 4096;

/// Hands the files to a thread of their own. `on_failure` is called when the disk fails: the
/// caller then asks for no new code.
pub fn spawn(
    writer: Writer,
    run_id: &str,
    on_failure: impl Fn() + Send + Sync + 'static,
) -> anyhow::Result<(Journal, Writing)> {
    let (queue, commands) = mpsc::channel(QUEUE);
    let fault = Arc::new(FirstFault::none_yet(on_failure));
    let run_folder = writer.folder().path();
    let stalled = Arc::new(Stalled {
        patience: writer.folder().disk().patience(),
        path: writer.folder().journal().into(),
        spill: Mutex::new(Spill::elsewhere(run_folder, run_id)),
        fault: fault.clone(),
    });
    let spill = Spill::new(run_folder, run_id);
    let service =
        Service::new(writer, spill, fault).context("cannot start the journal's thread")?;
    let journal = Journal { queue, stalled: stalled.clone() };
    let (end, ended) = std::sync::mpsc::sync_channel(1);
    let work = move || {
        // The receiver may have given up.
        let _ = end.send(service.run(commands));
    };
    thread::Builder::new()
        .name("journal".into())
        .spawn(work)
        .context("cannot start the journal's thread")?;
    Ok((journal, Writing { ended, stalled }))
}

/// Records events from anywhere in the work. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    queue: mpsc::Sender<JournalCommand>,
    stalled: Arc<Stalled>,
}

/// What is left to do when the disk neither writes nor fails.
#[derive(Debug)]
struct Stalled {
    patience: Duration,
    path: Arc<Path>,
    spill: Mutex<Spill>,
    fault: Arc<FirstFault>,
}

/// How long a second place may take to keep one document.
const SPILL_WITHIN: Duration = Duration::from_secs(10);

impl Stalled {
    /// Reports that the disk does not answer.
    fn give_up(&self) -> StorageError {
        let seconds = self.patience.as_secs_f32();
        let why = format!("the disk has not answered for {seconds} s");
        let lost = StorageError::new(&self.path, io::Error::new(io::ErrorKind::TimedOut, why));
        self.fault.report(lost)
    }

    /// Saves a document on another disk.
    async fn save(self: &Arc<Self>, document: Secret) {
        let stalled = self.clone();
        let keep = move || stalled.spill().keep(document.expose().as_bytes());
        if timeout(SPILL_WITHIN, spawn_blocking(keep)).await.is_err()
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
    /// Appends an event. It is synced soon; nobody waits for it.
    pub async fn record(&self, event: &Event) -> Result<(), StorageError> {
        self.stalled.fault.result()?;
        let event = self.line_of(event)?;
        self.send(JournalCommand { document: None, event, done: None, wait: Wait::No }).await
    }

    /// Appends an event and returns when it outlives the process, though not yet a power cut.
    pub async fn record_first(&self, event: &Event) -> Result<(), StorageError> {
        self.stalled.fault.result()?;
        let event = self.line_of(event)?;
        self.send_and_wait(None, event, Wait::UntilWritten).await
    }

    /// Returns when all earlier events are written: the time that it takes shows how busy the disk is.
    pub async fn settle(&self) -> Result<(), StorageError> {
        self.send_and_wait(None, Vec::new(), Wait::UntilWritten).await
    }

    /// Appends an event and returns when it can be read back after a power cut.
    pub async fn record_durably(&self, event: &Event) -> Result<(), StorageError> {
        self.stalled.fault.result()?;
        let event = self.line_of(event)?;
        self.send_and_wait(None, event, Wait::UntilDurable).await
    }

    /// Keeps a token pair and returns when it can be read back after a power cut. Its event is written
    /// by then. A power cut may take the event of a line in `tokens.jsonl`: `resume` rebuilds it.
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
        let kept = match self.stalled.fault.get() {
            Some(lost) if lost.is_stall() => Err(lost.clone()),
            _ => {
                let document = Some(TokenDocument { file: storage, line: line.clone(), saving });
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
        document: Option<TokenDocument>,
        event: Vec<u8>,
        wait: Wait,
    ) -> Result<(), StorageError> {
        let (done, served) = oneshot::channel();
        self.send(JournalCommand { document, event, done: Some(done), wait }).await?;
        match timeout(self.stalled.patience, served).await {
            Ok(served) => served.unwrap_or_else(|_| Err(self.thread_gone())),
            Err(_) => Err(self.stalled.give_up()),
        }
    }

    async fn send(&self, command: JournalCommand) -> Result<(), StorageError> {
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

impl Writing {
    /// Waits until all is written and takes the files back. Every [`Journal`] must be dropped before.
    pub fn finish(self) -> anyhow::Result<Ended> {
        // A disk that was given up once is not waited for again.
        let is_given_up = self.stalled.fault.is_stall();
        let patience = if is_given_up { Duration::ZERO } else { self.stalled.patience };
        let ended = match self.ended.recv_timeout(patience) {
            Ok(ended) => ended,
            Err(RecvTimeoutError::Disconnected) => bail!("the journal's thread panicked: a bug"),
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
