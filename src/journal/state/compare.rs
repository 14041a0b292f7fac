//! The journal compared with the token files.

use std::collections::HashMap;

use super::{
    rows::{RowEntry, RowState},
    run_state::RunState,
};
use crate::{
    checksum::Checksum,
    plan::fingerprint::{Fingerprint, Fingerprints},
};

/// What an installation's line in `tokens.jsonl` has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenLine {
    /// This one.
    Known(Checksum),
    /// The journal lost the event with the checksum, as in a power cut.
    Unknown,
    /// There must be none: the tokens are refused where they are checked.
    Quarantine,
}

impl TokenLine {
    pub(super) fn of(row: &RowEntry) -> Self {
        match (row.state, row.token_line) {
            (RowState::Refused, _) => Self::Quarantine,
            (_, Some(checksum)) => Self::Known(checksum),
            (_, None) => Self::Unknown,
        }
    }

    /// Whether a line with this checksum may be used.
    pub fn allows(self, line: Checksum) -> bool {
        match self {
            Self::Known(known) => known == line,
            Self::Unknown => true,
            Self::Quarantine => false,
        }
    }
}

/// How journal and tokens disagree after a crash, or after somebody changed a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Disagreement {
    /// Rows whose tokens are on disk without an event in the journal, with the checksums of their lines.
    pub reclaimed: Vec<(u32, Checksum)>,
    /// Rows that are recovered by the journal, and whose tokens are not on disk.
    pub missed: Vec<u32>,
}

impl RunState {
    /// Makes fingerprints that can be compared with those of the rows.
    pub fn prints(&self) -> &Fingerprints {
        &self.prints
    }

    /// Compares the journal with the token pairs that are on disk, each with the checksum of its line.
    /// A line that is not the one that was written is as good as none.
    pub fn compare(&self, on_disk: &HashMap<Fingerprint, Checksum>) -> Disagreement {
        let mut disagreement = Disagreement::default();
        for (number, row) in self.rows.numbered() {
            let line = on_disk.get(&row.print).copied();
            let line = line.filter(|line| row.token_line.is_none_or(|known| known == *line));
            match (row.state, line) {
                (RowState::Recovered, None) => disagreement.missed.push(number),
                (RowState::Pending | RowState::Failed | RowState::LeftOff, Some(line)) => {
                    disagreement.reclaimed.push((number, line));
                }
                _ => {}
            }
        }
        disagreement
    }

    /// What the token lines of the run have to be, for each of its installations, as far as the
    /// journal knows.
    pub fn token_lines(&self) -> HashMap<Fingerprint, TokenLine> {
        self.listed_rows().map(|row| (row.print, TokenLine::of(row))).collect()
    }

    /// How many of these token lines are good: of an installation of the run, and as it was written.
    pub fn count_good(&self, lines: &HashMap<Fingerprint, Checksum>) -> usize {
        let is_good = |row: &&RowEntry| {
            lines.get(&row.print).is_some_and(|line| TokenLine::of(row).allows(*line))
        };
        self.listed_rows().filter(is_good).count()
    }

    fn listed_rows(&self) -> impl Iterator<Item = &RowEntry> {
        self.rows.iter().filter(|row| row.state != RowState::NotListed)
    }

    /// Whether a line of `quarantine.jsonl` is as it was written.
    pub fn has_quarantined(&self, line: Checksum) -> bool {
        self.quarantined.contains(&line)
    }

    /// Whether there are installations whose new tokens are refused where they are checked.
    pub fn has_refused(&self) -> bool {
        self.rows.iter().any(|row| row.state == RowState::Refused)
    }

    /// How many installations have to have their tokens in `tokens.jsonl`.
    pub fn tokens_awaited(&self) -> u32 {
        self.rows.count_in(RowState::Recovered)
    }
}
