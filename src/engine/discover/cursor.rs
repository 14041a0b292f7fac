//! How far a discovery has come: what was asked, and the place in each agency's list.

use std::{collections::BTreeMap, fs, io, path::Path};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    highlevel::{
        client::{Listing, PageCursor},
        version::ApiVersion,
    },
    installation::Id,
    journal::disk::Disk,
};

/// What is asked. The answers to one question make one list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Where.
    pub base_url: String,
    /// For which app.
    pub app: String,
    /// In which version.
    pub api_version: ApiVersion,
    /// For which locations.
    pub listing: Listing,
}

/// The place in an agency's list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgencyCursor {
    /// Where the next page begins.
    pub cursor: PageCursor,
    /// Locations given so far, each counted once.
    pub given: u64,
    /// Entries without a usable id.
    pub odd: u64,
    /// Locations that there are, as was said last.
    pub count: Option<u64>,
    /// Whether more is to come.
    pub state: Progress,
}

/// Whether more of an agency's list is to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Perhaps.
    #[default]
    Open,
    /// No.
    SessionEnd,
}

/// The position beside a list that is not complete. There is nothing secret in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedCursor {
    /// What is asked.
    pub question: Question,
    /// The places of the agencies that were begun.
    pub places: BTreeMap<Box<str>, AgencyCursor>,
    /// Bytes of the list that belong to these places.
    pub bytes: u64,
}

impl SavedCursor {
    /// The position before the first call.
    pub fn new(question: Question) -> Self {
        Self { question, places: BTreeMap::new(), bytes: 0 }
    }

    /// Reads the position of an earlier call of the same command; `None` where there was none.
    pub fn read(path: &Path, question: &Question) -> anyhow::Result<Option<Self>> {
        let named = || format!("cannot read {}", path.display());
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.with_context(named)?,
        };
        let cursor: Self = serde_json::from_slice(&bytes).with_context(named)?;
        ensure!(
            cursor.question == *question,
            "{} is of another app, address, version or choice of locations; give the options of then, or remove it with its .partial",
            path.display()
        );
        Ok(Some(cursor))
    }

    /// Writes it, durably and as a whole.
    pub fn write(&self, path: &Path, disk: &Disk) -> anyhow::Result<()> {
        let mut replacement = disk.replace(path)?;
        serde_json::to_writer(&mut replacement, self)
            .with_context(|| format!("cannot write {}", path.display()))?;
        replacement.put_in_place()
    }

    /// The place in a company's list.
    pub fn place(&self, company: &Id) -> AgencyCursor {
        self.places.get(company.as_str()).cloned().unwrap_or_default()
    }
}
