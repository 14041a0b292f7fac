//! An outage that is on.

use std::time::{Duration, Instant};

use crate::{event::Paused, failure::Failure};

/// An outage that is on.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    what: String,
    since: Instant,
    pub(super) next: Instant,
    gives_up: Instant,
}

/// The same, seen from one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PauseNow {
    /// What began it: `HTTP 503 at reconnect`.
    pub(super) what: String,
    /// How long it lasts by now.
    pub(super) since: Duration,
    /// Time until the next probe; zero while one is on.
    pub(super) next: Duration,
    /// Time until the run halts.
    pub(super) gives_up: Duration,
}

impl Pause {
    pub(super) fn of(paused: &Paused) -> Self {
        let now = Instant::now();
        let left = Duration::try_from(paused.gives_up_at.duration_since(paused.at));
        let Failure { stage, class, http_status, .. } = &paused.failure;
        let what = match http_status {
            Some(status) => format!("HTTP {status} at {stage}"),
            None => format!("{class} at {stage}"),
        };
        Self { what, since: now, next: now, gives_up: now + left.unwrap_or_default() }
    }

    pub(super) fn seen_at(&self, now: Instant) -> PauseNow {
        PauseNow {
            what: self.what.clone(),
            since: now.saturating_duration_since(self.since),
            next: self.next.saturating_duration_since(now),
            gives_up: self.gives_up.saturating_duration_since(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock,
        failure::{Class, Stage},
    };

    #[test]
    fn a_pause_knows_since_when_it_is_what_is_next_and_when_it_is_given_up() {
        let failure = Failure {
            http_status: Some(503),
            ..Failure::without_answer(Stage::Reconnect, Class::ServerError, "")
        };
        let at = clock::now();
        let gives_up_at = at.checked_add(Duration::from_mins(10)).unwrap();
        let mut pause = Pause::of(&Paused { at, failure, gives_up_at });
        let seconds = Duration::from_secs;
        let begun = PauseNow {
            what: "HTTP 503 at reconnect".to_owned(),
            since: seconds(10),
            next: Duration::ZERO,
            gives_up: seconds(590),
        };
        assert_eq!(pause.seen_at(pause.since + seconds(10)), begun);
        pause.next = pause.since + seconds(31);
        assert_eq!(pause.seen_at(pause.since + seconds(23)).next, seconds(8));
    }
}
