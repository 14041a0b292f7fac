//! What became of the recovered pairs in the app's own store, in figures and with examples.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    event::{StoreOutcome, Stored},
    installation::Id,
    journal::state::{RunState, StoreCounts},
    text::SafeText,
};

/// What `--to` is given as long as nobody has said where the pairs go.
pub const ANY_STORE: &str = "env:DATABASE_URL";

/// Examples of an outcome that are shown.
const MOST_EXAMPLES: usize = 3;

/// Where the pairs went, and how many of them have which outcome.
#[derive(Clone, Debug, Serialize)]
pub struct StoreInFigures {
    kind: SafeText,
    host: Option<SafeText>,
    database: Option<SafeText>,
    table: Option<SafeText>,
    /// When pairs last began to go there.
    began_at: Timestamp,
    /// Every outcome with how many pairs have it.
    pub outcomes: BTreeMap<StoreOutcome, u32>,
    /// Pairs that are there, or that a newer one is there for.
    pub stored: u32,
    /// Pairs that the store does not have.
    pub not_stored: u32,
    /// Pairs without an outcome.
    pub open: u32,
    /// Where they went, in a few words.
    #[serde(skip)]
    pub place: String,
    /// Some of the pairs that the store does not have.
    #[serde(skip)]
    pub examples: BTreeMap<StoreOutcome, Vec<Example>>,
}

/// A pair that the store does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The installation.
    pub id: Id,
    /// Why.
    pub message: SafeText,
}

/// Gathered from the outcomes one by one, in the order of the list.
#[derive(Debug, Default)]
pub(super) struct StoreExamples {
    examples: BTreeMap<StoreOutcome, Vec<Example>>,
    tables: BTreeSet<Option<SafeText>>,
}

impl StoreExamples {
    pub(super) fn stored(&mut self, stored: &Stored, table: Option<&SafeText>) {
        // Nearly always the same one.
        if !self.tables.iter().any(|known| known.as_ref() == table) {
            self.tables.insert(table.cloned());
        }
        if stored.outcome.is_stored() {
            return;
        }
        let examples = self.examples.entry(stored.outcome).or_default();
        if examples.len() < MOST_EXAMPLES {
            examples.push(Example { id: stored.id.clone(), message: stored.message.clone() });
        }
    }
}

impl StoreInFigures {
    /// `None` where no pair of the run went to a store.
    pub(super) fn of(
        run_state: &RunState,
        counts: &StoreCounts,
        gathered: StoreExamples,
    ) -> Option<Self> {
        let began = run_state.store_began()?;
        let StoreExamples { examples, tables } = gathered;
        let place = match tables.len() {
            0 | 1 => began.place(),
            tables => format!("{}, {tables} tables", began.store_in_words()),
        };
        Some(Self {
            kind: began.kind.clone(),
            host: began.host.clone(),
            database: began.database.clone(),
            table: began.table.clone(),
            began_at: began.at,
            outcomes: counts.outcomes().collect(),
            stored: counts.stored(),
            not_stored: counts.not_stored(),
            open: counts.open,
            place,
            examples,
        })
    }

    /// What `--to` may be given to go there again: a file or a program by its name. What is in a URL
    /// nobody has written down.
    pub fn target(&self) -> String {
        match (self.kind.as_str(), &self.database) {
            ("sqlite", Some(file)) => file.to_string(),
            ("exec", Some(program)) => format!("exec:{program}"),
            _ => ANY_STORE.to_owned(),
        }
    }

    /// All recovered pairs.
    pub fn pairs(&self) -> u32 {
        self.stored + self.not_stored + self.open
    }
}
