//! The token file of a run, read once: where each of its pairs stands.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use jiff::Timestamp;

use super::entry::{Entry, Place, Times};
use crate::{
    installation::Installation,
    journal::state::{PairRow, PairRows, PairState, RunState, TokenLine},
    store::pair::Pair,
};

/// Damaged lines that are named.
const NAMED: usize = 10;

/// What became of the rows and lines of a run. Each recovered row is in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Rows that are recovered by the journal, handed on or not.
    pub recovered: u32,
    /// Rows with a pair that is the newest of its installation.
    pub newest: u32,
    /// Rows with a pair of which another run has a newer one.
    pub superseded: u32,
    /// Rows whose pair was handed on, and whose line is gone.
    pub handed_on: u32,
    /// Rows whose pair should be on disk and is not, or not as it was written.
    pub missing: u32,
    /// Rows with a pair whose event was lost in a crash. The journal does not count them as recovered;
    /// there are none in a run that is in agreement.
    pub event_lost: u32,
    /// Lines of rows that were left alone or whose new token is refused: not to be used.
    pub not_to_use: u32,
    /// Lines that are not as they were written, or of no installation in the list.
    pub damaged: u64,
    /// Numbers of the first of them.
    pub damaged_lines: Vec<u64>,
}

impl Census {
    /// Whether every recovered row is in exactly one place.
    #[cfg(test)]
    pub fn balances(&self) -> bool {
        let found = [self.newest, self.superseded, self.handed_on, self.missing];
        let found: u64 = found.iter().map(|count| u64::from(*count)).sum();
        found == u64::from(self.recovered) + u64::from(self.event_lost)
    }

    fn name_damaged(&mut self, line: u64) {
        self.damaged += 1;
        if self.damaged_lines.len() < NAMED {
            self.damaged_lines.push(line);
        }
    }
}

/// What a line of `tokens.jsonl` is.
enum Line {
    Pair(Entry),
    NotToUse,
    Damaged,
}

/// Adds the pairs of a run to those of the runs before it, the last good line of each row. A file that
/// is not there has none.
pub(super) fn add(
    entries: &mut Vec<Entry>,
    run: u16,
    tokens: &Path,
    run_state: &RunState,
) -> io::Result<Census> {
    let (rows, first) = (run_state.pair_rows(), entries.len());
    let mut census = Census { recovered: run_state.books().recovered, ..Census::default() };
    let mut number = 0;
    each_line(tokens, |offset, line| {
        number += 1;
        match look(line, Place { run, offset, length: 0 }, &rows, run_state) {
            Line::Pair(entry) => entries.push(entry),
            Line::NotToUse => census.not_to_use += 1,
            Line::Damaged => census.name_damaged(number),
        }
    })?;
    entries.get_mut(first..).unwrap_or_default().sort_unstable_by_key(|e| (e.row, e.offset));
    entries.dedup_by(|later, kept| {
        let is_repeated = (later.run, later.row) == (kept.run, kept.row);
        if is_repeated {
            std::mem::swap(later, kept);
        }
        is_repeated
    });
    let (mut recovered, mut handed_on) = (0, 0);
    for entry in entries.get(first..).unwrap_or_default() {
        match rows.get(entry.row).map(|row| row.state) {
            Some(PairState::Recovered) => recovered += 1,
            Some(PairState::HandedOn) => handed_on += 1,
            _ => census.event_lost += 1,
        }
    }
    census.missing = run_state.tokens_awaited().saturating_sub(recovered);
    census.handed_on = run_state.handed_on().saturating_sub(handed_on);
    Ok(census)
}

fn look(line: &[u8], place: Place, rows: &PairRows<'_>, run_state: &RunState) -> Line {
    let found = Pair::read(line, 0, "").and_then(|pair| {
        let Installation { scope, id, .. } = &pair.installation;
        let row = rows.find(run_state.prints().of(&pair.app, *scope, id.as_str()))?;
        Some((pair, row, u32::try_from(line.len()).ok()?))
    });
    let Some((pair, PairRow { row, state, token_line, client }, length)) = found else {
        return Line::Damaged;
    };
    if token_line == TokenLine::Quarantine {
        return Line::NotToUse;
    }
    if !token_line.allows(pair.token_line) {
        return Line::Damaged;
    }
    if state == PairState::Skipped {
        return Line::NotToUse;
    }
    let times = Times {
        granted_ms: pair.granted_at.map(Timestamp::as_millisecond),
        expires_ms: pair.expires_at.map(Timestamp::as_millisecond),
    };
    Line::Pair(Entry::new(Place { length, ..place }, row, client, pair.token_line, times))
}

/// Calls `take` with each whole line, where it begins and without its end.
fn each_line(path: &Path, mut take: impl FnMut(u64, &[u8])) -> io::Result<()> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mut input = BufReader::with_capacity(1 << 17, file);
    let (mut line, mut offset) = (Vec::new(), 0);
    loop {
        let read = input.read_until(b'\n', &mut line)?;
        // A last line without its end is what a crash leaves: no event can know it.
        if line.pop() != Some(b'\n') {
            return Ok(());
        }
        take(offset, &line);
        offset += read as u64;
        line.clear();
    }
}
