//! The books: every row in exactly one state, for a run, an app of it, and a chain of runs.

use serde::Serialize;

use super::{
    rows::{RowOrigin, RowState, Take, count},
    run_state::RunState,
};
use crate::{app::AppName, event::Started};

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
    /// No outcome: never begun, or not finished when the run ended.
    pub not_attempted: u32,
    /// Repeats an earlier row.
    pub duplicate: u32,
    /// Could not be read.
    pub rejected: u32,
}

impl Books {
    /// Rows that name an installation of their own.
    pub fn installations(&self) -> u32 {
        self.recovered + self.skipped + self.failed + self.not_attempted
    }

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

/// The installations of an app, each in one state. Rows that repeat others or cannot be read are no
/// app's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AppBooks {
    /// Token pair on disk.
    pub recovered: u32,
    /// Left alone, since its old token is good.
    pub skipped: u32,
    /// Given up.
    pub failed: u32,
    /// No outcome, or none when the run ended.
    pub not_attempted: u32,
}

impl AppBooks {
    /// All of them.
    pub fn installations(self) -> u32 {
        self.recovered + self.skipped + self.failed + self.not_attempted
    }

    fn count(&mut self, state: RowState) {
        match state {
            RowState::NotListed => {}
            RowState::Pending | RowState::LeftOff => self.not_attempted += 1,
            RowState::Recovered | RowState::HandedOn => self.recovered += 1,
            RowState::Skipped => self.skipped += 1,
            RowState::Failed | RowState::Refused => self.failed += 1,
        }
    }
}

/// The books of a chain of runs, each over the failures of the one before. Counts are of
/// installations, without duplicate and rejected rows: `input` is `recovered` and `outstanding`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// Run id of the first run.
    pub first_run: String,
    /// Runs so far, this one included.
    pub runs: u32,
    /// Installations that the first run was to recover.
    pub input: u32,
    /// Recovered by all runs together.
    pub recovered: u32,
    /// Not recovered by any, whether the list still has them or not.
    pub outstanding: u32,
}

impl RunState {
    /// The books as they stand.
    pub fn books(&self) -> Books {
        let installations = self.books_of(None);
        let AppBooks { recovered, skipped, failed, not_attempted } = installations;
        let read = installations.installations() + self.duplicates + self.rejected;
        Books {
            input: self.ready.as_ref().map_or(read, |ready| ready.input),
            recovered,
            skipped,
            failed,
            not_attempted,
            duplicate: self.duplicates,
            rejected: self.rejected,
        }
    }

    /// The books of an app; without a name, of the whole run.
    pub fn books_of(&self, app: Option<&AppName>) -> AppBooks {
        let mut books = AppBooks::default();
        self.rows_of(app).for_each(|(_, row)| books.count(row.state));
        books
    }

    /// The books of the chain of runs that this one belongs to, as they stand. A run without a
    /// parent is a chain of its own. Only rows that an earlier run has tried make the chain shorter:
    /// those that somebody added to the list were never in it, those that somebody took out of the
    /// list are outstanding still.
    pub fn chain(&self) -> Chain {
        let Some(parent) = &self.started.parent else { return self.chain_of_one() };
        let again = self.rows.iter().filter(|row| row.origin == RowOrigin::EarlierRun);
        let again = count(again.filter(|row| row.state.is_recovered())).min(parent.outstanding);
        Chain {
            first_run: parent.first_run.clone(),
            runs: parent.runs.saturating_add(1),
            input: parent.input,
            recovered: parent.recovered.saturating_add(again),
            outstanding: parent.outstanding - again,
        }
    }

    fn chain_of_one(&self) -> Chain {
        let Started { run_id, .. } = &self.started;
        let Books { recovered, failed, not_attempted, .. } = self.books();
        let outstanding = failed + not_attempted;
        let input = recovered + outstanding;
        Chain { first_run: run_id.clone(), runs: 1, input, recovered, outstanding }
    }

    /// How many installations were begun and not finished when the run ended. The books have them
    /// among those that were not attempted.
    pub fn left_off(&self) -> u32 {
        self.rows.count_in(RowState::LeftOff)
    }

    /// How many installations an execution has to take.
    pub fn to_take(&self, take: Take) -> u32 {
        self.to_take_of(None, take)
    }

    /// How many installations of an app an execution has to take; without a name, of the whole run.
    pub fn to_take_of(&self, app: Option<&AppName>, take: Take) -> u32 {
        count(self.rows_of(app).filter(|(_, row)| row.state.is_taken(take)))
    }

    /// Whether installations of an app were recovered; without a name, of the whole run.
    pub fn is_proven(&self, app: Option<&AppName>) -> bool {
        self.rows_of(app).any(|(_, row)| row.state.is_recovered())
    }
}
