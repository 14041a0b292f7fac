//! What an error of the driver means. Its own sentence may have a value in it, so it is not shown.

use std::{future::Future, time::Duration};

use ::mongodb::error::{Error, ErrorKind, WriteFailure};
use tokio::time::{Instant, sleep};

use crate::{store::fault::StoreFault, text::SafeText};

/// The first wait before another attempt; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Codes of the server for what another attempt may cure: write conflict, lock timeout, time limit,
/// interruptions, a primary that steps down, a write concern that is not reached in time.
const PASSING: [i32; 16] =
    [6, 7, 24, 50, 64, 89, 91, 112, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436];

/// Codes for what the user of the URL may not do.
const DENIED: [i32; 3] = [13, 18, 8000];

/// An error, by what is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Another attempt may do.
    Passing(SafeText),
    /// Nothing of the kind will be taken.
    Denied(SafeText),
    /// This document is not taken.
    Refused(SafeText),
}

impl Trouble {
    pub(super) fn of(error: &Error) -> Self {
        match error.kind.as_ref() {
            ErrorKind::Command(error) => of_code(error.code, &error.code_name),
            ErrorKind::Write(WriteFailure::WriteError(error)) => {
                of_code(error.code, error.code_name.as_deref().unwrap_or_default())
            }
            ErrorKind::Write(WriteFailure::WriteConcernError(error)) => {
                Self::Passing(named(error.code, &error.code_name))
            }
            ErrorKind::Authentication { .. } => {
                Self::Denied(SafeText::new("the user or the password is refused"))
            }
            ErrorKind::InvalidTlsConfig { .. } => {
                Self::Denied(SafeText::new("the certificate files named in the URL cannot be used"))
            }
            ErrorKind::ServerSelection { message, .. } if message.contains("UnknownIssuer") => {
                Self::Denied(SafeText::new(
                    "the issuer of the server's certificate is not known: name its CA with \
                     tlsCAFile= in the URL",
                ))
            }
            ErrorKind::ServerSelection { message, .. }
                if message.contains("Authentication failed") =>
            {
                Self::Denied(SafeText::new("the user or the password is refused"))
            }
            ErrorKind::Io(error) => Self::Passing(SafeText::new(&error.kind().to_string())),
            ErrorKind::ServerSelection { .. } | ErrorKind::ConnectionPoolCleared { .. } => {
                Self::Passing(SafeText::new("no server answers"))
            }
            ErrorKind::DnsResolve { .. } => Self::Passing(SafeText::new("its host is not found")),
            ErrorKind::IncompatibleServer { .. } => {
                Self::Denied(SafeText::new("the server is too old or too new for this driver"))
            }
            _ => Self::Refused(SafeText::new("the driver could not do it")),
        }
    }

    /// What stops the store, where it is no matter of one document.
    pub(super) fn fault(self) -> StoreFault {
        StoreFault::Gone(match self {
            Self::Passing(what) => format!(
                "MongoDB is gone ({what}): when it is back, run `store` again, which goes on where this \
                 one stopped"
            ),
            Self::Denied(what) => format!(
                "MongoDB refuses this ({what}): give the URL of a user who may read and update the \
                 collection"
            ),
            Self::Refused(what) => format!("MongoDB refuses this ({what})"),
        })
    }
}

fn of_code(code: i32, name: &str) -> Trouble {
    let what = named(code, name);
    if PASSING.contains(&code) {
        Trouble::Passing(what)
    } else if DENIED.contains(&code) {
        Trouble::Denied(what)
    } else {
        Trouble::Refused(what)
    }
}

fn named(code: i32, name: &str) -> SafeText {
    let name = match code {
        121 => "DocumentValidationFailure",
        11000 => "DuplicateKey",
        _ => name,
    };
    SafeText::new(&format!("{name} {code}"))
}

/// Does it again as long as it may still succeed, for `patience` at most.
pub(super) async fn insist<T, F>(
    patience: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Trouble>
where
    F: Future<Output = Result<T, Error>>,
{
    let (until, mut wait) = (Instant::now() + patience, FIRST_WAIT);
    loop {
        let trouble = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => Trouble::of(&error),
        };
        if !matches!(trouble, Trouble::Passing(_)) || Instant::now() + wait > until {
            return Err(trouble);
        }
        sleep(wait).await;
        wait = (2 * wait).min(LONGEST_WAIT);
    }
}
