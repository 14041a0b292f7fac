//! What was typed of a store, checked: where it is, and the mapping.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    fault::StoreFault,
    look::{Ids, Longest, StatusColumns, Wanted},
    mapping::Mapping,
    target::{self, Target},
};
use crate::settings::variables::Variables;

/// Where pairs go and how. It has no password: a URL with one is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What `--to` was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The mapping file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<PathBuf>,
    /// Whether missing rows are made.
    #[serde(default)]
    pub insert: bool,
    /// Whether status and error columns stay as they are.
    #[serde(default)]
    pub keep_status: bool,
}

/// A choice with everything read that it names.
pub struct Chosen {
    /// The store.
    pub target: Target,
    mapping: Option<Mapping>,
    choice: Choice,
}

impl Choice {
    /// Reads the mapping file and the URL.
    pub fn read(self, variables: &Variables) -> Result<Chosen, StoreFault> {
        let mapping = self.map.as_deref().map(read_mapping).transpose()?;
        let of_mapping = || {
            let mapping = mapping.as_ref()?;
            mapping.to.clone().or_else(|| mapping.url_env.as_ref().map(|name| format!("env:{name}")))
        };
        let Some(to) = self.to.clone().or_else(of_mapping) else {
            return Err(StoreFault::Usage(
                "name the store: --to env:DATABASE_URL, a SQLite file, or exec:PROGRAM".to_owned(),
            ));
        };
        let target = target::parse(&to, variables)
            .map_err(|error| StoreFault::Usage(error.to_string()))?;
        Ok(Chosen { target, mapping, choice: self })
    }
}

impl Chosen {
    /// What is looked for with these ids and lengths.
    pub fn wanted(&self, ids: Ids, longest: Longest) -> Wanted {
        let schema = match &self.target {
            Target::Sql(target) => target.schema.clone(),
            Target::Exec(_) | Target::Mongo(_) => None,
        };
        Wanted {
            ids,
            table: self.choice.table.clone(),
            schema,
            mapping: self.mapping.clone(),
            status: if self.choice.keep_status { StatusColumns::Kept } else { StatusColumns::Changed },
            inserts: self.choice.insert,
            longest,
        }
    }
}

fn read_mapping(path: &Path) -> Result<Mapping, StoreFault> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        StoreFault::Usage(format!("--map: cannot read {}: {error}", path.display()))
    })?;
    Mapping::read(&text)
        .map_err(|error| StoreFault::Usage(format!("--map: {}: {error}", path.display())))
}
