//! Why a connection is not made, as far as a program can tell.

use std::io;

use rustls::CertificateError;
use sqlx::{Error, mysql::MySqlDatabaseError, postgres::PgDatabaseError};

use super::super::{
    error::SqlError,
    failed::{by_code, failed},
};

/// Why a connection is not made.
#[derive(Debug, PartialEq, Eq)]
pub enum Cause {
    /// No answer in time.
    Silent,
    /// The system's error.
    Io(io::ErrorKind),
    /// The server does without TLS.
    NoTls,
    /// Nobody who is known vouches for the certificate.
    UnknownIssuer,
    /// The certificate is for another name.
    OtherName,
    /// The certificate is past its time.
    Expired,
    /// Another fault of TLS.
    Tls,
    /// A file of TLS, or the way of signing in, is of no use.
    Unusable,
    /// PostgreSQL, or a pooler before it, says no: its code, and its words to look for marks in.
    Postgres(String, String),
    /// MySQL says no.
    MySql(u16),
    /// Anything else.
    Other(SqlError),
}

impl Cause {
    /// What an error of sqlx says.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Io(error) => Self::of_io(error),
            Error::Tls(error) => match error.downcast_ref::<rustls::Error>() {
                Some(error) => Self::of_tls(error),
                None if error.to_string().contains("does not support TLS") => Self::NoTls,
                None => Self::Unusable,
            },
            // A way of signing in that sqlx does not know, or that needs TLS.
            Error::Protocol(_) | Error::Configuration(_) => Self::Unusable,
            Error::Database(error) => {
                if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
                    return Self::Postgres(error.code().into(), error.message().into());
                }
                match error.try_downcast_ref::<MySqlDatabaseError>() {
                    Some(error) => Self::MySql(error.number()),
                    None => Self::Other(by_code(&**error)),
                }
            }
            error => Self::Other(failed(error)),
        }
    }

    fn of_io(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        inner.map_or_else(|| Self::Io(error.kind()), Self::of_tls)
    }

    fn of_tls(error: &rustls::Error) -> Self {
        let rustls::Error::InvalidCertificate(error) = error else { return Self::Tls };
        match error {
            // A certificate that vouches for itself is `CaUsedAsEndEntity`, in `Other`.
            CertificateError::UnknownIssuer | CertificateError::Other(_) => Self::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::OtherName
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            _ => Self::Tls,
        }
    }
}
