//! The rows of a run that can have a token pair on disk, found by their fingerprint.

use super::{
    compare::TokenLine,
    rows::{RowEntry, RowState},
    run_state::RunState,
};
use crate::plan::fingerprint::Fingerprint;

/// What the journal says of the pair of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairState {
    /// It is in `tokens.jsonl`.
    Recovered,
    /// It is where it belongs, and need not be in `tokens.jsonl` any more.
    HandedOn,
    /// There is none. If a line has one, a crash took its event.
    EventLost,
    /// The row was left alone: another run has its pair, or its old token is good.
    Skipped,
    /// It is refused where it is checked, and must not be used.
    Refused,
}

/// A row of the list by its pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairRow {
    /// Number of the record.
    pub row: u32,
    /// What the journal says.
    pub state: PairState,
    /// What its line has to be.
    pub token_line: TokenLine,
    /// Its app, by the place of its client id in [`RunState::client_ids`].
    pub client: u16,
}

/// See the module. It takes 4 bytes a row.
pub struct PairRows<'a> {
    run_state: &'a RunState,
    by_print: Vec<u32>,
}

impl RunState {
    /// The rows for lookups.
    pub fn pair_rows(&self) -> PairRows<'_> {
        let listed = self.rows.numbered().filter(|(_, row)| row.state != RowState::NotListed);
        let mut by_print: Vec<u32> = listed.map(|(number, _)| number).collect();
        by_print.sort_unstable_by_key(|number| self.print_of(*number));
        PairRows { run_state: self, by_print }
    }

    /// The fingerprint of the installation of a row.
    pub fn print_of(&self, row: u32) -> Fingerprint {
        self.rows.get(row).map(|row| row.print).unwrap_or_default()
    }

    /// The client ids of its apps, or the only one.
    pub fn client_ids(&self) -> Vec<String> {
        let apps = self.started.apps.iter().map(|app| app.client_id.clone());
        let ids: Vec<_> = apps.collect();
        if ids.is_empty() { vec![self.started.client_id.clone()] } else { ids }
    }

    /// The rows that had their tokens handed on.
    pub fn rows_handed_on(&self) -> impl Iterator<Item = u32> {
        let rows = self.rows.numbered().filter(|(_, row)| row.state == RowState::HandedOn);
        rows.map(|(number, _)| number)
    }

    /// How many installations had their tokens handed on.
    pub fn handed_on(&self) -> u32 {
        self.rows.count_in(RowState::HandedOn)
    }
}

impl PairRows<'_> {
    /// The row of an installation.
    pub fn find(&self, print: Fingerprint) -> Option<PairRow> {
        let print_of = |number: &u32| self.run_state.print_of(*number);
        let at = self.by_print.binary_search_by_key(&print, print_of).ok()?;
        self.get(*self.by_print.get(at)?)
    }

    /// A row by its number.
    pub fn get(&self, number: u32) -> Option<PairRow> {
        self.run_state.rows.get(number).map(|row| pair_row(number, row))
    }
}

fn pair_row(number: u32, row: &RowEntry) -> PairRow {
    let state = match row.state {
        RowState::Recovered => PairState::Recovered,
        RowState::HandedOn => PairState::HandedOn,
        RowState::Skipped => PairState::Skipped,
        RowState::Refused => PairState::Refused,
        RowState::NotListed | RowState::Pending | RowState::Failed | RowState::LeftOff => {
            PairState::EventLost
        }
    };
    PairRow { row: number, state, token_line: TokenLine::of(row), client: row.app.get() }
}
