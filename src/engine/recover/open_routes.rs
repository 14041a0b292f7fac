//! The routes of a run: which of them are closed to all, and what they share.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use tokio::sync::watch;

use crate::{
    failure::{Class, Failure, Stage},
    highlevel::token_checks::TokenChecks,
    installation::{Installation, Scope},
    plan::fingerprint::{Fingerprint, Fingerprints},
    route::{Route, RouteList},
    secret::Secret,
    settings::agency_tokens::AgencyTokens,
};

/// The routes of a run, and the failures that have closed some of them.
#[derive(Debug)]
pub struct OpenRoutes {
    list: RouteList,
    agencies: AgencyTokens,
    token_checks: TokenChecks,
    closed: Mutex<BTreeMap<Route, Failure>>,
    prints: Fingerprints,
    /// Refresh tokens that were presented, and for which row.
    presented: Mutex<HashMap<Fingerprint, u32>>,
    /// Agencies in flight, whose tokens may serve their sub-accounts.
    in_work: watch::Sender<usize>,
}

/// An agency is being recovered as long as this lives.
#[derive(Debug)]
pub struct AgencyInWork(watch::Sender<usize>);

impl Drop for AgencyInWork {
    fn drop(&mut self) {
        self.0.send_modify(|in_work| *in_work -= 1);
    }
}

impl OpenRoutes {
    /// All of these routes are open at first.
    pub fn new(list: RouteList, agencies: AgencyTokens, token_checks: TokenChecks) -> Self {
        Self {
            list,
            agencies,
            token_checks,
            closed: Mutex::default(),
            prints: Fingerprints::default(),
            presented: Mutex::default(),
            in_work: watch::Sender::new(0),
        }
    }

    /// The work on an installation begins. Agencies come first in a list; their sub-accounts wait for
    /// those in flight.
    pub fn begin(&self, installation: &Installation) -> Option<AgencyInWork> {
        let is_awaited = installation.scope == Scope::Company && self.use_agency_tokens();
        is_awaited.then(|| {
            self.in_work.send_modify(|in_work| *in_work += 1);
            AgencyInWork(self.in_work.clone())
        })
    }

    /// Whether sub-accounts may get tokens with those of their agencies.
    pub fn use_agency_tokens(&self) -> bool {
        self.list.include(Route::Agency)
    }

    /// Whether no agency is in flight.
    pub fn are_agencies_done(&self) -> bool {
        *self.in_work.borrow() == 0
    }

    /// Returns when no agency is in flight.
    pub async fn agencies_are_done(&self) {
        // The sender lives as long as this does.
        let _ = self.in_work.subscribe().wait_for(|in_work| *in_work == 0).await;
    }

    /// The routes in the order in which they are tried.
    pub fn list(&self) -> &RouteList {
        &self.list
    }

    /// The tokens of agencies.
    pub fn agencies(&self) -> &AgencyTokens {
        &self.agencies
    }

    /// Which tokens are checked, and where.
    pub fn token_checks(&self) -> &TokenChecks {
        &self.token_checks
    }

    /// Whether no failure has closed a route to all; an error says which one has.
    pub(super) fn check_not_closed(&self, route: Route) -> Result<(), Failure> {
        let Some(found) = self.closed_by(route) else { return Ok(()) };
        let message = format!("not asked, since this was found before: {}", found.message);
        Err(Failure::without_answer(found.stage, found.class, &message))
    }

    /// Takes a refresh token for a row. A token that is in two rows belongs to one of them at most,
    /// and works once; the error is the row that has it.
    pub(super) fn claim_refresh_token(&self, token: &Secret, row: u32) -> Result<(), u32> {
        let print = self.prints.of_text(token.expose());
        let mut presented = self.presented.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = *presented.entry(print).or_insert(row);
        if owner == row { Ok(()) } else { Err(owner) }
    }

    fn closed_by(&self, route: Route) -> Option<Failure> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).get(&route).cloned()
    }

    /// Closes a route for a failure that the next installation need not meet again.
    pub(super) fn learn(&self, route: Route, failure: &Failure) {
        if failure.class == Class::EndpointRemoved {
            let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
            closed.entry(route).or_insert_with(|| failure.clone());
        }
    }

    /// Whether a failure that would halt the run closes one of its routes only.
    pub(super) fn bypass(&self, failure: &Failure) -> bool {
        let is_open = |route: Route| self.closed_by(route).is_none();
        failure.class == Class::EndpointRemoved && self.list.iter().any(is_open)
    }
}

/// Something that the list or the options lack: nothing was sent.
pub(super) fn missing(why: &str) -> Failure {
    Failure::without_answer(Stage::Input, Class::InvalidRequest, why)
}

/// Nothing that was asked for leads to an installation.
pub(super) fn no_route() -> Failure {
    missing("none of the routes that --via names leads to it")
}
