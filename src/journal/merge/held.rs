//! The run folders of the shards: looked at, found to belong together, and held.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use anyhow::anyhow;

use super::shards::{Head, Missing, check};
use crate::{
    event::Started,
    exit::{Exit, Fault, OrExit},
    journal::{
        disk::Disk,
        folder::{Lock, RunFolder},
        state,
    },
    shard::Shard,
};

/// A shard whose folder is held.
pub struct HeldShard {
    /// Its folder.
    pub folder: RunFolder,
    /// Which one it is.
    pub shard: Shard,
    /// How it began.
    pub started: Started,
    _lock: Lock,
}

/// The shards of one list, held.
pub struct HeldShards {
    /// Those that are there, the first one first.
    pub shards: Vec<HeldShard>,
    /// Those that are not.
    pub absent: Vec<Shard>,
}

/// Looks at the folders and holds them. Nothing is written, and whatever does not belong together is
/// refused.
pub fn hold(dirs: &[PathBuf], missing: Missing, disk: &Disk) -> Result<HeldShards, Fault> {
    let begun: Vec<_> = dirs.iter().map(|dir| begun(dir, disk)).collect::<Result<_, _>>()?;
    check_named_once(dirs).or_exit(Exit::Usage)?;
    let heads = begun.iter().map(|(folder, started)| Head::of(folder.path(), started));
    let heads: Vec<Head> = heads.collect::<Result<_, _>>().or_exit(Exit::Local)?;
    let absent = check(&heads, missing).or_exit(Exit::Usage)?;
    let mut shards: Vec<_> = begun
        .into_iter()
        .zip(heads)
        .filter_map(|((folder, started), head)| Some((head.shard?, folder, started)))
        .collect();
    // Every process takes them in this order, so that of two the first one gets all.
    shards.sort_by_key(|(shard, ..)| shard.number());
    allow_many_files();
    let lock = |(shard, folder, started): (Shard, RunFolder, Started)| {
        let lock = folder.lock()?;
        Ok(HeldShard { folder, shard, started, _lock: lock })
    };
    Ok(HeldShards { shards: shards.into_iter().map(lock).collect::<Result<_, Fault>>()?, absent })
}

/// Each shard is held and read at the same time: lets the process open as many files as it may.
fn allow_many_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        // Where that is not allowed, opening a file says so.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

fn begun(dir: &Path, disk: &Disk) -> Result<(RunFolder, Started), Fault> {
    let folder = RunFolder::open_readable(dir, disk.clone())?;
    let started = state::started(&folder.journal()).or_exit(Exit::Local)?;
    Ok((folder, started))
}

fn check_named_once(dirs: &[PathBuf]) -> anyhow::Result<()> {
    let mut seen = HashSet::new();
    let again = dirs.iter().find(|dir| dir.canonicalize().is_ok_and(|real| !seen.insert(real)));
    again.map_or(Ok(()), |dir| Err(anyhow!("{} is named twice", dir.display())))
}
