//! The files of a run, as views of its journal: events → bytes, the same bytes each time.

pub mod cell;
pub mod failures;
pub mod halt;
pub mod rejected;
pub mod results;
pub mod stats;
pub mod summary;

use std::{io::Write, path::Path};

use anyhow::Context;

use self::{
    failures::Failures,
    rejected::RejectedRows,
    results::Results,
    stats::{Causes, Stats},
    summary::Summary,
};
use crate::{
    event::Event,
    journal::{
        folder::RunFolder,
        ledger::Ledger,
        reader::{JournalError, Reader},
    },
};

/// Writes every view of a run anew from its journal, each as a whole: a crash leaves the old file
/// or the new one.
pub fn write_all(folder: &RunFolder) -> anyhow::Result<Summary> {
    let journal = folder.journal();
    let mut stats = Stats::default();
    let ledger = Ledger::read(&journal, |event| stats.hear(event))?;
    let causes = write_installations(folder, &ledger)?;
    write_rejected(folder, &journal)?;
    let summary = Summary::of(&ledger, stats, causes);
    write_summary(folder, &summary)?;
    Ok(summary)
}

fn write_installations(folder: &RunFolder, ledger: &Ledger) -> anyhow::Result<Causes> {
    let mut results_file = folder.disk().replace(&folder.file("results.csv"))?;
    let mut failures_file = folder.disk().replace(&folder.file("failures.csv"))?;
    let mut causes = Causes::default();
    let mut results = Results::begin(&mut results_file)?;
    let mut failures = Failures::begin(&mut failures_file, ledger)?;
    for installation in ledger.outcomes(&folder.journal())? {
        let (listed, outcome) = installation?;
        results.installation(&listed, &outcome)?;
        failures.installation(&listed, &outcome)?;
        causes.installation(&outcome);
    }
    results.end()?;
    failures.end()?;
    results_file.put_in_place()?;
    failures_file.put_in_place()?;
    Ok(causes)
}

fn write_rejected(folder: &RunFolder, journal: &Path) -> anyhow::Result<()> {
    let mut file = folder.disk().replace(&folder.file("rejected.csv"))?;
    let mut rows = RejectedRows::begin(&mut file)?;
    for event in list_events(journal)? {
        if let Event::Rejected(rejected) = event? {
            rows.row(&rejected)?;
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
    serde_json::to_writer_pretty(&mut file, summary).context("cannot write summary.json")?;
    file.write_all(b"\n")?;
    file.put_in_place()
}
