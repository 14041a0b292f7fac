//! Reads answers: bodies in either casing, errors in every shape that has been seen.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    error_text::{BodyKind, error_text},
    header_times::retry_after,
    reply::Reply,
    table::Meaning,
};
use crate::failure::{Class, Failure, Origin, Stage};
use crate::{clock, text::SafeText};

/// The JSON object of a success, or the failure.
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

/// The failure of an answer with a success status that cannot be used.
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

/// The failure of an answer without a success status.
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

/// How long the server asks to wait, within sensible limits.
pub fn asked_wait(reply: &Reply) -> Option<Duration> {
    retry_after(reply.retry_after.as_deref()?, clock::now())
}
