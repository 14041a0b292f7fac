//! A recovered token pair as the store is given it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::{
    checksum::Checksum,
    highlevel::jwt,
    installation::{Id, Installation, Scope},
    secret::Secret,
};

/// A token pair, by its line in `tokens.jsonl`. Secret: it goes to the store and nowhere else.
#[derive(Clone)]
pub struct Pair {
    /// Number of the record in the list of its run.
    pub row: u32,
    /// The installation.
    pub installation: Installation,
    /// The app: its client id before the dash.
    pub app: String,
    /// The app's client id.
    pub client_id: String,
    /// The access token.
    pub access_token: Secret,
    /// The refresh token, where there is one.
    pub refresh_token: Option<Secret>,
    /// When the access token dies, where that is known.
    pub expires_at: Option<Timestamp>,
    /// When the pair was granted, where that is known.
    pub granted_at: Option<Timestamp>,
    /// The whole session document.
    pub document: Map<String, Value>,
    /// Checksum of its line.
    pub token_line: Checksum,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("row", &self.row).finish_non_exhaustive()
    }
}

impl Pair {
    /// Reads a line of `tokens.jsonl`, without its line end; `None` if it is no pair.
    pub fn read(line: &[u8], row: u32, client_id: &str) -> Option<Self> {
        let document: Map<String, Value> = serde_json::from_slice(line).ok()?;
        let text = |name: &str| document.get(name)?.as_str().filter(|text| !text.is_empty());
        let secret = |name: &str| text(name).map(|text| Secret::new(text.to_owned()));
        let id = Id::new(text("resourceId")?)?;
        let implied = if text("locationId").is_some() { Scope::Location } else { Scope::Company };
        let scope = text("userType").and_then(Scope::from_user_type).unwrap_or(implied);
        let company = match scope {
            Scope::Location => text("companyId").and_then(Id::new),
            Scope::Company => None,
        };
        let access_token = secret("access_token")?;
        let stated = document.get("expire_at").and_then(Value::as_i64);
        let expires_at = stated
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .or_else(|| jwt::look_into(access_token.expose())?.expires_at);
        let granted_at = expires_at
            .zip(seconds(document.get("expires_in")))
            .and_then(|(at, life)| at.checked_sub(SignedDuration::from_secs(life)).ok());
        Some(Self {
            row,
            app: text("applicationId")?.to_owned(),
            client_id: client_id.to_owned(),
            refresh_token: secret("refresh_token"),
            installation: Installation { scope, id, company },
            access_token,
            expires_at,
            granted_at,
            token_line: Checksum::of(line),
            document,
        })
    }

    /// Seconds for which the access token was granted, where the answer said so.
    pub fn expires_in(&self) -> Option<i64> {
        seconds(self.document.get("expires_in"))
    }

    /// A text of the document.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.document.get(name)?.as_str().filter(|text| !text.is_empty())
    }
}

fn seconds(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_read_with_what_the_store_needs() {
        let line = json!({
            "applicationId": "5a0dbc0de5a0dbc0de5a0dbc", "resourceId": "ve9EPM428h8vShlRW1KT",
            "access_token": "a", "refresh_token": "r", "token_type": "Bearer",
            "expires_in": 86399, "expire_at": 1_800_000_000_000_u64, "userType": "Location",
            "companyId": "tDtDnQdgm2LXpyiqYvZ6", "locationId": "ve9EPM428h8vShlRW1KT",
        });
        let line = line.to_string();
        let pair = Pair::read(line.as_bytes(), 7, "5a0dbc0de5a0dbc0de5a0dbc-m1sandbx").unwrap();
        assert_eq!(pair.installation.scope, Scope::Location);
        assert_eq!(pair.installation.company, Id::new("tDtDnQdgm2LXpyiqYvZ6"));
        assert_eq!(pair.expires_at.unwrap().as_second(), 1_800_000_000);
        assert_eq!(pair.granted_at.unwrap().as_second(), 1_800_000_000 - 86_399);
        assert_eq!(pair.token_line, Checksum::of(line.as_bytes()));
        assert_eq!(format!("{pair:?}"), "Pair { row: 7, .. }");
    }

    #[test]
    fn what_is_no_pair_is_none() {
        for line in ["", "{}", "[]", r#"{"applicationId":"a","resourceId":"x","access_token":"a"}"#]
        {
            assert!(Pair::read(line.as_bytes(), 1, "").is_none(), "{line}");
        }
    }
}
