//! What the tests share: a work directory, stand-ins, the program, and the check that every run
//! has to pass.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use ghl_reconnect::checksum::Checksum;
use serde_json::Value;

pub(crate) use self::{
    ran::{Ran, Row},
    recording::{Book, Recording, Reply, Seen, whole},
    stand_in::StandIn,
    witness::{Nobody, OwnWord, Testimony, Witness},
    work::{Run, Work, program},
};

pub(crate) mod in_process;
mod ran;
mod recording;
mod stand_in;
mod turns;
mod witness;
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

/// Starts a program whose output the test reads.
pub(crate) fn start(mut command: std::process::Command) -> std::process::Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends a signal, `-INT` say.
#[cfg(unix)]
pub(crate) fn signal(child: &std::process::Child, name: &str) {
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Waits until something holds; what never does is a failure.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
