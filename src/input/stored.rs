//! What a record still has of its tokens: the tokens themselves, and what they say of their installation.

use serde_json::{Map, Value};

use crate::{
    highlevel::{
        client_id::ClientId,
        jwt::{self, Claims},
    },
    installation::{Id, Installation, Scope},
    secret::{Secret, TokensAtHand},
};

use super::columns::{Holds, Layout, normalise};
use super::row::Cells;
use super::token_shape::{TokenShape, bare, shape};

/// The shortest text that may be an encrypted token.
const SHORTEST: usize = 20;

/// What the columns for tokens of a record hold. Nothing of it is ever written.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The tokens that can be used.
    pub tokens: TokensAtHand,
    /// Whether something stands there that cannot.
    pub unused: Unused,
    /// Every token that stands there, whether it is used or not.
    pub seen: Vec<Secret>,
    pub(super) claims: Vec<Claims>,
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
    pub(super) fn of(layout: &Layout, row: &impl Cells) -> Self {
        let mut stored = Self::default();
        for (holds, column) in layout.tokens() {
            stored.take_cell(holds, &row.cell(column));
        }
        stored
    }

    fn take_cell(&mut self, holds: Holds, cell: &str) {
        match holds {
            // Something short is a flag: whether the token is encrypted.
            Holds::Ciphertext if bare(cell).len() >= SHORTEST => self.note(Unused::Ciphertext),
            Holds::Ciphertext => {}
            Holds::Tokens => self.take_object(cell),
            Holds::OtherToken => {
                self.see(bare(cell));
                self.look_into(bare(cell));
            }
            Holds::Access | Holds::Refresh if is_answer(cell) => self.take_object(cell),
            Holds::Access | Holds::Refresh => self.take(holds, bare(cell)),
        }
    }

    /// A cell with the tokens as members, as the answer has them.
    fn take_object(&mut self, cell: &str) {
        let Ok(object) = serde_json::from_str::<Map<String, Value>>(cell.trim()) else {
            let token = bare(cell);
            return self.look_into(token);
        };
        for (name, value) in &object {
            match (super::columns::holds(name), value) {
                (Some(holds @ (Holds::Access | Holds::Refresh)), Value::String(text)) => {
                    self.take(holds, bare(text));
                }
                (Some(Holds::Access | Holds::Refresh), Value::Object(_)) => {
                    self.take(Holds::Access, &value.to_string());
                }
                (Some(Holds::Ciphertext), Value::String(_) | Value::Object(_)) => {
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
                self.see(text);
                self.look_into(text);
                let TokensAtHand { access, refresh } = &mut self.tokens;
                let place = if holds == Holds::Refresh { refresh } else { access };
                place.get_or_insert_with(|| Secret::new(text.to_owned()));
            }
        }
    }

    fn see(&mut self, text: &str) {
        if shape(text) == TokenShape::Token {
            self.seen.push(Secret::new(text.to_owned()));
        }
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
    cell.trim_start().starts_with('{') && normalise(cell).contains("token")
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
}
