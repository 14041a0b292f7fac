//! The files of a run, as views of its journal: events → bytes, the same bytes each time.

pub mod bound;
pub mod causes;
pub mod csv_writer;
pub mod escalation;
mod failures;
pub mod gap;
pub mod halt;
mod history;
pub mod rate;
mod rejected;
mod results;
pub mod stats;
pub mod store;
mod stored;
pub mod summary;
mod summary_json;
pub mod times;
mod view;

#[cfg(test)]
mod tests;

use std::{io::Write, path::Path};

use anyhow::Context;

use self::{
    bound::Exceeded,
    causes::FailureCauses,
    stats::Stats,
    store::StoreExamples,
    summary::Summary,
    view::{Begin, Run, View},
};
use crate::{
    event::Event,
    journal::{
        disk::Replacement,
        folder::RunFolder,
        reader::{JournalError, Reader},
        state::RunState,
    },
    settings::execution::Escalation,
};

/// Every file that is written from the journal, in the order in which they are put in place.
const VIEWS: [(&str, Begin); 7] = [
    ("results.csv", results::begin),
    ("failures.csv", failures::begin),
    ("escalation.csv", escalation::table::begin),
    ("rejected.csv", rejected::begin),
    ("stored.csv", stored::begin),
    ("escalation.md", escalation::begin),
    (SUMMARY, summary_json::begin),
];

const SUMMARY: &str = "summary.json";

/// The names of all views.
pub fn names() -> impl Iterator<Item = &'static str> {
    VIEWS.iter().map(|(name, _)| *name)
}

/// Writes every view of a run anew from its journal, each as a whole: a crash leaves the old file
/// or the new one. The escalation is written as the run has it, or otherwise for once.
pub fn write_all(folder: &RunFolder, otherwise: Option<&Escalation>) -> anyhow::Result<Summary> {
    let journal = folder.journal();
    let (run_state, stats) = read(&journal)?;
    let escalation = otherwise.unwrap_or(&run_state.settings.escalation);
    let run = Run { state: &run_state, escalation };
    let mut files = begin_files(folder)?;
    let mut views = begin_views(&mut files, &run)?;
    let (causes, examples) = give_rows(&mut views, &run_state, &journal)?;
    let summary = Summary::of(&run_state, stats, causes, examples);
    for ((name, _), view) in VIEWS.iter().zip(views) {
        view.end(&summary).with_context(|| format!("cannot write {name}"))?;
    }
    files.into_iter().try_for_each(Replacement::put_in_place)?;
    Ok(summary)
}

fn read(journal: &Path) -> Result<(RunState, Stats), JournalError> {
    let mut stats = Stats::default();
    let run_state = RunState::read(journal, |event| stats.observe(event))?;
    Ok((run_state, stats))
}

fn begin_files(folder: &RunFolder) -> anyhow::Result<Vec<Replacement>> {
    VIEWS.iter().map(|(name, _)| folder.disk().replace(&folder.file(name))).collect()
}

fn begin_views<'a>(
    files: &'a mut [Replacement],
    run: &'a Run<'a>,
) -> anyhow::Result<Vec<Box<dyn View + 'a>>> {
    VIEWS.iter().zip(files).map(|((_, begin), file)| begin(file, run)).collect()
}

/// Gives every row of the list to every view; the causes of the failures, and examples of what the
/// store does not have.
fn give_rows(
    views: &mut [Box<dyn View + '_>],
    run_state: &RunState,
    journal: &Path,
) -> anyhow::Result<(FailureCauses, StoreExamples)> {
    let mut causes = FailureCauses::default();
    let mut examples = StoreExamples::default();
    let mut stored_events = run_state.stored_events(journal)?;
    for installation in run_state.outcomes(journal)? {
        let (listed, outcome) = installation?;
        for view in &mut *views {
            view.installation(&listed, &outcome)?;
        }
        causes.installation(&outcome);
        if let Some((stored, table)) = stored_events.of(listed.row)? {
            for view in &mut *views {
                view.stored(&listed, &stored, table)?;
            }
            examples.stored(&stored, table);
        }
    }
    if run_state.rejected > 0 {
        for event in list_events(journal)? {
            if let Event::Rejected(rejected) = event? {
                views.iter_mut().try_for_each(|view| view.rejected(&rejected))?;
            }
        }
    }
    Ok((causes, examples))
}

/// The events of the list alone, which come before all others.
fn list_events(
    journal: &Path,
) -> Result<impl Iterator<Item = Result<Event, JournalError>>, JournalError> {
    let events = Reader::open(journal)?.map(|event| event.map(|(_, event)| event));
    Ok(events.take_while(|event| !matches!(event, Ok(Event::Ready(_)))))
}

/// A window of a run with more starts than the rate of its execution allows, if there is one.
pub fn exceeded(journal: &Path) -> Result<Option<Exceeded>, JournalError> {
    let mut stats = Stats::default();
    for event in Reader::open(journal)? {
        stats.observe(&event?.1);
    }
    Ok(stats.exceeded())
}

/// Looks at a run as its journal has it by now, and writes nothing.
pub fn look_at(journal: &Path) -> anyhow::Result<(RunState, Summary)> {
    let (run_state, stats) = read(journal)?;
    let (causes, examples) = give_rows(&mut [], &run_state, journal)?;
    let summary = Summary::of(&run_state, stats, causes, examples);
    Ok((run_state, summary))
}

/// Writes `summary.json` alone.
pub fn write_summary(folder: &RunFolder, summary: &Summary) -> anyhow::Result<()> {
    let mut file = folder.disk().replace(&folder.file(SUMMARY))?;
    file.write_all(summary.to_json()?.as_bytes())?;
    file.put_in_place()
}
