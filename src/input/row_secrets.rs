//! The secrets of rows that a database gave, whatever its columns are called.

use std::collections::HashMap;

use super::{
    names::{self, Role},
    nested,
    tokens::{bare, is_secret_piece},
};

/// Finds the secrets of rows, each a JSON object. All rows have the same few names, and what a name
/// says is kept.
#[derive(Debug, Default)]
pub struct RowSecrets {
    names: HashMap<String, NameSays>,
}

/// What a name says of the value behind it.
#[derive(Clone, Copy, Debug)]
struct NameSays {
    is_secret: bool,
    /// That it is none, whatever is around it.
    is_beside_secrets: bool,
}

impl RowSecrets {
    /// Calls `take` with everything in a row that stands in a place for secrets, also in the JSON of
    /// its cells, and with everything that is a token by its shape wherever it stands. What is no JSON
    /// has none.
    pub fn each(&mut self, row: &str, take: &mut dyn FnMut(&str)) {
        for leaf in nested::leaves(row) {
            let is_named = self.is_named(&leaf.path);
            for piece in bare(&leaf.text).split_whitespace() {
                if (is_named || names_itself(piece)) && is_secret(piece) {
                    take(piece);
                }
            }
        }
    }

    fn is_named(&mut self, path: &[String]) -> bool {
        let [around @ .., own] = path else { return false };
        let own = self.says(own);
        own.is_secret
            || !own.is_beside_secrets && around.iter().any(|name| self.says(name).is_secret)
    }

    fn says(&mut self, name: &str) -> NameSays {
        if let Some(known) = self.names.get(name) {
            return *known;
        }
        let says = NameSays {
            is_secret: matches!(names::role(name).0, Role::Hidden(_)),
            is_beside_secrets: names::is_beside_secrets(name),
        };
        self.names.insert(name.to_owned(), says);
        says
    }
}

/// Characters from which on a text is neither an id nor anything else that stands beside a secret.
const LONG: usize = 128;

fn is_secret(piece: &str) -> bool {
    (piece.len() >= LONG && !piece.contains("://")) || is_secret_piece(piece)
}

/// A JWT, or a Private Integration Token.
fn names_itself(text: &str) -> bool {
    text.starts_with("pit-") || (text.starts_with("eyJ") && text.matches('.').count() == 2)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJhdXRoQ2xhc3MiOiJMb2NhdGlvbiJ9.c2lnbmF0dXJl";
    const OPAQUE: &str = "live-4f9Kc2Qm81zzTe0x7Ab";
    const SEALED: &str = "v1:9f86d081884c7d659a2feaa0c55ad015:a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn the_old_tokens_of_a_row_are_found_and_nothing_else_of_it() {
        let answer = json!({ "access_token": JWT, "refresh_token": OPAQUE, "locationId": "x" });
        for (row, secrets) in [
            (json!({ "row": { "access_token": JWT, "refreshToken": OPAQUE } }), vec![JWT, OPAQUE]),
            (json!({ "access_token_encrypted": SEALED, "hl_rt": OPAQUE }), vec![SEALED, OPAQUE]),
            (json!({ "raw": answer.to_string() }), vec![JWT, OPAQUE]),
            (json!({ "session_data": answer }), vec![JWT, OPAQUE]),
            (json!({ "value": JWT, "auth_header": format!("Bearer {JWT}") }), vec![JWT, JWT]),
            (
                json!({ "x": "pit-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed" }),
                vec!["pit-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"],
            ),
            (
                json!({
                    "table": "public.oauth_tokens", "id": 7, "location_id": "ve9EPM428h8vShlRW1KT",
                    "token_expires_at": "2026-10-07T14:05:00.000Z", "token_type": "Bearer",
                    "scope": "contacts.readonly contacts.write", "name": "Jane's 2nd Bakery",
                    "updated_at": 1_800_000_000_000_u64, "email": "jane.doe.17@example.com",
                    "access_token": null, "refresh_token": "", "client": "66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef",
                }),
                vec![],
            ),
        ] {
            let mut found = Vec::new();
            RowSecrets::default()
                .each(&row.to_string(), &mut |secret| found.push(secret.to_owned()));
            assert_eq!(found, secrets, "{row}");
        }
        RowSecrets::default().each("torn {", &mut |secret| panic!("{secret}"));
    }
}
