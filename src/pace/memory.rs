//! The starts of the last run, so that the next run keeps the rate over both; and the daily limit that
//! HighLevel last reported.
//!
//! A run promises in this file that nothing starts after a given time without another promise. Its end
//! withdraws the promise. A killed run leaves it behind, so that the next run knows until when requests
//! may have started, and how many: those count as if they had started then.
//!
//! One file for each base URL and client id, in the state folder. It holds no secrets, and no run fails
//! for want of it.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{clock, shard::Shard, state_folder};

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
struct MemoryFile {
    base_url: String,
    client_id: String,
    /// Milliseconds since the epoch, oldest first.
    starts: Vec<i64>,
    #[serde(default)]
    promise: Option<KeptPromise>,
    #[serde(default)]
    day: Option<KeptDay>,
}

/// Until when requests may start, and how many more than are remembered may do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Nothing starts after this, unless another promise was kept.
    pub until: Instant,
    /// Starts that may come until then, at most.
    pub at_most: u32,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct KeptPromise {
    /// Milliseconds since the epoch.
    until: i64,
    at_most: u32,
}

/// What is kept.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// Starts, oldest first.
    pub starts: Vec<Instant>,
    /// `None` at the end of a run.
    pub promise: Option<Promise>,
    /// The daily limit that HighLevel last reported.
    pub day: Option<Day>,
}

/// The daily limit of requests, as HighLevel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Requests left.
    pub left: u64,
    /// When the next day begins, as the server says; `None` if it does not.
    pub resets_at: Option<Timestamp>,
}

/// A [`Day`] with the time at which it was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDay {
    /// The report.
    pub day: Day,
    /// Time of the report, UTC.
    pub at: Timestamp,
}

impl KeptDay {
    /// The share of a shard in what is left.
    #[must_use]
    pub fn share(self, shard: Shard) -> Self {
        Self { day: Day { left: shard.share(self.day.left), ..self.day }, ..self }
    }

    /// Whether the day has not ended yet, as far as is known.
    fn is_on(&self, now: Timestamp) -> bool {
        self.day.resets_at.map_or(now.duration_since(self.at) < DAY, |reset| now < reset)
    }
}

impl Memory {
    /// The memory for an app at an address; `None` where there is no state folder.
    pub fn of(base_url: &str, client_id: &str) -> Option<Self> {
        let digest = Sha256::digest(format!("{base_url}\n{client_id}"));
        let name = u64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default());
        let path = state_folder::path()?.join(format!("pace-{name:016x}.json"));
        Some(Self { path, base_url: base_url.to_owned(), client_id: client_id.to_owned() })
    }

    /// The starts within `length`, oldest first. A killed run's promise, and an unreadable file, count as
    /// `most` starts.
    pub fn recall(&self, length: Duration, most: u32) -> Vec<Instant> {
        let (now, today) = (Instant::now(), clock::now().as_millisecond());
        let MemoryFile { mut starts, promise, .. } = match self.read() {
            Ok(Some(kept)) => kept,
            Ok(None) => return Vec::new(),
            // The run that wrote it may have started anything.
            Err(Unreadable) => return vec![now; most as usize],
        };
        if let Some(KeptPromise { until, at_most }) = promise {
            starts.extend(std::iter::repeat_n(until, at_most.min(most) as usize));
        }
        // A start in the future was promised, or written before the clock was set back.
        let age = |start: i64| u64::try_from(today.saturating_sub(start)).unwrap_or_default();
        let ages = starts.into_iter().map(age).map(Duration::from_millis);
        ages.filter(|age| *age <= length).filter_map(|age| now.checked_sub(age)).collect()
    }

    /// The last report, if its day has not ended.
    pub fn day(&self) -> Option<KeptDay> {
        self.read().ok()??.day.filter(|kept| kept.is_on(clock::now()))
    }

    fn read(&self) -> Result<Option<MemoryFile>, Unreadable> {
        match fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| Unreadable),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(_) => Err(Unreadable),
        }
    }

    /// Writes the last starts and the daily limit, atomically.
    pub fn keep(&self, remembered: &Remembered) -> io::Result<()> {
        let Remembered { starts, promise, day } = remembered;
        let (now, today) = (Instant::now(), clock::now().as_millisecond());
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let ago = |start: &Instant| today - millis(now.saturating_duration_since(*start));
        let surplus = starts.len().saturating_sub(MOST);
        let starts = starts[surplus..].iter().map(ago).collect();
        let promise = promise.map(|promise| KeptPromise {
            until: today + millis(promise.until.saturating_duration_since(now)),
            at_most: promise.at_most,
        });
        let (base_url, client_id) = (self.base_url.clone(), self.client_id.clone());
        let day = day.map(|day| KeptDay { day, at: clock::now() }).or_else(|| self.day());
        let kept = MemoryFile { base_url, client_id, starts, promise, day };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        create_private(folder)?;
        let mut aside = tempfile::NamedTempFile::new_in(folder)?;
        aside.write_all(&serde_json::to_vec(&kept)?)?;
        aside.persist(&self.path).map(drop).map_err(|error| error.error)
    }
}

/// The file exists and cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unreadable;

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

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn memory(folder: &Path) -> Memory {
        let (base_url, client_id) = ("http://127.0.0.1:1".to_owned(), "id".to_owned());
        Memory { path: folder.join("pace.json"), base_url, client_id }
    }

    fn ages(starts: &[Instant]) -> Vec<u128> {
        // To a tenth of a second: times are kept to the millisecond.
        starts.iter().map(|start| (start.elapsed() + MS(20)).as_millis() / 100).collect()
    }

    #[test]
    fn what_a_killed_run_may_have_started_counts_until_its_promise_ended() {
        let folder = tempfile::tempdir().unwrap();
        let memory = memory(folder.path());
        assert!(memory.recall(MS(60_000), 10).is_empty());
        let now = Instant::now();
        let ago = |ms| now.checked_sub(MS(ms)).unwrap();
        for (promise, most, expected) in [
            (None, 10, &[9, 4][..]),
            (Some(Promise { until: now + MS(3000), at_most: 2 }), 10, &[9, 4, 0, 0]),
            (Some(Promise { until: now, at_most: u32::MAX }), 3, &[9, 4, 0, 0, 0]),
            (Some(Promise { until: now, at_most: 0 }), 3, &[9, 4]),
        ] {
            let starts = vec![ago(70_000), ago(900), ago(400)];
            memory.keep(&Remembered { starts, promise, day: None }).unwrap();
            assert_eq!(ages(&memory.recall(MS(60_000), most)), expected, "{promise:?}");
        }
    }

    #[test]
    fn a_memory_that_cannot_be_read_counts_as_a_full_window() {
        let folder = tempfile::tempdir().unwrap();
        let memory = memory(folder.path());
        for bytes in [&b""[..], b"{", b"[]"] {
            fs::write(&memory.path, bytes).unwrap();
            assert_eq!(ages(&memory.recall(MS(1000), 3)), [0, 0, 0]);
        }
    }
}
