//! What goes into a statement and comes out of it.

/// A parameter of a statement.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `NULL`.
    Null,
    /// A text; perhaps a token.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Real(f64),
}

/// A row of an answer, each column as text: statements cast what they select.
pub type Row = Vec<Option<String>>;
