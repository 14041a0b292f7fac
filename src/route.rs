//! The routes to a new token pair, and the order in which they are tried.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::failure::Stage;

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

/// What a route is called, and the stages of its requests.
struct RouteFacts {
    name: &'static str,
    /// The stage of its first request.
    first: Stage,
    /// The stage of the request that gives tokens.
    grants: Stage,
}

impl Route {
    /// Every route.
    pub const ALL: [Self; 3] = [Self::Refresh, Self::Reconnect, Self::Agency];

    fn facts(self) -> RouteFacts {
        let (name, first, grants) = match self {
            Self::Refresh => ("refresh", Stage::Refresh, Stage::Refresh),
            Self::Reconnect => ("reconnect", Stage::Reconnect, Stage::Exchange),
            Self::Agency => ("agency", Stage::Agency, Stage::Agency),
        };
        RouteFacts { name, first, grants }
    }

    /// The name in options and files.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The stage of the request that gives tokens.
    pub fn grants_at(self) -> Stage {
        self.facts().grants
    }
}

impl Stage {
    /// The route whose requests have this stage; `None` for stages of no route.
    pub fn route(self) -> Option<Route> {
        let has = |facts: RouteFacts| facts.first == self || facts.grants == self;
        Route::ALL.into_iter().find(|route| has(route.facts()))
    }

    /// Whether a route begins with a request of this stage.
    pub fn begins_a_route(self) -> bool {
        self.route().is_some_and(|route| route.facts().first == self)
    }

    /// Whether a request of this stage gives tokens.
    pub fn grants_tokens(self) -> bool {
        self.route().is_some_and(|route| route.facts().grants == self)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The routes of a run, in the order in which each installation tries them: at least one, none twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RouteList(Vec<Route>);

impl RouteList {
    /// The routes in order.
    pub fn iter(&self) -> impl Iterator<Item = Route> {
        self.0.iter().copied()
    }

    /// One route alone.
    pub fn only(route: Route) -> Self {
        Self(vec![route])
    }

    /// Whether a route is among them.
    pub fn include(&self, route: Route) -> bool {
        self.0.contains(&route)
    }

    /// Whether they are the default: a reconnect and nothing else.
    pub fn are_default(&self) -> bool {
        self.0 == [Route::Reconnect]
    }
}

impl Default for RouteList {
    fn default() -> Self {
        Self(vec![Route::Reconnect])
    }
}

/// A text that names no routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "not a list of routes: write refresh, reconnect and agency in the order to try them, such as refresh,reconnect"
)]
pub struct NotRoutes;

impl FromStr for RouteList {
    type Err = NotRoutes;

    fn from_str(text: &str) -> Result<Self, NotRoutes> {
        let mut routes = Vec::new();
        for word in text.split(',') {
            let is_named = |route: &Route| word.trim().eq_ignore_ascii_case(route.name());
            let route = Route::ALL.into_iter().find(is_named).ok_or(NotRoutes)?;
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
