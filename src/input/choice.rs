//! How a list is to be read: what was said of its records and its columns.

use serde::{Deserialize, Serialize};

/// What every record is taken for: the option `--scope`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeChoice {
    /// A record with a location id is a sub-account, else it is an agency, unless it says its kind.
    #[default]
    Auto,
    /// Every record is a sub-account, by its location id.
    Location,
    /// Every record is an agency, by its company id.
    Company,
}

/// The columns of a list that were named: `--id-column`, `--company-column`, `--kind-column` and
/// `--no-header`. Recorded, so that the list is read again in the same way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnChoice {
    /// The column of the ids; a number from 1 where there is no header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The column of the company ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// The column that says whether a record is a sub-account or an agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether the first line of a table has the names of its columns.
    #[serde(default, skip_serializing_if = "FirstLine::is_header")]
    pub first_line: FirstLine,
}

/// What the first line of a table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstLine {
    /// The names of the columns.
    #[default]
    Header,
    /// A record like any other: `--no-header`.
    Record,
}

impl FirstLine {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_header(&self) -> bool {
        *self == Self::Header
    }
}

impl ColumnChoice {
    /// Whether nothing was said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Each column that was named, with its option.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("--id-column", &self.id),
            ("--company-column", &self.company),
            ("--kind-column", &self.kind),
        ];
        all.into_iter().filter_map(|(option, name)| Some((option, name.as_deref()?)))
    }
}
