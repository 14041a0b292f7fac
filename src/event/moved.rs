//! The times of events, as those of a machine whose clock is not right.

use jiff::{SignedDuration, Timestamp};

use super::{Event, row::Call};

/// A time so many milliseconds later; one that nothing can show stays as it is.
pub fn later(at: Timestamp, by_ms: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_millis(by_ms)).unwrap_or(at)
}

impl Event {
    /// When it happened, by the clock of its machine. Rows of the list and checksums have no time.
    pub fn at(&self) -> Option<Timestamp> {
        Some(match self {
            Self::Listed(_)
            | Self::Duplicate(_)
            | Self::Rejected(_)
            | Self::NotDue(_)
            | Self::Saving(_) => {
                return None;
            }
            Self::Started(e) => e.at,
            Self::Ready(e) => e.at,
            Self::Exchanging(e) => e.at,
            Self::Refreshing(e) => e.at,
            Self::Requesting(e) => e.at,
            Self::Unsent(e) => e.at,
            Self::Retrying(e) => e.at,
            Self::Held(e) => e.at,
            Self::DayTooShort(e) => e.at,
            Self::Paused(e) => e.at,
            Self::Probed(e) => e.at,
            Self::Continued(e) => e.at,
            Self::ServerClock(e) => e.at,
            Self::Untried(e) => e.at,
            Self::Recovered(e) => e.at,
            Self::Skipped(e) => e.at,
            Self::Failed(e) => e.at,
            Self::Halted(e) => e.at,
            Self::Finished(e) => e.at,
            Self::Resumed(e) => e.at,
            Self::Reclaimed(e) => e.at,
            Self::Missed(e) => e.at,
            Self::HandedOn(e) => e.at,
            Self::Leaked(e) => e.at,
            Self::Exceeded(e) => e.at,
            Self::StoreBegan(e) => e.at,
            Self::Stored(e) => e.at,
        })
    }

    /// The same event by a clock that is so many milliseconds ahead. Times that the server gave, and
    /// those that the token files have too, stay as they are.
    #[must_use]
    pub fn moved(mut self, by_ms: i64) -> Self {
        if by_ms != 0 {
            self.times().into_iter().for_each(|at| *at = later(*at, by_ms));
        }
        self
    }

    fn times(&mut self) -> Vec<&mut Timestamp> {
        fn of(call: &mut Option<Call>) -> impl Iterator<Item = &mut Timestamp> {
            call.iter_mut().map(|call| &mut call.at)
        }
        match self {
            Self::Listed(_)
            | Self::Duplicate(_)
            | Self::Rejected(_)
            | Self::NotDue(_)
            | Self::Saving(_) => Vec::new(),
            Self::Started(e) => vec![&mut e.at],
            Self::Ready(e) => vec![&mut e.at],
            Self::Exchanging(e) => vec![&mut e.at, &mut e.reconnect.at],
            Self::Refreshing(e) => vec![&mut e.at],
            Self::Requesting(e) => vec![&mut e.at],
            Self::Unsent(e) => vec![&mut e.at],
            Self::Retrying(e) => of(&mut e.call).chain([&mut e.at]).collect(),
            Self::Held(e) => vec![&mut e.at],
            Self::DayTooShort(e) => vec![&mut e.at],
            Self::Paused(e) => vec![&mut e.at, &mut e.gives_up_at],
            Self::Probed(e) => vec![&mut e.at, &mut e.gives_up_at],
            Self::Continued(e) => vec![&mut e.at],
            Self::ServerClock(e) => vec![&mut e.at],
            Self::Untried(e) => vec![&mut e.at, &mut e.call.at],
            Self::Recovered(e) => {
                let check = e.verified.iter_mut().flat_map(|verified| of(&mut verified.call));
                check.chain([&mut e.at, &mut e.started_at, &mut e.exchange.at]).collect()
            }
            Self::Skipped(e) => of(&mut e.call).chain([&mut e.at]).collect(),
            Self::Failed(e) => of(&mut e.call).chain([&mut e.at, &mut e.started_at]).collect(),
            Self::Halted(e) => vec![&mut e.at],
            Self::Finished(e) => vec![&mut e.at],
            Self::Resumed(e) => vec![&mut e.at],
            Self::Reclaimed(e) => vec![&mut e.at],
            Self::Missed(e) => vec![&mut e.at],
            Self::HandedOn(e) => vec![&mut e.at],
            Self::Leaked(e) => vec![&mut e.at],
            Self::Exceeded(e) => vec![&mut e.at],
            Self::StoreBegan(e) => vec![&mut e.at],
            Self::Stored(e) => vec![&mut e.at],
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_time_of_the_machine_moves_and_no_other() {
        let (ours, moved) = ("2026-11-29T10:00:00Z", "2026-11-29T11:00:00Z");
        let server = "2026-11-29T10:00:30Z";
        let call = json!({ "at": ours, "ms": 7 });
        let failure = json!({ "stage": "exchange", "class": "server_error", "message": "x" });
        let id = "ve9EPM428h8vShlRW1KT";
        for event in [
            json!({ "exchanging": { "row": 1, "id": id, "attempt": 1, "at": ours, "reconnect": call,
                "code_expires_at": server } }),
            json!({ "retrying": { "row": 1, "id": id, "attempt": 1, "at": ours, "failure": failure,
                "call": call } }),
            json!({ "paused": { "at": ours, "failure": failure, "gives_up_at": ours } }),
            json!({ "day_too_short": { "at": ours, "left": 1, "needed": 2, "resets_at": server } }),
            json!({ "recovered": { "row": 1, "id": id, "attempts": 1, "via": "reconnect",
                "started_at": ours, "at": ours, "exchange": call, "token_expires_at": server,
                "verified": { "verdict": "alive", "call": call } } }),
            json!({ "failed": { "row": 1, "id": id, "attempts": 1, "started_at": ours, "at": ours,
                "failure": failure, "call": call, "trace_ids": [] } }),
            json!({ "skipped": { "row": 1, "id": id, "at": ours, "call": call } }),
            json!({ "saving": { "row": 1, "file": "tokens", "token_line": "00000000" } }),
        ] {
            let read: Event = serde_json::from_value(event.clone()).unwrap();
            let is_timed = !matches!(read, Event::Saving(_));
            assert_eq!(read.at().is_some(), is_timed, "{event}");
            assert_eq!(read.clone().moved(0), read);
            let text = serde_json::to_string(&event).unwrap().replace(ours, moved);
            let expected: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_value(read.moved(3_600_000)).unwrap(), expected);
        }
    }
}
