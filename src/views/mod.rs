//! The files of a run, as views of its journal: events → bytes, the same bytes each time.

pub mod bound;
pub mod causes;
mod course;
pub mod csv_writer;
pub mod escalation;
mod failures;
pub mod gap;
mod gathered;
pub mod halt;
mod history;
pub mod next;
pub mod rate;
mod rejected;
mod report;
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

use std::{fs, io::Write, path::Path};

use anyhow::Context;

use self::{
    bound::Exceeded,
    course::Course,
    escalation::answers::AnswerLog,
    gathered::Gathered,
    stats::Stats,
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
    settings::execution::{Escalation, Page},
};

/// Every file that is written from the journal, in the order in which they are put in place.
const VIEWS: [(&str, Begin); 8] = [
    ("results.csv", results::begin),
    ("failures.csv", failures::begin),
    ("escalation.csv", escalation::table::begin),
    ("rejected.csv", rejected::begin),
    ("stored.csv", stored::begin),
    ("escalation.md", escalation::begin),
    (PAGE, report::begin),
    (SUMMARY, summary_json::begin),
];

const SUMMARY: &str = "summary.json";

const PAGE: &str = "report.html";

/// How files are written this once, otherwise than the run has it.
#[derive(Clone, Debug, Default)]
pub struct Otherwise {
    /// How the escalation is written.
    pub escalation: Option<Escalation>,
    /// Whether the page is.
    pub page: Page,
}

/// The names of all views.
pub fn names() -> impl Iterator<Item = &'static str> {
    VIEWS.iter().map(|(name, _)| *name)
}

/// Writes every view of a run anew from its journal, each as a whole: a crash leaves the old file
/// or the new one. They are written as the run has it, or otherwise for once.
pub fn write_all(folder: &RunFolder, otherwise: Option<&Otherwise>) -> anyhow::Result<Summary> {
    let journal = folder.journal();
    let (mut stats, mut course) = (Stats::default(), Course::default());
    let mut answers = AnswerLog::default();
    let run_state = RunState::read(&journal, |event| {
        stats.observe(event);
        course.observe(event, &stats);
        answers.observe(event);
    })?;
    course.finish(&mut stats);
    let settings = &run_state.settings;
    let escalation = otherwise.and_then(|otherwise| otherwise.escalation.as_ref());
    let escalation = escalation.unwrap_or(&settings.escalation);
    let run = Run { state: &run_state, escalation, answers: &answers, course: &course };
    let chosen = chosen(otherwise.map_or(settings.page, |otherwise| otherwise.page));
    let mut files = begin_files(folder, &chosen)?;
    let mut views = begin_views(&mut files, &chosen, &run)?;
    let given = give_rows(&mut views, &run_state, &journal)?;
    let summary = Summary::of(&run_state, stats, given);
    for ((name, _), view) in chosen.iter().zip(views) {
        view.end(&summary).with_context(|| format!("cannot write {name}"))?;
    }
    files.into_iter().try_for_each(Replacement::put_in_place)?;
    remove_the_rest(folder, &chosen)?;
    Ok(summary)
}

/// The views that are written.
fn chosen(page: Page) -> Vec<(&'static str, Begin)> {
    let is_chosen = |name: &str| name != PAGE || page == Page::Written;
    VIEWS.into_iter().filter(|(name, _)| is_chosen(name)).collect()
}

/// Removes what an earlier execution has written and this one does not: it would be out of date.
fn remove_the_rest(folder: &RunFolder, chosen: &[(&str, Begin)]) -> anyhow::Result<()> {
    let is_left_out = |name: &&str| chosen.iter().all(|(other, _)| other != name);
    for path in names().filter(is_left_out).map(|name| folder.file(name)) {
        if path.exists() {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

fn begin_files(folder: &RunFolder, chosen: &[(&str, Begin)]) -> anyhow::Result<Vec<Replacement>> {
    chosen.iter().map(|(name, _)| folder.disk().replace(&folder.file(name))).collect()
}

fn begin_views<'a>(
    files: &'a mut [Replacement],
    chosen: &[(&str, Begin)],
    run: &'a Run<'a>,
) -> anyhow::Result<Vec<Box<dyn View + 'a>>> {
    chosen.iter().zip(files).map(|((_, begin), file)| begin(file, run)).collect()
}

/// Gives every row of the list to every view, and gathers what the summary needs of them.
fn give_rows(
    views: &mut [Box<dyn View + '_>],
    run_state: &RunState,
    journal: &Path,
) -> anyhow::Result<Gathered> {
    let mut gathered = Gathered::default();
    let mut stored_events = run_state.stored_events(journal)?;
    for installation in run_state.outcomes(journal)? {
        let (listed, outcome) = installation?;
        for view in &mut *views {
            view.installation(&listed, &outcome)?;
        }
        gathered.causes.installation(&outcome);
        gathered.open.installation(run_state, &listed, &outcome);
        if let Some((stored, table)) = stored_events.of(listed.row)? {
            for view in &mut *views {
                view.stored(&listed, &stored, table)?;
            }
            gathered.examples.stored(&stored, table);
        }
    }
    if run_state.rejected + run_state.not_due > 0 {
        for event in list_events(journal)? {
            match event? {
                Event::Rejected(rejected) => {
                    views.iter_mut().try_for_each(|view| view.rejected(&rejected))?;
                }
                Event::NotDue(row) => {
                    views.iter_mut().try_for_each(|view| view.not_due(&row))?;
                    gathered.open.not_due(&row);
                }
                _ => {}
            }
        }
    }
    Ok(gathered)
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
    let mut stats = Stats::default();
    let run_state = RunState::read(journal, |event| stats.observe(event))?;
    let given = give_rows(&mut [], &run_state, journal)?;
    let summary = Summary::of(&run_state, stats, given);
    Ok((run_state, summary))
}

/// Writes `summary.json` alone.
pub fn write_summary(folder: &RunFolder, summary: &Summary) -> anyhow::Result<()> {
    let mut file = folder.disk().replace(&folder.file(SUMMARY))?;
    file.write_all(summary.to_json()?.as_bytes())?;
    file.put_in_place()
}
