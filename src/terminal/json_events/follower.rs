//! Reads the events of a journal while it grows.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Seek, SeekFrom},
    path::Path,
};

use crate::journal::seal;

/// A place in a journal, before an event.
#[derive(Debug)]
pub(super) struct Follower {
    journal: BufReader<File>,
    offset: u64,
    line: Vec<u8>,
}

impl Follower {
    /// Stands at a place in a journal.
    pub(super) fn open(journal: &Path, offset: u64) -> io::Result<Self> {
        let mut journal = BufReader::with_capacity(1 << 16, File::open(journal)?);
        journal.seek(SeekFrom::Start(offset))?;
        Ok(Self { journal, offset, line: Vec::new() })
    }

    /// The next event as the journal has it, without its checksum; `None` where none is there yet. What
    /// is not whole is read again: it may be being written, or be cut off.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        self.line.clear();
        let read = self.journal.read_until(b'\n', &mut self.line).unwrap_or(0) as u64;
        let is_whole = self.line.last() == Some(&b'\n');
        if is_whole && seal::open(&mut self.line).is_some() {
            self.offset += read;
            return Some(&self.line);
        }
        if read > 0 {
            // Should that fail, the next line is no event either, and nothing more is told.
            let _ = self.journal.seek(SeekFrom::Start(self.offset));
        }
        None
    }

    /// How many whole lines there are from here.
    pub(super) fn lines_left(mut self) -> u64 {
        let mut lines = 0;
        while let Ok(read) = self.journal.fill_buf()
            && !read.is_empty()
        {
            lines += memchr::memchr_iter(b'\n', read).count() as u64;
            let length = read.len();
            self.journal.consume(length);
        }
        lines
    }
}
