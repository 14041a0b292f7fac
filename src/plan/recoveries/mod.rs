//! Which installations were recovered in the last 24 hours, by any run of this user on this machine,
//! so that nothing is granted twice by accident.
//!
//! Each run appends to a file of its own in the state folder, a short line for each installation, for
//! its app and base URL. A file that nobody has written to for 24 hours is deleted. There is nothing
//! secret in them: an installation is known by its hash. A file that cannot be read or written fails
//! no run: it is left out, with a warning.

mod earlier;
mod log;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::{
    earlier::Earlier,
    log::{LogOwner, RecoveryLog},
};
use super::digest::digest;
use crate::{highlevel::client_id::application, installation::Installation};

/// How long a recovery is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// Characters of a fingerprint in a line.
const PRINT_CHARS: usize = 16;

/// An installation of an app: 96 bits of SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Print([u8; 12]);

impl Print {
    fn of(client_id: &str, installation: &Installation) -> Self {
        let Installation { scope, id, .. } = installation;
        let digest = digest(application(client_id), *scope, id.as_str());
        Self(digest.first_chunk().copied().unwrap_or_default())
    }
}

/// The first line of a file.
#[derive(Serialize, Deserialize)]
struct FileHeader {
    base_url: String,
    client_id: String,
    folder: String,
}

/// How the files of an app at an address are called: this, the run id, and [`ENDING`].
fn beginning(base_url: &str, client_id: &str) -> String {
    let digest = Sha256::digest(format!("{base_url}\n{client_id}"));
    let key = u64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default());
    format!("{EVERY}{key:016x}-")
}

const ENDING: &str = ".log";

/// How the names of all files begin.
const EVERY: &str = "recovered-";

fn file_name(base_url: &str, client_id: &str, run_id: &str) -> String {
    format!("{}{run_id}{ENDING}", beginning(base_url, client_id))
}

fn line_of(print: Print, at: Timestamp) -> String {
    format!("{} {}\n", URL_SAFE_NO_PAD.encode(print.0), at.as_second())
}

/// Reads a line; a torn one is `None`.
fn read_line(line: &[u8]) -> Option<(Print, i64)> {
    let line = line.strip_suffix(b"\n")?;
    let (print, at) = (line.get(..PRINT_CHARS)?, line.get(PRINT_CHARS + 1..)?);
    if line[PRINT_CHARS] != b' ' || at.len() < 10 {
        return None;
    }
    let mut bytes = [0; 12];
    let length = URL_SAFE_NO_PAD.decode_slice(print, &mut bytes).ok()?;
    (length == bytes.len()).then_some(())?;
    Some((Print(bytes), str::from_utf8(at).ok()?.parse().ok()?))
}

/// Whether a recovery is still remembered. A clock that was set back makes none of them older.
fn is_remembered(at: i64, now: Timestamp) -> bool {
    now.as_second().saturating_sub(at).unsigned_abs() <= REMEMBERED.as_secs().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::installation::{Id, Scope};

    #[test]
    fn a_line_is_read_back_and_a_torn_one_is_none() {
        let id = Id::new("ve9EPM428h8vShlRW1KT").unwrap();
        let installation = Installation { scope: Scope::Location, id, company: None };
        let print = Print::of("app-key", &installation);
        assert_eq!(print, Print::of("app-other", &installation), "key pairs of one app");
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let line = line_of(print, at);
        assert_eq!(line.len(), 28);
        assert_eq!(read_line(line.as_bytes()), Some((print, 1_800_000_000)));
        for cut in 0..line.len() {
            assert_eq!(read_line(&line.as_bytes()[..cut]), None, "{cut}");
        }
        for torn in [format!("{}{line}", &line[..9]), format!("{}\n", &line[..20]), "\n".into()] {
            assert_eq!(read_line(torn.as_bytes()), None, "{torn:?}");
        }
    }

    #[test]
    fn a_recovery_is_remembered_for_a_day() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        for (ago, remembered) in
            [(0, true), (86_400, true), (86_401, false), (-3600, true), (-90_000, false)]
        {
            assert_eq!(is_remembered(1_800_000_000 - ago, now), remembered, "{ago}");
        }
    }
}
