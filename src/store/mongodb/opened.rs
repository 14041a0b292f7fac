//! The sessions as a store that is looked at, then written to.

use std::time::Duration;

use super::{Absent, Found, Mongo, Sessions};
use crate::{
    clock,
    event::StoreBegan,
    store::{
        backup::Backup, fault::StoreFault, look::Wanted, pair::Pair, target::MongoTarget,
        written::Written,
    },
    text::SafeText,
};

/// How long the look waits for a server that restarts.
const PATIENCE: Duration = Duration::from_secs(5);

/// A collection that was looked at.
pub struct Looked {
    sessions: Sessions,
    found: Option<Found>,
    absent: Absent,
    hosts: String,
}

/// A collection that is written to.
pub struct Writing(Mongo);

/// Opens the collection.
pub async fn open(target: &MongoTarget, wanted: &Wanted) -> Result<Looked, StoreFault> {
    if wanted.mapping.is_some() {
        return Err(StoreFault::Usage(
            "--map: MongoDB takes the sessions of HighLevel's SDKs, which need no mapping; for \
             another shape use exec:"
                .to_owned(),
        ));
    }
    let sessions = Sessions::open(&target.url, wanted.table.as_deref(), PATIENCE).await?;
    let absent = if wanted.inserts { Absent::Insert } else { Absent::Leave };
    Ok(Looked { sessions, found: None, absent, hosts: target.hosts.clone() })
}

impl Looked {
    /// Looks for the installations.
    pub async fn look(&mut self, pairs: &[Pair]) -> Result<(), StoreFault> {
        self.found = Some(self.sessions.look(pairs).await?);
        Ok(())
    }

    /// What will be done, for a person.
    pub fn plan(&self) -> String {
        let place = self.sessions.place();
        let note = if place.is_unchecked { ", certificate not checked" } else { "" };
        let found = self.found.as_ref().map_or_else(String::new, |found| {
            format!(
                "Found          {} of the installations looked for, {} of them repeated; sessions of \
                 the {}\n",
                found.installations,
                found.repeated,
                found.shape.name()
            )
        });
        format!(
            "Store          MongoDB: {}, database {}{note}\nCollection     {}\n{found}",
            self.hosts, place.database, place.collection
        )
    }

    /// Where pairs go.
    pub fn began(&self) -> StoreBegan {
        let place = self.sessions.place();
        StoreBegan {
            at: clock::now(),
            kind: SafeText::new("mongodb"),
            host: Some(place.host.clone()),
            database: Some(place.database.clone()),
            table: Some(place.collection.clone()),
            mapping: serde_json::Value::Null,
        }
    }

    /// Starts writing. A server may be away for `max_outage`.
    pub fn begin(self, max_outage: Duration) -> Result<Writing, StoreFault> {
        let Self { mut sessions, found, absent, .. } = self;
        sessions.patience = max_outage;
        let found =
            found.ok_or_else(|| StoreFault::Usage("no look was taken: a bug".to_owned()))?;
        Ok(Writing(Mongo::begin(sessions, &found, absent)))
    }
}

impl Writing {
    /// Writes some pairs.
    pub async fn write(
        &mut self,
        pairs: &[Pair],
        backup: &mut Backup,
    ) -> Result<Vec<Written>, StoreFault> {
        self.0.write(pairs, backup).await
    }
}
