//! Why a list cannot be read, or cannot be read on.

use std::{fmt, io};

use super::layout::{MOST_COLUMNS, WANTED};
use super::looks::Looks;
use super::text::RECORD_LIMIT;

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
        /// The system's error.
        source: io::Error,
    },
    /// A stream cannot be kept aside in a temporary file.
    #[error(
        "{name}: cannot be kept in a temporary file; set TMPDIR to a folder with room, or save the list to a file first"
    )]
    Spool {
        /// The list.
        name: String,
        /// The system's error.
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
    #[error("{name}: line {line}: no column holds ids (found: {found}); {seen}name one of them location_id or company_id (also read: {wanted})", found = first(found), seen = would_do(seen))]
    NoIdColumn {
        /// The list.
        name: String,
        /// The line of the header or of the first record.
        line: u64,
        /// The column names found, made safe to print.
        found: Vec<String>,
        /// Columns in which ids were seen.
        seen: Vec<SeenIds>,
        /// Other names that would do.
        wanted: &'static str,
    },
    /// The ids would be taken from a column of a general name, and it has none.
    #[error("{name}: line {line}: {column} would be taken for the ids for want of a better column, and {count}; {seen}or name the column of the ids location_id", seen = would_do(seen))]
    OddIds {
        /// The list.
        name: String,
        /// The line of the first record.
        line: u64,
        /// The column.
        column: String,
        /// How many of its values look like ids, in words.
        count: String,
        /// Columns in which ids were seen.
        seen: Vec<SeenIds>,
    },
    /// A column that was named is not there.
    #[error("{name}: {option} {column}: no such column (found: {found})", found = first(found))]
    NoSuchColumn {
        /// The list.
        name: String,
        /// The option that names it.
        option: &'static str,
        /// The column as typed.
        column: String,
        /// The column names found.
        found: Vec<String>,
    },
    /// The first line holds an id among other cells where names should stand.
    #[error(
        "{name}: line {line}: holds an id where the column names should be; add a first line such as location_id,company_id, or say which column has the ids: --no-header --id-column {column}"
    )]
    NoHeader {
        /// The list.
        name: String,
        /// The line of the supposed header.
        line: u64,
        /// The number of the first cell with an id.
        column: usize,
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
    /// The stream is longer than any list of installations.
    #[error(
        "{name}: is longer than {bound}, which is the most that a list may have that is no file; save it to a file, or split it (split -l 100000)"
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

/// A column in which ids were seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenIds {
    /// Its name, made safe to print, or its number where there is no header.
    pub column: String,
    /// Values that look like ids.
    pub ids: usize,
    /// Values that were looked at.
    pub of: usize,
}

/// The columns that would do, with the option to copy.
fn would_do(seen: &[SeenIds]) -> String {
    let Some(first) = seen.first() else { return String::new() };
    let columns: Vec<_> = seen
        .iter()
        .map(|SeenIds { column, ids, of }| format!("{column} ({ids} of {of} values)"))
        .collect();
    let column = shlex::try_quote(&first.column).unwrap_or_default();
    format!("ids were seen in {}: --id-column {column}; or ", columns.join(", "))
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

/// An [`InputError`] before the list's name is put to it.
#[derive(Debug)]
pub(super) enum Fault {
    Io { line: u64, source: io::Error },
    Empty,
    NoRecords { line: u64 },
    NotAList { looks: Looks },
    NoIdColumn { line: u64, found: Vec<String>, seen: Vec<SeenIds> },
    OddIds { line: u64, column: String, count: String, seen: Vec<SeenIds> },
    NoSuchColumn { option: &'static str, column: String, found: Vec<String> },
    NoHeader { line: u64, column: usize },
    TooLarge { line: u64 },
    OpenQuote { line: u64 },
    Syntax { line: u64 },
    Truncated { line: u64 },
    TooManyColumns { line: u64 },
    TooManyRecords { line: u64 },
}

impl Fault {
    pub(super) fn named(self, name: &str) -> InputError {
        let name = name.to_owned();
        match self {
            Self::Io { line, source } => InputError::Unreadable { name, line, source },
            Self::Empty => InputError::Empty { name },
            Self::NoRecords { line } => InputError::NoRecords { name, line },
            Self::NotAList { looks } => InputError::NotAList { name, looks },
            Self::NoIdColumn { line, found, seen } => {
                InputError::NoIdColumn { name, line, found, seen, wanted: WANTED }
            }
            Self::OddIds { line, column, count, seen } => {
                InputError::OddIds { name, line, column, count, seen }
            }
            Self::NoSuchColumn { option, column, found } => {
                InputError::NoSuchColumn { name, option, column, found }
            }
            Self::NoHeader { line, column } => InputError::NoHeader { name, line, column },
            Self::TooLarge { line } => InputError::TooLarge { name, line, limit: RECORD_LIMIT },
            Self::OpenQuote { line } => InputError::OpenQuote { name, line },
            Self::Syntax { line } => InputError::Syntax { name, line },
            Self::Truncated { line } => InputError::Truncated { name, line },
            Self::TooManyColumns { line } => {
                InputError::TooManyColumns { name, line, limit: MOST_COLUMNS }
            }
            Self::TooManyRecords { line } => InputError::TooManyRecords { name, line },
        }
    }
}
