//! The ways of a run: which are open, to whom, and why the others are not.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{MutexGuard, watch};

use crate::{
    clock,
    engine::batch::Job,
    failure::{Class, Failure, Stage},
    highlevel::token_checks::TokenChecks,
    installation::{Installation, Scope},
    plan::fingerprint::{Fingerprint, Fingerprints},
    route::{Route, RouteList},
    settings::agency_tokens::{AgencyTokens, Held},
};

/// Knows the ways, and learns which of them are closed.
#[derive(Debug)]
pub struct Routes {
    routes: RouteList,
    agencies: AgencyTokens,
    token_checks: TokenChecks,
    closed: Mutex<Vec<(Route, Failure)>>,
    proven: [AtomicBool; 3],
    canaries: [tokio::sync::Mutex<()>; 3],
    prints: Fingerprints,
    /// Refresh tokens that were presented, and for which row.
    presented: Mutex<HashMap<Fingerprint, u32>>,
    /// Agencies that are being recovered, whose tokens may open a way.
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

impl Routes {
    /// All of these ways are open at first.
    pub fn new(routes: RouteList, agencies: AgencyTokens, token_checks: TokenChecks) -> Self {
        Self {
            routes,
            agencies,
            token_checks,
            closed: Mutex::default(),
            proven: Default::default(),
            canaries: Default::default(),
            prints: Fingerprints::default(),
            presented: Mutex::default(),
            in_work: watch::Sender::new(0),
        }
    }

    /// The work on an installation begins. Agencies come first in a list; their sub-accounts wait for
    /// those that are in work.
    pub fn begin(&self, installation: &Installation) -> Option<AgencyInWork> {
        let is_awaited = installation.scope == Scope::Company && self.routes.include(Route::Agency);
        is_awaited.then(|| {
            self.in_work.send_modify(|in_work| *in_work += 1);
            AgencyInWork(self.in_work.clone())
        })
    }

    /// Whether no agency is in work.
    pub fn are_agencies_done(&self) -> bool {
        *self.in_work.borrow() == 0
    }

    /// Returns when no agency is in work.
    pub async fn agencies_are_done(&self) {
        // The sender lives as long as this does.
        let _ = self.in_work.subscribe().wait_for(|in_work| *in_work == 0).await;
    }

    /// The ways in the order in which they are tried.
    pub fn routes(&self) -> &RouteList {
        &self.routes
    }

    /// The tokens of agencies.
    pub fn agencies(&self) -> &AgencyTokens {
        &self.agencies
    }

    /// How tokens are tried.
    pub fn token_checks(&self) -> &TokenChecks {
        &self.token_checks
    }

    /// Whether a way is open to an installation, or what stands in the way.
    pub fn check_open(&self, route: Route, job: &Job) -> Result<(), Failure> {
        if let Some(found) = self.closed_by(route) {
            let message = format!("not asked, since this was found before: {}", found.message);
            return Err(Failure::without_answer(found.stage, found.class, &message));
        }
        match route {
            Route::Reconnect => Ok(()),
            Route::Refresh => self.check_refresh_open(job),
            Route::Agency => self.check_agency_open(&job.installation),
        }
    }

    fn check_refresh_open(&self, job: &Job) -> Result<(), Failure> {
        let Some(token) = &job.tokens.refresh else {
            return Err(missing("the list has no refresh token for it"));
        };
        if let Some(at) = job.before.refresh_presented {
            let why = format!(
                "its refresh token was presented in an earlier leg of this run, at {}, without an \
                 answer, and may be spent",
                clock::stamp(at)
            );
            return Err(Failure::without_answer(Stage::Refresh, Class::OutcomeUnknown, &why));
        }
        // A token that stands in two rows is of one of them at most, and works once.
        let print = self.prints.of_text(token.expose());
        let mut presented = self.presented.lock().unwrap_or_else(PoisonError::into_inner);
        match *presented.entry(print).or_insert(job.row) {
            row if row == job.row => Ok(()),
            row => Err(missing(&format!("row {row} of the list has the same refresh token"))),
        }
    }

    /// Leave to go a way: alone, as long as nobody has shown that it leads anywhere.
    pub async fn canary(&self, route: Route) -> Option<MutexGuard<'_, ()>> {
        if self.is_proven(route) {
            return None;
        }
        let alone = self.canaries[route as usize].lock().await;
        (!self.is_proven(route)).then_some(alone)
    }

    /// Whether it is known that a way is there.
    pub fn is_proven(&self, route: Route) -> bool {
        self.proven[route as usize].load(Ordering::Relaxed)
    }

    /// A way was answered as one that is there.
    pub fn prove(&self, route: Route) {
        self.proven[route as usize].store(true, Ordering::Relaxed);
    }

    fn check_agency_open(&self, installation: &Installation) -> Result<(), Failure> {
        let missing = |why: &str| Err(missing(why));
        if installation.scope == Scope::Company {
            return missing("an agency has no agency that could ask for its tokens");
        }
        let Some(company) = &installation.company else {
            return missing("the list does not say which agency (company id) it belongs to");
        };
        match self.agencies.get(company) {
            Held::Usable(_) => Ok(()),
            Held::Missing => missing(&format!(
                "no agency token for company {company}: give --agency-tokens, or put the agency into the list"
            )),
            Held::Expired(at) => missing(&format!(
                "the token of agency {company} has expired at {}: give a fresh one with --agency-tokens",
                clock::stamp(at)
            )),
            Held::Refused(failure) => missing(&format!(
                "the token of agency {company} was refused ({}): give another one with --agency-tokens",
                failure.message
            )),
        }
    }

    fn closed_by(&self, route: Route) -> Option<Failure> {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        closed.iter().find(|(shut, _)| *shut == route).map(|(_, failure)| failure.clone())
    }

    /// Learns from a failure that the next installation need not meet again.
    pub fn learn(&self, route: Route, failure: &Failure) {
        if failure.class == Class::EndpointRemoved {
            let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
            if !closed.iter().any(|(shut, _)| *shut == route) {
                closed.push((route, failure.clone()));
            }
        }
    }

    /// Whether a failure that would stop the run stops one of its ways only.
    pub fn bypass(&self, failure: &Failure) -> bool {
        let is_open = |route: Route| self.closed_by(route).is_none();
        failure.class == Class::EndpointRemoved && self.routes.iter().any(is_open)
    }
}

/// Something that the list or the options lack: nothing was sent.
fn missing(why: &str) -> Failure {
    Failure::without_answer(Stage::Input, Class::InvalidRequest, why)
}

/// Nothing that was asked for leads to this installation.
pub fn no_route() -> Failure {
    missing("none of the ways that --via names leads to it")
}

/// The stage at which a way gives tokens.
pub fn stage_of(route: Route) -> Stage {
    match route {
        Route::Refresh => Stage::Refresh,
        Route::Reconnect => Stage::Exchange,
        Route::Agency => Stage::Agency,
    }
}
