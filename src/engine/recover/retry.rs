//! What follows a failed attempt: a pure decision.

use std::time::Duration;

use crate::{
    failure::{Class, Failure, Origin, Stage},
    highlevel::table::Reach,
};

/// The first wait before another attempt; each later one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// The longest wait that the server did not ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Attempts after which the server is taken to be absent, or another one.
const ATTEMPTS_IF_ABSENT: u32 = 3;

/// Whether HighLevel has given a good answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownGood {
    /// Not yet.
    Unknown,
    /// It has.
    Known,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Another attempt, with a new code, after this wait.
    Again(Duration),
    /// Another route, if there is one.
    OtherRoute,
    /// The installation fails.
    GiveUp,
}

/// Decides what follows a failure of the `attempt`-th of at most `attempts` attempts.
/// `seed` makes the jitter.
pub fn next(
    failure: &Failure,
    attempt: u32,
    attempts: u32,
    known_good: KnownGood,
    seed: u64,
) -> NextStep {
    if attempt >= bounded(attempts, failure, known_good) || !can_pass_by_itself(failure) {
        return if concerns_this_route(failure.class) {
            NextStep::OtherRoute
        } else {
            NextStep::GiveUp
        };
    }
    let asked =
        failure.retry_after_ms.map_or(Duration::ZERO, |ms| Duration::from_millis(ms.into()));
    NextStep::Again(backoff(attempt, seed).max(asked))
}

/// Fewer attempts while HighLevel itself seems absent: the address or the network is wrong then, and
/// waiting does not help.
fn bounded(attempts: u32, failure: &Failure, known_good: KnownGood) -> u32 {
    let is_absent = failure.class == Class::Network
        && failure.stage.begins_a_route()
        && known_good == KnownGood::Unknown;
    let is_another = failure.class == Class::BadAnswer && failure.origin == Origin::Elsewhere;
    if is_absent || is_another { attempts.min(ATTEMPTS_IF_ABSENT) } else { attempts }
}

/// Whether the same request, or a new code, may succeed without a person's help.
fn can_pass_by_itself(failure: &Failure) -> bool {
    // A new code may be accepted where one was refused; a refused token stays refused.
    let is_of_a_token = matches!(failure.stage, Stage::Refresh | Stage::Agency | Stage::Verify);
    let is_the_token = failure.class == Class::GrantRefused && is_of_a_token;
    !is_the_token && matches!(failure.class.about().reach, Reach::ThisOneAgain | Reach::AllPause)
}

/// Whether another route may succeed where this one did not.
fn concerns_this_route(class: Class) -> bool {
    match class {
        Class::EndpointRemoved
        | Class::NotInstalled
        | Class::UnknownId
        | Class::InvalidRequest
        | Class::GrantRefused
        | Class::CodeExpired
        | Class::RateLimited
        | Class::ServerError
        | Class::Network
        | Class::BadAnswer
        | Class::WrongKind
        | Class::OutcomeUnknown
        | Class::Unrecognised => true,
        // These concern every request; and the old token of a paused location stays good.
        Class::ClientRefused
        | Class::LocationInactive
        | Class::Blocked
        | Class::Redirected
        | Class::WrongTenant
        | Class::Interrupted
        | Class::Halted => false,
    }
}

/// The wait after the `attempt`-th attempt: doubling, with up to as much again of jitter, so that
/// installations which failed together do not retry together.
pub fn backoff(attempt: u32, seed: u64) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let wait = (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT);
    wait + wait.mul_f64(fastrand::Rng::with_seed(seed).f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(class: Class) -> Failure {
        Failure::without_answer(Stage::Reconnect, class, "")
    }

    #[test]
    fn what_can_pass_by_itself_is_tried_again_and_nothing_else() {
        let again =
            |class| matches!(next(&failure(class), 1, 5, KnownGood::Known, 0), NextStep::Again(_));
        for class in [
            Class::Network,
            Class::RateLimited,
            Class::ServerError,
            Class::BadAnswer,
            Class::GrantRefused,
            Class::CodeExpired,
            Class::OutcomeUnknown,
        ] {
            assert!(again(class), "{class}");
        }
        for class in [
            Class::EndpointRemoved,
            Class::ClientRefused,
            Class::NotInstalled,
            Class::LocationInactive,
            Class::UnknownId,
            Class::InvalidRequest,
            Class::Blocked,
            Class::Redirected,
            Class::WrongTenant,
            Class::WrongKind,
            Class::Unrecognised,
        ] {
            assert!(!again(class), "{class}");
        }
    }

    #[test]
    fn a_refused_token_is_not_presented_again_and_leads_to_another_route() {
        for stage in [Stage::Refresh, Stage::Agency] {
            let refused = Failure { stage, ..failure(Class::GrantRefused) };
            assert_eq!(next(&refused, 1, 5, KnownGood::Known, 0), NextStep::OtherRoute, "{stage}");
            let parked = Failure { stage, ..failure(Class::LocationInactive) };
            assert_eq!(next(&parked, 1, 5, KnownGood::Known, 0), NextStep::GiveUp, "{stage}");
        }
    }

    #[test]
    fn attempts_are_bounded() {
        assert!(matches!(
            next(&failure(Class::Network), 4, 5, KnownGood::Known, 0),
            NextStep::Again(_)
        ));
        assert_eq!(next(&failure(Class::Network), 5, 5, KnownGood::Known, 0), NextStep::OtherRoute);
        assert_eq!(next(&failure(Class::Network), 1, 1, KnownGood::Known, 0), NextStep::OtherRoute);
    }

    #[test]
    fn an_address_where_nobody_or_somebody_else_answers_is_tried_three_times() {
        let again = |failure: &Failure, attempt, known_good| {
            matches!(next(failure, attempt, 5, known_good, 0), NextStep::Again(_))
        };
        let unreachable = failure(Class::Network);
        let page = Failure { origin: Origin::Elsewhere, ..failure(Class::BadAnswer) };
        let outage = Failure { origin: Origin::Elsewhere, ..failure(Class::ServerError) };
        let cut = Failure { stage: Stage::Exchange, ..failure(Class::Network) };
        for (failure, known_good, bounded) in [
            (&unreachable, KnownGood::Unknown, true),
            (&unreachable, KnownGood::Known, false),
            (&page, KnownGood::Unknown, true),
            (&page, KnownGood::Known, true),
            (&outage, KnownGood::Unknown, false),
            (&cut, KnownGood::Unknown, false),
            (&failure(Class::BadAnswer), KnownGood::Unknown, false),
        ] {
            assert!(again(failure, 2, known_good), "{failure:?}");
            assert_eq!(again(failure, 3, known_good), !bounded, "{failure:?}");
        }
    }

    #[test]
    fn waits_double_with_jitter_up_to_a_bound() {
        for (attempt, least_ms) in [(1, 250), (2, 500), (3, 1000), (4, 2000), (100, 20_000)] {
            for seed in 0..20 {
                let wait = backoff(attempt, seed);
                let least = Duration::from_millis(least_ms);
                assert!(wait >= least && wait <= least * 2 + FIRST_WAIT, "{attempt}: {wait:?}");
            }
        }
    }

    #[test]
    fn what_the_server_asks_for_is_a_lower_bound() {
        let asked = Failure { retry_after_ms: Some(7000), ..failure(Class::RateLimited) };
        assert_eq!(
            next(&asked, 1, 5, KnownGood::Known, 0),
            NextStep::Again(Duration::from_secs(7))
        );
    }
}
