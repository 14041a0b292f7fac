//! Brings the pairs of runs into a store, with an event for each.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    backup::{self, Backup},
    fault::StoreFault,
    list_tokens::ListTokens,
    open::Store,
    pair::Pair,
    pairs::{Pairs, PairsError},
    runs::{Run, Runs},
    swap::{Inspected, Known},
    written::Written,
};
use crate::{
    clock,
    event::{Event, StoreBegan, StoreOutcome, Stored},
    journal::folder::RunFolder,
    text::SafeText,
};

/// Between two lines about how far it is.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How a delivery talks, and who ends it.
pub struct Delivery<'a> {
    /// Takes lines for a person.
    pub note: &'a (dyn Fn(&str) + Sync),
    /// Ends it after the batch in hand.
    pub stop: CancellationToken,
    /// The tokens that the lists of the runs have.
    pub list: Arc<ListTokens>,
    /// Whether pairs may be in another table, where a command before this one has put them.
    pub others: OtherTable,
}

/// Whether a command before this one wrote into another table of the same store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherTable {
    /// None has.
    None,
    /// One has: agencies, say, have a table of their own.
    Written,
}

impl OtherTable {
    /// Compares where the pairs of a run went last with where they go now.
    pub fn of(before: Option<&StoreBegan>, now: &Event) -> Self {
        match (before, now) {
            (Some(before), Event::StoreBegan(now))
                if before.is_in_same_store(now) && before.table != now.table =>
            {
                Self::Written
            }
            _ => Self::None,
        }
    }
}

impl From<PairsError> for StoreFault {
    fn from(error: PairsError) -> Self {
        Self::Local(error.into())
    }
}

impl Delivery<'_> {
    /// Writes every pair. An interruption is no fault: the rest is open.
    pub async fn write(
        &self,
        store: &mut Store,
        runs: &mut Runs,
        pairs: &Pairs,
    ) -> Result<(), StoreFault> {
        Self::leave_superseded(runs, pairs)?;
        let mut files: HashMap<usize, (Backup, Known)> = HashMap::new();
        let (mut done, mut said) = (0, Instant::now());
        for batch in pairs.batches(store.batch_size()) {
            for (run, pairs_of_run) in by_run(batch?) {
                if self.stop.is_cancelled() {
                    return Ok(());
                }
                if let std::collections::hash_map::Entry::Vacant(place) = files.entry(run) {
                    let folder = &runs.as_slice()[run].folder;
                    place.insert((Backup::open(folder)?, self.known(store, folder)?));
                }
                let Some((backup, known)) = files.get_mut(&run) else { continue };
                let pairs_of_run = if store.goes_by_journal() && self.others == OtherTable::None {
                    let (left, events) = already(&runs.as_slice()[run], pairs_of_run);
                    runs.as_mut_slice()[run].add_durably(events)?;
                    left
                } else {
                    pairs_of_run
                };
                let (results, fault) = store.write(&pairs_of_run, backup, known, self.note).await;
                let results = self.to_record(&runs.as_slice()[run], &pairs_of_run, results);
                let events = events(&pairs_of_run, results);
                done += events.len();
                runs.as_mut_slice()[run].add_durably(events)?;
                fault?;
                if said.elapsed() >= LINE_EVERY {
                    said = Instant::now();
                    (self.note)(&format!("{done} of {} pairs done", pairs.len()));
                }
            }
        }
        Ok(())
    }

    /// What is to be recorded: a pair that is in another table is not missing.
    fn to_record(
        &self,
        run: &Run,
        pairs: &[Pair],
        mut results: Vec<Option<Written>>,
    ) -> Vec<Option<Written>> {
        if self.others == OtherTable::Written {
            for (pair, result) in pairs.iter().zip(&mut results) {
                let is_elsewhere =
                    || run.run_state().store_outcome(pair.row).is_some_and(StoreOutcome::is_stored);
                result
                    .take_if(|written| written.outcome == StoreOutcome::Missing && is_elsewhere());
            }
        }
        results
    }

    fn known(&self, store: &Store, folder: &RunFolder) -> Result<Known, StoreFault> {
        let written = if store.needs_known() {
            Backup::written(&Backup::path(folder))?
        } else {
            backup::Written::default()
        };
        Ok(Known { written, list: self.list.clone() })
    }

    /// A pair of which a later run has a newer one goes nowhere.
    fn leave_superseded(runs: &mut Runs, pairs: &Pairs) -> Result<(), StoreFault> {
        for batch in pairs.superseded(1000) {
            for (run, pairs_of_run) in by_run(batch?) {
                let message = "another run has a newer pair";
                let newer = |pair| event(pair, &Written::with(StoreOutcome::Newer, message));
                let events: Vec<Event> = pairs_of_run.iter().map(newer).collect();
                runs.as_mut_slice()[run].add_durably(events)?;
            }
        }
        Ok(())
    }

    /// Decides about every pair and writes nothing; `None` where only writing would tell.
    pub async fn inspect(
        &self,
        store: &mut Store,
        folders: &[&RunFolder],
        pairs: &Pairs,
    ) -> Result<Option<Inspected>, StoreFault> {
        let mut all = Inspected::default();
        let mut files: HashMap<usize, Known> = HashMap::new();
        for batch in pairs.batches(store.batch_size()) {
            for (run, pairs_of_run) in by_run(batch?) {
                if let std::collections::hash_map::Entry::Vacant(place) = files.entry(run) {
                    place.insert(self.known(store, folders[run])?);
                }
                let Some(known) = files.get(&run) else { continue };
                match store.inspect(&pairs_of_run, known, self.note).await? {
                    Some(some) => all.add(&some),
                    None => return Ok(None),
                }
            }
        }
        Ok(Some(all))
    }
}

/// The pairs that the journal does not say are stored, and the events of the others.
fn already(run: &Run, pairs: Vec<Pair>) -> (Vec<Pair>, Vec<Event>) {
    let is_stored =
        |pair: &Pair| run.run_state().store_outcome(pair.row).is_some_and(StoreOutcome::is_stored);
    let (stored, left): (Vec<_>, Vec<_>) = pairs.into_iter().partition(is_stored);
    let message = "by the journal of the run";
    let event = |pair| event(pair, &Written::with(StoreOutcome::Already, message));
    (left, stored.iter().map(event).collect())
}

/// The pairs of a batch by their runs, in order.
fn by_run(batch: Vec<(usize, Pair)>) -> Vec<(usize, Vec<Pair>)> {
    let mut runs: Vec<(usize, Vec<Pair>)> = Vec::new();
    for (run, pair) in batch {
        match runs.last_mut().filter(|(last, _)| *last == run) {
            Some((_, pairs)) => pairs.push(pair),
            None => runs.push((run, vec![pair])),
        }
    }
    runs
}

fn events(pairs: &[Pair], results: Vec<Option<Written>>) -> Vec<Event> {
    let settled = pairs.iter().zip(results);
    settled.filter_map(|(pair, written)| Some(event(pair, &written?))).collect()
}

fn event(pair: &Pair, written: &Written) -> Event {
    Event::Stored(Stored {
        row: pair.row,
        id: pair.installation.id.clone(),
        at: clock::now(),
        outcome: written.outcome,
        token_line: pair.token_line,
        message: SafeText::new(written.message.as_str()),
    })
}
