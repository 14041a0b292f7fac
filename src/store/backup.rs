//! `replaced.jsonl`: the rows of the app's store as they were before they were replaced.
//!
//! A line is durable before the row is written, so whatever happens to the store can be undone by hand.
//! It also has a digest of what is written: after a crash it tells that what stands in the row is ours,
//! even where the store has it encrypted.

use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::fault::StoreFault;
use crate::{
    checksum::Checksum,
    clock,
    installation::Id,
    journal::{folder::RunFolder, line_file::LineFile},
};

/// The name of the file in the run folder.
pub const FILE: &str = "replaced.jsonl";

/// The first 64 bits of a SHA-256 over what is written into the columns of the two tokens. It reveals
/// nothing of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentDigest(u64);

impl ContentDigest {
    /// The digest of the two values as the store is given them: ciphertext where they are encrypted.
    pub fn of(access: &str, refresh: Option<&str>) -> Self {
        let mut digest = Sha256::new();
        digest.update(access.len().to_be_bytes());
        digest.update(access);
        digest.update([u8::from(refresh.is_some())]);
        digest.update(refresh.unwrap_or_default());
        let digest = digest.finalize();
        Self(u64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default()))
    }
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for ContentDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        u64::from_str_radix(&digits, 16)
            .ok()
            .map(Self)
            .filter(|digest| digest.to_string() == digits)
            .ok_or_else(|| D::Error::custom("sixteen hexadecimal digits are expected"))
    }
}

/// A row that is about to be replaced. Secret: it has the old tokens.
pub struct Replaced<'a> {
    /// Number of the record in the list of its run.
    pub row: u32,
    /// The installation.
    pub id: &'a Id,
    /// The table or collection.
    pub table: &'a str,
    /// The columns by which the row is found.
    pub key: &'a Map<String, Value>,
    /// The columns that will be set, as they are now.
    pub old: &'a Map<String, Value>,
    /// Checksum of the line of `tokens.jsonl` that has the pair.
    pub token_line: Checksum,
    /// What the two token columns will have.
    pub new: ContentDigest,
}

#[derive(Serialize)]
struct Line<'a> {
    row: u32,
    id: &'a Id,
    table: &'a str,
    at: String,
    key: &'a Map<String, Value>,
    old: &'a Map<String, Value>,
    token_line: Checksum,
    new: ContentDigest,
}

/// What was written for each record: of which pair, by the checksum of its token line, and the digest.
pub type Written = HashMap<u32, Vec<(Checksum, ContentDigest)>>;

/// What is read of a line.
#[derive(Deserialize)]
struct Seen {
    row: u32,
    token_line: Checksum,
    new: ContentDigest,
}

/// The file, open to append to.
#[derive(Debug)]
pub struct Backup {
    file: LineFile,
}

impl Backup {
    /// Where it is in a run folder.
    pub fn path(folder: &RunFolder) -> PathBuf {
        folder.file(FILE)
    }

    /// Opens the file, or makes it for its owner alone; a line that a crash has cut is cut off.
    pub fn open(folder: &RunFolder) -> Result<Self, StoreFault> {
        let path = Self::path(folder);
        let file = LineFile::open(folder.disk(), &path, None)?;
        let synced = folder.disk().sync_folder(folder.path());
        synced.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file })
    }

    /// Adds a row. It is durable with the next [`Backup::sync`], before which no row may be written.
    pub fn keep(&mut self, replaced: &Replaced<'_>, at: Timestamp) -> Result<(), StoreFault> {
        let Replaced { row, id, table, key, old, token_line, new } = *replaced;
        let line = Line { row, id, table, at: clock::stamp(at), key, old, token_line, new };
        let line = serde_json::to_vec(&line).context("cannot write a row of the store as JSON")?;
        Ok(self.file.line(&line)?)
    }

    /// Makes every row durable.
    pub fn sync(&mut self) -> Result<(), StoreFault> {
        if let Err(error) = self.file.sync() {
            // The rows are not replaced, so half of a line about them must not stay.
            self.file.retreat_to_durable();
            return Err(error.into());
        }
        Ok(())
    }

    /// What earlier commands have written for each record, or were about to write. What is no line of
    /// this file, as one that a crash has cut, is skipped: its row is then only written once more.
    pub fn written(path: &Path) -> Result<Written, StoreFault> {
        let read = || -> io::Result<_> {
            let mut written = Written::new();
            let file = match File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(written),
                Err(error) => return Err(error),
            };
            let (mut input, mut line) = (BufReader::new(file), Vec::new());
            while input.read_until(b'\n', &mut line)? > 0 {
                if line.ends_with(b"\n")
                    && let Ok(Seen { row, token_line, new }) = serde_json::from_slice(&line)
                {
                    written.entry(row).or_default().push((token_line, new));
                }
                line.clear();
            }
            Ok(written)
        };
        Ok(read().with_context(|| format!("cannot read {}", path.display()))?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::{
        exit::Exit,
        journal::disk::{Disk, Operation},
    };

    fn folder(place: &Path, disk: Disk) -> RunFolder {
        fs::write(place.join("journal.jsonl"), "").unwrap();
        RunFolder::open(place, disk).unwrap()
    }

    fn keep(backup: &mut Backup, row: u32, token: &str) -> Result<(), StoreFault> {
        let (key, old) = (json!({"location_id": "x"}), json!({"access_token": "old", "n": 7}));
        let id = Id::new("ve9EPM428h8vShlRW1KT").unwrap();
        let replaced = Replaced {
            row,
            id: &id,
            table: "public.tokens",
            key: key.as_object().unwrap(),
            old: old.as_object().unwrap(),
            token_line: Checksum::of(token.as_bytes()),
            new: ContentDigest::of(token, None),
        };
        backup.keep(&replaced, Timestamp::from_millisecond(1_800_000_000_000).unwrap())
    }

    #[test]
    fn a_row_is_kept_as_a_line_that_only_its_owner_can_read() {
        let place = tempfile::tempdir().unwrap();
        let mut backup = Backup::open(&folder(place.path(), Disk::default())).unwrap();
        keep(&mut backup, 7, "a").unwrap();
        backup.sync().unwrap();
        let path = place.path().join(FILE);
        let (line, new) = (Checksum::of(b"a"), ContentDigest::of("a", None));
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!(
                "{{\"row\":7,\"id\":\"ve9EPM428h8vShlRW1KT\",\"table\":\"public.tokens\",\
                 \"at\":\"2027-01-15T08:00:00.000Z\",\"key\":{{\"location_id\":\"x\"}},\
                 \"old\":{{\"access_token\":\"old\",\"n\":7}},\"token_line\":\"{line}\",\"new\":\"{new}\"}}\n"
            )
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_later_command_knows_what_was_written() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(FILE);
        assert!(Backup::written(&path).unwrap().is_empty());
        let folder = folder(place.path(), Disk::default());
        let mut backup = Backup::open(&folder).unwrap();
        for (row, token) in [(1, "a"), (2, "b"), (1, "c")] {
            keep(&mut backup, row, token).unwrap();
        }
        backup.sync().unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], b"{\"row\":3,\"new\":\"00"].concat()).unwrap();
        let digest = |token: &str| (Checksum::of(token.as_bytes()), ContentDigest::of(token, None));
        let expected = HashMap::from([(1, vec![digest("a"), digest("c")]), (2, vec![digest("b")])]);
        assert_eq!(Backup::written(&path).unwrap(), expected);
        drop(Backup::open(&folder).unwrap());
        assert_eq!(fs::read(&path).unwrap(), whole, "the cut line is gone");
    }

    #[test]
    fn a_full_disk_is_a_local_fault() {
        let place = tempfile::tempdir().unwrap();
        let full = Disk::failing(|operation| match operation {
            Operation::Write => Err(io::Error::from(io::ErrorKind::StorageFull)),
            _ => Ok(()),
        });
        let mut backup = Backup::open(&folder(place.path(), full)).unwrap();
        keep(&mut backup, 7, "a").unwrap();
        let fault = backup.sync().unwrap_err();
        assert_eq!(fault.exit(), Exit::Local);
        assert!(fault.to_string().contains(FILE), "{fault}");
    }

    #[test]
    fn a_digest_tells_values_apart_and_reads_back() {
        let digests =
            [("ab", None), ("ab", Some("")), ("a", Some("b")), ("ab", Some("c")), ("abc", None)]
                .map(|(access, refresh)| ContentDigest::of(access, refresh));
        for (at, digest) in digests.iter().enumerate() {
            assert!(!digests[..at].contains(digest));
            let text = serde_json::to_string(digest).unwrap();
            assert_eq!(serde_json::from_str::<ContentDigest>(&text).unwrap(), *digest);
        }
    }
}
