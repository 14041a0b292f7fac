//! The files of a run, as views of its journal: events → bytes, the same bytes each time.

pub mod bound;
pub mod csv_writer;
pub mod escalation;
pub mod failures;
pub mod halt;
pub mod rejected;
pub mod results;
pub mod stats;
pub mod summary;

use std::{io::Write, path::Path};

use anyhow::Context;

use self::{
    escalation::table::Table,
    failures::Failures,
    rejected::RejectedRows,
    results::Results,
    stats::{Causes, Stats},
    summary::Summary,
};
use crate::{
    event::{Escalation, Event},
    journal::{
        folder::RunFolder,
        reader::{JournalError, Reader},
        state::RunState,
    },
};

/// Writes every view of a run anew from its journal, each as a whole: a crash leaves the old file
/// or the new one. The escalation is written as the run has it, or otherwise for once.
pub fn write_all(folder: &RunFolder, otherwise: Option<&Escalation>) -> anyhow::Result<Summary> {
    let journal = folder.journal();
    let mut stats = Stats::default();
    let run_state = RunState::read(&journal, |event| stats.observe(event))?;
    let escalation = otherwise.unwrap_or(&run_state.started.escalation);
    let causes = write_installations(folder, &run_state, escalation)?;
    write_rejected(folder, &run_state)?;
    let summary = Summary::of(&run_state, stats, causes.in_short);
    write_escalation(folder, &run_state, &summary, &causes.for_support, escalation)?;
    write_summary(folder, &summary)?;
    Ok(summary)
}

/// Looks at a run as its journal has it by now, and writes nothing.
pub fn look_at(journal: &Path) -> anyhow::Result<(RunState, Summary)> {
    let mut stats = Stats::default();
    let run_state = RunState::read(journal, |event| stats.observe(event))?;
    let mut causes = Causes::default();
    for installation in run_state.outcomes(journal)? {
        causes.installation(&installation?.1);
    }
    let summary = Summary::of(&run_state, stats, causes);
    Ok((run_state, summary))
}

/// What failed, as the summary and as the escalation tell it.
struct CausesListed {
    in_short: Causes,
    for_support: escalation::cause::Causes,
}

fn write_installations(
    folder: &RunFolder,
    run_state: &RunState,
    escalation: &Escalation,
) -> anyhow::Result<CausesListed> {
    let mut table_file = folder.disk().replace(&folder.file("escalation.csv"))?;
    let mut results_file = folder.disk().replace(&folder.file("results.csv"))?;
    let mut failures_file = folder.disk().replace(&folder.file("failures.csv"))?;
    let mut in_short = Causes::default();
    let mut for_support = escalation::cause::Causes::of(run_state);
    let mut table = Table::begin(&mut table_file, run_state, escalation)?;
    let mut results = Results::begin(&mut results_file)?;
    let mut failures = Failures::begin(&mut failures_file, run_state)?;
    for installation in run_state.outcomes(&folder.journal())? {
        let (listed, outcome) = installation?;
        results.installation(&listed, &outcome)?;
        failures.installation(&listed, &outcome)?;
        table.installation(&listed, &outcome)?;
        in_short.installation(&outcome);
        for_support.installation(&listed, &outcome);
    }
    results.end()?;
    failures.end()?;
    table.end()?;
    results_file.put_in_place()?;
    failures_file.put_in_place()?;
    table_file.put_in_place()?;
    Ok(CausesListed { in_short, for_support })
}

fn write_escalation(
    folder: &RunFolder,
    run_state: &RunState,
    summary: &Summary,
    causes: &escalation::cause::Causes,
    escalation: &Escalation,
) -> anyhow::Result<()> {
    let mut file = folder.disk().replace(&folder.file("escalation.md"))?;
    escalation::write(&mut file, run_state, summary, causes, escalation)
        .context("cannot write escalation.md")?;
    file.put_in_place()
}

fn write_rejected(folder: &RunFolder, run_state: &RunState) -> anyhow::Result<()> {
    let mut file = folder.disk().replace(&folder.file("rejected.csv"))?;
    let mut rows = RejectedRows::begin(&mut file)?;
    if run_state.rejected > 0 {
        for event in list_events(&folder.journal())? {
            if let Event::Rejected(rejected) = event? {
                rows.row(&rejected)?;
            }
        }
    }
    rows.end()?;
    file.put_in_place()
}

/// The events of the list alone, which come before all others.
fn list_events(
    journal: &Path,
) -> Result<impl Iterator<Item = Result<Event, JournalError>>, JournalError> {
    let events = Reader::open(journal)?.map(|event| event.map(|(_, event)| event));
    Ok(events.take_while(|event| !matches!(event, Ok(Event::Ready(_)))))
}

/// Writes `summary.json` alone.
pub fn write_summary(folder: &RunFolder, summary: &Summary) -> anyhow::Result<()> {
    let mut file = folder.disk().replace(&folder.file("summary.json"))?;
    let text = serde_json::to_string_pretty(summary).context("cannot write summary.json")?;
    file.write_all(summary.clean(text + "\n").as_bytes())?;
    file.put_in_place()
}
