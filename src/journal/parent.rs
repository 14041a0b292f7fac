//! The run whose failures a list is: runs are links of a chain.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};

use super::{disk::Disk, folder::RunFolder, state::RunState};
use crate::{
    event::Parent,
    input::Continues,
    plan::ListSummary,
    settings::{execution::Place, path::path_in_full},
};

/// What is known of the run before.
#[derive(Debug)]
pub enum Before {
    /// The list is no run's failures.
    Nothing,
    /// This run.
    Run(Box<Parent>),
    /// The list is a run's failures, and it cannot be told which run's. Why, and what to do.
    Unknown(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sandbox => "a rehearsal",
            Self::Real => "a real run",
        })
    }
}

/// Finds the run before: the one that is named, or the one in whose folder the list is. One that is
/// named has to be usable.
pub fn find(summary: &ListSummary, named: Option<&Path>, place: Place) -> anyhow::Result<Before> {
    if let Some(folder) = named {
        ensure!(
            summary.continues == Continues::EarlierRun,
            "--parent: {} is no failures.csv, its columns attempts_total, first_failed_at and \
             trace_ids are missing",
            summary.list.name
        );
        return parent(folder, place).map(Before::Run).context("--parent");
    }
    if summary.continues == Continues::Nothing {
        return Ok(Before::Nothing);
    }
    let Some(folder) = summary.list.path.as_deref().and_then(Path::parent).filter(|f| is_run(f))
    else {
        return Ok(Before::Unknown("it is in no run folder any more".to_owned()));
    };
    Ok(match parent(folder, place) {
        Ok(parent) => Before::Run(parent),
        Err(error) => Before::Unknown(format!("{error:#}")),
    })
}

fn is_run(folder: &Path) -> bool {
    folder.join("journal.jsonl").is_file()
}

/// Reads the books of a run, whoever works on it.
fn parent(folder: &Path, place: Place) -> anyhow::Result<Box<Parent>> {
    let folder: PathBuf = path_in_full(folder);
    let journal = RunFolder::open(&folder, Disk::default())?.journal();
    let run_state = RunState::read(&journal, |_| {})?;
    let there = run_state.settings.place;
    ensure!(there == place, "{} is {there}, and this is {place}", folder.display());
    let chain = run_state.chain();
    Ok(Box::new(Parent {
        run_id: run_state.started.run_id,
        folder: folder.to_string_lossy().into_owned(),
        first_run: chain.first_run,
        runs: chain.runs,
        input: chain.input,
        recovered: chain.recovered,
        outstanding: chain.outstanding,
    }))
}
