//! What a database answers when it does not do what it was told.

use std::fmt;

use crate::text::SafeText;

/// An error of a statement. It names a condition, a constraint and a column, and never a value: the
/// server's own sentence often has one, so it is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// What is to be done about it.
    pub kind: SqlErrorKind,
    /// SQLSTATE, or the database's own code where it has no SQLSTATE.
    pub code: SafeText,
    /// What the code means.
    pub meaning: SafeText,
    /// The constraint, where the server named one.
    pub constraint: SafeText,
    /// The column, where the server named one.
    pub column: SafeText,
}

/// What is to be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlErrorKind {
    /// The transaction is to be tried again: deadlock, serialization, lock timeout, busy.
    Again,
    /// The connection is gone, or the server is not there: connect again, then try again.
    Lost,
    /// No right to do this.
    Denied,
    /// The statement, or a value in it, is refused.
    Refused,
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.meaning)?;
        if !self.code.is_empty() {
            write!(f, " ({})", self.code)?;
        }
        if !self.constraint.is_empty() {
            write!(f, ", constraint {}", self.constraint)?;
        }
        if !self.column.is_empty() {
            write!(f, ", column {}", self.column)?;
        }
        Ok(())
    }
}

impl std::error::Error for SqlError {}
