//! What will be written where: a mapping with every column, form and condition resolved.

use std::fmt;

use super::{
    column::{Column, Table},
    encode::Form,
    field::Field,
    mapping::{KeySource, KeyTerm, Mapping, Source},
    pair::Pair,
    statement::{At, Key, KeyValue},
    target::Dialect,
    time_form::TimeForm,
};
use crate::installation::Scope;
use jiff::Timestamp;

/// A column that is written.
#[derive(Clone, Debug)]
pub struct WrittenColumn {
    /// The column.
    pub column: Column,
    /// Where its content comes from.
    pub source: Source,
    /// How it is written.
    pub form: Form,
    /// The program that changes it; empty without one.
    pub through: Vec<String>,
    /// Only rows are changed that have one of these values.
    pub instead_of: Vec<String>,
    /// Only rows are changed in which this other column changes.
    pub with: Option<String>,
}

impl WrittenColumn {
    /// Whether it is one of the tokens, or the document that has both.
    pub fn holds_tokens(&self) -> bool {
        matches!(self.source, Source::Field(field, _) if field.is_token() || field == Field::Document)
    }

    fn is_of(&self, wanted: Field) -> bool {
        matches!(self.source, Source::Field(field, _) if field == wanted)
    }
}

/// Columns that are read for the decision, besides those that are written.
#[derive(Clone, Debug, Default)]
pub struct Guards {
    /// When the row was changed, and how that is written.
    pub updated_at: Option<(String, TimeForm)>,
    /// The location id, in rows that are found by a company id.
    pub location: Option<String>,
    /// Location or Company.
    pub kind: Option<String>,
}

/// What was seen of the run's ids in the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Ids that were looked for.
    pub asked: usize,
    /// Ids with one row.
    pub single: usize,
    /// Ids with several rows, some of them.
    pub several: Vec<String>,
    /// How many ids have several rows.
    pub several_count: usize,
    /// Ids without a row, some of them.
    pub missing: Vec<String>,
    /// How many ids have no row.
    pub missing_count: usize,
}

impl Seen {
    /// Both together.
    #[must_use]
    pub fn and(mut self, mut other: Self) -> Self {
        self.asked += other.asked;
        self.single += other.single;
        self.several.append(&mut other.several);
        self.several_count += other.several_count;
        self.missing.append(&mut other.missing);
        self.missing_count += other.missing_count;
        self
    }
}

/// A resolved mapping.
#[derive(Clone, Debug)]
pub struct StorePlan {
    /// The kind of database.
    pub dialect: Dialect,
    /// The table.
    pub table: Table,
    /// The mapping that it was made of, or found.
    pub mapping: Mapping,
    /// What is written.
    pub written: Vec<WrittenColumn>,
    /// What is read besides.
    pub guards: Guards,
    /// What was seen of the ids.
    pub seen: Seen,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Columns that `--insert` fills besides the key and those that are written; `None` where rows
    /// cannot be inserted.
    pub insert: Option<Vec<WrittenColumn>>,
}

impl StorePlan {
    /// The table, for statements.
    pub fn at(&self) -> At<'_> {
        At { dialect: self.dialect, table: &self.table }
    }

    /// The condition that finds the row of a pair.
    pub fn key(&self, pair: &Pair) -> Key {
        let scope = pair.installation.scope;
        let part = |term: &KeyTerm| {
            let column = self.column(&term.column);
            let value = match &term.source {
                KeySource::Value(value) => KeyValue::Is(value.clone()),
                KeySource::Empty => KeyValue::Empty,
                KeySource::Field(field) => {
                    field.key_text(pair).map_or(KeyValue::Empty, KeyValue::Is)
                }
            };
            (column, value)
        };
        Key { parts: self.mapping.key_of(scope).iter().map(part).collect() }
    }

    /// A column of the table; one that is unknown where the table has none of this name.
    pub fn column(&self, name: &str) -> Column {
        self.table.column(name).cloned().unwrap_or_else(|| Column::unknown(name))
    }

    /// The columns that are compared before a row is swapped: those with the tokens.
    pub fn compared(&self) -> Vec<&Column> {
        self.written.iter().filter(|w| w.holds_tokens()).map(|w| &w.column).collect()
    }

    /// The written columns.
    pub fn written_columns(&self) -> Vec<&Column> {
        self.written.iter().map(|written| &written.column).collect()
    }

    /// The place of the written column of a field.
    pub fn place_of(&self, field: Field) -> Option<usize> {
        self.written.iter().position(|written| written.is_of(field))
    }

    /// Every column that is read of a row: the key's, the written ones, and the guards, each once.
    pub fn read_columns(&self, scope: Scope) -> Vec<Column> {
        let mut columns: Vec<Column> = self.written.iter().map(|w| w.column.clone()).collect();
        let keys = self.mapping.key_of(scope).iter().map(|term| term.column.as_str());
        let guards = [self.guards.location.as_deref(), self.guards.kind.as_deref()];
        let updated = self.guards.updated_at.as_ref().map(|(name, _)| name.as_str());
        for name in keys.chain(guards.into_iter().flatten()).chain(updated) {
            if !columns.iter().any(|column| column.name == name) {
                columns.push(self.column(name));
            }
        }
        columns
    }
}

impl Field {
    /// What it holds of a pair as a text of a key.
    fn key_text(self, pair: &Pair) -> Option<String> {
        match self.of(pair, Timestamp::UNIX_EPOCH) {
            super::field::Content::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.single + self.several_count;
        write!(f, "{found} of {} ids", self.asked)?;
        match (self.several_count, found) {
            (0, 0) => Ok(()),
            (0, _) => f.write_str(", one row each"),
            (several, _) => write!(f, ", {several} of them in several rows"),
        }
    }
}
