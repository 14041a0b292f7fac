//! JSON in all its arrangements: records cut out of the text one at a time.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::columns::{Layout, normalise};
use super::format::Format;
use super::judge::{Reason, is_plainly_an_id};
use super::redact::{is_suspicious, string_end, unquote};
use super::row::{self, Cells, Position};
use super::text::{Text, decode};
use super::{Fault, RECORD_LIMIT, Record, Rejected, ScopeChoice};

/// Keys under which answers and exports keep their list, normalised.
const LIST_KEYS: &[&str] = &[
    "locations",
    "items",
    "data",
    "installations",
    "results",
    "documents",
    "sessions",
    "installedlocations",
    "records",
    "rows",
    "list",
    "companies",
    "agencies",
    "collections",
];

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
    offset: usize,
    /// How many objects are around the list.
    depth: usize,
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

fn blank(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_whitespace() || **b == b',').count()
}

/// A member of an object: its key, and where its value begins.
fn member(bytes: &[u8], at: usize) -> Option<(String, usize)> {
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
        if found.is_none() && (LIST_KEYS.contains(&name.as_str()) || key == "__collections__") {
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
pub(super) struct Elements {
    format: Format,
    open: Vec<Open>,
}

/// One element of the list: its key in a map, its length, and its line.
struct Element {
    key: Option<String>,
    length: usize,
    line: u64,
}

impl Elements {
    pub(super) fn new(format: Format) -> Self {
        Self { format, open: Vec::new() }
    }

    /// The next record.
    pub(super) fn next(
        &mut self,
        text: &mut Text,
        layout: &mut Layout,
        choice: ScopeChoice,
        row: u32,
    ) -> Result<Option<Record>, Fault> {
        let lines = self.format == Format::JsonLines;
        let element = if lines { line(text)? } else { self.element(text)? };
        let Some(element) = element else { return Ok(None) };
        if element.length > RECORD_LIMIT {
            return Err(Fault::TooLarge { line: element.line });
        }
        let at = Position { row, line: element.line };
        let json = decode(&text.window()[..element.length]);
        let json = json.trim();
        let json = if lines { json.trim_end_matches([',', ' ']) } else { json };
        let record = match record(json, element.key.as_deref(), layout, choice, at) {
            Err(Bad::Syntax(error)) if lines => {
                Ok(Record::Rejected(not_json(json, &error, layout, at)))
            }
            Err(Bad::Syntax(error)) => {
                Err(Fault::Syntax { line: at.line + (error.line() as u64).saturating_sub(1) })
            }
            Err(Bad::TooManyColumns) => Err(Fault::TooManyColumns { line: at.line }),
            Ok(record) => Ok(record),
        };
        text.consume(element.length);
        record.map(Some)
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

/// Why an element gives no record at all.
enum Bad {
    Syntax(serde_json::Error),
    TooManyColumns,
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

/// A record's values, by column.
struct Row<'a> {
    values: Vec<Option<Cow<'a, str>>>,
    suspicious: bool,
    bare_id: Option<usize>,
}

impl Cells for Row<'_> {
    fn cell(&self, column: usize) -> Cow<'_, str> {
        match self.values.get(column) {
            Some(Some(text)) => Cow::Borrowed(text),
            _ => Cow::Borrowed(""),
        }
    }

    fn may_hold_secrets(&self) -> bool {
        self.suspicious
    }

    fn bare_id(&self) -> Option<usize> {
        self.bare_id
    }
}

fn record(
    json: &str,
    key: Option<&str>,
    layout: &mut Layout,
    choice: ScopeChoice,
    at: Position,
) -> Result<Record, Bad> {
    let mut row = Row { values: Vec::new(), suspicious: true, bare_id: None };
    let what = match json.as_bytes().first() {
        Some(b'{') => {
            let members: Members<'_> = serde_json::from_str(json).map_err(Bad::Syntax)?;
            row.suspicious = key.is_some() || members.0.iter().any(|(_, v)| is_suspicious(v.get()));
            if let Some(key) = key {
                row.put(layout, "__id__", Cow::Borrowed(key))?;
            }
            for (name, value) in members.0 {
                row.put(layout, &name, text_of(value))?;
            }
            return Ok(row::judge(layout, &row, choice, at));
        }
        Some(b'"') if key.is_none() => {
            let id: Name<'_> = serde_json::from_str(json).map_err(Bad::Syntax)?;
            row.put(layout, "id", id.0)?;
            row.bare_id = layout.column("id");
            return Ok(row::judge(layout, &row, choice, at));
        }
        Some(b'"') => "a text under a key",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    };
    serde_json::from_str::<&RawValue>(json).map_err(Bad::Syntax)?;
    Ok(Record::Rejected(rejected(json, Reason::NotAnObject { what }, layout, at)))
}

impl<'a> Row<'a> {
    fn put(&mut self, layout: &mut Layout, name: &str, value: Cow<'a, str>) -> Result<(), Bad> {
        let column = layout.column(name).ok_or(Bad::TooManyColumns)?;
        if self.values.len() <= column {
            self.values.resize(column + 1, None);
        }
        self.values[column] = Some(value);
        Ok(())
    }
}

/// A value as a cell: a string's text, nothing for null, anything else as compact JSON.
fn text_of(value: &RawValue) -> Cow<'_, str> {
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'"') => unquote(json),
        Some(b'n') => Cow::Borrowed(""),
        Some(b'{' | b'[') => Cow::Owned(compact(json)),
        _ => Cow::Borrowed(json),
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

fn not_json(json: &str, error: &serde_json::Error, layout: &Layout, at: Position) -> Rejected {
    rejected(json, Reason::NotJson { position: error.column().max(1) }, layout, at)
}

fn rejected(json: &str, reason: Reason, layout: &Layout, at: Position) -> Rejected {
    let raw = format!("[{} characters]", json.chars().count());
    Rejected { row: at.row, line: at.line, column: layout.location_name(), reason, raw }
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
    fn compacting_keeps_strings_as_they_are() {
        assert_eq!(compact("{ \"a b\" : [ 1 , \" \\\" \" ] }"), r#"{"a b":[1," \" "]}"#);
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
}
