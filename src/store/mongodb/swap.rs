//! One document: what is asked of the server, what is kept, and how it reads back.

use ::mongodb::bson::{Bson, Document, doc};
use serde_json::{Map, Value};

use super::{
    decide::{Decision, Stored, decide},
    session,
    shape::Shape,
};
use crate::{
    clock,
    secret::Secret,
    store::{
        backup::{Backup, ContentDigest, Replaced},
        fault::StoreFault,
        pair::Pair,
    },
};

/// A document that is to be swapped.
pub(super) struct Swap {
    pub(super) place: usize,
    pub(super) old: Document,
    pub(super) set: Document,
    pub(super) shape: Shape,
}

/// How a document read back.
pub(super) enum Verdict {
    AsWritten,
    /// Somebody has written a newer pair since.
    Newer,
    Different(String),
}

impl Swap {
    /// Keeps the fields that will be set, as they are now.
    pub(super) fn keep(
        &self,
        pair: &Pair,
        backup: &mut Backup,
        collection: &str,
    ) -> Result<(), StoreFault> {
        let names = self.shape.names();
        let mut id = Map::new();
        for name in ["_id", names.application, names.resource] {
            if let Some(value) = self.old.get(name) {
                id.insert(name.to_owned(), typed(value));
            }
        }
        let old = self
            .set
            .keys()
            .map(|name| (name.clone(), self.old.get(name).map_or_else(absent, typed)));
        let replaced = Replaced {
            row: pair.row,
            id: &pair.installation.id,
            table: collection,
            key: &id,
            old: &old.collect(),
            token_line: pair.token_line,
            new: ContentDigest::of(
                pair.access_token.expose(),
                pair.refresh_token.as_ref().map(Secret::expose),
            ),
        };
        backup.keep(&replaced, clock::now())
    }

    /// Finds the document while it has the tokens that were read.
    pub(super) fn filter(&self) -> Document {
        let mut filter = Document::new();
        for name in ["_id", "access_token", "refresh_token"] {
            // NULL is equal to a field that is not there.
            filter.insert(name, self.old.get(name).cloned().unwrap_or(Bson::Null));
        }
        filter
    }

    /// What makes it as it was.
    pub(super) fn undo(&self) -> Document {
        let (mut set, mut unset) = (Document::new(), Document::new());
        for name in self.set.keys() {
            match self.old.get(name) {
                Some(old) => set.insert(name, old.clone()),
                None => unset.insert(name, ""),
            };
        }
        let mut update = doc! {"$set": set};
        if !unset.is_empty() {
            update.insert("$unset", unset);
        }
        update
    }

    /// Tells how the document read back.
    pub(super) fn verdict(&self, pair: &Pair, rows: &[Document]) -> Verdict {
        let different = |field: &str| Verdict::Different(field.to_owned());
        let stored: Vec<Stored> = rows.iter().map(|row| session::stored(row, self.shape)).collect();
        match decide(pair, &stored) {
            Decision::Already => {
                let row = &rows[0];
                // Only who wrote the tokens as well may have changed the rest; a status, say, is not ours.
                let changed = self.set.iter().find(|(name, value)| {
                    *name != self.shape.names().updated && row.get(name) != Some(*value)
                });
                changed.map_or(Verdict::AsWritten, |(name, _)| different(name))
            }
            Decision::Newer => Verdict::Newer,
            Decision::Missing => different("_id"),
            _ => different("access_token"),
        }
    }
}

/// A value with its type, as `mongoexport` writes it and `mongoimport` reads it.
fn typed(value: &Bson) -> Value {
    let named = |name: &str, text: String| {
        let mut object = Map::new();
        object.insert(name.to_owned(), text.into());
        Value::Object(object)
    };
    match value {
        Bson::Int32(number) => named("$numberInt", number.to_string()),
        Bson::Int64(number) => named("$numberLong", number.to_string()),
        Bson::Double(number) => named("$numberDouble", number.to_string()),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

/// A field that the document did not have.
fn absent() -> Value {
    serde_json::json!({"$undefined": true})
}
