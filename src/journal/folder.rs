//! The run folder: its files, its modes, and who holds it.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use thiserror::Error;

use super::disk::{Disk, DiskFile};
use crate::{clock, exit::Exit};

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
    pub fn create(path: &Path, first_event: &[u8], disk: Disk) -> Result<Self, FolderError> {
        if path.symlink_metadata().is_ok() {
            return Err(FolderError::Exists(path.to_owned()));
        }
        let unusable = |source| FolderError::Unusable { path: path.to_owned(), source };
        let aside = aside(path).map_err(unusable)?;
        let made = Self { path: aside.clone(), disk: disk.clone() };
        let made = disk.create_folder(&aside).and_then(|()| {
            Lock { file: disk.create(&made.lock_file())? }.sign(first_event)?;
            disk.sync_folder(&aside)?;
            disk.rename(&aside, path)
        });
        if let Err(source) = made {
            // What stays of it is in nobody's way.
            let _ = fs::remove_dir_all(&aside);
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
        let name = text.lines().next().filter(|line| !line.is_empty());
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

/// Where a folder is made before it gets its name.
fn aside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    Ok(path.with_file_name(format!("{}{name}-{}", super::disk::ASIDE, std::process::id())))
}

/// The folder is held while this lives.
///
/// The file says who holds it, and on its second line how the run began: should a crash tear the
/// journal's first line, the run can still be gone on with.
#[derive(Debug)]
pub struct Lock {
    file: DiskFile,
}

impl Lock {
    fn signed(file: DiskFile) -> Self {
        let mut lock = Self { file };
        let first_event = lock.first_event().unwrap_or_default();
        // On a full disk the lock holds all the same, only its holder stays unnamed.
        let _ = lock.sign(&first_event);
        lock
    }

    /// Says who holds the folder, and for which run.
    pub fn sign(&mut self, first_event: &[u8]) -> io::Result<()> {
        let holder =
            format!("process {}, since {}\n", std::process::id(), clock::stamp(clock::now()));
        self.file.cut(0)?;
        self.file.append(&[holder.as_bytes(), first_event, b"\n"].concat())?;
        self.file.sync()
    }

    /// The run's first event as it was signed, if it was.
    pub fn first_event(&mut self) -> Option<Vec<u8>> {
        let length = self.file.length().ok()?;
        let content = self.file.piece(0, length).ok()?;
        let line = content.split(|byte| *byte == b'\n').nth(1)?;
        (!line.is_empty()).then(|| line.to_vec())
    }
}
