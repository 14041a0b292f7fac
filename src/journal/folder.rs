//! The run folder: its files, its modes, and who holds it.

use std::{
    env,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use thiserror::Error;

use super::disk::{Disk, DiskFile};
use crate::{
    clock,
    exit::{Exit, Fault},
    text::SafeText,
};

/// Why a run folder cannot be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// It is there already, and a run folder is never written over.
    #[error("{} exists already and a run folder is never written over; name another one with --out, or continue that run: ghl-reconnect resume {}", .0.display(), .0.display())]
    Exists(PathBuf),
    /// It cannot be made or used.
    #[error("cannot use {} as run folder; name another place with --out", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// The system's error.
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
    /// Nobody can hold it.
    #[error("{}: files cannot be locked there, so that two processes could work in it at once. Name a folder with --out on a local disk, a block volume or NFS (a PersistentVolumeClaim, EFS, the shared disk of Slurm), and none on a mounted object store", path.display())]
    NoLocks {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
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
        /// The system's error.
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
            Self::Exists(_)
            | Self::Missing(_)
            | Self::IsAFile(_)
            | Self::NoJournal(_)
            | Self::NoLocks { .. } => Exit::Usage,
            Self::Unusable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Exit::Usage
            }
            Self::Unusable { .. } | Self::Held { .. } | Self::Closed { .. } => Exit::Local,
        }
    }
}

impl From<FolderError> for Fault {
    fn from(error: FolderError) -> Self {
        Self { exit: error.exit(), error: error.into() }
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
    /// A folder that is made already.
    pub(super) fn at(path: PathBuf, disk: Disk) -> Self {
        Self { path, disk }
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

    /// The same, for somebody who reads the run without holding it.
    pub fn open_readable(path: &Path, disk: Disk) -> Result<Self, FolderError> {
        let folder = Self::open(path, disk)?;
        folder.check_readable()?;
        Ok(folder)
    }

    /// Whether this user may read the run; a folder may be open whose files are not.
    fn check_readable(&self) -> Result<(), FolderError> {
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
                Err(TryLockError::Error(source)) => {
                    return Err(FolderError::NoLocks { path: self.path.clone(), source });
                }
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

    /// The rows of the app's own store as they were before they were written over, tokens included.
    pub fn replaced(&self) -> PathBuf {
        self.file("replaced.jsonl")
    }

    pub(super) fn lock_file(&self) -> PathBuf {
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

/// The name of this machine, where it says one: of a pod, the pod's. A process of another machine may
/// hold the folder.
fn host() -> Option<SafeText> {
    let named = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named =
        named.or_else(|| env::var("COMPUTERNAME").or_else(|_| env::var("HOSTNAME")).ok())?;
    let name = named.trim();
    (!name.is_empty()).then(|| SafeText::new(name))
}

/// The folder is held while this lives. Its file says who holds it.
#[derive(Debug)]
pub struct Lock {
    file: DiskFile,
}

impl Lock {
    fn signed(mut file: DiskFile) -> Self {
        let since = clock::stamp(clock::now());
        let host = host().map(|host| format!(" on {host}")).unwrap_or_default();
        let holder = format!("process {}{host}, since {since}\n", std::process::id());
        // On a full disk the lock holds all the same, only its holder stays unnamed.
        let _ = file.cut(0).and_then(|()| file.append(holder.as_bytes()));
        Self { file }
    }

    /// Whether the file is still in a folder.
    pub(super) fn has_name(&self) -> bool {
        self.file.has_name().unwrap_or(false)
    }
}
