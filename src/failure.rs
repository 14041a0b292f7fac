//! What went wrong, as types: stage, class, advice and evidence.

use std::{fmt, num::NonZeroU32};

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

/// The step of a recovery at which something went wrong.
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
    /// Trying a new access token.
    Verify,
    /// Bringing the token pair to disk.
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

/// What kind of failure it is. The class decides what happens next.
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
    /// HighLevel, or the gateway before it, failed.
    ServerError,
    /// No whole answer came: name not resolved, refused, reset, timed out.
    Network,
    /// The gateway refused the caller as such.
    Blocked,
    /// The answer points to another address.
    Redirected,
    /// An answer that says success and cannot be used.
    BadAnswer,
    /// Tokens came for another installation.
    WrongTenant,
    /// Tokens came for an agency where a sub-account was asked for, or the other way round.
    WrongKind,
    /// The exchange went out and no whole answer came back: tokens may have been granted.
    OutcomeUnknown,
    /// The run was interrupted while this installation was being worked on.
    Interrupted,
    /// The run was halted while this installation was being worked on.
    Halted,
    /// An answer that nothing here knows.
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

    /// Whether the end of the run is all that it says: the installation was being worked on, and has
    /// not failed.
    pub fn is_left_off(self) -> bool {
        matches!(self, Self::Interrupted | Self::Halted)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The `retry` column of `failures.csv`: when, or after what, another run has a chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
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
}

impl Advice {
    /// The name in the files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Later => "later",
            Self::FixCredentials => "fix-credentials",
            Self::FixInput => "fix-input",
            Self::NeedsReinstall => "needs-reinstall",
            Self::NeedsSupport => "needs-support",
        }
    }
}

/// One thing that went wrong, with what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Where.
    pub stage: Stage,
    /// What kind.
    pub class: Class,
    /// The answer's status; `None` when no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// What the server, or the network, said.
    pub message: SafeText,
    /// HighLevel's trace id, when the answer had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<SafeText>,
    /// How long the server asked to wait, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u32>,
    /// Who seems to have answered. For decisions while the run goes on; no file has it.
    #[serde(skip)]
    pub origin: Origin,
    /// What the answer finds fault with is the same in the requests for all installations: so many of
    /// them in a row, without a success between, stop the run, whatever the class says. `None` for
    /// what concerns this installation. No file has it either.
    #[serde(skip)]
    pub concerns_all: Option<NonZeroU32>,
}

/// Who seems to have answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// HighLevel, as far as one can tell, or no answer to a request that went out.
    #[default]
    HighLevel,
    /// Something that does not speak JSON: a gateway, a captive portal, another host.
    Elsewhere,
    /// No connection was made: the request never left.
    Nobody,
}

impl Failure {
    /// A failure without an answer to show.
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

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.class, self.stage)?;
        if let Some(status) = self.http_status {
            write!(f, ", HTTP {status}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}
