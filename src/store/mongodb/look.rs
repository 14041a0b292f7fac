//! Which SDK's collection it is, proven by the installations in it.

use std::collections::{BTreeSet, HashMap, HashSet};

use ::mongodb::bson::{Bson, Document, doc, oid::ObjectId};
use futures::TryStreamExt;

use super::{
    Sessions,
    shape::{Names, Shape},
    trouble::{Trouble, insist},
};
use crate::{
    highlevel::token_shape::{self, TokenShape},
    store::{fault::StoreFault, pair::Pair},
    text::SafeText,
};

/// Ids that are looked for at a time.
const IDS: usize = 1000;

/// Collections that are looked into for a hint.
const COLLECTIONS: usize = 50;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which SDK writes it.
    pub shape: Shape,
    /// How many of the installations are there.
    pub installations: usize,
    /// How many of them have more than one document.
    pub repeated: usize,
}

impl Sessions {
    /// Looks for the installations, and refuses what must not be written to.
    pub async fn look(&self, pairs: &[Pair]) -> Result<Found, StoreFault> {
        let camel = self.find(pairs, Shape::Node.names()).await?;
        let snake = self.find(pairs, Shape::Python.names()).await?;
        let place = &self.place.collection;
        let seen = match (camel.shapes.is_empty(), snake.shapes.is_empty()) {
            (false, true) => camel,
            (true, false) => snake,
            (true, true) => return self.nothing_found(pairs).await,
            (false, false) => {
                return Err(StoreFault::Usage(format!(
                    "{place} has the installations under applicationId and under application_id: two \
                     SDKs write it, and which one the app reads is not known. Remove the documents of \
                     the other one, or use exec:"
                )));
            }
        };
        if seen.encrypted > 0 {
            return Err(StoreFault::Usage(format!(
                "{} of the documents in {place} have encrypted tokens, which no SDK writes: use exec: \
                 with a program that encrypts as the app does",
                seen.encrypted
            )));
        }
        self.check_rights().await?;
        let repeated = seen.documents.values().filter(|count| **count > 1).count();
        let shape = seen.shapes.into_iter().max_by_key(|(_, count)| *count);
        let shape = shape.map_or(Shape::Node, |(shape, _)| shape);
        Ok(Found { shape, installations: seen.documents.len(), repeated })
    }

    async fn find(&self, pairs: &[Pair], names: &'static Names) -> Result<Seen, StoreFault> {
        let mut seen = Seen::default();
        for chunk in pairs.chunks(IDS) {
            let filter = keys(chunk, names);
            let found = insist(self.patience, || async {
                self.collection.find(filter.clone()).await?.try_collect::<Vec<Document>>().await
            });
            let wanted: HashSet<(&str, &str)> =
                chunk.iter().map(|p| (p.app.as_str(), p.installation.id.as_str())).collect();
            for document in found.await.map_err(Trouble::fault)? {
                seen.add(&document, names, &wanted);
            }
        }
        Ok(seen)
    }

    /// Says why, as well as it can be told.
    async fn nothing_found(&self, pairs: &[Pair]) -> Result<Found, StoreFault> {
        let place = &self.place.collection;
        if let Some(found) = self.shape_alone().await? {
            let apps = self.other_apps(pairs, found.names()).await?;
            if apps.is_empty() {
                return Ok(Found { shape: found, installations: 0, repeated: 0 });
            }
            return Err(StoreFault::Usage(format!(
                "{place} has these installations for another app alone ({apps}), and the pairs are of \
                 {}: check which app the URL and the run belong to",
                pairs.first().map(|pair| SafeText::identifier(&pair.app)).unwrap_or_default()
            )));
        }
        let others = self.collections_with_tokens().await?;
        let hint = if others.is_empty() {
            format!("{} has no collection with an access_token", self.place.database)
        } else {
            format!("with an access_token there is {others}: name one with --table")
        };
        Err(StoreFault::Usage(format!(
            "{place} has no session of HighLevel's SDKs, so its shape cannot be told; {hint}"
        )))
    }

    /// The shape by any document, or by the index that the SDK makes.
    async fn shape_alone(&self) -> Result<Option<Shape>, StoreFault> {
        let any = insist(self.patience, || async {
            self.collection.find_one(doc! {"access_token": {"$exists": true}}).await
        });
        if let Some(document) = any.await.map_err(Trouble::fault)? {
            return Ok(Shape::of(&document));
        }
        // A collection that is not there has no indexes, and some servers answer with an error.
        let Ok(indexes) = self.collection.list_indexes().await else { return Ok(None) };
        let indexes: Vec<_> = indexes.try_collect().await.unwrap_or_default();
        let is_of =
            |shape: &Shape| indexes.iter().any(|i| i.keys.contains_key(shape.names().resource));
        Ok([Shape::Node, Shape::Python].into_iter().find(is_of))
    }

    async fn other_apps(&self, pairs: &[Pair], names: &Names) -> Result<SafeText, StoreFault> {
        let ids: Vec<&str> =
            pairs.iter().take(IDS).map(|pair| pair.installation.id.as_str()).collect();
        let found = insist(self.patience, || async {
            let filter = doc! {names.resource: {"$in": &ids}};
            self.collection.find(filter).limit(20).await?.try_collect::<Vec<Document>>().await
        });
        let apps: BTreeSet<String> = found
            .await
            .map_err(Trouble::fault)?
            .iter()
            .filter_map(|document| document.get_str(names.application).ok())
            .map(|app| SafeText::identifier(app).to_string())
            .collect();
        Ok(SafeText::new(&apps.into_iter().collect::<Vec<_>>().join(", ")))
    }

    async fn collections_with_tokens(&self) -> Result<SafeText, StoreFault> {
        let names = insist(self.patience, || async { self.database.list_collection_names().await });
        let mut with = Vec::new();
        // A user who may not list them has no hint.
        for name in names.await.unwrap_or_default().into_iter().take(COLLECTIONS) {
            let collection = self.database.collection::<Document>(&name);
            let any = collection.find_one(doc! {"access_token": {"$exists": true}}).await;
            if any.is_ok_and(|document| document.is_some()) {
                with.push(name);
            }
        }
        with.sort();
        Ok(SafeText::new(&with.join(", ")))
    }

    /// Updates no document: the server refuses it to who may not update.
    async fn check_rights(&self) -> Result<(), StoreFault> {
        let update = insist(self.patience, || async {
            let nobody = doc! {"_id": ObjectId::new(), "access_token": "", "refresh_token": ""};
            self.collection.update_one(nobody, doc! {"$set": {"access_token": ""}}).await
        });
        update.await.map(drop).map_err(Trouble::fault)
    }
}

#[derive(Default)]
struct Seen {
    /// Documents by installation.
    documents: HashMap<(String, String), usize>,
    shapes: HashMap<Shape, usize>,
    encrypted: usize,
}

impl Seen {
    fn add(&mut self, document: &Document, names: &Names, wanted: &HashSet<(&str, &str)>) {
        let text = |name: &str| document.get_str(name).unwrap_or_default();
        let key = (text(names.application), text(names.resource));
        let (Some(shape), true) = (Shape::of(document), wanted.contains(&key)) else { return };
        *self.documents.entry((key.0.to_owned(), key.1.to_owned())).or_default() += 1;
        *self.shapes.entry(shape).or_default() += 1;
        let is_encrypted = |name: &str| token_shape::shape(text(name)) == TokenShape::Ciphertext;
        self.encrypted +=
            usize::from(is_encrypted("access_token") || is_encrypted("refresh_token"));
    }
}

/// Finds the documents of these pairs, and perhaps some of other apps.
pub(super) fn keys(pairs: &[Pair], names: &Names) -> Document {
    let apps: BTreeSet<&str> = pairs.iter().map(|pair| pair.app.as_str()).collect();
    let apps: Vec<Bson> = apps.into_iter().map(Bson::from).collect();
    let ids: Vec<&str> = pairs.iter().map(|pair| pair.installation.id.as_str()).collect();
    doc! {names.application: {"$in": apps}, names.resource: {"$in": ids}}
}
