//! What an answer says: bodies read in either casing, errors in every shape that has been seen.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::{
    client::Reply,
    error_text::{BodyKind, error_text},
    table::Meaning,
};
use crate::failure::{Class, Failure, Origin, Stage};
use crate::{clock, secret, text::SafeText};

/// The longest that one `Retry-After` holds the run; the server can say it again.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// A longer wait than this is a mistake of the server's, and no wish.
const ABSURD_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// A success answer's JSON object, or the failure that the answer is.
pub fn object_of(stage: Stage, reply: &Reply) -> Result<Map<String, Value>, Failure> {
    if !matches!(reply.status, 200 | 201) {
        return Err(refusal(stage, reply));
    }
    let body = reply.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&reply.body);
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(Failure {
            origin: origin_of(error_text(body).0),
            ..bad_answer(stage, reply, "the answer says success but is not a JSON object")
        }),
    }
}

/// The failure of an answer that says success and cannot be used.
pub fn bad_answer(stage: Stage, reply: &Reply, why: &str) -> Failure {
    Failure { message: SafeText::new(why), ..evidence(stage, Class::BadAnswer, reply) }
}

/// A text field of an answer, under the name that it has in either casing.
pub fn text<'a>(object: &'a Map<String, Value>, snake: &str, camel: &str) -> Option<&'a str> {
    field(object, snake, camel).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// A field of an answer, under the name that it has in either casing.
pub fn field<'a>(object: &'a Map<String, Value>, snake: &str, camel: &str) -> Option<&'a Value> {
    object.get(snake).or_else(|| object.get(camel))
}

/// HighLevel's trace id, unless what stands in its place looks like a token: a body field on some
/// answers; no header with it has been seen, two likely ones are looked at anyway.
pub(super) fn trace_id(reply: &Reply) -> Option<SafeText> {
    let in_body = || Some(SafeText::identifier(&trace_id_in(&reply.body)?));
    let id = in_body().or_else(|| reply.trace_header.as_deref().map(SafeText::identifier));
    let is_clean = |id: &SafeText| {
        secret::cut_out_tokens(id.as_str()) == id.as_str() && !reply.known.placeholder(id.as_str())
    };
    id.filter(is_clean)
}

/// Reads nothing of the body but what is looked for: this is done for every answer.
fn trace_id_in(body: &[u8]) -> Option<String> {
    let told = |body: &Traced| {
        let id = body.trace_id.as_ref().or(body.snake_case.as_ref())?.as_str()?;
        (!id.trim().is_empty()).then(|| id.to_owned())
    };
    let traced: Traced = serde_json::from_slice(body).ok()?;
    told(&traced).or_else(|| told(&serde_json::from_str(traced.error?.get()).ok()?))
}

#[derive(Deserialize)]
struct Traced<'a> {
    #[serde(rename = "traceId")]
    trace_id: Option<Value>,
    #[serde(rename = "trace_id")]
    snake_case: Option<Value>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// The failure that an answer is which is no success.
pub(super) fn refusal(stage: Stage, reply: &Reply) -> Failure {
    if (300..400).contains(&reply.status) {
        let host = reply.redirect_host.as_deref().unwrap_or("an address that it does not name");
        let message = format!("the answer redirects to {host}; nothing was sent there");
        return Failure {
            message: SafeText::new(&message),
            ..evidence(stage, Class::Redirected, reply)
        };
    }
    let (kind, error_text) = error_text(&reply.body);
    let Meaning { class, concerns_all } = match reply.status {
        200..300 => Meaning { class: Class::BadAnswer, concerns_all: None },
        status => reply.answers.meaning_of(stage, status, kind, &error_text),
    };
    Failure {
        concerns_all,
        message: SafeText::new(&error_text),
        origin: origin_of(kind),
        retry_after_ms: asked_wait(reply).map(clock::millis),
        ..evidence(stage, class, reply)
    }
}

fn origin_of(kind: BodyKind) -> Origin {
    match kind {
        BodyKind::Json => Origin::HighLevel,
        BodyKind::Other => Origin::Elsewhere,
    }
}

fn evidence(stage: Stage, class: Class, reply: &Reply) -> Failure {
    Failure {
        stage,
        class,
        http_status: Some(reply.status),
        message: SafeText::default(),
        trace_id: reply.trace_id(),
        retry_after_ms: None,
        origin: Origin::HighLevel,
        concerns_all: None,
    }
}

/// How long the server asks to wait, as far as that can be believed.
pub fn asked_wait(reply: &Reply) -> Option<Duration> {
    retry_after(reply.retry_after.as_deref()?, clock::now())
}

/// Reads `Retry-After`: seconds or a date, capped at [`MAX_RETRY_AFTER`]; nonsense is `None`.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        Duration::from_secs(value.parse().ok()?)
    } else {
        Duration::try_from(http_date(value)?.duration_since(now)).unwrap_or_default()
    };
    (wait <= ABSURD_RETRY_AFTER).then_some(wait.min(MAX_RETRY_AFTER))
}

/// Reads an HTTP date such as `Tue, 08 Oct 2024 13:35:43 GMT` (RFC 9110 §5.6.7).
pub fn http_date(value: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(value.trim()).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_a_date_and_capped() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        for (value, wait) in [
            ("2", Some(2)),
            (" 0 ", Some(0)),
            ("3600", Some(60)),
            ("999999999", None),
            ("999999999999999999999999", None),
            ("Sun, 22 Nov 2026 10:00:07 GMT", Some(7)),
            ("Sun, 22 Nov 2026 09:00:00 GMT", Some(0)),
            ("Sun, 22 Nov 2026 11:00:00 GMT", Some(60)),
            ("Fri, 22 Nov 2030 09:00:00 GMT", None),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), wait.map(Duration::from_secs), "{value}");
        }
    }
}
