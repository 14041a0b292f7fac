//! The text of an error body, whatever its shape.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The kind of body that an answer had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// JSON, even if cut short: HighLevel's own answer.
    Json,
    /// Plain text, HTML or nothing: a gateway's answer, which says nothing about an installation.
    Other,
}

/// The text of an error body in one line, and whether HighLevel or a gateway wrote it.
pub fn error_text(body: &[u8]) -> (BodyKind, String) {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => return (BodyKind::Json, error_text_of_json(&object)),
        Ok(Value::String(text)) => return (BodyKind::Json, text),
        _ => {}
    }
    let text = String::from_utf8_lossy(body.get(..8192).unwrap_or(body));
    let kind = if text.trim_start().starts_with('{') { BodyKind::Json } else { BodyKind::Other };
    (kind, without_tags(&text))
}

/// Members with text for people, the most useful first. An object among them has such members too.
const TEXT_MEMBERS: [&str; 5] = ["message", "error_description", "error", "errors", "details"];

/// How deep objects are nested in the bodies seen so far, and one level more.
const DEEPEST: usize = 3;

/// Which members of an object are read.
#[derive(Clone, Copy)]
enum Members {
    /// Those of [`TEXT_MEMBERS`], in their order.
    ForPeople,
    /// All but ids, for a body without a text for people.
    AllButIds,
}

impl Members {
    fn of(self, object: &Map<String, Value>) -> Vec<&Value> {
        let is_id = |name: &str| name.to_ascii_lowercase().ends_with("id");
        match self {
            Self::ForPeople => TEXT_MEMBERS.iter().filter_map(|name| object.get(*name)).collect(),
            Self::AllButIds => {
                object.iter().filter(|(name, _)| !is_id(name)).map(|(_, value)| value).collect()
            }
        }
    }
}

fn error_text_of_json(object: &Map<String, Value>) -> String {
    let texts = texts_of_members(object, Members::ForPeople, 1);
    if texts.is_empty() {
        return texts_of_members(object, Members::AllButIds, 1).join(" · ");
    }
    let mut different: Vec<String> = Vec::new();
    for text in texts {
        if !different.contains(&text) {
            different.push(text);
        }
    }
    different.join(" · ")
}

fn texts_of_members(object: &Map<String, Value>, members: Members, depth: usize) -> Vec<String> {
    members.of(object).into_iter().flat_map(|value| texts_of(value, members, depth)).collect()
}

/// A string, the strings of an array, or the texts of an object.
fn texts_of(value: &Value, members: Members, depth: usize) -> Vec<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => vec![text.clone()],
        Value::Array(items) if depth <= DEEPEST => {
            items.iter().flat_map(|item| texts_of(item, members, depth + 1)).collect()
        }
        Value::Object(object) if depth <= DEEPEST => texts_of_members(object, members, depth + 1),
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
            (r#"{"status":401,"message":"m"}"#, BodyKind::Json, "m"),
            (
                r#"{"error":"UnAuthorized!","error_description":"Invalid client credentials!"}"#,
                BodyKind::Json,
                "Invalid client credentials! · UnAuthorized!",
            ),
            (r#"{"error":{"code":"x","message":"m","details":["d"]}}"#, BodyKind::Json, "m · d"),
            (r#"{"message":[{"message":"in"},7],"details":{"x":1}}"#, BodyKind::Json, "in"),
            (
                r#"{"message":{"code":"E17","detail":[{"why":"closed"}]},"traceId":"t"}"#,
                BodyKind::Json,
                "E17 · closed",
            ),
            (r#"{"statusCode":400,"traceId":"t"}"#, BodyKind::Json, ""),
            ("\"just a text\"", BodyKind::Json, "just a text"),
            (r#"{"message":"cut sho"#, BodyKind::Json, r#"{"message":"cut sho"#),
            ("\u{feff}{\"message\":\"m\"}", BodyKind::Json, "m"),
            ("error code: 1010", BodyKind::Other, "error code: 1010"),
            (
                "<html><style>x{}</style><title>502 Bad Gateway</title><p>cloudflare</p></html>",
                BodyKind::Other,
                "502 Bad Gateway cloudflare",
            ),
            ("", BodyKind::Other, ""),
            ("[1]", BodyKind::Other, "[1]"),
        ] {
            assert_eq!(error_text(body.as_bytes()), (kind, text.to_owned()), "{body}");
        }
    }
}
