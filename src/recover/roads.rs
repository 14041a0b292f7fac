//! The ways of a run: which are open, to whom, and why the others are not.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::{
    agency_tokens::{AgencyTokens, Held},
    batch::Job,
    clock,
    event::Call,
    highlevel::failure::{Class, Failure, Stage},
    installation::{Installation, Scope},
    text::SafeText,
    trials::Trials,
    way::{Way, Ways},
};

/// Knows the ways, and learns which of them are closed.
#[derive(Debug)]
pub struct Roads {
    ways: Ways,
    agencies: AgencyTokens,
    trials: Trials,
    closed: Mutex<Vec<(Way, Failure)>>,
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

impl Roads {
    /// All of these ways are open at first.
    pub fn new(ways: Ways, agencies: AgencyTokens, trials: Trials) -> Self {
        let (closed, in_work) = (Mutex::default(), watch::Sender::new(0));
        Self { ways, agencies, trials, closed, in_work }
    }

    /// The work on an installation begins. Agencies come first in a list; their sub-accounts wait for
    /// those that are in work.
    pub fn begin(&self, installation: &Installation) -> Option<AgencyInWork> {
        let is_awaited = installation.scope == Scope::Company && self.ways.include(Way::Agency);
        is_awaited.then(|| {
            self.in_work.send_modify(|in_work| *in_work += 1);
            AgencyInWork(self.in_work.clone())
        })
    }

    /// Returns when no agency is in work.
    pub async fn agencies_are_done(&self) {
        // The sender lives as long as this does.
        let _ = self.in_work.subscribe().wait_for(|in_work| *in_work == 0).await;
    }

    /// The ways in the order in which they are tried.
    pub fn ways(&self) -> &Ways {
        &self.ways
    }

    /// The tokens of agencies.
    pub fn agencies(&self) -> &AgencyTokens {
        &self.agencies
    }

    /// How tokens are tried.
    pub fn trials(&self) -> &Trials {
        &self.trials
    }

    /// Whether a way is open to an installation, or what stands in the way.
    pub fn open_to(&self, way: Way, job: &Job) -> Result<(), Failure> {
        if let Some(found) = self.closed_by(way) {
            let message = format!("not asked, since this was found before: {}", found.message);
            return Err(Failure::without_answer(found.stage, found.class, &message));
        }
        match way {
            Way::Reconnect => Ok(()),
            Way::Refresh if job.tokens.refresh.is_some() => Ok(()),
            Way::Refresh => Err(missing(Stage::Refresh, "the list has no refresh token for it")),
            Way::Agency => self.open_to_agency(&job.installation),
        }
    }

    fn open_to_agency(&self, installation: &Installation) -> Result<(), Failure> {
        let missing = |why: &str| Err(missing(Stage::Agency, why));
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
            Held::Refused(failure) => {
                let message = format!("the token of agency {company} is of no use: {failure}");
                let message = SafeText::new(&message);
                Err(Failure { message, http_status: None, trace_id: None, ..failure })
            }
        }
    }

    fn closed_by(&self, way: Way) -> Option<Failure> {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        closed.iter().find(|(shut, _)| *shut == way).map(|(_, failure)| failure.clone())
    }

    /// Learns from a failure that the next installation need not meet again.
    pub fn learn(&self, way: Way, failure: &Failure) {
        if failure.class == Class::EndpointRemoved {
            let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
            if !closed.iter().any(|(shut, _)| *shut == way) {
                closed.push((way, failure.clone()));
            }
        }
    }

    /// Whether a failure that would stop the run stops one of its ways only.
    pub fn lead_around(&self, failure: &Failure) -> bool {
        let is_open = |way: Way| self.closed_by(way).is_none();
        failure.class == Class::EndpointRemoved && self.ways.iter().any(is_open)
    }
}

fn missing(stage: Stage, why: &str) -> Failure {
    Failure::without_answer(stage, Class::InvalidRequest, why)
}

/// Nothing that was asked for leads to this installation.
pub fn no_way() -> Failure {
    missing(Stage::Input, "none of the ways that --via names leads to it")
}

/// What is said of an installation to which no way led: what failed last, and what stood in the other
/// ways.
pub fn in_the_end(
    failed: Option<(Failure, Option<Call>)>,
    obstacles: Vec<Failure>,
) -> (Failure, Option<Call>) {
    let mut obstacles = obstacles.into_iter();
    let (failure, call) = failed
        .or_else(|| obstacles.next().map(|failure| (failure, None)))
        .unwrap_or_else(|| (no_way(), None));
    let message = obstacles.fold(failure.message.to_string(), |said, obstacle| {
        format!("{said}; {}: {}", obstacle.stage, obstacle.message)
    });
    (Failure { message: SafeText::new(&message), ..failure }, call)
}

/// The stage at which a way gives tokens.
pub fn stage_of(way: Way) -> Stage {
    match way {
        Way::Refresh => Stage::Refresh,
        Way::Reconnect => Stage::Exchange,
        Way::Agency => Stage::Agency,
    }
}
