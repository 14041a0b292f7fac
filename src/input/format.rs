//! How the records of a list are written.

use std::fmt;

/// How the records of a list are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// A table with a header.
    Csv(Delimiter),
    /// A table without one: its columns are known by their numbers.
    Headerless(Delimiter),
    /// A table as `psql`, `mysql` and Markdown draw it.
    Drawn,
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
            Self::Headerless(delimiter) => {
                write!(f, "CSV without a header, separated by {delimiter}")
            }
            Self::Drawn => f.write_str("a drawn table"),
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

    /// All of them; of equals the first is taken.
    pub const ALL: [Self; 4] = [Self::COMMA, Self::SEMICOLON, Self::TAB, Self::PIPE];

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
