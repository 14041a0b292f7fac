//! `MongoDB`: the collection in which HighLevel's SDKs for Node, Python and PHP keep their sessions.
//!
//! There is no transaction, and none is needed: a document is swapped as a whole, and only while it
//! still has the tokens that were read.

mod decide;
mod look;
mod opened;
mod session;
mod shape;
mod swap;
mod target;
#[cfg(test)]
#[cfg(unix)]
mod tests;
mod times;
mod trouble;
mod writer;

use std::time::Duration;

use ::mongodb::{Client, Collection, bson::Document};

use self::trouble::Trouble;
pub use self::{
    look::Found,
    opened::{Looked, Writing, open},
    target::Place,
    writer::{Absent, Mongo},
};
use super::fault::StoreFault;
use crate::secret::Secret;

/// A collection that can be looked into.
pub struct Sessions {
    place: Place,
    collection: Collection<Document>,
    database: ::mongodb::Database,
    patience: Duration,
}

impl Sessions {
    /// Reads the URL, and connects with the first look. `patience` is for how long a server is waited
    /// for that restarts.
    pub async fn open(
        url: &Secret,
        table: Option<&str>,
        patience: Duration,
    ) -> Result<Self, StoreFault> {
        let target::Target { options, place } = target::read(url, table).await?;
        let database = options.default_database.clone().unwrap_or_default();
        let client = Client::with_options(options).map_err(|e| Trouble::of(&e).fault())?;
        let database = client.database(&database);
        let collection = database.collection(table.unwrap_or(target::COLLECTION));
        Ok(Self { place, collection, database, patience })
    }

    /// Where it is, without a secret.
    pub fn place(&self) -> &Place {
        &self.place
    }
}
