//! The starts of the last run, so that the next run keeps the rate over both; and the daily limit that
//! HighLevel last reported.
//!
//! A run promises in this file that nothing starts after a given time without another promise. Its end
//! withdraws the promise. A killed run leaves it behind, so that the next run knows until when requests
//! may have started, and how many: those count as if they had started then.
//!
//! One file for each base URL and client id, in the state folder, and a copy in the run folder, since the
//! next execution may have another home. Shards have a file each: they share the bound beforehand, so
//! that none counts the starts of another. The files hold no secrets, and no run fails for want of them.

use std::{
    ffi::OsStr,
    io,
    path::Path,
    sync::OnceLock,
    time::{Duration, Instant},
};

use super::{
    day::{Day, KeptDay},
    memory_file::{self, IN_RUN, KeptPromise, MemoryFile, Places, Unreadable, key},
};
use crate::{clock, shard::Shard};

/// Starts that are kept at most.
const MOST: usize = 10_000;

/// Where the starts of earlier runs are kept.
#[derive(Clone, Debug)]
pub struct Memory {
    places: Places,
    base_url: String,
    client_id: String,
    writer: u64,
    /// The report of the daily limit that earlier processes left, looked for once.
    earlier_day: OnceLock<Option<KeptDay>>,
}

/// Until when requests may start, and how many more than are remembered may do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Nothing starts after this, unless another promise was kept.
    pub until: Instant,
    /// Starts that may come until then, at most.
    pub at_most: u32,
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

impl Memory {
    /// The memory for an app at an address.
    pub fn of(base_url: &str, client_id: &str) -> Self {
        Self {
            places: Places::of(base_url, client_id),
            base_url: base_url.to_owned(),
            client_id: client_id.to_owned(),
            writer: fastrand::u64(1..),
            earlier_day: OnceLock::new(),
        }
    }

    /// The memory of a run in this folder, which may be a shard.
    #[must_use]
    pub fn of_run(mut self, folder: &Path, shard: Option<Shard>) -> Self {
        let name = format!("{IN_RUN}{}", key(&self.base_url, &self.client_id));
        self.places.run = Some((folder.to_owned(), name));
        self.places.shard = shard;
        self
    }

    /// Whether a file of a run folder, by its name, is a memory.
    pub fn is_named(name: &OsStr) -> bool {
        name.as_encoded_bytes().starts_with(IN_RUN.as_bytes())
    }

    /// Lets a run folder remember what a shard of its list has started.
    pub fn take_over(from: &Path, shard: Shard, into: &Path) -> io::Result<()> {
        memory_file::take_over(from, shard, into)
    }

    /// The starts within `length`, oldest first. A killed run's promise, and an unreadable file, count as
    /// `most` starts.
    pub fn recall(&self, length: Duration, most: u32) -> Vec<Instant> {
        let (now, today) = (Instant::now(), clock::now().as_millisecond());
        let files = match self.places.read() {
            Ok(files) => files,
            // The run that wrote it may have started anything.
            Err(Unreadable) => return vec![now; most as usize],
        };
        // A start in the future was promised, or written before the clock was set back.
        let age = |start: i64| u64::try_from(today.saturating_sub(start)).unwrap_or_default();
        let starts = files.into_iter().flat_map(|file| starts_of(file, most));
        let ages = starts.map(age).map(Duration::from_millis).filter(|age| *age <= length);
        let mut starts: Vec<_> = ages.filter_map(|age| now.checked_sub(age)).collect();
        starts.sort_unstable();
        starts
    }

    /// The last report, if its day has not ended.
    pub fn day(&self) -> Option<KeptDay> {
        let days = self.places.read().ok()?.into_iter().filter_map(|file| file.day);
        days.filter(|kept| kept.is_on(clock::now())).max_by_key(|kept| kept.at)
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
        let earlier = || *self.earlier_day.get_or_init(|| self.day());
        let day = day.map(|day| KeptDay { day, at: clock::now() }).or_else(earlier);
        let (writer, at) = (self.writer, today);
        self.places.write(&MemoryFile { base_url, client_id, writer, at, starts, promise, day })
    }
}

/// The starts of a file, with those that were promised.
fn starts_of(file: MemoryFile, most: u32) -> impl Iterator<Item = i64> {
    let promised = file.promise.map(|KeptPromise { until, at_most }| {
        std::iter::repeat_n(until, at_most.min(most) as usize)
    });
    file.starts.into_iter().chain(promised.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// A memory with a state folder of its own, of a run in a folder beside it.
    fn memory(place: &Path, run: &str, shard: Option<&str>) -> Memory {
        let mut memory = Memory::of("http://127.0.0.1:1", "id");
        let shard = shard.map(|shard| shard.parse().unwrap());
        fs::create_dir_all(place.join(run)).unwrap();
        memory.places.state = Some((place.join("state"), "pace-0".into()));
        memory.of_run(&place.join(run), shard)
    }

    fn ages(starts: &[Instant]) -> Vec<u128> {
        // To a tenth of a second: times are kept to the millisecond.
        starts.iter().map(|start| (start.elapsed() + MS(20)).as_millis() / 100).collect()
    }

    fn ago(ms: u64) -> Instant {
        Instant::now().checked_sub(MS(ms)).unwrap()
    }

    fn keep(memory: &Memory, ages: &[u64]) {
        let starts = ages.iter().map(|ms| ago(*ms)).collect();
        memory.keep(&Remembered { starts, promise: None, day: None }).unwrap();
    }

    fn recalled(memory: &Memory) -> Vec<u128> {
        ages(&memory.recall(MS(60_000), 10))
    }

    #[test]
    fn what_a_killed_run_may_have_started_counts_until_its_promise_ended() {
        let place = tempfile::tempdir().unwrap();
        let memory = memory(place.path(), "run", None);
        assert!(memory.recall(MS(60_000), 10).is_empty());
        let now = Instant::now();
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
        let place = tempfile::tempdir().unwrap();
        let memory = memory(place.path(), "run", None);
        for bytes in [&b""[..], b"{", b"[]"] {
            let (folder, name) = memory.places.run.as_ref().unwrap();
            fs::write(folder.join(format!("{name}.json")), bytes).unwrap();
            assert_eq!(ages(&memory.recall(MS(1000), 3)), [0, 0, 0]);
        }
    }

    #[test]
    fn the_whole_of_a_list_remembers_what_its_shards_have_started() {
        let place = tempfile::tempdir().unwrap();
        let whole = memory(place.path(), "whole", None);
        for (run, shard, starts) in [("one", "1/2", [900, 400]), ("two", "2/2", [800, 300])] {
            keep(&memory(place.path(), run, Some(shard)), &starts);
            let shard = shard.parse().unwrap();
            Memory::take_over(&place.path().join(run), shard, &place.path().join("whole")).unwrap();
        }
        fs::remove_dir_all(place.path().join("state")).unwrap();
        assert_eq!(recalled(&whole), [9, 8, 4, 3], "on another machine");
    }

    #[test]
    fn the_copy_in_the_run_folder_counts_once_and_alone_where_the_home_is_empty() {
        let place = tempfile::tempdir().unwrap();
        let first = memory(place.path(), "run", None);
        keep(&first, &[900, 400]);
        let next = || memory(place.path(), "run", None);
        assert_eq!(recalled(&next()), [9, 4], "two copies of one memory");
        fs::remove_dir_all(place.path().join("state")).unwrap();
        assert_eq!(recalled(&next()), [9, 4]);
        // Another run has written into the state folder meanwhile.
        keep(&memory(place.path(), "other", None), &[300]);
        assert_eq!(recalled(&next()), [9, 4, 3]);
    }

    #[test]
    fn a_memory_needs_one_of_its_places_and_makes_no_run_folder() {
        let place = tempfile::tempdir().unwrap();
        let mut memory = memory(place.path(), "run", None);
        memory.places.state = Some((place.path().join("no\0folder"), "pace-0".into()));
        keep(&memory, &[400]);
        assert_eq!(recalled(&memory), [4]);
        fs::remove_dir_all(place.path().join("run")).unwrap();
        assert!(memory.keep(&Remembered::default()).is_err());
        assert!(!place.path().join("run").exists());
    }

    #[test]
    fn shards_of_one_list_do_not_count_each_others_starts_and_everybody_else_does() {
        let place = tempfile::tempdir().unwrap();
        let shard = |shard| memory(place.path(), "run", Some(shard));
        let run = |name, shard| memory(place.path(), name, shard);
        keep(&run("one", Some("1/8")), &[900]);
        keep(&run("two", Some("2/8")), &[800]);
        assert_eq!(recalled(&shard("1/8")), [9]);
        assert_eq!(recalled(&shard("2/8")), [8]);
        assert!(recalled(&shard("3/8")).is_empty());
        for other in [Some("1/4"), Some("1/18"), None] {
            assert_eq!(recalled(&run("other", other)), [9, 8], "{other:?}");
        }
        keep(&run("whole", None), &[700]);
        assert_eq!(recalled(&shard("3/8")), [7]);
    }
}
