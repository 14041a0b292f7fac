//! A run folder before it has its name: it gets one when all that the run needs is in it, durably.
//!
//! It is made beside the place of the run, as `.NAME.partial-PID`. Whatever dies before the end leaves
//! nothing that looks like a run; the next run in the same place removes what is left.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{
    disk::{Disk, folder_of},
    folder::{FolderError, Lock, RunFolder},
};
use crate::pace::memory::Memory;

/// What the name of a draft has between the run's name and the process id.
const PARTIAL: &str = ".partial-";

/// Characters of the run's name in that of its draft: a file system bounds the length of names.
const NAME_CHARS: usize = 40;

/// How many names are tried.
const NAMES: u32 = 100;

/// A locked folder without its name. Dropped, it is removed.
#[derive(Debug)]
pub struct Draft {
    folder: RunFolder,
    name: PathBuf,
    lock: Option<Lock>,
}

impl Draft {
    /// Makes the folder for a run that is to be called so.
    pub fn begin(name: &Path, disk: &Disk) -> Result<Self, FolderError> {
        if name.symlink_metadata().is_ok() {
            return Err(FolderError::Exists(name.to_owned()));
        }
        sweep(folder_of(name));
        let (folder, lock) = create(name, disk)?;
        Ok(Self { folder, name: name.to_owned(), lock: Some(lock) })
    }

    /// The folder as it is called until then.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Gives the folder its name, which nothing may have by now. Its files are synced before, and not
    /// open: Windows renames no folder in which one is.
    pub fn finish(mut self) -> Result<(RunFolder, Lock), FolderError> {
        let Self { folder, name, lock } = &mut self;
        if cfg!(windows) {
            *lock = None;
        }
        let disk = folder.disk().clone();
        let named = disk.sync_folder(folder.path()).and_then(|()| disk.rename(folder.path(), name));
        named.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists
            | io::ErrorKind::DirectoryNotEmpty
            | io::ErrorKind::NotADirectory => FolderError::Exists(name.clone()),
            _ => FolderError::Unusable { path: name.clone(), source },
        })?;
        let named = RunFolder::at(name.clone(), disk);
        let lock = lock.take().map_or_else(|| named.lock(), Ok)?;
        Ok((named, lock))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        remove(self.folder.path());
    }
}

/// Makes a folder and locks it. One that another process has swept meanwhile, or that is there
/// already, gives way to the next name.
fn create(name: &Path, disk: &Disk) -> Result<(RunFolder, Lock), FolderError> {
    let unusable = |source| FolderError::Unusable { path: name.to_owned(), source };
    let text = name.file_name().ok_or_else(|| unusable(io::ErrorKind::InvalidInput.into()))?;
    let text = text.to_string_lossy();
    let text: String = text.chars().take(NAME_CHARS).collect();
    let text = format!(".{text}{PARTIAL}{}", std::process::id());
    let mut last = io::ErrorKind::AlreadyExists.into();
    for number in 1..=NAMES {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let path = name.with_file_name(format!("{text}{suffix}"));
        match disk.create_folder(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            // It was swept before it had its mode; or there is no such place, which the last name says.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                last = error;
                continue;
            }
            made => made.map_err(unusable)?,
        }
        let folder = RunFolder::at(path, disk.clone());
        match folder.lock() {
            Ok(lock) if lock.has_name() => return Ok((folder, lock)),
            Ok(_) | Err(FolderError::Held { .. }) => {}
            Err(FolderError::Unusable { source, .. }) => {
                remove(folder.path());
                if source.kind() != io::ErrorKind::NotFound {
                    return Err(unusable(source));
                }
                last = source;
            }
            Err(FolderError::NoLocks { source, .. }) => {
                remove(folder.path());
                return Err(FolderError::NoLocks { path: name.to_owned(), source });
            }
            Err(error) => return Err(error),
        }
    }
    Err(unusable(last))
}

/// Removes the drafts of processes that have died: those that nobody holds.
fn sweep(place: &Path) {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()).filter(|path| is_draft(path)) {
        // Over NFS a file is locked for oneself alone only where it may be written to.
        let lock = File::options().read(true).write(true).open(path.join(".lock"));
        match lock.as_ref().map(File::try_lock) {
            Ok(Ok(())) => remove(&path),
            // Its process died before the lock, or is about to make it and takes another name then.
            Err(error) if error.kind() == io::ErrorKind::NotFound => drop(fs::remove_dir(&path)),
            _ => {}
        }
    }
}

fn is_draft(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') && name.contains(PARTIAL)
}

/// What a run writes before it has its name, the lock last.
const FILES: [&str; 4] = ["tokens.jsonl", "journal.jsonl", "run.log", ".lock"];

/// What a merge writes besides before its run has its name.
pub(crate) const MERGED: [&str; 10] = [
    "quarantine.jsonl",
    "replaced.jsonl",
    "results.csv",
    "failures.csv",
    "rejected.csv",
    "stored.csv",
    "escalation.csv",
    "escalation.md",
    "summary.json",
    "report.html",
];

/// Removes what was written before the folder has its name. One in which there is anything else stays.
fn remove(draft: &Path) {
    RunFolder::at(draft.to_owned(), Disk::default()).sweep();
    // Whatever cannot be removed is in nobody's way.
    let entries = fs::read_dir(draft).into_iter().flatten().flatten();
    let memories = entries.map(|entry| entry.file_name()).filter(|name| Memory::is_named(name));
    for name in memories.chain(MERGED.into_iter().chain(FILES).map(Into::into)) {
        let _ = fs::remove_file(draft.join(name));
    }
    let _ = fs::remove_dir(draft);
}

/// Takes a run folder away that has its name and has not begun, which its holder knows. Whether it is
/// gone: one in which there is a token, or anything that a draft has not, stays as it is.
pub fn remove_unbegun(folder: &RunFolder) -> bool {
    let is_drafts = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| FILES.iter().any(|name| entry.file_name() == *name))
    };
    let has_token = folder.tokens().metadata().is_ok_and(|tokens| tokens.len() > 0);
    let is_a_draft = fs::read_dir(folder.path()).is_ok_and(|mut entries| entries.all(is_drafts));
    if has_token || !is_a_draft {
        return false;
    }
    remove(folder.path());
    !folder.path().exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(place: &Path) -> Vec<String> {
        let entries = fs::read_dir(place).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn of_two_drafts_of_one_name_the_first_that_is_finished_gets_it() {
        let place = tempfile::tempdir().unwrap();
        let name = place.path().join("run");
        let draft = || Draft::begin(&name, &Disk::default()).unwrap();
        let (first, second, third) = (draft(), draft(), draft());
        assert_eq!(names(place.path()).len(), 3, "none is swept while somebody holds it");
        let (folder, lock) = second.finish().unwrap();
        assert_eq!(folder.path(), name);
        assert!(matches!(first.finish(), Err(FolderError::Exists(_))));
        drop(third);
        assert!(matches!(Draft::begin(&name, &Disk::default()), Err(FolderError::Exists(_))));
        assert_eq!(names(place.path()), ["run"]);
        assert!(matches!(folder.lock(), Err(FolderError::Held { .. })));
        drop(lock);
        folder.lock().unwrap();
    }

    #[test]
    fn of_drafts_that_begin_side_by_side_none_sweeps_another_away() {
        let place = tempfile::tempdir().unwrap();
        let begin = |thread: usize| {
            for run in 0..60 {
                let name = place.path().join(format!("run-{thread}-{run}"));
                Draft::begin(&name, &Disk::default()).unwrap().finish().unwrap();
            }
        };
        std::thread::scope(|scope| {
            (0..6).for_each(|thread| drop(scope.spawn(move || begin(thread))));
        });
        assert_eq!(names(place.path()).len(), 360);
        let nowhere = place.path().join("no").join("run");
        let refused = Draft::begin(&nowhere, &Disk::default());
        assert!(matches!(refused, Err(FolderError::Unusable { .. })), "{refused:?}");
    }

    #[test]
    fn what_a_dead_process_left_is_swept_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for left in [".a.partial-1", ".b.partial-2-3", ".own.partial-4", "c.partial-5", ".d"] {
            fs::create_dir(at(left)).unwrap();
        }
        fs::write(at(".b.partial-2-3").join(".lock"), "process 2").unwrap();
        fs::write(at(".b.partial-2-3").join("journal.jsonl"), "{").unwrap();
        fs::write(at(".b.partial-2-3").join(".pace-0-1-of-2.json"), "{").unwrap();
        fs::write(at(".own.partial-4").join("precious"), "").unwrap();
        let draft = Draft::begin(&at("run"), &Disk::default()).unwrap();
        drop(draft);
        let mut left = names(place.path());
        left.sort_unstable();
        assert_eq!(left, [".d", ".own.partial-4", "c.partial-5"]);
    }
}
