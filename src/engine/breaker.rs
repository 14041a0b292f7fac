//! Which failures concern all installations: a pure decision over those that have ended so far. How
//! many of a class halt a run is in the table of classes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    num::NonZeroU32,
};

use super::failure_share::FailureShare;
use crate::plan::max_failures::MaxFailures;
use crate::{
    failure::{Class, Failure, Origin, Stage},
    highlevel::table::{Halts, Reach},
    route::Route,
};

/// The counts that halt a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// The failures that `--max-failures` allows.
    pub max_failures: MaxFailures,
    /// The failures after which a run without a recovery halts; `None`: never.
    pub give_up_after: Option<u32>,
}

/// Decides from the way installations end whether the run halts.
#[derive(Debug, Default)]
pub struct Breaker {
    limits: Limits,
    /// Whether installations were recovered before this execution.
    was_proven: bool,
    recovered: u32,
    failed: u32,
    /// By route (`None`: requests of no route) and class: a failure on one route says nothing about
    /// another route.
    rows: BTreeMap<(Option<Route>, Class), InARow>,
    /// Routes on which HighLevel has answered about an installation.
    seen: BTreeSet<Option<Route>>,
    /// Failures by class while nothing is recovered, without those of the list itself.
    causes: BTreeMap<Class, u32>,
}

/// Failures of one class in a row.
#[derive(Debug, Default)]
struct InARow {
    length: u32,
    share: FailureShare,
}

/// What a failure means as evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The installation had not failed before.
    Fresh,
    /// It had failed while others succeeded.
    Suspect,
}

/// What the end of one installation means for the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BreakerVerdict {
    /// The run continues.
    GoOn,
    /// The run halts: more have failed than `--max-failures` allows.
    TooMany {
        /// Failed installations.
        failed: u32,
        /// Installations that have ended, failed ones included.
        ended: u32,
        /// The limit.
        limit: MaxFailures,
    },
    /// The run halts: all that were tried have failed. Says how.
    NoneRecovered(String),
}

impl Breaker {
    /// A breaker with these limits. `was_proven`: earlier executions have recovered installations.
    pub fn new(limits: Limits, was_proven: bool) -> Self {
        Self { limits, was_proven, ..Self::default() }
    }

    /// Whether an installation was recovered.
    pub fn is_proven(&self) -> bool {
        self.was_proven || self.recovered > 0
    }

    /// An installation was recovered by a route, or found to be healthy.
    pub fn recovered(&mut self, by: Option<Route>) -> BreakerVerdict {
        self.recovered += 1;
        self.causes.clear();
        if by.is_some() {
            self.went_well(by);
        }
        self.against_limit()
    }

    /// A success on a route: the failures in a row before it were the installations' own.
    fn went_well(&mut self, route: Option<Route>) {
        self.seen.insert(route);
        for (_, row) in self.rows.iter_mut().filter(|((of, _), _)| *of == route) {
            (0..std::mem::take(&mut row.length)).for_each(|_| row.share.bad());
            row.share.good();
        }
    }

    /// A route has failed for an installation. Returns whether that concerns all.
    pub fn route_failed(&mut self, failure: &Failure, evidence: Evidence) -> bool {
        let route = failure.stage.route();
        if is_about_one(failure) {
            self.went_well(route);
        }
        if !self.is_proven() && is_nothing_like_highlevel(failure) {
            return true;
        }
        let Some(halts) = halts_of(failure) else { return false };
        if halts.at.is_some_and(|stage| !is_like(stage, failure.stage))
            || is_of_an_agency(failure)
            || evidence == Evidence::Suspect
        {
            return false;
        }
        // An endpoint that has never answered is gone, whatever the others do.
        let is_known = match failure.class {
            Class::EndpointRemoved => self.was_proven || self.seen.contains(&route),
            _ => self.is_proven(),
        };
        let row = self.rows.entry((route, failure.class)).or_default();
        row.length += 1;
        match halts.later {
            _ if !is_known => row.length >= halts.first,
            Some(later) => row.length as usize >= row.share.too_many_in_a_row(later as usize),
            None => false,
        }
    }

    /// An installation has failed.
    pub fn failed(&mut self, failure: &Failure) -> BreakerVerdict {
        self.failed += 1;
        if failure.stage != Stage::Input {
            *self.causes.entry(failure.class).or_default() += 1;
        }
        self.none_recovered().unwrap_or_else(|| self.against_limit())
    }

    fn none_recovered(&self) -> Option<BreakerVerdict> {
        let after = self.limits.give_up_after?;
        let failed: u32 = self.causes.values().sum();
        if self.is_proven() || failed < after {
            return None;
        }
        let mut causes: Vec<_> = self.causes.iter().collect();
        causes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let mut why = format!("the first {failed} all failed: ");
        for (index, (class, count)) in causes.into_iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            // Writing to a string does not fail.
            let _ = write!(why, "{comma}{count} × {class}");
        }
        why.push_str(". Is this the right app, the right column, the right environment?");
        Some(BreakerVerdict::NoneRecovered(why))
    }

    /// Checked whenever an installation ends: a share counts once the sample is large enough.
    fn against_limit(&self) -> BreakerVerdict {
        let (failed, ended) = (self.failed, self.recovered.saturating_add(self.failed));
        let limit = self.limits.max_failures;
        if limit.is_exceeded(failed, ended) {
            BreakerVerdict::TooMany { failed, ended, limit }
        } else {
            BreakerVerdict::GoOn
        }
    }

    /// Whether so many in a row have failed alike that the next one should come from elsewhere in the
    /// list, to distinguish a fault of all from one of neighbours.
    pub fn wants_random_sample(&self) -> bool {
        self.is_proven()
            && self.rows.iter().any(|((_, class), row)| {
                let most = class.about().halts.and_then(|halts| halts.later);
                most.is_some_and(|most| {
                    row.length as usize * 2 >= row.share.too_many_in_a_row(most as usize)
                })
            })
    }
}

/// How many such failures halt a run. What the answer itself says goes before its class.
fn halts_of(failure: &Failure) -> Option<Halts> {
    let count = failure.concerns_all.map(NonZeroU32::get);
    let halts = count.map(|count| Halts { first: count, later: Some(count), at: None });
    halts.or(failure.class.about().halts)
}

/// Whether a stage is the one of the table. `reconnect` stands for the first request of any route.
fn is_like(meant: Stage, stage: Stage) -> bool {
    meant == stage || meant == Stage::Reconnect && stage.begins_a_route()
}

/// Whether HighLevel has answered about this installation alone.
pub fn is_about_one(failure: &Failure) -> bool {
    let about = failure.class.about();
    failure.http_status.is_some()
        && failure.origin == Origin::HighLevel
        && about.reach == Reach::ThisOne
        && halts_of(failure).is_none()
}

/// Whether one agency's token is wrong, which says nothing about the others.
fn is_of_an_agency(failure: &Failure) -> bool {
    failure.stage == Stage::Agency && failure.class == Class::WrongKind
}

/// Whether another host seems to answer. The error pages of an outage are no sign of that.
fn is_nothing_like_highlevel(failure: &Failure) -> bool {
    failure.origin == Origin::Elsewhere
        && matches!(failure.class, Class::BadAnswer | Class::Unrecognised)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use Evidence::{Fresh, Suspect};

    fn failure(class: Class) -> Failure {
        Failure::without_answer(Stage::Reconnect, class, "")
    }

    /// After how many failures of a class in a row a run halts, of 50; `None`: never.
    fn halts_after(was_proven: bool, failure: &Failure, evidence: Evidence) -> Option<u32> {
        let mut breaker = Breaker::new(Limits::default(), was_proven);
        (1..=50).find(|_| breaker.route_failed(failure, evidence))
    }

    #[test]
    fn so_many_in_a_row_of_each_class_halt_a_run() {
        for class in Class::value_variants() {
            let (first, later) = match class {
                Class::EndpointRemoved | Class::Blocked | Class::Redirected => (Some(1), Some(10)),
                Class::ClientRefused => (Some(1), Some(20)),
                Class::Network => (Some(1), None),
                Class::WrongTenant | Class::WrongKind => (Some(3), Some(10)),
                Class::BadAnswer => (Some(3), None),
                Class::Unrecognised => (Some(10), None),
                _ => (None, None),
            };
            let failure = failure(*class);
            assert_eq!(halts_after(false, &failure, Fresh), first, "{class}");
            assert_eq!(halts_after(true, &failure, Fresh), later, "{class}, proven");
            for proven in [false, true] {
                assert_eq!(halts_after(proven, &failure, Suspect), None, "{class}, suspect");
            }
        }
    }

    #[test]
    fn another_server_halts_the_run_at_the_canary_only() {
        for class in [Class::BadAnswer, Class::Unrecognised] {
            let page = Failure { origin: Origin::Elsewhere, ..failure(class) };
            assert_eq!(halts_after(false, &page, Fresh), Some(1), "{class}");
            assert_eq!(halts_after(true, &page, Fresh), None, "{class}");
        }
        let outage = Failure { origin: Origin::Elsewhere, ..failure(Class::ServerError) };
        assert_eq!(halts_after(false, &outage, Fresh), None);
        let at_exchange = Failure::without_answer(Stage::Exchange, Class::Network, "");
        assert_eq!(halts_after(false, &at_exchange, Fresh), None);
    }

    #[test]
    fn an_answer_that_finds_fault_with_every_request_halts_after_three() {
        let concerns_all = NonZeroU32::new(3);
        let fault = Failure { concerns_all, ..failure(Class::InvalidRequest) };
        for proven in [false, true] {
            assert_eq!(halts_after(proven, &fault, Fresh), Some(3));
        }
        let mut breaker = Breaker::new(Limits::default(), true);
        for _ in 0..10 {
            assert!(!breaker.route_failed(&fault, Fresh));
            breaker.recovered(Some(Route::Reconnect));
        }
    }

    #[test]
    fn after_a_recovery_the_failures_before_it_are_the_installations_own() {
        let mut breaker = Breaker::new(Limits::default(), true);
        for _ in 0..20 {
            for _ in 0..9 {
                assert!(!breaker.route_failed(&failure(Class::Blocked), Fresh));
            }
            breaker.recovered(Some(Route::Reconnect));
        }
        let more = (1..=60).find(|_| breaker.route_failed(&failure(Class::Blocked), Fresh));
        assert!(more.is_some_and(|more| more > 20), "many fail anyway: {more:?}");
    }

    #[test]
    fn a_recovery_on_another_route_proves_nothing_of_an_endpoint() {
        let mut breaker = Breaker::default();
        breaker.recovered(Some(Route::Refresh));
        assert!(breaker.route_failed(&failure(Class::EndpointRemoved), Fresh), "never seen there");
        let mut breaker = Breaker::new(Limits::default(), true);
        for n in 1..10 {
            assert!(!breaker.route_failed(&failure(Class::EndpointRemoved), Fresh), "{n}");
            breaker.recovered(Some(Route::Refresh));
        }
        assert!(breaker.route_failed(&failure(Class::EndpointRemoved), Fresh));
    }

    #[test]
    fn an_answer_about_one_installation_is_known_by_class_status_and_origin() {
        let not_installed = Failure { http_status: Some(400), ..failure(Class::NotInstalled) };
        assert!(is_about_one(&not_installed));
        for other in [
            failure(Class::NotInstalled),
            Failure { origin: Origin::Elsewhere, ..not_installed.clone() },
            Failure { class: Class::ServerError, ..not_installed.clone() },
            Failure { class: Class::ClientRefused, ..not_installed },
        ] {
            assert!(!is_about_one(&other), "{other:?}");
        }
    }

    #[test]
    fn a_run_in_which_all_have_failed_halts() {
        let limits = Limits { give_up_after: Some(20), ..Limits::default() };
        let fail = |breaker: &mut Breaker, n: u32| {
            let class = if n.is_multiple_of(4) { Class::UnknownId } else { Class::NotInstalled };
            breaker.failed(&failure(class))
        };
        let mut breaker = Breaker::new(limits, false);
        for n in 1..20 {
            assert_eq!(fail(&mut breaker, n), BreakerVerdict::GoOn);
        }
        let BreakerVerdict::NoneRecovered(why) = fail(&mut breaker, 20) else {
            panic!("it goes on")
        };
        assert!(
            why.contains("the first 20 all failed: 15 × not_installed, 5 × unknown_id."),
            "{why}"
        );
        let mut lacking = Breaker::new(limits, false);
        let lacks = Failure { stage: Stage::Input, ..failure(Class::InvalidRequest) };
        assert!(
            (0..50).all(|_| lacking.failed(&lacks) == BreakerVerdict::GoOn),
            "nothing was asked"
        );
        for recovered in [Some(Route::Agency), None] {
            let mut breaker = Breaker::new(limits, false);
            breaker.recovered(recovered);
            assert!((1..100).all(|n| fail(&mut breaker, n) == BreakerVerdict::GoOn));
        }
        let mut resumed = Breaker::new(limits, true);
        assert!((1..100).all(|n| fail(&mut resumed, n) == BreakerVerdict::GoOn));
    }

    #[test]
    fn more_failures_than_the_limit_halt_the_run_and_recoveries_count_against_a_share() {
        let limit = MaxFailures::Share(1000);
        let limits = Limits { max_failures: limit, ..Limits::default() };
        let mut breaker = Breaker::new(limits, false);
        for _ in 0..18 {
            breaker.recovered(Some(Route::Reconnect));
        }
        let last = [(); 3].map(|()| breaker.failed(&failure(Class::UnknownId)));
        let too_many = BreakerVerdict::TooMany { failed: 3, ended: 21, limit };
        assert_eq!(last, [BreakerVerdict::GoOn, BreakerVerdict::GoOn, too_many]);
        let mut early = Breaker::new(limits, false);
        let failures = [(); 5].map(|()| early.failed(&failure(Class::UnknownId)));
        assert!(
            failures.iter().all(|verdict| *verdict == BreakerVerdict::GoOn),
            "the sample is too small"
        );
        let recovered = [(); 15].map(|()| early.recovered(Some(Route::Reconnect)));
        assert!(recovered[..14].iter().all(|verdict| *verdict == BreakerVerdict::GoOn));
        assert_eq!(recovered[14], BreakerVerdict::TooMany { failed: 5, ended: 20, limit });
    }
}
