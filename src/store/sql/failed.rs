//! The errors of sqlx, as ours: what they say is looked at, and not kept.

use std::io;

use sqlx::{Error, error::DatabaseError, mysql::MySqlDatabaseError, postgres::PgDatabaseError};

use super::{
    codes,
    error::{SqlError, SqlErrorKind},
};
use crate::text::SafeText;

/// An error without a code of the database.
pub fn without_code(kind: SqlErrorKind, meaning: &str) -> SqlError {
    SqlError {
        kind,
        code: SafeText::default(),
        meaning: SafeText::new(meaning),
        constraint: SafeText::default(),
        column: SafeText::default(),
    }
}

/// What an error of a statement means.
pub fn failed(error: &Error) -> SqlError {
    match error {
        Error::Database(error) => by_code(&**error),
        Error::Io(_) | Error::Tls(_) | Error::WorkerCrashed => {
            without_code(SqlErrorKind::Lost, "the connection was lost")
        }
        // Whatever was not understood may still be on its way: the connection is of no more use.
        Error::Protocol(_) => {
            without_code(SqlErrorKind::Lost, "the database gave an answer that is not understood")
        }
        _ => {
            without_code(SqlErrorKind::Refused, "an answer of the database cannot be read as text")
        }
    }
}

/// What a code of the database means.
pub fn by_code(error: &dyn DatabaseError) -> SqlError {
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        let constraint = error.constraint().unwrap_or_default();
        let column = error.column().unwrap_or_default();
        return codes::postgres(error.code(), error.message(), constraint, column);
    }
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return codes::mysql(error.number(), error.message());
    }
    let code = error.code().and_then(|code| code.parse().ok()).unwrap_or(1);
    codes::sqlite(code, error.message())
}

/// A file of certificates that cannot be read is no lost connection.
pub fn unreadable(error: io::Error) -> Error {
    Error::Configuration(error.into())
}
