//! `report`: the views of a run again, from its journal.

use super::{Voice, ending, print};
use crate::{
    cli::ReportArgs,
    exit::{Exit, Fault, OrExit},
    journal::folder::RunFolder,
    views,
};

/// Writes the views again and shows the summary.
pub fn report(args: &ReportArgs, voice: Voice) -> Result<Exit, Fault> {
    let folder = RunFolder::open(&args.run_dir).or_exit(Exit::Usage)?;
    let _lock = folder.lock().or_exit(Exit::Local)?;
    let summary = views::write_all(&folder).or_exit(Exit::Local)?;
    if args.json {
        print(&ending::as_json(&summary));
    } else if voice.talk != crate::progress::Talk::Quiet {
        print(&ending::in_words(&summary, &folder, &[]));
    }
    Ok(Exit::Recovered)
}
