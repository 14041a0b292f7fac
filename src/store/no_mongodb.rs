//! The place of MongoDB in a build without it.

use std::time::Duration;

use super::{
    backup::Backup, fault::StoreFault, look::Wanted, pair::Pair, target::MongoTarget,
    written::Written,
};
use crate::event::StoreBegan;

/// A collection that was looked at: there is none.
pub enum Looked {}

/// A collection that is written to: there is none.
pub enum Writing {}

/// Says that this build has no MongoDB.
#[expect(clippy::unused_async, reason = "as with MongoDB")]
pub async fn open(target: &MongoTarget, _wanted: &Wanted) -> Result<Looked, StoreFault> {
    Err(StoreFault::Usage(format!(
        "--to: {} is MongoDB, which this build does not have: build it with --features store-mongodb",
        target.hosts
    )))
}

impl Looked {
    /// Looks for the installations.
    #[expect(clippy::unused_async, reason = "as with MongoDB")]
    pub async fn look(&mut self, _pairs: &[Pair]) -> Result<(), StoreFault> {
        match *self {}
    }

    /// What will be done, for a person.
    pub fn plan(&self) -> String {
        match *self {}
    }

    /// Where pairs go.
    pub fn began(&self) -> StoreBegan {
        match *self {}
    }

    /// Starts writing.
    pub fn begin(self, _max_outage: Duration) -> Result<Writing, StoreFault> {
        match self {}
    }
}

impl Writing {
    /// Writes some pairs.
    #[expect(clippy::unused_async, reason = "as with MongoDB")]
    pub async fn write(
        &mut self,
        _pairs: &[Pair],
        _backup: &mut Backup,
    ) -> Result<Vec<Written>, StoreFault> {
        match *self {}
    }
}
