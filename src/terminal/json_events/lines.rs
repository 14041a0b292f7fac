//! The lines of `--json=events` that are no events: the first, the last, and the mark of what is missing.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{exit::Exit, views::summary::Summary};

/// Format of the lines; it grows only when a field changes its meaning.
const FORMAT: u32 = 1;

/// The run that the lines are about.
#[derive(Clone, Debug)]
pub struct RunName {
    /// Its id.
    pub run_id: String,
    /// Its folder.
    pub folder: PathBuf,
}

impl RunName {
    fn full_path(&self) -> String {
        let Self { folder, .. } = self;
        let full = std::path::absolute(folder);
        full.as_deref().unwrap_or(folder as &Path).display().to_string()
    }
}

fn program(run: Option<&RunName>) -> Value {
    json!({
        "format": FORMAT,
        "program": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "run_id": run.map(|run| &run.run_id),
        "folder": run.map(RunName::full_path),
    })
}

/// The first line: which format, which program, which run. Without a run its names are null.
pub fn first(run: Option<&RunName>) -> String {
    program(run).to_string()
}

/// Events that stand in the journal and were not written here, since nobody took them in time.
pub fn left_out(events: u64) -> String {
    json!({ "left_out": events }).to_string()
}

/// The last line of an execution: its summary, with the exit code of the program and, where an error
/// ended it, the error.
pub fn of_run(summary: &Summary, exit: Exit, error: Option<&str>) -> String {
    let mut document = serde_json::to_value(summary).unwrap_or_default();
    document["exit_code"] = exit.code().into();
    if let Some(error) = error {
        document["message"] = error.into();
    }
    summary.clean(json!({ "summary": document }).to_string())
}

/// Why there are no figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutFigures {
    /// Nothing was begun.
    NotStarted,
    /// The journal cannot be read in time.
    Unfinished,
}

/// The last line where there are no figures.
pub fn without_figures(
    why: WithoutFigures,
    run: Option<&RunName>,
    exit: Exit,
    message: &str,
) -> String {
    let mut document = program(run);
    document["state"] = match why {
        WithoutFigures::NotStarted => "not_started",
        WithoutFigures::Unfinished => "unfinished",
    }
    .into();
    document["exit_code"] = exit.code().into();
    document["message"] = message.into();
    json!({ "summary": document }).to_string()
}
