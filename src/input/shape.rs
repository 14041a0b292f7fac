//! What a list turned out to be, in words.

use std::fmt;

use super::format::Format;
use super::text::Encoding;

/// What a list turned out to be. For JSON it grows while records bring new keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How the records are written.
    pub format: Format,
    /// How the characters are written.
    pub encoding: Encoding,
    /// The columns carried on into failures.csv, in the list's own spelling and order.
    pub columns: Vec<String>,
    /// Every column name found, in the list's own spelling and order.
    pub found: Vec<String>,
    /// Columns that are not carried on, since they hold tokens or other secrets by their name.
    pub left_out: Vec<String>,
    /// The columns that location ids are read from, the preferred one first.
    pub location_columns: Vec<String>,
    /// The columns that company ids are read from, the preferred one first.
    pub company_columns: Vec<String>,
    /// Columns of general names (`id`, `location`) that ids are read from for want of a better one.
    pub fallback_columns: Vec<String>,
    /// Whether the list is a failures.csv of an earlier run, whose counts are continued.
    pub continues: Continues,
}

/// Whether a list continues an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continues {
    /// An ordinary list.
    Nothing,
    /// The failures.csv of an earlier run.
    EarlierRun,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.format, self.encoding)?;
        let show = |names: &[String]| names.join(" and ");
        if !self.location_columns.is_empty() {
            write!(f, ", location ids in {}", show(&self.location_columns))?;
        }
        if !self.company_columns.is_empty() {
            write!(f, ", company ids in {}", show(&self.company_columns))?;
        }
        if self.location_columns.is_empty() && !self.fallback_columns.is_empty() {
            let names = show(&self.fallback_columns);
            write!(f, ", ids taken from {names} for want of a location_id column")?;
        }
        if self.continues == Continues::EarlierRun {
            f.write_str(", the failures of an earlier run")?;
        }
        Ok(())
    }
}
