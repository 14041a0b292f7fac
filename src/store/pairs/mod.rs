//! The pairs of several runs: for each installation the newest, by its place in a token file.
//!
//! The index has 40 bytes a pair. The pairs themselves are read when they are asked for, and each line is
//! compared with the checksum that it had.

mod entry;
mod index;
mod reading;

use std::path::Path;

use self::{
    entry::{Entry, split},
    reading::{LineReader, TokenFile},
};
pub use self::{
    index::Census,
    reading::{Batches, PairsError},
};
use crate::{
    installation::{Id, Scope},
    journal::{folder::RunFolder, state::RunState},
    plan::counted,
};

/// The newest pair of each installation over several runs.
pub struct Pairs {
    files: Vec<TokenFile>,
    newest: Vec<Entry>,
    older: Vec<Entry>,
    censuses: Vec<Census>,
}

impl Pairs {
    /// Reads the token files of runs, of which later ones began later. Their states must be read with
    /// fingerprints of one maker.
    pub fn of(runs: &[(&RunFolder, &RunState)]) -> Result<Self, PairsError> {
        let awaited = runs.iter().map(|(_, run_state)| run_state.books().recovered as usize);
        let mut entries = Vec::with_capacity(awaited.sum());
        let (mut files, mut censuses) = (Vec::new(), Vec::new());
        for (run, (folder, run_state)) in (0..).zip(runs) {
            let path = folder.tokens();
            let census = index::add(&mut entries, run, &path, run_state);
            censuses.push(census.map_err(|source| PairsError::unreadable(&path, source))?);
            files.push(TokenFile { path, client_ids: run_state.client_ids() });
        }
        // A run has each installation once.
        let print_of = |pair: &Entry| {
            runs.get(usize::from(pair.run)).map(|(_, state)| state.print_of(pair.row))
        };
        let (newest, older) = match runs {
            [_] => split(entries, |pair| Some(pair.row)),
            _ => split(entries, print_of),
        };
        let mut pairs = Self { files, newest, older, censuses };
        pairs.count();
        Ok(pairs)
    }

    fn count(&mut self) {
        for pair in &self.newest {
            if let Some(census) = self.censuses.get_mut(usize::from(pair.run)) {
                census.newest += 1;
            }
        }
        for pair in &self.older {
            if let Some(census) = self.censuses.get_mut(usize::from(pair.run)) {
                census.superseded += 1;
            }
        }
    }

    /// How many installations have a pair.
    pub fn len(&self) -> usize {
        self.newest.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// How many pairs are superseded by a newer one of another run.
    #[cfg(test)]
    pub fn superseded_len(&self) -> usize {
        self.older.len()
    }

    /// The newest pairs in the order of the files, so many at a time.
    pub fn batches(&self, size: usize) -> Batches<'_> {
        Batches::new(&self.files, &self.newest, size)
    }

    /// The pairs of which another run has a newer one, in the same way. They go into no store.
    pub fn superseded(&self, size: usize) -> Batches<'_> {
        Batches::new(&self.files, &self.older, size)
    }

    /// The ids of all pairs, read one by one.
    pub fn ids(&self) -> impl Iterator<Item = Result<(Scope, Id), PairsError>> {
        self.ids_of(self.newest.iter())
    }

    /// The ids of so many pairs at most, spread evenly over all.
    pub fn sample(&self, most: usize) -> impl Iterator<Item = Result<(Scope, Id), PairsError>> {
        let count = self.newest.len();
        let taken = most.min(count);
        self.ids_of((0..taken).filter_map(move |n| self.newest.get(spread(n, taken, count))))
    }

    fn ids_of<'a>(
        &'a self,
        entries: impl Iterator<Item = &'a Entry>,
    ) -> impl Iterator<Item = Result<(Scope, Id), PairsError>> {
        let mut reader = LineReader::new(&self.files);
        entries.map(move |entry| {
            let installation = reader.pair(entry)?.installation;
            Ok((installation.scope, installation.id))
        })
    }

    /// Calls `take` with the line of each pair, as it stands in its file.
    pub fn each_line<E: From<PairsError>>(
        &self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut reader = LineReader::new(&self.files);
        self.newest.iter().try_for_each(|entry| take(reader.line(entry)?))
    }

    /// What became of the rows and lines of each run.
    pub fn censuses(&self) -> &[Census] {
        &self.censuses
    }

    /// Rows whose pair was handed on and whose line is gone, over all runs.
    #[cfg(test)]
    pub fn handed_on(&self) -> u32 {
        self.censuses.iter().map(|census| census.handed_on).sum()
    }

    /// Whether every pair that should be on disk is there, as it was written.
    pub fn are_whole(&self) -> bool {
        self.censuses.iter().all(|census| census.missing == 0 && census.damaged == 0)
    }

    /// Lines that are damaged and pairs that are missing, a text for each file and fault.
    pub fn damage(&self) -> Vec<String> {
        self.each_census(damage)
    }

    /// What else a person has to know of lines and rows that are no pairs.
    pub fn notes(&self) -> Vec<String> {
        self.each_census(notes)
    }

    fn each_census(&self, texts: impl Fn(&Path, &Census) -> Vec<String>) -> Vec<String> {
        let named = self.files.iter().zip(&self.censuses);
        named.flat_map(|(file, census)| texts(&file.path, census)).collect()
    }
}

/// The place of the n-th of `taken` things that are spread evenly over `count`.
fn spread(n: usize, taken: usize, count: usize) -> usize {
    let place = n as u128 * count as u128 / (taken.max(1) as u128);
    usize::try_from(place).unwrap_or(n)
}

fn damage(path: &Path, census: &Census) -> Vec<String> {
    let file = path.display();
    let mut texts = Vec::new();
    if census.damaged > 0 {
        let lines: Vec<_> = census.damaged_lines.iter().map(u64::to_string).collect();
        let more = census.damaged - census.damaged_lines.len() as u64;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        texts.push(format!(
            "{file}, line {}{more}: damaged, or of an installation that is not in the list; not used",
            lines.join(", ")
        ));
    }
    if census.missing > 0 {
        texts.push(format!(
            "{file}: {} recovered by the journal, and the file does not have the pair as it was \
             written",
            are(census.missing)
        ));
    }
    texts
}

fn notes(path: &Path, census: &Census) -> Vec<String> {
    let file = path.display();
    let mut notes = Vec::new();
    if census.event_lost > 0 {
        notes.push(format!(
            "{file}: {} on disk though the journal does not say so; taken as recovered",
            are(census.event_lost)
        ));
    }
    if census.not_to_use > 0 {
        notes.push(format!(
            "{file}: {} not used: the new token is refused, or the row was skipped",
            are(census.not_to_use)
        ));
    }
    if census.handed_on > 0 {
        notes.push(format!(
            "{file}: {} handed on, and the file does not have the pair any more",
            are(census.handed_on)
        ));
    }
    notes
}

fn are(installations: u32) -> String {
    let verb = if installations == 1 { "is" } else { "are" };
    format!("{} {verb}", counted(installations, "installation"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_evenly() {
        for (taken, count, places) in [
            (0, 5, vec![]),
            (1, 5, vec![0]),
            (2, 5, vec![0, 2]),
            (5, 5, vec![0, 1, 2, 3, 4]),
            (3, 9, vec![0, 3, 6]),
        ] {
            let found: Vec<_> = (0..taken).map(|n| spread(n, taken, count)).collect();
            assert_eq!(found, places, "{taken} of {count}");
        }
    }

    #[test]
    fn a_census_balances_over_the_recovered_rows() {
        let census = Census {
            recovered: 9,
            newest: 5,
            superseded: 2,
            handed_on: 1,
            missing: 1,
            ..Census::default()
        };
        assert!(census.balances());
        assert!(Census { event_lost: 1, newest: 6, ..census.clone() }.balances());
        assert!(!Census { missing: 2, ..census }.balances());
    }
}
