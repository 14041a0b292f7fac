//! Statements as text, in the words of each database. Pure: nothing here speaks to one.

mod key;
mod select;
mod update;

use super::{
    column::{Column, Family, Table},
    target::Dialect,
};

pub use self::{
    key::{Key, KeyValue},
    select::{Selected, by_ids, by_keys, cells},
    update::{Change, NewValue, insert, probe, update_many, update_one},
};

/// A table of a database of some kind.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The kind of database.
    pub dialect: Dialect,
    /// The table.
    pub table: &'a Table,
}

impl At<'_> {
    /// The table, quoted.
    pub fn name(self) -> String {
        if self.table.schema.is_empty() {
            return quoted(self.dialect, &self.table.name);
        }
        let schema = quoted(self.dialect, &self.table.schema);
        format!("{schema}.{}", quoted(self.dialect, &self.table.name))
    }

    /// A column of the row `t`, quoted.
    pub fn column(self, name: &str) -> String {
        format!("t.{}", quoted(self.dialect, name))
    }

    /// A column of the row `t` as text.
    pub fn text(self, name: &str) -> String {
        as_text(self.dialect, &self.column(name))
    }
}

/// An identifier exactly as the database has it.
pub fn quoted(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::MySql => format!("`{}`", name.replace('`', "``")),
        Dialect::Postgres | Dialect::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

fn as_text(dialect: Dialect, expression: &str) -> String {
    match dialect {
        Dialect::Postgres => format!("{expression}::text"),
        Dialect::MySql => format!("CAST({expression} AS CHAR)"),
        Dialect::Sqlite => format!("CAST({expression} AS TEXT)"),
    }
}

/// Whether an index on the column can be used to look a text up.
fn is_text(column: &Column) -> bool {
    column.family == Family::Text
}

/// The sign for the next parameter of a statement that has so many.
fn parameter(dialect: Dialect, number: usize) -> String {
    match dialect {
        Dialect::Postgres => format!("${number}"),
        Dialect::MySql | Dialect::Sqlite => "?".to_owned(),
    }
}
