//! The files of the memory: where they are, how they are read, and how one is replaced as a whole.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::day::KeptDay;
use crate::{shard::Shard, state_folder};

/// What a file has. Times are in milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct MemoryFile {
    pub(super) base_url: String,
    pub(super) client_id: String,
    /// Names the process that wrote it, so that two copies of one memory count once.
    #[serde(default)]
    pub(super) writer: u64,
    /// When it was written.
    #[serde(default)]
    pub(super) at: i64,
    /// Oldest first.
    pub(super) starts: Vec<i64>,
    #[serde(default)]
    pub(super) promise: Option<KeptPromise>,
    #[serde(default)]
    pub(super) day: Option<KeptDay>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct KeptPromise {
    pub(super) until: i64,
    pub(super) at_most: u32,
}

/// A file exists and cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Where the memory of an app at an address is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// The user's state folder, where there is one, and how the names of its files begin.
    pub(super) state: Option<(PathBuf, String)>,
    /// Among several machines, or processes, that share a list.
    pub(super) shard: Option<Shard>,
    /// The run folder, and how the names of its files begin: its own, and those that it took over.
    pub(super) run: Option<(PathBuf, String)>,
}

impl Places {
    /// Those in the state folder.
    pub(super) fn of(base_url: &str, client_id: &str) -> Self {
        let name = format!("pace-{}", key(base_url, client_id));
        Self { state: state_folder::path().map(|folder| (folder, name)), ..Self::default() }
    }

    /// Writes the same into each of them. One that is written is enough.
    pub(super) fn write(&self, kept: &MemoryFile) -> io::Result<()> {
        let bytes = serde_json::to_vec(kept)?;
        let in_state = self.state.as_ref().map(|(folder, name)| {
            create_private(folder)?;
            replace(&folder.join(file_name(name, &suffix(self.shard))), &bytes)
        });
        let in_run = self.run.as_ref();
        let in_run =
            in_run.map(|(folder, name)| replace(&folder.join(file_name(name, "")), &bytes));
        match (in_state, in_run) {
            (Some(Err(_)), Some(in_run)) => in_run,
            (Some(in_state), _) => in_state,
            (None, in_run) => in_run.unwrap_or(Ok(())),
        }
    }

    /// Everything that is remembered, by whichever process; of several copies of one memory, the newest.
    /// What other shards of the same number remember is theirs.
    pub(super) fn read(&self) -> Result<Vec<MemoryFile>, Unreadable> {
        let mut newest: HashMap<u64, MemoryFile> = HashMap::new();
        for path in self.state.iter().chain(&self.run).flat_map(|place| self.files(place)) {
            let Some(file) = read(&path)? else { continue };
            let is_newer = newest.get(&file.writer).is_none_or(|other| other.at < file.at);
            if is_newer {
                newest.insert(file.writer, file);
            }
        }
        Ok(newest.into_values().collect())
    }

    fn files(&self, (folder, name): &(PathBuf, String)) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let is_read = |path: &PathBuf| {
            let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
            let suffix =
                file.strip_prefix(name.as_str()).and_then(|file| file.strip_suffix(".json"));
            suffix.is_some_and(|suffix| self.reads(suffix))
        };
        entries.map(|entry| entry.path()).filter(is_read).collect()
    }

    /// Whether a file with this suffix is read: not one of another shard of the same number.
    fn reads(&self, of_file: &str) -> bool {
        let of_shards = self.shard.map(|shard| format!("-of-{}", shard.of()));
        of_file == suffix(self.shard) || of_shards.is_none_or(|of| !of_file.ends_with(&of))
    }
}

/// Takes the memories of a shard's run folder over into that of the whole, which has the rate of all.
pub(super) fn take_over(from: &Path, shard: Shard, into: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(name) = name.strip_suffix(".json").filter(|name| name.starts_with(IN_RUN)) else {
            continue;
        };
        replace(&into.join(file_name(name, &suffix(Some(shard)))), &fs::read(&path)?)?;
    }
    Ok(())
}

/// How the names of the files in run folders begin.
pub(super) const IN_RUN: &str = ".pace-";

fn file_name(name: &str, suffix: &str) -> String {
    format!("{name}{suffix}.json")
}

/// Names an app at an address.
pub(super) fn key(base_url: &str, client_id: &str) -> String {
    let digest = Sha256::digest(format!("{base_url}\n{client_id}"));
    format!("{:016x}", u64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default()))
}

fn suffix(shard: Option<Shard>) -> String {
    shard.map(|shard| format!("-{}-of-{}", shard.number(), shard.of())).unwrap_or_default()
}

fn read(path: &Path) -> Result<Option<MemoryFile>, Unreadable> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| Unreadable),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(_) => Err(Unreadable),
    }
}

/// Replaces a file as a whole. What a kill leaves beside it has the name of what a run folder sweeps.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut aside = tempfile::Builder::new().prefix(".aside-").tempfile_in(folder)?;
    aside.write_all(bytes)?;
    aside.persist(path).map(drop).map_err(|error| error.error)
}

/// Creates a folder and its missing parents, mode 0700 under any umask.
fn create_private(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    folder.parent().map_or(Ok(()), create_private)?;
    match fs::create_dir(folder) {
        // Another process has created it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}
