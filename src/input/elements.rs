//! The records of a JSON list, in all its arrangements, cut out of the text one at a time.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::Fault;
use super::format::Format;
use super::id::Reason;
use super::json::{Kind, blank, find_list, member, span, string_end, unquote};
use super::nested;
use super::text::{RECORD_LIMIT, Text, decode};

/// What is open around the place that has been reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// An array of records.
    Array,
    /// An object with a record under each id.
    Map,
    /// An object whose remaining members do not matter.
    Rest,
}

/// A JSON list that is being read.
#[derive(Clone)]
pub(super) struct Elements {
    format: Format,
    open: Vec<Open>,
    /// Bytes of the record that was given last, still at the beginning of the text.
    given: usize,
}

/// What an element of the list is.
pub(super) enum Found<'a> {
    /// An object: its members, values as text.
    Members(Vec<(Cow<'a, str>, Cow<'a, str>)>),
    /// A text, which can only be an id.
    Id(Cow<'a, str>),
    /// Anything else, as it stands, and what is wrong with it.
    Unreadable(Cow<'a, str>, Reason),
}

/// One element of the list: its key in a map, its length, and its line.
struct Element {
    key: Option<String>,
    length: usize,
    line: u64,
}

impl Elements {
    pub(super) fn new(format: Format) -> Self {
        Self { format, open: Vec::new(), given: 0 }
    }

    /// The next record and the line on which it begins.
    pub(super) fn next<'a>(
        &mut self,
        text: &'a mut Text,
    ) -> Result<Option<(u64, Found<'a>)>, Fault> {
        text.consume(std::mem::take(&mut self.given));
        let lines = self.format == Format::JsonLines;
        let element = if lines { line(text)? } else { self.element(text)? };
        let Some(Element { key, length, line }) = element else { return Ok(None) };
        if length > RECORD_LIMIT {
            return Err(Fault::TooLarge { line });
        }
        self.given = length;
        match decode(&text.window()[..length]) {
            Cow::Borrowed(json) => found(json, key, lines, line),
            // Windows-1252 is rare enough for a copy of every value.
            Cow::Owned(json) => found(&json, key, lines, line).map(Found::into_owned),
        }
        .map(|found| Some((line, found)))
    }

    /// Moves to the next element, opening and closing what is around it.
    fn element(&mut self, text: &mut Text) -> Result<Option<Element>, Fault> {
        loop {
            if self.open.last() == Some(&Open::Rest) {
                skip_rest(text)?;
                self.open.pop();
                continue;
            }
            let first = first(text)?;
            let line = text.line();
            match (self.open.last().copied(), first) {
                (None, None) => return Ok(None),
                (Some(_), None) => return Err(Fault::Truncated { line }),
                (None, Some(b'[')) => self.enter(text, 1, Open::Array),
                (None, Some(b'{')) if self.enter_object(text)? => {}
                (Some(Open::Array), Some(b']')) | (Some(Open::Map), Some(b'}')) => {
                    text.consume(1);
                    self.open.pop();
                }
                (Some(Open::Map), Some(_)) => return keyed(text).map(Some),
                (_, Some(b']' | b'}' | b':')) => return Err(Fault::Syntax { line }),
                (_, Some(_)) => {
                    let length = value(text)?;
                    return Ok(Some(Element { key: None, length, line }));
                }
            }
        }
    }

    fn enter(&mut self, text: &mut Text, length: usize, open: Open) {
        text.consume(length);
        self.open.push(open);
    }

    /// Enters an object at the top that holds a list; whether it does.
    fn enter_object(&mut self, text: &mut Text) -> Result<bool, Fault> {
        if !matches!(self.format, Format::JsonUnder(_) | Format::JsonById) {
            return Ok(false);
        }
        let line = text.line();
        text.look_ahead().map_err(|source| Fault::Io { line, source })?;
        let Some(entry) = find_list(text.window()) else { return Ok(false) };
        self.open.extend(std::iter::repeat_n(Open::Rest, entry.depth));
        let open = if entry.kind == Kind::Map { Open::Map } else { Open::Array };
        self.enter(text, entry.offset + 1, open);
        Ok(true)
    }
}

/// The next line that is not blank.
fn line(text: &mut Text) -> Result<Option<Element>, Fault> {
    if first(text)?.is_none() {
        return Ok(None);
    }
    let line = text.line();
    let ends = |window: &[u8]| window.iter().position(|b| matches!(b, b'\n' | b'\r'));
    let length = grow(text, ends, Fault::Truncated { line }).or_else(|fault| match fault {
        Fault::Truncated { .. } => Ok(text.window().len()),
        other => Err(other),
    })?;
    Ok(Some(Element { key: None, length, line }))
}

/// A member of a map, up to its value.
fn keyed(text: &mut Text) -> Result<Element, Fault> {
    let line = text.line();
    let (key, start) = grow(text, whole_member, Fault::Syntax { line })?;
    text.consume(start);
    let line = text.line();
    Ok(Element { key: Some(key), length: value(text)?, line })
}

fn whole_member(window: &[u8]) -> Option<(String, usize)> {
    member(window, 0)
}

/// The length of the value that begins here.
fn value(text: &mut Text) -> Result<usize, Fault> {
    let line = text.line();
    match grow(text, span, Fault::Truncated { line }) {
        Err(Fault::Truncated { line }) => {
            // A number or a word may well end with the list.
            let bracket = matches!(text.window().first(), Some(b'{' | b'[' | b'"'));
            if bracket { Err(Fault::Truncated { line }) } else { Ok(text.window().len()) }
        }
        Ok(0) => Err(Fault::Syntax { line }),
        other => other,
    }
}

/// Reads on until something can be told of the window; `otherwise`, if the list ends first.
fn grow<T>(
    text: &mut Text,
    tell: impl Fn(&[u8]) -> Option<T>,
    otherwise: Fault,
) -> Result<T, Fault> {
    let line = text.line();
    loop {
        if let Some(known) = tell(text.window()) {
            return Ok(known);
        }
        if text.window().len() > RECORD_LIMIT {
            return Err(Fault::TooLarge { line });
        }
        if text.ended() {
            return Err(otherwise);
        }
        text.more().map_err(|source| Fault::Io { line, source })?;
    }
}

/// Moves past blanks and commas; the byte that stands there, `None` at the end.
fn first(text: &mut Text) -> Result<Option<u8>, Fault> {
    loop {
        text.consume(blank(text.window()));
        if let Some(byte) = text.window().first() {
            return Ok(Some(*byte));
        }
        if text.ended() {
            return Ok(None);
        }
        let line = text.line();
        text.more().map_err(|source| Fault::Io { line, source })?;
    }
}

/// Moves past what is left of an object, member by member.
fn skip_rest(text: &mut Text) -> Result<(), Fault> {
    loop {
        let line = text.line();
        match first(text)? {
            None => return Err(Fault::Truncated { line }),
            Some(b'}') => {
                text.consume(1);
                return Ok(());
            }
            Some(b':') => text.consume(1),
            Some(b']') => return Err(Fault::Syntax { line }),
            Some(_) => {
                let length = value(text)?;
                text.consume(length);
            }
        }
    }
}

fn found(json: &str, key: Option<String>, lines: bool, line: u64) -> Result<Found<'_>, Fault> {
    let json = json.trim();
    let json = if lines { json.trim_end_matches([',', ' ']) } else { json };
    read(json, key).or_else(|error| {
        if lines {
            let position = error.column().max(1);
            return Ok(Found::Unreadable(Cow::Borrowed(json), Reason::NotJson { position }));
        }
        Err(Fault::Syntax { line: line + (error.line() as u64).saturating_sub(1) })
    })
}

fn read(json: &str, key: Option<String>) -> serde_json::Result<Found<'_>> {
    let what = match json.as_bytes().first() {
        Some(b'{') => {
            let mut members = Vec::new();
            let key = key.map(|key| (Cow::Borrowed("__id__"), Cow::Owned(key)));
            members.extend(key);
            let own: Members<'_> = serde_json::from_str(json)?;
            unfold(own, &mut members);
            return Ok(Found::Members(members));
        }
        Some(b'"') if key.is_none() => {
            let id: Name<'_> = serde_json::from_str(json)?;
            return Ok(Found::Id(id.0));
        }
        Some(b'"') => "a text under a key",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    };
    serde_json::from_str::<&RawValue>(json)?;
    Ok(Found::Unreadable(Cow::Borrowed(json), Reason::NotAnObject { what }))
}

/// Takes the members of an object, those of an envelope that a database puts around a record
/// instead of it: `DynamoDB`'s `Item`, Firestore's `document` and `fields`.
fn unfold<'a>(own: Members<'a>, members: &mut Vec<(Cow<'a, str>, Cow<'a, str>)>) {
    let is_alone = own.0.len() == 1;
    for (name, value) in own.0 {
        match inside(&name, value, is_alone) {
            Some(inner) => unfold(inner, members),
            None => members.push((name, text_of(value))),
        }
    }
}

fn inside<'a>(name: &str, value: &'a RawValue, is_alone: bool) -> Option<Members<'a>> {
    let is_envelope = match name {
        "Item" => is_alone,
        "document" => member_names(value).any(|name| name == "fields"),
        "fields" => wrapped_first(value),
        _ => false,
    };
    is_envelope.then(|| serde_json::from_str(value.get()).ok()).flatten()
}

fn member_names(value: &RawValue) -> impl Iterator<Item = String> {
    let members = serde_json::from_str::<Members<'_>>(value.get()).ok();
    let names = members.into_iter().flat_map(|members| members.0);
    names.map(|(name, _)| name.into_owned()).collect::<Vec<_>>().into_iter()
}

/// Whether the first member of an object is a wrapped value.
fn wrapped_first(value: &RawValue) -> bool {
    let members = serde_json::from_str::<Members<'_>>(value.get());
    members.is_ok_and(|members| members.0.first().is_some_and(|(_, value)| is_wrapped(value)))
}

fn is_wrapped(value: &RawValue) -> bool {
    let json = value.get().as_bytes();
    json.first() == Some(&b'{')
        && member(json, 1).is_some_and(|(name, _)| nested::is_wrapper(&name))
}

/// An object's members in order, values as they stand.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Found<'_> {
    fn into_owned<'b>(self) -> Found<'b> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Members(members) => {
                let members = members.into_iter().map(|(name, value)| (own(name), own(value)));
                Found::Members(members.collect())
            }
            Self::Id(id) => Found::Id(own(id)),
            Self::Unreadable(json, reason) => Found::Unreadable(own(json), reason),
        }
    }
}

/// A value as a cell: a string's text, nothing for null, the value inside a wrapper, anything else
/// as compact JSON.
fn text_of(value: &RawValue) -> Cow<'_, str> {
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'"') => unquote(json),
        Some(b'n') => Cow::Borrowed(""),
        Some(b'{') if is_wrapped(value) => Cow::Owned(text_inside(json)),
        Some(b'{' | b'[') => Cow::Owned(compact(json)),
        _ => Cow::Borrowed(json),
    }
}

fn text_inside(json: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(json).unwrap_or_default();
    match nested::unwrapped(&value) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Null) => String::new(),
        Some(inner) => inner.to_string(),
        None => compact(json),
    }
}

/// JSON without the blanks outside its strings.
fn compact(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        let (before, literal) = rest.split_at(start);
        let (literal, after) =
            literal.split_at(string_end(literal.as_bytes()).unwrap_or(literal.len()));
        text.extend(before.chars().filter(|c| !c.is_ascii_whitespace()));
        text.push_str(literal);
        rest = after;
    }
    text.extend(rest.chars().filter(|c| !c.is_ascii_whitespace()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compacting_keeps_strings_as_they_are() {
        assert_eq!(compact("{ \"a b\" : [ 1 , \" \\\" \" ] }"), r#"{"a b":[1," \" "]}"#);
    }
}
