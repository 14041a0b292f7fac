//! An outage in the words of the progress line.

use std::time::{Duration, Instant};

use crate::{event::Paused, failure::Failure, plan::in_words};

/// An outage that is on.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    what: String,
    since: Instant,
    pub(super) next: Instant,
    gives_up: Instant,
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

    pub(super) fn in_words(&self, now: Instant) -> String {
        let until = |then: Instant| in_words(then.saturating_duration_since(now));
        let next = if self.next <= now {
            "probing now".to_owned()
        } else {
            format!("next probe in {}", until(self.next))
        };
        let since = in_words(now.saturating_duration_since(self.since));
        format!("PAUSED {since}: {} · {next} · gives up in {}", self.what, until(self.gives_up))
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
    fn a_pause_says_since_when_what_is_next_and_when_it_is_given_up() {
        let failure = Failure {
            http_status: Some(503),
            ..Failure::without_answer(Stage::Reconnect, Class::ServerError, "")
        };
        let at = clock::now();
        let gives_up_at = at.checked_add(Duration::from_mins(10)).unwrap();
        let mut pause = Pause::of(&Paused { at, failure, gives_up_at });
        let text = |pause: &Pause, after| pause.in_words(pause.since + Duration::from_secs(after));
        assert_eq!(
            text(&pause, 10),
            "PAUSED 10s: HTTP 503 at reconnect · probing now · gives up in 9m 50s"
        );
        pause.next = pause.since + Duration::from_secs(31);
        assert!(text(&pause, 23).contains("next probe in 8s"), "{}", text(&pause, 23));
    }
}
