//! Writes pairs into the sessions: read, decide, keep, swap, read back.

use std::collections::HashMap;

use ::mongodb::bson::{Bson, Document, doc};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    Sessions,
    decide::{Decision, Stored, decide, is_equal},
    look::{Found, keys},
    session,
    shape::Shape,
    swap::{Swap, Verdict},
    trouble::{Trouble, insist},
};
use crate::{
    clock,
    event::StoreOutcome,
    store::{backup::Backup, fault::StoreFault, pair::Pair, written::Written},
};

/// Pairs that are read at a time.
const BATCH: usize = 100;

/// Swaps under way at a time.
const SWAPS: usize = 16;

/// How often a document is read anew that changes under our hands.
const ROUNDS: usize = 4;

/// Whether a document is made for an installation that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It is `missing`.
    Leave,
    /// A document is made as the SDK would have made it.
    Insert,
}

/// The sessions, open for writing.
pub struct Mongo {
    sessions: Sessions,
    shape: Shape,
    absent: Absent,
    /// Whether a document has been swapped and read back: until then one goes alone.
    is_proven: bool,
}

impl Mongo {
    /// Begins to write, after the look.
    pub fn begin(sessions: Sessions, found: &Found, absent: Absent) -> Self {
        Self { sessions, shape: found.shape, absent, is_proven: false }
    }

    /// Writes pairs, each for itself.
    pub async fn write(
        &mut self,
        pairs: &[Pair],
        backup: &mut Backup,
    ) -> Result<Vec<Written>, StoreFault> {
        let mut written = Vec::with_capacity(pairs.len());
        for batch in pairs.chunks(BATCH) {
            written.append(&mut self.write_batch(batch, backup).await?);
        }
        Ok(written)
    }

    async fn write_batch(
        &mut self,
        pairs: &[Pair],
        backup: &mut Backup,
    ) -> Result<Vec<Written>, StoreFault> {
        let mut answers: Vec<Option<Written>> = vec![None; pairs.len()];
        // Places of the pairs that we have tried to write: if they are there, it was us.
        let mut tried = vec![false; pairs.len()];
        for _ in 0..ROUNDS {
            let open: Vec<usize> = (0..pairs.len()).filter(|at| answers[*at].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let mut documents = self.read(pairs).await?;
            let mut swaps = Vec::new();
            for place in open {
                let pair = &pairs[place];
                let rows = documents.remove(&key(pair)).unwrap_or_default();
                match self.decide(pair, place, rows, tried[place]).await? {
                    Step::Done(written) => answers[place] = Some(written),
                    Step::Again => tried[place] = true,
                    Step::Swap(swap) => swaps.push(*swap),
                }
            }
            for swap in &swaps {
                tried[swap.place] = true;
            }
            self.swap_all(pairs, swaps, &mut answers, backup).await?;
        }
        let restless = || {
            let message = "its document changes each time that it is read: stop the app's own \
                           refresher, and run `store` again";
            Written::with(StoreOutcome::Failed, message)
        };
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(restless)).collect())
    }

    async fn decide(
        &self,
        pair: &Pair,
        place: usize,
        mut rows: Vec<Document>,
        was_tried: bool,
    ) -> Result<Step, StoreFault> {
        let shape = rows.first().and_then(Shape::of).unwrap_or(self.shape);
        let stored: Vec<Stored> = rows.iter().map(|row| session::stored(row, shape)).collect();
        let done = |outcome, message: &str| Ok(Step::Done(Written::with(outcome, message)));
        match decide(pair, &stored) {
            Decision::Already if was_tried && self.absent == Absent::Leave => {
                done(StoreOutcome::Replaced, "")
            }
            Decision::Already => done(StoreOutcome::Already, ""),
            Decision::Newer => done(StoreOutcome::Newer, ""),
            Decision::Missing if self.absent == Absent::Insert => self.insert(pair).await,
            Decision::Missing => {
                done(StoreOutcome::Missing, "no document has this installation; --insert makes one")
            }
            Decision::Ambiguous => done(
                StoreOutcome::Ambiguous,
                "several documents have this installation: remove those that the app does not read",
            ),
            Decision::NotOurs(why) => done(StoreOutcome::NotOurs, why),
            Decision::Encrypted => done(
                StoreOutcome::Refused,
                "the tokens in its document are encrypted, which no SDK does",
            ),
            Decision::Replace => {
                let Some(old) = rows.pop() else { return Ok(Step::Again) };
                match session::update(pair, shape, &old, clock::now()) {
                    Ok(set) => Ok(Step::Swap(Box::new(Swap { place, old, set, shape }))),
                    Err(session::UnknownFormat(field)) => done(
                        StoreOutcome::Refused,
                        &format!("its `{field}` has a format that is not known"),
                    ),
                }
            }
        }
    }

    async fn insert(&self, pair: &Pair) -> Result<Step, StoreFault> {
        let names = self.shape.names();
        let id = pair.installation.id.as_str();
        let filter = doc! {names.application: &pair.app, names.resource: id};
        let document = session::insertion(pair, self.shape, clock::now());
        // Whoever is quicker is not overwritten: all fields are set on insertion alone.
        let inserted = insist(self.sessions.patience, || async {
            let update = doc! {"$setOnInsert": document.clone()};
            self.sessions.collection.update_one(filter.clone(), update).upsert(true).await
        });
        match inserted.await {
            Ok(result) if result.upserted_id.is_some() => {
                let rows = self.read(std::slice::from_ref(pair)).await?.remove(&key(pair));
                let is_there = |row: &Document| is_equal(pair, &session::stored(row, self.shape));
                match rows.as_deref() {
                    Some([row]) if is_there(row) => {
                        Ok(Step::Done(Written::plain(StoreOutcome::Inserted)))
                    }
                    _ => Ok(Step::Again),
                }
            }
            Ok(_) => Ok(Step::Again),
            Err(trouble) => refused(trouble).map(Step::Done),
        }
    }

    /// Keeps the old documents, swaps them, and reads them back.
    async fn swap_all(
        &mut self,
        pairs: &[Pair],
        swaps: Vec<Swap>,
        answers: &mut [Option<Written>],
        backup: &mut Backup,
    ) -> Result<(), StoreFault> {
        if swaps.is_empty() {
            return Ok(());
        }
        for swap in &swaps {
            swap.keep(&pairs[swap.place], backup, self.sessions.place.collection.as_str())?;
        }
        backup.sync()?;
        let mut rest = swaps.as_slice();
        while !self.is_proven
            && let [first, others @ ..] = rest
        {
            rest = others;
            answers[first.place] = self.swap(first).await?;
            if answers[first.place].as_ref().is_some_and(is_replaced) {
                self.prove(&pairs[first.place], first, &mut answers[first.place]).await?;
            }
        }
        let this = &*self;
        let mut swapped = stream::iter(rest)
            .map(|swap| async move { (swap, this.swap(swap).await) })
            .buffered(SWAPS);
        while let Some((swap, written)) = swapped.next().await {
            answers[swap.place] = written?;
        }
        drop(swapped);
        self.read_back(pairs, rest, answers).await
    }

    /// Swaps a document while it has the tokens that were read; `None` if it no longer has.
    async fn swap(&self, swap: &Swap) -> Result<Option<Written>, StoreFault> {
        let filter = swap.filter();
        let swapped = insist(self.sessions.patience, || async {
            let update = doc! {"$set": swap.set.clone()};
            self.sessions.collection.update_one(filter.clone(), update).await
        });
        match swapped.await {
            Ok(result) if result.matched_count == 1 => {
                Ok(Some(Written::plain(StoreOutcome::Replaced)))
            }
            Ok(_) => Ok(None),
            Err(trouble) => refused(trouble).map(Some),
        }
    }

    /// Reads the first swapped document back; if it is not as it was written, it is put back.
    async fn prove(
        &mut self,
        pair: &Pair,
        swap: &Swap,
        answer: &mut Option<Written>,
    ) -> Result<(), StoreFault> {
        let rows = self.read(std::slice::from_ref(pair)).await?.remove(&key(pair));
        match swap.verdict(pair, rows.as_deref().unwrap_or_default()) {
            Verdict::AsWritten => self.is_proven = true,
            Verdict::Newer => *answer = Some(Written::plain(StoreOutcome::Newer)),
            Verdict::Different(field) => {
                self.put_back(swap).await?;
                return Err(StoreFault::Gone(format!(
                    "the first document (row {}) read back differently in `{field}` and was put back: \
                     something in the database changes what is written. Nothing else was written",
                    pair.row
                )));
            }
        }
        Ok(())
    }

    async fn put_back(&self, swap: &Swap) -> Result<(), StoreFault> {
        let update = swap.undo();
        let id = doc! {"_id": swap.old.get("_id").cloned().unwrap_or(Bson::Null)};
        let put = insist(self.sessions.patience, || async {
            self.sessions.collection.update_one(id.clone(), update.clone()).await
        });
        put.await.map(drop).map_err(|trouble| {
            StoreFault::Gone(format!(
                "the first document read back differently and could not be put back; it is in \
                 replaced.jsonl. {}",
                trouble.fault()
            ))
        })
    }

    async fn read_back(
        &self,
        pairs: &[Pair],
        swaps: &[Swap],
        answers: &mut [Option<Written>],
    ) -> Result<(), StoreFault> {
        let documents = if swaps.is_empty() { HashMap::new() } else { self.read(pairs).await? };
        for swap in swaps {
            if !answers[swap.place].as_ref().is_some_and(is_replaced) {
                continue;
            }
            let pair = &pairs[swap.place];
            let rows = documents.get(&key(pair)).map(Vec::as_slice).unwrap_or_default();
            match swap.verdict(pair, rows) {
                Verdict::AsWritten => {}
                Verdict::Newer => answers[swap.place] = Some(Written::plain(StoreOutcome::Newer)),
                Verdict::Different(field) => {
                    return Err(StoreFault::Mismatch(format!(
                        "the document of row {} read back differently in `{field}`; how it was before \
                         is in replaced.jsonl",
                        pair.row
                    )));
                }
            }
        }
        Ok(())
    }

    /// The documents of these pairs, by their keys.
    async fn read(&self, pairs: &[Pair]) -> Result<HashMap<Key, Vec<Document>>, StoreFault> {
        let names = self.shape.names();
        let filter = keys(pairs, names);
        let found = insist(self.sessions.patience, || async {
            let found = self.sessions.collection.find(filter.clone()).await?;
            found.try_collect::<Vec<Document>>().await
        });
        let mut documents: HashMap<Key, Vec<Document>> = HashMap::new();
        for document in found.await.map_err(Trouble::fault)? {
            let text = |name: &str| document.get_str(name).unwrap_or_default().to_owned();
            let key = (text(names.application), text(names.resource));
            documents.entry(key).or_default().push(document);
        }
        Ok(documents)
    }
}

/// What comes next for a pair.
enum Step {
    Done(Written),
    /// To be read once more.
    Again,
    Swap(Box<Swap>),
}

/// The client id before the dash, and the location or company.
type Key = (String, String);

fn key(pair: &Pair) -> Key {
    (pair.app.clone(), pair.installation.id.as_str().to_owned())
}

fn is_replaced(written: &Written) -> bool {
    written.outcome == StoreOutcome::Replaced
}

/// A document that is not taken fails alone; what is no matter of one document stops the store.
fn refused(trouble: Trouble) -> Result<Written, StoreFault> {
    match trouble {
        Trouble::Refused(what) => Ok(Written::with(
            StoreOutcome::Refused,
            &format!("MongoDB does not take the document ({what})"),
        )),
        trouble => Err(trouble.fault()),
    }
}
