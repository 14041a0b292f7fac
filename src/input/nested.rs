//! What is written inside a cell: the members of its JSON, the texts that its escapes stand for.

use std::borrow::Cow;

use serde_json::Value;

use crate::highlevel::token_shape::text_in_base64;

/// How deep texts within texts are looked into.
const DEEPEST: usize = 4;

/// Names that databases put around a value to say its type; they say nothing of what it is for.
const WRAPPERS: &str = "S N M L B BOOL NULL SS stringValue integerValue doubleValue booleanValue nullValue \
    timestampValue referenceValue mapValue arrayValue fields $oid $date";

/// Whether a name only wraps a value.
pub(super) fn is_wrapper(name: &str) -> bool {
    WRAPPERS.split(' ').any(|one| one == name)
}

/// The value inside its wrappers, `{"S":"x"}` or `{"stringValue":"x"}`; `None` if it has none.
pub(super) fn unwrapped(value: &Value) -> Option<&Value> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let (name, inner) = object.iter().next()?;
    let is_typed = is_wrapper(name) && !name.starts_with('$') && name != "fields";
    let fits = match &**name {
        "M" | "L" | "SS" | "mapValue" | "arrayValue" => inner.is_object() || inner.is_array(),
        _ => !(inner.is_object() || inner.is_array()),
    };
    (is_typed && fits).then_some(inner)
}

/// One value inside a cell, with the names that lead to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) path: Vec<String>,
    pub(super) text: String,
}

/// Whether a text may be JSON.
pub(super) fn is_like_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// Every text and number of a cell that is JSON, also of JSON in a text of it; nothing of any other.
pub(super) fn leaves(text: &str) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    collect(text, &mut Vec::new(), 0, &mut leaves);
    leaves
}

fn collect(text: &str, path: &mut Vec<String>, depth: usize, leaves: &mut Vec<Leaf>) -> bool {
    if depth > DEEPEST || !is_like_json(text) {
        return false;
    }
    let Ok(value) = serde_json::from_str::<Value>(text) else { return false };
    walk(&value, path, depth, leaves);
    true
}

fn walk(value: &Value, path: &mut Vec<String>, depth: usize, leaves: &mut Vec<Leaf>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let is_name = !is_wrapper(name);
                if is_name {
                    path.push(name.clone());
                }
                walk(value, path, depth, leaves);
                if is_name {
                    path.pop();
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, path, depth, leaves)),
        Value::String(text) => {
            if !collect(text, path, depth + 1, leaves) {
                leaves.push(Leaf { path: path.clone(), text: text.clone() });
            }
        }
        Value::Number(number) => {
            leaves.push(Leaf { path: path.clone(), text: number.to_string() });
        }
        Value::Bool(_) | Value::Null => {}
    }
}

/// A text, and the texts that it is with its escapes taken off: `%3D`, `\u003d`, `\/`, base64.
pub(super) fn readings(text: &str) -> Vec<Cow<'_, str>> {
    const MOST: usize = 16;
    let mut readings = vec![Cow::Borrowed(text)];
    let mut at = 0;
    while at < readings.len() && readings.len() < MOST {
        let text = readings[at].clone();
        let whole = [without_percent(&text), without_backslashes(&text)];
        let more = whole.into_iter().flatten().chain(in_base64(&text));
        let new: Vec<_> = more.filter(|one| !readings.iter().any(|known| known == one)).collect();
        readings.extend(new.into_iter().map(Cow::Owned));
        at += 1;
    }
    readings
}

fn without_percent(text: &str) -> Option<String> {
    text.contains('%')
        .then(|| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned())
}

fn without_backslashes(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return None;
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.strip_prefix('u').and_then(|rest| rest.get(..4));
        let c = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if let Some(c) = c.and_then(char::from_u32) {
            plain.push(c);
            rest = &rest[5..];
        } else if let Some(c) = rest.chars().next() {
            plain.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    plain.push_str(rest);
    Some(plain)
}

/// The texts that runs of a text are in base64, where they are readable ones.
fn in_base64(text: &str) -> impl Iterator<Item = String> {
    const SHORTEST: usize = 16;
    let is_outside = |c: char| !(c.is_ascii_alphanumeric() || "-_+/=".contains(c));
    let runs = text.split(is_outside).filter(|run| run.len() >= SHORTEST);
    let is_readable = |text: &String| !text.is_empty() && !text.contains(char::is_control);
    let texts: Vec<_> = runs.filter_map(text_in_base64).filter(is_readable).collect();
    texts.into_iter()
}

/// The values that stand behind a name in a text that is no JSON: `name=value`, `name: "value"`, and
/// PHP's `s:4:"name";s:5:"value"`.
pub(super) fn named_values(text: &str) -> Vec<(&str, &str, Quoted)> {
    let signs = text.match_indices([':', '=']).chain(text.match_indices(";s:"));
    signs.filter_map(|(at, sign)| named_value(&text[..at], &text[at + sign.len()..])).collect()
}

/// Whether a name stands in quotes, as in JSON that is broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quoted {
    Yes,
    No,
}

fn named_value<'a>(before: &'a str, after: &'a str) -> Option<(&'a str, &'a str, Quoted)> {
    let before = before.trim_end();
    let bare = before.trim_end_matches(['"', '\'', '`', '\\']);
    let quoted = if bare.len() < before.len() { Quoted::Yes } else { Quoted::No };
    let is_outside = |c: char| !(c.is_alphanumeric() || "_-.".contains(c));
    let start = bare.char_indices().rev().find(|(_, c)| is_outside(*c));
    let name = &bare[start.map_or(0, |(at, c)| at + c.len_utf8())..];
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return None;
    }
    let is_between = |c: char| c.is_whitespace() || "\"'`\\:=>".contains(c);
    let value = after.trim_start_matches(is_between);
    // The length of a text, in PHP.
    let length = value.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix(":\"");
    let value = length.unwrap_or(value);
    let ends = |c: char| c.is_whitespace() || "\"'`\\,;&<>{}[]()".contains(c);
    let value = &value[..value.find(ends).unwrap_or(value.len())];
    (!value.is_empty()).then_some((name, value, quoted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_found_with_the_names_that_lead_to_it() {
        let found = |text: &str| -> Vec<String> {
            leaves(text)
                .iter()
                .map(|leaf| format!("{}={}", leaf.path.join("."), leaf.text))
                .collect()
        };
        for (text, expected) in [
            (r#"{"a":"x","b":{"c":[1,"y"]}}"#, &["a=x", "b.c=1", "b.c=y"][..]),
            (r#"{"Item":{"locationId":{"S":"x"}}}"#, &["Item.locationId=x"]),
            (r#"{"fields":{"a":{"mapValue":{"fields":{"b":{"stringValue":"x"}}}}}}"#, &["a.b=x"]),
            (r#"{"a":"{\"b\":\"x\\u003d\"}"}"#, &["a.b=x="]),
            ("{broken", &[]),
            ("text", &[]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn escapes_are_taken_off() {
        for (text, reading) in [
            ("a%3Db", "a=b"),
            (r"a\u003db\/c", "a=b/c"),
            ("is bGl2ZS10b2tlbi0wMDAx ok", "live-token-0001"),
            ("a%255Cu003db", "a=b"),
        ] {
            assert!(
                readings(text).iter().any(|one| one == reading),
                "{text}: {:?}",
                readings(text)
            );
        }
    }

    #[test]
    fn values_behind_names_are_found_in_any_text() {
        for (text, expected) in [
            ("?access_token=abc&x=1", &[("access_token", "abc"), ("x", "1")][..]),
            ("{\"a\": \"b", &[("a", "b")]),
            ("it's password: hunter2.", &[("password", "hunter2.")]),
            ("2026-01-01T00:00:00Z", &[]),
            ("name:", &[]),
        ] {
            let found: Vec<_> = named_values(text).iter().map(|one| (one.0, one.1)).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
