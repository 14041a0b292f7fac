//! Where each row of the list stands.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::store_mark::StoreMark;
use crate::{
    app::AppName, checksum::Checksum, event::Started, plan::fingerprint::Fingerprint,
    text::SafeText,
};

/// Where a row stands; its last outcome is at a place in the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RowEntry {
    pub(super) state: RowState,
    pub(super) origin: RowOrigin,
    pub(super) app: AppIndex,
    pub(super) print: Fingerprint,
    /// Checksum of its last line in `tokens.jsonl`, where the journal knows it.
    pub(super) token_line: Option<Checksum>,
    pub(super) listed_at: u64,
    pub(super) outcome_at: u64,
    /// What became of its pair in the store.
    pub(super) stored: StoreMark,
}

/// Whether an earlier run has tried the row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RowOrigin {
    #[default]
    New,
    EarlierRun,
}

/// An app of the run by its place in the list of them; the first where there is one only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AppIndex(u16);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RowState {
    #[default]
    NotListed,
    Pending,
    Recovered,
    /// Recovered, and its tokens are where they belong: they need not be on disk any more.
    HandedOn,
    /// Left alone, since its old token is good.
    Skipped,
    Failed,
    /// Failed, since its new token is refused: the pair must not be used.
    Refused,
    /// Failed only because the run ended while it was being worked on.
    LeftOff,
}

impl RowState {
    pub(super) fn is_recovered(self) -> bool {
        matches!(self, Self::Recovered | Self::HandedOn)
    }

    pub(super) fn is_taken(self, take: Take) -> bool {
        match self {
            Self::Pending | Self::LeftOff => true,
            Self::Failed | Self::Refused => take == Take::OpenAndFailed,
            Self::NotListed | Self::Recovered | Self::HandedOn | Self::Skipped => false,
        }
    }
}

/// Which installations an execution takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Those without an outcome, and those that the end of an execution left off.
    Open,
    /// The failed ones too.
    OpenAndFailed,
}

/// Whether an execution has begun with an installation before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// None has.
    Untried,
    /// One has.
    Tried,
}

/// What is known of an installation that was begun and has no outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Attempts that were begun.
    pub attempts: u32,
    /// Trace ids seen, oldest first.
    pub trace_ids: Vec<SafeText>,
    /// When the refresh token was presented, if the result is unknown.
    pub refresh_presented: Option<Timestamp>,
}

/// Rows of a page.
const PAGE: u32 = 256;

/// The rows by number; a number that the list does not have is not listed. They are in pages, so that a
/// number far beyond the others, in a damaged journal, costs one page and not all numbers before it.
#[derive(Debug, Default)]
pub(super) struct RowTable(BTreeMap<u32, Vec<RowEntry>>);

impl RowTable {
    pub(super) fn list(&mut self, number: u32, row: RowEntry) {
        let new = || vec![RowEntry::default(); PAGE as usize];
        let page = self.0.entry(number / PAGE).or_insert_with(new);
        page[(number % PAGE) as usize] = row;
    }

    pub(super) fn get(&self, number: u32) -> Option<&RowEntry> {
        self.0.get(&(number / PAGE))?.get((number % PAGE) as usize)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut RowEntry> {
        self.0.get_mut(&(number / PAGE))?.get_mut((number % PAGE) as usize)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &RowEntry> {
        self.0.values().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut RowEntry> {
        self.0.values_mut().flatten()
    }

    pub(super) fn numbered(&self) -> impl Iterator<Item = (u32, &RowEntry)> {
        self.0.iter().flat_map(|(page, rows)| (page * PAGE..=u32::MAX).zip(rows))
    }

    pub(super) fn count_in(&self, state: RowState) -> u32 {
        count(self.iter().filter(|row| row.state == state))
    }
}

/// How many there are, in the width that counts of rows have.
pub(super) fn count<T>(rows: impl Iterator<Item = T>) -> u32 {
    u32::try_from(rows.count()).unwrap_or(u32::MAX)
}

impl AppIndex {
    pub(super) fn get(self) -> u16 {
        self.0
    }

    pub(super) fn of(started: &Started, app: Option<&AppName>) -> Self {
        let index = started.apps.iter().position(|known| Some(&known.name) == app);
        Self(u16::try_from(index.unwrap_or_default()).unwrap_or(u16::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_far_beyond_the_others_costs_no_more_than_they_do() {
        let mut table = RowTable::default();
        let pending = RowEntry { state: RowState::Pending, ..RowEntry::default() };
        let numbers = [1, 255, 256, 2_111_111_111, u32::MAX];
        for number in numbers {
            table.list(number, pending);
        }
        let listed = table.numbered().filter(|(_, row)| row.state == RowState::Pending);
        assert_eq!(listed.map(|(number, _)| number).collect::<Vec<_>>(), numbers);
        assert_eq!(table.count_in(RowState::Pending), 5);
        assert_eq!((table.get(2), table.get(1000)), (Some(&RowEntry::default()), None));
    }
}
