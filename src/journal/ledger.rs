//! The state of a run, told from its journal alone.

use std::{collections::HashMap, path::Path};

use serde::Serialize;

use super::reader::{JournalError, Reader};
use crate::{
    event::{Event, Failed, Finished, Halted, Listed, Ready, Recovered, Started},
    text::SafeText,
};

/// Where every row of the list stands, by the journal.
#[derive(Debug)]
pub struct Ledger {
    /// How the run began.
    pub started: Started,
    /// The list, when it is in the journal as a whole.
    pub ready: Option<Ready>,
    /// What stopped the run, if something that concerns all did.
    pub halted: Option<Halted>,
    /// How it ended, if it ended in order.
    pub finished: Option<Finished>,
    /// Rows that repeat an earlier one.
    pub duplicates: u32,
    /// Rows that could not be read.
    pub rejected: u32,
    rows: Vec<Row>,
    tried: HashMap<u32, Tried>,
}

/// Where a row stands; its last outcome is at a place in the journal.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    state: State,
    outcome_at: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    NotListed,
    Pending,
    Recovered,
    Failed,
}

/// What is known of an installation that was begun and has no outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Conversations that were begun.
    pub attempts: u32,
    /// Trace ids seen, oldest first.
    pub trace_ids: Vec<SafeText>,
}

/// How an installation stands at the end of the journal.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Its token pair is on disk.
    Recovered(Box<Recovered>),
    /// It was given up.
    Failed(Box<Failed>),
    /// It has no outcome.
    NotAttempted(Tried),
}

/// Every row of the input in exactly one state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// Records that the list had.
    pub input: u32,
    /// Token pair on disk.
    pub recovered: u32,
    /// Left alone, since recovered already.
    pub skipped: u32,
    /// Given up.
    pub failed: u32,
    /// No outcome.
    pub not_attempted: u32,
    /// Repeats an earlier row.
    pub duplicate: u32,
    /// Could not be read.
    pub rejected: u32,
}

impl Books {
    /// Whether the states add up to the input.
    pub fn balance(&self) -> bool {
        let states = [
            self.recovered,
            self.skipped,
            self.failed,
            self.not_attempted,
            self.duplicate,
            self.rejected,
        ];
        states.iter().map(|n| u64::from(*n)).sum::<u64>() == u64::from(self.input)
    }

    /// Whether every installation is recovered and every row was one.
    pub fn are_clear(&self) -> bool {
        self.failed == 0 && self.not_attempted == 0 && self.rejected == 0
    }
}

impl Ledger {
    /// Reads a journal; `listener` hears every event on the way.
    pub fn read(journal: &Path, mut listener: impl FnMut(&Event)) -> Result<Self, JournalError> {
        let not_begun = || JournalError::NotBegun(journal.to_owned());
        let mut events = Reader::open(journal)?;
        let Some((_, Event::Started(started))) = events.next().transpose()? else {
            return Err(not_begun());
        };
        let mut ledger = Self::new(*started.clone());
        listener(&Event::Started(started));
        for event in events {
            let (offset, event) = event?;
            listener(&event);
            ledger.apply(offset, event);
        }
        Ok(ledger)
    }

    fn new(started: Started) -> Self {
        Self {
            started,
            ready: None,
            halted: None,
            finished: None,
            duplicates: 0,
            rejected: 0,
            rows: Vec::new(),
            tried: HashMap::new(),
        }
    }

    fn apply(&mut self, offset: u64, event: Event) {
        match event {
            Event::Listed(listed) => self.set(listed.row, State::Pending, offset),
            Event::Duplicate(_) => self.duplicates += 1,
            Event::Rejected(_) => self.rejected += 1,
            Event::Ready(ready) => self.ready = Some(ready),
            Event::Exchanging(e) => {
                self.try_again(e.row, e.attempt, e.reconnect.trace_id);
            }
            Event::Retrying(e) => self.try_again(e.row, e.attempt, e.failure.trace_id),
            Event::Recovered(e) => self.set(e.row, State::Recovered, offset),
            Event::Failed(e) => self.set(e.row, State::Failed, offset),
            Event::Halted(halted) => self.halted = Some(halted),
            Event::Finished(finished) => self.finished = Some(finished),
            Event::Started(_) => {}
        }
    }

    fn set(&mut self, row: u32, state: State, outcome_at: u64) {
        let index = row as usize;
        if self.rows.len() <= index {
            self.rows.resize(index + 1, Row::default());
        }
        self.rows[index] = Row { state, outcome_at };
        self.tried.remove(&row);
    }

    fn try_again(&mut self, row: u32, attempt: u32, trace_id: Option<SafeText>) {
        let tried = self.tried.entry(row).or_default();
        tried.attempts = attempt;
        tried.trace_ids.extend(trace_id);
    }

    /// The books as they stand.
    pub fn books(&self) -> Books {
        let count = |state| {
            let rows = self.rows.iter().filter(|row| row.state == state).count();
            u32::try_from(rows).unwrap_or(u32::MAX)
        };
        let (recovered, failed) = (count(State::Recovered), count(State::Failed));
        let not_attempted = count(State::Pending);
        let read = recovered + failed + not_attempted + self.duplicates + self.rejected;
        Books {
            input: self.ready.as_ref().map_or(read, |ready| ready.input),
            recovered,
            skipped: 0,
            failed,
            not_attempted,
            duplicate: self.duplicates,
            rejected: self.rejected,
        }
    }

    /// The installations that have no outcome yet, in the order of the list.
    pub fn pending(
        &self,
        journal: &Path,
    ) -> Result<impl Iterator<Item = Result<Listed, JournalError>>, JournalError> {
        let pending =
            |row: u32| self.rows.get(row as usize).is_some_and(|row| row.state == State::Pending);
        let listed = Reader::open(journal)?.filter_map(move |event| match event {
            Ok((_, Event::Listed(listed))) => pending(listed.row).then_some(Ok(listed)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        Ok(listed)
    }

    /// Every listed installation in the order of the list, with how it stands.
    pub fn outcomes(&self, journal: &Path) -> Result<Outcomes<'_>, JournalError> {
        Ok(Outcomes { ledger: self, list: Reader::open(journal)?, ends: Reader::open(journal)? })
    }
}

/// See [`Ledger::outcomes`].
#[derive(Debug)]
pub struct Outcomes<'a> {
    ledger: &'a Ledger,
    list: Reader,
    ends: Reader,
}

impl Outcomes<'_> {
    fn outcome_of(&mut self, row: u32) -> Result<Outcome, JournalError> {
        let state = self.ledger.rows.get(row as usize).copied().unwrap_or_default();
        if !matches!(state.state, State::Recovered | State::Failed) {
            let tried = self.ledger.tried.get(&row).cloned().unwrap_or_default();
            return Ok(Outcome::NotAttempted(tried));
        }
        match self.ends.event_at(state.outcome_at)? {
            Event::Recovered(recovered) => Ok(Outcome::Recovered(recovered)),
            Event::Failed(failed) => Ok(Outcome::Failed(failed)),
            _ => Ok(Outcome::NotAttempted(Tried::default())),
        }
    }
}

impl Iterator for Outcomes<'_> {
    type Item = Result<(Listed, Outcome), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.list.next()? {
                Ok((_, Event::Listed(listed))) => {
                    let outcome = self.outcome_of(listed.row);
                    return Some(outcome.map(|outcome| (listed, outcome)));
                }
                Ok((_, Event::Ready(_))) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
