//! Where recovered pairs go in the end, and how.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where pairs go and how. It has no password: a URL with one is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreChoice {
    /// What `--to` was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The mapping file, as a full path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<PathBuf>,
    /// Whether missing rows are made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insert: bool,
    /// Whether status and error columns stay as they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_status: bool,
}
