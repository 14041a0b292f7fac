//! The runs whose pairs are stored: held, read, and in agreement with their token files.

mod find;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc};

use anyhow::anyhow;

use self::find::{HeldFolder, hold};
use super::pairs::{Pairs, PairsError};
use crate::{
    event::{Event, Observer},
    exit::{Exit, Fault, OrExit},
    journal::{
        disk::Disk,
        folder::{Lock, RunFolder},
        line_file::StorageError,
        restore::{Found, Restored, TokensAre},
        spill,
        state::RunState,
        writer::Writer,
    },
    plan::{counted, fingerprint::Fingerprints},
};

/// A run that is held, whose journal takes events.
pub struct Run {
    /// Its folder.
    pub folder: RunFolder,
    /// Its files and its state.
    pub restored: Restored,
    observer: Arc<dyn Observer>,
    lock: Lock,
}

impl Run {
    /// Adds events to the journal, syncs it, and takes them into account.
    pub fn add_durably(
        &mut self,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<(), StorageError> {
        self.restored.add_durably(events, self.observer.as_ref())
    }

    /// Its state.
    pub fn run_state(&self) -> &RunState {
        &self.restored.run_state
    }
}

/// Runs that are held, each later one begun later.
pub struct Runs(Vec<Run>);

/// How a run that is opened talks: given its folder, which is held by then.
pub type ObserverOf<'a> = dyn Fn(&RunFolder) -> anyhow::Result<Arc<dyn Observer>> + 'a;

impl Runs {
    /// Opens the runs in these folders and the earlier runs of their chains. Those that did not end in
    /// order are brought into agreement first, as `resume` does. `note` takes what concerns no run that
    /// can be opened.
    pub fn open(
        dirs: &[PathBuf],
        disk: &Disk,
        note: &dyn Fn(&str),
        observer_of: &ObserverOf<'_>,
    ) -> Result<Self, Fault> {
        let prints = Fingerprints::default();
        let open = |HeldFolder { folder, lock }| {
            folder.sweep();
            let found = Found::read_with(&prints, &folder)?;
            let missing = found.tokens_missing(&folder).or_exit(Exit::Local)?;
            if missing > 0 {
                return Err(tokens_gone(&folder, missing));
            }
            let observer = observer_of(&folder).or_exit(Exit::Local)?;
            let restored = if found.is_settled(&folder).or_exit(Exit::Local)? {
                found.open_settled(&folder)?
            } else {
                found.agree(&folder, TokensAre::InTheirFile, observer.as_ref())?
            };
            Ok(Run { folder, restored, observer, lock })
        };
        hold(dirs, disk, note)?.into_iter().map(open).collect::<Result<_, Fault>>().map(Self)
    }

    /// A run that is held already, at the end of one of its executions.
    pub fn of_one(
        folder: RunFolder,
        lock: Lock,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, Fault> {
        let run_state = RunState::read(&folder.journal(), |_| {}).or_exit(Exit::Local)?;
        let writer = Writer::open(&folder, run_state.end).or_exit(Exit::Local)?;
        let restored = Restored { writer, run_state };
        Ok(Self(vec![Run { folder, restored, observer, lock }]))
    }

    /// Closes the files of the runs, which stay held by these locks.
    pub fn into_locks(self) -> Vec<Lock> {
        self.0.into_iter().map(|run| run.lock).collect()
    }

    /// The newest pair of each installation.
    pub fn pairs(&self) -> Result<Pairs, PairsError> {
        let runs: Vec<_> = self.0.iter().map(|run| (&run.folder, run.run_state())).collect();
        Pairs::of(&runs)
    }

    /// The runs, each at the place by which its pairs name it.
    pub fn as_slice(&self) -> &[Run] {
        &self.0
    }

    /// The same, to add events.
    pub fn as_mut_slice(&mut self) -> &mut [Run] {
        &mut self.0
    }
}

/// A run that is held and only looked at.
pub struct LookedAt {
    /// Its folder.
    pub folder: RunFolder,
    /// Its state by the journal.
    pub run_state: RunState,
    _lock: Lock,
}

/// Opens the same runs as [`Runs::open`] and changes nothing in them.
pub fn look(dirs: &[PathBuf], disk: &Disk, note: &dyn Fn(&str)) -> Result<Vec<LookedAt>, Fault> {
    let prints = Fingerprints::default();
    let look = |HeldFolder { folder, lock }| {
        let run_state = RunState::read_with(prints.clone(), &folder.journal(), |_| {});
        let run_state = run_state.or_exit(Exit::Local)?;
        let spills = spill::found(folder.path(), &run_state.started.run_id);
        if let Some((place, _)) = spills.or_exit(Exit::Local)?.first() {
            return Err(saved_elsewhere(&folder, place));
        }
        let awaited = run_state.tokens_awaited();
        if awaited > 0 && !folder.tokens().exists() {
            return Err(tokens_gone(&folder, awaited));
        }
        Ok(LookedAt { folder, run_state, _lock: lock })
    };
    hold(dirs, disk, note)?.into_iter().map(look).collect()
}

/// The newest pair of each installation of runs that are looked at.
pub fn pairs_of(runs: &[LookedAt]) -> Result<Pairs, PairsError> {
    let runs: Vec<_> = runs.iter().map(|run| (&run.folder, &run.run_state)).collect();
    Pairs::of(&runs)
}

fn tokens_gone(folder: &RunFolder, missing: u32) -> Fault {
    let error = anyhow!(
        "{tokens} is missing, and the journal says that it has the tokens of {missing}. Put it back.\n\
         If you deleted it since the tokens are where they belong, say so first:\n  {resume}",
        tokens = folder.tokens().display(),
        missing = counted(missing, "installation"),
        resume = command("resume", folder, " --tokens-handed-on"),
    );
    Fault { exit: Exit::Local, error }
}

fn saved_elsewhere(folder: &RunFolder, place: &std::path::Path) -> Fault {
    let error = anyhow!(
        "tokens of the run in {} were saved in {} when its disk took no more. They are taken over by:\n  {}",
        folder.path().display(),
        place.display(),
        command("resume", folder, ""),
    );
    Fault { exit: Exit::Local, error }
}

/// A command to copy.
pub fn command(name: &str, folder: &RunFolder, options: &str) -> String {
    let path = folder.path().to_string_lossy();
    // A path has no NUL, for which alone it cannot be quoted.
    let path = shlex::try_quote(&path).unwrap_or_default();
    format!("ghl-reconnect {name} {path}{options}")
}
