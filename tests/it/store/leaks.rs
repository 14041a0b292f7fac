//! No token, password or URL in anything but the files that are made for tokens.

use std::fs;

use super::recovered::Pair;
use crate::support::{
    Ran, entries,
    servers::{PASSWORD, PASSWORD_IN_URL},
};

/// The files that may have tokens.
const SECRET: [&str; 3] = ["tokens.jsonl", "quarantine.jsonl", "replaced.jsonl"];

#[track_caller]
pub(super) fn assert_none(ran: &Ran, pairs: &[Pair], url: &str) {
    let files = entries(&ran.folder).into_iter();
    let files = files.map(|name| (fs::read(ran.file(&name)).unwrap(), name));
    let said = [("stdout", &ran.stdout), ("stderr", &ran.stderr)];
    let said = said.map(|(name, text)| (text.clone().into_bytes(), name.to_owned()));
    for (bytes, name) in files.chain(said) {
        let text = String::from_utf8_lossy(&bytes);
        let mut secrets = vec![PASSWORD, PASSWORD_IN_URL];
        // A path is no secret.
        if url.contains("://") {
            secrets.push(url);
        }
        if !SECRET.contains(&&*name) {
            secrets.extend(pairs.iter().flat_map(|pair| [&*pair.access, &*pair.refresh]));
            // What stands at the end of a token is a secret in itself.
            let ends = pairs.iter().flat_map(|pair| [&pair.access, &pair.refresh]);
            secrets.extend(ends.map(|token| token.rsplit('.').next().unwrap()));
        }
        for secret in secrets {
            assert!(!text.contains(secret), "{name} has a secret: {secret}\n{text}");
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
