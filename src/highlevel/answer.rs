//! What an answer says: bodies read in either casing, errors in every shape that has been seen.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    client::Reply,
    failure::{Class, Failure, Stage},
    table::{self, BodyKind},
};
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
        _ => Err(bad_answer(stage, reply, "the answer says success but is not a JSON object")),
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

/// HighLevel's trace id, unless what stands in its place looks like a token: a body field on some answers; no header with it has been seen, two
/// likely ones are looked at anyway.
pub fn trace_id(reply: &Reply) -> Option<SafeText> {
    let in_body = || {
        let object: Map<String, Value> = serde_json::from_slice(&reply.body).ok()?;
        let nested = object.get("error").and_then(Value::as_object);
        let id = text(&object, "trace_id", "traceId")
            .or_else(|| nested.and_then(|error| text(error, "trace_id", "traceId")))?;
        Some(SafeText::identifier(id))
    };
    let id = in_body().or_else(|| reply.trace_header.as_deref().map(SafeText::identifier));
    id.filter(|id| secret::cut_out_tokens(id.as_str()) == id.as_str())
}

fn refusal(stage: Stage, reply: &Reply) -> Failure {
    if (300..400).contains(&reply.status) {
        let host = reply.redirect_host.as_deref().unwrap_or("an address that it does not name");
        let message = format!("the answer redirects to {host}; nothing was sent there");
        return Failure {
            message: SafeText::new(&message),
            ..evidence(stage, Class::Redirected, reply)
        };
    }
    let (kind, said) = said(&reply.body);
    let class = match reply.status {
        200..300 => Class::BadAnswer,
        status => table::class_of(stage, status, kind, &said),
    };
    Failure {
        message: SafeText::new(&said),
        retry_after_ms: asked_wait(reply).map(clock::millis),
        ..evidence(stage, class, reply)
    }
}

fn evidence(stage: Stage, class: Class, reply: &Reply) -> Failure {
    Failure {
        stage,
        class,
        http_status: Some(reply.status),
        message: SafeText::default(),
        trace_id: trace_id(reply),
        retry_after_ms: None,
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

/// What an error body says, in one line, and whether HighLevel or a gateway said it.
fn said(body: &[u8]) -> (BodyKind, String) {
    if let Ok(Value::Object(object)) = serde_json::from_slice(body) {
        return (BodyKind::Json, said_by_json(&object));
    }
    let text = String::from_utf8_lossy(body.get(..8192).unwrap_or(body));
    (BodyKind::Other, without_tags(&text))
}

fn said_by_json(object: &Map<String, Value>) -> String {
    let nested = object.get("error").and_then(Value::as_object);
    let parts = [
        object.get("message"),
        object.get("error_description"),
        object.get("error"),
        nested.and_then(|error| error.get("message")),
        nested.and_then(|error| error.get("details")),
    ];
    let mut texts: Vec<String> = Vec::new();
    for text in parts.into_iter().flatten().flat_map(texts_of) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join(" · ")
}

/// A string, or the strings of an array: `message` is either.
fn texts_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(String::from).collect(),
        _ => Vec::new(),
    }
}

/// The visible text of an HTML page; plain text stays as it is.
fn without_tags(page: &str) -> String {
    let mut text = String::new();
    for piece in page.split('<') {
        match piece.split_once('>') {
            Some((tag, shown)) if !tag.starts_with("style") && !tag.starts_with("script") => {
                text.push(' ');
                text.push_str(shown);
            }
            Some(_) => {}
            None => text.push_str(piece),
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_body_is_read_in_every_shape_that_was_seen() {
        for (body, kind, text) in [
            (r#"{"message":"Location is not active"}"#, BodyKind::Json, "Location is not active"),
            (r#"{"statusCode":422,"message":["a","b"],"error":"E"}"#, BodyKind::Json, "a · b · E"),
            (
                r#"{"error":"UnAuthorized!","error_description":"Invalid client credentials!"}"#,
                BodyKind::Json,
                "Invalid client credentials! · UnAuthorized!",
            ),
            (r#"{"error":{"code":"x","message":"m","details":["d"]}}"#, BodyKind::Json, "m · d"),
            ("error code: 1010", BodyKind::Other, "error code: 1010"),
            (
                "<html><style>x{}</style><title>502 Bad Gateway</title><p>cloudflare</p></html>",
                BodyKind::Other,
                "502 Bad Gateway cloudflare",
            ),
            ("", BodyKind::Other, ""),
            ("[1]", BodyKind::Other, "[1]"),
        ] {
            assert_eq!(said(body.as_bytes()), (kind, text.to_owned()), "{body}");
        }
    }

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
