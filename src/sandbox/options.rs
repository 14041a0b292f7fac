//! What a sandbox starts with: its options, tokens that a list brings along, and the locations of
//! agencies. The last two are also read from JSON lines.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};

use super::plan::FaultPlan;
use crate::installation::Scope;

/// A client id of the right shape, for runs against the sandbox, where none is needed.
pub const CLIENT_ID: &str = "5a0dbc0de5a0dbc0de5a0dbc-m1sandbx";

/// A client secret of the right shape, for runs against the sandbox, where none is needed.
pub const CLIENT_SECRET: &str = "5a0dbc0d-e000-4000-8000-5a0dbc0de000";

/// How a sandbox behaves.
#[derive(Clone)]
pub struct Options {
    /// How long a code works. 60 seconds by default; the API's own is "minutes", as observed.
    pub code_life: Duration,
    /// How long each answer is held back. Nothing by default.
    pub latency: Duration,
    /// What goes wrong. Nothing by default.
    pub faults: FaultPlan,
    /// What codes, tokens, trace ids and shares of faults are drawn from. 0 by default.
    pub seed: u64,
    /// How far the server's clock is ahead, in its `Date` header and its times. 0 by default.
    pub clock_offset: SignedDuration,
    /// How long a used refresh token gives the same pair again: 30 seconds by default, as
    /// documented.
    pub same_again: Duration,
    /// Tokens that are known from the start. None by default.
    pub stored: Vec<StoredPair>,
    /// The locations of agencies, in the order in which they are listed. None by default: then an
    /// agency's token acts for every location of the agency, and a discovery finds none.
    pub installed: Vec<InstalledLocation>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            code_life: Duration::from_mins(1),
            latency: Duration::ZERO,
            faults: FaultPlan::default(),
            seed: 0,
            clock_offset: SignedDuration::ZERO,
            same_again: Duration::from_secs(30),
            stored: Vec::new(),
            installed: Vec::new(),
        }
    }
}

/// What a check of an access token gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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
/// It has no `Debug`: the tokens may be real ones.
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

    /// When the access token expires.
    pub fn expires(self, at: Timestamp) -> Self {
        Self { expires: Some(at), ..self }
    }

    /// Reads JSON lines in the shape of `tokens.jsonl`. `access` and `refresh` beside the tokens
    /// say what they are worth: `{"locationId": "...", "refresh_token": "...", "refresh": "dead"}`.
    /// A token without a word about it is good.
    pub fn from_lines(text: &[u8]) -> Result<Vec<Self>, SeedError> {
        lines(text, Line::pair)
    }

    /// Reads a file of such lines.
    pub fn from_file(path: &Path) -> Result<Vec<Self>, SeedError> {
        Self::from_lines(&read(path)?)
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
        lines(text, |row: Listed| Ok(row.location()))
    }

    /// Reads a file of such lines.
    pub fn from_file(path: &Path) -> Result<Vec<Self>, SeedError> {
        Self::from_lines(&read(path)?)
    }
}

/// Why stored tokens or locations cannot be read. No text of the file is in it.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not what it should be.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What it should be.
        reason: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    resource_id: Option<String>,
    location_id: Option<String>,
    company_id: Option<String>,
    user_type: Option<String>,
    application_id: Option<String>,
    #[serde(rename = "access_token", alias = "accessToken")]
    access_token: Option<String>,
    #[serde(rename = "refresh_token", alias = "refreshToken")]
    refresh_token: Option<String>,
    #[serde(rename = "expire_at")]
    expire_at: Option<i64>,
    #[serde(default)]
    access: AccessLife,
    #[serde(default)]
    refresh: RefreshLife,
}

impl Line {
    fn pair(self) -> Result<StoredPair, &'static str> {
        let named = self.user_type.as_deref().and_then(Scope::from_user_type);
        let seems = self.location_id.as_ref().map_or(Scope::Company, |_| Scope::Location);
        let scope = named.unwrap_or(seems);
        let (own, company) = match scope {
            Scope::Location => (self.location_id, self.company_id),
            Scope::Company => (self.company_id, None),
        };
        let source = self.access_token.as_deref().and_then(source_id);
        Ok(StoredPair {
            scope,
            id: own.or(self.resource_id).ok_or("it names neither locationId nor companyId")?,
            company,
            client: source.or(self.application_id),
            access: self.access_token.map(|token| (token, self.access)),
            refresh: self.refresh_token.map(|token| (token, self.refresh)),
            expires: self.expire_at.and_then(|at| Timestamp::from_millisecond(at).ok()),
        })
    }
}

/// The client id that a JWT names.
fn source_id(token: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    claims.get("sourceId")?.as_str().map(str::to_owned)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(rename = "_id")]
    id: String,
    company_id: String,
    name: Option<String>,
    is_installed: Option<bool>,
}

impl Listed {
    fn location(self) -> InstalledLocation {
        let mut location = InstalledLocation::new(self.id, self.company_id);
        if let Some(name) = self.name {
            location.name = name;
        }
        if self.is_installed == Some(false) {
            location.presence = Presence::Absent;
        }
        location
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SeedError> {
    std::fs::read(path).map_err(|source| SeedError::Unreadable { path: path.to_owned(), source })
}

fn lines<L: DeserializeOwned, T>(
    text: &[u8],
    take: impl Fn(L) -> Result<T, &'static str>,
) -> Result<Vec<T>, SeedError> {
    let rows = (1..).zip(text.split(|byte| *byte == b'\n'));
    rows.filter(|(_, row)| !row.trim_ascii().is_empty())
        .map(|(line, row)| {
            // What serde says may repeat a value, and with it a token.
            let read = serde_json::from_slice(row).map_err(|_| "it is no JSON object as expected");
            read.and_then(&take).map_err(|reason| SeedError::Line { line, reason })
        })
        .collect()
}
