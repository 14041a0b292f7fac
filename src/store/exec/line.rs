//! A pair as the helper is given it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{clock, installation::Scope, secret::Secret, store::pair::Pair};

/// The version of the line. A field may be added without a new one.
const VERSION: u32 = 1;

/// Each field is always there; what is not known is `null`.
#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    seq: u64,
    id: &'a str,
    kind: String,
    app: &'a str,
    access_token: &'a str,
    refresh_token: Option<&'a str>,
    expires_at: Option<String>,
    expires_in: Option<i64>,
    granted_at: Option<String>,
    token_type: Option<&'a str>,
    scope: Option<&'a str>,
    user_type: &'a str,
    company_id: Option<&'a str>,
    location_id: Option<&'a str>,
    user_id: Option<&'a str>,
    document: &'a Map<String, Value>,
}

/// The line of a pair, without its end.
pub(super) fn of(pair: &Pair, seq: u64) -> Vec<u8> {
    let id = pair.installation.id.as_str();
    let of_kind = |scope: Scope, name: &str| {
        if pair.installation.scope == scope { Some(id) } else { pair.text(name) }
    };
    let line = Line {
        v: VERSION,
        seq,
        id,
        kind: pair.installation.scope.to_string(),
        app: &pair.app,
        access_token: pair.access_token.expose(),
        refresh_token: pair.refresh_token.as_ref().map(Secret::expose),
        expires_at: pair.expires_at.map(clock::stamp),
        expires_in: pair.expires_in(),
        granted_at: pair.granted_at.map(clock::stamp),
        token_type: pair.text("token_type"),
        scope: pair.text("scope"),
        user_type: pair.installation.scope.user_type(),
        company_id: of_kind(Scope::Company, "companyId"),
        location_id: of_kind(Scope::Location, "locationId"),
        user_id: pair.text("userId"),
        document: &pair.document,
    };
    // Texts, numbers and a document that was read as JSON: nothing that cannot be written as JSON.
    serde_json::to_vec(&line).unwrap_or_default()
}
