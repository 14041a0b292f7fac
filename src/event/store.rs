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

impl StoreBegan {
    /// Where the pairs go, in a few words: `postgres db.example.com/app public.installations`.
    pub fn place(&self) -> String {
        let store = self.store_in_words();
        match &self.table {
            Some(table) => format!("{store} {table}"),
            None => store,
        }
    }

    /// The same without the table.
    pub fn store_in_words(&self) -> String {
        let Self { kind, host, database, .. } = self;
        match (host, database) {
            (Some(host), Some(database)) => format!("{kind} {host}/{database}"),
            (Some(one), None) | (None, Some(one)) => format!("{kind} {one}"),
            (None, None) => kind.to_string(),
        }
    }

    /// Whether another one is about the same database, whatever the table.
    pub fn is_in_same_store(&self, other: &Self) -> bool {
        let Self { kind, host, database, .. } = self;
        (kind, host, database) == (&other.kind, &other.host, &other.database)
    }
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

    /// What it means, for a person.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Replaced => "the new pair is in its row",
            Self::Inserted => "the new pair is in a new row",
            Self::Already => "the new pair was there already",
            Self::Newer => "a newer pair is there",
            Self::Missing => "no row for it",
            Self::Ambiguous => "several rows for it",
            Self::NotOurs => "the row is not of this app's tokens",
            Self::Refused => "the row does not take the pair as it is",
            Self::Failed => "the store answered with an error",
        }
    }

    /// What to do about it; `None` where there is nothing to do or to know.
    pub fn advice(self) -> Option<&'static str> {
        match self {
            Self::Replaced | Self::Inserted | Self::Already => None,
            Self::Newer => Some("your app has refreshed it since; nothing to do"),
            Self::Missing => {
                Some("run store again with --insert, or use your app's own install flow")
            }
            Self::Ambiguous => {
                Some("name the row with where in a mapping file, and run store --map again")
            }
            Self::NotOurs => {
                Some("leave that row; name the right one with where in a mapping file")
            }
            Self::Refused => Some("change the column or the trigger, and run store again"),
            Self::Failed => Some("run store again"),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_outcome_has_its_name_its_meaning_and_its_advice() {
        let line = |outcome: StoreOutcome| {
            assert_eq!(json!(outcome), json!(outcome.name()));
            let stored = if outcome.is_stored() { "stored" } else { "not stored" };
            let advice = outcome.advice().unwrap_or("-");
            format!("{outcome} | {stored} | {} | {advice}\n", outcome.in_words())
        };
        let table: String = StoreOutcome::ALL.into_iter().map(line).collect();
        assert_eq!(
            table,
            "\
replaced | stored | the new pair is in its row | -
inserted | stored | the new pair is in a new row | -
already | stored | the new pair was there already | -
newer | stored | a newer pair is there | your app has refreshed it since; nothing to do
missing | not stored | no row for it | run store again with --insert, or use your app's own install flow
ambiguous | not stored | several rows for it | name the row with where in a mapping file, and run store --map again
not_ours | not stored | the row is not of this app's tokens | leave that row; name the right one with where in a mapping file
refused | not stored | the row does not take the pair as it is | change the column or the trigger, and run store again
failed | not stored | the store answered with an error | run store again
"
        );
    }

    #[test]
    fn a_place_is_said_as_far_as_it_is_known() {
        let text = |text: &str| (!text.is_empty()).then(|| SafeText::new(text));
        for (kind, host, database, table, place) in [
            (
                "postgres",
                "db.example.com",
                "app",
                "public.x",
                "postgres db.example.com/app public.x",
            ),
            ("sqlite", "", "/srv/app.db", "x", "sqlite /srv/app.db x"),
            ("exec", "", "./store.sh", "", "exec ./store.sh"),
            ("mysql", "db", "", "", "mysql db"),
            ("exec", "", "", "", "exec"),
        ] {
            let began = StoreBegan {
                at: Timestamp::UNIX_EPOCH,
                kind: SafeText::new(kind),
                host: text(host),
                database: text(database),
                table: text(table),
                mapping: Value::Null,
            };
            assert_eq!(began.place(), place);
        }
    }
}
