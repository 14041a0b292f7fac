//! The installations of the list, each with how it stands: looked up where it stands in the journal.

use std::path::Path;

use super::{
    rows::{Before, RowState, Take, Tried},
    run_state::RunState,
};
use crate::{
    app::AppName,
    event::{Event, Failed, Listed, Reclaimed, Recovered, Skipped},
    journal::reader::{JournalError, Reader},
};

/// How an installation stands at the end of the journal.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Its token pair is on disk.
    Recovered(Box<Recovered>),
    /// Its token pair is on disk; the event with the details was lost in a crash.
    Reclaimed(Reclaimed),
    /// The token that the list had for it is good.
    Skipped(Skipped),
    /// It was given up, or left off where the run ended ([`Failed::status`]).
    Failed(Box<Failed>),
    /// It has no outcome.
    NotAttempted(Tried),
}

impl RunState {
    /// The rows of an app that an execution takes, with whether they were tried before.
    pub fn rows_to_take(
        &self,
        app: Option<&AppName>,
        take: Take,
    ) -> impl Iterator<Item = (u32, Before)> {
        self.rows_of(app).filter(move |(_, row)| row.state.is_taken(take)).map(|(number, row)| {
            let is_new = row.state == RowState::Pending && !self.tried.contains_key(&number);
            (number, if is_new { Before::Untried } else { Before::Tried })
        })
    }

    /// Some rows of the list, looked up where they stand in the journal.
    pub fn listed(
        &self,
        journal: &Path,
        rows: impl IntoIterator<Item = u32>,
    ) -> Result<Vec<Listed>, JournalError> {
        let mut reader = Reader::open(journal)?;
        let mut found = Vec::new();
        for row in rows.into_iter().filter_map(|number| self.rows.get(number)) {
            if let Event::Listed(listed) = reader.event_at(row.listed_at)? {
                found.push(listed);
            }
        }
        Ok(found)
    }

    /// The installations that an execution takes, in the order of the list, with what was tried
    /// before.
    pub fn pending(
        &self,
        journal: &Path,
        take: Take,
    ) -> Result<impl Iterator<Item = Result<(Listed, Tried), JournalError>>, JournalError> {
        let taken = move |row: u32| self.rows.get(row).is_some_and(|row| row.state.is_taken(take));
        Ok(Outcomes::open(self, journal, taken)?.map(|item| {
            let (listed, outcome) = item?;
            let (attempts, trace_ids) = match outcome {
                Outcome::Failed(failed) => (failed.attempts, failed.trace_ids),
                Outcome::NotAttempted(tried) => (tried.attempts, tried.trace_ids),
                Outcome::Recovered(_) | Outcome::Reclaimed(_) | Outcome::Skipped(_) => {
                    Default::default()
                }
            };
            let refresh_presented = self.doubts.refresh_presented(listed.row);
            Ok((listed, Tried { attempts, trace_ids, refresh_presented }))
        }))
    }

    /// Every listed installation in the order of the list, with how it stands.
    pub fn outcomes(
        &self,
        journal: &Path,
    ) -> Result<impl Iterator<Item = Result<(Listed, Outcome), JournalError>>, JournalError> {
        Outcomes::open(self, journal, |_| true)
    }
}

/// Reads the list once more and looks each outcome up where it stands in the journal.
struct Outcomes<'a, F> {
    run_state: &'a RunState,
    list: Reader,
    ends: Reader,
    taken: F,
}

impl<'a, F> Outcomes<'a, F> {
    fn open(run_state: &'a RunState, journal: &Path, taken: F) -> Result<Self, JournalError> {
        let (list, ends) = (Reader::open(journal)?, Reader::open(journal)?);
        Ok(Self { run_state, list, ends, taken })
    }

    fn outcome_of(&mut self, number: u32) -> Result<Outcome, JournalError> {
        let row = self.run_state.rows.get(number).copied().unwrap_or_default();
        if matches!(row.state, RowState::NotListed | RowState::Pending) {
            let tried = self.run_state.tried.get(&number).cloned().unwrap_or_default();
            return Ok(Outcome::NotAttempted(tried));
        }
        match self.ends.event_at(row.outcome_at)? {
            Event::Recovered(recovered) => Ok(Outcome::Recovered(recovered)),
            Event::Reclaimed(reclaimed) => Ok(Outcome::Reclaimed(reclaimed)),
            Event::Skipped(skipped) => Ok(Outcome::Skipped(skipped)),
            Event::Failed(failed) => Ok(Outcome::Failed(failed)),
            _ => Ok(Outcome::NotAttempted(Tried::default())),
        }
    }
}

impl<F: Fn(u32) -> bool> Iterator for Outcomes<'_, F> {
    type Item = Result<(Listed, Outcome), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.list.next()? {
                Ok((_, Event::Listed(listed))) if (self.taken)(listed.row) => {
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
