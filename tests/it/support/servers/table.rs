//! What a table holds, and how two of them are compared.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// How far apart two times of the same moment may be: a test has seconds between them.
const SAME_MOMENT: f64 = 60.0;

/// All rows of a table as the command-line program of its database shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With a header. An empty answer is an empty table.
    pub(super) fn from_csv(text: &str, separator: u8) -> Self {
        let mut reader = csv::ReaderBuilder::new();
        let quoting = separator == b',';
        let mut reader = reader.delimiter(separator).quoting(quoting).from_reader(text.as_bytes());
        let columns = reader.headers().unwrap().iter().map(Into::into).collect();
        let rows = reader.records().map(|row| row.unwrap().iter().map(Into::into).collect());
        let mut rows: Vec<Vec<String>> = rows.collect();
        rows.sort();
        Self { columns, rows }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The values of a column, in no order that means anything.
    #[track_caller]
    pub(crate) fn column(&self, name: &str) -> Vec<&str> {
        let at = self.columns.iter().position(|column| column == name);
        let at = at.unwrap_or_else(|| panic!("no column {name} in {:?}", self.columns));
        self.rows.iter().map(|row| &*row[at]).collect()
    }

    /// Checks that it is another table cell by cell; `now` names columns that hold the time at which
    /// their row was written, in one format.
    #[track_caller]
    pub(crate) fn assert_is(&self, other: &Self, now: &[&str]) {
        assert_eq!(self.columns, other.columns);
        assert_eq!(self.len(), other.len(), "rows");
        let is_now = |at: usize| now.contains(&&*self.columns[at]);
        let by_the_rest = |table: &Self| {
            let mut rows = table.rows.clone();
            let rest = |row: &Vec<String>| -> Vec<String> {
                let cells = row.iter().enumerate().filter(|(at, _)| !is_now(*at));
                cells.map(|(_, cell)| cell.clone()).collect()
            };
            rows.sort_by_key(rest);
            rows
        };
        for (row, expected) in by_the_rest(self).iter().zip(by_the_rest(other)) {
            for (at, (cell, expected)) in row.iter().zip(&expected).enumerate() {
                let same = cell == expected || is_now(at) && is_same_moment(cell, expected);
                let column = &self.columns[at];
                assert!(same, "{column} is {cell:?}, not {expected:?}\nin {row:?}");
            }
        }
    }
}

/// Whether two texts are about the same time in the same format.
fn is_same_moment(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|text| text.trim_matches('\''));
    let times = seconds(one).zip(seconds(other));
    shape(one) == shape(other) && times.is_some_and(|(a, b)| (a - b).abs() < SAME_MOMENT)
}

/// A text with its digits made equal. The digits of a fraction are a format only where it is the app
/// that writes them, which a `T` shows; a database leaves noughts out, and a whole fraction of a time.
fn shape(text: &str) -> String {
    let same: String = text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    let point = if same.contains(':') { "" } else { "." };
    match same.split_once('.') {
        Some((head, tail)) if !same.contains('T') => {
            format!("{head}{point}{}", tail.trim_start_matches('9'))
        }
        _ => same,
    }
}

/// Epoch seconds of a number or a time, whatever its format.
fn seconds(text: &str) -> Option<f64> {
    if let Ok(number) = text.parse::<f64>() {
        return Some(if number > 1e11 { number / 1000.0 } else { number });
    }
    // `2026-01-02 03:04:05+00`, as PostgreSQL writes it.
    let minutes = text.len() > 3 && text[text.len() - 3..].starts_with(['+', '-']);
    let text = if minutes { format!("{text}:00") } else { text.to_owned() };
    let at = text.parse::<Timestamp>().ok();
    let at = at.or_else(|| {
        let naive: DateTime = text.parse().ok()?;
        Some(naive.to_zoned(TimeZone::UTC).ok()?.timestamp())
    });
    at.map(|at| at.as_millisecond() as f64 / 1000.0)
}

#[test]
fn times_of_one_moment_are_equal_in_the_same_format_alone() {
    for (one, other, same) in [
        ("2026-01-02 03:04:05.678+00", "2026-01-02 03:04:35+00", true),
        ("2026-01-02 03:04:05+00", "2026-01-02 03:06:05+00", false),
        ("1796027890", "1796027891", true),
        ("1796027890", "1796027891000", false),
        ("1796027890.5", "1796027891.25", true),
        ("1796027890", "1796027891.25", false),
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:06.000Z", true),
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:06.000000Z", false),
        ("2026-01-02T03:04:05Z", "2026-01-02 03:04:05", false),
        ("'2026-01-02T03:04:05'", "'2026-01-02T03:04:05'", true),
        ("NULL", "2026-01-02 03:04:05", false),
    ] {
        assert_eq!(is_same_moment(one, other), same, "{one} {other}");
    }
}
