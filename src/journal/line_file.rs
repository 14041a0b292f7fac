//! A file of lines that is only appended to, and knows where its last whole line ends.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

use super::disk::{Disk, DiskFile};

/// Bytes that wait to be written together.
const BUFFER: usize = 1 << 16;

/// The disk no longer takes what it is given: nothing more may be asked for.
#[derive(Clone, Debug, Error)]
#[error("cannot write {}", path.display())]
pub struct StorageError {
    path: Arc<Path>,
    source: Arc<io::Error>,
}

impl StorageError {
    /// A file that could not be written, and why.
    pub fn new(path: &Path, source: io::Error) -> Self {
        Self { path: path.into(), source: Arc::new(source) }
    }

    /// Whether the disk did not answer at all.
    pub fn is_stall(&self) -> bool {
        self.source.kind() == io::ErrorKind::TimedOut
    }
}

/// See the module.
#[derive(Debug)]
pub struct LineFile {
    path: PathBuf,
    file: DiskFile,
    waiting: Vec<u8>,
    written: u64,
    durable: u64,
}

impl LineFile {
    /// Makes a new file.
    pub fn create(disk: &Disk, path: &Path) -> Result<Self, StorageError> {
        let file = disk.create(path).map_err(|e| StorageError::new(path, e))?;
        Ok(Self::of(path, file, 0))
    }

    /// Opens a file, or makes it, and cuts off what follows its last whole line, or what follows
    /// `end` where that is known.
    pub fn open(disk: &Disk, path: &Path, end: Option<u64>) -> Result<Self, StorageError> {
        let opened = || {
            let mut file = disk.open_or_create(path)?;
            let end = end.map_or_else(|| end_of_last_line(&mut file), Ok)?;
            if file.length()? > end {
                file.cut(end)?;
            }
            Ok(Self::of(path, file, end))
        };
        opened().map_err(|e| StorageError::new(path, e))
    }

    fn of(path: &Path, file: DiskFile, length: u64) -> Self {
        let waiting = Vec::with_capacity(BUFFER);
        Self { path: path.to_owned(), file, waiting, written: length, durable: length }
    }

    /// Adds a line; it is written with the next [`LineFile::write`] or when enough have gathered.
    pub fn line(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.waiting.extend_from_slice(bytes);
        self.waiting.push(b'\n');
        if self.waiting.len() >= BUFFER { self.write() } else { Ok(()) }
    }

    /// Writes the lines to the file: they outlive the process, not a power cut.
    pub fn write(&mut self) -> Result<(), StorageError> {
        if !self.waiting.is_empty() {
            self.file.append(&self.waiting).map_err(|e| StorageError::new(&self.path, e))?;
            self.written += self.waiting.len() as u64;
            self.waiting.clear();
        }
        Ok(())
    }

    /// Makes every line durable.
    pub fn sync(&mut self) -> Result<(), StorageError> {
        self.write()?;
        let length = self.file.sync().map_err(|e| StorageError::new(&self.path, e))?;
        if length != self.written {
            let why = "somebody else has changed the file";
            return Err(StorageError::new(&self.path, io::Error::other(why)));
        }
        self.durable = self.written;
        Ok(())
    }

    /// Whether lines would be lost in a power cut.
    pub fn has_unsynced(&self) -> bool {
        self.durable < self.end()
    }

    /// After a fault: forgets the lines that wait, and cuts off what is not a whole line.
    pub fn retreat_to_written(&mut self) {
        self.retreat(self.written);
    }

    /// After a fault: forgets and cuts off everything that is not durable.
    pub fn retreat_to_durable(&mut self) {
        self.retreat(self.durable);
    }

    fn retreat(&mut self, to: u64) {
        self.waiting.clear();
        // On a disk that cannot even shorten a file, the reader cuts the tail; and a file that
        // somebody else has shortened already is not made longer.
        let length = self.file.length().unwrap_or(to);
        if length > to {
            let _ = self.file.cut(to);
        }
        self.written = length.min(to);
        self.durable = self.durable.min(self.written);
    }

    /// The durable lines, if the file has lost its name and would not outlive the run.
    pub fn unsaved(&mut self) -> Option<Vec<u8>> {
        if self.file.has_name().unwrap_or(true) {
            return None;
        }
        self.file.piece(0, self.durable).ok()
    }

    /// Where the next line will begin.
    pub fn end(&self) -> u64 {
        self.written + self.waiting.len() as u64
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Looks for the last line end, from the back.
fn end_of_last_line(file: &mut DiskFile) -> io::Result<u64> {
    let mut end = file.length()?;
    while end > 0 {
        let start = end.saturating_sub(BUFFER as u64);
        let piece = file.piece(start, end)?;
        if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
