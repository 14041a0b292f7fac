//! What stops a store as a whole.

use thiserror::Error;

use crate::{
    exit::{Exit, Fault},
    journal::line_file::StorageError,
};

/// Nothing more can be written. Each message says what happened and what to do, and has no secret.
#[derive(Debug, Error)]
pub enum StoreFault {
    /// What was asked for cannot be done: nothing was written.
    #[error("{0}")]
    Usage(String),
    /// The store refuses everything, or is gone.
    #[error("{0}")]
    Gone(String),
    /// A fault of this machine, as a full disk under `replaced.jsonl`.
    #[error(transparent)]
    Local(#[from] anyhow::Error),
    /// What was written reads back differently.
    #[error("{0}")]
    Mismatch(String),
}

impl StoreFault {
    /// The exit code that it means.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Gone(_) => Exit::Halted,
            Self::Local(_) => Exit::Local,
            Self::Mismatch(_) => Exit::Bug,
        }
    }
}

impl From<StoreFault> for Fault {
    fn from(fault: StoreFault) -> Self {
        Self { exit: fault.exit(), error: fault.into() }
    }
}

impl From<StorageError> for StoreFault {
    fn from(error: StorageError) -> Self {
        Self::Local(error.into())
    }
}
