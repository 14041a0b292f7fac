//! The files of a run, as views of its journal: events → bytes, the same bytes each time.

pub mod bound;
pub mod cell;
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
        ledger::Ledger,
        reader::{JournalError, Reader},
    },
};

/// Writes every view of a run anew from its journal, each as a whole: a crash leaves the old file
/// or the new one. The escalation is written as the run has it, or otherwise for once.
pub fn write_all(folder: &RunFolder, otherwise: Option<&Escalation>) -> anyhow::Result<Summary> {
    let journal = folder.journal();
    let mut stats = Stats::default();
    let ledger = Ledger::read(&journal, |event| stats.hear(event))?;
    let escalation = otherwise.unwrap_or(&ledger.started.escalation);
    let causes = write_installations(folder, &ledger, escalation)?;
    write_rejected(folder, &ledger)?;
    let summary = Summary::of(&ledger, stats, causes.in_short);
    write_escalation(folder, &ledger, &summary, &causes.for_support, escalation)?;
    write_summary(folder, &summary)?;
    Ok(summary)
}

/// Looks at a run as its journal has it by now, and writes nothing.
pub fn look_at(journal: &Path) -> anyhow::Result<(Ledger, Summary)> {
    let mut stats = Stats::default();
    let ledger = Ledger::read(journal, |event| stats.hear(event))?;
    let mut causes = Causes::default();
    for installation in ledger.outcomes(journal)? {
        causes.installation(&installation?.1);
    }
    let summary = Summary::of(&ledger, stats, causes);
    Ok((ledger, summary))
}

/// What failed, as the summary and as the escalation tell it.
struct CausesTold {
    in_short: Causes,
    for_support: escalation::cause::Causes,
}

fn write_installations(
    folder: &RunFolder,
    ledger: &Ledger,
    escalation: &Escalation,
) -> anyhow::Result<CausesTold> {
    let mut table_file = folder.disk().replace(&folder.file("escalation.csv"))?;
    let mut results_file = folder.disk().replace(&folder.file("results.csv"))?;
    let mut failures_file = folder.disk().replace(&folder.file("failures.csv"))?;
    let mut in_short = Causes::default();
    let mut for_support = escalation::cause::Causes::of(ledger);
    let mut table = Table::begin(&mut table_file, ledger, escalation)?;
    let mut results = Results::begin(&mut results_file)?;
    let mut failures = Failures::begin(&mut failures_file, ledger)?;
    for installation in ledger.outcomes(&folder.journal())? {
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
    Ok(CausesTold { in_short, for_support })
}

fn write_escalation(
    folder: &RunFolder,
    ledger: &Ledger,
    summary: &Summary,
    causes: &escalation::cause::Causes,
    escalation: &Escalation,
) -> anyhow::Result<()> {
    let mut file = folder.disk().replace(&folder.file("escalation.md"))?;
    escalation::write(&mut file, ledger, summary, causes, escalation)
        .context("cannot write escalation.md")?;
    file.put_in_place()
}

fn write_rejected(folder: &RunFolder, ledger: &Ledger) -> anyhow::Result<()> {
    let mut file = folder.disk().replace(&folder.file("rejected.csv"))?;
    let mut rows = RejectedRows::begin(&mut file)?;
    if ledger.rejected > 0 {
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
