//! A journal read event by event into the state of its run.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use super::{
    doubts::{Doubts, LostGrant},
    rows::{AppIndex, RowEntry, RowOrigin, RowState, RowTable, Tried},
    store_log::StoreLog,
    store_mark::StoreMark,
};
use crate::{
    app::AppName,
    checksum::Checksum,
    event::{
        Event, Exceeded, Failed, Finished, HaltRule, Halted, Leaked, Listed, Paused, Ready,
        Resumed, Saving, Started, TokenFile,
    },
    failure::Stage,
    highlevel::client_id::application,
    installation::Installation,
    journal::reader::{JournalError, Reader},
    plan::fingerprint::Fingerprints,
    settings::Settings,
    text::SafeText,
};

/// Where every row of the list stands, by the journal.
#[derive(Debug)]
pub struct RunState {
    /// How the run began.
    pub started: Started,
    /// The list, when it is in the journal as a whole.
    pub ready: Option<Ready>,
    /// What the last execution was to do.
    pub settings: Settings,
    /// What stopped the last execution, if something that concerns all did.
    pub halted: Option<Halted>,
    /// What stopped the last execution, for each app that something has stopped.
    pub halts: Vec<Halted>,
    /// Whether the run was given up because nothing was recovered, in any execution.
    pub was_given_up: bool,
    /// How the last execution ended, if it ended in order.
    pub finished: Option<Finished>,
    /// What began a pause that has not ended.
    pub paused: Option<Paused>,
    /// Milliseconds by which the server's clock was ahead of ours at last, if it showed one.
    pub clock_offset_ms: Option<i64>,
    /// Files in which a secret was found.
    pub leaks: Vec<Leaked>,
    /// A shard of a merged run that started more requests than its share allows.
    pub exceeded: Option<Exceeded>,
    /// Rows that repeat an earlier one.
    pub duplicates: u32,
    /// Rows that could not be read.
    pub rejected: u32,
    /// Rows of an earlier run's failures that are left for another run. They are in no count.
    pub not_due: u32,
    /// Where the last whole event ends in the journal.
    pub end: u64,
    pub(super) prints: Fingerprints,
    pub(super) rows: RowTable,
    pub(super) tried: HashMap<u32, Tried>,
    pub(super) doubts: Doubts,
    /// Checksums of the lines of `quarantine.jsonl`.
    pub(super) quarantined: HashSet<Checksum>,
    pub(super) store: StoreLog,
}

/// Reads how a run began, and no further.
pub fn started(journal: &Path) -> Result<Started, JournalError> {
    match Reader::open(journal)?.next().transpose()? {
        Some((_, Event::Started(started))) => Ok(*started),
        _ => Err(JournalError::NotBegun(journal.to_owned())),
    }
}

fn settings_of(journal: &Path, recorded: &serde_json::Value) -> Result<Settings, JournalError> {
    let unknown = |source| JournalError::Settings { path: journal.to_owned(), source };
    Settings::read(recorded).map_err(unknown)
}

impl RunState {
    /// Reads a journal; `on_event` is called with every event on the way.
    pub fn read(journal: &Path, on_event: impl FnMut(&Event)) -> Result<Self, JournalError> {
        Self::read_with(Fingerprints::default(), journal, on_event)
    }

    /// Reads a journal; its installations can be compared with other fingerprints of this maker.
    pub fn read_with(
        prints: Fingerprints,
        journal: &Path,
        mut on_event: impl FnMut(&Event),
    ) -> Result<Self, JournalError> {
        let mut events = Reader::open(journal)?;
        let Some((_, Event::Started(started))) = events.next().transpose()? else {
            return Err(JournalError::NotBegun(journal.to_owned()));
        };
        let settings = settings_of(journal, &started.settings)?;
        let mut run_state = Self::new(*started.clone(), settings, events.position(), prints);
        on_event(&Event::Started(started));
        while let Some((offset, event)) = events.next().transpose()? {
            if let Event::Resumed(resumed) = &event {
                settings_of(journal, &resumed.settings)?;
            }
            on_event(&event);
            run_state.apply(offset, event);
            run_state.end = events.position();
        }
        match run_state.ready {
            Some(_) => Ok(run_state),
            None => Err(JournalError::NotBegun(journal.to_owned())),
        }
    }

    fn new(started: Started, settings: Settings, end: u64, prints: Fingerprints) -> Self {
        Self {
            started,
            ready: None,
            settings,
            halted: None,
            halts: Vec::new(),
            was_given_up: false,
            finished: None,
            paused: None,
            clock_offset_ms: None,
            leaks: Vec::new(),
            exceeded: None,
            duplicates: 0,
            rejected: 0,
            not_due: 0,
            end,
            prints,
            rows: RowTable::default(),
            tried: HashMap::new(),
            doubts: Doubts::default(),
            quarantined: HashSet::new(),
            store: StoreLog::default(),
        }
    }

    /// Applies an event that stands at this place in the journal.
    pub fn apply(&mut self, offset: u64, event: Event) {
        self.doubts.observe(&event);
        match event {
            Event::Listed(listed) => self.list(&listed, offset),
            Event::Duplicate(_) => self.duplicates += 1,
            Event::Rejected(_) => self.rejected += 1,
            Event::NotDue(_) => self.not_due += 1,
            Event::Ready(ready) => self.ready = Some(ready),
            Event::Exchanging(e) => self.begin_attempt(e.row, e.attempt, e.reconnect.trace_id),
            Event::Refreshing(e) => self.begin_attempt(e.row, e.attempt, None),
            Event::Requesting(e) => self.begin_attempt(e.row, e.attempt, None),
            Event::Retrying(e) => self.begin_attempt(e.row, e.attempt, e.failure.trace_id),
            Event::Saving(e) => self.saving(&e),
            Event::Skipped(e) => self.settle(e.row, RowState::Skipped, offset),
            Event::Recovered(e) => {
                self.forget_stored(e.row);
                self.settle(e.row, RowState::Recovered, offset);
            }
            Event::Reclaimed(e) => {
                self.know_token_line(e.row, e.token_line);
                self.settle(e.row, RowState::Recovered, offset);
            }
            Event::Failed(e) => self.fail(&e, offset),
            Event::Missed(e) => self.settle(e.row, RowState::Pending, offset),
            Event::HandedOn(e) => self.hand_on(e.row),
            Event::Halted(halted) => self.halt(halted),
            Event::Finished(finished) => self.finished = Some(finished),
            Event::Leaked(leaked) => self.leaks.push(leaked),
            Event::Exceeded(exceeded) => self.exceeded = Some(exceeded),
            Event::Resumed(resumed) => self.resume(&resumed),
            Event::Paused(paused) => self.paused = Some(paused),
            Event::Continued(_) => self.paused = None,
            Event::ServerClock(clock) => self.clock_offset_ms = Some(clock.offset_ms),
            Event::StoreBegan(began) => self.begin_store(began, offset),
            Event::Stored(stored) => self.store_pair(&stored, offset),
            Event::Started(_)
            | Event::Unsent(_)
            | Event::Untried(_)
            | Event::Held(_)
            | Event::DayTooShort(_)
            | Event::Probed(_) => {}
        }
    }

    fn list(&mut self, listed: &Listed, listed_at: u64) {
        let Installation { scope, id, .. } = &listed.installation;
        let client_id = self.started.client_id_of(listed.app.as_ref());
        let row = RowEntry {
            state: RowState::Pending,
            origin: if listed.history.is_some() { RowOrigin::EarlierRun } else { RowOrigin::New },
            app: AppIndex::of(&self.started, listed.app.as_ref()),
            print: self.prints.of(application(client_id), *scope, id.as_str()),
            token_line: None,
            listed_at,
            outcome_at: 0,
            stored: StoreMark::NONE,
        };
        self.rows.list(listed.row, row);
    }

    fn saving(&mut self, saving: &Saving) {
        match saving.file {
            TokenFile::Tokens => self.know_token_line(saving.row, saving.token_line),
            TokenFile::Quarantine => drop(self.quarantined.insert(saving.token_line)),
        }
    }

    fn know_token_line(&mut self, row: u32, checksum: Checksum) {
        if let Some(row) = self.rows.get_mut(row)
            && row.token_line != Some(checksum)
        {
            *row = RowEntry { token_line: Some(checksum), stored: StoreMark::NONE, ..*row };
        }
    }

    /// A new pair has not been in the store.
    fn forget_stored(&mut self, row: u32) {
        if let Some(row) = self.rows.get_mut(row) {
            row.stored = StoreMark::NONE;
        }
    }

    fn hand_on(&mut self, only: Option<u32>) {
        let hand_on = |row: &mut RowEntry| {
            if row.state == RowState::Recovered {
                row.state = RowState::HandedOn;
            }
        };
        match only {
            Some(number) => self.rows.get_mut(number).into_iter().for_each(hand_on),
            None => self.rows.iter_mut().for_each(hand_on),
        }
    }

    fn fail(&mut self, failed: &Failed, offset: u64) {
        let state = match failed.failure.class {
            class if class.is_left_off() => RowState::LeftOff,
            _ if failed.failure.stage == Stage::Verify => RowState::Refused,
            _ => RowState::Failed,
        };
        self.settle(failed.row, state, offset);
    }

    fn settle(&mut self, number: u32, state: RowState, outcome_at: u64) {
        if let Some(row) = self.rows.get_mut(number) {
            *row = RowEntry { state, outcome_at, ..*row };
        }
        self.tried.remove(&number);
    }

    fn begin_attempt(&mut self, row: u32, attempt: u32, trace_id: Option<SafeText>) {
        let tried = self.tried.entry(row).or_default();
        tried.attempts = attempt;
        tried.trace_ids.extend(trace_id);
    }

    fn resume(&mut self, resumed: &Resumed) {
        // Those of a journal were looked at before; others are this execution's own.
        if let Ok(settings) = Settings::read(&resumed.settings) {
            self.settings = settings;
        }
        self.halted = None;
        self.halts.clear();
        self.finished = None;
        self.paused = None;
    }

    /// The run is halted when all of its apps are.
    fn halt(&mut self, halted: Halted) {
        self.paused = None;
        self.was_given_up |= halted.rule == Some(HaltRule::GiveUpAfter);
        self.halts.push(halted);
        let is_halted =
            |app: Option<&AppName>| self.halts.iter().any(|halted| halted.app.as_ref() == app);
        let apps = &self.started.apps;
        if is_halted(None) || apps.iter().all(|app| is_halted(Some(&app.name))) {
            self.halted = self.halts.first().cloned();
        }
    }

    /// The client id of an app of the run; without a name, of the run itself.
    pub fn client_id_of(&self, app: Option<&AppName>) -> &str {
        self.started.client_id_of(app)
    }

    /// What halted the installations of an app in the last execution.
    pub fn halt_of(&self, app: Option<&AppName>) -> Option<&Halted> {
        self.halts.iter().find(|halted| halted.app.as_ref() == app)
    }

    /// The rows of an app by number; without a name, of the whole run.
    pub(super) fn rows_of(&self, app: Option<&AppName>) -> impl Iterator<Item = (u32, &RowEntry)> {
        let index = app.map(|name| AppIndex::of(&self.started, Some(name)));
        self.rows.numbered().filter(move |(_, row)| index.is_none_or(|index| row.app == index))
    }

    /// The lost grants, also those of an execution that ended in a crash.
    pub fn all_lost_grants(&self) -> Vec<LostGrant> {
        self.doubts.all_lost()
    }

    /// The grant of a row whose result is unknown so far.
    pub fn doubt_of(&self, row: u32) -> Option<&LostGrant> {
        self.doubts.open_for(row)
    }

    /// Attempts for a row that has no outcome.
    pub fn attempts_of(&self, row: u32) -> u32 {
        self.tried.get(&row).map_or(0, |tried| tried.attempts)
    }
}
