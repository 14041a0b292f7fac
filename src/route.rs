//! The ways back to a token pair, and the order in which they are tried.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How an installation gets a new token pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(Default)]
pub enum Route {
    /// With the refresh token that the list has: `POST /oauth/token`, grant type `refresh_token`.
    Refresh,
    /// With a code of the Reconnect API.
    #[default]
    Reconnect,
    /// With the token of the sub-account's agency: `POST /oauth/locationToken`.
    Agency,
}

impl Route {
    /// The name in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::Reconnect => "reconnect",
            Self::Agency => "agency",
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The ways of a run, in the order in which each installation tries them: at least one, none twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RouteList(Vec<Route>);

impl RouteList {
    /// The ways in order.
    pub fn iter(&self) -> impl Iterator<Item = Route> {
        self.0.iter().copied()
    }

    /// Whether a way is among them.
    pub fn include(&self, route: Route) -> bool {
        self.0.contains(&route)
    }

    /// Whether nothing but a reconnect is tried, as where nobody says otherwise.
    pub fn are_default(&self) -> bool {
        self.0 == [Route::Reconnect]
    }
}

impl Default for RouteList {
    fn default() -> Self {
        Self(vec![Route::Reconnect])
    }
}

/// A text that names no ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "not a list of ways: write refresh, reconnect and agency in the order to try them, such as refresh,reconnect"
)]
pub struct NotRoutes;

impl FromStr for RouteList {
    type Err = NotRoutes;

    fn from_str(text: &str) -> Result<Self, NotRoutes> {
        let mut routes = Vec::new();
        for word in text.split(',') {
            let known = [Route::Refresh, Route::Reconnect, Route::Agency];
            let is_named = |route: &Route| word.trim().eq_ignore_ascii_case(route.name());
            let route = known.into_iter().find(is_named).ok_or(NotRoutes)?;
            if routes.contains(&route) {
                return Err(NotRoutes);
            }
            routes.push(route);
        }
        Ok(Self(routes))
    }
}

impl TryFrom<String> for RouteList {
    type Error = NotRoutes;

    fn try_from(text: String) -> Result<Self, NotRoutes> {
        text.parse()
    }
}

impl From<RouteList> for String {
    fn from(routes: RouteList) -> Self {
        routes.to_string()
    }
}

impl fmt::Display for RouteList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|route| route.name()).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_in_order_and_none_twice() {
        for (text, routes) in [
            ("reconnect", Ok("reconnect")),
            ("refresh, Reconnect", Ok("refresh,reconnect")),
            ("agency,refresh,reconnect", Ok("agency,refresh,reconnect")),
            ("", Err(NotRoutes)),
            ("refresh,refresh", Err(NotRoutes)),
            ("refresh;reconnect", Err(NotRoutes)),
            ("reinstall", Err(NotRoutes)),
        ] {
            let read = text.parse::<RouteList>().map(|routes| routes.to_string());
            assert_eq!(read.as_deref().map_err(|error| *error), routes, "{text}");
        }
    }
}
