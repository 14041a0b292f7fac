//! Tables and columns as the catalog has them.

use std::fmt;

/// What values of a type are, whatever the database calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Text of any length.
    Text,
    /// Whole numbers.
    Int,
    /// Numbers with a fraction.
    Real,
    /// A moment: `timestamptz`.
    Zoned,
    /// Date and time without a zone; taken for UTC.
    Naive,
    /// True or false.
    Bool,
    /// JSON.
    Json,
    /// Several texts: `text[]`.
    Array,
    /// Bytes.
    Bytes,
    /// Words from a list: an enum.
    Words,
    /// Something else.
    Other,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, as the database has it.
    pub name: String,
    /// Its type in the database's own words, such as `character varying(255)`.
    pub type_name: String,
    /// What its values are.
    pub family: Family,
    /// Whether it takes no NULL.
    pub not_null: bool,
    /// Its default, as an expression.
    pub default: Option<String>,
    /// Whether the database makes its value: generated, identity, auto-increment.
    pub is_generated: bool,
    /// Characters that it takes, where that is bounded.
    pub max_chars: Option<u64>,
    /// The widest whole number is that of 32 bits.
    pub is_narrow: bool,
    /// Digits after the seconds of a time.
    pub precision: u8,
    /// The words that an enum or a CHECK allows.
    pub words: Vec<String>,
}

impl Column {
    /// A column of which nothing is known but its name.
    pub fn unknown(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            type_name: String::new(),
            family: Family::Other,
            not_null: false,
            default: None,
            is_generated: false,
            max_chars: None,
            is_narrow: false,
            precision: 0,
            words: Vec::new(),
        }
    }
}

/// What a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// A table, partitioned or not.
    Table,
    /// A view or a foreign table.
    View,
}

/// A table with its columns, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its schema or database; empty where the database has none.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
    /// Its columns.
    pub columns: Vec<Column>,
}

impl Table {
    /// A column by its exact name, or by its only name in another case.
    pub fn column(&self, name: &str) -> Option<&Column> {
        let exact = self.columns.iter().find(|column| column.name == name);
        exact.or_else(|| {
            let mut alike = self.columns.iter().filter(|c| c.name.eq_ignore_ascii_case(name));
            alike.next().filter(|_| alike.next().is_none())
        })
    }

    /// Whether this is the table that a person named, with or without its schema, quoted or not.
    pub fn is_named(&self, name: &str) -> bool {
        let bare = name.replace(['"', '`'], "");
        let full = if self.schema.is_empty() {
            self.name.clone()
        } else {
            format!("{}.{}", self.schema, self.name)
        };
        bare == full || bare == self.name
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.schema.is_empty() {
            write!(f, "{}.", self.schema)?;
        }
        f.write_str(&self.name)
    }
}

/// What stands in a column of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its text; `None` for NULL.
    pub text: Option<String>,
    /// What it is: the column's family, or the value's own where the database goes by values.
    pub family: Family,
}

impl Cell {
    /// The text, unless it is NULL or empty.
    pub fn filled(&self) -> Option<&str> {
        self.text.as_deref().filter(|text| !text.is_empty())
    }
}
