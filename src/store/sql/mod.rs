//! The SQL databases: one connection, spoken to in text.

mod error;
mod value;

pub use self::{
    error::{SqlError, SqlErrorKind},
    value::{Row, Value},
};
