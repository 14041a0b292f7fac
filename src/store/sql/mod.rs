//! The SQL databases: one connection, spoken to in text.

mod access;
mod codes;
mod connection;
mod error;
mod failed;
mod mysql;
mod open_error;
mod postgres;
mod query;
mod sqlite;
mod value;

#[cfg(test)]
mod tests;

pub use self::{
    access::Access,
    connection::Connection,
    error::{SqlError, SqlErrorKind},
    value::{Row, Value},
};
