//! Durable events and custody of tokens: one owner of the files.
//!
//! Order is everything here. A token pair is written and synced before the event that says so, and
//! the event is synced before anybody is told; many installations share one sync.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::Arc,
    thread,
};

use anyhow::Context;
use serde_json::{Map, Value};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::{disk, folder::RunFolder};
use crate::{event::Event, secret::Secret};

/// Commands that may wait for the disk; enough that work goes on through a slow sync.
const QUEUE: usize = 4096;

/// Commands that one sync covers at most.
const GROUP: usize = 1024;

/// The disk no longer takes what it is given: nothing more may be asked for.
#[derive(Clone, Debug, Error)]
#[error("cannot write {file}: {error}")]
pub struct CustodyLost {
    file: Arc<str>,
    error: Arc<io::Error>,
}

/// Which file takes a token pair into custody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Custody {
    /// `tokens.jsonl`: to be used.
    Tokens,
    /// `quarantine.jsonl`: not to be used.
    Quarantine,
}

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
    pub fn create(folder: &RunFolder) -> Result<Self, CustodyLost> {
        let journal = LineFile::create(&folder.journal())?;
        let tokens = LineFile::create(&folder.tokens())?;
        disk::sync_folder(folder.path()).map_err(|e| lost("the run folder", e))?;
        Ok(Self { journal, tokens, quarantine: None, folder: folder.clone() })
    }

    /// Appends an event; durable only after [`Writer::sync`].
    pub fn append(&mut self, event: &Event) -> Result<(), CustodyLost> {
        self.journal.line(&line_of(event)?)
    }

    /// Makes everything that was appended durable.
    pub fn sync(&mut self) -> Result<(), CustodyLost> {
        self.journal.sync()
    }

    /// Hands the files to a thread of their own.
    pub fn spawn(self) -> anyhow::Result<(Journal, Writing)> {
        let (queue, commands) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("journal".into())
            .spawn(move || self.serve(commands))
            .context("cannot start the journal's thread")?;
        Ok((Journal { queue }, Writing { thread }))
    }

    fn serve(mut self, mut commands: mpsc::Receiver<Command>) -> (Self, Option<CustodyLost>) {
        let mut failed = None;
        let mut group = Vec::with_capacity(GROUP);
        while let Some(first) = commands.blocking_recv() {
            group.push(first);
            while group.len() < GROUP
                && let Ok(next) = commands.try_recv()
            {
                group.push(next);
            }
            if failed.is_none() {
                failed = self.commit(&group).err();
            }
            for done in group.drain(..).filter_map(|command| command.done) {
                // The one who asked may be gone; what was written stays written.
                let _ = done.send(failed.clone().map_or(Ok(()), Err));
            }
        }
        (self, failed)
    }

    /// Writes a group: tokens first, synced; then the events, synced where somebody waits.
    fn commit(&mut self, group: &[Command]) -> Result<(), CustodyLost> {
        let mut touched = [false, false];
        for (custody, document) in group.iter().filter_map(|command| command.document.as_ref()) {
            touched[*custody as usize] = true;
            self.custody(*custody)?.line(document.expose().as_bytes())?;
        }
        for custody in [Custody::Tokens, Custody::Quarantine] {
            if touched[custody as usize] {
                self.custody(custody)?.sync()?;
            }
        }
        for command in group {
            self.journal.line(&command.event)?;
        }
        if group.iter().any(|command| command.done.is_some()) {
            self.journal.sync()
        } else {
            self.journal.flush()
        }
    }

    fn custody(&mut self, custody: Custody) -> Result<&mut LineFile, CustodyLost> {
        match custody {
            Custody::Tokens => Ok(&mut self.tokens),
            Custody::Quarantine => {
                if self.quarantine.is_none() {
                    self.quarantine = Some(LineFile::create(&self.folder.quarantine())?);
                    disk::sync_folder(self.folder.path()).map_err(|e| lost("the run folder", e))?;
                }
                self.quarantine
                    .as_mut()
                    .ok_or_else(|| lost("quarantine.jsonl", io::ErrorKind::NotFound.into()))
            }
        }
    }
}

/// The way to the journal from anywhere in the work.
#[derive(Clone, Debug)]
pub struct Journal {
    queue: mpsc::Sender<Command>,
}

impl Journal {
    /// Appends an event. It is durable with the next sync; nobody waits for it.
    pub async fn record(&self, event: &Event) -> Result<(), CustodyLost> {
        self.send(Command { document: None, event: line_of(event)?, done: None }).await
    }

    /// Takes a token pair into custody and returns when it, and the event that says so, can be
    /// read back after a power cut.
    pub async fn keep(
        &self,
        custody: Custody,
        document: &Map<String, Value>,
        event: &Event,
    ) -> Result<(), CustodyLost> {
        let (done, kept) = oneshot::channel();
        let text = serde_json::to_string(document).map_err(|e| lost("tokens.jsonl", e.into()))?;
        let document = Some((custody, Secret::new(text)));
        self.send(Command { document, event: line_of(event)?, done: Some(done) }).await?;
        kept.await.unwrap_or_else(|_| Err(thread_gone()))
    }

    async fn send(&self, command: Command) -> Result<(), CustodyLost> {
        self.queue.send(command).await.map_err(|_| thread_gone())
    }
}

/// The journal's thread at work.
#[derive(Debug)]
pub struct Writing {
    thread: thread::JoinHandle<(Writer, Option<CustodyLost>)>,
}

impl Writing {
    /// Waits until all is written, every [`Journal`] being dropped, and takes the files back.
    pub fn finish(self) -> Result<Writer, CustodyLost> {
        match self.thread.join() {
            Ok((writer, None)) => Ok(writer),
            Ok((_, Some(lost))) => Err(lost),
            Err(_) => Err(thread_gone()),
        }
    }
}

#[derive(Debug)]
struct Command {
    document: Option<(Custody, Secret)>,
    event: Vec<u8>,
    done: Option<oneshot::Sender<Result<(), CustodyLost>>>,
}

/// A file of lines that is only ever appended to.
#[derive(Debug)]
struct LineFile {
    name: Arc<str>,
    out: BufWriter<File>,
}

impl LineFile {
    fn create(path: &Path) -> Result<Self, CustodyLost> {
        let name: Arc<str> = path.display().to_string().into();
        let file = disk::create_file(path).map_err(|e| lost(&name, e))?;
        Ok(Self { name, out: BufWriter::with_capacity(1 << 16, file) })
    }

    fn line(&mut self, bytes: &[u8]) -> Result<(), CustodyLost> {
        let written = self.out.write_all(bytes).and_then(|()| self.out.write_all(b"\n"));
        written.map_err(|e| lost(&self.name, e))
    }

    fn flush(&mut self) -> Result<(), CustodyLost> {
        self.out.flush().map_err(|e| lost(&self.name, e))
    }

    fn sync(&mut self) -> Result<(), CustodyLost> {
        self.flush()?;
        self.out.get_ref().sync_data().map_err(|e| lost(&self.name, e))
    }
}

fn line_of(event: &Event) -> Result<Vec<u8>, CustodyLost> {
    serde_json::to_vec(event).map_err(|e| lost("journal.jsonl", e.into()))
}

fn lost(file: &str, error: io::Error) -> CustodyLost {
    CustodyLost { file: file.into(), error: Arc::new(error) }
}

fn thread_gone() -> CustodyLost {
    lost("journal.jsonl", io::Error::other("the journal's thread has ended"))
}
