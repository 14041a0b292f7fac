//! Why a database cannot be reached, for a person.

mod advice;
mod cause;

use std::{fmt, net::IpAddr, time::Duration};

use tokio::net::lookup_host;

use self::{advice::advice, cause::Cause};
use super::error::SqlErrorKind;
use crate::{
    store::target::{Place, SqlTarget},
    text::SafeText,
};

/// The time limit for looking up the host once more.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(5);

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

/// What the host's name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Nobody asked.
    Unasked,
    /// Nothing.
    None,
    /// IPv6 addresses alone.
    OnlyV6,
    /// Also others.
    Some,
}

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

/// Looks the host up once more, to tell a name that is not known from a server that is not there.
async fn addresses(target: &SqlTarget) -> Addresses {
    let Place::Host { name, port } = &target.place else { return Addresses::Unasked };
    let found = tokio::time::timeout(LOOKUP_PATIENCE, lookup_host((name.as_str(), *port))).await;
    let Ok(found) = found else { return Addresses::None };
    let found: Vec<IpAddr> =
        found.map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default();
    match found.iter().find(|address| address.is_ipv4()) {
        Some(_) => Addresses::Some,
        None if found.is_empty() => Addresses::None,
        None => Addresses::OnlyV6,
    }
}
