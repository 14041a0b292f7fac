//! Several apps in one list: `--apps FILE` names credential sets, and the list's column `app` picks
//! one for each row.
//!
//! A run of several apps is as many runs in one folder: each app has its own client, pace, canary and
//! halt, and the books are kept for each.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The column that says of which app a row is.
pub const COLUMN: &str = "app";

/// The name of the app that the usual options and variables give, among those of `--apps`.
pub const DEFAULT: &str = "default";

/// The name of a credential set: 1 to 64 letters, digits, blanks and `_.-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Box<str>")]
pub struct AppName(Box<str>);

impl AppName {
    /// Takes a text that can be a name.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.chars().count()) && text.trim() == text;
        let is_plain = |c: char| c.is_alphanumeric() || " _.-".contains(c);
        (fits && text.chars().all(is_plain)).then(|| Self(text.into()))
    }

    /// The name as it stands in the file and in the list.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<Box<str>> for AppName {
    type Error = &'static str;

    fn try_from(text: Box<str>) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or("an app's name has 1 to 64 letters, digits, blanks and _.-")
    }
}

/// An app as the journal knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppOfRun {
    /// Its name.
    pub name: AppName,
    /// Its client id.
    pub client_id: String,
}

/// The apps that the rows of a list may be of.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    apps: Vec<AppOfRun>,
    /// The app of rows that name none.
    rest: Option<AppName>,
}

impl Directory {
    /// The directory of these apps; rows that name none are of the one with this client id.
    pub fn new(apps: Vec<AppOfRun>, rest: Option<&str>) -> Self {
        let rest = apps.iter().find(|app| Some(app.client_id.as_str()) == rest);
        Self { rest: rest.map(|app| app.name.clone()), apps }
    }

    /// The apps in order.
    pub fn apps(&self) -> &[AppOfRun] {
        &self.apps
    }

    /// The app of a row by its cell, or why it has none.
    pub fn pick(&self, cell: &str) -> Result<&AppOfRun, String> {
        let cell = cell.trim();
        let name =
            if cell.is_empty() { self.rest.as_ref().map(AppName::as_str) } else { Some(cell) };
        let found = name.and_then(|name| self.apps.iter().find(|app| app.name.as_str() == name));
        found.ok_or_else(|| match cell {
            "" => format!(
                "no app: fill in one of {}, or give a client id for the rows without one",
                self.names()
            ),
            _ => format!("--apps has no app of this name; it has {}", self.names()),
        })
    }

    /// The client id of an app.
    pub fn client_id(&self, name: &AppName) -> Option<&str> {
        let app = self.apps.iter().find(|app| app.name == *name)?;
        Some(&app.client_id)
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.apps.iter().map(|app| app.name.as_str()).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRM: &str = "66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";
    const OWN: &str = "0123456789abcdef01234567-m1zzzzzz";

    fn apps(pairs: &[(&str, &str)]) -> Vec<AppOfRun> {
        let app = |(name, id): &(&str, &str)| AppOfRun {
            name: AppName::new(name).unwrap(),
            client_id: (*id).to_owned(),
        };
        pairs.iter().map(app).collect()
    }

    #[test]
    fn a_row_is_of_the_app_that_it_names_else_of_the_one_for_the_rest() {
        let both = apps(&[("crm", CRM), ("default", OWN)]);
        for (rest, cell, picked) in [
            (Some(OWN), "crm", Ok("crm")),
            (Some(OWN), " crm ", Ok("crm")),
            (Some(OWN), "", Ok("default")),
            (Some(OWN), "default", Ok("default")),
            (Some(CRM), "", Ok("crm")),
            (None, " ", Err("crm, default")),
            (None, "CRM", Err("crm, default")),
        ] {
            let directory = Directory::new(both.clone(), rest);
            match (directory.pick(cell), picked) {
                (Ok(app), Ok(name)) => assert_eq!(app.name.as_str(), name, "{cell:?}"),
                (Err(why), Err(known)) => assert!(why.contains(known), "{why}"),
                (found, _) => panic!("{cell:?}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_name_has_nothing_that_moves_a_cursor() {
        for name in ["crm", "My CRM 2.0", "büro_1-a"] {
            assert!(AppName::new(name).is_some(), "{name}");
        }
        for name in ["", " crm", "a\u{202e}b", "a\nb", "a=b", &"a".repeat(65)] {
            assert!(AppName::new(name).is_none(), "{name}");
        }
    }
}
