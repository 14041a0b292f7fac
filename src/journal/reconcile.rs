//! The events that bring the journal into agreement with the tokens on disk.
//!
//! A token line is synced before its event, so that a crash can leave the line without the event. The
//! event is then rebuilt from the line and from the events before it.

use std::{collections::HashMap, io};

use jiff::Timestamp;
use thiserror::Error;

use super::{
    folder::RunFolder,
    reader::JournalError,
    state::{Disagreement, RunState},
    token_lines::{self, PairFacts},
};
use crate::{
    checksum::Checksum,
    clock,
    event::{Event, Listed, Missed, Reclaimed},
};

/// Why journal and tokens cannot be brought into agreement.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The token file cannot be read.
    #[error("cannot read tokens.jsonl")]
    Tokens(#[from] io::Error),
}

/// One event for each row on which journal and tokens disagree.
pub fn events(
    folder: &RunFolder,
    run_state: &RunState,
    differ: Disagreement,
) -> Result<Vec<Event>, ReconcileError> {
    let at = clock::now();
    let Disagreement { reclaimed, missed } = differ;
    let lines: HashMap<u32, Checksum> = reclaimed.into_iter().collect();
    let facts = token_lines::facts_of(&folder.tokens(), lines.values().copied())?;
    let mut rows: Vec<u32> = lines.keys().copied().collect();
    rows.sort_unstable();
    let reclaimed = run_state.listed(&folder.journal(), rows)?.into_iter().filter_map(|listed| {
        let token_line = *lines.get(&listed.row)?;
        let facts = facts.get(&token_line).copied().unwrap_or_default();
        Some(Event::Reclaimed(reclaimed_from(run_state, listed, at, token_line, facts)))
    });
    let missed = run_state
        .listed(&folder.journal(), missed)?
        .into_iter()
        .map(|listed| Event::Missed(Missed { row: listed.row, id: listed.installation.id, at }));
    Ok(reclaimed.chain(missed).collect())
}

fn reclaimed_from(
    run_state: &RunState,
    listed: Listed,
    at: Timestamp,
    token_line: Checksum,
    facts: PairFacts,
) -> Reclaimed {
    let (row, id) = (listed.row, listed.installation.id);
    let doubt = run_state.doubt_of(row);
    Reclaimed {
        row,
        id,
        at,
        token_line,
        attempts: run_state.attempts_of(row),
        via: doubt.map(|grant| grant.via),
        reconnect_trace_id: doubt.and_then(|grant| grant.reconnect_trace_id.clone()),
        token_expires_at: facts.expires_at,
        without_refresh_token: !facts.has_refresh_token,
    }
}
