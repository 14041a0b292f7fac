//! What a list gives: installations, rejected records, records that are meant to be left out.

use super::id::Reason;
use super::tokens::Stored;
use crate::{due::RetryCells, installation::Installation, secret::Secret};

/// One record of a list.
#[derive(Clone, Debug)]
pub enum Record {
    /// It names an installation.
    Installation(Listed),
    /// It names none.
    Rejected(Rejected),
    /// It is meant to be left out: the app was removed there.
    Uninstalled(Uninstalled),
}

impl Record {
    /// Everything in the record that no output may show.
    pub fn secrets(&self) -> &[Secret] {
        match self {
            Self::Installation(listed) => &listed.stored.seen,
            Self::Rejected(Rejected { secrets, .. })
            | Self::Uninstalled(Uninstalled { secrets, .. }) => secrets,
        }
    }
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
    /// The cells that are carried on, in the order of [`Shape::columns`](super::shape::Shape::columns). For
    /// JSON it may be shorter than the columns that later records bring; what is missing is empty.
    pub values: Vec<String>,
    /// What an earlier run knew of it, where the list is its failures.csv.
    pub history: Option<History>,
    /// Its failure in an earlier run, where the list is its failures.csv.
    pub earlier_failure: Option<Box<EarlierFailure>>,
    /// What it still has of its tokens.
    pub stored: Stored,
    /// Where its id and its kind come from.
    pub id_source: IdSource,
}

/// Where the id of an installation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdSource {
    /// A column for ids.
    Column,
    /// The claims of a stored token, for want of a column that says it.
    Token,
}

/// A record that names no installation.
#[derive(Clone, Debug)]
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
    /// Everything in the record that no output may show.
    pub secrets: Vec<Secret>,
}

/// A record of an installation whose last event is that the app was removed.
#[derive(Clone, Debug)]
pub struct Uninstalled {
    /// Everything in the record that no output may show.
    pub secrets: Vec<Secret>,
}

/// The failure that an earlier run's failures.csv has of an installation. Cells that no run wrote so are
/// empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EarlierFailure {
    /// When it is due again.
    pub retry: RetryCells,
    /// The column `status`.
    pub status: String,
    /// The column `error_class`.
    pub error_class: String,
    /// The column `stage`.
    pub stage: String,
    /// The column `http_status`.
    pub http_status: String,
    /// The column `message`, without tokens.
    pub message: String,
    /// The column `failed_at`: RFC 3339 where it can be told, else as it stands.
    pub failed_at: String,
}

/// What an earlier run's failures.csv says of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Attempts so far; 0 where it cannot be read.
    pub attempts_total: u32,
    /// When it failed first: RFC 3339 where it can be told, else as it stands.
    pub first_failed_at: Option<String>,
    /// Trace ids so far, in order.
    pub trace_ids: Vec<String>,
}
