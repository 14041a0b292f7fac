//! What the tests share: a work directory, mock servers, the program, and the check that every run
//! has to pass.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use ghl_reconnect::checksum::Checksum;
use serde_json::Value;

pub(crate) use self::{
    mock_server::MockServer,
    observer::{NoServer, Observed, Observer, OwnTokens},
    process::{Launch, finish, start, start_silent},
    ran::{Ran, Row},
    scripted_server::{Issuer, Reply, ScriptedServer, Seen, whole},
    work::{Run, Work, program},
};

#[cfg(unix)]
pub(crate) use self::process::signal;
#[cfg(target_os = "linux")]
pub(crate) use self::small_disk::SmallDisk;

pub(crate) mod in_process;
mod mock_server;
mod observer;
mod process;
mod ran;
mod scripted_server;
pub(crate) mod servers;
#[cfg(target_os = "linux")]
mod small_disk;
mod turns;
mod work;

/// A client id of the right shape.
pub(crate) const CLIENT_ID: &str = "66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";

/// A client secret of the right shape.
pub(crate) const CLIENT_SECRET: &str = "6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f";

pub(crate) fn entries(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A list of the repository.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The id of the n-th made-up sub-account.
pub(crate) fn location(n: usize) -> String {
    format!("Loc{n:017}")
}

/// The id of the n-th made-up agency.
pub(crate) fn company(n: usize) -> String {
    format!("Com{n:017}")
}

/// A CSV of so many sub-accounts, from 0.
pub(crate) fn locations(count: usize) -> String {
    (0..count).fold("location_id\n".to_owned(), |csv, n| csv + &location(n) + "\n")
}

/// The lines of a CSV file.
pub(crate) fn rows(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

/// The lines of a JSON lines file.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A line of a journal with its checksum, from the plain event.
pub(crate) fn sealed(event: &str) -> String {
    let body = event.strip_suffix('}').unwrap();
    format!("{body},\"checksum\":\"{}\"}}", Checksum::of(body.as_bytes()))
}

/// The plain event of a line of a journal.
pub(crate) fn unsealed(line: &str) -> String {
    let (body, _) = line.rsplit_once(",\"checksum\":").unwrap();
    format!("{body}}}")
}

/// Waits until something holds; what never does is a failure.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "never came: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Tests cases side by side: most of each is waiting. The test must not have a work directory.
pub(crate) fn side_by_side<T: Sync>(cases: &[T], test: impl Fn(&T) + Sync) {
    const AT_ONCE: usize = 6;
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    test(case);
                }
            });
        }
    });
}
