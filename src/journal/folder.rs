//! The run folder: its files, its modes, and who holds it.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use thiserror::Error;

use super::{
    disk::{Disk, DiskFile},
    seal,
};
use crate::{clock, event::Event, exit::Exit};

/// Why a run folder cannot be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// It is there already, and a run folder is never written over.
    #[error("{} exists already and a run folder is never written over; name another one with --out, or go on with that run: ghl-reconnect resume {}", .0.display(), .0.display())]
    Exists(PathBuf),
    /// It cannot be made or used.
    #[error("cannot use {} as run folder; name another place with --out", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process works in it.
    #[error("{} is in use by {holder}; wait until it has ended", path.display())]
    Held {
        /// The folder.
        path: PathBuf,
        /// Process id and start of the holder.
        holder: String,
    },
    /// It is not there.
    #[error("{}: no such folder", .0.display())]
    Missing(PathBuf),
    /// It is a file.
    #[error("{} is a file, and a run folder is asked for (a list is run with: ghl-reconnect run)", .0.display())]
    IsAFile(PathBuf),
    /// It may not be looked into.
    #[error("{} may not be read by this user: permission denied. A run folder is its owner's alone: work as the user who made it", path.display())]
    Closed {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It has neither journal nor lock.
    #[error("{} is no run folder: it has no journal.jsonl", .0.display())]
    NoJournal(PathBuf),
}

impl FolderError {
    /// The exit code that it means.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Exists(_) | Self::Missing(_) | Self::IsAFile(_) | Self::NoJournal(_) => {
                Exit::Usage
            }
            Self::Unusable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Exit::Usage
            }
            Self::Unusable { .. } | Self::Held { .. } | Self::Closed { .. } => Exit::Local,
        }
    }
}

/// How often a lock is tried for, and the time between: somebody may only be looking.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_millis(20);

/// A run folder. Only its owner can enter it; on Windows it has the permissions of the folder that
/// it is in.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    disk: Disk,
}

impl RunFolder {
    /// Makes a new folder that says from its first moment how its run begins: it is made aside and
    /// renamed, so that a crash leaves no folder or one to go on with.
    pub fn create(path: &Path, first_event: &Event, disk: Disk) -> Result<Self, FolderError> {
        if path.symlink_metadata().is_ok() {
            return Err(FolderError::Exists(path.to_owned()));
        }
        let unusable = |source| FolderError::Unusable { path: path.to_owned(), source };
        let aside = create_aside(path, &disk).map_err(unusable)?;
        let made = Self { path: aside.clone(), disk: disk.clone() };
        let named = disk.create(&made.lock_file()).and_then(|file| {
            Lock { file }.sign(first_event)?;
            disk.sync_folder(&aside)?;
            disk.rename(&aside, path)
        });
        if let Err(source) = named {
            // What stays of it is in nobody's way.
            let _ = (fs::remove_file(made.lock_file()), fs::remove_dir(&aside));
            return Err(unusable(source));
        }
        Ok(Self { path: path.to_owned(), disk })
    }

    /// Opens the folder of an earlier run.
    pub fn open(path: &Path, disk: Disk) -> Result<Self, FolderError> {
        let folder = Self { path: path.to_owned(), disk };
        match look(path)? {
            Thing::Nothing => return Err(FolderError::Missing(path.to_owned())),
            Thing::File => return Err(FolderError::IsAFile(path.to_owned())),
            Thing::Folder => {}
        }
        let has = |file: &Path| Ok(look(file)? == Thing::File);
        if !has(&folder.journal())? && !has(&folder.lock_file())? {
            return Err(FolderError::NoJournal(path.to_owned()));
        }
        Ok(folder)
    }

    /// Whether this user may read the run; a folder may be open whose files are not.
    pub fn check_readable(&self) -> Result<(), FolderError> {
        match File::open(self.journal()) {
            Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                Err(FolderError::Closed { path: self.journal(), source })
            }
            _ => Ok(()),
        }
    }

    /// Holds the folder for as long as the lock lives.
    pub fn lock(&self) -> Result<Lock, FolderError> {
        let path = self.lock_file();
        let unusable = |source| FolderError::Unusable { path: self.path.clone(), source };
        let file = self.disk.open_or_create(&path).map_err(unusable)?;
        for _ in 0..LOOKS {
            match file.handle().try_lock() {
                Ok(()) => return Ok(Lock::signed(file)),
                Err(TryLockError::WouldBlock) => thread::sleep(LOOK),
                Err(TryLockError::Error(source)) => return Err(unusable(source)),
            }
        }
        Err(FolderError::Held { path: self.path.clone(), holder: self.holder_by_name() })
    }

    /// Who works in the folder, if somebody does; nothing is changed. Whoever looks shares the lock
    /// for that moment, and [`RunFolder::lock`] waits for as long.
    pub fn holder(&self) -> io::Result<Option<String>> {
        match File::open(self.lock_file())?.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(self.holder_by_name())),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn holder_by_name(&self) -> String {
        let text = fs::read_to_string(self.lock_file()).unwrap_or_default();
        let name = text.lines().nth(1).filter(|line| !line.is_empty());
        name.unwrap_or("another process").to_owned()
    }

    /// Removes what a crash left half written aside.
    pub fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(super::disk::ASIDE) {
                // What stays is only in the way of nobody.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The disk that it is on.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The run, event by event.
    pub fn journal(&self) -> PathBuf {
        self.file("journal.jsonl")
    }

    /// The granted token pairs.
    pub fn tokens(&self) -> PathBuf {
        self.file("tokens.jsonl")
    }

    /// Tokens that came and are not to be used.
    pub fn quarantine(&self) -> PathBuf {
        self.file("quarantine.jsonl")
    }

    fn lock_file(&self) -> PathBuf {
        self.file(".lock")
    }
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing {
    Nothing,
    File,
    Folder,
}

/// Looks at a path. What may not be looked at is not taken for nothing.
fn look(path: &Path) -> Result<Thing, FolderError> {
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(Thing::Folder),
        Ok(metadata) if metadata.is_file() => Ok(Thing::File),
        Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            Err(FolderError::Closed { path: path.to_owned(), source })
        }
        Ok(_) | Err(_) => Ok(Thing::Nothing),
    }
}

/// How many names are tried for a folder that is made aside.
const NAMES: u32 = 100;

/// Makes the folder that gets its name later. What is there already is somebody else's.
fn create_aside(path: &Path, disk: &Disk) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let name = format!("{}{name}-{}", super::disk::ASIDE, std::process::id());
    let mut taken = io::ErrorKind::AlreadyExists.into();
    for number in 1..=NAMES {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let aside = path.with_file_name(format!("{name}{suffix}"));
        match disk.create_folder(&aside) {
            Ok(()) => return Ok(aside),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = error,
            Err(error) => return Err(error),
        }
    }
    Err(taken)
}

/// The folder is held while this lives.
///
/// The first line of the file says how the run began: should a crash tear the journal's first line,
/// the run can still be gone on with. That line is written once, and stays when the second one, which
/// says who holds the folder, is written anew.
#[derive(Debug)]
pub struct Lock {
    file: DiskFile,
}

impl Lock {
    fn signed(file: DiskFile) -> Self {
        let mut lock = Self { file };
        let begins = lock.first_line().unwrap_or_default();
        // On a full disk the lock holds all the same, only its holder stays unnamed.
        let _ = lock.name_holder(&begins);
        lock
    }

    /// Says for which run the folder is held. A line that says so already is not touched.
    pub fn sign(&mut self, first_event: &Event) -> io::Result<()> {
        let line = [&seal::sealed(first_event)?[..], b"\n"].concat();
        if self.first_line()? == line {
            return Ok(());
        }
        self.file.cut(0)?;
        self.file.append(&line)?;
        self.file.sync()?;
        self.name_holder(&line)
    }

    /// Writes the second line anew behind the first one.
    fn name_holder(&mut self, first_line: &[u8]) -> io::Result<()> {
        let since = clock::stamp(clock::now());
        let holder = format!("process {}, since {since}\n", std::process::id());
        // A torn first line would run into the second one.
        let missing = if first_line.is_empty() { "\n" } else { "" };
        self.file.cut(first_line.len() as u64)?;
        self.file.append(format!("{missing}{holder}").as_bytes())?;
        self.file.sync().map(drop)
    }

    /// The first line with its end; empty where there is no whole one.
    fn first_line(&mut self) -> io::Result<Vec<u8>> {
        let length = self.file.length()?;
        let mut content = self.file.piece(0, length)?;
        let end = content.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        content.truncate(end);
        Ok(content)
    }

    /// The run's first event as it was signed, if it was.
    pub fn first_event(&mut self) -> Option<Event> {
        serde_json::from_slice(seal::open(&mut self.first_line().ok()?)?).ok()
    }
}
