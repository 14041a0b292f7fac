//! What the name of a database's host stands for.

use std::{net::IpAddr, time::Duration};

use tokio::net::lookup_host;

use crate::store::target::{Place, SqlTarget};

/// The time limit for looking up the host once more.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(5);

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

/// Looks the host up once more, to tell a name that is not known from a server that is not there.
pub async fn addresses(target: &SqlTarget) -> Addresses {
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
