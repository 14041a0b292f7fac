//! The settings of one execution: everything that it was asked to do, checked, as one value.
//!
//! The event that begins an execution has them whole, so that `resume` without options repeats them.
//! They name the files that secrets come from, and never hold a secret.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{known_messages::KnownMessages, store_choice::StoreChoice};
use crate::{
    highlevel::{
        endpoint::{Endpoint, EndpointError, HIGHLEVEL, RECONNECT_PATH},
        token_check::TokenCheckPath,
        token_checks::{OldTokens, TokenChecks},
        version::ApiVersion,
    },
    input::{ColumnChoice, ScopeChoice},
    installation::Id,
    pace::{AskedRate, Pacing, Rate},
    plan::max_failures::MaxFailures,
    route::{Route, RouteList},
    shard::Shard,
};

/// Characters of a section of `escalation.md`, unless `--ticket-limit` says otherwise.
pub const TICKET_LIMIT: u32 = 4000;

/// What an execution was asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether the calls go to the embedded sandbox.
    pub place: Place,
    /// Scheme and host; of the sandbox, those of this execution.
    pub base_url: String,
    /// Path of the Reconnect API.
    pub reconnect_path: String,
    /// Version of the API for everything else.
    pub api_version: ApiVersion,
    /// The app; with `--apps`, that of rows that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Whether `--client-id` named it. Then `GHL_CLIENT_ID` is another app's and says nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub client_id_typed: bool,
    /// Sent with each exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
    /// Rows that say what answers mean, before the built-in ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_messages: Option<KnownMessages>,
    /// Files that secrets are read from.
    pub secrets: SecretFiles,
    /// Request starts.
    #[serde(with = "super::text")]
    pub rate: AskedRate,
    /// How far `--rate auto` climbs.
    #[serde(with = "super::text")]
    pub max_rate: Rate,
    /// Starts that may come at once.
    pub burst: NonZeroU32,
    /// Installations in flight at most.
    pub concurrency: u32,
    /// Attempts for one installation at most.
    pub attempts: u32,
    /// Bound of one request, from connect to the last byte.
    #[serde(with = "super::duration")]
    pub timeout: Duration,
    /// How long an outage may last before the run halts.
    #[serde(with = "super::duration")]
    pub max_outage: Duration,
    /// How many installations may fail before the run halts.
    #[serde(with = "super::text")]
    pub max_failures: MaxFailures,
    /// After so many failures without a recovery the run is given up; 0 is never.
    pub give_up_after: u32,
    /// The routes, in the order in which they are tried.
    pub via: RouteList,
    /// Where new access tokens are checked; `None`: nowhere. The empty text is the usual path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<TokenCheckPath>,
    /// Whether installations are left alone whose old access token is good.
    pub skip_healthy: bool,
    /// Whether installations are recovered that another run has recovered in the last 24 hours.
    pub again: bool,
    /// Which rows of the list.
    pub selection: Selected,
    /// Which of several machines this is that share the list, the rate and the burst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// How the escalation files are written.
    pub escalation: Escalation,
    /// Whether the page is written.
    #[serde(default, skip_serializing_if = "Page::is_default")]
    pub page: Page,
    /// Where the recovered pairs go at the end of the execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreChoice>,
}

/// Where the calls go: a rehearsal is never linked to a real run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The embedded sandbox.
    Sandbox,
    /// The base URL.
    #[default]
    Real,
}

/// Files that secrets are read from, as full paths. The journal has those that can be read again;
/// a pipe cannot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretFiles {
    /// `--env-file`.
    #[serde(default, skip_serializing_if = "is_read_once")]
    pub env_file: Option<PathBuf>,
    /// `--client-secret-file`; `-` is standard input.
    #[serde(default, skip_serializing_if = "is_read_once")]
    pub client_secret_file: Option<PathBuf>,
    /// `--agency-tokens`.
    #[serde(default, skip_serializing_if = "is_read_once")]
    pub agency_tokens: Option<PathBuf>,
    /// `--apps`, which names the places of secrets.
    #[serde(default, skip_serializing_if = "is_read_once")]
    pub apps: Option<PathBuf>,
}

/// A pipe is empty after its first reading, and so is standard input.
#[expect(clippy::ref_option, reason = "as serde hands it over")]
fn is_read_once(file: &Option<PathBuf>) -> bool {
    !file.as_deref().is_some_and(|file| file.is_file() && file.to_str().is_some())
}

impl SecretFiles {
    /// Takes out the files that are not there any more, and gives their options and paths.
    pub fn take_missing(&mut self) -> Vec<(&'static str, PathBuf)> {
        let files = [
            ("--env-file", &mut self.env_file),
            ("--client-secret-file", &mut self.client_secret_file),
            ("--agency-tokens", &mut self.agency_tokens),
            ("--apps", &mut self.apps),
        ];
        let is_gone = |file: &mut PathBuf| !file.is_file();
        files
            .into_iter()
            .filter_map(|(option, file)| Some((option, file.take_if(is_gone)?)))
            .collect()
    }
}

/// Which rows of the list are taken, so that it can be read again in the same way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Selected {
    /// `--scope`.
    pub scope: ScopeChoice,
    /// `--id-column`, `--company-column`, `--kind-column` and `--no-header`.
    #[serde(default, skip_serializing_if = "ColumnChoice::is_default")]
    pub columns: ColumnChoice,
    /// The files of `--only`, as full paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<PathBuf>,
    /// The ids of `--only` that were typed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_ids: Vec<Id>,
    /// `--limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `--all`: rows of an earlier run's failures too that are not due.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

/// How `escalation.md` and `escalation.csv` are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// The most characters of a section: what a ticket form takes.
    pub ticket_limit: u32,
    /// The list's own columns that may be shown to support.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

/// Whether `report.html` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Page {
    /// It is.
    #[default]
    Written,
    /// `--no-html`.
    LeftOut,
}

impl Page {
    /// What `--no-html` asks for; without it, as `before`.
    pub fn asked(no_html: bool, before: Self) -> Self {
        if no_html { Self::LeftOut } else { before }
    }

    // The signature is serde's.
    #[expect(clippy::trivially_copy_pass_by_ref)]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Escalation {
    fn default() -> Self {
        Self { ticket_limit: TICKET_LIMIT, columns: Vec::new() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            place: Place::Real,
            base_url: HIGHLEVEL.to_owned(),
            reconnect_path: RECONNECT_PATH.to_owned(),
            api_version: ApiVersion::default(),
            client_id: None,
            client_id_typed: false,
            redirect_uri: None,
            known_messages: None,
            secrets: SecretFiles::default(),
            rate: AskedRate::Fixed(per_second(10)),
            max_rate: per_second(50),
            burst: NonZeroU32::MIN,
            concurrency: 16,
            attempts: 5,
            timeout: Duration::from_secs(30),
            max_outage: Duration::from_mins(10),
            max_failures: MaxFailures::Any,
            give_up_after: 20,
            via: RouteList::default(),
            verify: None,
            skip_healthy: false,
            again: false,
            selection: Selected::default(),
            shard: None,
            escalation: Escalation::default(),
            page: Page::default(),
            store: None,
        }
    }
}

fn per_second(starts: u32) -> Rate {
    let starts = NonZeroU32::new(starts).unwrap_or(NonZeroU32::MIN);
    Rate::Limited { starts, window: Duration::from_secs(1) }
}

impl Settings {
    /// The settings that an event has.
    pub fn read(recorded: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(recorded)
    }

    /// The settings for an event.
    pub fn written(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }

    /// Whether nothing leaves this machine.
    pub fn is_rehearsal(&self) -> bool {
        self.place == Place::Sandbox
    }

    /// The addresses of the calls.
    pub fn endpoint(&self) -> Result<Endpoint, EndpointError> {
        let endpoint = Endpoint::new(&self.base_url, &self.reconnect_path)?;
        Ok(endpoint.with_version(self.api_version))
    }

    /// How fast requests may start: among several machines, this one's share.
    pub fn pacing(&self) -> Pacing {
        let total = self.total_pacing();
        self.shard.map_or(total, |shard| total.share(shard))
    }

    /// How fast the requests of all machines together may start.
    pub fn total_pacing(&self) -> Pacing {
        Pacing {
            asked: self.rate,
            max: self.max_rate,
            burst: self.burst,
            machines: NonZeroU32::MIN,
        }
    }

    /// The settings of a run that is one machine's own, at the share of the rate that it has now.
    #[must_use]
    pub fn of_one_machine(&self) -> Self {
        let Pacing { asked, max, burst, .. } = self.pacing();
        Self { rate: asked, max_rate: max, burst, shard: None, ..self.clone() }
    }

    /// How access tokens are checked.
    pub fn token_checks(&self) -> TokenChecks {
        let old = if self.skip_healthy { OldTokens::Tried } else { OldTokens::Ignored };
        TokenChecks { old, new: self.verify.clone() }
    }

    /// Whether the tokens that the list has are used.
    pub fn use_tokens_of_list(&self) -> bool {
        self.skip_healthy || self.via.include(Route::Refresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let env_file = folder.path().join("env");
        std::fs::write(&env_file, "").unwrap();
        let settings = Settings {
            place: Place::Sandbox,
            client_id: Some("66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef".into()),
            redirect_uri: Some("https://a.example/cb".into()),
            secrets: SecretFiles { env_file: Some(env_file), ..SecretFiles::default() },
            rate: "1.5/s".parse().unwrap(),
            max_rate: Rate::Unlimited,
            timeout: Duration::from_millis(1500),
            max_outage: Duration::from_nanos(7),
            max_failures: "2.5%".parse().unwrap(),
            via: "refresh,agency".parse().unwrap(),
            verify: Some(TokenCheckPath::Usual),
            skip_healthy: true,
            shard: Shard::new(3, 8),
            ..Settings::default()
        };
        for settings in [settings, Settings::default()] {
            assert_eq!(Settings::read(&settings.written().unwrap()).unwrap(), settings);
        }
    }

    #[test]
    fn a_file_that_can_be_read_once_is_not_recorded() {
        for path in ["-", "/dev/stdin", "/nowhere/at/all"] {
            let file = Some(PathBuf::from(path));
            let secrets = SecretFiles { client_secret_file: file, ..SecretFiles::default() };
            let settings = Settings { secrets, ..Settings::default() };
            assert_eq!(settings.written().unwrap()["secrets"], serde_json::json!({}), "{path}");
        }
    }
}
