//! The state of a run, told from its journal alone.

mod apps;

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use jiff::Timestamp;
use serde::Serialize;

pub use self::apps::AppBooks;
use self::apps::AppIndex;
use super::reader::{JournalError, Reader};
use crate::{
    app::AppName,
    checksum::Checksum,
    event::{
        Call, Event, Exchanging, Failed, Finished, Halted, Leaked, Listed, Paused, Ready,
        Reclaimed, Recovered, Refreshing, Requesting, Resumed, Saving, Skipped, Started, TokenFile,
    },
    failure::{Class, Failure, Stage},
    installation::{Id, Installation},
    plan::fingerprint::{Fingerprint, Fingerprints},
    route::Route,
    text::SafeText,
};

/// Where every row of the list stands, by the journal.
#[derive(Debug)]
pub struct RunState {
    /// How the run began.
    pub started: Started,
    /// The list, when it is in the journal as a whole.
    pub ready: Option<Ready>,
    /// How the last leg began, when the run was gone on with.
    pub resumed: Option<Resumed>,
    /// What stopped the last leg, if something that concerns all did.
    pub halted: Option<Halted>,
    /// What stopped the last leg, for each app that something has stopped.
    pub halts: Vec<Halted>,
    /// Whether the run was given up because nothing was recovered, in any leg.
    pub was_given_up: bool,
    /// How the last leg ended, if it ended in order.
    pub finished: Option<Finished>,
    /// What began a pause that has not ended.
    pub paused: Option<Paused>,
    /// Milliseconds by which the server's clock was ahead of ours at last, if it showed one.
    pub clock_offset_ms: Option<i64>,
    /// Files in which a secret was found.
    pub leaks: Vec<Leaked>,
    /// Exchanges whose answer never came whole: tokens may have been granted that nobody holds.
    pub lost_grants: Vec<LostGrant>,
    /// Rows that repeat an earlier one.
    pub duplicates: u32,
    /// Rows that could not be read.
    pub rejected: u32,
    /// Where the last whole event ends in the journal.
    pub end: u64,
    /// Where the first event ends in the journal.
    pub list_begins: u64,
    prints: Fingerprints,
    rows: Vec<Row>,
    tried: HashMap<u32, Tried>,
    in_doubt: HashMap<u32, LostGrant>,
    /// Of the lines of `quarantine.jsonl`.
    quarantined: HashSet<Checksum>,
    /// When refresh tokens were presented of which nobody knows what came of it. It outlasts the end of
    /// an installation's work in a leg: the token stays in doubt.
    refresh_presented: HashMap<u32, Timestamp>,
}

/// Where a row stands; its last outcome is at a place in the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Row {
    state: RowState,
    origin: Origin,
    app: AppIndex,
    print: Fingerprint,
    /// Of its last line in `tokens.jsonl`, where the journal knows it.
    token_line: Option<Checksum>,
    listed_at: u64,
    outcome_at: u64,
}

impl Row {
    fn expected_line(&self) -> TokenLine {
        match (self.state, self.token_line) {
            (RowState::Refused, _) => TokenLine::NotToBeUsed,
            (_, Some(checksum)) => TokenLine::Known(checksum),
            (_, None) => TokenLine::Unknown,
        }
    }
}

/// Whether an earlier run has tried the row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Origin {
    #[default]
    New,
    EarlierRun,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum RowState {
    #[default]
    NotListed,
    Pending,
    Recovered,
    /// Recovered, and its tokens are where they belong: they need not be on disk any more.
    HandedOn,
    /// Left alone, since its old token is good.
    Skipped,
    Failed,
    /// Failed, since its new token is refused: the pair is not to be used.
    Refused,
    /// Failed only because the run ended while it was being worked on.
    LeftOff,
}

/// Whether a leg has begun with an installation before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// None has.
    Untried,
    /// One has.
    Tried,
}

/// What is known of an installation that was begun and has no outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Conversations that were begun.
    pub attempts: u32,
    /// Trace ids seen, oldest first.
    pub trace_ids: Vec<SafeText>,
    /// When the refresh token was presented, if nobody knows what came of it.
    pub refresh_presented: Option<Timestamp>,
}

/// An exchange whose answer never came whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LostGrant {
    /// The installation.
    pub id: Id,
    /// The way on which it was lost: by refresh, the refresh token may be spent.
    pub via: Route,
    /// When its code was asked for; by refresh and by agency, when their token was presented.
    pub reconnected_at: Timestamp,
    /// Trace id of the reconnect.
    pub reconnect_trace_id: Option<SafeText>,
    /// When the code was presented.
    pub exchanged_at: Timestamp,
}

/// How an installation stands at the end of the journal.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Its token pair is on disk.
    Recovered(Box<Recovered>),
    /// Its token pair is on disk; the event with the details was lost in a crash.
    Reclaimed(Reclaimed),
    /// The token that the list had for it is good.
    Skipped(Skipped),
    /// It was given up, or left off where the run ended ([`Failed::status`]).
    Failed(Box<Failed>),
    /// It has no outcome.
    NotAttempted(Tried),
}

/// Every row of the input in exactly one state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// Records that the list had.
    pub input: u32,
    /// Token pair on disk.
    pub recovered: u32,
    /// Left alone, since recovered already.
    pub skipped: u32,
    /// Given up.
    pub failed: u32,
    /// No outcome: never begun, or not finished when the run ended.
    pub not_attempted: u32,
    /// Repeats an earlier row.
    pub duplicate: u32,
    /// Could not be read.
    pub rejected: u32,
}

/// The books of a chain of runs, each over the failures of the one before. Counts are of
/// installations, without duplicate and rejected rows: `input` is `recovered` and `outstanding`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// Run id of the first run.
    pub first_run: String,
    /// Runs so far, this one included.
    pub runs: u32,
    /// Installations that the first run was to recover.
    pub input: u32,
    /// Recovered by all runs together.
    pub recovered: u32,
    /// Not recovered by any, whether the list still has them or not.
    pub outstanding: u32,
}

impl Books {
    /// Whether the states add up to the input.
    pub fn balance(&self) -> bool {
        let states = [
            self.recovered,
            self.skipped,
            self.failed,
            self.not_attempted,
            self.duplicate,
            self.rejected,
        ];
        states.iter().map(|n| u64::from(*n)).sum::<u64>() == u64::from(self.input)
    }

    /// Whether every installation is recovered and every row was one.
    pub fn are_clear(&self) -> bool {
        self.failed == 0 && self.not_attempted == 0 && self.rejected == 0
    }
}

/// Which installations a leg takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Those without an outcome, and those that the end of a leg left off.
    Open,
    /// The failed ones too.
    OpenAndFailed,
}

/// What an installation's line in `tokens.jsonl` has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenLine {
    /// This one.
    Known(Checksum),
    /// The journal has not come to say so, as after a power cut.
    Unknown,
    /// There must be none: the tokens are refused where they are tried.
    NotToBeUsed,
}

impl TokenLine {
    /// Whether a line with this checksum may be used.
    pub fn allows(self, line: Checksum) -> bool {
        match self {
            Self::Known(known) => known == line,
            Self::Unknown => true,
            Self::NotToBeUsed => false,
        }
    }
}

/// How journal and tokens disagree after a crash, or after somebody's hand.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Disagreement {
    /// Rows whose tokens are on disk though the journal does not say so, and what their lines are.
    pub reclaimed: Vec<(u32, Checksum)>,
    /// Rows that the journal calls recovered whose tokens are not on disk.
    pub missed: Vec<u32>,
}

/// Reads how a run began, and no further.
pub fn started(journal: &Path) -> Result<Started, JournalError> {
    match Reader::open(journal)?.next().transpose()? {
        Some((_, Event::Started(started))) => Ok(*started),
        _ => Err(JournalError::NotBegun(journal.to_owned())),
    }
}

impl RunState {
    /// Reads a journal; `listener` hears every event on the way.
    pub fn read(journal: &Path, listener: impl FnMut(&Event)) -> Result<Self, JournalError> {
        Self::read_with(Fingerprints::default(), journal, listener)
    }

    /// Reads a journal; its installations can be compared with other fingerprints of this maker.
    pub fn read_with(
        prints: Fingerprints,
        journal: &Path,
        mut listener: impl FnMut(&Event),
    ) -> Result<Self, JournalError> {
        let mut events = Reader::open(journal)?;
        let Some((_, Event::Started(started))) = events.next().transpose()? else {
            return Err(JournalError::NotBegun(journal.to_owned()));
        };
        let mut run_state = Self::new(*started.clone(), events.position(), prints);
        listener(&Event::Started(started));
        while let Some((offset, event)) = events.next().transpose()? {
            listener(&event);
            run_state.apply(offset, event);
            run_state.end = events.position();
        }
        Ok(run_state)
    }

    fn new(started: Started, list_begins: u64, prints: Fingerprints) -> Self {
        Self {
            started,
            ready: None,
            resumed: None,
            halted: None,
            halts: Vec::new(),
            was_given_up: false,
            finished: None,
            paused: None,
            clock_offset_ms: None,
            leaks: Vec::new(),
            lost_grants: Vec::new(),
            duplicates: 0,
            rejected: 0,
            end: list_begins,
            list_begins,
            prints,
            rows: Vec::new(),
            tried: HashMap::new(),
            in_doubt: HashMap::new(),
            quarantined: HashSet::new(),
            refresh_presented: HashMap::new(),
        }
    }

    /// Takes an event of the journal into account.
    pub fn apply(&mut self, offset: u64, event: Event) {
        match event {
            Event::Listed(listed) => self.list(&listed, offset),
            Event::Duplicate(_) => self.duplicates += 1,
            Event::Rejected(_) => self.rejected += 1,
            Event::Ready(ready) => self.ready = Some(ready),
            Event::Exchanging(e) => self.exchanging(e),
            Event::Refreshing(e) => self.refreshing(e),
            Event::Requesting(e) => self.requesting(e),
            Event::Saving(e) => self.saving(&e),
            Event::Unsent(e) => self.withdraw_request(e.row),
            Event::Retrying(e) => {
                self.end_doubt(e.row, &e.failure, e.call.as_ref());
                self.try_again(e.row, e.attempt, e.failure.trace_id);
            }
            // The tokens came: there is no doubt about the call.
            Event::Untried(e) => drop(self.in_doubt.remove(&e.row)),
            Event::Skipped(e) => self.settle(e.row, RowState::Skipped, offset),
            Event::Recovered(e) => {
                if e.via != Route::Refresh {
                    self.give_refresh_up(e.row);
                }
                self.settle(e.row, RowState::Recovered, offset);
            }
            Event::Reclaimed(e) => {
                self.know_token_line(e.row, e.token_line);
                self.settle(e.row, RowState::Recovered, offset);
            }
            Event::Failed(e) => self.fail(&e, offset),
            Event::Missed(e) => self.settle(e.row, RowState::Pending, offset),
            Event::Halted(halted) => self.halt(halted),
            Event::Finished(finished) => self.finished = Some(finished),
            Event::HandedOn(_) => self.hand_on(),
            Event::Leaked(leaked) => self.leaks.push(leaked),
            Event::Resumed(resumed) => self.resume(resumed),
            Event::Paused(paused) => self.paused = Some(paused),
            Event::Continued(_) => self.paused = None,
            Event::ServerClock(clock) => self.clock_offset_ms = Some(clock.offset_ms),
            Event::Started(_) | Event::Held(_) | Event::DayTooShort(_) | Event::Probed(_) => {}
        }
    }

    fn list(&mut self, listed: &Listed, listed_at: u64) {
        let index = listed.row as usize;
        if self.rows.len() <= index {
            self.rows.resize(index + 1, Row::default());
        }
        let Installation { scope, id, .. } = &listed.installation;
        let print = self.prints.of(self.application_of(listed), *scope, id.as_str());
        let app = self.index_of(listed.app.as_ref());
        let origin = if listed.history.is_some() { Origin::EarlierRun } else { Origin::New };
        let (state, token_line, outcome_at) = (RowState::Pending, None, 0);
        self.rows[index] = Row { state, origin, app, print, token_line, listed_at, outcome_at };
    }

    fn saving(&mut self, saving: &Saving) {
        match saving.file {
            TokenFile::Tokens => self.know_token_line(saving.row, saving.token_line),
            TokenFile::Quarantine => drop(self.quarantined.insert(saving.token_line)),
        }
    }

    fn know_token_line(&mut self, row: u32, checksum: Checksum) {
        if let Some(entry) = self.rows.get_mut(row as usize) {
            entry.token_line = Some(checksum);
        }
    }

    fn hand_on(&mut self) {
        for row in self.rows.iter_mut().filter(|row| row.state == RowState::Recovered) {
            row.state = RowState::HandedOn;
        }
    }

    fn exchanging(&mut self, exchanging: Exchanging) {
        let Exchanging { row, id, attempt, at, reconnect, .. } = exchanging;
        self.give_refresh_up(row);
        let grant = LostGrant {
            id,
            via: Route::Reconnect,
            reconnected_at: reconnect.at,
            reconnect_trace_id: reconnect.trace_id.clone(),
            exchanged_at: at,
        };
        self.in_doubt.insert(row, grant);
        self.try_again(row, attempt, reconnect.trace_id);
    }

    fn refreshing(&mut self, refreshing: Refreshing) {
        let Refreshing { row, id, attempt, at } = refreshing;
        let (via, reconnect_trace_id) = (Route::Refresh, None);
        let grant = LostGrant { id, via, reconnected_at: at, reconnect_trace_id, exchanged_at: at };
        self.in_doubt.entry(row).or_insert(grant);
        self.try_again(row, attempt, None);
        self.refresh_presented.insert(row, at);
    }

    fn requesting(&mut self, requesting: Requesting) {
        let Requesting { row, id, attempt, at } = requesting;
        self.give_refresh_up(row);
        let (via, reconnect_trace_id) = (Route::Agency, None);
        let grant = LostGrant { id, via, reconnected_at: at, reconnect_trace_id, exchanged_at: at };
        self.in_doubt.insert(row, grant);
        self.try_again(row, attempt, None);
    }

    /// The other ways do not say that nothing was sent.
    fn withdraw_request(&mut self, row: u32) {
        if self.in_doubt.get(&row).is_some_and(|grant| grant.via == Route::Agency) {
            self.in_doubt.remove(&row);
        }
    }

    /// A refresh in doubt that no repetition has cleared up is a lost grant.
    fn give_refresh_up(&mut self, row: u32) {
        if self.in_doubt.get(&row).is_some_and(|grant| grant.via == Route::Refresh) {
            self.lost_grants.extend(self.in_doubt.remove(&row));
        }
    }

    /// An answer, or the certainty that nothing was sent, ends the doubt about an exchange.
    fn end_doubt(&mut self, row: u32, failure: &Failure, call: Option<&Call>) {
        let Some(grant) = self.in_doubt.remove(&row) else { return };
        if grant.via == Route::Refresh {
            return self.end_refresh_doubt(row, failure, grant);
        }
        let is_refused = failure.http_status.is_some_and(|status| !(200..300).contains(&status));
        match failure.class {
            // An answer of success that could not be read is no better than none.
            Class::OutcomeUnknown | Class::BadAnswer => self.lost_grants.push(grant),
            // The end of the leg stands where it would say what came of the call.
            Class::Interrupted | Class::Halted if call.is_some() && !is_refused => {
                self.lost_grants.push(grant);
            }
            // The code never left and is about to be presented again.
            Class::Network if grant.via == Route::Reconnect => {
                drop(self.in_doubt.insert(row, grant));
            }
            _ => {}
        }
    }

    /// The same presentation again may bring the answer, so that such a doubt lasts longer.
    fn end_refresh_doubt(&mut self, row: u32, failure: &Failure, grant: LostGrant) {
        let is_of_the_refresh = failure.stage == Stage::Refresh;
        match failure.class {
            Class::OutcomeUnknown
            | Class::BadAnswer
            | Class::ServerError
            | Class::Interrupted
            | Class::Halted => drop(self.in_doubt.insert(row, grant)),
            _ if is_of_the_refresh => drop(self.refresh_presented.remove(&row)),
            _ => self.lost_grants.push(grant),
        }
    }

    fn fail(&mut self, failed: &Failed, offset: u64) {
        self.end_doubt(failed.row, &failed.failure, failed.call.as_ref());
        self.give_refresh_up(failed.row);
        let state = match failed.failure.class {
            class if class.is_left_off() => RowState::LeftOff,
            _ if failed.failure.stage == Stage::Verify => RowState::Refused,
            _ => RowState::Failed,
        };
        self.settle(failed.row, state, offset);
    }

    fn settle(&mut self, row: u32, state: RowState, outcome_at: u64) {
        if let Some(entry) = self.rows.get_mut(row as usize) {
            *entry = Row { state, outcome_at, ..*entry };
        }
        self.tried.remove(&row);
        self.in_doubt.remove(&row);
        if state == RowState::Recovered {
            self.refresh_presented.remove(&row);
        }
    }

    fn try_again(&mut self, row: u32, attempt: u32, trace_id: Option<SafeText>) {
        let tried = self.tried.entry(row).or_default();
        tried.attempts = attempt;
        tried.trace_ids.extend(trace_id);
    }

    /// What was in doubt when the last leg broke off stays in doubt for ever.
    fn resume(&mut self, resumed: Resumed) {
        self.settle_doubts();
        self.resumed = Some(resumed);
        self.halted = None;
        self.halts.clear();
        self.finished = None;
        self.paused = None;
    }

    fn settle_doubts(&mut self) {
        let mut doubts: Vec<_> = self.in_doubt.drain().collect();
        doubts.sort_unstable_by_key(|(row, _)| *row);
        self.lost_grants.extend(doubts.into_iter().map(|(_, grant)| grant));
    }

    /// The lost grants, those of a leg that broke off included.
    pub fn all_lost_grants(&self) -> Vec<LostGrant> {
        let mut doubts: Vec<_> = self.in_doubt.iter().collect();
        doubts.sort_unstable_by_key(|(row, _)| **row);
        self.lost_grants.iter().chain(doubts.into_iter().map(|(_, grant)| grant)).cloned().collect()
    }

    /// The grant of a row of which nobody knows yet what came of it.
    pub fn doubt_of(&self, row: u32) -> Option<&LostGrant> {
        self.in_doubt.get(&row)
    }

    /// Attempts for a row that has no outcome.
    pub fn attempts_of(&self, row: u32) -> u32 {
        self.tried.get(&row).map_or(0, |tried| tried.attempts)
    }

    /// The books as they stand.
    pub fn books(&self) -> Books {
        let installations = self.books_of(None);
        let AppBooks { recovered, skipped, failed, not_attempted } = installations;
        let read = installations.installations() + self.duplicates + self.rejected;
        Books {
            input: self.ready.as_ref().map_or(read, |ready| ready.input),
            recovered,
            skipped,
            failed,
            not_attempted,
            duplicate: self.duplicates,
            rejected: self.rejected,
        }
    }

    /// The books of the chain of runs that this one belongs to, as they stand. A run without a
    /// parent is a chain of its own. Only rows that an earlier run has tried make the chain shorter:
    /// those that somebody added to the list were never in it, those that somebody took out of the
    /// list are outstanding still.
    pub fn chain(&self) -> Chain {
        let Started { parent, run_id, .. } = &self.started;
        let books = self.books();
        let Some(parent) = parent else {
            let outstanding = books.failed + books.not_attempted;
            let input = books.recovered + outstanding;
            let (first_run, recovered) = (run_id.clone(), books.recovered);
            return Chain { first_run, runs: 1, input, recovered, outstanding };
        };
        let is_recovered =
            |row: &Row| matches!(row.state, RowState::Recovered | RowState::HandedOn);
        let again = |row: &&Row| row.origin == Origin::EarlierRun && is_recovered(row);
        let again = self.rows.iter().filter(again).count();
        let again = u32::try_from(again).unwrap_or(u32::MAX).min(parent.outstanding);
        Chain {
            first_run: parent.first_run.clone(),
            runs: parent.runs.saturating_add(1),
            input: parent.input,
            recovered: parent.recovered.saturating_add(again),
            outstanding: parent.outstanding - again,
        }
    }

    /// Whether there are installations whose new tokens are refused where they are tried.
    pub fn has_refused(&self) -> bool {
        self.rows.iter().any(|row| row.state == RowState::Refused)
    }

    /// How many installations have to have their tokens in `tokens.jsonl`.
    pub fn tokens_awaited(&self) -> u32 {
        let awaited = self.rows.iter().filter(|row| row.state == RowState::Recovered).count();
        u32::try_from(awaited).unwrap_or(u32::MAX)
    }

    /// Whether installations of an app were recovered; without a name, of the whole run.
    pub fn is_proven(&self, app: Option<&AppName>) -> bool {
        self.rows_of(app).any(|row| matches!(row.state, RowState::Recovered | RowState::HandedOn))
    }

    /// The rows of an app that a leg takes, with whether they were tried before.
    pub fn rows_to_take(
        &self,
        app: Option<&AppName>,
        take: Take,
    ) -> impl Iterator<Item = (u32, Before)> {
        let index = app.map(|name| self.index_of(Some(name)));
        let rows = (0_u32..).zip(&self.rows);
        rows.filter(move |(_, entry)| index.is_none_or(|index| entry.app == index))
            .filter(move |(_, entry)| entry.state.is_taken(take))
            .map(|(row, entry)| {
                let is_new = entry.state == RowState::Pending && !self.tried.contains_key(&row);
                (row, if is_new { Before::Untried } else { Before::Tried })
            })
    }

    /// How many installations were begun and not finished when the run ended. The books have them
    /// among those that were not attempted.
    pub fn left_off(&self) -> u32 {
        let rows = self.rows.iter().filter(|row| row.state == RowState::LeftOff).count();
        u32::try_from(rows).unwrap_or(u32::MAX)
    }

    /// How many installations a leg has to take.
    pub fn to_take(&self, take: Take) -> u32 {
        self.to_take_of(None, take)
    }

    /// Makes fingerprints that can be compared with this ledger's rows.
    pub fn prints(&self) -> &Fingerprints {
        &self.prints
    }

    /// Compares the journal with the token pairs that are on disk, each with the checksum of its line.
    /// A line that is not the one that was written is as good as none.
    pub fn compare(&self, on_disk: &HashMap<Fingerprint, Checksum>) -> Disagreement {
        let mut disagreement = Disagreement::default();
        for (row, entry) in (0_u32..).zip(&self.rows) {
            let line = on_disk.get(&entry.print).copied();
            let line = line.filter(|line| entry.token_line.is_none_or(|known| known == *line));
            match (entry.state, line) {
                (
                    RowState::NotListed
                    | RowState::Refused
                    | RowState::Skipped
                    | RowState::HandedOn,
                    _,
                )
                | (RowState::Recovered, Some(_)) => {}
                (RowState::Recovered, None) => disagreement.missed.push(row),
                (_, Some(line)) => disagreement.reclaimed.push((row, line)),
                (_, None) => {}
            }
        }
        disagreement
    }

    /// What the token lines of the run have to be, for each of its installations, as far as the
    /// journal knows.
    pub fn token_lines(&self) -> HashMap<Fingerprint, TokenLine> {
        self.listed_rows().map(|row| (row.print, row.expected_line())).collect()
    }

    /// How many of these token lines are good: of an installation of the run, and as it was written.
    pub fn count_good(&self, lines: &HashMap<Fingerprint, Checksum>) -> usize {
        let is_good = |row: &&Row| {
            lines.get(&row.print).is_some_and(|line| row.expected_line().allows(*line))
        };
        self.listed_rows().filter(is_good).count()
    }

    fn listed_rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.state != RowState::NotListed)
    }

    /// Whether a line of `quarantine.jsonl` is as it was written.
    pub fn has_quarantined(&self, line: Checksum) -> bool {
        self.quarantined.contains(&line)
    }

    /// Some rows of the list, looked up where they stand in the journal.
    pub fn listed(
        &self,
        journal: &Path,
        rows: impl IntoIterator<Item = u32>,
    ) -> Result<Vec<Listed>, JournalError> {
        let mut reader = Reader::open(journal)?;
        let mut found = Vec::new();
        for entry in rows.into_iter().filter_map(|row| self.rows.get(row as usize)) {
            if let Event::Listed(listed) = reader.event_at(entry.listed_at)? {
                found.push(listed);
            }
        }
        Ok(found)
    }

    /// The installations that a leg takes, in the order of the list, with what was tried before.
    pub fn pending(
        &self,
        journal: &Path,
        take: Take,
    ) -> Result<impl Iterator<Item = Result<(Listed, Tried), JournalError>>, JournalError> {
        let taken =
            move |row: u32| self.rows.get(row as usize).is_some_and(|r| r.state.is_taken(take));
        let outcomes = Outcomes {
            run_state: self,
            list: Reader::open(journal)?,
            ends: Reader::open(journal)?,
            taken,
        };
        Ok(outcomes.map(|item| {
            let (listed, outcome) = item?;
            let (attempts, trace_ids) = match outcome {
                Outcome::Failed(failed) => (failed.attempts, failed.trace_ids),
                Outcome::NotAttempted(tried) => (tried.attempts, tried.trace_ids),
                Outcome::Recovered(_) | Outcome::Reclaimed(_) | Outcome::Skipped(_) => {
                    Default::default()
                }
            };
            let refresh_presented = self.refresh_presented.get(&listed.row).copied();
            Ok((listed, Tried { attempts, trace_ids, refresh_presented }))
        }))
    }

    /// Every listed installation in the order of the list, with how it stands.
    pub fn outcomes(
        &self,
        journal: &Path,
    ) -> Result<impl Iterator<Item = Result<(Listed, Outcome), JournalError>>, JournalError> {
        Ok(Outcomes {
            run_state: self,
            list: Reader::open(journal)?,
            ends: Reader::open(journal)?,
            taken: |_| true,
        })
    }
}

impl RowState {
    fn is_taken(self, take: Take) -> bool {
        match self {
            Self::Pending | Self::LeftOff => true,
            Self::Failed | Self::Refused => take == Take::OpenAndFailed,
            Self::NotListed | Self::Recovered | Self::HandedOn | Self::Skipped => false,
        }
    }
}

/// Reads the list once more and looks each outcome up where it stands in the journal.
struct Outcomes<'a, F> {
    run_state: &'a RunState,
    list: Reader,
    ends: Reader,
    taken: F,
}

impl<F> Outcomes<'_, F> {
    fn outcome_of(&mut self, row: u32) -> Result<Outcome, JournalError> {
        let state = self.run_state.rows.get(row as usize).copied().unwrap_or_default();
        if matches!(state.state, RowState::NotListed | RowState::Pending) {
            let tried = self.run_state.tried.get(&row).cloned().unwrap_or_default();
            return Ok(Outcome::NotAttempted(tried));
        }
        match self.ends.event_at(state.outcome_at)? {
            Event::Recovered(recovered) => Ok(Outcome::Recovered(recovered)),
            Event::Reclaimed(reclaimed) => Ok(Outcome::Reclaimed(reclaimed)),
            Event::Skipped(skipped) => Ok(Outcome::Skipped(skipped)),
            Event::Failed(failed) => Ok(Outcome::Failed(failed)),
            _ => Ok(Outcome::NotAttempted(Tried::default())),
        }
    }
}

impl<F: Fn(u32) -> bool> Iterator for Outcomes<'_, F> {
    type Item = Result<(Listed, Outcome), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.list.next()? {
                Ok((_, Event::Listed(listed))) if (self.taken)(listed.row) => {
                    let outcome = self.outcome_of(listed.row);
                    return Some(outcome.map(|outcome| (listed, outcome)));
                }
                Ok((_, Event::Ready(_))) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
