//! The claims of a HighLevel token, decoded without verification: hints, never proof. Nothing of the
//! token itself is kept.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::client_id::ClientId;
use crate::installation::{Id, Installation, Scope};

/// The longest token that is decoded, in bytes; real ones have about 1,000.
const LONGEST: usize = 16_384;

/// The claims of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `authClass`: what it is for.
    pub scope: Option<Scope>,
    /// `authClassId`: the location or the company.
    pub id: Option<Id>,
    /// `sourceId`: the client to which it was given.
    pub client: Option<ClientId>,
    /// `exp`: when it expires.
    pub expires_at: Option<Timestamp>,
}

impl Claims {
    /// The id that they name, if it is not the installation's.
    pub fn contradict(&self, installation: &Installation) -> Option<&Id> {
        let id = self.id.as_ref()?;
        let kind_differs = self.scope.is_some_and(|scope| scope != installation.scope);
        (kind_differs || *id != installation.id).then_some(id)
    }

    /// Whether they name another client than this.
    pub fn are_of_another(&self, client_id: &str) -> bool {
        self.client.as_ref().is_some_and(|client| client.as_str() != client_id)
    }
}

/// The claims that are read, of whatever shape; others, such as the list of scopes, are skipped.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Payload {
    auth_class: Value,
    auth_class_id: Value,
    source_id: Value,
    exp: Value,
}

/// Decodes the claims of a token; `None` if it is not a JWT. A claim of an unexpected shape counts as
/// absent.
pub fn look_into(token: &str) -> Option<Claims> {
    let token = token.trim();
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || token.len() > LONGEST || !token.starts_with("eyJ") {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    // serde's derived reader accepts an array for a struct too.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let payload: Payload = serde_json::from_slice(&bytes).ok()?;
    Some(Claims {
        scope: payload.auth_class.as_str().and_then(Scope::from_user_type),
        id: payload.auth_class_id.as_str().and_then(Id::new),
        client: payload.source_id.as_str().and_then(ClientId::new),
        expires_at: payload.exp.as_i64().and_then(|second| Timestamp::from_second(second).ok()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(claims: &Value) -> String {
        format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn the_claims_of_a_token_are_read() {
        let client = "66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";
        let claims = look_into(&token(&json!({
            "authClass": "Location", "authClassId": "ve9EPM428h8vShlRW1KT",
            "sourceId": client, "exp": 1_800_000_000,
        })));
        let claims = claims.unwrap();
        assert_eq!(claims.scope, Some(Scope::Location));
        assert_eq!(claims.id, Id::new("ve9EPM428h8vShlRW1KT"));
        assert_eq!(claims.client, ClientId::new(client));
        assert_eq!(claims.expires_at.unwrap().as_second(), 1_800_000_000);
    }

    #[test]
    fn odd_claims_are_ignored() {
        let odd = json!({
            "authClass": 7, "authClassId": "\u{1b}[2J", "sourceId": "=cmd|'/c calc'!A1", "exp": "x",
        });
        assert_eq!(look_into(&token(&odd)), Some(Claims::default()));
        let huge = token(&json!({ "sourceId": "x".repeat(LONGEST) }));
        for text in ["", "eyJ", "eyJ.eyJ", "eyJ.!.x", "a.b.c", "eyJ.e30.c.d", "eyJ.W10.c", &huge] {
            assert_eq!(look_into(text), None, "{text:.40}");
        }
    }
}
