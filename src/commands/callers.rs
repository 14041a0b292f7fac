//! Who calls for a run that has begun: the client of before, and no other.

use anyhow::ensure;

use crate::{
    app::{AppOfRun, DEFAULT},
    event::Started,
    exit::{Exit, Fault, OrExit},
    journal::state::{RunState, Take},
    settings::app::{App, AppContext},
};

/// Who calls, for the installations that are taken.
pub fn callers(app: &mut App, run_state: &RunState, take: Take) -> Result<Vec<AppContext>, Fault> {
    let is_open = |app: &&AppOfRun| run_state.to_take_of(Some(&app.name), take) > 0;
    let apps: Vec<_> = run_state.started.apps.iter().filter(is_open).cloned().collect();
    check_client(app, &run_state.started, &apps).or_exit(Exit::Usage)?;
    app.app_contexts(&apps).or_exit(Exit::Usage)
}

fn check_client(app: &App, before: &Started, apps: &[AppOfRun]) -> anyhow::Result<()> {
    if !before.apps.is_empty() {
        return check_apps(app, apps);
    }
    ensure!(app.named.is_empty(), "--apps: this run is for client id {} alone", before.client_id);
    let now = app.client_id.as_deref().unwrap_or_default();
    ensure!(
        now == before.client_id,
        "this run is for client id {}, and {now} was given; its tokens belong to the first",
        before.client_id
    );
    Ok(())
}

/// Each app has to be there with the client id that it had.
fn check_apps(app: &App, apps: &[AppOfRun]) -> anyhow::Result<()> {
    let names: Vec<_> = apps.iter().map(|app| app.name.as_str()).collect();
    ensure!(
        !app.named.is_empty() || names == [DEFAULT],
        "this run is for several apps ({} to do): give their credentials again with --apps FILE",
        names.join(", ")
    );
    let given = || app.named.iter().map(|named| &named.app.client_id).chain(&app.client_id);
    for AppOfRun { name, client_id } in apps {
        ensure!(
            given().any(|id| id == client_id),
            "app {name} of this run has client id {client_id}, which is not given any more; its \
             tokens belong to that one"
        );
    }
    Ok(())
}
