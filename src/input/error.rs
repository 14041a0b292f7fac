//! Why a list cannot be read, or cannot be read on.

use std::{fmt, io};

use super::format::Looks;

/// A fault of the whole list. Messages name the list and, where known, the line, and never print a
/// cell: a token could stand there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// There is no such file.
    #[error("{name}: no such file; check the path, or use - to read standard input")]
    Missing {
        /// The path as typed.
        name: String,
    },
    /// The path is a folder.
    #[error(
        "{name}: a folder, not a list; name the file in it (in a run folder that is failures.csv)"
    )]
    Directory {
        /// The path as typed.
        name: String,
    },
    /// The list cannot be opened or read.
    #[error("{name}: cannot be read (near line {line}); check its permissions and its disk")]
    Unreadable {
        /// The list.
        name: String,
        /// The physical line that was reached, from 1.
        line: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A stream cannot be kept aside in a temporary file.
    #[error(
        "{name}: cannot be kept in a temporary file; set TMPDIR to a folder with room, or save the list to a file first"
    )]
    Spool {
        /// The list.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing is in it.
    #[error("{name}: empty; export the list again")]
    Empty {
        /// The list.
        name: String,
    },
    /// A header, or brackets, and nothing more.
    #[error("{name}: no record after line {line}; export the list again, with its rows")]
    NoRecords {
        /// The list.
        name: String,
        /// The line of the header, or the last line.
        line: u64,
    },
    /// Not a text list at all.
    #[error("{name}: {looks}")]
    NotAList {
        /// The list.
        name: String,
        /// What it looks like, and what to do.
        looks: Looks,
    },
    /// No column can hold the ids.
    #[error("{name}: line {line}: no column holds ids (found: {found}); name one of them location_id or company_id (also read: {wanted})", found = first(found))]
    NoIdColumn {
        /// The list.
        name: String,
        /// The line of the header or of the first record.
        line: u64,
        /// The column names found, made safe to print.
        found: Vec<String>,
        /// Other names that would do.
        wanted: &'static str,
    },
    /// The first line holds an id among other cells where names should stand.
    #[error(
        "{name}: line {line}: holds an id where the column names should be; add a first line such as location_id,company_id (a list without one may have ids only, one a line)"
    )]
    NoHeader {
        /// The list.
        name: String,
        /// The line of the supposed header.
        line: u64,
    },
    /// One record is larger than anything a list of installations holds.
    #[error(
        "{name}: line {line}: a record of more than {limit} bytes begins here; a quote that is never closed is the usual cause"
    )]
    TooLarge {
        /// The list.
        name: String,
        /// The line on which the record begins.
        line: u64,
        /// The bound, in bytes.
        limit: usize,
    },
    /// A quote swallows rows.
    #[error(
        "{name}: line {line}: a quote opened in this record is not closed where its cell ends, so the rows after it cannot be told apart; close it, or double a quote that belongs to the text"
    )]
    OpenQuote {
        /// The list.
        name: String,
        /// The line on which the record begins.
        line: u64,
    },
    /// Not JSON from here on.
    #[error(
        "{name}: line {line}: not valid JSON from here on; correct it there, or export the list again"
    )]
    Syntax {
        /// The list.
        name: String,
        /// The line of the fault.
        line: u64,
    },
    /// The file ends too early.
    #[error(
        "{name}: line {line}: ends in the middle of the JSON; export or copy the list again, whole"
    )]
    Truncated {
        /// The list.
        name: String,
        /// The last line.
        line: u64,
    },
    /// What flows in goes on past any list of installations.
    #[error(
        "{name}: goes on after {bound}, which is the most that a list may have that is no file; save it to a file, or split it (split -l 100000)"
    )]
    Endless {
        /// The list.
        name: String,
        /// The bound that was passed.
        bound: Bound,
    },
    /// More columns than a table has.
    #[error(
        "{name}: line {line}: more than {limit} different columns; is this a list of installations? export one record for each"
    )]
    TooManyColumns {
        /// The list.
        name: String,
        /// The line at which the bound was passed.
        line: u64,
        /// The bound.
        limit: usize,
    },
    /// More records than can be numbered.
    #[error("{name}: line {line}: more than {max} records; split the list", max = u32::MAX)]
    TooManyRecords {
        /// The list.
        name: String,
        /// The line of the first record too many.
        line: u64,
    },
}

/// How much a list may have that is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// So many bytes.
    Bytes(u64),
    /// So many lines.
    Lines(u64),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} MiB", bytes >> 20),
            Self::Lines(lines) => write!(f, "{lines} lines"),
        }
    }
}

/// The first names of many.
fn first(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
