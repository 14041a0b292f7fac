//! The failure of an installation for which no route worked: one reason out of several.

use std::{fmt::Write, time::Duration};

use super::{
    open_routes::no_route,
    recovery::{Ending, Recovery},
    routes::steps_of,
};
use crate::{
    event::Call,
    failure::{Class, Failure, Stage},
    installation::Scope,
    journal::writer::StorageError,
    route::Route,
    text::SafeText,
};

/// Why one route did not work for an installation.
#[derive(Clone, Debug)]
pub(crate) struct RouteUnavailable {
    route: Route,
    failure: Failure,
    /// The request that failed; `None` if none was made.
    call: Option<Call>,
    progress: RouteProgress,
}

/// Whether a route was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RouteProgress {
    /// It was not open, and nothing was tried.
    Closed,
    /// It was tried.
    Tried,
}

impl RouteUnavailable {
    /// The route was not open.
    pub(crate) fn closed(route: Route, failure: Failure) -> Self {
        Self { route, failure, call: None, progress: RouteProgress::Closed }
    }

    /// The route was tried and failed.
    pub(crate) fn tried(route: Route, failure: Failure, call: Option<Call>) -> Self {
        Self { route, failure, call, progress: RouteProgress::Tried }
    }

    /// Whether the installation lacks what the route needs, and nobody can supply it.
    fn is_no_route(&self, scope: Scope) -> bool {
        self.failure.stage == Stage::Input && !steps_of(self.route).can_be_opened(scope)
    }

    /// Whether it concerns the refresh token alone, not the installation nor the route.
    fn is_of_the_refresh_token(&self) -> bool {
        let Failure { stage, class, .. } = &self.failure;
        *stage == Stage::Refresh && matches!(class, Class::GrantRefused | Class::OutcomeUnknown)
    }

    fn comes_from_highlevel(&self) -> bool {
        self.failure.stage != Stage::Input
    }
}

/// Which of the reasons, in the order of the routes, is reported.
///
/// The last one that HighLevel gave. Two kinds yield to others: a dead refresh token says nothing about
/// the installation, and a removed endpoint says nothing about a later route that a person can still
/// open.
fn decisive(unavailable: &[RouteUnavailable], scope: Scope) -> Option<usize> {
    let last = |is: &dyn Fn(&RouteUnavailable) -> bool| unavailable.iter().rposition(is);
    let can_be_opened = |o: &RouteUnavailable| !o.comes_from_highlevel() && !o.is_no_route(scope);
    let verdict = last(&|o| o.comes_from_highlevel() && !o.is_of_the_refresh_token());
    match verdict {
        Some(at) if unavailable[at].failure.class == Class::EndpointRemoved => {
            last(&can_be_opened).max(Some(at))
        }
        Some(at) => Some(at),
        None => last(&can_be_opened)
            .or_else(|| last(&RouteUnavailable::comes_from_highlevel))
            .or_else(|| unavailable.len().checked_sub(1)),
    }
}

/// The decisive failure, with the texts of the other routes after its own, each with its name.
fn reason(unavailable: &[RouteUnavailable], decisive: usize) -> Failure {
    let main = &unavailable[decisive].failure;
    let mut text = main.message.as_str().to_owned();
    for (at, other) in unavailable.iter().enumerate() {
        let text_of_other = other.failure.message.as_str();
        if at != decisive && !text_of_other.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(text, "; {}: {text_of_other}", other.route);
        }
    }
    Failure { message: SafeText::new(&text), ..main.clone() }
}

impl Recovery<'_> {
    /// Fails an installation for which no route worked.
    pub(crate) async fn fail_without_route(
        &mut self,
        unavailable: Vec<RouteUnavailable>,
    ) -> Result<Ending, StorageError> {
        let Some(at) = decisive(&unavailable, self.installation.scope) else {
            return self.give_up(no_route(), None).await;
        };
        let failure = reason(&unavailable, at);
        // The call of the last route that was tried is in no event yet; those before it are.
        let last = unavailable.iter().rposition(|o| o.progress == RouteProgress::Tried);
        let call = unavailable[at].call.clone().filter(|_| last == Some(at));
        if let Some(last) = last.filter(|last| *last != at) {
            let RouteUnavailable { failure, call, .. } = unavailable[last].clone();
            self.wait_for_next(failure, call, Duration::ZERO).await?;
        }
        self.give_up(failure, call).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unavailable(route: Route, stage: Stage, class: Class, text: &str) -> RouteUnavailable {
        let failure = Failure::without_answer(stage, class, text);
        match stage {
            Stage::Input => RouteUnavailable::closed(route, failure),
            _ => RouteUnavailable::tried(route, failure, None),
        }
    }

    #[test]
    fn the_last_reason_decides_and_a_dead_refresh_token_yields_to_others() {
        use Class::{
            EndpointRemoved, GrantRefused, InvalidRequest, NotInstalled, OutcomeUnknown,
            ServerError, UnknownId,
        };
        let refresh = |class| unavailable(Route::Refresh, Stage::Refresh, class, "refresh");
        let reconnect = |class| unavailable(Route::Reconnect, Stage::Reconnect, class, "reconnect");
        let agency = |class| unavailable(Route::Agency, Stage::Agency, class, "agency");
        let no_refresh_token = unavailable(Route::Refresh, Stage::Input, InvalidRequest, "none");
        let no_agency_token = unavailable(Route::Agency, Stage::Input, InvalidRequest, "give one");
        let (gone, dead) = (reconnect(EndpointRemoved), refresh(GrantRefused));
        let (sub_account, own) = (Scope::Location, Scope::Company);
        for (scope, met, decides) in [
            (sub_account, vec![&dead, &gone], Some(1)),
            (sub_account, vec![&gone, &dead], Some(0)),
            (sub_account, vec![&refresh(OutcomeUnknown), &gone], Some(1)),
            (sub_account, vec![&dead], Some(0)),
            (sub_account, vec![&dead, &reconnect(NotInstalled)], Some(1)),
            (sub_account, vec![&reconnect(ServerError), &dead], Some(0)),
            (sub_account, vec![&reconnect(NotInstalled), &no_agency_token], Some(0)),
            (sub_account, vec![&gone, &no_agency_token], Some(1)),
            (sub_account, vec![&no_agency_token, &gone], Some(1)),
            (sub_account, vec![&dead, &no_agency_token], Some(1)),
            (sub_account, vec![&no_agency_token, &dead], Some(0)),
            (sub_account, vec![&no_refresh_token, &gone], Some(1)),
            (sub_account, vec![&gone, &no_refresh_token], Some(0)),
            (sub_account, vec![&reconnect(ServerError), &no_refresh_token], Some(0)),
            (sub_account, vec![&agency(UnknownId), &gone], Some(1)),
            (sub_account, vec![&gone, &agency(UnknownId)], Some(1)),
            (sub_account, vec![&dead, &gone, &agency(UnknownId)], Some(2)),
            (own, vec![&dead, &no_agency_token], Some(0)),
            (own, vec![&gone, &no_agency_token], Some(0)),
            (own, vec![&no_refresh_token, &no_agency_token], Some(1)),
            (sub_account, vec![&no_refresh_token], Some(0)),
            (sub_account, vec![], None),
        ] {
            let met: Vec<RouteUnavailable> = met.into_iter().cloned().collect();
            assert_eq!(decisive(&met, scope), decides, "{scope}: {met:?}");
        }
    }

    #[test]
    fn the_texts_of_the_other_routes_follow() {
        let dead = unavailable(Route::Refresh, Stage::Refresh, Class::GrantRefused, "it is dead");
        let gone =
            unavailable(Route::Reconnect, Stage::Reconnect, Class::EndpointRemoved, "it is gone");
        let failure = reason(&[dead, gone], 1);
        assert_eq!(failure.class, Class::EndpointRemoved);
        assert_eq!(failure.message.as_str(), "it is gone; refresh: it is dead");
    }
}
