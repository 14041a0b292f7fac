//! One execution of a run: from a prepared folder through all calls to the files.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use tokio::{
    runtime::Runtime,
    task::{block_in_place, spawn_blocking},
};
use tokio_util::sync::CancellationToken;

use super::{
    cancellation::{Cancellation, Cause},
    closing::{close, finish_journal, leave_out_refused, tokens_of_run},
    gauge::Gauge,
    list::TokenList,
    recorder::Recorder,
    screen::{Progress, Screen},
    signals::Signals,
    storing::store_pairs,
    work::{Ahead, Others, Work, known_to},
};
use crate::{
    event::Observer,
    exit::{Exit, Fault, OrExit},
    highlevel::{endpoint::Endpoint, table::Answers},
    journal::{
        folder::{Lock, RunFolder},
        handle::{self, Journal},
        state::{RunState, Take},
        writer::Writer,
    },
    secret::Secret,
    settings::{Settings, app::AppContext},
    store::{choice::Chosen, open::Patience, runs::Runs},
    views::summary::Summary,
};

/// Bytes that one installation takes in all files together, with some to spare: its events, its
/// tokens (some 2,500 bytes in real ones), its lines in the views and the log.
const BYTES_EACH: u64 = 4096;

/// Bytes that a run takes besides.
const BYTES_BESIDES: u64 = 1 << 16;

/// A folder that is made, locked and written, and what is to be done in it.
pub struct Session {
    /// The run folder.
    pub folder: RunFolder,
    /// It is held.
    pub lock: Lock,
    /// Its files.
    pub writer: Writer,
    /// Its log.
    pub log: Arc<dyn Observer>,
    /// Its state, read back from the disk.
    pub run_state: RunState,
    /// What is to be done.
    pub settings: Settings,
    /// Which installations are taken.
    pub take: Take,
    /// Where the tokens of its installations are read from; `None` where they are not at hand.
    pub tokens: Option<TokenList>,
    /// Whether it skips what other runs recover.
    pub others: Others,
    /// The app's own store, where the pairs go in the end.
    pub store: Option<Chosen>,
}

/// Who calls whom.
pub struct Calls {
    /// Where the calls go.
    pub endpoint: Endpoint,
    /// What answers mean.
    pub answers: Answers,
    /// Who calls: one app after the other.
    pub app_contexts: Vec<AppContext>,
}

impl Session {
    /// Does the work and writes the files. An error means that the disk failed, or that a second
    /// signal ended it at once.
    pub fn work(
        self,
        runtime: &Runtime,
        calls: Calls,
        screen: Arc<dyn Screen>,
    ) -> Result<Summary, Fault> {
        self.check_room()?;
        runtime.block_on(self.work_under_signals(calls, screen))
    }

    /// Compares the free space with what the execution will need.
    fn check_room(&self) -> Result<(), Fault> {
        let need = u64::from(self.run_state.to_take(self.take)) * BYTES_EACH + BYTES_BESIDES;
        let path = self.folder.path();
        match fs4::available_space(path) {
            Ok(free) if free < need => {
                let error = anyhow!(
                    "{} has room for {} KiB, this run needs about {} KiB; nothing was sent. Free some \
                     space first.",
                    path.display(),
                    free / 1024,
                    need / 1024,
                );
                Err(Fault { exit: Exit::Local, error })
            }
            // A file system that reports no free space is taken to have enough.
            _ => Ok(()),
        }
    }

    async fn work_under_signals(
        self,
        calls: Calls,
        screen: Arc<dyn Screen>,
    ) -> Result<Summary, Fault> {
        let mut signals =
            Signals::listen().context("cannot listen to signals").or_exit(Exit::Local)?;
        let Self { folder, lock, writer, log, run_state, settings, take, tokens, others, store } =
            self;
        let max_outage = settings.max_outage;
        let list = match &tokens {
            Some(tokens) => Some(tokens.for_search()),
            None => tokens_of_run(&run_state.started),
        };
        let secrets: Vec<Secret> =
            calls.app_contexts.iter().flat_map(AppContext::secrets).collect();
        let stop = Cancellation::default();
        let run_id = run_state.started.run_id.clone();
        let on_failure = {
            let stop = stop.clone();
            move || {
                stop.cancel(Cause::StorageError);
            }
        };
        let (journal, writing) = handle::spawn(writer, &run_id, on_failure).or_exit(Exit::Local)?;
        let team =
            Team { calls, settings, tokens, others, journal, log: log.clone(), stop: stop.clone() };
        // Ended at once, work still runs, and the journal's thread with it: not waited for.
        team.recover_all(run_state, take, &folder, screen.as_ref(), &mut signals).await?;
        let ended = block_in_place(|| writing.finish()).or_exit(Exit::Local)?;
        let interrupted_by = match stop.cause() {
            Some(Cause::Interrupted(signal)) => Some(signal),
            _ => None,
        };
        finish_journal(ended, interrupted_by, &folder)?;
        leave_out_refused(&folder).or_exit(Exit::Local)?;
        let held = Held { folder: folder.clone(), lock, log, max_outage };
        let (locks, stored) = held.store(store, screen.as_ref(), &mut signals).await?;
        let closing = {
            let screen = screen.clone();
            spawn_blocking(move || {
                let closed = close(&folder, &secrets, list, None, &|line| screen.print(line));
                drop(locks);
                closed
            })
        };
        let on_first = |_| screen.print("Writing the files; once more ends at once.");
        let closed = tokio::select! {
            closed = closing => closed.context("the work on the files stopped unexpectedly: a bug").or_exit(Exit::Bug)?,
            exit = signals.second(on_first) => Err(cut_short(exit)),
        };
        closed.map(|summary| summary.ending_with(stored))
    }
}

/// A run whose calls are made.
struct Held {
    folder: RunFolder,
    lock: Lock,
    log: Arc<dyn Observer>,
    max_outage: Duration,
}

impl Held {
    /// Writes the pairs into a store, where one was named. Gives the exit code of what stopped that.
    async fn store(
        self,
        store: Option<Chosen>,
        screen: &dyn Screen,
        signals: &mut Signals,
    ) -> Result<(Vec<Lock>, Option<Exit>), Fault> {
        let Some(chosen) = store else { return Ok((vec![self.lock], None)) };
        let mut runs = Runs::of_one(self.folder, self.lock, self.log)?;
        let stop = CancellationToken::new();
        let patience = Patience { max_outage: self.max_outage, stop: stop.clone() };
        let on_first = |_| {
            stop.cancel();
            screen.print("Interrupted: the rows in hand are written. Once more ends at once.");
        };
        let stored = tokio::select! {
            stored = store_pairs(&mut runs, &chosen, patience, screen) => stored,
            exit = signals.second(on_first) => return Err(cut_short(exit)),
        };
        let exit = match stored {
            Ok(()) => None,
            Err(fault) => {
                screen.print(&format!(
                    "The store: {fault}.\nThe pairs are safe in tokens.jsonl; the store command below \
                     writes them."
                ));
                Some(fault.exit()).filter(|exit| *exit != Exit::Usage).or(Some(Exit::Halted))
            }
        };
        Ok((runs.into_locks(), exit))
    }
}

/// Everything that works during the calls.
struct Team {
    calls: Calls,
    settings: Settings,
    tokens: Option<TokenList>,
    others: Others,
    journal: Journal,
    log: Arc<dyn Observer>,
    stop: Cancellation,
}

impl Team {
    async fn recover_all(
        self,
        run_state: RunState,
        take: Take,
        folder: &RunFolder,
        screen: &dyn Screen,
        signals: &mut Signals,
    ) -> Result<(), Fault> {
        let Self { calls, settings, tokens, others, journal, log, stop } = self;
        let Calls { endpoint, answers, app_contexts } = calls;
        let (ahead, gauge) = (Ahead::default(), Gauge::new(run_state.to_take(take)));
        let progress = begin_progress(screen, &gauge, &ahead)?;
        let work = Work {
            folder,
            run_state: Arc::new(run_state),
            settings: &settings,
            tokens,
            others,
            endpoint,
            answers,
            recorder: Recorder::new(journal, vec![progress.clone(), log.clone()]),
            progress: progress.clone(),
            log,
            gauge,
            stop: stop.clone(),
            ahead,
            known: known_to(&app_contexts),
        };
        let drain = |signal| {
            stop.cancel(Cause::Interrupted(signal));
            progress.ending();
            progress.note(
                "Interrupted: no new code is asked for, codes in hand are exchanged. Once more ends at once.",
            );
        };
        let worked = tokio::select! {
            worked = work.for_all(app_contexts, take) => worked,
            exit = signals.second(drain) => Err(cut_short(exit)),
        };
        drop(work);
        block_in_place(|| progress.end());
        worked
    }
}

fn begin_progress(
    screen: &dyn Screen,
    gauge: &Gauge,
    ahead: &Ahead,
) -> Result<Arc<dyn Progress>, Fault> {
    let ahead = ahead.clone();
    let progress = screen.begin(gauge.clone(), Box::new(move || ahead.outlook()));
    progress.context("cannot start a thread").or_exit(Exit::Local)
}

fn cut_short(exit: Exit) -> Fault {
    let error =
        anyhow!("ended at once by a second signal; the journal has what was done until then");
    Fault { exit, error }
}
