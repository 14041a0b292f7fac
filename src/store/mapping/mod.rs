//! Which field of a pair goes into which column: found in the catalog, or read from a mapping file.

mod read;
mod write;

use super::field::Field;
use crate::installation::Scope;

pub use self::read::MappingError;

/// A mapping as a mapping file has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    /// The variable that has the store's URL.
    pub url_env: Option<String>,
    /// The store, as `--to` takes it.
    pub to: Option<String>,
    /// The table.
    pub table: Option<String>,
    /// How the row of a pair is found.
    pub key: Vec<KeyTerm>,
    /// The same for an agency, where it differs.
    pub company_key: Option<Vec<KeyTerm>>,
    /// What is written.
    pub set: Vec<Assignment>,
    /// A statement that writes a pair, instead of table and columns.
    pub statement: Option<String>,
}

/// A condition on the row of a pair.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyTerm {
    /// The column.
    pub column: String,
    /// What stands in it.
    pub source: KeySource,
}

/// What stands in a column of the row.
#[derive(Clone, Debug, PartialEq)]
pub enum KeySource {
    /// A field of the pair.
    Field(Field),
    /// This value.
    Value(String),
    /// NULL or nothing.
    Empty,
}

/// What is written into a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The column.
    pub column: String,
    /// Where it comes from.
    pub source: Source,
    /// A program that changes it, one line in, one line out.
    pub through: Vec<String>,
    /// Only rows are changed that have one of these values.
    pub instead_of: Vec<String>,
    /// Only rows are changed in which this other column changes.
    pub with: Option<String>,
}

impl Assignment {
    /// A column that takes something in every row.
    pub fn plain(column: &str, source: Source) -> Self {
        Self {
            column: column.to_owned(),
            source,
            through: Vec::new(),
            instead_of: Vec::new(),
            with: None,
        }
    }
}

/// Where the content of a column comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A field of the pair, in this format or in that of the values that are there.
    Field(Field, Option<As>),
    /// This value.
    Value(String),
    /// NULL.
    Null,
}

/// How a field is written, where the column does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMilliseconds,
    /// Text by ISO 8601.
    Iso,
    /// JSON.
    Json,
}

impl As {
    const ALL: [(&'static str, Self); 4] = [
        ("epoch_s", Self::EpochSeconds),
        ("epoch_ms", Self::EpochMilliseconds),
        ("iso", Self::Iso),
        ("json", Self::Json),
    ];

    /// The format of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| *name)
    }
}

impl Mapping {
    /// How the row of a pair of this kind is found.
    pub fn key_of(&self, scope: Scope) -> &[KeyTerm] {
        match (&self.company_key, scope) {
            (Some(key), Scope::Company) => key,
            _ => &self.key,
        }
    }
}
