//! Failures by what HighLevel would have to look at: stage, status and error text.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use super::samples::{Sample, Samples};
use crate::{
    app::AppName,
    event::{Failed, Listed},
    failure::{Class, Stage},
    highlevel::normalised_message::normalised,
    installation::{Id, Scope},
    journal::state::{Outcome, RunState},
    text::SafeText,
};

/// Causes that are distinguished. Of further ones the installations are counted.
const MOST_CAUSES: usize = 1000;

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
    /// Attempts in all runs.
    pub attempts: u64,
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
            attempts: 0,
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

    fn add(&mut self, listed: &Listed, failed: &Failed) {
        let Listed { installation, history, .. } = listed;
        match installation.scope {
            Scope::Location => self.locations += 1,
            Scope::Company => self.companies += 1,
        }
        let earlier = history.as_ref().map_or(0, |history| history.attempts_total);
        self.attempts += u64::from(failed.attempts) + u64::from(earlier);
        let at = failed.call.as_ref().map_or(failed.at, |call| call.at);
        self.times = Some(self.times.map_or((at, at), |(from, to)| (from.min(at), to.max(at))));
        let earlier = history.as_ref().and_then(|history| history.first_failed_at.as_ref());
        let earlier = earlier.and_then(|time| time.parse().ok()).unwrap_or(at);
        self.first_ever = Some(self.first_ever.map_or(earlier, |first| first.min(earlier)));
        let trace_id = failed.failure.trace_id.as_ref().or(failed.trace_ids.last());
        let samples = if trace_id.is_some() { &mut self.traced } else { &mut self.untraced };
        let (scope, id) = (installation.scope, installation.id.clone());
        samples.add(Sample { at, scope, id, trace_id: trace_id.cloned() });
    }
}

/// Every failure by its cause, in bounded memory.
#[derive(Debug, Default)]
pub struct TicketCauses {
    by_key: BTreeMap<Key, TicketCause>,
    /// Installations of causes beyond [`MOST_CAUSES`].
    pub beyond: u32,
    /// Those that were being worked on when the run was halted.
    pub halted: Option<TicketCause>,
    lost: HashSet<Id>,
}

impl TicketCauses {
    /// No failure yet.
    pub fn of(run_state: &RunState) -> Self {
        let lost = run_state.all_lost_grants().into_iter().map(|grant| grant.id).collect();
        Self { lost, ..Self::default() }
    }

    /// Counts the outcome of one installation.
    pub fn installation(&mut self, listed: &Listed, outcome: &Outcome) {
        let Outcome::Failed(failed) = outcome else { return };
        let is_lost = self.lost.contains(&failed.id);
        let cause = match failed.failure.class {
            Class::Interrupted => return,
            Class::Halted => self.halted.get_or_insert_with(|| TicketCause::of(listed, failed)),
            _ => match self.place_of(listed, failed) {
                Some(cause) => cause,
                None => return self.beyond += 1,
            },
        };
        cause.add(listed, failed);
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
