//! The forecast of a run: what each route can serve, what it costs and what it lacks.
//!
//! Computed from the counts of the list alone.

use std::{collections::HashSet, fmt, time::Duration};

use serde_json::{Value, json};

use super::{
    list_stats::{ByRefresh, ListStats, OwnTokens, RefreshToken},
    words::{counted, in_words},
};
use crate::{
    clock,
    installation::Id,
    pace::Pacing,
    route::{Route, RouteList},
};

/// Agencies without a token that are named; the rest is counted.
const NAMED: usize = 3;

/// What is expected of the routes of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// Each route, in the order in which they are tried.
    pub routes: Vec<RouteForecast>,
    /// Installations that none of the routes can serve.
    pub without_route: u32,
}

/// What is expected of one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteForecast {
    /// The route.
    pub route: Route,
    /// Installations that it can serve, if the routes before it fail.
    pub installations: u32,
    /// Those for which it is the first one.
    pub first: u32,
    /// What it cannot serve, and why.
    pub missing: Missing,
}

/// Why a route cannot serve installations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// They have no refresh token that can be used.
    pub refresh_token: u32,
    /// They do not name their agency.
    pub company_id: u32,
    /// Their agency's token is not at hand: agencies, the one with the most installations first.
    pub agency_token: Vec<(Id, u32)>,
    /// The same, of agencies that are not told apart.
    pub agency_token_beyond: u32,
}

/// Installations that are alike in what they bring along.
struct Group {
    count: u32,
    refresh: RefreshToken,
    agency: AgencyToken,
}

/// Whether the agency's token can give an installation its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AgencyToken {
    AtHand,
    Missing,
    /// It is an agency itself.
    NotForAgencies,
}

impl Route {
    /// Calls for one installation when all goes well.
    fn calls(self) -> u64 {
        match self {
            Self::Refresh | Self::Agency => 1,
            Self::Reconnect => 2,
        }
    }

    /// What to give where this route can serve nobody.
    pub(super) fn needs(self) -> Option<&'static str> {
        match self {
            Self::Reconnect => None,
            Self::Refresh => Some(
                "Give the list that still has the tokens: a column such as refresh_token, or the \
                 app's own store exported (failures.csv has none; resume RUN_DIR --retry-failed \
                 takes them from the first list)",
            ),
            Self::Agency => Some(
                "Give --agency-tokens FILE (or GHL_AGENCY_TOKEN), and a column company_id that names \
                 the agency of each sub-account",
            ),
        }
    }

    /// What an installation may lack after this route.
    fn loss(self) -> Option<&'static str> {
        match self {
            Self::Agency => Some("tokens of an agency may come without a refresh token"),
            Self::Refresh | Self::Reconnect => None,
        }
    }
}

impl Group {
    fn can_go(&self, route: Route) -> bool {
        match route {
            Route::Refresh => self.refresh == RefreshToken::AtHand,
            Route::Reconnect => true,
            Route::Agency => self.agency == AgencyToken::AtHand,
        }
    }
}

/// What the routes come to with these counts, where the tokens of some agencies are known already.
/// The agencies of the list count as known: they are recovered first.
pub(super) fn forecast(
    routes: &RouteList,
    stats: &ListStats,
    known: Option<&HashSet<Id>>,
) -> Forecast {
    let is_known = |id: &Id| known.is_some_and(|known| known.contains(id));
    let groups = groups(stats, is_known);
    let mut told = Forecast::default();
    for route in routes.iter() {
        told.routes.push(RouteForecast {
            route,
            installations: sum(groups.iter().filter(|group| group.can_go(route))),
            first: 0,
            missing: missing(route, stats, is_known),
        });
    }
    for group in &groups {
        match told.routes.iter_mut().find(|forecast| group.can_go(forecast.route)) {
            Some(forecast) => forecast.first += group.count,
            None => told.without_route += group.count,
        }
    }
    told
}

fn sum<'a>(groups: impl Iterator<Item = &'a Group>) -> u32 {
    groups.map(|group| group.count).sum()
}

fn groups(stats: &ListStats, is_known: impl Fn(&Id) -> bool) -> Vec<Group> {
    let (mut served, mut others) = (ByRefresh::default(), stats.without_agency);
    others += stats.beyond;
    for (id, agency) in &stats.agencies {
        let at_hand = agency.own == OwnTokens::Listed || is_known(id);
        *(if at_hand { &mut served } else { &mut others }) += agency.locations;
    }
    let group = |agency| move |(count, refresh)| Group { count, refresh, agency };
    let companies = stats.companies.kinds().map(group(AgencyToken::NotForAgencies));
    let served = served.kinds().map(group(AgencyToken::AtHand));
    let others = others.kinds().map(group(AgencyToken::Missing));
    companies.into_iter().chain(served).chain(others).collect()
}

fn missing(route: Route, stats: &ListStats, is_known: impl Fn(&Id) -> bool) -> Missing {
    match route {
        Route::Reconnect => Missing::default(),
        Route::Refresh => {
            let agencies = stats.agencies.values().map(|agency| agency.locations);
            let all = agencies.chain([stats.companies, stats.without_agency, stats.beyond]);
            Missing { refresh_token: all.map(|rows| rows.without).sum(), ..Missing::default() }
        }
        Route::Agency => Missing {
            company_id: stats.without_agency.all(),
            agency_token: agencies_without_token(stats, is_known),
            agency_token_beyond: stats.beyond.all(),
            ..Missing::default()
        },
    }
}

fn agencies_without_token(stats: &ListStats, is_known: impl Fn(&Id) -> bool) -> Vec<(Id, u32)> {
    let unknown = stats.agencies.iter().filter(|(id, agency)| {
        agency.own == OwnTokens::NotListed && agency.locations.all() > 0 && !is_known(id)
    });
    let mut unknown: Vec<_> =
        unknown.map(|(id, agency)| (id.clone(), agency.locations.all())).collect();
    unknown.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
    unknown
}

impl Missing {
    /// Each thing that is missing in words, one a line.
    pub(super) fn in_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut print = |rows: u32, what: String| {
            if rows > 0 {
                words.push(format!("{what}: {}", counted(rows, "row")));
            }
        };
        print(self.refresh_token, "no refresh token".into());
        print(self.company_id, "no company id".into());
        for (id, rows) in self.agency_token.iter().take(NAMED) {
            print(*rows, format!("no agency token for company {id}"));
        }
        let rest = self.agency_token.iter().skip(NAMED);
        let more = u32::try_from(rest.clone().count()).unwrap_or(u32::MAX);
        let more = match (more, self.agency_token_beyond) {
            (1, 0) => "no agency token for 1 more company".into(),
            (_, 0) => format!("no agency token for {more} more companies"),
            (..) => format!("no agency token for more than {more} more companies"),
        };
        print(rest.map(|(_, rows)| rows).sum::<u32>() + self.agency_token_beyond, more);
        words
    }

    fn as_json(&self) -> Value {
        let rows = self.agency_token.iter().map(|(_, rows)| rows).sum::<u32>();
        let named = self.agency_token.iter().take(NAMED);
        let named = named.map(|(id, rows)| json!({ "company_id": id.as_str(), "rows": rows }));
        json!({
            "refresh_token": self.refresh_token,
            "company_id": self.company_id,
            "agency_token": rows + self.agency_token_beyond,
            "agencies": named.collect::<Vec<_>>(),
        })
    }
}

impl RouteForecast {
    /// Calls of those for which it is the first route, when all goes well.
    pub fn calls(&self) -> u64 {
        u64::from(self.first) * self.route.calls()
    }

    fn least_time(&self, pacing: &Pacing) -> Duration {
        pacing.bound().least_time_for(self.calls())
    }
}

impl Forecast {
    /// Calls when all goes well.
    pub fn calls(&self) -> u64 {
        self.routes.iter().map(RouteForecast::calls).sum()
    }

    /// The forecast as `check --json` prints it.
    pub(super) fn as_json(&self, pacing: &Pacing) -> Value {
        let routes = self.routes.iter().map(|forecast| {
            json!({
                "way": forecast.route,
                "installations": forecast.installations,
                "first": forecast.first,
                "calls": forecast.calls(),
                "least_time_ms": clock::millis(forecast.least_time(pacing)),
                "may_lack_refresh_token": forecast.route.loss().is_some(),
                "missing": forecast.missing.as_json(),
            })
        });
        routes.collect()
    }

    /// For a person: a line a route, what it lacks below it.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, pacing: &Pacing) -> fmt::Result {
        for forecast in &self.routes {
            let RouteForecast { route, installations, first, .. } = forecast;
            let calls = match forecast.calls() {
                1 => "1 call".to_owned(),
                calls => format!("{calls} calls"),
            };
            writeln!(
                f,
                "Via {:<10} open to {}, first for {first}: {calls}, {} at least",
                route.name(),
                counted(*installations, "installation"),
                in_words(forecast.least_time(pacing)),
            )?;
            let loss = route.loss().filter(|_| *installations > 0).map(str::to_owned);
            for line in forecast.missing.in_words().into_iter().chain(loss) {
                writeln!(f, "                 {line}")?;
            }
        }
        match self.without_route {
            0 => Ok(()),
            rows => writeln!(
                f,
                "No route       {}: none of these routes is open to them",
                counted(rows, "row")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        installation::{Installation, Scope},
        secret::{Secret, TokensAtHand},
    };

    /// So many sub-accounts of agency A with and without a refresh token, of B without, of nobody
    /// with one, and agency A itself where it is listed.
    fn stats(own: OwnTokens) -> ListStats {
        let mut stats = ListStats::default();
        let id = |text: &str| Id::new(text).unwrap();
        let refresh = || TokensAtHand { access: None, refresh: Some(Secret::new("x".into())) };
        let mut add = |count: u32, scope, company: Option<&str>, tokens: &TokensAtHand| {
            for n in 0..count {
                let id = if scope == Scope::Company {
                    id("agency-A")
                } else {
                    id(&format!("location-{n}"))
                };
                stats.count(
                    &Installation { scope, id, company: company.map(|c| Id::new(c).unwrap()) },
                    tokens,
                );
            }
        };
        add(4, Scope::Location, Some("agency-A"), &refresh());
        add(3, Scope::Location, Some("agency-A"), &TokensAtHand::default());
        add(2, Scope::Location, Some("agency-B"), &TokensAtHand::default());
        add(1, Scope::Location, None, &refresh());
        if own == OwnTokens::Listed {
            add(1, Scope::Company, None, &TokensAtHand::default());
        }
        stats
    }

    /// Ways, the connection of agency A, agencies whose tokens are known.
    type Given<'a> = (&'a str, OwnTokens, Option<&'a HashSet<Id>>);

    /// A route, what it serves, what takes it first, calls.
    type Told = (&'static str, u32, u32, u64);

    #[test]
    fn each_route_is_told_with_what_it_serves_and_lacks() {
        let b = HashSet::from([Id::new("agency-B").unwrap()]);
        #[rustfmt::skip]
        let table: [(Given<'_>, &[Told], u32); 8] = [
            (("reconnect", OwnTokens::Listed, None), &[("reconnect", 11, 11, 22)], 0),
            (("refresh", OwnTokens::NotListed, None), &[("refresh", 5, 5, 5)], 5),
            (("refresh,reconnect", OwnTokens::NotListed, None), &[("refresh", 5, 5, 5), ("reconnect", 10, 5, 10)], 0),
            (("reconnect,refresh", OwnTokens::NotListed, None), &[("reconnect", 10, 10, 20), ("refresh", 5, 0, 0)], 0),
            (("agency", OwnTokens::NotListed, None), &[("agency", 0, 0, 0)], 10),
            (("agency", OwnTokens::NotListed, Some(&b)), &[("agency", 2, 2, 2)], 8),
            (("agency,reconnect", OwnTokens::Listed, None), &[("agency", 7, 7, 7), ("reconnect", 11, 4, 8)], 0),
            (("refresh,agency", OwnTokens::Listed, Some(&b)), &[("refresh", 5, 5, 5), ("agency", 9, 5, 5)], 1),
        ];
        for ((routes, own, known), expected, without_route) in table {
            let told = forecast(&routes.parse().unwrap(), &stats(own), known);
            let of = |f: &RouteForecast| (f.route.name(), f.installations, f.first, f.calls());
            assert_eq!(told.routes.iter().map(of).collect::<Vec<_>>(), expected, "{routes}");
            assert_eq!(told.without_route, without_route, "{routes}");
        }
    }

    #[test]
    fn what_is_missing_is_named_the_most_rows_first() {
        let lacks = |routes: &str, own| {
            let told = forecast(&routes.parse().unwrap(), &stats(own), None);
            told.routes.iter().flat_map(|forecast| forecast.missing.in_words()).collect::<Vec<_>>()
        };
        assert_eq!(lacks("reconnect", OwnTokens::Listed), [""; 0]);
        assert_eq!(lacks("refresh", OwnTokens::Listed), ["no refresh token: 6 rows"]);
        assert_eq!(
            lacks("agency", OwnTokens::NotListed),
            [
                "no company id: 1 row",
                "no agency token for company agency-A: 7 rows",
                "no agency token for company agency-B: 2 rows",
            ]
        );
        assert_eq!(
            lacks("agency", OwnTokens::Listed)[1],
            "no agency token for company agency-B: 2 rows"
        );
        let many = Missing {
            agency_token: (0..6)
                .map(|n| (Id::new(&format!("agency-{n}")).unwrap(), 9 - n))
                .collect(),
            ..Missing::default()
        };
        assert_eq!(many.in_words()[3], "no agency token for 3 more companies: 15 rows");
    }
}
