//! The ways back to a token pair, and the order in which they are tried.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How an installation gets a new token pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(Default)]
pub enum Way {
    /// With the refresh token that the list has: `POST /oauth/token`, grant type `refresh_token`.
    Refresh,
    /// With a code of the Reconnect API.
    #[default]
    Reconnect,
    /// With the token of the sub-account's agency: `POST /oauth/locationToken`.
    Agency,
}

impl Way {
    /// The name in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::Reconnect => "reconnect",
            Self::Agency => "agency",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The ways of a run, in the order in which each installation tries them: at least one, none twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ways(Vec<Way>);

impl Ways {
    /// The ways in order.
    pub fn iter(&self) -> impl Iterator<Item = Way> {
        self.0.iter().copied()
    }

    /// Whether a way is among them.
    pub fn include(&self, way: Way) -> bool {
        self.0.contains(&way)
    }

    /// Whether nothing but a reconnect is tried, as where nobody says otherwise.
    pub fn are_default(&self) -> bool {
        self.0 == [Way::Reconnect]
    }
}

impl Default for Ways {
    fn default() -> Self {
        Self(vec![Way::Reconnect])
    }
}

/// A text that names no ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "not a list of ways: write refresh, reconnect and agency in the order to try them, such as refresh,reconnect"
)]
pub struct NotWays;

impl FromStr for Ways {
    type Err = NotWays;

    fn from_str(text: &str) -> Result<Self, NotWays> {
        let mut ways = Vec::new();
        for word in text.split(',') {
            let known = [Way::Refresh, Way::Reconnect, Way::Agency];
            let is_named = |way: &Way| word.trim().eq_ignore_ascii_case(way.name());
            let way = known.into_iter().find(is_named).ok_or(NotWays)?;
            if ways.contains(&way) {
                return Err(NotWays);
            }
            ways.push(way);
        }
        Ok(Self(ways))
    }
}

impl TryFrom<String> for Ways {
    type Error = NotWays;

    fn try_from(text: String) -> Result<Self, NotWays> {
        text.parse()
    }
}

impl From<Ways> for String {
    fn from(ways: Ways) -> Self {
        ways.to_string()
    }
}

impl fmt::Display for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|way| way.name()).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_read_in_order_and_none_twice() {
        for (text, ways) in [
            ("reconnect", Ok("reconnect")),
            ("refresh, Reconnect", Ok("refresh,reconnect")),
            ("agency,refresh,reconnect", Ok("agency,refresh,reconnect")),
            ("", Err(NotWays)),
            ("refresh,refresh", Err(NotWays)),
            ("refresh;reconnect", Err(NotWays)),
            ("reinstall", Err(NotWays)),
        ] {
            let read = text.parse::<Ways>().map(|ways| ways.to_string());
            assert_eq!(read.as_deref().map_err(|error| *error), ways, "{text}");
        }
    }
}
