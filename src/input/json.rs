//! JSON as it stands in the text: where values end, and where the list is.

use std::borrow::Cow;

use super::format::Format;
use super::id::is_plainly_an_id;
use super::names::normalise;
use super::text::decode;

/// Keys under which answers and exports keep their list, normalised.
const LIST_KEYS: &str = "locations items data installations results documents sessions installedlocations records \
    rows list companies agencies collections";

/// How deep a list may lie under such keys.
const DEEPEST: usize = 4;

/// What kind of list stands inside an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An array of records.
    Array,
    /// An object with a record under each id.
    Map,
}

/// Where the list begins inside an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Bytes from the object's beginning to the list's own bracket.
    pub(super) offset: usize,
    /// How many objects are around the list.
    pub(super) depth: usize,
    pub(super) kind: Kind,
    /// The key that holds it.
    pub(super) key: String,
}

/// Where the value that begins here ends; `None` if the text at hand ends first.
pub(super) fn span(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        b'"' => string_end(bytes),
        b'{' | b'[' => nested_end(bytes, 0),
        _ => bytes.iter().position(|b| b",]}:\"".contains(b) || b.is_ascii_whitespace()),
    }
}

/// Where `depth` more brackets are closed than opened.
fn nested_end(bytes: &[u8], mut depth: usize) -> Option<usize> {
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at += string_end(&bytes[at..])? - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return Some(at + 1),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where a string literal that begins with its quote ends; `None` if it does not.
pub(super) fn string_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// What a JSON string literal says; one that cannot be read, as it stands.
pub(super) fn unquote(literal: &str) -> Cow<'_, str> {
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str::<String>(literal).map_or(Cow::Borrowed(inner), Cow::Owned)
}

pub(super) fn blank(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_whitespace() || **b == b',').count()
}

/// A member of an object: its key, and where its value begins.
pub(super) fn member(bytes: &[u8], at: usize) -> Option<(String, usize)> {
    let key_at = at + blank(bytes.get(at..)?);
    let key = bytes.get(key_at..).filter(|rest| rest.first() == Some(&b'"'))?;
    let length = string_end(key)?;
    let name = unquote(std::str::from_utf8(&key[..length]).ok()?).into_owned();
    let colon = key_at + length + blank(&key[length..]);
    (bytes.get(colon) == Some(&b':')).then_some(())?;
    let value = colon + 1 + blank(&bytes[colon + 1..]);
    bytes.get(value).map(|_| (name, value))
}

/// Finds the list inside an object, as far as the text at hand goes; `None` if the object itself is
/// a record.
pub(super) fn find_list(object: &[u8]) -> Option<Entry> {
    find_below(object, 0)
}

fn find_below(object: &[u8], depth: usize) -> Option<Entry> {
    let (mut at, mut found, mut company) = (1, None, false);
    while let Some((key, value)) = member(object, at) {
        let name = normalise(&key);
        if at == 1 && object[value] == b'{' && is_plainly_an_id(&key) {
            return Some(Entry { offset: 0, depth, kind: Kind::Map, key });
        }
        if name.ends_with("locationid") || name == "resourceid" {
            return None;
        }
        company |= name.ends_with("companyid");
        if found.is_none()
            && (LIST_KEYS.split(' ').any(|key| key == name) || key == "__collections__")
        {
            found = list_in(object, value, key, depth);
        }
        match span(&object[value..]) {
            Some(length) => at = value + length,
            None => break,
        }
    }
    found.filter(|entry| !company || holds_objects(&object[entry.offset..]))
}

/// Whether an array's first element, or a map, is an object: a company that names the ids of its
/// locations is a record, one that lists them as objects is a list.
fn holds_objects(list: &[u8]) -> bool {
    list.first() == Some(&b'{') || list.get(1 + blank(&list[1..])) == Some(&b'{')
}

fn list_in(object: &[u8], value: usize, key: String, depth: usize) -> Option<Entry> {
    match object[value] {
        b'[' => Some(Entry { offset: value, depth: depth + 1, kind: Kind::Array, key }),
        b'{' if depth < DEEPEST => {
            let inner = &object[value..];
            // Below __collections__ the collections have names of their own.
            let (inner_at, entry) = match find_below(inner, depth + 1) {
                Some(entry) => (value, entry),
                None if key == "__collections__" => {
                    let (_, first) = member(inner, 1).filter(|(_, at)| inner[*at] == b'{')?;
                    (value + first, find_below(&inner[first..], depth + 2)?)
                }
                None => return None,
            };
            Some(Entry { offset: inner_at + entry.offset, ..entry })
        }
        _ => None,
    }
}

/// The names that stand before a colon anywhere in the text at hand.
pub(super) fn names(head: &[u8]) -> Vec<String> {
    let text = decode(head);
    let (mut names, mut rest) = (Vec::new(), text.as_ref());
    while let Some(start) = rest.find('"') {
        let literal = &rest[start..];
        let Some(end) = string_end(literal.as_bytes()).filter(|end| literal.is_char_boundary(*end))
        else {
            break;
        };
        rest = &literal[end..];
        if rest.trim_start().starts_with(':') {
            names.push(unquote(&literal[..end]).into_owned());
        }
    }
    names
}

/// How a JSON list is to be walked, or `None` if the beginning is not JSON.
pub(super) fn format(head: &[u8]) -> Option<Format> {
    let start = head.trim_ascii_start();
    match start.first()? {
        b'[' => Some(Format::JsonArray),
        b'{' => Some(match find_list(start) {
            Some(Entry { kind: Kind::Array, key, .. }) => Format::JsonUnder(key),
            Some(Entry { kind: Kind::Map, .. }) => Format::JsonById,
            None if has_object_lines(start) => Format::JsonLines,
            None => Format::JsonObjects,
        }),
        _ => None,
    }
}

/// Whether one of the first three lines is a whole object, so that every line is a record.
fn has_object_lines(head: &[u8]) -> bool {
    let lines = head.split(|b| matches!(b, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    let mut lines = lines.filter(|line| !line.is_empty()).take(3).peekable();
    let alone = lines.peek().is_some_and(|first| *first == b"{");
    !alone
        && lines.any(|line| {
            let line = line.strip_suffix(b",").unwrap_or(line);
            line.starts_with(b"{") && span(line) == Some(line.len())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_spanned_whole() {
        for (text, length) in [
            (r#"{"a":"}\""} "#, Some(11)),
            ("[[1],[2]],", Some(9)),
            (r#""a\"b","#, Some(6)),
            ("12,", Some(2)),
            (r#"{"a":"#, None),
            ("12", None),
        ] {
            assert_eq!(span(text.as_bytes()), length, "{text}");
        }
    }

    #[test]
    fn the_list_is_found_inside_an_object() {
        let found = |text: &str| find_list(text.as_bytes()).map(|e| (e.offset, e.depth, e.kind));
        for (text, expected) in [
            (r#"{"items":[]}"#, Some((9, 1, Kind::Array))),
            (r#"{"n":1, "locations": [{}]}"#, Some((21, 1, Kind::Array))),
            (r#"{"companyId":"c","locations":[{}]}"#, Some((29, 1, Kind::Array))),
            (r#"{"companyId":"c","locations":["x"]}"#, None),
            (r#"{"locationId":"c","items":[{}]}"#, None),
            (r#"{"data":{"items":[{}]}}"#, Some((17, 2, Kind::Array))),
            (r#"{"ve9EPM428h8vShlRW1KT":{}}"#, Some((0, 0, Kind::Map))),
            (
                r#"{"__collections__":{"apps":{"ve9EPM428h8vShlRW1KT":{}}}}"#,
                Some((27, 2, Kind::Map)),
            ),
            ("{}", None),
            ("{", None),
            ("", None),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn json_is_told_from_its_beginning() {
        let under = |key: &str| Some(Format::JsonUnder(key.to_owned()));
        for (head, format) in [
            ("[{}]", Some(Format::JsonArray)),
            (" \n [", Some(Format::JsonArray)),
            (r#"{"locations":[{"_id":"x"}]}"#, under("locations")),
            (r#"{"count":1,"items":[{"_id":"x"}]}"#, under("items")),
            (r#"{"data":{"locations":[{"_id":"x"}]}}"#, under("locations")),
            (r#"{"ve9EPM428h8vShlRW1KT":{"a":1}}"#, Some(Format::JsonById)),
            ("{\"a\":1}\n{\"a\":2}\n", Some(Format::JsonLines)),
            ("{\"a\":1}\n", Some(Format::JsonLines)),
            ("{broken\n{\"a\":2}\n", Some(Format::JsonLines)),
            ("{\n  \"a\": 1\n}\n{\n", Some(Format::JsonObjects)),
            (r#"{"locationId":"x","locations":["y"]}"#, Some(Format::JsonLines)),
            ("location_id\n", None),
            ("", None),
        ] {
            assert_eq!(super::format(head.as_bytes()), format, "{head}");
        }
    }
}
