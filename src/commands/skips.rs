//! Which installations of a resumed run other runs have recovered meanwhile: nothing is granted twice by
//! accident.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    clock,
    event::{Event, Listed, RecoveredBefore, Skipped},
    exit::{Exit, Fault, OrExit},
    journal::{
        folder::RunFolder,
        state::{RunState, Take},
    },
    plan::{counted, recoveries::Earlier},
    settings::Settings,
};

/// What other runs have recovered, and the installations of this run among that.
#[derive(Default)]
pub struct Skips {
    /// The recoveries of the last 24 hours; `None` where they do not count.
    pub earlier: Option<Arc<Earlier>>,
    skipped: Vec<(Listed, RecoveredBefore)>,
}

impl Skips {
    /// Looks for the installations that are taken. A rehearsal knows of no other run.
    pub fn find(
        settings: &Settings,
        run_state: &RunState,
        take: Take,
        folder: &RunFolder,
    ) -> Result<Self, Fault> {
        if settings.again || settings.is_rehearsal() {
            return Ok(Self::default());
        }
        let started = &run_state.started;
        let clients = started.apps.iter().map(|app| &app.client_id).chain([&started.client_id]);
        let clients = clients.map(String::as_str);
        let earlier = Earlier::load_of_others(&settings.base_url, clients, &started.run_id);
        let mut skipped = Vec::new();
        if !earlier.is_empty() {
            let rows = run_state.rows_to_take(None, take).map(|(row, _)| row);
            let listed = run_state.listed(&folder.journal(), rows).or_exit(Exit::Local)?;
            skipped.extend(listed.into_iter().filter_map(|listed| {
                let client_id = started.client_id_of(listed.app.as_ref());
                let before = earlier.find(client_id, &listed.installation)?;
                Some((listed, before))
            }));
        }
        Ok(Self { earlier: Some(Arc::new(earlier)), skipped })
    }

    /// The events that say so.
    pub fn events(&self) -> impl Iterator<Item = Event> {
        self.skipped.iter().map(|(listed, before)| {
            let (row, id) = (listed.row, listed.installation.id.clone());
            let (at, recovered) = (clock::now(), Some(before.clone()));
            Event::Skipped(Skipped { row, id, at, call: None, recovered })
        })
    }

    /// A line for each run that has recovered some of them.
    pub fn in_words(&self) -> Vec<String> {
        let mut by_folder = BTreeMap::<&str, u32>::new();
        for (_, RecoveredBefore { folder, .. }) in &self.skipped {
            *by_folder.entry(folder).or_default() += 1;
        }
        let line = |(folder, count): (&str, u32)| {
            format!(
                "Skipped        {}, recovered in the last 24 hours by the run in {folder} (--again \
                 takes them)",
                counted(count, "installation")
            )
        };
        by_folder.into_iter().map(line).collect()
    }
}
