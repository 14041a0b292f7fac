//! The cells of a table, cut out of the text one record at a time.
//!
//! The cutting is done here rather than by a parser crate since two things have to be known that
//! those do not tell: the physical line of a record after blank lines and bare CRs, and whether a
//! quote that nobody closed has swallowed the rows after it. What is well-formed is read as the
//! `csv` crate reads it, which a test makes sure of.

use std::borrow::Cow;

use super::text::decode;

/// Whether more text may follow what is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// More may come.
    Perhaps,
    /// It is the end of the list.
    Nothing,
}

/// Where one cell stands in its record, its quotes included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    start: usize,
    end: usize,
    /// Where the closing quote stands, if the cell is quoted.
    quote: Option<usize>,
}

impl Cell {
    /// The bytes of the cell in its record, without its quotes.
    fn content<'a>(&self, record: &'a [u8]) -> &'a [u8] {
        let (start, end) = match self.quote {
            Some(quote) => (self.start + 1, quote),
            None => (self.start, self.end),
        };
        record.get(start..end).unwrap_or_default()
    }

    /// The bytes that stand after the closing quote.
    fn rest<'a>(&self, record: &'a [u8]) -> &'a [u8] {
        let after = self.quote.and_then(|quote| record.get(quote + 1..self.end));
        after.unwrap_or_default()
    }

    /// The cell's text, quotes taken off.
    pub(super) fn text<'a>(&self, record: &'a str) -> Cow<'a, str> {
        let Some(quote) = self.quote else {
            return Cow::Borrowed(record.get(self.start..self.end).unwrap_or_default());
        };
        let inner = record.get(self.start + 1..quote).unwrap_or_default();
        let after = record.get(quote + 1..self.end).unwrap_or_default();
        match (inner.contains('"'), after.is_empty()) {
            (false, true) => Cow::Borrowed(inner),
            _ => Cow::Owned(inner.replace("\"\"", "\"") + after),
        }
    }
}

/// What cutting one record gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// A whole record of this many bytes, its line end included.
    Record(usize),
    /// The record continues past the text at hand.
    More,
    /// A quote swallows what follows.
    OpenQuote,
}

/// How many bytes of line ends stand at the beginning.
pub(super) fn blank_lines(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| matches!(b, b'\n' | b'\r')).count()
}

/// Whether a row has no cell with anything in it, quoted or not: spreadsheets leave such rows at the
/// end, and databases write them as `"",""`.
pub(super) fn is_blank(record: &[u8], cells: &[Cell]) -> bool {
    cells.iter().all(|cell| is_blank_text(cell.content(record)) && is_blank_text(cell.rest(record)))
}

fn is_blank_text(bytes: &[u8]) -> bool {
    bytes.trim_ascii().is_empty() || decode(bytes).trim().is_empty()
}

/// Cuts one record off the beginning, and finds its cells.
pub(super) fn cut(bytes: &[u8], delimiter: u8, rest: Rest, cells: &mut Vec<Cell>) -> Cut {
    cells.clear();
    let mut at = 0;
    loop {
        let cell = match cell(bytes, at, delimiter, rest) {
            Ok(cell) => cell,
            Err(cut) => return cut,
        };
        cells.push(cell);
        match bytes.get(cell.end) {
            Some(byte) if *byte == delimiter => at = cell.end + 1,
            Some(b'\r') if bytes.get(cell.end + 1) == Some(&b'\n') => {
                return Cut::Record(cell.end + 2);
            }
            Some(_) => return Cut::Record(cell.end + 1),
            None if rest == Rest::Nothing => return Cut::Record(cell.end),
            None => return Cut::More,
        }
    }
}

fn cell(bytes: &[u8], start: usize, delimiter: u8, rest: Rest) -> Result<Cell, Cut> {
    if bytes.get(start) != Some(&b'"') {
        return Ok(Cell { start, end: plain_end(bytes, start, delimiter), quote: None });
    }
    let quote = match closing_quote(bytes, start + 1) {
        None if rest == Rest::Nothing => return Err(Cut::OpenQuote),
        None => return Err(Cut::More),
        Some(quote) if quote + 1 == bytes.len() && rest == Rest::Perhaps => return Err(Cut::More),
        Some(quote) => quote,
    };
    let end = plain_end(bytes, quote + 1, delimiter);
    let stray = !bytes[quote + 1..end].trim_ascii().is_empty();
    let lines = bytes[start..quote].iter().any(|b| matches!(b, b'\n' | b'\r'));
    // Text after the closing quote: harmless on one line, but over several the quote is likelier
    // the opening one of another cell, and the rows between the two are swallowed.
    if stray && lines { Err(Cut::OpenQuote) } else { Ok(Cell { start, end, quote: Some(quote) }) }
}

fn plain_end(bytes: &[u8], start: usize, delimiter: u8) -> usize {
    let stops = |b: &u8| *b == delimiter || matches!(*b, b'\n' | b'\r');
    bytes[start..].iter().position(stops).map_or(bytes.len(), |length| start + length)
}

fn closing_quote(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += bytes.get(at..)?.iter().position(|b| *b == b'"')?;
        if bytes.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All records of a text, cut in pieces of any size.
    fn cut_all(text: &str) -> Result<Vec<Vec<String>>, Cut> {
        let (mut at, mut cells, mut rows) = (0, Vec::new(), Vec::new());
        loop {
            at += blank_lines(&text.as_bytes()[at..]);
            if at == text.len() {
                return Ok(rows);
            }
            match cut(&text.as_bytes()[at..], b',', Rest::Nothing, &mut cells) {
                Cut::Record(length) => {
                    let record = &text[at..at + length];
                    rows.push(cells.iter().map(|cell| cell.text(record).into_owned()).collect());
                    at += length;
                }
                other => return Err(other),
            }
        }
    }

    #[test]
    fn records_and_cells_are_cut() {
        for (text, expected) in [
            ("a,b\nc,d", vec![vec!["a", "b"], vec!["c", "d"]]),
            ("a,b\r\nc,d\r\n", vec![vec!["a", "b"], vec!["c", "d"]]),
            ("a\rb\r", vec![vec!["a"], vec!["b"]]),
            ("\n\n\"a,1\",\"b\"\"c\"\n\n", vec![vec!["a,1", "b\"c"]]),
            ("\"a\nb\",c", vec![vec!["a\nb", "c"]]),
            ("a,\n,b", vec![vec!["a", ""], vec!["", "b"]]),
            ("\"a\" ,b", vec![vec!["a ", "b"]]),
            ("\"a\"b,c", vec![vec!["ab", "c"]]),
            ("=\"a\",b\"c", vec![vec!["=\"a\"", "b\"c"]]),
        ] {
            assert_eq!(cut_all(text).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_quote_that_swallows_rows_is_found() {
        assert_eq!(cut_all("a,\"b\nc,d\n"), Err(Cut::OpenQuote));
        assert_eq!(cut_all("a,\"b\nc,\"d\"\n"), Err(Cut::OpenQuote));
    }

    proptest! {
        #[test]
        fn what_the_csv_crate_writes_is_read_back_exactly(
            rows in prop::collection::vec(prop::collection::vec(".{0,12}|[\",;\n\r\t x]{0,6}", 2..5), 1..6)
        ) {
            let mut writer = ::csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(cut_all(&text).unwrap(), rows);
        }
    }
}
