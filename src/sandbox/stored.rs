//! What the world holds before the first request: tokens that a list brings along, and the
//! locations of agencies.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::seed::{self, SeedError};
use crate::installation::Scope;

/// What an access token is worth when it is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessLife {
    /// It works, until it expires.
    #[default]
    Alive,
    /// 401 "Invalid JWT".
    Dead,
    /// 401 "Invalid token: access token is invalid".
    Revoked,
    /// Alive, but 401 "The token is not authorized for this scope."
    NoScope,
    /// Alive, but 401 "You do not have access to this feature! ...": the agency's plan is too small.
    NoFeature,
}

/// What a refresh token is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshLife {
    /// It works once, and for a while gives the same again.
    #[default]
    Good,
    /// 400 "Invalid grant: refresh token is invalid".
    Dead,
}

/// Tokens that the sandbox did not grant but knows: those of a list, of an agency, of another run.
///
/// A token without a word about its life is good. It has no `Debug`: the tokens may be real ones.
#[derive(Clone)]
#[must_use]
pub struct StoredPair {
    pub(super) scope: Scope,
    pub(super) id: String,
    pub(super) company: Option<String>,
    pub(super) client: Option<String>,
    pub(super) access: Option<(String, AccessLife)>,
    pub(super) refresh: Option<(String, RefreshLife)>,
    pub(super) expires: Option<Timestamp>,
}

impl StoredPair {
    /// The tokens of an installation: of a location id, or of a company id.
    pub fn new(scope: Scope, id: impl Into<String>) -> Self {
        let (company, client, access, refresh, expires) = (None, None, None, None, None);
        Self { scope, id: id.into(), company, client, access, refresh, expires }
    }

    /// With this access token.
    pub fn access(self, token: impl Into<String>, life: AccessLife) -> Self {
        Self { access: Some((token.into(), life)), ..self }
    }

    /// With this refresh token.
    pub fn refresh(self, token: impl Into<String>, life: RefreshLife) -> Self {
        Self { refresh: Some((token.into(), life)), ..self }
    }

    /// The agency of the location.
    pub fn company(self, company: impl Into<String>) -> Self {
        Self { company: Some(company.into()), ..self }
    }

    /// The client id, or what stands before its dash, to which the tokens belong. Without it every
    /// good client may use the refresh token, and the first one keeps what it gives.
    pub fn client(self, client: impl Into<String>) -> Self {
        Self { client: Some(client.into()), ..self }
    }

    /// When the access token dies of age.
    pub fn expires(self, at: Timestamp) -> Self {
        Self { expires: Some(at), ..self }
    }

    /// Reads JSON lines in the shape of `tokens.jsonl`, with `access` and `refresh` beside them for
    /// a life that is not good: `{"locationId": "...", "refresh_token": "...", "refresh": "dead"}`.
    pub fn from_lines(text: &[u8]) -> Result<Vec<Self>, SeedError> {
        seed::pairs(text)
    }

    /// Reads a file of such lines.
    pub fn from_file(path: &Path) -> Result<Vec<Self>, SeedError> {
        Self::from_lines(&seed::read(path)?)
    }
}

/// A location of an agency, as a discovery lists it and the agency's token may act for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct InstalledLocation {
    pub(super) id: String,
    pub(super) company: String,
    pub(super) name: String,
    pub(super) presence: Presence,
}

/// Whether the app is installed in a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Installed,
    /// The agency has the location, but not with the app.
    Absent,
}

impl InstalledLocation {
    /// A location with the app.
    pub fn new(id: impl Into<String>, company: impl Into<String>) -> Self {
        let id = id.into();
        let name = format!("Location {id}");
        Self { id, company: company.into(), name, presence: Presence::Installed }
    }

    /// With this name.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// With the app or without it.
    pub fn presence(self, presence: Presence) -> Self {
        Self { presence, ..self }
    }

    /// Reads JSON lines: `{"_id": "...", "companyId": "...", "name": "...", "isInstalled": true}`,
    /// of which name and state may be left out.
    pub fn from_lines(text: &[u8]) -> Result<Vec<Self>, SeedError> {
        seed::locations(text)
    }

    /// Reads a file of such lines.
    pub fn from_file(path: &Path) -> Result<Vec<Self>, SeedError> {
        Self::from_lines(&seed::read(path)?)
    }
}
