//! `results.csv`: a line an installation, whatever became of it.

use std::io::Write;

use super::csv_writer::{self, CsvWriter};
use crate::{
    clock::stamp,
    event::{Failed, Listed, Reclaimed, Recovered, Skipped},
    failure::Stage,
    journal::state::{Outcome, Tried},
    route::Route,
};

const COLUMNS: [&str; 17] = [
    "row",
    "scope",
    "id",
    "status",
    "via",
    "stage",
    "error_class",
    "http_status",
    "message",
    "reconnect_trace_id",
    "token_trace_id",
    "attempts",
    "code_age_ms",
    "code_margin_ms",
    "started_at",
    "finished_at",
    "token_expires_at",
];

/// Writes `results.csv`.
pub struct Results<W: Write> {
    out: CsvWriter<W>,
}

impl<W: Write> Results<W> {
    /// Writes the header.
    pub fn begin(out: W) -> csv::Result<Self> {
        Ok(Self { out: CsvWriter::begin(out, COLUMNS)? })
    }

    /// Writes the line of one installation.
    pub fn installation(&mut self, listed: &Listed, outcome: &Outcome) -> csv::Result<()> {
        let rest = match outcome {
            Outcome::Recovered(recovered) => recovered_cells(recovered),
            Outcome::Reclaimed(reclaimed) => reclaimed_cells(reclaimed),
            Outcome::Skipped(skipped) => skipped_cells(skipped),
            Outcome::Failed(failed) => failed_cells(failed),
            Outcome::NotAttempted(tried) => not_attempted_cells(tried),
        };
        let installation = &listed.installation;
        let first =
            [listed.row.to_string(), installation.scope.to_string(), installation.id.to_string()];
        self.out.line(first.iter().chain(&rest))
    }

    /// Writes what is left.
    pub fn end(self) -> csv::Result<()> {
        self.out.end()
    }
}

fn recovered_cells(recovered: &Recovered) -> [String; 14] {
    [
        "recovered".into(),
        recovered.via.name().into(),
        String::new(),
        String::new(),
        csv_writer::or_empty(recovered.exchange.http_status),
        recovered.remark().unwrap_or_default(),
        csv_writer::or_empty(recovered.reconnect_trace_id.as_ref()),
        csv_writer::or_empty(recovered.exchange.trace_id.as_ref()),
        recovered.attempts.to_string(),
        csv_writer::or_empty(recovered.code_age_ms),
        csv_writer::or_empty(recovered.code_margin_ms),
        stamp(recovered.started_at),
        stamp(recovered.at),
        csv_writer::or_empty(recovered.token_expires_at.map(stamp)),
    ]
}

fn failed_cells(failed: &Failed) -> [String; 14] {
    let failure = &failed.failure;
    [
        failed.status().into(),
        route_of(failure.stage).map(Route::name).unwrap_or_default().into(),
        failure.stage.to_string(),
        failure.class.to_string(),
        csv_writer::or_empty(failure.http_status),
        failure.message.to_string(),
        csv_writer::or_empty(failed.reconnect_trace_id.as_ref()),
        csv_writer::or_empty(failed.token_trace_id.as_ref()),
        failed.attempts.to_string(),
        String::new(),
        String::new(),
        stamp(failed.started_at),
        stamp(failed.at),
        String::new(),
    ]
}

/// The way on which a stage lies.
fn route_of(stage: Stage) -> Option<Route> {
    match stage {
        Stage::Refresh => Some(Route::Refresh),
        Stage::Reconnect | Stage::Exchange => Some(Route::Reconnect),
        Stage::Agency => Some(Route::Agency),
        Stage::Input | Stage::Verify | Stage::Store => None,
    }
}

fn skipped_cells(skipped: &Skipped) -> [String; 14] {
    let mut cells: [String; 14] = Default::default();
    cells[0] = "skipped".into();
    cells[4] = csv_writer::or_empty(skipped.call.as_ref().and_then(|call| call.http_status));
    cells[5] = skipped.in_words();
    cells[12] = stamp(skipped.at);
    cells
}

/// What token line and journal tell after a crash between the two.
fn reclaimed_cells(reclaimed: &Reclaimed) -> [String; 14] {
    let mut cells: [String; 14] = Default::default();
    cells[0] = "recovered".into();
    cells[1] = reclaimed.via.map(Route::name).unwrap_or_default().into();
    cells[5] = "tokens found on disk when the run was resumed".into();
    cells[6] = csv_writer::or_empty(reclaimed.reconnect_trace_id.as_ref());
    cells[8] = if reclaimed.attempts == 0 { String::new() } else { reclaimed.attempts.to_string() };
    cells[13] = csv_writer::or_empty(reclaimed.token_expires_at.map(stamp));
    cells[12] = stamp(reclaimed.at);
    cells
}

fn not_attempted_cells(tried: &Tried) -> [String; 14] {
    let mut cells: [String; 14] = Default::default();
    cells[0] = "not_attempted".into();
    cells[8] = tried.attempts.to_string();
    cells
}
