//! The run folder: its files, its modes, and who holds it.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::disk;
use crate::clock;

/// Why a run folder cannot be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// It is there already, and a run folder is never written over.
    #[error("{} exists already and a run folder is never written over; name another one with --out", .0.display())]
    Exists(PathBuf),
    /// It cannot be made.
    #[error("cannot make the run folder {}; name another place with --out", path.display())]
    Create {
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
    /// It has no journal.
    #[error("{} is no run folder: it has no journal.jsonl", .0.display())]
    NoJournal(PathBuf),
}

/// A run folder. Only its owner can enter it; on Windows it has the permissions of the folder that
/// it is in.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes a new folder.
    pub fn create(path: &Path) -> Result<Self, FolderError> {
        match disk::create_folder(path) {
            Ok(()) => Ok(Self { path: path.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(FolderError::Exists(path.to_owned()))
            }
            Err(source) => Err(FolderError::Create { path: path.to_owned(), source }),
        }
    }

    /// Opens the folder of an earlier run.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let folder = Self { path: path.to_owned() };
        if folder.journal().is_file() {
            Ok(folder)
        } else {
            Err(FolderError::NoJournal(path.to_owned()))
        }
    }

    /// Holds the folder for as long as the lock lives.
    pub fn lock(&self) -> Result<Lock, FolderError> {
        let path = self.file(".lock");
        let create = |source| FolderError::Create { path: self.path.clone(), source };
        let mut file = disk::open_or_create(&path).map_err(create)?;
        match file.try_lock() {
            Ok(()) => {
                let holder =
                    format!("process {}, since {}", std::process::id(), clock::stamp(clock::now()));
                file.set_len(0).and_then(|()| file.write_all(holder.as_bytes())).map_err(create)?;
                Ok(Lock { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path)
                    .ok()
                    .filter(|text| !text.is_empty())
                    .unwrap_or_else(|| "another process".to_owned());
                Err(FolderError::Held { path: self.path.clone(), holder })
            }
            Err(TryLockError::Error(source)) => Err(create(source)),
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
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
}

/// The folder is held while this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}
