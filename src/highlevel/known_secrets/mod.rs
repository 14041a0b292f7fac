//! The secrets known during a run, to be cut out of everything a server sends: in upper or lower case,
//! in base64, percent-encoded, JSON-escaped or as HTML, at any position.

mod index;
mod unescape;

#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    fmt,
    ops::Range,
    sync::{Arc, PoisonError, RwLock},
};

use serde_json::Value;

pub use self::index::Kind;
use self::{
    index::{KnownForms, SHORTEST},
    unescape::View,
};
use crate::secret::Secret;

/// Replaces a secret.
const CUT: &str = "[secret]";

/// How often a text is decoded: text may be escaped once more each time it is repeated.
const LEVELS: usize = 3;

/// The secrets known now. Cheap to clone; all clones know the same.
#[derive(Clone, Default)]
pub struct KnownSecrets(Arc<RwLock<KnownForms>>);

impl fmt::Debug for KnownSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[known secrets]")
    }
}

impl KnownSecrets {
    /// Learns a secret. The oldest codes and tokens are forgotten.
    pub fn learn(&self, kind: Kind, secret: &Secret) {
        if secret.expose().len() >= SHORTEST {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            known.learn(kind, secret);
            // A UUID is as good without its dashes.
            let bare = secret.expose().replace('-', "");
            if kind == Kind::Client && bare.len() >= SHORTEST && bare != secret.expose() {
                known.learn(kind, &Secret::new(bare));
            }
        }
    }

    /// Whether a text contains one of them.
    pub fn is_in(&self, text: &str) -> bool {
        !self.places(text, &[Kind::Client, Kind::Code, Kind::Token]).is_empty()
    }

    /// Cuts all of them out of a text.
    pub fn cut_out<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.cut_out_kinds(text, &[Kind::Client, Kind::Code, Kind::Token])
    }

    /// Cuts those out that no answer may contain.
    pub fn cut_out_of_success<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.cut_out_kinds(text, &[Kind::Client])
    }

    /// Cuts out of the fields that are kept with tokens what no file may contain.
    pub fn cut_out_of_kept(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.cut_out_kinds(text, &[Kind::Client, Kind::Code]) {
                    *text = clean;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.cut_out_of_kept(item)),
            Value::Object(object) => {
                object.values_mut().for_each(|item| self.cut_out_of_kept(item));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn cut_out_kinds<'a>(&self, text: &'a str, kinds: &[Kind]) -> Cow<'a, str> {
        let places = self.places(text, kinds);
        if places.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(without(text, places)) }
    }

    fn places(&self, text: &str, kinds: &[Kind]) -> Vec<Range<usize>> {
        let forms_known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if text.len() < SHORTEST || !forms_known.knows_any(kinds) {
            return Vec::new();
        }
        let mut places = Vec::new();
        let mut view = View::of(text);
        for _ in 0..=LEVELS {
            forms_known.find(&view.bytes, kinds, |found| places.push(view.place(found)));
            match view.decoded() {
                Some(decoded) => view = decoded,
                None => break,
            }
        }
        places
    }
}

/// Replaces these places of a text.
fn without(text: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_by_key(|place| place.start);
    let (mut clean, mut done) = (String::with_capacity(text.len()), 0);
    for Range { mut start, mut end } in places {
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        if start >= done {
            clean.push_str(&text[done..start]);
            clean.push_str(CUT);
        }
        done = done.max(end);
    }
    clean.push_str(&text[done..]);
    clean
}
