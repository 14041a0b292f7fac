//! The look at the app's own store before the first call of an execution.

use crate::{
    exit::{Exit, Fault, OrExit},
    installation::Installation,
    settings::{Settings, variables::Variables},
    store::{
        choice::Chosen,
        look::{Ids, Longest},
        open::open,
    },
};

/// A store that was found to fit.
pub struct StoreBefore {
    /// Where the pairs will go.
    pub chosen: Chosen,
    /// What will be written there, for a person.
    pub plan: String,
}

/// Looks at the store that the settings name, with some of the installations. Nothing is written.
pub async fn look_before(
    settings: &Settings,
    installations: impl IntoIterator<Item = Installation>,
    client_ids: Vec<String>,
) -> Result<Option<StoreBefore>, Fault> {
    if settings.store.is_none() {
        return Ok(None);
    }
    let variables = Variables::read(settings.secrets.env_file.as_deref()).or_exit(Exit::Usage)?;
    let chosen = Chosen::read(settings.store.clone(), &variables)?;
    chosen.check_rehearsal(settings.is_rehearsal())?;
    let mut ids = Ids { client_ids, ..Ids::default() };
    for Installation { scope, id, .. } in installations {
        ids.add(scope, id.as_str());
    }
    let opened = open(chosen.target.clone(), &chosen.wanted(ids, Longest::default())).await?;
    let plan = format!(
        "{}The pairs are written at the end. Stop your app's own token refresher first: it\nmay mark a \
         row broken after it was written.",
        opened.plan()
    );
    Ok(Some(StoreBefore { chosen, plan }))
}
