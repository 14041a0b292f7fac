//! Which failures concern all installations: a pure judgement over what has ended so far. How many
//! of a class it takes stands in the table of classes.

use std::collections::BTreeMap;

use super::limit::MaxFailures;
use crate::highlevel::{
    failure::{Class, Failure, Origin, Stage},
    table::{Counted, Halts},
};

/// Watches how installations end.
#[derive(Debug, Default)]
pub struct Breaker {
    limit: MaxFailures,
    recovered: u32,
    failed: u32,
    in_a_row: BTreeMap<Class, u32>,
    in_all: BTreeMap<Class, u32>,
}

/// What the failure of one installation means for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    GoOn,
    /// Its fault concerns all: the run halts.
    Halt,
    /// The run halts, since more have failed than may.
    TooMany {
        /// How many.
        failed: u32,
        /// How many have ended, these among them.
        ended: u32,
        /// How many may.
        limit: MaxFailures,
    },
}

impl Breaker {
    /// A watch over a run in which so many may fail.
    pub fn new(limit: MaxFailures) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Whether a recovery has shown that the way is open.
    pub fn is_proven(&self) -> bool {
        self.recovered > 0
    }

    /// An installation was recovered.
    pub fn recovered(&mut self) -> Verdict {
        self.recovered += 1;
        self.in_a_row.clear();
        self.against_limit()
    }

    /// An installation was given up.
    pub fn failed(&mut self, failure: &Failure) -> Verdict {
        self.failed += 1;
        if self.concerns_all(failure) { Verdict::Halt } else { self.against_limit() }
    }

    /// Judged whenever one ends, however: a share counts from the sample on.
    fn against_limit(&self) -> Verdict {
        let (failed, ended) = (self.failed, self.recovered.saturating_add(self.failed));
        if self.limit.is_exceeded(failed, ended) {
            Verdict::TooMany { failed, ended, limit: self.limit }
        } else {
            Verdict::GoOn
        }
    }

    fn concerns_all(&mut self, failure: &Failure) -> bool {
        if !self.is_proven() && is_nothing_like_highlevel(failure) {
            return true;
        }
        let Some(halts) = failure.class.about().halts else { return false };
        if halts.at.is_some_and(|stage| !is_like(stage, failure.stage)) || is_of_an_agency(failure)
        {
            return false;
        }
        let count = self.count(failure.class, halts);
        let most = if self.is_proven() { halts.later } else { Some(halts.first) };
        most.is_some_and(|most| count >= most)
    }

    fn count(&mut self, class: Class, halts: Halts) -> u32 {
        let counts = match halts.counted {
            Counted::InARow => &mut self.in_a_row,
            Counted::InAll => &mut self.in_all,
        };
        let count = counts.entry(class).or_default();
        *count += 1;
        *count
    }
}

/// Whether a stage is the one that is meant: what the reconnect is to its way, the refresh and the
/// agency's call are to theirs.
fn is_like(meant: Stage, stage: Stage) -> bool {
    let first_calls = [Stage::Reconnect, Stage::Refresh, Stage::Agency];
    meant == stage || meant == Stage::Reconnect && first_calls.contains(&stage)
}

/// Whether it is one agency's token that is wrong: no other agency has to hear of it.
fn is_of_an_agency(failure: &Failure) -> bool {
    failure.stage == Stage::Agency && failure.class == Class::WrongKind
}

/// Whether it seems to be another host that answers. An outage's pages are no sign of that.
fn is_nothing_like_highlevel(failure: &Failure) -> bool {
    failure.origin == Origin::Elsewhere
        && matches!(failure.class, Class::BadAnswer | Class::Unrecognised)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{GoOn, Halt};

    fn failure(class: Class) -> Failure {
        Failure::without_answer(Stage::Reconnect, class, "")
    }

    fn judge(proven: bool, classes: &[Class]) -> Vec<Verdict> {
        let mut breaker = Breaker::default();
        if proven {
            breaker.recovered();
        }
        classes.iter().map(|class| breaker.failed(&failure(*class))).collect()
    }

    #[test]
    fn a_fault_of_all_stops_the_canary() {
        for class in [
            Class::EndpointRemoved,
            Class::ClientRefused,
            Class::Blocked,
            Class::Redirected,
            Class::Network,
        ] {
            assert_eq!(judge(false, &[class]), [Halt], "{class}");
        }
    }

    #[test]
    fn a_fault_of_one_does_not() {
        for class in
            [Class::NotInstalled, Class::UnknownId, Class::ServerError, Class::LocationInactive]
        {
            assert_eq!(judge(false, &[class; 20]), [GoOn; 20], "{class}");
        }
    }

    #[test]
    fn answers_that_nothing_knows_stop_the_run_where_no_other_has_come() {
        let reach = judge(false, &[Class::Unrecognised; 10]);
        assert_eq!(reach[..9], [GoOn; 9]);
        assert_eq!(reach[9], Halt);
        assert_eq!(judge(true, &[Class::Unrecognised; 20]), [GoOn; 20]);
    }

    #[test]
    fn who_answers_nothing_like_highlevel_stops_the_canary_alone() {
        for class in [Class::BadAnswer, Class::Unrecognised] {
            let page = Failure { origin: Origin::Elsewhere, ..failure(class) };
            let mut breaker = Breaker::default();
            assert_eq!(breaker.failed(&page), Halt, "{class}");
            breaker.recovered();
            assert_eq!(breaker.failed(&page), GoOn, "{class}");
        }
        let outage = Failure { origin: Origin::Elsewhere, ..failure(Class::ServerError) };
        assert_eq!(Breaker::default().failed(&outage), GoOn);
        assert_eq!(judge(false, &[Class::BadAnswer; 3]), [GoOn, GoOn, Halt], "JSON of no use");
    }

    #[test]
    fn three_misdirected_answers_stop_the_run_at_any_time() {
        for proven in [false, true] {
            assert_eq!(judge(proven, &[Class::WrongTenant; 3]), [GoOn, GoOn, Halt]);
            assert_eq!(judge(proven, &[Class::WrongKind; 3]), [GoOn, GoOn, Halt]);
        }
        let mut breaker = Breaker::default();
        let mut reach = Vec::new();
        for _ in 0..3 {
            reach.push(breaker.failed(&failure(Class::WrongTenant)));
            breaker.recovered();
        }
        assert_eq!(reach, [GoOn, GoOn, Halt], "recoveries in between do not excuse them");
    }

    #[test]
    fn three_blocked_answers_without_a_recovery_between_stop_a_proven_run() {
        assert_eq!(judge(true, &[Class::Blocked; 3]), [GoOn, GoOn, Halt]);
        let mut breaker = Breaker::default();
        for _ in 0..20 {
            breaker.recovered();
            assert_eq!(breaker.failed(&failure(Class::Blocked)), GoOn);
            assert_eq!(breaker.failed(&failure(Class::Redirected)), GoOn);
        }
    }

    #[test]
    fn a_removed_endpoint_stops_the_run_at_any_time() {
        assert_eq!(judge(true, &[Class::EndpointRemoved]), [Halt]);
    }

    #[test]
    fn one_revoked_authorization_does_not_stop_a_proven_run() {
        let reach = judge(true, &[Class::ClientRefused; 10]);
        assert_eq!(reach[..9], [GoOn; 9]);
        assert_eq!(reach[9], Halt);
    }

    #[test]
    fn a_stage_that_does_not_count_stops_nothing() {
        let at_exchange = Failure::without_answer(Stage::Exchange, Class::Network, "");
        assert_eq!(Breaker::default().failed(&at_exchange), GoOn);
    }

    #[test]
    fn more_failures_than_may_be_stop_the_run_and_recoveries_count_against_a_share() {
        let limit = MaxFailures::Share(1000);
        let mut breaker = Breaker::new(limit);
        for _ in 0..18 {
            breaker.recovered();
        }
        let last = [(); 3].map(|()| breaker.failed(&failure(Class::UnknownId)));
        assert_eq!(last, [GoOn, GoOn, Verdict::TooMany { failed: 3, ended: 21, limit }]);
        let mut early = Breaker::new(limit);
        let failures = [(); 5].map(|()| early.failed(&failure(Class::UnknownId)));
        assert_eq!(failures, [GoOn; 5], "the sample is too small");
        let recovered = [(); 15].map(|()| early.recovered());
        assert_eq!(recovered[..14], [GoOn; 14]);
        assert_eq!(recovered[14], Verdict::TooMany { failed: 5, ended: 20, limit });
        assert_eq!(
            Breaker::new(MaxFailures::Count(0)).failed(&failure(Class::EndpointRemoved)),
            Halt,
            "what is known to concern all is told as such"
        );
    }
}
