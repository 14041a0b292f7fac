//! The rows of shards that are not there: they are in no journal, and are read from the list.

use std::{
    collections::HashSet,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};

use super::{shards::missing_in_words, stream::Keyed};
use crate::{
    app::Directory,
    event::{Event, Started},
    input::Source,
    installation::Id,
    plan::{Row, Rows, Selection, Split, Timing, ids_in},
    settings::Settings,
    shard::Shard,
};

/// See the module.
pub struct AbsentRows {
    rows: Rows,
    started: Started,
    split: Split,
    absent: HashSet<u32>,
}

impl AbsentRows {
    /// Opens the list where the shards read it, or in another place; it has to be the one that they read.
    pub fn open(
        started: &Started,
        absent: &[Shard],
        list: Option<&Path>,
    ) -> anyhow::Result<Option<Self>> {
        let Some(of) = absent.first().map(|shard| shard.of()) else { return Ok(None) };
        let source = source(started, absent, list)?;
        let selected = Settings::read(&started.settings)?.selection;
        let split = Split::All(of);
        let only = only(&selected.only, &selected.only_ids)?;
        // What was not due for them is not attempted either.
        let due = Timing::All;
        let selection = Selection { only, limit: selected.limit, split: Some(split), due };
        let apps = started.apps.clone();
        let directory = (!apps.is_empty()).then(|| Directory::new(apps, Some(&started.client_id)));
        let rows = Rows::of(&source, selected.scope, &selected.columns, selection, directory)?;
        let absent = absent.iter().map(|shard| shard.number()).collect();
        Ok(Some(Self { rows, started: started.clone(), split, absent }))
    }

    /// The next row of these shards, with its number.
    pub fn next_row(&mut self) -> Option<anyhow::Result<Keyed>> {
        loop {
            match self.rows.next()? {
                Ok(row) => {
                    if let Some(keyed) = self.own(row) {
                        return Some(Ok(keyed));
                    }
                }
                Err(error) => return Some(Err(error.into())),
            }
        }
    }

    fn own(&self, row: Row) -> Option<Keyed> {
        let has_the_rest = self.absent.contains(&NonZeroU32::MIN.get());
        match row {
            Row::Take { listed, .. } => {
                let client_id = self.started.client_id_of(listed.app.as_ref());
                let number = self.split.number_of(client_id, &listed.installation);
                self.absent.contains(&number).then(|| (listed.row.into(), Event::Listed(listed)))
            }
            Row::Duplicate(e) if has_the_rest => Some((e.row.into(), Event::Duplicate(e))),
            Row::Rejected(e) if has_the_rest => Some((e.row.into(), Event::Rejected(e))),
            _ => None,
        }
    }
}

fn source(started: &Started, absent: &[Shard], list: Option<&Path>) -> anyhow::Result<Source> {
    let name = &started.list.name;
    let absent = missing_in_words(absent);
    let advice = || {
        format!("{absent}: give the list ({name}) with --list FILE, for no journal has its rows")
    };
    let Some(path) = list.or(started.list.path.as_deref()) else { bail!(advice()) };
    let source = Source::open(path).with_context(advice)?;
    let digest = source.digest().with_context(advice)?;
    ensure!(
        digest == started.list.digest,
        "{} is not the list that the shards read (its SHA-256 is {digest:.12}…, theirs {:.12}…); {}",
        path.display(),
        started.list.digest,
        advice()
    );
    Ok(source)
}

fn only(files: &[PathBuf], typed: &[Id]) -> anyhow::Result<Option<HashSet<Id>>> {
    if files.is_empty() && typed.is_empty() {
        return Ok(None);
    }
    let mut ids: HashSet<_> = typed.iter().cloned().collect();
    for file in files {
        let source = Source::open(file).context("--only")?;
        ids.extend(ids_in(&source).context("--only")?);
    }
    Ok(Some(ids))
}
