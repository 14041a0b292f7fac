//! What was typed of a store, checked: where it is, and the mapping.

use std::path::Path;

use super::{
    fault::StoreFault,
    look::{Ids, Longest, StatusColumns, Wanted},
    mapping::Mapping,
    target::{self, Target},
};
use crate::settings::{store_choice::StoreChoice, variables::Variables};

/// A choice with everything read that it names.
pub struct Chosen {
    /// The store.
    pub target: Target,
    mapping: Option<Mapping>,
    choice: StoreChoice,
}

impl Chosen {
    /// Reads the mapping file and the URL of a choice.
    pub fn read(choice: Option<StoreChoice>, variables: &Variables) -> Result<Self, StoreFault> {
        let unnamed = || {
            StoreFault::Usage(
                "name the store: --to env:DATABASE_URL, a SQLite file, or exec:PROGRAM".to_owned(),
            )
        };
        let choice = choice.ok_or_else(unnamed)?;
        let mapping = choice.map.as_deref().map(read_mapping).transpose()?;
        let of_mapping = || {
            let mapping = mapping.as_ref()?;
            mapping
                .to
                .clone()
                .or_else(|| mapping.url_env.as_ref().map(|name| format!("env:{name}")))
        };
        let to = choice.to.clone().or_else(of_mapping).ok_or_else(unnamed)?;
        let target =
            target::parse(&to, variables).map_err(|error| StoreFault::Usage(error.to_string()))?;
        Ok(Self { target, mapping, choice })
    }

    /// Refuses to write the tokens of a rehearsal, which are made up, on another machine.
    pub fn check_rehearsal(&self, is_rehearsal: bool) -> Result<(), StoreFault> {
        match &self.target {
            Target::Sql(target) if is_rehearsal && target.remote_host().is_some() => {
                Err(StoreFault::Usage(
                    "the tokens of a rehearsal are made up: they go into a database on this machine \
                     only"
                        .to_owned(),
                ))
            }
            _ => Ok(()),
        }
    }

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
            status: if self.choice.keep_status {
                StatusColumns::Kept
            } else {
                StatusColumns::Changed
            },
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
