//! What is to be done about a pair, by what stands in the store: a pure decision.

use jiff::Timestamp;

use crate::{
    highlevel::{
        jwt,
        token_shape::{TokenShape, shape},
    },
    installation::Scope,
    secret::Secret,
    store::pair::Pair,
};

/// A row as far as it matters here.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored {
    pub(super) access: Option<Secret>,
    pub(super) refresh: Option<Secret>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) updated_at: Option<Timestamp>,
    /// Whose row it is, where it says so.
    pub(super) scope: Option<Scope>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Missing,
    Ambiguous,
    NotOurs(&'static str),
    Encrypted,
    Already,
    Newer,
    Replace,
}

/// How the token of a Private Integration begins: it is no pair, and never dies.
const PRIVATE_INTEGRATION: &str = "pit-";

/// Decides about a pair, by the rows that have its key.
pub(super) fn decide(pair: &Pair, rows: &[Stored]) -> Decision {
    let stored = match rows {
        [] => return Decision::Missing,
        [stored] => stored,
        [_, _, ..] => return Decision::Ambiguous,
    };
    if starts_private(stored.access.as_ref()) || starts_private(stored.refresh.as_ref()) {
        return Decision::NotOurs("the row holds a Private Integration Token");
    }
    if stored.scope.is_some_and(|scope| scope != pair.installation.scope) {
        return Decision::NotOurs(match pair.installation.scope {
            Scope::Location => "the row is an agency's, the pair a location's",
            Scope::Company => "the row is a location's, the pair an agency's",
        });
    }
    if is_equal(pair, stored) {
        return Decision::Already;
    }
    let is_encrypted = |token: &Option<Secret>| {
        token.as_ref().is_some_and(|token| shape(token.expose()) == TokenShape::Ciphertext)
    };
    if is_encrypted(&stored.access) || is_encrypted(&stored.refresh) {
        return Decision::Encrypted;
    }
    if is_newer(pair, stored) { Decision::Newer } else { Decision::Replace }
}

/// Whether the row has the tokens of the pair.
pub(super) fn is_equal(pair: &Pair, stored: &Stored) -> bool {
    let same = |ours: &Secret, theirs: &Option<Secret>| {
        theirs.as_ref().is_some_and(|theirs| theirs.expose() == ours.expose())
    };
    let refresh = pair.refresh_token.as_ref();
    same(&pair.access_token, &stored.access)
        && refresh.is_none_or(|refresh| same(refresh, &stored.refresh))
}

/// By the tokens' own expiry, else by the expiries beside them, else by when the row was written.
fn is_newer(pair: &Pair, stored: &Stored) -> bool {
    let own = |token: &Secret| jwt::look_into(token.expose()).and_then(|claims| claims.expires_at);
    let theirs = stored.access.as_ref().and_then(own);
    if let Some((theirs, ours)) = theirs.zip(own(&pair.access_token)) {
        return theirs > ours;
    }
    if let Some((theirs, ours)) = theirs.or(stored.expires_at).zip(pair.expires_at) {
        return theirs > ours;
    }
    stored.updated_at.zip(pair.granted_at).is_some_and(|(updated, granted)| updated > granted)
}

fn starts_private(token: Option<&Secret>) -> bool {
    token.is_some_and(|token| token.expose().starts_with(PRIVATE_INTEGRATION))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pair() -> Pair {
        let line = json!({
            "applicationId": "5a0dbc0de5a0dbc0de5a0dbc", "resourceId": "ve9EPM428h8vShlRW1KT",
            "access_token": "a", "refresh_token": "r", "expires_in": 100,
            "expire_at": 1_800_000_000_000_u64, "userType": "Location",
            "locationId": "ve9EPM428h8vShlRW1KT",
        });
        Pair::read(line.to_string().as_bytes(), 1, "").unwrap()
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn stored(access: &str, refresh: &str) -> Stored {
        let secret = |text: &str| (!text.is_empty()).then(|| Secret::new(text.into()));
        Stored { access: secret(access), refresh: secret(refresh), ..Stored::default() }
    }

    #[test]
    fn the_decision_is_a_table() {
        let old = || stored("old", "old");
        let expires = |at| Stored { expires_at: Some(second(at)), ..old() };
        let updated = |at| Stored { updated_at: Some(second(at)), ..old() };
        let scope = |scope| Stored { scope: Some(scope), ..old() };
        let agency = "the row is an agency's, the pair a location's";
        for (rows, expected) in [
            (vec![], Decision::Missing),
            (vec![old(), old()], Decision::Ambiguous),
            (vec![old()], Decision::Replace),
            (vec![stored("", "")], Decision::Replace),
            (vec![stored("a", "r")], Decision::Already),
            (vec![stored("a", "old")], Decision::Replace),
            (
                vec![stored("pit-0f9", "")],
                Decision::NotOurs("the row holds a Private Integration Token"),
            ),
            (vec![scope(Scope::Company)], Decision::NotOurs(agency)),
            (vec![scope(Scope::Location)], Decision::Replace),
            (vec![stored("enc:AAAA", "enc:BBBB")], Decision::Encrypted),
            (vec![expires(1_799_999_999)], Decision::Replace),
            (vec![expires(1_800_000_001)], Decision::Newer),
            (vec![updated(1_799_999_899)], Decision::Replace),
            (vec![updated(1_799_999_901)], Decision::Newer),
        ] {
            assert_eq!(decide(&pair(), &rows), expected, "{rows:?}");
        }
    }
}
