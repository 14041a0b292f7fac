//! A second place for tokens in hand, when the run folder takes no more.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use super::{
    disk::{Disk, folder_of},
    line_file::LineFile,
};

/// Keeps tokens where there is still room.
#[derive(Debug)]
pub struct Spill {
    places: Vec<PathBuf>,
    file: Option<LineFile>,
    kept: u32,
    lost: u32,
}

/// Where the tokens in hand went that the run folder no longer took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spilled {
    /// The second place, if one was needed and found.
    pub place: Option<PathBuf>,
    /// Token pairs that are there.
    pub kept: u32,
    /// Token pairs for which no place was found.
    pub lost: u32,
}

impl Spilled {
    /// Both together; the first place found is the one that is named.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            place: self.place.or(other.place),
            kept: self.kept + other.kept,
            lost: self.lost + other.lost,
        }
    }
}

impl Spill {
    /// Chooses the places; no file is made yet.
    pub fn new(run_folder: &Path, run_id: &str) -> Self {
        Self { places: places(run_folder, run_id), file: None, kept: 0, lost: 0 }
    }

    /// For a disk that does not answer: what is beside the run folder is most likely on it too.
    pub fn elsewhere(run_folder: &Path, run_id: &str) -> Self {
        let places = places(run_folder, run_id).split_off(1);
        Self { places, file: None, kept: 0, lost: 0 }
    }

    /// Keeps one document, durably, in the first place that takes it.
    pub fn keep(&mut self, document: &[u8]) {
        if let Some(file) = &mut self.file
            && file.line(document).and_then(|()| file.sync()).is_ok()
        {
            self.kept += 1;
            return;
        }
        // A disk of the default kind, since the run's own one has failed.
        let taken = self.places.iter().find_map(|place| {
            let mut file = LineFile::open(&Disk::default(), place, None).ok()?;
            file.line(document).and_then(|()| file.sync()).ok()?;
            Some(file)
        });
        match taken {
            Some(file) => {
                self.file = Some(file);
                self.kept += 1;
            }
            None => self.lost += 1,
        }
    }

    /// A document for which there was no time.
    pub fn give_up_one(&mut self) {
        self.lost += 1;
    }

    /// Where they went.
    pub fn result(&self) -> Spilled {
        let place = self.file.as_ref().map(|file| file.path().to_owned());
        Spilled { place, kept: self.kept, lost: self.lost }
    }
}

/// Beside the run folder, in the home folder, in the folder of temporary files.
fn places(run_folder: &Path, run_id: &str) -> Vec<PathBuf> {
    let name = format!("ghl-reconnect-rescued-{run_id}.jsonl");
    let run_folder = std::path::absolute(run_folder).unwrap_or_else(|_| run_folder.to_owned());
    let beside = folder_of(&run_folder).to_owned();
    let folders = [Some(beside), env::home_dir(), Some(env::temp_dir())];
    folders.into_iter().flatten().map(|folder| folder.join(&name)).collect()
}

/// The documents that an earlier execution spilled, with the files that hold them.
pub fn found(run_folder: &Path, run_id: &str) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for place in places(run_folder, run_id) {
        match fs::read(&place) {
            Ok(content) => files.push((place, content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}
