//! The vocabulary between work, journal and progress: everything that can happen in a run.
//!
//! The journal is these events, one a line; every other file of a run is derived from them. No
//! event has room for a secret.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    app::{AppName, AppOfRun},
    checksum::Checksum,
    clock,
    failure::{Class, Failure},
    highlevel::token_clients::StoredTokens,
    installation::{Id, Installation},
    route::Route,
    text::SafeText,
};

/// Version of the journal's format. A journal of a newer one is refused.
pub const FORMAT: u32 = 1;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run began: always the first event.
    Started(Box<Started>),
    /// An installation of the list that is to be recovered.
    Listed(Listed),
    /// A row that repeats an earlier one.
    Duplicate(Duplicate),
    /// A row that could not be read.
    Rejected(Rejected),
    /// The list is in the journal as a whole; calls begin after this.
    Ready(Ready),
    /// A code came and is about to be presented.
    Exchanging(Exchanging),
    /// A refresh token is about to be presented.
    Refreshing(Refreshing),
    /// An agency's token is about to be presented for that of a sub-account.
    Requesting(Requesting),
    /// What was about to be presented was not: the request never left.
    Unsent(Unsent),
    /// An attempt failed and another one follows.
    Retrying(Retrying),
    /// HighLevel said "too many", or that nothing is left: every request is held.
    Held(Held),
    /// By HighLevel's count, what is left of the day will not do.
    DayTooShort(DayTooShort),
    /// Everything fails the same way: the run pauses, and one installation at a time probes.
    Paused(Paused),
    /// The outage goes on: the installation that probed failed.
    Probed(Probed),
    /// The pause is over: answers are good again, or only those are left that had failed before.
    Continued(Continued),
    /// How far the server's clock is from ours: told once a leg, and again when it has moved.
    ServerClock(ServerClock),
    /// A token pair came and is about to be written: whatever its file has later, this says what it
    /// had to be. The event that says that the pair is durable follows.
    Saving(Saving),
    /// The token pair is on disk and has not proved itself yet.
    Untried(Untried),
    /// The token pair is on disk.
    Recovered(Box<Recovered>),
    /// The installation is left alone: the token that the list had for it is good, or another run
    /// has recovered it already.
    Skipped(Skipped),
    /// The installation is given up in this run.
    Failed(Box<Failed>),
    /// Something that concerns all installations stopped the run, or the part of it for one app.
    Halted(Halted),
    /// The run ended in order.
    Finished(Finished),
    /// The run is gone on with: another leg begins.
    Resumed(Resumed),
    /// Tokens were found on disk whose event had not been written.
    Reclaimed(Reclaimed),
    /// Tokens that the journal speaks of are not on disk: the installation is open again.
    Missed(Missed),
    /// Somebody said that the tokens recovered so far are where they belong: their file need not have
    /// them any more.
    HandedOn(HandedOn),
    /// A secret was found in a file that must not have any.
    Leaked(Leaked),
}

impl Event {
    /// The record whose tokens it speaks of, where it is one that goes with a token line.
    pub fn row_of_tokens(&self) -> Option<u32> {
        match self {
            Self::Untried(e) => Some(e.row),
            Self::Recovered(e) => Some(e.row),
            Self::Failed(e) => Some(e.row),
            _ => None,
        }
    }
}

/// See [`Event::Started`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// Names this run in every file and ticket: 32 hexadecimal digits.
    pub run_id: String,
    /// Version of the program.
    pub version: String,
    /// When.
    pub at: Timestamp,
    /// The app; with [`Started::apps`] that of rows that name none, empty when there are none.
    pub client_id: String,
    /// The apps that the list has rows of, where a column says of which one each row is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<AppOfRun>,
    /// The list.
    pub list: List,
    /// The run whose failures the list is, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Box<Parent>>,
    /// What the first execution was to do: [`crate::settings::Settings`], which lies above this.
    pub settings: Value,
}

impl Started {
    /// The client id of an app of the run; without a name, of the run itself.
    pub fn client_id_of(&self, app: Option<&AppName>) -> &str {
        let own = app.and_then(|name| self.apps.iter().find(|app| app.name == *name));
        own.map_or(&self.client_id, |app| &app.client_id)
    }
}

/// The run whose failures a list is, and the books of the chain of runs as of then. Counts are of
/// installations, without duplicate and rejected rows: `input` is `recovered` and `outstanding`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its run id.
    pub run_id: String,
    /// Full path of its folder.
    pub folder: String,
    /// Run id of the first run of the chain.
    pub first_run: String,
    /// Runs of the chain before this one.
    pub runs: u32,
    /// Installations that the first run was to recover.
    pub input: u32,
    /// Recovered by the runs before this one.
    pub recovered: u32,
    /// Not recovered by them.
    pub outstanding: u32,
}

/// The list as it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct List {
    /// Path as typed, or "standard input".
    pub name: String,
    /// Full path, where the list is a file that can be read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// SHA-256 of its bytes, in hexadecimal.
    pub digest: String,
    /// Format, separator and encoding in words.
    pub shape: String,
    /// The columns that are carried along, in the list's own spelling.
    pub columns: Vec<String>,
    /// Rows that are meant to be left out, since the app was removed there; they are in no count.
    #[serde(default, skip_serializing_if = "is_none")]
    pub uninstalled: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

/// See [`Event::Listed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// Number of the record in the list; 1 is the first after the header.
    pub row: u32,
    /// Line of the list at which the record begins; the header is line 1.
    pub line: u64,
    /// What to recover.
    pub installation: Installation,
    /// Of which of [`Started::apps`] it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<AppName>,
    /// The carried cells, aligned with [`List::columns`]; missing ones at the end are empty.
    pub values: Vec<String>,
    /// What earlier runs tried, when the list is the `failures.csv` of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

/// What earlier runs tried for an installation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Conversations so far.
    pub attempts_total: u32,
    /// When it first failed, as that run wrote it.
    pub first_failed_at: Option<String>,
    /// Trace ids of all runs, oldest first.
    pub trace_ids: Vec<SafeText>,
}

/// See [`Event::Duplicate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Duplicate {
    /// Number of the record.
    pub row: u32,
    /// Line at which it begins.
    pub line: u64,
    /// Number of the record that it repeats.
    pub first_row: u32,
    /// The id that both have.
    pub id: Id,
}

/// See [`Event::Rejected`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// Number of the record.
    pub row: u32,
    /// Line at which it begins.
    pub line: u64,
    /// The column that could not be read.
    pub column: SafeText,
    /// Why, and what to do.
    pub reason: SafeText,
    /// What the value looks like; never a token.
    pub raw: SafeText,
}

/// See [`Event::Ready`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// When.
    pub at: Timestamp,
    /// Records read: the sum that the books must give.
    pub input: u32,
    /// SHA-256 of the list's bytes, in hexadecimal.
    pub digest: String,
    /// Of which clients the tokens are that the list has.
    #[serde(default, skip_serializing_if = "StoredTokens::is_empty")]
    pub stored_tokens: StoredTokens,
}

/// One request and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// When the request was handed to the connection.
    pub at: Timestamp,
    /// Milliseconds from then until the last byte of the answer, or until it was given up.
    pub ms: u32,
    /// Status of the answer; `None` when none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// HighLevel's trace id, when the answer had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<SafeText>,
}

/// See [`Event::Exchanging`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchanging {
    /// Number of the record.
    pub row: u32,
    /// Which installation it is.
    pub id: Id,
    /// Which conversation of this run it is; 1 is the first.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// The reconnect that gave the code.
    pub reconnect: Call,
    /// `expiresAt` of the code, by the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_expires_at: Option<Timestamp>,
}

/// See [`Event::Refreshing`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshing {
    /// Number of the record.
    pub row: u32,
    /// Which installation it is.
    pub id: Id,
    /// Which conversation of this run it is; 1 is the first.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
}

/// See [`Event::Requesting`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requesting {
    /// Number of the record.
    pub row: u32,
    /// Which installation it is.
    pub id: Id,
    /// Which attempt of this run it is; 1 is the first.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
}

/// See [`Event::Unsent`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsent {
    /// Number of the record.
    pub row: u32,
    /// Which installation it is.
    pub id: Id,
    /// When.
    pub at: Timestamp,
}

/// See [`Event::Retrying`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retrying {
    /// Number of the record.
    pub row: u32,
    /// Which installation it is.
    pub id: Id,
    /// The conversation that failed.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// What went wrong.
    pub failure: Failure,
    /// The request that failed; `None` when none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// Milliseconds until the next one may begin; `None` when it waits for the end of an outage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u32>,
}

/// See [`Event::Held`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// When.
    pub at: Timestamp,
    /// Milliseconds for which nothing starts.
    pub hold_ms: u32,
    /// Milliseconds between two starts after it; 0 is no bound.
    pub interval_ms: u32,
}

/// See [`Event::DayTooShort`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayTooShort {
    /// When.
    pub at: Timestamp,
    /// Requests that HighLevel says are left today.
    pub left: u64,
    /// Requests that the installations still need when all goes well.
    pub needed: u64,
    /// When the next day begins, by the server's reckoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Timestamp>,
}

impl DayTooShort {
    /// For the person on call.
    pub fn in_words(&self) -> String {
        let reset = self.resets_at.map(|at| format!(" until {}", clock::stamp(at)));
        format!(
            "HighLevel's allowance for today will not suffice: {} requests are left{}, {} are needed. \
             When it is used up the run stops, and can be resumed",
            self.left,
            reset.unwrap_or_default(),
            self.needed
        )
    }
}

/// See [`Event::Paused`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paused {
    /// When.
    pub at: Timestamp,
    /// The failure that made it an outage.
    pub failure: Failure,
    /// When the run halts, unless the outage has ended before.
    pub gives_up_at: Timestamp,
}

/// See [`Event::Probed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// Number of the record of the installation that probed.
    pub row: u32,
    /// When its probe failed.
    pub at: Timestamp,
    /// What went wrong.
    pub failure: Failure,
    /// Milliseconds until the next probe.
    pub next_ms: u32,
    /// When the run halts, unless the outage has ended before.
    pub gives_up_at: Timestamp,
}

/// See [`Event::Continued`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Continued {
    /// When.
    pub at: Timestamp,
    /// Milliseconds that the run paused.
    pub paused_ms: u32,
}

/// See [`Event::ServerClock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerClock {
    /// When the answer came whose `Date` says so.
    pub at: Timestamp,
    /// Milliseconds by which the server's clock is ahead of ours; 0 where the two agree as far as
    /// a time of whole seconds can tell.
    pub offset_ms: i64,
}

/// See [`Event::Saving`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saving {
    /// Number of the record.
    pub row: u32,
    /// Where.
    pub file: TokenFile,
    /// Of the line without its line end.
    pub token_line: Checksum,
}

/// A file of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenFile {
    /// `tokens.jsonl`: to be used.
    Tokens,
    /// `quarantine.jsonl`: not to be used.
    Quarantine,
}

/// See [`Event::Untried`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Untried {
    /// Number of the record.
    pub row: u32,
    /// Which installation it is.
    pub id: Id,
    /// When the token pair was granted.
    pub at: Timestamp,
    /// The way by which.
    pub via: Route,
    /// The call that gave it.
    pub call: Call,
}

/// See [`Event::Skipped`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// Number of the record.
    pub row: u32,
    /// Which installation it is.
    pub id: Id,
    /// When.
    pub at: Timestamp,
    /// The call by which the token proved itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// The run that has recovered it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<RecoveredBefore>,
}

/// The run that recovered an installation, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveredBefore {
    /// When.
    pub at: Timestamp,
    /// The run folder, as a full path.
    pub folder: String,
}

impl Skipped {
    /// Why it is left alone.
    pub fn in_words(&self) -> String {
        match &self.recovered {
            None => "the access token that the list has is good".into(),
            Some(RecoveredBefore { at, folder }) => format!(
                "recovered at {} by the run in {folder}; --again recovers it once more",
                clock::stamp(*at)
            ),
        }
    }
}

/// How a new access token proved itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    /// What was found.
    pub verdict: Verdict,
    /// What HighLevel said, where the token is not simply good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<SafeText>,
    /// The call; `None` where an earlier event has told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
}

/// What trying a token that is not refused came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is good.
    Alive,
    /// It is alive, and lacks the scope for the call.
    WithoutScope,
    /// Nothing clear was answered.
    Unclear,
}

/// See [`Event::Recovered`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovered {
    /// Number of the record.
    pub row: u32,
    /// Which installation it is.
    pub id: Id,
    /// Conversations that it took.
    pub attempts: u32,
    /// The way by which.
    #[serde(default)]
    pub via: Route,
    /// When the first request of this installation was about to go out.
    pub started_at: Timestamp,
    /// When the token pair was granted; it is on disk once this event is.
    pub at: Timestamp,
    /// Trace id of the reconnect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnect_trace_id: Option<SafeText>,
    /// The call that gave the token pair: on the way of the Reconnect API, the exchange.
    pub exchange: Call,
    /// How old the code was when it was presented, where a code was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_age_ms: Option<u32>,
    /// How much of its life was left then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_margin_ms: Option<u32>,
    /// When the access token dies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<Timestamp>,
    /// Whether it came without a refresh token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_refresh_token: bool,
    /// How the access token proved itself, where it had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
}

impl Recovered {
    /// What is to be known of the tokens besides that they are there.
    pub fn remark(&self) -> Option<String> {
        let verified = self.verified.as_ref().and_then(Verified::in_words);
        let lacking = self
            .without_refresh_token
            .then(|| "it came without a refresh token and dies with the access token".to_owned());
        let remarks: Vec<String> = lacking.into_iter().chain(verified).collect();
        (!remarks.is_empty()).then(|| remarks.join("; "))
    }
}

impl Verified {
    fn in_words(&self) -> Option<String> {
        let said = self.message.as_ref().map(SafeText::as_str).unwrap_or_default();
        match self.verdict {
            Verdict::Alive => None,
            Verdict::WithoutScope => Some(format!("the token is alive and lacks a scope: {said}")),
            Verdict::Unclear => Some(format!("the token could not be tried: {said}")),
        }
    }
}

/// See [`Event::Failed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// Number of the record.
    pub row: u32,
    /// Which installation it is.
    pub id: Id,
    /// Conversations that were tried.
    pub attempts: u32,
    /// When the first request of this installation was about to go out.
    pub started_at: Timestamp,
    /// When it was given up.
    pub at: Timestamp,
    /// What went wrong at last.
    pub failure: Failure,
    /// The request that failed; `None` when none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// Trace id of the last reconnect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnect_trace_id: Option<SafeText>,
    /// Trace id of the last exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_trace_id: Option<SafeText>,
    /// Every trace id that this run saw for it, oldest first.
    pub trace_ids: Vec<SafeText>,
}

impl Failed {
    /// The column `status`: what the end of the run alone has left off has not failed.
    pub fn status(&self) -> &'static str {
        if self.failure.class.is_left_off() { "not_attempted" } else { "failed" }
    }
}

/// See [`Event::Halted`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Halted {
    /// When.
    pub at: Timestamp,
    /// The kind of fault.
    pub class: Class,
    /// What happened, for the person on call.
    pub message: SafeText,
    /// The app whose installations it concerns, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<AppName>,
    /// The option whose bound was reached, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<HaltRule>,
}

/// An option by which a run halts on its counts alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HaltRule {
    /// `--max-failures`.
    MaxFailures,
    /// `--give-up-after`: all that were tried have failed.
    GiveUpAfter,
}

/// See [`Event::Finished`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// When.
    pub at: Timestamp,
    /// The signal that ended it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted_by: Option<Interrupt>,
}

/// See [`Event::Resumed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resumed {
    /// When.
    pub at: Timestamp,
    /// Version of the program.
    pub version: String,
    /// What this execution is to do, as in [`Started::settings`].
    pub settings: Value,
}

/// See [`Event::Reclaimed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reclaimed {
    /// Number of the record.
    pub row: u32,
    /// Which installation it is.
    pub id: Id,
    /// When the tokens were found.
    pub at: Timestamp,
    /// Checksum of the line of `tokens.jsonl` that was found.
    pub token_line: Checksum,
    /// Attempts that it took, as far as the journal tells.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// The route that gave the tokens, where the journal tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Route>,
    /// Trace id of the reconnect, where the journal tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnect_trace_id: Option<SafeText>,
    /// Expiry of the access token, as its line has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<Timestamp>,
    /// Whether the line has no refresh token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_refresh_token: bool,
}

// The signature is serde's.
#[expect(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// See [`Event::Missed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Missed {
    /// Number of the record.
    pub row: u32,
    /// Which installation it is.
    pub id: Id,
    /// When it was noticed.
    pub at: Timestamp,
}

/// See [`Event::HandedOn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOn {
    /// When it was said.
    pub at: Timestamp,
    /// How many installations are recovered by then.
    pub installations: u32,
}

/// See [`Event::Leaked`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leaked {
    /// When it was found.
    pub at: Timestamp,
    /// The file, which was given another name.
    pub file: String,
}

/// A signal that asks the run to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interrupt {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM, or the console being closed.
    Terminate,
}

impl<T: Listener> Listener for std::sync::Arc<T> {
    fn on_event(&self, event: &Event) {
        (**self).on_event(event);
    }
}

/// Hears what happens, and does not answer.
pub trait Listener: Send + Sync {
    /// Takes note of an event.
    fn on_event(&self, event: &Event);
}

/// Listens, and takes lines that no event stands for.
pub trait Observer: Listener {
    /// Takes note of a line.
    fn note(&self, line: &str);
}
