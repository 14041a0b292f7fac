//! What became of token pairs in the app's own store.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{checksum::Checksum, installation::Id, text::SafeText};

/// What [`Event::StoreBegan`](super::Event::StoreBegan) records. It has no password and no token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreBegan {
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// `postgres`, `mysql`, `sqlite`, `mongodb` or `exec`.
    pub kind: SafeText,
    /// The host or socket; `None` for a file or a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<SafeText>,
    /// The database, the file or the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<SafeText>,
    /// The table or collection, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<SafeText>,
    /// The mapping in use, as a mapping file has it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub mapping: Value,
}

/// What [`Event::Stored`](super::Event::Stored) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// Number of the record.
    pub row: u32,
    /// The installation.
    pub id: Id,
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// What became of the pair.
    pub outcome: StoreOutcome,
    /// Checksum of the line of `tokens.jsonl` that has the pair.
    pub token_line: Checksum,
    /// Why, where the pair is not in the store.
    #[serde(default, skip_serializing_if = "SafeText::is_empty")]
    pub message: SafeText,
}

/// What became of a pair in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreOutcome {
    /// It stands where an older one stood.
    Replaced,
    /// It stands in a row that was not there before.
    Inserted,
    /// It was there already.
    Already,
    /// A newer one is there, which was left alone.
    Newer,
    /// The store has no row for the installation.
    Missing,
    /// The store has several rows for it.
    Ambiguous,
    /// The row holds a Private Integration Token, or is of something else.
    NotOurs,
    /// The store does not take it: a column is too short, a trigger changes it.
    Refused,
    /// The store answered with an error.
    Failed,
}

impl StoreOutcome {
    /// Every outcome, in the order of the reports.
    pub const ALL: [Self; 9] = [
        Self::Replaced,
        Self::Inserted,
        Self::Already,
        Self::Newer,
        Self::Missing,
        Self::Ambiguous,
        Self::NotOurs,
        Self::Refused,
        Self::Failed,
    ];

    /// The name in the files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Inserted => "inserted",
            Self::Already => "already",
            Self::Newer => "newer",
            Self::Missing => "missing",
            Self::Ambiguous => "ambiguous",
            Self::NotOurs => "not_ours",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// Whether the store has this pair, or a newer one.
    pub fn is_stored(self) -> bool {
        matches!(self, Self::Replaced | Self::Inserted | Self::Already | Self::Newer)
    }
}

impl std::fmt::Display for StoreOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
