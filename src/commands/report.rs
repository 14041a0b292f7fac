//! `report`: the views of a run again, from its journal.

use super::{Voice, ending, leg::rewrite_views};
use crate::{
    cli::ReportArgs,
    config::{self, Columns},
    event::Escalation,
    exit::{Exit, Fault, OrExit},
    journal::{disk::Disk, folder::RunFolder, ledger},
    plan::counted,
};

/// Writes the views again and shows the summary.
pub fn report(args: &ReportArgs, voice: Voice) -> Result<Exit, Fault> {
    let folder = RunFolder::open(&args.run_dir, Disk::default()).or_exit(Exit::Usage)?;
    let _lock = folder.lock().or_exit(Exit::Local)?;
    folder.sweep();
    let escalation = escalation(args, &folder)?;
    let summary = rewrite_views(&folder, escalation.as_ref())?;
    if summary.books.recovered > 0 && !folder.tokens().exists() {
        voice.say(&format!(
            "warning: {} is missing, and the journal says that it has the tokens of {}; put it back",
            folder.tokens().display(),
            counted(summary.books.recovered, "installation")
        ));
    }
    ending::show(&summary, &folder, &[], args.json, voice);
    Ok(if summary.exit == Exit::Bug { Exit::Bug } else { Exit::Recovered })
}

/// How the escalation is to be written, where it is not to be as the run has it.
fn escalation(args: &ReportArgs, folder: &RunFolder) -> Result<Option<Escalation>, Fault> {
    if args.escalation.is_empty() {
        return Ok(None);
    }
    let started = ledger::started(&folder.journal()).or_exit(Exit::Local)?;
    let columns = Columns { carried: &started.list.columns, left_out: &[] };
    config::escalation(&args.escalation, started.escalation.clone(), columns)
        .map(Some)
        .or_exit(Exit::Usage)
}
