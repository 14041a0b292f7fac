//! Reads a journal back, event by event.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use thiserror::Error;

use super::seal;
use crate::event::{Event, FORMAT};

/// Why a journal cannot be read.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file cannot be read.
    #[error("cannot read {}; put it back from where it went (a file in which a secret was found is called *.leaked)", path.display())]
    Unreadable {
        /// The journal.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A line within is no event.
    #[error("{}, line {line}: damaged; nothing was changed. Restore the file from a copy, or start a new run", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line.
        line: u64,
    },
    /// A line within is as it was written, and is no event that this program knows.
    #[error("{}, line {line}: an event that this version of ghl-reconnect does not know; nothing was changed. Use the version that wrote it", path.display())]
    Unknown {
        /// The journal.
        path: PathBuf,
        /// The line.
        line: u64,
    },
    /// It does not begin as a journal does.
    #[error("{} does not begin like a journal, with how the run began and its whole list; restore the file from a copy, or start a new run", .0.display())]
    NotBegun(PathBuf),
    /// The settings of an execution are not such as this program has.
    #[error("{}: the settings in it cannot be read; use the version that wrote it", path.display())]
    Settings {
        /// The journal.
        path: PathBuf,
        /// What is wrong with them.
        source: serde_json::Error,
    },
    /// It was written by a newer program.
    #[error("{} has format {format}, this program knows formats up to {FORMAT}; use the version that wrote it", path.display())]
    Newer {
        /// The journal.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
}

#[derive(Deserialize)]
struct Head {
    started: FormatField,
}

#[derive(Deserialize)]
struct FormatField {
    format: u32,
}

/// The events of a journal with their places in the file. A last line without its end, as a crash
/// leaves it, is not an event yet and is passed over.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    input: BufReader<File>,
    buffer: Vec<u8>,
    offset: u64,
    line: u64,
}

impl Reader {
    /// Opens a journal at its first event.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let file = File::open(path)
            .map_err(|source| JournalError::Unreadable { path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            input: BufReader::with_capacity(1 << 16, file),
            buffer: Vec::new(),
            offset: 0,
            line: 0,
        })
    }

    /// Reads the event at a place in the file. Near places cost little.
    pub fn event_at(&mut self, offset: u64) -> Result<Event, JournalError> {
        let moved = match i64::try_from(offset).ok().zip(i64::try_from(self.offset).ok()) {
            Some((to, from)) => self.input.seek_relative(to - from),
            None => self.input.seek(SeekFrom::Start(offset)).map(drop),
        };
        moved.map_err(|source| self.unreadable(source))?;
        self.offset = offset;
        match self.next() {
            Some(event) => event.map(|(_, event)| event),
            None => Err(JournalError::Damaged { path: self.path.clone(), line: self.line }),
        }
    }

    /// Where the last event that was read ends.
    pub fn position(&self) -> u64 {
        self.offset
    }

    fn unreadable(&self, source: io::Error) -> JournalError {
        JournalError::Unreadable { path: self.path.clone(), source }
    }

    fn parse(&mut self) -> Result<Event, JournalError> {
        let damaged = || JournalError::Damaged { path: self.path.clone(), line: self.line };
        let event = seal::open(&mut self.buffer).ok_or_else(damaged)?;
        if self.line == 1
            && let Some(format) = newer_format(event)
        {
            return Err(JournalError::Newer { path: self.path.clone(), format });
        }
        let unknown = || JournalError::Unknown { path: self.path.clone(), line: self.line };
        serde_json::from_slice(event).map_err(|_| unknown())
    }
}

/// A newer format may have other fields, so the format is read before anything else.
fn newer_format(event: &[u8]) -> Option<u32> {
    let Head { started: FormatField { format } } = serde_json::from_slice(event).ok()?;
    (format > FORMAT).then_some(format)
}

impl Iterator for Reader {
    type Item = Result<(u64, Event), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.buffer.clear();
        let start = self.offset;
        let read = match self.input.read_until(b'\n', &mut self.buffer) {
            Ok(read) => read as u64,
            Err(source) => return Some(Err(self.unreadable(source))),
        };
        if self.buffer.last() != Some(&b'\n') {
            return None;
        }
        self.offset += read;
        self.line += 1;
        Some(self.parse().map(|event| (start, event)))
    }
}
