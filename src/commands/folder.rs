//! Makes the run folder: its name appears when settings and list are in its journal, durably.

use std::path::Path;

use super::planning::Planned;
use crate::{
    clock,
    event::{Event, FORMAT, Listener, Started},
    exit::{Exit, Fault, OrExit},
    journal::{
        disk::Disk,
        draft::Draft,
        folder::{Lock, RunFolder},
        state::RunState,
        writer::Writer,
    },
    settings::args::LogFormat,
    terminal::run_log::RunLog,
};

/// A run folder with everything in it that the calls need.
pub struct Made {
    /// The folder.
    pub folder: RunFolder,
    /// It is held.
    pub lock: Lock,
    /// Its files.
    pub writer: Writer,
    /// Its log.
    pub log: RunLog,
    /// Its state, read back from the disk.
    pub run_state: RunState,
}

/// Makes the folder of a planned run, with a log in this format.
pub fn make(planned: &Planned, out: &Path, disk: &Disk, format: LogFormat) -> Result<Made, Fault> {
    let draft = Draft::begin(out, disk)?;
    write(planned, draft.folder(), format)?;
    let run_state = RunState::read(&draft.folder().journal(), |_| {}).or_exit(Exit::Local)?;
    let (folder, lock) = draft.finish()?;
    let writer = Writer::open(&folder, run_state.end).or_exit(Exit::Local)?;
    let log = RunLog::open(&folder, format).or_exit(Exit::Local)?;
    Ok(Made { folder, lock, writer, log, run_state })
}

/// Writes settings and list into the journal, and syncs it.
fn write(planned: &Planned, folder: &RunFolder, format: LogFormat) -> Result<(), Fault> {
    let mut writer = Writer::create(folder).or_exit(Exit::Local)?;
    let log = RunLog::open(folder, format).or_exit(Exit::Local)?;
    let started = Event::Started(Box::new(started(planned).or_exit(Exit::Local)?));
    log.on_event(&started);
    writer.append(&started).or_exit(Exit::Local)?;
    planned.list.record(&planned.plan.summary, &mut writer, &log)
}

fn started(planned: &Planned) -> serde_json::Result<Started> {
    let summary = &planned.plan.summary;
    Ok(Started {
        format: FORMAT,
        run_id: format!("{:032x}", fastrand::u128(..)),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: clock::now(),
        client_id: client_id(planned),
        apps: summary.apps.iter().map(|rows| rows.app.clone()).collect(),
        list: summary.list.clone(),
        parent: planned.parent(),
        settings: planned.settings.written()?,
    })
}

/// The usual client id; among several apps, only where the list has rows of it.
fn client_id(planned: &Planned) -> String {
    let apps = &planned.plan.summary.apps;
    let is_used = |id: &&String| apps.iter().any(|rows| rows.app.client_id == **id);
    let own = planned.app.client_id.as_ref().filter(|id| apps.is_empty() || is_used(id));
    own.cloned().unwrap_or_default()
}
