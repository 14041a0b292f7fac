//! What a transaction is for.

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only to look.
    Read,
    /// Also to write.
    Write,
}
