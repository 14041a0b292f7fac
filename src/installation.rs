//! What is recovered: one installation of the app, in one sub-account or one agency.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where the app is installed, which decides what is asked for and what must come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// A sub-account: HighLevel calls it a location.
    Location,
    /// An agency: HighLevel calls it a company.
    Company,
}

impl Scope {
    /// The value of `user_type` and `userType` on HighLevel's wire.
    pub fn user_type(self) -> &'static str {
        match self {
            Self::Location => "Location",
            Self::Company => "Company",
        }
    }

    /// Reads a `userType`, `installType` or `authClass` as people and APIs write it: `Location`,
    /// `sub-account`, `Company`, `agency`, in any case.
    pub fn from_user_type(text: &str) -> Option<Self> {
        let letters: String = text
            .chars()
            .filter(char::is_ascii_alphabetic)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        match letters.as_str() {
            "location" | "subaccount" => Some(Self::Location),
            "company" | "agency" => Some(Self::Company),
            _ => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Location => "location",
            Self::Company => "company",
        })
    }
}

/// A HighLevel location or company id: 6 to 64 of `[A-Za-z0-9_-]`, usually 20 letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Box<str>")]
pub struct Id(Box<str>);

impl Id {
    /// Takes a text that has an id's shape; anything else is `None`.
    pub fn new(text: &str) -> Option<Self> {
        let shaped = (6..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        shaped.then(|| Self(text.into()))
    }

    /// The id as HighLevel writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is 20 letters and digits, as every id seen in the wild is.
    pub fn is_usual(&self) -> bool {
        self.0.len() == 20 && self.0.bytes().all(|b| b.is_ascii_alphanumeric())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<Box<str>> for Id {
    type Error = &'static str;

    fn try_from(text: Box<str>) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or("an id has 6 to 64 letters, digits, - or _")
    }
}

/// One installation to recover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// Sub-account or agency connection.
    pub scope: Scope,
    /// The location id of a sub-account connection, the company id of an agency connection.
    pub id: Id,
    /// The agency of a sub-account, where the list names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<Id>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_shape_that_highlevel_gives_it() {
        for good in ["ve9EPM428h8vShlRW1KT", "tDtDnQdgm2LXpyiqYvZ6", "abc_d-1", &"a".repeat(64)] {
            assert!(Id::new(good).is_some(), "{good}");
        }
        for bad in ["", "short", "has space1", "naïve-id", "a.b.c.d.e", &"a".repeat(65)] {
            assert!(Id::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_user_type_is_read_in_every_spelling() {
        for (text, scope) in [
            ("Location", Some(Scope::Location)),
            ("sub-account", Some(Scope::Location)),
            ("Sub Account", Some(Scope::Location)),
            ("COMPANY", Some(Scope::Company)),
            ("agency", Some(Scope::Company)),
            ("user", None),
            ("", None),
        ] {
            assert_eq!(Scope::from_user_type(text), scope, "{text}");
        }
    }
}
