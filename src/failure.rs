//! Failures as types. What a class means and when it halts is in `highlevel/classes.toml`; whether it
//! is retried, in `engine/recover/retry.rs`.

use std::{fmt, num::NonZeroU32};

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

/// The step of a recovery at which a failure happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Reading the list.
    Input,
    /// Presenting a refresh token for a token pair.
    Refresh,
    /// Asking for an authorization code.
    Reconnect,
    /// Presenting the code for a token pair.
    Exchange,
    /// Asking for a sub-account's tokens with its agency's.
    Agency,
    /// Checking an access token.
    Verify,
    /// Writing the token pair to disk.
    Store,
}

impl Stage {
    /// The name in the files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Refresh => "refresh",
            Self::Reconnect => "reconnect",
            Self::Exchange => "exchange",
            Self::Agency => "agency",
            Self::Verify => "verify",
            Self::Store => "store",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The kind of a failure. It decides what happens next.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Class {
    /// HighLevel answers that the endpoint is gone.
    EndpointRemoved,
    /// HighLevel does not accept the client id and secret.
    ClientRefused,
    /// The app is not installed there.
    NotInstalled,
    /// The sub-account is paused or suspended, or its agency is.
    LocationInactive,
    /// HighLevel knows no such location or company.
    UnknownId,
    /// HighLevel found the request malformed.
    InvalidRequest,
    /// The authorization code was not accepted.
    GrantRefused,
    /// The authorization code was past its life.
    CodeExpired,
    /// Too many requests.
    RateLimited,
    /// HighLevel, or the gateway in front of it, failed.
    ServerError,
    /// No whole answer came: name not resolved, refused, reset, timed out.
    Network,
    /// The gateway refused the caller, whatever the request.
    Blocked,
    /// The answer points to another address.
    Redirected,
    /// An answer with a success status that cannot be used.
    BadAnswer,
    /// Tokens came for another installation.
    WrongTenant,
    /// Tokens came for an agency where a sub-account was asked for, or the other way round.
    WrongKind,
    /// A request for tokens left and no whole answer came back: tokens may have been granted.
    OutcomeUnknown,
    /// The run was interrupted while this installation was being worked on.
    Interrupted,
    /// The run was halted while this installation was being worked on.
    Halted,
    /// An answer that no row of the table matches.
    Unrecognised,
}

impl Class {
    /// The name in the files.
    pub fn name(self) -> &'static str {
        match self {
            Self::EndpointRemoved => "endpoint_removed",
            Self::ClientRefused => "client_refused",
            Self::NotInstalled => "not_installed",
            Self::LocationInactive => "location_inactive",
            Self::UnknownId => "unknown_id",
            Self::InvalidRequest => "invalid_request",
            Self::GrantRefused => "grant_refused",
            Self::CodeExpired => "code_expired",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Network => "network",
            Self::Blocked => "blocked",
            Self::Redirected => "redirected",
            Self::BadAnswer => "bad_answer",
            Self::WrongTenant => "wrong_tenant",
            Self::WrongKind => "wrong_kind",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Interrupted => "interrupted",
            Self::Halted => "halted",
            Self::Unrecognised => "unrecognised",
        }
    }

    /// Whether only the end of the run is to blame: the installation was in flight and has not failed.
    pub fn is_left_off(self) -> bool {
        matches!(self, Self::Interrupted | Self::Halted)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The `retry` column of `failures.csv`: when, or after what, another run may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Advice {
    /// At once.
    Now,
    /// After the pause or the outage.
    Later,
    /// With another client id or secret.
    FixCredentials,
    /// With a corrected list.
    FixInput,
    /// Once the app is installed again.
    NeedsReinstall,
    /// Once HighLevel's support has looked at it.
    NeedsSupport,
    /// Not at all.
    Never,
}

impl Advice {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Now,
        Self::Later,
        Self::FixCredentials,
        Self::FixInput,
        Self::NeedsReinstall,
        Self::NeedsSupport,
        Self::Never,
    ];

    /// Reads a cell of the column; `None` for any other text.
    pub fn read(cell: &str) -> Option<Self> {
        let cell = cell.trim();
        Self::ALL.into_iter().find(|advice| advice.name().eq_ignore_ascii_case(cell))
    }

    /// The name in the files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Later => "later",
            Self::FixCredentials => "fix-credentials",
            Self::FixInput => "fix-input",
            Self::NeedsReinstall => "needs-reinstall",
            Self::NeedsSupport => "needs-support",
            Self::Never => "never",
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One failure, with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step at which it happened.
    pub stage: Stage,
    /// Its kind.
    pub class: Class,
    /// The answer's status; `None` if no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// The message of the server, or of the network.
    pub message: SafeText,
    /// HighLevel's trace id, if the answer had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<SafeText>,
    /// The wait that the server asked for, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u32>,
    /// Who seems to have answered. Used for decisions during the run; recorded in no file.
    #[serde(skip)]
    pub origin: Origin,
    /// The answer finds fault with a part that all requests share: this many in a row, without a
    /// success between, halt the run, whatever the class. `None` for what concerns this installation.
    /// Recorded in no file.
    #[serde(skip)]
    pub concerns_all: Option<NonZeroU32>,
}

/// Who seems to have answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// HighLevel, as far as one can tell; or no answer to a request that left.
    #[default]
    HighLevel,
    /// Something that does not speak JSON: a gateway, a captive portal, another host.
    Elsewhere,
    /// No connection was made: the request never left.
    NeverLeft,
}

impl Failure {
    /// A failure without an answer.
    pub fn without_answer(stage: Stage, class: Class, message: &str) -> Self {
        Self {
            stage,
            class,
            http_status: None,
            message: SafeText::new(message),
            trace_id: None,
            retry_after_ms: None,
            origin: Origin::default(),
            concerns_all: None,
        }
    }
}

/// What kind of failure it is, for a person: `not_installed at reconnect, HTTP 400`.
pub fn kind_in_words(class: Class, stage: Stage, http_status: Option<u16>) -> String {
    let status = http_status.map(|status| format!(", HTTP {status}"));
    format!("{class} at {stage}{}", status.unwrap_or_default())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&kind_in_words(self.class, self.stage, self.http_status))?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}
