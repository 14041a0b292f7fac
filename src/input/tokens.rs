//! What a record has of secrets: the tokens that can be used, and everything that no output may show.

use serde_json::{Map, Value};

use crate::{
    highlevel::{
        client_id::ClientId,
        jwt::{self, Claims},
        token_shape::{
            Suspicion, TokenShape, is_known_otherwise, is_placeholder, looks_opaque, shape,
        },
    },
    installation::{Id, Installation, Scope},
    secret::{Secret, TokensAtHand},
};

use super::cells::{Cells, Form};
use super::id::clean;
use super::layout::Layout;
use super::names::{self, Holds, Role};
use super::nested;
use super::secrets::{SHORTEST_WORD, may_hold_secrets, named_secrets};

/// The shortest text that may be an encrypted token.
const SHORTEST: usize = 20;

/// The shortest secret that is looked for in other cells; a shorter one is a word.
const SHORTEST_SECRET: usize = 8;

/// What a record has of its tokens. Nothing of it is ever written.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The tokens that can be used.
    pub tokens: TokensAtHand,
    /// Whether something stands there that cannot.
    pub unused: Unused,
    /// Everything that stands in a place for secrets, whether it is used or not.
    pub seen: Vec<Secret>,
    claims: Vec<Claims>,
}

/// What stands in the place of a token and cannot be used as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unused {
    /// Nothing.
    #[default]
    Nothing,
    /// A mask, a placeholder or something else that is no token.
    NoToken,
    /// An encrypted token, or its hash.
    Ciphertext,
}

impl Stored {
    pub(super) fn of(layout: &Layout, row: &Cells<'_>) -> Self {
        let mut stored = Self::default();
        if matches!(row.form, Form::Unreadable(_)) {
            stored.see_named(row.cell(0));
            return stored;
        }
        for (role, column) in layout.secrets() {
            let cell = row.cell(column);
            if cell.is_empty() {
                continue;
            }
            if let Role::Hidden(holds) = role {
                stored.take_cell(holds, cell);
                stored.see_all(cell);
            } else {
                stored.take_object(cell);
                stored.see_named(cell);
            }
        }
        for column in layout.carried() {
            let cell = row.cell(*column);
            if may_hold_secrets(cell) {
                stored.see_named(cell);
            }
        }
        stored
    }

    fn take_cell(&mut self, holds: Holds, cell: &str) {
        match holds {
            // Something short is a flag: whether the token is encrypted.
            Holds::Ciphertext if bare(cell).len() >= SHORTEST => self.note(Unused::Ciphertext),
            Holds::Ciphertext => {}
            Holds::Tokens => self.take_object(cell),
            Holds::OtherToken => self.look_into(bare(cell)),
            Holds::Access | Holds::Refresh if is_answer(cell) => self.take_object(cell),
            Holds::Access | Holds::Refresh => self.take(holds, bare(cell)),
        }
    }

    /// A cell with the tokens as members, as the answer has them.
    fn take_object(&mut self, cell: &str) {
        let Ok(object) = serde_json::from_str::<Map<String, Value>>(cell.trim()) else {
            return self.look_into(bare(cell));
        };
        for (name, value) in &object {
            let value = nested::unwrapped(value).unwrap_or(value);
            match (names::role(name).0, value) {
                (Role::Hidden(holds @ (Holds::Access | Holds::Refresh)), Value::String(text)) => {
                    self.take(holds, bare(text));
                }
                (Role::Hidden(Holds::Access | Holds::Refresh), Value::Object(_)) => {
                    self.take(Holds::Access, &value.to_string());
                }
                (Role::Hidden(Holds::Ciphertext), Value::String(_) | Value::Object(_)) => {
                    self.note(Unused::Ciphertext);
                }
                _ => {}
            }
        }
    }

    fn take(&mut self, holds: Holds, text: &str) {
        match shape(text) {
            TokenShape::Nothing => {}
            TokenShape::NoToken => self.note(Unused::NoToken),
            TokenShape::Ciphertext => self.note(Unused::Ciphertext),
            TokenShape::Token => {
                self.look_into(text);
                let TokensAtHand { access, refresh } = &mut self.tokens;
                let place = if holds == Holds::Refresh { refresh } else { access };
                place.get_or_insert_with(|| Secret::new(text.to_owned()));
            }
        }
    }

    /// Notes everything in a cell for secrets, however it is written there.
    fn see_all(&mut self, cell: &str) {
        let text = bare(cell);
        if text.starts_with("eyJ") && text.contains('.') {
            // A JWT: what its parts say is no secret by itself.
            return self.see(text);
        }
        for text in nested::readings(cell) {
            let leaves = nested::leaves(&text);
            for leaf in leaves.iter().filter(|leaf| is_secret_leaf(leaf)) {
                self.see(&leaf.text);
            }
            if leaves.is_empty() {
                self.see(&text);
            }
        }
    }

    /// Notes what stands behind the name of a secret somewhere inside a cell.
    pub(super) fn see_named(&mut self, cell: &str) {
        named_secrets(cell, |secret| self.see(secret));
    }

    fn see(&mut self, text: &str) {
        let text = bare(text);
        if text.contains(char::is_whitespace) || text.contains("://") {
            let is_between = |c: char| c.is_whitespace() || "?&#=,;\"'<>()".contains(c);
            text.split(is_between).for_each(|piece| self.see_piece(piece));
        } else {
            self.see_piece(text);
        }
    }

    fn see_piece(&mut self, piece: &str) {
        if is_secret_piece(piece) && !self.has_seen(piece) {
            self.seen.push(Secret::new(piece.to_owned()));
        }
    }

    fn has_seen(&self, text: &str) -> bool {
        self.seen.iter().any(|secret| secret.expose() == text)
    }

    /// Whether one of the record's secrets stands in a text, however it is written there.
    pub(super) fn stands_in(&self, text: &str) -> bool {
        let is_in = |text: &str| self.seen.iter().any(|secret| text.contains(secret.expose()));
        if self.seen.is_empty() || text.len() < SHORTEST_SECRET {
            return false;
        }
        is_in(text)
            || (may_hold_secrets(text) && nested::readings(text).iter().any(|text| is_in(text)))
    }

    /// Whether a token stands where one is expected.
    pub(super) fn has_tokens(&self) -> bool {
        let TokensAtHand { access, refresh } = &self.tokens;
        access.is_some() || refresh.is_some() || self.unused == Unused::Ciphertext
    }

    fn note(&mut self, unused: Unused) {
        self.unused = self.unused.max(unused);
    }

    fn look_into(&mut self, token: &str) {
        let says_something = |claims: &Claims| claims.id.is_some() || claims.client.is_some();
        self.claims.extend(jwt::look_into(token).filter(says_something));
    }

    /// The client to which the tokens were given, by their own word.
    pub fn client(&self) -> Option<&ClientId> {
        self.claims.iter().find_map(|claims| claims.client.as_ref())
    }

    /// The installation that the tokens name.
    pub(super) fn named(&self) -> Option<(Scope, Id)> {
        self.claims.iter().find_map(|claims| Some((claims.scope?, claims.id.clone()?)))
    }

    /// An id that a token names and that is not the installation's.
    pub fn contradiction(&self, installation: &Installation) -> Option<&Id> {
        self.claims.iter().find_map(|claims| claims.contradict(installation))
    }

    /// The tokens that may be presented for an installation by a client: those of which it is not
    /// known that they are another's. To spend a refresh token of another installation would take
    /// it from that one.
    pub fn usable_for(self, installation: &Installation, client_id: Option<&str>) -> TokensAtHand {
        let is_usable = |token: &Secret| {
            jwt::look_into(token.expose()).is_none_or(|claims| {
                claims.contradict(installation).is_none()
                    && !client_id.is_some_and(|client_id| claims.are_of_another(client_id))
            })
        };
        let TokensAtHand { access, refresh } = self.tokens;
        TokensAtHand { access: access.filter(is_usable), refresh: refresh.filter(is_usable) }
    }
}

/// Whether a cell is an object that has tokens as members.
fn is_answer(cell: &str) -> bool {
    cell.trim_start().starts_with('{') && names::normalise(cell).contains("token")
}

/// The text of a token without what stands around it: blanks, quotes, `Bearer`. Words for nothing
/// come out empty.
pub(super) fn bare(cell: &str) -> &str {
    let text = clean(cell);
    match text.split_once(' ') {
        Some((word, token)) if word.eq_ignore_ascii_case("bearer") => clean(token),
        _ => text,
    }
}

/// Whether a value inside a cell for secrets is one, by its own name: `value` is, `region` is not
/// unless it looks like a token.
fn is_secret_leaf(leaf: &nested::Leaf) -> bool {
    let role = leaf.path.last().map(|name| names::role(name).0);
    let is_beside = || leaf.path.last().is_some_and(|name| names::is_beside_secrets(name));
    match role {
        None | Some(Role::Hidden(_) | Role::Container) => true,
        Some(_) => !is_beside() && looks_opaque(&leaf.text, Suspicion::Strict),
    }
}

/// Whether a text from a place for secrets is looked for elsewhere. What has the shape of an id, a
/// time, an address or a list of scopes stands there beside a secret, and would be found by chance.
pub(super) fn is_secret_piece(text: &str) -> bool {
    let has_digit = text.bytes().any(|b| b.is_ascii_digit());
    let least = if has_digit { SHORTEST_SECRET } else { SHORTEST_WORD };
    let is_time = text.get(..5).is_some_and(|year| {
        year.ends_with('-') && year.bytes().take(4).all(|b| b.is_ascii_digit())
    });
    let is_number = text.bytes().all(|b| b.is_ascii_digit() || b".,:+-".contains(&b));
    let is_word = text.bytes().all(|b| b.is_ascii_lowercase() || b"./".contains(&b));
    let is_host = text.contains("://") || text.contains('@');
    text.len() >= least
        && !(is_time || is_number || is_word || is_host)
        && (crate::secret::is_uuid(text) || !is_known_otherwise(text))
        && !is_placeholder(text)
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;

    const CLIENT: &str = "66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";
    const HERE: &str = "ve9EPM428h8vShlRW1KT";

    fn jwt(class: &str, id: &str, client: &str) -> String {
        let claims = json!({ "authClass": class, "authClassId": id, "sourceId": client });
        format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn a_token_that_is_known_to_be_anothers_is_not_at_hand() {
        let other_app = "76c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";
        let opaque = "0123456789abcdef0123456789abcdef01234567".to_owned();
        let here =
            Installation { scope: Scope::Location, id: Id::new(HERE).unwrap(), company: None };
        for (token, contradicts, usable) in [
            (jwt("Location", HERE, CLIENT), false, true),
            (jwt("Location", "tDtDnQdgm2LXpyiqYvZ6", CLIENT), true, false),
            (jwt("Company", HERE, CLIENT), true, false),
            (jwt("Location", HERE, other_app), false, false),
            (opaque, false, true),
        ] {
            let mut stored = Stored::default();
            stored.take_cell(Holds::Refresh, &token);
            assert_eq!(stored.contradiction(&here).is_some(), contradicts, "{token}");
            let at_hand = stored.usable_for(&here, Some(CLIENT)).refresh;
            assert_eq!(at_hand.is_some(), usable, "{token}");
        }
    }

    #[test]
    fn tokens_are_found_in_a_cell_and_one_level_down() {
        let (one, two) = ("access0123456789abcdef01", "refresh0123456789abcdef");
        let pair = json!({ "accessToken": one, "refresh_token": two, "refreshTokenId": "x" });
        let locked =
            json!({ "access_token": "enc:00", "refresh_token": { "iv": "00", "tag": "" } });
        for (holds, cell, found) in [
            (Holds::Access, one.to_owned(), (Some(one), None, Unused::Nothing)),
            (Holds::Refresh, format!(" {two} "), (None, Some(two), Unused::Nothing)),
            (Holds::Tokens, pair.to_string(), (Some(one), Some(two), Unused::Nothing)),
            (Holds::Refresh, pair.to_string(), (Some(one), Some(two), Unused::Nothing)),
            (Holds::Tokens, locked.to_string(), (None, None, Unused::Ciphertext)),
            (Holds::Refresh, "****".into(), (None, None, Unused::NoToken)),
            (Holds::Ciphertext, one.into(), (None, None, Unused::Ciphertext)),
            (Holds::Ciphertext, "true".into(), (None, None, Unused::Nothing)),
        ] {
            let mut stored = Stored::default();
            stored.take_cell(holds, &cell);
            let TokensAtHand { access, refresh } = &stored.tokens;
            let text = |token: &Option<Secret>| token.as_ref().map(|t| t.expose().to_owned());
            let known = (text(access), text(refresh), stored.unused);
            let (access, refresh, unused) = found;
            assert_eq!(known, (access.map(Into::into), refresh.map(Into::into), unused), "{cell}");
            assert!(!format!("{stored:?}").contains(one));
        }
    }

    #[test]
    fn all_that_stands_in_a_place_for_secrets_is_seen_however_it_is_written() {
        let token = "live-refresh-token=of/0001";
        let base64 = base64::engine::general_purpose::STANDARD.encode(token);
        for cell in [
            token.to_owned(),
            format!("\"{token}\""),
            format!("Bearer {token}"),
            json!({ "any": [{ "deep": token, "scope": "a.b", "locationId": HERE }] }).to_string(),
            json!({ "text": json!({ "v": token }).to_string() }).to_string(),
            token.replace('=', "\\u003d").replace('/', "\\/"),
            token.replace('=', "%3D").replace('/', "%2F"),
            base64,
        ] {
            let mut stored = Stored::default();
            stored.see_all(&cell);
            assert!(stored.has_seen(token), "{cell}");
            assert!(!stored.has_seen(HERE), "{cell}");
            assert!(stored.stands_in(&format!("was {cell} before")), "{cell}");
        }
        for cell in [
            HERE,
            "2026-10-07T14:05:00.000Z",
            "contacts.readonly",
            "true",
            "****************",
            "jane.doe.17@example.com",
            "https://services.leadconnectorhq.com",
            r#"{"region":"us-east-1-production"}"#,
        ] {
            let mut stored = Stored::default();
            stored.see_all(cell);
            assert_eq!(stored.seen.len(), 0, "{cell}");
        }
    }

    #[test]
    fn a_secret_is_found_behind_its_name_anywhere_in_a_cell() {
        let token = "live-refresh-0001-token";
        for cell in [
            json!({ "data": { "ghlRefresh": token } }).to_string(),
            json!({ "a": json!({ "hl_rt": token }).to_string() }).to_string(),
            format!("https://x.example/?refresh_token={token}&a=b"),
            format!("a:1:{{s:13:\"refresh_token\";s:23:\"{token}\";}}"),
            format!("{{'refresh_token': '{token}'}}"),
            format!("refresh_token%3D{token}"),
            format!("{{\"refresh_token\":\"{token}"),
        ] {
            let mut stored = Stored::default();
            stored.see_named(&cell);
            assert!(stored.seen.iter().any(|seen| seen.expose().contains(token)), "{cell}");
        }
    }
}
