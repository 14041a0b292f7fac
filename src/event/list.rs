//! The list of a run, row by row.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    app::AppName,
    failure::Advice,
    highlevel::token_clients::StoredTokens,
    installation::{Id, Installation},
    text::SafeText,
};

/// The list as it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct List {
    /// Path as typed, or "standard input".
    pub name: String,
    /// Full path, where the list is a file that can be read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// SHA-256 of its bytes, in hexadecimal.
    pub digest: String,
    /// Format, separator and encoding in words.
    pub shape: String,
    /// The columns that are carried along, in the list's own spelling.
    pub columns: Vec<String>,
    /// Rows that are meant to be left out, since the app was removed there; they are in no count.
    #[serde(default, skip_serializing_if = "is_none")]
    pub uninstalled: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

/// What [`Event::Listed`](super::Event::Listed) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// Number of the record in the list; 1 is the first after the header.
    pub row: u32,
    /// Line of the list at which the record begins; the header is line 1.
    pub line: u64,
    /// What to recover.
    pub installation: Installation,
    /// Of which of [`Started::apps`](super::Started::apps) it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<AppName>,
    /// The carried cells, aligned with [`List::columns`]; missing ones at the end are empty.
    pub values: Vec<String>,
    /// What earlier runs tried, when the list is the `failures.csv` of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

/// What earlier runs tried for an installation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Attempts so far.
    pub attempts_total: u32,
    /// When it first failed, as that run wrote it.
    pub first_failed_at: Option<String>,
    /// Trace ids of all runs, oldest first.
    pub trace_ids: Vec<SafeText>,
}

/// What [`Event::NotDue`](super::Event::NotDue) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotDue {
    /// Number of the record.
    pub row: u32,
    /// Line at which it begins.
    pub line: u64,
    /// What is left for another run.
    pub installation: Installation,
    /// The carried cells, aligned with [`List::columns`].
    pub values: Vec<String>,
    /// What earlier runs tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// What has to happen before it is due.
    pub retry: Advice,
    /// From when on it is due, where time is all that it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_from: Option<Timestamp>,
    /// Its failure in the earlier run.
    pub failure: EarlierFailure,
}

/// The cells of `failures.csv` that an earlier run wrote of a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierFailure {
    /// The column `status`.
    pub status: SafeText,
    /// The column `error_class`.
    pub error_class: SafeText,
    /// The column `stage`.
    pub stage: SafeText,
    /// The column `http_status`.
    pub http_status: SafeText,
    /// The column `message`.
    pub message: SafeText,
    /// The column `failed_at`.
    pub failed_at: SafeText,
}

/// What [`Event::Duplicate`](super::Event::Duplicate) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Duplicate {
    /// Number of the record.
    pub row: u32,
    /// Line at which it begins.
    pub line: u64,
    /// Number of the record that it repeats.
    pub first_row: u32,
    /// The id that both have.
    pub id: Id,
}

/// What [`Event::Rejected`](super::Event::Rejected) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// Number of the record.
    pub row: u32,
    /// Line at which it begins.
    pub line: u64,
    /// The column that could not be read.
    pub column: SafeText,
    /// Why, and what to do.
    pub reason: SafeText,
    /// What the value looks like; never a token.
    pub raw: SafeText,
}

/// What [`Event::Ready`](super::Event::Ready) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// Records read: the sum that the books must give.
    pub input: u32,
    /// SHA-256 of the list's bytes, in hexadecimal.
    pub digest: String,
    /// Of which clients the tokens are that the list has.
    #[serde(default, skip_serializing_if = "StoredTokens::is_empty")]
    pub stored_tokens: StoredTokens,
}
