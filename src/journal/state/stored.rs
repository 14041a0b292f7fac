//! What became of the recovered pairs in the app's own store.
//!
//! The events of the store may stand anywhere after the list, also after the end of an execution, and
//! change nothing but this.

use std::path::Path;

use super::{
    rows::{RowEntry, RowState},
    run_state::RunState,
    store_mark::StoreMark,
};
use crate::{
    event::{Event, StoreBegan, StoreOutcome, Stored},
    journal::reader::{JournalError, Reader},
    text::SafeText,
};

/// The recovered pairs by what became of them in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounts {
    outcomes: [u32; StoreOutcome::ALL.len()],
    /// Pairs without an outcome.
    pub open: u32,
    /// Pairs that `store` has to write: those without an outcome and those that failed, unless they
    /// are handed on.
    pub to_store: u32,
}

impl StoreCounts {
    /// Each outcome with how many pairs have it, in the order of the reports.
    pub fn outcomes(&self) -> impl Iterator<Item = (StoreOutcome, u32)> {
        StoreOutcome::ALL.into_iter().zip(self.outcomes)
    }

    /// Pairs that are in the store, or that a newer one is there for.
    pub fn stored(&self) -> u32 {
        self.sum(StoreOutcome::is_stored)
    }

    /// Pairs that the store was given and does not have.
    pub fn not_stored(&self) -> u32 {
        self.sum(|outcome| !outcome.is_stored())
    }

    /// Whether every recovered pair is in exactly one state.
    pub fn balance(&self, recovered: u32) -> bool {
        let states = [self.stored(), self.not_stored(), self.open];
        states.iter().map(|n| u64::from(*n)).sum::<u64>() == u64::from(recovered)
    }

    fn sum(&self, is_counted: impl Fn(StoreOutcome) -> bool) -> u32 {
        self.outcomes().filter(|(outcome, _)| is_counted(*outcome)).map(|(_, count)| count).sum()
    }

    fn count(&mut self, row: &RowEntry) {
        let outcome = outcome_of(row).map(|(outcome, _)| outcome);
        match outcome.and_then(|outcome| StoreOutcome::ALL.iter().position(|one| *one == outcome)) {
            Some(index) => self.outcomes[index] += 1,
            None => self.open += 1,
        }
        let is_to_do = outcome.is_none_or(|outcome| outcome == StoreOutcome::Failed);
        self.to_store += u32::from(is_to_do && row.state == RowState::Recovered);
    }
}

/// What became of a row's pair, with the place of its event; only a recovered row has a pair.
fn outcome_of(row: &RowEntry) -> Option<(StoreOutcome, u64)> {
    row.stored.get().filter(|_| row.state.is_recovered())
}

impl RunState {
    pub(super) fn begin_store(&mut self, began: Box<StoreBegan>, at: u64) {
        if self.store.begin(began, at) {
            self.rows.iter_mut().for_each(|row| row.stored = StoreMark::NONE);
        }
    }

    /// An outcome of a pair that is not the row's any more says nothing about the one that is.
    pub(super) fn store_pair(&mut self, stored: &Stored, at: u64) {
        let row = self.rows.get_mut(stored.row).filter(|_| self.store.latest().is_some());
        let is_of = |row: &&mut RowEntry| row.token_line.is_none_or(|l| l == stored.token_line);
        if let Some(row) = row.filter(is_of) {
            row.stored = StoreMark::of(stored.outcome, at);
        }
    }

    /// The store that pairs of the run went to last.
    pub fn store_began(&self) -> Option<&StoreBegan> {
        self.store.latest()
    }

    /// What became of the pair of a recovered row in that store.
    pub fn store_outcome(&self, row: u32) -> Option<StoreOutcome> {
        self.rows.get(row).and_then(outcome_of).map(|(outcome, _)| outcome)
    }

    /// What became of the recovered pairs there.
    pub fn store_counts(&self) -> StoreCounts {
        let mut counts = StoreCounts::default();
        let recovered = self.rows.iter().filter(|row| row.state.is_recovered());
        recovered.for_each(|row| counts.count(row));
        counts
    }

    /// Looks up the events in which outcomes stand.
    pub fn stored_events(&self, journal: &Path) -> Result<StoredEvents<'_>, JournalError> {
        let reader = self.store.latest().is_some().then(|| Reader::open(journal)).transpose()?;
        Ok(StoredEvents { run_state: self, reader })
    }
}

/// The latest outcome of each pair, looked up where it stands in the journal.
pub struct StoredEvents<'a> {
    run_state: &'a RunState,
    /// `None` where no pair went to a store.
    reader: Option<Reader>,
}

impl<'a> StoredEvents<'a> {
    /// That of a row, and the table that the pair went to.
    pub fn of(&mut self, row: u32) -> Result<Option<(Stored, Option<&'a SafeText>)>, JournalError> {
        let found = self.run_state.rows.get(row).and_then(outcome_of);
        let Some(((_, at), reader)) = found.zip(self.reader.as_mut()) else { return Ok(None) };
        Ok(match reader.event_at(at)? {
            Event::Stored(stored) => Some((stored, self.run_state.store.table_at(at))),
            _ => None,
        })
    }
}
