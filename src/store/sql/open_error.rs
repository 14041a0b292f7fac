//! Why a database cannot be reached, for a person.

use std::fmt;

use super::{error::SqlErrorKind, failed::failed};
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
    pub fn silent(target: &SqlTarget) -> Self {
        let message = format!("{} does not answer within 10 seconds", target.host_shown());
        Self { kind: SqlErrorKind::Lost, message: SafeText::new(&message) }
    }

    /// Explains an error.
    #[expect(clippy::unused_async, reason = "the host is looked up here")]
    pub async fn explain(target: &SqlTarget, error: sqlx::Error) -> Self {
        let error = failed(&error);
        let message = format!("{}: {error}", target.host_shown());
        Self { kind: error.kind, message: SafeText::new(&message) }
    }
}
