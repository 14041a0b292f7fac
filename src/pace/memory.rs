//! The starts of the last run, so that a run right after it keeps the rate over both, and what
//! HighLevel said last of its day.
//!
//! Kept for each base URL and client id in the user's state folder (`$XDG_STATE_HOME`, else
//! `~/.local/state`; `%LOCALAPPDATA%` on Windows). There is nothing secret in it, and nothing
//! depends on it: what cannot be read or written is passed over.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Starts that are kept at most.
const MOST: usize = 10_000;

/// Where the starts of earlier runs are kept.
#[derive(Clone, Debug)]
pub struct Memory {
    path: PathBuf,
    base_url: String,
    client_id: String,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    base_url: String,
    client_id: String,
    /// Milliseconds since the epoch, oldest first.
    starts: Vec<i64>,
    #[serde(default)]
    day: Option<KeptDay>,
}

/// What HighLevel says of the requests that it allows in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Requests left.
    pub left: u64,
    /// When the next day begins, by the server's reckoning; `None` when it did not say.
    pub resets_at: Option<Timestamp>,
}

/// A [`Day`] with the time at which it was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDay {
    /// What was heard.
    pub day: Day,
    /// When.
    pub at: Timestamp,
}

impl KeptDay {
    /// Whether the day is still the same, as far as that can be told.
    fn is_on(&self, now: Timestamp) -> bool {
        self.day.resets_at.map_or(now.duration_since(self.at) < DAY, |reset| now < reset)
    }
}

impl Memory {
    /// The memory for an app at an address; `None` where there is no state folder.
    pub fn of(base_url: &str, client_id: &str) -> Option<Self> {
        let digest = Sha256::digest(format!("{base_url}\n{client_id}"));
        let name = u64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default());
        let path = state_folder()?.join("ghl-reconnect").join(format!("pace-{name:016x}.json"));
        Some(Self { path, base_url: base_url.to_owned(), client_id: client_id.to_owned() })
    }

    /// The starts that are not older than `length`, oldest first.
    pub fn recall(&self, length: Duration) -> Vec<Instant> {
        let (now, today) = (Instant::now(), clock::now().as_millisecond());
        let starts = self.read().map(|kept| kept.starts).unwrap_or_default();
        let age = |start: i64| u64::try_from(today.saturating_sub(start)).ok();
        let ages = starts.into_iter().filter_map(age).map(Duration::from_millis);
        ages.filter(|age| *age <= length).filter_map(|age| now.checked_sub(age)).collect()
    }

    /// What HighLevel said last of the day that it is now.
    pub fn day(&self) -> Option<KeptDay> {
        self.read()?.day.filter(|kept| kept.is_on(clock::now()))
    }

    fn read(&self) -> Option<Kept> {
        serde_json::from_slice(&fs::read(&self.path).ok()?).ok()
    }

    /// Keeps the last starts and what is known of the day, as a whole or not at all.
    pub fn keep(&self, starts: impl Iterator<Item = Instant>, day: Option<Day>) {
        let (now, today) = (Instant::now(), clock::now().as_millisecond());
        let ago = |start: Instant| i64::from(clock::millis(now.saturating_duration_since(start)));
        let mut starts: Vec<i64> = starts.map(|start| today - ago(start)).collect();
        let surplus = starts.len().saturating_sub(MOST);
        starts.drain(..surplus);
        let (base_url, client_id) = (self.base_url.clone(), self.client_id.clone());
        let day = day.map(|day| KeptDay { day, at: clock::now() }).or_else(|| self.day());
        let kept = Kept { base_url, client_id, starts, day };
        let write = || -> Option<()> {
            let folder = self.path.parent()?;
            create_private(folder).ok()?;
            let mut aside = tempfile::NamedTempFile::new_in(folder).ok()?;
            aside.write_all(&serde_json::to_vec(&kept).ok()?).ok()?;
            aside.persist(&self.path).ok().map(drop)
        };
        // Nothing depends on it.
        let _ = write();
    }
}

/// Makes a folder, and those above it that are not there, for their owner only under any umask.
fn create_private(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    folder.parent().map_or(Ok(()), create_private)?;
    match fs::create_dir(folder) {
        // Another process was quicker.
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

fn state_folder() -> Option<PathBuf> {
    let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if cfg!(windows) {
        return named("LOCALAPPDATA");
    }
    named("XDG_STATE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| Some(env::home_dir()?.join(".local").join("state")))
}
