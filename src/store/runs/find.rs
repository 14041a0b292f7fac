//! Which runs are meant: those named and the earlier runs of their chains, each once and held.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{anyhow, ensure};

use crate::{
    event::{Parent, Started},
    exit::{Exit, Fault, OrExit},
    journal::{
        disk::Disk,
        folder::{Lock, RunFolder},
        spill, state,
    },
    settings::{Settings, execution::Place},
};

/// More runs than anybody has; each is a lock and open files.
const MOST_RUNS: usize = 200;

/// The folder of a run, held.
pub(super) struct HeldFolder {
    pub(super) folder: RunFolder,
    pub(super) lock: Lock,
}

/// A run of which only the beginning was read.
#[derive(Clone, Debug)]
struct Begun {
    folder: RunFolder,
    started: Started,
    place: Place,
}

/// Finds the runs and holds each, in the order in which they began. `note` takes a line for each earlier
/// run that cannot be found.
pub(super) fn hold(
    dirs: &[PathBuf],
    disk: &Disk,
    note: &dyn Fn(&str),
) -> Result<Vec<HeldFolder>, Fault> {
    let mut runs = named(dirs, disk)?;
    add_earlier(&mut runs, disk, note);
    check_alike(&runs).or_exit(Exit::Usage)?;
    // Every process takes them in this order, so that of two the first one gets all.
    runs.sort_by(|a, b| (a.started.at, &a.started.run_id).cmp(&(b.started.at, &b.started.run_id)));
    let lock = |Begun { folder, .. }| {
        let lock = folder.lock()?;
        Ok(HeldFolder { folder, lock })
    };
    runs.into_iter().map(lock).collect()
}

fn named(dirs: &[PathBuf], disk: &Disk) -> Result<Vec<Begun>, Fault> {
    let mut runs: Vec<Begun> = Vec::new();
    for dir in dirs {
        let run = begun(dir, disk)?;
        match runs.iter().find(|known| known.started.run_id == run.started.run_id) {
            None => runs.push(run),
            Some(known) if is_same_folder(known.folder.path(), dir) => {}
            Some(known) => {
                let (one, other) = (known.folder.path().display(), dir.display());
                let error = anyhow!("{one} and {other} have the same run; name one of them");
                return Err(Fault { exit: Exit::Usage, error });
            }
        }
    }
    Ok(runs)
}

fn begun(dir: &Path, disk: &Disk) -> Result<Begun, Fault> {
    let folder = RunFolder::open_readable(dir, disk.clone())?;
    let started = state::started(&folder.journal()).or_exit(Exit::Local)?;
    let place = Settings::read(&started.settings).or_exit(Exit::Local)?.place;
    Ok(Begun { folder, started, place })
}

fn is_same_folder(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    real(one).is_some_and(|one| real(other) == Some(one))
}

/// Adds the runs before those named, as far as their folders still have them and their tokens. Tokens
/// of an earlier run were perhaps deleted once they were where they belong.
fn add_earlier(runs: &mut Vec<Begun>, disk: &Disk, note: &dyn Fn(&str)) {
    let mut parents: Vec<Parent> = runs.iter().filter_map(parent_of).collect();
    let mut seen: HashSet<String> = runs.iter().map(|run| run.started.run_id.clone()).collect();
    while let Some(parent) = parents.pop() {
        if !seen.insert(parent.run_id.clone()) {
            continue;
        }
        let Some(run) = earlier(&parent, disk) else {
            note(&format!(
                "note: the run before, {} in {}, is not there any more, or not readable: its pairs \
                 are not among these. If it has moved, name its folder too",
                parent.run_id, parent.folder
            ));
            continue;
        };
        parents.extend(parent_of(&run));
        if has_tokens(&run) {
            runs.push(run);
        } else {
            note(&format!(
                "note: the run before in {} has no tokens.jsonl any more: its pairs are not among \
                 these",
                parent.folder
            ));
        }
    }
}

fn parent_of(run: &Begun) -> Option<Parent> {
    run.started.parent.as_deref().cloned()
}

fn has_tokens(run: &Begun) -> bool {
    let spilled = || spill::found(run.folder.path(), &run.started.run_id);
    run.folder.tokens().exists() || spilled().map_or(true, |found| !found.is_empty())
}

fn earlier(parent: &Parent, disk: &Disk) -> Option<Begun> {
    let run = begun(Path::new(&parent.folder), disk).ok()?;
    (run.started.run_id == parent.run_id).then_some(run)
}

/// The pairs of a rehearsal are made up and belong beside no real ones.
fn check_alike(runs: &[Begun]) -> anyhow::Result<()> {
    ensure!(runs.len() <= MOST_RUNS, "these are {} runs; {MOST_RUNS} at most", runs.len());
    let Some((first, others)) = runs.split_first() else { return Ok(()) };
    for other in others {
        ensure!(
            other.place == first.place,
            "{} is {}, and {} is {}; name one kind",
            first.folder.path().display(),
            first.place,
            other.folder.path().display(),
            other.place
        );
    }
    Ok(())
}
