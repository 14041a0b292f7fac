//! The first fault of the disk, shared by all who may notice one.

use std::{fmt, sync::OnceLock};

use super::line_file::StorageError;

/// See the module.
pub(super) struct FirstFault {
    error: OnceLock<StorageError>,
    on_failure: Box<dyn Fn() + Send + Sync>,
}

impl FirstFault {
    /// None yet; `on_failure` is called with each fault, from whichever thread notices it.
    pub(super) fn none_yet(on_failure: impl Fn() + Send + Sync + 'static) -> Self {
        Self { error: OnceLock::new(), on_failure: Box::new(on_failure) }
    }

    /// The first fault, if there was one.
    pub(super) fn get(&self) -> Option<&StorageError> {
        self.error.get()
    }

    /// Whether the disk has given no answer at all.
    pub(super) fn is_stall(&self) -> bool {
        self.get().is_some_and(StorageError::is_stall)
    }

    /// The answer to those who wait: the first fault, if there was one.
    pub(super) fn result(&self) -> Result<(), StorageError> {
        self.get().cloned().map_or(Ok(()), Err)
    }

    /// Reports a fault and returns the first one: the others follow from it.
    pub(super) fn report(&self, error: StorageError) -> StorageError {
        let first = self.error.get_or_init(|| error).clone();
        (self.on_failure)();
        first
    }
}

impl fmt::Debug for FirstFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FirstFault").field(&self.error).finish()
    }
}
