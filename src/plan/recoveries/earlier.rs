//! What other runs have recovered before this one began.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    ENDING, EVERY, FileHeader, Print, REMEMBERED, beginning, file_name, is_remembered, read_line,
};
use crate::{clock, event::RecoveredBefore, installation::Installation, state_folder};
use jiff::Timestamp;

/// The recoveries of the last 24 hours, for the apps of a run: 24 bytes for each installation.
#[derive(Debug, Default)]
pub struct Earlier {
    by_client: HashMap<String, ClientRecoveries>,
}

#[derive(Debug, Default)]
struct ClientRecoveries {
    /// In order, so that they can be looked up; the place is one in `folders`.
    recovered: Vec<(Print, i64, u32)>,
    folders: Vec<String>,
    /// How far each file was read.
    read_to: HashMap<PathBuf, u64>,
}

impl Earlier {
    /// Reads what is remembered for these clients at an address.
    pub fn load<'a>(base_url: &str, clients: impl IntoIterator<Item = &'a str>) -> Self {
        Self::load_but(base_url, clients, None)
    }

    /// The same without what this run has recovered itself.
    pub fn load_of_others<'a>(
        base_url: &str,
        clients: impl IntoIterator<Item = &'a str>,
        run_id: &str,
    ) -> Self {
        Self::load_but(base_url, clients, Some(run_id))
    }

    fn load_but<'a>(
        base_url: &str,
        clients: impl IntoIterator<Item = &'a str>,
        own: Option<&str>,
    ) -> Self {
        sweep();
        let of =
            |client: &'a str| (client.to_owned(), ClientRecoveries::load(base_url, client, own));
        Self { by_client: clients.into_iter().map(of).collect() }
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.by_client.values().all(|of| of.recovered.is_empty())
    }

    /// The last recovery of an installation of a client.
    pub fn find(&self, client_id: &str, installation: &Installation) -> Option<RecoveredBefore> {
        let of_client = self.by_client.get(client_id).filter(|of| !of.recovered.is_empty())?;
        let print = Print::of(client_id, installation);
        let end = of_client.recovered.partition_point(|(other, ..)| *other <= print);
        let (found, at, folder) = of_client.recovered.get(end.checked_sub(1)?)?;
        (*found == print).then_some(())?;
        let at = Timestamp::from_second(*at).ok()?;
        let folder = of_client.folders.get(*folder as usize)?.clone();
        Some(RecoveredBefore { at, folder })
    }

    /// How far the files of a client were read.
    pub(crate) fn read_to(&self, client_id: &str) -> HashMap<PathBuf, u64> {
        self.by_client.get(client_id).map(|of| of.read_to.clone()).unwrap_or_default()
    }
}

impl ClientRecoveries {
    fn load(base_url: &str, client_id: &str, own: Option<&str>) -> Self {
        let mut of_client = Self::default();
        let now = clock::now();
        let own = own.map(|run_id| file_name(base_url, client_id, run_id));
        let is_own = |path: &PathBuf| own.as_ref().is_some_and(|own| path.ends_with(own));
        for path in files(base_url, client_id).into_iter().filter(|path| !is_own(path)) {
            // A file that cannot be read is left out.
            let _ = of_client.take(&path, now);
        }
        of_client.recovered.sort_unstable();
        of_client
    }

    fn take(&mut self, path: &Path, now: Timestamp) -> io::Result<()> {
        let place = u32::try_from(self.folders.len()).unwrap_or(u32::MAX);
        let mut recovered = Vec::new();
        let read = read_from(path, 0, |print, at| {
            if is_remembered(at, now) {
                recovered.push((print, at, place));
            }
        })?;
        self.recovered.append(&mut recovered);
        self.folders.push(read.folder.unwrap_or_else(|| "a run folder that is not named".into()));
        self.read_to.insert(path.to_owned(), read.end);
        Ok(())
    }
}

/// Deletes the files, of whatever app, that nobody has written to for a day.
fn sweep() {
    for path in files_that_begin(EVERY).iter().filter(|path| is_old(path)) {
        // No harm is done if it stays.
        let _ = fs::remove_file(path);
    }
}

/// The files of a client at an address.
pub(crate) fn files(base_url: &str, client_id: &str) -> Vec<PathBuf> {
    files_that_begin(&beginning(base_url, client_id))
}

fn files_that_begin(beginning: &str) -> Vec<PathBuf> {
    let entries = state_folder::path().and_then(|folder| fs::read_dir(folder).ok());
    let names = entries.into_iter().flatten().filter_map(Result::ok);
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(beginning) && name.ends_with(ENDING)
    };
    names.map(|entry| entry.path()).filter(is_ours).collect()
}

/// Whether nobody has written to a file for so long that nothing in it is remembered.
fn is_old(path: &Path) -> bool {
    let written = path.metadata().and_then(|file| file.modified());
    let age = written.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    age.is_some_and(|age| age > Duration::from_secs(REMEMBERED.as_secs().unsigned_abs()))
}

/// What was read of a file.
pub(crate) struct FileRead {
    /// The folder that its first line names.
    pub(crate) folder: Option<String>,
    /// Where its last whole line ends.
    pub(crate) end: u64,
}

/// Reads the whole lines of a file from a place on.
pub(crate) fn read_from(
    path: &Path,
    start: u64,
    mut take: impl FnMut(Print, i64),
) -> io::Result<FileRead> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut lines = BufReader::with_capacity(1 << 17, file);
    let (mut line, mut read) = (Vec::new(), FileRead { folder: None, end: start });
    while lines.read_until(b'\n', &mut line)? > 0 {
        if !line.ends_with(b"\n") {
            break;
        }
        match read_line(&line) {
            Some((print, at)) => take(print, at),
            None if read.folder.is_none() => {
                read.folder = serde_json::from_slice(&line).ok().map(|h: FileHeader| h.folder);
            }
            None => {}
        }
        read.end += line.len() as u64;
        line.clear();
    }
    Ok(read)
}
