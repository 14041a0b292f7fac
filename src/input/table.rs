//! The records of a table: its header, its separator, its frame, its rows.

use std::borrow::Cow;

use super::cells::Form;
use super::choice::{ColumnChoice, FirstLine};
use super::csv::{Cell, Cut, Rest, blank_lines, cut, is_blank};
use super::error::Fault;
use super::format::{Delimiter, Format};
use super::id::{clean, names_an_id};
use super::layout::{Layout, MOST_COLUMNS};
use super::names::is_id_name;
use super::text::{RECORD_LIMIT, Text, decode};
use crate::highlevel::token_shape::{TokenShape, shape};

/// What is drawn around the cells of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// Nothing: the cells are as they stand.
    None,
    /// Blanks, and a line below the header: `psql`.
    Aligned,
    /// Bars at both ends as well: `mysql`, Markdown.
    Boxed,
}

/// A table that is being read.
#[derive(Clone)]
pub(super) struct Rows {
    delimiter: u8,
    frame: Frame,
    cells: Vec<Cell>,
    /// Bytes of the row that was given last, still at the beginning of the text.
    given: usize,
}

/// A row as it stands.
pub(super) struct Row<'a> {
    pub(super) line: u64,
    pub(super) cells: Vec<Cow<'a, str>>,
}

impl Rows {
    /// Reads the header, and says what the columns are.
    pub(super) fn open(text: &mut Text, choice: &ColumnChoice) -> Result<(Self, Layout), Fault> {
        let declared = declared(text);
        let rest = if text.ended() { Rest::Nothing } else { Rest::Perhaps };
        let frame = Frame::of(text.window());
        let delimiter = match frame {
            Frame::None => declared.unwrap_or_else(|| sniff(text.window(), rest)),
            Frame::Aligned | Frame::Boxed => Delimiter::PIPE,
        };
        let mut rows = Self { delimiter: delimiter.byte(), frame, cells: Vec::new(), given: 0 };
        let format = match (frame, choice.first_line) {
            (Frame::None, FirstLine::Header) => Format::Csv(delimiter),
            (Frame::None, FirstLine::Record) => Format::Headerless(delimiter),
            _ => Format::Drawn,
        };
        let encoding = text.encoding();
        let layout = Layout::new(format, encoding, choice);
        if choice.first_line == FirstLine::Record {
            let sample = rows.sample(text.window(), rest);
            let columns = sample.first().map_or(0, Vec::len);
            return Ok((rows, layout.of_numbers(columns, |column| holds_tokens(&sample, column))));
        }
        let (length, line) = rows.find(text)?.ok_or(Fault::Empty)?;
        let header = rows.header(&text.window()[..length]);
        match Header::of(&header) {
            Header::Ids(column) => return Err(Fault::NoHeader { line, column }),
            Header::BareId => {
                let layout = Layout::new(Format::BareIds, encoding, choice);
                return Ok((rows, layout.of_header(&["id".to_owned()])));
            }
            Header::Names if header.len() > MOST_COLUMNS => {
                return Err(Fault::TooManyColumns { line });
            }
            Header::Names => text.consume(length),
        }
        Ok((rows, layout.of_header(&header)))
    }

    /// The next row.
    pub(super) fn next<'a>(&mut self, text: &'a mut Text) -> Result<Option<Row<'a>>, Fault> {
        text.consume(std::mem::take(&mut self.given));
        let Some((length, line)) = self.find(text)? else { return Ok(None) };
        self.given = length;
        let cells = match decode(&text.window()[..length]) {
            Cow::Borrowed(row) => self.texts(row).collect(),
            Cow::Owned(row) => {
                cut(row.as_bytes(), self.delimiter, Rest::Nothing, &mut self.cells);
                self.texts(&row).map(|cell| Cow::Owned(cell.into_owned())).collect()
            }
        };
        Ok(Some(Row { line, cells }))
    }

    /// The cells of a row that has been cut, without its frame.
    fn texts<'a>(&self, row: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        let frame = self.frame;
        let cells = match (frame, &self.cells[..]) {
            (Frame::Boxed, [_, inner @ .., _]) => inner,
            (_, all) => all,
        };
        cells.iter().map(move |cell| match (frame, cell.text(row)) {
            (Frame::None, text) => text,
            (_, Cow::Borrowed(text)) => Cow::Borrowed(text.trim()),
            (_, Cow::Owned(text)) => Cow::Owned(text.trim().to_owned()),
        })
    }

    fn header(&mut self, bytes: &[u8]) -> Vec<String> {
        let text = decode(bytes);
        cut(text.as_bytes(), self.delimiter, Rest::Nothing, &mut self.cells);
        self.texts(&text).map(Cow::into_owned).collect()
    }

    /// The first rows of the text at hand.
    fn sample(&mut self, mut head: &[u8], rest: Rest) -> Vec<Vec<String>> {
        const ROWS: usize = 100;
        let mut rows = Vec::new();
        while rows.len() < ROWS {
            head = &head[blank_lines(head)..];
            let Cut::Record(length) = cut(head, self.delimiter, rest, &mut self.cells) else {
                break;
            };
            if head.is_empty() {
                break;
            }
            if !self.is_no_row(&head[..length]) {
                rows.push(self.header(&head[..length]));
            }
            head = &head[length..];
        }
        rows
    }

    /// Moves to the next record that is not blank, and cuts it: its length and its line.
    fn find(&mut self, text: &mut Text) -> Result<Option<(usize, u64)>, Fault> {
        loop {
            text.consume(blank_lines(text.window()));
            let rest = if text.ended() { Rest::Nothing } else { Rest::Perhaps };
            if text.window().is_empty() && rest == Rest::Nothing {
                return Ok(None);
            }
            let line = text.line();
            match cut(text.window(), self.delimiter, rest, &mut self.cells) {
                Cut::Record(length) if length > RECORD_LIMIT => {
                    return Err(Fault::TooLarge { line });
                }
                Cut::Record(length) if self.is_no_row(&text.window()[..length]) => {
                    text.consume(length);
                }
                Cut::Record(length) => return Ok(Some((length, line))),
                Cut::OpenQuote => return Err(Fault::OpenQuote { line }),
                Cut::More if text.window().len() > RECORD_LIMIT => {
                    return Err(Fault::TooLarge { line });
                }
                Cut::More => text.more().map_err(|source| Fault::Io { line, source })?,
            }
        }
    }

    /// Whether a record that has been cut is no row: blank, a ruler, a count of rows, the end mark of
    /// `COPY`, or a remark beside a drawn table.
    fn is_no_row(&self, record: &[u8]) -> bool {
        let is_remark = self.frame == Frame::Boxed && self.cells.len() < 3;
        let is_count = self.cells.len() == 1 && is_row_count(record);
        let is_end_mark = record.trim_ascii() == b"\\.";
        is_remark || is_count || is_end_mark || is_blank(record, &self.cells) || is_ruler(record)
    }
}

impl Frame {
    fn of(head: &[u8]) -> Self {
        let lines = head.split(|b| matches!(b, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
        let mut lines = lines.filter(|line| !line.is_empty());
        let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        let is_barred = |line: &[u8]| line.starts_with(b"|") && line.ends_with(b"|");
        if is_ruler(first) && is_barred(second) || is_barred(first) && is_ruler(second) {
            Self::Boxed
        } else if is_ruler(second) && !second.contains(&b',') && !first.contains(&b',') {
            Self::Aligned
        } else {
            Self::None
        }
    }
}

/// A line that is drawn: `----+----`, `|:--|---|`.
fn is_ruler(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let is_drawn = |b: &u8| b"-+|=: ,;\t".contains(b);
    (line.starts_with(b"-") || line.starts_with(b"+") || line.starts_with(b"|"))
        && line.windows(3).any(|three| three == b"---" || three == b"===")
        && line.iter().all(is_drawn)
}

/// `(40 rows)`, `40 rows in set (0.01 sec)`, `(1 row affected)`, `Time: 3.2 ms`.
fn is_row_count(line: &[u8]) -> bool {
    const LONGEST: usize = 60;
    if line.len() > LONGEST {
        return false;
    }
    let text = decode(line).to_ascii_lowercase();
    let mut words = text.split(|c: char| c.is_whitespace() || "()".contains(c));
    let mut words = words.by_ref().filter(|word| !word.is_empty());
    match (words.next(), words.next(), words.next()) {
        (Some("time:"), Some(number), Some("ms")) => number.parse::<f64>().is_ok(),
        (Some("empty"), Some("set"), _) => true,
        (Some(number), Some("row" | "rows" | "rows."), next) => {
            let ends = matches!(next, None | Some("affected" | "in" | "selected." | "returned"));
            ends && number.bytes().all(|b| b.is_ascii_digit())
        }
        _ => false,
    }
}

/// What a row of a table is, by its number of cells. One with more than the header has may be shifted.
pub(super) fn form(cells: &[Cow<'_, str>], layout: &Layout) -> Form {
    let extra = cells.get(layout.len()..).unwrap_or_default();
    if extra.iter().any(|cell| !cell.trim().is_empty()) { Form::TooLong } else { Form::Row }
}

/// Whether tokens stand in a column of a table without a header.
fn holds_tokens(sample: &[Vec<String>], column: usize) -> bool {
    let cells = sample.iter().filter_map(|row| row.get(column)).map(|cell| clean(cell));
    let cells: Vec<_> = cells.filter(|cell| !cell.is_empty()).collect();
    let is_token = |cell: &&&str| matches!(shape(cell), TokenShape::Token | TokenShape::Ciphertext);
    let tokens = cells.iter().filter(is_token).count();
    tokens > 0 && tokens * 2 >= cells.len()
}

/// Takes Excel's `sep=;` off the beginning.
fn declared(text: &mut Text) -> Option<Delimiter> {
    let head = text.window();
    let end = head.iter().position(|b| matches!(b, b'\n' | b'\r'))?;
    let delimiter = Delimiter::declared(std::str::from_utf8(&head[..end]).ok()?)?;
    text.consume(end);
    Some(delimiter)
}

/// The delimiter under which the beginning of a table makes the most sense: its header has an id
/// column, its rows have as many cells as its header, and it has more than one.
fn sniff(head: &[u8], rest: Rest) -> Delimiter {
    let score = |delimiter: &Delimiter| score(head, rest, *delimiter);
    // Of equals, max_by_key takes the last one: the comma is put there.
    Delimiter::ALL.into_iter().rev().max_by_key(score).unwrap_or(Delimiter::COMMA)
}

/// How well a delimiter fits, greater is better: id columns, rows as long as the header, columns.
fn score(head: &[u8], rest: Rest, delimiter: Delimiter) -> (usize, usize, usize) {
    let (frame, cells) = (Frame::None, Vec::new());
    let mut reader = Rows { delimiter: delimiter.byte(), frame, cells, given: 0 };
    let mut rows = reader.sample(head, rest).into_iter();
    let header = rows.next().unwrap_or_default();
    let columns = header.len();
    let is_id = |cell: &&String| is_id_name(cell) || names_an_id(clean(cell));
    let even = rows.filter(|row| columns > 1 && row.len() == columns).count();
    (header.iter().filter(is_id).count(), even, columns)
}

/// Whether a header is none: its cells hold ids.
enum Header {
    /// Names, as it should be.
    Names,
    /// One id and nothing else: a list of bare ids.
    BareId,
    /// An id among other cells, in the one of this number.
    Ids(usize),
}

impl Header {
    fn of(cells: &[String]) -> Self {
        let id = cells.iter().position(|cell| names_an_id(clean(cell)));
        let others = |at: usize| cells.iter().enumerate().filter(move |(other, _)| *other != at);
        match id {
            None => Self::Names,
            Some(_) if cells.iter().any(|cell| is_id_name(cell)) => Self::Names,
            Some(0) if others(0).all(|(_, cell)| clean(cell).is_empty()) => Self::BareId,
            Some(at) => Self::Ids(at + 1),
        }
    }
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
            ("7\tve9EPM428h8vShlRW1KT\ta,b\n", Delimiter::TAB),
            ("", Delimiter::COMMA),
        ] {
            assert_eq!(sniff(head.as_bytes(), Rest::Nothing), delimiter, "{head}");
        }
    }

    #[test]
    fn what_databases_draw_beside_the_rows_is_no_row() {
        for line in [
            "-----+-----",
            "+----+----+",
            "|:---|---:|",
            "----------",
            "(1 row)",
            "(40 rows)",
            "40 rows in set (0.01 sec)",
            "(3 rows affected)",
            "Time: 1.234 ms",
            "Empty set (0.00 sec)",
        ] {
            assert!(is_ruler(line.as_bytes()) || is_row_count(line.as_bytes()), "{line}");
        }
        for line in ["-", "--", "a---b", "40", "rows", "40 rows of seats, Acme", "-- none --"] {
            assert!(!is_ruler(line.as_bytes()) && !is_row_count(line.as_bytes()), "{line}");
        }
    }
}
