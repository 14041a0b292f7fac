//! What a leg takes: installations from the journal, each with what the list has of its tokens.
//!
//! The journal has no tokens, so the list is read once more beside it. Both are in the same order,
//! and one row of each is in memory.

use std::{path::Path, sync::Arc, thread};

use anyhow::Context;
use futures::{Stream, StreamExt, stream};
use tokio::sync::mpsc;

use super::list::{TokenList, TokenRows};
use crate::{
    apps::AppName,
    batch::Job,
    event::Listed,
    installation::Scope,
    journal::{
        folder::RunFolder,
        ledger::{Ledger, Take},
    },
    way::{Way, Ways},
};

/// Jobs that are handed over together, so that the thread that reads them is not woken for each.
const BUNDLE: usize = 128;

/// Bundles that wait to be taken.
const AHEAD: usize = 8;

/// Which installations are worked on together.
#[derive(Clone, Debug)]
pub struct Part {
    /// Those of this app, where there are several.
    pub app: Option<AppName>,
    /// Whether failed ones are among them.
    pub take: Take,
}

/// Which installations a reading of the journal gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    All,
    Agencies,
    SubAccounts,
}

impl Pass {
    fn takes(self, scope: Scope) -> bool {
        match self {
            Self::All => true,
            Self::Agencies => scope == Scope::Company,
            Self::SubAccounts => scope == Scope::Location,
        }
    }
}

/// An agency's token opens a way for its sub-accounts, so that agencies come first where it does.
fn passes(ways: &Ways) -> &'static [Pass] {
    if ways.include(Way::Agency) { &[Pass::Agencies, Pass::SubAccounts] } else { &[Pass::All] }
}

/// The installations that the leg takes, read by a thread of its own. Without a list, they have no
/// tokens.
pub fn jobs(
    ledger: Arc<Ledger>,
    part: Part,
    folder: &RunFolder,
    ways: &Ways,
    tokens: Option<TokenList>,
) -> anyhow::Result<impl Stream<Item = Job> + Unpin + use<>> {
    let (queue, jobs) = mpsc::channel(AHEAD);
    let (journal, passes) = (folder.journal(), passes(ways));
    let feed = move || {
        let rows = || tokens.as_ref().map_or_else(TokenRows::none, TokenList::read);
        for pass in passes {
            if give(&ledger, &part, &journal, *pass, rows(), &queue) == Wanted::NoMore {
                return;
            }
        }
    };
    thread::Builder::new().name("list".into()).spawn(feed).context("cannot start a thread")?;
    let bundles = stream::unfold(jobs, |mut jobs| async move {
        jobs.recv().await.map(|bundle| (stream::iter(bundle), jobs))
    });
    Ok(Box::pin(bundles.flatten()))
}

/// Whether anybody still takes jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    More,
    NoMore,
}

/// Gives the installations of a pass, in the order of the list.
fn give(
    ledger: &Ledger,
    part: &Part,
    journal: &Path,
    pass: Pass,
    mut tokens: TokenRows,
    queue: &mpsc::Sender<Vec<Job>>,
) -> Wanted {
    let Ok(pending) = ledger.pending(journal, part.take) else { return Wanted::NoMore };
    let client_id = ledger.client_id_of(part.app.as_ref());
    let is_meant =
        |listed: &Listed| pass.takes(listed.installation.scope) && listed.app == part.app;
    let mut jobs = pending.map_while(Result::ok).filter(|(listed, _)| is_meant(listed)).map(
        |(listed, before)| Job {
            row: listed.row,
            tokens: tokens.of(listed.row, &listed.installation, client_id),
            installation: listed.installation,
            before,
        },
    );
    loop {
        let bundle: Vec<Job> = jobs.by_ref().take(BUNDLE).collect();
        if bundle.is_empty() {
            return Wanted::More;
        }
        if queue.blocking_send(bundle).is_err() {
            return Wanted::NoMore;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use futures::StreamExt;
    use serde_json::json;

    use super::*;
    use crate::{
        commands::list::InputList,
        event::{Event, Selected},
        journal::{disk::Disk, writer::Writer},
        plan::OwnApp,
        run_log::RunLog,
        secret::Secret,
    };

    /// A list: two sub-accounts, their agency, a row that repeats the first, one that cannot be read.
    const LIST: &str = "\
location_id,company_id,access_token,refresh_token
Loc00000000000000001,Com00000000000000001,access-of-row-1-0123456,refresh-of-row-1-012345
Loc00000000000000002,,,gAAAAABlZm9vYmFyYmF6cXV4
Loc00000000000000001,,access-of-row-3-0123456,refresh-of-row-3-012345
?,,,refresh-of-row-4-012345
,Com00000000000000001,,refresh-of-row-5-012345
Loc00000000000000006,,,refresh-of-row-6-012345
";

    /// Jobs in order: row, access token, refresh token.
    fn taken(list: &str, ways: &str, spoil: impl FnOnce(&Path)) -> Vec<(u32, String, String)> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("list.csv");
        fs::write(&path, list).unwrap();
        let input = InputList::open(&path, Selected::default()).unwrap();
        let survey =
            input.survey(OwnApp::default()).unwrap_or_else(|fault| panic!("{:#}", fault.error));
        let started: Event = serde_json::from_value(json!({ "started": {
            "format": 1, "run_id": "0".repeat(32), "version": "0", "at": "2026-01-01T00:00:00Z",
            "client_id": "66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef", "base_url": "http://127.0.0.1:1",
            "reconnect_path": "/", "sandbox": false, "rate": "10/s", "concurrency": 1, "attempts": 1,
            "list": survey.list, "selection": { "scope": "auto" },
        }}))
        .unwrap();
        let out = place.path().join("run");
        let folder = RunFolder::create(&out, b"{}", Disk::default()).unwrap();
        let mut writer = Writer::create(&folder).unwrap();
        writer.append(&started).unwrap();
        let log = RunLog::open(&folder).unwrap();
        input
            .record(&survey, &mut writer, &log)
            .unwrap_or_else(|fault| panic!("{:#}", fault.error));
        let ledger = Ledger::read(&folder.journal(), |_| {}).unwrap();
        spoil(&path);
        let ways = ways.parse().unwrap();
        let part = Part { app: None, take: Take::Open };
        let jobs = jobs(Arc::new(ledger), part, &folder, &ways, Some(input.tokens())).unwrap();
        let text = |token: Option<Secret>| token.map(|t| t.expose().to_owned()).unwrap_or_default();
        let told = |job: Job| (job.row, text(job.tokens.access), text(job.tokens.refresh));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(jobs.map(told).collect())
    }

    fn rows(taken: &[(u32, String, String)]) -> Vec<u32> {
        taken.iter().map(|(row, ..)| *row).collect()
    }

    #[test]
    fn each_installation_comes_with_its_own_tokens() {
        let told =
            |row: u32, access: &str, refresh: &str| (row, access.to_owned(), refresh.to_owned());
        let expected = [
            told(1, "access-of-row-1-0123456", "refresh-of-row-1-012345"),
            told(2, "", ""),
            told(5, "", "refresh-of-row-5-012345"),
            told(6, "", "refresh-of-row-6-012345"),
        ];
        assert_eq!(taken(LIST, "refresh,reconnect", |_| {}), expected);
        let [one, two, agency, six] = expected;
        assert_eq!(taken(LIST, "refresh,agency", |_| {}), [agency, one, two, six]);
    }

    #[test]
    fn a_list_that_changes_while_it_is_read_gives_nobody_anothers_tokens() {
        let gone = taken(LIST, "refresh", |path| fs::remove_file(path).unwrap());
        assert_eq!(rows(&gone), [1, 2, 5, 6]);
        assert!(gone.iter().all(|(_, access, refresh)| access.is_empty() && refresh.is_empty()));
        let shifted = LIST.replace("Loc00000000000000002,,,gAAAAABlZm9vYmFyYmF6cXV4\n", "");
        let shifted = taken(LIST, "refresh", |path| fs::write(path, shifted).unwrap());
        assert_eq!(rows(&shifted), [1, 2, 5, 6]);
        let with_tokens = shifted.iter().filter(|(.., refresh)| !refresh.is_empty());
        assert_eq!(with_tokens.count(), 1, "{shifted:?}");
    }
}
