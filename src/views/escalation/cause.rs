//! Failures by what HighLevel would have to look at: stage, status and error text.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;

use super::{
    answers::{AlikeCalls, Answer, AnswerLog},
    remedy::{Remedy, remedy},
    samples::{Sample, Samples},
};
use crate::{
    app::AppName,
    event::{Failed, Listed},
    failure::{Class, Stage},
    highlevel::normalised_message::normalised,
    installation::{Id, Installation, Scope},
    journal::state::{Outcome, RunState},
    text::SafeText,
};

/// Causes that are distinguished. Of further ones the installations are counted.
const MOST_CAUSES: usize = 1000;

/// Agencies of a cause that are named.
const MOST_AGENCIES: usize = 5;

/// What makes two failures the same to support.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    app: Option<AppName>,
    stage: Stage,
    http_status: Option<u16>,
    class: Class,
    text: String,
}

/// Failures of one kind.
#[derive(Debug)]
pub struct TicketCause {
    /// The app, where there are several.
    pub app: Option<AppName>,
    /// Where.
    pub stage: Stage,
    /// What kind.
    pub class: Class,
    /// Status of the answers.
    pub http_status: Option<u16>,
    /// The error text of the first of them.
    pub message: SafeText,
    /// Sub-account connections.
    pub locations: u32,
    /// Agency connections.
    pub companies: u32,
    /// The calls of this run that failed, by how they were answered.
    pub answers: BTreeMap<Answer, u64>,
    /// Attempts in earlier runs.
    pub earlier_attempts: u64,
    /// Agencies of the sub-accounts, as far as the list names them; one more than are shown.
    pub agencies: BTreeSet<Id>,
    /// The request of the first failure, and of the last.
    pub times: Option<(Timestamp, Timestamp)>,
    /// When the first of them failed first, in this run or an earlier one.
    pub first_ever: Option<Timestamp>,
    /// Installations for which tokens may have been granted that nobody holds.
    pub lost_grants: u32,
    traced: Samples,
    untraced: Samples,
}

impl TicketCause {
    fn of(listed: &Listed, failed: &Failed) -> Self {
        let failure = &failed.failure;
        Self {
            app: listed.app.clone(),
            stage: failure.stage,
            class: failure.class,
            http_status: failure.http_status,
            message: failure.message.clone(),
            locations: 0,
            companies: 0,
            answers: BTreeMap::new(),
            earlier_attempts: 0,
            agencies: BTreeSet::new(),
            times: None,
            first_ever: None,
            lost_grants: 0,
            traced: Samples::default(),
            untraced: Samples::default(),
        }
    }

    /// How many installations.
    pub fn installations(&self) -> u32 {
        self.locations + self.companies
    }

    /// Some of them; those with a trace id, where there are any.
    pub fn samples(&self) -> Vec<Sample> {
        let traced = self.traced.spread();
        if traced.is_empty() { self.untraced.spread() } else { traced }
    }

    /// Who can mend it.
    pub fn remedy(&self) -> Remedy {
        remedy(self.stage, self.class)
    }

    /// The calls that failed: those that were answered as the cause says first, then the others.
    pub fn answers(&self) -> Vec<(Answer, u64)> {
        let own = (self.stage, self.http_status);
        let mut answers: Vec<_> = self.answers.iter().map(|(answer, n)| (*answer, *n)).collect();
        answers.sort_by_key(|(answer, calls)| (*answer != own, std::cmp::Reverse(*calls)));
        answers
    }

    /// The agencies to name, and whether there are others.
    pub fn agencies(&self) -> (Vec<&Id>, bool) {
        let named = self.agencies.iter().take(MOST_AGENCIES).collect();
        (named, self.agencies.len() > MOST_AGENCIES)
    }

    fn add(&mut self, listed: &Listed, failed: &Failed, log: &AnswerLog) {
        let Listed { installation, history, .. } = listed;
        match installation.scope {
            Scope::Location => self.locations += 1,
            Scope::Company => self.companies += 1,
        }
        let earlier = history.as_ref().map_or(0, |history| history.attempts_total);
        self.earlier_attempts += u64::from(earlier);
        for AlikeCalls { answer, calls, .. } in log.of(failed.row) {
            *self.answers.entry(*answer).or_default() += u64::from(*calls);
        }
        if self.agencies.len() <= MOST_AGENCIES {
            self.agencies.extend(installation.company.clone());
        }
        let at = failed_call_at(failed, log);
        self.times = Some(self.times.map_or((at, at), |(from, to)| (from.min(at), to.max(at))));
        let earlier = history.as_ref().and_then(|history| history.first_failed_at.as_ref());
        let earlier = earlier.and_then(|time| time.parse().ok()).unwrap_or(at);
        self.first_ever = Some(self.first_ever.map_or(earlier, |first| first.min(earlier)));
        let trace_id = failed.failure.trace_id.as_ref().or(failed.trace_ids.last());
        let samples = if trace_id.is_some() { &mut self.traced } else { &mut self.untraced };
        let Installation { scope, id, company } = installation.clone();
        samples.add(Sample { at, scope, id, company, trace_id: trace_id.cloned() });
    }
}

/// When the call went out that failed at last; where none did, when it was given up.
pub(super) fn failed_call_at(failed: &Failed, log: &AnswerLog) -> Timestamp {
    let own = failed.call.as_ref().map(|call| call.at);
    own.or_else(|| log.last_at(failed.row, failed.failure.stage)).unwrap_or(failed.at)
}

/// Every failure by its cause, in bounded memory.
#[derive(Debug)]
pub struct TicketCauses<'a> {
    by_key: BTreeMap<Key, TicketCause>,
    /// Installations of causes beyond [`MOST_CAUSES`].
    pub beyond: u32,
    /// Those that were being worked on when the run was halted, or its part for an app.
    pub halted: BTreeMap<Option<AppName>, TicketCause>,
    lost: HashSet<Id>,
    log: &'a AnswerLog,
}

impl<'a> TicketCauses<'a> {
    /// No failure yet.
    pub fn of(run_state: &RunState, log: &'a AnswerLog) -> Self {
        let lost = run_state.all_lost_grants().into_iter().map(|grant| grant.id).collect();
        Self { by_key: BTreeMap::new(), beyond: 0, halted: BTreeMap::new(), lost, log }
    }

    /// Counts the outcome of one installation.
    pub fn installation(&mut self, listed: &Listed, outcome: &Outcome) {
        let Outcome::Failed(failed) = outcome else { return };
        let (is_lost, log) = (self.lost.contains(&failed.id), self.log);
        let cause = match failed.failure.class {
            Class::Interrupted => return,
            Class::Halted => {
                let in_work = self.halted.entry(listed.app.clone());
                in_work.or_insert_with(|| TicketCause::of(listed, failed))
            }
            _ => match self.place_of(listed, failed) {
                Some(cause) => cause,
                None => return self.beyond += 1,
            },
        };
        cause.add(listed, failed, log);
        cause.lost_grants += u32::from(is_lost);
    }

    fn place_of(&mut self, listed: &Listed, failed: &Failed) -> Option<&mut TicketCause> {
        let failure = &failed.failure;
        let key = Key {
            app: listed.app.clone(),
            stage: failure.stage,
            http_status: failure.http_status,
            class: failure.class,
            text: normalised(failure.message.as_str()),
        };
        if self.by_key.len() >= MOST_CAUSES && !self.by_key.contains_key(&key) {
            return None;
        }
        Some(self.by_key.entry(key).or_insert_with(|| TicketCause::of(listed, failed)))
    }

    /// The causes, the most frequent first.
    pub fn by_frequency(&self) -> Vec<&TicketCause> {
        let mut causes: Vec<_> = self.by_key.values().collect();
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.installations()));
        causes
    }
}
