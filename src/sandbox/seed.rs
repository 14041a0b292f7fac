//! From JSON lines to what a sandbox begins with.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};

use super::stored::{AccessLife, InstalledLocation, Presence, RefreshLife, StoredPair};
use crate::installation::Scope;

/// Why what a sandbox begins with cannot be read. No text of the file is in it.
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
        let told = self.user_type.as_deref().and_then(Scope::from_user_type);
        let seems = self.location_id.as_ref().map_or(Scope::Company, |_| Scope::Location);
        let scope = told.unwrap_or(seems);
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
        let location = InstalledLocation::new(self.id, self.company_id);
        let location = match self.name {
            Some(name) => location.named(name),
            None => location,
        };
        match self.is_installed {
            Some(false) => location.presence(Presence::Absent),
            _ => location,
        }
    }
}

/// Stored tokens, a line each.
pub(super) fn pairs(text: &[u8]) -> Result<Vec<StoredPair>, SeedError> {
    lines(text, Line::pair)
}

/// Locations, a line each.
pub(super) fn locations(text: &[u8]) -> Result<Vec<InstalledLocation>, SeedError> {
    lines(text, |row: Listed| Ok(row.location()))
}

/// Reads a file of such lines.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, SeedError> {
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
