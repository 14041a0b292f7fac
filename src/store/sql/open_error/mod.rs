//! Why a database cannot be reached, for a person.

mod addresses;
mod advice;
mod cause;

use std::fmt;

pub use self::addresses::Addresses;
use self::{addresses::addresses, advice::advice, cause::Cause};
use super::error::SqlErrorKind;
use crate::{store::target::SqlTarget, text::SafeText};

/// Why a database cannot be reached, and what to do about it. It names host, port, database and
/// user, and neither the password nor the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenError {
    /// What is to be done about it: [`SqlErrorKind::Lost`] may pass by itself.
    pub kind: SqlErrorKind,
    /// What happened and what to do next.
    pub message: SafeText,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)
    }
}

impl std::error::Error for OpenError {}

impl OpenError {
    /// The time limit passed.
    pub async fn silent(target: &SqlTarget) -> Self {
        Self::of(target, &Cause::Silent, addresses(target).await)
    }

    /// Explains an error.
    pub async fn explain(target: &SqlTarget, error: &sqlx::Error) -> Self {
        let cause = Cause::of(error);
        let addresses = match cause {
            Cause::Io(_) => addresses(target).await,
            _ => Addresses::Unasked,
        };
        Self::of(target, &cause, addresses)
    }

    fn of(target: &SqlTarget, cause: &Cause, addresses: Addresses) -> Self {
        let (kind, advice) = advice(target, cause, addresses);
        let message = format!("cannot open {}: {advice}", target.host_shown());
        Self { kind, message: SafeText::new(&message) }
    }
}
