//! What `/oauth/reconnect` gives: an authorization code, and how long it lives.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    answer,
    client::Reply,
    failure::{Failure, Stage},
};
use crate::{
    clock::Moment,
    secret::{AuthorizationCode, Secret},
    text::SafeText,
};

/// How long a code is taken to live when its `expiresAt` cannot be believed. Codes live "minutes";
/// this one is presented at once in any case.
pub const ASSUMED_LIFE: Duration = Duration::from_secs(30);

/// The longest life that is believed.
const MAX_LIFE: Duration = Duration::from_secs(3600);

/// A code in hand.
#[derive(Debug)]
pub struct Grant {
    /// The code.
    pub code: AuthorizationCode,
    /// How long it may be presented.
    pub life: CodeLife,
    /// HighLevel's trace id of the reconnect.
    pub trace_id: Option<SafeText>,
    /// `expiresAt` as the server gave it, by the server's clock.
    pub expires_at: Option<Timestamp>,
}

/// The life of a code, counted from the arrival of the answer that brought it.
#[derive(Clone, Copy, Debug)]
pub struct CodeLife {
    received: Moment,
    life: Duration,
}

impl CodeLife {
    /// How old the code is.
    pub fn age(&self, now: &Moment) -> Duration {
        self.received.elapsed_at(now)
    }

    /// How much of its life is left; `None` when it is over.
    pub fn left(&self, now: &Moment) -> Option<Duration> {
        self.life.checked_sub(self.age(now)).filter(|left| !left.is_zero())
    }
}

/// Reads an answer of the Reconnect API.
pub fn grant_of(reply: &Reply) -> Result<Grant, Failure> {
    let object = answer::object_of(Stage::Reconnect, reply)?;
    let Some(code) = answer::text(&object, "authorization_code", "authorizationCode") else {
        let why = "the answer has no authorizationCode";
        return Err(answer::bad_answer(Stage::Reconnect, reply, why));
    };
    let expires_at: Option<Timestamp> =
        answer::text(&object, "expires_at", "expiresAt").and_then(|text| text.trim().parse().ok());
    let date = reply.date.as_deref().and_then(answer::http_date);
    let server_now = server_time(date, reply.received.day());
    Ok(Grant {
        code: AuthorizationCode(Secret::new(code.to_owned())),
        life: CodeLife { received: reply.received, life: life(expires_at, server_now) },
        trace_id: answer::trace_id(reply),
        expires_at,
    })
}

/// The server's time at the arrival of its answer. `Date` has whole seconds only, so our own clock
/// is used while it agrees with it.
fn server_time(date: Option<Timestamp>, ours: Timestamp) -> Timestamp {
    let Some(date) = date else { return ours };
    let ahead = ours.as_millisecond().saturating_sub(date.as_millisecond());
    if (0..=1500).contains(&ahead) { ours } else { date }
}

fn life(expires_at: Option<Timestamp>, server_now: Timestamp) -> Duration {
    expires_at
        .and_then(|end| Duration::try_from(end.duration_since(server_now)).ok())
        .filter(|life| !life.is_zero())
        .map_or(ASSUMED_LIFE, |life| life.min(MAX_LIFE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_server_clock_decides_where_ours_is_off() {
        for (date, ours, server) in [
            (None, "2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
            (Some("2026-11-22T10:00:00Z"), "2026-11-22T10:00:00.9Z", "2026-11-22T10:00:00.9Z"),
            (Some("2026-11-22T10:00:00Z"), "2026-11-22T09:55:00Z", "2026-11-22T10:00:00Z"),
            (Some("2026-11-22T10:00:00Z"), "2026-11-22T10:05:00Z", "2026-11-22T10:00:00Z"),
        ] {
            assert_eq!(server_time(date.map(at), at(ours)), at(server));
        }
    }

    #[test]
    fn an_odd_expiry_means_a_short_life() {
        let now = at("2026-11-22T10:00:00Z");
        for (expires_at, expected) in [
            (Some("2026-11-22T10:01:00Z"), Duration::from_secs(60)),
            (Some("2026-11-22T09:00:00Z"), ASSUMED_LIFE),
            (Some("2036-11-22T09:00:00Z"), MAX_LIFE),
            (None, ASSUMED_LIFE),
        ] {
            assert_eq!(life(expires_at.map(at), now), expected);
        }
    }
}
