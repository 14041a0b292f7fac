//! The programs of the servers, and what becomes of a test without them.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::Launch;

/// With the value `all`, a test whose server is not installed fails. CI sets it.
const REQUIRED: &str = "GHL_RECONNECT_TEST_SERVERS";

/// A program where Debian puts it, or on the path. The `psql` that Debian has on the path is a script
/// around the one beside the server, and takes seven times as long.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = postgres_folders().into_iter().chain(env::split_paths(&path));
    let folders = folders.chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The newest PostgreSQL first.
fn postgres_folders() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}

/// All of these programs; if one is not there, the tests that need it are skipped or fail.
pub(super) fn programs<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let found = names.map(program);
    let missing: Vec<_> = names
        .iter()
        .zip(&found)
        .filter(|(_, path)| path.is_none())
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() {
        return Some(found.map(Option::unwrap));
    }
    let missing = missing.join(", ");
    assert!(
        env::var_os(REQUIRED).is_none_or(|value| value != "all"),
        "{REQUIRED}=all, and not installed: {missing}"
    );
    // Not with a macro: those show nothing of a test that passes.
    let _ = writeln!(io::stderr(), "skipped: tests that need {missing}, not installed here");
    None
}

/// The words that start a program as somebody who is not root, where this process, which made the
/// folder, is: servers refuse root.
pub(super) fn unprivileged(folder: &Path) -> Vec<OsString> {
    if !is_of_root(folder) {
        return Vec::new();
    }
    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"].map(Into::into).into()
}

#[cfg(unix)]
fn is_of_root(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    folder.metadata().unwrap().uid() == 0
}

#[cfg(not(unix))]
fn is_of_root(_: &Path) -> bool {
    false
}

/// Runs a command to its end, which has to be a good one.
#[track_caller]
pub(super) fn run(command: &mut Command) -> Vec<u8> {
    let output = command.capture().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output.stdout
}

/// A port that nobody listens on, below those that the system gives out by itself.
pub(super) fn free_port() -> u16 {
    let ports = std::iter::repeat_with(|| fastrand::u16(10_000..32_000)).take(1000);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.into_iter().find(is_free).expect("a free port")
}
