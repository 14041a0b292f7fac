//! What kind of list it is, told from its content and not from its name.

use std::fmt;

use super::csv::{self, Cut, Rest};
use super::judge::{clean, is_plainly_an_id};
use super::text::Encoding;
use super::{columns, json};

/// How the records of a list are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// A table with a header.
    Csv(Delimiter),
    /// One id a line, without a header.
    BareIds,
    /// A JSON array.
    JsonArray,
    /// An object that holds the array under this key, as `installedLocations` answers.
    JsonUnder(String),
    /// An object whose keys are the ids.
    JsonById,
    /// One JSON object a line.
    JsonLines,
    /// One JSON object, or several one after the other.
    JsonObjects,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Csv(delimiter) => write!(f, "CSV, separated by {delimiter}"),
            Self::BareIds => f.write_str("bare ids, one a line, without a header"),
            Self::JsonArray => f.write_str("JSON array"),
            Self::JsonUnder(key) => write!(f, "JSON, the list under \"{key}\""),
            Self::JsonById => f.write_str("JSON object, a record under each id"),
            Self::JsonLines => f.write_str("JSON lines"),
            Self::JsonObjects => f.write_str("JSON objects"),
        }
    }
}

/// What stands between the cells of a table: one ASCII character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delimiter(u8);

impl Delimiter {
    /// `,`
    pub const COMMA: Self = Self(b',');
    /// `;`, as Excel writes where the comma is the decimal sign.
    pub const SEMICOLON: Self = Self(b';');
    /// A tab.
    pub const TAB: Self = Self(b'\t');
    /// `|`
    pub const PIPE: Self = Self(b'|');

    const ALL: [Self; 4] = [Self::COMMA, Self::SEMICOLON, Self::TAB, Self::PIPE];

    /// The character as a byte, for a CSV writer.
    pub fn byte(self) -> u8 {
        self.0
    }

    /// Reads Excel's first line `sep=;`.
    pub(super) fn declared(line: &str) -> Option<Self> {
        let line = line.trim_matches(['"', '\u{feff}', '\r', '\n']);
        let value =
            line.get(..4).filter(|name| name.eq_ignore_ascii_case("sep=")).map(|_| &line[4..]);
        Self::ALL.into_iter().find(|delimiter| value.map(str::as_bytes) == Some(&[delimiter.0]))
    }

    /// The delimiter under which the beginning of a table makes the most sense: its header has an id
    /// column, its rows have as many cells as its header, and it has more than one.
    pub(super) fn sniff(head: &[u8], rest: Rest) -> Self {
        let score = |delimiter: &Self| Score::of(head, rest, *delimiter);
        // Of equals, max_by_key takes the last one: the comma is put there.
        Self::ALL.into_iter().rev().max_by_key(score).unwrap_or(Self::COMMA)
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::SEMICOLON => "semicolons",
            Self::TAB => "tabs",
            Self::PIPE => "vertical bars",
            _ => "commas",
        })
    }
}

/// How well a delimiter fits; greater is better, field by field.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    id_columns: usize,
    even_rows: usize,
    columns: usize,
}

impl Score {
    /// The rows looked at after the header.
    const ROWS: usize = 20;

    fn of(head: &[u8], rest: Rest, delimiter: Delimiter) -> Self {
        let mut rows = first_rows(head, rest, delimiter).into_iter();
        let header = rows.next().unwrap_or_default();
        let columns = header.len();
        Self {
            id_columns: header.iter().filter(|name| columns::is_id_name(name)).count(),
            even_rows: if columns > 1 {
                rows.filter(|row| row.len() == columns).count()
            } else {
                0
            },
            columns,
        }
    }
}

fn first_rows(head: &[u8], rest: Rest, delimiter: Delimiter) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut cells = Vec::new();
    let mut at = 0;
    while rows.len() <= Score::ROWS {
        at += csv::blank_lines(&head[at..]);
        let Cut::Record(length) = csv::cut(&head[at..], delimiter.0, rest, &mut cells) else {
            break;
        };
        let text = super::text::decode(&head[at..at + length]).into_owned();
        csv::cut(text.as_bytes(), delimiter.0, Rest::Nothing, &mut cells);
        rows.push(cells.iter().map(|cell| cell.text(&text).into_owned()).collect());
        at += length;
    }
    rows
}

/// Whether a header is none: its cells hold ids.
pub(super) enum Header {
    /// Names, as it should be.
    Names,
    /// One id and nothing else: a list of bare ids.
    BareId,
    /// An id among other cells.
    Ids,
}

impl Header {
    pub(super) fn of(cells: &[String]) -> Self {
        let is_id = |cell: &String| is_plainly_an_id(clean(cell));
        let named = cells.iter().any(|cell| columns::is_id_name(cell));
        match cells {
            _ if named || !cells.iter().any(is_id) => Self::Names,
            [first, others @ ..] if is_id(first) && others.iter().all(|o| clean(o).is_empty()) => {
                Self::BareId
            }
            _ => Self::Ids,
        }
    }
}

/// What a file that is not a list looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// An Excel workbook.
    Excel,
    /// A zip archive.
    Zip,
    /// Compressed.
    Compressed,
    /// A PDF.
    Pdf,
    /// A web page or XML.
    Markup,
    /// Zero bytes or the like.
    Binary,
}

impl Looks {
    /// Tells from the first raw bytes; `None` if it may be a list.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let holds = |needle: &[u8]| head.windows(needle.len()).any(|w| w == needle);
        match head {
            [b'P', b'K', 3 | 5 | 7, ..] if holds(b"xl/") || holds(b"[Content_Types]") => {
                Some(Self::Excel)
            }
            [b'P', b'K', 3 | 5 | 7, ..] => Some(Self::Zip),
            [0xD0, 0xCF, 0x11, 0xE0, ..] => Some(Self::Excel),
            [0x1F, 0x8B, ..]
            | [0x28, 0xB5, 0x2F, 0xFD, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Self::Compressed),
            [b'%', b'P', b'D', b'F', ..] => Some(Self::Pdf),
            [b'S', b'Q', b'L', b'i', b't', b'e', b' ', ..] | [b'P', b'A', b'R', b'1', ..] => {
                Some(Self::Binary)
            }
            _ => None,
        }
    }

    /// Tells from the first raw bytes of what is not read yet. UTF-16 is for [`Looks::of_text`] to
    /// judge, once it is decoded.
    pub(super) fn of_raw(head: &[u8]) -> Option<Self> {
        let is_decoded = !matches!(Encoding::sniff(head).0, Encoding::Utf16Le | Encoding::Utf16Be);
        Self::of(head).or_else(|| is_decoded.then(|| Self::of_text(head)).flatten())
    }

    /// Tells from the beginning of the decoded text.
    pub(super) fn of_text(head: &[u8]) -> Option<Self> {
        let start = head.trim_ascii_start();
        let markup = [&b"<!doctype"[..], b"<html", b"<?xml"];
        let starts =
            |tag: &&[u8]| start.get(..tag.len()).is_some_and(|s| s.eq_ignore_ascii_case(tag));
        let controls = head.iter().filter(|b| matches!(b, 0..=8 | 14..=26 | 28..=31)).count();
        if head.contains(&0) || controls * 20 > head.len() {
            return Some(Self::Binary);
        }
        markup.iter().any(starts).then_some(Self::Markup)
    }
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Excel => "an Excel workbook; open it and save it as \"CSV UTF-8\"",
            Self::Zip => "a zip archive; unpack it, and export a spreadsheet as CSV",
            Self::Compressed => "a compressed file; unpack it first (gunzip, zstd -d, bunzip2)",
            Self::Pdf => "a PDF; export the list as CSV or JSON instead",
            Self::Markup => "a web page or XML; export the list as CSV or JSON instead",
            Self::Binary => "a binary file; export the list as CSV or JSON instead",
        })
    }
}

/// How a JSON list is to be walked, or `None` if the beginning is not JSON.
pub(super) fn json(head: &[u8]) -> Option<Format> {
    let start = head.trim_ascii_start();
    match start.first()? {
        b'[' => Some(Format::JsonArray),
        b'{' => Some(match json::find_list(start) {
            Some(json::Entry { kind: json::Kind::Array, key, .. }) => Format::JsonUnder(key),
            Some(json::Entry { kind: json::Kind::Map, .. }) => Format::JsonById,
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
            line.starts_with(b"{") && json::span(line) == Some(line.len())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_told_from_header_and_rows() {
        for (head, delimiter) in [
            ("location_id,name\na,b\n", Delimiter::COMMA),
            ("location_id;name\na;b,c\n", Delimiter::SEMICOLON),
            ("location_id\tname, full\na\tb\n", Delimiter::TAB),
            ("location_id|name\na|b\n", Delimiter::PIPE),
            ("location_id\nabc\n", Delimiter::COMMA),
            ("\"Name; full\",\"Location ID\"\n\"a;b\",c\n", Delimiter::COMMA),
            ("\"Name, full\";\"Location ID\"\n\"a,b\";c\n", Delimiter::SEMICOLON),
            ("", Delimiter::COMMA),
        ] {
            assert_eq!(Delimiter::sniff(head.as_bytes(), Rest::Nothing), delimiter, "{head}");
        }
    }

    #[test]
    fn excels_first_line_declares_the_delimiter() {
        for (line, delimiter) in [
            ("sep=;", Some(Delimiter::SEMICOLON)),
            ("\"sep=;\"", Some(Delimiter::SEMICOLON)),
            ("SEP=,", Some(Delimiter::COMMA)),
            ("sep=\t", Some(Delimiter::TAB)),
            ("separate", None),
        ] {
            assert_eq!(Delimiter::declared(line), delimiter, "{line}");
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
            assert_eq!(json(head.as_bytes()), format, "{head}");
        }
    }

    #[test]
    fn what_is_no_list_is_named() {
        for (head, looks) in [
            (&b"PK\x03\x04....[Content_Types].xml"[..], Some(Looks::Excel)),
            (b"PK\x03\x04....readme.txt", Some(Looks::Zip)),
            (b"\xD0\xCF\x11\xE0\xA1\xB1", Some(Looks::Excel)),
            (b"\x1F\x8B\x08", Some(Looks::Compressed)),
            (b"%PDF-1.7", Some(Looks::Pdf)),
            (b"location_id\n", None),
        ] {
            assert_eq!(Looks::of(head), looks, "{head:?}");
        }
        assert_eq!(Looks::of_text(b"a\0b"), Some(Looks::Binary));
        assert_eq!(Looks::of_text(b" <!DOCTYPE html>"), Some(Looks::Markup));
        assert_eq!(Looks::of_text(b"location_id\n"), None);
    }
}
