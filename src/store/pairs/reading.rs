//! Token lines read by their places. What is not the line that was indexed is an error, and never believed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::entry::Entry;
use crate::{checksum::Checksum, store::pair::Pair};

/// Why a pair cannot be read.
#[derive(Debug, Error)]
pub enum PairsError {
    /// Its file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Its line is another one by now.
    #[error("{}, line {line}: somebody changed the file while it was read. Leave it alone and repeat the command", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
    },
}

impl PairsError {
    pub(super) fn unreadable(path: &Path, source: io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), source }
    }
}

/// The token file of a run.
#[derive(Clone, Debug)]
pub(super) struct TokenFile {
    pub(super) path: PathBuf,
    pub(super) client_ids: Vec<String>,
}

impl TokenFile {
    /// The client id of an app of the run.
    fn client_id(&self, client: u16) -> &str {
        self.client_ids.get(usize::from(client)).map_or("", String::as_str)
    }
}

const BUFFER: usize = 1 << 17;

/// Reads lines of several files; those that are near each other cost little.
pub(super) struct LineReader<'a> {
    files: &'a [TokenFile],
    open: Option<OpenFile>,
    line: Vec<u8>,
}

struct OpenFile {
    run: u16,
    input: BufReader<File>,
    at: u64,
}

impl<'a> LineReader<'a> {
    pub(super) fn new(files: &'a [TokenFile]) -> Self {
        Self { files, open: None, line: Vec::new() }
    }

    /// The line of a pair, without its end.
    pub(super) fn line(&mut self, entry: &Entry) -> Result<&[u8], PairsError> {
        let file = self.file_of(entry)?;
        let taken = self.take(entry, &file.path);
        taken.map_err(|source| PairsError::unreadable(&file.path, source))?;
        if self.line.len() as u64 != u64::from(entry.length)
            || Checksum::of(&self.line) != entry.checksum
        {
            let line = line_at(&file.path, entry.offset)
                .map_err(|source| PairsError::unreadable(&file.path, source))?;
            return Err(PairsError::Changed { path: file.path.clone(), line });
        }
        Ok(&self.line)
    }

    /// A pair.
    pub(super) fn pair(&mut self, entry: &Entry) -> Result<Pair, PairsError> {
        let file = self.file_of(entry)?;
        let line = self.line(entry)?;
        Pair::read(line, entry.row, file.client_id(entry.client)).ok_or_else(|| {
            let source = io::Error::other("a line that was read before cannot be read: a bug");
            PairsError::unreadable(&file.path, source)
        })
    }

    fn file_of(&self, entry: &Entry) -> Result<&'a TokenFile, PairsError> {
        self.files.get(usize::from(entry.run)).ok_or_else(|| {
            PairsError::unreadable(Path::new("tokens.jsonl"), io::ErrorKind::NotFound.into())
        })
    }

    fn take(&mut self, entry: &Entry, path: &Path) -> io::Result<()> {
        let open = match self.open.take().filter(|open| open.run == entry.run) {
            Some(open) => open,
            None => OpenFile {
                run: entry.run,
                input: BufReader::with_capacity(BUFFER, File::open(path)?),
                at: 0,
            },
        };
        let open = self.open.insert(open);
        let distance = i128::from(entry.offset) - i128::from(open.at);
        open.input.seek_relative(i64::try_from(distance).map_err(io::Error::other)?)?;
        self.line.clear();
        let read = (&mut open.input).take(entry.length.into()).read_to_end(&mut self.line)?;
        open.at = entry.offset + read as u64;
        Ok(())
    }
}

/// Number of the line at an offset; 1 is the first.
fn line_at(path: &Path, offset: u64) -> io::Result<u64> {
    let mut input = BufReader::with_capacity(BUFFER, File::open(path)?.take(offset));
    let mut ends = 0;
    loop {
        let piece = input.fill_buf()?;
        if piece.is_empty() {
            return Ok(ends + 1);
        }
        ends += memchr::memchr_iter(b'\n', piece).count() as u64;
        let length = piece.len();
        input.consume(length);
    }
}

/// Pairs in the order of the files, some at a time: those that were given out are forgotten.
pub struct Batches<'a> {
    reader: LineReader<'a>,
    entries: std::slice::Chunks<'a, Entry>,
}

impl<'a> Batches<'a> {
    pub(super) fn new(files: &'a [TokenFile], entries: &'a [Entry], size: usize) -> Self {
        Self { reader: LineReader::new(files), entries: entries.chunks(size.max(1)) }
    }
}

impl Iterator for Batches<'_> {
    /// The place of its run, and the pair.
    type Item = Result<Vec<(usize, Pair)>, PairsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entries = self.entries.next()?;
        let pair = |entry: &Entry| Ok((usize::from(entry.run), self.reader.pair(entry)?));
        Some(entries.iter().map(pair).collect())
    }
}
