//! `failures.csv`: what is not recovered, as a list for the next run.

use std::{io::Write, time::Duration};

use jiff::Timestamp;

use super::csv_writer::{self, CsvWriter};
use crate::{
    app::AppName,
    clock::stamp,
    event::{Failed, Halted, History, Listed},
    failure::{Advice, Class, Failure},
    journal::state::{Outcome, RunState, Tried},
    text::SafeText,
};

/// The columns that follow the list's own. The reader of lists knows them by these names.
pub const COLUMNS: [&str; 10] = [
    "status",
    "error_class",
    "stage",
    "http_status",
    "message",
    "retry",
    "attempts_total",
    "first_failed_at",
    "failed_at",
    "trace_ids",
];

/// Writes `failures.csv`.
pub struct Failures<W: Write> {
    out: CsvWriter<W>,
    columns: usize,
    not_attempted: NotAttempted,
    /// By the app that was halted, where it was not all of them.
    halted: Vec<(Option<AppName>, NotAttempted)>,
}

/// What is said of installations that were never asked for.
struct NotAttempted {
    class: Class,
    message: String,
    advice: Advice,
}

impl<W: Write> Failures<W> {
    /// Writes the header: the list's own columns, then ours.
    pub fn begin(out: W, run_state: &RunState) -> csv::Result<Self> {
        let own = &run_state.started.list.columns;
        let out = CsvWriter::begin(out, own.iter().map(String::as_str).chain(COLUMNS))?;
        Ok(Self {
            out,
            columns: own.len(),
            not_attempted: NotAttempted::of(run_state),
            halted: halted(run_state),
        })
    }

    /// Writes the line of one installation, if it is not recovered.
    pub fn installation(&mut self, listed: &Listed, outcome: &Outcome) -> csv::Result<()> {
        let ours = match outcome {
            Outcome::Recovered(_) | Outcome::Reclaimed(_) | Outcome::Skipped(_) => return Ok(()),
            Outcome::Failed(failed) => failed_cells(failed, listed.history.as_ref()),
            Outcome::NotAttempted(tried) => {
                self.not_attempted(listed).cells(tried, listed.history.as_ref())
            }
        };
        let missing = self.columns.saturating_sub(listed.values.len());
        let empty = std::iter::repeat_n(String::new(), missing);
        self.out.line(listed.values.iter().cloned().chain(empty).chain(ours))
    }

    fn not_attempted(&self, listed: &Listed) -> &NotAttempted {
        let own = self.halted.iter().find(|(app, _)| *app == listed.app);
        own.map_or(&self.not_attempted, |(_, halted)| halted)
    }

    /// Writes what is left.
    pub fn end(self) -> csv::Result<()> {
        self.out.end()
    }
}

fn halted(run_state: &RunState) -> Vec<(Option<AppName>, NotAttempted)> {
    let of = |halted: &Halted| (halted.app.clone(), NotAttempted::of_halt(halted));
    run_state.halts.iter().map(of).collect()
}

impl NotAttempted {
    fn of(run_state: &RunState) -> Self {
        let interrupted = run_state.finished.and_then(|end| end.interrupted_by);
        let message = match interrupted {
            Some(_) => "the run was interrupted",
            None => "the run ended before its turn",
        };
        Self { class: Class::Interrupted, message: message.into(), advice: Advice::Now }
    }

    fn of_halt(halted: &Halted) -> Self {
        let whole = match &halted.app {
            Some(app) => format!("the run was halted for app {app}"),
            None => "the run was halted".to_owned(),
        };
        Self {
            class: Class::Halted,
            message: format!("{whole}: {}", halted.message),
            advice: halted.class.advice(),
        }
    }

    fn cells(&self, tried: &Tried, history: Option<&History>) -> [String; 10] {
        [
            "not_attempted".into(),
            self.class.to_string(),
            String::new(),
            String::new(),
            self.message.clone(),
            self.advice.name().into(),
            attempts_total(tried.attempts, history).to_string(),
            history.and_then(|h| h.first_failed_at.clone()).unwrap_or_default(),
            String::new(),
            trace_ids(&tried.trace_ids, history),
        ]
    }
}

fn failed_cells(failed: &Failed, history: Option<&History>) -> [String; 10] {
    let failure = &failed.failure;
    let failed_at = stamp(failed.at);
    [
        failed.status().into(),
        failure.class.to_string(),
        failure.stage.to_string(),
        csv_writer::or_empty(failure.http_status),
        with_time(failure, failed.at),
        failure.advice().name().into(),
        attempts_total(failed.attempts, history).to_string(),
        history.and_then(|h| h.first_failed_at.clone()).unwrap_or_else(|| failed_at.clone()),
        failed_at,
        trace_ids(&failed.trace_ids, history),
    ]
}

/// What was said, and of what is to be tried later, when, if the server told.
fn with_time(failure: &Failure, at: Timestamp) -> String {
    let wait = failure.retry_after_ms.filter(|_| failure.advice() == Advice::Later);
    let wait = wait.map(|ms| Duration::from_millis(ms.into()));
    match wait.and_then(|wait| at.checked_add(wait).ok()) {
        Some(time) => format!("{} (not before {time:.0})", failure.message),
        None => failure.message.as_str().to_owned(),
    }
}

fn attempts_total(attempts: u32, history: Option<&History>) -> u32 {
    history.map_or(0, |h| h.attempts_total).saturating_add(attempts)
}

fn trace_ids(these: &[SafeText], history: Option<&History>) -> String {
    let earlier = history.map_or(&[][..], |h| &h.trace_ids);
    let all: Vec<_> = earlier.iter().chain(these).map(SafeText::as_str).collect();
    all.join(" ")
}
