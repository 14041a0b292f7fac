//! What only a person can say, and what cannot be written at all. Nothing is written after either.

use std::fmt::Write as _;

use thiserror::Error;

use crate::store::{mapping::MappingError, sql::SqlError};

/// Why nothing is written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Question {
    /// No table has a place for both tokens.
    #[error(
        "looked at {tables}: none that this user may read has a column for an access token \
         and one for a refresh token. Name the table and its columns in a file and pass it as --map \
         (explain store)"
    )]
    NoTable {
        /// How many there are.
        tables: String,
    },
    /// The named table is not there.
    #[error("there is no table {name} that this user may read; there are {known}")]
    NoSuchTable {
        /// The name.
        name: String,
        /// Some tables that there are.
        known: String,
    },
    /// The ids of the run are in none of the tables.
    #[error(
        "none of this run's ids stand in {tables}, so it is not clear that this is the store: is it \
         the right database? If the ids stand there in another way, say how in a mapping (--map, \
         explain store); if the rows are to be made, pass --table and --insert"
    )]
    NoIds {
        /// The tables that were looked at.
        tables: String,
    },
    /// Several tables have the ids.
    #[error("the run's ids stand in several tables with tokens: {tables}. Pass one as --table")]
    Several {
        /// The tables.
        tables: String,
    },
    /// A table has more than one pair.
    #[error(
        "{table} has more than one place for a token: {columns}. Say in a mapping which one is meant \
         (--map FILE, explain store)"
    )]
    TwoPairs {
        /// The table.
        table: String,
        /// The columns.
        columns: String,
    },
    /// Most ids have several rows.
    #[error(
        "in {table}, {several} of {found} ids found by {column} have several rows, such as {example}: \
         which one is meant cannot be told. Name it in a mapping (--map FILE): where = {{ {column} = \"id\", … }} \
         with a value that only one row has (explain store)"
    )]
    Doubled {
        /// The table.
        table: String,
        /// The column with the ids.
        column: String,
        /// Ids with several rows.
        several: usize,
        /// Ids with any row.
        found: usize,
        /// One of them.
        example: String,
    },
    /// The rows are another app's.
    #[error(
        "the rows of this run's ids in {table} are another app's: {column} has {other}, and this run \
         is for {app}. Is it the right table?"
    )]
    OtherApp {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What stands there.
        other: String,
        /// The app of the run.
        app: String,
    },
    /// The format of a time cannot be told.
    #[error(
        "how {column} writes a time cannot be told from its values{}. Say it in a mapping \
         (--map FILE): {column} = {{ field = \"expires_at\", as = \"epoch_s\" }} (or \"epoch_ms\", \"iso\"); \
         explain store has the rest",
        if *.is_empty { ", since it has none" } else { "" }
    )]
    Time {
        /// The column.
        column: String,
        /// Whether there are no values.
        is_empty: bool,
    },
    /// A life without its beginning.
    #[error(
        "{column} counts seconds, and no column tells from when. Say it in a mapping (--map FILE): \
         issued_at = \"granted_at\" (explain store)"
    )]
    NoClock {
        /// The column.
        column: String,
    },
    /// The tokens that are there are encrypted.
    #[error(
        "{column} holds encrypted tokens, and only your app knows how. Give the program that encrypts \
         one line in a mapping (--map FILE): {column} = {{ field = \"{field}\", through = [\"node\", \
         \"encrypt.mjs\"] }} (explain store)"
    )]
    Encrypted {
        /// The column.
        column: String,
        /// The field that belongs there.
        field: String,
    },
    /// A column takes fewer characters than a value has.
    #[error(
        "{column} takes {room} characters, and {what} has {length}: the database would refuse it or \
         cut it. Make the column longer first"
    )]
    TooShort {
        /// The column.
        column: String,
        /// What it takes.
        room: u64,
        /// What is to be written.
        what: &'static str,
        /// How long that is.
        length: usize,
    },
    /// A column of the mapping is not there.
    #[error("{table} has no column {column}; it has {known}")]
    NoColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Those that it has.
        known: String,
    },
    /// A column makes its own values.
    #[error("{column} makes its own values (generated): leave it out of the mapping")]
    Generated {
        /// The column.
        column: String,
    },
    /// `--insert` cannot fill a row.
    #[error(
        "--insert: {columns} of {table} must have a value and have no default, and a pair does not \
         say one. Let the app make these rows, or give them values in a mapping"
    )]
    CannotInsert {
        /// The table.
        table: String,
        /// The columns in the way.
        columns: String,
    },
    /// The database refuses to read or to write there.
    #[error("{table}: {error}{}", advice(error))]
    Denied {
        /// The table.
        table: String,
        /// Its answer.
        error: SqlError,
    },
    /// The mapping file is wrong.
    #[error("--map: {0}")]
    Mapping(#[from] MappingError),
}

fn advice(error: &SqlError) -> String {
    use crate::store::sql::SqlErrorKind;
    let mut text = String::new();
    if error.kind == SqlErrorKind::Denied {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            ". Connect as the role that owns the table, or one that may update it and see all of its \
             rows (with Supabase: the postgres user of the connection string)"
        );
    }
    text
}

/// A few names, and how many more there are.
pub fn named(names: &[String], most: usize) -> String {
    let shown = names.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
