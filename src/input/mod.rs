//! The list of installations: CSV, JSON or JSON lines in, installations and rejected records out.
//!
//! A [`Source`] says where the list comes from, [`Source::read`] tells what it is and gives a
//! [`List`], which is read one [`Record`] at a time: memory does not grow with the list. Everything
//! that a list can hold is either an installation, or rejected with a [`Reason`], or, where nothing
//! can be read on, an [`InputError`] with its line. Secrets in a list are neither carried nor shown.

mod columns;
mod csv;
mod error;
mod format;
pub mod formula;
mod history;
mod json;
mod judge;
mod redact;
mod row;
mod source;
mod spool;
mod stored;
mod text;
mod token_shape;

#[cfg(test)]
mod tests;

use std::io::{self, Read};

use crate::installation::{Id, Installation};

pub use self::columns::{Continues, Shape};
pub use self::error::{Bound, InputError};
pub use self::format::{Delimiter, Format, Looks};
pub use self::judge::Reason;
pub use self::source::Source;
pub use self::stored::{Stored, Unused};
pub use self::text::Encoding;

use self::columns::{Layout, WANTED};
use self::text::Text;

/// The most bytes (as UTF-8) that one record may have. What is larger is a quote that nobody closed.
pub const RECORD_LIMIT: usize = 1 << 20;

/// What every record is taken for: the option `--scope`.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    clap::ValueEnum,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ScopeChoice {
    /// A record with a location id is a sub-account, else it is an agency, unless it says its kind.
    #[default]
    Auto,
    /// Every record is a sub-account, by its location id.
    Location,
    /// Every record is an agency, by its company id.
    Company,
}

/// One record of a list.
#[derive(Clone, Debug)]
pub enum Record {
    /// It names an installation.
    Installation(Listed),
    /// It names none.
    Rejected(Rejected),
}

/// An installation as the list gives it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The record's number: 1 is the first after the header, rejected ones count too.
    pub row: u32,
    /// The physical line on which the record begins, from 1, the header included.
    pub line: u64,
    /// What is to be recovered.
    pub installation: Installation,
    /// Whether the id is not 20 letters and digits, as every id seen in the wild is.
    pub unusual: bool,
    /// The cells that are carried on, in the order of [`Shape::columns`]. For JSON it may be shorter
    /// than the columns that later records bring; what is missing is empty.
    pub values: Vec<String>,
    /// What an earlier run knew of it, where the list is its failures.csv.
    pub history: Option<History>,
    /// What it still has of its tokens.
    pub stored: Stored,
    /// Where its id and its kind come from.
    pub told_by: ToldBy,
}

/// Where the id of an installation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToldBy {
    /// A column for ids.
    Column,
    /// The claims of a stored token, for want of a column that says it.
    Token,
}

/// A record that names no installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The record's number, as in [`Listed::row`].
    pub row: u32,
    /// The physical line on which the record begins, from 1.
    pub line: u64,
    /// The column at fault in the list's own spelling, or the name that was looked for.
    pub column: String,
    /// Why.
    pub reason: Reason,
    /// What the value looks like, in at most 80 characters or so, without anything secret.
    pub raw: String,
}

/// What an earlier run's failures.csv says of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Conversations tried so far; 0 where it cannot be read.
    pub attempts_total: u32,
    /// When it failed first: RFC 3339 where it can be told, else as it stands.
    pub first_failed_at: Option<String>,
    /// Trace ids so far, in order.
    pub trace_ids: Vec<String>,
}

/// A text that is no id.
#[derive(Debug)]
pub struct NotAnId {
    /// What it looks like, without anything secret.
    pub look: String,
    /// What it seems to be instead, where that can be told.
    pub reason: Option<Reason>,
}

/// Takes a text that somebody typed for an id, as a cell of a list is.
pub fn typed_id(text: &str) -> Result<Id, NotAnId> {
    judge::judge(judge::clean(text)).map_err(|reason| {
        let is_told = !matches!(reason, Reason::NotAnId | Reason::Url { names: None });
        NotAnId { look: redact::look(text), reason: is_told.then_some(reason) }
    })
}

/// A list that is being read: an iterator over its records. An `Err` is the end of it.
pub struct List {
    name: String,
    text: Text,
    layout: Layout,
    reader: Reader,
    choice: ScopeChoice,
    row: u32,
    first: Option<Record>,
    state: State,
}

/// Begins to read; what is empty or no text at all is a fault.
fn listlike(bytes: Box<dyn Read + Send>) -> Result<Text, Fault> {
    let unread = |source| Fault::Io { line: 1, source };
    let (mut text, raw) = Text::open(bytes).map_err(unread)?;
    text.look_ahead().map_err(unread)?;
    let looks = Looks::of(&raw).or_else(|| Looks::of_text(text.window()));
    if let Some(looks) = looks {
        return Err(Fault::NotAList { looks });
    }
    if text.window().trim_ascii().is_empty() {
        return Err(Fault::Empty);
    }
    Ok(text)
}

enum Reader {
    Csv(csv::Rows),
    Json(json::Elements),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Ended,
}

impl List {
    fn open(
        name: &str,
        bytes: Box<dyn Read + Send>,
        choice: ScopeChoice,
    ) -> Result<Self, InputError> {
        Self::begin(bytes, choice, name).map_err(|fault| fault.named(name))
    }

    fn begin(bytes: Box<dyn Read + Send>, choice: ScopeChoice, name: &str) -> Result<Self, Fault> {
        let mut text = listlike(bytes)?;
        let names = json::names(text.window());
        let (reader, layout) = match format::json(text.window()) {
            None => {
                let (rows, layout) = csv::Rows::open(&mut text)?;
                (Reader::Csv(rows), layout)
            }
            Some(format) => {
                let mut layout = Layout::new(format.clone(), text.encoding());
                layout.expect(&names);
                (Reader::Json(json::Elements::new(format)), layout)
            }
        };
        let (name, state) = (name.to_owned(), State::Reading);
        let mut list = Self { name, text, layout, reader, choice, row: 0, first: None, state };
        list.first = list.advance()?;
        if list.first.is_none() {
            // The failures of a run in which nothing failed are a list with nothing to do.
            if list.layout.shape.continues == Continues::Nothing {
                return Err(Fault::NoRecords { line: list.text.line() });
            }
            list.state = State::Ended;
        }
        list.check_ids(&names)?;
        Ok(list)
    }

    /// A JSON list none of whose names at the beginning is one for ids cannot serve.
    fn check_ids(&self, names: &[String]) -> Result<(), Fault> {
        let Some(Record::Rejected(Rejected { reason: Reason::NoId, line, .. })) = &self.first
        else {
            return Ok(());
        };
        if self.layout.can_serve() || names.iter().any(|name| columns::is_id_name(name)) {
            return Ok(());
        }
        Err(Fault::NoIdColumn { line: *line, found: self.layout.shape.found.clone() })
    }

    /// What the list turned out to be; for JSON its columns grow while it is read.
    pub fn shape(&self) -> &Shape {
        &self.layout.shape
    }

    /// Whether a record that follows may have tokens: a table without a column for them has none.
    pub fn may_hold_tokens(&self) -> bool {
        matches!(self.reader, Reader::Json(_)) || self.layout.tokens().next().is_some()
    }

    /// The SHA-256, in hex, of the list's bytes as far as they are read: of all of them after the
    /// end. Two readings that differ in it are two lists.
    pub fn digest(&self) -> String {
        self.text.digest()
    }

    fn advance(&mut self) -> Result<Option<Record>, Fault> {
        let line = self.text.line();
        let row = self.row.checked_add(1).ok_or(Fault::TooManyRecords { line })?;
        let record = match &mut self.reader {
            Reader::Csv(rows) => rows.next(&mut self.text, &self.layout, self.choice, row)?,
            Reader::Json(elements) => {
                elements.next(&mut self.text, &mut self.layout, self.choice, row)?
            }
        };
        self.row = row;
        Ok(record)
    }
}

impl Iterator for List {
    type Item = Result<Record, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        if self.state == State::Ended {
            return None;
        }
        let item = self.advance().map_err(|fault| fault.named(&self.name)).transpose();
        if !matches!(item, Some(Ok(_))) {
            self.state = State::Ended;
        }
        item
    }
}

/// An [`InputError`] before the list's name is put to it.
#[derive(Debug)]
enum Fault {
    Io { line: u64, source: io::Error },
    Empty,
    NoRecords { line: u64 },
    NotAList { looks: Looks },
    NoIdColumn { line: u64, found: Vec<String> },
    NoHeader { line: u64 },
    TooLarge { line: u64 },
    OpenQuote { line: u64 },
    Syntax { line: u64 },
    Truncated { line: u64 },
    TooManyColumns { line: u64 },
    TooManyRecords { line: u64 },
}

impl Fault {
    fn named(self, name: &str) -> InputError {
        let name = name.to_owned();
        match self {
            Self::Io { line, source } => InputError::Unreadable { name, line, source },
            Self::Empty => InputError::Empty { name },
            Self::NoRecords { line } => InputError::NoRecords { name, line },
            Self::NotAList { looks } => InputError::NotAList { name, looks },
            Self::NoIdColumn { line, found } => {
                InputError::NoIdColumn { name, line, found, wanted: WANTED }
            }
            Self::NoHeader { line } => InputError::NoHeader { name, line },
            Self::TooLarge { line } => InputError::TooLarge { name, line, limit: RECORD_LIMIT },
            Self::OpenQuote { line } => InputError::OpenQuote { name, line },
            Self::Syntax { line } => InputError::Syntax { name, line },
            Self::Truncated { line } => InputError::Truncated { name, line },
            Self::TooManyColumns { line } => {
                InputError::TooManyColumns { name, line, limit: columns::MOST_COLUMNS }
            }
            Self::TooManyRecords { line } => InputError::TooManyRecords { name, line },
        }
    }
}
