//! How a run and its executions begin and end.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::list::List;
use crate::{
    app::{AppName, AppOfRun},
    failure::Class,
    shard::Shard,
    text::SafeText,
};

/// What [`Event::Started`](super::Event::Started) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// [`FORMAT`](super::FORMAT) of the writer.
    pub format: u32,
    /// Names this run in every file and ticket: 32 hexadecimal digits.
    pub run_id: String,
    /// Version of the program.
    pub version: String,
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// The app; with [`Started::apps`](super::Started::apps) that of rows that name none, empty when there are none.
    pub client_id: String,
    /// The apps that the list has rows of, where a column names the app of each row.
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

/// What [`Event::Halted`](super::Event::Halted) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Halted {
    /// Time of the event, UTC.
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

/// What [`Event::Finished`](super::Event::Finished) records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// The signal that ended it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted_by: Option<Interrupt>,
}

/// What [`Event::Resumed`](super::Event::Resumed) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resumed {
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// Version of the program.
    pub version: String,
    /// What this execution is to do, as in [`Started::settings`].
    pub settings: Value,
}

/// What [`Event::HandedOn`](super::Event::HandedOn) records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOn {
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// How many installations are recovered by then.
    pub installations: u32,
    /// The only record that it is about, in the journal of a merged run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u32>,
}

/// What [`Event::Leaked`](super::Event::Leaked) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leaked {
    /// When it was found.
    pub at: Timestamp,
    /// The file, which was given another name.
    pub file: String,
}

/// What [`Event::Exceeded`](super::Event::Exceeded) records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exceeded {
    /// When it was noticed, UTC.
    pub at: Timestamp,
    /// The shard.
    pub shard: Shard,
    /// Starts in the window.
    pub starts: u64,
    /// Starts that its share allows.
    pub allowed: u32,
    /// Length of the window in milliseconds.
    pub window_ms: u32,
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
