//! No token, password or URL in anything but the files that are made for tokens.

use std::{collections::HashSet, fs};

use super::recovered::Pair;
use crate::support::{
    Ran, entries,
    servers::{PASSWORD, PASSWORD_IN_URL},
};

/// The files that may have tokens.
const SECRET: [&str; 3] = ["tokens.jsonl", "quarantine.jsonl", "replaced.jsonl"];

/// Checks the files and what was said, and that nobody else can read the files.
#[track_caller]
pub(super) fn assert_none(ran: &Ran, pairs: &[Pair]) {
    let tokens = pairs.iter().flat_map(|pair| [&pair.access, &pair.refresh]);
    // Claims and signature are secrets alone too; the header is everybody's.
    let parts: HashSet<&str> = tokens.flat_map(|token| token.split('.').skip(1)).collect();
    let files = entries(&ran.folder).into_iter();
    let files = files.map(|name| (fs::read(ran.file(&name)).unwrap(), name));
    let said = [("stdout", &ran.stdout), ("stderr", &ran.stderr)];
    let said = said.map(|(name, text)| (text.clone().into_bytes(), name.to_owned()));
    for (bytes, name) in files.chain(said) {
        let text = String::from_utf8_lossy(&bytes);
        for secret in [PASSWORD, PASSWORD_IN_URL] {
            assert!(!text.contains(secret), "{name} has the password:\n{text}");
        }
        if !SECRET.contains(&&*name) {
            let is_of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            let found = text.split(|c| !is_of_token(c)).find(|word| parts.contains(word));
            assert_eq!(found, None, "{name} has a part of a token:\n{text}");
        }
    }
    assert_private(ran);
}

#[cfg(unix)]
#[track_caller]
fn assert_private(ran: &Ran) {
    use std::os::unix::fs::PermissionsExt;
    for name in entries(&ran.folder) {
        let mode = ran.file(&name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "mode of {name}");
    }
}

#[cfg(not(unix))]
fn assert_private(_: &Ran) {}
