//! The answer of `/oauth/reconnect`: an authorization code, and how long it lives.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{answer, header_times::http_date, reply::Reply};
use crate::failure::{Failure, Origin, Stage};
use crate::{
    clock::Moment,
    secret::{AuthorizationCode, Secret},
    text::SafeText,
};

/// The assumed life of a code whose `expiresAt` is not plausible. Codes live "minutes"; every code is
/// presented at once anyway.
pub const ASSUMED_LIFE: Duration = Duration::from_secs(30);

/// The longest plausible life.
const MAX_LIFE: Duration = Duration::from_hours(1);

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

/// The life of a code, from a moment on.
#[derive(Clone, Copy, Debug)]
pub struct CodeLife {
    received: Moment,
    since: Moment,
    life: Duration,
}

impl CodeLife {
    /// How long the code has been in hand.
    pub fn age(&self, now: &Moment) -> Duration {
        self.received.elapsed_at(now)
    }

    /// How much of its life is left; `None` when it is over.
    pub fn left(&self, now: &Moment) -> Option<Duration> {
        self.life.checked_sub(self.since.elapsed_at(now)).filter(|left| !left.is_zero())
    }
}

/// An object with none of HighLevel's fields comes from another server.
fn origin_of(object: &Map<String, Value>) -> Origin {
    let ours = [
        ("authorization_code", "authorizationCode"),
        ("expires_at", "expiresAt"),
        ("trace_id", "traceId"),
    ];
    let is_there = |(snake, camel)| answer::field(object, snake, camel).is_some();
    if ours.into_iter().any(is_there) { Origin::HighLevel } else { Origin::Elsewhere }
}

/// Reads an answer of the Reconnect API.
pub fn grant_of(reply: &Reply) -> Result<Grant, Failure> {
    let object = answer::object_of(Stage::Reconnect, reply)?;
    let Some(code) = answer::text(&object, "authorization_code", "authorizationCode") else {
        let why = "the answer has no authorizationCode";
        let failure = answer::bad_answer(Stage::Reconnect, reply, why);
        return Err(Failure { origin: origin_of(&object), ..failure });
    };
    let expires_at: Option<Timestamp> =
        answer::text(&object, "expires_at", "expiresAt").and_then(|text| text.trim().parse().ok());
    let date = reply.date.as_deref().and_then(http_date);
    let (since, life) = match judge(expires_at, date, reply.sent.day(), reply.received.day()) {
        Judged::SinceReceived(life) => (reply.received, life),
        Judged::SinceSent(life) => (reply.sent, life),
    };
    Ok(Grant {
        code: AuthorizationCode(Secret::new(code.to_owned())),
        life: CodeLife { received: reply.received, since, life },
        trace_id: reply.trace_id(),
        expires_at,
    })
}

/// A life and the moment from which it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    SinceReceived(Duration),
    SinceSent(Duration),
}

/// Computes a life by the server's clock. The answer may have been read late, after this machine slept
/// or the process was suspended. So the life counts from our own clock only while that agrees with the
/// server's `Date`, and else from the sending of the request.
fn judge(
    expires_at: Option<Timestamp>,
    date: Option<Timestamp>,
    sent: Timestamp,
    received: Timestamp,
) -> Judged {
    // An expiry before the answer itself is not plausible: the code is presented at once.
    let believed = expires_at.filter(|end| *end > date.unwrap_or(sent));
    let Some(expires_at) = believed else { return Judged::SinceSent(ASSUMED_LIFE) };
    let until = |end: Timestamp, from: Timestamp| {
        Duration::try_from(end.duration_since(from)).unwrap_or_default().min(MAX_LIFE)
    };
    match date {
        Some(date) if !agree(date, sent, received) => Judged::SinceSent(until(expires_at, date)),
        _ => Judged::SinceReceived(until(expires_at, received)),
    }
}

/// Whether a server's `Date`, which has whole seconds only, lies between our sending and receiving.
fn agree(date: Timestamp, sent: Timestamp, received: Timestamp) -> bool {
    let date = date.as_millisecond();
    (sent.as_millisecond() - 1500..=received.as_millisecond() + 500).contains(&date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const SENT: &str = "2026-11-22T10:00:00Z";

    #[test]
    fn a_life_is_judged_by_the_server_clock() {
        let seconds = Duration::from_secs;
        for (what, expires_at, date, received, expected) in [
            (
                "clocks agree",
                Some("10:01:00"),
                Some("10:00:00"),
                "10:00:00",
                Judged::SinceReceived(seconds(60)),
            ),
            ("no date", Some("10:01:00"), None, "10:00:01", Judged::SinceReceived(seconds(59))),
            (
                "ours is behind",
                Some("10:06:00"),
                Some("10:05:00"),
                "10:00:01",
                Judged::SinceSent(seconds(60)),
            ),
            (
                "ours is ahead",
                Some("09:56:00"),
                Some("09:55:00"),
                "10:00:01",
                Judged::SinceSent(seconds(60)),
            ),
            (
                "read late, dead",
                Some("10:01:00"),
                Some("10:00:00"),
                "10:09:00",
                Judged::SinceReceived(seconds(0)),
            ),
            (
                "past already",
                Some("09:00:00"),
                Some("10:00:00"),
                "10:00:00",
                Judged::SinceSent(ASSUMED_LIFE),
            ),
            ("past, no date", Some("09:00:00"), None, "10:00:00", Judged::SinceSent(ASSUMED_LIFE)),
            (
                "absurd",
                Some("23:00:00"),
                Some("10:00:00"),
                "10:00:00",
                Judged::SinceReceived(MAX_LIFE),
            ),
            ("none", None, Some("10:00:00"), "10:00:00", Judged::SinceSent(ASSUMED_LIFE)),
        ] {
            let day = |time: &str| at(&format!("2026-11-22T{time}Z"));
            let judged = judge(expires_at.map(day), date.map(day), at(SENT), day(received));
            assert_eq!(judged, expected, "{what}");
        }
    }
}
