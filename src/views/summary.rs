//! `summary.json`, and the few lines that the person on call sees at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    bound::Exceeded,
    causes::FailureCause,
    gathered::Gathered,
    halt,
    next::OpenRows,
    rate::RateReached,
    stats::{CallCounts, Proofs, Stats},
    store::{ANY_STORE, StoreInFigures},
    times::Timings,
};
use crate::{
    app::{AppName, AppOfRun},
    clock,
    event::{Halted, Interrupt},
    exit::Exit,
    journal::{
        leaks::Search,
        state::{AppBooks, Books, Chain, LostGrant, RunState},
    },
    settings::Settings,
    shard::Shard,
    text::SafeText,
};

/// Format of `summary.json`; it grows only when a field changes its meaning.
const FORMAT: u32 = 1;

/// A run in figures.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    format: u32,
    program: &'static str,
    version: String,
    run_id: String,
    /// How it ended.
    pub state: RunEnd,
    exit_code: u8,
    /// What the program returns for it.
    #[serde(skip)]
    pub exit: Exit,
    /// A window with more starts than the rate allows: a bug.
    #[serde(skip)]
    pub exceeded: Option<Exceeded>,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    duration_ms: Option<i64>,
    endpoint: CalledEndpoint,
    client_id: String,
    list: ListInWords,
    /// Which shard of the list it is, where several machines share it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Run id of the run whose failures this one took up.
    pub parent_run: Option<String>,
    /// The books of all runs since the first one.
    pub chain: Chain,
    /// Every row in one state.
    pub books: Books,
    /// Of those that were not attempted, how many were begun and not finished.
    #[serde(skip)]
    pub left_off: u32,
    /// The folders of the runs that had recovered what was skipped.
    #[serde(skip)]
    pub recovered_in: BTreeSet<String>,
    books_balance: bool,
    /// The installations that are not recovered, by what has to happen first.
    #[serde(skip)]
    pub open: OpenRows,
    /// The installations by app, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub apps: BTreeMap<AppName, AppInFigures>,
    /// What became of the pairs in the app's own store, where they went to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreInFigures>,
    /// Pairs that are to go there still.
    #[serde(skip)]
    pub to_store: u32,
    /// What stopped the run, if something that concerns all did.
    pub halted: Option<Halted>,
    /// What stopped it or its part for an app, what that means and what to do about it.
    #[serde(skip)]
    pub halts: Vec<HaltInWords>,
    interrupted_by: Option<Interrupt>,
    calls: CallCounts,
    /// When the last request started.
    #[serde(skip)]
    pub last_start: Option<Timestamp>,
    /// What the last execution was to do.
    #[serde(skip)]
    pub settings: Settings,
    /// Asked and reached.
    pub rate: RateReached,
    /// What is to be known of the tokens that were granted.
    pub tokens: Proofs,
    timings: Timings,
    /// Milliseconds by which the server's clock was ahead of ours at last.
    clock_offset_ms: Option<i64>,
    /// Failures by cause, the most frequent first.
    pub causes: Vec<FailureCause>,
    /// Exchanges whose answer never came whole: HighLevel may have granted tokens that nobody holds.
    pub lost_grants: LostGrants,
    /// Files that were set aside because a secret was found in them.
    pub leaks: Vec<String>,
    /// Finds the secrets of the run, where one of its files had some.
    #[serde(skip)]
    search: Option<Arc<Search>>,
}

/// A halt for a person.
#[derive(Clone, Debug)]
pub struct HaltInWords {
    /// The app that it concerns, where there are several.
    pub app: Option<AppName>,
    /// What happened.
    pub message: SafeText,
    /// What that means and what to do about it.
    pub next_steps: String,
}

impl HaltInWords {
    fn of(run_state: &RunState, halted: &Halted) -> Self {
        let (app, message) = (halted.app.clone(), halted.message.clone());
        Self { app, message, next_steps: halt::next_steps(run_state, halted) }
    }

    /// What happened, and to which app.
    pub fn title(&self) -> String {
        let app = self.app.as_ref().map(|app| format!("app {app}: ")).unwrap_or_default();
        format!("{app}{}", self.message)
    }
}

/// One of several apps.
#[derive(Clone, Debug, Serialize)]
pub struct AppInFigures {
    client_id: String,
    /// Its installations, each in one state.
    pub books: AppBooks,
    /// What stopped the work for it, if something did.
    pub halted: Option<Halted>,
}

impl AppInFigures {
    fn all(run_state: &RunState) -> BTreeMap<AppName, Self> {
        let figures = |app: &AppOfRun| {
            let AppOfRun { name, client_id } = app.clone();
            let books = run_state.books_of(Some(&name));
            let halted = run_state.halt_of(Some(&name)).cloned();
            (name, Self { client_id, books, halted })
        };
        run_state.started.apps.iter().map(figures).collect()
    }
}

/// Grants that may have been lost.
#[derive(Clone, Debug, Serialize)]
pub struct LostGrants {
    /// How many.
    pub count: usize,
    /// The first thousand.
    pub first: Vec<LostGrant>,
}

/// Lost grants that the summary shows; the journal has them all.
const LOST_GRANTS_SHOWN: usize = 1000;

impl LostGrants {
    fn of(mut grants: Vec<LostGrant>) -> Self {
        let count = grants.len();
        grants.truncate(LOST_GRANTS_SHOWN);
        Self { count, first: grants }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// It went through.
    Complete,
    /// A fault that concerns all stopped it.
    Halted,
    /// A person or the system stopped it.
    Interrupted,
    /// It has not ended, or ended unexpectedly.
    Unfinished,
}

/// Where the calls went.
#[derive(Clone, Debug, Serialize)]
struct CalledEndpoint {
    base_url: String,
    reconnect_path: String,
    /// Whether it was the embedded sandbox.
    sandbox: bool,
}

#[derive(Clone, Debug, Serialize)]
struct ListInWords {
    name: String,
    shape: String,
    uninstalled: u32,
    not_due: u32,
}

impl Summary {
    /// The bytes of `summary.json`.
    pub fn to_json(&self) -> serde_json::Result<String> {
        Ok(self.clean(serde_json::to_string_pretty(self)? + "\n"))
    }

    /// The same run, whose secrets are cut out before any of its figures is written or printed.
    #[must_use]
    pub fn cleaned_by(self, search: Search) -> Self {
        Self { search: Some(Arc::new(search)), ..self }
    }

    /// A text that is made of the figures, without secrets.
    pub fn clean(&self, text: String) -> String {
        match &self.search {
            None => text,
            Some(search) => search.cut_out(&text).unwrap_or_else(|_| {
                "left out: a secret stands in it, and cannot be found any more\n".into()
            }),
        }
    }

    /// The same run, in whose files secrets were found.
    #[must_use]
    pub fn with_leaks(mut self, files: Vec<String>) -> Self {
        self.leaks.extend(files);
        self.exit = Exit::Bug;
        self.exit_code = Exit::Bug.code();
        self
    }

    /// The same run, after something stopped the writing of its pairs into the store. What stopped the
    /// run itself goes first.
    #[must_use]
    pub fn ending_with(mut self, stored: Option<Exit>) -> Self {
        if let (Exit::Recovered | Exit::NotAllRecovered, Some(stored)) = (self.exit, stored) {
            self.exit = stored;
            self.exit_code = stored.code();
        }
        self
    }

    /// When it ended, or the latest time that is known of it.
    pub fn as_of(&self) -> Timestamp {
        self.finished_at.or(self.last_start).unwrap_or(self.started_at)
    }

    /// Where pairs are to go still, as `--to` takes it; those of a rehearsal are made up, and go nowhere.
    pub fn store_target(&self) -> Option<String> {
        if self.settings.is_rehearsal() || self.to_store == 0 {
            return None;
        }
        Some(self.store.as_ref().map_or_else(|| ANY_STORE.into(), StoreInFigures::target))
    }

    /// The rate for a person: asked for and reached.
    pub fn rate_in_words(&self) -> String {
        format!("{} asked for, {}/s reached", self.rate.asked, self.rate.reached_per_second)
    }

    /// Puts a run's figures together.
    pub(super) fn of(run_state: &RunState, mut stats: Stats, gathered: Gathered) -> Self {
        let Gathered { causes, open, examples } = gathered;
        let (started, settings) = (&run_state.started, &run_state.settings);
        let finished_at = run_state.finished.map(|end| end.at);
        let (books, store_counts) = (run_state.books(), run_state.store_counts());
        let exceeded = run_state.exceeded.map(Exceeded::of_shard).or_else(|| stats.exceeded());
        let store = StoreInFigures::of(run_state, &store_counts, examples);
        let exit = if exceeded.is_some() { Exit::Bug } else { exit_of(run_state) };
        let exit = with_store(exit, run_state, store.as_ref());
        Self {
            format: FORMAT,
            program: env!("CARGO_PKG_NAME"),
            version: started.version.clone(),
            run_id: started.run_id.clone(),
            state: state_of(run_state),
            exit_code: exit.code(),
            exit,
            exceeded,
            started_at: started.at,
            finished_at,
            duration_ms: finished_at.map(|end| clock::millis_between(started.at, end)),
            endpoint: CalledEndpoint {
                base_url: settings.base_url.clone(),
                reconnect_path: settings.reconnect_path.clone(),
                sandbox: settings.is_rehearsal(),
            },
            client_id: started.client_id.clone(),
            list: ListInWords {
                name: started.list.name.clone(),
                shape: started.list.shape.clone(),
                uninstalled: started.list.uninstalled,
                not_due: run_state.not_due,
            },
            shard: settings.shard,
            parent_run: started.parent.as_ref().map(|parent| parent.run_id.clone()),
            chain: run_state.chain(),
            books,
            left_off: run_state.left_off(),
            recovered_in: stats.recovered_in(),
            books_balance: do_balance(run_state),
            open,
            apps: AppInFigures::all(run_state),
            store,
            to_store: store_counts.to_store,
            halted: run_state.halted.clone(),
            halts: run_state
                .halts
                .iter()
                .map(|halted| HaltInWords::of(run_state, halted))
                .collect(),
            interrupted_by: run_state.finished.and_then(|end| end.interrupted_by),
            calls: stats.calls(),
            last_start: stats.last_start(),
            settings: settings.clone(),
            rate: RateReached::of(settings, &mut stats),
            tokens: stats.proofs(),
            timings: stats.timings(),
            clock_offset_ms: run_state.clock_offset_ms,
            causes: causes.by_frequency(),
            lost_grants: LostGrants::of(run_state.all_lost_grants()),
            leaks: run_state.leaks.iter().map(|leak| leak.file.clone()).collect(),
            search: None,
        }
    }
}

fn state_of(run_state: &RunState) -> RunEnd {
    match (&run_state.finished, &run_state.halted) {
        (None, _) => RunEnd::Unfinished,
        (Some(_), Some(_)) => RunEnd::Halted,
        (Some(end), None) if end.interrupted_by.is_some() => RunEnd::Interrupted,
        (Some(_), None) => RunEnd::Complete,
    }
}

/// Whether every row is in one state, and every recovered pair in one as to the store.
fn do_balance(run_state: &RunState) -> bool {
    let books = run_state.books();
    books.balance() && run_state.store_counts().balance(books.recovered)
}

/// The exit code of a run of which not all pairs are in the store that it was to write them into.
fn with_store(exit: Exit, run_state: &RunState, store: Option<&StoreInFigures>) -> Exit {
    let is_stored = match store {
        Some(store) => store.open == 0 && store.not_stored == 0,
        None => run_state.books().recovered == 0,
    };
    if exit == Exit::Recovered && run_state.settings.store.is_some() && !is_stored {
        Exit::NotAllRecovered
    } else {
        exit
    }
}

/// The exit code that a run's journal stands for.
fn exit_of(run_state: &RunState) -> Exit {
    let books = run_state.books();
    if !do_balance(run_state) || !run_state.leaks.is_empty() {
        return Exit::Bug;
    }
    match (state_of(run_state), run_state.finished.and_then(|end| end.interrupted_by)) {
        (RunEnd::Halted, _) => Exit::Halted,
        (RunEnd::Interrupted, Some(Interrupt::Terminate)) => Exit::Terminated,
        (RunEnd::Interrupted, _) => Exit::Interrupted,
        (RunEnd::Complete, _) if books.are_clear() && run_state.not_due == 0 => Exit::Recovered,
        (RunEnd::Complete | RunEnd::Unfinished, _) => Exit::NotAllRecovered,
    }
}
