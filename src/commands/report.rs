//! `report`: the views of a run again, from its journal.

use super::{Voice, ending, leg::rewrite_views};
use crate::{
    cli::ReportArgs,
    exit::{Exit, Fault, OrExit},
    journal::{disk::Disk, folder::RunFolder},
    plan::counted,
};

/// Writes the views again and shows the summary.
pub fn report(args: &ReportArgs, voice: Voice) -> Result<Exit, Fault> {
    let folder = RunFolder::open(&args.run_dir, Disk::default()).or_exit(Exit::Usage)?;
    let _lock = folder.lock().or_exit(Exit::Local)?;
    folder.sweep();
    let summary = rewrite_views(&folder)?;
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
