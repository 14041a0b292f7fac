//! What an earlier run's failures.csv says of an installation, a spreadsheet in between or not.

use jiff::{Timestamp, civil, tz::TimeZone};

use super::cells::Cells;
use super::formula;
use super::id::clean;
use super::layout::{FailureColumns, HistoryColumns};
use super::record::{EarlierFailure, History};
use super::secrets::holds_secret;
use super::tokens::Stored;
use crate::clock;
use crate::due::{self, RetryCells};
use crate::failure::Advice;
use crate::highlevel::token_shape::{Suspicion, cut_out_tokens, holds_token};

/// The most characters of a time that is kept as it stands.
const TIME_CHARS: usize = 40;

/// The most characters of a word such as a class.
const WORD_CHARS: usize = 30;

/// The most characters of a trace id: 128, and the ellipsis of one that was cut.
const TRACE_ID_CHARS: usize = 129;

/// The earlier runs' counts. What cannot be read counts as absent.
pub(super) fn history(columns: HistoryColumns, row: &Cells<'_>) -> Option<History> {
    let attempts = clean(row.cell(columns.attempts_total)).parse::<u32>().ok();
    let first_failed_at = time(row.cell(columns.first_failed_at));
    let trace_ids = trace_ids(row.cell(columns.trace_ids));
    let nothing = attempts.is_none() && first_failed_at.is_none() && trace_ids.is_empty();
    (!nothing).then(|| History {
        attempts_total: attempts.unwrap_or(0),
        first_failed_at,
        trace_ids,
    })
}

/// Its failure as the earlier run wrote it. A cell that holds one of the row's secrets is empty.
pub(super) fn earlier_failure(
    columns: FailureColumns,
    row: &Cells<'_>,
    stored: &Stored,
) -> EarlierFailure {
    let cell = |column: Option<usize>| {
        let cell = column.map_or("", |column| row.cell(column));
        if stored.stands_in(cell) { "" } else { cell }
    };
    let failed_at = time(cell(columns.failed_at)).unwrap_or_default();
    let message = formula::unguarded(cell(columns.message)).trim();
    EarlierFailure {
        retry: RetryCells {
            advice: Advice::read(clean(cell(columns.retry))),
            failed_at: failed_at.parse().ok(),
            not_before: due::time_of(message),
        },
        status: word(cell(columns.status)),
        error_class: word(cell(columns.error_class)),
        stage: word(cell(columns.stage)),
        http_status: word(cell(columns.http_status)),
        message: cut_out_tokens(message),
        failed_at,
    }
}

/// A word as a run writes it; empty for anything else.
fn word(cell: &str) -> String {
    let word = clean(cell);
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let fits = word.len() <= WORD_CHARS && word.chars().all(is_plain);
    if fits { word.to_owned() } else { String::new() }
}

/// A time as a run wrote it, or as a spreadsheet shows it. Where the year stands first it is read,
/// in UTC; where day and month may be either, it is kept as it stands.
fn time(cell: &str) -> Option<String> {
    let text = clean(cell);
    if text.parse::<Timestamp>().is_ok() {
        return Some(text.to_owned());
    }
    let local = text.parse::<civil::DateTime>().or_else(|_| {
        let date = text.parse::<civil::Date>()?;
        Ok::<_, jiff::Error>(date.at(0, 0, 0, 0))
    });
    if let Ok(utc) = local.and_then(|time| time.to_zoned(TimeZone::UTC)) {
        return Some(clock::stamp(utc.timestamp()));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || " .:/+-,".contains(c);
    let starts_well = text.starts_with(|c: char| c.is_ascii_digit());
    let like_a_time =
        starts_well && text.len() <= TIME_CHARS && text.contains([':', '/', '.', '-']);
    (like_a_time && text.chars().all(plain) && !holds_secret(text, Suspicion::Usual))
        .then(|| text.to_owned())
}

fn trace_ids(cell: &str) -> Vec<String> {
    let plain = |c: char| c.is_ascii_graphic() && !"\"'`<>\\".contains(c) || c == '…';
    clean(cell)
        .split_whitespace()
        .filter(|word| word.chars().count() <= TRACE_ID_CHARS && word.chars().all(plain))
        .filter(|word| !holds_token(word))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_kept_whatever_a_spreadsheet_made_of_it() {
        for (cell, kept) in [
            ("2026-10-07T14:05:00.000Z", Some("2026-10-07T14:05:00.000Z")),
            (" 2026-10-07T16:05:00+02:00 ", Some("2026-10-07T16:05:00+02:00")),
            ("2026-10-07 14:05:00", Some("2026-10-07T14:05:00.000Z")),
            ("2026-10-07 14:05", Some("2026-10-07T14:05:00.000Z")),
            ("2026-10-07", Some("2026-10-07T00:00:00.000Z")),
            ("07.10.2026 14:05:00", Some("07.10.2026 14:05:00")),
            ("10/7/26 2:05 PM", Some("10/7/26 2:05 PM")),
            ("once", None),
            ("46302", None),
            ("=1+1", None),
            ("", None),
        ] {
            assert_eq!(time(cell).as_deref(), kept, "{cell}");
        }
    }

    #[test]
    fn every_trace_id_that_a_run_wrote_is_read_back() {
        for (cell, read) in [
            ("t-1 t_2:3.4", vec!["t-1", "t_2:3.4"]),
            ("'-dash a+b/c==", vec!["-dash", "a+b/c=="]),
            ("  twice \u{a0} twice\n", vec!["twice", "twice"]),
            ("<b> fine eyJhbGciOiJub25lIn0.eyJhdXRoQ2xhc3MiOiJMIn0.c2ln", vec!["fine"]),
            ("", vec![]),
        ] {
            assert_eq!(trace_ids(cell), read, "{cell}");
        }
        let cut = format!("{}…", "a".repeat(128));
        assert_eq!(trace_ids(&cut), [&*cut]);
    }
}
