//! What an execution takes: installations from the journal, each with what the list has of its tokens.
//!
//! The journal has no tokens, so the list is read once more beside it. Both are in the same order,
//! and one row of each is in memory. A small sample from anywhere in the list is kept aside for the
//! probes of an outage.

use std::{
    collections::{HashSet, VecDeque},
    path::PathBuf,
    sync::Arc,
    thread,
};

use anyhow::{Context, Error, anyhow};
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::list::{TokenList, TokenRows};
use super::{batch::Supply, dispatcher::Source, job::Job, slots::Untried};
use crate::{
    app::AppName,
    event::Listed,
    installation::Scope,
    journal::{
        folder::RunFolder,
        state::{Before, RunState, Take},
    },
    route::{Route, RouteList},
};

/// Jobs that are handed over together, so that the thread that reads them is not woken for each.
const BUNDLE: usize = 128;

/// Bundles that wait to be taken.
const AHEAD: usize = 8;

/// One installation of so many is kept aside.
const SAMPLE_SHARE: usize = 8;

/// Installations that are kept aside at most.
const SAMPLE: usize = 64;

/// Installations that are held in memory before they are taken. Of a list that is no longer, any may
/// be taken as a probe.
const HELD: usize = 4096;

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
struct Pass {
    scope: Option<Scope>,
    before: Option<Before>,
}

/// What a thread that reads installations hands over.
enum Fed {
    Jobs(Vec<Job>),
    Failed(Error),
    End,
}

/// Everything that a thread needs to read installations.
#[derive(Clone)]
struct Feed {
    run_state: Arc<RunState>,
    part: Part,
    journal: PathBuf,
    tokens: Option<TokenList>,
    sample: Arc<HashSet<u32>>,
    /// An agency's token opens a route for its sub-accounts, so that agencies come first where it
    /// does, and are never kept aside.
    agencies_first: bool,
}

/// The installations that an execution takes, read by threads of their own.
pub struct Jobs {
    list: Stream,
    sample: Stream,
}

/// What one thread gives.
struct Stream {
    source: Receiver<Fed>,
    ready: VecDeque<Job>,
    has_ended: bool,
}

/// Reads the installations that the execution takes: those that were never tried before the others.
/// Without a list, they have no tokens.
pub fn jobs(
    run_state: Arc<RunState>,
    part: Part,
    folder: &RunFolder,
    routes: &RouteList,
    tokens: Option<TokenList>,
) -> anyhow::Result<Jobs> {
    let rows: Vec<_> = run_state.rows_to_take(part.app.as_ref(), part.take).collect();
    let untried: Vec<u32> = of_kind(&rows, Before::Untried).collect();
    let has_tried = untried.len() < rows.len();
    let size = (untried.len() / SAMPLE_SHARE).min(SAMPLE);
    // The first ones go first: a person may have put them there, and their turn comes soon.
    let later = untried.len() / 4;
    let sample = fastrand::choose_multiple(untried.into_iter().skip(later), size);
    let sample = sample.into_iter().collect();
    let feed = Feed {
        run_state,
        part,
        journal: folder.journal(),
        tokens,
        sample: Arc::new(sample),
        agencies_first: routes.include(Route::Agency),
    };
    let passes = feed.passes(has_tried);
    let sampling = feed.clone();
    Ok(Jobs {
        list: Stream::of("list", move |queue| feed.give_all(&passes, queue))?,
        sample: Stream::of("sample", move |queue| sampling.give_sample(queue))?,
    })
}

fn of_kind(rows: &[(u32, Before)], kind: Before) -> impl Iterator<Item = u32> {
    rows.iter().filter(move |(_, before)| *before == kind).map(|(row, _)| *row)
}

impl Stream {
    fn of(
        name: &str,
        feed: impl FnOnce(&Sender<Fed>) -> Result<(), Error> + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (queue, source) = mpsc::channel(AHEAD);
        let work = move || {
            let last = feed(&queue).map_or_else(Fed::Failed, |()| Fed::End);
            // Whoever takes nothing more misses nothing.
            let _ = queue.blocking_send(last);
        };
        thread::Builder::new().name(name.into()).spawn(work).context("cannot start a thread")?;
        Ok(Self { source, ready: VecDeque::new(), has_ended: false })
    }

    /// Waits for more; for ever, when there is enough or no more.
    async fn refill(&mut self) -> Result<(), Error> {
        if self.has_ended || self.ready.len() >= HELD {
            return std::future::pending().await;
        }
        match self.source.recv().await {
            Some(Fed::Jobs(jobs)) => self.ready.extend(jobs),
            Some(Fed::End) => self.has_ended = true,
            Some(Fed::Failed(error)) => return Err(error),
            None => {
                return Err(anyhow!("the thread that reads the list stopped unexpectedly: a bug"));
            }
        }
        Ok(())
    }
}

impl Supply for Jobs {
    async fn refill(&mut self) -> Result<(), Error> {
        tokio::select! {
            fed = self.list.refill() => fed,
            fed = self.sample.refill() => fed,
        }
    }

    fn peek(&self) -> Option<&Job> {
        self.list.ready.front()
    }

    fn untried(&self) -> Untried {
        Untried {
            next: !self.list.ready.is_empty(),
            elsewhere: !self.sample.ready.is_empty() || self.list.ready.len() > 1,
            more: !self.list.has_ended && self.list.ready.is_empty()
                || !self.sample.has_ended && self.sample.ready.is_empty(),
        }
    }

    fn take(&mut self, source: Source) -> Option<Job> {
        match source {
            Source::List => self.list.ready.pop_front(),
            Source::Sample => self.sample.ready.pop_front().or_else(|| self.take_any()),
        }
    }
}

impl Jobs {
    fn take_any(&mut self) -> Option<Job> {
        self.list.ready.remove(fastrand::usize(..self.list.ready.len().max(1)))
    }
}

impl Feed {
    fn passes(&self, has_tried: bool) -> Vec<Pass> {
        let scopes = if self.agencies_first {
            vec![Some(Scope::Company), Some(Scope::Location)]
        } else {
            vec![None]
        };
        let befores =
            if has_tried { vec![Some(Before::Untried), Some(Before::Tried)] } else { vec![None] };
        let of_scope = |scope| befores.iter().map(move |before| Pass { scope, before: *before });
        scopes.into_iter().flat_map(of_scope).collect()
    }

    fn give_all(&self, passes: &[Pass], queue: &Sender<Fed>) -> Result<(), Error> {
        let rows = self.run_state.rows_to_take(self.part.app.as_ref(), self.part.take);
        let tried = rows.filter(|(_, before)| *before == Before::Tried);
        let tried: HashSet<u32> = tried.map(|(row, _)| row).collect();
        for pass in passes {
            let is_meant = |listed: &Listed| {
                pass.scope.is_none_or(|scope| scope == listed.installation.scope)
                    && pass.before.is_none_or(|before| {
                        tried.contains(&listed.row) == (before == Before::Tried)
                    })
                    && !self.is_kept_aside(listed)
            };
            self.give(is_meant, queue)?;
        }
        Ok(())
    }

    /// Gives the sample in no particular order, as it is drawn.
    fn give_sample(&self, queue: &Sender<Fed>) -> Result<(), Error> {
        if self.sample.is_empty() {
            return Ok(());
        }
        self.give(|listed| self.is_kept_aside(listed), queue)
    }

    fn is_kept_aside(&self, listed: &Listed) -> bool {
        let is_agency = listed.installation.scope == Scope::Company;
        self.sample.contains(&listed.row) && !(self.agencies_first && is_agency)
    }

    /// Gives the installations that are meant, in the order of the list.
    fn give(&self, is_meant: impl Fn(&Listed) -> bool, queue: &Sender<Fed>) -> Result<(), Error> {
        let Self { run_state, part, journal, tokens, .. } = self;
        let mut tokens = tokens.as_ref().map_or_else(TokenRows::none, TokenList::read);
        let client_id = run_state.client_id_of(part.app.as_ref());
        let mut pending = run_state.pending(journal, part.take)?.fuse();
        loop {
            let mut bundle = Vec::with_capacity(BUNDLE);
            for item in pending.by_ref() {
                let (listed, before) = item?;
                if listed.app != part.app || !is_meant(&listed) {
                    continue;
                }
                bundle.push(Job {
                    row: listed.row,
                    tokens: tokens.of(listed.row, &listed.installation, client_id),
                    installation: listed.installation,
                    before,
                });
                if bundle.len() == BUNDLE {
                    break;
                }
            }
            // Whoever takes nothing more has what it needs.
            if bundle.is_empty() || queue.blocking_send(Fed::Jobs(bundle)).is_err() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::json;

    use super::*;
    use crate::{
        engine::list::InputList,
        event::Event,
        journal::{disk::Disk, draft::Draft, writer::Writer},
        plan::OwnApp,
        secret::Secret,
        settings::{Settings, execution::Selected},
        terminal::run_log::RunLog,
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
    fn taken(list: &str, routes: &str, change: impl FnOnce(&Path)) -> Vec<(u32, String, String)> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("list.csv");
        fs::write(&path, list).unwrap();
        let input = InputList::open(&path, Selected::default()).unwrap();
        let summary =
            input.summary(&OwnApp::default()).unwrap_or_else(|fault| panic!("{:#}", fault.error));
        let started: Event = serde_json::from_value(json!({ "started": {
            "format": 1, "run_id": "0".repeat(32), "version": "0", "at": "2026-01-01T00:00:00Z",
            "client_id": "66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef",
            "list": summary.list, "settings": Settings::default().written().unwrap(),
        }}))
        .unwrap();
        let out = place.path().join("run");
        let draft = Draft::begin(&out, &Disk::default()).unwrap();
        let folder = draft.folder();
        let mut writer = Writer::create(folder).unwrap();
        writer.append(&started).unwrap();
        let log = RunLog::open(folder, crate::settings::args::LogFormat::Text).unwrap();
        input
            .record(&summary, &mut writer, &log)
            .unwrap_or_else(|fault| panic!("{:#}", fault.error));
        let run_state = RunState::read(&folder.journal(), |_| {}).unwrap();
        change(&path);
        let routes = routes.parse().unwrap();
        let part = Part { app: None, take: Take::Open };
        let mut jobs =
            jobs(Arc::new(run_state), part, folder, &routes, Some(input.tokens())).unwrap();
        let text = |token: Option<Secret>| token.map(|t| t.expose().to_owned()).unwrap_or_default();
        let told = |job: Job| (job.row, text(job.tokens.access), text(job.tokens.refresh));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut taken = Vec::new();
        runtime.block_on(async {
            while jobs.untried() != Untried::default() {
                while let Some(job) = jobs.take(Source::List) {
                    taken.push(told(job));
                }
                if jobs.untried().more {
                    jobs.refill().await.unwrap();
                }
            }
        });
        taken
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
