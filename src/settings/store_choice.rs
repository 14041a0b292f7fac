//! Where recovered pairs go in the end, and how.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{args::ToArgs, path::path_in_full};

/// Where pairs go and how. It has no password: a URL with one is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

impl StoreChoice {
    /// What was typed; what was not is as before. `None` where no store is named.
    pub fn of(args: &ToArgs, before: Option<Self>) -> Option<Self> {
        let before = before.unwrap_or(Self {
            to: None,
            table: None,
            map: None,
            insert: false,
            keep_status: false,
        });
        let map = args.map.as_deref().map(path_in_full);
        let choice = Self {
            to: args.to.clone().or(before.to),
            table: args.table.clone().or(before.table),
            map: map.or(before.map),
            insert: args.insert || before.insert,
            keep_status: args.keep_status || before.keep_status,
        };
        (choice.to.is_some() || choice.map.is_some()).then_some(choice)
    }
}
