//! One record as a reader finds it.

use std::borrow::Cow;

use super::id::Reason;

/// A record's decoded cells, by column.
pub(super) struct Cells<'a> {
    /// Its number, from 1.
    pub(super) row: u32,
    /// The physical line on which it begins, from 1.
    pub(super) line: u64,
    pub(super) cells: Vec<Cow<'a, str>>,
    pub(super) form: Form,
}

/// What is known of a record besides its cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A row of a table: with a cell too few, the others may be shifted.
    Row,
    /// A row with more cells than the header has names: they may stand in the wrong columns.
    TooLong,
    /// An object: each value has its name.
    Object,
    /// Nothing but an id, in this column.
    BareId(usize),
    /// It cannot be read.
    Unreadable(Reason),
}

impl Cells<'_> {
    /// The text of a cell; empty where the record has none.
    pub(super) fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", AsRef::as_ref)
    }
}
